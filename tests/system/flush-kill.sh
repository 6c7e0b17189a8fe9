# SPDX-License-Identifier: GPL-2.0-only
# Half of flush-kill.host: a PV guest on dom0's real disk. `write` goes on
# until QEMU is killed, saying which record was flushed last; `verify N` checks
# that records 1..N are there.
. /rig/lib.sh
phase=$1
last=${2:-0}

# Records are 64 KiB in 16 slots: a number, then a sum that depends on it.
record_writer='i=0
while :; do
	i=$((i + 1))
	{ printf "%-32d" $i; yes "record $i" | head -c 65504; } >/tmp/record
	dd if=/tmp/record of=/dev/xvda bs=64k seek=$((i % 16)) conv=notrunc,fsync 2>/dev/null
	echo "@@flushed $i"
done'
record_reader='i=$((LAST > 16 ? LAST - 15 : 1))
while [ $i -le LAST ]; do
	dd if=/dev/xvda of=/tmp/read bs=64k skip=$((i % 16)) count=1 2>/dev/null
	n=$(head -c 32 /tmp/read | tr -d " ")
	# The slot may hold a later record, written but not known to be flushed.
	[ "$n" = $i ] || [ "$n" = $((i + 16)) ] || { echo "slot of record $i holds $n"; exit 1; }
	{ printf "%-32d" $n; yes "record $n" | head -c 65504; } | cmp - /tmp/read || exit 1
	i=$((i + 1))
done'

disk=$(rig_disk 1)
[ -n "$disk" ] || { fail real-disk "dom0 has no disk from run -d"; finish; }
check backends-start backends_start
check $phase-create guest_create g1 pv "disk = [ 'phy:$disk,xvda,w' ]" || finish
case $phase in
write)
	guest_send g1 "$record_writer"
	tail -n +1 -f $CONSOLES/guest-g1.log
	;;
verify)
	check flushed-records-survive guest_sh g1 "$(echo "$record_reader" | sed "s/LAST/$last/g")"
	guest_shutdown g1
	finish
	;;
esac
