// SPDX-License-Identifier: GPL-2.0-only
/* Performance counters: shown, reset, given to xenperf. Sums over the CPUs on line. */
#include "hypervisor/lib/perfc.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/hypercall/control.h"

#ifdef DEBUG
DEFINE_PER_CPU(struct perfc, perfc);

static const struct {
	const char *what;
	uint32_t n;
} counters[] = {
#define PERFC_ROW(name, n, what) {what, n},
	PERFC_COUNTERS(PERFC_ROW)
#undef PERFC_ROW
};

static uint32_t sum(unsigned int index)
{
	unsigned int cpu;
	uint32_t n = 0;

	for_each_online_cpu(cpu)
		n += READ_ONCE(per_cpu(perfc, cpu).value[index]);
	return n;
}

static void show(void)
{
	for (unsigned int i = 0, at = 0; i < ARRAY_SIZE(counters); at += counters[i++].n)
		for (unsigned int j = 0; j < counters[i].n; j++)
			if (sum(at + j))
				printk(LOG_INFO, "%-34s [%2u] %u\n", counters[i].what, j, sum(at + j));
}

static void reset(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		memset(&per_cpu(perfc, cpu), 0, sizeof(struct perfc));
}

/* Descriptions and values, each unless its address is NULL; reset: afterwards. */
long sysctl_perfc_op(struct op_call *c)
{
	struct xen_sysctl_perfc_op *p = c->arg;
	uint64_t desc = handle_gva(p->desc), val = handle_gva(p->val);

	if (p->cmd != XEN_SYSCTL_PERFCOP_query && p->cmd != XEN_SYSCTL_PERFCOP_reset)
		return -EINVAL;
	for (unsigned int i = 0; desc && i < ARRAY_SIZE(counters); i++) {
		struct xen_sysctl_perfc_desc d = {.nr_vals = counters[i].n};

		strcopy(d.name, counters[i].what, sizeof(d.name));
		if (copy_to_guest(desc + i * sizeof(d), &d, sizeof(d)))
			return -EFAULT;
	}
	for (unsigned int i = 0; val && i < PERFC_VALUES; i++) {
		uint32_t n = sum(i);

		if (copy_to_guest(val + i * sizeof(n), &n, sizeof(n)))
			return -EFAULT;
	}
	if (p->cmd == XEN_SYSCTL_PERFCOP_reset)
		reset();
	p->nr_counters = ARRAY_SIZE(counters);
	p->nr_vals = PERFC_VALUES;
	return 0;
}

void perfc_init(void)
{
	debug_key_add('p', "print performance counters", show);
	debug_key_add('P', "reset performance counters", reset);
}
#endif
