# SPDX-License-Identifier: GPL-2.0-only
# The real transport and store against dom0 itself (transport_probe.c). Run with
# -i build/bin/transport_probe.
. /rig/lib.sh
modprobe xen-gntalloc || :
/rig/transport_probe 2>&1
failures=$?
finish
