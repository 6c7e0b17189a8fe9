// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which node memory is in, from ACPI's SRAT (ACPI 6.4, 5.2.16) and SLIT. Proximity domains
 * are any numbers; nodes are counted from 0 in the order in which they are met. Tables
 * that make no sense leave one node.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm_internal.h"

#define MAX_RANGES  128
#define FAR         20
#define SRAT_MEMORY 1
#define ENABLED     1u

struct numa_range {
	uint64_t start, end; /* frames */
	unsigned int node;
};
static struct numa_range range[MAX_RANGES];
static unsigned int nr_ranges, nr_nodes = 1;
static uint32_t proximity[MAX_NODES];
static uint8_t distance[MAX_NODES][MAX_NODES];

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
} __attribute__((packed));

struct srat_memory {
	uint8_t type, length;
	uint32_t domain;
	uint16_t reserved;
	uint64_t base, size;
	uint32_t reserved2, flags;
	uint64_t reserved3;
} __attribute__((packed));
_Static_assert(sizeof(struct srat_memory) == 40, "SRAT's layout");

struct slit {
	struct acpi_header header;
	uint64_t n;
	uint8_t distance[];
} __attribute__((packed));

unsigned int numa_nodes(void)
{
	return nr_nodes;
}

unsigned int node_of(mfn_t mfn)
{
	for (unsigned int i = 0; nr_nodes > 1 && i < nr_ranges; i++)
		if (mfn.n >= range[i].start && mfn.n < range[i].end)
			return range[i].node;
	return 0;
}

uint64_t numa_node_frames(unsigned int node)
{
	uint64_t n = 0;

	if (nr_nodes == 1)
		return node ? 0 : total_frames();
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (range[i].node == node)
			n += range[i].end - range[i].start;
	return n;
}

unsigned int numa_distance(unsigned int a, unsigned int b)
{
	return a < nr_nodes && b < nr_nodes ? distance[a][b] : 0;
}

/* The node of a proximity domain, @n known so far. MAX_NODES: there is no room. */
static unsigned int node_for(uint32_t domain, unsigned int *n)
{
	for (unsigned int i = 0; i < *n; i++)
		if (proximity[i] == domain)
			return i;
	if (*n == MAX_NODES)
		return MAX_NODES;
	proximity[*n] = domain;
	return (*n)++;
}

/* Number of nodes with memory; 0: the table is no use. */
static unsigned int read_srat(const struct acpi_header *t)
{
	const char *p = (const char *)t + sizeof(*t) + 12, *end = (const char *)t + t->length;
	unsigned int n = 0;

	for (; end - p >= 2; p += (uint8_t)p[1]) {
		const struct srat_memory *m = (const void *)p;
		struct numa_range *r = &range[nr_ranges];

		if (m->length < 2 || m->length > end - p)
			break;
		if (m->type != SRAT_MEMORY || m->length < sizeof(*m) || !(m->flags & ENABLED) ||
		    !m->size)
			continue;
		if (nr_ranges == MAX_RANGES || m->base + m->size < m->base)
			return 0;
		r->start = m->base >> PAGE_SHIFT;
		r->end = (m->base + m->size) >> PAGE_SHIFT;
		r->node = node_for(m->domain, &n);
		if (r->node == MAX_NODES)
			return 0;
		nr_ranges++;
	}
	return n;
}

static void read_slit(const struct slit *t, unsigned int n)
{
	bool good = t && t->n < 1 << 16 &&
		    t->header.length >= sizeof(*t) + t->n * t->n;

	for (unsigned int a = 0; a < n; a++)
		for (unsigned int b = 0; b < n; b++) {
			distance[a][b] = a == b ? 10 : FAR;
			if (good && proximity[a] < t->n && proximity[b] < t->n)
				distance[a][b] = t->distance[proximity[a] * t->n + proximity[b]];
		}
}

void numa_init(void)
{
	const struct acpi_header *srat = acpi_table("SRAT", 0);
	unsigned int n = srat ? read_srat(srat) : 0;

	distance[0][0] = 10;
	if (n < 2) {
		n = 1;
	} else {
		read_slit(acpi_table("SLIT", 0), n);
		nr_nodes = n;
		buddy_sort_nodes(n);
		for (unsigned int i = 0; i < n; i++)
			printk(LOG_INFO, "node %u: %lu MiB, %lu MiB free\n", i,
			       numa_node_frames(i) >> 8, buddy_free_frames(i) >> 8);
	}
	/* A CPU of a domain without memory counts as node 0's. */
	for (unsigned int i = 0; i < acpi.nr_cpus; i++) {
		unsigned int known = n, node = n > 1 ? node_for(acpi.cpu[i].node, &known) : 0;

		acpi.cpu[i].node = node < n ? node : 0;
	}
}
