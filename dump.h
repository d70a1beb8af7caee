/* SPDX-License-Identifier: MIT */
/* --dump: lists the programs for this kernel, or for another by our table. */
#ifndef DUMP_H
#define DUMP_H

struct options;
struct tracer;

/* Prints to stdout; needs no privilege. Exit status: 0, 1 cannot be built, 2 bad target. */
int dump(struct tracer *, const struct options *);

#endif
