// SPDX-License-Identifier: GPL-2.0-only
/* Grant tables: creation, growth, versions, the frames that a guest maps, destruction. */
#include "hypervisor/grant/internal.h"
#include "hypervisor/sched/softirq.h"

#define MAX_FRAMES_LIMIT 0x10000 /* what arrays are made for at most */

/* ---- growth ---- */

static int add_status_frames(struct grant_table *t, uint32_t n)
{
	for (; t->nr_status < n; t->nr_status++) {
		void *p = heap_pages(0);

		if (!p)
			return -ENOMEM;
		share_frame_with(virt_to_frame(p), t->d, true);
		t->status[t->nr_status] = p;
	}
	return 0;
}

static struct active_entry *active_page(void)
{
	struct active_entry *a = xzalloc_array(struct active_entry, V1_PER_FRAME);

	for (unsigned int i = 0; a && i < V1_PER_FRAME; i++)
		spin_lock_init(&a[i].lock, LOCK_GRANT_ENTRY);
	return a;
}

int grant_grow(struct grant_table *t, uint32_t n)
{
	if (n > t->max_frames)
		return -EINVAL;
	if (t->version == 2 && add_status_frames(t, status_frames_for(n)))
		return -ENOMEM;
	while (t->nr_frames < n) {
		uint32_t i = t->nr_frames;
		void *p = heap_pages(0);

		t->active[i] = p ? active_page() : NULL;
		if (!t->active[i]) {
			if (p)
				heap_free(p, 0);
			return -ENOMEM;
		}
		share_frame_with(virt_to_frame(p), t->d, true);
		t->shared[i] = p;
		t->nr_frames++;
	}
	return 0;
}

/* ---- versions ---- */

/* The reserved entries in the other version's form; those it cannot express end. */
struct reserved_entries {
	union grant_entry_v2 entry[GNTTAB_NR_RESERVED_ENTRIES];
	grant_status_t status[GNTTAB_NR_RESERVED_ENTRIES];
};

static void save_reserved(const struct grant_table *t, struct reserved_entries *r)
{
	const uint16_t in_use = GTF_reading | GTF_writing;

	memset(r, 0, sizeof(*r));
	for (unsigned int i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		if (t->version == 2) {
			memcpy(&r->entry[i], entry_v2(t, i), sizeof(r->entry[i]));
			r->status[i] = READ_ONCE(*entry_status(t, i));
		} else {
			struct grant_entry_v1 e;

			memcpy(&e, entry_v1(t, i), sizeof(e));
			r->status[i] = e.flags & in_use;
			r->entry[i].hdr.flags = e.flags & (uint16_t)~in_use;
			r->entry[i].hdr.domid = e.domid;
			r->entry[i].full_page.frame = e.frame;
		}
	}
}

static void restore_reserved(struct grant_table *t, const struct reserved_entries *r)
{
	for (unsigned int i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
		const union grant_entry_v2 *e = &r->entry[i];

		if (t->version == 2) {
			memcpy(entry_v2(t, i), e, sizeof(*e));
			*entry_status(t, i) = r->status[i];
		} else if ((e->hdr.flags & GTF_type_mask) == GTF_permit_access &&
			   !(e->hdr.flags & GTF_sub_page) &&
			   e->full_page.frame <= UINT32_MAX) {
			*entry_v1(t, i) = (struct grant_entry_v1){
				.flags = e->hdr.flags | r->status[i],
				.domid = e->hdr.domid,
				.frame = (uint32_t)e->full_page.frame,
			};
		}
	}
}

/* Entries above the reserved ones must not be in use. */
static bool in_use(const struct grant_table *t)
{
	for (uint32_t i = GNTTAB_NR_RESERVED_ENTRIES; i < nr_entries(t); i++)
		if (grant_pinned(active_entry(t, i)))
			return true;
	return false;
}

static int change_version(struct grant_table *t, uint32_t version)
{
	struct reserved_entries reserved;

	if (in_use(t))
		return -EBUSY;
	if (version == 2 && add_status_frames(t, status_frames_for(t->nr_frames)))
		return -ENOMEM;
	save_reserved(t, &reserved);
	for (uint32_t i = 0; i < t->nr_frames; i++)
		memset(t->shared[i], 0, PAGE_SIZE);
	for (uint32_t i = 0; i < t->nr_status; i++)
		memset(t->status[i], 0, PAGE_SIZE);
	t->version = version;
	restore_reserved(t, &reserved);
	return 0;
}

int grant_set_version(struct grant_table *t, uint32_t version)
{
	int rc = 0;

	if (version != 1 && version != 2)
		return -EINVAL;
	if (version > t->max_version)
		return -ENOSYS;
	write_lock(&t->lock);
	if (version != t->version)
		rc = change_version(t, version);
	write_unlock(&t->lock);
	return rc;
}

/* ---- life ---- */

static void table_free(struct grant_table *t)
{
	for (uint32_t i = 0; t->shared && i < t->nr_frames; i++) {
		heap_free(t->shared[i], 0);
		xfree(t->active[i]);
	}
	for (uint32_t i = 0; t->status && i < t->nr_status; i++)
		heap_free(t->status[i], 0);
	for (uint32_t i = 0; t->maptrack && i < t->nr_maptrack; i++)
		heap_free(t->maptrack[i], 0);
	xfree(t->shared);
	xfree(t->active);
	xfree(t->status);
	xfree(t->maptrack);
	xfree(t);
}

int grant_table_create(struct domain *d, uint32_t max_frames, uint32_t max_maptrack,
		       uint32_t options)
{
	uint32_t max_version = options & 0xf; /* XEN_DOMCTL_GRANT_version_mask */
	struct grant_table *t;

	if (!max_frames || max_frames > MAX_FRAMES_LIMIT ||
	    max_maptrack > MAX_FRAMES_LIMIT || options & ~0xfu || max_version > 2)
		return -EINVAL;
	t = xzalloc(struct grant_table);
	if (!t)
		return -ENOMEM;
	rw_lock_init(&t->lock, LOCK_GRANT_TABLE);
	spin_lock_init(&t->maptrack_lock, LOCK_GRANT_ENTRY);
	t->d = d;
	t->version = 1;
	t->max_version = max_version ? max_version : 2;
	t->max_frames = max_frames;
	t->max_maptrack = max_maptrack;
	t->shared = xzalloc_array(void *, max_frames);
	t->active = xzalloc_array(struct active_entry *, max_frames);
	t->status = xzalloc_array(grant_status_t *, status_frames_for(max_frames));
	t->maptrack =
		max_maptrack ? xzalloc_array(struct maptrack *, max_maptrack) : NULL;
	if (!t->shared || !t->active || !t->status || (max_maptrack && !t->maptrack) ||
	    grant_grow(t, 1)) {
		table_free(t);
		return -ENOMEM;
	}
	d->grant_table = t;
	return 0;
}

/* Its page tables go later, and it does not run any more: its mappings are as good as
 * gone, only our accounts of them are left. */
int grant_table_relinquish(struct domain *d)
{
	struct grant_table *t = d->grant_table;

	if (!t)
		return 0;
	for (; t->relinquish_at < t->nr_maptrack * HANDLES_PER_PAGE; t->relinquish_at++) {
		struct maptrack *m = maptrack_entry(t, t->relinquish_at);
		struct domain *rd = m->rd;
		bool readonly = m->flags & GNTMAP_readonly;

		if (!m->flags)
			continue;
		if (preempt_check())
			return -ERESTART;
		grant_unpin_ref(rd, m->ref, readonly);
		maptrack_put(t, t->relinquish_at);
		domain_put(rd);
	}
	return 0;
}

void grant_table_destroy(struct domain *d)
{
	if (d->grant_table)
		table_free(d->grant_table);
	d->grant_table = NULL;
}

/* ---- frames for the guest's, or the toolstack's, page tables ---- */

static int frame_at(struct grant_table *t, bool status, uint64_t index, mfn_t *mfn)
{
	uint32_t limit = status ? status_frames_for(t->max_frames) : t->max_frames;
	uint64_t frames =
		(status ? index * (STATUS_PER_FRAME / V2_PER_FRAME) : index) + 1;
	int rc;

	if (index >= limit || (status && t->version != 2))
		return -EINVAL;
	if (index >= (status ? t->nr_status : t->nr_frames)) {
		rc = grant_grow(t, (uint32_t)frames);
		if (rc)
			return rc;
	}
	index = index_nospec(index, limit);
	*mfn = virt_to_mfn(status ? (void *)t->status[index] : t->shared[index]);
	return 0;
}

int grant_table_acquire(struct domain *d, uint32_t id, uint32_t frame, uint32_t n,
			mfn_t *mfn)
{
	struct grant_table *t = d->grant_table;
	int rc = 0;

	if (id != XENMEM_resource_grant_table_id_shared &&
	    id != XENMEM_resource_grant_table_id_status)
		return -EINVAL;
	write_lock(&t->lock);
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = frame_at(t, id == XENMEM_resource_grant_table_id_status,
			      (uint64_t)frame + i, &mfn[i]);
	write_unlock(&t->lock);
	return rc;
}

unsigned int grant_table_resource_frames(struct domain *d, uint32_t id)
{
	const struct grant_table *t = d->grant_table;

	switch (id) {
	case XENMEM_resource_grant_table_id_shared:
		return t->max_frames;
	case XENMEM_resource_grant_table_id_status:
		return t->max_version < 2 ? 0 : status_frames_for(t->max_frames);
	default:
		return 0;
	}
}

/* ---- to be looked at ---- */

void grant_table_dump(struct domain *d)
{
	struct grant_table *t = d->grant_table;

	if (!t)
		return;
	read_lock(&t->lock);
	printk(LOG_INFO,
	       "d%u grant table: version %u, %u of %u frames, %u of %u maptrack pages\n",
	       d->domid, t->version, t->nr_frames, t->max_frames, t->nr_maptrack,
	       t->max_maptrack);
	for (uint32_t i = 0; i < nr_entries(t); i++) {
		const struct active_entry *a = active_entry(t, i);

		if (grant_pinned(a))
			printk(LOG_INFO,
			       "  ref %u for d%u: mfn %lx, %u readers, %u writers%s%s\n",
			       i, a->domid, a->what.frame, a->readers, a->writers,
			       a->what.partial_page ? ", part of the page" : "",
			       a->what.transitive ? ", transitive" : "");
	}
	read_unlock(&t->lock);
}
