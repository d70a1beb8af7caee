/* SPDX-License-Identifier: MIT */
/*
 * What is noted on the way to a drop: whose packet this CPU is working on, and
 * how many drops that socket had counted. Parts of programs.
 */
#ifndef NOTES_H
#define NOTES_H

#include <stdint.h>

struct builder;

/* A value of the map: a CPU's. */
struct note {
	uint64_t skb;
	uint64_t sk;
	uint32_t drops; /* sk->sk_drops, where its place is known */
	uint32_t unused;
};

/* The whole body of a program at the entry of a function (sk, skb): it notes them. */
void notes_write(struct builder *);

/*
 * If the socket noted on this CPU has counted no drop since, return. Else its
 * address is in the stack's noted, and what it has counted is known for the next.
 */
void notes_compare(struct builder *);

/* r9 = the socket noted with skb, or 0 */
void notes_read(struct builder *);

#endif
