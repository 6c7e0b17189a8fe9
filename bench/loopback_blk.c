/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blkback at native speed: a front end and a queue, a thread each, over the
 * loopback: requests a second of wall clock, and of the backend thread's CPU time.
 * Beside it, for real engines, the engine called directly and front and back on
 * one thread: their ratio is what the protocol costs, free of wake-ups between
 * cores, which on a small or shared machine say more about it than about us.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backends/blkback/fast_clock.h"
#include "tests/unit/vbd_rig.h"

#define FILE_SIZE     (256ull << 20)
#define DEPTH_MAX     256
#define FRONT_SPIN_NS 500000
#define PUSH_EVERY    4 /* requests: a guest pushes as its programs ask */

struct job {
	const char *name;
	struct engine *(*engine)(const struct engine_setup *s);
	bool skip_data, persistent, write;
	unsigned int depth, bytes;
	bool direct; /* measure the engine alone, too */
};

struct figures {
	double ops, cpu_ops;                                   /* a second */
	double syscalls, events_in, events_out, copied, batch; /* an operation */
};

static struct {
	double seconds;
	const char *file, *only;
	bool json;
	uint64_t ops;
} opt = {.seconds = 2, .file = "build/bench-loopback.img"};

static int image_fd = -1;

/* ---- the two threads ---- */

struct back {
	struct rig *r;
	double cpu;
	int err;
	atomic_int up;
};

static double thread_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set),
			  &set); /* without it the figures are only noisier */
}

static void *back_main(void *arg)
{
	struct back *b = arg;
	double start;

	pin(1);
	b->err = rig_open_queue(b->r) ? 0 : errno;
	atomic_store(&b->up, 1);
	if (b->err)
		return NULL;
	start = thread_cpu();
	vbd_queue_run(b->r->queue);
	b->cpu = thread_cpu() - start;
	if (!rig_close_queue(b->r))
		b->err = EBUSY;
	return NULL;
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void make_request(struct rig *r, const struct job *j, uint64_t id, uint64_t *seed,
			 struct blkif_req *req)
{
	uint32_t frames = j->bytes / XEN_PAGE_SIZE;
	uint64_t blocks = r->disk.size / j->bytes;

	if (frames <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		rig_request(r, req, j->write ? BLKIF_OP_WRITE : BLKIF_OP_READ, id,
			    next_random(seed) % blocks * (j->bytes / 512),
			    (uint32_t)id * frames, frames);
		return;
	}
	/* Indirect: its page is the frame behind the data of all requests. */
	rig_request(r, req, j->write ? BLKIF_OP_WRITE : BLKIF_OP_READ, id,
		    next_random(seed) % blocks * (j->bytes / 512), 0, 0);
	req->indirect = true;
	req->nr_segments = (uint16_t)frames;
	req->indirect_gref[0] = r->ref[j->depth * frames + id];
	for (uint32_t i = 0; i < frames; i++) {
		struct blkif_request_segment *seg =
			(void *)rig_page(r, (uint32_t)(j->depth * frames + id));

		seg[i] = (struct blkif_request_segment){r->ref[id * frames + i], 0, 7};
	}
}

static void wait_event(struct rig *r)
{
	struct pollfd p = {loopback_port_fd(r->lb, r->port), POLLIN, 0};
	uint64_t count;

	if (poll(&p, 1, 1000) > 0 && read(p.fd, &count, sizeof(count)) < 0 &&
	    errno != EAGAIN)
		perror("event");
}

/* A busy guest: it looks for a while before it sleeps. */
static int32_t responses(struct rig *r)
{
	uint64_t start = 0;
	int32_t n = 0;

	for (unsigned int i = 0; !n; i++) {
		n = ring_front_responses(&r->ring);
		if (n)
			break;
		__builtin_ia32_pause();
		if (i % 64)
			continue;
		if (!start)
			start = clock_monotonic_ns();
		else if (clock_monotonic_ns() - start > FRONT_SPIN_NS)
			break;
	}
	while (!n) {
		n = ring_front_final_check(&r->ring, 1);
		if (!n)
			wait_event(r);
	}
	return n;
}

/* Front and back take turns on one thread: no wake-ups, only what the work costs. */
static int32_t responses_inline(struct rig *r)
{
	int32_t n;

	while (!(n = ring_front_responses(&r->ring)))
		vbd_queue_step(r->queue, true);
	return n;
}

/* Keep j->depth requests on the ring until the time is over. How many were answered. */
static uint64_t front_run(struct rig *r, const struct job *j, bool one_thread,
			  double *seconds)
{
	uint64_t seed = 0x1234567, done = 0, start = clock_monotonic_ns(), now = start;
	uint64_t end = start + (uint64_t)(opt.seconds * 1e9);
	unsigned int outstanding = 0;
	struct blkif_req req;
	struct blkif_rsp rsp;

	for (uint64_t id = 0; id < j->depth; id++, outstanding++) {
		make_request(r, j, id, &seed, &req);
		rig_put(r, &req);
	}
	rig_push(r);
	while (outstanding) {
		int32_t n = one_thread ? responses_inline(r) : responses(r);
		uint32_t at = r->ring.rsp_cons;

		if (n < 0)
			break;
		now = clock_monotonic_ns();
		ring_front_consume(&r->ring, (uint32_t)n);
		for (int32_t i = 0; i < n; i++) {
			blkif_fetch_response(&r->ring, at + (uint32_t)i, &rsp);
			if (rsp.status)
				fprintf(stderr, "request failed: %d\n", rsp.status);
			done++;
			if (now >= end || (opt.ops && done + outstanding > opt.ops)) {
				outstanding--;
				continue;
			}
			make_request(r, j, rsp.id, &seed, &req);
			rig_put(r, &req);
			if (i % PUSH_EVERY == PUSH_EVERY - 1)
				rig_push(r);
		}
		rig_push(r);
	}
	*seconds = (double)(now - start) / 1e9;
	return done;
}

static void set_figures(struct rig *r, struct figures *f, double ops, double seconds,
			double cpu)
{
	f->ops = ops / seconds;
	f->cpu_ops = ops / cpu;
	f->syscalls = (double)rig_metric(r, METRIC_SYSCALLS) / ops;
	f->events_in = (double)rig_metric(r, METRIC_EVENTS_IN) / ops;
	f->events_out = (double)rig_metric(r, METRIC_EVENTS_OUT) / ops;
	f->copied = (double)rig_metric(r, METRIC_COPIED_BYTES) / ops;
	f->batch = ops / (double)rig_metric(r, METRIC_BATCHES);
}

static struct rig_options options(const struct job *j)
{
	return (struct rig_options){
		.persistent = j->persistent,
		.max_segments = 32,
		.size = FILE_SIZE,
		.engine_open = j->engine,
		.fd = image_fd,
		.null_skips_data = j->skip_data,
	};
}

static struct rig rig;

static int run_one_thread(const struct job *j, struct figures *f)
{
	struct rig_options o = options(j);
	double seconds, cpu;
	uint64_t done;

	pin(1);
	if (!rig_open(&rig, &o))
		return -1;
	cpu = thread_cpu();
	done = front_run(&rig, j, true, &seconds);
	set_figures(&rig, f, (double)done, seconds, thread_cpu() - cpu);
	return rig_close(&rig) ? 0 : -1;
}

static int run_two_threads(const struct job *j, struct figures *f)
{
	struct rig_options o = options(j);
	struct back b = {.r = &rig};
	uint64_t one = 1, done;
	double seconds;
	pthread_t t;

	rig_prepare(&rig, &o);
	if (pthread_create(&t, NULL, back_main, &b))
		return -1;
	while (!atomic_load(&b.up))
		sched_yield();
	if (b.err) {
		fprintf(stderr, "%s: %s\n", j->name, strerror(b.err));
		return -1;
	}
	pin(0);
	done = front_run(&rig, j, false, &seconds);
	atomic_store(&rig.stop, true);
	if (write(rig.wake_fd, &one, sizeof(one)) < 0)
		perror("wake");
	pthread_join(t, NULL);
	set_figures(&rig, f, (double)done, seconds, b.cpu);
	return rig_close(&rig) && !b.err ? 0 : -1;
}

/* ---- the engine alone ---- */

static void direct_io(const struct job *j, struct engine_io *io, struct iovec *iov,
		      uint64_t *seed)
{
	memset(io, 0, sizeof(*io));
	io->op = j->write ? ENGINE_WRITE : ENGINE_READ;
	io->offset = next_random(seed) % (FILE_SIZE / j->bytes) * j->bytes;
	io->length = j->bytes;
	io->iov = iov;
	io->nr_iov = 1;
	io->pooled = true;
}

static int run_direct(const struct job *j, struct figures *f)
{
	static struct engine_io io[DEPTH_MAX];
	static struct iovec iov[DEPTH_MAX];
	static struct metrics_queue metrics;
	struct engine_setup s = {
		.fd = image_fd, .depth = j->depth, .wake_fd = -1, .metrics = &metrics};
	uint64_t seed = 0x1234567, done = 0, start, now, end;
	struct engine_io *list;
	struct engine *e;
	double cpu;

	s.pool_size = (size_t)j->depth * j->bytes;
	s.pool = mmap(NULL, s.pool_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(&metrics, 0, sizeof(metrics));
	e = s.pool == MAP_FAILED ? NULL : j->engine(&s);
	if (!e)
		return -1;
	pin(1);
	start = now = clock_monotonic_ns();
	end = start + (uint64_t)(opt.seconds * 1e9);
	cpu = thread_cpu();
	for (unsigned int i = 0; i < j->depth; i++) {
		iov[i] = (struct iovec){(char *)s.pool + (size_t)i * j->bytes, j->bytes};
		direct_io(j, &io[i], &iov[i], &seed);
		e->ops->submit(e, &io[i]);
	}
	while (e->inflight) {
		e->ops->wait(e, NULL, 0, NULL, 0, ENGINE_SLEEP);
		now = clock_monotonic_ns();
		for (list = e->ops->reap(e); list;) {
			struct engine_io *this = list;

			list = list->next;
			done++;
			if (now >= end)
				continue;
			direct_io(j, this, &iov[this - io], &seed);
			e->ops->submit(e, this);
		}
	}
	f->cpu_ops = (double)done / (thread_cpu() - cpu);
	f->ops = (double)done / ((double)(now - start) / 1e9);
	f->syscalls = (double)atomic_load(&metrics.value[METRIC_SYSCALLS]) / (double)done;
	e->ops->close(e);
	munmap(s.pool, s.pool_size);
	return 0;
}

/* ---- reporting ---- */

static void report_text(const struct job *j, const struct figures *f,
			const struct figures *o, const struct figures *d)
{
	printf("%-34s %9.0f %9.0f %6.3f %6.3f %6.3f %7.0f %6.1f", j->name, f->ops,
	       f->cpu_ops, f->syscalls, f->events_in, f->events_out, f->copied, f->batch);
	if (d->ops > 0)
		printf(" %8.0f %8.0f %6.3f %6.3f", d->ops, o->ops, o->ops / d->ops,
		       f->ops / d->ops);
	printf("\n");
	fflush(stdout);
}

static void report_json(const struct job *j, const struct figures *f,
			const struct figures *o, const struct figures *d, bool first)
{
	printf("%s  {\"name\": \"%s\", \"ops_per_s\": %.0f, \"ops_per_backend_cpu_s\": "
	       "%.0f, "
	       "\"syscalls\": %.4f, \"events_in\": %.4f, \"events_out\": %.4f, "
	       "\"copied_bytes\": %.0f, \"batch\": %.2f",
	       first ? "" : ",\n", j->name, f->ops, f->cpu_ops, f->syscalls, f->events_in,
	       f->events_out, f->copied, f->batch);
	if (d->ops > 0)
		printf(", \"direct_ops_per_s\": %.0f, \"one_thread_ops_per_s\": %.0f, "
		       "\"ratio\": %.4f, \"two_threads_ratio\": %.4f",
		       d->ops, o->ops, o->ops / d->ops, f->ops / d->ops);
	printf("}");
}

static const struct job jobs[] = {
	{"null 4k read qd32 persistent", engine_null_open, false, true, false, 32, 4096,
	 false},
	{"null 4k write qd32 persistent", engine_null_open, false, true, true, 32, 4096,
	 false},
	{"null 4k read qd32 copied", engine_null_open, false, false, false, 32, 4096,
	 false},
	{"null 4k read qd32 no data", engine_null_open, true, true, false, 32, 4096,
	 false},
	{"null 4k read qd1 persistent", engine_null_open, false, true, false, 1, 4096,
	 false},
	{"io_uring 4k read qd32 persistent", engine_uring_open, false, true, false, 32,
	 4096, true},
	{"io_uring 4k write qd32 persistent", engine_uring_open, false, true, true, 32,
	 4096, true},
	{"io_uring 4k read qd32 copied", engine_uring_open, false, false, false, 32, 4096,
	 true},
	{"io_uring 4k read qd1 persistent", engine_uring_open, false, true, false, 1,
	 4096, true},
	{"io_uring 128k read qd8 persistent", engine_uring_open, false, true, false, 8,
	 131072, true},
	{"libaio 4k read qd32 persistent", engine_aio_open, false, true, false, 32, 4096,
	 true},
};

static int make_image(void)
{
	static char block[1 << 20];
	int fd = open(opt.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	for (uint64_t at = 0; at < FILE_SIZE; at += sizeof(block))
		if (pwrite(fd, block, sizeof(block), (off_t)at) !=
		    (ssize_t)sizeof(block)) {
			close(fd);
			return -1;
		}
	fsync(fd);
	close(fd);
	fd = open(opt.file, O_RDWR | O_DIRECT | O_CLOEXEC);
	return fd >= 0 ? fd : open(opt.file, O_RDWR | O_CLOEXEC);
}

static void usage(void)
{
	puts("usage: loopback_blk [--json] [--seconds=N] [--ops=N] [--file=PATH] "
	     "[--only=TEXT]\n"
	     "  --seconds  length of each job (default 2)   --ops   or end after so many "
	     "requests\n"
	     "  --file     image for the real engines       --only  jobs whose name "
	     "contains TEXT");
}

static bool parse(int argc, char **argv)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
					      {"seconds", required_argument, NULL, 's'},
					      {"file", required_argument, NULL, 'f'},
					      {"only", required_argument, NULL, 'o'},
					      {"ops", required_argument, NULL, 'n'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			opt.json = true;
			break;
		case 's':
			opt.seconds = atof(optarg);
			break;
		case 'f':
			opt.file = optarg;
			break;
		case 'o':
			opt.only = optarg;
			break;
		case 'n':
			opt.ops = strtoull(optarg, NULL, 0);
			break;
		default:
			usage();
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	bool first = true;
	int failed = 0;

	if (!parse(argc, argv))
		return 2;
	image_fd = make_image();
	if (image_fd < 0) {
		perror(opt.file);
		return 1;
	}
	if (opt.json)
		printf("{\"loopback_blk\": [\n");
	else
		printf("%-34s %9s %9s %6s %6s %6s %7s %6s %8s %8s %6s %6s\n", "", "ops/s",
		       "ops/cpu-s", "sysc", "ev-in", "ev-out", "copied", "batch",
		       "direct", "1-thread", "ratio", "2-thr");
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		struct figures f = {0}, o = {0}, d = {0};

		if (opt.only && !strstr(jobs[i].name, opt.only))
			continue;
		if (jobs[i].direct &&
		    (run_direct(&jobs[i], &d) || run_one_thread(&jobs[i], &o)))
			failed = 1;
		if (run_two_threads(&jobs[i], &f)) {
			failed = 1;
			continue;
		}
		if (opt.json)
			report_json(&jobs[i], &f, &o, &d, first);
		else
			report_text(&jobs[i], &f, &o, &d);
		first = false;
	}
	if (opt.json)
		printf("\n]}\n");
	close(image_fd);
	unlink(opt.file);
	return failed;
}
