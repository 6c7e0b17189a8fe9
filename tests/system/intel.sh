# SPDX-License-Identifier: GPL-2.0-only
# What an Intel CPU has and QEMU's has not, on Bochs: found, used by the hypervisor, and
# right for dom0's processes and a PV guest's. Booted by intel.host.
# limit: 570
. /rig/lib.sh
xl dmesg >$RUN/boot

said()
{
	grep "$1" $RUN/boot
}

# CR4 as the hypervisor runs with it: SMEP and SMAP are bits 20 and 21.
cr4_has_smap()
{
	xl debug-keys d
	sleep 1
	cr4=$(xl dmesg | sed -n 's/.*cr4 \([0-9a-f]*\) .*/\1/p' | tail -n 1)
	echo "cr4 $cr4"
	[ -n "$cr4" ] && [ $((0x$cr4 >> 20 & 3)) = 3 ]
}

# The machine's list has it, a PV guest's has not.
pcid_is_hidden()
{
	xen-cpuid -d >$RUN/cpuid || return 1
	sed -n '/^Raw/,/^Host/p' $RUN/cpuid | grep -w pcid || return 1
	! grep -qw pcid /proc/cpuinfo
}

twice()
{
	echo "registers $1 & registers $1; status=\$?; wait \$! && exit \$status"
}

check intel grep -q GenuineIntel /proc/cpuinfo
check xpti said 'XPTI: on'
check x2apic said 'APIC: x2APIC'
check deadline-timer said 'APIC timer: TSC deadline'
check smep-smap cr4_has_smap
check pcid pcid_is_hidden
check sysenter compat
check avx512-found grep -qw avx512f /proc/cpuinfo
check avx512 sh -c "($(twice 3)) >$RUN/said; status=\$?; cat $RUN/said; grep -q zmm $RUN/said && exit \$status"

GUEST_IP=10.9.0.2 GUEST_MEMORY=192
bridge_up
ram_disk 16
check backends backends_start
check guest guest_create g1 pv "disk = [ 'phy:/dev/ram0,xvda,w' ]" \
	"vif = [ 'bridge=$BRIDGE' ]" || finish
check guest-disk guest_sh g1 'set -e
	dd if=/dev/urandom of=/tmp/a bs=64k count=16 2>/dev/null
	dd if=/tmp/a of=/dev/xvda bs=64k conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	cmp -n 1048576 /tmp/a /dev/xvda'
check guest-ping guest_sh g1 "ping -c 3 -i 0.2 $DOM0_IP"
check guest-sysenter guest_sh g1 compat
guest_sh g1 "$(twice 6)" >$RUN/guest-said 2>&1 &
guest=$!
check avx512-beside-guest sh -c "$(twice 3)"
check guest-avx512 wait $guest
check guest-zmm grep zmm $RUN/guest-said
check guest-shutdown guest_shutdown g1
finish
