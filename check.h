/* SPDX-License-Identifier: MIT */
/* --check: what this kernel offers and what tcpdrop would use, a line each. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

struct options;
struct tracer;

/* Prints the report to stdout. 0 when tcpdrop would trace, else 1. */
int check(struct tracer *, const struct options *);

/* What will not be seen, a line each; all: also that nothing is missed. */
void check_coverage(const struct tracer *, int fd, bool all);

/* The part of the report that tells probes and offsets, to a file descriptor (-v). */
void check_describe(const struct tracer *, int fd);

#endif
