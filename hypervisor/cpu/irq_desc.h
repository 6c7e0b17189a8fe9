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
#include "hypervisor/mm/frame.h"

#define IRQ_GUESTS_MAX 7

struct irq_desc;

struct irq_chip {
	void (*set_mask)(struct irq_desc *desc, bool mask);
	/* desc->vector or desc->cpu has changed; leaves it masked or not as it was. */
	void (*route)(struct irq_desc *desc);
};

struct irq_desc {
	struct spinlock lock;
	const struct irq_chip *chip;
	uint8_t vector; /* 0: none yet */
	bool level, low, masked; /* level: the guest must say when it is done */
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
bool irq_is_free(struct irq_desc *desc); /* belongs to nobody */
void irqs_init(void);
void irqs_leave_cpu(unsigned int cpu); /* it is no longer online: to CPU 0 */
void pic_disable(void); /* the 8259s; before LINT0 is masked */

/* ---- MSI and MSI-X: descriptors for a device's vectors, its capability programmed for them
 * (cpu/msi.c) ---- */
#define MSI_MAX_VECTORS 32

struct msi_desc {
	struct list all;
	uint16_t seg;
	uint8_t bus, devfn;
	bool msix, address64, maskable;
	uint16_t entry;          /* MSI-X: of its table */
	unsigned int pos;        /* of the capability */
	volatile uint32_t *slot; /* MSI-X: the table's entry */
	uint32_t mask_bits;      /* MSI's, as last written */
	unsigned int n;          /* vectors: a power of two; MSI-X: 1 */
	struct irq_desc irq[];
};

/* Vectors for @m, masked. 0 or -errno: -ENODEV no capability, -EINVAL no such entry,
 * -EEXIST in use, -ENOSPC no vectors, -ENOMEM. */
int msi_create(const struct msi_request *m, unsigned int n, struct msi_desc **out);
void msi_destroy(struct msi_desc *msi); /* none of its vectors is bound any more */
void msi_name(const struct irq_desc *desc, char *buf, size_t n); /* for a dump */
/* The device has lost its state (reset, D3): write all of it again. */
void msi_restore(uint16_t seg, uint8_t bus, uint8_t devfn);

/* ---- a domain's physical interrupts: numbers of its own for GSIs and MSI vectors. The hardware
 * domain's GSIs have their own number as PIRQ unless it asks otherwise (cpu/pirq.c) ---- */
struct pirq {
	struct irq_desc *irq; /* NULL: not mapped */
	bool bound;           /* to an event channel */
	bool reserved;        /* PHYSDEVOP_get_free_pirq gave it */
};

struct pirq_table {
	struct spinlock lock; /* LOCK_DOMAIN_IRQ: all of it */
	unsigned int n;
	struct pirq *pirq;
	/* PHYSDEVOP_pirq_eoi_gmfn_v2: the guest's page with a bit for each that needs EOI. */
	struct guest_page eoi_map;
};

int pirq_get_free(struct domain *d, bool msi); /* a number, or -ENOSPC */
int pirq_eoi_all(struct domain *d); /* every line that is bound */
int pirq_set_eoi_map(struct domain *d, gfn_t gfn);
unsigned int nr_pirqs(const struct domain *d);

#endif
