# SPDX-License-Identifier: GPL-2.0-only
# A HVM guest with disks and a network interface: see basic.sh.
# rig: hvm
set -- hvm
. /rig/basic.sh
