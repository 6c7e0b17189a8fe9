/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channel between the supervisor and a guest's worker: a SOCK_SEQPACKET
 * socket, one message a packet, descriptors attached with SCM_RIGHTS. The worker
 * is assumed taken over by its guest: the supervisor checks every field of what
 * it receives and never waits for an answer without a time limit.
 */
#ifndef XYLEM_CONTROL_H
#define XYLEM_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#define CONTROL_MAGIC   0x586c6d43u /* "XlmC" */
#define CONTROL_VERSION 1
#define CONTROL_MAX     8192 /* bytes a message */
#define CONTROL_MAX_FDS 64

enum control_type {
	/* supervisor to worker */
	CONTROL_ATTACH = 1, /* a device: class-specific payload and descriptors */
	CONTROL_UPDATE,     /* class-specific change of a live device (size, media, carrier) */
	CONTROL_DETACH,     /* drain, release every grant and port, answer DETACHED */
	CONTROL_HELLO,      /* a new supervisor asks what is attached; answer: ATTACHED a device */
	CONTROL_EXIT,       /* no device left: end */
	/* worker to supervisor */
	CONTROL_READY,      /* start-up and sandbox done */
	CONTROL_ATTACHED,   /* status 0 or -errno; after HELLO it carries the state memfd */
	CONTROL_DETACHED,
	CONTROL_BROKEN,     /* the frontend broke the protocol: text says how; device is stopped */
	CONTROL_LOG,        /* text */
};

struct control_msg {
	uint32_t magic;
	uint16_t version, type;
	uint32_t devid;
	int32_t status;
	uint32_t size; /* of payload */
	uint32_t nfds; /* attached */
	uint64_t cookie; /* of ATTACH, echoed: tells a late answer from a new one */
	uint8_t payload[];
};

#endif
