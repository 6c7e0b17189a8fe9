# SPDX-License-Identifier: GPL-2.0-only
# The small kernels of tests/guest, started by stock xl: what each prints, and that the
# ones that come to a bad end harm nobody else. Arguments: create and destroy cycles, and
# how many guests at once. Runs on either hypervisor.
# limit: 1800
. /rig/lib.sh
. /rig/guest-kernels.sh
cycles=${1:-10} crowd=${2:-8}

# A crash by itself, an unhandled exception, ...: see the kernels.
bad_end()
{
	kernel_create $1$2 $1 16 how=$2 && wait_for 20 guest_gone $1$2 || return 1
	! grep FAIL $CONSOLES/guest-$1$2.log
}

hangs()
{
	kernel_create hang hang 16 "cpus=2 $1" 'vcpus = 2' && guest_wait hang hangs 20 &&
		kernel_lives witness && xl destroy hang
}

# As on stock Xen, line by line; a comment in the file says where it comes from.
refused()
{
	kernel_ends refused refused 16 "victim=$(xl domid witness)" || return 1
	refused_lines $CONSOLES/guest-refused.log >$OUT/refused
	refused_lines /rig/guest/refused.expected >$RUN/refused.expected
	diff $RUN/refused.expected $OUT/refused
}

refused_lines()
{
	tr -d '\r' <$1 | grep -v '^#\|^done'
}

cycle()
{
	cycle_left=$cycles
	while [ $cycle_left -gt 0 ]; do
		kernel_ends hello hello 16 || return 1
		cycle_left=$((cycle_left - 1))
	done
}

# Guests of 16 to 64 MiB, each with its number as its name.
crowd_up()
{
	crowd_n=1
	while [ $crowd_n -le $crowd ]; do
		kernel_create crowd$crowd_n hello $((16 + crowd_n * 48 / crowd)) stay || return 1
		crowd_n=$((crowd_n + 1))
	done
}

crowd_lives()
{
	crowd_n=1
	while [ $crowd_n -le $crowd ]; do
		kernel_lives crowd$crowd_n || return 1
		crowd_n=$((crowd_n + 1))
	done
}

crowd_down()
{
	crowd_n=1
	while [ $crowd_n -le $crowd ]; do
		xl destroy crowd$crowd_n || return 1
		crowd_n=$((crowd_n + 1))
	done
}

scrubbed=
[ "${HV%-debug}" != xylem ] || scrubbed=scrubbed
free_before=$(free_memory)
check witness kernel_create witness hello 16 stay || finish
check witness-lives kernel_lives witness
free_with_witness=$(free_memory)
check events kernel_ends events events 16 '' 'max_event_channels = 12000'
check grants kernel_ends grants grants 32 '' 'max_grant_frames = 256'
check exhaust kernel_ends exhaust exhaust 32 "$scrubbed"
if [ -e /rig/guest/refused.expected ]; then
	check refused refused
else
	check refused-runs kernel_ends refused refused 16 "victim=$(xl domid witness)"
fi
for how in 0 1 2 3 4; do
	check crash-$how bad_end crash $how
	check triple-$how bad_end triple $how
done
check hang hangs
check hang-calls hangs call
check witness-lives-on kernel_lives witness
check memory-back wait_for 10 free_is "$free_with_witness"
check crowd-$crowd crowd_up
check crowd-lives crowd_lives
check crowd-down crowd_down
check cycles-$cycles cycle
check witness-survives kernel_lives witness
xl destroy witness
check all-memory-back wait_for 10 free_is "$free_before"
[ "${HV%-debug}" != xylem ] || check audit audited
finish
