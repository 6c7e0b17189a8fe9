# SPDX-License-Identifier: GPL-2.0-only
# What the person who runs dom0 sees of our daemons: limits changed while a guest
# runs, rate= of a vif, xylem-stat, a disk that grows, discard, images of each kind,
# and a device that the kernel's driver has taken.
# limit: 900
. /rig/lib.sh
GUEST_IP=10.9.0.2
GUEST_TOOLS=io

reload()
{
	cat >/etc/xylem/blkback.conf
	kill -HUP $(cat $RUN/blkback.pid)
}

# A figure of the OpenMetrics text: figure NAME LABEL...
figure()
{
	xylem-stat --openmetrics >$RUN/metrics || return 1
	figure_lines=$(grep "^$1{" $RUN/metrics)
	shift
	for figure_label; do
		figure_lines=$(echo "$figure_lines" | grep "$figure_label")
	done
	echo "$figure_lines" | head -n 1 | sed 's/.* //'
}

limit_is()
{
	grep_limit=$(figure xylem_limit_bytes_per_second 'guest="g1"' "type=\"$1\"" "direction=\"$2\"" "devid=\"$3\"")
	echo "limit $grep_limit"
	[ "${grep_limit%.*}" = $4 ]
}

# at_least SECONDS COMMAND: that it takes so long; a limit that holds cannot be early.
at_least()
{
	at_least_from=$(cut -d. -f1 /proc/uptime)
	at_least_seconds=$1
	shift
	"$@" || return 1
	at_least_took=$(($(cut -d. -f1 /proc/uptime) - at_least_from))
	echo "took $at_least_took s"
	[ $at_least_took -ge $at_least_seconds ]
}

log_says()
{
	wait_for 5 grep -q "$2" $OUT/$1.log
}

mkdir -p /etc/xylem
bridge_up
ram_disk 32
dd if=/dev/urandom of=$RUN/image bs=64k count=32 2>/dev/null
check backends-start backends_start
check create guest_create g1 pv \
	"disk = [ 'phy:/dev/ram0,xvda,w', 'file:$RUN/image,xvdb,w', 'file:$RUN/image,xvdc,r,cdrom' ]" \
	"vif = [ 'bridge=$BRIDGE', 'bridge=$BRIDGE,rate=2Mb/s' ]" || finish

# --- statistics ---

guest_send g1 'fio --name=v --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=8 --rw=randrw \
	--bs=4k --size=16m --time_based --runtime=20 --output-format=terse >/tmp/fio 2>&1; echo fio ended'
sleep 2
check stat-table sh -c 'xylem-stat --once | tee /dev/stderr | grep -E "^g1 +xvda"'
check stat-json sh -c 'xylem-stat --once -j | tee /dev/stderr | grep -q "\"guest\":\"g1\".*\"vbd\".*\"engine\":\"io_uring\""'
check stat-openmetrics sh -c 'xylem-stat --openmetrics | tee /dev/stderr | tail -n 1 | grep -q "^# EOF"'
reads=$(figure xylem_rx_ops_total 'guest="g1"' 'devid="51712"')
sleep 1
check stat-counts [ "$(figure xylem_rx_ops_total 'guest="g1"' 'devid="51712"')" != "$reads" ]
check fio-ended guest_wait g1 'fio ended' 60

# --- limits ---

write_4m='dd if=/dev/zero of=/dev/xvda bs=64k count=64 oflag=direct 2>/dev/null'
reload <<-END
	[guest g1 device xvda]
	write-bytes = 1M
END
check limit-seen wait_for 5 limit_is vbd from_guest 51712 1048576
check limit-holds at_least 3 guest_sh g1 "$write_4m" 60
check limit-others-free limit_is vbd from_guest 51728 0
reload <<-END
	[guest g1 device xvda]
	write-bytes = nonsense
END
check bad-configuration-said log_says blkback blkback.conf
check bad-configuration-kept limit_is vbd from_guest 51712 1048576
reload </dev/null
check limit-lifted wait_for 5 limit_is vbd from_guest 51712 0
check writes-after guest_sh g1 "$write_4m"

# 2 Mbit/s are 250 kB/s: a megabyte takes four seconds, less what may burst.
check rate-seen limit_is vif from_guest 1 250000
socat -u TCP-LISTEN:9,fork,reuseaddr OPEN:/dev/null &
check rate-holds at_least 2 guest_sh g1 "ip addr flush dev eth0; ip addr add $GUEST_IP/24 dev eth1
	ip link set eth1 up; head -c 1000000 /dev/zero | nc $DOM0_IP 9" 60

# --- disks ---

check resize sh -c "truncate -s 4M $RUN/image"
check resize-seen guest_sh g1 'i=0; until [ $(cat /sys/block/xvdb/size) = 8192 ]; do
	sleep 0.5; i=$((i + 1)); [ $i -lt 100 ] || exit 1; done'
check resize-usable guest_sh g1 'dd if=/dev/zero of=/dev/xvdb bs=64k seek=60 count=4 oflag=direct 2>/dev/null'
check discard guest_sh g1 'blkdiscard -o 65536 -l 65536 /dev/xvdb &&
	dd if=/dev/xvdb bs=64k skip=1 count=1 iflag=direct 2>/dev/null | cmp -n 65536 - /dev/zero &&
	! dd if=/dev/xvdb bs=64k count=1 iflag=direct 2>/dev/null | cmp -s -n 65536 - /dev/zero'
check discard-freed sh -c "dd if=$RUN/image bs=64k skip=1 count=1 2>/dev/null | cmp -n 65536 - /dev/zero"
check cdrom guest_sh g1 '[ $(cat /sys/block/xvdc/ro) = 1 ] &&
	! dd if=/dev/zero of=/dev/xvdc bs=4k count=1 oflag=direct 2>/dev/null &&
	dd if=/dev/xvdc of=/dev/null bs=64k count=8 2>/dev/null'
check no-such-image sh -c '! xl block-attach g1 file:/nowhere/image xvdd w'
check no-such-image-no-trace sh -c "! xenstore-exists $(back vbd g1 51760)"

# --- the kernel's driver ---

guest_shutdown g1
insmod $(find /lib/modules -name 'xen-blkback.ko*') || fail insmod
check foreign-create guest_create kernels pv "disk = [ 'phy:/dev/ram1,xvda,w' ]" "vif = [ 'bridge=$BRIDGE' ]"
check foreign-said log_says blkback "kernel's driver"
check foreign-bound [ -e /sys/bus/xen-backend/devices/vbd-$(xl domid kernels)-51712/driver ]
check foreign-left-alone [ ! -e /run/xylem/blkback/worker-$(xl domid kernels).pid ]
check foreign-works guest_sh kernels 'dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'
check foreign-vif-is-ours [ -e /run/xylem/netback/worker-$(xl domid kernels).pid ]
guest_shutdown kernels
check rmmod rmmod xen-blkback
check ours-again guest_create g2 pv "disk = [ 'phy:/dev/ram1,xvda,w' ]"
check ours-works guest_sh g2 'dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'
guest_shutdown g2
finish
