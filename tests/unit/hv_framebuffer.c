// SPDX-License-Identifier: GPL-2.0-only
/* hypervisor/platform: glyphs in a frame buffer, at each width of a pixel; the screen's
 * lines and scrolling, the hand-over. */
#include "tests/unit/suite.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/platform/framebuffer.h"

struct boot_info boot_info;
uint8_t glyphs[256][FONT_HEIGHT] __asm__("console_font");

#define WIDTH   85u /* ten cells, and a rest that nothing is drawn in */
#define HEIGHT  70u /* four */
#define COLUMNS 10u
#define ROWS    4u
#define PITCH   400u
#define UNTOUCHED 0xee

static uint8_t pixels[HEIGHT * PITCH + 64];

void outb(uint16_t port, uint8_t value)
{
	(void)port;
	(void)value;
	CU_FAIL("a frame buffer has no cursor");
}

void *map_device_wc(uint64_t maddr, size_t bytes)
{
	CU_ASSERT_EQUAL(maddr, 0x123456789000);
	CU_ASSERT_EQUAL(bytes, HEIGHT * PITCH);
	return pixels;
}

/* Every character has a picture of its own; a blank's is empty. */
static void make_font(void)
{
	for (unsigned int c = 0; c < 256; c++)
		for (unsigned int y = 0; y < FONT_HEIGHT; y++)
			glyphs[c][y] = c == ' ' ? 0 : (uint8_t)(c ^ (y * 37 + (c >> 3)));
}

static uint32_t pixel(unsigned int x, unsigned int y, unsigned int bytes)
{
	uint32_t v = 0;

	memcpy(&v, &pixels[y * PITCH + x * bytes], bytes);
	return v;
}

/* True when the cell shows the character, and nothing else. */
static bool shows(unsigned int row, unsigned int column, char c, unsigned int bytes, uint32_t colour)
{
	for (unsigned int y = 0; y < FONT_HEIGHT; y++)
		for (unsigned int x = 0; x < FONT_WIDTH; x++)
			if (pixel(column * 8 + x, row * 16 + y, bytes) !=
			    (glyphs[(uint8_t)c][y] & (0x80 >> x) ? colour : 0))
				return false;
	return true;
}

static void test_draw(void)
{
	static const uint8_t depths[] = {15, 16, 24, 32};
	struct framebuffer fb;

	make_font();
	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		unsigned int bytes = (depths[i] + 7u) / 8;

		memset(pixels, UNTOUCHED, sizeof(pixels));
		CU_ASSERT_TRUE_FATAL(framebuffer_init(&fb, pixels, WIDTH, HEIGHT, PITCH, depths[i]));
		CU_ASSERT_EQUAL(fb.columns, COLUMNS);
		CU_ASSERT_EQUAL(fb.rows, ROWS);
		fb.colour = 0x8c51a3 & ((1ull << (8 * bytes)) - 1);
		framebuffer_draw(&fb, 3, 9, 'Q');
		framebuffer_draw(&fb, 0, 0, 0xfe);
		CU_ASSERT_TRUE(shows(3, 9, 'Q', bytes, fb.colour));
		CU_ASSERT_TRUE(shows(0, 0, (char)0xfe, bytes, fb.colour));
		CU_ASSERT_FALSE(shows(0, 0, 'Q', bytes, fb.colour));
		/* Beside them nothing was written. */
		CU_ASSERT_EQUAL(pixels[3 * 16 * PITCH + 10 * 8 * bytes], UNTOUCHED);
		CU_ASSERT_EQUAL(pixels[64 * PITCH], UNTOUCHED);
		CU_ASSERT_EQUAL(pixels[8 * bytes], UNTOUCHED);
	}
}

static void test_modes(void)
{
	struct framebuffer fb;

	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, WIDTH, HEIGHT, PITCH, 8));
	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, WIDTH, HEIGHT, PITCH, 33));
	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, 101, HEIGHT, PITCH, 32));
	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, 0xffffffff, HEIGHT, 0xfffffffc, 32));
	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, 7, HEIGHT, PITCH, 32));
	CU_ASSERT_FALSE(framebuffer_init(&fb, pixels, WIDTH, 15, PITCH, 32));
	CU_ASSERT_TRUE(framebuffer_init(&fb, pixels, 8192, 8192, 32768, 32));
	CU_ASSERT_EQUAL(fb.columns, FB_COLUMNS_MAX);
	CU_ASSERT_EQUAL(fb.rows, FB_ROWS_MAX);
}

static void test_colour(void)
{
	CU_ASSERT_EQUAL(framebuffer_grey(16, 8, 8, 8, 0, 8), 0xaaaaaa);
	CU_ASSERT_EQUAL(framebuffer_grey(11, 5, 5, 6, 0, 5), 20u << 11 | 42u << 5 | 20u);
	CU_ASSERT_EQUAL(framebuffer_grey(200, 8, 8, 200, 0, 8), 0xaa);
}

static void say(const char *s)
{
	vga_write(s, strlen(s));
}

static bool line_is(unsigned int row, const char *s)
{
	for (unsigned int i = 0; i < COLUMNS; i++)
		if (!shows(row, i, i < strlen(s) ? s[i] : ' ', 4, 0xaaaaaa))
			return false;
	return true;
}

static void test_screen(void)
{
	unsigned int x, y;

	make_font();
	CU_ASSERT_FALSE(vga_init_framebuffer()); /* there is none */
	boot_info.framebuffer.addr = 0x123456789000;
	boot_info.framebuffer.pitch = PITCH;
	boot_info.framebuffer.width = WIDTH;
	boot_info.framebuffer.height = HEIGHT;
	boot_info.framebuffer.bpp = 32;
	boot_info.framebuffer.type = 1;
	boot_info.framebuffer.red_pos = 16;
	boot_info.framebuffer.green_pos = 8;
	boot_info.framebuffer.red_size = boot_info.framebuffer.green_size = 8;
	boot_info.framebuffer.blue_size = 8;
	CU_ASSERT_FALSE(vga_init()); /* no text mode */
	memset(pixels, UNTOUCHED, sizeof(pixels));
	CU_ASSERT_TRUE_FATAL(vga_init_framebuffer());
	for (unsigned int i = 0; i < ROWS; i++)
		CU_ASSERT_TRUE(line_is(i, ""));
	say("one\ntwo\rT");
	CU_ASSERT_TRUE(line_is(0, "one"));
	CU_ASSERT_TRUE(line_is(1, "Two"));
	vga_cursor(&x, &y);
	CU_ASSERT_EQUAL(x, 1);
	CU_ASSERT_EQUAL(y, 1);
	say("\n0123456789ab\n"); /* longer than a line */
	CU_ASSERT_TRUE(line_is(0, "Two"));
	CU_ASSERT_TRUE(line_is(1, "0123456789"));
	CU_ASSERT_TRUE(line_is(2, "ab"));
	CU_ASSERT_TRUE(line_is(3, ""));
	for (unsigned int i = 0; i < 300; i++)
		say("lines\n");
	say("end");
	CU_ASSERT_TRUE(line_is(0, "lines"));
	CU_ASSERT_TRUE(line_is(2, "lines"));
	CU_ASSERT_TRUE(line_is(3, "end"));
	CU_ASSERT_EQUAL(pixels[64 * PITCH], UNTOUCHED);

	CU_ASSERT_TRUE(vga_give_back());
	say("\nnot shown");
	CU_ASSERT_TRUE(line_is(3, "end"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"glyphs", test_draw},
		{"modes", test_modes},
		{"colour", test_colour},
		{"screen", test_screen},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_framebuffer", tests);
}
