# SPDX-License-Identifier: GPL-2.0-only
# Names and helpers that every script of the rig shares; sourced, never run.
# The caller sets RIG to the folder this file is in.
set -o pipefail

TOP=$(cd "$RIG/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
RIG_CACHE=${RIG_CACHE:-$BUILD/rig}
LOGS=${LOGS:-$BUILD/logs}
STAGE=${STAGE:-$BUILD/stage}
PKG=$RIG_CACHE/pkg
XEN_BIN=usr/lib/xen-4.17/bin
# Every Linux here: without the self-tests of its ciphers (README.md, "What QEMU gets wrong").
LINUX_ARGS="console=hvc0 quiet cryptomgr.notests=1"
[ "${EMULATOR:-qemu}" != bochs ] || LINUX_ARGS="$LINUX_ARGS clearcpuid=321" # XSAVEC: README.md

die()
{
	echo "${0##*/}: $*" >&2
	exit "${DIE_STATUS:-1}"
}

need()
{
	for tool in "$@"; do
		command -v "$tool" >/dev/null ||
			die "$tool is missing: run tests/rig/setup (as root or with sudo)"
	done
}

# Holds a lock on a file of the cache until the script ends: lock FD FILE
lock()
{
	mkdir -p "$RIG_CACHE"
	eval "exec $1>\"\$RIG_CACHE/$2\""
	flock -n "$1" || {
		echo "${0##*/}: waiting for another user of the rig ($2)" >&2
		flock "$1"
	}
}

# Holds one of RIG_SLOTS places for a QEMU until the script ends, first come first
# served: qemu_slot FD
qemu_slot()
{
	local slot turn
	mkdir -p "$RIG_CACHE"
	exec {turn}>"$RIG_CACHE/qemu-turn.lock"
	flock "$turn"
	while :; do
		for slot in $(seq "${RIG_SLOTS:-2}"); do
			eval "exec $1>\"\$RIG_CACHE/qemu$slot.lock\""
			if flock -n "$1"; then
				exec {turn}>&-
				return
			fi
		done
		sleep 0.2
	done
}

kernel_version()
{
	basename "$(ls -d "$PKG"/lib/modules/6.1.*)"
}

library_path=$PKG/lib/x86_64-linux-gnu:$PKG/usr/lib/x86_64-linux-gnu:$PKG/usr/lib/x86_64-linux-gnu/ceph

# The libraries of one program, from the packages or else from this machine. Those of
# fio that only its storage clusters need are empty ones: see stubs.
libraries()
{
	local library_path=$library_path
	[ "${1##*/}" != fio ] || library_path=$RIG_CACHE/stubs:$library_path
	"$PKG/lib64/ld-linux-x86-64.so.2" --inhibit-cache \
		--library-path "$library_path" --list "$1" |
		awk '/=> \//{print $3} /not found/{exit 1}' ||
		die "a library of $1 is missing"
}

# Copies libraries of the programs given to where the loader looks: TREE PROGRAM...
copy_libraries()
{
	local tree=$1 program library
	shift
	mkdir -p "$tree/lib/x86_64-linux-gnu" "$tree/lib64"
	cp -L "$PKG/lib64/ld-linux-x86-64.so.2" "$tree/lib64/"
	# What ends a thread looks for it at run time.
	cp -L "$PKG/lib/x86_64-linux-gnu/libgcc_s.so.1" "$tree/lib/x86_64-linux-gnu/"
	for program in "$@"; do
		libraries "$program"
	done | sort -u | while read -r library; do
		case $library in
		*/ceph/*) cp -Ln "$library" "$tree/lib/x86_64-linux-gnu/" ;;
		*/ld-linux*) ;;
		*) cp -Ln "$library" "$tree/lib/x86_64-linux-gnu/" ;;
		esac
	done
}
