/* SPDX-License-Identifier: MIT */
#ifndef FIND_SOCKET_H
#define FIND_SOCKET_H

struct builder;

/*
 * Writes: at HAVE_SOCKET and what follows it r9 is the packet's socket and event.state its state;
 * SOCKETLESS when it has none, COPY when no packet is dropped.
 */
void find_socket(struct builder *);

#endif
