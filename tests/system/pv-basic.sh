# SPDX-License-Identifier: GPL-2.0-only
# A PV guest with disks and a network interface: see basic.sh.
set -- pv
. /rig/basic.sh
