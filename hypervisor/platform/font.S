/* SPDX-License-Identifier: GPL-2.0-only */
/* The frame buffer's font: 256 glyphs of 8x16, which module.mk takes out of a PSF file. */
	.section .rodata, "a"
	.globl console_font
	.hidden console_font
	.balign 16
console_font:
	.incbin "font.bin"

	.section .note.GNU-stack, "", @progbits
