/* SPDX-License-Identifier: MIT */
/* Reads the kernel's text and looks for inlined tcp_drop() in it. */
#ifndef SITES_H
#define SITES_H

#include <stdint.h>

struct inlined;
struct kallsyms;

/*
 * target: the function that such a site calls. helper: the one that reads memory.
 * 0; -ENOENT when the symbols that are needed or the sites are not there; what
 * peek() says; -ENOMEM.
 */
int sites_find(struct inlined *, const struct kallsyms *, const char *target, int32_t helper);

#endif
