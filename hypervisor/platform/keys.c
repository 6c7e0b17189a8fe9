// SPDX-License-Identifier: GPL-2.0-only
/* Debug keys: a letter, what it shows, who shows it. From the console and xl debug-keys. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/sched/softirq.h"

static struct {
	const char *what;
	void (*fn)(char key);
} keys[128];

static struct tasklet key_tasklet;
static char pressed; /* the latest: one is handled before a hand presses the next */

void debug_key_add(char key, const char *what, void (*fn)(char key))
{
	unsigned int k = (unsigned char)key;

	BUG_ON(k >= ARRAY_SIZE(keys) || keys[k].fn);
	keys[k].what = what;
	keys[k].fn = fn;
}

void debug_key_run(char key)
{
	unsigned int k = (unsigned char)key;

	if (k < ARRAY_SIZE(keys) && keys[k].fn) {
		printk(LOG_ERR, "'%c' pressed -> %s\n", key, keys[k].what);
		keys[k].fn(key);
	}
}

static void run_pressed(void *arg)
{
	(void)arg;
	debug_key_run(READ_ONCE(pressed));
}

void key_pressed(char c)
{
	WRITE_ONCE(pressed, c);
	tasklet_schedule(&key_tasklet);
}

static void show_help(char key)
{
	(void)key;
	for (unsigned int k = 0; k < ARRAY_SIZE(keys); k++)
		if (keys[k].fn)
			printk(LOG_ERR, " key '%c' (ascii '%02x') => %s\n", (int)k, k, keys[k].what);
}

static void show_irqs(char key)
{
	(void)key;
	irq_dump();
}

static void reboot(char key)
{
	(void)key;
	machine_restart(0);
}

static void crash(char key)
{
	(void)key;
	panic("crash by debug key");
}

static void show_here(char key)
{
	(void)key;
	backtrace(NULL);
}

void keys_init(void)
{
	tasklet_init(&key_tasklet, run_pressed, NULL);
	debug_key_add('h', "show this message", show_help);
	debug_key_add('i', "dump interrupt bindings", show_irqs);
	debug_key_add('R', "reboot machine", reboot);
	debug_key_add('C', "trigger a crashdump", crash);
	debug_key_add('d', "dump registers", show_here);
}
