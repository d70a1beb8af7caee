/* SPDX-License-Identifier: MIT */
/* What an error of the kernel means here, and what to do about it. */
#ifndef ADVICE_H
#define ADVICE_H

#include <stddef.h>
#include <stdint.h>

/* The step that failed. */
enum step {
	STEP_NONE,
	STEP_RING,      /* perf_event_open and mmap of a ring */
	STEP_MAP,       /* a BPF map */
	STEP_ASK,       /* a program that is loaded to ask the verifier, or to test a ring */
	STEP_BUILD,     /* our own program text */
	STEP_LOAD,      /* the verifier */
	STEP_DUMP,      /* reading a program back */
	STEP_PMU,       /* looking for the kprobe PMU */
	STEP_SITES,     /* looking for inlined functions */
	STEP_KPROBE,    /* creating a kprobe */
	STEP_TRACEPOINT,/* attaching to a raw tracepoint */
	STEP_BIND,      /* program to kprobe */
	STEP_REPEATS,   /* a probe that would only show what another shows */
};

/* The step in words: "perf ring". */
const char *advice_step(enum step);

/*
 * One line into buf, "" when there is nothing to add. error is -errno; version
 * is LINUX_VERSION_CODE. Looks at our capabilities and the lockdown of the kernel.
 */
void advice(char *buf, size_t size, enum step, int error, uint32_t version);

#endif
