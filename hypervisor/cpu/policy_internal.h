/* SPDX-License-Identifier: GPL-2.0-only */
/* Between policy.c and policy_serial.c. */
#ifndef HV_POLICY_INTERNAL_H
#define HV_POLICY_INTERNAL_H

#include "hypervisor/cpu/policy.h"

/* Where word @w of the featureset is in a policy. */
uint32_t *policy_word(struct cpu_policy *p, enum feature_word w);

#endif
