/* SPDX-License-Identifier: BSD-2-Clause */
/* Console front end. */
#include <xen/io/xenbus.h>

#include "frontends/console.h"
#include "frontends/node.h"

int console_attach(struct console *c, struct front_os *os, struct xencons_interface *page,
		   uint32_t port)
{
	*c = (struct console){.os = os, .port = port};
	return console_front_init(page, &c->in, &c->out) ? FRONT_OK : FRONT_BROKEN;
}

static int publish(struct console *c)
{
	int err = node_put(c->os, "ring-ref", c->ref);

	if (err == FRONT_OK)
		err = node_put(c->os, "port", c->port);
	return err == FRONT_OK ? node_put(c->os, "state", XenbusStateInitialised) : err;
}

int console_init(struct console *c, struct front_os *os)
{
	void *page = os->ops->pages_alloc(os, 1);
	int err = FRONT_NOMEM;

	*c = (struct console){.os = os};
	if (!page)
		return FRONT_NOMEM;
	console_attach(c, os, page, 0); /* a page of zeros has good indices */
	c->page = page;
	c->ref = os->ops->grant(os, page, false);
	c->port = os->ops->port_alloc(os);
	if (c->ref && c->port)
		err = publish(c);
	if (err != FRONT_OK)
		console_close(c);
	return err;
}

static void notify(struct console *c)
{
	c->os->ops->port_notify(c->os, c->port);
}

int console_write(struct console *c, const void *data, uint32_t len)
{
	int32_t n = c->broken ? BYTES_OVERRUN : bytes_write(&c->out, data, len);

	c->broken = n < 0;
	if (n > 0)
		notify(c);
	return c->broken ? FRONT_BROKEN : n;
}

int console_read(struct console *c, void *data, uint32_t len)
{
	int32_t n = c->broken ? BYTES_OVERRUN : bytes_read(&c->in, data, len);

	c->broken = n < 0;
	if (n > 0)
		notify(c); /* the daemon may wait for room */
	return c->broken ? FRONT_BROKEN : n;
}

int console_close(struct console *c)
{
	struct front_os *os = c->os;

	c->broken = true;
	if (!c->page)
		return FRONT_OK;
	if (c->port)
		os->ops->port_close(os, c->port);
	c->port = 0;
	if (c->ref && os->ops->grant_end(os, c->ref) != FRONT_OK)
		return FRONT_BUSY;
	c->ref = 0;
	os->ops->pages_free(os, c->page, 1);
	c->page = NULL;
	return FRONT_OK;
}
