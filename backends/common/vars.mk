# SPDX-License-Identifier: GPL-2.0-only
# What the fragments of the daemons, tests and benchmarks link from this folder.
# Fragments are read in sorted order (backends/blkback before backends/common), so
# each fragment that uses these names begins with
#     include backends/common/vars.mk
# Including it more than once changes nothing.

ifndef COMMON_SRCS

# A daemon's base: everything but the process machinery and the test doubles.
COMMON_SRCS := $(addprefix backends/common/,log.c limit.c metrics.c conf.c store.c store_xen.c \
	transport_xen.c stats.c stats_text.c)

# The supervisor, the state machine and the worker (their rules: process.mk).
PROCESS_SRCS = $(wildcard $(addprefix backends/common/,xenbus*.c supervisor*.c control*.c \
	worker*.c sandbox*.c))

# The make-believe guest, and the in-memory xenstore, for tests and benchmarks.
LOOPBACK_SRCS := backends/common/loopback.c
STORE_MEM_SRCS := $(addprefix backends/common/,store.c store_mem.c store_tree.c)

# Every allocation made to fail in turn: tests/unit/alloc_fault.h.
ALLOC_FAULT_SRCS := tests/unit/alloc_fault.c
ALLOC_FAULT_LIBS := $(foreach f,malloc calloc realloc aligned_alloc strdup open_memstream,-Wl,--wrap=$(f))

# Only what is used is linked: a worker's memory is counted in pages.
COMMON_LIBS := -Wl,--as-needed -lxengnttab -lxenevtchn -lxenstore -linih -lev -lcjson \
	-lseccomp -luring -laio -Wl,--no-as-needed

endif
