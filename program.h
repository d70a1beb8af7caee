/* SPDX-License-Identifier: MIT */
/*
 * The text of the BPF program, from what is asked for, the probe, and the
 * offsets.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_asm;
struct filter;
struct inlined_site;
struct offsets;
struct probe;

/* Which drops are wanted. Everything set must hold. */
struct program_filter {
	uint8_t  family;      /* 0 both, 4, 6 */
	bool     has_pid;
	uint32_t pid;         /* thread group on the CPU */
	uint64_t pidns_dev, pidns_ino; /* not 0: the pid namespace that pid is of (5.7 on) */
	uint32_t netns;       /* inode of a network namespace; 0: any */
	bool     netns_sure;  /* what is of no known one is not wanted */
	uint32_t ifindex;     /* 0: any */
	const struct filter *expression; /* with numbers of reasons; NULL: none */
};

/* Maps by file descriptor. */
struct program_maps {
	int counters; /* array of a struct program_counters for each CPU */
	int rings;    /* perf event array: events that wake the reader when a ring fills */
	int bells;    /* perf event array, same rings: events that wake it at once */
	int control;  /* array of one struct program_control */
	int marks;    /* hash of buffer addresses that a kprobe has reported; -1: not wanted */
	int notes;    /* array of a struct note for each CPU; -1: not wanted */
	int summary;  /* hash of struct summary_key to struct summary_count, with -s */
};

/* A cache line each, as no CPU must wait for another. Per-CPU arrays are there from 4.6 on only. */
struct program_counters {
	uint64_t matched; /* TCP drops that passed the filter */
	uint64_t unfit;   /* those of them that found no room in the summary */
	uint64_t unused[6];
};

struct program_range {
	uint64_t start, end; /* addresses; 0 and 0: not known */
};

/* What the programs look at each time. */
struct program_control {
	uint32_t armed;   /* not 0 while the reader sleeps without a time-out */
	uint32_t unused;
	struct program_range release[2]; /* functions that release a buffer, and what hangs on it */
	struct program_range list;       /* the one that frees a list */
	struct program_range droppers[4]; /* where tcp_drop() may be called from */
};

struct program {
	const struct probe          *probe;
	uint8_t                      index;     /* goes into event.probe */
	uint8_t                      arguments; /* of the tracepoint */
	const struct inlined_site   *site;      /* of an inlined tcp_drop() */
	int32_t                      sk_drops;  /* where it is in struct sock; 0: not known */
	int32_t                      read;      /* BPF_FUNC_probe_read[_kernel, 5.5 on] */
	bool                         five_levels; /* of page tables: addresses of 57 bits */
	bool                         clears;    /* helpers fill only what was written (to 4.5) */
	bool                         packet;    /* its first bytes follow the event */
	bool                         summary;   /* count drops, and send none */
	bool                         has_consumed;
	uint32_t                     consumed;  /* SKB_CONSUMED of the running kernel: no drop */
	struct program_range         taker;     /* frees the SYNs it took; 0 and 0: none does */
	const struct offsets        *offsets;
	const struct program_filter *filter;
	struct program_maps          maps;
};

/*
 * Writes the program. 0, -ERANGE when the offsets do not fit together (a wrong
 * --offsets), or what bpf_asm_link() returns.
 */
int program_build(struct bpf_asm *, const struct program *);

/* Writes the program for the functions of probe->notes. 0, or what bpf_asm_link() returns. */
int program_build_note(struct bpf_asm *, const struct program *);

#endif
