/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named attacks of a front end on its backend, over frontends/os.h: the same run
 * inside a guest (hostile-front.c) and, with another os, beside a backend in one
 * process. An attack says what the backend did about it; whether that is right
 * stands in its table entry.
 */
#ifndef XYLEM_ATTACK_H
#define XYLEM_ATTACK_H

#include <stdbool.h>

#include "frontends/blkfront.h"
#include "frontends/netfront.h"

enum answer {
	ANSWER_SETUP,   /* the attack could not be made: text says why */
	ANSWER_SERVED,  /* the request was carried out, and all is well */
	ANSWER_REFUSED, /* the request was answered with an error; the device goes on */
	ANSWER_CLOSED,  /* the backend closed the device */
	ANSWER_NOTHING, /* no answer within the time limit */
	ANSWER_HARM,    /* what must not happen: text says what */
	ANSWER_LEFT,    /* the front end is to vanish now, as it stands */
	ANSWER_SKIP,    /* the backend does not offer what it takes */
};

const char *answer_name(enum answer a);

struct attack_env {
	struct front_os *os;
	/* Let @ms pass (less, when an event comes) while the backend runs. */
	void (*pause)(struct attack_env *env, int ms);
	/* Remove a node (and what is below it) of the front end's directory. */
	void (*rm)(struct attack_env *env, const char *node);
	unsigned int limit_ms; /* for each single wait */
	const char *text;      /* why, with SETUP, HARM and SKIP */
	bool keep;             /* an attack wants its rings left as they are */
	union {
		struct blkfront bf;
		struct netfront nf;
	};
};

struct attack {
	const char *name;
	enum { ATTACK_VBD, ATTACK_VIF } device;
	unsigned int right; /* set of 1 << enum answer */
	enum answer (*run)(struct attack_env *env, const struct attack *a);
	int arg;
	const char *node, *value; /* of attacks through xenstore */
};

#define RIGHT(a) (1u << ANSWER_##a)

extern const struct attack attacks_vbd[], attacks_vif[]; /* ended by a NULL name */
const struct attack *attack_find(const char *name);

/* Run one: connect, attack, give everything back unless the attack says not to. */
enum answer attack_run(struct attack_env *env, const struct attack *a);

/* ---- for the attacks ---- */

/* The backend's state as in xenstore; 0 when it cannot be read. */
unsigned int backend_state(struct attack_env *env);
/* Wait until the backend's state is in the set @states (1 << state). */
bool wait_state(struct attack_env *env, unsigned int states);
/* Wait for CLOSED. */
enum answer wait_closed(struct attack_env *env);
enum answer setup_failed(struct attack_env *env, const char *text);
enum answer harm(struct attack_env *env, const char *text);
/* Write the node of @a, or all it stands for, in place of what was there. */
bool write_nonsense(struct attack_env *env, const struct attack *a);

#define STATES_CLOSED (1u << 5 | 1u << 6) /* Closing, Closed */

#endif
