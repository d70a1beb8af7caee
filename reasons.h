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
	uint32_t       first;   /* KERNEL_VERSION() codes, both included */
	uint32_t       last;
	const uint8_t *absent;  /* numbers of names it does not have, ascending; ends with none */
	uint32_t       count;   /* of codes; there may be more names */
};

/* The names by number are TEXTS_REASONS (texts.h). Codes follow the order. */
extern const struct reasons reasons_table[REASONS_ROWS];

#endif
