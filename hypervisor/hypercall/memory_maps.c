// SPDX-License-Identifier: GPL-2.0-only
/* XENMEM_*: memory maps in the BIOS' form, and where the M2P is. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/hypercall/memory.h"

#define DOMAIN_E820_MAX 1024
#define E820_RESERVED   2

/* As INT 15h, AX=E820h gives it. */
struct bios_e820 {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct bios_e820) == 20, "the BIOS' layout");

long memory_map(struct op_call *c)
{
	struct xen_memory_map *m = c->arg;
	struct domain *d = c->d;
	long rc = 0;

	spin_lock(&d->lock);
	if (!d->nr_memory_map) {
		rc = -ENOSYS;
	} else {
		m->nr_entries = MIN(m->nr_entries, d->nr_memory_map);
		if (copy_to_guest(handle_gva(m->buffer), d->memory_map,
				  m->nr_entries * sizeof(struct bios_e820)))
			rc = -EFAULT;
	}
	spin_unlock(&d->lock);
	return rc;
}

long memory_set_map(struct op_call *c)
{
	const struct xen_foreign_memory_map *m = c->arg;
	size_t size = m->map.nr_entries * sizeof(struct bios_e820);
	struct domain *d = c->d;
	void *map, *old;

	if (m->map.nr_entries > DOMAIN_E820_MAX)
		return -EINVAL;
	map = size ? xzalloc_bytes(size, 8) : NULL;
	if (size && !map)
		return -ENOMEM;
	if (copy_from_guest(map, handle_gva(m->map.buffer), size)) {
		xfree(map);
		return -EFAULT;
	}
	spin_lock(&d->lock);
	old = d->memory_map;
	d->memory_map = map;
	d->nr_memory_map = m->map.nr_entries;
	spin_unlock(&d->lock);
	xfree(old);
	return 0;
}

static bool put_entry(uint64_t gva, unsigned int n, uint64_t start, uint64_t end, uint32_t type)
{
	struct bios_e820 e = {start, end - start, type};

	return put_guest(gva + n * sizeof(e), &e);
}

/* The machine's map, the image cut out of the memory it is in. */
long memory_machine_map(struct op_call *c)
{
	uint64_t image = image_to_maddr(image_start) & PAGE_MASK;
	uint64_t image_last = ROUND_UP(image_to_maddr(image_end), PAGE_SIZE);
	struct xen_memory_map *m = c->arg;
	unsigned int n = 0;
	bool ok = true;

	if (m->nr_entries < boot_info.nr_e820 + 2)
		return -EINVAL;
	for (unsigned int i = 0; i < boot_info.nr_e820; i++) {
		const struct e820_entry *e = &boot_info.e820[i];
		uint64_t gva = handle_gva(m->buffer), at = e->start, end = e->start + e->size;

		if (e->type == 1 && at < image_last && end > image) {
			if (at < image)
				ok &= put_entry(gva, n++, at, image, 1);
			ok &= put_entry(gva, n++, MAX(at, image), MIN(end, image_last),
					E820_RESERVED);
			at = image_last;
		}
		if (at < end)
			ok &= put_entry(gva, n++, at, end, e->type);
	}
	m->nr_entries = n;
	return ok ? 0 : -EFAULT;
}

long memory_machphys_mapping(struct op_call *c)
{
	*(struct xen_machphys_mapping *)c->arg = (struct xen_machphys_mapping){
		.v_start = MACH2PHYS_VIRT_START,
		.v_end = MACH2PHYS_VIRT_END,
		/* Whoever may get frames of others sees no more than there are. */
		.max_mfn = c->d->hardware ? max_frame - 1 : MACH2PHYS_NR_ENTRIES - 1,
	};
	_Static_assert(MACH2PHYS_VIRT_START == M2P_RO_START, "the ABI's place");
	return 0;
}

/* A frame number for each 2 MiB of the M2P, for mapping as DOMID_XEN's: all of them, so
 * where there is a hole, the one before. */
long memory_machphys_list(struct op_call *c)
{
	struct xen_machphys_mfn_list *l = c->arg;
	uint64_t n = (max_frame * sizeof(uint64_t) + (2ul << 20) - 1) >> 21;
	xen_pfn_t mfn = 0;

	n = MIN(n, l->max_extents);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t here = m2p_chunk_mfn(i).n;

		mfn = here ? here : mfn;
		if (!put_guest(handle_gva(l->extent_start) + i * sizeof(mfn), &mfn))
			return -EFAULT;
	}
	l->nr_extents = (unsigned int)n;
	return 0;
}
