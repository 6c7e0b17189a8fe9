/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that emulate privileged instructions of PV guests. */
#ifndef HV_PV_EMULATE_H
#define HV_PV_EMULATE_H

#include "hypervisor/pv/decode.h"
#include "hypervisor/pv/pv.h"

enum emulation {
	EMULATE_DONE,
	EMULATE_AGAIN,    /* not finished: the instruction is to be executed again */
	EMULATE_INJECTED, /* it made another exception, which is pending */
	EMULATE_REFUSED,  /* #GP */
};

/* Base of a segment as the CPU would use it, for instructions in 64- or 32-bit code. */
uint64_t pv_segment_base(struct vcpu *v, const struct insn *in, enum insn_segment seg);

/* ---- emulate_io.c ---- */
enum emulation pv_emulate_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in);
/* May the guest's present mode use @bytes ports from @port (IOPL, its bitmap)? */
bool pv_io_permitted(struct vcpu *v, unsigned int port, unsigned int bytes);
bool pv_iopl_permits(const struct vcpu *v);

/* ---- emulate_msr.c: false: #GP ---- */
bool pv_read_msr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool pv_write_msr(struct vcpu *v, uint32_t msr, uint64_t value);
uint64_t pv_rdtsc(const struct vcpu *v);

/* ---- control_reg.c: false: #GP ---- */
bool pv_read_cr(struct vcpu *v, unsigned int n, uint64_t *value);
enum emulation pv_write_cr(struct vcpu *v, unsigned int n, uint64_t value);

#endif
