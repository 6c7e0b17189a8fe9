// SPDX-License-Identifier: GPL-2.0-only
/* What domctl, sysctl and platform_op have in common: the call, its checks, its copies;
 * bitmaps and CPU policies that go to guests. */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/control.h"

#include <xen/platform.h>

struct spinlock control_lock = SPINLOCK(LOCK_DOMCTL);

union control_arg {
	struct {
		uint32_t cmd, interface_version;
	};
	struct xen_domctl domctl;
	struct xen_sysctl sysctl;
	struct xen_platform_op platform;
};

/* What is in no table has an empty entry. */
static const struct control_op *lookup(const struct control_family *f, uint32_t cmd)
{
	static const struct control_op none;
	uint32_t i = cmd;

	if (f->second && cmd >= f->second)
		i = cmd - f->second + f->second_at;
	else if (f->second && cmd >= f->second_at)
		return &none;
	return i < f->nr_ops ? &f->ops[index_nospec(i, f->nr_ops)] : &none;
}

static long find_vcpu(const struct control_op *def, struct op_call *c)
{
	uint32_t id = *(const uint32_t *)c->arg;

	c->v = domain_vcpu(c->d, id);
	if (c->v && (!(def->flags & CTL_OTHERS) || c->d != current->domain))
		return 0;
	if (def->no_vcpu)
		return -def->no_vcpu;
	return c->v || id >= c->d->max_vcpus ? -EINVAL : -ESRCH;
}

static long run(const struct control_op *def, struct op_call *c)
{
	long rc = 0;

	if (def->flags & CTL_VCPU)
		rc = find_vcpu(def, c);
	else if (def->flags & CTL_OTHERS && c->d == current->domain)
		rc = -EINVAL;
	if (rc)
		return rc;
	if (!(def->flags & CTL_LOCKED))
		return def->fn(c);
	if (!spin_trylock(&control_lock))
		return -ERESTART;
	rc = def->fn(c);
	spin_unlock(&control_lock);
	return rc;
}

long control_call(const struct control_family *f, uint64_t uop)
{
	bool domctl = f->hypercall == __HYPERVISOR_domctl;
	const struct control_op *def;
	union control_arg op;
	struct op_call c = {.gva = uop, .arg = (char *)&op + f->union_at};
	long rc;

	if (copy_from_guest(&op, uop, f->size))
		return -EFAULT;
	if (op.interface_version != f->version)
		return -EACCES;
	c.cmd = op.cmd;
	def = lookup(f, op.cmd);
	if (domctl && !(def->flags & CTL_NO_DOMAIN)) {
		c.d = domain_find(op.domctl.domain);
		if (!c.d)
			return -ESRCH;
	}
	rc = access_check(def->flags & CTL_XENSTORE ? ACCESS_XENSTORE : f->access, c.d);
	if (!rc && def->fn) {
		rc = run(def, &c);
		if ((def->flags & CTL_ALWAYS ||
		     (def->flags & CTL_RESULTS && (rc >= 0 || rc == -ERESTART))) &&
		    copy_to_guest(uop, &op, f->size))
			rc = -EFAULT;
	} else if (!rc) {
		rc = def->answer ? def->answer : -ENOSYS;
	}
	if (c.d)
		domain_put(c.d);
	return rc == -ERESTART ? hypercall_continue(f->hypercall, 1, uop) : rc;
}

/* ---- bitmaps: bytes of a guest's, of any length; words of ours ---- */

/* Bits that the guest has not are 0, those beyond @n are not looked at. */
int bitmap_from_guest(uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b)
{
	unsigned int have = MIN(n, b->nr_bits);

	memset(bits, 0, (n + 63) / 64 * 8);
	if (copy_from_guest(bits, handle_gva(b->bitmap), (have + 7) / 8))
		return -EFAULT;
	if (have % 64)
		bits[have / 64] &= (1ull << have % 64) - 1;
	return 0;
}

int bitmap_to_guest(const uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b)
{
	uint64_t gva = handle_gva(b->bitmap), word;
	unsigned int at, bytes, len = (b->nr_bits + 7) / 8;

	for (at = 0; at < n && at / 8 < len; at += 64) {
		word = bits[at / 64];
		if (n - at < 64)
			word &= (1ull << (n - at)) - 1;
		bytes = MIN(len - at / 8, 8u);
		if (copy_to_guest(gva + at / 8, &word, bytes))
			return -EFAULT;
	}
	bytes = MIN(at / 8, len);
	return clear_guest(gva + bytes, len - bytes) ? -EFAULT : 0;
}

/* ---- CPU policies ---- */

/* @n: in, how many there is room for; out, how many there are. */
static long entries_to_guest(const struct cpu_policy *p, bool msrs, uint64_t gva, uint32_t *n)
{
	union {
		xen_cpuid_leaf_t leaf;
		xen_msr_entry_t msr;
	} e;
	size_t size = msrs ? sizeof(e.msr) : sizeof(e.leaf);
	uint32_t i;

	for (i = 0; msrs ? policy_msr(p, i, &e.msr) : policy_leaf(p, i, &e.leaf); i++) {
		if (i >= *n)
			return -ENOBUFS;
		if (copy_to_guest(gva + i * size, &e, size))
			return -EFAULT;
	}
	*n = i;
	return 0;
}

long policy_to_guest(const struct cpu_policy *p, uint64_t leaves, uint32_t *nr_leaves,
		     uint64_t msrs, uint32_t *nr_msrs)
{
	long rc = 0;

	if (leaves)
		rc = entries_to_guest(p, false, leaves, nr_leaves);
	else
		*nr_leaves = POLICY_MAX_LEAVES;
	if (!rc && msrs)
		rc = entries_to_guest(p, true, msrs, nr_msrs);
	else if (!rc)
		*nr_msrs = POLICY_MAX_MSRS;
	return rc;
}
