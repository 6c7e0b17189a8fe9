/* SPDX-License-Identifier: GPL-2.0-only */
/* Text on a linear frame buffer. No locks: the console's is held by the caller. */
#ifndef HV_FRAMEBUFFER_H
#define HV_FRAMEBUFFER_H

#include "hypervisor/lib/lib.h"

#define FONT_WIDTH     8u
#define FONT_HEIGHT    16u
#define FB_COLUMNS_MAX 256u /* a wider or higher screen is used in part */
#define FB_ROWS_MAX    100u

struct framebuffer {
	uint8_t *pixels;
	uint32_t pitch, colour; /* bytes a line; of text */
	unsigned int bytes;     /* a pixel */
	unsigned int columns, rows;
};

/* Of console-setup-linux, laid down by the build: a byte a line, most significant left. */
extern const uint8_t console_font[256][FONT_HEIGHT];

/* False when the mode is none that can be drawn in. The caller sets colour. */
bool framebuffer_init(struct framebuffer *fb, void *pixels, uint32_t width, uint32_t height,
		      uint32_t pitch, uint8_t bits);
/* Light grey, from where a pixel has its colours and how many bits each. */
uint32_t framebuffer_grey(uint8_t red_pos, uint8_t red_size, uint8_t green_pos,
			  uint8_t green_size, uint8_t blue_pos, uint8_t blue_size);
void framebuffer_draw(const struct framebuffer *fb, unsigned int row, unsigned int column,
		      unsigned char c);

#endif
