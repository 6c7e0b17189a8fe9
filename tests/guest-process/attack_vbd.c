/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attacks on a disk: indices, requests, indirect pages, nodes, and what a front
 * end may leave undone. Everything written is kept within the first MiB of the disk.
 */
#include <pthread.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "frontends/node.h"
#include "tests/guest-process/attack.h"

#define NO_ANSWER INT16_MIN
#define FLIPS     400

static struct blkfront_queue *queue(struct attack_env *env)
{
	return &env->bf.queue[0];
}

static void notify(struct attack_env *env)
{
	env->os->ops->port_notify(env->os, queue(env)->port);
}

static enum answer connect_with(struct attack_env *env, const struct blkfront_config *c)
{
	if (blkfront_init(&env->bf, env->os, c) != FRONT_OK)
		return setup_failed(env, "rings or nodes could not be made");
	if (!wait_state(env, 1u << XenbusStateConnected))
		return setup_failed(env, "the backend does not connect");
	if (blkfront_connect(&env->bf) != FRONT_OK)
		return setup_failed(env, "the backend's nodes make no sense");
	return ANSWER_SERVED;
}

static enum answer connect_plain(struct attack_env *env)
{
	return connect_with(env, &(struct blkfront_config){.queues = 1});
}

/* The next response as it is on the ring; NO_ANSWER when none comes or the device closes.
 */
static int16_t wait_response(struct attack_env *env, struct blkif_rsp *rsp)
{
	struct ring_front *r = &queue(env)->ring;

	for (unsigned int ms = 0; ms < env->limit_ms; ms += 20) {
		if (ring_front_final_check(r, 1) > 0) {
			blkif_fetch_response(r, r->rsp_cons, rsp);
			ring_front_consume(r, 1);
			return rsp->status;
		}
		if (STATES_CLOSED & 1u << backend_state(env))
			return NO_ANSWER;
		env->pause(env, 20);
	}
	return NO_ANSWER;
}

static void put(struct attack_env *env, const struct blkif_req *req)
{
	blkif_encode(env->bf.cfg.abi, ring_front_produce(&queue(env)->ring), req);
	ring_front_push(&queue(env)->ring);
	notify(env);
}

static int16_t ask(struct attack_env *env, const struct blkif_req *req)
{
	struct blkif_rsp rsp;
	int16_t status;

	put(env, req);
	status = wait_response(env, &rsp);
	if (status != NO_ANSWER && rsp.id != req->id)
		env->text = "a response to another request";
	return status;
}

/* A sound read of one sector into @gref. */
static struct blkif_req sound(uint32_t gref)
{
	struct blkif_req req;

	memset(&req, 0, sizeof(req));
	req.op = BLKIF_OP_READ;
	req.nr_segments = 1;
	req.id = 0x1234;
	req.seg[0].gref = gref;
	return req;
}

/* A page to do I/O on, granted. It stays until the process or device goes. */
static uint32_t data_page(struct attack_env *env, uint8_t **page)
{
	*page = env->os->ops->pages_alloc(env->os, 1);
	return *page ? env->os->ops->grant(env->os, *page, false) : 0;
}

static void free_data_page(struct attack_env *env, uint8_t *page, uint32_t gref)
{
	/* never reused when the backend still has it */
	if (env->os->ops->grant_end(env->os, gref) == FRONT_OK)
		env->os->ops->pages_free(env->os, page, 1);
}

/* After a refusal the device must still serve. */
static enum answer judge(struct attack_env *env, int16_t status, uint32_t gref)
{
	struct blkif_req good = sound(gref);

	if (status == NO_ANSWER)
		return STATES_CLOSED & 1u << backend_state(env) ? ANSWER_CLOSED
								: ANSWER_NOTHING;
	if (env->text)
		return ANSWER_HARM;
	if (ask(env, &good) != BLKIF_RSP_OKAY)
		return harm(env, "a sound request after it fails");
	return status == BLKIF_RSP_OKAY ? ANSWER_SERVED : ANSWER_REFUSED;
}

/* ---- indices ---- */

enum { AHEAD, FAR, BACKWARDS, RSP_PROD };

static enum answer index_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);
	struct ring_shared *s;
	uint8_t *page;
	uint32_t gref;
	struct blkif_req good;

	if (answer != ANSWER_SERVED)
		return answer;
	gref = data_page(env, &page);
	good = sound(gref);
	if (!gref || ask(env, &good) != BLKIF_RSP_OKAY)
		return setup_failed(env, "a sound request fails");
	s = queue(env)->ring.shared;
	switch (a->arg) {
	case AHEAD:
		__atomic_store_n(&s->req_prod, s->rsp_prod + queue(env)->ring.size + 1,
				 __ATOMIC_RELEASE);
		break;
	case FAR:
		__atomic_store_n(&s->req_prod, s->rsp_prod + 0x80000000u,
				 __ATOMIC_RELEASE);
		break;
	case BACKWARDS:
		__atomic_store_n(&s->req_prod, s->rsp_prod - 1, __ATOMIC_RELEASE);
		break;
	case RSP_PROD: /* the backend's own index: it must not read it back */
		__atomic_store_n(&s->rsp_prod, 0xdeadbeefu, __ATOMIC_RELEASE);
		s->rsp_event = 0;
		ring_front_push(&queue(env)->ring);
		good = sound(gref);
		blkif_encode(env->bf.cfg.abi, ring_front_produce(&queue(env)->ring),
			     &good);
		ring_front_push(&queue(env)->ring);
		notify(env);
		for (unsigned int ms = 0; ms < env->limit_ms; ms += 20) {
			if (__atomic_load_n(&s->rsp_prod, __ATOMIC_ACQUIRE) == 2)
				return ANSWER_SERVED;
			env->pause(env, 20);
		}
		return wait_closed(env);
	}
	notify(env);
	return wait_closed(env);
}

/* ---- one request that is wrong ---- */

enum {
	SEG_12,
	SEG_255,
	SEG_0,
	BAD_OP,
	BAD_GREF,
	ENDED_GREF,
	BEYOND,
	BEYOND_BY_ONE,
	WRAP,
	FIRST_LAST,
	LAST_8,
	LAST_255,
	DISCARD_WRAP,
	DISCARD_BEYOND,
	HANDLE
};

/* A reference that was good a moment ago. */
static uint32_t ended_gref(struct attack_env *env)
{
	uint8_t *page;
	uint32_t gref = data_page(env, &page);

	if (gref)
		free_data_page(env, page, gref);
	return gref;
}

static void spoil(struct attack_env *env, int how, struct blkif_req *q)
{
	uint64_t end = env->bf.sectors * (env->bf.sector_size / 512);

	switch (how) {
	case SEG_12:
		q->nr_segments = 12;
		break;
	case SEG_255:
		q->nr_segments = 255;
		break;
	case SEG_0:
		q->nr_segments = 0;
		break;
	case BAD_OP:
		q->op = 77;
		break;
	case BAD_GREF:
		q->seg[0].gref = 0xfffffff0u;
		break;
	case ENDED_GREF:
		q->seg[0].gref = ended_gref(env);
		break;
	case BEYOND:
		q->sector = end;
		break;
	case BEYOND_BY_ONE:
		q->sector = end - 1;
		q->seg[0].last_sect = 1;
		break;
	case WRAP:
		q->sector = 1ull << 55;
		break;
	case FIRST_LAST:
		q->seg[0].first_sect = 3;
		q->seg[0].last_sect = 2;
		break;
	case LAST_8:
		q->seg[0].last_sect = 8;
		break;
	case LAST_255:
		q->seg[0].last_sect = 255;
		break;
	case DISCARD_WRAP:
	case DISCARD_BEYOND:
		memset(q->seg, 0, sizeof(q->seg));
		q->op = BLKIF_OP_DISCARD;
		q->sector = how == DISCARD_WRAP ? 1 : end;
		q->nr_sectors = how == DISCARD_WRAP ? UINT64_MAX : 1;
		break;
	case HANDLE:
		q->handle = 0xffff;
		break;
	}
}

static enum answer request_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);
	struct blkif_req bad;
	uint8_t *page;
	uint32_t gref;

	if (answer != ANSWER_SERVED)
		return answer;
	gref = data_page(env, &page);
	if (!gref)
		return setup_failed(env, "no page");
	bad = sound(gref);
	spoil(env, a->arg, &bad);
	answer = judge(env, ask(env, &bad), gref);
	free_data_page(env, page, gref);
	return answer;
}

/* ---- indirect requests ---- */

enum { IND_MANY, IND_0, IND_OP, IND_GREF, IND_SEG_GREF };

static enum answer connect_indirect(struct attack_env *env)
{
	enum answer answer = connect_with(
		env, &(struct blkfront_config){.queues = 1, .indirect_segs = 32});

	if (answer == ANSWER_SERVED && !env->bf.cfg.indirect_segs) {
		env->text = "no indirect requests on offer";
		return ANSWER_SKIP;
	}
	return answer;
}

static enum answer indirect_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_indirect(env);
	struct blkif_request_segment *seg;
	struct blkif_req q;
	uint8_t *page, *table;
	uint32_t gref, table_ref;

	if (answer != ANSWER_SERVED)
		return answer;
	gref = data_page(env, &page);
	table_ref = data_page(env, &table);
	if (!gref || !table_ref)
		return setup_failed(env, "no page");
	seg = (struct blkif_request_segment *)table;
	for (int i = 0; i < 32; i++)
		seg[i].gref = gref;
	q = sound(gref);
	memset(q.seg, 0, sizeof(q.seg));
	q.indirect = true;
	q.nr_segments = 16;
	q.indirect_gref[0] = table_ref;
	switch (a->arg) {
	case IND_MANY:
		q.nr_segments = 65535;
		break;
	case IND_0:
		q.nr_segments = 0;
		break;
	case IND_OP:
		q.op = BLKIF_OP_FLUSH_DISKCACHE;
		break;
	case IND_GREF:
		q.indirect_gref[0] = 0xfffffff0u;
		break;
	case IND_SEG_GREF:
		seg[15].gref = 0xfffffff0u;
		break;
	}
	answer = judge(env, ask(env, &q), gref);
	free_data_page(env, page, gref);
	free_data_page(env, table, table_ref);
	return answer;
}

struct flipper {
	volatile struct blkif_request_segment *seg;
	uint32_t good;
	volatile bool stop;
};

/* As fast as it can: the segments are now right, now wrong. */
static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!f->stop) {
		f->seg[7].last_sect = 255;
		f->seg[7].gref = 0xfffffff0u;
		f->seg[7].first_sect = 9;
		f->seg[7].first_sect = 0;
		f->seg[7].gref = f->good;
		f->seg[7].last_sect = 0;
	}
	return NULL;
}

/* The page is changed while the backend reads it: a request is right or refused. */
static enum answer flip_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_indirect(env);
	struct flipper f = {.stop = false};
	uint8_t *page, *table;
	uint32_t table_ref;
	struct blkif_req q;
	pthread_t thread;
	int16_t status = BLKIF_RSP_OKAY;

	(void)a;
	if (answer != ANSWER_SERVED)
		return answer;
	f.good = data_page(env, &page);
	table_ref = data_page(env, &table);
	if (!f.good || !table_ref)
		return setup_failed(env, "no page");
	f.seg = (struct blkif_request_segment *)table;
	for (int i = 0; i < 16; i++)
		f.seg[i].gref = f.good;
	q = sound(f.good);
	memset(q.seg, 0, sizeof(q.seg));
	q.indirect = true;
	q.nr_segments = 16;
	q.indirect_gref[0] = table_ref;
	if (pthread_create(&thread, NULL, flip, &f))
		return setup_failed(env, "no thread");
	for (int i = 0; i < FLIPS && status != NO_ANSWER && !env->text; i++)
		status = ask(env, &q);
	f.stop = true;
	pthread_join(thread, NULL);
	answer = judge(env, status, f.good);
	free_data_page(env, page, f.good);
	free_data_page(env, table, table_ref);
	return answer == ANSWER_SERVED ? ANSWER_REFUSED : answer;
}

/* ---- xenstore ---- */

/* Sound rings, one node replaced by nonsense before Initialised is entered. */
static enum answer node_attack(struct attack_env *env, const struct attack *a)
{
	if (blkfront_init(&env->bf, env->os, &(struct blkfront_config){.queues = 1}) !=
	    FRONT_OK)
		return setup_failed(env, "rings or nodes could not be made");
	/* blkfront_init() entered Initialised: go back, then in again with the nonsense
	 */
	if (!wait_state(env, 1u << XenbusStateConnected))
		return setup_failed(env, "the backend does not connect");
	node_put(env->os, "state", XenbusStateClosing);
	wait_state(env, STATES_CLOSED);
	node_put(env->os, "state", XenbusStateClosed);
	wait_state(env, 1u << XenbusStateClosed | 1u << XenbusStateInitWait);
	node_put(env->os, "state", XenbusStateInitialising);
	if (!wait_state(env, 1u << XenbusStateInitWait))
		return setup_failed(env, "the backend does not enter InitWait again");
	ring_shared_init(queue(env)->ring_pages);
	if (!write_nonsense(env, a))
		return setup_failed(env, "xenstore refuses the value");
	node_put(env->os, "state", XenbusStateInitialised);
	if (!wait_state(env, STATES_CLOSED | 1u << XenbusStateConnected))
		return ANSWER_NOTHING;
	return STATES_CLOSED & 1u << backend_state(env) ? ANSWER_CLOSED : ANSWER_SERVED;
}

/* A state that makes no sense is written; then the device must still come up. */
static enum answer state_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer;
	uint8_t *page;
	uint32_t gref;

	if (!write_nonsense(env, a))
		return setup_failed(env, "xenstore refuses the value");
	env->pause(env, 500);
	node_put(env->os, "state", XenbusStateInitialising);
	wait_state(env, 1u << XenbusStateInitWait | STATES_CLOSED);
	if (STATES_CLOSED & 1u << backend_state(env)) {
		node_put(env->os, "state", XenbusStateClosed);
		node_put(env->os, "state", XenbusStateInitialising);
		wait_state(env, 1u << XenbusStateInitWait);
	}
	answer = connect_plain(env);
	if (answer != ANSWER_SERVED)
		return harm(env, "the device does not come up any more");
	gref = data_page(env, &page);
	return gref ? judge(env, BLKIF_RSP_OKAY, gref) : setup_failed(env, "no page");
}

/* ---- what is left undone ---- */

enum { BEFORE_STATE, AFTER_STATE, CONNECTED, IN_FLIGHT, NEVER_CLOSES };

static enum answer vanish_attack(struct attack_env *env, const struct attack *a)
{
	struct blkif_req q;
	uint8_t *page;
	uint32_t gref;

	if (a->arg == BEFORE_STATE) {
		node_put(env->os, "ring-ref", 8);
		return ANSWER_LEFT;
	}
	if (blkfront_init(&env->bf, env->os, &(struct blkfront_config){.queues = 1}) !=
	    FRONT_OK)
		return setup_failed(env, "rings or nodes could not be made");
	if (a->arg == AFTER_STATE)
		return ANSWER_LEFT;
	if (!wait_state(env, 1u << XenbusStateConnected) ||
	    blkfront_connect(&env->bf) != FRONT_OK)
		return setup_failed(env, "the backend does not connect");
	gref = data_page(env, &page);
	q = sound(gref);
	for (int i = 0; gref && a->arg == IN_FLIGHT && i < 32; i++)
		put(env, &q);
	if (a->arg ==
	    NEVER_CLOSES) /* the backend is asked to close meanwhile, by a toolstack */
		for (unsigned int ms = 0; ms < env->limit_ms; ms += 100)
			env->pause(env, 100);
	return ANSWER_LEFT;
}

/* ---- the other way round: an honest front end ---- */

static unsigned int done, failed;

static void on_done(struct blkfront_io *io)
{
	done++;
	failed += io->status != BLKIF_RSP_OKAY;
}

static bool finish(struct attack_env *env, unsigned int n)
{
	for (unsigned int ms = 0; done < n && ms < env->limit_ms;) {
		if (blkfront_poll(queue(env)) < 0)
			return false;
		if (done < n && blkfront_may_sleep(queue(env), 1)) {
			env->pause(env, 20);
			ms += 20;
		}
	}
	return done == n && failed == 0;
}

/* 11 pages of a pattern written and read back; @arg: bit 0 persistent, 1 indirect, 2
 * i386. */
static enum answer honest(struct attack_env *env, const struct attack *a)
{
	struct blkfront_config c = {
		.queues = 1,
		.ring_order = a->arg & 4 ? 0 : 2,
		.persistent = a->arg & 1,
		.pool_pages = 64,
		.indirect_segs = a->arg & 2 ? 32 : 0,
		.abi = a->arg & 4 ? BLKIF_ABI_X86_32 : BLKIF_ABI_NATIVE,
	};
	enum answer answer = connect_with(env, &c);
	struct blkfront_seg seg[24];
	unsigned int n;
	uint8_t *pages;

	if (answer != ANSWER_SERVED)
		return answer;
	n = env->bf.max_segs < 24 ? env->bf.max_segs : 24;
	pages = env->os->ops->pages_alloc(env->os, 2 * n);
	if (!pages)
		return setup_failed(env, "no pages");
	done = failed = 0;
	for (unsigned int i = 0; i < 2; i++) {
		struct blkfront_io io = {.op = i ? BLKIF_OP_READ : BLKIF_OP_WRITE,
					 .sector = 64,
					 .seg = seg,
					 .nr_segs = n,
					 .done = on_done};

		for (unsigned int k = 0; k < n; k++) {
			seg[k] = (struct blkfront_seg){pages + (i * n + k) * 4096, 4096,
						       0};
			memset(pages + (i * n + k) * 4096, i ? 0 : (int)(k + 1), 4096);
		}
		if (blkfront_submit(queue(env), &io) != FRONT_OK)
			return harm(env, "a sound request cannot be made");
		blkfront_push(queue(env));
		if (!finish(env, i + 1))
			return harm(env, "a sound request is not served");
	}
	answer = memcmp(pages, pages + n * 4096, n * 4096) ? harm(env, "data differs")
							   : ANSWER_SERVED;
	env->os->ops->pages_free(env->os, pages, 2 * n);
	return answer;
}

#define REQUEST(name, arg)                                                               \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(REFUSED), request_attack, arg, NULL, NULL        \
	}
/* a reference that cannot be mapped may also end the device */
#define GRANT(name, arg)                                                                 \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(REFUSED) | RIGHT(CLOSED), request_attack, arg,   \
			NULL, NULL                                                       \
	}
#define INDEX(name, arg)                                                                 \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(CLOSED), index_attack, arg, NULL, NULL           \
	}
#define INDIRECT(name, arg)                                                              \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(REFUSED) | RIGHT(CLOSED) | RIGHT(SKIP),          \
			indirect_attack, arg, NULL, NULL                                 \
	}
#define NODE(name, node, value)                                                          \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(CLOSED), node_attack, 0, node, value             \
	}
#define STATE(name, value)                                                               \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(SERVED), state_attack, 0, "state", value         \
	}
#define VANISH(name, arg)                                                                \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(LEFT), vanish_attack, arg, NULL, NULL            \
	}
#define HONEST(name, arg)                                                                \
	{                                                                                \
		name, ATTACK_VBD, RIGHT(SERVED), honest, arg, NULL, NULL                 \
	}

const struct attack attacks_vbd[] = {
	HONEST("vbd-honest", 0),
	HONEST("vbd-honest-persistent", 1),
	HONEST("vbd-honest-indirect", 2),
	HONEST("vbd-honest-persistent-indirect", 3),
	HONEST("vbd-honest-i386", 4),
	INDEX("vbd-producer-ahead", AHEAD),
	INDEX("vbd-index-far", FAR),
	INDEX("vbd-index-backwards", BACKWARDS),
	{"vbd-own-index", ATTACK_VBD, RIGHT(SERVED) | RIGHT(CLOSED), index_attack,
	 RSP_PROD, NULL, NULL},
	REQUEST("vbd-segments-12", SEG_12),
	REQUEST("vbd-segments-255", SEG_255),
	REQUEST("vbd-segments-0", SEG_0),
	REQUEST("vbd-operation", BAD_OP),
	GRANT("vbd-gref", BAD_GREF),
	GRANT("vbd-gref-ended", ENDED_GREF),
	REQUEST("vbd-beyond-end", BEYOND),
	REQUEST("vbd-beyond-by-one", BEYOND_BY_ONE),
	REQUEST("vbd-sector-wrap", WRAP),
	REQUEST("vbd-first-after-last", FIRST_LAST),
	REQUEST("vbd-last-8", LAST_8),
	REQUEST("vbd-last-255", LAST_255),
	REQUEST("vbd-discard-wrap", DISCARD_WRAP),
	REQUEST("vbd-discard-beyond", DISCARD_BEYOND),
	{"vbd-handle", ATTACK_VBD, RIGHT(SERVED) | RIGHT(REFUSED), request_attack, HANDLE,
	 NULL, NULL},
	INDIRECT("vbd-indirect-many", IND_MANY),
	INDIRECT("vbd-indirect-0", IND_0),
	INDIRECT("vbd-indirect-operation", IND_OP),
	INDIRECT("vbd-indirect-gref", IND_GREF),
	INDIRECT("vbd-indirect-segment-gref", IND_SEG_GREF),
	{"vbd-indirect-flip", ATTACK_VBD, RIGHT(REFUSED) | RIGHT(CLOSED) | RIGHT(SKIP),
	 flip_attack, 0, NULL, NULL},
	NODE("vbd-node-ring-ref-text", "ring-ref", "banana"),
	NODE("vbd-node-ring-ref-negative", "ring-ref", "-1"),
	NODE("vbd-node-ring-ref-huge", "ring-ref", "18446744073709551616"),
	NODE("vbd-node-ring-ref-free", "ring-ref", "4294967280"),
	NODE("vbd-node-ring-ref-empty", "ring-ref", ""),
	NODE("vbd-node-port-text", "event-channel", "x"),
	NODE("vbd-node-port-wrong", "event-channel", "4000000000"),
	NODE("vbd-node-protocol", "protocol", "vax-abi"),
	NODE("vbd-node-ring-order", "ring-page-order", "31"),
	NODE("vbd-node-ring-order-text", "ring-page-order", "2x"),
	NODE("vbd-node-queues", "multi-queue-num-queues", "4294967297"),
	NODE("vbd-node-queues-0", "multi-queue-num-queues", "0"),
	STATE("vbd-state-99", "99"),
	STATE("vbd-state-text", "abc"),
	STATE("vbd-state-negative", "-4"),
	STATE("vbd-state-empty", ""),
	STATE("vbd-state-reconfiguring", "7"),
	VANISH("vbd-vanish-before", BEFORE_STATE),
	VANISH("vbd-vanish-handshake", AFTER_STATE),
	VANISH("vbd-vanish-connected", CONNECTED),
	VANISH("vbd-vanish-in-flight", IN_FLIGHT),
	VANISH("vbd-never-closes", NEVER_CLOSES),
	{.name = NULL},
};
