# SPDX-License-Identifier: GPL-2.0-only
# A PV guest with a disk and a network interface: data verified, ping, shutdown.
. /rig/lib.sh
TYPE=${1:-pv}

bridge_up
ram_disk 64
check backends-start backends_start
GUEST_IP=10.9.0.2
check $TYPE-create guest_create g1 $TYPE \
	'disk = [ "phy:/dev/ram0,xvda,w" ]' "vif = [ \"bridge=$BRIDGE\" ]" || finish
check $TYPE-disk guest_sh g1 'set -e
	dd if=/dev/urandom of=/tmp/a bs=64k count=64 2>/dev/null
	dd if=/tmp/a of=/dev/xvda bs=64k conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	cmp -n 4194304 /tmp/a /dev/xvda
	sha256sum </tmp/a'
check $TYPE-disk-dom0-sees-it [ "$(dd if=/dev/ram0 bs=64k count=64 2>/dev/null | sha256sum)" = "$(tail -n 1 $RUN/check)" ]
check $TYPE-ping guest_sh g1 "ping -c 3 -i 0.2 $DOM0_IP"
check $TYPE-shutdown guest_shutdown g1
finish
