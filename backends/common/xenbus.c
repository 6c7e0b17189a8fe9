/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The back end's xenbus state machine. decide() is the whole of it: what stands in
 * the store, and in which phase we are, give at most one step; xenbus_poll()
 * repeats it until there is none.
 */
#include "backends/common/xenbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 16 /* a poll: no device takes more to come to rest */
#define TXN_TRIES 32 /* a transaction: others write to the store all the time */

#define FRONTEND_VANISHED (-1)

enum hotplug { HOTPLUG_NONE, HOTPLUG_CONNECTED, HOTPLUG_ERROR };

/* What stands in the store. */
struct inputs {
	bool present; /* the backend directory is there */
	bool online;  /* the toolstack wants the device */
	int state;    /* our own node, as it stands; -1: missing or not a number */
	int frontend; /* XenbusState* or FRONTEND_VANISHED */
	enum hotplug hotplug;
};

const char *xenbus_phase_name(enum xenbus_phase phase)
{
	static const char *const names[] = {
		"new",       "waiting", "attaching", "connected", "closing",
		"detaching", "closed",  "foreign",   "gone",
	};

	return names[phase];
}

/* ---- reading ---- */

/* 0, -ENOENT or another error; nonsense counts as Unknown. */
static int read_state(struct store *s, const char *dir, int *out)
{
	uint64_t v = 0;
	int rc = store_get_u64(s, 0, dir, "state", 0, XenbusStateReconfigured, &v);

	*out = rc ? XenbusStateUnknown : (int)v;
	return rc == -EINVAL ? 0 : rc;
}

static int read_hotplug(const struct xenbus *x, enum hotplug *out)
{
	char *text = store_read(x->be->store, 0, "%s/hotplug-status", x->be->path);

	*out = HOTPLUG_NONE;
	if (!text)
		return errno == ENOENT ? 0 : -errno;
	if (!strcmp(text, "connected"))
		*out = HOTPLUG_CONNECTED;
	else if (!strcmp(text, "error"))
		*out = HOTPLUG_ERROR;
	free(text);
	return 0;
}

/* 0, or -errno when the store cannot be read just now: then nothing is decided. */
static int read_inputs(struct xenbus *x, struct inputs *in)
{
	struct backend *be = x->be;
	uint64_t online = 1;
	char *text;
	int rc;

	memset(in, 0, sizeof(*in));
	text = store_read(be->store, 0, "%s/frontend", be->path);
	if (!text)
		return errno == ENOENT ? 0 : -errno;
	free(text);
	in->present = true;
	rc = store_get_u64(be->store, 0, be->path, "online", 0, 1, &online);
	if (rc && rc != -ENOENT && rc != -EINVAL)
		return rc;
	in->online = online != 0;
	rc = read_state(be->store, be->path, &in->state);
	if (rc == -ENOENT)
		in->state = -1;
	else if (rc)
		return rc;
	rc = read_state(be->store, be->frontend, &in->frontend);
	if (rc == -ENOENT)
		in->frontend = FRONTEND_VANISHED;
	else if (rc)
		return rc;
	return read_hotplug(x, &in->hotplug);
}

/* ---- writing ---- */

/*
 * One try at writing @state, in a transaction that sees the directory: a plain
 * write after the toolstack's rm would bring a ghost of it back. -ENOENT when it is
 * gone; what a class may have written after it went is then removed too.
 */
static int try_state(struct xenbus *x, int state)
{
	struct store *s = x->be->store;
	store_txn t = s->ops->begin(s);
	char *there;
	int rc = 0;

	if (!t)
		return errno ? -errno : -EIO;
	there = store_read(s, t, "%s/frontend", x->be->path);
	if (!there && errno != ENOENT)
		rc = -errno;
	else if (!there)
		s->ops->rm(s, t, x->be->path);
	else if (!store_put_u64(s, t, x->be->path, "state", (uint64_t)state))
		rc = errno ? -errno : -EIO;
	if (!s->ops->end(s, t, rc != 0) && !rc)
		rc = errno ? -errno : -EIO;
	if (!rc && !there)
		rc = -ENOENT;
	free(there);
	return rc;
}

/* True when what we want stands there, or cannot because the directory is gone. */
static bool flush_state(struct xenbus *x)
{
	int rc = 0, i;

	if (x->want == x->state)
		return true;
	for (i = 0; i < TXN_TRIES; i++) {
		rc = try_state(x, x->want);
		if (rc != -EAGAIN)
			break;
	}
	if (!rc || rc == -ENOENT) {
		x->state = x->want;
		return true;
	}
	log_guest(&x->be->log_limit, LOG_LEVEL_WARN,
		  "guest %u %s %u: cannot write state: %s", x->be->domid,
		  x->be->class->type, x->be->devid, strerror(-rc));
	return false;
}

static void switch_state(struct xenbus *x, enum xenbus_state state)
{
	x->want = state;
	flush_state(x);
}

/* Where a client of xenbus looks for what went wrong: error/ before backend/. */
static bool error_path(const struct backend *be, char *out, size_t size)
{
	const char *tail = strstr(be->path, "/backend/");
	int n;

	if (!tail)
		return false;
	n = snprintf(out, size, "%.*s/error%s", (int)(tail - be->path), be->path, tail);
	return n > 0 && (size_t)n < size;
}

void backend_error(struct backend *be, int err, const char *fmt, ...)
{
	char text[512], line[640], path[STORE_PATH_MAX];
	va_list ap;

	be->nr_errors++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (err)
		log_guest(&be->log_limit, LOG_LEVEL_ERROR, "guest %u %s %u: %s: %s",
			  be->domid, be->class->type, be->devid, text,
			  strerror(abs(err)));
	else
		log_guest(&be->log_limit, LOG_LEVEL_ERROR, "guest %u %s %u: %s",
			  be->domid, be->class->type, be->devid, text);
	snprintf(line, sizeof(line), "%d %s", -abs(err), text);
	if (error_path(be, path, sizeof(path)))
		store_write(be->store, 0, line, "%s/error", path);
}

static void remove_error(struct backend *be)
{
	char path[STORE_PATH_MAX];

	if (error_path(be, path, sizeof(path)))
		be->store->ops->rm(be->store, 0, path);
}

/* ---- steps ---- */

static void set_limit(struct xenbus *x, unsigned int ms)
{
	x->limit = ms;
	x->expired = false;
	x->ops->timer(x, ms);
}

static void enter(struct xenbus *x, enum xenbus_phase phase, unsigned int ms)
{
	if (phase != x->phase)
		log_debug("guest %u %s %u: %s", x->be->domid, x->be->class->type,
			  x->be->devid, xenbus_phase_name(phase));
	x->phase = phase;
	x->steps++;
	set_limit(x, ms);
}

/* The class failed: it has said why since it had told of @before errors, or we say what. */
static void explain(struct xenbus *x, unsigned int before, int rc, const char *what)
{
	if (x->be->nr_errors == before)
		backend_error(x->be, rc, "%s", what);
}

/* Closing because of an error that has been reported; no worker holds the device. */
static void fail(struct xenbus *x)
{
	x->failed = true;
	switch_state(x, XenbusStateClosing);
	enter(x, XENBUS_CLOSING, XENBUS_CLOSE_GRACE);
}

/*
 * A disk that drains slowly must not cost the guest its other disks: then libxl
 * gives up after its 10 s, and we go on draining. A grace in CLOSING is part of them.
 * That the guest is dead is no reason to hurry: nobody waits before online is 0.
 */
static unsigned int detach_limit(struct xenbus *x, bool hurry)
{
	if (!hurry || (!x->dead && x->ops->shared(x)))
		return XENBUS_DETACH_LIMIT;
	return x->phase == XENBUS_CLOSING && x->limit ? XENBUS_FORCE_LIMIT
						      : XENBUS_HURRY_LIMIT;
}

static void start_detach(struct xenbus *x, bool hurry)
{
	enter(x, XENBUS_DETACHING, detach_limit(x, hurry));
	x->ops->detach(x);
}

static void close_now(struct xenbus *x, const struct inputs *in)
{
	x->may_return = in->frontend == XenbusStateClosed ||
			in->frontend == FRONTEND_VANISHED ||
			(in->frontend == XenbusStateInitialising && !x->failed);
	switch_state(x, XenbusStateClosed);
	enter(x, XENBUS_CLOSED, 0);
}

/* A worker let go of the device, in whatever way. */
static void release(struct xenbus *x)
{
	x->attached = false;
	x->ops->released(x);
	if (x->probed)
		x->be->class->disconnected(x->be);
}

static void finish(struct xenbus *x)
{
	enter(x, XENBUS_GONE, 0);
	if (x->probed)
		x->be->class->remove(x->be);
	x->probed = false;
	remove_error(x->be);
	x->ops->gone(x);
}

/* Probe if that is still to do, then InitWait. */
static void begin(struct xenbus *x)
{
	unsigned int told = x->be->nr_errors;
	int rc;

	x->failed = x->broken = x->may_return = false;
	if (!x->probed) {
		rc = x->be->class->probe(x->be);
		if (rc) {
			explain(x, told, rc, "cannot set up the device");
			fail(x);
			return;
		}
		x->probed = true;
	}
	switch_state(x, XenbusStateInitWait);
	enter(x, XENBUS_WAIT, 0);
}

/* The toolstack wants it closed: online=0, or Closing written over our state. */
static bool forced(const struct xenbus *x, const struct inputs *in)
{
	return !in->online ||
	       (in->state == XenbusStateClosing && x->state != XenbusStateClosing);
}

static bool frontend_ready(const struct inputs *in)
{
	return in->frontend == XenbusStateInitialised ||
	       in->frontend == XenbusStateConnected;
}

/* The frontend uses the rings no more. */
static bool frontend_done(const struct xenbus *x, const struct inputs *in)
{
	switch (in->frontend) {
	case FRONTEND_VANISHED:
	case XenbusStateClosed:
		return true;
	case XenbusStateUnknown:
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		/* It has begun anew without closing (a crash kernel), unless it never got
		 * further than this and we are the ones who are closing. */
		return !x->failed;
	default:
		return x->dead;
	}
}

/* A class may say Reconfigured for a while (netif's XDP headroom). */
static bool was_connected(int state)
{
	return state == XenbusStateConnected || state == XenbusStateReconfiguring ||
	       state == XenbusStateReconfigured;
}

static int resume(struct xenbus *x)
{
	const struct backend_class *class = x->be->class;
	int rc;

	if (class->resume) {
		rc = class->resume(x->be);
		x->probed = !rc;
	} else {
		rc = class->probe(x->be);
		x->probed = !rc;
		if (!rc)
			rc = class->ready(x->be);
	}
	x->ready = !rc;
	return rc;
}

/* A worker has served the device since before this supervisor was started. */
static void decide_resumed(struct xenbus *x, const struct inputs *in)
{
	unsigned int told = x->be->nr_errors;
	int rc;

	if (!was_connected(in->state) && in->state != XenbusStateClosing) {
		start_detach(x, false); /* half-way attached: begin again from there */
		return;
	}
	x->state = x->want = in->state;
	rc = resume(x);
	if (rc) {
		explain(x, told, rc, "cannot take the device up again");
		x->failed = true;
		switch_state(x, XenbusStateClosing);
		start_detach(x, false);
		return;
	}
	enter(x, in->state == XenbusStateConnected ? XENBUS_CONNECTED : XENBUS_CLOSING,
	      0);
}

static void decide_new(struct xenbus *x, const struct inputs *in)
{
	if (x->ops->foreign(x)) {
		log_warn("guest %u %s %u: the kernel's driver is bound to it; left alone",
			 x->be->domid, x->be->class->type, x->be->devid);
		enter(x, XENBUS_FOREIGN, 0);
		return;
	}
	if (x->attached) {
		decide_resumed(x, in);
		return;
	}
	switch (in->state) {
	case XenbusStateConnected: /* its worker died while no supervisor was there */
	case XenbusStateReconfiguring:
	case XenbusStateReconfigured:
		x->state = x->want = in->state;
		backend_error(x->be, 0, "found Connected, but no worker serves it");
		fail(x);
		break;
	case XenbusStateClosing:
		x->state = x->want = in->state;
		enter(x, XENBUS_CLOSING, in->online ? 0 : XENBUS_CLOSE_GRACE);
		break;
	case XenbusStateClosed:
		x->state = x->want = in->state;
		close_now(x, in);
		break;
	default:
		if (in->online)
			begin(x);
		else
			close_now(x, in);
	}
}

static void decide_wait(struct xenbus *x, const struct inputs *in)
{
	unsigned int told = x->be->nr_errors;
	int rc;

	if (x->dead || in->frontend == FRONTEND_VANISHED ||
	    in->frontend == XenbusStateClosed) {
		close_now(x, in);
		return;
	}
	if (forced(x, in) || in->frontend == XenbusStateClosing) {
		switch_state(x, XenbusStateClosing);
		enter(x, XENBUS_CLOSING, XENBUS_CLOSE_GRACE);
		return;
	}
	if (in->hotplug == HOTPLUG_ERROR) {
		backend_error(x->be, 0, "the hotplug script failed");
		fail(x);
		return;
	}
	if (!x->ready && in->hotplug == HOTPLUG_CONNECTED) {
		rc = x->be->class->ready(x->be);
		if (rc == -EAGAIN)
			return;
		if (rc) {
			explain(x, told, rc, "cannot open the device");
			fail(x);
			return;
		}
		x->ready = true;
	}
	if (!x->ready || !frontend_ready(in))
		return;
	rc = x->ops->attach(x);
	if (rc) {
		explain(x, told, rc, "cannot connect");
		fail(x);
		return;
	}
	x->attached = true;
	enter(x, XENBUS_ATTACHING, XENBUS_ATTACH_LIMIT);
}

static void decide_connected(struct xenbus *x, const struct inputs *in)
{
	if (x->broken) {
		x->failed = true;
		switch_state(x, XenbusStateClosing);
		start_detach(x, true);
	} else if (x->dead || frontend_done(x, in)) {
		start_detach(x, forced(x, in));
	} else if (forced(x, in)) {
		switch_state(x, XenbusStateClosing);
		enter(x, XENBUS_CLOSING, XENBUS_CLOSE_GRACE);
	} else if (in->frontend == XenbusStateClosing) {
		/* A disk may be in use until the frontend has written Closed. */
		switch_state(x, XenbusStateClosing);
		enter(x, XENBUS_CLOSING, 0);
	}
}

static void decide_closing(struct xenbus *x, const struct inputs *in)
{
	bool done = x->dead || x->expired || frontend_done(x, in);

	if (x->attached && x->broken)
		x->failed = done = true;
	if (!done) {
		/* It had closed, and changed its mind while the worker let go. */
		if (!x->attached && x->want != XenbusStateClosing)
			fail(x);
		else if (!x->limit && !in->online)
			set_limit(x, XENBUS_CLOSE_GRACE);
	} else if (x->attached) {
		if (x->expired)
			log_guest(&x->be->log_limit, LOG_LEVEL_WARN,
				  "guest %u %s %u: the frontend did not close in %d ms; "
				  "detached by force",
				  x->be->domid, x->be->class->type, x->be->devid,
				  XENBUS_CLOSE_GRACE);
		x->failed |= x->expired;
		start_detach(x, x->expired || !in->online);
	} else {
		close_now(x, in);
	}
}

static void decide_detaching(struct xenbus *x, const struct inputs *in)
{
	if (x->expired) {
		log_error("guest %u %s %u: the worker did not answer; killed",
			  x->be->domid, x->be->class->type, x->be->devid);
		set_limit(x, 0);
		x->ops->kill(x);
	} else if (x->limit > XENBUS_HURRY_LIMIT && forced(x, in) &&
		   detach_limit(x, true) == XENBUS_HURRY_LIMIT) {
		set_limit(x, XENBUS_HURRY_LIMIT);
	}
}

static void decide_attaching(struct xenbus *x, const struct inputs *in)
{
	if (x->expired) {
		log_error("guest %u %s %u: the worker did not attach in time; killed",
			  x->be->domid, x->be->class->type, x->be->devid);
		set_limit(x, 0);
		x->ops->kill(x);
	} else if (x->dead || forced(x, in) || !frontend_ready(in)) {
		start_detach(x, forced(x, in));
	}
}

static void decide_closed(struct xenbus *x, const struct inputs *in)
{
	if (x->dead || !in->online)
		return;
	if (in->frontend == XenbusStateClosed || in->frontend == FRONTEND_VANISHED)
		x->may_return = true;
	else if (x->may_return &&
		 (in->frontend == XenbusStateInitialising || frontend_ready(in)))
		begin(x);
}

/* The directory has been removed: let go of everything, tell nobody. */
static void decide_removed(struct xenbus *x)
{
	static const struct inputs nothing = {.frontend = FRONTEND_VANISHED};

	if (x->phase == XENBUS_DETACHING)
		decide_detaching(x, &nothing);
	else if (x->attached)
		start_detach(x, true);
	else
		finish(x);
}

static void decide(struct xenbus *x, const struct inputs *in)
{
	if (!in->present) {
		decide_removed(x);
		return;
	}
	switch (x->phase) {
	case XENBUS_NEW:
		decide_new(x, in);
		break;
	case XENBUS_WAIT:
		decide_wait(x, in);
		break;
	case XENBUS_ATTACHING:
		decide_attaching(x, in);
		break;
	case XENBUS_CONNECTED:
		decide_connected(x, in);
		break;
	case XENBUS_CLOSING:
		decide_closing(x, in);
		break;
	case XENBUS_DETACHING:
		decide_detaching(x, in);
		break;
	case XENBUS_CLOSED:
		decide_closed(x, in);
		break;
	case XENBUS_FOREIGN:
	case XENBUS_GONE:
		break;
	}
}

/* ---- what the owner calls ---- */

void xenbus_init(struct xenbus *x, const struct xenbus_ops *ops, struct backend *be,
		 bool resumed)
{
	memset(x, 0, sizeof(*x));
	x->ops = ops;
	x->be = be;
	x->attached = resumed;
}

/* Steps until nothing changes; a store that fails is asked again later. */
static void run(struct xenbus *x)
{
	struct inputs in;
	unsigned int before;
	bool retry = false;
	int i, rc;

	for (i = 0; i < STEPS_MAX && x->phase != XENBUS_GONE; i++) {
		retry = !flush_state(x);
		rc = read_inputs(x, &in);
		retry |= rc != 0;
		/* Initialising over our state: removed, and made anew since we looked. */
		if (x->state > XenbusStateInitialising &&
		    in.state == XenbusStateInitialising)
			in.present = false;
		/* A pending write holds steps back, but not the end of a removed device.
		 */
		if (rc || (retry && in.present))
			break;
		before = x->steps;
		decide(x, &in);
		if (x->steps == before)
			break;
	}
	if (retry && x->phase != XENBUS_GONE && !x->limit)
		x->ops->timer(x, XENBUS_RETRY);
}

void xenbus_poll(struct xenbus *x)
{
	if (x->deciding || x->phase == XENBUS_GONE)
		return;
	x->deciding = true;
	run(x);
	x->deciding = false;
	if (x->phase == XENBUS_CONNECTED)
		x->be->class->changed(x->be);
}

void xenbus_attached(struct xenbus *x, int status)
{
	unsigned int told = x->be->nr_errors;
	int rc;

	if (x->phase != XENBUS_ATTACHING) {
		/* Too late: DETACH is under way. A worker that failed to attach answers
		 * that. */
		return;
	}
	if (status) {
		release(x);
		backend_error(x->be, status, "the worker cannot attach the device");
		fail(x);
	} else {
		rc = x->be->class->publish(x->be);
		if (rc) {
			explain(x, told, rc, "cannot publish the device");
			x->failed = true;
			switch_state(x, XenbusStateClosing);
			start_detach(x, false);
		} else {
			switch_state(x, XenbusStateConnected);
			enter(x, XENBUS_CONNECTED, 0);
		}
	}
	xenbus_poll(x);
}

void xenbus_detached(struct xenbus *x)
{
	bool expired;

	if (x->phase != XENBUS_DETACHING)
		return;
	release(x);
	if (!x->probed) {
		enter(x, XENBUS_NEW, 0); /* resumed half-way */
	} else {
		expired = x->failed && !x->broken; /* its grace is over already */
		enter(x, XENBUS_CLOSING, x->failed ? XENBUS_CLOSE_GRACE : 0);
		x->expired = expired;
	}
	xenbus_poll(x);
}

void xenbus_broken(struct xenbus *x)
{
	if (!x->attached)
		return;
	x->broken = true;
	backend_error(x->be, EPROTO, "the frontend broke the protocol; device stopped");
	xenbus_poll(x);
}

void xenbus_lost(struct xenbus *x)
{
	if (!x->attached)
		return;
	if (x->phase == XENBUS_DETACHING) {
		xenbus_detached(x);
		return;
	}
	release(x);
	backend_error(x->be, 0, "its worker died");
	fail(x);
	xenbus_poll(x);
}

void xenbus_timer(struct xenbus *x)
{
	if (x->limit)
		x->expired = true;
	xenbus_poll(x);
}

void xenbus_domain_gone(struct xenbus *x)
{
	x->dead = true;
	xenbus_poll(x);
}
