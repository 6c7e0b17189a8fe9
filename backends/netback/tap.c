// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taps and packet sockets: tun_tap(4) ioctls (linux/if_tun.h, networking/tuntap.rst)
 * and packet(7).
 *
 * A multi-queue tap exists while a descriptor refers to it, with its queue
 * enabled or not (TUNSETQUEUE). The supervisor's is not, or the kernel would put
 * packets into a queue that nobody reads.
 */
#include "backends/netback/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* linux/if_packet.h of Linux 4.20 and later */
#endif
#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000
#endif

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)

static int set_name(struct ifreq *r, const char *name)
{
	size_t n = strlen(name);

	memset(r, 0, sizeof(*r));
	if (!n || n >= sizeof(r->ifr_name))
		return -EINVAL;
	memcpy(r->ifr_name, name, n);
	return 0;
}

/* ioctl() of an interface by name, on a socket of the moment. 0 or -errno. */
static int interface_ioctl(unsigned long request, struct ifreq *r)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (s < 0)
		return -errno;
	if (ioctl(s, request, r))
		err = -errno;
	close(s);
	return err;
}

/* A descriptor with a queue of @name. @flags: IFF_TUN_EXCL or 0. fd or -errno. */
static int open_queue(const char *name, short flags)
{
	struct ifreq r;
	int fd, err = set_name(&r, name);

	if (err)
		return err;
	r.ifr_flags = (short)(TAP_FLAGS | flags);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &r)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int detach_queue(int fd)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	r.ifr_flags = IFF_DETACH_QUEUE;
	return ioctl(fd, TUNSETQUEUE, &r) ? -errno : 0;
}

/*
 * The largest address that is not broadcast: a bridge takes the smallest of its
 * ports' as its own, and must not take this one (as the stock scripts do).
 */
static int set_address(const char *name)
{
	struct ifreq r;
	int err = set_name(&r, name);

	if (err)
		return err;
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memset(r.ifr_hwaddr.sa_data, 0xff, ETH_ALEN);
	r.ifr_hwaddr.sa_data[0] = (char)0xfe;
	return interface_ioctl(SIOCSIFHWADDR, &r);
}

static int set_mtu(const char *name, unsigned int mtu)
{
	struct ifreq r;
	int err = set_name(&r, name);

	if (err || !mtu)
		return err;
	r.ifr_mtu = (int)mtu;
	return interface_ioctl(SIOCSIFMTU, &r);
}

static int set_header(int fd)
{
	int size = sizeof(struct virtio_net_hdr_v1);

	return ioctl(fd, TUNSETVNETHDRSZ, &size) ? -errno : 0;
}

void tap_init(struct tap *t)
{
	t->fd = -1;
}

void tap_close(struct tap *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int tap_create(struct tap *t, const char *name, unsigned int mtu)
{
	int err;

	t->fd = open_queue(name, IFF_TUN_EXCL);
	if (t->fd < 0) {
		err = t->fd;
		tap_init(t);
		return err;
	}
	err = set_header(t->fd);
	if (!err)
		err = set_address(name);
	if (!err)
		err = set_mtu(name, mtu);
	if (!err)
		err = tap_set_carrier(t, false);
	if (!err)
		err = detach_queue(t->fd);
	if (err)
		tap_close(t);
	return err;
}

int tap_hold(struct tap *t, const char *name)
{
	int err;

	tap_init(t);
	if (!if_nametoindex(name))
		return -errno;
	t->fd = open_queue(name, 0);
	if (t->fd < 0) {
		err = t->fd;
		tap_init(t);
		return err;
	}
	err = detach_queue(t->fd);
	if (err)
		tap_close(t);
	return err;
}

int tap_name(const struct tap *t, char name[IFNAMSIZ])
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	if (ioctl(t->fd, TUNGETIFF, &r))
		return -errno;
	memcpy(name, r.ifr_name, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	return 0;
}

/*
 * Between asking the name and using it the script may rename the interface, and
 * the name would then make a second one: checked by index, and tried again.
 */
int tap_open_queue(const struct tap *t)
{
	char name[IFNAMSIZ], after[IFNAMSIZ];
	int fd, err, tries;

	for (tries = 0; tries < 3; tries++) {
		err = tap_name(t, name);
		if (err)
			return err;
		fd = open_queue(name, 0);
		if (fd < 0)
			return fd;
		err = tap_name(t, after);
		if (!err && !strcmp(name, after))
			return fd;
		close(fd);
		if (err)
			return err;
	}
	return -EAGAIN;
}

int tap_set_carrier(const struct tap *t, bool on)
{
	int carrier = on;

	return ioctl(t->fd, TUNSETCARRIER, &carrier) ? -errno : 0;
}

static int rename_to(const char *from, const char *to)
{
	struct ifreq r;
	int err = set_name(&r, from);

	if (err || !to || !to[0] || !strcmp(from, to))
		return err;
	if (strlen(to) >= sizeof(r.ifr_newname))
		return -EINVAL;
	memcpy(r.ifr_newname, to, strlen(to) + 1);
	return interface_ioctl(SIOCSIFNAME, &r);
}

static int join_bridge(const char *name, const char *bridge)
{
	struct ifreq r;
	int err = set_name(&r, bridge);

	if (err)
		return err;
	r.ifr_ifindex = (int)if_nametoindex(name);
	return r.ifr_ifindex ? interface_ioctl(SIOCBRADDIF, &r) : -errno;
}

static int set_up(const char *name)
{
	struct ifreq r;
	int err = set_name(&r, name);

	if (!err)
		err = interface_ioctl(SIOCGIFFLAGS, &r);
	if (err)
		return err;
	r.ifr_flags |= IFF_UP;
	return interface_ioctl(SIOCSIFFLAGS, &r);
}

int tap_plug(const struct tap *t, const char *name, const char *bridge)
{
	char now[IFNAMSIZ];
	int err = tap_name(t, now);

	if (!err)
		err = rename_to(now, name);
	if (!err)
		err = tap_name(t, now);
	if (!err && bridge && bridge[0])
		err = join_bridge(now, bridge);
	return err ? err : set_up(now);
}

/* ---- packet sockets ---- */

static int option(int s, int name, int value)
{
	return setsockopt(s, SOL_PACKET, name, &value, sizeof(value)) ? -errno : 0;
}

/* One socket; without a protocol until bound, so that it hears nothing else. */
static int packet_socket(unsigned int ifindex)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex,
	};
	struct packet_mreq promisc = {
		.mr_ifindex = (int)ifindex,
		.mr_type = PACKET_MR_PROMISC,
	};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (s < 0)
		return -errno;
	err = option(s, PACKET_VNET_HDR, 1);
	if (!err)
		option(s, PACKET_IGNORE_OUTGOING,
		       1); /* spares work; older kernels cannot */
	if (!err && bind(s, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	if (!err &&
	    setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		err = -errno;
	if (err) {
		close(s);
		return err;
	}
	return s;
}

/* A group of its own for the sockets of one vif: the first asks for a free number. */
static int join_group(int s, bool first, int *group)
{
	int mode = PACKET_FANOUT_HASH << 16;
	socklen_t n = sizeof(*group);
	int err;

	if (!first)
		return option(s, PACKET_FANOUT, (*group & 0xffff) | mode);
	err = option(s, PACKET_FANOUT, mode | PACKET_FANOUT_FLAG_UNIQUEID << 16);
	if (!err && getsockopt(s, SOL_PACKET, PACKET_FANOUT, group, &n))
		err = -errno;
	return err;
}

int packet_open(const char *interface, unsigned int n, int *fds)
{
	unsigned int ifindex = if_nametoindex(interface), i;
	int group = 0, err = 0;

	if (!ifindex)
		return -errno;
	for (i = 0; i < n; i++) {
		fds[i] = packet_socket(ifindex);
		if (fds[i] < 0) {
			err = fds[i];
			break;
		}
		err = n > 1 ? join_group(fds[i], i == 0, &group) : 0;
		if (err) {
			close(fds[i]);
			break;
		}
	}
	while (err && i)
		close(fds[--i]);
	return err;
}

bool interface_is_up(const char *name)
{
	struct ifreq r;

	if (set_name(&r, name) || interface_ioctl(SIOCGIFFLAGS, &r))
		return false;
	return r.ifr_flags & IFF_UP;
}
