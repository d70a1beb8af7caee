/* SPDX-License-Identifier: MIT */
/*
 * The places in the kernel we can attach to, best first, and what each gives.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_kind {
	PROBE_KPROBE,     /* entry of a function, sees the registers */
	PROBE_SITES,      /* kprobes at the calls of a function, where inlined.c finds them */
	PROBE_GROWN,      /* entry of a function, a drop only when sk->sk_drops has grown */
	PROBE_TRACEPOINT, /* raw tracepoint */
	PROBE_EVENT,      /* the same as an event of tracefs: before 4.17 */
};

enum { PROBES = 8, PROBE_ALL = (1 << PROBES) - 1 };

/* Arguments are counted from 1, of sites those of tcp_drop(); 0: the probe does not give it. */
struct probe {
	const char     *name;     /* of --probe */
	const char     *label;    /* "kprobe:kfree_skb", as shown in JSON */
	const char     *symbol;   /* the function, or the tracepoint */
	const char     *notes[2]; /* functions (sk, skb) that tell it whose packet is at work */
	enum probe_kind kind;
	uint8_t         sk, skb, location, reason;
	bool            shared;   /* entered also while others hold the buffer: no drop then */
	bool            instead;  /* a kernel has one of these: the first that attaches */
	uint32_t        first, last; /* LINUX_VERSION_CODEs that have it, but for backports */
};

/* The probe by its place in the table, 0 to PROBES - 1. */
const struct probe *probe_get(unsigned index);

/* Reads the list of --probe into a set of bits. 0, or -EINVAL with what was wrong in err. */
int probe_parse(const char *list, unsigned *set, char *err, size_t size);

#endif
