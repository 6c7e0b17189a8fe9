/* SPDX-License-Identifier: GPL-2.0-only */
/* Mitigations of speculation: cpu/spec.c. */
#ifndef HV_SPEC_H
#define HV_SPEC_H

/* cpu_info.spec_flags, for entry code. */
#define SPEC_VERW 1

#ifndef __ASSEMBLY__
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"

#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD  0x49

extern bool spec_ibpb, spec_verw;
void spec_init(void);     /* boot CPU, after policy_init() */
void spec_init_cpu(void); /* each */
/* Does this CPU let speculation read what the L1 cache has without right to it (Meltdown,
 * L1TF: Intel's without RDCL_NO)? */
bool spec_reads_l1(void);
/* Are page-table entries of a PV domain that are not present to be checked? pv-l1tf= */
bool spec_l1tf_checked(bool hardware_domain);

/* Nothing that one domain taught the branch predictor may steer another. */
static inline void branch_predictor_barrier(void)
{
	if (spec_ibpb)
		wrmsr(MSR_PRED_CMD, 1);
}
#endif

#endif
