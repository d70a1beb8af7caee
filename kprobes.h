/* SPDX-License-Identifier: MIT */
/*
 * Makes kprobes, as perf events: through the kprobe PMU (4.17 on), or else in the
 * file kprobe_events of tracefs. Those of the file are no file descriptors: they
 * stay until they are taken away. Each carries our process id, so that what a
 * process that was killed has left can be told from what is in use.
 */
#ifndef KPROBES_H
#define KPROBES_H

#include <stdbool.h>
#include <stdint.h>

struct kprobes {
	int      pmu;     /* its type, or -errno: through tracefs then */
	int      error;   /* 0, or -errno: there is no way to kprobes */
	int      tracefs; /* a directory, -1: not open */
	int      file;    /* kprobe_events in it */
	unsigned first;   /* number of the first that was made in it */
	unsigned count;   /* how many were made in it */
};

/* Nothing open yet. */
void kprobes_init(struct kprobes *);

/*
 * Finds the way, and takes away from the file what processes that are gone have
 * left. detached: see tracefs_open(). What failed is in error: -ENOENT when the
 * kernel has no kprobes for perf (CONFIG_KPROBE_EVENTS), -EACCES or -EPERM
 * without the right.
 */
void kprobes_open(struct kprobes *, bool detached);

/*
 * Makes a kprobe, which is off, at the entry of a function or, when that is
 * NULL, at an address; cpu is one that is online. Returns the perf event, or
 * -errno: -ENOENT no such function, -EINVAL it cannot be probed.
 */
int kprobes_make(struct kprobes *, const char *function, uint64_t address, int cpu);

/*
 * Opens an event of tracefs ("skb/kfree_skb"), which is off. The perf event, or
 * -errno: -ENODEV when tracefs is not open, as with the PMU.
 */
int kprobes_event(struct kprobes *, const char *name, int cpu);

/* Takes away all that was made in the file; the events must be closed. */
void kprobes_close(struct kprobes *);

#endif
