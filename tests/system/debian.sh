# SPDX-License-Identifier: GPL-2.0-only
# A user's way, in a real Debian dom0 (boot it with DOM0=debian PARTS=stage): our make
# install, systemd's units, udev, Debian's hotplug scripts; a guest made by hand, used,
# restarted under, and shut down; N cycles of attach and detach (the argument, 5).
# limit: 3000
. /rig/lib.sh
cycles=${1:-5}
GUEST_IP=10.9.0.2
GUEST_TOOLS=io

not_loaded()
{
	! grep -E '^xen_(blk|net)back ' /proc/modules
}

# xl console, by somebody who types a line and reads the answer
typed()
{
	(sleep 3; echo "9001 $(echo 'echo the answer is $((6 * 7))' | base64)"; sleep 8) |
		timeout 60 socat - EXEC:"xl console g1",pty,setsid,ctty,rawer >$RUN/typed 2>&1
	cat $RUN/typed
	grep -q 'the answer is 42' $RUN/typed
}

cycle()
{
	xl block-attach g1 "$1" xvdb w || return 1
	wait_for 20 state_is $(back vbd g1 51728) 4 || return 1
	xl block-detach g1 xvdb || return 1
	xl network-attach g1 bridge=$BRIDGE || return 1
	wait_for 20 state_is $(back vif g1 1) 4 || return 1
	ls /sys/class/net/$BRIDGE/brif
	xl network-detach g1 1
}

all_cycles()
{
	cycle_left=$cycles
	while [ $cycle_left -gt 0 ]; do
		if [ $((cycle_left % 2)) = 0 ]; then
			cycle phy:/dev/ram1 || return 1
		else
			cycle file:/root/second.img || return 1
		fi
		cycle_left=$((cycle_left - 1))
	done
}

bridge_up
ram_disk 32
dd if=/dev/urandom of=/root/disk.img bs=1M count=24 2>/dev/null
dd if=/dev/zero of=/root/second.img bs=1M count=4 2>/dev/null
systemctl daemon-reload
check units-start systemctl enable --now blkback netback
check units-active systemctl is-active blkback netback
check order sh -c 'systemctl show -p Before --value blkback | grep -q xendomains'
check modprobe-refused sh -c '! modprobe xen-blkback; ! modprobe xen-netback'
check modprobe-alias-ignored sh -c 'modprobe xen-backend:vbd; modprobe xen-backend:vif; :'
check not-loaded not_loaded
check create guest_create g1 pv "disk = [ 'file:/root/disk.img,xvda,w', 'phy:/dev/ram0,xvdc,w' ]" \
	"vif = [ 'bridge=$BRIDGE' ]" || finish
# now udev has seen the devices
check not-loaded-by-udev not_loaded
check loop-device-of-the-script sh -c 'losetup -a | grep -q disk.img'
check on-bridge [ -e /sys/class/net/$BRIDGE/brif/vif$(xl domid g1).0 ]
check direct-io sh -c '! journalctl -u blkback | grep "no direct I/O"'
check ping guest_sh g1 "ping -c 3 -i 0.2 $DOM0_IP"
check disk guest_sh g1 'fio --name=v --filename=/dev/xvda --direct=1 --ioengine=libaio --iodepth=16 \
	--rw=randwrite --bsrange=512-128k --blockalign=512 --size=16m --verify=crc32c --verify_fatal=1 \
	--output-format=terse >/tmp/fio || { cat /tmp/fio; exit 1; }; sync; sha256sum </dev/xvda' 120
check disk-in-the-file [ "$(sha256sum </root/disk.img)" = "$(tail -n 1 $RUN/check)" ]
check console typed

# The daemons are restarted as an upgrade does it.
guest_send g1 'fio --name=v --filename=/dev/xvdc --direct=1 --ioengine=libaio --iodepth=8 --rw=randrw \
	--bs=4k --size=16m --time_based --runtime=15 --verify=crc32c --verify_fatal=1 \
	--output-format=terse >/tmp/fio 2>&1; echo "fio status $?"'
sleep 2
check restart systemctl restart blkback netback
check reload systemctl reload blkback netback
check io-went-on guest_wait g1 'fio status 0' 60
check ping-after-restart guest_sh g1 "ping -c 3 -i 0.2 $DOM0_IP"

check cycle-warm cycle file:/root/second.img
held | grep -v '^grants' >$RUN/held
check stock-cycles-$cycles all_cycles
check nothing-left-of-cycles sh -c ". /rig/lib.sh; held | grep -v '^grants' | diff $RUN/held -"
check shutdown xl shutdown -w g1
# xl has seen the guest shut down; who started it takes its devices away now.
check nothing-left wait_for 60 sh -c '[ -z "$(losetup -a)" ] && ! ls /sys/class/net | grep -q ^vif &&
	[ -z "$(ls /run/xylem/*/worker-* 2>/dev/null)" ] && [ $(xl list | wc -l) = 2 ]'
check units-stop systemctl stop blkback netback
check units-no-failure sh -c '! systemctl is-failed blkback netback'
journalctl -u blkback -u netback >$OUT/journal
finish
