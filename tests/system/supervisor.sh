# SPDX-License-Identifier: GPL-2.0-only
# Workers and supervisors under Xen: a supervisor that is killed and started again
# under I/O, a worker that is killed, what a taken-over worker can do, and what is
# left afterwards. Run with -i build/bin/probe-sandbox: see supervisor.host.
. /rig/lib.sh
GUEST_IP=10.9.0.2
GUEST_TOOLS=io

start_one()
{
	/usr/lib/xylem/bin/$1 -v >>$OUT/$1.log 2>&1 &
	echo $! >$RUN/$1.pid
}

# The process serving guest $2 of daemon $1.
worker_of()
{
	cat /run/xylem/$1/worker-$2.pid
}

state_is()
{
	[ "$(xenstore-read /local/domain/0/backend/$1/state 2>/dev/null)" = "$2" ]
}

# Closing, or Closed already when the guest's driver was quick.
is_closed()
{
	state_is $1 5 || state_is $1 6
}

# field PID NAME: from its status
field()
{
	sed -n "s/^$2:[[:space:]]*\([^[:space:]]*\).*/\1/p" /proc/$1/status
}

sandboxed()
{
	worker=$(worker_of $1 $2)
	uid=$(field $worker Uid)
	echo "uid $uid caps $(field $worker CapEff) nnp $(field $worker NoNewPrivs) seccomp $(field $worker Seccomp)"
	echo "files in its root: $(ls /proc/$worker/root/ | wc -l)"
	[ "$uid" = $(($3 + $2)) ] && [ "$(field $worker CapEff)" = 0000000000000000 ] &&
		[ "$(field $worker NoNewPrivs)" = 1 ] && [ "$(field $worker Seccomp)" = 2 ] &&
		[ "$(ls /proc/$worker/root/ | wc -l)" = 0 ]
}

# Resident memory that is not grants or a device's buffers, at most 5 MiB.
lean()
{
	grep -E '^(VmRSS|RssAnon|RssFile|RssShmem)' /proc/$(worker_of $1 $2)/status
	[ "$(field $(worker_of $1 $2) VmRSS)" -le 5120 ]
}

# How often a worker has gone to sleep, and what its guest's network has moved: stray
# packets of the bridge are work, not idleness.
sleeps()
{
	awk '/^voluntary/ { n += $2 } END { print n }' /proc/$(worker_of $1 $2)/task/*/status
}

packets()
{
	cat /sys/class/net/vif$1.0/statistics/[rt]x_packets | awk '{ n += $1 } END { print n + 0 }'
}

ticks()
{
	awk '{ print $14 + $15 }' /proc/$(worker_of $1 $2)/stat
}

# Nothing wakes a worker in 5 s in which its guest does nothing, and it does not spin.
idle()
{
	local slept=$(sleeps $1 $2) moved=$(packets $2) ran=$(ticks $1 $2)
	sleep 5
	slept=$(($(sleeps $1 $2) - slept)) moved=$(($(packets $2) - moved))
	ran=$(($(ticks $1 $2) - ran))
	echo "woken $slept times, for $moved packets; $ran ticks"
	[ $slept -le $((2 + 4 * moved)) ] && [ $ran -lt 50 ]
}

bridge_up
ram_disk 64
check backends-start backends_start
check create guest_create g1 pv "disk = [ 'phy:/dev/ram0,xvda,w' ]" "vif = [ 'bridge=$BRIDGE' ]" || finish
domid=$(xl domid g1)
check sandboxed-blkback sandboxed blkback $domid 700000
check sandboxed-netback sandboxed netback $domid 800000
check lean-blkback lean blkback $domid
check lean-netback lean netback $domid
check idle-blkback idle blkback $domid
check idle-netback idle netback $domid
check probe /rig/probe-sandbox $domid

# Killed in the middle of I/O, not asked to end; three times.
guest_send g1 'fio --name=v --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=8 \
	--rw=randrw --bs=4k --size=48m --time_based --runtime=12 --verify=crc32c \
	--verify_fatal=1 --output-format=terse >/tmp/fio 2>&1; echo "fio status $?"'
blk=$(worker_of blkback $domid) net=$(worker_of netback $domid)
for round in 1 2 3; do
	sleep 2
	kill -9 $(cat $RUN/blkback.pid) $(cat $RUN/netback.pid)
	start_one blkback
	start_one netback
	sleep 1
done
check same-workers [ "$blk $net" = "$(worker_of blkback $domid) $(worker_of netback $domid)" ]
check still-connected state_is vbd/$domid/51712 4
check io-went-on guest_wait g1 'fio status 0' 60
check ping-after-restart ping -c 2 -W 5 $GUEST_IP

# The new supervisor does what the old one would have done.
check attach xl block-attach g1 phy:/dev/ram1 xvdb w
check attached wait_for 10 state_is vbd/$domid/51728 4
check detach xl block-detach g1 xvdb
check disk-after-detach guest_sh g1 'dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'

# A worker that dies takes its guest's disks along, and nobody else's.
check second guest_create g2 pv "disk = [ 'phy:/dev/ram2,xvda,w' ]" || finish
kill -9 $blk
check closed-with-it wait_for 10 is_closed vbd/$domid/51712
check other-guest guest_sh g2 'dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'
check destroy guest_destroy g1
check destroy-other guest_destroy g2

# Nothing is left: no directory, no worker, no socket, no tap, no half-dead domain.
nothing_left()
{
	[ -z "$(xenstore-list /local/domain/0/backend/vbd 2>/dev/null)" ] || return 1
	[ -z "$(xenstore-list /local/domain/0/backend/vif 2>/dev/null)" ] || return 1
	[ -z "$(ls /run/xylem/*/worker-* 2>/dev/null)" ] || return 1
	[ "$(pidof blkback | wc -w) $(pidof netback | wc -w)" = "1 1" ] || return 1
	! ls /sys/class/net | grep -q '^vif' || return 1
	[ "$(xl list | wc -l)" = 2 ]
}
wait_for 10 nothing_left
check nothing-left nothing_left
xenstore-ls /local/domain/0/backend >$OUT/backend 2>&1
xl list >$OUT/domains
finish
