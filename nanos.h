/* SPDX-License-Identifier: MIT */
#ifndef NANOS_H
#define NANOS_H

#include <stdint.h>
#include <time.h>

enum { NANOS_SECOND = 1000000000 };

/* The time of a clock in nanoseconds: CLOCK_MONOTONIC, CLOCK_REALTIME (since 1970). */
uint64_t nanos(clockid_t clock);

#endif
