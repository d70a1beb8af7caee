/* SPDX-License-Identifier: MIT */
/*
 * What the kernel counted during a run in our own network namespace, and what of
 * it was shown.
 */
#ifndef TALLY_H
#define TALLY_H

#include "counters.h"
#include "names.h"

#include <stddef.h>
#include <stdint.h>

struct drop;

enum { TALLY_FILES = 2 };

struct tally {
	int             file[TALLY_FILES];      /* descriptors, -1: none */
	uint32_t        netns;                  /* our own, 0: not known */
	struct counters before;                 /* nothing known: the files cannot be read */
	struct counters after;
	uint64_t        shown[NAMES_REASONS];   /* drops, by reason */
};

/* Opens the files and reads them once: what counts since boot. */
void tally_start(struct tally *);

/* A drop that is shown; one that is known to be of another namespace does not count. */
void tally_drop(struct tally *, const struct drop *);

/* Reads the files again and closes them. */
void tally_stop(struct tally *);

#endif
