// SPDX-License-Identifier: GPL-2.0-only
/* Debug keys: a letter, what it shows, who shows it. From the console and xl debug-keys. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/sched/softirq.h"

static struct {
	const char *what;
	void (*fn)(void);
} keys[128];

static struct tasklet key_tasklet;
static char pressed; /* the latest: one is handled before a hand presses the next */

void debug_key_add(char key, const char *what, void (*fn)(void))
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
		keys[k].fn();
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

static void show_help(void)
{
	for (unsigned int k = 0; k < ARRAY_SIZE(keys); k++)
		if (keys[k].fn)
			printk(LOG_ERR, " key '%c' (ascii '%02x') => %s\n", (int)k, k, keys[k].what);
}

static void reboot(void)
{
	machine_restart(0);
}

static void crash(void)
{
	panic("crash by debug key");
}

static void for_each_domain(void (*fn)(struct domain *d))
{
	for (struct domain *d = domain_next(NULL); d; d = domain_next(d))
		fn(d);
}

static void show_vcpu(const struct vcpu *v)
{
	const struct vcpu_info *i = v->info;

	printk(LOG_ERR, "    VCPU%u: CPU%u%s pause=%lx/%d state=%d ", v->id, v->cpu,
	       v->is_running ? " running" : "", v->pause_flags, v->pause_count, v->runstate.state);
	if (i)
		printk(LOG_ERR, "upcall_pend=%u upcall_mask=%u sel=%lx", i->evtchn_upcall_pending,
		       i->evtchn_upcall_mask, i->evtchn_pending_sel);
	if (timer_pending(&v->singleshot))
		printk(LOG_ERR, " timer in %ld us", (long)(v->singleshot.expires - now()) / 1000);
	printk(LOG_ERR, "\n");
}

static void show_domain(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	printk(LOG_ERR, "Domain %u: refs=%d dying=%u pause=%d/%d shutdown=%u/%u pages=%u/%u xenheap=%u\n",
	       d->domid, d->refs, d->dying, d->pause_count, d->tools_pause_count, d->is_shut_down,
	       d->shutdown_code, d->tot_pages, d->max_pages, d->xenheap_pages);
	for_each_vcpu(d, v, i)
		show_vcpu(v);
}

static void show_domains(void)
{
	printk(LOG_ERR, "now=%ld us\n", (long)now() / 1000);
	for_each_domain(show_domain);
}

static void show_events(void)
{
	for_each_domain(event_dump);
}

static void show_grants(void)
{
	for_each_domain(grant_table_dump);
}

static void show_queues(void)
{
	unsigned int cpu;

	printk(LOG_ERR, "Scheduler: %s\n", sched_policy->name);
	for_each_online_cpu(cpu)
		if (sched_policy->dump)
			sched_policy->dump(cpu);
}

/* By each CPU in turn. What it does: idle, or a guest, whose registers those are then. */
static void show_this_cpu(void *arg)
{
	(void)arg;
	printk(LOG_ERR, "*** CPU%u: d%uv%u ***\n", this_cpu, current->domain->domid, current->id);
	if (!is_idle_vcpu(current))
		show_registers(guest_regs());
	backtrace(NULL);
}

static void show_cpus(void)
{
	struct cpumask one = {0};
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		set_bit(cpu, one.bits);
		on_cpus(&one, show_this_cpu, NULL);
		clear_bit(cpu, one.bits);
	}
}

void keys_init(void)
{
	tasklet_init(&key_tasklet, run_pressed, NULL);
	debug_key_add('h', "show this message", show_help);
	debug_key_add('i', "dump interrupt bindings", irq_dump);
	debug_key_add('R', "reboot machine", reboot);
	debug_key_add('C', "trigger a crashdump", crash);
	debug_key_add('d', "dump registers", show_cpus);
	debug_key_add('e', "dump evtchn info", show_events);
	debug_key_add('g', "print grant table usage", show_grants);
	debug_key_add('q', "dump domain (and guest debug) info", show_domains);
	debug_key_add('r', "dump run queues", show_queues);
}
