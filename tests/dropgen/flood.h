/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_FLOOD_H
#define DROPGEN_FLOOD_H

#include <stdio.h>

/*
 * count segments with a bad checksum over lo, their sequence numbers from first on;
 * rate a second, 0: as fast as possible. To that port.
 */
int flood(FILE *out, unsigned long long netns, unsigned long first, unsigned long count,
          unsigned long rate, unsigned long port);

#endif
