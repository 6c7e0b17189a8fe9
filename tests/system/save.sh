# SPDX-License-Identifier: GPL-2.0-only
# A PV guest with a disk and a network interface is saved and restored, paused and saved
# again as a checkpoint, and moved alive to the machine it is on; with two vcpus, its TSC
# emulated. Its processes go on, its clock does not go back, and nothing is left.
# limit: 600
. /rig/lib.sh
GUEST_IP=10.9.0.2

# What ran before the guest was stopped runs on, with what it had; time has not gone back.
same_guest()
{
	guest_sh g1 'grep kept /tmp/mark && kill -0 $(cat /tmp/pid) && a=$(cat /tmp/ticks) && sleep 2 &&
		[ $(cat /tmp/ticks) -gt $a ] && [ $(date +%s) -ge $(cat /tmp/began) ] &&
		[ $(grep -c processor /proc/cpuinfo) = 2 ] && ping -c 2 -i 0.2 -W 10 10.9.0.1 &&
		dd if=/dev/xvda bs=64k count=16 iflag=direct 2>/dev/null | cmp - /tmp/disk'
}

mark()
{
	guest_sh g1 'echo kept >/tmp/mark; date +%s >/tmp/began
		head -c 1048576 /dev/urandom >/tmp/disk
		dd if=/tmp/disk of=/dev/xvda bs=64k oflag=direct 2>/dev/null
		n=0; while :; do n=$((n + 1)); echo $n >/tmp/new; mv /tmp/new /tmp/ticks; sleep 0.2; done &
		echo $! >/tmp/pid; sleep 1; cat /tmp/ticks'
}

restored()
{
	xl restore "$@" /tmp/saved >$RUN/restore 2>&1 || { tail -n 4 $RUN/restore; return 1; }
}

saved()
{
	xl save "$@" >$RUN/save 2>&1 || { tail -n 4 $RUN/save; return 1; }
}

checkpoint()
{
	saved -c g1 /tmp/saved && rm /tmp/saved
}

live_migrate()
{
	printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >/tmp/ssh
	chmod +x /tmp/ssh
	xl migrate -s /tmp/ssh g1 here >$RUN/migrate.log 2>&1 || { tail -n 4 $RUN/migrate.log; return 1; }
	# Its console's log has the name that it had on its way.
	ln -sf guest-g1--incoming.log $CONSOLES/guest-g1.log
}

bridge_up
ram_disk 16
check backends-start backends_start
held >$RUN/held.before
guest_config g1 pv "disk = [ 'phy:/dev/ram0,xvda,w' ]" "vif = [ 'bridge=$BRIDGE' ]" >$RUN/g1.cfg
sed -i "s/^vcpus = .*/vcpus = 2/; s/^memory = .*/memory = 192/
	s/^tsc_mode = .*/tsc_mode = \"${1:-native}\"/" $RUN/g1.cfg
check create xl create $RUN/g1.cfg
check boots guest_wait g1 @@ready 60 || finish
check mark mark
check save saved g1 /tmp/saved
check saved-is-gone wait_for 5 no_ghost g1
check restore restored
rm /tmp/saved
check same-after-restore same_guest
check checkpoint checkpoint
check same-after-checkpoint same_guest
if [ "$HV" = xylem ]; then # stock's Debian build has no log-dirty mode for PV
	check migrate live_migrate
	check same-after-migrate same_guest
fi
check shutdown guest_shutdown g1
check destroyed wait_for 10 no_ghost g1
check nothing-left nothing_left_since $RUN/held.before
finish
