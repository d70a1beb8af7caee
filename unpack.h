/* SPDX-License-Identifier: MIT */
/* Text out of what tests/pack has packed. */
#ifndef UNPACK_H
#define UNPACK_H

#include <stddef.h>
#include <stdint.h>

enum {
	UNPACK_BEFORE = 7, /* bytes that are looked back at */
};

/*
 * Fills out, in front of which there are UNPACK_BEFORE zero bytes; without memory
 * for it, it stays as it is. To be called once only.
 */
void unpack(char *out, size_t size, const uint8_t *packed);

#endif
