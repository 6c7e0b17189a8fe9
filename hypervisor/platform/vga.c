// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen: cells of text, on a VGA's 80x25 text mode or in the frame buffer that the
 * loader handed over. What each cell shows is kept here, so that the screen itself is only
 * written, and only where it changes.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/platform/framebuffer.h"

#define TEXT_COLUMNS 80u
#define TEXT_ROWS    25u
#define ATTRIBUTE    0x0700u
#define CRTC         0x3d4
#define FRAMEBUFFER_TEXT 2 /* multiboot's types */
#define FRAMEBUFFER_RGB  1

static volatile uint16_t *text;
static struct framebuffer fb;
static bool keep;
static unsigned int columns, rows, row, column; /* columns 0: there is no screen */
static char cell[FB_ROWS_MAX][FB_COLUMNS_MAX];

/* vga=[MODE,]keep. The mode is the loader's choice (GRUB's gfxpayload). */
static int parse_vga(const char *s)
{
	const char *comma = strchr(s, ',');

	keep = !strcmp(comma ? comma + 1 : s, "keep");
	if (comma ? !keep || strncmp(s, "current,", 8) : !keep && strcmp(s, "current"))
		return -EINVAL;
	return 0;
}
BOOT_OPTION_FN("vga", parse_vga);

static void set_cell(unsigned int r, unsigned int c, char ch)
{
	if (cell[r][c] == ch)
		return;
	cell[r][c] = ch;
	if (text)
		text[r * TEXT_COLUMNS + c] = (uint16_t)(ATTRIBUTE | (uint8_t)ch);
	else
		framebuffer_draw(&fb, r, c, (uint8_t)ch);
}

static void set_cursor(void)
{
	unsigned int at = row * TEXT_COLUMNS + column;

	if (!text)
		return;
	outb(CRTC, 14);
	outb(CRTC + 1, (uint8_t)(at >> 8));
	outb(CRTC, 15);
	outb(CRTC + 1, (uint8_t)at);
}

static void start(unsigned int c, unsigned int r)
{
	columns = c;
	rows = r;
	for (r = 0; r < rows; r++)
		for (c = 0; c < columns; c++)
			set_cell(r, c, ' ');
	set_cursor();
}

bool vga_init(void)
{
	if (boot_info.efi || (boot_info.framebuffer.addr && boot_info.framebuffer.type != FRAMEBUFFER_TEXT))
		return false;
	text = maddr_to_virt(0xb8000);
	start(TEXT_COLUMNS, TEXT_ROWS);
	return true;
}

bool vga_init_framebuffer(void)
{
	const __typeof__(boot_info.framebuffer) *b = &boot_info.framebuffer;
	void *pixels;

	if (columns || !b->addr || b->type != FRAMEBUFFER_RGB)
		return false;
	pixels = map_device_wc(b->addr, (size_t)b->pitch * b->height);
	if (!pixels || !framebuffer_init(&fb, pixels, b->width, b->height, b->pitch, b->bpp))
		return false;
	fb.colour = framebuffer_grey(b->red_pos, b->red_size, b->green_pos, b->green_size,
				     b->blue_pos, b->blue_size);
	start(fb.columns, fb.rows);
	return true;
}

static void new_line(void)
{
	column = 0;
	if (++row < rows)
		return;
	row = rows - 1;
	for (unsigned int r = 0; r < rows; r++)
		for (unsigned int c = 0; c < columns; c++)
			set_cell(r, c, r < row ? cell[r + 1][c] : ' ');
}

void vga_write(const char *s, size_t n)
{
	if (!columns)
		return;
	for (; n; n--, s++) {
		if (*s == '\n') {
			new_line();
		} else if (*s == '\r') {
			column = 0;
		} else {
			if (column == columns)
				new_line();
			set_cell(row, column++, *s);
		}
	}
	set_cursor();
}

void vga_cursor(unsigned int *x, unsigned int *y)
{
	*x = column;
	*y = row;
}

bool vga_give_back(void)
{
	if (!keep)
		columns = 0;
	return !keep;
}
