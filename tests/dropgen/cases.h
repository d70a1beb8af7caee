/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_CASES_H
#define DROPGEN_CASES_H

#include <stddef.h>

#include "conn.h"
#include "net.h"
#include "record.h"

struct run;

struct drop_case {
	struct expected expected;
	int only;               /* 4 or 6, 0: both */
	int since;              /* the first kernel that makes the drop, 0: all */
	bool (*hides)(void);    /* does this kernel free it with nothing but __kfree_skb()? */
	const char *(*make)(struct run *r);
	const char *what;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A case of both families, its function of the same name. */
#define CASE(id, states_, reasons_, what_) CASE_UNNAMED(id, 0, states_, reasons_, what_)
#define CASE_UNNAMED(id, unnamed_, states_, reasons_, what_) \
	{ .expected = { .name = #id, .states = states_, .reasons = reasons_, \
	                .unnamed = unnamed_ }, \
	  .make = id, .what = what_ }

/* A case under way: its own connection, ports used by no other case. */
struct run {
	const struct drop_case *what;
	struct conn c;
	const char *skip;       /* set by make(): the kernel cannot make it */
};

extern const struct drop_case cases_listen[];
extern const size_t cases_listen_count;
extern const struct drop_case cases_established[];
extern const size_t cases_established_count;
extern const struct drop_case cases_close[];
extern const size_t cases_close_count;
extern const struct drop_case cases_ip[];
extern const size_t cases_ip_count;
extern const struct drop_case cases_filter[];
extern const size_t cases_filter_count;
extern const struct drop_case cases_socket[];
extern const size_t cases_socket_count;
extern const struct drop_case cases_link[];
extern const size_t cases_link_count;
extern const struct drop_case cases_large[];
extern const size_t cases_large_count;
extern const struct drop_case cases_never[];
extern const size_t cases_never_count;

/* Injects p and records it as the drop of this case. */
void case_drop(struct run *r, const struct packet *p);

/* The same with other states and reasons. */
void case_drop_as(struct run *r, const struct packet *p, const char *states, const char *reasons);

/*
 * Injects p, which the kernel accepts: up to 5.17 it frees some of these
 * with tcp_drop(), so there it may be shown.
 */
void case_accepted(struct run *r, const struct packet *p, const char *states);

const char *case_skip(struct run *r, const char *cause);

#endif
