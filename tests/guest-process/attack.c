/* SPDX-License-Identifier: GPL-2.0-only */
/* What all attacks share: states of the backend, waiting, and the way in and out. */
#include "tests/guest-process/attack.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/xenbus.h>

#include "frontends/node.h"

const char *answer_name(enum answer a)
{
	static const char *const name[] = {"setup",   "served", "refused", "closed",
					   "nothing", "harm",   "left",    "skip"};

	return name[a];
}

static unsigned long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000 +
	       (unsigned long long)t.tv_nsec / 1000000;
}

unsigned int backend_state(struct attack_env *env)
{
	return (unsigned int)node_feature(env->os, "state", 8, 0);
}

bool wait_state(struct attack_env *env, unsigned int states)
{
	unsigned long long until = now_ms() + env->limit_ms;

	while (!(states & 1u << backend_state(env))) {
		if (now_ms() > until)
			return false;
		env->pause(env, 50);
	}
	return true;
}

enum answer wait_closed(struct attack_env *env)
{
	return wait_state(env, STATES_CLOSED) ? ANSWER_CLOSED : ANSWER_NOTHING;
}

enum answer setup_failed(struct attack_env *env, const char *text)
{
	env->text = text;
	return ANSWER_SETUP;
}

enum answer harm(struct attack_env *env, const char *text)
{
	env->text = text;
	return ANSWER_HARM;
}

bool write_nonsense(struct attack_env *env, const struct attack *a)
{
	return env->os->ops->put(env->os, a->node, a->value) == FRONT_OK;
}

const struct attack *attack_find(const char *name)
{
	const struct attack *a;

	for (a = attacks_vbd; a->name; a++)
		if (!strcmp(a->name, name))
			return a;
	for (a = attacks_vif; a->name; a++)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

/* What an earlier run, or attack, may have left in the front end's directory. */
static void remove_stale(struct attack_env *env)
{
	static const char *const stale[] = {
		"protocol",
		"ring-page-order",
		"num-ring-pages",
		"multi-queue-num-queues",
		"ring-ref",
		"ring-ref0",
		"ring-ref1",
		"event-channel",
		"feature-persistent",
		"feature-large-sector-size",
		"tx-ring-ref",
		"rx-ring-ref",
		"event-channel-tx",
		"event-channel-rx",
		"ctrl-ring-ref",
		"event-channel-ctrl",
		"xdp-headroom",
		"request-rx-copy",
		"request-multicast-control",
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-no-csum-offload",
		"feature-ipv6-csum-offload",
		"feature-rx-notify",
		"queue-0",
		"queue-1",
		"queue-2",
		"queue-3",
	};

	for (unsigned int i = 0; i < sizeof(stale) / sizeof(stale[0]); i++)
		env->rm(env, stale[i]);
}

/* Bring a device that something used before back to the start. */
static bool restart(struct attack_env *env)
{
	unsigned int s = backend_state(env);

	if (s == XenbusStateConnected || s == XenbusStateInitialised) {
		node_put(env->os, "state", XenbusStateClosing);
		wait_state(env, STATES_CLOSED | 1u << XenbusStateInitWait);
		s = backend_state(env);
	}
	if (s == XenbusStateClosing || s == XenbusStateClosed) {
		node_put(env->os, "state", XenbusStateClosed);
		wait_state(env, 1u << XenbusStateClosed | 1u << XenbusStateInitWait);
	}
	remove_stale(env);
	node_put(env->os, "state", XenbusStateInitialising);
	return wait_state(env, 1u << XenbusStateInitWait);
}

static void leave(struct attack_env *env, const struct attack *a)
{
	node_put(env->os, "state", XenbusStateClosing);
	wait_state(env, STATES_CLOSED | 1u << XenbusStateInitWait);
	node_put(env->os, "state", XenbusStateClosed);
	wait_state(env, 1u << XenbusStateClosed | 1u << XenbusStateInitWait);
	for (int i = 0; i < 100; i++) {
		int err = a->device == ATTACK_VBD ? blkfront_close(&env->bf)
						  : netfront_close(&env->nf);

		if (err == FRONT_OK)
			break;
		env->pause(env, 50);
	}
}

enum answer attack_run(struct attack_env *env, const struct attack *a)
{
	enum answer answer;

	memset(&env->nf, 0, sizeof(env->nf));
	memset(&env->bf, 0, sizeof(env->bf));
	env->text = NULL;
	env->keep = false;
	if (!restart(env))
		return setup_failed(env, "the backend does not enter InitWait");
	answer = a->run(env, a);
	if (answer != ANSWER_LEFT && !env->keep)
		leave(env, a);
	return answer;
}
