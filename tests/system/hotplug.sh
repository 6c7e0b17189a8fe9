# SPDX-License-Identifier: GPL-2.0-only
# Disks and network interfaces that xl gives to a running guest and takes back, with
# BACKEND's backends: used while they are there, gone afterwards, nothing left.
# limit: 600
. /rig/lib.sh
GUEST_IP=10.9.0.2

# disk_there NAME SECTORS / disk_gone NAME: as the guest sees it.
disk_there()
{
	guest_sh g1 "until [ -b /dev/$1 ]; do sleep 0.2; done; cat /sys/block/$1/size" | grep -qx $2
}

disk_gone()
{
	guest_sh g1 "while [ -e /sys/block/$1 ]; do sleep 0.2; done"
}

# The same bytes from both sides.
disk_used()
{
	guest_sh g1 'dd if=/dev/urandom of=/tmp/a bs=64k count=16 2>/dev/null
		dd if=/tmp/a of=/dev/xvdb bs=64k oflag=direct 2>/dev/null; sha256sum </tmp/a' >$RUN/sum
	[ "$(dd if=/dev/ram0 bs=64k count=16 2>/dev/null | sha256sum)" = "$(tail -n 1 $RUN/sum)" ]
}

lan_used()
{
	guest_sh g1 "until [ -e /sys/class/net/eth$1 ]; do sleep 0.2; done
		ip addr add 10.9.0.2/24 dev eth$1; ip link set eth$1 up
		ping -c 3 -i 0.2 -W 10 $DOM0_IP"
}

lan_gone()
{
	guest_sh g1 "while [ -e /sys/class/net/eth$1 ]; do sleep 0.2; done"
}

bridge_up
ram_disk 16
dd if=/dev/urandom of=$RUN/image bs=64k count=16 2>/dev/null
check backends-start backends_start
GUEST_MEMORY=192
check guest guest_create g1 pv || finish
held >$RUN/held.before
for round in 1 2; do
	check $round-block-attach xl block-attach g1 phy:/dev/ram0,xvdb,w
	check $round-disk-there disk_there xvdb 32768
	check $round-disk-used disk_used
	check $round-block-attach-file xl block-attach g1 file:$RUN/image,xvdc,r
	check $round-file-there disk_there xvdc 2048
	check $round-block-list sh -c '[ $(xl block-list g1 | wc -l) = 3 ]'
	check $round-network-attach xl network-attach g1 bridge=$BRIDGE mac=00:16:3e:11:22:33
	check $round-lan-used lan_used 0
	check $round-network-list sh -c 'xl network-list g1 | grep 00:16:3e:11:22:33'
	check $round-network-detach xl network-detach g1 0
	check $round-lan-gone lan_gone 0
	check $round-block-detach xl block-detach g1 xvdb
	check $round-disk-gone disk_gone xvdb
	check $round-block-detach-file xl block-detach g1 xvdc
	check $round-file-gone disk_gone xvdc
	check $round-nothing-left nothing_left_since $RUN/held.before
done
check shutdown guest_shutdown g1
finish
