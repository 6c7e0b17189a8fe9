// SPDX-License-Identifier: GPL-2.0-only
/* Where a PV guest wants to be entered: trap table, callbacks, NMI. Addresses are stored as
 * given; a wrong one is found when it is used, in ring 3. */
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"

long do_set_trap_table(uint64_t traps)
{
	struct vcpu *v = current;
	struct trap_info t;
	unsigned int n;

	if (!traps) {
		memset(v->pv.trap, 0, sizeof(v->pv.trap));
		return 0;
	}
	/* The list may not name more than there are, ends with address 0, and is short: one
	 * that goes on is refused rather than continued. */
	for (n = 0; n <= ARRAY_SIZE(v->pv.trap); n++, traps += sizeof(t)) {
		if (!get_guest(&t, traps))
			return -EFAULT;
		if (!t.address)
			return 0;
		if (!is_canonical(t.address))
			return -EINVAL;
		v->pv.trap[t.vector].cs = t.cs | 3;
		v->pv.trap[t.vector].flags = t.flags;
		v->pv.trap[t.vector].address = t.address;
	}
	return -EINVAL;
}

static int callback_register(struct vcpu *v, const struct callback_register *r)
{
	bool masks = r->flags & CALLBACKF_mask_events;

	if (!is_canonical(r->address))
		return -EINVAL;
	switch (r->type) {
	case CALLBACKTYPE_event:
		v->pv.event_callback = r->address;
		return 0;
	case CALLBACKTYPE_failsafe:
		v->pv.failsafe_callback = r->address;
		v->pv.failsafe_masks_events = masks;
		return 0;
	case CALLBACKTYPE_syscall:
		v->pv.syscall_callback = r->address;
		v->pv.syscall_masks_events = masks;
		return 0;
	case CALLBACKTYPE_syscall32:
		v->pv.syscall32_callback = r->address;
		v->pv.syscall32_masks_events = masks;
		return 0;
	case CALLBACKTYPE_sysenter:
		v->pv.sysenter_callback = r->address;
		v->pv.sysenter_masks_events = masks;
		return 0;
	case CALLBACKTYPE_nmi:
		if (v->id || !v->domain->hardware)
			return -EINVAL;
		/* What a trap table says of vector 2: there is one way in for it. */
		v->pv.trap[TRAP_NMI] = (struct pv_trap){
			.cs = FLAT_KERNEL_CS, .flags = 1 << 2 /* masks events */,
			.address = r->address};
		return 0;
	default:
		return -ENOSYS;
	}
}

static int callback_unregister(struct vcpu *v, uint16_t type)
{
	switch (type) {
	case CALLBACKTYPE_event:
	case CALLBACKTYPE_failsafe:
	case CALLBACKTYPE_syscall:
	case CALLBACKTYPE_sysenter:
		return -EINVAL;
	case CALLBACKTYPE_syscall32:
		v->pv.syscall32_callback = 0;
		return 0;
	case CALLBACKTYPE_nmi:
		v->pv.trap[TRAP_NMI].address = 0;
		return 0;
	default:
		return -ENOSYS;
	}
}

long do_callback_op(int cmd, uint64_t arg)
{
	switch (cmd) {
	case CALLBACKOP_register: {
		struct callback_register r;

		if (!get_guest(&r, arg))
			return -EFAULT;
		return callback_register(current, &r);
	}
	case CALLBACKOP_unregister: {
		struct callback_unregister u;

		if (!get_guest(&u, arg))
			return -EFAULT;
		return callback_unregister(current, u.type);
	}
	default:
		return -ENOSYS;
	}
}

long do_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall)
{
	struct pv_vcpu *pv = &current->pv;

	if (!is_canonical(event) || !is_canonical(failsafe) || !is_canonical(syscall))
		return -EINVAL;
	pv->event_callback = event;
	pv->failsafe_callback = failsafe;
	pv->syscall_callback = syscall;
	return 0;
}

long do_nmi_op(unsigned int cmd, uint64_t arg)
{
	struct xennmi_callback cb;

	switch (cmd) {
	case XENNMI_register_callback:
		if (!get_guest(&cb, arg))
			return -EFAULT;
		return callback_register(current, &(struct callback_register){
			.type = CALLBACKTYPE_nmi, .address = cb.handler_address});
	case XENNMI_unregister_callback:
		return callback_unregister(current, CALLBACKTYPE_nmi);
	default:
		return -ENOSYS;
	}
}
