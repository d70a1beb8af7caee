/* SPDX-License-Identifier: MIT */
/*
 * One nftables rule through netlink: a table, a chain at the hook, and
 * "th dport PORT drop". One batch.
 */
#define _GNU_SOURCE

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "net.h"
#include "netlink.h"
#include "nft.h"

/* <linux/netfilter.h>, which collides with <netinet/in.h>. */
enum { DROP = 0, INGRESS = 0, LOCAL_IN = 1, LOCAL_OUT = 3, INET = 1, NETDEV = 5 };

static const struct place {
	int family;
	uint32_t hook;
	const char *device;
	uint32_t port_at;       /* in the TCP header */
} places[] = {
	[NFT_IN] = { INET, LOCAL_IN, NULL, 2 },
	[NFT_OUT] = { INET, LOCAL_OUT, NULL, 0 },
	[NFT_INGRESS] = { NETDEV, INGRESS, net_tun, 2 },
};

static const char table[] = "dropgen", chain[] = "dropgen";

static void
message_begin(struct netlink *b, unsigned int type, unsigned int flags, int family)
{
	struct nfgenmsg general = { .nfgen_family = (uint8_t)family };

	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		general.res_id = htons(NFNL_SUBSYS_NFTABLES);
	netlink_begin(b, type, flags, &general, sizeof(general));
}

static void
put32(struct netlink *b, unsigned int type, uint32_t value)
{
	value = htonl(value);
	netlink_put(b, type, &value, sizeof(value));
}

static void
table_message(struct netlink *b, unsigned int type, unsigned int flags, int family)
{
	message_begin(b, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | flags, family);
}

static void
put_table(struct netlink *b, unsigned int type, unsigned int flags, int family)
{
	table_message(b, type, flags, family);
	netlink_put_text(b, NFTA_TABLE_NAME, table);
	netlink_end(b);
}

static void
put_chain(struct netlink *b, const struct place *at)
{
	size_t hook;

	table_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, at->family);
	netlink_put_text(b, NFTA_CHAIN_TABLE, table);
	netlink_put_text(b, NFTA_CHAIN_NAME, chain);
	hook = netlink_nest(b, NFTA_CHAIN_HOOK);
	put32(b, NFTA_HOOK_HOOKNUM, at->hook);
	put32(b, NFTA_HOOK_PRIORITY, 0);
	if (at->device)
		netlink_put_text(b, NFTA_HOOK_DEV, at->device);
	netlink_unnest(b, hook);
	netlink_put_text(b, NFTA_CHAIN_TYPE, "filter");
	netlink_end(b);
}

static size_t
expression_begin(struct netlink *b, const char *name, size_t *data)
{
	size_t at = netlink_nest(b, NFTA_LIST_ELEM);

	netlink_put_text(b, NFTA_EXPR_NAME, name);
	*data = netlink_nest(b, NFTA_EXPR_DATA);
	return at;
}

static void
put_load(struct netlink *b, uint32_t offset)
{
	size_t data, at = expression_begin(b, "payload", &data);

	put32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put32(b, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put32(b, NFTA_PAYLOAD_OFFSET, offset);
	put32(b, NFTA_PAYLOAD_LEN, 2);
	netlink_unnest(b, data);
	netlink_unnest(b, at);
}

static void
put_equal(struct netlink *b, uint16_t value)
{
	size_t data, at = expression_begin(b, "cmp", &data), inner;

	value = htons(value);
	put32(b, NFTA_CMP_SREG, NFT_REG_1);
	put32(b, NFTA_CMP_OP, NFT_CMP_EQ);
	inner = netlink_nest(b, NFTA_CMP_DATA);
	netlink_put(b, NFTA_DATA_VALUE, &value, sizeof(value));
	netlink_unnest(b, inner);
	netlink_unnest(b, data);
	netlink_unnest(b, at);
}

static void
put_drop(struct netlink *b)
{
	size_t data, at = expression_begin(b, "immediate", &data), value, verdict;

	put32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	value = netlink_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = netlink_nest(b, NFTA_DATA_VERDICT);
	put32(b, NFTA_VERDICT_CODE, DROP);
	netlink_unnest(b, verdict);
	netlink_unnest(b, value);
	netlink_unnest(b, data);
	netlink_unnest(b, at);
}

static void
put_rule(struct netlink *b, const struct place *where, uint16_t port)
{
	size_t at;

	table_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, where->family);
	netlink_put_text(b, NFTA_RULE_TABLE, table);
	netlink_put_text(b, NFTA_RULE_CHAIN, chain);
	at = netlink_nest(b, NFTA_RULE_EXPRESSIONS);
	put_load(b, where->port_at);
	put_equal(b, port);
	put_drop(b);
	netlink_unnest(b, at);
	netlink_end(b);
}

static int
transact(struct netlink *b)
{
	message_begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	netlink_end(b);
	return netlink_send(b, NETLINK_NETFILTER);
}

static void
batch_begin(struct netlink *b)
{
	b->n = 0;
	message_begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	netlink_end(b);
}

int
nft_drop(enum nft_hook hook, uint16_t port)
{
	const struct place *at = &places[hook];
	struct netlink b;

	batch_begin(&b);
	put_table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE, at->family);
	put_chain(&b, at);
	put_rule(&b, at, port);
	return transact(&b);
}

void
nft_clear(enum nft_hook hook)
{
	struct netlink b;

	batch_begin(&b);
	put_table(&b, NFT_MSG_DELTABLE, 0, places[hook].family);
	transact(&b);
}
