/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_RECORD_H
#define DROPGEN_RECORD_H

#include <stdbool.h>
#include <stdio.h>

struct packet;

/*
 * What the reader of a drop must see. Lists are names joined with '|'; a state
 * of "-" is no socket. The first state is the one the packet's socket had, the
 * others are what it may have become by the time the kernel frees the packet.
 */
struct expected {
	const char *name;
	const char *states;
	const char *reasons;
	unsigned long long netns;       /* 0: the generator's own */
	int unnamed;            /* before this kernel the reason may be NOT_SPECIFIED, 0: 6.0 */
	bool optional;          /* a drop on some kernels only */
	bool any_header;        /* the packet ends before the flags */
	bool any_window;        /* the kernel's own packet */
	bool any_length;        /* the headers contradict each other */
};

void record_open(FILE *out, unsigned long long netns);
void record_drop(const struct expected *e, const struct packet *p);
void record_skip(const char *name, int ip, const char *cause);
void record_error(const char *name, int ip, const char *cause);

/* A conversation of which nothing may be shown, but packets with the flags in allow. */
void record_never(const char *name, int ip, unsigned int sport, unsigned int dport,
                  const char *allow);

#endif
