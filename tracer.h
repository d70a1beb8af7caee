/* SPDX-License-Identifier: MIT */
/*
 * The kernel side as a whole: asks the kernel for its offsets and reasons, makes
 * the maps and rings, loads a program for each probe and attaches it. main.c
 * traces with it, check.c tells what it found.
 */
#ifndef TRACER_H
#define TRACER_H

#include "advice.h"
#include "bpf_asm.h"
#include "filter.h"
#include "inlined.h"
#include "kallsyms.h"
#include "kprobes.h"
#include "names.h"
#include "offsets.h"
#include "probe.h"
#include "program.h"
#include "ring.h"
#include "subsystems.h"

#include <stdbool.h>
#include <stdint.h>

struct options;

enum { TRACER_LOG = 256 * 1024 };

/* What became of one probe. */
struct tracer_probe {
	bool      wanted;    /* it was tried */
	bool      attached;
	enum step step;      /* where it failed */
	int       error;     /* -errno of that step */
	uint8_t   arguments; /* how many the tracepoint has */
	unsigned  count;     /* instructions of the program */
};

/* One place in the kernel where a program of ours runs. */
struct tracer_hook {
	int     event;   /* file descriptors, -1: none */
	int     program; /* hooks of one probe may share it */
	uint8_t probe;
	bool    is_note; /* it only notes whose packet is at work */
	const struct inlined_site *site; /* of an inlined tcp_drop(), else NULL */
};

struct tracer {
	/* small things first: they are within a short reach of the pointer */
	const struct options *options;
	uint32_t              version;       /* LINUX_VERSION_CODE */
	int32_t               read;          /* the helper that reads memory */
	unsigned              set;           /* probes to try, a bit each */
	unsigned              hooks;         /* how many of hook[] are in use */
	struct program_maps   maps;
	struct kprobes        kprobes;
	enum step             unasked;       /* where asking the kernel for offsets failed */
	int                   unasked_error;
	int                   unmeasured;    /* -errno of measure(), 0 when it was not tried */
	int                   symbols_error; /* -errno of reading them */
	bool                  symbols_read;
	bool                  sites_searched;
	bool                  drops_with_reasons; /* tcp_drop() frees with what gives reasons */
	unsigned              sites_probed;
	bool                  too_large;     /* the program is, for this kernel: error says so */
	int                   sites_error;   /* -errno of looking for inlined tcp_drop() */
	bool                  release_searched;
	struct program_control control;
	struct program_range  taker;         /* see struct program */
	bool                  five_levels;   /* see kernel_five_levels() */
	bool                  reads_memory;  /* the kernel lets programs do so, for all we know */
	bool                  has_names;
	bool                  has_consumed;  /* the number of SKB_CONSUMED is known */
	uint32_t              consumed;
	bool                  usage;         /* error is about the command line */
	const char           *names_from;    /* where reasons are from, or why there are none */

	struct rings          rings;
	struct tracer_probe   probe[PROBES];
	struct offsets        offsets;
	struct program_filter filter;
	struct filter         expression;
	struct kallsyms       symbols;
	struct inlined        inlined;       /* sites of tcp_drop() in the kernel's text */
	struct tracer_hook    hook[INLINED_MAX + 3 * PROBES];
	struct names          names;
	struct subsystems     subsystems;    /* names that names has not */
	char                  error[1024];   /* what failed, and what to do about it */
	struct bpf_asm        text;          /* the program built last */
	char                  log[TRACER_LOG]; /* the verifier's words on the last failure */
};

/*
 * Each returns 0, or -1 with one or two lines in error; learn_kernel() comes
 * first. open: rings, maps, probes. start: the kprobes are armed; the tracepoint
 * is from open on.
 */
int tracer_open(struct tracer *);
int tracer_start(struct tracer *);

/* Detaches, and waits until no program runs any more: the counters stand still. */
void tracer_stop(struct tracer *);

/* TCP drops that matched the filter so far, on all CPUs; those without room in the summary. */
uint64_t tracer_matched(const struct tracer *);
uint64_t tracer_unfit(const struct tracer *);

/* How many rows a summary has room for. */
unsigned tracer_rows(const struct tracer *);

/* Sends one event through a ring and reads it back. 0 or -errno; -EINVAL before 4.12. */
int tracer_test_ring(struct tracer *);

/* Has the reader nothing to do but wait? Then the next event wakes it. */
void tracer_arm(struct tracer *);

/*
 * Buffers that are parts of another (frag_list) are freed one by one with it, by
 * the functions that release it: no packet is dropped there. To 6.0 that is known before
 * anything is armed; later, which saves reading symbols at the start, the reader
 * calls find when the first drop has come, and leaves out what is one.
 */
void tracer_find_release(struct tracer *, bool keep_symbols);
bool tracer_is_member(const struct tracer *, uint64_t location);

/* Is the probe of that name attached; is any of that kind? */
bool tracer_attached(const struct tracer *, const char *name);
bool tracer_has(const struct tracer *, enum probe_kind);

/* Reads /proc/kallsyms when first asked. NULL, and symbols_error says why, when it cannot. */
const struct kallsyms *tracer_symbols(struct tracer *);

/* The name of a reason as it is shown, NULL: none is known. */
const char *tracer_reason(struct tracer *, uint32_t reason);

/* Loads the program in text: its file descriptor or -errno, and the verifier's words in log. */
int tracer_load(struct tracer *, uint32_t type);

/* Builds the program of a probe into text, as it would be loaded. 0 or -errno. */
int tracer_build(struct tracer *, unsigned probe, uint8_t arguments, const struct inlined_site *);

/* The same for the program of its notes. */
int tracer_build_note(struct tracer *, unsigned probe);

/* Says so in error, of the program in text: -E2BIG. */
int tracer_too_large(struct tracer *);

void tracer_close(struct tracer *);

#endif
