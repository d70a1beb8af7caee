/* SPDX-License-Identifier: MIT */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include <errno.h>
#include <string.h>

#include "diag.h"
#include "drop.h"

enum {
	INET = 2, INET6 = 10, PROTO_TCP = 6, /* <linux/socket.h> of the kernel, <linux/in.h> */
	TIME_WAIT = 6, LISTEN = 10, NEW_SYN_RECV = 12, /* <net/tcp_states.h> */
	SYN_ACK = 0x12,
};

static void
start(struct diag_request *q, uint16_t flags)
{
	*q = (struct diag_request){
		.header = {
			.nlmsg_len = sizeof(*q), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		},
		.body = {
			.sdiag_family = INET, .sdiag_protocol = PROTO_TCP,
			.id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
		},
	};
}

/* A listener sends no SYN|ACK but with SYN cookies, and of one received it is not the owner. */
static bool
has_owner(const struct drop *d)
{
	return d->has_ports && d->state && d->state != TIME_WAIT && d->state != NEW_SYN_RECV
	       && (d->received || d->sent
	           || (d->state == LISTEN && (d->flags & SYN_ACK) != SYN_ACK));
}

static void
put_end(struct inet_diag_sockid *id, bool ours, const uint8_t *ip, uint16_t number)
{
	const uint8_t port[2] = { (uint8_t)(number >> 8), (uint8_t)number };

	memcpy(ours ? id->idiag_src : id->idiag_dst, ip, 16);
	memcpy(ours ? &id->idiag_sport : &id->idiag_dport, port, sizeof(port));
}

bool
diag_ask(struct diag_request *q, const struct drop *d)
{
	struct inet_diag_sockid *id = &q->body.id;

	start(q, 0);
	if (d->ip == 6)
		q->body.sdiag_family = INET6;
	id->idiag_if = d->ifindex;
	put_end(id, d->sent, d->saddr, d->sport);
	put_end(id, !d->sent, d->daddr, d->dport);
	return has_owner(d);
}

/* A list of the sockets in no state at all. */
void
diag_try(struct diag_request *q)
{
	start(q, NLM_F_DUMP);
}

uint32_t
diag_inode(const void *received, size_t size, uint8_t state)
{
	const struct nlmsghdr *header = received;
	const struct inet_diag_msg *m = (const void *)(header + 1);

	if (size < sizeof(*header) + sizeof(*m) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY
	    || (m->idiag_state == LISTEN) != (state == LISTEN))
		return 0;
	return m->idiag_inode;
}

/* NLMSG_DONE and NLMSG_ERROR begin with the same number. */
int
diag_error(const void *received, size_t size)
{
	const struct nlmsghdr *header = received;
	int error;

	if (size < sizeof(*header) + sizeof(error) || header->nlmsg_type > NLMSG_DONE)
		return -EIO;
	memcpy(&error, header + 1, sizeof(error));
	return error;
}
