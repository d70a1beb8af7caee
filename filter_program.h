/* SPDX-License-Identifier: MIT */
/* The expression as a part of the program. */
#ifndef FILTER_PROGRAM_H
#define FILTER_PROGRAM_H

struct builder;
struct filter;

/* If what is in the event does not pass the filter, goto label. r0 to r5 are lost. */
void filter_program(struct builder *, const struct filter *, int label);

#endif
