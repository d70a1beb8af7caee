/* SPDX-License-Identifier: MIT */
#ifndef FIND_PACKET_H
#define FIND_PACKET_H

struct builder;

/*
 * Writes: r8 = TCP header, event.ip and event.tcp filled; DONE when it is no TCP
 * packet or is not freed.
 */
void find_packet(struct builder *);

#endif
