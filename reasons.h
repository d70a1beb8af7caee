/* SPDX-License-Identifier: MIT */
/* The reasons of kernels whose list was read: data for names.c. */
#ifndef REASONS_H
#define REASONS_H

#include <stdint.h>

enum {
	REASONS_NAMES = 135,
	REASONS_ROWS  = 11,
};

struct reasons {
	uint32_t first; /* KERNEL_VERSION() codes, both included */
	uint32_t last;
	uint8_t  list;  /* which of reasons_absent */
	uint8_t  count; /* of codes; there may be more names */
};

/* The names by number are TEXTS_REASONS (texts.h). Codes follow the order. */
extern const struct reasons reasons_table[REASONS_ROWS];

/* Lists of the numbers of absent names, ascending; each ends with REASONS_NAMES. */
extern const uint8_t reasons_absent[];

#endif
