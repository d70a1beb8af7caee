/* SPDX-License-Identifier: MIT */
/*
 * Runs a BPF program in user space on made-up kernel memory, as strictly as the
 * verifier: an access outside of stack, context and map values, a register or
 * stack byte that was never written, or a helper called with the wrong kind of
 * argument stops it with a fault. Only the opcodes and helpers that tcpdrop
 * uses; another one is a fault too.
 */
#ifndef BPF_RUN_H
#define BPF_RUN_H

#include <linux/bpf.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../event.h"
#include "../program.h"

enum {
	RUN_REGIONS = 48,
	RUN_MARKS   = 8,
	RUN_EVENTS  = 4,
	RUN_BYTES   = 400, /* of an event */
	RUN_ROWS    = 8,
};

/* Map numbers, as the program has them for file descriptors. */
enum { RUN_COUNTERS = 100, RUN_RINGS, RUN_BELLS, RUN_CONTROL, RUN_MARKED, RUN_NOTES,
       RUN_SUMMARY };

struct run_region {
	uint64_t    at;
	size_t      size;
	const void *data;
};

struct bpf_run {
	struct run_region region[RUN_REGIONS]; /* what can be read of the kernel */
	unsigned          regions;
	struct run_region user[2];             /* readable by bpf_probe_read() only */
	unsigned          users;

	const void *context;
	size_t      context_size;
	char        comm[16];
	uint64_t    pid_tgid;                  /* bpf_get_current_pid_tgid() */
	uint64_t    pidns_dev, pidns_ino;      /* the namespace in which ... */
	uint32_t    pidns_tgid;                /* ... this is the thread group */

	uint32_t    cpu;                       /* counters are those of this CPU */
	uint64_t    counters[8];
	uint32_t    armed, unused;             /* these three are struct program_control */
	struct program_range release[2], list, droppers[4];
	uint64_t    note[3];                   /* struct note of this CPU */
	uint64_t    mark[RUN_MARKS];
	unsigned    marks;
	int         output_error;              /* what perf_event_output returns */

	uint64_t    now;                       /* bpf_ktime_get_ns(), which adds one each time */
	struct {
		struct summary_key   key;
		struct summary_count value;
	} row[RUN_ROWS];
	unsigned    rows, room;                /* room: how many the map may have */
	bool        race;                      /* another CPU makes each row just before we do */

	struct {
		int     map;                   /* RUN_RINGS or RUN_BELLS */
		size_t  size;
		uint8_t data[RUN_BYTES];
	} event[RUN_EVENTS];
	unsigned    events;

	unsigned    steps;                     /* instructions executed */
	int64_t     result;                    /* r0 at the end */
	char        fault[128];                /* "" when it ran to its end */
};

/* Makes memory readable at a kernel address; data is not copied. */
void bpf_run_map(struct bpf_run *, uint64_t at, const void *data, size_t size);

/* Runs the program once. What maps hold stays from run to run; events are added. */
bool bpf_run(struct bpf_run *, const struct bpf_insn *, unsigned count);

#endif
