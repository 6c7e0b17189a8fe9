#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# While parts are being written: weak.inc from what the objects still want.
# weak.sh OBJECTS, prints the file.
ld -r -o /tmp/weak.$$ "$@" && nm -u /tmp/weak.$$ | awk '$2 !~ /(_start|_end|percpu_boot)$|^symbol_|^_GLOBAL_OFFSET_TABLE_$/ { print "MISSING " $2 }'
rm -f /tmp/weak.$$
