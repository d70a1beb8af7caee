/* SPDX-License-Identifier: MIT */
/* What tests/pack makes: data for texts.c. */
#ifndef PACKED_H
#define PACKED_H

#include <stdint.h>

#include "texts.h"

/* Where each text begins, unpacked, and the last ends. */
extern const uint16_t packed_starts[TEXTS + 1];

/* For unpack(). */
extern const uint8_t packed_bytes[];

#endif
