/* SPDX-License-Identifier: MIT */
/*
 * A sample of a ring to a struct drop. What is in the sample comes from the
 * network: nothing in it is believed without a check.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdint.h>

struct drop;
struct sample;

/*
 * Fills out from the record and the stack of s. Returns 0; or -EBADMSG, out
 * untouched, when s holds no record (a gap), or one that is too short, of no IP
 * version, or at odds with its own headers.
 *
 * Not written: time and since_start. NULL, for the caller to fill in: probe
 * (decode_probe()), reason_name, state_name, and the names of the frames.
 *
 * out->length: the IP header's length without the headers in front of the
 * payload; where the IP header says 0 (a packet above 64 KiB, RFC 2675 or the
 * kernel's BIG TCP) the buffer's length stands for it. A data offset that is
 * less than 5 or points behind the end of the packet is not believed: the TCP
 * header then counts for its 20 bytes. 0 when has_tcp is false.
 *
 * out->headers points into s: as much of the headers as the record has, and
 * nothing of the payload.
 */
int decode_drop(const struct sample *s, struct drop *out);

/* event.probe of s, or -EBADMSG when s is too short for a record. */
int decode_probe(const struct sample *s);

/*
 * The index of the first of the frames to show: the one that equals location,
 * the return address into the function that dropped the packet. The frames
 * before it are the probe's own. frames when location is not among them.
 */
uint32_t decode_trim(const uint64_t *stack, uint32_t frames, uint64_t location);

#endif
