/* SPDX-License-Identifier: MIT */
/*
 * Offsets from the bytes of one struct sk_buff whose packet is our own, for
 * kernels that cannot be asked (before 4.13) and whose configuration the table
 * may not know.
 */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

struct offsets;

enum { CALIBRATE_BYTES = 256 }; /* of struct sk_buff: all that we read is within */

/* An IPv4 packet without options that has come in over lo, at its transport header. */
struct calibrate_packet {
	uint32_t length;   /* from the transport header on */
	uint32_t priority; /* skb->priority, as SO_PRIORITY has set it */
	uint32_t ifindex;  /* of lo */
};

/*
 * Where the bytes are that packet's, sets what they tell and returns true. False,
 * and nothing changes, when they are not, or when they fit in more than one way.
 */
bool calibrate(struct offsets *, const uint8_t skb[CALIBRATE_BYTES],
               const struct calibrate_packet *);

#endif
