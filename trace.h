/* SPDX-License-Identifier: MIT */
/* A run from its start to its end: what is traced with, the drops or counts, what became of it. */
#ifndef TRACE_H
#define TRACE_H

struct options;
struct output;
struct tracer;

/* Says what hinders it on standard error. application: the name and version. Exit status. */
int trace(struct tracer *, struct output *, const struct options *, const char *application);

/*
 * Makes signals that end a run a file descriptor, see signals_open(); a closed pipe,
 * or a file larger than it may be, becomes an error of write(2).
 */
int trace_catch_signals(const struct options *);

#endif
