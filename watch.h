/* SPDX-License-Identifier: MIT */
/* The run of -s: what the programs count becomes a table every so often. */
#ifndef WATCH_H
#define WATCH_H

#include <stdint.h>

struct output;
struct progress;
struct tally;
struct tracer;
struct zone;

struct watch {
	struct tracer     *tracer;  /* started */
	struct tally      *tally;   /* its shown gets what was counted */
	struct output     *out;
	struct progress   *progress;
	const struct zone *zone;
	int                signals; /* readable: it is to end */
	uint64_t           start;   /* CLOCK_MONOTONIC */
	uint64_t           to_wall; /* CLOCK_REALTIME less that */

	/* for the caller */
	uint64_t           counted; /* drops in the last table, and those without a row */
	uint64_t           uncounted;
};

/* Counts, detaches, and writes the last table. Not 0: it failed, is told, or is in out->error. */
int watch(struct watch *);

#endif
