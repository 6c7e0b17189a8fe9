# SPDX-License-Identifier: GPL-2.0-only
# The small kernels of tests/guest, started by stock xl: what each prints, and that the
# ones that come to a bad end harm nobody else. Arguments: create and destroy cycles, how
# many guests at once, and how many of Debian's kernel. Runs on either hypervisor.
# limit: 1800
# hypervisor: gnttab_max_frames=256
. /rig/lib.sh
. /rig/guest-kernels.sh
cycles=${1:-10} crowd=${2:-8} debians=${3:-2}

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

# As on stock Xen, or for the reason that refused.expected gives.
refused()
{
	kernel_ends refused refused 16 "victim=$(xl domid witness)" || return 1
	refused_lines $CONSOLES/guest-refused.log >$OUT/refused
	refused_lines /rig/guest/refused.expected >$RUN/refused.expected
	diff $RUN/refused.expected $OUT/refused
}

# A line for each call, of "NAME-FIRST-LAST ON ERROR" too. Lines that start with "xylem"
# are Xylem's own answers.
refused_lines()
{
	tr -d '\r' <$1 | awk -v hv=$HV '
		/^#/ || /^done/ { next }
		$1 == "xylem" { if (hv != $1) next; sub(/^xylem /, "") }
		!match($1, /-[0-9]+-[0-9]+$/) { key = $0; sub(/ [^ ]*$/, "", key); seen[key] = $NF; next }
		{
			on = NF > 2 ? " " $2 : ""
			split(substr($1, RSTART + 1), range, "-")
			for (n = range[1]; n <= range[2] + 0; n++)
				seen[substr($1, 1, RSTART) n on] = $NF
		}
		END { for (key in seen) print key, seen[key] }' | sort
}

# each N COMMAND...: COMMAND... 1, then 2, to N.
each()
{
	each_last=$1 each_n=0
	shift
	while [ $each_n -lt $each_last ]; do
		each_n=$((each_n + 1))
		"$@" $each_n || return 1
	done
}

cycle()
{
	kernel_ends hello hello 16
}

xl_destroy()
{
	xl destroy $1$2
}

# Guests of 16 to 64 MiB.
crowd_starts()
{
	kernel_create crowd$1 hello $((16 + $1 * 48 / crowd)) stay
}

crowd_lives()
{
	kernel_lives crowd$1
}

debian_starts()
{
	GUEST_MEMORY=128 guest_create debian$1 pv
}

debian_answers()
{
	guest_sh debian$1 'grep MemTotal /proc/meminfo'
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
check refused refused
for how in 0 1 2 3 4; do
	check crash-$how bad_end crash $how
	check triple-$how bad_end triple $how
done
check hang hangs
check hang-calls hangs call
check witness-lives-on kernel_lives witness
check memory-back wait_for 10 free_is "$free_with_witness"
check crowd-$crowd each $crowd crowd_starts
check crowd-lives each $crowd crowd_lives
check crowd-down each $crowd xl_destroy crowd
check cycles-$cycles each $cycles cycle
check debian-$debians each $debians debian_starts
check debian-answers each $debians debian_answers
check debian-down each $debians xl_destroy debian
check witness-survives kernel_lives witness
xl destroy witness
check all-memory-back wait_for 10 free_is "$free_before"
[ "${HV%-debug}" != xylem ] || check audit audited
finish
