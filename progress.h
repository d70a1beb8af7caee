/* SPDX-License-Identifier: MIT */
/*
 * One line on a terminal that says how far we are, for when the drops go
 * elsewhere: "12345 drops, 230/s, 3 lost". It is written over in place and taken
 * away before anything else is written there. All of it in 0 is one that is off.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_COLUMNS = 48 }; /* a terminal must be wider */

struct progress {
	bool     on;
	bool     drawn;
	bool     late;      /* more is known than was drawn */
	uint32_t rate;      /* drops a second, as drawn */
	uint64_t count;     /* drops and lost, as drawn */
	uint64_t next;      /* when it may be drawn again */
	uint64_t since;     /* when the rate began to be taken, */
	uint64_t before;    /* and how many drops there had been */
};

/* Draws what is new, a few times a second; now in nanoseconds of any clock. */
void progress_update(struct progress *, uint64_t now, uint64_t drops, uint64_t lost);

/* How long to wait for drops before the next progress_update() at the latest; -1: for ever. */
int64_t progress_wait(const struct progress *);

void progress_clear(struct progress *);

#endif
