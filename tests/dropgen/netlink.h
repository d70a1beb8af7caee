/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_NETLINK_H
#define DROPGEN_NETLINK_H

#include <stddef.h>
#include <stdint.h>

/* Messages to be sent at once. */
struct netlink {
	_Alignas(4) uint8_t data[2048];
	size_t n;
	size_t message;         /* where the open message begins */
};

/* A message and the header of its family's own. */
void netlink_begin(struct netlink *b, unsigned int type, unsigned int flags, const void *header,
                   size_t n);
void netlink_end(struct netlink *b);

void netlink_put(struct netlink *b, unsigned int type, const void *data, size_t n);
void netlink_put32(struct netlink *b, unsigned int type, uint32_t value);
void netlink_put_text(struct netlink *b, unsigned int type, const char *text);
void netlink_append(struct netlink *b, const void *data, size_t n);

/* An attribute that holds others, from the one to the other. */
size_t netlink_nest(struct netlink *b, unsigned int type);
void netlink_unnest(struct netlink *b, size_t at);

/* Sends them; the first error the kernel answers, or 0. */
int netlink_send(struct netlink *b, int protocol);

#endif
