// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes random and malformed requests of every kind that a PV guest may make, from a seed
 * (seed=N steps=N cpus=N), knowing its own pages, tables, ports and grants, so that most
 * of a request is right. The guest may die of it; nobody else may be harmed.
 */
#include "tests/guest/fuzz/fuzz.h"

unsigned long arena[ARENA];
unsigned char level[ARENA];
domid_t own_domid;
bool deadly;
static uint64_t state[MAX_CPUS];
static const struct action *actions[64];
static unsigned int nr_actions, total_weight;
static struct {
	unsigned long calls, accepted, traps;
} report[MAX_CPUS];
static unsigned long steps, taken[64];
static volatile unsigned int cpus_done;

uint64_t rnd64(void)
{
	uint64_t *s = &state[cpu_id()]; /* xorshift64* */

	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1d;
}

unsigned long rnd(unsigned long n)
{
	return (rnd64() >> 16) % n;
}

unsigned int any_page(void)
{
	return (unsigned int)rnd(ARENA);
}

unsigned int page_of_level(unsigned int l)
{
	unsigned int i = any_page();

	for (unsigned int n = 0; n < ARENA; n++, i = (i + 1) % ARENA)
		if (level[i] == l)
			return i;
	return i;
}

/* Of all its memory: the kernel lives in what is not the arena. */
static bool is_own(unsigned long mfn)
{
	for (unsigned long pfn = 0; pfn < nr_pages; pfn++)
		if (mfn_of(pfn) == mfn)
			return true;
	return false;
}

unsigned long any_foreign_mfn(void)
{
	unsigned long mfn = rnd(0x140000);

	if (one_in(3))
		return one_in(2) ? rnd64() : 0xfee00 + rnd(2);
	while (is_own(mfn))
		mfn++;
	return mfn;
}

unsigned long any_mfn(void)
{
	switch (rnd(40)) {
	case 0:
	case 1:
	case 2:
		return deadly && one_in(2) ? mfn_of(rnd(nr_pages)) : any_foreign_mfn();
	case 3: /* it tells the time, too */
		return deadly ? start_info->shared_info >> 12 : any_foreign_mfn();
	case 4: /* its boot tables: the live ones */
		return mfn_of(pt_first + rnd(pt_count));
	default:
		return arena_mfn(any_page());
	}
}

unsigned long any_address(void)
{
	switch (rnd(24)) {
	case 0:
		return rnd64();
	case 1:
		return HYPERVISOR_VIRT_START + rnd(1ul << 43);
	case 2:
		return 0x8000000000000000 >> rnd(18);
	case 3:
		return rnd(1 << 22);
	case 4:
		return WINDOW + rnd(WINDOW_PAGES * PAGE_SIZE);
	case 5: /* the last bytes of a page */
		return (unsigned long)arena_at(any_page()) + PAGE_SIZE - rnd(32);
	case 6:
		return PLAY_L4 + (rnd64() & ((1ul << 42) - 1));
	default:
		return (unsigned long)arena_at(any_page()) + (rnd(PAGE_SIZE) & ~7ul);
	}
}

domid_t any_domain(void)
{
	static const domid_t odd[] = {0, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_COW, 0x7000};

	if (!one_in(16))
		return one_in(4) ? own_domid : DOMID_SELF;
	return odd[rnd(ARRAY_SIZE(odd))];
}

uint32_t any_port(void)
{
	return (uint32_t)(one_in(16) ? rnd64() : 3 + rnd(60));
}

uint64_t any_entry(unsigned int l)
{
	uint64_t flags = PTE_P | PTE_US | PTE_A;
	unsigned long mfn;

	if (one_in(6))
		return 0;
	if (one_in(40))
		return rnd64();
	mfn = l > 1 && !one_in(8) ? arena_mfn(page_of_level(l - 1)) : any_mfn();
	if (l > 1 ? !one_in(4) : one_in(3))
		flags |= PTE_RW;
	if (one_in(4))
		flags |= PTE_NX | PTE_D;
	if (one_in(8))
		flags ^= 1ull << rnd(12);
	if (one_in(64))
		flags ^= 1ull << rnd(64);
	return mfn << 12 | flags;
}

uint64_t any_descriptor(void)
{
	static const uint64_t good[] = {0x00cff3000000ffff, 0x00affb000000ffff,
					0x00cffb000000ffff, 0x0000f2000000ffff, 0};
	uint64_t d = good[rnd(ARRAY_SIZE(good))];

	if (one_in(3))
		d ^= 1ull << rnd(64);
	return one_in(10) ? rnd64() : d;
}

void mutate(void *p, size_t size, unsigned long odds)
{
	unsigned char *at = (unsigned char *)p + (rnd(size) & ~3ul);
	uint32_t v;

	if (!one_in(odds) || (size_t)(at - (unsigned char *)p) + 4 > size)
		return;
	switch (rnd(4)) {
	case 0:
		v = (uint32_t)rnd64();
		break;
	case 1:
		v = (uint32_t)-1 - (uint32_t)rnd(3);
		break;
	case 2:
		v = 1u << rnd(32);
		break;
	default:
		v = (uint32_t)rnd(3);
	}
	memcpy(at, &v, one_in(2) ? 2 : 4);
}

long counted(long ret)
{
	unsigned int cpu = cpu_id();

	report[cpu].calls++;
	report[cpu].accepted += ret >= 0;
	return ret;
}

void *scratch(void)
{
	static char pages[MAX_CPUS][2 * PAGE_SIZE] __attribute__((aligned(64)));

	return pages[cpu_id()];
}

static void add_actions(const struct action *list)
{
	unsigned long only = argument("only", 0); /* to find who it was: the number of one */

	for (; list->name; list++) {
		if (only && only != nr_actions + 1) {
			actions[nr_actions++] = NULL;
			continue;
		}
		actions[nr_actions++] = list;
		total_weight += list->weight;
	}
}

static void one_step(void *arg)
{
	unsigned long w = rnd(total_weight);

	(void)arg;
	for (unsigned int i = 0; i < nr_actions; i++) {
		if (!actions[i])
			continue;
		if (w < actions[i]->weight) {
			taken[i]++;
			actions[i]->fn();
			return;
		}
		w -= actions[i]->weight;
	}
}

static void run(void)
{
	unsigned int cpu = cpu_id();

	trap_state_restore();
	for (unsigned long n = 0; n < steps; n++) {
		if (guarded(one_step, NULL) >= 0)
			report[cpu].traps++;
		if (n % 64 == 63)
			trap_state_restore();
		if (n % (steps / 5 + 1) == 0)
			print("vcpu %u step %lu\n", cpu, n);
	}
	__atomic_fetch_add(&cpus_done, 1, __ATOMIC_SEQ_CST);
}

static void run_secondary(void)
{
	run();
	for (;;)
		hcall(vcpu_op, VCPUOP_down, cpu_id());
}

static void arena_init(void)
{
	for (unsigned int i = 0; i < ARENA; i++) {
		arena[i] = page_alloc();
		must(arena[i]);
	}
	tables_for(WINDOW, WINDOW_PAGES);
}

static void summary(unsigned int cpus)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		print("vcpu %u: %lu calls, %lu accepted, %lu traps\n", cpu, report[cpu].calls,
		      report[cpu].accepted, report[cpu].traps);
	for (unsigned int i = 0; i < nr_actions; i++)
		if (actions[i])
			print("  %u %s %lu\n", i + 1, actions[i]->name, taken[i]);
	print("done\n");
	console_flush();
}

void guest_main(void)
{
	unsigned int cpus = (unsigned int)argument("cpus", 1);

	steps = argument("steps", 10000);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		state[cpu] = (argument("seed", 1) * MAX_CPUS + cpu + 1) * 0x9e3779b97f4a7c15;
	own_domid = find_own_domid();
	arena_init();
	add_actions(table_actions);
	add_actions(cpu_actions);
	add_actions(call_actions);
	for (unsigned int cpu = 1; cpu < cpus && cpu < MAX_CPUS; cpu++)
		must(cpu_start(cpu, run_secondary) == 0);
	run();
	for (unsigned int ms = 0; cpus_done < cpus && ms < 20000; ms += 10)
		sleep_ms(10);
	summary(cpus);
	deadly = true;
	steps = argument("deadly", 2000);
	run();
	shutdown(SHUTDOWN_poweroff);
}
