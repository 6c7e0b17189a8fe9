# SPDX-License-Identifier: GPL-2.0-only
# Every attack of hostile-front from inside a guest, on a disk and a NIC served by
# the backends under test, while another guest's disk and NIC go on working.
# usage: hostile.sh [pv|pvh] [ATTACK...]      (boot it with hostile.host)
. /rig/lib.sh
type=${1:-pv}
[ $# = 0 ] || shift

# The other guest writes and reads its disk, and reaches dom0.
neighbour_serves()
{
	guest_sh good "dd if=/dev/urandom of=/tmp/a bs=64k count=16 2>/dev/null &&
		dd if=/tmp/a of=/dev/xvda bs=64k oflag=direct 2>/dev/null &&
		dd if=/dev/xvda of=/tmp/b bs=64k count=16 iflag=direct 2>/dev/null &&
		cmp /tmp/a /tmp/b && ping -c 1 -W 5 $DOM0_IP >/dev/null"
}

# hostile ATTACK: what the attack prints; its status.
hostile()
{
	case $1 in
	vbd-*) hostile_device=device/vbd/51712 ;;
	*) hostile_device=device/vif/0 ;;
	esac
	guest_sh evil "hostile-front $hostile_device $1 ${2:-15}" 100
}

# The backend is asked to close by the toolstack, and the front end never answers:
# libxl's forced detach must get the device away all the same.
never_closes()
{
	case $1 in
	vbd-*)
		guest_send evil "hostile-front device/vbd/51728 $1 30"
		wait_for 20 connected vbd 51728 || return 1
		xl block-detach evil xvdb force
		wait_for 30 gone vbd 51728
		;;
	*)
		guest_send evil "hostile-front device/vif/1 $1 30"
		wait_for 20 connected vif 1 || return 1
		xl network-detach evil 1
		wait_for 30 gone vif 1
		;;
	esac
}

back()
{
	echo "/local/domain/0/backend/$1/$(xl domid evil)/$2"
}
connected()
{
	[ "$(xenstore-read "$(back $1 $2)/state")" = 4 ]
}
gone()
{
	! xenstore-exists "$(back $1 $2)"
}

bridge_up
ram_disk 64
check backends backends_start || finish
check neighbour guest_create good $type 'disk = [ "phy:/dev/ram0,xvda,w" ]' \
	"vif = [ \"bridge=$BRIDGE\" ]" || finish
guest_sh good "ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up" >/dev/null
GUEST_ARGS="blkfront=none netfront=none modules=xen-evtchn+xen-gntalloc+xen-gntdev+xenfs"
check evil guest_create evil $type \
	'disk = [ "phy:/dev/ram1,xvda,w", "phy:/dev/ram2,xvdb,w" ]' \
	"vif = [ \"bridge=$BRIDGE\", \"bridge=$BRIDGE\" ]" || finish
check neighbour-before neighbour_serves

[ $# != 0 ] || set -- $(guest_sh evil 'hostile-front list')
last=
for attack; do
	case $attack in
	*-never-closes) continue ;;
	esac
	# what the daemons said about an attack that went wrong
	check $attack hostile $attack || tail -n 4 $OUT/*back.log
	tail -n 1 $RUN/check
	# between kinds of attack, and at the end: nobody else noticed
	[ "${attack%%-*}" = "$last" ] || check neighbour-during-${attack%%-*} neighbour_serves
	last=${attack%%-*}
done
for attack; do
	case $attack in
	*-never-closes) check $attack never_closes $attack ;;
	esac
done
check neighbour-after neighbour_serves
guest_shutdown good
xl destroy evil
check domains-gone wait_for 30 sh -c '! xl list | grep -q "(null)\|evil\|good"'
finish
