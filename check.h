/* SPDX-License-Identifier: MIT */
/* --check: what this kernel offers and what tcpdrop would use, a line each. */
#ifndef CHECK_H
#define CHECK_H

struct options;
struct tracer;

/* Prints the report to stdout. 0 when tcpdrop would trace, else 1. */
int check(struct tracer *, const struct options *);

/* The part of the report that tells probes and offsets, to a file descriptor (-v). */
void check_describe(const struct tracer *, int fd);

#endif
