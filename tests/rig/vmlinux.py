#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Takes the uncompressed ELF kernel out of an xz-compressed x86 bzImage.
# usage: vmlinux.py BZIMAGE OUTPUT
import lzma
import struct
import sys


def main():
    image = open(sys.argv[1], "rb").read()
    if image[0x202:0x206] != b"HdrS":
        sys.exit("vmlinux.py: %s is no bzImage" % sys.argv[1])
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # The decompressor stops at the end of the stream; a size word follows it.
    kernel = lzma.LZMADecompressor().decompress(image[start:start + length])
    if kernel[:4] != b"\x7fELF":
        sys.exit("vmlinux.py: the payload is no ELF file")
    with open(sys.argv[2], "wb") as out:
        out.write(kernel)


main()
