/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend class under test: a device over the in-memory store, without supervisor,
 * worker and event channels. The test says which class and where; its own begin() and end()
 * add to the store what the kind of device wants.
 */
#ifndef CLASS_RIG_H
#define CLASS_RIG_H

#include <CUnit/Basic.h>
#include <stdbool.h>

#include "backends/common/backend.h"
#include "backends/common/log.h"
#include "backends/common/state.h"
#include "backends/common/store_mem.h"
#include "tests/unit/open_fds.h"

struct class_under_test {
	const struct backend_class *class;
	const char *name;         /* of the test */
	const char *back, *front; /* the device's directories */
	uint32_t devid;           /* of domain 3 */
};
extern const struct class_under_test under_test; /* the test's */

/* What the supervisor would have been told; begin sets them to 0. */
extern char last_error[512];
extern unsigned int errors, updates; /* updates: the test's backend_update() counts */
extern unsigned int events_fail_at;  /* the n-th channel cannot be opened */

extern char dir[64]; /* emptied in the end */
extern struct store *store;
extern struct backend be;
extern struct state_head state;
extern struct backend_attach out;
extern size_t state_size;

void put(const char *path, const char *node, const char *value);
void gone(const char *path, const char *node);
bool has(const char *node, const char *value); /* of the back end's; says so if not */
bool missing(const char *node);
void close_fds(void); /* those that would go to the worker */
void configure(const char *text);

void class_begin(const char *configuration);
void class_end(void); /* removed twice; nothing is left */
/* Everything up to Connected; 0, or the first error. @script: between probe and ready. */
int class_up(void (*script)(void));
/* A frontend that connects again and again does not fill the log: the device is up. */
void class_log(void);
int class_main(const CU_TestInfo *tests);

#endif
