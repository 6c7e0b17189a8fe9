// SPDX-License-Identifier: GPL-2.0-only
/*
 * netback(8): serves the network interfaces of Xen guests. Without arguments the
 * supervisor; it starts itself with --worker for each guest.
 */
#include <string.h>

#include "backends/common/worker.h"
#include "backends/netback/vif.h"
#include "backends/netback/vif_backend.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--worker"))
		return worker_main(&vif_class);
	return supervisor_main(&vif_backend_class, argc, argv);
}
