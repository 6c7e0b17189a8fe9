// SPDX-License-Identifier: GPL-2.0-only
/* Operations from tables: see op.h. */
#include "hypervisor/hypercall/op.h"

long op_nothing(struct op_call *c)
{
	(void)c;
	return 0;
}

static long run(const struct op_def *def, struct op_call *c)
{
	domid_t domid;
	long rc;

	c->d = current->domain;
	if (!def->domid)
		return def->fn ? def->fn(c) : def->answer;
	memcpy(&domid, (const char *)c->arg + def->domid - 1, sizeof(domid));
	c->d = def->dying ? domain_get_any(domid) : domain_get(domid);
	if (!c->d)
		return -ESRCH;
	rc = access_check(def->access, c->d);
	if (!rc)
		rc = def->fn ? def->fn(c) : def->answer;
	domain_put(c->d);
	return rc;
}

long op_run(const struct op_def *ops, unsigned int n, struct op_call *c)
{
	uint64_t arg[OP_ARG_MAX / sizeof(uint64_t)];
	const struct op_def *def;
	long rc;

	if (c->cmd >= n)
		return -ENOSYS;
	def = &ops[index_nospec(c->cmd, n)];
	if (!def->fn && !def->answer)
		return -ENOSYS;
	if (def->access && !def->domid && access_check(def->access, NULL))
		return -EPERM;
	ASSERT(def->in <= sizeof(arg) && def->out <= sizeof(arg));
	if (def->in && copy_from_guest(arg, c->gva, def->in))
		return -EFAULT;
	c->arg = arg;
	rc = run(def, c);
	if (rc >= 0 && def->out && copy_to_guest(c->gva, arg, def->out))
		rc = -EFAULT;
	return rc;
}
