/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the console's files: serial.c and vga.c are devices, console.c joins them
 * and keeps what was said (boot/boot.h has what others call). */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include "hypervisor/lib/lib.h"

/* ---- serial.c: 16550 ---- */
bool serial_init(unsigned int port);  /* COM 1 or 2, as com1= com2= say; false: none there */
void serial_write(const char *s, size_t n); /* \n becomes \r\n; waits when its buffer is full */
void serial_drain(void);              /* send all that is buffered, polling */
void serial_set_sync(void);           /* from now on nothing is buffered */
void serial_start(void (*receive)(char c)); /* interrupts, or a timer's polling */
bool serial_owns_port(uint16_t io_port); /* not dom0's to touch */

/* ---- vga.c: 80x25 text, or a frame buffer; console's lock held ---- */
bool vga_init(void);             /* text; false: the screen is in another mode */
bool vga_init_framebuffer(void); /* where that is so, once memory can be mapped */
void vga_write(const char *s, size_t n);
void vga_cursor(unsigned int *x, unsigned int *y);
bool vga_give_back(void); /* to dom0; false: vga=keep */

/* ---- keys.c ---- */
void keys_init(void);
void key_pressed(char c); /* from the interrupt: handled in softirq */

#endif
