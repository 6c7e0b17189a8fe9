// SPDX-License-Identifier: GPL-2.0-only
/* A guest's page that we read and write for as long as the guest wants it. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

int guest_page_map(struct domain *d, gfn_t gfn, struct guest_page *p)
{
	mfn_t mfn = d->ops->translate(d, gfn);

	p->map = NULL;
	p->frame = mfn_get_and_type(mfn, d, FRAME_WRITABLE);
	if (!p->frame)
		return -EINVAL;
	p->map = vmap(&mfn, 1);
	if (p->map)
		return 0;
	frame_put_and_type(p->frame);
	return -ENOMEM;
}

void guest_page_unmap(struct guest_page *p)
{
	if (!p->map)
		return;
	vunmap(p->map, 1);
	frame_put_and_type(p->frame);
	p->map = NULL;
}
