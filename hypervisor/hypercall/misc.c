// SPDX-License-Identifier: GPL-2.0-only
/* VM_ASSIST, and the families that stock Xen has and that are off here: each answers as
 * stock Xen does when it is built or booted without them. */
#include "hypervisor/hypercall/hypercall.h"

#include <xen/arch-x86/xen-mca.h>
#include <xen/hvm/hvm_op.h>
#include <xen/kexec.h>

#define VM_ASSISTS                                                                       \
	(1ull << VMASST_TYPE_4gb_segments | 1ull << VMASST_TYPE_4gb_segments_notify |    \
	 1ull << VMASST_TYPE_writable_pagetables | 1ull << VMASST_TYPE_pae_extended_cr3 | \
	 1ull << VMASST_TYPE_architectural_iopl |                                        \
	 1ull << VMASST_TYPE_runstate_update_flag | 1ull << VMASST_TYPE_m2p_strict)

long do_vm_assist(unsigned int cmd, unsigned int type)
{
	struct domain *d = current->domain;

	if (type >= 64 || !(VM_ASSISTS >> type & 1))
		return -EINVAL;
	switch (cmd) {
	case VMASST_CMD_enable:
		set_bit(type, &d->vm_assist);
		return 0;
	case VMASST_CMD_disable:
		clear_bit(type, &d->vm_assist);
		return 0;
	default:
		return -ENOSYS;
	}
}

/* No security module. */
long do_xsm_op(uint64_t op)
{
	(void)op;
	return -ENOSYS;
}

long do_hypfs_op(unsigned int cmd, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	(void)cmd, (void)a1, (void)a2, (void)a3, (void)a4;
	return -ENOSYS;
}

long do_argo_op(unsigned int cmd, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	(void)cmd, (void)a1, (void)a2, (void)a3, (void)a4;
	return -ENOSYS;
}

/* vpmu=off, which is stock's default. */
long do_xenpmu_op(unsigned int op, uint64_t arg)
{
	(void)op, (void)arg;
	return -EOPNOTSUPP;
}

/* Without crashkernel= there is no room to load into, and nothing loaded. */
long do_kexec_op(unsigned long op, uint64_t arg)
{
	struct xen_kexec_range range;

	if (access_check(ACCESS_PLATFORM, NULL))
		return -EPERM;
	if (op != KEXEC_CMD_kexec_get_range)
		return op == KEXEC_CMD_kexec ? -ENOENT : -EINVAL;
	if (!get_guest(&range, arg))
		return -EFAULT;
	if (range.range != KEXEC_RANGE_MA_CRASH)
		return -EINVAL;
	range.start = 0;
	range.size = 0;
	return put_guest(arg, &range) ? 0 : -EFAULT;
}

/* Machine checks are the hypervisor's; none is kept for dom0 to fetch. */
long do_mca(uint64_t arg)
{
	struct xen_mc op;

	if (access_check(ACCESS_PLATFORM, NULL))
		return -EPERM;
	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
		return -EACCES;
	if (op.cmd != XEN_MC_fetch)
		return -EINVAL;
	op.u.mc_fetch.flags = XEN_MC_OK | XEN_MC_NODATA;
	op.u.mc_fetch.fetch_id = 0;
	return put_guest(arg, &op) ? 0 : -EFAULT;
}

/* Everything here is for HVM domains, and there is none. */
long do_hvm_op(unsigned long op, uint64_t arg)
{
	(void)arg;
	switch (op) {
	case HVMOP_set_param:
	case HVMOP_get_param:
	case HVMOP_flush_tlbs:
	case HVMOP_get_mem_type:
	case HVMOP_altp2m:
		return -EINVAL;
	default:
		return -ENOSYS;
	}
}

long do_dm_op(domid_t domid, unsigned int nr, uint64_t bufs)
{
	struct domain *d = domid == DOMID_SELF ? NULL : domain_get_any(domid);

	(void)nr, (void)bufs;
	if (!d)
		return -ESRCH;
	domain_put(d);
	return -EINVAL;
}
