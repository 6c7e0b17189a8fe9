// SPDX-License-Identifier: GPL-2.0-only
/* The life of domains and vcpus: creation with each allocation failing in turn, finding,
 * references, shutdown, destruction in pieces; nothing may be left over. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/pv.h"
#include "tests/unit/suite.h"

#include <xen/domctl.h>

/* ---- memory that can fail ---- */

#define PAGES 4096u
static char memory[PAGES * PAGE_SIZE] __attribute__((aligned(1 << 16)));
static uint8_t used[PAGES];
static struct frame frames[PAGES];
char *host_memory = memory;
struct frame *frame_table = frames;
uint64_t max_frame = PAGES;
static long allocated;  /* of both kinds, now */
static long fail_after; /* so many succeed; negative: all */

static bool fails(void)
{
	return fail_after >= 0 && !fail_after--;
}

void *heap_pages(unsigned int order)
{
	unsigned int i, j, n = 1u << order;

	if (fails())
		return NULL;
	for (i = n; i + n <= PAGES; i += n) {
		for (j = 0; j < n && !used[i + j]; j++)
			;
		if (j < n)
			continue;
		memset(used + i, 1, n);
		memset(memory + i * PAGE_SIZE, 0, n * PAGE_SIZE);
		allocated++;
		return memory + i * PAGE_SIZE;
	}
	abort();
}

void heap_free(void *p, unsigned int order)
{
	memset(used + ((char *)p - memory) / PAGE_SIZE, 0, 1u << order);
	allocated--;
}

void *xzalloc_bytes(size_t size, size_t align)
{
	(void)align;
	if (fails())
		return NULL;
	allocated++;
	return calloc(1, size);
}

void xfree(void *p)
{
	allocated -= p != NULL;
	free(p);
}

/* ---- the rest of the hypervisor ---- */

unsigned int nr_cpus = 2;
struct acpi_info acpi;
struct cpumask cpu_online_map = {{3}};

static struct tasklet *tasklets;
static unsigned int timers_live, type_refs, dom_exc, kind_inits, kind_vcpus, preempts;
static uint8_t machine_end = 99;
static stime_t clock_now = 1;

stime_t now(void)
{
	return clock_now;
}

void tasklet_init(struct tasklet *t, void (*fn)(void *), void *arg)
{
	*t = (struct tasklet){.fn = fn, .arg = arg};
}

void tasklet_schedule(struct tasklet *t)
{
	t->next = tasklets;
	tasklets = t;
}

static void run_tasklets(void)
{
	while (tasklets) {
		struct tasklet *t = tasklets;

		tasklets = t->next;
		t->fn(t->arg);
	}
}

static struct timer *last_set;
static struct timer *fire; /* in the middle of a vcpu's end, on another CPU */

void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned int cpu)
{
	*t = (struct timer){.fn = fn, .arg = arg, .cpu = cpu};
	timers_live++;
}

void timer_set(struct timer *t, stime_t expires)
{
	t->expires = expires;
	last_set = t;
}

void timer_stop(struct timer *t)
{
	t->expires = 0;
}

void timer_kill(struct timer *t)
{
	timers_live -= !t->killed;
	t->killed = true;
	fire = fire == t ? NULL : fire;
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	t->cpu = cpu;
}

void softirq_open(enum softirq nr, void (*fn)(void))
{
	(void)nr, (void)fn;
}

void softirq_raise_cpu(unsigned int cpu, enum softirq nr)
{
	(void)cpu, (void)nr;
}

void softirq_raise(enum softirq nr)
{
	(void)nr;
}

void smp_send_event(unsigned int cpu)
{
	(void)cpu;
}

void sync_vcpu_state(struct vcpu *v)
{
	(void)v;
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	(void)prev, (void)next;
}

void pv_toggle_mode(struct vcpu *v)
{
	(void)v;
}

int pv_drop_roots(struct vcpu *v)
{
	(void)v;
	return 0;
}

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	(void)n;
	return nr;
}

int access_check(enum access what, const struct domain *target)
{
	(void)what, (void)target;
	return 0;
}

const struct cpumask *cpupool_cpus(uint32_t id)
{
	(void)id;
	return &cpu_online_map;
}

unsigned int nr_gsis(void)
{
	return 24;
}

void share_frame_with(struct frame *f, struct domain *d, bool writable)
{
	(void)f, (void)d, (void)writable;
}

void mm_set_io_owner(const struct domain *d)
{
	(void)d;
}

bool mfn_valid(mfn_t mfn)
{
	return mfn.n < PAGES;
}

struct frame *frame_lookup(mfn_t mfn)
{
	return mfn_valid(mfn) ? &frame_table[mfn.n] : NULL;
}

bool frame_get(struct frame *f, const struct domain *d)
{
	(void)d;
	f->count++;
	return true;
}

void frame_put(struct frame *f)
{
	f->count--;
}

void frame_put_allocated(struct frame *f)
{
	f->count &= ~FRAME_ALLOCATED;
}

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type)
{
	(void)d;
	if (f == frames + 3 || type != FRAME_WRITABLE)
		return false;
	type_refs++;
	return true;
}

void frame_put_and_type(struct frame *f)
{
	(void)f;
	type_refs--;
}

void show_registers(const struct cpu_user_regs *r)
{
	(void)r;
}

void *vmap(const mfn_t *mfn, unsigned int n)
{
	(void)n;
	return fails() ? NULL : memory + mfn->n * PAGE_SIZE;
}

void vunmap(const void *p, unsigned int n)
{
	(void)p, (void)n;
}

void hardware_domain_shutdown(uint8_t reason)
{
	machine_end = reason;
	for (;;)
		abort();
}

#define ALLOCATES(name, field)                                                           \
	int name(struct domain *d)                                                       \
	{                                                                                \
		d->field = xzalloc_bytes(8, 8);                                          \
		return d->field ? 0 : -ENOMEM;                                           \
	}
ALLOCATES(policy_domain_init, policy)
ALLOCATES(perdomain_create, perdomain_l3)

void policy_domain_destroy(struct domain *d)
{
	xfree(d->policy);
}

void perdomain_destroy(struct domain *d)
{
	xfree(d->perdomain_l3);
}

int perdomain_vcpu_init(struct vcpu *v)
{
	(void)v;
	return fails() ? -ENOMEM : 0;
}

int fpu_vcpu_init(struct vcpu *v)
{
	v->fpu.area = xzalloc_bytes(64, 64);
	return v->fpu.area ? 0 : -ENOMEM;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
	if (fire)
		fire->fn(fire->arg);
	xfree(v->fpu.area);
}

void fpu_reset(struct vcpu *v)
{
	(void)v;
}

int grant_table_create(struct domain *d, uint32_t f, uint32_t m, uint32_t options)
{
	(void)f, (void)m, (void)options;
	d->grant_table = xzalloc_bytes(8, 8);
	return d->grant_table ? 0 : -ENOMEM;
}

int grant_table_relinquish(struct domain *d)
{
	(void)d;
	return preempts && preempts-- ? -ERESTART : 0;
}

void grant_table_destroy(struct domain *d)
{
	xfree(d->grant_table);
}

int pirq_domain_init(struct domain *d, unsigned int n)
{
	(void)n;
	d->pirqs = xzalloc_bytes(8, 8);
	return d->pirqs ? 0 : -ENOMEM;
}

void pirq_domain_destroy(struct domain *d)
{
	xfree(d->pirqs);
}

void pirq_domain_relinquish(struct domain *d)
{
	(void)d;
}

void pirq_set_vcpu(struct vcpu *v, unsigned int n)
{
	(void)n, (void)v;
}

int domain_claim_pages(struct domain *d, uint64_t pages)
{
	CU_ASSERT_EQUAL(pages, 0);
	(void)d;
	return 0;
}

int pirq_bind(struct vcpu *v, unsigned int n, bool share)
{
	(void)v, (void)n, (void)share;
	return 0;
}

void pirq_unbind(struct domain *d, unsigned int n)
{
	(void)d, (void)n;
}

static int kind_init(struct domain *d)
{
	(void)d;
	if (fails())
		return -ENOMEM;
	kind_inits++;
	return 0;
}

static int kind_relinquish(struct domain *d)
{
	(void)d;
	return preempts && preempts-- ? -ERESTART : 0;
}

static void kind_destroy(struct domain *d)
{
	(void)d;
}

static int kind_vcpu_init(struct vcpu *v)
{
	(void)v;
	if (fails())
		return -ENOMEM;
	kind_vcpus++;
	return 0;
}

static mfn_t kind_translate(struct domain *d, gfn_t gfn)
{
	(void)d;
	return MFN(gfn.n);
}

const struct guest_ops pv_guest_ops = {
	.domain_init = kind_init,
	.domain_relinquish = kind_relinquish,
	.domain_destroy = kind_destroy,
	.vcpu_init = kind_vcpu_init,
	.vcpu_destroy = NULL,
	.translate = kind_translate,
};

/* ---- */

static struct vcpu *me; /* dom0's */
static long baseline;
static unsigned int timers_baseline;

static struct xen_domctl_createdomain config(void)
{
	return (struct xen_domctl_createdomain){.max_vcpus = 40,
						.max_evtchn_port = ~0u,
						.max_grant_frames = -1,
						.max_maptrack_frames = -1,
						.grant_opts = 1};
}

static struct domain *create(domid_t domid, int *err)
{
	struct xen_domctl_createdomain c = config();

	return domain_create(domid, &c, false, err);
}

static void boot(void)
{
	struct xen_domctl_createdomain c = config();
	uint32_t port;
	int err;

	fail_after = -1;
	acpi.nr_cpus = 2;
	sched_init("credit2");
	domains_init();
	sched_init_cpu(1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(idle_vcpu_create(1));
	dom0 = domain_create(0, &c, true, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dom0);
	me = vcpu_create(dom0, 0, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(me);
	current = me;
	/* What tells that a domain has changed its state. */
	struct evtchn_bind_virq op = {.virq = VIRQ_DOM_EXC};

	CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_bind_virq, (uint64_t)&op), 0);
	port = op.port;
	CU_ASSERT_EQUAL(port, 1);
	baseline = allocated;
	timers_baseline = timers_live;
}

/* VIRQ_DOM_EXC came. */
static bool told(void)
{
	bool yes = test_bit(1, dom0->shared_info->evtchn_pending);

	dom0->shared_info->evtchn_pending[0] = 0;
	me->info->evtchn_pending_sel = 0;
	me->info->evtchn_upcall_pending = 0;
	return yes;
}

static bool nothing_left(void)
{
	run_tasklets();
	return allocated == baseline && timers_live == timers_baseline && !type_refs;
}

static int kill(struct domain *d)
{
	int rc;

	while ((rc = domain_kill(d)) == -ERESTART)
		this_cpu_var(softirq_pending) = 0;
	return rc;
}

static void test_create_faults(void)
{
	struct domain *d = NULL;
	long n;
	int err = 0;

	for (n = 0; !d && n < 1000; n++) {
		fail_after = n;
		d = create(5, &err);
		fail_after = -1;
		if (!d) {
			CU_ASSERT_EQUAL(err, -ENOMEM);
			CU_ASSERT_FATAL(nothing_left());
			CU_ASSERT_PTR_NULL(domain_get_any(5));
		}
	}
	CU_ASSERT(n > 10);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	/* Its vcpus. */
	for (unsigned int id = 0; id < 40; id += 39) {
		struct vcpu *v = NULL;
		long before = allocated;

		for (n = 0; !v && n < 1000; n++) {
			fail_after = n;
			v = vcpu_create(d, id, 0);
			fail_after = -1;
			if (!v) {
				CU_ASSERT_EQUAL_FATAL(allocated, before);
				CU_ASSERT_PTR_NULL(domain_vcpu(d, id));
			}
		}
		CU_ASSERT(n > 3);
		CU_ASSERT_PTR_EQUAL(domain_vcpu(d, id), v);
	}
	CU_ASSERT_PTR_NULL(vcpu_create(d, 0, 0));
	CU_ASSERT_PTR_NULL(vcpu_create(d, 40, 0));
	CU_ASSERT_PTR_NULL(domain_vcpu(d, 40));
	CU_ASSERT_EQUAL(kill(d), 0);
	CU_ASSERT(nothing_left());
}

static void test_config(void)
{
	struct xen_domctl_createdomain c;
	int err;

#define REFUSED(set, want)                                                               \
	do {                                                                             \
		c = config();                                                            \
		set;                                                                     \
		CU_ASSERT_PTR_NULL(domain_create(6, &c, false, &err));                   \
		CU_ASSERT_EQUAL(err, want);                                              \
	} while (0)
	REFUSED(c.max_vcpus = 0, -EINVAL);
	REFUSED(c.max_vcpus = MAX_VCPUS + 1, -EINVAL);
	REFUSED(c.flags = 1u << 20, -EINVAL);
	REFUSED(c.flags = XEN_DOMCTL_CDF_hvm, -EOPNOTSUPP);
	REFUSED(c.grant_opts = 3, -EINVAL);
	REFUSED(c.max_grant_frames = 65, -EINVAL); /* gnttab_max_frames is 64 */
	REFUSED(c.max_maptrack_frames = 1025, -EINVAL);
	REFUSED(c.arch.emulation_flags = 1, -EINVAL);
	REFUSED(c.vmtrace_size = 4096, -EINVAL);
	CU_ASSERT(nothing_left());
	/* The number is taken. */
	CU_ASSERT_PTR_NULL(create(0, &err));
	CU_ASSERT_EQUAL(err, -EEXIST);
	CU_ASSERT(nothing_left());
}

static void test_list(void)
{
	static const domid_t ids[] = {7, 3, 300, 44, 256 + 3};
	struct domain *d[5], *at = NULL;
	unsigned int i, n = 0;
	int err, last = -1;

	for (i = 0; i < 5; i++)
		d[i] = create(ids[i], &err);
	while ((at = domain_next(at))) {
		CU_ASSERT(at->domid > last);
		last = at->domid;
		n++;
	}
	CU_ASSERT_EQUAL(n, 6);
	for (i = 0; i < 5; i++) {
		at = domain_get(ids[i]);
		CU_ASSERT_PTR_EQUAL(at, d[i]);
		domain_put(at);
	}
	CU_ASSERT_PTR_NULL(domain_get(4));
	at = domain_get(DOMID_SELF);
	CU_ASSERT_PTR_EQUAL(at, dom0);
	domain_put(at);
	/* A reference keeps the struct of a dead one, and its place in the list. */
	CU_ASSERT_TRUE(domain_ref(d[1]));
	CU_ASSERT_EQUAL(kill(d[1]), 0);
	run_tasklets();
	CU_ASSERT_PTR_NULL(domain_get(3));
	CU_ASSERT_PTR_NULL(domain_get_any(3));
	at = domain_get(256 + 3); /* the same bucket */
	CU_ASSERT_PTR_EQUAL(at, d[4]);
	domain_put(at);
	n = 0;
	at = NULL;
	while ((at = domain_next(at)))
		n += at == d[1];
	CU_ASSERT_EQUAL(n, 1);
	domain_put(d[1]);
	for (i = 0; i < 5; i++)
		if (i != 1)
			CU_ASSERT_EQUAL(kill(d[i]), 0);
	CU_ASSERT(nothing_left());
}

static void test_kill(void)
{
	struct evtchn_alloc_unbound op = {.dom = 9, .remote_dom = 0};
	struct evtchn_bind_interdomain bind = {.remote_dom = 9};
	unsigned int i, calls = 0;
	struct domain *d;
	int err, rc;

	d = create(9, &err);
	CU_ASSERT_PTR_NOT_NULL(vcpu_create(d, 0, 0));
	CU_ASSERT_EQUAL(d->pause_count, 1);
	CU_ASSERT_EQUAL(domain_kill(dom0), -EINVAL);
	/* Ports of it that dom0 holds the other end of; frames. */
	for (i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_alloc_unbound, (uint64_t)&op), 0);
		bind.remote_port = op.port;
		CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_bind_interdomain, (uint64_t)&bind), 0);
	}
	for (i = 1; i <= 8; i++) {
		frames[i].count = FRAME_ALLOCATED | 1;
		frames[i].next = i < 8 ? i + 1 : 0;
	}
	d->first_page = 1;
	told();
	preempts = 3;
	do {
		this_cpu_var(softirq_pending) = 1; /* as often as it can be */
		rc = domain_kill(d);
		this_cpu_var(softirq_pending) = 0;
		calls++;
		if (rc == -ERESTART) {
			CU_ASSERT_FALSE(told());
			CU_ASSERT_PTR_NULL(domain_get(9));
			CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_alloc_unbound, (uint64_t)&op),
					-EINVAL);
		}
	} while (rc == -ERESTART);
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT(calls > 128 + 8);
	CU_ASSERT_TRUE(told());
	for (i = 1; i <= 8; i++)
		CU_ASSERT_EQUAL(frames[i].count, 1);
	memset(frames, 0, sizeof(frames));
	/* dom0's ends wait for nobody now. */
	for (i = 2; i < 22; i++) {
		struct evtchn_close close = {.port = i};

		CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_close, (uint64_t)&close), 0);
	}
	CU_ASSERT(nothing_left());
}

/* The cap's timer looks at the domain's vcpus. */
static void test_end_of_cap(void)
{
	struct xen_domctl_scheduler_op op = {.cmd = XEN_DOMCTL_SCHEDOP_putinfo,
					     .u.credit2.cap = 50};
	struct domain *d;
	int err;

	d = create(9, &err);
	CU_ASSERT_PTR_NOT_NULL(vcpu_create(d, 0, 0));
	CU_ASSERT_EQUAL(sched_policy->adjust_domain(d, &op), 0);
	fire = last_set;
	CU_ASSERT_EQUAL(kill(d), 0);
	CU_ASSERT(nothing_left());
}

static void test_vcpu_info(void)
{
	struct vcpu *v, *high;
	struct domain *d;
	int err;

	d = create(10, &err);
	v = vcpu_create(d, 0, 0);
	high = vcpu_create(d, 39, 0);
	CU_ASSERT_PTR_EQUAL(v->info, &d->shared_info->vcpu_info[0]);
	CU_ASSERT_PTR_EQUAL(high->info, &high->own_info);
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(PAGES), 0), -EINVAL);
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(3), 0), -EINVAL); /* not to be had */
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), PAGE_SIZE - 63), -EINVAL);
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), 4), -EINVAL);
	clear_bit(VCPU_DOWN, &v->pause_flags);
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), 64), -EINVAL); /* it runs */
	set_bit(VCPU_DOWN, &v->pause_flags);
	fail_after = 0;
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), 64), -ENOMEM);
	fail_after = -1;
	CU_ASSERT_EQUAL(type_refs, 0);
	v->info->arch.cr2 = 1234;
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), 64), 0);
	CU_ASSERT_EQUAL(vcpu_map_info(v, GFN(2), 128), -EINVAL);
	CU_ASSERT_PTR_EQUAL(v->info, memory + 2 * PAGE_SIZE + 64);
	CU_ASSERT_EQUAL(v->info->arch.cr2, 1234);
	CU_ASSERT_EQUAL(v->info->evtchn_upcall_pending, 1); /* nothing was lost */
	CU_ASSERT_EQUAL(v->info->evtchn_pending_sel, ~0ul);
	CU_ASSERT_EQUAL(vcpu_map_info(high, GFN(2), 256), 0);
	CU_ASSERT_EQUAL(type_refs, 2);
	CU_ASSERT_EQUAL(kill(d), 0);
	CU_ASSERT(nothing_left());
}

static void test_shutdown(void)
{
	struct vcpu *v[2];
	struct domain *d;
	unsigned int i;
	long dog;
	int err;

	d = create(11, &err);
	for (i = 0; i < 2; i++) {
		v[i] = vcpu_create(d, i, 0);
		clear_bit(VCPU_DOWN, &v[i]->pause_flags);
	}
	CU_ASSERT_EQUAL(domain_unpause_by_tools(d), 0);
	CU_ASSERT_TRUE(vcpu_runnable(v[0]));
	told();
	domain_shutdown(d, SHUTDOWN_suspend);
	CU_ASSERT_TRUE(told());
	CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_suspend);
	CU_ASSERT(d->is_shut_down && !vcpu_runnable(v[0]) && !vcpu_runnable(v[1]));
	domain_shutdown(d, SHUTDOWN_crash); /* the first one counts */
	CU_ASSERT_FALSE(told());
	CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_suspend);
	domain_resume(d);
	CU_ASSERT(!d->is_shut_down && vcpu_runnable(v[0]));
	/* Watchdogs. */
	CU_ASSERT_EQUAL(domain_watchdog(d, 3, 1), -EINVAL);
	CU_ASSERT_EQUAL(domain_watchdog(d, 1, 1), -EINVAL);
	CU_ASSERT_EQUAL(domain_watchdog(d, 0, 0), -EINVAL);
	dog = domain_watchdog(d, 0, 5);
	CU_ASSERT_EQUAL(dog, 1);
	CU_ASSERT_EQUAL(domain_watchdog(d, 0, 5), 2);
	CU_ASSERT_EQUAL(domain_watchdog(d, 0, 5), -ENOSPC);
	CU_ASSERT_EQUAL(domain_watchdog(d, 1, 9), 0);
	CU_ASSERT_EQUAL(d->watchdog[0].expires, clock_now + SECONDS(9));
	CU_ASSERT_EQUAL(domain_watchdog(d, 1, 0), 0);
	CU_ASSERT_EQUAL(domain_watchdog(d, 0, 5), 1);
	d->watchdog[1].fn(d->watchdog[1].arg);
	CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_watchdog);
	CU_ASSERT_EQUAL(kill(d), 0);
	CU_ASSERT(nothing_left());
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"start", boot},
		{"each allocation fails in turn", test_create_faults},
		{"configurations refused", test_config},
		{"list and references", test_list},
		{"destruction in pieces", test_kill},
		{"vcpu_info elsewhere", test_vcpu_info},
		{"shutdown, resume, watchdogs", test_shutdown},
		{"a domain with a cap ends", test_end_of_cap},
		CU_TEST_INFO_NULL,
	};

	(void)dom_exc;
	return suite_main("domain", tests);
}
