// SPDX-License-Identifier: GPL-2.0-only
/* What XENVER_* and the banner say (version.h is made by hypervisor/version.sh). */
#include "hypervisor/boot/boot.h"
#include "version.h"

const char xylem_version[] = XYLEM_VERSION;
const char xylem_compile_info[4][64] = {XYLEM_COMPILER, "xylem", "localdomain", XYLEM_CHANGESET};
