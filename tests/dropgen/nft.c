/* SPDX-License-Identifier: MIT */
/*
 * One nftables rule through netlink: a table, a chain at the hook, and
 * "th dport PORT drop". One batch; the kernel answers with errors only, and
 * with an acknowledgement of the last message, which asks for it.
 */
#define _GNU_SOURCE

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft.h"

/* <linux/netfilter.h>, which collides with <netinet/in.h>. */
enum { DROP = 0, LOCAL_IN = 1, LOCAL_OUT = 3, INET = 1 };

struct batch {
	_Alignas(4) uint8_t data[2048];
	size_t n;
	size_t message;         /* where the open message begins */
};

static const char table[] = "dropgen", chain[] = "dropgen";

static void
append(struct batch *b, const void *data, size_t n)
{
	memcpy(b->data + b->n, data, n);
	b->n += n;
	while (b->n % 4)
		b->data[b->n++] = 0;
}

static void
message_begin(struct batch *b, unsigned int type, unsigned int flags, int family)
{
	struct nlmsghdr header = {
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	struct nfgenmsg general = { .nfgen_family = (uint8_t)family };

	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		general.res_id = htons(NFNL_SUBSYS_NFTABLES);
	b->message = b->n;
	append(b, &header, sizeof(header));
	append(b, &general, sizeof(general));
}

static void
message_end(struct batch *b)
{
	uint32_t n = (uint32_t)(b->n - b->message);

	memcpy(b->data + b->message, &n, sizeof(n));
}

static void
put(struct batch *b, unsigned int type, const void *data, size_t n)
{
	struct nlattr header = {
		.nla_len = (uint16_t)(sizeof(header) + n),
		.nla_type = (uint16_t)type,
	};

	append(b, &header, sizeof(header));
	append(b, data, n);
}

static void
put32(struct batch *b, unsigned int type, uint32_t value)
{
	value = htonl(value);
	put(b, type, &value, sizeof(value));
}

static void
put_text(struct batch *b, unsigned int type, const char *text)
{
	put(b, type, text, strlen(text) + 1);
}

static size_t
nest(struct batch *b, unsigned int type)
{
	size_t at = b->n;

	put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void
unnest(struct batch *b, size_t at)
{
	uint16_t n = (uint16_t)(b->n - at);

	memcpy(b->data + at, &n, sizeof(n));
}

static void
put_table(struct batch *b, unsigned int type)
{
	message_begin(b, NFNL_SUBSYS_NFTABLES << 8 | type,
	              type == NFT_MSG_NEWTABLE ? NLM_F_CREATE | NLM_F_ACK : NLM_F_ACK, INET);
	put_text(b, NFTA_TABLE_NAME, table);
	message_end(b);
}

static void
put_chain(struct batch *b, uint32_t hook)
{
	size_t at;

	message_begin(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK,
	              INET);
	put_text(b, NFTA_CHAIN_TABLE, table);
	put_text(b, NFTA_CHAIN_NAME, chain);
	at = nest(b, NFTA_CHAIN_HOOK);
	put32(b, NFTA_HOOK_HOOKNUM, hook);
	put32(b, NFTA_HOOK_PRIORITY, 0);
	unnest(b, at);
	put_text(b, NFTA_CHAIN_TYPE, "filter");
	message_end(b);
}

static size_t
expression_begin(struct batch *b, const char *name, size_t *data)
{
	size_t at = nest(b, NFTA_LIST_ELEM);

	put_text(b, NFTA_EXPR_NAME, name);
	*data = nest(b, NFTA_EXPR_DATA);
	return at;
}

static void
put_load(struct batch *b, uint32_t offset)
{
	size_t data, at = expression_begin(b, "payload", &data);

	put32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put32(b, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put32(b, NFTA_PAYLOAD_OFFSET, offset);
	put32(b, NFTA_PAYLOAD_LEN, 2);
	unnest(b, data);
	unnest(b, at);
}

static void
put_equal(struct batch *b, uint16_t value)
{
	size_t data, at = expression_begin(b, "cmp", &data), inner;

	value = htons(value);
	put32(b, NFTA_CMP_SREG, NFT_REG_1);
	put32(b, NFTA_CMP_OP, NFT_CMP_EQ);
	inner = nest(b, NFTA_CMP_DATA);
	put(b, NFTA_DATA_VALUE, &value, sizeof(value));
	unnest(b, inner);
	unnest(b, data);
	unnest(b, at);
}

static void
put_drop(struct batch *b)
{
	size_t data, at = expression_begin(b, "immediate", &data), value, verdict;

	put32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	value = nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nest(b, NFTA_DATA_VERDICT);
	put32(b, NFTA_VERDICT_CODE, DROP);
	unnest(b, verdict);
	unnest(b, value);
	unnest(b, data);
	unnest(b, at);
}

static void
put_rule(struct batch *b, uint16_t port, bool out)
{
	size_t at;

	message_begin(b, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
	              NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, INET);
	put_text(b, NFTA_RULE_TABLE, table);
	put_text(b, NFTA_RULE_CHAIN, chain);
	at = nest(b, NFTA_RULE_EXPRESSIONS);
	put_load(b, out ? 0 : 2);
	put_equal(b, port);
	put_drop(b);
	unnest(b, at);
	message_end(b);
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

static int
transact(struct batch *b)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), ret;

	if (fd < 0)
		return -errno;
	message_begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	message_end(b);
	ret = send(fd, b->data, b->n, 0) < 0 ? -errno : answer(fd);
	close(fd);
	return ret;
}

static void
batch_begin(struct batch *b)
{
	b->n = 0;
	message_begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	message_end(b);
}

int
nft_drop(uint16_t port, bool out)
{
	struct batch b;

	batch_begin(&b);
	put_table(&b, NFT_MSG_NEWTABLE);
	put_chain(&b, out ? LOCAL_OUT : LOCAL_IN);
	put_rule(&b, port, out);
	return transact(&b);
}

void
nft_clear(void)
{
	struct batch b;

	batch_begin(&b);
	put_table(&b, NFT_MSG_DELTABLE);
	transact(&b);
}
