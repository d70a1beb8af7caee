/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU perf rings: open, wait, drain in time order, report what was lost
 * where it was lost.
 */
#ifndef RING_H
#define RING_H

#include "event.h"

#include <stdbool.h>
#include <stdint.h>

struct ring;

struct rings {
	struct ring   *ring;
	unsigned       count;     /* CPU numbers the kernel has room for */
	unsigned       open;      /* of them online: each has a ring */
	unsigned       first;     /* the lowest CPU that has one */
	struct pollfd *poll;      /* open rings, and two more for the caller */
	uint64_t       size;      /* bytes of one ring */
	uint64_t       limit;     /* samples later than this wait for the next round */
	bool           stacks;
	bool           behind;    /* this round began with a ring more than half full */
	uint8_t       *record;    /* the last sample's */
};

/*
 * Opens a ring of kib KiB (rounded up to a power of two pages) and its bell on
 * each online CPU; stacks asks perf for the kernel stack of each event. 0 or
 * -errno: EMFILE too many open files, ENOMEM no more memory may be locked.
 */
int  rings_open(struct rings *, uint32_t kib, bool stacks);
void rings_close(struct rings *);

/* Hands each CPU's event and bell to set(cpu, event, bell, context), until it returns not 0. */
int  rings_each(struct rings *, int (*set)(unsigned cpu, int event, int bell, void *context),
                void *context);

enum { RINGS_HUNG_UP = 1, RINGS_READABLE = 2 };

/*
 * Sleeps until a ring is a quarter full, a bell rings, the writer has hung up,
 * the reader has something to read, or nanoseconds have passed (negative: no
 * limit). Returns which of the two above, or -errno.
 */
int  rings_wait(struct rings *, int64_t nanoseconds, int writer, int reader);

/*
 * A round takes what is in the rings at its start, in time order over all CPUs.
 * The sample is valid until the next call of either. false: the round is over.
 */
void rings_round(struct rings *);
bool rings_next(struct rings *, struct sample *);

#endif
