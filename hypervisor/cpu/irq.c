// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from the vector on: fixed ones to their handlers, devices' to the hypervisor
 * or to the guests bound. A vector means the same on every CPU.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/sched/softirq.h"

#define VECTOR_GUEST_INT80 0x80
#define VECTOR_GUEST_INT82 0x82

static void (*fixed_handler[256])(void);
static struct irq_desc *vector_desc[256];
static struct spinlock vector_lock = SPINLOCK(LOCK_LEAF); /* changes of vector_desc */

void vector_set_handler(uint8_t vector, void (*fn)(void))
{
	fixed_handler[vector] = fn;
}

/* ---- vectors ---- */

static bool vector_usable(unsigned int v)
{
	return v >= VECTOR_FIRST_DYNAMIC && v <= VECTOR_LAST_DYNAMIC &&
	       v != VECTOR_GUEST_INT80 && v != VECTOR_GUEST_INT82 && !vector_desc[v];
}

int vectors_alloc(struct irq_desc **desc, unsigned int n)
{
	unsigned int v, i;

	spin_guard_irqsave(&vector_lock);
	for (v = ROUND_UP(VECTOR_FIRST_DYNAMIC, n); v + n - 1 <= VECTOR_LAST_DYNAMIC; v += n) {
		for (i = 0; i < n && vector_usable(v + i); i++)
			;
		if (i < n)
			continue;
		for (i = 0; i < n; i++) {
			desc[i]->vector = (uint8_t)(v + i);
			atomic_store(&vector_desc[v + i], desc[i]);
		}
		return 0;
	}
	return -ENOSPC;
}

/* ---- handling ---- */

/* Lines and MSIs carry an APIC id of 8 bits. */
static bool irq_reaches(unsigned int cpu)
{
	return cpu_online(cpu) && cpu_to_apicid[cpu] < 255;
}

static void irq_set_mask(struct irq_desc *desc, bool mask)
{
	if (desc->masked != mask)
		desc->chip->set_mask(desc, mask);
	desc->masked = mask;
}

static void irq_run_own(struct irq_desc *desc)
{
	void (*fn)(void *) = desc->fn;
	void *arg = desc->arg;
	bool level = desc->level;

	spin_unlock(&desc->lock);
	/* An edge that comes while the handler runs must be seen; a level line must be low
	 * again before the EOI, lest it come at once. */
	if (!level)
		apic_eoi();
	fn(arg);
	if (level)
		apic_eoi();
	spin_lock(&desc->lock);
}

/* Events take locks that are not for interrupt handlers, so they are sent in softirq: a
 * bit here for each vector that has come. */
struct vector_set {
	uint64_t bits[4];
};
static DEFINE_PER_CPU(struct vector_set, vectors_for_guests);

static void irq_note_for_guests(struct irq_desc *desc)
{
	unsigned int i;

	/* A level line stays asserted until the guest has served its device. */
	if (desc->level) {
		irq_set_mask(desc, true);
		for (i = 0; i < desc->nr_guests; i++) {
			desc->in_flight += !desc->guest[i].in_flight;
			desc->guest[i].in_flight = true;
		}
	}
	apic_eoi();
	set_bit(desc->vector, this_cpu_var(vectors_for_guests).bits);
	softirq_raise(SOFTIRQ_PIRQ);
}

static void irq_follow(struct irq_desc *desc, const struct vcpu *v)
{
	unsigned int cpu = READ_ONCE(v->cpu);

	if (desc->cpu == cpu || !irq_reaches(cpu))
		return;
	desc->cpu = cpu;
	if (desc->vector)
		desc->chip->route(desc);
}

/* Interrupts off before, on after. */
static void irq_send_to_guests(struct irq_desc *desc)
{
	struct domain *d;
	struct irq_guest guest[IRQ_GUESTS_MAX];
	unsigned int n, i;

	spin_lock(&desc->lock);
	n = desc->nr_guests;
	memcpy(guest, desc->guest, sizeof(guest));
	desc->in_progress++; /* irq_guest_unbind() waits */
	spin_unlock_irq(&desc->lock);

	for (i = 0; i < n; i++) {
		d = guest[i].vcpu->domain;
		if (!send_pirq(d, guest[i].pirq))
			irq_guest_eoi(desc, d);
	}

	spin_lock_irq(&desc->lock);
	desc->in_progress--;
	/* The line follows the vcpu: one interrupt later than the scheduler's move. */
	if (desc->nr_guests == 1)
		irq_follow(desc, desc->guest[0].vcpu);
	spin_unlock_irq(&desc->lock);
}

/* SOFTIRQ_PIRQ */
static void irqs_to_guests(void)
{
	struct vector_set *set = &this_cpu_var(vectors_for_guests);
	struct irq_desc *desc;
	unsigned int v;

	while ((v = (unsigned int)find_next_bit(set->bits, 256, 0)) < 256) {
		clear_bit(v, set->bits);
		irq_disable();
		desc = atomic_load(&vector_desc[v]);
		if (desc)
			irq_send_to_guests(desc);
		else
			irq_enable();
	}
}

static void irq_handle(struct irq_desc *desc)
{
	spin_lock(&desc->lock);
	desc->count++;
	if (desc->fn) {
		desc->in_progress++;
		irq_run_own(desc);
		desc->in_progress--;
	} else if (desc->nr_guests) {
		irq_note_for_guests(desc);
	} else {
		irq_set_mask(desc, true);
		apic_eoi();
	}
	spin_unlock(&desc->lock);
}

void do_irq(struct cpu_user_regs *regs)
{
	uint8_t vector = (uint8_t)regs->entry_vector;
	struct irq_desc *desc;

	perfc_incr(interrupts);
	if (vector == VECTOR_SPURIOUS)
		return; /* has no EOI */
	if (fixed_handler[vector]) {
		apic_eoi();
		fixed_handler[vector]();
		return;
	}
	desc = atomic_load(&vector_desc[vector]);
	if (desc) {
		irq_handle(desc);
	} else {
		apic_eoi();
		printk(LOG_DEBUG, "CPU %u: interrupt with unused vector %#x\n", this_cpu, vector);
	}
}

/* ---- who a source belongs to ---- */

bool irq_is_free(struct irq_desc *desc)
{
	return !desc->fn && !desc->nr_guests;
}

/* Locked, interrupts off. Whatever CPU handles it now has done so when this returns. */
static void irq_wait_idle(struct irq_desc *desc)
{
	while (desc->in_progress) {
		spin_unlock(&desc->lock);
		cpu_relax();
		spin_lock(&desc->lock);
	}
}

/* The descriptor may be freed after it: a CPU that has found it by its vector has done so
 * with interrupts off, and is counted in in_progress when it lets them on. */
void vector_free(struct irq_desc *desc)
{
	unsigned long flags = spin_lock_irqsave(&vector_lock);

	if (desc->vector)
		atomic_store(&vector_desc[desc->vector], NULL);
	desc->vector = 0;
	spin_unlock_irqrestore(&vector_lock, flags);
	smp_wait_others();
	spin_lock_irq(&desc->lock);
	irq_wait_idle(desc);
	spin_unlock_irq(&desc->lock);
}

static int irq_start(struct irq_desc *desc, unsigned int cpu)
{
	int err;

	desc->cpu = irq_reaches(cpu) ? cpu : 0;
	if (!desc->vector) {
		err = vectors_alloc(&desc, 1);
		if (err)
			return err;
	}
	desc->masked = true;
	desc->chip->route(desc);
	irq_set_mask(desc, false);
	return 0;
}

/* An ISA interrupt's number is not always its line's. */
static unsigned int isa_to_gsi(unsigned int irq)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_overrides; i++)
		if (acpi.override[i].irq == irq)
			return acpi.override[i].gsi;
	return irq;
}

int irq_request(unsigned int irq, void (*fn)(void *arg), void *arg, const char *name)
{
	struct irq_desc *desc = gsi_desc(irq < 16 ? isa_to_gsi(irq) : irq);
	int err;

	if (!desc)
		return -ENODEV;
	spin_guard_irqsave(&desc->lock);
	if (!irq_is_free(desc))
		return -EBUSY;
	desc->fn = fn;
	desc->arg = arg;
	desc->name = name;
	err = irq_start(desc, this_cpu);
	if (err)
		desc->fn = NULL;
	return err;
}

int irq_guest_bind(struct irq_desc *desc, struct vcpu *v, unsigned int pirq, bool share)
{
	int err = 0;

	spin_guard_irqsave(&desc->lock);
	if (desc->fn || (desc->nr_guests && !(share && desc->shareable)) ||
	    desc->nr_guests == IRQ_GUESTS_MAX)
		return -EBUSY;
	if (!desc->nr_guests)
		err = irq_start(desc, v->cpu);
	if (!err) {
		desc->shareable = share;
		desc->guest[desc->nr_guests++] = (struct irq_guest){.vcpu = v, .pirq = pirq};
	}
	return err;
}

static struct irq_guest *irq_guest_find(struct irq_desc *desc, const struct domain *d)
{
	unsigned int i;

	for (i = 0; i < desc->nr_guests; i++)
		if (desc->guest[i].vcpu->domain == d)
			return &desc->guest[i];
	return NULL;
}

/* Locked. */
static void irq_guest_done(struct irq_desc *desc, struct irq_guest *g)
{
	if (!g || !g->in_flight)
		return;
	g->in_flight = false;
	if (!--desc->in_flight)
		irq_set_mask(desc, false);
}

void irq_guest_eoi(struct irq_desc *desc, struct domain *d)
{
	spin_guard_irqsave(&desc->lock);
	irq_guest_done(desc, irq_guest_find(desc, d));
}

void irq_guest_unbind(struct irq_desc *desc, struct domain *d)
{
	struct irq_guest *g;

	spin_guard_irqsave(&desc->lock);
	if (!irq_guest_find(desc, d))
		return;
	if (desc->nr_guests == 1)
		irq_set_mask(desc, true);
	irq_wait_idle(desc);
	g = irq_guest_find(desc, d); /* others' may have moved it */
	irq_guest_done(desc, g);
	if (desc->nr_guests == 1)
		irq_set_mask(desc, true); /* what was in flight has unmasked it */
	*g = desc->guest[--desc->nr_guests];
}

void irq_guest_set_vcpu(struct irq_desc *desc, struct vcpu *v)
{
	struct irq_guest *g;

	spin_guard_irqsave(&desc->lock);
	g = irq_guest_find(desc, v->domain);
	if (!g)
		return;
	g->vcpu = v;
	if (desc->nr_guests == 1)
		irq_follow(desc, v);
}

void irqs_leave_cpu(unsigned int cpu)
{
	struct irq_desc *desc;
	unsigned int v;

	for (v = VECTOR_FIRST_DYNAMIC; v <= VECTOR_LAST_DYNAMIC; v++) {
		irq_disable();
		desc = atomic_load(&vector_desc[v]);
		if (desc) {
			spin_lock(&desc->lock);
			if (desc->cpu == cpu) {
				desc->cpu = 0;
				desc->chip->route(desc);
			}
			spin_unlock(&desc->lock);
		}
		irq_enable();
	}
}

void irqs_init(void)
{
	softirq_open(SOFTIRQ_PIRQ, irqs_to_guests);
}

void irq_dump(void)
{
	unsigned int v, i;
	char name[40];

	for (v = VECTOR_FIRST_DYNAMIC; v <= VECTOR_LAST_DYNAMIC; v++) {
		struct irq_desc *desc = atomic_load(&vector_desc[v]);

		if (!desc)
			continue;
		if (desc->msi)
			msi_name(desc, name, sizeof(name));
		else
			snprintf(name, sizeof(name), "GSI %u", desc->gsi);
		printk(LOG_INFO, "vector %02x: %s, %s%s, CPU %u, %lu times%s%s\n", v, name,
		       desc->level ? "level" : "edge", desc->masked ? ", masked" : "", desc->cpu,
		       (unsigned long)desc->count, desc->fn ? ", " : "",
		       desc->fn ? desc->name : "");
		for (i = 0; i < desc->nr_guests; i++)
			printk(LOG_INFO, "    d%d pirq %u%s\n", desc->guest[i].vcpu->domain->domid,
			       desc->guest[i].pirq,
			       desc->guest[i].in_flight ? ", in flight" : "");
	}
}
