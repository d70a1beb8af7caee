/* SPDX-License-Identifier: MIT */
/* Offsets of struct sk_buff from a packet that we send to ourselves. */
#ifndef MEASURE_H
#define MEASURE_H

struct tracer;

/*
 * Sends one UDP datagram over lo to a port that nobody has, and looks at the
 * buffer the kernel drops it with. 0, and measured is set in t->offsets; or -errno:
 * -ENODATA when no buffer was seen that fits, or why one could not be looked at.
 */
int measure(struct tracer *);

/*
 * Finds net.ns.inum and net_device.nd_net: the sender of such a datagram and lo are
 * in our own network namespace, whose number is known. What cannot be confirmed so
 * is not known.
 */
void measure_netns(struct tracer *);

#endif
