/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One descriptor for each interrupt source: a GSI (a pin of an IO-APIC) or a vector of an
 * MSI. desc->lock covers all of it and the hardware behind it, and is irq-safe.
 * A source belongs to the hypervisor (fn) or to guests, or to nobody: then it is masked.
 */
#ifndef HV_IRQ_DESC_H
#define HV_IRQ_DESC_H

#include "hypervisor/cpu/irq.h"
#include "hypervisor/lib/spinlock.h"

#define IRQ_GUESTS_MAX 7

struct irq_desc;

struct irq_chip {
	void (*mask)(struct irq_desc *desc);
	void (*unmask)(struct irq_desc *desc);
	/* desc->vector or desc->cpu has changed; leaves it masked or not as it was. */
	void (*route)(struct irq_desc *desc);
};

struct irq_desc {
	struct spinlock lock;
	const struct irq_chip *chip;
	uint8_t vector; /* 0: none yet */
	bool level, low, masked;
	bool shareable; /* by the guests bound now */
	bool set_up;    /* trigger and polarity are known: ISA's, or by gsi_setup() */
	uint32_t cpu;   /* where it is delivered */
	uint32_t gsi;   /* of an IO-APIC's pin */
	struct msi_desc *msi;

	void (*fn)(void *arg);
	void *arg;
	const char *name;

	uint32_t in_progress; /* CPUs that handle it: whom it belongs to must stay */
	uint8_t nr_guests;
	uint8_t in_flight; /* guests that have not ended it yet; a level line is masked meanwhile */
	struct irq_guest {
		struct vcpu *vcpu; /* that the event is bound to */
		uint32_t pirq;
		bool in_flight;
	} guest[IRQ_GUESTS_MAX];
	uint64_t count;
};

struct irq_desc *gsi_desc(unsigned int gsi); /* NULL: no such */
/* @n vectors in a row, @n a power of two and aligned, for @desc[0..]. 0/-ENOSPC. */
int vectors_alloc(struct irq_desc **desc, unsigned int n);
void vector_free(struct irq_desc *desc);
/* Give a descriptor to a guest, and take it back (waits till it is not in progress). */
int irq_guest_bind(struct irq_desc *desc, struct vcpu *v, unsigned int pirq, bool share);
void irq_guest_unbind(struct irq_desc *desc, struct domain *d);
void irq_guest_eoi(struct irq_desc *desc, struct domain *d);
void irq_guest_set_vcpu(struct irq_desc *desc, struct vcpu *v);
/* The guest must say when it is done. */
static inline bool irq_needs_eoi(const struct irq_desc *desc)
{
	return desc->level;
}
bool irq_is_free(struct irq_desc *desc); /* belongs to nobody */
void irqs_init(void);
void irqs_leave_cpu(unsigned int cpu); /* it is no longer online: to CPU 0 */
void pic_disable(void); /* the 8259s; before LINT0 is masked */

#endif
