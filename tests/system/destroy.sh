# SPDX-License-Identifier: GPL-2.0-only
# Guests are destroyed in the middle of disk and network I/O, N times in all (the
# argument, 50 by default), PV and PVH by turns; nothing of them is left.
# limit: 3600
. /rig/lib.sh
count=${1:-50}

GUEST_MEMORY=160
GUEST_JOB="while :; do dd if=/dev/xvda of=/dev/null bs=256k iflag=direct; done 2>/dev/null &
	while :; do dd if=/dev/zero of=/dev/xvda bs=64k oflag=direct; done 2>/dev/null &
	while :; do nc $DOM0_IP 9 </dev/zero; done 2>/dev/null"

# Requests that the backends have served for the guest: bytes the bridge saw.
busy()
{
	busy_vif=vif$(xl domid $1).0
	[ "$(cat /sys/class/net/$busy_vif/statistics/rx_bytes)" -gt 100000 ]
}

# destroyed NAME TYPE DISK IP: one life.
destroyed()
{
	GUEST_IP=$4
	guest_create $1 $2 "disk = [ 'phy:$3,xvda,w' ]" "vif = [ 'bridge=$BRIDGE' ]" || return 1
	wait_for 20 busy $1 || { echo "$1: no I/O"; return 1; }
	xl destroy $1
}

lives()
{
	lives_left=$1
	shift
	while [ $lives_left -gt 0 ]; do
		destroyed "$@" || return 1
		lives_left=$((lives_left - 1))
	done
}

both()
{
	lives $1 one pv /dev/ram0 10.9.0.2 >$RUN/lives-one 2>&1 &
	both_one=$!
	both_status=0
	lives $1 two pvh /dev/ram1 10.9.0.3 >$RUN/lives-two 2>&1 || both_status=1
	wait $both_one || both_status=1
	[ $both_status = 0 ] || tail -n 20 $RUN/lives-one $RUN/lives-two
	return $both_status
}

enough_free()
{
	[ "$(free_memory)" -ge $1 ]
}

bridge_up
ram_disk 16
socat -u TCP-LISTEN:9,fork,reuseaddr OPEN:/dev/null &
check backends-start backends_start
check warm both 1 || finish
sleep 2
held >$RUN/held
memory=$(free_memory)
start=$(cut -d. -f1 /proc/uptime)
check destroyed-$count both $((count / 2))
echo "$count lives took $(($(cut -d. -f1 /proc/uptime) - start)) s"
check nothing-left nothing_left_since $RUN/held
check memory-free wait_for 20 enough_free $memory
check no-half-dead-domain sh -c '! xl list | grep "(null)"'
finish
