/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels (public/event_channel.h). event.c: ports and their life; event_2level.c
 * and event_fifo.c: how a pending port is shown to the guest; fifo queues.
 *
 * event_domain.lock: the port tables and binding. Each channel's own lock: its state while
 * events are sent. Two channels: the one of the lower address first.
 */
#ifndef HV_EVENT_H
#define HV_EVENT_H

#include "hypervisor/lib/abi.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/spinlock.h"

struct domain;
struct vcpu;
struct evtchn;

#define EVTCHNS_PER_GROUP 128
#define EVTCHN_GROUPS     (EVTCHN_FIFO_NR_CHANNELS / EVTCHNS_PER_GROUP)

struct event_abi_ops;
struct event_fifo; /* domain's */

struct event_domain {
	struct spinlock lock;
	const struct event_abi_ops *ops;
	struct evtchn **group;   /* EVTCHN_GROUPS of arrays, made as needed */
	uint32_t nr_valid;       /* ports below it have a struct */
	uint32_t max_ports;      /* of the ABI in use */
	uint32_t limit;          /* XEN_DOMCTL_set_max_evtchn; config.max_evtchn_port + 1 */
	uint32_t active;
	uint32_t next_free;      /* no port below it is free */
	uint32_t next_close;     /* where a preempted reset or relinquish goes on */
	uint32_t **pirq_group;   /* pirq -> port, 128 an array, made as needed */
	struct event_fifo *fifo; /* NULL: 2-level */
};

struct event_vcpu {
	struct spinlock virq_lock;
	uint32_t virq_to_port[NR_VIRQS]; /* 0: unbound */
	void *fifo;                      /* struct event_fifo_vcpu */
};

int event_domain_init(struct domain *d, uint32_t limit);
int event_vcpu_init(struct vcpu *v);
void event_vcpu_destroy(struct vcpu *v);
/* Close all; may be preempted: -ERESTART. */
int event_domain_relinquish(struct domain *d);
void event_domain_destroy(struct domain *d);

long do_event_channel_op(unsigned int cmd, uint64_t arg);

/* Any context in which no event lock is held. */
int event_send(struct domain *ld, uint32_t port);
void send_vcpu_virq(struct vcpu *v, unsigned int virq);
void send_domain_virq(struct domain *d, unsigned int virq);  /* vcpu 0's or wherever bound */
void send_global_virq(unsigned int virq);                    /* DOM_EXC, CONSOLE...: its handler */
int set_global_virq_handler(struct domain *d, unsigned int virq); /* XEN_DOMCTL */
bool send_pirq(struct domain *d, unsigned int pirq);         /* false: not bound */
bool event_port_is_pending(struct domain *d, uint32_t port);
int event_reset(struct domain *d);
/* A vcpu_info was registered at a new place: pending events must not be lost. */
void event_check_pending(struct vcpu *v);
void event_dump(struct domain *d); /* debug key 'e' */

/* The vcpu has a pending event or one becomes so: sets upcall_pending, wakes. */
void vcpu_mark_events_pending(struct vcpu *v); /* domain/vcpu_info.c */

#endif
