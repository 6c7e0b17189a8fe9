/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's parts: what is random, the pages that it plays with (the arena), and how
 * arguments are made: right ones first, then sometimes one field of them wrong.
 */
#ifndef FUZZ_H
#define FUZZ_H
#include "tests/guest/guest.h"

#define ARENA   192                   /* pages */
#define PLAY_L4 (0xffff900000000000ul) /* slots of the L4 from here on are for playing */
#define WINDOW  0xffffa00000000000ul  /* addresses with an L1 of their own, for mappings */
#define WINDOW_PAGES 64

extern unsigned long arena[ARENA]; /* frame numbers */
extern unsigned char level[ARENA]; /* as what its contents were made: 0 data, 1-4 a table */
extern domid_t own_domid;
extern bool deadly; /* at the end: what the guest hardly survives, too */

/* Random numbers of the calling vcpu, from the seed. */
uint64_t rnd64(void);
unsigned long rnd(unsigned long n); /* below n */
static inline bool one_in(unsigned long n)
{
	return rnd(n) == 0;
}

/* An L4 is one vcpu's: no other one fills it between its being looked at and loaded. */
static inline bool is_mine(unsigned int i)
{
	return i % MAX_CPUS == cpu_id();
}

/* One of the arena's pages; one of LEVEL rather, if there is one. */
unsigned int any_page(void);
unsigned int page_of_level(unsigned int l);
static inline unsigned long arena_mfn(unsigned int i)
{
	return mfn_of(arena[i]);
}
static inline char *arena_at(unsigned int i)
{
	return page(arena[i]);
}

unsigned long any_mfn(void);      /* mostly the arena's */
unsigned long any_foreign_mfn(void);
unsigned long any_address(void);  /* mostly of memory that may be written */
domid_t any_domain(void);         /* mostly DOMID_SELF */
uint32_t any_port(void);
uint64_t any_entry(unsigned int l); /* for a table of that level */
uint64_t any_entry_address(unsigned int i); /* of page @i of the arena */
uint64_t any_descriptor(void);
/* Sometimes (one in ODDS) one random word of it is changed. */
void mutate(void *p, size_t size, unsigned long odds);
/* ret as it came; counted for the report. */
long counted(long ret);
#define try_call(name, ...) counted(hcall(name, __VA_ARGS__))

/* Two pages for arguments, one for each vcpu; any alignment is right. */
void *scratch(void);

/* The actions: each makes one step. */
struct action {
	const char *name;
	unsigned int weight;
	void (*fn)(void);
};
extern const struct action table_actions[], cpu_actions[], call_actions[];
void trap_state_restore(void); /* trap table, callbacks, stack: as the guest needs them */
#endif
