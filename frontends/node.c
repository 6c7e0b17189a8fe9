/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers in xenstore, without a libc. */
#include "frontends/node.h"

void node_text(struct node *n, const char *text)
{
	while (*text && n->len + 1 < NODE_MAX)
		n->text[n->len++] = *text++;
	n->text[n->len] = 0;
}

void node_number(struct node *n, uint64_t value)
{
	char digits[24];
	unsigned int i = sizeof(digits) - 1;

	digits[i] = 0;
	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	node_text(n, digits + i);
}

bool node_parse(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (*text < '0' || *text > '9' || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

int node_get(struct front_os *os, enum front_side side, const char *node, uint64_t max,
	     uint64_t fallback, uint64_t *out)
{
	char buf[32];

	*out = fallback;
	if (os->ops->get(os, side, node, buf, sizeof(buf)) < 0)
		return FRONT_OK;
	return node_parse(buf, max, out) ? FRONT_OK : FRONT_STORE;
}

uint64_t node_feature(struct front_os *os, const char *node, uint64_t max,
		      uint64_t fallback)
{
	uint64_t v;

	return node_get(os, BACK_DIR, node, max, fallback, &v) == FRONT_OK ? v : fallback;
}

int node_put(struct front_os *os, const char *node, uint64_t value)
{
	struct node n = {.len = 0};

	node_number(&n, value);
	return os->ops->put(os, node, n.text);
}

int node_put_in(struct front_os *os, const char *prefix, const char *node, int index,
		uint64_t value)
{
	struct node n = {.len = 0};

	node_text(&n, prefix);
	node_text(&n, node);
	if (index >= 0)
		node_number(&n, (unsigned int)index);
	return node_put(os, n.text, value);
}

void node_queue(struct node *n, unsigned int queue, unsigned int nr_queues)
{
	n->len = 0;
	n->text[0] = 0;
	if (nr_queues < 2)
		return;
	node_text(n, "queue-");
	node_number(n, queue);
	node_text(n, "/");
}
