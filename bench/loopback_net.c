/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback at native speed: a guest's network card and a vif's queue, a thread
 * each, over the loopback, the host's side ending in memory. Packets and bits a
 * second of wall clock and of the backend thread's own CPU time, and what a
 * packet costs in system calls, events and copies.
 */
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/net_rig.h"

#define FRONT_SPIN 2000 /* looks at the ring before the front end sleeps */

struct job {
	const char *name;
	bool to_guest;
	uint32_t size;
	uint16_t gso;
};

static const struct job jobs[] = {
	{"send 64", false, 64, 0},
	{"send 1514", false, 1514, 0},
	{"send 64K gso", false, 65226, 1448},
	{"receive 64", true, 64, 0},
	{"receive 1514", true, 1514, 0},
	{"receive 64K gso", true, 65226, 1448},
};

static double seconds = 2;
static bool json;

struct front {
	struct net_rig *r;
	const struct job *job;
	uint64_t done;
	struct netif_tx_packet packet; /* the shape of all that are sent */
};

static void front_sleep(struct net_rig *r, uint32_t port)
{
	struct pollfd fd = {loopback_port_fd(r->lb, port), POLLIN, 0};
	uint64_t count;

	if (poll(&fd, 1, 10) == 1 && read(fd.fd, &count, sizeof(count)) < 0)
		return;
}

/* Lay the packet out in granted pages once: a guest's data is there already. */
static void prepare_send(struct front *f)
{
	struct net_rig_queue *q = &f->r->q[0];
	static uint8_t data[RIG_PACKET];
	struct net_packet p = {.payload = f->job->size - 54};
	uint32_t l4, at, len = net_packet_build(data, &p, &l4, &at), done = 0, n;

	f->packet.flags = f->job->gso ? NETTXF_csum_blank | NETTXF_data_validated : 0;
	if (f->job->gso) {
		f->packet.extra.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
		f->packet.extra.gso_size = f->job->gso;
	}
	while (done < len) {
		n = len - done < XEN_PAGE_SIZE ? len - done : XEN_PAGE_SIZE;
		memcpy(loopback_frame(f->r->lb, q->tx_frame + f->packet.nr_frags),
		       data + done, n);
		f->packet.frag[f->packet.nr_frags] = (struct netif_frag){
			q->tx_gref[f->packet.nr_frags], 0, (uint16_t)n, 0};
		f->packet.nr_frags++;
		done += n;
	}
}

/* Fill the ring, take the answers; true: something was done. */
static bool send_round(struct front *f)
{
	struct ring_front *tx = &f->r->q[0].tx;
	uint32_t slots = netif_tx_slots(f->packet.nr_frags, &f->packet.extra);
	struct netif_tx_response rsp;
	bool any = false;
	int32_t n = ring_front_responses(tx);

	for (; n > 0; n--, any = true) {
		netif_tx_fetch_response(tx, tx->rsp_cons, &rsp);
		ring_front_consume(tx, 1);
		if (rsp.status == NETIF_RSP_ERROR)
			exit(1);
	}
	while (ring_front_free(tx) >= slots) {
		netif_tx_produce(tx, &f->packet);
		f->done++;
		any = true;
	}
	if (ring_front_push(tx))
		loopback_port_notify(f->r->lb, f->r->q[0].tx_port);
	return any;
}

/* Take what came and post its buffers again. */
static bool receive_round(struct front *f)
{
	struct ring_front *rx = &f->r->q[0].rx;
	struct netif_rx_packet p;
	int32_t n = ring_front_responses(rx);
	bool any = n > 0;

	while (n > 0) {
		if (netif_rx_parse(rx, rx->rsp_cons, (uint32_t)n, &p))
			exit(1);
		ring_front_consume(rx, p.nr_slots);
		n -= p.nr_slots;
		f->done++;
	}
	net_rig_post(f->r, 0, 256);
	return any;
}

/* Half a ring of answers, as Linux asks, before the next event. */
static bool front_may_sleep(struct front *f)
{
	struct net_rig_queue *q = &f->r->q[0];

	if (f->job->to_guest)
		return ring_front_final_check(&q->rx, 1) == 0;
	return ring_front_final_check(&q->tx, 1 + ring_front_outstanding(&q->tx) / 2) ==
	       0;
}

static void front_run(struct front *f, uint64_t until)
{
	uint32_t idle = 0;

	while (queue_now() < until) {
		if (f->job->to_guest ? receive_round(f) : send_round(f)) {
			idle = 0;
		} else if (++idle > FRONT_SPIN && front_may_sleep(f)) {
			front_sleep(f->r, f->job->to_guest ? f->r->q[0].rx_port
							   : f->r->q[0].tx_port);
			idle = 0;
		}
	}
}

static double thread_cpu(const struct queue *q)
{
	struct timespec ts = {0};
	clockid_t clock;

	if (!pthread_getcpuclockid(q->thread, &clock))
		clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(const struct front *f, double wall, double cpu)
{
	const struct queue *q = f->r->vif->queue[0];
	const _Atomic(uint64_t) *m = q->metrics->value;
	double n = (double)f->done, rate = n / wall, bits = rate * f->job->size * 8 / 1e9;

	if (json) {
		printf("{\"job\":\"%s\",\"packets_per_s\":%.0f,\"gbit_per_s\":%.3f,"
		       "\"cpu_packets_per_s\":%.0f,\"syscalls\":%.4f,\"events_in\":%.4f,"
		       "\"events_out\":%.4f,\"copies\":%.3f}\n",
		       f->job->name, rate, bits, n / cpu, (double)m[METRIC_SYSCALLS] / n,
		       (double)m[METRIC_EVENTS_IN] / n, (double)m[METRIC_EVENTS_OUT] / n,
		       (double)m[METRIC_GRANT_COPIES] / n);
		return;
	}
	printf("%-16s %11.0f %8.2f %11.0f %8.2f %8.3f %8.4f %8.4f %7.2f\n", f->job->name,
	       rate, bits, n / cpu, n / cpu * f->job->size * 8 / 1e9,
	       (double)m[METRIC_SYSCALLS] / n, (double)m[METRIC_EVENTS_IN] / n,
	       (double)m[METRIC_EVENTS_OUT] / n, (double)m[METRIC_GRANT_COPIES] / n);
}

static void run_job(const struct job *job)
{
	struct net_rig_options o = {
		.features = RIG_FEATURES, .live_flags = VIF_CARRIER, .threads = true};
	struct front f = {.r = net_rig_open(&o), .job = job};
	struct virtio_net_hdr_v1 hdr = {
		.flags = job->gso ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = job->gso ? VIRTIO_NET_HDR_GSO_TCPV4 : 0,
		.gso_size = job->gso,
		.csum_start = 34,
		.csum_offset = 16};
	static uint8_t data[RIG_PACKET];
	struct net_packet p = {.payload = job->size - 54};
	uint64_t start;
	uint32_t l4, at;

	port_loop_mode(f.r->q[0].port, PORT_LOOP_COUNT);
	net_packet_build(data, &p, &l4, &at);
	if (job->to_guest)
		port_loop_generate(f.r->q[0].port, &hdr, data, job->size, UINT64_MAX / 2);
	else
		prepare_send(&f);
	start = queue_now();
	front_run(&f, start + (uint64_t)(seconds * 1e9));
	report(&f, (double)(queue_now() - start) / 1e9, thread_cpu(f.r->vif->queue[0]));
	if (net_rig_close(f.r)) {
		fprintf(stderr, "loopback_net: something was left behind\n");
		exit(1);
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: loopback_net [--seconds N] [--json] [--job NAME]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"job", required_argument, NULL, 'o'},
						{0}};
	const char *only = NULL;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seconds = atof(optarg);
		else if (c == 'j')
			json = true;
		else if (c == 'o')
			only = optarg;
		else
			usage();
	}
	if (seconds <= 0)
		usage();
	if (!json)
		printf("%-16s %11s %8s %11s %8s %8s %8s %8s %7s\n", "job", "packets/s",
		       "Gbit/s", "p/s of cpu", "Gbit/cpu", "syscalls", "ev in", "ev out",
		       "copies");
	for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (!only || !strcmp(only, jobs[i].name))
			run_job(&jobs[i]);
	return 0;
}
