/* SPDX-License-Identifier: MIT */
/* Reads the kernel's text and looks for inlined tcp_drop() in it. */
#ifndef SITES_H
#define SITES_H

struct inlined;
struct kallsyms;

/*
 * target: the function that such a site calls. 0; -ENOENT when the symbols that
 * are needed or the sites are not there; what kcore_read() says; -ENOMEM.
 */
int sites_find(struct inlined *, const struct kallsyms *, const char *target);

#endif
