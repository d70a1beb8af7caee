/* SPDX-License-Identifier: MIT */
/* Signals as something to read. Those that are taken or blocked are below 32. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdint.h>

#define SIGNALS_BIT(number) ((uint32_t)1 << ((number) - 1))

/*
 * Those taken make the file descriptor readable; those blocked are ignored. -1
 * where the kernel has none to give (CONFIG_SIGNALFD): those taken then do what
 * they do by themselves.
 */
int signals_open(uint32_t taken, uint32_t blocked);

/* The number of the next one, or 0. */
uint32_t signals_take(int fd);

#endif
