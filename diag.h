/* SPDX-License-Identifier: MIT */
/*
 * The question to NETLINK_SOCK_DIAG which socket a dropped packet belongs to,
 * and what its answer says. The kernel looks a packet's socket up the way it
 * does for one that is received: a connection first, then a listener.
 */
#ifndef DIAG_H
#define DIAG_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drop;

struct diag_request {
	struct nlmsghdr         header;
	struct inet_diag_req_v2 body;
};

/*
 * Fills in the question for the socket of d. false: no process can have that
 * socket open (none, TIME_WAIT, half-open), or which end is ours is not known.
 */
bool diag_ask(struct diag_request *, const struct drop *d);

/* A question that has no answer but whether the kernel can be asked. */
void diag_try(struct diag_request *);

/*
 * What size bytes received (aligned as a header) say: the socket's inode number, 0 if
 * no process has it open or it cannot be the one that was in state when it
 * dropped: a listener is found where a connection has gone.
 */
uint32_t diag_inode(const void *received, size_t size, uint8_t state);

/* The same for diag_try(): 0 or -errno. */
int diag_error(const void *received, size_t size);

#endif
