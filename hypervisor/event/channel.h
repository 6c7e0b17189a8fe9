/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of event/: a channel, and what an ABI does with it. */
#ifndef HV_EVENT_CHANNEL_H
#define HV_EVENT_CHANNEL_H

#include "hypervisor/domain/domain.h"
#include "hypervisor/event/event.h"

enum evtchn_state { ECS_FREE, ECS_RESERVED, ECS_UNBOUND, ECS_INTERDOMAIN, ECS_PIRQ, ECS_VIRQ, ECS_IPI };

/*
 * Allocated and freed under its domain's event lock; its state changes under its own
 * lock too, so a sender needs that one alone. Both ends of an interdomain pair are locked
 * to bind or close it: a sender that holds one end's lock may use the other end.
 */
struct evtchn {
	struct spinlock lock;
	uint8_t state;      /* enum evtchn_state */
	uint8_t priority;   /* FIFO */
	uint8_t pending;    /* FIFO: came before the guest gave memory for its word */
	uint32_t port;
	uint32_t vcpu;      /* who is told */
	uint32_t last_queue; /* FIFO: vcpu << 8 | priority it was last linked to */
	union {
		domid_t remote_domid; /* ECS_UNBOUND: who may bind */
		struct {
			struct domain *domain;
			struct evtchn *chn;
		} remote; /* ECS_INTERDOMAIN */
		uint32_t pirq, virq;
	};
};

/* How ports are shown to the guest. A channel's lock or what keeps its state is held. */
struct event_abi_ops {
	void (*set_pending)(struct vcpu *v, struct evtchn *c);
	void (*clear_pending)(struct domain *d, struct evtchn *c);
	void (*unmask)(struct domain *d, struct evtchn *c);
	bool (*is_pending)(const struct domain *d, uint32_t port);
	bool (*is_masked)(const struct domain *d, uint32_t port);
	/* A closed port that the guest has not taken off its queue is not given out again.
	 * NULL: there are no queues, nor priorities. */
	bool (*is_busy)(const struct domain *d, uint32_t port);
	int (*set_priority)(struct evtchn *c, uint32_t priority);
};
extern const struct event_abi_ops event_2level_ops, event_fifo_ops;

struct evtchn *event_channel(const struct domain *d, uint32_t port); /* NULL: no such port */

/* event.c. alloc and free: event lock held. */
struct evtchn *event_port_alloc(struct domain *d, int *err);
void event_port_free(struct domain *d, struct evtchn *c);
void event_channel_set(struct evtchn *c, enum evtchn_state state);
unsigned long event_lock_pair(struct evtchn *a, struct evtchn *b);
void event_unlock_pair(struct evtchn *a, struct evtchn *b, unsigned long flags);
void event_deliver(struct domain *d, struct evtchn *c);
bool event_virq_is_global(unsigned int virq);
uint32_t *event_pirq_slot(struct domain *d, unsigned int pirq, bool make);

/* event_op.c */
int event_close(struct domain *d, uint32_t port);

/* event_fifo.c; destroy with the event lock held. */
struct op_call;
long event_fifo_op(struct op_call *call); /* EVTCHNOP_init_control, _expand_array */
void event_fifo_destroy(struct domain *d);

#endif
