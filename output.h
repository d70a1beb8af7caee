/* SPDX-License-Identifier: MIT */
/*
 * Bytes on their way to a file descriptor: collected, then written in as few
 * write(2) as there are rounds of drops.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "format.h"

#include <stddef.h>

enum { OUTPUT_ROOM = 64 * 1024 }; /* more than that is not kept back */

struct output {
	int    fd;
	int    error;   /* of write(2), -errno: from then on nothing is written */
	size_t used;
	size_t before;  /* bytes of buf that were written before error came */
	char   buf[OUTPUT_ROOM + FORMAT_MAX];
};

/* Where the next bytes go, and for how many there is room: always FORMAT_MAX at least. */
char  *output_end(struct output *);
size_t output_left(const struct output *);

/* size bytes were put at output_end(). Writes all out when it becomes much. */
void output_add(struct output *, size_t size);

/* Writes all out. */
void output_flush(struct output *);

#endif
