// SPDX-License-Identifier: GPL-2.0-only
/*
 * backends/netback/tap.c against this machine's kernel, in a network namespace of
 * its own; skipped where that is not allowed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/netback/tap.h"
#include "tests/unit/open_fds.h"
#include "tests/unit/suite.h"

#define HEADER sizeof(struct virtio_net_hdr_v1)

static bool allowed;

/* Whether a test can run here; says so when not. */
static bool can(const char *what)
{
	if (!allowed)
		printf("\nskip %s: no network namespace or no /dev/net/tun here\n", what);
	return allowed;
}

static int request(const char *name, unsigned long what, struct ifreq *r)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	rc = ioctl(s, what, r);
	close(s);
	return rc;
}

static short flags(const char *name)
{
	struct ifreq r = {.ifr_flags = 0};

	CU_ASSERT_EQUAL(request(name, SIOCGIFFLAGS, &r), 0);
	return r.ifr_flags;
}

static void set_up(const char *name, bool up)
{
	struct ifreq r = {.ifr_flags = (short)(up ? IFF_UP : 0)};

	CU_ASSERT_EQUAL(request(name, SIOCSIFFLAGS, &r), 0);
}

/* At once; IFF_RUNNING follows later, by the kernel's link watch. */
static bool carrier(const char *name)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {.ifr_data = (void *)&v};

	CU_ASSERT_EQUAL(request(name, SIOCETHTOOL, &r), 0);
	return v.data;
}

static void test_create(void)
{
	static const unsigned char address[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct ifreq r = {.ifr_flags = 0};
	char name[IFNAMSIZ];
	struct tap t, u;

	if (!can("create"))
		return;
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.0", 9000), 0);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("vif7.0"), 0);
	CU_ASSERT_FALSE(flags("vif7.0") & IFF_UP);
	CU_ASSERT_FALSE(interface_is_up("vif7.0"));
	CU_ASSERT_EQUAL(request("vif7.0", SIOCGIFHWADDR, &r), 0);
	CU_ASSERT_EQUAL(memcmp(r.ifr_hwaddr.sa_data, address, 6), 0);
	CU_ASSERT_EQUAL(request("vif7.0", SIOCGIFMTU, &r), 0);
	CU_ASSERT_EQUAL(r.ifr_mtu, 9000);
	CU_ASSERT_EQUAL(tap_name(&t, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "vif7.0");
	CU_ASSERT_TRUE(fcntl(t.fd, F_GETFD) & FD_CLOEXEC);
	/* never somebody else's interface */
	CU_ASSERT_EQUAL(tap_create(&u, "vif7.0", 0), -EBUSY);
	CU_ASSERT_EQUAL(u.fd, -1);
	CU_ASSERT(tap_create(&u, "lo", 0) < 0);
	tap_close(&t);
	tap_close(&t);
	CU_ASSERT_EQUAL(if_nametoindex("vif7.0"), 0);
	CU_ASSERT(tap_create(&u, "", 0) < 0);
	CU_ASSERT(tap_create(&u, "a-name-that-is-too-long", 0) < 0);
	CU_ASSERT(tap_create(&u, "vif7.0", 1u << 20) < 0);
	CU_ASSERT_EQUAL(u.fd, -1);
	CU_ASSERT_EQUAL(if_nametoindex("vif7.0"), 0);
}

static void test_queues(void)
{
	struct tap t;
	int q[3], i, size = 0, held;
	struct ifreq r;
	struct tap other;

	if (!can("queues"))
		return;
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.1", 0), 0);
	set_up("vif7.1", true);
	CU_ASSERT_TRUE(interface_is_up("vif7.1"));
	CU_ASSERT_FALSE(carrier("vif7.1"));
	for (i = 0; i < 3; i++) {
		q[i] = tap_open_queue(&t);
		CU_ASSERT_FATAL(q[i] >= 0);
		CU_ASSERT_TRUE(fcntl(q[i], F_GETFL) & O_NONBLOCK);
		CU_ASSERT_TRUE(fcntl(q[i], F_GETFD) & FD_CLOEXEC);
		CU_ASSERT_EQUAL(ioctl(q[i], TUNGETVNETHDRSZ, &size), 0);
		CU_ASSERT_EQUAL(size, (int)HEADER);
		memset(&r, 0, sizeof(r));
		CU_ASSERT_EQUAL(ioctl(q[i], TUNGETIFF, &r), 0);
		CU_ASSERT_EQUAL(r.ifr_flags &
					(IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_NO_PI),
				IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_NO_PI);
	}
	CU_ASSERT_EQUAL(tap_set_carrier(&t, true), 0);
	CU_ASSERT_TRUE(carrier("vif7.1"));
	CU_ASSERT_EQUAL(tap_set_carrier(&t, false), 0);
	CU_ASSERT_FALSE(carrier("vif7.1"));
	/* the supervisor dies; a new one holds the tap; the worker ends; it stays */
	tap_close(&t);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("vif7.1"), 0);
	CU_ASSERT_EQUAL_FATAL(tap_hold(&other, "vif7.1"), 0);
	for (i = 0; i < 3; i++)
		close(q[i]);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("vif7.1"), 0);
	held = tap_open_queue(&other);
	CU_ASSERT(held >= 0);
	close(held);
	tap_close(&other);
	CU_ASSERT_EQUAL(if_nametoindex("vif7.1"), 0);
	CU_ASSERT_EQUAL(tap_hold(&other, "vif7.1"), -ENODEV);
	CU_ASSERT_EQUAL(other.fd, -1);
}

/* A frame whose type nobody knows, sent out of the host through the interface. */
static void send_frame(const char *name, unsigned char mark)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_halen = 6,
				 .sll_protocol = htons(0x88b5),
				 .sll_ifindex = (int)if_nametoindex(name)};
	unsigned char frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,
				   0,    0,    0,    1,    0x88, 0xb5, mark};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL(
		sendto(s, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
		(ssize_t)sizeof(frame));
	close(s);
}

/* Whether a frame with @mark comes; others (IPv6's own) are passed over. */
static bool comes(int fd, unsigned int header, unsigned char mark)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char buf[4096];
	int i;

	for (i = 0; i < 200; i++) {
		ssize_t n;

		if (poll(&p, 1, 2000) <= 0)
			return false;
		n = read(fd, buf, sizeof(buf));
		if (n >= (ssize_t)header + 15 && buf[header + 12] == 0x88 &&
		    buf[header + 13] == 0xb5 && buf[header + 14] == mark)
			return true;
	}
	return false;
}

/* What vifname= does: the script renames it, while we hold it by descriptor. */
static void test_rename(void)
{
	struct ifreq r = {.ifr_flags = 0};
	char name[IFNAMSIZ];
	struct tap t;
	int q;

	if (!can("rename"))
		return;
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.2", 0), 0);
	snprintf(r.ifr_newname, sizeof(r.ifr_newname), "web1");
	CU_ASSERT_EQUAL(request("vif7.2", SIOCSIFNAME, &r), 0);
	CU_ASSERT_EQUAL(tap_name(&t, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "web1");
	q = tap_open_queue(&t);
	CU_ASSERT_FATAL(q >= 0);
	CU_ASSERT_EQUAL(if_nametoindex("vif7.2"), 0);
	CU_ASSERT_EQUAL(tap_set_carrier(&t, true), 0);
	set_up("web1", true);
	send_frame("web1", 'r');
	CU_ASSERT_TRUE(comes(q, HEADER, 'r'));
	close(q);
	tap_close(&t);
	CU_ASSERT_EQUAL(if_nametoindex("web1"), 0);
}

/* All that is sent reaches the worker's queue, none a queue that nobody reads. */
static void test_holder_takes_nothing(void)
{
	struct tap t;
	int q, i;

	if (!can("holder takes nothing"))
		return;
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.3", 0), 0);
	CU_ASSERT(tap_set_carrier(&t, true) < 0); /* nobody would listen */
	q = tap_open_queue(&t);
	CU_ASSERT_FATAL(q >= 0);
	CU_ASSERT_EQUAL(tap_set_carrier(&t, true), 0);
	set_up("vif7.3", true);
	for (i = 0; i < 50; i++) {
		send_frame("vif7.3", (unsigned char)i);
		CU_ASSERT_TRUE(comes(q, HEADER, (unsigned char)i));
	}
	close(q);
	tap_close(&t);
}

static void test_plug(void)
{
	struct ifreq r = {.ifr_flags = 0};
	char name[IFNAMSIZ];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct tap t;

	if (!can("plug"))
		goto out;
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.4", 0), 0);
	CU_ASSERT_EQUAL(tap_plug(&t, "", NULL), 0);
	CU_ASSERT_TRUE(interface_is_up("vif7.4"));
	CU_ASSERT(tap_plug(&t, "a-name-that-is-too-long", NULL) < 0);
	CU_ASSERT(tap_plug(&t, NULL, "none7") < 0);
	tap_close(&t);
	if (ioctl(s, SIOCBRADDBR, "br7")) {
		printf("\nskip plug into a bridge: this kernel makes none\n");
		goto out;
	}
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "vif7.4", 0), 0);
	CU_ASSERT_EQUAL(tap_plug(&t, "web2", "br7"), 0);
	CU_ASSERT_EQUAL(tap_name(&t, name), 0);
	CU_ASSERT_STRING_EQUAL(name, "web2");
	CU_ASSERT_TRUE(interface_is_up("web2"));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "br7");
	r.ifr_ifindex = (int)if_nametoindex("web2");
	CU_ASSERT_EQUAL(ioctl(s, SIOCBRDELIF, &r), 0); /* it was on the bridge */
	tap_close(&t);
	CU_ASSERT_EQUAL(ioctl(s, SIOCBRDELBR, "br7"), 0);
out:
	close(s);
}

static void test_packet(void)
{
	unsigned int before = open_fds(), i;
	struct pollfd p[4];
	unsigned char frame[HEADER + 60] = {0};
	struct tap t;
	bool found = false;
	int fds[4], q;

	if (!can("packet sockets"))
		return;
	CU_ASSERT_EQUAL(packet_open("none7", 2, fds), -ENODEV);
	CU_ASSERT_EQUAL_FATAL(tap_create(&t, "wire7", 0), 0);
	q = tap_open_queue(&t);
	CU_ASSERT_EQUAL(tap_set_carrier(&t, true), 0);
	set_up("wire7", true);
	CU_ASSERT_EQUAL_FATAL(packet_open("wire7", 4, fds), 0);
	/* what comes in over the wire reaches one of them, behind a 10-byte header */
	memcpy(frame + HEADER, "\x02\0\0\0\0\x09\x02\0\0\0\0\x01\x88\xb5p", 15);
	CU_ASSERT_EQUAL(write(q, frame, sizeof(frame)), (ssize_t)sizeof(frame));
	for (i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		CU_ASSERT_TRUE(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	}
	CU_ASSERT(poll(p, 4, 2000) > 0);
	for (i = 0; i < 4; i++)
		if (p[i].revents & POLLIN)
			found |= comes(fds[i], sizeof(struct virtio_net_hdr), 'p');
	CU_ASSERT_TRUE(found);
	for (i = 0; i < 4; i++)
		close(fds[i]);
	CU_ASSERT_EQUAL_FATAL(packet_open("wire7", 1, fds), 0);
	close(fds[0]);
	close(q);
	tap_close(&t);
	CU_ASSERT_EQUAL(open_fds(), before);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"create", test_create},
		{"queues and holders", test_queues},
		{"rename", test_rename},
		{"the holder takes no packet", test_holder_takes_nothing},
		{"plug again", test_plug},
		{"packet sockets", test_packet},
		CU_TEST_INFO_NULL,
	};

	allowed = unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
	return suite_main("tap", tests);
}
