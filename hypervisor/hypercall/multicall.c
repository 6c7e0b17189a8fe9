// SPDX-License-Identifier: GPL-2.0-only
/* Several calls in one: each entry is copied in, called, and its result copied out. */
#include "hypervisor/hypercall/hypercall.h"

static long call_one(const struct multicall_entry *c)
{
	hypercall_fn fn = NULL;

	if (c->op < ARRAY_SIZE(hypercall_table))
		fn = hypercall_table[index_nospec(c->op, ARRAY_SIZE(hypercall_table))];
	if (!fn)
		return -ENOSYS;
	return fn(c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);
}

/* An entry; true: it is done. False: it wants to go on later, or *rc is an error, or it was
 * an iret to the guest's user, with whose memory and root the list does not go on. */
static bool entry(struct vcpu *v, uint64_t gva, long *rc)
{
	struct multicall_entry *c = &v->multicall.call;

	if (!get_guest(c, gva)) {
		*rc = -EFAULT;
		return false;
	}
	v->multicall.preempted = false;
	c->result = (xen_ulong_t)call_one(c);
	if (unlikely(!v->pv.kernel_mode))
		return false;
	if (v->multicall.preempted) {
		/* What is left of it, in its place. */
		if (!put_guest(gva, c))
			*rc = -EFAULT;
		return false;
	}
	if (put_guest(gva + offsetof(struct multicall_entry, result), &c->result))
		return true;
	*rc = -EFAULT;
	return false;
}

long do_multicall(uint64_t list, uint64_t n)
{
	struct vcpu *v = current;
	uint32_t left = (uint32_t)n, first = left;
	long rc = 0;

	if (v->multicall.active)
		return -EINVAL;
	if (!guest_range_ok(list, left * sizeof(struct multicall_entry)))
		return -EFAULT;
	v->multicall.active = true;
	for (; left; left--, list += sizeof(struct multicall_entry)) {
		if (left != first && preempt_check())
			break;
		if (!entry(v, list, &rc))
			break;
	}
	v->multicall.active = false;
	if (unlikely(!v->pv.kernel_mode))
		return (long)v->multicall.call.result;
	if (left && !rc)
		return hypercall_continue(__HYPERVISOR_multicall, 2, list, (uint64_t)left);
	return rc;
}
