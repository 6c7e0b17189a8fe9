/* SPDX-License-Identifier: GPL-2.0-only */
/* What the boot loader gave us, in one form for multiboot 1 and 2; and start-up order. */
#ifndef HV_BOOT_H
#define HV_BOOT_H

#include "hypervisor/lib/lib.h"

struct domain;

struct boot_module {
	uint64_t start, size; /* machine addresses */
	const char *cmdline;
};

struct e820_entry {
	uint64_t start, size;
	uint32_t type; /* 1 RAM, 2 reserved, 3 ACPI, 4 NVS, 5 unusable */
};
#define E820_MAX 128

struct boot_info {
	char cmdline[1024];
	char loader[64];
	struct boot_module module[8];
	unsigned int nr_modules;
	struct e820_entry e820[E820_MAX];
	unsigned int nr_e820;
	uint64_t rsdp; /* 0: search */
	struct boot_framebuffer { /* as multiboot 1 has it */
		uint64_t addr;
		uint32_t pitch, width, height;
		uint8_t bpp, type, red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
	} __attribute__((packed)) framebuffer;
	bool efi;
	struct { /* of the EFI system table; tables 0: not known */
		uint64_t tables; /* EFI_CONFIGURATION_TABLE: machine address, and how many */
		uint32_t nr_tables, fw_revision, revision;
		uint16_t vendor[64]; /* UCS-2, terminated */
	} efi_table;
};
extern struct boot_info boot_info;

/* ---- what the loader left (boot/multiboot.c, boot/e820.c) ---- */
/* Copy what the loader left into boot_info. False: @magic is neither loader's. */
bool multiboot_parse(uint32_t magic, uint64_t info);
void e820_add(uint64_t start, uint64_t size, uint32_t type);
void e820_sanitise(void); /* sorted, no overlaps: the more restrictive type wins */
void e820_print(void);
/* RAM that nothing is in (not the image, not a module) to the boot allocator. */
void e820_give_memory(void);

/* ---- command line (boot/cmdline.c) ---- */
/* An option lives beside what it sets:
 *   BOOT_OPTION_BOOL("noreboot", opt_noreboot);   BOOT_OPTION_STR("sched", opt_sched, 16);
 *   BOOT_OPTION_FN("dom0_mem", parse_dom0_mem);   int fn(const char *value): 0/-EINVAL
 * cmdline_parse() says so for what nobody knows. */
struct boot_option {
	const char *name;
	void *var;
	uint32_t size; /* of a string's buffer, or an integer */
	uint8_t kind;  /* enum boot_option_kind */
};
enum boot_option_kind { OPT_BOOL, OPT_INT, OPT_SIZE, OPT_STR, OPT_FN };
#define BOOT_OPTION_(n, v, s, k)                                                         \
	static const struct boot_option boot_option_##v                                  \
		__attribute__((used, section(".boot_options"), aligned(8))) = {n, &(v), s, k}
#define BOOT_OPTION_BOOL(n, v)   BOOT_OPTION_(n, v, sizeof(v), OPT_BOOL)
#define BOOT_OPTION_INT(n, v)    BOOT_OPTION_(n, v, sizeof(v), OPT_INT)
#define BOOT_OPTION_SIZE(n, v)   BOOT_OPTION_(n, v, sizeof(v), OPT_SIZE)
#define BOOT_OPTION_STR(n, v, s) BOOT_OPTION_(n, v, s, OPT_STR)
#define BOOT_OPTION_FN(n, fn)                                                            \
	static int (*const boot_option_call_##fn)(const char *) = fn;                    \
	static const struct boot_option boot_option_##fn                                 \
		__attribute__((used, section(".boot_options"), aligned(8))) = {          \
			n, (void *)&boot_option_call_##fn, 0, OPT_FN}
void cmdline_parse(const char *line);

void boot_main(uint32_t magic, uint64_t info); /* from boot/head.S, in 64-bit mode */

/* ---- ACPI (platform/acpi.c) ---- */
struct acpi_cpu {
	uint32_t apic_id, acpi_id, node;
	bool enabled;
};
struct acpi_ioapic {
	uint32_t id, gsi_base;
	uint64_t address;
};
struct acpi_override {
	uint8_t irq;
	uint32_t gsi;
	bool level, low;
};
struct acpi_info {
	uint64_t rsdp, lapic_address;
	struct acpi_cpu *cpu;
	unsigned int nr_cpus;
	struct acpi_ioapic ioapic[64];
	unsigned int nr_ioapics;
	struct acpi_override override[32];
	unsigned int nr_overrides;
	uint64_t hpet_address;
	uint32_t pm_timer_port;
	uint32_t pm1a_cnt, pm1b_cnt, reset_port;
	uint64_t mmconfig_base;
	uint8_t mmconfig_first_bus, mmconfig_last_bus;
	uint8_t reset_value; /* written to reset_port, if that is not 0 */
};
extern struct acpi_info acpi;
void acpi_init(void); /* reads the tables; without them: one CPU, no IO-APIC */
struct acpi_cpu *acpi_cpu_of_apic(uint32_t apic_id); /* NULL: none */
void *acpi_table(const char signature[4], unsigned int nth); /* mapped for good; NULL */

/* ---- console (platform/serial.c, platform/console.c, platform/vga.c) ---- */
void console_init(void);      /* after the command line */
void console_init_screen(void); /* a frame buffer, after memory */
void console_init_late(void); /* with interrupts */
void console_write_guest(struct domain *d, const char *s, size_t n);
size_t console_read_input(char *buf, size_t n); /* for CONSOLEIO_read */
void console_give_back(void);                   /* the screen to dom0 */
size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear, bool incremental);
void console_force_sync(void);                  /* panic: unsent tail goes out at once */
void debug_key_add(char key, const char *what, void (*fn)(void));
void debug_key_run(char key);

void smp_boot_cpus(void);
_Noreturn void machine_restart(unsigned int delay_ms);
_Noreturn void machine_halt(void);
_Noreturn void hardware_domain_shutdown(uint8_t reason); /* SHUTDOWN_*: reboot, power off, crash */
extern bool opt_noreboot;
extern const char xylem_version[], xylem_compile_info[4][64];

#endif
