// SPDX-License-Identifier: GPL-2.0-only
/* Time: exactness of the scale, CPUs whose TSCs differ, what a guest is told, wall clock. */
#include "tests/unit/suite.h"

#include <pthread.h>
#include <sched.h>

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/clocksource.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/sched/softirq.h"

/* ---- the machine: a TSC that threads read, off by something on each CPU ---- */

unsigned int nr_cpus = 4;
struct cpumask cpu_online_map = {{15}};
static uint64_t tsc_hz = 2300000000, tsc_at;
static int64_t tsc_offset[4];
static uint64_t armed, cmos = 1700000000;
static bool guest_mapped = true;
static struct domain *domains[2];

uint64_t rdtsc(void)
{
	return atomic_add(&tsc_at, 1) + (uint64_t)tsc_offset[this_cpu];
}

void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)subleaf;
	memset(out, 0, 4 * sizeof(out[0]));
	if (leaf == 0x80000000)
		out[0] = 0x80000008;
	if (leaf == 0x80000007)
		out[3] = 1u << 8;
}

static const struct clocksource clock_fake = {.name = "fake"};

const struct clocksource *clocksource_init(void)
{
	return &clock_fake;
}

uint64_t clocksource_measure_tsc(const struct clocksource *c)
{
	(void)c;
	return tsc_hz;
}

uint64_t cmos_read_time(void)
{
	return cmos;
}

void apic_timer_arm(uint64_t ns)
{
	armed = ns;
}

void apic_calibrate(void)
{
}

void vector_set_handler(uint8_t vector, void (*fn)(void))
{
	(void)vector, (void)fn;
}

void softirq_raise(enum softirq nr)
{
	(void)nr;
}

size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (!guest_mapped)
		return n;
	memcpy((void *)gva, from, n);
	return 0;
}

struct domain *domain_next(struct domain *d)
{
	return !d ? domains[0] : d == domains[0] ? domains[1] : NULL;
}

void debug_key_add(char key, const char *what, void (*fn)(void))
{
	(void)key, (void)what, (void)fn;
}

static void on_cpu(unsigned int cpu)
{
	host_cpu_info.cpu = cpu;
}

/* ---- tests ---- */

/* What a guest does with the figures: 128 bits, no loss but that of mul's last bit. */
static void test_scale(void)
{
	static const uint64_t hz[] = {1000000,    33333333,   999999999,  1000000000, 1000000001,
				      1193182000, 2000000000, 2000000001, 2299998123, 3999999999,
				      4000000001, 6000000000, 7999999999};

	for (unsigned int i = 0; i < ARRAY_SIZE(hz); i++) {
		struct time_scale s = time_scale_of(hz[i]);

		CU_ASSERT(s.mul >> 31);
		/* A second, an hour, a year: within a part in 2^31, and never ahead. */
		for (uint64_t secs = 1; secs < 40000000; secs = secs * 60 + 7) {
			uint64_t ns = time_scale(s, hz[i] * secs), want = secs * 1000000000;

			CU_ASSERT(ns <= want);
			CU_ASSERT(want - ns <= (want >> 31) + 2);
		}
		CU_ASSERT_EQUAL(time_scale(s, 0), 0);
		for (uint64_t t = 1; t < 5000; t++)
			CU_ASSERT(time_scale(s, t) >= time_scale(s, t - 1));
	}
}

static void start(void)
{
	on_cpu(0);
	memset(tsc_offset, 0, sizeof(tsc_offset));
	tsc_at = 123456789;
	time_init();
}

static void test_now(void)
{
	stime_t last, t;

	start();
	CU_ASSERT_EQUAL(cpu_khz, 2300000);
	last = now();
	CU_ASSERT(last >= 0 && last < 1000);
	for (unsigned int i = 0; i < 1000; i++) {
		tsc_at += i * 1000;
		t = now();
		CU_ASSERT(t >= last);
		last = t;
	}
	tsc_at += tsc_hz;
	CU_ASSERT(now() - last >= SECONDS(1) - 2 && now() - last < SECONDS(1) + 1000);

	CU_ASSERT(reprogram_timer(now() + 5000));
	CU_ASSERT(armed > 4900 && armed <= 5000);
	CU_ASSERT_FALSE(reprogram_timer(now() - 1));
	CU_ASSERT(reprogram_timer(NEVER));
	CU_ASSERT_EQUAL(armed, 0);
}

static bool started;

static void *ap(void *arg)
{
	on_cpu((unsigned int)(uintptr_t)arg);
	time_init_cpu();
	atomic_store(&started, true);
	return NULL;
}

/* CPUs whose TSCs are off get stamps that make up for it. */
static void test_offsets(void)
{
	pthread_t th;

	start();
	tsc_offset[2] = 5000000000;
	tsc_offset[3] = -100000000;
	for (uintptr_t cpu = 1; cpu < 4; cpu++) {
		started = false;
		pthread_create(&th, NULL, ap, (void *)cpu);
		while (!atomic_load(&started)) {
			time_sync_serve();
			sched_yield();
		}
		pthread_join(th, NULL);
	}
	for (unsigned int i = 0; i < 100; i++) {
		stime_t t[4];

		tsc_at += 1000000;
		for (unsigned int cpu = 0; cpu < 4; cpu++) {
			on_cpu(cpu);
			t[cpu] = now();
		}
		/* As near as a question and its answer are, in ticks of this TSC. */
		for (unsigned int cpu = 1; cpu < 4; cpu++)
			CU_ASSERT(t[cpu] - t[0] < 1000 && t[cpu] - t[0] > -1000);
	}
	on_cpu(0);
}

static stime_t guest_time(const struct vcpu_time_info *u, uint64_t tsc)
{
	struct time_scale s = {u->tsc_to_system_mul, u->tsc_shift};

	return (stime_t)(u->system_time + time_scale(s, tsc - u->tsc_timestamp));
}

static void test_vcpu_time(void)
{
	struct domain *d = calloc(1, sizeof(*d));
	struct vcpu *v = calloc(1, sizeof(*v));
	struct vcpu_info info = {.time = {.version = 7}};
	struct vcpu_time_info area = {0};
	uint32_t version;

	start();
	v->domain = d;
	v->info = &info;
	v->time_area = (uint64_t)&area;
	set_current(v);

	update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.version, 8);
	CU_ASSERT_EQUAL(info.time.flags, XEN_PVCLOCK_TSC_STABLE_BIT);
	tsc_at += 12345678;
	CU_ASSERT_EQUAL(guest_time(&info.time, tsc_at + 1), now());
	CU_ASSERT_EQUAL(area.version & 1, 0);
	CU_ASSERT_EQUAL(guest_time(&area, tsc_at + 1), now());

	/* No change, no write; a guest that spoils it gets it anew. */
	update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.version, 8);
	info.time.system_time = 1;
	version = area.version;
	update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.version, 10);
	CU_ASSERT_NOT_EQUAL(area.version, version);
	force_update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.version, 12);
	info.time.version = UINT32_MAX; /* goes round */
	force_update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.version, 0);

	/* While its kernel is not mapped the area waits. */
	guest_mapped = false;
	version = area.version;
	force_update_vcpu_time(v);
	CU_ASSERT(v->time_area_stale);
	CU_ASSERT_EQUAL(area.version, version);
	guest_mapped = true;
	update_vcpu_time_area(v);
	CU_ASSERT_FALSE(v->time_area_stale);
	CU_ASSERT_EQUAL(area.version & 1, 0);

	d->tsc.vtsc = true;
	d->tsc.khz = 1000000;
	force_update_vcpu_time(v);
	CU_ASSERT_EQUAL(info.time.flags, 0);
	v->info = NULL; /* none yet: nothing happens */
	update_vcpu_time(v);
	force_update_vcpu_time(v);
	set_current(NULL);
	free(v);
	free(d);
}

static void test_wallclock(void)
{
	struct domain *d = calloc(2, sizeof(*d));
	struct shared_info *s = calloc(1, sizeof(*s));
	struct vcpu *v = calloc(1, sizeof(*v));
	struct vcpu_info info = {0};
	uint64_t sec;
	uint32_t nsec;

	start();
	domains[0] = d;
	domains[1] = d + 1; /* without a shared page */
	d->shared_info = s;
	get_wallclock(&sec, &nsec);
	CU_ASSERT_EQUAL(sec, cmos);

	v->domain = d;
	v->info = &info;
	update_vcpu_time(v);
	CU_ASSERT(s->wc_version && !(s->wc_version & 1));
	CU_ASSERT_EQUAL(s->wc_sec + (s->wc_nsec > 0), (uint32_t)cmos);

	set_wallclock(0x300000000, 250, 50);
	CU_ASSERT_EQUAL(s->wc_sec, 0);
	CU_ASSERT_EQUAL(s->wc_sec_hi, 3);
	CU_ASSERT_EQUAL(s->wc_nsec, 200);
	d->time_offset_seconds = -1;
	update_domain_wallclock(d);
	CU_ASSERT_EQUAL(s->wc_sec, UINT32_MAX);
	CU_ASSERT_EQUAL(s->wc_sec_hi, 2);
	domains[0] = domains[1] = NULL;
	free(v);
	free(s);
	free(d);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"scale", test_scale},
		{"now", test_now},
		{"TSCs that differ", test_offsets},
		{"what a vcpu is told", test_vcpu_time},
		{"wall clock", test_wallclock},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_time", tests);
}
