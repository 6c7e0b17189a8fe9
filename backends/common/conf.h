/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /etc/xylem/blkback.conf and netback.conf (INI, parsed by libinih):
 *
 *     [default]
 *     engine = io_uring
 *     [guest web1]
 *     write-bytes = 50M
 *     [guest web1 device xvdb]
 *     engine = libaio
 *
 * A size may end in K, M, G or T (powers of 1024). A guest's name may have blanks; one
 * that has the word "device" inside stands in double quotes. A section may appear again,
 * a key only once for the same guest and device.
 *
 * The most specific section that has the key wins. A device is named by the name
 * in the guest's configuration (vdev, or vif number) or by its xenstore id.
 */
#ifndef XYLEM_CONF_H
#define XYLEM_CONF_H

#include <stdbool.h>
#include <stdint.h>

struct conf;

struct conf_key {
	const char *name;
	enum { CONF_STRING, CONF_NUMBER, CONF_SIZE, CONF_BOOL, CONF_CHOICE } kind;
	const char *choices; /* space-separated, for CONF_CHOICE */
	uint64_t min, max;   /* for CONF_NUMBER and CONF_SIZE, inclusive */
};

/*
 * Parse @path against @keys, ended by one whose name is NULL; they must stay as long as
 * the configuration. A file that does not exist is an empty configuration. On bad input
 * every offending line is logged with its number and NULL is returned: the caller keeps
 * the configuration it has.
 */
struct conf *conf_load(const char *path, const struct conf_key *keys);
void conf_free(struct conf *c);

/* The most specific value, or @fallback. @guest and @device may be NULL. */
const char *conf_string(const struct conf *c, const char *guest,
			const char *const *device, const char *key, const char *fallback);
uint64_t conf_number(const struct conf *c, const char *guest, const char *const *device,
		     const char *key, uint64_t fallback);
bool conf_bool(const struct conf *c, const char *guest, const char *const *device,
	       const char *key, bool fallback);
/* @device above: NULL-terminated list of the names one device goes by. */

#endif
