# SPDX-License-Identifier: GPL-2.0-only
# A PVH guest with disks and a network interface: see basic.sh.
set -- pvh
. /rig/basic.sh
