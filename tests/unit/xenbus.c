/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The xenbus state machine against a store in memory: every transition of both
 * ends, with this file in the parts of the toolstack, the guest, the worker and
 * the clock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/store_mem.h"
#include "backends/common/xenbus.h"
#include "tests/unit/suite.h"

#define BACK  "/local/domain/0/backend/vbd/5/51712"
#define FRONT "/local/domain/5/device/vbd/51712"
#define ERROR "/local/domain/0/error/backend/vbd/5/51712/error"

/* What the machine did to its class and its owner. */
static struct {
	int probe, ready, publish, disconnected, changed, remove, resume;
	int attach, detach, kill, released, gone;
	int probe_result, ready_result, publish_result, resume_result, attach_result;
	const char *reason; /* what ready() says when it fails, or NULL */
	bool foreign, shared, sync_loss; /* detach finds the worker dead at once */
	unsigned int ms;
} did;

static struct store *store; /* the backend's connection */
static struct store *tool;  /* everybody else's */
static struct xenbus x;
static struct backend be;

static int c_probe(struct backend *b)
{
	(void)b;
	did.probe++;
	return did.probe_result;
}

static int c_ready(struct backend *b)
{
	did.ready++;
	if (did.reason)
		backend_error(b, 0, "%s", did.reason);
	return did.ready_result;
}

static int c_publish(struct backend *b)
{
	did.publish++;
	if (!did.publish_result)
		store_write(b->store, 0, "1024", "%s/sectors", b->path);
	return did.publish_result;
}

static void c_disconnected(struct backend *b)
{
	(void)b;
	did.disconnected++;
}

static void c_changed(struct backend *b)
{
	(void)b;
	did.changed++;
}

static void c_remove(struct backend *b)
{
	(void)b;
	did.remove++;
}

static int c_resume(struct backend *b)
{
	(void)b;
	did.resume++;
	return did.resume_result;
}

static const struct backend_class class = {
	.name = "blkback",
	.type = "vbd",
	.probe = c_probe,
	.ready = c_ready,
	.publish = c_publish,
	.disconnected = c_disconnected,
	.changed = c_changed,
	.remove = c_remove,
	.resume = c_resume,
};

static bool o_foreign(struct xenbus *d)
{
	(void)d;
	return did.foreign;
}

static int o_attach(struct xenbus *d)
{
	(void)d;
	did.attach++;
	return did.attach_result;
}

static void o_detach(struct xenbus *d)
{
	did.detach++;
	if (did.sync_loss)
		xenbus_lost(d);
}

static bool o_shared(struct xenbus *d)
{
	(void)d;
	return did.shared;
}

static void o_kill(struct xenbus *d)
{
	did.kill++;
	xenbus_lost(d);
}

static void o_released(struct xenbus *d)
{
	(void)d;
	did.released++;
}

static void o_timer(struct xenbus *d, unsigned int ms)
{
	(void)d;
	did.ms = ms;
}

static void o_gone(struct xenbus *d)
{
	(void)d;
	did.gone++;
}

static const struct xenbus_ops ops = {
	.foreign = o_foreign,
	.attach = o_attach,
	.detach = o_detach,
	.shared = o_shared,
	.kill = o_kill,
	.released = o_released,
	.timer = o_timer,
	.gone = o_gone,
};

/* ---- the other parts ---- */

static void put(const char *path, const char *value)
{
	CU_ASSERT_TRUE_FATAL(tool->ops->write(tool, 0, path, value));
}

static int get(const char *path)
{
	char *v = store_read(tool, 0, "%s", path);
	int n = v ? atoi(v) : -1;

	free(v);
	return n;
}

/* The machine sees a change. */
static void see(const char *path, const char *value)
{
	put(path, value);
	xenbus_poll(&x);
}

static void frontend(int state)
{
	char text[8];

	snprintf(text, sizeof(text), "%d", state);
	see(FRONT "/state", text);
}

/* What libxl writes, in its order. */
static void add_device(void)
{
	put(FRONT "/backend", BACK);
	put(FRONT "/state", "1");
	put(BACK "/frontend", FRONT);
	put(BACK "/frontend-id", "5");
	put(BACK "/online", "1");
	put(BACK "/state", "1");
}

static void force_close(void)
{
	put(BACK "/online", "0");
	see(BACK "/state", "5");
}

static void remove_dirs(void)
{
	tool->ops->rm(tool, 0, FRONT);
	tool->ops->rm(tool, 0, BACK);
	xenbus_poll(&x);
}

static void setup(bool resumed)
{
	memset(&did, 0, sizeof(did));
	memset(&be, 0, sizeof(be));
	store = store_open_mem();
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	tool = store_mem_connect(store);
	CU_ASSERT_PTR_NOT_NULL_FATAL(tool);
	be.class = &class;
	be.store = store;
	be.domid = 5;
	be.devid = 51712;
	be.path = strdup(BACK);
	be.frontend = strdup(FRONT);
	add_device();
	xenbus_init(&x, &ops, &be, resumed);
}

static void teardown(void)
{
	CU_ASSERT_EQUAL(store_mem_transactions(store), 0);
	free(be.path);
	free(be.frontend);
	tool->ops->close(tool);
	store->ops->close(store);
}

/* To Connected by the book. */
static void connect(void)
{
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CONNECTED);
	CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	frontend(XenbusStateConnected);
}

/* Everything let go of, whatever way led here. */
static void check_over(void)
{
	CU_ASSERT_EQUAL(x.phase, XENBUS_GONE);
	CU_ASSERT_EQUAL(did.gone, 1);
	CU_ASSERT_EQUAL(did.remove, did.probe || did.resume ? 1 : 0);
	CU_ASSERT_FALSE(x.attached);
	CU_ASSERT_EQUAL(did.released, did.disconnected);
	CU_ASSERT_EQUAL(get(BACK "/state"), -1);
	CU_ASSERT_EQUAL(get(BACK "/sectors"), -1);
	CU_ASSERT_EQUAL(get(ERROR), -1);
	CU_ASSERT_EQUAL(did.ms, 0);
}

/* ---- tests ---- */

static void test_connect_and_detach(void)
{
	setup(false);
	xenbus_poll(&x);
	/* InitWait comes before the script, and the disk is not opened before its result
	 */
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	CU_ASSERT_EQUAL(did.probe, 1);
	CU_ASSERT_EQUAL(did.ready, 0);
	frontend(XenbusStateInitialised);
	CU_ASSERT_EQUAL(did.ready, 0);
	CU_ASSERT_EQUAL(did.attach, 0);
	see(BACK "/hotplug-status", "connected");
	CU_ASSERT_EQUAL(did.ready, 1);
	CU_ASSERT_EQUAL(did.attach, 1);
	/* Connected only once the worker has the rings */
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	CU_ASSERT_EQUAL(did.ms, XENBUS_ATTACH_LIMIT);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	CU_ASSERT_EQUAL(get(BACK "/sectors"), 1024);
	CU_ASSERT_EQUAL(did.ms, 0);
	frontend(XenbusStateConnected);
	CU_ASSERT_TRUE(did.changed > 0);
	/* xl block-detach */
	force_close();
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSING);
	CU_ASSERT_EQUAL(did.detach, 0);
	CU_ASSERT_EQUAL(did.ms, XENBUS_CLOSE_GRACE);
	frontend(XenbusStateClosing);
	CU_ASSERT_EQUAL(did.detach, 0);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(did.detach, 1);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
}

static void test_connected_without_initialised(void)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateConnected);
	CU_ASSERT_EQUAL(did.attach, 1);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CONNECTED);
	teardown();
}

/* GRUB closes in order and hands over to Linux: the same device, a second time. */
static void test_reconnect(void)
{
	int i;

	setup(false);
	connect();
	for (i = 0; i < 3; i++) {
		frontend(XenbusStateClosing);
		CU_ASSERT_EQUAL(get(BACK "/state"), 5);
		CU_ASSERT_EQUAL(did.ms, 0); /* nobody hurries it */
		frontend(XenbusStateClosed);
		xenbus_detached(&x);
		CU_ASSERT_EQUAL(get(BACK "/state"), 6);
		CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
		frontend(XenbusStateInitialising);
		CU_ASSERT_EQUAL(get(BACK "/state"), 2);
		frontend(XenbusStateInitialised);
		CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
		xenbus_attached(&x, 0);
		frontend(XenbusStateConnected);
		CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	}
	CU_ASSERT_EQUAL(did.probe, 1);
	CU_ASSERT_EQUAL(did.ready, 1);
	CU_ASSERT_EQUAL(did.attach, 4);
	CU_ASSERT_EQUAL(did.disconnected, 3);
	/* A crash kernel does not close: it just begins again. */
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	frontend(XenbusStateInitialised);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	/* Closing in the middle of the handshake, and offline: no return. */
	xenbus_attached(&x, 0);
	put(BACK "/online", "0");
	frontend(XenbusStateClosed);
	xenbus_detached(&x);
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	teardown();
}

static void test_frontend_does_not_close(void)
{
	setup(false);
	connect();
	force_close();
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	xenbus_timer(&x); /* the grace is over */
	CU_ASSERT_EQUAL(did.detach, 1);
	CU_ASSERT_EQUAL(did.ms, XENBUS_FORCE_LIMIT);
	/* and a second for I/O that outlives a killed worker */
	CU_ASSERT_TRUE(XENBUS_CLOSE_GRACE + XENBUS_FORCE_LIMIT + 1000 < 10000);
	CU_ASSERT_TRUE(XENBUS_HURRY_LIMIT + 1000 < 10000);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	/* It still says Connected: that is not a wish to come back, even if online again.
	 */
	see(BACK "/online", "1");
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(x.phase, XENBUS_WAIT);
	teardown();
}

/* What it took to close is not the worker's any more, little as it may be. */
static void test_frontend_closes_late(void)
{
	setup(false);
	connect();
	force_close();
	frontend(XenbusStateClosing);
	CU_ASSERT_EQUAL(did.detach, 0);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(did.detach, 1);
	CU_ASSERT_EQUAL(did.ms, XENBUS_FORCE_LIMIT);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	teardown();
}

static void test_worker_does_not_detach(void)
{
	setup(false);
	connect();
	force_close();
	xenbus_timer(&x);
	xenbus_timer(&x); /* and the worker's time */
	CU_ASSERT_EQUAL(did.kill, 1);
	CU_ASSERT_EQUAL(did.released, 1);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
}

/* A slow disk, detached: the guest's other disks must not die of it, unless it does. */
static void test_slow_and_shared(void)
{
	setup(false);
	connect();
	did.shared = true;
	force_close();
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(did.detach, 1);
	CU_ASSERT_EQUAL(did.ms, XENBUS_DETACH_LIMIT);
	remove_dirs(); /* libxl gave up */
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	CU_ASSERT_EQUAL(did.ms, XENBUS_DETACH_LIMIT);
	xenbus_domain_gone(&x);
	CU_ASSERT_EQUAL(did.ms, XENBUS_HURRY_LIMIT);
	CU_ASSERT_EQUAL(did.kill, 0);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(did.kill, 1);
	check_over();
	teardown();
}

static void test_worker_does_not_attach(void)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(did.kill, 1);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_TRUE(get(ERROR) != -1);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
}

/* Each way a frontend can leave in each phase. */
static void leave(int state, enum xenbus_phase from)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	if (from >= XENBUS_ATTACHING)
		frontend(XenbusStateInitialised);
	if (from >= XENBUS_CONNECTED)
		xenbus_attached(&x, 0);
	if (from >= XENBUS_CLOSING)
		frontend(XenbusStateClosing);
	CU_ASSERT_EQUAL(x.phase, from);
	if (state >= 0) {
		frontend(state);
	} else {
		tool->ops->rm(tool, 0, FRONT);
		xenbus_poll(&x);
	}
	if (from == XENBUS_ATTACHING)
		xenbus_attached(&x, 0); /* crosses our DETACH */
	if (x.phase == XENBUS_DETACHING)
		xenbus_detached(&x);
	if (x.phase == XENBUS_CLOSING && state == XenbusStateClosing)
		frontend(XenbusStateClosed);
	if (x.phase == XENBUS_DETACHING)
		xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	CU_ASSERT_EQUAL(did.detach, from >= XENBUS_ATTACHING ? 1 : 0);
	/* and it may come back */
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	remove_dirs();
	check_over();
	teardown();
}

static void test_frontend_leaves(void)
{
	enum xenbus_phase from;

	for (from = XENBUS_WAIT; from <= XENBUS_CLOSING; from++) {
		leave(-1, from);
		leave(XenbusStateClosed, from);
		leave(XenbusStateClosing, from);
	}
}

/* It says Closed, and Connected again before the worker has let go. */
static void test_changed_its_mind(void)
{
	setup(false);
	connect();
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	frontend(XenbusStateConnected);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.ms, XENBUS_CLOSE_GRACE);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
}

static void test_nonsense_state(void)
{
	static const char *const nonsense[] = {
		"", "x", "-1", "9", "4 ", "0x4", "18446744073709551620"};
	unsigned int i;

	for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		setup(false);
		connect();
		see(FRONT "/state", nonsense[i]);
		CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
		xenbus_detached(&x);
		CU_ASSERT_EQUAL(get(BACK "/state"), 6);
		remove_dirs();
		check_over();
		teardown();
	}
}

/* The backend directory goes in each phase; xl destroy: the frontend goes first. */
static void vanish(enum xenbus_phase from)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	if (from >= XENBUS_ATTACHING)
		frontend(XenbusStateInitialised);
	if (from >= XENBUS_CONNECTED)
		xenbus_attached(&x, 0);
	if (from >= XENBUS_CLOSING)
		frontend(XenbusStateClosing);
	if (from >= XENBUS_DETACHING)
		frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(x.phase, from);
	remove_dirs();
	if (from >= XENBUS_ATTACHING) {
		CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
		CU_ASSERT_EQUAL(did.ms, XENBUS_HURRY_LIMIT);
		CU_ASSERT_EQUAL(did.gone, 0);
		xenbus_detached(&x);
	}
	check_over();
	teardown();
}

static void test_directory_removed(void)
{
	enum xenbus_phase from;

	for (from = XENBUS_WAIT; from <= XENBUS_DETACHING; from++)
		vanish(from);
}

static void test_destroy(void)
{
	setup(false);
	connect();
	tool->ops->rm(tool, 0, FRONT);
	force_close();
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	CU_ASSERT_EQUAL(did.ms, XENBUS_HURRY_LIMIT); /* all of libxl's time */
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
}

static void test_domain_released(void)
{
	setup(false);
	connect();
	xenbus_domain_gone(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	CU_ASSERT_EQUAL(did.ms, XENBUS_DETACH_LIMIT); /* nobody waits */
	see(BACK "/online", "0");
	CU_ASSERT_EQUAL(did.ms, XENBUS_HURRY_LIMIT); /* now libxl does */
	did.ms = 1;
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(did.ms, 1); /* and that counts once */
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	/* its nodes still say Connected, but nobody will come back */
	frontend(XenbusStateClosed);
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	remove_dirs();
	check_over();
	teardown();
	/* in the middle of the handshake */
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	xenbus_domain_gone(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	teardown();
}

static void test_force_before_connect(void)
{
	setup(false);
	xenbus_poll(&x);
	force_close(); /* a guest without a driver */
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	CU_ASSERT_EQUAL(did.attach, 0);
	teardown();
	setup(false);
	put(BACK "/online", "0"); /* closed before we looked the first time */
	put(BACK "/state", "5");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
	/* online=0 alone is a wish too */
	setup(false);
	connect();
	see(BACK "/online", "0");
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.ms, XENBUS_CLOSE_GRACE);
	teardown();
}

static void test_force_while_draining(void)
{
	setup(false);
	connect();
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(did.ms, XENBUS_DETACH_LIMIT);
	force_close();
	CU_ASSERT_EQUAL(did.ms, XENBUS_HURRY_LIMIT);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	teardown();
	/* and while a frontend takes its time to close */
	setup(false);
	connect();
	frontend(XenbusStateClosing);
	CU_ASSERT_EQUAL(did.ms, 0);
	force_close();
	CU_ASSERT_EQUAL(did.ms, XENBUS_CLOSE_GRACE);
	teardown();
}

static void test_hotplug(void)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "error");
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.ready, 0);
	CU_ASSERT_TRUE(get(ERROR) != -1);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	check_over();
	teardown();
	/* the interface is not there yet */
	setup(false);
	did.ready_result = -EAGAIN;
	xenbus_poll(&x);
	frontend(XenbusStateInitialised);
	see(BACK "/hotplug-status", "connected");
	CU_ASSERT_EQUAL(x.phase, XENBUS_WAIT);
	CU_ASSERT_EQUAL(did.ready, 1);
	did.ready_result = 0;
	see(BACK "/physical-device", "7:0");
	CU_ASSERT_EQUAL(did.ready, 2);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	teardown();
}

static void check_failed(void)
{
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_TRUE(get(ERROR) < 0);
	/* the frontend need not have noticed that there is a device */
	CU_ASSERT_EQUAL(did.ms, XENBUS_CLOSE_GRACE);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	CU_ASSERT_EQUAL(x.phase, XENBUS_GONE);
	CU_ASSERT_EQUAL(did.gone, 1);
	teardown();
}

static bool error_says(const char *text)
{
	char *v = store_read(tool, 0, "%s", ERROR);
	bool same = v && strstr(v, text);

	free(v);
	return same;
}

/* What the class says of its failure is better than what the machine could say. */
static void test_detailed_error(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		setup(false);
		did.ready_result = -ENOENT;
		did.reason = i ? NULL : "/img/a: it has gone";
		put(BACK "/hotplug-status", "connected");
		xenbus_poll(&x);
		CU_ASSERT_EQUAL(get(BACK "/state"), 5);
		CU_ASSERT_TRUE(error_says(i ? "cannot open the device" : did.reason));
		teardown();
	}
}

static void test_class_fails(void)
{
	setup(false);
	did.probe_result = -EINVAL;
	xenbus_poll(&x);
	check_failed();
	CU_ASSERT_EQUAL(did.remove, 0);

	setup(false);
	did.ready_result = -ENOENT;
	put(BACK "/hotplug-status", "connected");
	xenbus_poll(&x);
	check_failed();
	CU_ASSERT_EQUAL(did.remove, 1);

	setup(false);
	did.attach_result = -EPROTO;
	put(BACK "/hotplug-status", "connected");
	put(FRONT "/state", "3");
	xenbus_poll(&x);
	check_failed();
	CU_ASSERT_EQUAL(did.detach, 0);

	setup(false);
	put(BACK "/hotplug-status", "connected");
	put(FRONT "/state", "3");
	xenbus_poll(&x);
	xenbus_attached(&x, -ENOMEM);
	check_failed();
	CU_ASSERT_EQUAL(did.released, 1);

	setup(false);
	did.publish_result = -EIO;
	put(BACK "/hotplug-status", "connected");
	put(FRONT "/state", "3");
	xenbus_poll(&x);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(did.detach, 1);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	CU_ASSERT_EQUAL(did.released, 1);
	teardown();
}

static void test_probe_again(void)
{
	setup(false);
	did.probe_result = -EBUSY;
	xenbus_poll(&x);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	did.probe_result = 0;
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(did.probe, 2);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	remove_dirs();
	check_over();
	teardown();
}

static void test_broken(void)
{
	setup(false);
	connect();
	xenbus_broken(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.detach, 1); /* at once, whatever the frontend says */
	xenbus_broken(&x);
	CU_ASSERT_EQUAL(did.detach, 1);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	frontend(XenbusStateInitialising); /* it does not get away with that */
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	frontend(XenbusStateClosed);
	frontend(XenbusStateInitialising); /* a fresh driver may */
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	xenbus_broken(&x); /* late, from a connection that is over */
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	teardown();
}

static void test_worker_dies(void)
{
	setup(false);
	connect();
	xenbus_lost(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.released, 1);
	CU_ASSERT_EQUAL(did.detach, 0);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	frontend(XenbusStateInitialising);
	frontend(XenbusStateInitialised);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	xenbus_lost(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_FALSE(x.attached);
	xenbus_lost(&x); /* not attached: nothing */
	CU_ASSERT_EQUAL(did.released, 2);
	remove_dirs();
	check_over();
	teardown();
}

/* The worker is found dead in the very call that asks it to detach. */
static void test_worker_dies_when_asked(void)
{
	setup(false);
	connect();
	did.sync_loss = true;
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	CU_ASSERT_EQUAL(did.released, 1);
	teardown();
	setup(false);
	connect();
	did.sync_loss = true;
	remove_dirs();
	check_over();
	teardown();
}

static void test_foreign(void)
{
	setup(false);
	did.foreign = true;
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	force_close();
	CU_ASSERT_EQUAL(x.phase, XENBUS_FOREIGN);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_EQUAL(did.probe, 0);
	remove_dirs();
	check_over();
	teardown();
}

/* A supervisor that was started anew. */
static void test_resume(void)
{
	setup(true);
	put(BACK "/hotplug-status", "connected");
	put(BACK "/state", "4");
	put(FRONT "/state", "4");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CONNECTED);
	CU_ASSERT_EQUAL(did.resume, 1);
	CU_ASSERT_EQUAL(did.probe + did.attach + did.publish, 0);
	frontend(XenbusStateClosing);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(did.detach, 1);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	frontend(XenbusStateInitialising);
	frontend(XenbusStateInitialised);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	xenbus_attached(&x, 0);
	remove_dirs();
	xenbus_detached(&x);
	check_over();
	teardown();
	/* the class cannot take it up */
	setup(true);
	did.resume_result = -EIO;
	put(BACK "/state", "4");
	put(FRONT "/state", "4");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(did.detach, 1);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	teardown();
	/* the one before us was stopped between attach and Connected */
	setup(true);
	put(BACK "/hotplug-status", "connected");
	put(BACK "/state", "2");
	put(FRONT "/state", "3");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(did.detach, 1);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(did.probe, 1);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	xenbus_attached(&x, 0);
	CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	teardown();
}

/* Found in each state with no worker: what an earlier supervisor left. */
static void test_found(void)
{
	setup(false);
	put(BACK "/state", "4");
	put(FRONT "/state", "4");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 5);
	CU_ASSERT_TRUE(get(ERROR) != -1);
	CU_ASSERT_EQUAL(did.probe, 0);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(did.probe, 1);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	teardown();

	setup(false);
	put(BACK "/state", "2");
	put(BACK "/hotplug-status", "connected");
	put(FRONT "/state", "3");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	teardown();

	setup(false);
	put(BACK "/state", "5");
	put(FRONT "/state", "5");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSING);
	frontend(XenbusStateClosed);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	teardown();

	setup(false);
	put(BACK "/state", "6");
	put(FRONT "/state", "6");
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_CLOSED);
	frontend(XenbusStateInitialising);
	CU_ASSERT_EQUAL(get(BACK "/state"), 2);
	teardown();
}

/* Removed and added again between two looks: the old one ends, the owner makes a new one.
 */
static void test_replaced(void)
{
	setup(false);
	connect();
	tool->ops->rm(tool, 0, BACK);
	add_device();
	xenbus_poll(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_DETACHING);
	xenbus_detached(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_GONE);
	CU_ASSERT_EQUAL(get(BACK "/state"), 1); /* untouched */
	teardown();
}

/* What a class writes after the toolstack's rm is cleaned up with the state. */
static void test_no_ghost(void)
{
	setup(false);
	xenbus_poll(&x);
	see(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	tool->ops->rm(tool, 0, BACK); /* not seen yet */
	xenbus_attached(&x, 0);       /* publishes sectors and Connected */
	CU_ASSERT_EQUAL(get(BACK "/sectors"), -1);
	CU_ASSERT_EQUAL(get(BACK "/state"), -1);
	xenbus_detached(&x);
	check_over();
	teardown();
}

/* ---- any order of everything, from a seed ---- */

static unsigned int seed;

static unsigned int chance(unsigned int n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

/* One thing that somebody may do just now. */
static void anything(void)
{
	static const char *const hotplug[] = {"connected", "connected", "error", "x"};
	char text[8];

	switch (chance(12)) {
	case 0:
	case 1:
	case 2:
		snprintf(text, sizeof(text), "%u", chance(10));
		see(FRONT "/state", text);
		break;
	case 3:
		see(BACK "/hotplug-status", hotplug[chance(4)]);
		break;
	case 4:
		see(BACK "/online", chance(3) ? "1" : "0");
		break;
	case 5:
		force_close();
		break;
	case 6:
		tool->ops->rm(tool, 0, FRONT);
		xenbus_poll(&x);
		break;
	case 7:
		if (x.phase == XENBUS_ATTACHING ||
		    (x.phase == XENBUS_DETACHING && chance(2)))
			xenbus_attached(&x, chance(4) ? 0 : -ENOMEM);
		break;
	case 8:
		xenbus_detached(&x);
		break;
	case 9:
		if (chance(2))
			xenbus_broken(&x);
		else
			xenbus_lost(&x);
		break;
	case 10:
		if (did.ms)
			xenbus_timer(&x);
		break;
	case 11:
		did.shared = chance(2);
		did.probe_result = chance(8) ? 0 : -EBUSY;
		did.ready_result = chance(4) ? 0 : chance(2) ? -EAGAIN : -EIO;
		did.publish_result = chance(8) ? 0 : -EIO;
		did.attach_result = chance(4) ? 0 : -EPROTO;
		break;
	}
}

static bool sane(void)
{
	bool held = x.phase == XENBUS_ATTACHING || x.phase == XENBUS_CONNECTED ||
		    x.phase == XENBUS_DETACHING;

	/* who holds, and for how long */
	if ((held && !x.attached) || (x.attached && !held && x.phase != XENBUS_CLOSING))
		return false;
	if ((x.phase == XENBUS_ATTACHING || x.phase == XENBUS_DETACHING) && !x.limit &&
	    !did.kill)
		return false;
	/* what is told: Connected only with a worker, Closed only without */
	if (x.state == XenbusStateConnected && !x.attached)
		return false;
	if (x.state == XenbusStateClosed && x.attached)
		return false;
	/* let go as often as taken, and once */
	return did.released <= did.attach && did.released == did.disconnected &&
	       did.detach <= did.attach && x.phase != XENBUS_GONE;
}

static void walk(unsigned int from)
{
	int i;

	seed = from;
	setup(false);
	xenbus_poll(&x);
	for (i = 0; i < 200; i++) {
		anything();
		if (!sane()) {
			printf("\n    seed %u, step %d, phase %s ", from, i,
			       xenbus_phase_name(x.phase));
			CU_FAIL("not sane");
			break;
		}
	}
	/* However it stands: once the toolstack removes it and the worker answers, it is
	 * over. */
	remove_dirs();
	if (x.phase == XENBUS_DETACHING)
		xenbus_detached(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_GONE);
	CU_ASSERT_EQUAL(did.gone, 1);
	CU_ASSERT_FALSE(x.attached);
	CU_ASSERT_EQUAL(get(BACK "/state"), -1);
	CU_ASSERT_EQUAL(did.ms, 0);
	teardown();
}

static void test_walks(void)
{
	unsigned int i;

	for (i = 1; i <= 500; i++)
		walk(i);
}

/* A connection's life in which the @nth operation on the store fails. */
static bool life(uint64_t nth)
{
	uint64_t calls;
	int i;

	setup(false);
	calls = store_mem_calls(store);
	store_mem_fail(store, nth, EIO);
	xenbus_poll(&x);
	put(BACK "/hotplug-status", "connected");
	frontend(XenbusStateInitialised);
	for (i = 0; i < 3 && x.phase != XENBUS_ATTACHING; i++)
		xenbus_timer(&x);
	CU_ASSERT_EQUAL(x.phase, XENBUS_ATTACHING);
	xenbus_attached(&x, 0);
	frontend(XenbusStateConnected);
	for (i = 0; i < 3 && did.ms; i++)
		xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 4);
	force_close();
	frontend(XenbusStateClosed);
	for (i = 0; i < 3 && x.phase != XENBUS_DETACHING; i++)
		xenbus_timer(&x);
	xenbus_detached(&x);
	for (i = 0; i < 3 && did.ms; i++)
		xenbus_timer(&x);
	CU_ASSERT_EQUAL(get(BACK "/state"), 6);
	remove_dirs();
	for (i = 0; i < 3 && did.ms; i++)
		xenbus_timer(&x);
	check_over();
	calls = store_mem_calls(store) - calls;
	teardown();
	return nth > calls;
}

static void test_store_faults(void)
{
	uint64_t nth = 1;

	while (!life(nth) && nth < 1000)
		nth++;
	CU_ASSERT_TRUE(nth > 30 && nth < 1000);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"detailed error", test_detailed_error},
		{"connect and detach", test_connect_and_detach},
		{"connected without initialised", test_connected_without_initialised},
		{"reconnect", test_reconnect},
		{"frontend does not close", test_frontend_does_not_close},
		{"frontend closes late", test_frontend_closes_late},
		{"worker does not detach", test_worker_does_not_detach},
		{"slow and shared", test_slow_and_shared},
		{"worker does not attach", test_worker_does_not_attach},
		{"frontend leaves", test_frontend_leaves},
		{"changed its mind", test_changed_its_mind},
		{"nonsense state", test_nonsense_state},
		{"directory removed", test_directory_removed},
		{"destroy", test_destroy},
		{"domain released", test_domain_released},
		{"force before connect", test_force_before_connect},
		{"force while draining", test_force_while_draining},
		{"hotplug", test_hotplug},
		{"class fails", test_class_fails},
		{"probe again", test_probe_again},
		{"broken", test_broken},
		{"worker dies", test_worker_dies},
		{"worker dies when asked", test_worker_dies_when_asked},
		{"foreign", test_foreign},
		{"resume", test_resume},
		{"found", test_found},
		{"replaced", test_replaced},
		{"no ghost", test_no_ghost},
		{"walks", test_walks},
		{"store faults", test_store_faults},
		CU_TEST_INFO_NULL,
	};

	return suite_main("xenbus", tests);
}
