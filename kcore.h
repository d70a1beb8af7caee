/* SPDX-License-Identifier: MIT */
/* Kernel memory, read through /proc/kcore. */
#ifndef KCORE_H
#define KCORE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies size bytes at a kernel address. 0 or -errno: what open or read said
 * (EPERM under lockdown), -EFAULT when no segment has the address, -ENOEXEC
 * when the file is no ELF image of this machine.
 */
int kcore_read(uint64_t address, void *to, size_t size);

#endif
