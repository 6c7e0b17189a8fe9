/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of grant/. */
#ifndef HV_GRANT_INTERNAL_H
#define HV_GRANT_INTERNAL_H

#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

#define V1_PER_FRAME     (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME     (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))
#define HANDLES_PER_PAGE (PAGE_SIZE / sizeof(struct maptrack))

/*
 * What is in use of an entry, whatever the guest writes there meanwhile. pins: by how
 * many maps and copies; GTF_reading and GTF_writing are set in the guest's entry while
 * readers plus writers, or writers, are not 0. Each pin holds a general reference to the
 * frame, and a writer FRAME_WRITABLE.
 */
struct active_entry {
	struct spinlock lock; /* LOCK_GRANT_ENTRY */
	uint32_t readers, writers;
	domid_t domid;          /* to whom */
	struct grant_what {     /* fixed by the first pin */
		uint64_t frame; /* as the guest numbers it; once pinned, the machine's */
		uint16_t start, length; /* of the page, that may be accessed */
		bool partial_page, transitive;
		domid_t trans_domid;
		grant_ref_t trans_ref;
	} what;
};
static inline bool grant_pinned(const struct active_entry *a)
{
	return READ_ONCE(a->readers) || READ_ONCE(a->writers);
}

/* A mapping that this domain made; its handle is the index. It has one pin, however it is
 * mapped. */
struct maptrack {
	struct domain *rd; /* whose frame, with a reference */
	grant_ref_t ref;   /* free: the next free handle + 1 */
	uint16_t flags;    /* GNTMAP_*; 0: free */
	uint16_t unused;
};
#define MAPTRACK_BUSY 0x8000 /* being unmapped */

struct grant_table {
	struct rwlock lock; /* LOCK_GRANT_TABLE: writers change version and sizes */
	struct domain *d;
	uint32_t version, max_version;
	uint32_t nr_frames, max_frames, nr_status;
	void **shared;                /* max_frames of each */
	struct active_entry **active; /* V1_PER_FRAME each */
	grant_status_t **status;

	struct spinlock maptrack_lock; /* LOCK_GRANT_ENTRY: the free list and growth */
	uint32_t nr_maptrack, max_maptrack; /* pages */
	uint32_t free_handle;               /* + 1; 0: none */
	struct maptrack **maptrack;
	uint32_t relinquish_at;
};

/* ---- grant.c ---- */
/* At least @n shared frames; table write-locked. 0, -EINVAL over the limit, -ENOMEM. */
int grant_grow(struct grant_table *t, uint32_t n);
int grant_set_version(struct grant_table *t, uint32_t version); /* takes the lock */
static inline uint32_t nr_entries(const struct grant_table *t)
{
	return t->nr_frames * (uint32_t)(t->version == 2 ? V2_PER_FRAME : V1_PER_FRAME);
}
static inline uint32_t status_frames_for(uint32_t frames)
{
	return (uint32_t)((frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) /
			  STATUS_PER_FRAME);
}
static inline struct grant_entry_v1 *entry_v1(const struct grant_table *t,
					      grant_ref_t ref)
{
	return (struct grant_entry_v1 *)t->shared[ref / V1_PER_FRAME] +
	       ref % V1_PER_FRAME;
}
static inline union grant_entry_v2 *entry_v2(const struct grant_table *t, grant_ref_t ref)
{
	return (union grant_entry_v2 *)t->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}
static inline grant_status_t *entry_status(const struct grant_table *t, grant_ref_t ref)
{
	return &t->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}
static inline struct active_entry *active_entry(const struct grant_table *t,
						grant_ref_t ref)
{
	return &t->active[ref / V1_PER_FRAME][ref % V1_PER_FRAME];
}

/* ---- entry.c ---- */
enum grant_use { GRANT_MAP, GRANT_COPY };
struct grant_pin {
	struct domain *rd; /* the caller's reference: the pin takes none */
	grant_ref_t ref;
	bool readonly;
	struct frame *frame; /* of a transitive entry: in trans_rd's table */
	uint16_t start, length;
	struct domain *trans_rd; /* NULL; else with a reference */
	grant_ref_t trans_ref;
};
/* Pin @rd's entry @ref for domain @ldom. GNTST_*. */
int16_t grant_pin(struct domain *rd, grant_ref_t ref, domid_t ldom, enum grant_use use,
		  bool readonly, struct grant_pin *pin);
void grant_unpin(const struct grant_pin *pin);
/* A mapping's pin: known by domain, reference and mode, never transitive. */
void grant_unpin_ref(struct domain *rd, grant_ref_t ref, bool readonly);
mfn_t grant_pinned_mfn(struct domain *rd, grant_ref_t ref);

/* ---- maptrack.c ---- */
int64_t maptrack_get(struct grant_table *t); /* a handle, or -1 */
void maptrack_put(struct grant_table *t, grant_handle_t handle);
struct maptrack *maptrack_entry(struct grant_table *t, grant_handle_t handle); /* NULL */

/* ---- calls on arrays: some of the operations at a time, each with its own status ---- */
/* One end of a copy. Held from one operation to the next if they name the same page. */
struct copy_end {
	bool held, by_ref, write;
	domid_t domid;
	uint64_t name;        /* grant reference or frame number, as the caller gave it */
	struct domain *d;     /* of domid, with a reference; or NULL */
	struct grant_pin pin; /* by reference */
	struct frame *frame;
	uint16_t start, length;
	char *map;
};

#define GRANT_BATCH_BYTES 768
struct grant_batch {
	uint64_t op[GRANT_BATCH_BYTES / sizeof(uint64_t)]; /* @n of the call's operations */
	unsigned int cmd, n;
	struct copy_end from, to;
};
long grant_map_batch(struct grant_batch *b);
long grant_unmap_batch(struct grant_batch *b);
long grant_copy_batch(struct grant_batch *b);
void grant_copy_end(struct grant_batch *b); /* lets go what is held */

#endif
