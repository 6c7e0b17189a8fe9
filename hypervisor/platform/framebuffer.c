// SPDX-License-Identifier: GPL-2.0-only
/* Text cells drawn into a linear frame buffer of 16, 24 or 32 bits a pixel. */
#include "hypervisor/platform/framebuffer.h"

bool framebuffer_init(struct framebuffer *fb, void *pixels, uint32_t width, uint32_t height,
		      uint32_t pitch, uint8_t bits)
{
	unsigned int bytes = (bits + 7u) / 8;

	if (bits < 15 || bits > 32 || (uint64_t)width * bytes > pitch)
		return false;
	*fb = (struct framebuffer){
		.pixels = pixels,
		.pitch = pitch,
		.bytes = bytes,
		.columns = MIN(width / FONT_WIDTH, FB_COLUMNS_MAX),
		.rows = MIN(height / FONT_HEIGHT, FB_ROWS_MAX),
	};
	return fb->columns && fb->rows;
}

uint32_t framebuffer_grey(uint8_t red_pos, uint8_t red_size, uint8_t green_pos,
			  uint8_t green_size, uint8_t blue_pos, uint8_t blue_size)
{
	const uint8_t pos[] = {red_pos, green_pos, blue_pos};
	const uint8_t size[] = {red_size, green_size, blue_size};
	uint32_t colour = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(pos); i++)
		if (size[i] && size[i] <= 16 && pos[i] < 32)
			colour |= (uint32_t)(((1u << size[i]) - 1) * 2 / 3) << pos[i];
	return colour;
}

/* A pixel's bytes, least significant first; stores alone, since reading is slow there. */
void framebuffer_draw(const struct framebuffer *fb, unsigned int row, unsigned int column,
		      unsigned char c)
{
	volatile uint8_t *line = fb->pixels + (size_t)row * FONT_HEIGHT * fb->pitch +
				 (size_t)column * FONT_WIDTH * fb->bytes;

	for (unsigned int y = 0; y < FONT_HEIGHT; y++, line += fb->pitch) {
		for (unsigned int x = 0; x < FONT_WIDTH; x++) {
			bool on = console_font[c][y] >> (FONT_WIDTH - 1 - x) & 1;
			uint32_t colour = on ? fb->colour : 0;

			if (fb->bytes == 4) {
				((volatile uint32_t *)line)[x] = colour;
				continue;
			}
			for (unsigned int i = 0; i < fb->bytes; i++)
				line[x * fb->bytes + i] = (uint8_t)(colour >> (8 * i));
		}
	}
}
