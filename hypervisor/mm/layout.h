/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in the hypervisor's 8 TiB: L4 slots 256 to 271, a slot 512 GiB.
 *
 *   256  0xffff800000000000  M2P, readable by PV guests (MACH2PHYS_VIRT_START in the ABI)
 *   257  0xffff808000000000  the same, writable, the hypervisor's
 *   258  0xffff810000000000  of the current domain: vcpus' GDT, LDT and map windows
 *   259  0xffff818000000000  vmap: stacks with guard pages, devices' registers, per-CPU data
 *   260  0xffff820000000000  the image
 *   261  0xffff828000000000  frame table, indexed by machine frame
 *   262  0xffff830000000000  direct map of machine memory, to the end of slot 271: 5 TiB
 */
#ifndef HV_LAYOUT_H
#define HV_LAYOUT_H

#define HV_FIRST_SLOT 256
#define HV_LAST_SLOT  271

#define HV_VIRT_START     0xffff800000000000
#define M2P_RO_START      0xffff800000000000
#define M2P_START         0xffff808000000000
#define PERDOMAIN_START   0xffff810000000000
#define VMAP_START        0xffff818000000000
#define IMAGE_START       0xffff820000000000
#define FRAME_TABLE_START 0xffff828000000000
#define DIRECT_MAP_START  0xffff830000000000
#define DIRECT_MAP_END    0xffff880000000000
#define HV_VIRT_END       0xffff880000000000

/* In slot 258. A vcpu's GDT: 14 pages of the guest's, then the hypervisor's; its LDT. */
#define GDT_LDT_VCPU_SHIFT 17
#define GDT_VADDR(vcpu_id) (PERDOMAIN_START + ((uint64_t)(vcpu_id) << GDT_LDT_VCPU_SHIFT))
#define LDT_VADDR(vcpu_id) (GDT_VADDR(vcpu_id) + (1ul << (GDT_LDT_VCPU_SHIFT - 1)))
/* A vcpu's window for map_frame(): WINDOW_PAGES pages each. */
#define WINDOW_START         (PERDOMAIN_START + (1ul << 32))
#define WINDOW_PAGES         32
#define WINDOW_VADDR(vcpu_id) (WINDOW_START + (uint64_t)(vcpu_id) * WINDOW_PAGES * PAGE_SIZE)

#endif
