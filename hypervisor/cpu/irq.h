/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts: vectors, lines (GSIs), MSIs, the hypervisor's handlers and guests' PIRQs. */
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include "hypervisor/cpu/percpu.h"
#include "hypervisor/lib/abi.h"
#include "hypervisor/lib/lib.h"

struct domain;
struct vcpu;

/* Fixed vectors. 0x20-0xef are given to devices (IRQs); 0x80 is a guest's gate, 0x82 too. */
enum vector {
	VECTOR_FIRST_DYNAMIC = 0x20,
	VECTOR_LAST_DYNAMIC = 0xef,
	VECTOR_EVENT_CHECK = 0xfb,
	VECTOR_CALL_FUNCTION = 0xfa,
	VECTOR_TIMER = 0xf8,
	VECTOR_ERROR = 0xfe,
	VECTOR_SPURIOUS = 0xff,
};

/* do_irq(): from entry.S for every vector from 0x20 on, interrupts off. */
void do_irq(struct cpu_user_regs *regs);
void vector_set_handler(uint8_t vector, void (*fn)(void)); /* fixed ones */

/* A hypervisor's own device: its line (GSI). 0/-EBUSY. Handler: interrupts off. */
int irq_request(unsigned int irq, void (*fn)(void *arg), void *arg, const char *name);

/* ---- guests' ---- */
int pirq_domain_init(struct domain *d, unsigned int nr_pirqs);
void pirq_domain_relinquish(struct domain *d); /* dying: lines and the guest's page */
void pirq_domain_destroy(struct domain *d);
/* EVTCHNOP_bind_pirq and close. */
int pirq_bind(struct vcpu *v, unsigned int pirq, bool share);
void pirq_unbind(struct domain *d, unsigned int pirq);
void pirq_set_vcpu(struct vcpu *v, unsigned int pirq); /* EVTCHNOP_bind_vcpu */
int pirq_eoi(struct domain *d, unsigned int pirq);        /* PHYSDEVOP_eoi; unmask */
int pirq_status(struct domain *d, unsigned int pirq, uint32_t *flags);
int pirq_map_gsi(struct domain *d, int *pirq, unsigned int gsi);
struct msi_request {
	uint16_t seg;
	uint8_t bus, devfn;
	int entry;          /* MSI-X entry, or number of MSI vectors */
	uint64_t table_base; /* MSI-X; 0: MSI */
};
int pirq_map_msi(struct domain *d, int *pirq, const struct msi_request *m);
int pirq_unmap(struct domain *d, unsigned int pirq);
int gsi_setup(unsigned int gsi, bool level, bool low);    /* PHYSDEVOP_setup_gsi */
int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value);
int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value);
unsigned int nr_gsis(void);
void irq_dump(void);

/* ---- local APIC (cpu/apic.c) ---- */
void apic_init(void);      /* boot CPU; after ACPI */
void apic_init_cpu(void);
void apic_eoi(void);
void apic_send_ipi(unsigned int cpu, uint8_t vector);
void apic_send_ipi_mask(const struct cpumask *mask, uint8_t vector); /* not to this CPU */
/* Those that answer calls and flushes: online ones, and one that is leaving until nothing
 * of a guest is on it any more. */
extern struct cpumask cpu_ipi_map;
static inline bool cpu_answers(unsigned int cpu)
{
	return test_bit(cpu, cpu_ipi_map.bits);
}
bool apic_reaches(uint32_t apic_id); /* without x2APIC ids have 8 bits */
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
void apic_send_nmi(unsigned int cpu);
uint32_t apic_id(void);
void apic_timer_arm(uint64_t ns_from_now); /* one shot */
void apic_calibrate(void);
extern uint32_t cpu_to_apicid[];
void ioapic_init(void);

#endif
