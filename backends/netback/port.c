/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports that have no state but a descriptor. */
#include "backends/netback/port.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct port *port_fd_open(const struct port_ops *ops, int fd)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	p->ops = ops;
	p->fd = fd;
	return p;
}

void port_fd_close(struct port *p)
{
	close(p->fd);
	free(p);
}
