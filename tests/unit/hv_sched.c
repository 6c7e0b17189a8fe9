// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler's core and policies: first on a simulated machine whose clock and CPUs are
 * ours, for fairness, work conservation and latency; then with threads for CPUs, for
 * races: no vcpu on two CPUs, no wake-up lost.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include <xen/domctl.h>

#define CPUS  4u
#define VCPUS 16u

/* ---- what the scheduler wants of other folders ---- */

unsigned int nr_cpus = CPUS;
struct cpumask cpu_online_map = {{(1u << CPUS) - 1}};
static void (*schedule_fn)(void);
static bool threads; /* real time, and CPUs that are threads */
static stime_t clock_now;
static struct domain idle_domain = {.domid = DOMID_IDLE};
static int broken;

stime_t now(void)
{
	struct timespec t;

	if (!threads)
		return clock_now;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return SECONDS(t.tv_sec) + t.tv_nsec;
}

void softirq_open(enum softirq nr, void (*fn)(void))
{
	if (nr == SOFTIRQ_SCHEDULE)
		schedule_fn = fn;
}

void softirq_raise_cpu(unsigned int cpu, enum softirq nr)
{
	__atomic_or_fetch(&per_cpu(softirq_pending, cpu), 1ull << nr, __ATOMIC_SEQ_CST);
}

void softirq_raise(enum softirq nr)
{
	softirq_raise_cpu(this_cpu, nr);
}

/* A CPU's slice timer and what a test sets; looked at as time goes on. */
static struct timer *timers[64];
static unsigned int nr_timers;

void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned int cpu)
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
	t->arg = arg;
	t->cpu = cpu;
	t->expires = NEVER;
	if (nr_timers < ARRAY_SIZE(timers))
		timers[nr_timers++] = t;
}

void timer_set(struct timer *t, stime_t expires)
{
	atomic_store(&t->expires, expires);
}

void timer_stop(struct timer *t)
{
	atomic_store(&t->expires, NEVER);
}

void timer_kill(struct timer *t)
{
	unsigned int i;

	for (i = 0; i < nr_timers; i++)
		if (timers[i] == t)
			timers[i] = timers[--nr_timers];
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	t->cpu = cpu;
}

void sync_vcpu_state(struct vcpu *v)
{
	(void)v;
}

bool event_port_is_pending(struct domain *d, uint32_t port)
{
	return test_bit(port, d->shared_info->evtchn_pending);
}

void pv_toggle_mode(struct vcpu *v)
{
	(void)v;
}

static struct domain domain[4];

struct domain *domain_next(struct domain *d)
{
	d = d ? d + 1 : domain;
	return d < domain + ARRAY_SIZE(domain) ? d : NULL;
}

void vcpu_timers_init(struct vcpu *v)
{
	(void)v;
}

void vcpu_timers_kill(struct vcpu *v)
{
	(void)v;
}

/* On which CPU each vcpu is, +1, as the machine has it. */
static uint32_t on_cpu[VCPUS];

static uint32_t *place_of(struct vcpu *v)
{
	return &on_cpu[v->domain->domid * 4 + v->id];
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	if (!is_idle_vcpu(prev) && atomic_xchg(place_of(prev), 0) != this_cpu + 1)
		atomic_add(&broken, 1);
	if (!is_idle_vcpu(next) && atomic_xchg(place_of(next), this_cpu + 1))
		atomic_add(&broken, 1);
	current = next;
	sched_context_saved(prev);
}

/* ---- a machine ---- */

static struct vcpu vcpu[VCPUS];
static struct vcpu *table[4][4];
static struct shared_info shared[4];
static uint64_t polls[4];
static struct vcpu idle[HOST_CPUS];
static struct vcpu *cpu_current[HOST_CPUS];

static void on(unsigned int cpu)
{
	host_cpu_info.cpu = cpu;
	current = cpu_current[cpu];
}

static struct vcpu *add(unsigned int d, unsigned int id)
{
	struct vcpu *v = &vcpu[d * 4 + id];

	v->domain = &domain[d];
	v->id = id;
	v->info = &v->own_info;
	v->pause_flags = 1ull << VCPU_DOWN;
	CU_ASSERT_EQUAL(sched_vcpu_init(v, 0), 0);
	table[d][id] = v;
	return v;
}

static void up(struct vcpu *v)
{
	clear_bit(VCPU_DOWN, &v->pause_flags);
	vcpu_wake(v);
}

/* A CPU sleeps although somebody waits who could use it. */
static bool wasteful(void)
{
	unsigned int i, cpu;

	for (i = 0; i < VCPUS; i++) {
		struct vcpu *v = &vcpu[i];

		if (!v->domain || v->is_running || !vcpu_runnable(v))
			continue;
		for (cpu = 0; cpu < nr_cpus; cpu++)
			if (is_idle_vcpu(cpu_current[cpu]) && vcpu_may_run_on(v, cpu))
				return true;
	}
	return false;
}

static unsigned long wasted; /* moments at which wasteful() held */

/* Every CPU does what is asked of it. */
static void settle(void)
{
	bool more = true;
	unsigned int i, rounds = 0;

	while (more && rounds++ < 1000) {
		more = false;
		for (i = 0; i < nr_cpus; i++) {
			if (!atomic_xchg(&per_cpu(softirq_pending, i), 0))
				continue;
			more = true;
			on(i);
			schedule_fn();
			cpu_current[i] = current;
		}
	}
	CU_ASSERT_FATAL(rounds < 1000); /* it comes to rest */
	wasted += wasteful();
}

static void begin(const char *policy, unsigned int cpus)
{
	unsigned int i;

	nr_cpus = cpus;
	cpu_online_map.bits[0] = (1u << cpus) - 1;
	nr_timers = 0;
	clock_now = SECONDS(1);
	broken = 0;
	memset(on_cpu, 0, sizeof(on_cpu));
	memset(idle, 0, sizeof(idle));
	memset(vcpu, 0, sizeof(vcpu));
	memset(domain, 0, sizeof(domain));
	memset(table, 0, sizeof(table));
	host_cpu_info.cpu = 0;
	sched_init(policy);
	for (i = 0; i < cpus; i++) {
		per_cpu(softirq_pending, i) = 0;
		sched_init_cpu(i);
		idle[i].domain = &idle_domain;
		idle[i].id = i;
		sched_vcpu_init(&idle[i], i);
		cpu_current[i] = &idle[i];
	}
	for (i = 0; i < 4; i++) {
		domain[i].domid = (domid_t)i;
		domain[i].shared_info = &shared[i];
		domain[i].poll_mask = &polls[i];
		domain[i].max_vcpus = 4;
		domain[i].vcpu = table[i];
		domain[i].event.nr_valid = 128;
		if (sched_policy->domain_init)
			CU_ASSERT_EQUAL(sched_policy->domain_init(&domain[i]), 0);
	}
	for (i = 0; i < cpus; i++)
		softirq_raise_cpu(i, SOFTIRQ_SCHEDULE);
	settle();
	on(0);
}

/* All vcpus off their CPUs, then gone. */
static void end(void)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		if (vcpu[i].domain) {
			set_bit(VCPU_DOWN, &vcpu[i].pause_flags);
			vcpu_sleep_nosync(&vcpu[i]);
		}
	settle();
	for (i = 0; i < VCPUS; i++)
		if (vcpu[i].domain) {
			CU_ASSERT_FALSE(vcpu[i].is_running);
			sched_vcpu_destroy(&vcpu[i]);
		}
	memset(table, 0, sizeof(table));
	for (i = 0; i < 4; i++)
		if (sched_policy->domain_destroy)
			sched_policy->domain_destroy(&domain[i]);
	for (i = 0; i < nr_cpus; i++) {
		sched_cpu_evacuate(i);
		sched_exit_cpu(i);
	}
	CU_ASSERT_EQUAL(nr_timers, 0);
	CU_ASSERT_EQUAL(broken, 0);
}

/* Time goes on to @t, from one timer to the next. */
static void run_until(stime_t t)
{
	unsigned int i;

	for (;;) {
		stime_t next = t;

		settle();
		for (i = 0; i < nr_timers; i++)
			next = MIN(next, timers[i]->expires);
		clock_now = MAX(clock_now, next);
		for (i = 0; i < nr_timers; i++)
			if (timers[i]->expires <= clock_now) {
				timers[i]->expires = NEVER;
				on(timers[i]->cpu);
				timers[i]->fn(timers[i]->arg);
			}
		if (clock_now >= t)
			break;
	}
	settle();
}

static uint64_t ran(const struct vcpu *v)
{
	struct vcpu_runstate_info i;

	vcpu_runstate_get(v, &i);
	return i.time[RUNSTATE_running];
}

static void set_share(struct domain *d, uint16_t weight, uint16_t cap)
{
	struct xen_domctl_scheduler_op op = {.cmd = XEN_DOMCTL_SCHEDOP_putinfo,
					     .u.credit2 = {.weight = weight, .cap = cap}};

	CU_ASSERT_EQUAL(sched_policy->adjust_domain(d, &op), 0);
}

static bool near(uint64_t x, double want, double tolerance)
{
	bool ok = (double)x > want * (1 - tolerance) && (double)x < want * (1 + tolerance);

	if (!ok)
		fprintf(stderr, "%llu, not near %.0f\n", (unsigned long long)x, want);
	return ok;
}

static void block(struct vcpu *v)
{
	set_bit(VCPU_BLOCKED, &v->pause_flags);
	vcpu_sleep_nosync(v);
}

/* ---- credit2 ---- */

static void test_shares(void)
{
	struct vcpu *v[4];
	unsigned int i;

	begin("credit2", 1);
	for (i = 0; i < 4; i++) {
		v[i] = add(i, 0);
		up(v[i]);
	}
	set_share(&domain[1], 512, 0);
	set_share(&domain[2], 1024, 0);
	set_share(&domain[3], 2048, 0);
	wasted = 0;
	run_until(SECONDS(11));
	for (i = 0; i < 4; i++)
		CU_ASSERT(near(ran(v[i]), 1e10 * (1 << i) / 15, 0.03));
	CU_ASSERT_EQUAL(wasted, 0);
	end();
}

static void test_smp(void)
{
	struct vcpu *v[6];
	unsigned int i;

	begin("credit2", 4);
	for (i = 0; i < 6; i++) {
		v[i] = add(i / 4, i % 4);
		up(v[i]);
	}
	wasted = 0;
	run_until(SECONDS(11));
	for (i = 0; i < 6; i++)
		CU_ASSERT(near(ran(v[i]), 4e10 / 6, 0.03));
	CU_ASSERT_EQUAL(wasted, 0);
	end();
}

/* Alone on its CPU for long, a vcpu is not made to pay for that when others come. */
static void test_no_debt(void)
{
	struct vcpu *a, *b;

	begin("credit2", 1);
	a = add(0, 0);
	b = add(1, 0);
	up(a);
	run_until(SECONDS(30));
	up(b);
	run_until(SECONDS(31));
	CU_ASSERT(near(ran(b), 5e8, 0.1));
	/* Nor does one that slept long get to run alone. */
	block(b);
	run_until(SECONDS(60));
	vcpu_unblock(b);
	run_until(SECONDS(61));
	CU_ASSERT(near(ran(b), 1e9, 0.1));
	end();
}

static void test_caps(void)
{
	struct vcpu *v[3];
	unsigned int i;
	uint64_t alone;

	begin("credit2", 2);
	for (i = 0; i < 3; i++)
		v[i] = add(i == 2, i % 2);
	set_share(&domain[0], 256, 50); /* two vcpus, half a CPU */
	for (i = 0; i < 3; i++)
		up(v[i]);
	run_until(SECONDS(11));
	CU_ASSERT(near(ran(v[0]) + ran(v[1]), 5e9, 0.05));
	/* Beside both of them it has 2/3 at least of a CPU, all of one when they are out. */
	alone = ran(v[2]);
	CU_ASSERT(alone > 7000000000);
	set_share(&domain[0], 256, 0);
	run_until(SECONDS(21));
	CU_ASSERT(near(ran(v[0]) + ran(v[1]) + ran(v[2]), 5e9 + (double)alone + 2e10, 0.02));
	end();
}

/* A vcpu that wakes among CPU hogs runs soon. */
static void test_latency(void)
{
	struct vcpu *v[5];
	stime_t worst = 0, t;
	unsigned int i;

	begin("credit2", 2);
	for (i = 0; i < 5; i++) {
		v[i] = add(i / 4, i % 4);
		up(v[i]);
	}
	block(v[4]);
	run_until(clock_now + SECONDS(1));
	for (i = 0; i < 500; i++) {
		t = clock_now + MICROSECS(100 + i * 37 % 3000);
		run_until(t);
		vcpu_unblock(v[4]);
		settle();
		for (t = clock_now; !v[4]->is_running && clock_now < t + MILLISECS(50);)
			run_until(clock_now + MICROSECS(10));
		worst = MAX(worst, clock_now - t);
		run_until(clock_now + MICROSECS(50));
		block(v[4]);
		settle();
	}
	if (worst > MICROSECS(1050))
		fprintf(stderr, "worst %ld\n", worst);
	CU_ASSERT(worst <= MICROSECS(1050)); /* the rate limit */
	end();
}

static void test_affinity(void)
{
	struct cpumask one = {{1}}, none = {{0}}, soft = {{8}};
	struct vcpu *v[3];
	unsigned int i;

	begin("credit2", 4);
	for (i = 0; i < 3; i++) {
		v[i] = add(0, i);
		up(v[i]);
	}
	run_until(clock_now + MILLISECS(50));
	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(vcpu_set_affinity(v[i], &one, NULL), 0);
	CU_ASSERT_EQUAL(vcpu_set_affinity(v[0], &none, NULL), -EINVAL);
	settle();
	run_until(clock_now + SECONDS(3));
	for (i = 0; i < 3; i++) {
		CU_ASSERT(!v[i]->is_running || v[i]->cpu == 0);
		CU_ASSERT(near(ran(v[i]), 1e9 + 5e7, 0.06));
	}
	CU_ASSERT_EQUAL(vcpu_pin_override(v[0], 2), 0);
	CU_ASSERT_EQUAL(vcpu_pin_override(v[0], 2), -EBUSY);
	CU_ASSERT_EQUAL(vcpu_pin_override(v[1], 9), -EINVAL);
	run_until(clock_now + MILLISECS(10));
	CU_ASSERT(v[0]->is_running && v[0]->cpu == 2);
	CU_ASSERT_EQUAL(vcpu_pin_override(v[0], -1), 0);
	run_until(clock_now + MILLISECS(10));
	CU_ASSERT(v[0]->cpu == 0);
	/* Soft: there when it is idle. */
	memset(&one, 0xff, sizeof(one));
	CU_ASSERT_EQUAL(vcpu_set_affinity(v[0], &one, &soft), 0);
	block(v[0]);
	settle();
	vcpu_unblock(v[0]);
	settle();
	CU_ASSERT_EQUAL(v[0]->cpu, 3);
	end();
}

/* Who pauses a vcpu need not wait for it. */
static void pause_nosync(struct vcpu *v)
{
	atomic_add(&v->pause_count, 1);
	vcpu_sleep_nosync(v);
}

static void test_pause_poll(void)
{
	evtchn_port_t ports[2] = {5, 6};
	struct vcpu *v;

	begin("credit2", 2);
	v = add(0, 0);
	up(v);
	settle();
	CU_ASSERT_TRUE(v->is_running);
	/* Paused twice, it needs to be let go twice. */
	on(1 - v->cpu);
	pause_nosync(v);
	domain_pause_nosync(v->domain);
	settle();
	CU_ASSERT_FALSE(v->is_running);
	vcpu_unpause(v);
	settle();
	CU_ASSERT_FALSE(v->is_running);
	domain_unpause(v->domain);
	settle();
	CU_ASSERT_TRUE(v->is_running);
	CU_ASSERT_EQUAL(domain_unpause_by_tools(v->domain), -EINVAL);
	/* Polling: a pending port, an event, the time. */
	on(v->cpu);
	set_bit(6, shared[0].evtchn_pending);
	CU_ASSERT_EQUAL(vcpu_poll(ports, 2, 0), 0);
	settle();
	CU_ASSERT_TRUE(v->is_running);
	clear_bit(6, shared[0].evtchn_pending);
	ports[0] = 128;
	CU_ASSERT_EQUAL(vcpu_poll(ports, 2, 0), -EINVAL);
	ports[0] = 5;
	on(v->cpu);
	CU_ASSERT_EQUAL(vcpu_poll(ports, 1, (uint64_t)clock_now + 1000000), 0);
	settle();
	CU_ASSERT_FALSE(v->is_running);
	CU_ASSERT_EQUAL(v->runstate.state, RUNSTATE_blocked);
	CU_ASSERT_EQUAL(polls[0], 1);
	run_until(clock_now + 1000001);
	CU_ASSERT_TRUE(v->is_running);
	CU_ASSERT_EQUAL(polls[0], 0);
	/* Blocking with an event there: it does not. */
	on(v->cpu);
	v->info->evtchn_upcall_pending = 1;
	v->info->evtchn_upcall_mask = 1;
	vcpu_block();
	settle();
	CU_ASSERT_TRUE(v->is_running);
	CU_ASSERT_EQUAL(v->info->evtchn_upcall_mask, 0);
	v->info->evtchn_upcall_pending = 0;
	on(v->cpu);
	vcpu_block();
	settle();
	CU_ASSERT_FALSE(v->is_running);
	vcpu_unblock(v);
	settle();
	CU_ASSERT_TRUE(v->is_running);
	end();
}

/* CPUs go offline, with a vcpu that was pinned there. */
static void test_offline(void)
{
	struct cpumask one = {{8}};
	struct vcpu *v[4];
	unsigned int i;

	begin("credit2", 4);
	for (i = 0; i < 4; i++) {
		v[i] = add(0, i);
		up(v[i]);
	}
	CU_ASSERT_EQUAL(vcpu_set_affinity(v[0], &one, NULL), 0);
	run_until(clock_now + MILLISECS(20));
	CU_ASSERT_EQUAL(v[0]->cpu, 3);
	for (i = 3; i > 1; i--) {
		cpu_online_map.bits[0] &= ~(1ull << i);
		sched_cpu_evacuate(i);
		run_until(clock_now + MILLISECS(20));
		CU_ASSERT(is_idle_vcpu(cpu_current[i]));
	}
	wasted = 0;
	run_until(clock_now + SECONDS(1));
	for (i = 0; i < 4; i++)
		CU_ASSERT(near(ran(v[i]), 5.2e8, 0.1));
	cpu_online_map.bits[0] = 15;
	end();
}

/* ---- null ---- */

static void test_null(void)
{
	struct vcpu *v[3];
	unsigned int i;

	begin("null", 2);
	for (i = 0; i < 3; i++) {
		v[i] = add(0, i);
		up(v[i]);
	}
	run_until(clock_now + MILLISECS(5));
	CU_ASSERT(v[0]->is_running && v[1]->is_running && !v[2]->is_running);
	CU_ASSERT_NOT_EQUAL(v[0]->cpu, v[1]->cpu);
	block(v[0]);
	settle();
	vcpu_unblock(v[0]);
	settle();
	CU_ASSERT(v[0]->is_running);
	/* Its CPU becomes free for the one that waits. */
	set_bit(VCPU_DOWN, &v[0]->pause_flags);
	vcpu_sleep_nosync(v[0]);
	settle();
	CU_ASSERT_FALSE(v[0]->is_running);
	sched_vcpu_destroy(v[0]);
	v[0]->domain = NULL;
	table[0][0] = NULL;
	settle();
	CU_ASSERT(v[2]->is_running);
	end();
}

/* ---- RTDS ---- */

static void set_server(struct vcpu *v, uint32_t period, uint32_t budget, bool extra, int want)
{
	struct xen_domctl_schedparam_vcpu p = {
		.u.rtds = {period, budget, extra ? XEN_DOMCTL_SCHEDRT_extra : 0}};

	CU_ASSERT_EQUAL(sched_policy->adjust_vcpu(v, &p, true), want);
	memset(&p, 0, sizeof(p));
	CU_ASSERT_EQUAL(sched_policy->adjust_vcpu(v, &p, false), 0);
	if (!want)
		CU_ASSERT(p.u.rtds.period == period && p.u.rtds.budget == budget &&
			  p.u.rtds.flags == (extra ? XEN_DOMCTL_SCHEDRT_extra : 0));
}

static void test_rtds(void)
{
	struct xen_domctl_scheduler_op op = {.cmd = XEN_DOMCTL_SCHEDOP_getinfo};
	struct vcpu *v[4];
	unsigned int i;

	begin("rtds", 2);
	for (i = 0; i < 4; i++)
		v[i] = add(0, i);
	CU_ASSERT_EQUAL(sched_policy->adjust_domain(&domain[0], &op), 0);
	CU_ASSERT_EQUAL(op.u.rtds.period, 10000);
	set_server(v[0], 10000, 2500, false, 0);
	set_server(v[1], 5000, 4000, false, 0);
	set_server(v[2], 20000, 6000, false, 0);
	set_server(v[3], 10000, 1000, true, 0);
	set_server(v[3], 10000, 10001, true, -EINVAL);
	set_server(v[3], 10000, 0, true, -EINVAL);
	for (i = 0; i < 4; i++)
		up(v[i]);
	run_until(SECONDS(11));
	CU_ASSERT(near(ran(v[0]), 2.5e9, 0.02));
	CU_ASSERT(near(ran(v[1]), 8e9, 0.02));
	CU_ASSERT(near(ran(v[2]), 3e9, 0.02));
	/* Whenever the others leave it a CPU: they take both for 9.5 of 20 ms. */
	CU_ASSERT(near(ran(v[3]), 5.25e9, 0.02));
	end();
}

/* ---- CPUs as threads ---- */

static int stop;

static void *cpu_thread(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg, i;

	on(cpu);
	while (!atomic_load(&stop)) {
		for (i = 0; i < nr_timers; i++) {
			stime_t e = atomic_load(&timers[i]->expires);

			if (timers[i]->cpu == cpu && e <= now() &&
			    atomic_cmpxchg(&timers[i]->expires, &e, NEVER))
				timers[i]->fn(timers[i]->arg);
		}
		if (atomic_xchg(&per_cpu(softirq_pending, cpu), 0))
			schedule_fn();
		if (!is_idle_vcpu(current) && now() % 64 == 0)
			vcpu_block();
		sched_yield();
	}
	cpu_current[cpu] = current;
	return NULL;
}

static void *waker_thread(void *arg)
{
	uint64_t r = XORSHIFT_SEED + (uintptr_t)arg;
	unsigned int i;

	host_cpu_info.cpu = CPUS + (unsigned int)(uintptr_t)arg;
	current = &idle[HOST_CPUS - 1];
	for (i = 0; i < 20000; i++) {
		struct cpumask m = {{0}};
		struct vcpu *v;

		xorshift(&r);
		v = &vcpu[r % 8];
		switch (r >> 20 & 15) {
		case 0:
			pause_nosync(v);
			vcpu_unpause(v);
			break;
		case 1:
			vcpu_pause(v);
			/* Nobody may be running it now. */
			if (atomic_load(place_of(v)) && !vcpu_runnable(v))
				atomic_add(&broken, 1);
			vcpu_unpause(v);
			break;
		case 2:
			m.bits[0] = (r >> 32 & 15) | 1u << (r >> 40 & 3);
			vcpu_set_affinity(v, &m, NULL);
			break;
		default:
			vcpu_unblock(v);
		}
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_threads(const char *policy)
{
	pthread_t cpu[CPUS], waker[2];
	struct cpumask all;
	unsigned int i;

	memset(&all, 0xff, sizeof(all));
	begin(policy, CPUS);
	idle[HOST_CPUS - 1].domain = &idle_domain;
	threads = true;
	stop = 0;
	for (i = 0; i < 8; i++)
		up(add(i / 4, i % 4));
	for (i = 0; i < CPUS; i++)
		pthread_create(&cpu[i], NULL, cpu_thread, (void *)(uintptr_t)i);
	for (i = 0; i < 2; i++)
		pthread_create(&waker[i], NULL, waker_thread, (void *)(uintptr_t)i);
	for (i = 0; i < 2; i++)
		pthread_join(waker[i], NULL);
	atomic_store(&stop, 1);
	for (i = 0; i < CPUS; i++)
		pthread_join(cpu[i], NULL);
	/* Whoever is runnable now, is on a CPU or comes onto one. */
	threads = false;
	clock_now = SECONDS(1000000);
	host_cpu_info.cpu = 0;
	current = &idle[HOST_CPUS - 1];
	for (i = 0; i < 8; i++) {
		vcpu_set_affinity(&vcpu[i], &all, NULL);
		vcpu_unblock(&vcpu[i]);
		vcpu[i].last_tick = (stime_t)ran(&vcpu[i]);
	}
	for (i = 0; i < CPUS; i++) /* timers that expired meanwhile */
		softirq_raise_cpu(i, SOFTIRQ_SCHEDULE);
	run_until(clock_now + SECONDS(1));
	for (i = 0; i < 8; i++)
		CU_ASSERT(ran(&vcpu[i]) > (uint64_t)vcpu[i].last_tick);
	end();
}

static void test_threads_credit2(void)
{
	test_threads("credit2");
}

static void test_threads_rtds(void)
{
	test_threads("rtds");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"credit2: shares by weight", test_shares},
		{"credit2: CPUs", test_smp},
		{"credit2: no debt, no savings", test_no_debt},
		{"credit2: caps", test_caps},
		{"credit2: wake-up latency", test_latency},
		{"affinity and pinning", test_affinity},
		{"CPUs go offline", test_offline},
		{"pausing, polling, blocking", test_pause_poll},
		{"null", test_null},
		{"rtds: budgets, and what is left", test_rtds},
		{"CPUs against wakers: credit2", test_threads_credit2},
		{"CPUs against wakers: rtds", test_threads_rtds},
		CU_TEST_INFO_NULL,
	};

	return suite_main("sched", tests);
}
