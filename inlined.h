/* SPDX-License-Identifier: MIT */
/*
 * Finds the places in the kernel's text where the compiler has inlined
 * tcp_drop(), which to 5.17 frees a packet that neither kfree_skb() nor the
 * tracepoint sees. x86-64 only: elsewhere there are none.
 */
#ifndef INLINED_H
#define INLINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INLINED_MAX = 64 };

struct inlined_site {
	uint64_t address;  /* of the addition to sk_drops */
	int32_t  sk_drops; /* its displacement */
	int8_t   skb;      /* the register that holds the packet, 0 to 15; -1: not understood */
	uint8_t  base;     /* the register that holds the socket, plus back */
	int32_t  back;     /* sk_drops where it holds the address of that, else 0 */
	bool     frees;    /* target is called soon after */
};

struct inlined {
	unsigned            count;
	unsigned            unclear; /* places that add to sk_drops, not understood or too many */
	int32_t             sk_drops; /* offset of sk->sk_drops; 0: not known */
	uint64_t            start, end; /* the text that was looked through */
	struct inlined_site site[INLINED_MAX];
};

/* Looks through n bytes of kernel text that are at address; target is __kfree_skb(). */
void inlined_scan(struct inlined *, const uint8_t *text, size_t n, uint64_t address,
                  uint64_t target);

/*
 * After the last scan: keeps the sites whose displacement is that of most, or 0
 * (a register holds the address of sk_drops itself), and counts in unclear what
 * adds to sk_drops but is not understood. Where no site is, sk_drops is known if
 * enough of them agree on it.
 */
void inlined_finish(struct inlined *);

/* Leaves out the sites from start to end: a function that has a probe of its own. */
void inlined_leave_out(struct inlined *, uint64_t start, uint64_t end);

#endif
