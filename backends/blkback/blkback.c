// SPDX-License-Identifier: GPL-2.0-only
/*
 * blkback(8): serves the disks of Xen guests. Without arguments the supervisor;
 * it starts itself with --worker for each guest.
 */
#include <string.h>

#include "backends/blkback/vbd.h"
#include "backends/blkback/vbd_backend.h"
#include "backends/common/worker.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--worker"))
		return worker_main(&vbd_worker_class);
	return supervisor_main(&vbd_backend_class, argc, argv);
}
