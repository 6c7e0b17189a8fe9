// SPDX-License-Identifier: GPL-2.0-only
/* CONSOLEIO_*: the hardware domain's terminal on the hypervisor's console. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/hypercall/hypercall.h"

static long console_write_call(unsigned int count, uint64_t buffer)
{
	char chunk[128];

	while (count) {
		size_t n = MIN((size_t)count, sizeof(chunk));

		if (preempt_check())
			return hypercall_continue(__HYPERVISOR_console_io, 3,
						  (uint64_t)CONSOLEIO_write, (uint64_t)count, buffer);
		if (copy_from_guest(chunk, buffer, n))
			return -EFAULT;
		console_write_guest(current->domain, chunk, n);
		buffer += n;
		count -= (unsigned int)n;
	}
	return 0;
}

static long console_read_call(unsigned int count, uint64_t buffer)
{
	char chunk[128];
	unsigned int done = 0;

	while (done < count) {
		size_t n = console_read_input(chunk, MIN((size_t)(count - done), sizeof(chunk)));

		if (!n)
			break;
		if (copy_to_guest(buffer + done, chunk, n))
			return -EFAULT;
		done += (unsigned int)n;
	}
	return done;
}

long do_console_io(unsigned int cmd, unsigned int count, uint64_t buffer)
{
#ifdef DEBUG
	/* As stock's debug builds do: what a guest says before it has a console. */
	bool may = cmd == CONSOLEIO_write || !access_check(ACCESS_CONSOLE, NULL);
#else
	bool may = !access_check(ACCESS_CONSOLE, NULL);
#endif

	if (!may)
		return -EPERM;
	switch (cmd) {
	case CONSOLEIO_write:
		return console_write_call(count, buffer);
	case CONSOLEIO_read:
		/* More than INT_MAX would not be told from an error. */
		return count > INT32_MAX ? -EINVAL : console_read_call(count, buffer);
	default:
		return -ENOSYS;
	}
}
