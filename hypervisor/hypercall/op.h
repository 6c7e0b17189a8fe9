/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A family of operations as a table: who may ask, how much is copied in and out, which
 * domain it is about; an operation itself sees none of that. Errors come in this order:
 * no such operation, not for the caller, -EFAULT, no such domain, not with that domain.
 */
#ifndef HV_OP_H
#define HV_OP_H

#include "hypervisor/hypercall/hypercall.h"

/* An operation under way. */
struct op_call {
	unsigned int cmd;
	uint64_t start;   /* progress of a continued call, where the family keeps one */
	uint64_t gva;     /* of the argument */
	void *arg;        /* our copy of it */
	struct domain *d; /* that it names, with a reference; else the caller's */
	struct vcpu *v;   /* of a family about vcpus */
};
typedef long op_fn(struct op_call *c); /* what the guest gets; negative: no results */

struct op_def {
	op_fn *fn;
	int16_t answer;  /* without fn, when all is checked; 0: -ENOSYS, at once */
	uint8_t in, out; /* bytes of the argument; of results, all set by fn or copied in */
	uint8_t domid;   /* where in the argument a domain is named, + 1 */
	uint8_t access;  /* enum access: to that domain; without one, before anything else */
	bool dying;      /* a dying domain will do */
};

#define OP_ARG_MAX 128
#define OP_IN(type)    .in = sizeof(type)
#define OP_OUT(type)   .out = sizeof(type)
#define OP_INOUT(type) .in = sizeof(type), .out = sizeof(type)
/* About the domain in @type's @field, to whom the caller must have the right @what. */
#define OP_DOMAIN(type, field, what) .domid = offsetof(type, field) + 1, .access = (what)

op_fn op_nothing; /* to do, and all is well */

/* Run @c->cmd of @ops, which are @n; c->cmd, gva and what is the family's own are set. */
long op_run(const struct op_def *ops, unsigned int n, struct op_call *c);

#endif
