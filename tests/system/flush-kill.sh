# SPDX-License-Identifier: GPL-2.0-only
# Half of flush-kill.host: a PV guest on dom0's real disk. `write` goes on
# until QEMU is killed, saying which record was flushed last; `verify N` checks
# that records 1..N are there.
. /rig/lib.sh
phase=$1
last=${2:-0}

# Records are 64 KiB in 64 slots: a number, then a sum that depends on it. What was
# under way when the power failed is a few records past the last one heard of, whose
# slots are those of records that are not looked at.
slots=64 checked=32
record_writer='i=0
while :; do
	i=$((i + 1))
	{ printf "%-32d" $i; yes "record $i" | head -c 65504; } >/tmp/record
	dd if=/tmp/record of=/dev/xvda bs=64k seek=$((i % SLOTS)) conv=notrunc,fsync 2>/dev/null
	echo "@@flushed $i"
done'
record_reader='i=$((LAST > CHECKED ? LAST - CHECKED + 1 : 1))
while [ $i -le LAST ]; do
	dd if=/dev/xvda of=/tmp/read bs=64k skip=$((i % SLOTS)) count=1 2>/dev/null
	{ printf "%-32d" $i; yes "record $i" | head -c 65504; } | cmp - /tmp/read || {
		echo "slot of record $i holds $(head -c 32 /tmp/read)"
		exit 1
	}
	i=$((i + 1))
done'

disk=$(rig_disk 1)
[ -n "$disk" ] || { fail real-disk "dom0 has no disk from run -d"; finish; }
check backends-start backends_start
check $phase-create guest_create g1 pv "disk = [ 'phy:$disk,xvda,w' ]" || finish
case $phase in
write)
	guest_send g1 "$(echo "$record_writer" | sed "s/SLOTS/$slots/g")"
	tail -n +1 -f $CONSOLES/guest-g1.log
	;;
verify)
	check flushed-records-survive guest_sh g1 "$(echo "$record_reader" |
		sed "s/LAST/$last/g; s/SLOTS/$slots/g; s/CHECKED/$checked/g")"
	guest_shutdown g1
	finish
	;;
esac
