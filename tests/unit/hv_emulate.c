// SPDX-License-Identifier: GPL-2.0-only
/* Privileged instructions of PV guests: ports and strings, control and debug registers,
 * MSRs, CPUID; who may use them, from which mode and segment. Random code at the end. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/emulate.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"

#define CODE 0x400000ull
#define DATA 0x600000ull

struct cpu_policy host_policy;
uint64_t cr4_features = 0x3406e0;
bool cpu_has_fsgsbase, spec_ibpb;
static struct frame frames[4];
struct frame *frame_table = frames;
static struct domain dom;
static struct vcpu vcpu;
static struct vcpu_info info;
static struct cpu_policy policy;
static uint8_t code[32], data[64], bitmap[8192];
static uint64_t descriptor, fs_base = 0x1000, gs_base = 0x2000, kernel_gs = 0x3000, cr4;
static unsigned int port, port_bytes, reads, writes, injected, injected_ec, root,
	interrupted;
static uint32_t port_value, written;
static uint64_t fault_at;
static bool ts;

/* ---- guest memory: code, data, the I/O bitmap at 0x700000 ---- */

static void *place(uint64_t a, size_t n, bool write)
{
	if (!write && a >= CODE && a + n <= CODE + sizeof(code))
		return code + (a - CODE);
	if (a >= DATA && a + n <= DATA + sizeof(data))
		return data + (a - DATA);
	if (!write && a >= 0x700000 && a + n <= 0x700000 + sizeof(bitmap))
		return bitmap + (a - 0x700000);
	return NULL;
}

size_t copy_from_guest(void *to, uint64_t a, size_t n)
{
	size_t done = 0;

	for (; done < n && place(a + done, 1, false); done++)
		((uint8_t *)to)[done] = *(uint8_t *)place(a + done, 1, false);
	return n - done;
}

size_t copy_to_guest(uint64_t a, const void *from, size_t n)
{
	size_t done = 0;

	for (; done < n && place(a + done, 1, true); done++)
		*(uint8_t *)place(a + done, 1, true) = ((const uint8_t *)from)[done];
	return n - done;
}

size_t copy_survive(void *to, const void *from, size_t n)
{
	if ((uint64_t)from < GDT_VADDR(0) || (uint64_t)from >= GDT_VADDR(0) + 0xf000)
		return n;
	memcpy(to, &descriptor, 8);
	return 0;
}

bool pv_map_ldt_page(uint64_t offset)
{
	(void)offset;
	return false;
}

uint64_t pv_read_l1e(uint64_t va)
{
	return place(va, 1, false) ? PTE_P : 0;
}

/* ---- ports ---- */

bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last)
{
	(void)r;
	return first >= 0x300 && last < 0x400;
}

bool pci_guest_port(struct domain *d, uint16_t p, unsigned int bytes, uint32_t *value, bool write)
{
	(void)d, (void)bytes;
	if (p != 0xcf8)
		return false;
	if (!write)
		*value = 0xcf8cf8;
	return true;
}

static uint32_t in(uint16_t p, unsigned int bytes)
{
	CU_ASSERT_TRUE(p == 0x61 || (p >= 0x300 && p + bytes <= 0x400));
	port = p;
	port_bytes = bytes;
	reads++;
	return port_value++;
}

static void out(uint16_t p, uint32_t value, unsigned int bytes)
{
	CU_ASSERT_TRUE(p >= 0x300 && p + bytes <= 0x400);
	port = p;
	port_bytes = bytes;
	written = value;
	writes++;
}

uint8_t inb(uint16_t p) { return (uint8_t)in(p, 1); }
uint16_t inw(uint16_t p) { return (uint16_t)in(p, 2); }
uint32_t inl(uint16_t p) { return in(p, 4); }
void outb(uint16_t p, uint8_t v) { out(p, v, 1); }
void outw(uint16_t p, uint16_t v) { out(p, v, 2); }
void outl(uint16_t p, uint32_t v) { out(p, v, 4); }

/* ---- the CPU and other parts ---- */

uint64_t rdmsr(uint32_t msr) { return msr == MSR_KERNEL_GS_BASE ? kernel_gs : 0xd01 | 1 << 12; }
void wbinvd(void) { CU_ASSERT_TRUE(dom.hardware); }
bool rdmsr_safe(uint32_t msr, uint64_t *v) { *v = msr; return true; }
uint64_t rdtsc(void) { return 0x1122334455667788; }
uint64_t read_cr0(void) { return 0x80050033; }
void write_cr4(uint64_t v) { cr4 = v; }
uint64_t read_fs_base(void) { return fs_base; }
uint64_t read_gs_base(void) { return gs_base; }
void write_fs_base(uint64_t v) { fs_base = v; }
void write_gs_base(uint64_t v) { gs_base = v; }
uint16_t read_ds(void) { return 0x2b; }
uint16_t read_es(void) { return 0x2b; }
stime_t now(void) { return 5000000; }
uint64_t emulated_tsc(const struct domain *d, stime_t t) { return d->tsc.khz + (uint64_t)t; }
void fpu_set_ts(bool on) { ts = on; }
void pv_toggle_mode(struct vcpu *v) { v->pv.kernel_mode = !v->pv.kernel_mode; }
struct frame *frame_lookup(mfn_t mfn) { return mfn.n < 4 ? mfn_to_frame(mfn) : NULL; }
void unmap_frame(const void *p) { (void)p; }

void wrmsr(uint32_t msr, uint64_t v)
{
	CU_ASSERT_TRUE_FATAL(msr == MSR_KERNEL_GS_BASE);
	kernel_gs = v;
}

void pv_inject(unsigned int vector, uint32_t ec)
{
	injected = vector;
	injected_ec = ec;
}

void pv_inject_page_fault(uint32_t ec, uint64_t address)
{
	pv_inject(TRAP_PF, ec);
	fault_at = address;
}

int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
	(void)v;
	return xcr0 == 7 ? 0 : -EINVAL;
}

int pv_new_root(struct vcpu *v, mfn_t mfn, bool user)
{
	(void)v;
	root = (unsigned int)mfn.n;
	if (interrupted && interrupted--)
		return -ERESTART;
	return user || mfn.n > 9 ? -EINVAL : 0;
}

int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value)
{
	v->pv.debugreg[reg] = value;
	return reg == 5 ? -EINVAL : 0;
}

long do_get_debugreg(int reg)
{
	return (long)vcpu.pv.debugreg[reg];
}

static bool show_ibpb;

bool policy_has(const struct cpu_policy *p, unsigned int feature)
{
	(void)p;
	return feature == 8 * 32 + 12 && show_ibpb;
}

void policy_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *l)
{
	(void)v;
	*l = (struct cpuid_leaf){leaf, subleaf, 3, 4};
}

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type)
{
	(void)d;
	return f == &frames[2] && type == FRAME_WRITABLE;
}

void frame_put_and_type(struct frame *f)
{
	(void)f;
}

static char hypercall_page[PAGE_SIZE];

void *map_frame(mfn_t mfn)
{
	CU_ASSERT_EQUAL(mfn.n, 2);
	return hypercall_page;
}

void hypercall_page_fill(void *p)
{
	*(char *)p = 'h';
}

/* ---- tests ---- */

static void setup(bool kernel)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&info, 0, sizeof(info));
	memset(data, 0, sizeof(data));
	memset(bitmap, 0xff, sizeof(bitmap));
	memset(guest_regs(), 0, sizeof(*guest_regs()));
	host_cpu_info.cr4 = cr4_features;
	dom.policy = &policy;
	dom.hardware = 1;
	vcpu.domain = &dom;
	vcpu.info = &info;
	vcpu.pv.kernel_mode = kernel;
	vcpu.pv.iopl = 1;
	vcpu.pv.trap[TRAP_GP].address = 1;
	set_current(&vcpu);
	guest_regs()->rip = CODE;
	guest_regs()->cs = FLAT_RING3_CS64;
	injected = reads = writes = 0;
	port_value = 0x11223344;
	this_cpu_var(softirq_pending) = 0;
}

static bool run(const char *bytes, size_t n)
{
	memset(code, 0xcc, sizeof(code));
	memcpy(code, bytes, n);
	guest_regs()->rip = CODE;
	return pv_emulate_privileged(guest_regs());
}

#define RUN(s)  (run(s, sizeof(s) - 1) && guest_regs()->rip == CODE + sizeof(s) - 1)
#define FAIL(s) (!run(s, sizeof(s) - 1) && guest_regs()->rip == CODE && !injected)

static void test_ports(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(true);
	r->rax = ~0ull;
	r->rdx = 0x310;
	CU_ASSERT_TRUE(RUN("\xec")); /* in %dx, %al: the rest of rax stays */
	CU_ASSERT_EQUAL(r->rax, 0xffffffffffffff44);
	CU_ASSERT_TRUE(RUN("\x66\xed"));
	CU_ASSERT_EQUAL(r->rax, 0xffffffffffff3345);
	CU_ASSERT_TRUE(RUN("\xed")); /* clears the upper half */
	CU_ASSERT_EQUAL(r->rax, 0x11223346);
	CU_ASSERT_TRUE(RUN("\x48\xed")); /* REX.W does not make it eight bytes */
	CU_ASSERT_EQUAL(port_bytes, 4);
	CU_ASSERT_TRUE(RUN("\xef"));
	CU_ASSERT_TRUE(port == 0x310 && written == 0x11223347);

	/* Not the domain's: ones, and nothing is written. */
	reads = writes = 0;
	CU_ASSERT_TRUE(RUN("\xe4\x20"));
	CU_ASSERT_EQUAL(r->al, 0xff);
	CU_ASSERT_TRUE(RUN("\xe6\x20"));
	r->rdx = 0x3fe; /* two bytes are, four are not */
	CU_ASSERT_TRUE(RUN("\xef"));
	CU_ASSERT_EQUAL(reads + writes, 0);
	r->rdx = 0xffff;
	CU_ASSERT_TRUE(RUN("\xed"));
	CU_ASSERT_EQUAL(r->rax, 0xffffffff);
	CU_ASSERT_TRUE(RUN("\xe4\x61"));
	CU_ASSERT_EQUAL(reads, 1);
	r->rdx = 0xcf8;
	CU_ASSERT_TRUE(RUN("\xed"));
	CU_ASSERT_EQUAL(r->rax, 0xcf8cf8);
	CU_ASSERT_TRUE(FAIL("\xf0\xec")); /* lock */
}

static void test_port_rights(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(true);
	vcpu.pv.iopl = 0;
	r->rdx = 0x310;
	CU_ASSERT_TRUE(FAIL("\xec"));
	setup(false); /* IOPL 1 is the kernel's alone */
	r->rdx = 0x310;
	CU_ASSERT_TRUE(FAIL("\xec"));
	CU_ASSERT_TRUE(FAIL("\xfa"));
	vcpu.pv.iobmp = (uint8_t *)0x700000;
	vcpu.pv.iobmp_limit = 0x400;
	bitmap[0x310 / 8] = 0xfe;
	CU_ASSERT_TRUE(RUN("\xec"));
	CU_ASSERT_FALSE(vcpu.pv.kernel_mode);
	CU_ASSERT_TRUE(FAIL("\x66\xed")); /* port 0x311's bit is set */
	bitmap[0x317 / 8] &= 0x7f;
	bitmap[0x318 / 8] &= 0xf8;
	r->rdx = 0x317; /* four bits of two bytes */
	CU_ASSERT_TRUE(RUN("\xed"));
	r->rdx = 0x3ff;
	bitmap[0x3ff / 8] = 0;
	CU_ASSERT_TRUE(FAIL("\x66\xed")); /* past its limit */
	vcpu.pv.iobmp = (uint8_t *)0xdead000; /* not there: all ones */
	r->rdx = 0x310;
	CU_ASSERT_TRUE(FAIL("\xec"));
	vcpu.pv.iopl = 3;
	CU_ASSERT_TRUE(RUN("\xec"));
	CU_ASSERT_TRUE(RUN("\xfb"));
}

static void test_strings(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(true);
	r->rdx = 0x310;
	r->rdi = DATA;
	r->rcx = 4;
	CU_ASSERT_TRUE(RUN("\xf3\x66\x6d"));
	CU_ASSERT_EQUAL(r->rcx, 0);
	CU_ASSERT_EQUAL(r->rdi, DATA + 8);
	CU_ASSERT_EQUAL(((uint16_t *)data)[3], 0x3347);
	CU_ASSERT_TRUE(RUN("\xf3\x6d")); /* none left to do */
	CU_ASSERT_EQUAL(reads, 4);

	r->rflags = X86_FLAGS_DF;
	r->rsi = DATA + 2;
	r->rcx = 2;
	CU_ASSERT_TRUE(RUN("\xf3\x66\x6f"));
	CU_ASSERT_EQUAL(r->rsi, DATA - 2);
	CU_ASSERT_EQUAL(written, 0x3344);
	r->rflags = 0;

	/* Memory that is not there: the device is not asked, what was done is done. */
	r->rdi = DATA + sizeof(data) - 2;
	r->rcx = 3;
	reads = 0;
	CU_ASSERT_TRUE(run("\xf3\x66\x6d", 3));
	CU_ASSERT_EQUAL(r->rip, CODE);
	CU_ASSERT_EQUAL(injected, TRAP_PF);
	CU_ASSERT_EQUAL(injected_ec, PF_WRITE);
	CU_ASSERT_EQUAL(fault_at, DATA + sizeof(data));
	CU_ASSERT_EQUAL(reads, 1);
	CU_ASSERT_EQUAL(r->rcx, 2);
	injected = 0;
	r->rdi = CODE; /* read-only */
	CU_ASSERT_TRUE(run("\x6c", 1));
	CU_ASSERT_EQUAL(injected_ec, PF_WRITE | PF_PRESENT);

	/* Interrupted after each: the instruction is made again. */
	setup(true);
	r->rdx = 0x310;
	r->rdi = DATA;
	r->rcx = 3;
	this_cpu_var(softirq_pending) = 1;
	CU_ASSERT_TRUE(run("\xf3\x6c", 2));
	CU_ASSERT_EQUAL(r->rip, CODE);
	CU_ASSERT_EQUAL(r->rcx, 2);

	/* A segment's base with OUTS, not with INS; 32-bit addresses. */
	setup(true);
	r->rdx = 0x310;
	r->rsi = DATA - fs_base;
	data[0] = 0x5a;
	CU_ASSERT_TRUE(RUN("\x64\x6e"));
	CU_ASSERT_EQUAL(written, 0x5a);
	r->rsi = 0xabcd00000000 | (DATA - gs_base);
	CU_ASSERT_TRUE(RUN("\x65\x67\x6e"));
	CU_ASSERT_EQUAL(written, 0x5a);
}

static void test_control(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(true);
	CU_ASSERT_TRUE(RUN("\x0f\x20\xc0"));
	CU_ASSERT_EQUAL(r->rax, 0x80050033);
	r->rax |= X86_CR0_TS;
	CU_ASSERT_TRUE(RUN("\x0f\x22\xc0"));
	CU_ASSERT_TRUE(ts && vcpu.pv.ctrlreg[0] == X86_CR0_TS);
	CU_ASSERT_TRUE(RUN("\x0f\x06"));
	CU_ASSERT_TRUE(!ts && !vcpu.pv.ctrlreg[0]);
	r->rax = 0x80050032; /* without PE */
	CU_ASSERT_TRUE(FAIL("\x0f\x22\xc0"));
	r->rax = 0xb;
	CU_ASSERT_TRUE(RUN("\x0f\x01\xf0")); /* lmsw */
	CU_ASSERT_TRUE(ts);
	info.arch.cr2 = 77;
	CU_ASSERT_TRUE(RUN("\x41\x0f\x20\xd0"));
	CU_ASSERT_EQUAL(r->r8, 77);
	r->rbx = 0x5000;
	CU_ASSERT_TRUE(RUN("\x0f\x22\xdb"));
	CU_ASSERT_EQUAL(root, 5);
	interrupted = 1; /* as any long call: the guest asks again */
	CU_ASSERT_TRUE(run("\x0f\x22\xdb", 3));
	CU_ASSERT_EQUAL(r->rip, CODE);
	CU_ASSERT_TRUE(RUN("\x0f\x22\xdb"));
	r->rbx = 0xa000;
	CU_ASSERT_TRUE(FAIL("\x0f\x22\xdb"));
	r->rax = 0x4; /* TSD alone; what is ours stays */
	CU_ASSERT_TRUE(RUN("\x0f\x22\xe0"));
	CU_ASSERT_EQUAL(cr4, cr4_features | 4);
	CU_ASSERT_EQUAL(vcpu.pv.ctrlreg[4] & 0x300080, 0); /* SMEP, SMAP, PGE are not shown */
	CU_ASSERT_TRUE(vcpu.pv.ctrlreg[4] & 1 << 18);
	CU_ASSERT_TRUE(FAIL("\x44\x0f\x20\xc0")); /* CR8 */
	CU_ASSERT_TRUE(FAIL("\x0f\x20\xc8"));     /* CR1 */
	r->rax = 9;
	CU_ASSERT_TRUE(RUN("\x0f\x23\xd8"));
	CU_ASSERT_EQUAL(vcpu.pv.debugreg[3], 9);
	CU_ASSERT_TRUE(RUN("\x0f\x21\xd9"));
	CU_ASSERT_EQUAL(r->rcx, 9);
	CU_ASSERT_TRUE(FAIL("\x0f\x23\xe8"));
	CU_ASSERT_TRUE(FAIL("\x44\x0f\x21\xc0")); /* DR8 */
	r->rax = 7;
	r->rcx = r->rdx = 0;
	CU_ASSERT_TRUE(RUN("\x0f\x01\xd1"));
	r->rax = 6;
	CU_ASSERT_TRUE(FAIL("\x0f\x01\xd1"));

	setup(false);
	CU_ASSERT_TRUE(FAIL("\x0f\x20\xc0"));
	CU_ASSERT_TRUE(FAIL("\x0f\x06"));
	CU_ASSERT_TRUE(FAIL("\x0f\x30"));
	CU_ASSERT_TRUE(FAIL("\x0f\x32"));
	CU_ASSERT_TRUE(FAIL("\x0f\x09"));
	CU_ASSERT_TRUE(FAIL("\x0f\x01\xf0"));
	CU_ASSERT_TRUE(FAIL("\x0f\x01\xd1"));
	CU_ASSERT_TRUE(FAIL("\xf4"));
	CU_ASSERT_TRUE(RUN("\x0f\x31"));
	CU_ASSERT_TRUE(r->rdx == 0x11223344 && r->rax == 0x55667788);
	vcpu.pv.ctrlreg[4] = 4;
	CU_ASSERT_TRUE(FAIL("\x0f\x31"));
	CU_ASSERT_TRUE(FAIL("\x0f\x01\xf9"));
}

static bool read_msr(uint32_t msr, uint64_t *value)
{
	struct cpu_user_regs *r = guest_regs();
	bool done;

	r->rcx = msr | 0xffffffff00000000;
	done = RUN("\x0f\x32");
	*value = r->rdx << 32 | r->rax;
	return done;
}

static bool write_msr(uint32_t msr, uint64_t value)
{
	struct cpu_user_regs *r = guest_regs();

	r->rcx = msr;
	r->rax = 0xabcd00000000 | (uint32_t)value;
	r->rdx = value >> 32;
	return RUN("\x0f\x30");
}

static void test_msrs(void)
{
	uint64_t v;

	setup(true);
	CU_ASSERT_TRUE(read_msr(MSR_GS_BASE, &v) && v == gs_base);
	CU_ASSERT_TRUE(write_msr(MSR_FS_BASE, 0x12345678aaa) && fs_base == 0x12345678aaa);
	CU_ASSERT_FALSE(write_msr(MSR_FS_BASE, 1ull << 47));
	CU_ASSERT_FALSE(write_msr(MSR_KERNEL_GS_BASE, 1ull << 62));
	CU_ASSERT_TRUE(write_msr(MSR_KERNEL_GS_BASE, ~0ull) && kernel_gs == ~0ull);
	CU_ASSERT_TRUE(read_msr(0xc0000080, &v) && v == 0xd01); /* without SVME */
	CU_ASSERT_TRUE(write_msr(0xc0000080, 0xd01));
	CU_ASSERT_FALSE(write_msr(0xc0000080, 0xd00));
	CU_ASSERT_TRUE(read_msr(0x277, &v) && v == PAT_VALUE);
	CU_ASSERT_FALSE(write_msr(0x277, 0));
	CU_ASSERT_FALSE(write_msr(0xc0000082, 0x1000)); /* LSTAR */
	CU_ASSERT_FALSE(write_msr(0x176, 0x1000));      /* SYSENTER_EIP */
	CU_ASSERT_FALSE(write_msr(0x49, 1));
	show_ibpb = true;
	CU_ASSERT_TRUE(write_msr(0x49, 1));
	CU_ASSERT_FALSE(write_msr(0x49, 2));
	show_ibpb = false;
	CU_ASSERT_TRUE(read_msr(0x1b, &v) && v & 0x100);
	vcpu.id = 1;
	CU_ASSERT_TRUE(read_msr(0x1b, &v) && !(v & 0x100));
	dom.hardware = 0;
	CU_ASSERT_TRUE(read_msr(0x1b, &v) && !write_msr(0x1b, v ^ 1));
	CU_ASSERT_TRUE(write_msr(0x40000000, 0x2000) && hypercall_page[0] == 'h');
	CU_ASSERT_FALSE(write_msr(0x40000000, 0x3000));
	CU_ASSERT_FALSE(write_msr(0x40000000, ~0ull));
	CU_ASSERT_FALSE(read_msr(0xdeadbeef, &v));
	vcpu.pv.trap[TRAP_GP].address = 0; /* early: nobody to take a #GP */
	CU_ASSERT_TRUE(read_msr(0xdeadbeef, &v) && !v);
}

static void test_cpuid(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(false);
	r->rax = 0xffff000000000007;
	r->rcx = 1;
	memcpy(code, "\x0f\x0bxen\x0f\xa2", 7);
	CU_ASSERT_TRUE(pv_invalid_op(r));
	CU_ASSERT_EQUAL(r->rip, CODE + 7);
	CU_ASSERT_TRUE(r->rax == 7 && r->rbx == 1 && r->rcx == 3 && r->rdx == 4);
	r->rip = CODE;
	code[6] = 0xa3;
	CU_ASSERT_FALSE(pv_invalid_op(r));
	r->rip = CODE + sizeof(code) - 6; /* cut off by the end of memory */
	memcpy(code + sizeof(code) - 6, "\x0f\x0bxen\x0f", 6);
	CU_ASSERT_FALSE(pv_invalid_op(r));
	setup(true);
	r->rflags = X86_FLAGS_TF | X86_FLAGS_RF; /* a step ends after it */
	CU_ASSERT_TRUE(RUN("\x0f\xa2"));
	CU_ASSERT_EQUAL(injected, TRAP_DB);
	CU_ASSERT_TRUE(vcpu.pv.debugreg[6] & 1 << 14);
	CU_ASSERT_EQUAL(r->rflags, X86_FLAGS_TF);
}

static void test_segments(void)
{
	struct cpu_user_regs *r = guest_regs();

	setup(true);
	r->rdx = 0x310;
	r->cs = 0x23;
	descriptor = 0x00cffb000000ffff | 0x10ull << 32; /* 32-bit, base 0x100000 */
	r->rip = CODE - 0x100000;
	memset(code, 0xcc, sizeof(code));
	code[0] = 0xec;
	CU_ASSERT_TRUE(pv_emulate_privileged(r));
	CU_ASSERT_EQUAL(r->rip, CODE - 0x100000 + 1);
	descriptor &= ~(1ull << 54); /* 16-bit code */
	r->rip = CODE - 0x100000;
	CU_ASSERT_FALSE(pv_emulate_privileged(r));
	descriptor = 0x00affb000000ffff; /* a 64-bit one of the guest's own: no base */
	r->rip = CODE;
	CU_ASSERT_TRUE(pv_emulate_privileged(r));
	r->cs = 0xfff3; /* past the GDT */
	r->rip = CODE;
	CU_ASSERT_FALSE(pv_emulate_privileged(r));
	r->cs = 0x27; /* the LDT, which is empty */
	CU_ASSERT_FALSE(pv_emulate_privileged(r));
	r->cs = FLAT_RING3_CS64;
	r->rip = 0xdead0000; /* code that is gone meanwhile */
	CU_ASSERT_FALSE(pv_emulate_privileged(r));
}

/* The machine's ports and MSRs assert themselves what they may be asked for. */
static void test_any_code(void)
{
	uint64_t seed = 42;

	for (unsigned int round = 0; round < 300000; round++) {
		struct cpu_user_regs *r = guest_regs();
		uint64_t *regs = (uint64_t *)r;

		setup(round & 1);
		for (unsigned int i = 0; i < sizeof(code); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			code[i] = (uint8_t)(seed >> 56);
		}
		if (round & 2) /* more of what is emulated */
			code[0] = "\x0f\x0f\x66\xf3\x6c\x6f\xec\xef"[seed >> 32 & 7];
		for (unsigned int i = 0; i < 15; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			regs[i] = seed >> 60 ? seed >> 48 : DATA;
		}
		vcpu.pv.iopl = seed >> 20 & 3;
		this_cpu_var(softirq_pending) = 1; /* one step of a string */
		if (!pv_emulate_privileged(r))
			CU_ASSERT_EQUAL_FATAL(r->rip, CODE);
		CU_ASSERT_FATAL(r->rip - CODE <= INSN_MAX);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"ports", test_ports}, {"rights to ports", test_port_rights},
		{"strings", test_strings}, {"control and debug registers", test_control},
		{"MSRs", test_msrs}, {"CPUID", test_cpuid}, {"segments", test_segments},
		{"any code", test_any_code},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_emulate", tests);
}
