/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include <unistd.h>

#include "nanos.h"

/*
 * The bare system call: the vDSO is worth its code for more than a few in each round.
 * On machines of 32 bits there are two, of which libc finds the one that is there.
 */
uint64_t
nanos(clockid_t clock)
{
	struct timespec t;

#ifdef SYS_clock_gettime
	syscall(SYS_clock_gettime, clock, &t);
#else
	clock_gettime(clock, &t);
#endif
	return (uint64_t)t.tv_sec * NANOS_SECOND + (uint64_t)t.tv_nsec;
}
