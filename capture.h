/* SPDX-License-Identifier: MIT */
/*
 * The file of packets (-w): opened, written in whole blocks, and ended. Nothing
 * is done by any of these while it is not open (path is NULL).
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "format.h"
#include "output.h"
#include "pcapng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drop;

struct capture {
	const char         *path;
	int                 socket;  /* names of devices are asked through it */
	uint32_t            netns;   /* ours; 0: not known */
	bool                settled; /* what an error left is cut to whole blocks */
	struct format_style style;   /* of the comments */
	struct pcapng       pcapng;
	struct output       out;     /* out.error: the file ended there */
};

/*
 * path "-" is standard output. 0, or -1 with a line in err. What is in a file of
 * that name is gone.
 */
int capture_open(struct capture *, const char *path, const char *application, char *err,
                 size_t size);

void capture_drop(struct capture *, const struct drop *);
void capture_lost(struct capture *, uint64_t count);

/* Writes out what there is. */
void capture_flush(struct capture *);

/*
 * Ends the file, of what was dropped from start to end (CLOCK_REALTIME), and says
 * what could not be written. Exit status: 0 or 1.
 */
int capture_end(struct capture *, uint64_t start, uint64_t end);

#endif
