# SPDX-License-Identifier: GPL-2.0-only
# What scenarios share: checks, backends, bridge, guests. Sourced in dom0, by
# busybox ash as well as dash. Variables: BACKEND, HV, OUT (files left there
# come back to build/logs/NAME/out).

RUN=/run/rig
OUT=${OUT:-/rig/out}
CONSOLES=/var/log/xen/console
BRIDGE=xenbr0
DOM0_IP=10.9.0.1
PATH=$PATH:/usr/lib/xen-4.17/bin # lsevtchn, in the Debian dom0
mkdir -p $RUN $OUT
failures=0

# --- checks: one line each, counted by run-all ---

ok()
{
	echo "ok $1"
}

fail()
{
	failures=$((failures + 1))
	echo "FAIL $*"
}

skip()
{
	echo "skip $*"
}

# check NAME COMMAND...: ok when the command succeeds. What it printed stays in
# $OUT/checks/NAME, and in $RUN/check until the next one.
check()
{
	check_name=$1
	shift
	"$@" >$RUN/check 2>&1
	check_status=$?
	mkdir -p $OUT/checks
	cp $RUN/check $OUT/checks/$check_name
	if [ $check_status = 0 ]; then
		ok "$check_name"
	else
		fail "$check_name" "status $check_status: $(head -n 5 $RUN/check | tr '\n' ';')"
	fi
	return $check_status
}

# is WHAT SEEN WANTED: says so when it is not.
is()
{
	[ "$2" = "$3" ] || { echo "$1: '$2', not '$3'"; return 1; }
}

# The last command of a scenario: success when nothing failed.
finish()
{
	[ $failures = 0 ]
	exit $?
}

# wait_for SECONDS COMMAND...: until the command succeeds. SECONDS are what an idle
# machine may take; a busy one gets PATIENCE times as long.
wait_for()
{
	wait_end=$(($(cut -d. -f1 /proc/uptime) + $1 * ${PATIENCE:-4}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $wait_end ] || return 1
		sleep 0.2
	done
}

# --- dom0 ---

# rig_collect: hands $OUT and Xen's logs to the host, as a tar on the scratch disk.
rig_collect()
{
	[ "${EMULATOR:-qemu}" = qemu ] || return 0
	for rig_log in /var/log/xen $RUN; do
		cp -r $rig_log $OUT/ 2>/dev/null
	done
	find $OUT/rig -size +4096k -exec rm -f {} +
	dmesg >$OUT/dmesg
	xl dmesg >$OUT/xl-dmesg 2>/dev/null
	xenstore-ls -f >$OUT/xenstore
	tar -c -C $OUT . | dd of=$(rig_disk 0) bs=64k conv=fsync 2>/dev/null ||
		echo "rig: no scratch disk: the files in $OUT are lost"
}

# rig_disk N: the device of dom0's real disk N (0 the rig's own, 1 from run -d).
rig_disk()
{
	grep -q '^ahci ' /proc/modules || { modprobe ahci; modprobe sd_mod; }
	rig_disk_path="*/ata*/host$1/*"
	wait_for 10 rig_disk_name "$1" && rig_disk_name "$1"
}

rig_disk_name()
{
	for rig_disk_entry in /sys/block/sd*; do
		case $(readlink $rig_disk_entry) in
		*/host$1/*) echo /dev/${rig_disk_entry##*/}; return 0 ;;
		esac
	done
	return 1
}

bridge_up()
{
	[ ! -e /sys/class/net/$BRIDGE ] || return 0
	modprobe bridge
	ip link add $BRIDGE type bridge
	ip addr add $DOM0_IP/24 dev $BRIDGE
	ip link set $BRIDGE up
}

# null_disk: /dev/nullb0, a disk that costs nothing, and takes 128 KiB in one piece, as
# disks do (by itself 255 sectors). ram_disk N MB: /dev/ramN.
null_disk()
{
	modprobe null_blk max_sectors=2560 "$@"
}

ram_disk()
{
	modprobe brd rd_nr=4 rd_size=$((${1:-64} * 1024))
}

# The backends under test. Ours are started with no arguments, as a user would; if
# they run, they read their configuration again.
backends_start()
{
	[ ! -e $RUN/blkback.pid ] || ! kill -HUP $(cat $RUN/*back.pid) 2>/dev/null || return 0
	modprobe tun
	case $BACKEND in
	kernel)
		modprobe xen-blkback && modprobe xen-netback
		;;
	xylem)
		modprobe xen-gntalloc || : # as netback.service does
		! grep -qE '^xen_(blk|net)back ' /proc/modules || {
			echo "the kernel's backends are loaded"
			return 1
		}
		for backend in blkback netback; do
			/usr/lib/xylem/bin/$backend >>$OUT/$backend.log 2>&1 &
			echo $! >$RUN/$backend.pid
		done
		;;
	esac
}

backends_stop()
{
	case $BACKEND in
	kernel) rmmod xen-blkback xen-netback ;;
	xylem) kill $(cat $RUN/blkback.pid $RUN/netback.pid) ;;
	esac
}

# back KIND GUEST DEVID: the backend's directory of a device.
back()
{
	echo /local/domain/0/backend/$1/$(xl domid $2)/$3
}

# state_is DIRECTORY STATE: of a backend's (or frontend's) directory.
state_is()
{
	[ "$(xenstore-read $1/state 2>/dev/null)" = $2 ]
}

# The process of daemon $1 that serves the guest with number $2.
worker_of()
{
	cat /run/xylem/$1/worker-$2.pid
}

# How many grants, of all guests, are mapped or being copied, in Xen's own list.
grants_in_use()
{
	xl dmesg -c >/dev/null
	xl debug-keys g
	sleep 0.3
	xl dmesg | grep -c '^(XEN) *\[0x'
}

# held: what guests and their devices hold in dom0 and Xen, a line a kind. Two of
# these, taken with the same guests about, are equal unless something was left.
held()
{
	echo "domains $(xl list | sed '1d; s/ .*//' | tr '\n' ' ')"
	echo "grants $(grants_in_use)"
	echo "event channels $(lsevtchn 0 | wc -l)"
	echo "network interfaces $(ls /sys/class/net | tr '\n' ' ')"
	echo "loop devices $(losetup -a | wc -l)"
	for held_kind in vbd vif; do
		echo "store $held_kind $(xenstore-ls /local/domain/0/backend/$held_kind 2>/dev/null | wc -l)"
		echo "errors $held_kind $(xenstore-ls /local/domain/0/error/backend/$held_kind 2>/dev/null | wc -l)"
	done
	[ $BACKEND = xylem ] || return 0
	for held_daemon in blkback netback; do
		for held_pid in $(pidof $held_daemon); do
			echo "$held_daemon descriptors $(ls /proc/$held_pid/fd | wc -l) $(tr '\0' ' ' </proc/$held_pid/cmdline)"
		done | sort
		echo "$held_daemon files $(ls /run/xylem/$held_daemon | tr '\n' ' ')"
	done
}

# nothing_left_since FILE: held is what it was when FILE was written.
nothing_left_since()
{
	wait_for 15 held_is $1 && return
	held | diff $1 -
}

held_is()
{
	held >$RUN/held.now && cmp -s $1 $RUN/held.now
}

free_memory()
{
	xl info free_memory
}

# --- guests ---

# guest_create NAME pv|pvh|hvm [LINE...]: starts a guest and waits for it.
# Each LINE is added to its xl configuration. GUEST_TOOLS=io: fio and iperf3.
# GUEST_ARGS: added to its kernel command line. GUEST_IP: its address on eth0.
# GUEST_MEMORY, GUEST_VCPUS, GUEST_REBOOT: memory, vcpus, on_reboot.
# GUEST_JOB: a script that the guest starts by itself, in the background.
guest_create()
{
	guest_name=$1
	guest_config "$@" >$RUN/$guest_name.cfg || return 1
	rm -f $CONSOLES/guest-$guest_name.log
	xl create $RUN/$guest_name.cfg >$RUN/$guest_name.create 2>&1 || {
		grep -v '^Parsing\|tsc mode' $RUN/$guest_name.create
		return 1
	}
	case $2 in hvm) guest_seconds=120 ;; *) guest_seconds=60 ;; esac
	guest_wait $guest_name @@ready ${GUEST_TIMEOUT:-$guest_seconds} || return 1
	[ "$2-${GUEST_TOOLS:-}" != hvm-io ] || guest_add_tools $guest_name
}

# QEMU takes 25 s to load a big ramdisk: an HVM guest gets fio from a disk instead.
guest_add_tools()
{
	xl block-attach $1 file:/rig/guest-io.cpio xvdz r || return 1
	guest_sh $1 'cd / && until [ -b /dev/xvdz ]; do sleep 0.2; done
		cpio -idu </dev/xvdz 2>/dev/null' 60 || return 1
	xl block-detach $1 xvdz
}

# The parts of the guest's root that are wanted, in one file.
guest_root()
{
	guest_parts=/rig/guest.cpio
	guest_all=$RUN/guest
	[ "${GUEST_TOOLS:-}" != io ] || [ "$1" = hvm ] || {
		guest_parts="$guest_parts /rig/guest-io.cpio"
		guest_all=$guest_all-io
	}
	[ ! -e /rig/guest-in.cpio ] || guest_parts="$guest_parts /rig/guest-in.cpio"
	guest_all=$guest_all.cpio
	[ -e $guest_all ] || cat $guest_parts >$guest_all
	echo $guest_all
}

guest_config()
{
	guest_ramdisk=$(guest_root $2)
	# QEMU, which boots HVM guests, takes a bzImage; libxl is faster with ELF.
	guest_kernel=/rig/vmlinux
	[ "$2" != hvm ] || guest_kernel=/rig/vmlinuz
	cat <<-END
		name = "$1"
		type = "$2"
		kernel = "$guest_kernel"
		ramdisk = "$guest_ramdisk"
		cmdline = "$LINUX_ARGS loglevel=4 ${GUEST_IP:+rigip=$GUEST_IP} ${GUEST_ARGS:-}${GUEST_JOB:+ rigjob=$(echo "$GUEST_JOB" | base64 | tr -d '\n')}"
		memory = ${GUEST_MEMORY:-512}
		vcpus = ${GUEST_VCPUS:-1}
		tsc_mode = "native"
		on_reboot = "${GUEST_REBOOT:-destroy}"
		on_crash = "preserve"
	END
	[ "$2" != hvm ] || cat <<-END
		device_model_version = "qemu-xen"
		device_model_override = "/usr/libexec/xen-qemu-system-i386"
		vga = "none"
		vnc = 0
		serial = "none"
	END
	shift 2
	for guest_line in "$@"; do
		echo "$guest_line"
	done
}

# guest_wait NAME TEXT SECONDS: for a line of its console that starts with TEXT.
guest_wait()
{
	wait_for "$3" grep -q "^$2" $CONSOLES/guest-$1.log && return
	echo "guest $1: no '$2' in $3 s; last lines of its console:"
	tail -n 5 $CONSOLES/guest-$1.log
	return 1
}

# guest_send NAME SCRIPT: has the guest run the script; does not wait.
guest_send()
{
	guest_serial=$(($(cat $RUN/serial-$1 2>/dev/null || echo 0) + 1))
	echo $guest_serial >$RUN/serial-$1
	guest_tty=$(xenstore-read /local/domain/$(xl domid "$1")/console/tty) || return 1
	echo "$guest_serial $(echo "$2" | base64 | tr -d '\n')" >"$guest_tty"
}

# guest_sh NAME SCRIPT [SECONDS]: runs the script in the guest, prints what it
# printed, and returns its status (124 when it is not done in time).
guest_sh()
{
	guest_send "$1" "$2" || return 1
	guest_log=$CONSOLES/guest-$1.log
	guest_status=0
	wait_for "${3:-60}" grep -q "@@done $guest_serial [0-9]" $guest_log || guest_status=124
	sed -n "/^@@begin $guest_serial\$/,/@@done $guest_serial /p" $guest_log |
		sed "1d; /^@@done $guest_serial /d; s/@@done $guest_serial .*//"
	[ $guest_status = 0 ] || { echo "not done after ${3:-60} s"; return 124; }
	return "$(sed -n "s/.*@@done $guest_serial //p" $guest_log)"
}

guest_destroy()
{
	xl destroy "$1"
}

guest_gone()
{
	! xl domid "$1"
}

# no_ghost NAME: nor is a dying domain left.
no_ghost()
{
	! xl list | grep -q "^$1 \|^(null)"
}

# guest_shutdown NAME: an orderly end, waited for.
guest_shutdown()
{
	guest_send "$1" "poweroff -f"
	wait_for 30 guest_gone "$1"
}
