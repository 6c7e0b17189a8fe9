// SPDX-License-Identifier: GPL-2.0-only
/* References and types of frames: sequences against a model, and CPUs against each other. */
#include <pthread.h>

#include "tests/unit/hv_machine.h"

#define ROUNDS 200000

static struct domain *d;

static uint64_t type_of(const struct frame *f)
{
	return f->type & FRAME_TYPE_MASK;
}

static uint64_t uses_of(const struct frame *f)
{
	return f->type & FRAME_TYPE_COUNT_MASK;
}

static uint64_t refs_of(const struct frame *f)
{
	return f->count & FRAME_COUNT_MASK;
}

static struct frame *new_frame(void)
{
	struct frame *f = frames_alloc(d, 0, ANY_NODE, 0, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

/* ---- what validation does next, and what it was asked ---- */
static int next_rc;
static unsigned int validated, devalidated, from_entry;

static int validate(struct frame *f, uint64_t type, bool preemptible)
{
	(void)type, (void)preemptible;
	validated++;
	from_entry = f->nr_validated;
	if (next_rc == -ERESTART)
		f->nr_validated += 100;
	return next_rc;
}

static int devalidate(struct frame *f, uint64_t type, bool preemptible)
{
	(void)type, (void)preemptible;
	devalidated++;
	from_entry = f->nr_validated;
	if (next_rc == -ERESTART)
		f->nr_validated -= 100;
	return next_rc;
}

static void script(int rc)
{
	machine_validate = validate;
	machine_devalidate = devalidate;
	next_rc = rc;
	validated = devalidated = 0;
}

/* ---- one thing at a time ---- */

static void test_types(void)
{
	struct frame *f = new_frame();

	script(0);
	CU_ASSERT(frame_get(f, d));
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L1), 0);
	CU_ASSERT_EQUAL(validated, 1);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L1), 0);
	CU_ASSERT_EQUAL(validated, 1);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), -EINVAL);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L2), -EINVAL);
	frame_put_type(f);
	CU_ASSERT_EQUAL(devalidated, 0);
	frame_put_type(f);
	CU_ASSERT_EQUAL(devalidated, 1);
	CU_ASSERT_EQUAL(from_entry, 512);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), 0);
	CU_ASSERT_EQUAL(validated, 1); /* nothing to check */
	frame_put_type(f);
	CU_ASSERT_EQUAL(uses_of(f), 0);
	frame_put(f);
	CU_ASSERT_EQUAL(refs_of(f), 1);
	frame_put_allocated(f);
	CU_ASSERT_EQUAL(d->tot_pages, 0);
}

static void test_refused(void)
{
	struct frame *f = new_frame();

	script(-EINVAL);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L3), -EINVAL);
	CU_ASSERT_EQUAL(f->type, FRAME_L3);
	next_rc = -EINTR;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L4), -EINTR);
	CU_ASSERT_EQUAL(f->type, FRAME_L4);
	CU_ASSERT_EQUAL(refs_of(f), 1);
	CU_ASSERT_FALSE(frame_get_and_type(f, d, FRAME_L3));
	CU_ASSERT_EQUAL(refs_of(f), 1);
	frame_put_allocated(f);
}

static void test_partial_get(void)
{
	struct frame *f = new_frame();

	script(-ERESTART);
	CU_ASSERT(frame_get(f, d));
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L2), -ERESTART);
	CU_ASSERT_EQUAL(f->type, FRAME_L2 | FRAME_PARTIAL | 1);
	CU_ASSERT_EQUAL(refs_of(f), 3); /* owner, caller, the state */
	frame_put(f);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), -EINVAL);
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L2), -ERESTART);
	CU_ASSERT_EQUAL(from_entry, 100);
	CU_ASSERT_EQUAL(refs_of(f), 2);
	next_rc = -EINTR;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L2), -EINTR);
	CU_ASSERT_EQUAL(f->type, FRAME_L2 | FRAME_PARTIAL | 1);
	next_rc = 0;
	CU_ASSERT(frame_get_and_type(f, d, FRAME_L2));
	CU_ASSERT_EQUAL(from_entry, 200);
	CU_ASSERT_EQUAL(f->type, FRAME_L2 | FRAME_VALIDATED | 1);
	CU_ASSERT_EQUAL(refs_of(f), 2);
	CU_ASSERT_EQUAL(frame_finish_put(f), 0); /* nothing interrupted: nothing happens */
	CU_ASSERT_EQUAL(uses_of(f), 1);
	frame_put_and_type(f);

	/* Given up half-way. */
	next_rc = -ERESTART;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L2), -ERESTART);
	CU_ASSERT_EQUAL(refs_of(f), 2);
	CU_ASSERT_EQUAL(frame_finish_put(f), -ERESTART);
	CU_ASSERT_EQUAL(refs_of(f), 2);
	next_rc = 0;
	CU_ASSERT_EQUAL(frame_finish_put(f), 0);
	CU_ASSERT_EQUAL(uses_of(f), 0);
	CU_ASSERT_EQUAL(refs_of(f), 1);

	/* Found bad half-way. */
	next_rc = -ERESTART;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L4), -ERESTART);
	next_rc = -EINVAL;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L4), -EINVAL);
	CU_ASSERT_EQUAL(f->type, FRAME_L4);
	CU_ASSERT_EQUAL(refs_of(f), 1);
	frame_put_allocated(f);
}

static void test_partial_put(void)
{
	struct frame *f = new_frame();

	script(0);
	CU_ASSERT(frame_get_and_type(f, d, FRAME_L4));
	next_rc = -ERESTART;
	CU_ASSERT_EQUAL(frame_put_type_preemptible(f), -ERESTART);
	CU_ASSERT_EQUAL(f->type, FRAME_L4 | FRAME_PARTIAL | 1);
	CU_ASSERT_EQUAL(refs_of(f), 3);
	CU_ASSERT_EQUAL(frame_finish_put(f), -ERESTART);
	CU_ASSERT_EQUAL(from_entry, 412);
	/* Wanted again meanwhile: checked on from where it was torn down to. */
	next_rc = 0;
	CU_ASSERT(frame_get_and_type(f, d, FRAME_L4));
	CU_ASSERT_EQUAL(from_entry, 312);
	CU_ASSERT_EQUAL(frame_finish_put(f), 0);
	CU_ASSERT_EQUAL(f->type, FRAME_L4 | FRAME_VALIDATED | 1);
	frame_put_and_type(f);
	CU_ASSERT_EQUAL(uses_of(f), 0);
	CU_ASSERT_EQUAL(refs_of(f), 2);
	frame_put(f);
	frame_put_allocated(f);
	CU_ASSERT_EQUAL(d->tot_pages, 0);
}

/* A stale entry for the last use is flushed from where the domain ran, when it could harm. */
static void test_flush(void)
{
	struct frame *f = new_frame();
	unsigned long n;

	script(0);
	d->dirty_cpus.bits[0] = 3;
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), 0);
	frame_put_type(f);
	n = machine_flushes;
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), 0);
	frame_put_type(f);
	CU_ASSERT_EQUAL(machine_flushes, n);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L1), 0);
	CU_ASSERT_EQUAL(machine_flushes, n + 1);
	frame_put_type(f);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), 0);
	CU_ASSERT_EQUAL(machine_flushes, n + 2);
	frame_put_type(f);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		machine_cpu(cpu);
		tlb_note_flush();
	}
	machine_cpu(0);
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_SEGDESC), 0);
	CU_ASSERT_EQUAL(machine_flushes, n + 2); /* they did it themselves */
	frame_put_type(f);

	/* A page table in use, torn down half-way, wanted again and found bad: CPUs may still
	 * walk it. */
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L2), 0);
	next_rc = -ERESTART;
	CU_ASSERT_EQUAL(frame_put_type_preemptible(f), -ERESTART);
	next_rc = -EINVAL;
	CU_ASSERT_EQUAL(frame_get_type_preemptible(f, FRAME_L2), -EINVAL);
	CU_ASSERT_EQUAL(uses_of(f), 0);
	n = machine_flushes;
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), 0);
	CU_ASSERT_EQUAL(machine_flushes, n + 1);
	frame_put_type(f);
	frame_put_allocated(f);
	d->dirty_cpus.bits[0] = 0;
}

/* ---- a long sequence against a model ---- */
static void test_model(void)
{
	static const uint64_t types[] = {FRAME_L1, FRAME_L2, FRAME_L4, FRAME_SEGDESC, FRAME_WRITABLE};
	struct frame *f = new_frame();
	uint64_t refs = 1, uses = 0, type = 0;
	bool partial = false;

	script(0);
	machine_seed(7);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t want = types[machine_random() % ARRAY_SIZE(types)];
		uint64_t action = machine_random() % 8;
		int rc;

		next_rc = machine_random() % 4 ? 0 : -ERESTART;
		if (action == 0) {
			CU_ASSERT(frame_get(f, d));
			refs++;
		} else if (action == 1 && refs > 1 + uses + partial) {
			frame_put(f);
			refs--;
		} else if (action < 5) {
			if (!frame_get(f, d))
				CU_FAIL_FATAL("gone");
			rc = frame_get_type_preemptible(f, want);
			if (uses ? want != type : partial && want != type) {
				CU_ASSERT_EQUAL(rc, -EINVAL);
			} else if (!uses && next_rc && want != FRAME_WRITABLE) {
				CU_ASSERT_EQUAL(rc, -ERESTART);
				refs += !partial;
				partial = true;
				type = want;
			} else {
				CU_ASSERT_EQUAL(rc, 0);
				refs += 1 - partial;
				partial = false;
				uses++;
				type = want;
			}
			if (rc)
				frame_put(f);
		} else if (action < 7 && uses) {
			rc = frame_put_type_preemptible(f);
			uses--;
			if (!uses && next_rc && type != FRAME_WRITABLE) {
				CU_ASSERT_EQUAL(rc, -ERESTART);
				partial = true; /* with a reference of its own */
			} else {
				CU_ASSERT_EQUAL(rc, 0);
				refs--;
			}
			frame_put(f);
		} else if (action == 7) {
			rc = frame_finish_put(f);
			CU_ASSERT_EQUAL(rc, partial ? next_rc : 0);
			if (partial && !rc) {
				partial = false;
				refs--;
			}
		}
		CU_ASSERT_EQUAL_FATAL(refs_of(f), refs);
		CU_ASSERT_EQUAL_FATAL(uses_of(f), uses + partial);
		CU_ASSERT(!(uses + partial) || type_of(f) == type);
		CU_ASSERT_EQUAL(!!(f->type & FRAME_PARTIAL), partial);
	}
	next_rc = 0;
	CU_ASSERT_EQUAL(frame_finish_put(f), 0);
	for (refs -= partial; uses; uses--, refs--)
		frame_put_and_type(f);
	for (; refs > 1; refs--)
		frame_put(f);
	frame_put_allocated(f);
	CU_ASSERT_EQUAL(d->tot_pages, 0);
}

/* ---- CPUs against each other: what types promise ---- */
#define FRAMES  4
#define CPUS    4
#define RACES   40000
#define REUSES  4000 /* each waits for a ticket: slow on a busy machine */
static struct frame *shared[FRAMES];
static struct {
	int writers, tables[8], checked;
} seen[FRAMES];
static int broken;

static int race_validate(struct frame *f, uint64_t type, bool preemptible)
{
	unsigned int i = 0;

	while (shared[i] != f)
		i++;
	(void)type;
	if (atomic_load(&seen[i].writers) || atomic_add(&seen[i].checked, 1) != 1)
		atomic_add(&broken, 1);
	if (preemptible && machine_random() % 8 == 0) {
		atomic_sub(&seen[i].checked, 1);
		return -ERESTART;
	}
	if (machine_random() % 16 == 0) {
		atomic_sub(&seen[i].checked, 1);
		return -EINVAL;
	}
	return 0;
}

static int race_devalidate(struct frame *f, uint64_t type, bool preemptible)
{
	unsigned int i = 0;

	while (shared[i] != f)
		i++;
	(void)preemptible;
	/* An interrupted check is undone without having been counted. */
	if (atomic_load(&seen[i].tables[type >> 61]))
		atomic_add(&broken, 1);
	if (atomic_load(&seen[i].checked))
		atomic_sub(&seen[i].checked, 1);
	return 0;
}

static void race_once(void)
{
	static const uint64_t types[] = {FRAME_L1, FRAME_L2, FRAME_WRITABLE, FRAME_WRITABLE};
	unsigned int i = machine_random() % FRAMES;
	uint64_t type = types[machine_random() % ARRAY_SIZE(types)];
	struct frame *f = shared[i];
	int rc;

	if (!frame_get(f, d)) {
		atomic_add(&broken, 1);
		return;
	}
	rc = frame_get_type_preemptible(f, type);
	if (!rc) {
		int *mine = type == FRAME_WRITABLE ? &seen[i].writers : &seen[i].tables[type >> 61];

		atomic_add(mine, 1);
		for (unsigned int t = 1; t < 6; t++)
			if (t != type >> 61 && atomic_load(&seen[i].tables[t]))
				atomic_add(&broken, 1);
		if (type != FRAME_WRITABLE && atomic_load(&seen[i].writers))
			atomic_add(&broken, 1);
		atomic_sub(mine, 1);
		frame_put_type(f);
	} else if (rc == -ERESTART && machine_random() % 2) {
		frame_finish_put(f);
	}
	frame_put(f);
}

static void *race(void *cpu)
{
	machine_cpu((unsigned int)(uintptr_t)cpu);
	machine_seed((uintptr_t)cpu + 100);
	for (unsigned int i = 0; i < RACES; i++)
		race_once();
	return NULL;
}

static void test_race(void)
{
	pthread_t t[CPUS];
	unsigned int i;

	machine_validate = race_validate;
	machine_devalidate = race_devalidate;
	for (i = 0; i < FRAMES; i++)
		shared[i] = new_frame();
	for (i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, race, (void *)(uintptr_t)i);
	for (i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(broken, 0);
	for (i = 0; i < FRAMES; i++) {
		CU_ASSERT_EQUAL(frame_finish_put(shared[i]), 0);
		CU_ASSERT_EQUAL(uses_of(shared[i]), 0);
		CU_ASSERT_EQUAL(refs_of(shared[i]), 1);
		frame_put_allocated(shared[i]);
	}
	CU_ASSERT_EQUAL(d->tot_pages, 0);
}

/* Frames come and go between two domains: a reference is the right one's or none. */
static struct domain *other;

static void *reuse(void *cpu)
{
	machine_cpu((unsigned int)(uintptr_t)cpu);
	machine_seed((uintptr_t)cpu + 200);
	for (unsigned int i = 0; i < REUSES; i++) {
		struct domain *mine = machine_random() % 2 ? d : other;
		struct frame *f = frames_alloc(mine, 0, ANY_NODE, 14, ALLOC_NO_SCRUB);
		struct frame *any = &frame_table[1 + machine_random() % 3];

		if (f)
			frame_put_allocated(f);
		if (frame_get(any, mine)) {
			if (frame_owner(any) != mine)
				atomic_add(&broken, 1);
			frame_put(any);
		}
	}
	return NULL;
}

static void test_reuse(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE);
	pthread_t t[CPUS];
	unsigned int i;

	machine_validate = machine_devalidate = NULL;
	for (i = 0; i < CPUS; i++)
		pthread_create(&t[i], NULL, reuse, (void *)(uintptr_t)i);
	for (i = 0; i < CPUS; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(broken, 0);
	CU_ASSERT_EQUAL(d->tot_pages + other->tot_pages, 0);
	CU_ASSERT_EQUAL(machine_domain_refs, 0);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"types exclude each other", test_types},
		{"contents refused", test_refused},
		{"interrupted while checking", test_partial_get},
		{"interrupted while tearing down", test_partial_put},
		{"flushes when the type changes", test_flush},
		{"random sequence against a model", test_model},
		{"CPUs against each other", test_race},
		{"frames change hands", test_reuse},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	d = machine_domain(1000);
	other = machine_domain(1000);
	return suite_main("frame", tests);
}
