/* SPDX-License-Identifier: MIT */
/*
 * Kprobes through the file kprobe_events of tracefs, for kernels without the
 * kprobe PMU (before 4.17). They are not file descriptors: they stay until they
 * are taken away. Each carries our process id, so that those of a process that
 * was killed can be told from those in use.
 */
#ifndef KPROBE_EVENTS_H
#define KPROBE_EVENTS_H

#include <stdint.h>

struct kprobe_events {
	int      tracefs; /* a directory, -1: not open */
	int      file;
	unsigned first;   /* number of the first that was made */
	unsigned count;   /* how many were made */
};

/*
 * Opens the file in a tracefs whose descriptor it takes over, and takes away
 * what processes that are gone have left. 0 or -errno: -ENOENT when the kernel
 * has no such file (CONFIG_KPROBE_EVENTS), -EACCES or -EPERM without the right.
 */
int kprobe_events_open(struct kprobe_events *, int tracefs);

/*
 * Makes a kprobe, which is off, at the entry of a function or, when that is
 * NULL, at an address. Returns the number by which perf_event_open(2) knows it,
 * or -errno: -ENOENT no such function, -EINVAL it cannot be probed.
 */
int kprobe_events_add(struct kprobe_events *, const char *function, uint64_t address);

/* Takes away all that was made; their perf events must be closed. */
void kprobe_events_close(struct kprobe_events *);

#endif
