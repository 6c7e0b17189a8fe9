// SPDX-License-Identifier: GPL-2.0-only
/* XENVER_*: to guests and tools this is Xen 4.17, with an extra version of its own. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/mm/layout.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define DENIED        "<denied>"

static const char extraversion[XEN_EXTRAVERSION_LEN] = ".0-xylem";

static long store(uint64_t arg, const void *p, size_t n)
{
	return copy_to_guest(arg, p, n) ? -EFAULT : 0;
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

static long capabilities(uint64_t arg)
{
	xen_capabilities_info_t caps;

	memset(caps, 0, sizeof(caps));
	strcopy(caps, "xen-3.0-x86_64 ", sizeof(caps));
	return store(arg, caps, sizeof(caps));
}

static long changeset(uint64_t arg)
{
	xen_changeset_info_t set;

	memset(set, 0, sizeof(set));
	strcopy(set, xylem_compile_info[3], sizeof(set));
	return store(arg, set, sizeof(set));
}

static long commandline(uint64_t arg)
{
	xen_commandline_t line;

	memset(line, 0, sizeof(line));
	if (access_check(ACCESS_VERSION_PRIV, NULL))
		strcopy(line, DENIED, sizeof(line));
	else
		strcopy(line, boot_info.cmdline, sizeof(line));
	return store(arg, line, sizeof(line));
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
	return put_guest(arg, &f) ? 0 : -EFAULT;
}

static long platform_parameters(uint64_t arg)
{
	struct xen_platform_parameters p = {.virt_start = HV_VIRT_START};

	return put_guest(arg, &p) ? 0 : -EFAULT;
}

long do_xen_version(int cmd, uint64_t arg)
{
	switch (cmd) {
	case XENVER_version:
		return VERSION_MAJOR << 16 | VERSION_MINOR;
	case XENVER_extraversion:
		return store(arg, extraversion, sizeof(extraversion));
	case XENVER_compile_info:
		return compile_info(arg);
	case XENVER_capabilities:
		return capabilities(arg);
	case XENVER_changeset:
		return changeset(arg);
	case XENVER_platform_parameters:
		return platform_parameters(arg);
	case XENVER_get_features:
		return features(arg);
	case XENVER_pagesize:
		return arg ? -EINVAL : (long)PAGE_SIZE;
	case XENVER_guest_handle:
		return store(arg, current->domain->handle, sizeof(xen_domain_handle_t));
	case XENVER_commandline:
		return commandline(arg);
	case XENVER_build_id:
		/* The image carries none. */
		return access_check(ACCESS_VERSION_PRIV, NULL) ? -EPERM : -ENODATA;
	default:
		return -ENOSYS;
	}
}
