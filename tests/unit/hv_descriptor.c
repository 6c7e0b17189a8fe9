// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that a guest may have, GDT frames and LDT pages and their references, debug
 * registers. Frames are a small table whose types count as mm/frame.c's would. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"

#define FRAMES 32

static struct frame frames[FRAMES];
struct frame *frame_table = frames;
uint64_t max_frame = FRAMES;
bool cpu_has_fsgsbase;
static _Alignas(4096) char memory[FRAMES * 4096];
static struct domain dom, other;
static struct vcpu vcpu;
static struct domain *owner[FRAMES];
static uint64_t l1[32], guest_l1e[16], dr[8], guest_frames[16];
static unsigned int flushes;

/* ---- frames: type in .type with its count; a type reference holds a general one ---- */

struct frame *frame_lookup(mfn_t mfn)
{
	return mfn.n < FRAMES ? mfn_to_frame(mfn) : NULL;
}

bool frame_get(struct frame *f, const struct domain *d)
{
	if (owner[f - frames] != d)
		return false;
	f->count++;
	return true;
}

void frame_put(struct frame *f)
{
	CU_ASSERT_FATAL(f->count);
	f->count--;
}

int frame_get_type(struct frame *f, uint64_t type)
{
	if (f->type & FRAME_TYPE_COUNT_MASK && (f->type & FRAME_TYPE_MASK) != type)
		return -EINVAL;
	f->type = type | ((f->type & FRAME_TYPE_COUNT_MASK) + 1);
	return 0;
}

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type)
{
	if (!frame_get(f, d))
		return false;
	if (!frame_get_type(f, type))
		return true;
	frame_put(f);
	return false;
}

void frame_put_and_type(struct frame *f)
{
	CU_ASSERT_FATAL(f->type & FRAME_TYPE_COUNT_MASK);
	f->type--;
	frame_put(f);
}

void *map_frame(mfn_t mfn)
{
	return memory + mfn.n * 4096;
}

void unmap_frame(const void *p)
{
	(void)p;
}

/* ---- the rest of the machine ---- */

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	if (gva != 0x1000 || n > sizeof(guest_frames))
		return n;
	memcpy(to, guest_frames, n);
	return 0;
}

bool guest_range_ok(uint64_t gva, size_t n)
{
	return gva + n <= HV_VIRT_START || gva >= HV_VIRT_END;
}

uint64_t pv_read_l1e(uint64_t va)
{
	return guest_l1e[va >> PAGE_SHIFT & 15];
}

void pv_write_cr3(struct vcpu *v)
{
	(void)v;
}

void tlb_flush_local(void)
{
	flushes++;
}

void tlb_flush_mask(const struct cpumask *mask, bool global)
{
	(void)mask, (void)global;
	flushes++;
}

void spin_lock(struct spinlock *l)
{
	(void)l;
}

void spin_unlock(struct spinlock *l)
{
	(void)l;
}

void write_dr_addresses(const uint64_t v[4])
{
	memcpy(dr, v, 4 * sizeof(*v));
}

void write_dr7(uint64_t v)
{
	dr[7] = v;
}

void fpu_set_ts(bool on)
{
	(void)on;
}

static uint64_t fs_base, gs_base, kernel_gs;

uint64_t read_gs_base(void)
{
	return gs_base;
}

void write_gs_base(uint64_t v)
{
	gs_base = v;
}

void write_fs_base(uint64_t v)
{
	fs_base = v;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	CU_ASSERT_EQUAL(msr, MSR_KERNEL_GS_BASE);
	kernel_gs = v;
}

bool load_gs(uint16_t sel)
{
	if (sel & 4 && !l1[16]) { /* as the fault on the LDT's page leaves it */
		vcpu.pv.ldt_wanted = (sel & ~7u) + 1;
		return false;
	}
	gs_base = sel == 0x33 ? 0x5000 : 0;
	return sel != 0xffff;
}

static void setup(void)
{
	memset(frames, 0, sizeof(frames));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(l1, 0, sizeof(l1));
	memset(guest_l1e, 0, sizeof(guest_l1e));
	for (unsigned int i = 0; i < FRAMES; i++)
		owner[i] = i < 24 ? &dom : &other;
	vcpu.domain = &dom;
	vcpu.pv.gdt_l1 = l1;
	vcpu.pv.kernel_mode = true;
	flushes = 0;
	set_current(&vcpu);
}

static unsigned int references(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FRAMES; i++)
		n += (unsigned int)frames[i].count;
	return n;
}

static bool check(uint64_t *desc)
{
	return pv_check_descriptor(&dom, desc);
}

static void test_descriptors(void)
{
	uint64_t d = 0x00af9b000000ffff; /* 64-bit code, DPL 0 */

	CU_ASSERT_TRUE(check(&d));
	CU_ASSERT_EQUAL(d, 0x00affb000000ffff);
	d = 0x00cfb3000000ffff; /* data, DPL 1 */
	CU_ASSERT_TRUE(check(&d));
	CU_ASSERT_EQUAL(d, 0x00cff3000000ffff);
	d = 0x00cff2000000ffff; /* as it may be: unchanged, accessed bit and all */
	CU_ASSERT_TRUE(check(&d));
	CU_ASSERT_EQUAL(d, 0x00cff2000000ffff);
	d = 0;
	CU_ASSERT_TRUE(check(&d));
	d = 0x0000ec0000080000 & ~(1ull << 47); /* a gate that is not present */
	CU_ASSERT_TRUE(check(&d));
	for (unsigned int type = 0; type < 16; type++) { /* gates, TSS, LDT: any DPL */
		d = 1ull << 47 | (uint64_t)type << 40;
		CU_ASSERT_FALSE(check(&d));
		d |= 3ull << 45;
		CU_ASSERT_FALSE(check(&d));
	}
}

static void test_gdt(void)
{
	uint64_t two[2] = {3, 4}, bad[3] = {5, 6, 25}, none[1] = {FRAMES};

	setup();
	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, two, 513), 0);
	CU_ASSERT_EQUAL(references(), 2);
	CU_ASSERT_EQUAL(frames[4].type, FRAME_SEGDESC | 1);
	CU_ASSERT_EQUAL(l1[1] & PTE_ADDR, 4 << PAGE_SHIFT);
	CU_ASSERT_EQUAL(l1[1] & (PTE_US | PTE_G), 0);

	/* Refused: another's frame, no frame, one that is writable, too many. The old stays. */
	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, bad, 1536), -EINVAL);
	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, none, 1), -EINVAL);
	frames[5].type = FRAME_WRITABLE | 1;
	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, bad, 512), -EINVAL);
	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, two, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
	CU_ASSERT_EQUAL(references(), 2);
	CU_ASSERT_EQUAL(vcpu.pv.gdt_entries, 513);

	CU_ASSERT_EQUAL(pv_set_gdt(&vcpu, two, 1), 0); /* the same frame, one entry */
	CU_ASSERT_EQUAL(references(), 1);
	CU_ASSERT_EQUAL(l1[1], 0);
	guest_frames[0] = 7;
	CU_ASSERT_EQUAL(do_set_gdt(0x1000, 512), 0);
	CU_ASSERT_TRUE(flushes > 0);
	CU_ASSERT_EQUAL(do_set_gdt(0x2000, 512), -EFAULT);
	CU_ASSERT_EQUAL(do_set_gdt(0x1000, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
	pv_destroy_gdt(&vcpu);
	CU_ASSERT_EQUAL(references(), 0);
}

static void test_update(void)
{
	uint64_t *page = (uint64_t *)(memory + 2 * 4096);

	setup();
	CU_ASSERT_EQUAL(do_update_descriptor(2 * 4096 + 16, 0x00af9b000000ffff), 0);
	CU_ASSERT_EQUAL(page[2], 0x00affb000000ffff);
	frames[2].type = FRAME_SEGDESC | 1;
	CU_ASSERT_EQUAL(do_update_descriptor(2 * 4096 + 8, 0), 0);
	CU_ASSERT_EQUAL(frames[2].type, FRAME_SEGDESC | 1);
	frames[2].type = FRAME_L1 | 1; /* not into a page table */
	CU_ASSERT_EQUAL(do_update_descriptor(2 * 4096, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_update_descriptor(2 * 4096 + 4, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_update_descriptor(25 * 4096, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_update_descriptor(FRAMES * 4096, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_update_descriptor(3 * 4096, 1ull << 47), -EINVAL);
	CU_ASSERT_EQUAL(references(), 0);
}

static void test_ldt(void)
{
	setup();
	vcpu.pv.ldt_base = 0x10000;
	vcpu.pv.ldt_entries = 513;
	guest_l1e[0] = 8 << PAGE_SHIFT | PTE_P;
	guest_l1e[1] = 25 << PAGE_SHIFT | PTE_P; /* another's */
	CU_ASSERT_TRUE(pv_map_ldt_page(8));
	CU_ASSERT_EQUAL(l1[16] & PTE_ADDR, 8 << PAGE_SHIFT);
	CU_ASSERT_TRUE(pv_map_ldt_page(16)); /* again: one reference */
	CU_ASSERT_EQUAL(references(), 1);
	CU_ASSERT_FALSE(pv_map_ldt_page(4096));
	CU_ASSERT_FALSE(pv_map_ldt_page(513 * 8)); /* past its end */
	guest_l1e[1] = 0;
	CU_ASSERT_FALSE(pv_map_ldt_page(4096));
	pv_invalidate_ldt(&vcpu);
	CU_ASSERT_EQUAL(references(), 0);

	flushes = 0;
	vcpu.pv.kernel_mode = false;
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER_SEL, 15), 0);
	CU_ASSERT_FALSE(vcpu.pv.kernel_mode);
	CU_ASSERT_EQUAL(references(), 1);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER_SEL, 15), 0);
	CU_ASSERT_FALSE(pv_map_wanted_ldt());
	pv_invalidate_ldt(&vcpu);
	vcpu.pv.ldt_entries = 0;
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER_SEL, 15), -EINVAL);
	CU_ASSERT_EQUAL(references(), 0);
	CU_ASSERT_EQUAL(l1[16], 0);
	CU_ASSERT_EQUAL(flushes, 1);
	pv_invalidate_ldt(&vcpu);
	CU_ASSERT_EQUAL(flushes, 1);
}

static void test_debug_registers(void)
{
	setup();
	CU_ASSERT_EQUAL(do_set_debugreg(0, 0x4000), 0);
	CU_ASSERT_EQUAL(do_get_debugreg(0), 0x4000);
	CU_ASSERT_EQUAL(do_set_debugreg(0, HV_VIRT_START), -EPERM);
	CU_ASSERT_EQUAL(do_set_debugreg(0, 1ull << 63), -EPERM);
	CU_ASSERT_EQUAL(do_set_debugreg(7, 1 << 13), -EPERM); /* GD */
	CU_ASSERT_EQUAL(do_set_debugreg(7, 1 | 2 << 16), -EPERM); /* I/O, without DE */
	dr[0] = 0;
	CU_ASSERT_EQUAL(do_set_debugreg(7, 1 | 1 << 16), 0);
	CU_ASSERT_EQUAL(dr[0], 0x4000); /* now that one is on */
	CU_ASSERT_EQUAL(dr[7], 1 | 1 << 16 | DR7_RESERVED_ONE);
	CU_ASSERT_EQUAL(do_set_debugreg(3, 0x8000), 0);
	CU_ASSERT_EQUAL(dr[3], 0x8000);
	CU_ASSERT_EQUAL(do_set_debugreg(7, 0), 0);
	CU_ASSERT_EQUAL(dr[7], DR7_RESERVED_ONE);
	CU_ASSERT_EQUAL(do_set_debugreg(5, 0), 0); /* DR7's other name */
	CU_ASSERT_EQUAL(do_set_debugreg(5, 1ull << 32), -EINVAL);
	vcpu.pv.ctrlreg[4] = 8;
	CU_ASSERT_EQUAL(do_set_debugreg(5, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_set_debugreg(7, 1 | 2 << 16), 0);
	CU_ASSERT_EQUAL(dr[7] & DR7_ACTIVE, 0); /* the machine never has it */
	CU_ASSERT_EQUAL(do_get_debugreg(7) & 3, 1);
	CU_ASSERT_EQUAL(do_set_debugreg(6, ~0ull), -EINVAL);
	CU_ASSERT_EQUAL(do_set_debugreg(6, ~0u), 0);
	CU_ASSERT_EQUAL(do_get_debugreg(6) >> 32, 0);
	CU_ASSERT_EQUAL(do_get_debugreg(8), -EINVAL);
	CU_ASSERT_EQUAL(do_get_debugreg(-1), -EINVAL);
	CU_ASSERT_TRUE(do_set_debugreg(8, 0) < 0);
}

static void test_bases(void)
{
	setup();
	gs_base = 0xffff888000000000;
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_FS, 0x1000), 0);
	CU_ASSERT_EQUAL(fs_base, 0x1000);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER, 0x2000), 0);
	CU_ASSERT_EQUAL(kernel_gs, 0x2000);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER_SEL, 0x33), 0);
	CU_ASSERT_EQUAL(kernel_gs, 0x5000);
	CU_ASSERT_EQUAL(gs_base, 0xffff888000000000); /* the kernel's own stays */
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER_SEL, 0xffff), -EINVAL);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_FS, 1ull << 47), -EINVAL);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_KERNEL, 1ull << 62), -EINVAL);
	CU_ASSERT_EQUAL(do_set_segment_base(SEGBASE_GS_USER, 1ull << 62), -EINVAL);
	CU_ASSERT_EQUAL(do_set_segment_base(9, 0), -EINVAL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"descriptors", test_descriptors}, {"GDT", test_gdt},
		{"update_descriptor", test_update}, {"LDT", test_ldt},
		{"debug registers", test_debug_registers}, {"segment bases", test_bases},
		CU_TEST_INFO_NULL,
	};

	host_memory = memory;
	return suite_main("hv_descriptor", tests);
}
