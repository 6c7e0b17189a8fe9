# SPDX-License-Identifier: GPL-2.0-only
# Guests of the types given (pv, pvh, hvm) are saved and restored, and restart
# themselves, while fio verifies what it has written; network and disks go on.
# limit: 1500
. /rig/lib.sh
GUEST_TOOLS=io
GUEST_REBOOT=restart
GUEST_MEMORY=224

# A round: writes, and reads back what it wrote, before the save or after it.
fio_verify="fio --name=v --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=8 \
	--rw=randwrite --bsrange=512-64k --blockalign=512 --size=8m --verify=crc32c \
	--verify_fatal=1 --verify_backlog=16 --output-format=terse"

readies()
{
	[ "$(grep -c '^@@ready' $CONSOLES/guest-$1.log)" -ge $2 ]
}

# fio runs when this returns; ends when /tmp/stop is there.
fio_start()
{
	guest_sh $1 "rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do
		$fio_verify || { echo failed; break; }
		echo round; done >/tmp/fio 2>&1; echo ended >>/tmp/fio) & sleep 2; ! grep -q failed /tmp/fio"
}

# No error so far, and rounds are still being made: then it is stopped.
fio_good()
{
	guest_sh $1 'n=$(grep -c round /tmp/fio); i=0
		until [ $(grep -c round /tmp/fio) -gt $((n + 1)) ]; do
			sleep 1; i=$((i + 1))
			[ $i -lt 120 ] && ! grep -q failed /tmp/fio || { tail -n 5 /tmp/fio; exit 1; }
		done
		touch /tmp/stop
		until grep -q ended /tmp/fio; do sleep 0.5; done
		! grep -q failed /tmp/fio' 200
}

saved()
{
	xl save $1 $RUN/saved 2>&1 | tail -n 5
	! xl domid $1 2>/dev/null && [ -s $RUN/saved ]
}

restored()
{
	xl restore $RUN/saved 2>&1 | tail -n 5
	rm -f $RUN/saved
	xl domid $1
}

# The guest asks for a reboot amid I/O; what was flushed before is there after it.
rebooted()
{
	guest_sh $1 'dd if=/dev/urandom of=/dev/xvda bs=64k count=16 seek=400 conv=fsync 2>/dev/null
		dd if=/dev/xvda bs=64k count=16 skip=400 2>/dev/null | sha256sum' >$RUN/before || return 1
	guest_send $1 'reboot -f'
	wait_for 90 readies $1 $2 || { echo "$1 is not up again"; tail -n 5 $CONSOLES/guest-$1.log; return 1; }
	# HVM: fio lives in a disk that is unpacked again
	[ $1 != hvm ] || guest_add_tools $1 || return 1
	guest_sh $1 'dd if=/dev/xvda bs=64k count=16 skip=400 2>/dev/null | sha256sum' >$RUN/after || return 1
	cat $RUN/before $RUN/after
	cmp -s $RUN/before $RUN/after
}

one_type()
{
	check $type-create guest_create $type $type "disk = [ 'phy:/dev/ram0,xvda,w' ]" \
		"vif = [ 'bridge=$BRIDGE' ]" || return
	check $type-fio fio_start $type
	check $type-save saved $type || return
	check $type-nothing-left-while-saved nothing_left_since $RUN/held
	check $type-restore restored $type || return
	check $type-fio-after-restore fio_good $type
	check $type-ping-after-restore guest_sh $type "ping -c 3 -W 5 $DOM0_IP"
	check $type-fio-again fio_start $type
	check $type-reboot rebooted $type 2
	check $type-fio-after-reboot fio_start $type
	check $type-fio-good-after-reboot fio_good $type
	check $type-ping-after-reboot guest_sh $type "ping -c 3 -W 5 $DOM0_IP"
	check $type-destroy xl destroy $type
	check $type-nothing-left nothing_left_since $RUN/held
}

bridge_up
ram_disk 32
check backends-start backends_start
GUEST_IP=10.9.0.2
sleep 1
held >$RUN/held
for type in "${@:-pv}"; do
	one_type
done
finish
