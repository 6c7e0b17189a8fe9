// SPDX-License-Identifier: GPL-2.0-only
/* Domains' physical interrupts: mapping to sources, binding to event channels, EOI. */
#include "hypervisor/cpu/irq_desc.h"

#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"

#define EOI_MAP_BITS (PAGE_SIZE * 8)

int pirq_domain_init(struct domain *d, unsigned int n)
{
	struct pirq_table *t = xzalloc(struct pirq_table);

	if (!t)
		return -ENOMEM;
	spin_lock_init(&t->lock, LOCK_DOMAIN_IRQ);
	t->n = MIN(n, EOI_MAP_BITS);
	t->pirq = xzalloc_array(struct pirq, MAX(t->n, 1));
	if (!t->pirq) {
		xfree(t);
		return -ENOMEM;
	}
	d->pirqs = t;
	return 0;
}

unsigned int nr_pirqs(const struct domain *d)
{
	return d->pirqs ? d->pirqs->n : 0;
}

/* NULL: no such number. */
static struct pirq *pirq_entry(const struct domain *d, unsigned int pirq)
{
	const struct pirq_table *t = d->pirqs;

	return t && pirq < t->n ? &t->pirq[index_nospec(pirq, t->n)] : NULL;
}

/* ---- mapping ---- */

static bool pirqs_free(const struct pirq_table *t, unsigned int first, unsigned int n,
		       bool reserved_ok)
{
	unsigned int i;

	if (first >= t->n || n > t->n - first)
		return false;
	for (i = first; i < first + n; i++)
		if (t->pirq[i].irq || (t->pirq[i].reserved && !reserved_ok))
			return false;
	return true;
}

/* GSIs' numbers from below, but above ISA's; MSIs' from the top, so that a GSI's own is
 * likely to be free when it is asked for. */
static int pirq_find(const struct pirq_table *t, unsigned int n, bool msi)
{
	unsigned int first;

	if (!msi) {
		for (first = 16; first < t->n; first++)
			if (pirqs_free(t, first, n, false))
				return (int)first;
	} else {
		for (first = t->n; first-- > 0;)
			if (pirqs_free(t, first, n, false))
				return (int)first;
	}
	return -ENOSPC;
}

int pirq_get_free(struct domain *d, bool msi)
{
	int pirq;

	if (!nr_pirqs(d))
		return -ENOSPC;
	spin_guard(&d->pirqs->lock);
	pirq = pirq_find(d->pirqs, 1, msi);
	if (pirq >= 0)
		d->pirqs->pirq[pirq].reserved = true;
	return pirq;
}

/* Locked. */
static int pirq_of(const struct pirq_table *t, const struct irq_desc *irq)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->pirq[i].irq == irq)
			return (int)i;
	return -1;
}

int pirq_map_gsi(struct domain *d, int *pirq, unsigned int gsi)
{
	struct irq_desc *irq = gsi_desc(gsi);
	struct pirq_table *t = d->pirqs;
	int number, old;

	if (!irq || !t)
		return -EINVAL;
	if (!d->irqs || !rangeset_contains(d->irqs, gsi, gsi))
		return -EPERM;
	spin_guard(&t->lock);
	old = pirq_of(t, irq);
	number = *pirq;
	if (old >= 0) { /* a line has one number */
		*pirq = old;
		return number >= 0 && number != old ? -EEXIST : 0;
	}
	if (number < 0)
		number = pirqs_free(t, gsi, 1, false) ? (int)gsi : pirq_find(t, 1, false);
	if (number < 0)
		return number;
	if ((unsigned int)number >= t->n)
		return -EINVAL;
	if (!pirqs_free(t, (unsigned int)number, 1, true))
		return -EEXIST;
	t->pirq[index_nospec((unsigned int)number, t->n)] = (struct pirq){.irq = irq};
	*pirq = number;
	return 0;
}

int pirq_map_msi(struct domain *d, int *pirq, const struct msi_request *r)
{
	struct pirq_table *t = d->pirqs;
	unsigned int n = 1, i;
	struct msi_desc *msi;
	int number = *pirq, err;

	if (!t)
		return -EINVAL;
	if (r->table_base) {
		if (r->entry < 0 || r->entry > 0x7ff)
			return -EINVAL;
	} else if (r->entry > 1) {
		if (r->entry > MSI_MAX_VECTORS)
			return -EDOM;
		while (n < (unsigned int)r->entry)
			n *= 2;
	}
	spin_guard(&t->lock);
	if (number < 0)
		number = pirq_find(t, n, true);
	if (number < 0)
		return number;
	if (!pirqs_free(t, (unsigned int)number, n, true))
		return (unsigned int)number >= t->n ? -EINVAL : -EEXIST;
	err = msi_create(r, n, &msi);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		t->pirq[(unsigned int)number + i] = (struct pirq){.irq = &msi->irq[i]};
	*pirq = number;
	return 0;
}

/* ---- binding ---- */

static void eoi_map_update(struct pirq_table *t, const struct pirq *p)
{
	unsigned int bit = (unsigned int)(p - t->pirq);

	if (!t->eoi_map.map)
		return;
	if (p->bound && p->irq->level)
		set_bit(bit, t->eoi_map.map);
	else
		clear_bit(bit, t->eoi_map.map);
}

int pirq_bind(struct vcpu *v, unsigned int pirq, bool share)
{
	struct domain *d = v->domain;
	struct pirq *p = pirq_entry(d, pirq);
	int err;

	if (!p)
		return -EINVAL;
	spin_guard(&d->pirqs->lock);
	if (p->bound)
		return -EEXIST;
	/* One that was not mapped is not the domain's. */
	err = p->irq ? irq_guest_bind(p->irq, v, pirq, share) : -EPERM;
	if (!err) {
		p->bound = true;
		eoi_map_update(d->pirqs, p);
	}
	return err;
}

/* Locked. */
static void pirq_release(struct domain *d, struct pirq *p)
{
	if (!p->bound)
		return;
	irq_guest_unbind(p->irq, d);
	p->bound = false;
	eoi_map_update(d->pirqs, p);
}

void pirq_unbind(struct domain *d, unsigned int pirq)
{
	struct pirq *p = pirq_entry(d, pirq);

	if (!p)
		return;
	spin_guard(&d->pirqs->lock);
	pirq_release(d, p);
}

/* Locked. A group of MSI vectors goes as one, by the first one's number. */
static int pirq_unmap_locked(struct domain *d, struct pirq *p)
{
	struct msi_desc *msi;
	unsigned int i;

	if (!p->irq)
		return -EINVAL;
	msi = p->irq->msi;
	if (!msi) {
		pirq_release(d, p);
		*p = (struct pirq){.irq = NULL};
		return 0;
	}
	if (p->irq != msi->irq)
		return -EINVAL;
	for (i = 0; i < msi->n; i++) {
		pirq_release(d, &p[i]);
		p[i] = (struct pirq){.irq = NULL};
	}
	msi_destroy(msi);
	return 0;
}

int pirq_unmap(struct domain *d, unsigned int pirq)
{
	struct pirq *p = pirq_entry(d, pirq);

	if (!p)
		return -EINVAL;
	spin_guard(&d->pirqs->lock);
	return pirq_unmap_locked(d, p);
}

void pirq_set_vcpu(struct vcpu *v, unsigned int pirq)
{
	struct pirq *p = pirq_entry(v->domain, pirq);

	if (!p)
		return;
	spin_guard(&v->domain->pirqs->lock);
	if (p->bound)
		irq_guest_set_vcpu(p->irq, v);
}

/* ---- end of interrupt ---- */

int pirq_eoi(struct domain *d, unsigned int pirq)
{
	struct pirq *p = pirq_entry(d, pirq);

	if (!p)
		return -EINVAL;
	spin_guard(&d->pirqs->lock);
	if (p->bound)
		irq_guest_eoi(p->irq, d);
	return p->irq ? 0 : -EINVAL;
}

int pirq_eoi_all(struct domain *d)
{
	struct pirq *p = pirq_entry(d, 0);

	if (!p)
		return 0;
	spin_guard(&d->pirqs->lock);
	for (unsigned int i = 0; i < d->pirqs->n; i++)
		if (p[i].bound)
			irq_guest_eoi(p[i].irq, d);
	return 0;
}

int pirq_status(struct domain *d, unsigned int pirq, uint32_t *flags)
{
	struct pirq *p = pirq_entry(d, pirq);

	if (!p)
		return -EINVAL;
	spin_guard(&d->pirqs->lock);
	*flags = 0;
	if (p->irq) {
		*flags |= p->irq->level ? XENIRQSTAT_needs_eoi : 0;
		*flags |= p->irq->nr_guests > 1 ? XENIRQSTAT_shared : 0;
	}
	return 0;
}

int pirq_set_eoi_map(struct domain *d, gfn_t gfn)
{
	struct pirq_table *t = d->pirqs;
	struct guest_page map;
	unsigned int i;
	int err = t ? guest_page_map(d, gfn, &map) : -EINVAL;

	if (err)
		return err;
	spin_lock(&t->lock);
	if (t->eoi_map.map) {
		err = -EBUSY;
	} else {
		t->eoi_map = map;
		for (i = 0; i < t->n; i++)
			eoi_map_update(t, &t->pirq[i]);
	}
	spin_unlock(&t->lock);
	if (err)
		guest_page_unmap(&map);
	return err;
}

/* What the table holds of others. The guest's page must go before its pages are counted:
 * the struct domain waits for the last of them. */
void pirq_domain_relinquish(struct domain *d)
{
	struct pirq_table *t = d->pirqs;
	struct guest_page map;
	unsigned int i;

	if (!t)
		return;
	spin_lock(&t->lock);
	for (i = 0; i < t->n; i++)
		if (t->pirq[i].irq)
			pirq_unmap_locked(d, &t->pirq[i]);
	map = t->eoi_map;
	t->eoi_map.map = NULL;
	spin_unlock(&t->lock);
	guest_page_unmap(&map);
}

void pirq_domain_destroy(struct domain *d)
{
	struct pirq_table *t = d->pirqs;

	if (!t)
		return;
	pirq_domain_relinquish(d);
	d->pirqs = NULL;
	xfree(t->pirq);
	xfree(t);
}
