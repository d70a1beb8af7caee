/* SPDX-License-Identifier: MIT */
/* Segments to an established connection; the reasons of net/ipv4/tcp_input.c since 6.0. */
#define _GNU_SOURCE

#include <linux/filter.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cases.h"

/* <netinet/tcp.h> and <linux/tcp.h> cannot be had together, and libcs differ. */
enum { TCP_MD5SIG_OPTION = 14, TCP_MD5SIG_KEYLEN = 80 };

struct md5sig {
	struct sockaddr_storage addr;
	uint8_t flags, prefixlen;
	uint16_t keylen;
	int ifindex;
	uint8_t key[TCP_MD5SIG_KEYLEN];
};

/* A segment of an established connection, its numbers moved from what would be right. */
static const char *
to_established(struct run *r, unsigned int flags, size_t n, uint32_t seq, uint32_t ack)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, flags, n);
	p.seq += seq;
	p.ack += ack;
	case_drop(r, &p);
	return NULL;
}

static const char *
overwindow(struct run *r)
{
	return to_established(r, ACK | PSH, 10, 0x20000000, 0);
}

static const char *
overwindow_mapped(struct run *r)
{
	r->c.mapped = true;
	return overwindow(r);
}

static const char *
window_edge(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 10);
	p.seq = r->c.edge;
	case_drop(r, &p);
	return NULL;
}

static const char *
old_data(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	error = conn_send(&r->c, 100);
	conn_consume(&r->c);
	if (!error)
		case_drop(r, &p);
	return error;
}

static const char *
old_sequence(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	error = conn_send(&r->c, 100);
	if (!error)
		error = conn_send(&r->c, 100);
	conn_consume(&r->c);
	if (!error)
		case_drop(r, &p);
	return error;
}

static const char *
ack_unsent(struct run *r)
{
	return to_established(r, ACK, 0, 0, 1000);
}

static const char *
ack_too_old(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 0);
	p.ack -= 200000;
	/* Another window keeps the segment off the fast path, which takes any old ACK. */
	p.window--;
	case_drop(r, &p);
	return NULL;
}

static const char *
syn_established(struct run *r)
{
	return to_established(r, SYN, 0, 0, 0);
}

static const char *
syn_ack_established(struct run *r)
{
	return to_established(r, SYN | ACK, 0, (uint32_t)-1, 0);
}

static const char *
no_flags(struct run *r)
{
	return to_established(r, 0, 0, 0, 0);
}

static const char *
odd_flags(struct run *r)
{
	return to_established(r, FIN | PSH | URG | ECE | CWR, 5, 0, 0);
}

static const char *
rst_outside(struct run *r)
{
	return to_established(r, RST, 0, 0x20000000, 0);
}

static const char *
rst_inside(struct run *r)
{
	return to_established(r, RST, 0, 10, 0);
}

static const char *
csum_established(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 10);
	p.bad_csum = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
csum_long_established(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 200);
	p.bad_csum = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
socket_filter(struct run *r)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	if (setsockopt(r->c.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return "cannot attach a socket filter";
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

static const char *
paws(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.timestamps = true;
	error = conn_open(&r->c);
	if (error)
		return error;
	r->c.tsval -= 100000;
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

static const char *
paws_ack(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.timestamps = true;
	error = conn_open(&r->c);
	if (error)
		return error;
	r->c.tsval -= 100000;
	p = conn_packet(&r->c, ACK, 0);
	p.seq--;
	case_drop(r, &p);
	return NULL;
}

static const char *
zero_window(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.rcvbuf = 4096;
	error = conn_open(&r->c);
	for (int i = 0; i < 100 && !error && r->c.window; i++)
		error = conn_send(&r->c, r->c.window < 500 ? r->c.window : 500);
	if (error)
		return error;
	if (r->c.window)
		return "the window did not close";
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

/* tcp_data_queue_ofo() frees with tcp_drop() from 4.18 on, and in stable kernels as late. */
static bool
hides_ofo(void)
{
	static const struct { int kernel, stable; } fixed[] = {
		{ KERNEL(4, 4), 0 }, /* there tcp_drop() came with it */
		{ KERNEL(4, 9), 116 }, { KERNEL(4, 14), 59 }, { KERNEL(4, 17), 11 },
	};

	for (size_t i = 0; i < COUNT(fixed); i++)
		if (net_kernel() == fixed[i].kernel)
			return net_kernel_stable() < fixed[i].stable;
	return net_kernel() < KERNEL(4, 18);
}

static const char *
ofo_again(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	p.seq += 100;
	conn_inject(&r->c, &p);
	case_drop(r, &p);
	error = conn_send(&r->c, 100);
	r->c.snd_nxt += 100;
	return NULL;
}

static const char *
ofo_covered(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p, covering;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 50);
	p.seq += 150;
	conn_inject(&r->c, &p);
	covering = conn_packet(&r->c, ACK | PSH, 200);
	covering.seq += 100;
	record_drop(&r->what->expected, &p);
	conn_inject(&r->c, &covering);
	conn_settle(r->c.tun);
	conn_send(&r->c, 100);
	return NULL;
}

static const char *
min_ttl(struct run *r)
{
	const char *error = conn_open(&r->c);
	int value = 200, ret;
	struct packet p;

	if (error)
		return error;
	/* IP_MINTTL 21, IPV6_MINHOPCOUNT 73: <linux/in.h>, <linux/in6.h>. */
	ret = setsockopt(r->c.fd, r->c.ip == 4 ? IPPROTO_IP : IPPROTO_IPV6, r->c.ip == 4 ? 21 : 73,
	                 &value, sizeof(value));
	if (ret < 0)
		return case_skip(r, "this kernel has no minimum TTL");
	p = conn_packet(&r->c, ACK | PSH, 10);
	p.ttl = 64;
	case_drop(r, &p);
	return NULL;
}

static int
set_key(struct run *r, int fd)
{
	struct md5sig key = { .keylen = 6, .key = "secret" };
	struct sockaddr_in *sin = (struct sockaddr_in *)&key.addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&key.addr;
	uint8_t remote[16], local[16];

	net_addresses(r->c.ip, remote, local);
	if (r->c.ip == 4) {
		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, remote, 4);
	} else {
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, remote, 16);
	}
	return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_OPTION, &key, sizeof(key));
}

static void
put_signature(struct packet *p)
{
	static const uint8_t head[4] = { 1, 1, 19, 18 };

	memcpy(p->opts + p->nopts, head, sizeof(head));
	memset(p->opts + p->nopts + 4, 0x5a, 16);
	p->nopts += 20;
}

/* Where a connection takes no key any more (some stable kernels to 5.4), its listener does. */
static const char *
needs_signature(struct run *r, void (*sign)(struct packet *))
{
	const char *error = conn_open(&r->c);
	bool connected;
	struct packet p;

	if (error)
		return error;
	connected = set_key(r, r->c.fd) == 0;
	if (!connected && set_key(r, r->c.listener) < 0)
		return case_skip(r, "this kernel has no TCP MD5 signatures");
	p = conn_packet(&r->c, connected ? ACK | PSH : SYN, connected ? 10 : 0);
	if (!connected)
		p.sport++;
	if (sign)
		sign(&p);
	case_drop_as(r, &p, connected ? "ESTABLISHED" : "LISTEN", r->what->expected.reasons);
	return NULL;
}

static const char *
md5_missing(struct run *r)
{
	return needs_signature(r, NULL);
}

static const char *
md5_wrong(struct run *r)
{
	return needs_signature(r, put_signature);
}

static const char *
md5_unexpected(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);
	struct conn probe = r->c;
	const char *error = conn_listen(&probe);
	int ret;

	if (error)
		return error;
	ret = set_key(r, probe.listener);
	conn_close(&probe);
	if (ret < 0)
		return case_skip(r, "this kernel has no TCP MD5 signatures");
	put_signature(&p);
	error = conn_listen(&r->c);
	if (!error)
		case_drop(r, &p);
	return error;
}

const struct drop_case cases_established[] = {
	CASE(overwindow, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW",
	     "segment far outside the window"),
	{ .expected = { .name = "overwindow_mapped", .states = "ESTABLISHED",
	                .reasons = "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW" },
	  .only = 4, .make = overwindow_mapped,
	  .what = "IPv4 segment outside the window of an IPv6 socket" },
	CASE(window_edge, "ESTABLISHED",
	     "TCP_OVERWINDOW|TCP_INVALID_END_SEQUENCE|TCP_INVALID_SEQUENCE",
	     "segment just behind the window"),
	CASE(old_data, "ESTABLISHED", "TCP_OLD_DATA", "last segment again"),
	CASE(old_sequence, "ESTABLISHED",
	     "TCP_OLD_SEQUENCE|TCP_INVALID_SEQUENCE", "segment before the window"),
	CASE(ack_unsent, "ESTABLISHED",
	     "TCP_ACK_UNSENT_DATA|TCP_INVALID_ACK_SEQUENCE", "ACK of unsent data"),
	CASE(ack_too_old, "ESTABLISHED", "TCP_TOO_OLD_ACK|TCP_OLD_ACK",
	     "ACK far in the past"),
	CASE(syn_established, "ESTABLISHED", "TCP_INVALID_SYN", "SYN on a connection"),
	CASE(syn_ack_established, "ESTABLISHED", "TCP_INVALID_SYN",
	     "SYN|ACK on a connection"),
	CASE(no_flags, "ESTABLISHED", "TCP_FLAGS", "no flags"),
	CASE(odd_flags, "ESTABLISHED", "TCP_FLAGS", "FIN|PSH|URG|ECE|CWR without ACK"),
	CASE(rst_outside, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_RESET",
	     "RST outside the window"),
	CASE(rst_inside, "ESTABLISHED", "TCP_RESET",
	     "RST inside the window, not at its start"),
	/* Early demultiplexing may have found the socket before the checksum was wrong. */
	CASE(csum_established, "ESTABLISHED|-", "TCP_CSUM", "bad checksum on a connection"),
	CASE(csum_long_established, "ESTABLISHED", "TCP_CSUM",
	     "bad checksum of a long segment on a connection"),
	CASE(socket_filter, "ESTABLISHED", "SOCKET_FILTER", "socket filter returns 0"),
	CASE(paws, "ESTABLISHED", "TCP_RFC7323_PAWS", "data with an old timestamp"),
	CASE(paws_ack, "ESTABLISHED", "TCP_RFC7323_PAWS_ACK|TCP_RFC7323_PAWS",
	     "old ACK with an old timestamp"),
	CASE(zero_window, "ESTABLISHED",
	     "TCP_ZEROWINDOW|TCP_INVALID_END_SEQUENCE|TCP_OVERWINDOW", "data into a closed window"),
	{ .expected = { .name = "ofo_again", .states = "ESTABLISHED", .reasons = "TCP_OFOMERGE" },
	  .hides = hides_ofo, .make = ofo_again, .what = "out-of-order segment again" },
	{ .expected = { .name = "ofo_covered", .states = "ESTABLISHED",
	                .reasons = "TCP_OFOMERGE" },
	  .hides = hides_ofo, .make = ofo_covered,
	  .what = "out-of-order segment covered by a later one" },
	CASE_UNNAMED(min_ttl, KERNEL(6, 12), "ESTABLISHED", "TCP_MINTTL",
	             "TTL below the socket's minimum"),
	CASE(md5_missing, "ESTABLISHED", "TCP_MD5NOTFOUND", "signature missing"),
	CASE(md5_wrong, "ESTABLISHED", "TCP_MD5FAILURE", "wrong signature"),
	CASE(md5_unexpected, "LISTEN", "TCP_MD5UNEXPECTED", "signature without a key"),
};

const size_t cases_established_count = COUNT(cases_established);
