# SPDX-License-Identifier: GPL-2.0-only
# The symbols of hypervisor and kernel, for bench/profile: the same on every boot.
. /rig/lib.sh
cat /proc/kallsyms >$OUT/kallsyms
cat /proc/xen/xensyms >$OUT/xensyms
finish
