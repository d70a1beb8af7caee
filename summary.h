/* SPDX-License-Identifier: MIT */
/*
 * A table of counted drops as text, JSON or Prometheus' text format, piece by
 * piece: its begin, each row in order, its end. Each piece is bytes in a caller's
 * buffer of FORMAT_MAX or more; its length is returned, which may be 0.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "drop.h"
#include "event.h"
#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUMMARY_COLUMNS = 9 };

struct summary_row {
	struct summary_key   key;
	struct summary_count now;
	uint64_t             rate;   /* drops a second, in tenths */
	struct frame         place;  /* key.location, with its name */
	const char          *reason; /* NULL: no name known */
};

struct summary {
	struct summary_row **row;      /* in the order of summary_sort() */
	unsigned             rows;
	uint64_t             counted;  /* drops in the rows */
	uint64_t             uncounted; /* those without a row */
	uint64_t             rate;     /* of all, in tenths */
	uint64_t             time;     /* CLOCK_MONOTONIC, nanoseconds, as in the rows */
	uint64_t             start;
	uint64_t             to_wall;  /* CLOCK_REALTIME less that */

	/* how it looks */
	uint32_t             format;   /* enum options_format */
	struct format_style  style;    /* of times; colour */
	bool                 explain;  /* text: each row with the meaning of its reason */
	bool                 live;     /* text: over the table before, on a terminal */
	unsigned             columns;  /* text: at most so wide; 0: no limit */
	unsigned             left;     /* text: lines that are left of the window */
	/* set by summary_begin() */
	uint16_t             width[SUMMARY_COLUMNS];
	bool                 fits;     /* no row is wider than columns */
};

/* Tenths a second of what was counted in so many nanoseconds; 0 when they are too few. */
uint64_t summary_rate(uint64_t count, uint64_t nanoseconds);

/* By rate, then by count; for Prometheus, which adds up rows of the same labels, by these. */
void summary_sort(struct summary *);

size_t summary_begin(char *buf, size_t size, struct summary *);
/* *i is the row; it is moved behind what was written. */
size_t summary_rows(char *buf, size_t size, struct summary *, unsigned *i);
size_t summary_end(char *buf, size_t size, struct summary *);

#endif
