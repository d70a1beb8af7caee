/* SPDX-License-Identifier: MIT */
/*
 * A line in words: how far a dropped segment is from what its socket expected,
 * the segment's own window and length, and the socket's numbers. It says what is
 * certain and no more; where nothing is to be compared with, the segment's own
 * numbers stand, as tcpdump(8) writes them.
 */
#ifndef EXTENDED_H
#define EXTENDED_H

struct drop;
struct out;

void extended_put(struct out *, const struct drop *);

#endif
