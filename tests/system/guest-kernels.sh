# SPDX-License-Identifier: GPL-2.0-only
# Running the kernels of tests/guest; sourced after lib.sh.

# kernel_create NAME KERNEL MB [ARGUMENTS [LINE...]]: each LINE is added to the configuration.
kernel_create()
{
	rm -f $CONSOLES/guest-$1.log
	cat >$RUN/$1.cfg <<-END
		name = "$1"
		type = "pv"
		kernel = "/rig/guest/$2"
		memory = $3
		extra = "$4"
		on_crash = "${KERNEL_ON_CRASH:-destroy}"
	END
	kernel_name=$1
	shift 3
	[ $# = 0 ] || shift
	for kernel_line in "$@"; do
		echo "$kernel_line" >>$RUN/$kernel_name.cfg
	done
	xl create -q $RUN/$kernel_name.cfg
}

# kernel_ends NAME KERNEL MB [ARGUMENTS [LINE...]]: runs it to its end; it prints "done".
kernel_ends()
{
	kernel_create "$@" && guest_wait "$1" done ${KERNEL_SECONDS:-30} || return 1
	wait_for 10 guest_gone "$1" || { echo "$1 is still there"; return 1; }
}

free_is()
{
	[ "$(free_memory)" = "$1" ]
}

# kernel_lives NAME: hello's `stay` goes on counting.
kernel_lives()
{
	kernel_count=$(kernel_counted $1)
	wait_for 10 kernel_counts_on $1 ||
		{ echo "$1 stands still"; tail -n 3 $CONSOLES/guest-$1.log; return 1; }
}

kernel_counts_on()
{
	[ "$(kernel_counted $1)" -gt "$kernel_count" ]
}

kernel_counted()
{
	grep -c ^alive $CONSOLES/guest-$1.log
}

# Xylem's own look at every page table and reference: debug key y.
audited()
{
	xl dmesg -c >/dev/null
	xl debug-keys y
	wait_for 20 audit_said || { echo 'no audit'; return 1; }
	xl dmesg | grep audit:
	xl dmesg | grep -q 'audit: .* 0 wrong'
}

audit_said()
{
	xl dmesg | grep -q 'audit: .* wrong'
}
