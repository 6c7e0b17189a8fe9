#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# nm -n of the image to an assembly file with its functions: offsets from image_start in
# order, then their names. Nothing on the first pass.
awk '
BEGIN { n = 0; print "\t.section .symbols, \"a\""; print "\t.globl symbol_count, symbol_offsets, symbol_names" }
$2 ~ /^[tTwW]$/ && $3 !~ /^(\.L|text_)/ { address[n] = $1; name[n++] = $3 }
END {
	print "\t.balign 8\nsymbol_count: .quad " n "\nsymbol_offsets:"
	for (i = 0; i < n; i++)
		print "\t.long 0x" substr(address[i], 9)
	print "symbol_names:"
	for (i = 0; i < n; i++)
		print "\t.asciz \"" name[i] "\""
	print "\t.section .note.GNU-stack, \"\", @progbits"
}'
