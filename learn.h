/* SPDX-License-Identifier: MIT */
/* What can be known of the kernel before anything is attached to it. */
#ifndef LEARN_H
#define LEARN_H

struct options;
struct tracer;

/*
 * Fills in version, offsets, reasons and the filter. 0, or -1 with one or two
 * lines in error, and usage when they are about the command line. Needs no
 * privilege: it takes the tables where the kernel does not answer.
 */
int learn_kernel(struct tracer *, const struct options *);

#endif
