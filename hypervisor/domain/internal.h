/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of domain/. */
#ifndef HV_DOMAIN_INTERNAL_H
#define HV_DOMAIN_INTERNAL_H

#include "hypervisor/domain/domain.h"

bool domain_list_add(struct domain *d); /* false: the number is taken */
void domain_list_remove(struct domain *d);
void domain_free(void *d); /* after the last reference: everything that it still has */
void vcpu_free(struct vcpu *v);
void domain_watchdogs_init(struct domain *d);
void domain_watchdogs_kill(struct domain *d);

#endif
