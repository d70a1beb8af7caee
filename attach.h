/* SPDX-License-Identifier: MIT */
/*
 * The system calls: bpf(2) and perf_event_open(2) on kprobes. Everything is a
 * file descriptor, closed on exec; detaching is closing. All return a file
 * descriptor (or 0) and -errno.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include <linux/bpf.h>

#include <stddef.h>
#include <stdint.h>

struct attach_program {
	uint32_t               type;    /* BPF_PROG_TYPE_... */
	const struct bpf_insn *insn;
	unsigned               count;
	uint32_t               version; /* LINUX_VERSION_CODE; kprobes want it before 5.0 */
	char                  *log;     /* NULL, or where the verifier's words go */
	uint32_t               log_size;
};

int attach_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries);
int attach_map_set(int map, const void *key, const void *value);
int attach_map_get(int map, const void *key, void *value);

/* The key behind key, which may be next itself; the first when there is no such key. */
int attach_map_next(int map, const void *key, void *next);

int attach_load(const struct attach_program *);

/*
 * The program as the verifier translated it. Returns the number of
 * instructions, at most max; 0 when the kernel does not show them
 * (bpf_jit_harden, kptr_restrict).
 */
int attach_dump(int program, struct bpf_insn *, unsigned max);

/* How often the kernel ran the program not, because it was running already (5.12 on; else 0). */
uint64_t attach_missed(int program);

/* Runs a SCHED_CLS program once on an empty frame (4.12 on); result: what it returned. */
int attach_test_run(int program, uint32_t *result);

int attach_raw_tracepoint(int program, const char *name);

/* The kprobe PMU (4.17 on). */
int attach_kprobe_pmu(void);

/* A kprobe that is off, at the entry of a function or, when that is NULL, at an address. */
int attach_kprobe(int pmu, const char *function, uint64_t address, int cpu);

/* An event of tracefs by its id, off. */
int attach_event(int id, int cpu);

/* Each event of that kind (PERF_COUNT_SW_...) in this process, off. */
int attach_software(uint64_t kind);

int attach_bind(int event, int program);
int attach_enable(int event);

/* Closes *fd unless it is -1, and makes it -1: map, program and event go this way. */
void attach_close(int *fd);

#endif
