# SPDX-License-Identifier: GPL-2.0-only
# The smallest dom0; sourced after common.sh by scenarios that want to be up soon.

# A root of busybox and one script, which comes on stdin and says what it has to on the
# second serial line: tiny_root FILE [PROGRAM...]
tiny_root()
{
	local tree=$1.tree
	mkdir -p "$tree"/{bin,dev,proc,sys}
	cp "$PKG/bin/busybox" "${@:2}" "$tree/bin/"
	ln -s busybox "$tree/bin/sh"
	{
		printf '#!/bin/sh\n/bin/busybox --install -s /bin\n'
		printf 'mount -t proc proc /proc\nmount -t devtmpfs dev /dev\n'
		printf 'stty -F /dev/ttyS1 raw -echo 115200\nexec >/dev/ttyS1\n'
		cat
	} >"$tree/init"
	chmod 755 "$tree/init"
	(cd "$tree" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >"$1"
	rm -rf "$tree"
}
