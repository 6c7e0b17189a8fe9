// SPDX-License-Identifier: GPL-2.0-only
/*
 * System time from the TSC, wall-clock time, and what PV guests are told of both.
 *
 * Every CPU has a stamp: a TSC reading and the system time then. The TSC's rate is
 * measured once and holds for all; an AP gets the boot CPU's stamp, corrected when its
 * TSC is found to be off. So time is the same everywhere and never goes back.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/clocksource.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/sched/softirq.h"
#include "hypervisor/sched/timer.h"

#define NS_PER_S 1000000000ull

struct cpu_time {
	uint64_t tsc;
	stime_t system;
};
static DEFINE_PER_CPU(struct cpu_time, cpu_time);
static struct time_scale tsc_scale;
static bool tsc_stable; /* invariant and the same on every CPU: guests may rely on it */
uint32_t cpu_khz;

struct time_scale time_scale_of(uint64_t hz)
{
	struct time_scale s = {.shift = 0};

	hz = MAX(hz, 1000); /* a domain's may have been made up by tools */
	while (hz > 2 * NS_PER_S << -s.shift)
		s.shift--;
	while (s.shift >= 0 && hz << s.shift <= NS_PER_S)
		s.shift++;
	/* hz is in (10^9, 2 * 10^9] after the shift, so mul fits and has its top bit. */
	if (s.shift < 0)
		s.mul = (uint32_t)mul_div(NS_PER_S << 32, 1u << -s.shift, hz);
	else
		s.mul = (uint32_t)((NS_PER_S << 32) / (hz << s.shift));
	return s;
}

uint64_t time_scale(struct time_scale s, uint64_t ticks)
{
	ticks = s.shift < 0 ? ticks >> -s.shift : ticks << s.shift;
	return (uint64_t)((unsigned __int128)ticks * s.mul >> 32);
}

uint64_t tsc_to_ns(uint64_t ticks)
{
	return time_scale(tsc_scale, ticks);
}

stime_t now(void)
{
	const struct cpu_time *t = &this_cpu_var(cpu_time);
	int64_t ticks = (int64_t)(rdtsc() - t->tsc);

	/* A corrected stamp may lie a few ticks ahead. */
	return t->system + (ticks > 0 ? (stime_t)tsc_to_ns((uint64_t)ticks) : 0);
}

/* ---- the hardware timer ---- */

static void timer_interrupt(void)
{
	softirq_raise(SOFTIRQ_TIMER);
}

bool reprogram_timer(stime_t when)
{
	stime_t delta;

	if (when == NEVER) {
		apic_timer_arm(0);
		return true;
	}
	delta = when - now();
	if (delta <= 0)
		return false;
	apic_timer_arm((uint64_t)delta);
	return true;
}

/* ---- an AP's TSC against the boot CPU's ---- */

#define SYNC_ROUNDS 32
#define SYNC_MS     20

static struct {
	uint64_t request, reply; /* number of the round */
	uint64_t tsc;            /* the boot CPU's, between the two */
} sync_area;

void time_sync_serve(void)
{
	uint64_t round = atomic_load(&sync_area.request);

	if (round == atomic_load(&sync_area.reply))
		return;
	sync_area.tsc = rdtsc();
	atomic_store(&sync_area.reply, round);
}

void time_init_cpu(void)
{
	struct cpu_time *t = &this_cpu_var(cpu_time);
	uint64_t best = UINT64_MAX, request = sync_area.request;
	uint64_t end = rdtsc() + (uint64_t)cpu_khz * SYNC_MS;
	int64_t offset = 0;
	unsigned int i;

	/* On a busy machine a virtual CPU may wait long for an answer: not that for each. */
	for (i = 0; i < SYNC_ROUNDS && (!i || rdtsc() < end); i++) {
		uint64_t before, after, other;

		before = rdtsc();
		atomic_store(&sync_area.request, ++request);
		while (atomic_load(&sync_area.reply) != request)
			cpu_relax();
		other = sync_area.tsc;
		after = rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		/* Between the two, as far as can be told: the same clock. */
		if ((int64_t)(other - before) >= 0 && (int64_t)(after - other) >= 0)
			offset = 0;
		else
			offset = (int64_t)(before + best / 2 - other);
	}
	*t = per_cpu(cpu_time, 0);
	t->tsc += (uint64_t)offset;
	if (offset) {
		tsc_stable = false;
		printk(LOG_INFO, "CPU %u: TSC is off by %ld\n", this_cpu, (long)offset);
	}
}

/* ---- vcpu_time_info ---- */

/* The guest reads it without a lock: while the version is odd or has changed, again.
 * It can write it too, but only its own time suffers. */
static void time_info_write(struct vcpu_time_info *u, const struct vcpu_time_info *new)
{
	uint32_t version = READ_ONCE(u->version) | 1;

	WRITE_ONCE(u->version, version);
	smp_wmb(); /* odd before the fields change */
	u->tsc_timestamp = new->tsc_timestamp;
	u->system_time = new->system_time;
	u->tsc_to_system_mul = new->tsc_to_system_mul;
	u->tsc_shift = new->tsc_shift;
	u->flags = new->flags;
	smp_wmb(); /* the fields before it is even again */
	WRITE_ONCE(u->version, version + 1);
}

uint64_t emulated_tsc(const struct domain *d, stime_t t)
{
	/* A CPU's time base may be from before the domain's clock began. */
	bool before = t < d->tsc.offset;
	uint64_t ns = (uint64_t)(before ? d->tsc.offset - t : t - d->tsc.offset);
	uint64_t ticks = ns / 1000000 * d->tsc.khz + ns % 1000000 * d->tsc.khz / 1000000;

	return before ? -ticks : ticks;
}

static void time_info_of(const struct vcpu *v, struct vcpu_time_info *u)
{
	const struct cpu_time *t = &per_cpu(cpu_time, v->cpu);
	const struct domain *d = v->domain;

	*u = (struct vcpu_time_info){
		.tsc_timestamp = t->tsc,
		.system_time = (uint64_t)t->system,
		.tsc_to_system_mul = tsc_scale.mul,
		.tsc_shift = tsc_scale.shift,
		.flags = tsc_stable && !d->tsc.vtsc ? XEN_PVCLOCK_TSC_STABLE_BIT : 0,
	};
	if (unlikely(d->tsc.vtsc)) {
		struct time_scale s = time_scale_of((uint64_t)d->tsc.khz * 1000);

		u->tsc_timestamp = emulated_tsc(d, t->system);
		u->tsc_to_system_mul = s.mul;
		u->tsc_shift = s.shift;
	}
}

void update_vcpu_time_area(struct vcpu *v)
{
	struct vcpu_time_info u;
	uint64_t area = v->time_area;

	v->time_area_stale = false;
	if (!area || v != current || !v->info)
		return;
	time_info_of(v, &u);
	/* As above, in three copies. In user mode its kernel's memory is not mapped: then
	 * when it is next in kernel mode. */
	u.version = READ_ONCE(v->info->time.version) | 1;
	if (copy_to_guest(area, &u.version, sizeof(u.version)) || !put_guest(area, &u)) {
		v->time_area_stale = true;
		return;
	}
	u.version++;
	if (copy_to_guest(area, &u.version, sizeof(u.version)))
		v->time_area_stale = true;
}

void force_update_vcpu_time(struct vcpu *v)
{
	struct vcpu_time_info u;

	if (!v->info)
		return;
	time_info_of(v, &u);
	time_info_write(&v->info->time, &u);
	update_vcpu_time_area(v);
}

void update_vcpu_time(struct vcpu *v)
{
	const struct cpu_time *t = &per_cpu(cpu_time, v->cpu);
	const struct vcpu_time_info *u;

	if (!v->info)
		return;
	/* A new or restored domain: its page says nothing of the date yet. */
	if (unlikely(v->domain->shared_info && !READ_ONCE(v->domain->shared_info->wc_version)))
		update_domain_wallclock(v->domain);
	u = &v->info->time;
	if (READ_ONCE(u->tsc_timestamp) != t->tsc ||
	    READ_ONCE(u->system_time) != (uint64_t)t->system ||
	    READ_ONCE(u->tsc_to_system_mul) != tsc_scale.mul)
		force_update_vcpu_time(v);
}

/* ---- wall clock ---- */

static struct spinlock wallclock_lock = SPINLOCK(LOCK_LEAF);
static uint64_t wallclock; /* ns since 1970 at system time 0 */

void update_domain_wallclock(struct domain *d)
{
	struct shared_info *s = d->shared_info;
	uint64_t sec, nsec;
	uint32_t version;

	if (!s)
		return;
	spin_guard_irqsave(&wallclock_lock);
	sec = wallclock / NS_PER_S + (uint64_t)d->time_offset_seconds;
	nsec = wallclock % NS_PER_S;
	version = READ_ONCE(s->wc_version) | 1;
	WRITE_ONCE(s->wc_version, version);
	smp_wmb();
	s->wc_sec = (uint32_t)sec;
	s->wc_sec_hi = (uint32_t)(sec >> 32);
	s->wc_nsec = (uint32_t)nsec;
	smp_wmb();
	WRITE_ONCE(s->wc_version, version + 1);
}

void set_wallclock(uint64_t secs, uint32_t nsecs, uint64_t system_time_base)
{
	unsigned long flags = spin_lock_irqsave(&wallclock_lock);
	struct domain *d;

	wallclock = secs * NS_PER_S + nsecs - system_time_base;
	spin_unlock_irqrestore(&wallclock_lock, flags);
	for (d = domain_next(NULL); d; d = domain_next(d))
		update_domain_wallclock(d);
}

void get_wallclock(uint64_t *secs, uint32_t *nsecs)
{
	unsigned long flags = spin_lock_irqsave(&wallclock_lock);
	uint64_t ns = wallclock + (uint64_t)now();

	spin_unlock_irqrestore(&wallclock_lock, flags);
	*secs = ns / NS_PER_S;
	*nsecs = (uint32_t)(ns % NS_PER_S);
}

/* Debug key t. */
static void time_dump(void)
{
	unsigned int cpu;
	uint64_t sec;
	uint32_t nsec;

	get_wallclock(&sec, &nsec);
	printk(LOG_INFO, "system time %ld ns, %lu s since 1970; TSC %u kHz, %s, mul %08x shift %d\n",
	       (long)now(), (unsigned long)sec, cpu_khz, tsc_stable ? "stable" : "not stable",
	       tsc_scale.mul, tsc_scale.shift);
	for_each_online_cpu(cpu)
		printk(LOG_INFO, "CPU %u: TSC %ld from CPU 0's\n", cpu,
		       (long)(per_cpu(cpu_time, cpu).tsc - per_cpu(cpu_time, 0).tsc));
}

void time_init(void)
{
	const struct clocksource *c = clocksource_init();
	uint64_t hz = clocksource_measure_tsc(c);
	uint32_t r[4];

	cpu_khz = (uint32_t)(hz / 1000);
	tsc_scale = time_scale_of(hz);
	cpuid(0x80000000, 0, r);
	if (r[0] >= 0x80000007) {
		cpuid(0x80000007, 0, r);
		tsc_stable = r[3] & 1u << 8;
	}
	per_cpu(cpu_time, 0) = (struct cpu_time){.tsc = rdtsc()};
	wallclock = cmos_read_time() * NS_PER_S - (uint64_t)now();
	vector_set_handler(VECTOR_TIMER, timer_interrupt);
	printk(LOG_INFO, "TSC: %u.%03u MHz by %s, %s\n", cpu_khz / 1000, cpu_khz % 1000,
	       c->name, tsc_stable ? "invariant" : "not said to be invariant");
	apic_calibrate();
	debug_key_add('t', "display clock and time info", time_dump);
}
