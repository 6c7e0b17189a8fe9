// SPDX-License-Identifier: GPL-2.0-only
/* See hv_guest.h. */
#include "tests/unit/hv_guest.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/sched/softirq.h"

#define DOMAINS_MAX 8

struct domain *dom_io, *dom0;
__thread struct guest_continuation guest_continued;
uint64_t guest_fault_at;
static struct domain *domain_table[DOMAINS_MAX];

/* ---- domains ---- */

static mfn_t translate(struct domain *d, gfn_t gfn)
{
	(void)d;
	return MFN(gfn.n);
}

static const struct guest_ops ops = {.translate = translate};

void guest_init(void)
{
	machine_init();
	dom_io = machine_domain(0);
	dom_io->domid = DOMID_IO;
	dom_xen->domid = DOMID_XEN;
}

struct vcpu *guest_vcpu(struct domain *d)
{
	struct vcpu *v = heap_pages(2);

	_Static_assert(sizeof(struct vcpu) <= 4 * PAGE_SIZE, "two orders are enough");
	v->id = d->max_vcpus;
	v->domain = d;
	v->dirty_cpu = VCPU_CLEAN;
	v->pv.kernel_mode = true;
	d->vcpu[d->max_vcpus++] = v;
	return v;
}

struct domain *guest_create(domid_t domid, uint32_t pages)
{
	struct domain *d = machine_domain(pages);

	d->domid = domid;
	d->pv = 1;
	d->ops = &ops;
	d->vcpu = heap_pages(0);
	guest_vcpu(d);
	domain_table[domid] = d;
	return d;
}

void guest_destroy(struct domain *d)
{
	domain_table[d->domid] = NULL;
	for (unsigned int i = 0; i < d->max_vcpus; i++)
		heap_free(d->vcpu[i], 2);
	heap_free(d->vcpu, 0);
	machine_domain_free(d);
}

void guest_run(struct domain *d)
{
	current = d->vcpu[0];
}

struct frame *guest_page(struct domain *d)
{
	struct frame *f = frames_alloc(d, 0, ANY_NODE, 0, 0);

	if (!f)
		abort();
	return f;
}

struct domain *domain_get(domid_t domid)
{
	struct domain *d = NULL;

	if (domid == DOMID_SELF)
		d = current->domain;
	else if (domid < DOMAINS_MAX)
		d = domain_table[domid];
	if (!d || d->dying)
		return NULL;
	domain_ref(d);
	return d;
}

struct domain *domain_get_any(domid_t domid)
{
	return domain_get(domid);
}

int access_check(enum access what, const struct domain *target)
{
	(void)what;
	return current->domain == target || current->domain->control ? 0 : -EPERM;
}

/* ---- preemption ---- */

void guest_preempt(bool on)
{
	this_cpu_var(softirq_pending) = on;
}

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	va_list ap;

	guest_continued.made = true;
	guest_continued.nr = nr;
	va_start(ap, n);
	for (unsigned int i = 0; i < n; i++)
		guest_continued.arg[i] = va_arg(ap, uint64_t);
	va_end(ap);
	return nr;
}

/* ---- guest memory ---- */

static bool faults(uint64_t gva, size_t n)
{
	return !gva || (guest_fault_at && gva + n > guest_fault_at);
}

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	if (faults(gva, n))
		return n;
	memcpy(to, (const void *)gva, n);
	return 0;
}

size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (faults(gva, n))
		return n;
	memcpy((void *)gva, from, n);
	return 0;
}
