// SPDX-License-Identifier: GPL-2.0-only
/* Page tables: made, pinned, hooked into the live one, updated by calls and by writes. */
#include "tests/guest/fuzz/fuzz.h"

static unsigned long any_flush(void)
{
	return one_in(8) ? rnd64() : rnd(3) | (one_in(2) ? UVMF_ALL : UVMF_LOCAL);
}

/* The arena's own mapping of a page: writable, read-only, gone. */
static void remap(void)
{
	unsigned int i = any_page();
	static const uint64_t flags[] = {PTE_DATA, PTE_RO, PTE_RO, 0};
	uint64_t f = flags[rnd(ARRAY_SIZE(flags))];

	if (f == 0 && !one_in(4))
		f = PTE_DATA;
	counted(map_at((unsigned long)arena_at(i), f ? arena_mfn(i) << 12 | f : 0));
}

static void map_window(void)
{
	unsigned long va = one_in(8) ? any_address() & ~0xffful :
				       WINDOW + rnd(WINDOW_PAGES) * PAGE_SIZE;

	if (va >= IMAGE && !deadly)
		return;
	try_call(update_va_mapping, va, any_entry(1), any_flush());
}

static void map_foreign(void)
{
	try_call(update_va_mapping_otherdomain, WINDOW + rnd(WINDOW_PAGES) * PAGE_SIZE,
		 any_entry(1), any_flush(), any_domain());
}

/* What a kernel needs of its L4, in a page that is to become one. */
static void copy_live_l4(uint64_t *table)
{
	const uint64_t *live = (void *)start_info->pt_base;

	table[511] = live[511];
	table[PHYSMAP >> 39 & 511] = live[PHYSMAP >> 39 & 511];
	table[WINDOW >> 39 & 511] = live[WINDOW >> 39 & 511];
}

/* Contents for a table of some level; the page must be writable: a fault ends it if not. */
static void fill(void)
{
	unsigned int i = any_page(), l = (unsigned int)rnd(5);
	uint64_t *table = (uint64_t *)arena_at(i);

	if ((l == 4 || level[i] == 4) && !is_mine(i))
		return;
	if (map_at((unsigned long)table, arena_mfn(i) << 12 | PTE_DATA))
		return;
	memset(table, 0, PAGE_SIZE);
	level[i] = (unsigned char)l;
	for (unsigned long n = rnd(l == 1 ? 64 : 8); n && l; n--)
		table[rnd(512)] = any_entry(l);
	if (l == 4)
		copy_live_l4(table);
	if (l && one_in(6)) /* a table that maps itself */
		table[rnd(512)] = arena_mfn(i) << 12 | PTE_P | PTE_US | PTE_A |
				  (one_in(4) ? PTE_RW : 0);
	if (!one_in(8))
		map_at((unsigned long)table, arena_mfn(i) << 12 | PTE_RO);
}

static void pin(void)
{
	unsigned int i = page_of_level(1 + (unsigned int)rnd(4));
	struct mmuext_op op[8];
	unsigned long n = one_in(4) ? 1 + rnd(8) : 1;
	unsigned int done;

	memset(op, 0, sizeof(op));
	for (unsigned long k = 0; k < n; k++, i = any_page()) {
		op[k].cmd = one_in(3) ? MMUEXT_UNPIN_TABLE :
			    one_in(8) ? (unsigned int)rnd(4) :
					level[i] - 1u;
		op[k].arg1.mfn = one_in(32) ? any_mfn() : arena_mfn(i);
	}
	mutate(op, n * sizeof(*op), 24);
	try_call(mmuext_op, op, n, one_in(2) ? &done : NULL, any_domain());
}

/* An L4 may be the root: what the kernel is mapped by stays. */
static unsigned long any_index(unsigned int i)
{
	return rnd(level[i] == 4 && !deadly ? 255 : 512);
}

uint64_t any_entry_address(unsigned int i)
{
	return arena_mfn(i) << 12 | any_index(i) * 8;
}

/* Where an entry is: in a page of the arena, a live L4 slot to play with, the window's L1. */
static uint64_t any_place(unsigned int *l)
{
	unsigned int i;

	switch (rnd(8)) {
	case 0: {
		const uint64_t *live = (void *)start_info->pt_base;

		*l = 4;
		return entry_address(&live[(PLAY_L4 >> 39 & 511) + rnd(8)]);
	}
	case 1:
		*l = 1;
		return entry_address(entry_of(WINDOW, 1)) + rnd(WINDOW_PAGES) * 8;
	default:
		*l = 1 + (unsigned int)rnd(4);
		i = page_of_level(*l);
		return any_entry_address(i);
	}
}

static void update(void)
{
	struct mmu_update u[16];
	unsigned long n = one_in(4) ? 1 + rnd(16) : 1;
	unsigned int l, done;
	uint32_t domains = any_domain();

	for (unsigned long k = 0; k < n; k++) {
		u[k].ptr = any_place(&l) | (one_in(6) ? rnd(4) : 0);
		u[k].val = any_entry(l);
		if (one_in(64))
			u[k].ptr = rnd64();
		else if (one_in(32))
			u[k].ptr = (deadly ? any_mfn() : any_foreign_mfn()) << 12 | rnd(512) * 8;
	}
	if (one_in(32))
		domains |= (uint32_t)(any_domain() + 1) << 16;
	try_call(mmu_update, u, one_in(64) ? rnd64() : n, one_in(2) ? &done : NULL, domains);
}

static void machphys(void)
{
	unsigned int i = any_page();
	struct mmu_update u = {arena_mfn(i) << 12 | MMU_MACHPHYS_UPDATE, rnd64()};

	if (one_in(8))
		u.ptr = any_mfn() << 12 | MMU_MACHPHYS_UPDATE;
	try_call(mmu_update, &u, 1, NULL, DOMID_SELF);
	u = (struct mmu_update){arena_mfn(i) << 12 | MMU_MACHPHYS_UPDATE, arena[i]};
	try_call(mmu_update, &u, 1, NULL, DOMID_SELF);
}

/* Whether the kernel can live with it as its root: a copy may have spoiled it. */
static bool is_root(unsigned int i)
{
	const uint64_t *live = (void *)start_info->pt_base, *table = (void *)arena_at(i);

	return table[511] == live[511] && table[PHYSMAP >> 39 & 511] == live[PHYSMAP >> 39 & 511];
}

static void new_base(void)
{
	unsigned int i = page_of_level(4);
	struct mmuext_op op = {.cmd = one_in(3) ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR};

	op.arg1.mfn = one_in(4) ? mfn_of(pt_first) :
		      one_in(16) ? any_foreign_mfn() :
				   arena_mfn(i);
	if (op.cmd == MMUEXT_NEW_USER_BASEPTR && one_in(3))
		op.arg1.mfn = 0;
	if (op.cmd == MMUEXT_NEW_USER_BASEPTR || deadly || (is_mine(i) && is_root(i)))
		try_call(mmuext_op, &op, 1, NULL, DOMID_SELF);
	if (one_in(2)) { /* and back */
		op.cmd = MMUEXT_NEW_BASEPTR;
		op.arg1.mfn = mfn_of(pt_first);
		try_call(mmuext_op, &op, 1, NULL, DOMID_SELF);
	}
}

static void other_mmuext(void)
{
	static const unsigned char cmds[] = {6, 7, 8, 9, 10, 11, 12, 13, 13, 16, 16, 17, 17, 18, 19, 20};
	unsigned int cmd = cmds[rnd(sizeof(cmds))];
	struct mmuext_op op = {.cmd = cmd};
	uint64_t mask = rnd64();

	switch (cmd) {
	case MMUEXT_SET_LDT:
		op.arg1.linear_addr = any_address() & ~0xffful;
		op.arg2.nr_ents = (unsigned int)rnd(one_in(8) ? 100000 : 1024);
		break;
	case MMUEXT_CLEAR_PAGE:
	case MMUEXT_COPY_PAGE:
		op.arg1.mfn = any_mfn();
		op.arg2.src_mfn = any_mfn();
		break;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
		op.arg1.linear_addr = any_address();
		set_xen_guest_handle(op.arg2.vcpumask, one_in(4) ? (void *)any_address() : &mask);
		break;
	default:
		op.arg1.linear_addr = any_address();
	}
	mutate(&op, sizeof(op), 24);
	if (op.cmd != MMUEXT_NEW_BASEPTR || deadly)
		try_call(mmuext_op, &op, one_in(64) ? rnd64() : 1, NULL, any_domain());
}

/* Memory through whatever has been hooked in. Only reads: it may be any of our pages. */
static void look(void)
{
	unsigned long va = one_in(2) ? WINDOW + rnd(WINDOW_PAGES * PAGE_SIZE) :
				       PLAY_L4 + (rnd(8) << 39 | rnd(512) << 30 | rnd(512) << 21 |
						  rnd(512) << 12);
	(void)*(volatile char *)va;
}

/* A write to a page table: it faults, and is carried out as an update or refused. */
static void write_entry(void)
{
	unsigned int i = page_of_level(one_in(8) ? (unsigned int)rnd(5) : 1);
	uint64_t *at = (uint64_t *)arena_at(i) + any_index(i), e = any_entry(level[i]);
	uint64_t old = e, bit = rnd(64);
	uint32_t *half = (uint32_t *)at + rnd(2);

	if (one_in(16))
		at = (uint64_t *)((char *)at + rnd(8));
	switch (rnd(16)) {
	case 0:
		asm volatile("xchg %0, %1" : "+r"(e), "+m"(*at));
		break;
	case 1:
		asm volatile("lock cmpxchg %2, %1" : "+a"(old), "+m"(*at) : "r"(e));
		break;
	case 2:
		asm volatile("lock xadd %0, %1" : "+r"(e), "+m"(*at));
		break;
	case 3:
		asm volatile("lock or %1, %0" : "+m"(*at) : "r"(1ul << rnd(64)));
		break;
	case 4:
		asm volatile("lock and %1, %0" : "+m"(*at) : "r"(~(1ul << rnd(64))));
		break;
	case 5:
		asm volatile("lock bts %1, %0" : "+m"(*at) : "r"(bit));
		break;
	case 6:
		asm volatile("lock btr %1, %0" : "+m"(*at) : "r"(bit));
		break;
	case 7:
		asm volatile("lock btc %1, %0" : "+m"(*at) : "r"(bit));
		break;
	case 8:
		*(volatile uint8_t *)at = (uint8_t)e;
		break;
	case 9:
		*(volatile uint16_t *)at = (uint16_t)e;
		break;
	case 10:
		*(volatile uint32_t *)half = (uint32_t)e;
		break;
	case 11:
		asm volatile("lock cmpxchg8b %0" : "+m"(*at) : "a"(0), "d"(0), "b"((uint32_t)e),
							       "c"((uint32_t)(e >> 32)));
		break;
	case 12:
		asm volatile("movnti %1, %0" : "=m"(*at) : "r"(e));
		break;
	case 13:
		asm volatile("rep stosq" : "+D"(at) : "a"(e), "c"(2) : "memory");
		break;
	case 14: /* what the emulator has no mind to know */
		asm volatile("addq %1, %0; notq %0; incl %0" : "+m"(*at) : "r"(e));
		break;
	default:
		*(volatile uint64_t *)at = e;
	}
}

const struct action table_actions[] = {
	{"remap", 10, remap},		{"map_window", 30, map_window},
	{"map_foreign", 2, map_foreign}, {"fill", 30, fill},
	{"pin", 40, pin},		{"update", 60, update},
	{"machphys", 2, machphys},	{"new_base", 10, new_base},
	{"mmuext", 15, other_mmuext},	{"look", 15, look},
	{"write_entry", 40, write_entry}, {NULL, 0, NULL},
};
