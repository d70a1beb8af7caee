/* SPDX-License-Identifier: MIT */
/*
 * Kernel memory: read through /proc/kcore or, where the kernel has none, by a
 * BPF program that runs at page faults of our own.
 */
#ifndef PEEK_H
#define PEEK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies size bytes at a kernel address. helper: the one that reads memory on
 * this kernel. 0 or -errno, which is that of /proc/kcore when neither way works.
 * The program needs Linux 4.9.
 */
int peek(int32_t helper, uint64_t address, void *to, size_t size);

/* The second way alone. */
int peek_by_program(int32_t helper, uint64_t address, void *to, size_t size);

#endif
