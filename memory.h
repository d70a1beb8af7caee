/* SPDX-License-Identifier: MIT */
/*
 * Memory in whole pages, straight from the kernel, for a few large regions: it
 * grows in place where it can, and pages never touched cost nothing.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/*
 * Makes a region of size bytes, or gives one (p not NULL) that size; it may
 * move. What is new is zero. NULL when there is no memory: p is as it was.
 */
void *memory_resize(void *p, size_t size);

void memory_free(void *p);

#endif
