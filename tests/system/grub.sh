# SPDX-License-Identifier: GPL-2.0-only
# Debian's PV and PVH GRUB read their disk through the backend, and boot Debian's
# kernel from it, which connects to the same device again. Arguments: pv, pvh (default both).
# limit: 600
# rig: grub
. /rig/lib.sh

# boots NAME TYPE LOADER
boots()
{
	cat >$RUN/$1.cfg <<-END
		name = "$1"
		type = "$2"
		kernel = "/rig/$3"
		memory = 400
		vcpus = 1
		tsc_mode = "native"
		on_crash = "preserve"
		disk = [ "$4,xvda,w" ]
		vif = [ "bridge=$BRIDGE" ]
	END
	xl create $RUN/$1.cfg 2>&1 | tail -n 3
	guest_wait $1 '.*@@ready' 180
}

one()
{
	check $1-boots boots "$@" || return
	check $1-was-grub grep -aqi grub $CONSOLES/guest-$1.log
	check $1-disk guest_sh $1 'modprobe crc32c_generic && modprobe ext4 && mount -t ext4 /dev/xvda /mnt &&
		sha256sum </mnt/boot/vmlinuz | cut -d" " -f1 && echo written >/mnt/new && umount /mnt'
	check $1-disk-is-grubs grep -q "$(sha256sum </rig/vmlinuz | cut -d' ' -f1)" $OUT/checks/$1-disk
	check $1-ping guest_sh $1 "ping -c 3 -i 0.2 $DOM0_IP"
	check $1-shutdown guest_shutdown $1
}

bridge_up
modprobe ext4
check backends-start backends_start
# one from a file, one from a block device
ram_disk 64
dd if=/rig/grub.img of=/dev/ram0 bs=1M 2>/dev/null
[ $# -gt 0 ] || set -- pv pvh
for type; do
	case $type in
	pv) one pvgrub pv grub-x86_64-xen.bin file:/rig/grub.img ;;
	pvh) one pvhgrub pvh grub-i386-xen_pvh.bin phy:/dev/ram0 ;;
	esac
done
finish
