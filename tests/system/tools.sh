# SPDX-License-Identifier: GPL-2.0-only
# Debian's programs about the hypervisor, beside xl's life of a guest (control.sh): the
# test programs of xen-utils end as on stock Xen, the others show or change what they are
# for.
# limit: 600
. /rig/lib.sh

# ends STATUS COMMAND...
ends()
{
	ends_status=$1
	shift
	timeout 60 "$@"
	ends_was=$?
	[ $ends_was = $ends_status ] || { echo "status $ends_was, not $ends_status"; return 1; }
}

# says TEXT COMMAND...: it succeeds, and its output has a line that matches.
says()
{
	says_what=$1
	shift
	"$@" >$RUN/said 2>&1 || { tail -n 3 $RUN/said; return 1; }
	grep -E "$says_what" $RUN/said || { tail -n 3 $RUN/said; return 1; }
}

# QEMU's CPU runs XBEGIN without having RTM, which test-tsx finds wrong on stock Xen too.
tsx()
{
	test-tsx >$RUN/tsx 2>&1
	cat $RUN/tsx
	grep -q 'Cur: RTM 0' $RUN/tsx && ! grep -q 'Expected' $RUN/tsx
}

nmi_in_guest()
{
	xl trigger g1 nmi && guest_sh g1 'for i in 1 2 3 4 5 6 7 8 9 10; do
		dmesg | grep "NMI received" && exit; sleep 1; done; exit 1'
}

nmi_in_dom0()
{
	xl trigger 0 nmi && wait_for 10 sh -c 'dmesg | grep "NMI received"'
}

sysrq()
{
	xl sysrq g1 h && guest_sh g1 'for i in 1 2 3 4 5 6 7 8 9 10; do
		dmesg | grep "sysrq: HELP" && exit; sleep 1; done; exit 1'
}

# Every key that only shows something, and its first line.
keys()
{
	for key in h H a d e g i m q r t; do
		xl debug-keys $key
		wait_for 5 sh -c "xl dmesg | grep -q \"'$key' pressed\"" || { echo "no '$key'"; return 1; }
	done
}

cpu_off_and_on()
{
	xen-hptool cpu-offline 1 && xl vcpu-list && guest_sh g1 true &&
		xen-hptool cpu-online 1 && guest_sh g1 true
}

# What happened to the guest, by the hypervisor's records.
traced()
{
	xentrace -D -e all -T 2 /tmp/trace && [ "$(wc -c </tmp/trace)" -gt 1000 ]
}

# Dom0's, so late that it does not bite; told to leave, it ends the hypervisor's part too.
watchdog()
{
	xenwatchdogd 600 && wait_for 5 pidof xenwatchdogd && kill -USR1 $(pidof xenwatchdogd) &&
		wait_for 5 sh -c '! pidof xenwatchdogd'
}

# A copy of the guest's memory, in which its kernel's banner is.
dumped()
{
	xl dump-core g1 /tmp/core && grep -q 'Linux version 6.1' /tmp/core && rm /tmp/core
}

GUEST_MEMORY=192
check guest guest_create g1 pv || finish
guest=$(xl domid g1)
check test-resource ends 0 test-resource
check test-xenstore ends 0 test-xenstore
check test-cpu-policy ends 0 test-cpu-policy
check test-paging-mempool ends 0 test-paging-mempool
check test-tsx tsx
check nmi-in-guest nmi_in_guest
check nmi-in-dom0 nmi_in_dom0
check sysrq sysrq
check trigger-refused sh -c 'xl trigger g1 power 2>&1 | grep "Invalid argument"'
check debug-keys keys
check xen-cpuid says 'PV Default' xen-cpuid
check xen-cpuid-detail says 'fpu.*sse2' xen-cpuid -d
check xen-cpuid-policy says 'PV Max policy' xen-cpuid -p
check xen-cpuid-domain says 'policy: [0-9]+ leaves' xen-cpuid -p $guest
check xenctx says '^cr3: ' xenctx -a $guest
check lsevtchn says 'Interdomain .Connected. - Remote Domain 0' lsevtchn $guest
check gnttab says nr_frames=1 xen-diag gnttab_query_size $guest
check xentop says '^ *g1 ' xentop -b -i 2 -d 1
check xenpm says '^CPU1' xenpm get-cpu-topology
check page-status says 'status' xen-hptool mem-status 0x20000
check cpu-off-and-on cpu_off_and_on
check xentrace traced
check dump-core dumped
check claims says Claimed xl claims
check watchdog watchdog
check lockprof-off ends 1 xenlockprof
check perf-off ends 1 xenperf
check coverage-off ends 1 xencov read
check shutdown guest_shutdown g1
finish
