// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 16550 UART: com1=BAUD[/CLOCK][,8n1[,IOPORT[,IRQ]]] and com2=. Polled until
 * serial_start(); then output is buffered and sent by interrupt, a FIFO's worth at a time.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/sched/timer.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };
#define LCR_DLAB    0x80
#define LSR_RX      0x01
#define LSR_THR_EMPTY 0x20
#define IER_RX      0x01
#define IER_TX      0x02
#define FIFO_SIZE   16
#define TX_SIZE     16384u /* a power of two */
#define POLL_PERIOD MILLISECS(10)

struct uart {
	uint16_t io;
	uint8_t irq, lcr;
	uint32_t baud, clock; /* baud 0: as the firmware left it */
	bool present, buffered, irq_works;
	/* Not in the lock order: printk() works under every lock. Interrupts off. */
	struct spinlock lock;
	uint32_t tx_prod, tx_cons;
	char tx[TX_SIZE];
	void (*receive)(char c);
	struct timer poll;
};

static struct uart com[2] = {
	{.io = 0x3f8, .irq = 4, .lcr = 3, .baud = 115200, .clock = 1843200},
	{.io = 0x2f8, .irq = 3, .lcr = 3, .baud = 115200, .clock = 1843200},
};
static struct uart *uart; /* the console's */

static int parse_frame(struct uart *u, const char *s)
{
	static const char parity[] = "noems"; /* none odd even mark space */
	static const uint8_t bits[] = {0, 1, 3, 5, 7};
	const char *p;

	if (s[0] < '5' || s[0] > '8' || !s[1] || !(p = strchr(parity, s[1])) ||
	    (s[2] != '1' && s[2] != '2'))
		return -EINVAL;
	u->lcr = (uint8_t)((s[0] - '5') | (s[2] - '1') << 2 | bits[p - parity] << 3);
	return 0;
}

static int parse_uart(struct uart *u, const char *s)
{
	if (!strncmp(s, "auto", 4)) {
		u->baud = 0;
		s += 4;
	} else {
		u->baud = (uint32_t)parse_number(s, &s);
		if (!u->baud)
			return -EINVAL;
	}
	if (*s == '/')
		u->clock = (uint32_t)parse_number(s + 1, &s) * 16;
	if (*s == ',') {
		if (s[1] != ',' && parse_frame(u, s + 1))
			return -EINVAL;
		s += s[1] == ',' ? 1 : 4;
	}
	if (*s == ',') {
		if (s[1] != ',')
			u->io = (uint16_t)parse_number(s + 1, &s);
		else
			s++;
	}
	if (*s == ',')
		u->irq = (uint8_t)parse_number(s + 1, &s);
	return *s ? -EINVAL : 0;
}

static int parse_com1(const char *s)
{
	return parse_uart(&com[0], s);
}
BOOT_OPTION_FN("com1", parse_com1);

static int parse_com2(const char *s)
{
	return parse_uart(&com[1], s);
}
BOOT_OPTION_FN("com2", parse_com2);

static uint8_t get(const struct uart *u, unsigned int reg)
{
	return inb((uint16_t)(u->io + reg));
}

static void set(const struct uart *u, unsigned int reg, uint8_t v)
{
	outb((uint16_t)(u->io + reg), v);
}

bool serial_init(unsigned int port)
{
	struct uart *u = &com[port - 1];
	uint32_t divisor;

	set(u, REG_SCRATCH, 0xa5);
	set(u, REG_IER, 0);
	if (get(u, REG_IER) || get(u, REG_LSR) == 0xff)
		return false;
	set(u, REG_LCR, LCR_DLAB | u->lcr);
	if (u->baud) {
		divisor = u->clock / (u->baud * 16);
		divisor = divisor ? divisor : 1;
		set(u, REG_DATA, (uint8_t)divisor);
		set(u, REG_IER, (uint8_t)(divisor >> 8));
	}
	set(u, REG_LCR, u->lcr);
	set(u, REG_IIR_FCR, 0x07); /* FIFOs on and cleared, receive at 1 byte */
	set(u, REG_MCR, 0x0b);     /* DTR, RTS, OUT2: lets the interrupt through */
	u->present = true;
	uart = u;
	return true;
}

/* Room for a FIFO's worth now? */
static bool tx_ready(const struct uart *u)
{
	return get(u, REG_LSR) & LSR_THR_EMPTY;
}

static void tx_some(struct uart *u)
{
	for (int i = 0; i < FIFO_SIZE && u->tx_cons != u->tx_prod; i++)
		set(u, REG_DATA, (uint8_t)u->tx[u->tx_cons++ % TX_SIZE]);
}

static void tx_drain(struct uart *u)
{
	while (u->tx_cons != u->tx_prod) {
		while (!tx_ready(u))
			cpu_relax();
		tx_some(u);
	}
}

static void tx_put(struct uart *u, char c)
{
	if (u->tx_prod - u->tx_cons == TX_SIZE) {
		while (!tx_ready(u))
			cpu_relax();
		tx_some(u);
	}
	u->tx[u->tx_prod++ % TX_SIZE] = c;
}

void serial_write(const char *s, size_t n)
{
	struct uart *u = uart;

	if (!u)
		return;
	spin_guard_irqsave(&u->lock);
	for (; n; n--, s++) {
		if (*s == '\n')
			tx_put(u, '\r');
		tx_put(u, *s);
	}
	if (!u->buffered)
		tx_drain(u);
	else if (tx_ready(u))
		tx_some(u); /* its end raises the next interrupt */
	if (u->irq_works && u->tx_cons != u->tx_prod)
		set(u, REG_IER, IER_RX | IER_TX);
}

/* In a panic: another CPU may have stopped with the lock; do without it then. */
void serial_drain(void)
{
	bool locked = false;

	if (!uart)
		return;
	for (int i = 0; i < 100000 && !locked; i++) {
		locked = spin_trylock(&uart->lock);
		cpu_relax();
	}
	if (!locked)
		spin_lock_init(&uart->lock, LOCK_NONE);
	tx_drain(uart);
	if (locked)
		spin_unlock(&uart->lock);
}

void serial_set_sync(void)
{
	if (uart)
		uart->buffered = false;
	serial_drain();
}

/* Interrupts off. What was received is handed on without the lock. */
static void service(struct uart *u)
{
	char received[64];
	unsigned int n = 0;

	spin_lock(&u->lock);
	while (n < sizeof(received) && (get(u, REG_LSR) & LSR_RX))
		received[n++] = (char)get(u, REG_DATA);
	if (u->tx_cons != u->tx_prod && tx_ready(u))
		tx_some(u);
	if (u->irq_works)
		set(u, REG_IER, u->tx_cons != u->tx_prod ? IER_RX | IER_TX : IER_RX);
	spin_unlock(&u->lock);
	for (unsigned int i = 0; i < n; i++)
		u->receive(received[i]);
}

static void serial_interrupt(void *arg)
{
	struct uart *u = arg;

	/* Until it says that there is nothing more: the line is an edge. */
	for (int i = 0; i < 16 && !(get(u, REG_IIR_FCR) & 1); i++)
		service(u);
}

static void serial_poll(void *arg)
{
	struct uart *u = arg;
	unsigned long flags = irq_save();

	service(u);
	irq_restore(flags);
	timer_set(&u->poll, now() + POLL_PERIOD);
}

void serial_start(void (*receive)(char c))
{
	struct uart *u = uart;

	if (!u)
		return;
	u->receive = receive;
	if (u->irq && !irq_request(u->irq, serial_interrupt, u, "serial")) {
		u->irq_works = true;
		u->buffered = true;
		set(u, REG_IER, IER_RX);
		return;
	}
	timer_init(&u->poll, serial_poll, u, 0);
	timer_set(&u->poll, now() + POLL_PERIOD);
}

bool serial_owns_port(uint16_t io_port)
{
	return uart && io_port >= uart->io && io_port < uart->io + 8;
}
