// SPDX-License-Identifier: GPL-2.0-only
/* The control plane's bitmaps, rights, policies and CPU pools, against models. */
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#define CPUS    8u
#define DOMAINS_TRIED 4u

/* ---- what the calls want of other folders ---- */

unsigned int nr_cpus = CPUS;
struct cpumask cpu_online_map = {{(1u << CPUS) - 1}};
uint32_t cpu_khz = 2000000;
static struct domain domain[DOMAINS_TRIED];
static struct vcpu vcpu[DOMAINS_TRIED][2];
static struct vcpu *vcpus[DOMAINS_TRIED][2];
static const struct sched_policy policy = {.name = "one", .id = XEN_SCHEDULER_CREDIT2};
const struct sched_policy *sched_policy = &policy;
static uint64_t bad_address;

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	if (n && (!gva || gva == bad_address))
		return n;
	if (n)
		memcpy(to, (void *)gva, n);
	return 0;
}

size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (n && (!gva || gva == bad_address))
		return n;
	if (n)
		memcpy((void *)gva, from, n);
	return 0;
}

size_t clear_guest(uint64_t gva, size_t n)
{
	if (n)
		memset((void *)gva, 0, n);
	return 0;
}

struct domain *domain_next(struct domain *d)
{
	d = d ? d + 1 : domain;
	return d < domain + DOMAINS_TRIED ? d : NULL;
}

struct domain *domain_get(domid_t domid)
{
	return domid < DOMAINS_TRIED ? &domain[domid] : NULL;
}

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

void domain_put(struct domain *d)
{
	(void)d;
}

void domain_pause(struct domain *d)
{
	CU_ASSERT_PTR_NOT_EQUAL(d, current->domain);
	d->pause_count++;
}

void domain_unpause(struct domain *d)
{
	d->pause_count--;
}

/* As the scheduler's: refused without a CPU to run on. */
int vcpu_set_affinity(struct vcpu *v, const struct cpumask *hard, const struct cpumask *soft)
{
	if (hard && !(hard->bits[0] & v->domain->pool_cpus->bits[0] & cpu_online_map.bits[0]))
		return -EINVAL;
	if (hard)
		v->hard_affinity = *hard;
	if (soft)
		v->soft_affinity = *soft;
	return 0;
}

unsigned int nr_pirqs(const struct domain *d)
{
	(void)d;
	return 24;
}

int set_global_virq_handler(struct domain *d, unsigned int virq)
{
	(void)d, (void)virq;
	return 0;
}

void update_domain_wallclock(struct domain *d)
{
	(void)d;
}

stime_t now(void)
{
	return SECONDS(1000);
}

static unsigned int leaves;

bool policy_leaf(const struct cpu_policy *p, unsigned int n, xen_cpuid_leaf_t *out)
{
	(void)p;
	*out = (xen_cpuid_leaf_t){.leaf = n, .a = n * 3};
	return n < leaves;
}

bool policy_msr(const struct cpu_policy *p, unsigned int n, xen_msr_entry_t *out)
{
	(void)p;
	*out = (xen_msr_entry_t){.idx = n};
	return n < POLICY_MAX_MSRS;
}

/* ---- the call itself ---- */

#define CONTINUED 4711
static enum access denied; /* ACCESS_ANYONE: nothing is */

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	CU_ASSERT_EQUAL(nr, __HYPERVISOR_domctl);
	CU_ASSERT_EQUAL(n, 1);
	return CONTINUED;
}

int access_check(enum access what, const struct domain *target)
{
	(void)target;
	return denied && what == denied ? -EPERM : 0;
}

struct domain *domain_find(domid_t domid)
{
	return domid < DOMAINS_TRIED ? &domain[domid] : NULL;
}

static long call(op_fn *fn, struct domain *d, void *arg)
{
	struct op_call c = {.d = d, .arg = arg};

	return fn(&c);
}

static void setup(void)
{
	unsigned int i, k;

	for (i = 0; i < DOMAINS_TRIED; i++) {
		domain[i] = (struct domain){.domid = (domid_t)i, .max_vcpus = 2, .vcpu = vcpus[i]};
		domain[i].pool_cpus = cpupool_cpus(0);
		domain[i].iomem = rangeset_create();
		domain[i].ioports = rangeset_create();
		domain[i].irqs = rangeset_create();
		for (k = 0; k < 2; k++) {
			vcpus[i][k] = &vcpu[i][k];
			vcpu[i][k] = (struct vcpu){.domain = &domain[i], .id = k};
			memset(&vcpu[i][k].hard_affinity, 0xff, sizeof(struct cpumask));
		}
	}
	set_current(&vcpu[0][0]);
}

static void teardown(void)
{
	for (unsigned int i = 0; i < DOMAINS_TRIED; i++) {
		rangeset_destroy(domain[i].iomem);
		rangeset_destroy(domain[i].ioports);
		rangeset_destroy(domain[i].irqs);
	}
}

/* ---- bitmaps ---- */

static bool bit(const uint8_t *p, unsigned int n)
{
	return p[n / 8] >> n % 8 & 1;
}

static void test_bitmaps(void)
{
	uint8_t guest[80];
	uint64_t bits[8];
	unsigned int i, n, len, bad = 0;

	for (int round = 0; round < 20000; round++) {
		struct xenctl_bitmap b = {.nr_bits = (uint32_t)(rnd() % 600)};

		b.bitmap.p = (void *)guest;
		n = 1 + (unsigned int)(rnd() % 512);
		len = (b.nr_bits + 7) / 8;
		for (i = 0; i < sizeof(guest); i++)
			guest[i] = (uint8_t)rnd();
		memset(bits, 0xa5, sizeof(bits));
		bad += bitmap_from_guest(bits, n, &b) != 0;
		for (i = 0; i < ROUND_UP(n, 64); i++)
			bad += (bits[i / 64] >> i % 64 & 1) != (i < n && i < b.nr_bits && bit(guest, i));

		for (i = 0; i < 8; i++)
			bits[i] = rnd();
		memset(guest, 0x5a, sizeof(guest));
		bad += bitmap_to_guest(bits, n, &b) != 0;
		for (i = 0; i < len * 8; i++)
			bad += bit(guest, i) != (i < n && (bits[i / 64] >> i % 64 & 1));
		for (i = len; i < sizeof(guest); i++)
			bad += guest[i] != 0x5a;
	}
	CU_ASSERT_EQUAL(bad, 0);
}

static void test_bitmap_faults(void)
{
	uint64_t bits[2] = {0};
	struct xenctl_bitmap b = {.nr_bits = 64};

	CU_ASSERT_EQUAL(bitmap_from_guest(bits, 64, &b), -EFAULT);
	CU_ASSERT_EQUAL(bitmap_to_guest(bits, 64, &b), -EFAULT);
	b.nr_bits = 0;
	CU_ASSERT_EQUAL(bitmap_from_guest(bits, 64, &b), 0);
	CU_ASSERT_EQUAL(bitmap_to_guest(bits, 64, &b), 0);
}

/* ---- rights: nobody gives what he has not ---- */

static void test_ports(void)
{
	static bool mine[256], its[256];
	struct xen_domctl op;
	unsigned int i, bad = 0;

	setup();
	for (int round = 0; round < 20000; round++) {
		uint32_t first = (uint32_t)(rnd() % 256), n = (uint32_t)(rnd() % 12);
		bool allow = rnd() & 1, have = true, fits = n && first + n <= 256;
		long rc;

		if (rnd() % 3 == 0 && fits) { /* the caller's own change */
			if (allow)
				rangeset_add(domain[0].ioports, first, first + n - 1);
			else
				rangeset_remove(domain[0].ioports, first, first + n - 1);
			for (i = first; i < first + n; i++)
				mine[i] = allow;
			continue;
		}
		op.u.ioport_permission.first_port = first;
		op.u.ioport_permission.nr_ports = n;
		op.u.ioport_permission.allow_access = allow;
		rc = call(domctl_ioport_permission, &domain[1], &op.u);
		for (i = first; i < first + n; i++)
			have &= i < 256 && mine[i];
		bad += rc != (!n ? -EINVAL : have ? 0 : -EPERM);
		for (i = first; !rc && i < first + n; i++)
			its[i] = allow;
		for (i = 0; i < 256; i++)
			bad += rangeset_contains(domain[1].ioports, i, i) != its[i];
	}
	CU_ASSERT_EQUAL(bad, 0);
	op.u.ioport_permission.first_port = 0xffff;
	op.u.ioport_permission.nr_ports = 2;
	CU_ASSERT_EQUAL(call(domctl_ioport_permission, &domain[1], &op.u), -EINVAL);
	op.u.ioport_permission.first_port = 1;
	op.u.ioport_permission.nr_ports = ~0u;
	CU_ASSERT_EQUAL(call(domctl_ioport_permission, &domain[1], &op.u), -EINVAL);
	op.u.iomem_permission.first_mfn = 5;
	op.u.iomem_permission.nr_mfns = ~0ull;
	CU_ASSERT_EQUAL(call(domctl_iomem_permission, &domain[1], &op.u), -EINVAL);
	op.u.iomem_permission.nr_mfns = 1;
	CU_ASSERT_EQUAL(call(domctl_iomem_permission, &domain[1], &op.u), -EPERM);
	op.u.irq_permission.pirq = 24;
	CU_ASSERT_EQUAL(call(domctl_irq_permission, &domain[1], &op.u), -EINVAL);
	op.u.irq_permission.pirq = 23;
	CU_ASSERT_EQUAL(call(domctl_irq_permission, &domain[1], &op.u), -EPERM);
	teardown();
}

/* ---- policies ---- */

static void test_leaves(void)
{
	xen_cpuid_leaf_t out[8];
	uint32_t n, msrs = 0;

	leaves = 5;
	n = 0;
	CU_ASSERT_EQUAL(policy_to_guest(NULL, 0, &n, 0, &msrs), 0);
	CU_ASSERT_EQUAL(n, POLICY_MAX_LEAVES);
	CU_ASSERT_EQUAL(msrs, POLICY_MAX_MSRS);
	memset(out, 0xee, sizeof(out));
	n = 4;
	CU_ASSERT_EQUAL(policy_to_guest(NULL, (uint64_t)out, &n, 0, &msrs), -ENOBUFS);
	CU_ASSERT_EQUAL(out[4].leaf, 0xeeeeeeee);
	n = 5;
	CU_ASSERT_EQUAL(policy_to_guest(NULL, (uint64_t)out, &n, 0, &msrs), 0);
	CU_ASSERT_EQUAL(n, 5);
	CU_ASSERT_EQUAL(out[4].a, 12);
	bad_address = (uint64_t)&out[2];
	CU_ASSERT_EQUAL(policy_to_guest(NULL, (uint64_t)out, &n, 0, &msrs), -EFAULT);
	bad_address = 0;
	msrs = 1;
	CU_ASSERT_EQUAL(policy_to_guest(NULL, 0, &n, (uint64_t)out, &msrs), -ENOBUFS);
}

/* ---- the call: its checks, in their order, and what is copied back ---- */

static long result;
static struct vcpu *seen_vcpu;

static long result_fn(struct op_call *c)
{
	((struct xen_domctl_vcpucontext *)c->arg)->vcpu = 77;
	seen_vcpu = c->v;
	return result;
}

static const struct control_op ops[] = {
	[1] = {.fn = result_fn},
	[2] = {.fn = result_fn, .flags = CTL_RESULTS},
	[3] = {.fn = result_fn, .flags = CTL_ALWAYS},
	[4] = {.fn = result_fn, .flags = CTL_LOCKED | CTL_RESULTS},
	[5] = {.fn = result_fn, .flags = CTL_OTHERS},
	[6] = {.fn = result_fn, .flags = CTL_VCPU},
	[7] = {.fn = result_fn, .flags = CTL_VCPU | CTL_OTHERS, .no_vcpu = ENODATA},
	[8] = {.answer = -ENODEV},
	[9] = {.fn = result_fn, .flags = CTL_XENSTORE | CTL_NO_DOMAIN},
	[20] = {.fn = result_fn, .flags = CTL_RESULTS},
};
static const struct control_family family = {
	ops, ARRAY_SIZE(ops), 20, 1000, 5, __HYPERVISOR_domctl, ACCESS_DOMCTL,
	offsetof(struct xen_domctl, u), sizeof(struct xen_domctl),
};

/* @changed: the argument's copy came back. */
static long domctl(uint32_t cmd, domid_t domid, uint32_t vcpu_id, bool *changed)
{
	struct xen_domctl op = {.cmd = cmd, .interface_version = 5, .domain = domid};
	long rc;

	op.u.vcpucontext.vcpu = vcpu_id;
	rc = control_call(&family, (uint64_t)&op);
	*changed = op.u.vcpucontext.vcpu == 77;
	return rc;
}

static void test_call(void)
{
	struct xen_domctl op = {.cmd = 1, .interface_version = 4};
	bool changed;

	setup();
	CU_ASSERT_EQUAL(control_call(&family, 0), -EFAULT);
	CU_ASSERT_EQUAL(control_call(&family, (uint64_t)&op), -EACCES);
	denied = ACCESS_DOMCTL;
	CU_ASSERT_EQUAL(domctl(8, 99, 0, &changed), -ESRCH);
	CU_ASSERT_EQUAL(domctl(8, 1, 0, &changed), -EPERM);
	CU_ASSERT_EQUAL(domctl(3, 1, 0, &changed), -EPERM);
	CU_ASSERT_FALSE(changed);
	CU_ASSERT_EQUAL(domctl(9, 99, 0, &changed), 0); /* xenstored may */
	denied = ACCESS_ANYONE;
	CU_ASSERT_EQUAL(domctl(8, 1, 0, &changed), -ENODEV);
	/* Not in the table: before the gap, in it, behind it. */
	CU_ASSERT_EQUAL(domctl(0, 1, 0, &changed), -ENOSYS);
	CU_ASSERT_EQUAL(domctl(20, 1, 0, &changed), -ENOSYS);
	CU_ASSERT_EQUAL(domctl(999, 1, 0, &changed), -ENOSYS);
	CU_ASSERT_EQUAL(domctl(1001, 1, 0, &changed), -ENOSYS);
	CU_ASSERT_EQUAL(domctl(~0u, 1, 0, &changed), -ENOSYS);
	CU_ASSERT_EQUAL(domctl(1000, 1, 0, &changed), 0);
	CU_ASSERT_TRUE(changed);
	CU_ASSERT_EQUAL(domctl(1, 1, 0, &changed), 0);
	CU_ASSERT_FALSE(changed);
	result = -EBUSY;
	CU_ASSERT_EQUAL(domctl(2, 1, 0, &changed), -EBUSY);
	CU_ASSERT_FALSE(changed);
	CU_ASSERT_EQUAL(domctl(3, 1, 0, &changed), -EBUSY);
	CU_ASSERT_TRUE(changed);
	result = -ERESTART;
	CU_ASSERT_EQUAL(domctl(2, 1, 0, &changed), CONTINUED);
	CU_ASSERT_TRUE(changed);
	result = 3;
	CU_ASSERT_EQUAL(domctl(2, 1, 0, &changed), 3);
	CU_ASSERT_TRUE(changed);
	/* Who has the lock is not waited for. */
	spin_lock(&control_lock);
	CU_ASSERT_EQUAL(domctl(4, 1, 0, &changed), CONTINUED);
	spin_unlock(&control_lock);
	CU_ASSERT_EQUAL(domctl(4, 1, 0, &changed), 3);
	/* Vcpus: there, none, one that cannot be; the caller's own. */
	vcpus[1][1] = NULL;
	CU_ASSERT_EQUAL(domctl(5, 0, 0, &changed), -EINVAL);
	CU_ASSERT_EQUAL(domctl(5, 1, 0, &changed), 3);
	CU_ASSERT_EQUAL(domctl(6, 1, 0, &changed), 3);
	CU_ASSERT_PTR_EQUAL(seen_vcpu, &vcpu[1][0]);
	CU_ASSERT_EQUAL(domctl(6, 0, 1, &changed), 3);
	CU_ASSERT_EQUAL(domctl(6, 1, 1, &changed), -ESRCH);
	CU_ASSERT_EQUAL(domctl(6, 1, 2, &changed), -EINVAL);
	CU_ASSERT_EQUAL(domctl(7, 1, 0, &changed), 3);
	CU_ASSERT_EQUAL(domctl(7, 0, 0, &changed), -ENODATA);
	CU_ASSERT_EQUAL(domctl(7, 1, 1, &changed), -ENODATA);
	result = 0;
	teardown();
}

/* ---- time ---- */

static void test_tsc(void)
{
	struct xen_domctl op = {0};

	setup();
	op.u.tsc_info.tsc_mode = 3;
	CU_ASSERT_EQUAL(call(domctl_settscinfo, &domain[1], &op.u), -EINVAL);
	op.u.tsc_info = (struct xen_domctl_tsc_info){.gtsc_khz = cpu_khz + 100, .incarnation = 4};
	CU_ASSERT_EQUAL(call(domctl_settscinfo, &domain[1], &op.u), 0);
	CU_ASSERT_FALSE(domain[1].tsc.vtsc); /* near enough */
	op.u.tsc_info.gtsc_khz = cpu_khz / 2;
	op.u.tsc_info.elapsed_nsec = 12345;
	CU_ASSERT_EQUAL(call(domctl_settscinfo, &domain[1], &op.u), 0);
	CU_ASSERT_TRUE(domain[1].tsc.vtsc); /* comes from a slower machine */
	CU_ASSERT_EQUAL(call(domctl_gettscinfo, &domain[1], &op.u), 0);
	CU_ASSERT_EQUAL(op.u.tsc_info.elapsed_nsec, 12345);
	CU_ASSERT_EQUAL(op.u.tsc_info.gtsc_khz, cpu_khz / 2);
	CU_ASSERT_EQUAL(op.u.tsc_info.incarnation, 5);
	op.u.tsc_info.tsc_mode = 2; /* never */
	CU_ASSERT_EQUAL(call(domctl_settscinfo, &domain[1], &op.u), 0);
	CU_ASSERT_FALSE(domain[1].tsc.vtsc);
	CU_ASSERT_EQUAL(domain[1].pause_count, 0);
	teardown();
}

/* ---- CPU pools ---- */

static long pool_op(uint32_t op, uint32_t id, uint32_t arg, uint64_t *cpus, uint32_t *n_dom)
{
	struct xen_sysctl s = {0};
	struct xen_sysctl_cpupool_op *p = &s.u.cpupool_op;
	long rc;

	*p = (struct xen_sysctl_cpupool_op){.op = op, .cpupool_id = id, .cpu = arg, .domid = arg,
					    .sched_id = arg};
	p->cpumap.nr_bits = 64;
	p->cpumap.bitmap.p = (void *)cpus;
	rc = call(sysctl_cpupool_op, NULL, &s.u);
	if (n_dom)
		*n_dom = p->n_dom;
	return rc ? rc : (long)p->cpupool_id;
}

/* Every CPU is in one pool or free; every domain is in a pool that has a CPU, and each of
 * its vcpus has one there. */
static unsigned int pools_wrong(void)
{
	uint64_t seen = 0, cpus = 0, all_pools[8] = {0};
	uint32_t n, id, bad = 0, domains = 0;

	bad += pool_op(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, 0, &seen, NULL) < 0;
	for (id = 0; id < 8; id++) {
		long rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, id, 0, &cpus, &n);

		if (rc != (long)id)
			continue;
		bad += (seen & cpus) != 0;
		bad += n && !cpus;
		seen |= cpus;
		all_pools[id] = cpus;
		domains += n;
	}
	bad += seen != (1u << CPUS) - 1;
	bad += domains != DOMAINS_TRIED;
	for (id = 0; id < DOMAINS_TRIED; id++)
		for (n = 0; n < 2; n++)
			bad += !(vcpu[id][n].hard_affinity.bits[0] & all_pools[domain[id].cpupool]);
	return bad;
}

static void test_pools(void)
{
	uint64_t cpus;
	unsigned int bad = 0, done = 0;

	setup();
	CU_ASSERT_EQUAL(pools_wrong(), 0);
	CU_ASSERT_EQUAL(pool_op(XEN_SYSCTL_CPUPOOL_OP_CREATE, ~0u, XEN_SCHEDULER_NULL, &cpus, NULL),
			-EOPNOTSUPP);
	for (int round = 0; round < 50000; round++) {
		uint32_t id = (uint32_t)(rnd() % 8), arg = (uint32_t)(rnd() % 10);
		uint32_t op = 1 + (uint32_t)(rnd() % 7);
		long rc;

		if (op == XEN_SYSCTL_CPUPOOL_OP_CREATE)
			arg = XEN_SCHEDULER_CREDIT2;
		if (op == XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN && rnd() & 1)
			vcpu[arg % 4][0].hard_affinity.bits[0] |= rnd();
		if (rnd() % 16 == 0)
			arg = ~0u;
		rc = pool_op(op, id, arg, &cpus, NULL);
		done += rc >= 0;
		bad += pools_wrong();
		bad += control_lock.tickets >> 16 != (control_lock.tickets & 0xffff);
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(done > 10000);
	CU_ASSERT_EQUAL(domain[0].cpupool, 0); /* the caller's own never moves */
	for (uint32_t i = 1; i < DOMAINS_TRIED; i++)
		pool_op(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, i, &cpus, NULL);
	CU_ASSERT_EQUAL(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 0, 0, &cpus, NULL), -EBUSY);
	for (uint32_t i = 1; i < 64; i++)
		pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, i, 0, &cpus, NULL);
	while (pool_op(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, ~0u, &cpus, NULL) == 0)
		;
	CU_ASSERT_EQUAL(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 0, &cpus, NULL), 0);
	CU_ASSERT_EQUAL(cpus, (1u << CPUS) - 1);
	teardown();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"bitmaps of every length", test_bitmaps},
		{"bitmaps that are not there", test_bitmap_faults},
		{"checks and copies of a call", test_call},
		{"rights to ports, memory and lines", test_ports},
		{"leaves into small buffers", test_leaves},
		{"TSC modes", test_tsc},
		{"CPU pools against their rules", test_pools},
		CU_TEST_INFO_NULL,
	};

	return suite_main("control", tests);
}
