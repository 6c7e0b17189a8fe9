/* SPDX-License-Identifier: GPL-2.0-only */
/* xylem-stat --listen: the statistics for a Prometheus-like scraper, over HTTP. */
#ifndef XYLEM_STAT_EXPORTER_H
#define XYLEM_STAT_EXPORTER_H

#include <stddef.h>

struct stat_exporter;

/*
 * Serve GET /metrics at @address ("127.0.0.1:9777", "[::1]:9777", ":9777" for every
 * address) from a thread of its own. @text makes the answer, freed with free(); NULL
 * is answered with 503. NULL with *@why, a text, on failure.
 */
struct stat_exporter *stat_exporter_start(const char *address,
					  char *(*text)(void *arg, size_t *size),
					  void *arg, const char **why);
/* The port it listens on: of use when the address said 0. */
unsigned int stat_exporter_port(const struct stat_exporter *e);
void stat_exporter_stop(struct stat_exporter *e);

#endif
