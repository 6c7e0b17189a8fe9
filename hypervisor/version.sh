#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What XENVER_compile_info and the banner say: version.sh VERSION CC
changeset=$(git rev-parse --short=12 HEAD 2>/dev/null) || changeset=unavailable
cat <<EOF
#define XYLEM_VERSION "$1"
#define XYLEM_COMPILER "$($2 --version | head -n 1)"
#define XYLEM_CHANGESET "$changeset"
EOF
