// SPDX-License-Identifier: GPL-2.0-only
/* XENVER_*: to guests and tools this is Xen 4.17, with an extra version of its own. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/mm/layout.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17

static const char extraversion[XEN_EXTRAVERSION_LEN] = ".0-xylem";

static long store(uint64_t arg, const void *p, size_t n)
{
	return copy_to_guest(arg, p, n) ? -EFAULT : 0;
}

/* @text in a field of @size bytes, the rest of them 0. */
static long store_text(uint64_t arg, const char *text, size_t size)
{
	char field[sizeof(xen_capabilities_info_t)] = {0}; /* the longest of them */

	_Static_assert(sizeof(xen_commandline_t) <= sizeof(field), "the longest");
	strcopy(field, text, size);
	return store(arg, field, size);
}

static long compile_info(uint64_t arg)
{
	struct xen_compile_info info;

	memset(&info, 0, sizeof(info));
	strcopy(info.compiler, xylem_compile_info[0], sizeof(info.compiler));
	strcopy(info.compile_by, xylem_compile_info[1], sizeof(info.compile_by));
	strcopy(info.compile_domain, xylem_compile_info[2], sizeof(info.compile_domain));
	strcopy(info.compile_date, xylem_version, sizeof(info.compile_date));
	return store(arg, &info, sizeof(info));
}

static long features(uint64_t arg)
{
	const struct domain *d = current->domain;
	struct xen_feature_info f;

	if (!get_guest(&f, arg))
		return -EFAULT;
	if (f.submap_idx >= XENFEAT_NR_SUBMAPS)
		return -EINVAL;
	f.submap = 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_not_direct_mapped |
		   1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
		   1u << XENFEAT_gnttab_map_avail_bits;
	if (d->vm_assist & 1ull << VMASST_TYPE_pae_extended_cr3)
		f.submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
	if (d->hardware)
		f.submap |= 1u << XENFEAT_dom0;
	return store(arg, &f, sizeof(f));
}

long do_xen_version(int cmd, uint64_t arg)
{
	static const struct xen_platform_parameters parameters = {.virt_start = HV_VIRT_START};

	switch (cmd) {
	case XENVER_version:
		return VERSION_MAJOR << 16 | VERSION_MINOR;
	case XENVER_extraversion:
		return store(arg, extraversion, sizeof(extraversion));
	case XENVER_compile_info:
		return compile_info(arg);
	case XENVER_capabilities:
		return store_text(arg, "xen-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
	case XENVER_changeset:
		return store_text(arg, xylem_compile_info[3], sizeof(xen_changeset_info_t));
	case XENVER_platform_parameters:
		return store(arg, &parameters, sizeof(parameters));
	case XENVER_get_features:
		return features(arg);
	case XENVER_pagesize:
		return arg ? -EINVAL : (long)PAGE_SIZE;
	case XENVER_guest_handle:
		return store(arg, current->domain->handle, sizeof(xen_domain_handle_t));
	case XENVER_commandline:
		return store_text(arg, access_check(ACCESS_VERSION_PRIV, NULL) ? "<denied>"
								      : boot_info.cmdline,
				  sizeof(xen_commandline_t));
	case XENVER_build_id:
		/* The image carries none. */
		return access_check(ACCESS_VERSION_PRIV, NULL) ? -EPERM : -ENODATA;
	default:
		return -ENOSYS;
	}
}
