/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own counters of refused and dropped TCP packets, as
 * /proc/net/netstat and /proc/net/snmp give them (net/ipv4/proc.c; IPv6 counts in
 * the same ones, /proc/net/snmp6 has none of TCP), and what of it was shown.
 * Counters that other protocols share, or that count connections, replies or
 * attempts instead of packets, are not among them.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stddef.h>
#include <stdint.h>

struct names;

enum {
	COUNTERS      = 27,
	COUNTERS_NAME = 32,   /* room for any name */
};

/* One reading. Begins as all zero bytes. */
struct counters {
	uint32_t known;             /* a bit each: this kernel has it */
	uint64_t value[COUNTERS];
};

/* The name of counter i as nstat(8) writes it, its group before it; terminated. */
void counters_name(char *buf, size_t size, unsigned i);

/* Adds those that text has: a line "Group: Name ...", then a line "Group: number ...". */
void counters_parse(struct counters *counters, const char *text);

/* By how much counter i rose; 0 for one not in both, or that fell. */
uint64_t counters_rise(const struct counters *before, const struct counters *after, unsigned i);

/*
 * A table of those that rose, each beside the drops shown with the reasons that
 * stand for it (shown: by reason, NAMES_REASONS of them), '-' where this kernel has
 * no such reason. Cut at size, terminated. Returns its length, 0: none rose.
 */
size_t counters_table(char *buf, size_t size, const struct counters *before,
                      const struct counters *after, const uint64_t *shown,
                      const struct names *names);

#endif
