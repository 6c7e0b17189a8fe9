# SPDX-License-Identifier: GPL-2.0-only
# Operations that cost the hypervisor something, counted: run by bench/hypervisor,
# with bench/hvops.c in dom0 and guests. A line an operation, `= WHO NAME COUNT NS...`, in
# the order of the windows that the counting plugin writes; the first is dom0's start.
# Arguments: names of hvops' operations for dom0, default all.
. /rig/lib.sh
hvops=/rig/hvops
GUEST_ARGS=modules=xen-evtchn

# results_of WHO FILE: its lines are operations of WHO.
results_of()
{
	[ -s $2 ] && sed -n "s/^[a-z].* [0-9][0-9]*$/= $1 &/p" $2
}

in_dom0()
{
	$hvops "${@:-dom0}" >$RUN/ops
	ops_status=$?
	results_of dom0 $RUN/ops
	return $ops_status
}

in_guest()
{
	guest_sh g1 'hvops guest' 240 | tr -d '\r' >$RUN/ops
	results_of guest $RUN/ops
}

# Events of dom0 to the guest and back: two switches of domains.
trips()
{
	guest_send g1 'hvops answer &' &&
		guest_wait g1 'port ' 20 &&
		port=$(sed -n 's/^port \([0-9]*\).*/\1/p' $CONSOLES/guest-g1.log | tail -n 1) &&
		$hvops ask $(xl domid g1) $port >$RUN/ops && results_of dom0 $RUN/ops
}

# run_xl NAME ARGUMENT...
run_xl()
{
	run_name=$1
	shift
	$hvops run $run_name xl "$@" >$RUN/ops && results_of dom0 $RUN/ops
}

# A guest of 512 MiB with an uncompressed kernel; it runs only after it was measured.
create()
{
	guest_config g1 pv >$RUN/g1.cfg &&
		run_xl xl-create create -p -q $RUN/g1.cfg &&
		xl unpause g1 &&
		guest_wait g1 @@ready 60
}

part()
{
	"$@" || fail "$1"
}

echo "= dom0 boot 1 0"
part in_dom0 "$@"
[ $# = 0 ] || finish
part create
part in_guest
part trips
part run_xl xl-destroy destroy g1
finish
