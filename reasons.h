/* SPDX-License-Identifier: MIT */
/* The reasons of kernels whose list was read: data for names.c. */
#ifndef REASONS_H
#define REASONS_H

#include <stdint.h>

enum {
	REASONS_NAMES = 133,  /* different names in reasons_text */
	REASONS_ROWS  = 11,
};

struct reasons {
	uint32_t       first;   /* KERNEL_VERSION() codes, both included */
	uint32_t       last;
	const uint8_t *list;    /* list[code] is the number of its name */
	uint32_t       count;   /* of this row's codes; the list may be longer */
};

/* An empty name, and then the names by number, each with its zero byte. */
extern const char reasons_text[];
extern const struct reasons reasons_table[REASONS_ROWS];

#endif
