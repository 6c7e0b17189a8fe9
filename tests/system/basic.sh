# SPDX-License-Identifier: GPL-2.0-only
# Guests of the types given (pv, pvh, hvm), each with two disks and a network
# interface: data verified by both sides and by fio, ping, orderly shutdown.
. /rig/lib.sh
GUEST_IP=10.9.0.2
GUEST_TOOLS=io

disk_checks()
{
	check $type-disk guest_sh $type 'set -e
		dd if=/dev/urandom of=/tmp/a bs=64k count=64 2>/dev/null
		dd if=/tmp/a of=/dev/xvda bs=64k conv=fsync 2>/dev/null
		echo 3 >/proc/sys/vm/drop_caches
		cmp -n 4194304 /tmp/a /dev/xvda
		sha256sum </tmp/a'
	check $type-disk-seen-by-dom0 [ "$(dd if=/dev/ram0 bs=64k count=64 2>/dev/null | sha256sum)" = "$(tail -n 1 $RUN/check)" ]
	check $type-disk-readonly guest_sh $type "
		! dd if=/dev/zero of=/dev/xvde bs=4k count=1 oflag=direct 2>/dev/null &&
		sha256sum </dev/xvde | grep -q $image_sum"
	check $type-disk-fio guest_sh $type 'fio --name=v --filename=/dev/xvda --direct=1 \
		--ioengine=libaio --iodepth=16 --rw=randwrite --bsrange=512-128k --size=16m \
		--verify=crc32c --verify_fatal=1 --output-format=terse >/tmp/fio || cat /tmp/fio' 120
}

one_type()
{
	check $type-create guest_create $type $type \
		"disk = [ 'phy:/dev/ram0,xvda,w', 'file:$RUN/image,xvde,r' ]" \
		"vif = [ 'bridge=$BRIDGE' ]" || return
	disk_checks
	check $type-ping guest_sh $type "ping -c 3 -i 0.2 $DOM0_IP"
	check $type-shutdown guest_shutdown $type
	check $type-store-clean store_clean
}

# No backend leaves entries of a guest that is gone.
store_clean()
{
	for kind in vbd vif; do
		[ -z "$(xenstore-list /local/domain/0/backend/$kind 2>/dev/null)" ] || {
			xenstore-ls /local/domain/0/backend/$kind
			return 1
		}
	done
}

bridge_up
ram_disk 64
dd if=/dev/urandom of=$RUN/image bs=64k count=16 2>/dev/null
image_sum=$(sha256sum <$RUN/image | cut -d' ' -f1)
check backends-start backends_start
for type in "${@:-pv}"; do
	one_type
done
finish
