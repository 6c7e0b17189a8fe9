/* SPDX-License-Identifier: GPL-2.0-only */
/* Before all else: every symbol is in the image, so code reaches it without a table. */
#pragma GCC visibility push(hidden)
