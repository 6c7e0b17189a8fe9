/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memcpy() for data of requests: whole pages and large parts of pages. Where the
 * processor has AVX2 it takes two thirds of the C library's instructions, which has
 * to be good at every length. No overlap.
 */
#ifndef XYLEM_BLK_COPY_H
#define XYLEM_BLK_COPY_H

#include <stddef.h>

void copy_data(void *to, const void *from, size_t n);

/* A page of 4096 bytes. */
void copy_page(void *to, const void *from);

#endif
