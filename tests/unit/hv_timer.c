// SPDX-License-Identifier: GPL-2.0-only
/* Timers against a model: order, stop, migration, killing, threads as CPUs; tasklets. */
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/sched/softirq.h"
#include "hypervisor/sched/timer.h"

#define CPUS   4
#define TIMERS 300
#define ROUNDS 40000

/* ---- the machine ---- */

unsigned int nr_cpus = CPUS;
struct cpumask cpu_online_map = {{(1 << CPUS) - 1}};
static stime_t clock_now;
static stime_t programmed[CPUS];
static unsigned long sent[CPUS];

stime_t now(void)
{
	return atomic_load(&clock_now);
}

bool reprogram_timer(stime_t when)
{
	programmed[this_cpu] = when;
	return when > now();
}

void smp_send_event(unsigned int cpu)
{
	atomic_add(&sent[cpu], 1);
}

static void (*dump)(void);
static unsigned long dumped;

void debug_key_add(char key, const char *what, void (*fn)(void))
{
	(void)key, (void)what;
	dump = fn;
}

void printk(enum log_level level, const char *fmt, ...)
{
	(void)level;
	dumped += !strncmp(fmt, "  in", 4);
}

static void on_cpu(unsigned int cpu)
{
	host_cpu_info.cpu = cpu;
}

/* What interrupts and IPIs would bring about, on every CPU. */
static void run_all(void)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		on_cpu(cpu);
		if (programmed[cpu] <= now())
			softirq_raise(SOFTIRQ_TIMER);
		softirq_run();
	}
	on_cpu(0);
}

static void start(void)
{
	clock_now = 0;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		on_cpu(cpu);
		programmed[cpu] = NEVER;
		timers_init_cpu(cpu);
		this_cpu_var(softirq_pending) = 0;
	}
	on_cpu(0);
	timers_init();
}

/* ---- tests ---- */

static struct model {
	struct timer t;
	stime_t due; /* 0: not set */
	unsigned int cpu;
	unsigned long fired;
} m[TIMERS];
static stime_t last_fired[CPUS];

static void fired(void *arg)
{
	struct model *x = arg;

	CU_ASSERT_EQUAL(x->cpu, this_cpu);
	CU_ASSERT(x->due && x->due <= now());
	CU_ASSERT(x->due >= last_fired[this_cpu]);
	last_fired[this_cpu] = x->due;
	x->due = 0;
	x->fired++;
	CU_ASSERT_FALSE(timer_pending(&x->t));
	if (rnd() % 4 == 0) { /* in its own handler; later than now, so that the order is kept */
		x->due = now() + 1 + (stime_t)(rnd() % 1000);
		timer_set(&x->t, x->due);
	}
}

static void one_step(void)
{
	struct model *x = &m[rnd() % TIMERS];

	switch (rnd() % 5) {
	case 0:
	case 1:
		x->due = now() + 1 + (stime_t)(rnd() % 5000);
		timer_set(&x->t, x->due);
		break;
	case 2:
		x->due = 0;
		timer_stop(&x->t);
		break;
	case 3:
		x->cpu = (unsigned int)(rnd() % CPUS);
		timer_migrate(&x->t, x->cpu);
		break;
	case 4:
		clock_now += (stime_t)(rnd() % 400);
		memset(last_fired, 0, sizeof(last_fired));
		run_all();
		for (unsigned int i = 0; i < TIMERS; i++)
			if (m[i].due && m[i].due <= now())
				CU_FAIL("late");
		break;
	}
	CU_ASSERT_EQUAL(timer_pending(&x->t), x->due != 0);
}

static void test_model(void)
{
	unsigned long total = 0;

	start();
	memset(m, 0, sizeof(m));
	for (unsigned int i = 0; i < TIMERS; i++) {
		m[i].cpu = i % CPUS;
		timer_init(&m[i].t, fired, &m[i], m[i].cpu);
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned long pending = 0;

		one_step();
		if (i % 100)
			continue;
		for (unsigned int k = 0; k < TIMERS; k++)
			pending += m[k].due != 0;
		dumped = 0;
		dump(); /* each once */
		CU_ASSERT_EQUAL(dumped, pending);
	}
	for (unsigned int i = 0; i < TIMERS; i++) {
		total += m[i].fired;
		timer_kill(&m[i].t);
		CU_ASSERT_FALSE(timer_pending(&m[i].t));
		timer_set(&m[i].t, 1);
		CU_ASSERT_FALSE(timer_pending(&m[i].t));
	}
	CU_ASSERT(total > ROUNDS / 20);
}

static void count(void *arg)
{
	++*(unsigned long *)arg;
}

/* The hardware is told of an earlier first timer, and left alone otherwise. */
static void test_programming(void)
{
	unsigned long n = 0;
	struct timer a, b;

	start();
	timer_init(&a, count, &n, 0);
	timer_init(&b, count, &n, 0);
	timer_set(&a, 1000);
	CU_ASSERT_EQUAL(programmed[0], 1000);
	timer_set(&b, 2000);
	CU_ASSERT_EQUAL(programmed[0], 1000);
	timer_set(&b, 500);
	CU_ASSERT_EQUAL(programmed[0], 500);
	timer_stop(&b);
	CU_ASSERT_EQUAL(programmed[0], 500); /* it fires in vain, once */
	clock_now = 600;
	run_all();
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(programmed[0], 1000);
	clock_now = 1000;
	run_all();
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(programmed[0], NEVER);
	timer_set(&a, 900); /* in the past: at once */
	CU_ASSERT(softirq_is_pending());
	softirq_run();
	CU_ASSERT_EQUAL(n, 2);

	/* Another CPU's: it is told by an IPI, once. */
	timer_init(&b, count, &n, 2);
	sent[2] = 0;
	timer_set(&b, 3000);
	timer_set(&b, 2500);
	CU_ASSERT_EQUAL(sent[2], 1);
	run_all();
	CU_ASSERT_EQUAL(programmed[2], 2500);
	timer_kill(&a);
	timer_kill(&b);
}

/* ---- CPUs at the same time ---- */

static struct timer shared[16];
static unsigned long handled, stop_all;

static void shared_fired(void *arg)
{
	(void)arg;
	atomic_add(&handled, 1);
}

static void *cpu_thread(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;

	on_cpu(cpu);
	for (unsigned int i = 0; i < cpu + 1; i++)
		(void)rnd();
	for (unsigned int i = 0; i < 30000; i++) {
		struct timer *t = &shared[rnd() % ARRAY_SIZE(shared)];

		switch (rnd() % 4) {
		case 0:
			timer_set(t, now() + (stime_t)(rnd() % 50));
			break;
		case 1:
			timer_stop(t);
			break;
		case 2:
			timer_migrate(t, (unsigned int)(rnd() % CPUS));
			break;
		case 3:
			atomic_add(&clock_now, 1);
			softirq_raise(SOFTIRQ_TIMER);
			softirq_run();
		}
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t th[CPUS];
	unsigned long before;

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(shared); i++)
		timer_init(&shared[i], shared_fired, NULL, i % CPUS);
	for (uintptr_t i = 0; i < CPUS; i++)
		pthread_create(&th[i], NULL, cpu_thread, (void *)i);
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_join(th[i], NULL);
	CU_ASSERT(handled > 0);
	on_cpu(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(shared); i++)
		timer_kill(&shared[i]);
	before = handled;
	clock_now += 1000;
	run_all();
	CU_ASSERT_EQUAL(handled, before);
}

static unsigned long slow_state;

static void slow(void *arg)
{
	(void)arg;
	atomic_store(&slow_state, 1);
	while (!atomic_load(&stop_all))
		sched_yield();
	usleep(20000);
	atomic_store(&slow_state, 2);
}

static void *slow_cpu(void *arg)
{
	(void)arg;
	on_cpu(1);
	softirq_raise(SOFTIRQ_TIMER);
	softirq_run();
	return NULL;
}

/* timer_kill() comes back when the handler is done, even if the timer has moved on. */
static void test_kill_waits(void)
{
	struct timer t;
	pthread_t th;

	start();
	timer_init(&t, slow, NULL, 1);
	timer_set(&t, 0);
	pthread_create(&th, NULL, slow_cpu, NULL);
	while (atomic_load(&slow_state) != 1)
		sched_yield();
	timer_migrate(&t, 2);
	atomic_store(&stop_all, 1);
	timer_kill(&t);
	CU_ASSERT_EQUAL(atomic_load(&slow_state), 2);
	pthread_join(th, NULL);
}

/* ---- tasklets ---- */

static struct tasklet again;
static unsigned long ran[3];

static void tasklet_fn(void *arg)
{
	++*(unsigned long *)arg;
}

static void tasklet_again(void *arg)
{
	if (++*(unsigned long *)arg < 3)
		tasklet_schedule(&again);
}

static void test_tasklets(void)
{
	struct tasklet a, b;

	tasklet_init(&a, tasklet_fn, &ran[0]);
	tasklet_init(&b, tasklet_fn, &ran[1]);
	tasklet_init(&again, tasklet_again, &ran[2]);
	tasklet_schedule(&a);
	tasklet_schedule(&b);
	tasklet_schedule(&a); /* waits already */
	tasklet_schedule(&again);
	CU_ASSERT_EQUAL(ran[0], 0);
	softirq_run();
	CU_ASSERT_EQUAL(ran[0], 1);
	CU_ASSERT_EQUAL(ran[1], 1);
	CU_ASSERT_EQUAL(ran[2], 3);
	tasklet_schedule(&a);
	softirq_run();
	CU_ASSERT_EQUAL(ran[0], 2);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"against a model", test_model},
		{"programming the hardware", test_programming},
		{"many CPUs", test_threads},
		{"kill waits", test_kill_waits},
		{"tasklets", test_tasklets},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_timer", tests);
}
