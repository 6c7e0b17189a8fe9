# SPDX-License-Identifier: GPL-2.0-only
# Data arrives as it left: fio verifies random sizes, depths and offsets on disks
# served in every way there is (persistent grants or not, indirect requests or not,
# several queues, larger rings, both engines, polled I/O, 4096-byte sectors), and what is sent
# over the network in each direction has the same SHA-256, by IPv4 and IPv6.
# limit: 1200
. /rig/lib.sh
GUEST_TOOLS=io
GUEST_MEMORY=512
GUEST_VCPUS=2

# Three jobs on parts of the disk of their own, at depths 1, 8 and 32, reading back
# while they go on and once more at the end; then random reads over all of it.
verify_job()
{
	cat <<-END
		cat >/tmp/job.fio <<E
		[global]
		filename=$1
		direct=1
		ioengine=libaio
		rw=randwrite
		blockalign=${2:-512}
		bsrange=${2:-512}-256k
		size=8m
		verify=crc32c
		verify_fatal=1
		verify_backlog=32
		do_verify=1
		randrepeat=0
		[depth1]
		iodepth=1
		size=4m
		[depth8]
		offset=8m
		iodepth=8
		[depth32]
		offset=16m
		iodepth=32
		[mixed]
		offset=24m
		rw=randrw
		iodepth=16
		iodepth_batch_submit=4
		E
		fio /tmp/job.fio >/tmp/fio 2>&1 || { tail -n 30 /tmp/fio; exit 1; }
		grep -q 'err= *[1-9]' /tmp/fio && exit 1
		sync; sha256sum <$1
	END
}

# disk NAME GUEST DEVICE DOM0-DEVICE [SECTOR]: verified, and dom0 sees the same.
disk()
{
	check $1 guest_sh $2 "$(verify_job $3 ${5:-512})" 120 || return
	check $1-seen-by-dom0 [ "$(dd if=$4 bs=64k iflag=direct 2>/dev/null | sha256sum)" = "$(tail -n 1 $RUN/check)" ]
}

# /dev/nullb0, a disk of 32 MB whose I/O is polled for, and that takes 32 KiB at a time.
polled_disk()
{
	modprobe null_blk nr_devices=0 || return
	[ -d /sys/kernel/config/nullb ] || mount -t configfs none /sys/kernel/config
	mkdir /sys/kernel/config/nullb/nullb0 || return
	for polled_set in size=32 memory_backed=1 submit_queues=2 poll_queues=2 max_sectors=64 power=1; do
		echo ${polled_set#*=} >/sys/kernel/config/nullb/nullb0/${polled_set%=*} || return
	done
	[ $(cat /sys/block/nullb0/queue/io_poll) = 1 ]
}

# What a connected frontend chose, as it stands in xenstore.
front()
{
	xenstore-read /local/domain/$(xl domid $1)/device/$2 2>/dev/null
}

# sent NAME ADDRESS: from the guest's disk to dom0; received: the other way.
sent()
{
	socat -u TCP6-LISTEN:5001,ipv6only=0,reuseaddr OPEN:$RUN/sent.bin,creat,trunc &
	sleep 0.5
	guest_sh $1 "nc $2 5001 </dev/xvda; sha256sum </dev/xvda" 120 >$RUN/sum || { cat $RUN/sum; return 1; }
	wait $!
	[ "$(sha256sum <$RUN/sent.bin)" = "$(tail -n 1 $RUN/sum)" ]
}

# A guest takes what comes to a port, and prints its sum. (busybox's nc ends when the
# other end says that it has no more to send: so its own input never ends.)
listen()
{
	guest_send $1 "[ -p /tmp/never ] || mkfifo /tmp/never
		nc -l -p $2 <>/tmp/never >/tmp/received; sha256sum </tmp/received
		rm /tmp/received; echo @@received"
	received_mark=$(grep -c @@received $CONSOLES/guest-$1.log)
}

received()
{
	listen $1 5002
	sleep 1
	dd if=$3 bs=64k iflag=direct 2>/dev/null | nc $2 5002
	wait_for 60 received_again $1 $received_mark || return 1
	grep -B 1 @@received $CONSOLES/guest-$1.log | tail -n 2 |
		grep -q "$(dd if=$3 bs=64k iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)"
}

received_again()
{
	[ "$(grep -c @@received $CONSOLES/guest-$1.log)" -gt $2 ]
}

# From one guest to the other: two taps and a bridge, no checksum in between.
passed_on()
{
	listen $2 5003
	sleep 1
	guest_sh $1 "nc $3 5003 </dev/xvda; sha256sum </dev/xvda | cut -d' ' -f1" 120 >$RUN/sum || return 1
	wait_for 60 received_again $2 $received_mark || return 1
	grep -B 1 @@received $CONSOLES/guest-$2.log | tail -n 2 | grep -q "$(tail -n 1 $RUN/sum)"
}

network()
{
	check $1-ping guest_sh $1 "ping -c 3 -i 0.2 $DOM0_IP"
	check $1-sent sent $1 $DOM0_IP
	check $1-received received $1 $GUEST_IP $2
	guest_sh $1 "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
		ip addr add fd09::${GUEST_IP##*.}/64 dev eth0" >/dev/null
	check $1-sent-v6 sent $1 fd09::1
	check $1-received-v6 received $1 fd09::${GUEST_IP##*.} $2
	check $1-iperf3 guest_sh $1 "iperf3 -c $DOM0_IP -n 16M && iperf3 -c $DOM0_IP -n 16M -R" 120
}

if [ $BACKEND = xylem ]; then
	mkdir -p /etc/xylem
	cat >/etc/xylem/blkback.conf <<-END
		[guest plain]
		persistent-grants = no
		max-ring-page-order = 0
		[guest plain device xvdc]
		engine = libaio
		indirect-segments = 0
		[guest rich device xvdc]
		sector-size = 4096
	END
fi
bridge_up
echo 0 >/proc/sys/net/ipv6/conf/$BRIDGE/accept_dad
ip addr add fd09::1/64 dev $BRIDGE
ram_disk 32
check polled-disk polled_disk
iperf3 -s -D
check backends-start backends_start

# Everything a frontend may use. Linux's takes a page for each segment of each slot, so
# that rings of 16 pages and requests of 256 segments do not go together.
GUEST_IP=10.9.0.2
GUEST_ARGS='blkfront=max_queues:2+max_ring_page_order:4+max_indirect_segments:16 netfront=max_queues:2'
check rich-create guest_create rich pv "disk = [ 'phy:/dev/ram0,xvda,w', 'phy:/dev/ram1,xvdc,w', 'phy:/dev/nullb0,xvdd,w' ]" \
	"vif = [ 'bridge=$BRIDGE' ]" || finish
check rich-persistent [ "$(front rich vbd/51712/feature-persistent)" = 1 ]
check rich-queues [ "$(front rich vbd/51712/multi-queue-num-queues)" = 2 ]
[ $BACKEND = kernel ] || check rich-ring-pages [ "$(front rich vbd/51712/ring-page-order)" = 4 ]
disk rich-disk rich /dev/xvda /dev/ram0
disk rich-disk-polled rich /dev/xvdd /dev/nullb0
if [ $BACKEND = xylem ]; then
	check rich-4096 guest_sh rich '[ $(cat /sys/block/xvdc/queue/logical_block_size) = 4096 ]'
	disk rich-disk-4096 rich /dev/xvdc /dev/ram1 4096
fi
network rich /dev/ram0

# Nothing that is optional.
GUEST_IP=10.9.0.3
GUEST_ARGS='blkfront=max_queues:1+max_ring_page_order:0+max_indirect_segments:0+feature_persistent:0 netfront=max_queues:1'
check plain-create guest_create plain pvh "disk = [ 'phy:/dev/ram2,xvda,w', 'phy:/dev/ram3,xvdc,w' ]" \
	"vif = [ 'bridge=$BRIDGE' ]" || finish
check plain-not-persistent [ "$(front plain vbd/51712/feature-persistent)" != 1 ]
disk plain-disk plain /dev/xvda /dev/ram2
disk plain-disk-libaio plain /dev/xvdc /dev/ram3
network plain /dev/ram2
check guest-to-guest passed_on rich plain 10.9.0.3
check guest-to-guest-v6 passed_on plain rich fd09::2
guest_shutdown rich
guest_shutdown plain

# Persistent grants without indirect requests, and the other way round.
GUEST_IP=
GUEST_ARGS='blkfront=max_indirect_segments:0+max_ring_page_order:1'
check persistent-create guest_create persistent pvh "disk = [ 'phy:/dev/ram0,xvda,w' ]" &&
	disk persistent-disk persistent /dev/xvda /dev/ram0
guest_shutdown persistent
GUEST_ARGS='blkfront=max_indirect_segments:256+feature_persistent:0'
check indirect-create guest_create indirect pv "disk = [ 'phy:/dev/ram1,xvda,w' ]" &&
	disk indirect-disk indirect /dev/xvda /dev/ram1
guest_shutdown indirect
finish
