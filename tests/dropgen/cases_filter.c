/* SPDX-License-Identifier: MIT */
/* Drops by nftables, on the way in and on the way out. */
#define _GNU_SOURCE

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "nft.h"

static const char no_nft[] = "no nftables in this kernel";

static const char *
nft_in(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	if (nft_drop(NFT_IN, r->c.dport) < 0)
		return case_skip(r, no_nft);
	case_drop(r, &p);
	nft_clear(NFT_IN);
	return NULL;
}

static const char *
nft_in_established(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	if (nft_drop(NFT_IN, r->c.dport) < 0)
		return case_skip(r, no_nft);
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	nft_clear(NFT_IN);
	return NULL;
}

static const char *
nft_out(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p = { .ip = r->c.ip, .sport = r->c.dport, .dport = r->c.sport,
	                    .flags = ACK | PSH, .len = 10 };

	if (error)
		return error;
	net_addresses(p.ip, p.daddr, p.saddr);
	p.seq = r->c.rcv_nxt;
	p.ack = r->c.snd_nxt;
	if (nft_drop(NFT_OUT, r->c.dport) < 0)
		return case_skip(r, no_nft);
	record_drop(&r->what->expected, &p);
	if (send(r->c.fd, "0123456789", 10, MSG_NOSIGNAL) != 10)
		error = "cannot send";
	/* Before the retransmission timer, and before the reset that ends this. */
	nft_clear(NFT_OUT);
	return error;
}

static const char *
nft_ingress(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	if (nft_drop(NFT_INGRESS, r->c.dport) < 0)
		return case_skip(r, "no ingress hook of nftables in this kernel");
	case_drop(r, &p);
	nft_clear(NFT_INGRESS);
	return NULL;
}

/* A segment of a program that makes its own headers; its socket is none of TCP's. */
static const char *
raw_out(struct run *r)
{
	int fd = socket(r->c.ip == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct packet p = conn_packet(&r->c, SYN, 0), out = p;
	struct sockaddr_storage ss;
	socklen_t to = conn_address(&r->c, &ss, true, 0);
	uint8_t buf[PACKET_MAX];
	const char *error = NULL;
	size_t n;

	memcpy(out.saddr, p.daddr, 16);
	memcpy(out.daddr, p.saddr, 16);
	out.sport = p.dport;
	out.dport = p.sport;
	n = packet_build(&out, buf);
	if (fd < 0)
		return "cannot open a raw socket";
	if (nft_drop(NFT_OUT, out.sport) < 0) {
		close(fd);
		return case_skip(r, no_nft);
	}
	record_drop(&r->what->expected, &out);
	/* The rule's verdict may come back as an error. */
	if (sendto(fd, buf, n, 0, (struct sockaddr *)&ss, to) < 0 && errno != EPERM)
		error = "cannot send";
	nft_clear(NFT_OUT);
	close(fd);
	return error;
}

const struct drop_case cases_filter[] = {
	{ .expected = { .name = "nft_in", .reasons = "NETFILTER_DROP" },
	  .make = nft_in, .what = "SYN dropped by an input rule" },
	/* Early demultiplexing has found the socket before the rule is reached. */
	{ .expected = { .name = "nft_in_established", .states = "ESTABLISHED|-",
	                .reasons = "NETFILTER_DROP" },
	  .make = nft_in_established, .what = "data dropped by an input rule" },
	{ .expected = { .name = "nft_out", .states = "ESTABLISHED",
	                .reasons = "NETFILTER_DROP", .any_window = true },
	  .make = nft_out, .what = "data of the kernel's dropped by an output rule" },
	{ .expected = { .name = "nft_ingress", .reasons = "NETFILTER_DROP" },
	  .make = nft_ingress, .what = "SYN dropped by a rule of the device it came by" },
	{ .expected = { .name = "raw_out", .reasons = "NETFILTER_DROP" },
	  .make = raw_out, .what = "SYN of a raw socket dropped by an output rule" },
};

const size_t cases_filter_count = COUNT(cases_filter);
