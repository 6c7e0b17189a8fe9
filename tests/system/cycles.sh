# SPDX-License-Identifier: GPL-2.0-only
# Disks and NICs come and go, N times each (the argument, 200 by default), on a PV
# and a PVH guest at once; afterwards nothing is left of them anywhere.
# limit: 3600
. /rig/lib.sh
cycles=${1:-200}

connected()
{
	until state_is $1 4; do
		sleep 0.05
		connected_tries=$((connected_tries + 1))
		[ $connected_tries -lt 1200 ] || { echo "not connected: $1"; return 1; }
	done
}

disk_cycle()
{
	xl block-attach disks phy:/dev/ram1 xvdb w || return 1
	connected_tries=0
	connected $disk || return 1
	xl block-detach disks xvdb || return 1
	! xenstore-exists $disk
}

nic_cycle()
{
	xl network-attach nics bridge=$BRIDGE || return 1
	connected_tries=0
	connected $nic || return 1
	xl network-detach nics 0 || return 1
	! xenstore-exists $nic
}

# many N COMMAND: the cycles that went wrong, and their count as the status.
many()
{
	many_left=$1
	while [ $many_left -gt 0 ]; do
		$2 || { echo "$2: failed with $many_left left"; return 1; }
		many_left=$((many_left - 1))
	done
}

# both N: that many of each kind, side by side
both()
{
	many $1 disk_cycle >$RUN/disk-cycles 2>&1 &
	both_disks=$!
	both_status=0
	many $1 nic_cycle >$RUN/nic-cycles 2>&1 || both_status=1
	wait $both_disks || both_status=1
	[ $both_status = 0 ] || tail -n 20 $RUN/disk-cycles $RUN/nic-cycles
	return $both_status
}

# Resident memory of supervisors, KiB
supervisors()
{
	for supervisors_pid in $(cat $RUN/blkback.pid $RUN/netback.pid 2>/dev/null); do
		sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$supervisors_pid/status
	done
}

# No supervisor has grown by what a hundred devices' worth of anything would be.
not_grown()
{
	not_grown_after=$(supervisors)
	echo "before: $1, after:" $not_grown_after
	for not_grown_before in $1; do
		[ ${not_grown_after%%[!0-9]*} -le $((not_grown_before + 256)) ] || return 1
		not_grown_after=$(echo $not_grown_after | cut -d' ' -f2-)
	done
}

bridge_up
ram_disk 16
check backends-start backends_start
GUEST_MEMORY=192
check disks-create guest_create disks pv || finish
check nics-create guest_create nics pvh || finish
disk=$(back vbd disks 51728) nic=$(back vif nics 0)
# The first few cycles fill caches; what they hold is not lost.
check warm both 5 || finish
held >$RUN/held
memory=$(free_memory) resident=$(supervisors)
start=$(cut -d. -f1 /proc/uptime)
check cycles-$cycles both $cycles
echo "$cycles cycles of each took $(($(cut -d. -f1 /proc/uptime) - start)) s"
check nothing-left nothing_left_since $RUN/held
check memory-free [ "$(free_memory)" -ge "$memory" ]
check supervisors-not-grown not_grown "$resident"
check guest-serves guest_sh disks 'ls /sys/block; [ ! -e /sys/block/xvdb ]'
guest_shutdown disks
guest_shutdown nics
finish
