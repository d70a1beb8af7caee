/* SPDX-License-Identifier: MIT */
/*
 * Netlink messages by hand. The kernel answers with errors only, and with an
 * acknowledgement of each message that asks for one.
 */
#define _GNU_SOURCE

#include <linux/netlink.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

void
netlink_append(struct netlink *b, const void *data, size_t n)
{
	memcpy(b->data + b->n, data, n);
	b->n += n;
	while (b->n % 4)
		b->data[b->n++] = 0;
}

void
netlink_begin(struct netlink *b, unsigned int type, unsigned int flags, const void *header,
              size_t n)
{
	struct nlmsghdr message = {
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};

	b->message = b->n;
	netlink_append(b, &message, sizeof(message));
	netlink_append(b, header, n);
}

void
netlink_end(struct netlink *b)
{
	uint32_t n = (uint32_t)(b->n - b->message);

	memcpy(b->data + b->message, &n, sizeof(n));
}

void
netlink_put(struct netlink *b, unsigned int type, const void *data, size_t n)
{
	struct nlattr header = {
		.nla_len = (uint16_t)(sizeof(header) + n),
		.nla_type = (uint16_t)type,
	};

	netlink_append(b, &header, sizeof(header));
	netlink_append(b, data, n);
}

void
netlink_put32(struct netlink *b, unsigned int type, uint32_t value)
{
	netlink_put(b, type, &value, sizeof(value));
}

void
netlink_put_text(struct netlink *b, unsigned int type, const char *text)
{
	netlink_put(b, type, text, strlen(text) + 1);
}

size_t
netlink_nest(struct netlink *b, unsigned int type)
{
	size_t at = b->n;

	netlink_put(b, type | NLA_F_NESTED, "", 0);
	return at;
}

void
netlink_unnest(struct netlink *b, size_t at)
{
	uint16_t n = (uint16_t)(b->n - at);

	memcpy(b->data + at, &n, sizeof(n));
}

/* The first error the kernel reports, or that it reports nothing. */
static int
answer(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	_Alignas(4) uint8_t buf[8192];
	int error = -ETIMEDOUT;

	while (poll(&pfd, 1, error == -ETIMEDOUT ? 2000 : 20) > 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		struct nlmsghdr header;
		struct nlmsgerr reply;

		if (n < (ssize_t)(sizeof(header) + sizeof(reply.error)))
			return -EPROTO;
		memcpy(&header, buf, sizeof(header));
		if (header.nlmsg_type != NLMSG_ERROR)
			continue;
		memcpy(&reply.error, buf + sizeof(header), sizeof(reply.error));
		error = reply.error;
		if (error)
			return error;
	}
	return error;
}

int
netlink_send(struct netlink *b, int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), ret;

	if (fd < 0)
		return -errno;
	ret = send(fd, b->data, b->n, 0) < 0 ? -errno : answer(fd);
	close(fd);
	return ret;
}
