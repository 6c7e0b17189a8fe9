// SPDX-License-Identifier: GPL-2.0-only
/* 80x25 text on a VGA at 0xb8000; nothing where the firmware left another mode (EFI). */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/platform/console.h"

#define COLUMNS   80u
#define ROWS      25u
#define ATTRIBUTE 0x0700u
#define CRTC      0x3d4
#define FRAMEBUFFER_TEXT 2 /* multiboot's type */

static volatile uint16_t *screen;
static unsigned int row, column;

static void set_cursor(void)
{
	unsigned int at = row * COLUMNS + column;

	outb(CRTC, 14);
	outb(CRTC + 1, (uint8_t)(at >> 8));
	outb(CRTC, 15);
	outb(CRTC + 1, (uint8_t)at);
}

void vga_init(void)
{
	if (boot_info.efi || (boot_info.framebuffer.addr && boot_info.framebuffer.type != FRAMEBUFFER_TEXT))
		return;
	screen = maddr_to_virt(0xb8000);
	for (unsigned int i = 0; i < COLUMNS * ROWS; i++)
		screen[i] = ATTRIBUTE | ' ';
	row = column = 0;
	set_cursor();
}

static void new_line(void)
{
	column = 0;
	if (++row < ROWS)
		return;
	row = ROWS - 1;
	for (unsigned int i = 0; i < COLUMNS * row; i++)
		screen[i] = screen[i + COLUMNS];
	for (unsigned int i = 0; i < COLUMNS; i++)
		screen[COLUMNS * row + i] = ATTRIBUTE | ' ';
}

void vga_write(const char *s, size_t n)
{
	if (!screen)
		return;
	for (; n; n--, s++) {
		if (*s == '\n') {
			new_line();
		} else if (*s == '\r') {
			column = 0;
		} else {
			if (column == COLUMNS)
				new_line();
			screen[row * COLUMNS + column++] = (uint16_t)(ATTRIBUTE | (uint8_t)*s);
		}
	}
	set_cursor();
}

void vga_give_back(void)
{
	screen = NULL;
}
