/* SPDX-License-Identifier: MIT */
/* The text of explain.txt, packed: data for explain.c. */
#ifndef EXPLAIN_TEXT_H
#define EXPLAIN_TEXT_H

#include <stdint.h>

enum {
	EXPLAIN_TEXT_ROOM = 24 * 1024, /* for the text and a zero byte */
};

/*
 * A code below letter_count is a letter. Those from there on are each two
 * codes, both lower than it, two bytes in pairs.
 */
struct explain_text {
	const uint8_t *letters;
	const uint8_t *pairs;
	const uint8_t *codes;
	uint16_t       letter_count;
	uint16_t       code_count;
};

extern const struct explain_text explain_text;

#endif
