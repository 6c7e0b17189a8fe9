// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other CPUs: starting them by INIT and SIPI (Intel SDM volume 3, 8.4.4), calling
 * functions on them, stopping them. CPU numbers: the boot CPU is 0, the others follow in
 * the MADT's order.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/sched/softirq.h"

#define MSR_EFER 0xc0000080
#define EFER_LMA (1ull << 10)
#define LOW_MEMORY_END 0xa0000
#define CPUID_HYPERVISOR (1u << 31)

/* What an AP finds in the trampoline's page, after its code (cpu/trampoline.S). */
struct trampoline_data {
	struct {
		uint16_t pad, limit;
		uint32_t base;
	} gdtr;                /* base: the page's address + offset of gdt[] */
	uint32_t entry64;      /* far pointer to 64-bit code: offset and selector */
	uint32_t selector;
	uint64_t gdt[3];
	uint32_t cr0, cr3;
	uint64_t efer;
	uint64_t stack, entry; /* in the hypervisor's address space */
} __attribute__((packed));

extern char trampoline_start[], trampoline_64[], trampoline_data[], trampoline_end[];

_Static_assert(offsetof(struct trampoline_data, entry64) == 8, "trampoline.S");
_Static_assert(offsetof(struct trampoline_data, cr0) == 40, "trampoline.S");
_Static_assert(offsetof(struct trampoline_data, efer) == 48, "trampoline.S");
_Static_assert(offsetof(struct trampoline_data, entry) == 64, "trampoline.S");
_Static_assert(sizeof(struct trampoline_data) == 72, "trampoline.S");

static int opt_maxcpus = NR_CPUS;
BOOT_OPTION_INT("maxcpus", opt_maxcpus);

struct cpumask cpu_ipi_map;

/* ---- calls ---- */

/* One call at a time. The lock is held with interrupts on (so that its waiters answer the
 * holder) and hence is not in the order of locks. */
static struct spinlock call_lock = SPINLOCK(LOCK_NONE);
static struct {
	void (*fn)(void *arg);
	void *arg;
	uint32_t unanswered;
} call;

static void call_interrupt(void)
{
	call.fn(call.arg);
	atomic_sub(&call.unanswered, 1); /* after the call: the requester goes on */
}

static unsigned int count_others(const struct cpumask *mask)
{
	unsigned int cpu, n = 0;

	for_each_cpu(cpu, mask)
		n += cpu != this_cpu && cpu_answers(cpu);
	return n;
}

void on_cpus(const struct cpumask *mask, void (*fn)(void *), void *arg)
{
	bool others = count_others(mask);

	if (others) {
		ASSERT(irqs_enabled());
		perfc_incr(calls);
		spin_lock(&call_lock);
		call.fn = fn;
		call.arg = arg;
		/* Counted again: who answers changes under the lock alone. */
		atomic_store(&call.unanswered, count_others(mask));
		apic_send_ipi_mask(mask, VECTOR_CALL_FUNCTION);
	}
	if (test_bit(this_cpu, mask->bits)) {
		unsigned long flags = irq_save(); /* as the others run it */

		fn(arg);
		irq_restore(flags);
	}
	if (others) {
		while (atomic_load(&call.unanswered))
			cpu_relax();
		spin_unlock(&call_lock);
	}
}

static void nothing(void *arg)
{
	(void)arg;
}

void smp_wait_others(void)
{
	on_cpus(&cpu_online_map, nothing, NULL);
}

/* To leave, a CPU waits for the lock with interrupts on, since its holder waits for its answer. */
void smp_set_answers(bool answers)
{
	spin_lock(&call_lock);
	if (answers)
		set_bit(this_cpu, cpu_ipi_map.bits);
	else
		clear_bit(this_cpu, cpu_ipi_map.bits);
	spin_unlock(&call_lock);
}

/* ---- events, and stopping ---- */

static bool cpus_stopping;
static uint32_t cpus_stopped;

static _Noreturn void cpu_stop(void)
{
	irq_disable();
	atomic_add(&cpus_stopped, 1);
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

static void event_interrupt(void)
{
	/* softirqs are looked at on the way out */
	if (READ_ONCE(cpus_stopping))
		cpu_stop();
}

void smp_send_event(unsigned int cpu)
{
	apic_send_ipi(cpu, VECTOR_EVENT_CHECK);
}

void stop_other_cpus(void)
{
	unsigned int cpu, others = 0;
	stime_t end;

	if (atomic_xchg(&cpus_stopping, true))
		cpu_stop(); /* another CPU does it already */
	for_each_online_cpu(cpu)
		if (cpu != this_cpu) {
			others++;
			smp_send_event(cpu);
		}
	for (end = now() + MILLISECS(100); atomic_load(&cpus_stopped) < others && now() < end;)
		cpu_relax();
}

/* ---- starting ---- */

static uint64_t idle_root;

static void ap_main(void)
{
	unsigned int cpu = this_cpu;

	write_cr3(idle_root);
	current = per_cpu(idle_vcpu, cpu);
	cpu_setup();
	gdt_load();
	idt_load();
	fpu_init_cpu();
	pv_entry_init_cpu();
	apic_init_cpu();
	time_init_cpu();
	smp_set_answers(true);
	set_bit(cpu, cpu_online_map.bits);
	softirq_raise(SOFTIRQ_SCHEDULE); /* the policy learns that it is idle */
	irq_enable();
	idle_loop();
}

/* Tables that map the first 2 MiB as they are, and the hypervisor: for the step into
 * paging. CR3 has 32 bits there. */
struct ap_tables {
	struct frame *frame[3];
	uint64_t cr3;
};

static void ap_tables_free(const struct ap_tables *t)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (t->frame[i])
			buddy_free(t->frame[i], 0);
}

static int ap_tables_make(struct ap_tables *t)
{
	uint64_t *table[3], maddr[3];
	unsigned int i;

	*t = (struct ap_tables){.cr3 = 0};
	for (i = 0; i < 3; i++) {
		t->frame[i] = buddy_alloc(0, ANY_NODE, 32, ALLOC_MAPPED);
		if (!t->frame[i]) {
			ap_tables_free(t);
			return -ENOMEM;
		}
		table[i] = mfn_to_virt(frame_to_mfn(t->frame[i]));
		maddr[i] = mfn_to_maddr(frame_to_mfn(t->frame[i]));
		memset(table[i], 0, PAGE_SIZE);
	}
	memcpy(table[0] + HV_FIRST_SLOT, idle_l4 + HV_FIRST_SLOT,
	       (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(uint64_t));
	table[0][0] = maddr[1] | PTE_P | PTE_RW;
	table[1][0] = maddr[2] | PTE_P | PTE_RW;
	table[2][0] = PTE_P | PTE_RW | PTE_PS;
	t->cr3 = maddr[0];
	return 0;
}

/* The highest page of RAM below 640 KiB; boot/ leaves all that is below 1 MiB alone.
 * 0: none. */
static uint64_t trampoline_find_page(void)
{
	uint64_t best = 0;
	unsigned int i;

	for (i = 0; i < boot_info.nr_e820; i++) {
		const struct e820_entry *e = &boot_info.e820[i];
		uint64_t end = MIN(e->start + e->size, LOW_MEMORY_END) & PAGE_MASK;

		if (e->type == 1 && e->start < LOW_MEMORY_END &&
		    end >= ROUND_UP(e->start, PAGE_SIZE) + PAGE_SIZE)
			best = MAX(best, end - PAGE_SIZE);
	}
	return best;
}

static struct trampoline_data *trampoline_copy(uint64_t page, const struct ap_tables *tables)
{
	char *to = maddr_to_virt(page);
	uint32_t data = (uint32_t)(trampoline_data - trampoline_start);
	struct trampoline_data *d = (struct trampoline_data *)(to + data);

	memcpy(to, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*d = (struct trampoline_data){
		.gdtr = {.limit = sizeof(d->gdt) - 1,
			 .base = (uint32_t)page + data +
				 (uint32_t)offsetof(struct trampoline_data, gdt)},
		.entry64 = (uint32_t)(page + (uint64_t)(trampoline_64 - trampoline_start)),
		.selector = 8,
		.gdt = {0, 0x00af9b000000ffff, 0x00cf93000000ffff},
		.cr0 = (uint32_t)read_cr0(),
		.cr3 = (uint32_t)tables->cr3,
		.efer = rdmsr(MSR_EFER) & ~EFER_LMA,
		.entry = (uint64_t)ap_main,
	};
	return d;
}

static void delay(stime_t ns)
{
	stime_t end = now() + ns;

	while (now() < end)
		cpu_relax();
}

static bool ap_wait(unsigned int cpu, stime_t ns)
{
	stime_t end = now() + ns;

	while (!cpu_online(cpu) && now() < end) {
		time_sync_serve();
		cpu_relax();
	}
	return cpu_online(cpu);
}

/* All of it that can be done from here. Its stack pointer, or NULL. */
static void *ap_prepare(unsigned int cpu)
{
	uint64_t *top;
	char *stack;

	if (percpu_alloc(cpu))
		return NULL;
	stack = stack_alloc(cpu);
	if (!stack)
		return NULL;
	gdt_init_cpu(cpu, stack);
	timers_init_cpu(cpu);
	sched_init_cpu(cpu);
	if (!idle_vcpu_create(cpu))
		return NULL;
	/* As if called, from nowhere. */
	top = (uint64_t *)((uint64_t)(stack + STACK_SIZE - sizeof(struct cpu_info)) & ~15ull);
	*--top = 0;
	return top;
}

static bool ap_start(unsigned int cpu, struct trampoline_data *data, uint8_t page)
{
	uint32_t id = cpu_to_apicid[cpu];
	void *stack = ap_prepare(cpu);

	if (!stack)
		return false;
	data->stack = (uint64_t)stack;
	smp_mb();

	apic_send_init(id);
	delay(MILLISECS(10));
	apic_send_startup(id, page);
	if (ap_wait(cpu, MILLISECS(1)))
		return true;
	apic_send_startup(id, page); /* one that has started does not see it */
	return ap_wait(cpu, SECONDS(20));
}

static bool startable(const struct acpi_cpu *c)
{
	return c->enabled && c->apic_id != cpu_to_apicid[0] && apic_reaches(c->apic_id);
}

void smp_prepare(void)
{
	unsigned int i, n = 1;

	for (i = 0; i < acpi.nr_cpus; i++)
		n += startable(&acpi.cpu[i]);
	nr_cpus = MAX(MIN(n, MIN(NR_CPUS, (unsigned int)opt_maxcpus)), 1);
}

void smp_boot_cpus(void)
{
	uint64_t page = trampoline_find_page();
	struct trampoline_data *data;
	struct ap_tables tables;
	unsigned int i, cpu;
	uint32_t regs[4];

	vector_set_handler(VECTOR_EVENT_CHECK, event_interrupt);
	vector_set_handler(VECTOR_CALL_FUNCTION, call_interrupt);
	idle_root = image_to_maddr(idle_l4);
	if (nr_cpus == 1)
		goto out;
	if (!page || ap_tables_make(&tables)) {
		printk(LOG_ERR, "no memory to start other CPUs with\n");
		goto out;
	}
	data = trampoline_copy(page, &tables);
	for (i = cpu = 0; i < acpi.nr_cpus; i++) {
		const struct acpi_cpu *c = &acpi.cpu[i];

		if (!startable(c))
			continue;
		if (++cpu >= nr_cpus)
			break;
		cpu_to_apicid[cpu] = c->apic_id;
		if (!ap_start(cpu, data, (uint8_t)(page >> PAGE_SHIFT))) {
			/* It may still come up: what it would use then is not freed. */
			printk(LOG_ERR, "CPU %u (APIC id %u) does not start\n", cpu, c->apic_id);
			goto out;
		}
		set_bit(cpu, cpu_present_map.bits);
	}
	ap_tables_free(&tables);
out:
	for (i = cpu = 0; i < nr_cpus; i++)
		cpu += cpu_online(i);
	cpuid(1, 0, regs);
	spin_unfair = cpu > 1 && regs[2] & CPUID_HYPERVISOR;
	printk(LOG_INFO, "%u CPU%s\n", cpu, cpu == 1 ? "" : "s");
}
