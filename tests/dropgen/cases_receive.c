/* SPDX-License-Identifier: MIT */
/*
 * Drops of segments on their way to a socket: no socket, a listener, a
 * request, an established connection. The reasons are those of
 * net/ipv4/tcp_ipv4.c, tcp_input.c and tcp_minisocks.c since 5.18; where a
 * kernel gave none at that place, NOT_SPECIFIED.
 */
#define _GNU_SOURCE

#include <linux/filter.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cases.h"
#include "net.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* <netinet/tcp.h> and <linux/tcp.h> cannot be had together, and libcs differ. */
enum { TCP_MD5SIG_OPTION = 14, TCP_MD5SIG_KEYLEN = 80 };

struct md5sig {
	struct sockaddr_storage addr;
	uint8_t flags, prefixlen;
	uint16_t keylen;
	int ifindex;
	uint8_t key[TCP_MD5SIG_KEYLEN];
};

static const char *
closed_port(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	case_drop(r, &p);
	return NULL;
}

static const char *
closed_port_data(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK | PSH, 500);

	p.ack = 12345;
	case_drop(r, &p);
	return NULL;
}

static const char *
closed_port_ip_options(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.ip_options = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
csum(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.bad_csum = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
csum_long(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK, 200);

	p.bad_csum = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
csum_long_listener(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 200);
	const char *error = conn_listen(&r->c);

	p.bad_csum = true;
	if (!error)
		case_drop(r, &p);
	return error;
}

static const char *
header_small(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.doff = 4;
	case_drop(r, &p);
	return NULL;
}

static const char *
header_beyond_end(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.doff = 15;
	case_drop(r, &p);
	return NULL;
}

static const char *
header_cut(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.cut = 8;
	case_drop(r, &p);
	return NULL;
}

static const char *
to_listener(struct run *r, unsigned int flags)
{
	struct packet p = conn_packet(&r->c, flags, 0);
	const char *error = conn_listen(&r->c);

	if (flags & ACK)
		p.ack = 0x12345678;
	if (!error)
		case_drop(r, &p);
	return error;
}

static const char *
ack_listener(struct run *r)
{
	return to_listener(r, ACK);
}

static const char *
fin_listener(struct run *r)
{
	return to_listener(r, FIN);
}

static const char *
syn_fin_listener(struct run *r)
{
	return to_listener(r, SYN | FIN);
}

static const char *
rst_listener(struct run *r)
{
	return to_listener(r, RST);
}

static const char *
none_listener(struct run *r)
{
	return to_listener(r, 0);
}

static const char *
syn_again(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);
	const char *error = conn_listen(&r->c);

	if (!error)
		error = conn_syn(&r->c);
	if (!error)
		case_drop(r, &p);
	return error;
}

static const char *
to_request(struct run *r, uint32_t seq, uint32_t ack)
{
	const char *error = conn_listen(&r->c);
	struct packet p;

	if (!error)
		error = conn_syn(&r->c);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 10);
	p.seq += seq;
	p.ack += ack;
	case_drop(r, &p);
	return NULL;
}

static const char *
request_outside(struct run *r)
{
	return to_request(r, 0x20000000, 0);
}

static const char *
request_bad_ack(struct run *r)
{
	return to_request(r, 0, 5000);
}

static const char *
request_echo(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.timestamps = true;
	error = conn_listen(&r->c);
	if (!error)
		error = conn_syn(&r->c);
	if (error)
		return error;
	r->c.tsecr += 0x10000000;
	p = conn_packet(&r->c, ACK, 0);
	case_drop(r, &p);
	return NULL;
}

/* Handshakes from further ports of ours, none of them accepted by the socket's owner. */
static const char *
fill_accept_queue(struct run *r, unsigned int count)
{
	const char *error = NULL;

	for (unsigned int i = 1; i <= count && !error; i++) {
		struct conn other = r->c;
		struct packet p;

		other.sport = (uint16_t)(r->c.sport + i);
		error = conn_syn(&other);
		if (error)
			break;
		p = conn_packet(&other, ACK, 0);
		conn_inject(&other, &p);
	}
	return error;
}

static const char *
overflow_syn(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);
	const char *error;
	long long overflows;

	r->c.backlog = 2;
	error = conn_listen(&r->c);
	if (!error)
		error = fill_accept_queue(r, 3);
	if (error)
		return error;
	overflows = net_counter("/proc/net/netstat", "TcpExt", "ListenOverflows");
	case_drop(r, &p);
	if (overflows == net_counter("/proc/net/netstat", "TcpExt", "ListenOverflows"))
		return "the kernel counted no overflow";
	return NULL;
}

static const char *
overflow_ack(struct run *r)
{
	const char *error;
	struct packet p;

	r->c.backlog = 2;
	error = conn_listen(&r->c);
	if (!error)
		error = fill_accept_queue(r, 2);
	if (!error)
		error = conn_syn(&r->c);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK, 0);
	r->c.sport = (uint16_t)(r->c.sport + 2);
	error = fill_accept_queue(r, 1);
	if (!error)
		case_drop(r, &p);
	return error;
}

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

static const char *
md5_missing(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	if (set_key(r, r->c.fd) < 0)
		return case_skip(r, "this kernel has no TCP MD5 signatures");
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	return NULL;
}

static const char *
md5_wrong(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	if (set_key(r, r->c.fd) < 0)
		return case_skip(r, "this kernel has no TCP MD5 signatures");
	p = conn_packet(&r->c, ACK | PSH, 10);
	put_signature(&p);
	case_drop(r, &p);
	return NULL;
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

#define CASE(id, states_, reasons_, what_) \
	{ .expected = { .name = #id, .states = states_, .reasons = reasons_ }, .make = id, .what = what_ }

const struct drop_case cases_receive[] = {
	CASE(closed_port, "-", "NO_SOCKET", "SYN to a closed port"),
	CASE(closed_port_data, "-", "NO_SOCKET", "data to a closed port"),
	CASE(closed_port_ip_options, "-", "NO_SOCKET",
	     "SYN behind IPv4 options or an IPv6 extension header"),
	CASE(csum, "-", "TCP_CSUM", "bad checksum"),
	/* Over 76 bytes the checksum is verified after the look-up: CHECKSUM_BREAK, <linux/skbuff.h>. */
	CASE(csum_long, "-", "TCP_CSUM", "bad checksum of a long segment, closed port"),
	CASE(csum_long_listener, "LISTEN", "TCP_CSUM|NOT_SPECIFIED",
	     "bad checksum of a long segment, listener"),
	/* Early demultiplexing may have found the socket before the checksum was wrong. */
	CASE(csum_established, "ESTABLISHED|-", "TCP_CSUM", "bad checksum on a connection"),
	CASE(csum_long_established, "ESTABLISHED", "TCP_CSUM",
	     "bad checksum of a long segment on a connection"),
	{ .expected = { .name = "header_small", .states = "-", .reasons = "PKT_TOO_SMALL",
	                .any_length = true },
	  .make = header_small, .what = "TCP header length below 20" },
	{ .expected = { .name = "header_beyond_end", .states = "-",
	                .reasons = "NOT_SPECIFIED|PKT_TOO_SMALL|HDR_TRUNC", .any_length = true },
	  .make = header_beyond_end, .what = "TCP header length beyond the packet" },
	{ .expected = { .name = "header_cut", .states = "-",
	                .reasons = "NOT_SPECIFIED|PKT_TOO_SMALL|HDR_TRUNC", .any_header = true },
	  .make = header_cut, .what = "packet ends after 8 bytes of TCP header" },
	CASE(ack_listener, "LISTEN", "TCP_FLAGS|NOT_SPECIFIED", "ACK to a listener"),
	CASE(fin_listener, "LISTEN", "TCP_FLAGS|NOT_SPECIFIED", "FIN to a listener"),
	CASE(syn_fin_listener, "LISTEN", "TCP_FLAGS|NOT_SPECIFIED", "SYN with FIN to a listener"),
	CASE(rst_listener, "LISTEN", "TCP_RESET|NOT_SPECIFIED", "RST to a listener"),
	CASE(none_listener, "LISTEN", "TCP_FLAGS|NOT_SPECIFIED", "no flags to a listener"),
	/* For a request tcp_v4_rcv() goes on with its listener. */
	CASE(syn_again, "NEW_SYN_RECV|LISTEN", "NOT_SPECIFIED|TCP_RFC7323_PAWS|TCP_INVALID_SYN",
	     "SYN of a half-open connection again"),
	CASE(request_outside, "NEW_SYN_RECV|LISTEN",
	     "TCP_OVERWINDOW|TCP_INVALID_SEQUENCE|NOT_SPECIFIED",
	     "segment outside the window of a half-open connection"),
	CASE(request_bad_ack, "LISTEN|NEW_SYN_RECV",
	     "TCP_FLAGS|TCP_INVALID_ACK_SEQUENCE|NOT_SPECIFIED", "wrong ACK of a half-open connection"),
	{ .expected = { .name = "request_echo", .states = "NEW_SYN_RECV|LISTEN",
	                .reasons = "TCP_RFC7323_TSECR|NOT_SPECIFIED" },
	  .since = KERNEL(6, 14), .make = request_echo,
	  .what = "wrong timestamp echo in a half-open connection" },
	/* Counted in ListenOverflows; up to 6.18 at least the packet itself is consumed. */
	{ .expected = { .name = "overflow_syn", .states = "LISTEN",
	                .reasons = "TCP_LISTEN_OVERFLOW|NOT_SPECIFIED", .optional = true },
	  .make = overflow_syn, .what = "SYN when the accept queue is full" },
	CASE(overflow_ack, "NEW_SYN_RECV|LISTEN", "TCP_LISTEN_OVERFLOW|NOT_SPECIFIED",
	     "last ACK of a handshake when the accept queue is full"),
	CASE(overwindow, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW|NOT_SPECIFIED",
	     "segment far outside the window"),
	{ .expected = { .name = "overwindow_mapped", .states = "ESTABLISHED",
	                .reasons = "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW|NOT_SPECIFIED" },
	  .only = 4, .make = overwindow_mapped,
	  .what = "IPv4 segment outside the window of an IPv6 socket" },
	CASE(window_edge, "ESTABLISHED",
	     "TCP_OVERWINDOW|TCP_INVALID_END_SEQUENCE|TCP_INVALID_SEQUENCE",
	     "segment just behind the window"),
	CASE(old_data, "ESTABLISHED", "TCP_OLD_DATA", "last segment again"),
	CASE(old_sequence, "ESTABLISHED",
	     "TCP_OLD_SEQUENCE|TCP_INVALID_SEQUENCE|NOT_SPECIFIED", "segment before the window"),
	CASE(ack_unsent, "ESTABLISHED",
	     "TCP_ACK_UNSENT_DATA|TCP_INVALID_ACK_SEQUENCE|NOT_SPECIFIED", "ACK of unsent data"),
	CASE(ack_too_old, "ESTABLISHED", "TCP_TOO_OLD_ACK|TCP_OLD_ACK|NOT_SPECIFIED",
	     "ACK far in the past"),
	CASE(syn_established, "ESTABLISHED", "TCP_INVALID_SYN|NOT_SPECIFIED", "SYN on a connection"),
	CASE(syn_ack_established, "ESTABLISHED", "TCP_INVALID_SYN|NOT_SPECIFIED",
	     "SYN|ACK on a connection"),
	CASE(no_flags, "ESTABLISHED", "TCP_FLAGS|NOT_SPECIFIED", "no flags"),
	CASE(odd_flags, "ESTABLISHED", "TCP_FLAGS|NOT_SPECIFIED", "FIN|PSH|URG|ECE|CWR without ACK"),
	CASE(rst_outside, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_RESET|NOT_SPECIFIED",
	     "RST outside the window"),
	CASE(rst_inside, "ESTABLISHED", "TCP_RESET|NOT_SPECIFIED",
	     "RST inside the window, not at its start"),
	CASE(socket_filter, "ESTABLISHED", "SOCKET_FILTER", "socket filter returns 0"),
	CASE(paws, "ESTABLISHED", "TCP_RFC7323_PAWS|NOT_SPECIFIED", "data with an old timestamp"),
	CASE(paws_ack, "ESTABLISHED", "TCP_RFC7323_PAWS_ACK|TCP_RFC7323_PAWS|NOT_SPECIFIED",
	     "old ACK with an old timestamp"),
	CASE(zero_window, "ESTABLISHED",
	     "TCP_ZEROWINDOW|TCP_INVALID_END_SEQUENCE|TCP_OVERWINDOW", "data into a closed window"),
	CASE(ofo_again, "ESTABLISHED", "TCP_OFOMERGE", "out-of-order segment again"),
	CASE(ofo_covered, "ESTABLISHED", "TCP_OFOMERGE",
	     "out-of-order segment covered by a later one"),
	CASE(min_ttl, "ESTABLISHED", "TCP_MINTTL|NOT_SPECIFIED", "TTL below the socket's minimum"),
	CASE(md5_missing, "ESTABLISHED", "TCP_MD5NOTFOUND", "signature missing"),
	CASE(md5_wrong, "ESTABLISHED", "TCP_MD5FAILURE", "wrong signature"),
	CASE(md5_unexpected, "LISTEN", "TCP_MD5UNEXPECTED", "signature without a key"),
};

const size_t cases_receive_count = COUNT(cases_receive);
