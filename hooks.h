/* SPDX-License-Identifier: MIT */
/* The probes of a tracer as they are attached: kprobes, sites, the tracepoint. */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdint.h>

struct tracer;

/*
 * Tries the probes that are wanted and notes in probe[] what became of each.
 * The kprobes are off, the tracepoint is not. 0; -1 when none is attached.
 */
int hooks_open(struct tracer *);

/* Arms the kprobes. 0 or -errno. */
int hooks_enable(struct tracer *);

/* Detaches all; the programs stay until hooks_close(). */
void hooks_detach(struct tracer *);
void hooks_close(struct tracer *);

/* Frees that no program saw, because an interrupt met one that was running. */
uint64_t hooks_missed(const struct tracer *);

#endif
