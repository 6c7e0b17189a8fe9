/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests on the small machine (hv_machine.h): domains with vcpus, one of them current;
 * guest addresses are the test's own; calls that are preempted on demand.
 */
#ifndef HV_GUEST_H
#define HV_GUEST_H

#include "tests/unit/hv_machine.h"

#include "hypervisor/hypercall/hypercall.h"

void guest_init(void); /* machine_init(), dom_io and a domain table besides */
struct domain *guest_create(domid_t domid, uint32_t pages);
void guest_destroy(struct domain *d);
void guest_run(struct domain *d);          /* its vcpu 0 becomes current */
struct vcpu *guest_vcpu(struct domain *d); /* one more */
struct frame *guest_page(struct domain *d);

/* Whether preempt_check() says yes. */
void guest_preempt(bool on);
/* What hypercall_continue() was asked last. */
extern __thread struct guest_continuation {
	bool made;
	unsigned int nr;
	uint64_t arg[6];
} guest_continued;
/* Copies to and from this address and above fail; 0: none. */
extern uint64_t guest_fault_at;

#endif
