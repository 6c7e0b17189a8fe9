/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Supervisor and workers together, as real processes, with a store in memory:
 * this program starts itself as the worker, with a class whose devices do what
 * their payload says. Uids and namespaces are changed when run as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/common/state.h"
#include "backends/common/store_mem.h"
#include "backends/common/supervisor.h"
#include "backends/common/worker.h"
#include "backends/common/xenbus.h"
#include "tests/unit/open_fds.h"
#include "tests/unit/privileged.h"
#include "tests/unit/suite.h"

#define UID_BASE 720000u

/* ---- the worker's side ---- */

enum deed {
	DEED_SERVE,     /* count in the state until told to stop */
	DEED_REFUSE,    /* attach fails */
	DEED_CRASH,     /* attach, then die of a signal */
	DEED_FORBIDDEN, /* attach, then make a forbidden system call */
	DEED_BROKEN,    /* attach, then say that the frontend broke the protocol, twice */
	DEED_NONSENSE,  /* attach, then send what nobody asked for */
	DEED_GARBAGE,   /* attach, then send bytes that are no message */
	DEED_DEAF,      /* attach, then close the control socket and stay */
	DEED_STATELESS, /* no worker is told: its state cannot be made */
};

/* What the test and its devices share. */
struct echo_state {
	struct state_head head;
	struct state_queue queue;
	_Atomic(uint64_t) count;
	_Atomic(uint32_t) updates, fds, uid, detached, prepared;
	_Atomic(uint32_t) hold; /* detach lasts as long as this is set */
};

struct worker_device {
	struct worker *w;
	uint32_t devid;
	enum deed deed;
	struct echo_state *state;
	pthread_t thread;
	atomic_bool stop;
};

static void send_raw(const void *bytes, size_t size)
{
	if (send(3, bytes, size, 0) < 0)
		abort();
}

static void do_deed(struct worker_device *dev)
{
	struct control_msg m = {
		CONTROL_MAGIC, CONTROL_VERSION, CONTROL_DETACHED, dev->devid, 0, 0, 0, 0};

	switch (dev->deed) {
	case DEED_CRASH:
		abort();
	case DEED_FORBIDDEN:
		syscall(SYS_io_uring_setup, 8, NULL);
		break;
	case DEED_BROKEN:
		worker_broken(dev->w, dev->devid, "ring index %u is out of range", 77u);
		worker_broken(dev->w, dev->devid, "and again");
		break;
	case DEED_NONSENSE:
		send_raw(&m, sizeof(m));
		break;
	case DEED_GARBAGE:
		send_raw("garbage", 7);
		break;
	case DEED_DEAF:
		shutdown(3, SHUT_RDWR);
		break;
	case DEED_SERVE:
	case DEED_REFUSE:
	case DEED_STATELESS:
		break;
	}
}

static void *serve(void *arg)
{
	static const struct timespec nap = {0, 1000000};
	struct worker_device *dev = arg;

	nanosleep(&nap, NULL); /* let ATTACHED go first, mostly */
	do_deed(dev);
	while (!atomic_load(&dev->stop)) {
		atomic_fetch_add(&dev->state->count, 1);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static int echo_attach(struct worker *w, uint32_t devid, const void *payload, size_t size,
		       const int *fds, unsigned int nfds, void *state, size_t state_size,
		       struct worker_device **out)
{
	struct worker_device *dev = calloc(1, sizeof(*dev));
	unsigned int i;
	uint32_t deed;

	for (i = 0; i < nfds; i++)
		close(fds[i]);
	if (!dev || size != sizeof(deed) || state_size != sizeof(struct echo_state))
		abort();
	memcpy(&deed, payload, sizeof(deed));
	dev->w = w;
	dev->devid = devid;
	dev->deed = deed;
	dev->state = state;
	atomic_store(&dev->state->fds, nfds);
	atomic_store(&dev->state->uid, getuid());
	if (deed == DEED_REFUSE || pthread_create(&dev->thread, NULL, serve, dev)) {
		free(dev);
		return -ENOSPC;
	}
	*out = dev;
	return 0;
}

static int echo_update(struct worker_device *dev, const void *payload, size_t size,
		       const int *fds, unsigned int nfds)
{
	(void)payload;
	while (nfds)
		close(fds[--nfds]);
	atomic_fetch_add(&dev->state->updates, (uint32_t)size);
	return 0;
}

static void echo_detach(struct worker_device *dev)
{
	while (atomic_load(&dev->state->hold))
		usleep(1000);
	atomic_store(&dev->stop, true);
	pthread_join(dev->thread, NULL);
	atomic_store(&dev->state->detached, 1);
	free(dev);
}

static void no_close(struct grants *g)
{
	(void)g;
}

static struct grants *no_grants(uint32_t domid)
{
	static const struct grants_ops ops = {.close = no_close};
	static struct grants g = {.ops = &ops};

	g.domid = domid;
	return &g;
}

static const struct worker_class echo_worker = {
	.type = "vbd",
	.uring_pool = 2,
	.open_grants = no_grants,
	.attach = echo_attach,
	.update = echo_update,
	.detach = echo_detach,
};

/* ---- the supervisor's side ---- */

static int nr_probe, nr_remove, nr_resume, nr_publish, nr_changed, nr_disconnected;

static int echo_probe(struct backend *be)
{
	(void)be;
	nr_probe++;
	return 0;
}

static int echo_ready(struct backend *be)
{
	(void)be;
	return 0;
}

/* The frontend says in "deed" what its device is to do. */
static int echo_connect(struct backend *be, struct backend_attach *out,
			size_t *state_size)
{
	uint64_t deed = 0;
	uint32_t payload;
	int rc = store_get_u64(be->store, 0, be->frontend, "deed", 0, DEED_STATELESS, &deed);

	if (rc && rc != -ENOENT)
		return rc;
	payload = (uint32_t)deed;
	memcpy(out->payload, &payload, sizeof(payload));
	out->size = sizeof(payload);
	out->fds[out->nfds++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	out->fds[out->nfds++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	be->file_max = be->devid;
	*state_size = deed == DEED_STATELESS ? 0 : sizeof(struct echo_state);
	return 0;
}

static void echo_prepare(struct backend *be)
{
	struct echo_state *st = be->state;

	CU_ASSERT_EQUAL(st->head.magic, STATE_MAGIC);
	CU_ASSERT_EQUAL(st->head.size, sizeof(*st));
	st->head.nr_queues = 1;
	st->head.queue_size = sizeof(struct state_queue);
	atomic_store(&st->prepared, 1);
}

static int echo_resume(struct backend *be)
{
	CU_ASSERT_PTR_NOT_NULL(be->state);
	nr_resume++;
	return 0;
}

static int echo_publish(struct backend *be)
{
	(void)be;
	nr_publish++;
	return 0;
}

static void echo_changed(struct backend *be)
{
	(void)be;
	nr_changed++;
}

static void echo_disconnected(struct backend *be)
{
	(void)be;
	nr_disconnected++;
}

static void echo_remove(struct backend *be)
{
	(void)be;
	nr_remove++;
}

static bool busy;

static bool echo_busy(struct backend *be)
{
	(void)be;
	return busy;
}

static const struct conf_key keys[] = {
	{"depth", CONF_NUMBER, NULL, 1, 100},
	{NULL, CONF_NUMBER, NULL, 0, 0},
};

static const struct backend_class echo = {
	.name = "echoback",
	.type = "vbd",
	.conf_keys = keys,
	.uid_base = UID_BASE,
	.probe = echo_probe,
	.ready = echo_ready,
	.connect = echo_connect,
	.prepare = echo_prepare,
	.resume = echo_resume,
	.publish = echo_publish,
	.disconnected = echo_disconnected,
	.changed = echo_changed,
	.busy = echo_busy,
	.remove = echo_remove,
};

static struct store *store, *tool;
static struct supervisor *sup;
static char dir[64], conf_path[96], sysfs[96];
static unsigned int fds_before;
static bool privileged;
static unsigned int adopt_ms, patience_ms, linger_ms;

static void start(void)
{
	struct supervisor_options o = {
		.conf_path = conf_path,
		.runtime_dir = dir,
		.sysfs = sysfs,
		.store = store,
		.keep_ids = !privileged,
		.log_level = LOG_LEVEL_INFO,
		.adopt_ms = adopt_ms,
		.patience_ms = patience_ms,
		.linger_ms = linger_ms,
	};

	sup = supervisor_new(&echo, &o);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sup);
}

static void stop_supervisor(void)
{
	supervisor_free(sup);
	sup = NULL;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	fds_before = open_fds();
	nr_probe = nr_remove = nr_resume = nr_publish = nr_changed = 0;
	nr_disconnected = 0;
	adopt_ms = patience_ms = 0;
	linger_ms = 20;
	snprintf(dir, sizeof(dir), "/tmp/xylem-supervisor-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(conf_path, sizeof(conf_path), "%s/echo.conf", dir);
	snprintf(sysfs, sizeof(sysfs), "%s/sys", dir);
	write_file(conf_path, "[default]\ndepth = 5\n");
	store = store_open_mem();
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	tool = store_mem_connect(store);
	CU_ASSERT_PTR_NOT_NULL_FATAL(tool);
	store_mem_domain_add(tool, 5);
	store_mem_domain_add(tool, 6);
	start();
}

static void teardown(void)
{
	char command[128];
	int i;

	/* workers without devices end, and are reaped, before the supervisor goes */
	for (i = 0; i < 20; i++)
		supervisor_turn(sup, 5);
	supervisor_free(sup);
	CU_ASSERT_EQUAL(store_mem_watches(store), 0);
	CU_ASSERT_EQUAL(store_mem_transactions(store), 0);
	tool->ops->close(tool);
	store->ops->close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CU_ASSERT_EQUAL(system(command), 0);
	CU_ASSERT_EQUAL(open_fds(), fds_before);
}

/* ---- toolstack and guests ---- */

static void put(unsigned int domid, unsigned int devid, bool back, const char *node,
		const char *value)
{
	const char *format = back ? "/local/domain/0/backend/vbd/%u/%u/%s"
				  : "/local/domain/%u/device/vbd/%u/%s";
	char path[128];

	snprintf(path, sizeof(path), format, domid, devid, node);
	CU_ASSERT_TRUE(tool->ops->write(tool, 0, path, value));
}

static int state_of(unsigned int domid, unsigned int devid)
{
	char *v = store_read(tool, 0, "/local/domain/0/backend/vbd/%u/%u/state", domid,
			     devid);
	int n = v ? atoi(v) : -1;

	free(v);
	return n;
}

/* The loop runs until the device's backend is in @state; false: it never was. */
static bool until(unsigned int domid, unsigned int devid, int state)
{
	int i;

	for (i = 0; i < 500 && state_of(domid, devid) != state; i++)
		supervisor_turn(sup, 20);
	return state_of(domid, devid) == state;
}

static void turns(int n)
{
	while (n--)
		supervisor_turn(sup, 2);
}

static void add(unsigned int domid, unsigned int devid, enum deed deed)
{
	char text[64];

	snprintf(text, sizeof(text), "%u", (unsigned int)deed);
	put(domid, devid, false, "deed", text);
	put(domid, devid, false, "state", "1");
	snprintf(text, sizeof(text), "/local/domain/%u/device/vbd/%u", domid, devid);
	put(domid, devid, true, "frontend", text);
	put(domid, devid, true, "online", "1");
	put(domid, devid, true, "state", "1");
}

static void connect_device(unsigned int domid, unsigned int devid, enum deed deed)
{
	add(domid, devid, deed);
	CU_ASSERT_TRUE(until(domid, devid, 2));
	put(domid, devid, true, "hotplug-status", "connected");
	put(domid, devid, false, "state", "3");
}

static void remove_device(unsigned int domid, unsigned int devid)
{
	char path[96];

	snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%u", domid, devid);
	tool->ops->rm(tool, 0, path);
	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u/%u", domid, devid);
	tool->ops->rm(tool, 0, path);
	turns(5);
}

/* xl block-detach with a guest that plays along */
static void detach_device(unsigned int domid, unsigned int devid)
{
	put(domid, devid, true, "online", "0");
	put(domid, devid, true, "state", "5");
	turns(3);
	put(domid, devid, false, "state", "6");
	CU_ASSERT_TRUE(until(domid, devid, 6));
	remove_device(domid, devid);
}

/* What supervisor_each() says of a device; each.state is NULL when there is none. */
static struct {
	unsigned int domid, devid, count;
	int pid;
	struct echo_state *state;
	struct backend *be;
} each;

static void visit(struct backend *be, const char *phase, int pid, void *arg)
{
	(void)phase;
	(void)arg;
	each.count++;
	if (be->domid != each.domid || be->devid != each.devid)
		return;
	each.pid = pid;
	each.state = be->state;
	each.be = be;
}

static void look(unsigned int domid, unsigned int devid)
{
	memset(&each, 0, sizeof(each));
	each.domid = domid;
	each.devid = devid;
	supervisor_each(sup, visit, NULL);
}

/* The worker of @pid has ended (a zombie has, too: the supervisor reaps). */
static bool ended(int pid)
{
	int i;

	for (i = 0; i < 500 && !kill(pid, 0); i++)
		supervisor_turn(sup, 10);
	return kill(pid, 0) && errno == ESRCH;
}

static bool has_socket(unsigned int domid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/worker-%u.sock", dir, domid);
	return !access(path, F_OK);
}

/* ---- tests ---- */

static void test_life(void)
{
	struct echo_state *st;
	uint64_t count;
	int pid, i;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	st = each.state;
	pid = each.pid;
	CU_ASSERT_PTR_NOT_NULL_FATAL(st);
	CU_ASSERT_TRUE(pid > 0);
	CU_ASSERT_EQUAL(nr_publish, 1);
	CU_ASSERT_EQUAL(atomic_load(&st->fds), 2);
	CU_ASSERT_EQUAL(atomic_load(&st->prepared), 1);
	CU_ASSERT_EQUAL(atomic_load(&st->uid), privileged ? UID_BASE + 5 : geteuid());
	CU_ASSERT_TRUE(has_socket(5));
	/* it runs, and its counts are seen here */
	count = atomic_load(&st->count);
	for (i = 0; i < 200 && atomic_load(&st->count) < count + 3; i++)
		turns(1);
	CU_ASSERT_TRUE(atomic_load(&st->count) >= count + 3);
	/* an update reaches it */
	CU_ASSERT_EQUAL(backend_update(each.be, "abc", 3, NULL, 0), 0);
	for (i = 0; i < 200 && !atomic_load(&st->updates); i++)
		turns(1);
	CU_ASSERT_EQUAL(atomic_load(&st->updates), 3);
	detach_device(5, 51712);
	CU_ASSERT_EQUAL(nr_remove, 1);
	CU_ASSERT_TRUE(ended(pid));
	CU_ASSERT_FALSE(has_socket(5));
	look(5, 51712);
	CU_ASSERT_EQUAL(each.count, 0);
	teardown();
}

static void test_a_worker_a_guest(void)
{
	int one, other;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	connect_device(5, 51728, DEED_SERVE);
	connect_device(6, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4) && until(5, 51728, 4) && until(6, 51712, 4));
	look(5, 51712);
	one = each.pid;
	look(5, 51728);
	CU_ASSERT_EQUAL(each.pid, one);
	look(6, 51712);
	other = each.pid;
	CU_ASSERT_NOT_EQUAL(other, one);
	/* the last device ends it, not the first */
	detach_device(5, 51712);
	CU_ASSERT_EQUAL(kill(one, 0), 0);
	CU_ASSERT_EQUAL(state_of(5, 51728), 4);
	detach_device(5, 51728);
	CU_ASSERT_TRUE(ended(one));
	CU_ASSERT_EQUAL(kill(other, 0), 0);
	detach_device(6, 51712);
	CU_ASSERT_TRUE(ended(other));
	teardown();
}

static rlim_t file_limit(int pid)
{
	struct rlimit r = {0};

	CU_ASSERT_EQUAL(prlimit(pid, RLIMIT_FSIZE, NULL, &r), 0);
	return r.rlim_cur;
}

/* A worker's files end where the largest of its disks does. */
static void test_file_limit(void)
{
	bool before = privileged;

	privileged = false; /* root without CAP_SYS_RESOURCE may limit its own uid's */
	setup();
	connect_device(5, 51728, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51728, 4));
	look(5, 51728);
	CU_ASSERT_EQUAL(file_limit(each.pid), 51728);
	connect_device(5, 51744, DEED_SERVE);
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51744, 4) && until(5, 51712, 4));
	CU_ASSERT_EQUAL(file_limit(each.pid), 51744);
	look(5, 51712);
	each.be->file_max = 60000;
	CU_ASSERT_EQUAL(backend_update(each.be, "abc", 3, NULL, 0), 0);
	CU_ASSERT_EQUAL(file_limit(each.pid), 60000);
	detach_device(5, 51712);
	detach_device(5, 51744);
	look(5, 51728);
	CU_ASSERT_EQUAL(backend_update(each.be, "abc", 3, NULL, 0), 0);
	CU_ASSERT_EQUAL(file_limit(each.pid), 51728);
	detach_device(5, 51728);
	teardown();
	privileged = before;
}

/* What the statistics socket says, as JSON. */
static void statistics(char *out, size_t size)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), i;
	size_t got = 0;
	ssize_t n = -1;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/stat.sock", dir);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(write(fd, "json\n", 5), 5);
	for (i = 0; i < 500 && n; i++) {
		supervisor_turn(sup, 5);
		n = read(fd, out + got, size - 1 - got);
		if (n > 0)
			got += (size_t)n;
	}
	CU_ASSERT_EQUAL(n, 0);
	out[got] = 0;
	close(fd);
}

/* A worker that writes over its lay-out does not change what is read. */
static void test_layout(void)
{
	static char before[16384], after[16384];

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	statistics(before, sizeof(before));
	CU_ASSERT_PTR_NOT_NULL(strstr(before, "\"queues\":[{"));
	each.state->head.nr_queues = 0;
	each.state->head.queue_size = 64;
	statistics(after, sizeof(after));
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "\"queues\":[{"));
	each.state->head.nr_queues = UINT32_MAX;
	stop_supervisor();
	start();
	turns(5);
	statistics(after, sizeof(after));
	CU_ASSERT_PTR_NOT_NULL(strstr(after, "\"queues\":[]"));
	detach_device(5, 51712);
	teardown();
}

static void test_reconnect(void)
{
	int first, i;

	setup();
	stop_supervisor();
	linger_ms = 20000;
	start();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	first = each.pid;
	for (i = 0; i < 5; i++) {
		put(5, 51712, false, "state", "5");
		CU_ASSERT_TRUE(until(5, 51712, 5));
		put(5, 51712, false, "state", "6");
		CU_ASSERT_TRUE(until(5, 51712, 6));
		put(5, 51712, false, "state", "1");
		CU_ASSERT_TRUE(until(5, 51712, 2));
		put(5, 51712, false, "state", "3");
		CU_ASSERT_TRUE(until(5, 51712, 4));
	}
	CU_ASSERT_EQUAL(nr_probe, 1);
	CU_ASSERT_EQUAL(nr_publish, 6);
	/* one process for all of them: a guest cannot make us start one after another */
	look(5, 51712);
	CU_ASSERT_EQUAL(each.pid, first);
	CU_ASSERT_EQUAL(kill(first, 0), 0);
	/* with the guest it goes at once */
	store_mem_domain_die(tool, 5);
	CU_ASSERT_TRUE(until(5, 51712, 6));
	remove_device(5, 51712);
	CU_ASSERT_TRUE(ended(first));
	CU_ASSERT_FALSE(has_socket(5));
	teardown();
}

/* One guest's worker misbehaves: its devices end, the other guest's go on. */
static void misbehave(enum deed deed, bool dies)
{
	int pid, other;

	setup();
	connect_device(6, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(6, 51712, 4));
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(6, 51712);
	other = each.pid;
	look(5, 51712);
	pid = each.pid;
	connect_device(5, 51728, deed);
	CU_ASSERT_TRUE(until(5, 51728, 5));
	if (dies) {
		CU_ASSERT_TRUE(ended(pid));
		CU_ASSERT_TRUE(until(5, 51712, 5));
		put(5, 51712, false, "state", "6");
		CU_ASSERT_TRUE(until(5, 51712, 6));
		/* and its driver may begin again, with a new worker */
		put(5, 51712, false, "state", "1");
		CU_ASSERT_TRUE(until(5, 51712, 2));
		put(5, 51712, false, "state", "3");
		CU_ASSERT_TRUE(until(5, 51712, 4));
	} else {
		CU_ASSERT_EQUAL(state_of(5, 51712), 4);
		CU_ASSERT_EQUAL(kill(pid, 0), 0);
	}
	put(5, 51728, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51728, 6));
	CU_ASSERT_EQUAL(state_of(6, 51712), 4);
	CU_ASSERT_EQUAL(kill(other, 0), 0);
	remove_device(5, 51728);
	detach_device(5, 51712);
	detach_device(6, 51712);
	CU_ASSERT_TRUE(ended(other));
	teardown();
}

/* What connect() has opened does not stay open when nobody can be told of it. */
static void test_untold(void)
{
	setup();
	connect_device(5, 51712, DEED_STATELESS);
	CU_ASSERT_TRUE(until(5, 51712, 5));
	CU_ASSERT_EQUAL(nr_disconnected, 1);
	put(5, 51712, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51712, 6));
	CU_ASSERT_EQUAL(nr_disconnected, 1);
	remove_device(5, 51712);
	teardown();
}

static void test_refused_attach(void)
{
	misbehave(DEED_REFUSE, false);
}

static void test_broken_frontend(void)
{
	misbehave(DEED_BROKEN, false);
}

static void test_crash(void)
{
	misbehave(DEED_CRASH, true);
}

static void test_forbidden_call(void)
{
	misbehave(DEED_FORBIDDEN, true);
}

static void test_unasked_message(void)
{
	misbehave(DEED_NONSENSE, true);
}

static void test_garbage(void)
{
	misbehave(DEED_GARBAGE, true);
}

static void test_deaf(void)
{
	misbehave(DEED_DEAF, true);
}

/* The supervisor goes and comes; the worker, its memory and the guest notice nothing. */
static void test_restart(void)
{
	char *frontend;
	uint64_t count;
	int pid, i;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	put(5, 51712, false, "state", "4");
	turns(5);
	look(5, 51712);
	pid = each.pid;
	for (i = 0; i < 3; i++) {
		count = atomic_load(&each.state->count);
		supervisor_free(sup);
		start();
		turns(5);
		look(5, 51712);
		CU_ASSERT_EQUAL(each.pid, pid);
		CU_ASSERT_PTR_NOT_NULL_FATAL(each.state);
		CU_ASSERT_TRUE(atomic_load(&each.state->count) >= count);
		CU_ASSERT_EQUAL(state_of(5, 51712), 4);
		CU_ASSERT_EQUAL(nr_resume, i + 1);
	}
	CU_ASSERT_EQUAL(nr_probe, 1);
	CU_ASSERT_EQUAL(nr_publish, 1);
	frontend = store_read(tool, 0, "/local/domain/5/device/vbd/51712/state");
	CU_ASSERT_STRING_EQUAL(frontend, "4");
	free(frontend);
	/* it serves the new supervisor as it did the old one */
	CU_ASSERT_EQUAL(backend_update(each.be, "abcd", 4, NULL, 0), 0);
	for (i = 0; i < 200 && !atomic_load(&each.state->updates); i++)
		turns(1);
	CU_ASSERT_EQUAL(atomic_load(&each.state->updates), 4);
	connect_device(5, 51728, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51728, 4));
	look(5, 51728);
	CU_ASSERT_EQUAL(each.pid, pid);
	detach_device(5, 51728);
	detach_device(5, 51712);
	/* not our child any more after a restart, as init would reap it: we do */
	for (i = 0; i < 200 && has_socket(5); i++)
		turns(1);
	CU_ASSERT_FALSE(has_socket(5));
	teardown();
}

static void test_changes_while_away(void)
{
	setup();
	/* a device goes */
	connect_device(5, 51712, DEED_SERVE);
	connect_device(5, 51728, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4) && until(5, 51728, 4));
	put(5, 51712, false, "state", "4");
	put(5, 51728, false, "state", "4");
	stop_supervisor();
	tool->ops->rm(tool, 0, "/local/domain/0/backend/vbd/5/51728");
	start();
	turns(10);
	look(5, 51728);
	CU_ASSERT_EQUAL(each.count, 1);
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	/* the frontend closes */
	stop_supervisor();
	put(5, 51712, false, "state", "6");
	start();
	CU_ASSERT_TRUE(until(5, 51712, 6));
	/* and comes back; then the worker is killed while nobody looks */
	put(5, 51712, false, "state", "1");
	CU_ASSERT_TRUE(until(5, 51712, 2));
	put(5, 51712, false, "state", "3");
	CU_ASSERT_TRUE(until(5, 51712, 4));
	put(5, 51712, false, "state", "4");
	look(5, 51712);
	stop_supervisor();
	kill(each.pid, SIGKILL);
	usleep(50000);
	start();
	CU_ASSERT_TRUE(until(5, 51712, 5));
	CU_ASSERT_FALSE(has_socket(5));
	put(5, 51712, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51712, 6));
	remove_device(5, 51712);
	/* nothing is left: a stale socket is cleared away */
	stop_supervisor();
	write_file(conf_path, "");
	start();
	teardown();
}

/* Something else listens where a worker should: it must not be believed, nor killed. */
static void test_impostor(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[128], text[32];
	int fd;

	setup();
	stop_supervisor();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/worker-5.sock", dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	snprintf(path, sizeof(path), "%s/worker-5.pid", dir);
	snprintf(text, sizeof(text), "%d\n", getppid());
	if (privileged) {
		write_file(path, text); /* a process, but not of the worker's uid */
		start();
		stop_supervisor();
	}
	unlink(path);
	start();
	CU_ASSERT_TRUE(!kill(getppid(), 0) || errno == EPERM);
	close(fd);
	teardown();
}

/* A process that the supervisor did not start has ended: its status, else -1. */
static int reap(int pid)
{
	int status = -1, i;

	for (i = 0; i < 1000 && waitpid(pid, &status, WNOHANG) != pid; i++)
		supervisor_turn(sup, 10);
	if (i < 1000)
		return status;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

/* The device's memory, mapped once more: it stays when the supervisor goes. */
static struct echo_state *keep_state(unsigned int domid, unsigned int devid)
{
	void *p;

	look(domid, devid);
	CU_ASSERT_PTR_NOT_NULL_FATAL(each.state);
	p = mremap(each.state, 0, sizeof(*each.state), MREMAP_MAYMOVE);
	CU_ASSERT_TRUE_FATAL(p != MAP_FAILED);
	return p;
}

/* Two devices of guest 5; its worker's main thread is held up in the second's detach. */
static struct echo_state *hold_up(int *pid)
{
	struct echo_state *st;
	int i;

	connect_device(5, 51712, DEED_SERVE);
	connect_device(5, 51728, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4) && until(5, 51728, 4));
	put(5, 51712, false, "state", "4");
	put(5, 51728, false, "state", "4");
	turns(5);
	st = keep_state(5, 51728);
	*pid = each.pid;
	atomic_store(&st->hold, 1);
	put(5, 51728, false, "state", "6");
	for (i = 0; i < 5; i++)
		turns(2);
	CU_ASSERT_EQUAL(state_of(5, 51728), 4);
	return st;
}

/* Guest 5's devices are left alone now, guest 6's are served; then the worker answers. */
static void heard_late(struct echo_state *st, int pid)
{
	int i;

	look(5, 51712);
	CU_ASSERT_EQUAL(each.count, 0);
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	CU_ASSERT_EQUAL(kill(pid, 0), 0);
	connect_device(6, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(6, 51712, 4));
	atomic_store(&st->hold, 0);
	for (i = 0; i < 500 && !each.pid; i++) {
		supervisor_turn(sup, 20);
		look(5, 51712);
	}
	CU_ASSERT_EQUAL(each.pid, pid);
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	CU_ASSERT_TRUE(atomic_load(&st->detached));
	munmap(st, sizeof(*st));
	put(5, 51712, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51712, 6));
	remove_device(5, 51728);
	remove_device(5, 51712);
	detach_device(6, 51712);
	CU_ASSERT_EQUAL(reap(pid), 0);
	teardown();
}

/* A slow disk must not cost the guest its others when the supervisor is started anew. */
static void test_slow_answer(void)
{
	struct echo_state *st;
	int pid;

	setup();
	st = hold_up(&pid);
	stop_supervisor();
	adopt_ms = 100;
	start();
	heard_late(st, pid);
}

/* So many supervisors have come and gone that nobody can connect; nor is there a note. */
static void test_full_backlog(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct echo_state *st;
	int pid, fd[16], i;
	char path[128];

	setup();
	st = hold_up(&pid);
	stop_supervisor();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/worker-5.sock", dir);
	for (i = 0; i < 16; i++) {
		fd[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fd[i], (struct sockaddr *)&a, sizeof(a)))
			break;
	}
	CU_ASSERT_TRUE_FATAL(i < 16);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	for (; i >= 0; i--)
		close(fd[i]);
	snprintf(path, sizeof(path), "%s/worker-5.pid", dir);
	CU_ASSERT_EQUAL(unlink(path), 0);
	adopt_ms = 100;
	start();
	heard_late(st, pid);
}

/* Its uid is in use, but nobody has left word of it: no second one before it is dead. */
static void test_left_over(void)
{
	int p[2], pid, status;
	char c;

	if (!privileged) {
		printf("\nskip test_left_over: needs root\n");
		return;
	}
	setup();
	CU_ASSERT_EQUAL(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		if (setresuid(UID_BASE + 5, UID_BASE + 5, UID_BASE + 5) ||
		    write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CU_ASSERT_EQUAL(read(p[0], &c, 1), 1);
	close(p[0]);
	close(p[1]);
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	CU_ASSERT_EQUAL(waitpid(pid, &status, WNOHANG), pid);
	detach_device(5, 51712);
	teardown();
}

/* It does not let go of a device that was removed while no supervisor was there. */
static void test_stray_never_answered(void)
{
	struct echo_state *st;
	int pid;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	st = keep_state(5, 51712);
	pid = each.pid;
	atomic_store(&st->hold, 1);
	stop_supervisor();
	tool->ops->rm(tool, 0, "/local/domain/0/backend/vbd/5/51712");
	tool->ops->rm(tool, 0, "/local/domain/5/device/vbd/51712");
	patience_ms = 300;
	start();
	CU_ASSERT_EQUAL(reap(pid), SIGKILL);
	munmap(st, sizeof(*st));
	teardown();
}

/* A worker ends with I/O under way: its devices end when that has. */
static void test_busy_after_death(void)
{
	struct echo_state *st;
	int pid;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	pid = each.pid;
	busy = true;
	kill(pid, SIGKILL);
	CU_ASSERT_TRUE(ended(pid));
	turns(20);
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	/* another device of the guest does not wait for it */
	connect_device(5, 51744, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51744, 4));
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	busy = false;
	CU_ASSERT_TRUE(until(5, 51712, 5));
	detach_device(5, 51744);
	put(5, 51712, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51712, 6));
	remove_device(5, 51712);
	/* but not for ever */
	st = hold_up(&pid);
	busy = true;
	kill(pid, SIGKILL);
	CU_ASSERT_TRUE(ended(pid));
	turns(20);
	CU_ASSERT_EQUAL(state_of(5, 51728), 4);
	CU_ASSERT_TRUE(until(5, 51728, 6));
	busy = false;
	munmap(st, sizeof(*st));
	remove_device(5, 51728);
	put(5, 51712, false, "state", "6");
	CU_ASSERT_TRUE(until(5, 51712, 6));
	remove_device(5, 51712);
	teardown();
}

/* Two workers that have something to say and never answer HELLO. */
struct talkers {
	_Atomic(uint32_t) said[2];
	_Atomic(uint32_t) other_said[2]; /* when this one was greeted */
};

static void talk(int listener, struct talkers *t, unsigned int i)
{
	struct control_msg m = {
		CONTROL_MAGIC, CONTROL_VERSION, CONTROL_LOG, 0, LOG_LEVEL_DEBUG, 0, 0, 0};
	uint32_t uid = UID_BASE + 5 + i;
	int fd;

	if (privileged && setresuid(uid, uid, uid))
		_exit(1);
	atomic_store(&t->said[i], 1);
	fd = accept(listener, NULL, NULL);
	atomic_store(&t->other_said[i], atomic_load(&t->said[!i]));
	while (send(fd, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m)) {
		atomic_fetch_add(&t->said[i], 1);
		usleep(100000);
	}
	pause();
	_exit(1);
}

static int start_talker(struct talkers *t, unsigned int i)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[128], text[32];
	int fd, pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/worker-%u.sock", dir, 5 + i);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	pid = fork();
	if (!pid)
		talk(fd, t, i);
	close(fd);
	snprintf(path, sizeof(path), "%s/worker-%u.pid", dir, 5 + i);
	snprintf(text, sizeof(text), "%d\n", pid);
	write_file(path, text);
	while (!atomic_load(&t->said[i]))
		usleep(1000);
	return pid;
}

/*
 * They are given one time for all that all of them say, not one for each message,
 * nor for each of them.
 */
static void test_talkers(void)
{
	struct talkers *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pid[2], status, i;

	CU_ASSERT_TRUE_FATAL(t != MAP_FAILED);
	setup();
	stop_supervisor();
	for (i = 0; i < 2; i++)
		pid[i] = start_talker(t, (unsigned int)i);
	adopt_ms = 500;
	patience_ms = 1000;
	start();
	for (i = 0; i < 2; i++) {
		status = reap(pid[i]);
		CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		CU_ASSERT_TRUE(atomic_load(&t->said[i]) < 100);
		CU_ASSERT_TRUE(atomic_load(&t->other_said[i]) < 20);
	}
	munmap(t, sizeof(*t));
	teardown();
}

/* Migrated to this host, and then renamed: its configuration goes by the guest's name. */
static void test_names(void)
{
	setup();
	store_write(tool, 0, "web--incoming", "/local/domain/5/name");
	add(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 2));
	look(5, 51712);
	CU_ASSERT_STRING_EQUAL(each.be->guest, "web");
	store_write(tool, 0, "www", "/local/domain/5/name");
	put(5, 51712, true, "hotplug-status", "connected");
	put(5, 51712, false, "state", "3");
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	CU_ASSERT_STRING_EQUAL(each.be->guest, "www");
	detach_device(5, 51712);
	teardown();
}

static void test_released(void)
{
	int pid;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	connect_device(6, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4) && until(6, 51712, 4));
	look(5, 51712);
	pid = each.pid;
	store_mem_domain_die(tool, 5);
	CU_ASSERT_TRUE(until(5, 51712, 6));
	CU_ASSERT_TRUE(ended(pid));
	CU_ASSERT_EQUAL(state_of(6, 51712), 4);
	remove_device(5, 51712);
	detach_device(6, 51712);
	teardown();
}

/* xl destroy removes it all at once. */
static void test_vanish(void)
{
	int pid;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	pid = each.pid;
	tool->ops->rm(tool, 0, "/local/domain/5");
	tool->ops->rm(tool, 0, "/local/domain/0/backend/vbd/5");
	CU_ASSERT_TRUE(ended(pid));
	look(5, 51712);
	CU_ASSERT_EQUAL(each.count, 0);
	CU_ASSERT_EQUAL(nr_remove, 1);
	teardown();
}

/* Removed and added under the same name between two looks. */
static void test_replaced(void)
{
	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	tool->ops->rm(tool, 0, "/local/domain/5/device/vbd/51712");
	tool->ops->rm(tool, 0, "/local/domain/0/backend/vbd/5/51712");
	add(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 2));
	CU_ASSERT_EQUAL(nr_probe, 2);
	CU_ASSERT_EQUAL(nr_remove, 1);
	put(5, 51712, true, "hotplug-status", "connected");
	put(5, 51712, false, "state", "3");
	CU_ASSERT_TRUE(until(5, 51712, 4));
	detach_device(5, 51712);
	teardown();
}

static void test_there_before(void)
{
	setup();
	stop_supervisor();
	add(5, 51712, DEED_SERVE);
	add(6, 51712, DEED_SERVE);
	put(6, 51712, true, "hotplug-status", "connected");
	put(6, 51712, false, "state", "3");
	start();
	CU_ASSERT_TRUE(until(6, 51712, 4));
	CU_ASSERT_EQUAL(state_of(5, 51712), 2);
	detach_device(6, 51712);
	remove_device(5, 51712);
	teardown();
}

static void test_kernel_driver(void)
{
	char path[160];

	setup();
	snprintf(path, sizeof(path), "%s/sys", dir);
	mkdir(path, 0755);
	strcat(path, "/bus");
	mkdir(path, 0755);
	strcat(path, "/xen-backend");
	mkdir(path, 0755);
	strcat(path, "/devices");
	mkdir(path, 0755);
	strcat(path, "/vbd-5-51712");
	mkdir(path, 0755);
	strcat(path, "/driver");
	CU_ASSERT_EQUAL(symlink("../../drivers/vbd", path), 0);
	add(5, 51712, DEED_SERVE);
	add(6, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(6, 51712, 2));
	CU_ASSERT_EQUAL(state_of(5, 51712), 1);
	CU_ASSERT_EQUAL(nr_probe, 1);
	remove_device(5, 51712);
	remove_device(6, 51712);
	teardown();
}

static uint64_t depth(void)
{
	return conf_number(each.be->conf, NULL, NULL, "depth", 1);
}

static void test_reload(void)
{
	int before;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	CU_ASSERT_EQUAL(depth(), 5);
	before = nr_changed;
	write_file(conf_path, "[default]\ndepth = 7\n");
	supervisor_reload(sup);
	CU_ASSERT_EQUAL(depth(), 7);
	CU_ASSERT_EQUAL(nr_changed, before + 1);
	write_file(conf_path, "[default]\ndepth = many\n");
	supervisor_reload(sup);
	CU_ASSERT_EQUAL(depth(), 7); /* the bad one is not taken */
	CU_ASSERT_EQUAL(nr_changed, before + 1);
	detach_device(5, 51712);
	teardown();
}

/* Directories that are not devices, and devices whose frontend is someone else's. */
static void test_odd_directories(void)
{
	setup();
	store_write(tool, 0, "x", "/local/domain/0/backend/vbd/5/abc/state");
	store_write(tool, 0, "x", "/local/domain/0/backend/vbd/05/51712/frontend");
	store_write(tool, 0, "x", "/local/domain/0/backend/vbd/99999999999/1/frontend");
	store_write(tool, 0, "x", "/local/domain/0/backend/vbd/5/1/unrelated");
	add(5, 51712, DEED_SERVE);
	put(5, 51712, true, "frontend", "/local/domain/6/device/vbd/51712");
	add(5, 51728, DEED_SERVE);
	put(5, 51728, true, "frontend-id", "6");
	turns(10);
	CU_ASSERT_EQUAL(state_of(5, 51712), 1);
	CU_ASSERT_EQUAL(state_of(5, 51728), 1);
	look(5, 51712);
	CU_ASSERT_EQUAL(each.count, 0);
	CU_ASSERT_EQUAL(nr_probe, 0);
	teardown();
}

/* A guest that writes all the time is looked at a bounded number of times a second. */
static void test_flood(void)
{
	int before, i;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	before = nr_changed;
	for (i = 0; i < 2000; i++) {
		put(5, 51712, false, "noise", "x");
		supervisor_turn(sup, 0);
	}
	CU_ASSERT_TRUE(nr_changed - before < 1000);
	/* and is not forgotten */
	detach_device(5, 51712);
	teardown();
}

static void *send_signals(void *arg)
{
	(void)arg;
	usleep(30000);
	kill(getpid(), SIGHUP);
	usleep(30000);
	kill(getpid(), SIGTERM);
	return NULL;
}

/* HUP reads the configuration again, TERM ends the supervisor and no worker. */
static void test_signals(void)
{
	pthread_t t;
	int pid;

	setup();
	connect_device(5, 51712, DEED_SERVE);
	CU_ASSERT_TRUE(until(5, 51712, 4));
	look(5, 51712);
	pid = each.pid;
	write_file(conf_path, "[default]\ndepth = 9\n");
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, send_signals, NULL), 0);
	supervisor_run(sup);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(depth(), 9);
	CU_ASSERT_EQUAL(kill(pid, 0), 0);
	CU_ASSERT_EQUAL(state_of(5, 51712), 4);
	detach_device(5, 51712);
	teardown();
}

int main(int argc, char **argv)
{
	static const CU_TestInfo tests[] = {
		{"life", test_life},
		{"a worker a guest", test_a_worker_a_guest},
		{"file limit", test_file_limit},
		{"layout", test_layout},
		{"reconnect", test_reconnect},
		{"untold", test_untold},
		{"refused attach", test_refused_attach},
		{"broken frontend", test_broken_frontend},
		{"crash", test_crash},
		{"forbidden call", test_forbidden_call},
		{"unasked message", test_unasked_message},
		{"garbage", test_garbage},
		{"deaf", test_deaf},
		{"restart", test_restart},
		{"changes while away", test_changes_while_away},
		{"impostor", test_impostor},
		{"talkers", test_talkers},
		{"slow answer", test_slow_answer},
		{"full backlog", test_full_backlog},
		{"left over", test_left_over},
		{"stray never answered", test_stray_never_answered},
		{"busy after death", test_busy_after_death},
		{"names", test_names},
		{"released", test_released},
		{"vanish", test_vanish},
		{"replaced", test_replaced},
		{"there before", test_there_before},
		{"kernel driver", test_kernel_driver},
		{"reload", test_reload},
		{"signals", test_signals},
		{"odd directories", test_odd_directories},
		{"flood", test_flood},
		CU_TEST_INFO_NULL,
	};

	if (argc == 2 && !strcmp(argv[1], "--worker"))
		return worker_main(&echo_worker);
	privileged = !not_privileged();
	if (!privileged)
		printf("note: workers keep uid and root directory: %s\n", not_privileged());
	log_init("echoback", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	return suite_main("supervisor", tests);
}
