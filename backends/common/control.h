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
	CONTROL_ATTACH = 1, /* a device: class-specific payload and descriptors; the last
			     * descriptor is the state memfd */
	CONTROL_UPDATE, /* class-specific change of a live device (size, media, carrier)
			 */
	CONTROL_DETACH, /* drain, release every grant and port, answer DETACHED */
	CONTROL_HELLO,  /* a new supervisor asks what is attached; answer: ATTACHED a
			   device */
	CONTROL_EXIT,   /* no device left: end */
	/* worker to supervisor */
	CONTROL_READY,    /* start-up and sandbox done */
	CONTROL_ATTACHED, /* status 0 or -errno; after HELLO it carries the state memfd */
	CONTROL_DETACHED,
	CONTROL_BROKEN, /* the frontend broke the protocol: text says how; device is
			   stopped */
	CONTROL_LOG,    /* text; status is the log level */
	/* supervisor to worker, the first message: struct control_start */
	CONTROL_START,
};

struct control_msg {
	uint32_t magic;
	uint16_t version, type;
	uint32_t devid;
	int32_t status;
	uint32_t size;   /* of payload */
	uint32_t nfds;   /* attached */
	uint64_t cookie; /* of ATTACH, echoed: tells a late answer from a new one */
			 /* the payload follows */
};

_Static_assert(sizeof(struct control_msg) == 32, "the same in every build of a version");

/* CONTROL_START: who the worker is for and what it becomes. */
struct control_start {
	uint32_t domid;
	uint32_t uid, gid; /* 0: stay what we are (tests without root) */
	uint32_t log_level;
};

/* A message received, with its descriptors (owned by the caller until taken). */
struct control_packet {
	struct control_msg head;
	uint8_t payload[CONTROL_MAX + 1]; /* text is NUL-terminated by control_recv() */
	int fds[CONTROL_MAX_FDS];
	unsigned int nfds;
};

/*
 * Send one message without blocking. magic, version, size and nfds of @what are
 * filled in here. 0; -EAGAIN when the other end does not read; -EPIPE when it is
 * gone; or another -errno. The descriptors stay the caller's.
 */
int control_send(int fd, const struct control_msg *what, const void *payload, size_t size,
		 const int *fds, unsigned int nfds);

/*
 * Receive one message without blocking and check its frame: magic, version, sizes,
 * number of descriptors. 0; -EAGAIN: nothing there; -EPIPE: the other end is gone;
 * -EPROTO: not a message of ours (whatever descriptors came with it are closed);
 * or another -errno.
 */
int control_recv(int fd, struct control_packet *p);

/* Close the packet's descriptors that nobody took (taken ones are set to -1). */
void control_close_fds(struct control_packet *p);

#endif
