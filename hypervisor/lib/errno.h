/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI's error numbers under their plain names; EINTR and ERESTART stay inside. */
#ifndef HV_ERRNO_H
#define HV_ERRNO_H

#ifdef HOST_TEST
#include <errno.h> /* the same numbers */
#else
enum {
#define XEN_ERRNO(name, value) name = value,
#include <xen/errno.h>
	EINTR = 4,
	ERESTART = 85,
};
#endif

#endif
