/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attacks of tests/guest-process on a disk, in one process: the state machine
 * and blkback's class over the in-memory store, the worker's class with its threads
 * over the loopback. Every attack gets the answer its table calls right, and
 * whatever it was, nothing of the guest is held once its device is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/blkback/vbd.h"
#include "backends/blkback/vbd_backend.h"
#include "backends/common/log.h"
#include "backends/common/loopback.h"
#include "backends/common/store_mem.h"
#include "backends/common/xenbus.h"
#include "tests/guest-process/attack.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/suite.h"

#define BACK   "/local/domain/0/backend/vbd/3/51712"
#define FRONT  "/local/domain/3/device/vbd/51712"
#define FRAMES 1024u

/* What a worker's process and the supervisor's loop are, between them. */
struct world {
	struct attack_env env; /* first */
	struct front_loopback fl;
	struct loopback *lb;
	struct store *store;
	struct backend be;
	struct xenbus x;
	struct worker_device *dev;
	int attach_status;
	bool attach_answer, detach_answer, gone;
	bool broken; /* set by queue threads */
	unsigned long long timer;
};

static struct world w;
static char image[64], conf_path[64];

static unsigned long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000 +
	       (unsigned long long)t.tv_nsec / 1000000;
}

/* ---- what the classes ask of their surroundings ---- */

int backend_update(struct backend *b, const void *payload, size_t size, const int *fds,
		   unsigned int nfds)
{
	(void)b;
	return vbd_worker_class.update(w.dev, payload, size, fds, nfds);
}

struct events *events_fdopen_xen(int fd, uint32_t domid)
{
	(void)domid;
	close(fd);
	return loopback_events(w.lb);
}

struct grants *worker_grants(struct worker *worker)
{
	(void)worker;
	return loopback_grants(w.lb);
}

void worker_broken(struct worker *worker, uint32_t devid, const char *fmt, ...)
{
	(void)worker;
	(void)devid;
	(void)fmt;
	__atomic_store_n(&w.broken, true, __ATOMIC_RELEASE);
}

/* ---- what the state machine asks of the supervisor ---- */

static bool op_foreign(struct xenbus *x)
{
	(void)x;
	return false;
}

static int op_attach(struct xenbus *x)
{
	struct backend_attach *out = calloc(1, sizeof(*out));
	struct backend *be = x->be;
	int err = out ? be->class->connect(be, out, &be->state_size) : -ENOMEM;

	if (err) {
		free(out);
		return err;
	}
	be->state_size = (be->state_size + 63) & ~(size_t)63;
	be->state = aligned_alloc(64, be->state_size);
	memset(be->state, 0, be->state_size);
	be->class->prepare(be);
	w.broken = false;
	w.attach_status = vbd_worker_class.attach(NULL, be->devid, out->payload,
						  out->size, out->fds, out->nfds,
						  be->state, be->state_size, &w.dev);
	if (w.attach_status)
		w.dev = NULL;
	w.attach_answer = true;
	free(out);
	return 0;
}

static void op_detach(struct xenbus *x)
{
	(void)x;
	if (w.dev)
		vbd_worker_class.detach(w.dev);
	w.dev = NULL;
	w.detach_answer = true;
}

static bool op_shared(struct xenbus *x)
{
	(void)x;
	return false;
}

static void op_kill(struct xenbus *x)
{
	(void)x;
	CU_FAIL("the worker had to be killed");
}

static void op_released(struct xenbus *x)
{
	free(x->be->state);
	x->be->state = NULL;
}

static void op_timer(struct xenbus *x, unsigned int ms)
{
	(void)x;
	w.timer = ms ? now_ms() + ms : 0;
}

static void op_gone(struct xenbus *x)
{
	(void)x;
	w.gone = true;
}

static const struct xenbus_ops ops = {
	.foreign = op_foreign,
	.attach = op_attach,
	.detach = op_detach,
	.shared = op_shared,
	.kill = op_kill,
	.released = op_released,
	.timer = op_timer,
	.gone = op_gone,
};

/* One round of the supervisor's loop. */
static void supervise(void)
{
	xenbus_poll(&w.x);
	if (w.attach_answer) {
		w.attach_answer = false;
		xenbus_attached(&w.x, w.attach_status);
	}
	if (__atomic_exchange_n(&w.broken, false, __ATOMIC_ACQUIRE))
		xenbus_broken(&w.x);
	if (w.detach_answer) {
		w.detach_answer = false;
		xenbus_detached(&w.x);
	}
	if (w.timer && now_ms() >= w.timer) {
		w.timer = 0;
		xenbus_timer(&w.x);
	}
}

static void env_pause(struct attack_env *env, int ms)
{
	unsigned long long until = now_ms() + (unsigned int)(ms < 50 ? 2 : ms / 10);

	(void)env;
	do {
		supervise();
		poll(NULL, 0, 1);
	} while (now_ms() < until);
}

static void env_rm(struct attack_env *env, const char *node)
{
	char path[256];

	(void)env;
	snprintf(path, sizeof(path), FRONT "/%s", node);
	w.store->ops->rm(w.store, 0, path);
}

/* ---- a guest with one disk ---- */

static void put(const char *path, const char *node, const char *value)
{
	CU_ASSERT_TRUE_FATAL(store_write(w.store, 0, value, "%s/%s", path, node));
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.store = store_open_mem();
	w.lb = loopback_new(FRAMES, 2 * FRAMES, 32);
	CU_ASSERT_FATAL(w.store && w.lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&w.fl, w.lb, 0, FRAMES), 0);
	front_loopback_use_store(&w.fl, w.store, FRONT, BACK);
	store_mem_domain_add(w.store, 3);
	put(BACK, "frontend", FRONT);
	put(BACK, "frontend-id", "3");
	put(BACK, "online", "1");
	put(BACK, "state", "1");
	put(BACK, "mode", "w");
	put(BACK, "device-type", "disk");
	put(BACK, "dev", "xvda");
	put(BACK, "params", image);
	put(BACK, "hotplug-status", "connected");
	put(FRONT, "backend", BACK);
	put(FRONT, "backend-id", "0");
	put(FRONT, "state", "1");
	w.be = (struct backend){
		.class = &vbd_backend_class,
		.store = w.store,
		.domid = 3,
		.devid = 51712,
		.path = strdup(BACK),
		.frontend = strdup(FRONT),
		.guest = strdup("evil"),
		.conf = conf_load(conf_path, vbd_backend_class.conf_keys),
	};
	CU_ASSERT_PTR_NOT_NULL_FATAL(w.be.conf);
	xenbus_init(&w.x, &ops, &w.be, false);
	w.env.os = &w.fl.os;
	w.env.pause = env_pause;
	w.env.rm = env_rm;
	w.env.limit_ms = 300000; /* 30 s: env_pause(); a disk may be busy */
}

/* The domain dies; the backend must let go of all it held, and end. */
static void end(void)
{
	unsigned long long until = now_ms() + 20000;
	struct loopback_audit audit;

	store_mem_domain_die(w.store, 3);
	xenbus_domain_gone(&w.x);
	w.store->ops->rm(w.store, 0, BACK);
	while (!w.gone && now_ms() < until)
		env_pause(&w.env, 1);
	CU_ASSERT_TRUE(w.gone);
	CU_ASSERT_PTR_NULL(w.dev);
	loopback_audit(w.lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages, 0);
	CU_ASSERT_EQUAL(audit.bound_ports, 0);
	CU_ASSERT_EQUAL(audit.open_sets, 0);
	if (w.env.bf.os)
		CU_ASSERT_EQUAL(blkfront_close(&w.env.bf), FRONT_OK);
	front_loopback_fini(&w.fl);
	loopback_free(w.lb);
	conf_free((struct conf *)w.be.conf);
	free(w.be.path);
	free(w.be.frontend);
	free(w.be.guest);
	w.store->ops->close(w.store);
}

static void run_named(const char *prefix)
{
	unsigned int ran = 0;

	for (const struct attack *a = attacks_vbd; a->name; a++) {
		enum answer answer;

		if (strncmp(a->name, prefix, strlen(prefix)))
			continue;
		begin();
		if (!strcmp(a->name, "vbd-never-closes"))
			w.env.limit_ms = 1000;
		answer = attack_run(&w.env, a);
		if (!(a->right & 1u << answer)) {
			printf("\n    %s: %s %s\n", a->name, answer_name(answer),
			       w.env.text ? w.env.text : "");
			CU_FAIL("the wrong answer");
		}
		end();
		ran++;
	}
	CU_ASSERT(ran > 0);
}

static void test_honest(void)
{
	run_named("vbd-honest");
}

static void test_indices(void)
{
	run_named("vbd-producer");
	run_named("vbd-index");
	run_named("vbd-own");
}

static void test_requests(void)
{
	static const char *const kinds[] = {
		"vbd-segments", "vbd-operation", "vbd-gref",
		"vbd-beyond",   "vbd-sector",    "vbd-first",
		"vbd-last",     "vbd-discard",   "vbd-handle",
	};

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		run_named(kinds[i]);
}

static void test_indirect(void)
{
	run_named("vbd-indirect");
}

static void test_nodes(void)
{
	run_named("vbd-node");
}

static void test_states(void)
{
	run_named("vbd-state");
}

static void test_vanish(void)
{
	run_named("vbd-vanish");
	run_named("vbd-never");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"honest front ends", test_honest},
		{"ring indices", test_indices},
		{"requests", test_requests},
		{"indirect requests", test_indirect},
		{"nonsense in xenstore", test_nodes},
		{"states that make no sense", test_states},
		{"a front end that vanishes", test_vanish},
		CU_TEST_INFO_NULL,
	};
	int fd, status;

	log_init("front_hostile", (enum log_level)0);
	snprintf(image, sizeof(image), "/tmp/xylem-hostile-%d.img", getpid());
	snprintf(conf_path, sizeof(conf_path), "/tmp/xylem-hostile-%d.none", getpid());
	fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4 << 20)) {
		perror(image);
		return 1;
	}
	close(fd);
	status = suite_main("hostile front ends on a disk", tests);
	unlink(image);
	return status;
}
