/* SPDX-License-Identifier: GPL-2.0-only */
/* The multicast filter list, see mcast.h. */
#include "backends/netback/mcast.h"

#include <string.h>

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint32_t mcast_find(const struct mcast *m, const uint8_t *addr)
{
	uint32_t i;

	for (i = 0; i < m->nr; i++)
		if (!memcmp(m->addr[i], addr, 6))
			break;
	return i;
}

bool mcast_add(struct mcast *m, const uint8_t *addr)
{
	if (!(addr[0] & 1))
		return false;
	if (mcast_find(m, addr) < m->nr)
		return true;
	if (m->nr == MCAST_MAX)
		return false;
	memcpy(m->addr[m->nr++], addr, 6);
	return true;
}

void mcast_del(struct mcast *m, const uint8_t *addr)
{
	uint32_t i = mcast_find(m, addr);

	if (i == m->nr)
		return;
	m->nr--;
	memmove(m->addr[i], m->addr[m->nr], 6);
}

bool mcast_pass(const struct mcast *m, const uint8_t *addr)
{
	if (!(addr[0] & 1) || !memcmp(addr, broadcast, 6))
		return true;
	return mcast_find(m, addr) < m->nr;
}
