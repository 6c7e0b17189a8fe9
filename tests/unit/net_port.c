/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports against the kernel: taps in a network namespace of the test's own, the
 * other end of the wire a packet socket. Needs the right to make namespaces and
 * taps; without it only the loop port is tested, and the test says so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/netback/packet.h"
#include "backends/netback/tap.h"
#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static uint8_t frame[RIG_PACKET], got[RIG_PACKET];

/* A loop port is a port: what is sent is taken, what is injected is received. */
static void test_loop(void)
{
	struct port *p = port_loop_open();
	struct virtio_net_hdr_v1 hdr = {.flags = 1, .csum_start = 34}, out;
	struct iovec iov[3] = {{&hdr, sizeof(hdr)}, {frame, 10}, {frame + 10, 90}};
	uint64_t packets, bytes;
	uint32_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (i = 0; i < 100; i++)
		frame[i] = (uint8_t)i;
	CU_ASSERT_EQUAL(port_receive(p, iov, 3), -EAGAIN);
	CU_ASSERT_EQUAL(port_send(p, iov, 3), 0);
	CU_ASSERT_EQUAL(port_loop_take(p, &out, got, sizeof(got)), 100);
	CU_ASSERT_EQUAL(memcmp(got, frame, 100), 0);
	CU_ASSERT_EQUAL(memcmp(&out, &hdr, sizeof(hdr)), 0);
	port_loop_mode(p, PORT_LOOP_REFLECT);
	CU_ASSERT_EQUAL(port_send(p, iov, 3), 0);
	CU_ASSERT_EQUAL(poll(&(struct pollfd){p->fd, POLLIN, 0}, 1, 0), 1);
	memset(frame, 0, 100);
	CU_ASSERT_EQUAL(port_receive(p, iov, 3), 112);
	CU_ASSERT_EQUAL(memcmp(got, frame, 100), 0);
	CU_ASSERT_EQUAL(poll(&(struct pollfd){p->fd, POLLIN, 0}, 1, 0), 0);
	CU_ASSERT_EQUAL(port_loop_generate(p, &hdr, frame, 100, 3), 0);
	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(port_receive(p, iov, 3), 112);
	CU_ASSERT_EQUAL(port_receive(p, iov, 3), -EAGAIN);
	port_loop_sent(p, &packets, &bytes);
	CU_ASSERT_EQUAL(packets, 2);
	CU_ASSERT_EQUAL(bytes, 200);
	port_close(p);
}

/* ---- the kernel's ---- */

static bool in_namespace;

static void enter_namespace(void)
{
	in_namespace = !unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	if (in_namespace && access("/dev/net/tun", R_OK | W_OK))
		in_namespace = false;
	if (!in_namespace)
		printf("skip net_port: no network namespace or no tun here, kernel ports "
		       "not tested\n");
}

static void set_up(const char *name)
{
	struct ifreq r = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(s >= 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	CU_ASSERT_EQUAL(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags |= IFF_UP | IFF_NOARP;
	CU_ASSERT_EQUAL(ioctl(s, SIOCSIFFLAGS, &r), 0);
	r.ifr_mtu = 9000;
	CU_ASSERT_EQUAL(ioctl(s, SIOCSIFMTU, &r), 0);
	close(s);
}

/* A packet socket with vnet headers: the host's side of the wire. */
static int wire_open(const char *name)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(0x88b5),
				.sll_ifindex = (int)if_nametoindex(name)};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5)), one = 1;

	CU_ASSERT_TRUE_FATAL(s >= 0);
	CU_ASSERT_EQUAL(setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	CU_ASSERT_EQUAL(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

static bool readable(int fd)
{
	return poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000) == 1;
}

static void fill(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		frame[i] = (uint8_t)(i * 3 + 1);
	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[12] = 0x88; /* ours alone: the stack's own packets are of other types */
	frame[13] = 0xb5;
}

/* A packet of @n bytes from the port to the wire. */
static void check_send(struct port *p, int wire, uint32_t n)
{
	struct virtio_net_hdr_v1 hdr = {0};
	struct iovec iov[4] = {
		{&hdr, sizeof(hdr)}, {frame, 20}, {frame + 20, 30}, {frame + 50, n - 50}};
	ssize_t len;

	fill(n);
	CU_ASSERT_EQUAL(port_send(p, iov, 4), 0);
	CU_ASSERT_TRUE_FATAL(readable(wire));
	len = recv(wire, got, sizeof(got), 0);
	CU_ASSERT_EQUAL(len, (ssize_t)n + 10);
	CU_ASSERT_EQUAL(memcmp(got + 10, frame, n), 0);
}

/* A packet of @n bytes from the wire to the port, which also sees others. */
static void check_receive(struct port *p, int wire, uint32_t n)
{
	uint8_t packet[10000] = {0};
	struct virtio_net_hdr_v1 hdr;
	struct iovec iov[4] = {
		{&hdr, sizeof(hdr)}, {got, 4096}, {got + 4096, 4096}, {got + 8192, 4096}};
	int len, tries;

	fill(n);
	memcpy(packet + 10, frame, n);
	CU_ASSERT_EQUAL(send(wire, packet, n + 10, 0), (ssize_t)n + 10);
	for (tries = 0; tries < 100; tries++) {
		CU_ASSERT_TRUE_FATAL(readable(p->fd));
		len = port_receive(p, iov, 4);
		if (len > 0 && got[12] == 0x88 && got[13] == 0xb5)
			break;
	}
	CU_ASSERT_EQUAL(len, (int)n + 12);
	CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
}

static void test_tap(void)
{
	static const uint32_t sizes[] = {60, 61, 1514, 4096, 9014};
	struct tap tap;
	struct port *p;
	uint32_t i;
	int wire;

	if (!in_namespace)
		return;
	tap_init(&tap);
	CU_ASSERT_EQUAL_FATAL(tap_create(&tap, "vif7.0", 9000), 0);
	p = port_tap_open(tap_open_queue(&tap));
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(tap_set_carrier(&tap, true), 0);
	set_up("vif7.0");
	CU_ASSERT_EQUAL(port_set_offload(p, 0), 0);
	CU_ASSERT_EQUAL(port_set_offload(p, PORT_OFFLOAD_CSUM | PORT_OFFLOAD_TSO4 |
						    PORT_OFFLOAD_TSO6),
			0);
	wire = wire_open("vif7.0");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_send(p, wire, sizes[i]);
		check_receive(p, wire, sizes[i]);
	}
	CU_ASSERT_EQUAL(port_receive(p, (struct iovec[2]){{got, 12}, {got, 4096}}, 2),
			-EAGAIN);
	/* the kernel refuses what it refuses: an error, not the end */
	CU_ASSERT_EQUAL(port_send(p, (struct iovec[2]){{got, 12}, {frame, 5}}, 2),
			-EINVAL);
	close(wire);
	port_close(p);
	tap_close(&tap);
}

/* A large packet with its offload header goes through a tap whole, and is valid for the
 * kernel. */
static void test_tap_gso(void)
{
	struct net_packet pk = {.payload = 40000};
	struct virtio_net_hdr_v1 hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					.gso_size = 1448,
					.csum_offset = 16};
	uint32_t l4, at, n = net_packet_build(frame, &pk, &l4, &at);
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {frame, n}};
	struct virtio_net_hdr back;
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	struct tap tap;
	struct port *p;
	int wire;

	if (!in_namespace)
		return;
	tap_init(&tap);
	CU_ASSERT_EQUAL_FATAL(tap_create(&tap, "vif7.1", 9000), 0);
	p = port_tap_open(tap_open_queue(&tap));
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(tap_set_carrier(&tap, true), 0);
	set_up("vif7.1");
	wire = wire_open("vif7.1");
	a.sll_ifindex = (int)if_nametoindex("vif7.1");
	CU_ASSERT_EQUAL(bind(wire, (struct sockaddr *)&a, sizeof(a)), 0);
	hdr.csum_start = (uint16_t)l4;
	hdr.hdr_len = (uint16_t)(l4 + 20);
	CU_ASSERT_EQUAL(port_send(p, iov, 2), 0);
	CU_ASSERT_TRUE_FATAL(readable(wire));
	CU_ASSERT_EQUAL(recv(wire, got, sizeof(got), 0), (ssize_t)n + 10);
	memcpy(&back, got, 10);
	CU_ASSERT_EQUAL(back.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CU_ASSERT_EQUAL(back.gso_size, 1448);
	CU_ASSERT_EQUAL(back.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_EQUAL(back.csum_start, l4);
	CU_ASSERT_EQUAL(memcmp(got + 10, frame, n), 0);
	/* and back up: from the wire into the port, whole, since it is accepted */
	CU_ASSERT_EQUAL(port_set_offload(p, PORT_OFFLOAD_CSUM | PORT_OFFLOAD_TSO4), 0);
	memcpy(frame, &back, 10);
	net_packet_build(frame + 10, &pk, &l4, &at);
	CU_ASSERT_EQUAL(send(wire, frame, n + 10, 0), (ssize_t)n + 10);
	iov[1].iov_base = got;
	iov[1].iov_len = sizeof(got);
	do {
		CU_ASSERT_TRUE_FATAL(readable(p->fd));
	} while (port_receive(p, iov, 2) != (int)n + 12);
	CU_ASSERT_EQUAL(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CU_ASSERT_EQUAL(hdr.gso_size, 1448);
	CU_ASSERT_EQUAL(memcmp(got, frame + 10, n), 0);
	close(wire);
	port_close(p);
	tap_close(&tap);
}

/* A packet socket on an interface; that is a tap, whose descriptor plays the cable. */
static void test_packet(void)
{
	static const uint32_t sizes[] = {60, 61, 1514, 4096, 9014};
	struct virtio_net_hdr_v1 hdr = {0};
	struct port *guest, *host;
	struct tap tap;
	int fd, len, tries;
	uint32_t i;

	if (!in_namespace)
		return;
	tap_init(&tap);
	CU_ASSERT_EQUAL_FATAL(tap_create(&tap, "eth7", 9000), 0);
	host = port_tap_open(tap_open_queue(&tap));
	CU_ASSERT_PTR_NOT_NULL_FATAL(host);
	CU_ASSERT_EQUAL(tap_set_carrier(&tap, true), 0);
	set_up("eth7");
	CU_ASSERT_EQUAL_FATAL(packet_open("eth7", 1, &fd), 0);
	guest = port_packet_open(fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(guest);
	CU_ASSERT_EQUAL(port_set_offload(guest, 0), 0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t n = sizes[i];
		struct iovec out[3] = {{&hdr, 12}, {frame, 33}, {frame + 33, n - 33}};
		struct iovec in[3] = {{&hdr, 12}, {got, 4096}, {got + 4096, 8192}};

		fill(n);
		memset(&hdr, 0, sizeof(hdr));
		CU_ASSERT_EQUAL(port_send(guest, out, 3), 0);
		for (tries = 0, len = 0; tries < 100 && len != (int)n + 12; tries++) {
			CU_ASSERT_TRUE_FATAL(readable(host->fd));
			len = port_receive(host, in, 3);
		}
		CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
		memset(got, 0, n);
		memset(&hdr, 0, sizeof(hdr));
		CU_ASSERT_EQUAL(port_send(host, out, 3), 0);
		for (tries = 0, len = 0; tries < 100 && len != (int)n + 12; tries++) {
			CU_ASSERT_TRUE_FATAL(readable(guest->fd));
			len = port_receive(guest, in, 3);
		}
		CU_ASSERT_EQUAL(len, (int)n + 12); /* and not what it sent itself */
		CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
		CU_ASSERT_EQUAL(port_receive(guest, in, 3), -EAGAIN);
	}
	port_close(guest);
	port_close(host);
	tap_close(&tap);
}

/* A vif on a real tap: guest to wire and wire to guest, and the interface torn away. */
static void test_vif_on_tap(void)
{
	struct net_rig_options o = {.features = RIG_FEATURES, .live_flags = VIF_CARRIER};
	struct net_rig_send s = {.frame = frame, .len = 5000};
	struct netif_rx_packet pk;
	enum netif_error error;
	uint64_t deadline = queue_now() + 10000000000ull;
	struct net_rig *r;
	struct tap tap;
	uint32_t len = 0;
	int wire;

	if (!in_namespace)
		return;
	tap_init(&tap);
	CU_ASSERT_EQUAL_FATAL(tap_create(&tap, "vif7.2", 9000), 0);
	o.port = port_tap_open(tap_open_queue(&tap));
	CU_ASSERT_PTR_NOT_NULL_FATAL(o.port);
	CU_ASSERT_EQUAL(tap_set_carrier(&tap, true), 0);
	set_up("vif7.2");
	wire = wire_open("vif7.2");
	r = net_rig_open(&o);
	net_rig_post(r, 0, 256);
	fill(5000);
	CU_ASSERT_TRUE(net_rig_send(r, 0, &s) > 0);
	net_rig_run(r);
	CU_ASSERT_TRUE_FATAL(readable(wire));
	CU_ASSERT_EQUAL(recv(wire, got, sizeof(got), 0), 5010);
	CU_ASSERT_EQUAL(memcmp(got + 10, frame, 5000), 0);
	memset(got, 0, 10);
	memcpy(got + 10, frame, 5000);
	CU_ASSERT_EQUAL(send(wire, got, 5010, 0), 5010);
	while (len != 5000 && queue_now() < deadline) {
		net_rig_run(r);
		if (!net_rig_receive(r, 0, got, &pk, &len, &error))
			queue_sleep(r->vif->queue[0], 100000000);
	}
	CU_ASSERT_EQUAL(len, 5000);
	CU_ASSERT_EQUAL(memcmp(got, frame, 5000), 0);
	close(wire);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
	tap_close(&tap);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"loop", test_loop},
		{"tap", test_tap},
		{"tap, large packets whole", test_tap_gso},
		{"packet socket", test_packet},
		{"a vif on a tap", test_vif_on_tap},
		CU_TEST_INFO_NULL,
	};

	enter_namespace();
	return suite_main("net_port", tests);
}
