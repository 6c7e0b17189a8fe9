# SPDX-License-Identifier: GPL-2.0-only
# Functions that lay out a root and pack it as a cpio; sourced after common.sh
# by the scripts that build images. KVER is the kernel's version.

# Copies programs of the packages, under the same path, and their libraries.
copy_programs()
{
	local tree=$1 program list=
	shift
	for program in "$@"; do
		mkdir -p "$tree/$(dirname "$program")"
		cp -L --remove-destination "$PKG/$program" "$tree/$program"
		list="$list $PKG/$program"
	done
	copy_libraries "$tree" $list
}

# Modules with all they depend on, and modules.dep for just these.
copy_modules()
{
	local tree=$1 dep=$PKG/lib/modules/$KVER/modules.dep name file
	shift
	for name in "$@"; do
		name=$(echo "$name" | sed 's/[-_]/[-_]/g')
		grep -E "/$name\.ko:" "$dep" ||
			grep -qE "/$name\.ko" "${dep%dep}builtin" || die "no module $name"
	done | tr -d : | tr ' ' '\n' | sort -u | while read -r file; do
		mkdir -p "$tree/lib/modules/$KVER/$(dirname "$file")"
		cp "$PKG/lib/modules/$KVER/$file" "$tree/lib/modules/$KVER/$file"
	done
	"$PKG/bin/busybox" depmod -b "$tree" "$KVER"
}

# A root with busybox, merged /usr, and the folders and links Linux wants.
skeleton()
{
	local tree=$1 applet dir
	rm -rf "$tree"
	mkdir -p "$tree"/{usr/bin,usr/sbin,usr/lib,usr/lib64,dev,proc,sys,run,tmp,etc,root,mnt,var/log,var/lib}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$tree/$dir"
	done
	ln -s /run "$tree/var/run"
	ln -s /run/lock "$tree/var/lock"
	cp "$PKG/bin/busybox" "$tree/bin/busybox"
	for applet in $("$tree/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$tree/bin/$applet"
	done
	# What the kernel itself starts, by these names.
	for applet in poweroff reboot modprobe; do
		ln -sf ../bin/busybox "$tree/sbin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nxylem:x:990:990::/:/bin/false\n' >"$tree/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\nxylem:x:990:\n' >"$tree/etc/group"
	printf '127.0.0.1 localhost\n' >"$tree/etc/hosts"
}

pack()
{
	(cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$2.tmp"
	mv "$2.tmp" "$2"
	rm -rf "$1"
}

# True when FILE must be built again, being older than any of the rest.
stale()
{
	local file=$1 source
	shift
	[ -e "$file" ] || return 0
	for source in "$RIG/images" "$RIG/trees.sh" "$@"; do
		[ -z "$(find "$source" -newer "$file" | head -1)" ] || return 0
	done
	return 1
}
