// SPDX-License-Identifier: GPL-2.0-only
/* Finding domains, and their references. The list and the hash are under list_lock; a
 * domain stays in both until its last reference is gone, so `xl list` shows what lingers. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/sched/softirq.h"

#define BUCKETS 256

static struct rwlock list_lock = RWLOCK(LOCK_DOMAIN_LIST);
static struct list all_domains = {&all_domains, &all_domains}; /* by domid */
static struct domain *hash[BUCKETS];

static struct domain **bucket(domid_t domid)
{
	return &hash[domid % BUCKETS];
}

bool domain_ref(struct domain *d)
{
	int32_t n = READ_ONCE(d->refs);

	do {
		if (!n)
			return false;
	} while (!atomic_cmpxchg(&d->refs, &n, n + 1));
	return true;
}

void domain_put(struct domain *d)
{
	if (!atomic_sub(&d->refs, 1))
		tasklet_schedule(&d->destroy_tasklet);
}

static struct domain *lookup(domid_t domid)
{
	struct domain *d;

	for (d = *bucket(domid); d; d = d->next_in_hash)
		if (d->domid == domid)
			return domain_ref(d) ? d : NULL;
	return NULL;
}

struct domain *domain_get_any(domid_t domid)
{
	struct domain *d;

	if (domid == DOMID_SELF) {
		d = current->domain;
		return domain_ref(d) ? d : NULL;
	}
	read_lock(&list_lock);
	d = lookup(domid);
	read_unlock(&list_lock);
	if (d && d->dying == DEAD) {
		domain_put(d);
		return NULL;
	}
	return d;
}

struct domain *domain_get(domid_t domid)
{
	struct domain *d = domain_get_any(domid);

	if (d && d->dying) {
		domain_put(d);
		return NULL;
	}
	return d;
}

struct domain *domain_next(struct domain *d)
{
	struct list *l;
	struct domain *next = NULL;

	read_lock(&list_lock);
	for (l = d ? d->all.next : all_domains.next; l != &all_domains; l = l->next) {
		next = list_entry(l, struct domain, all);
		if (domain_ref(next))
			break;
		next = NULL;
	}
	read_unlock(&list_lock);
	if (d)
		domain_put(d);
	return next;
}

/* False: the number is taken. */
bool domain_list_add(struct domain *d)
{
	struct domain *other;
	struct list *l;

	write_lock(&list_lock);
	for (other = *bucket(d->domid); other; other = other->next_in_hash)
		if (other->domid == d->domid) {
			write_unlock(&list_lock);
			return false;
		}
	d->next_in_hash = *bucket(d->domid);
	*bucket(d->domid) = d;
	list_for_each(l, &all_domains)
		if (list_entry(l, struct domain, all)->domid > d->domid)
			break;
	list_add_tail(&d->all, l);
	write_unlock(&list_lock);
	return true;
}

void domain_list_remove(struct domain *d)
{
	struct domain **p;

	write_lock(&list_lock);
	for (p = bucket(d->domid); *p && *p != d; p = &(*p)->next_in_hash)
		;
	if (*p)
		*p = d->next_in_hash;
	list_del(&d->all);
	write_unlock(&list_lock);
}
