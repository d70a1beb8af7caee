/* SPDX-License-Identifier: MIT */
/* The run that shows each drop: from the rings to standard output and the file of packets. */
#ifndef STREAM_H
#define STREAM_H

#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct capture;
struct options;
struct output;
struct progress;
struct tally;
struct tracer;

struct stream {
	const struct options *options;
	struct tracer        *tracer;   /* started */
	struct tally         *tally;
	struct output        *out;
	struct capture       *capture;  /* open or not */
	struct progress      *progress;
	struct format_style   style;
	bool                  packets;  /* standard output gets packets, and no text */
	int                   signals;  /* readable: SIGWINCH, or one that ends the run */
	uint64_t              start;    /* CLOCK_MONOTONIC */
	uint64_t              to_wall;  /* CLOCK_REALTIME less that */
	uint64_t              before;   /* drops that matched while the probes were being armed */

	/* for the caller */
	uint64_t              shown;
	uint64_t              lost;
	uint64_t              seen;     /* shown + lost, by the kernel's count */
	bool                  ended;    /* the count is reached */

	bool                  named;    /* functions are shown by name */
	bool                  told_no_symbols;
	bool                  titled;   /* in the present width */
	uint64_t              members;  /* parts of other packets, which matched too */
};

/* Shows drops until the run is over, detaches, shows what is left. Errors are in the outputs. */
void stream(struct stream *);

/* Why functions are shown by address. */
void stream_say_no_symbols(const struct tracer *);

#endif
