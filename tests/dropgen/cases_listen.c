/* SPDX-License-Identifier: MIT */
/*
 * Segments no socket is there for, and segments to listeners and half-open
 * connections. The reasons are those of net/ipv4/tcp_ipv4.c and
 * tcp_minisocks.c since 6.0.
 */
#include <string.h>

#include "cases.h"

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

const struct drop_case cases_listen[] = {
	CASE(closed_port, "-", "NO_SOCKET", "SYN to a closed port"),
	CASE(closed_port_data, "-", "NO_SOCKET", "data to a closed port"),
	CASE(closed_port_ip_options, "-", "NO_SOCKET",
	     "SYN behind IPv4 options or an IPv6 extension header"),
	CASE(csum, "-", "TCP_CSUM", "bad checksum"),
	/* Over 76 bytes (CHECKSUM_BREAK) the checksum is verified after the look-up. */
	CASE(csum_long, "-", "TCP_CSUM", "bad checksum of a long segment, closed port"),
	CASE(csum_long_listener, "LISTEN", "TCP_CSUM",
	     "bad checksum of a long segment, listener"),
	{ .expected = { .name = "header_small", .states = "-", .reasons = "PKT_TOO_SMALL",
	                .any_length = true },
	  .make = header_small, .what = "TCP header length below 20" },
	{ .expected = { .name = "header_beyond_end", .states = "-",
	                .reasons = "NOT_SPECIFIED|PKT_TOO_SMALL|HDR_TRUNC", .any_length = true },
	  .make = header_beyond_end, .what = "TCP header length beyond the packet" },
	{ .expected = { .name = "header_cut", .states = "-",
	                .reasons = "NOT_SPECIFIED|PKT_TOO_SMALL|HDR_TRUNC", .any_header = true },
	  .make = header_cut, .what = "packet ends after 8 bytes of TCP header" },
	CASE_UNNAMED(ack_listener, KERNEL(6, 12), "LISTEN", "TCP_FLAGS", "ACK to a listener"),
	CASE(fin_listener, "LISTEN", "TCP_FLAGS", "FIN to a listener"),
	CASE(syn_fin_listener, "LISTEN", "TCP_FLAGS", "SYN with FIN to a listener"),
	CASE(rst_listener, "LISTEN", "TCP_RESET", "RST to a listener"),
	CASE(none_listener, "LISTEN", "TCP_FLAGS", "no flags to a listener"),
	/* For a request tcp_v4_rcv() goes on with its listener. */
	CASE(syn_again, "NEW_SYN_RECV|LISTEN", "NOT_SPECIFIED|TCP_RFC7323_PAWS|TCP_INVALID_SYN",
	     "SYN of a half-open connection again"),
	CASE_UNNAMED(request_outside, KERNEL(6, 16), "NEW_SYN_RECV|LISTEN",
	     "TCP_OVERWINDOW|TCP_INVALID_SEQUENCE",
	     "segment outside the window of a half-open connection"),
	CASE_UNNAMED(request_bad_ack, KERNEL(6, 12), "LISTEN|NEW_SYN_RECV",
	     "TCP_FLAGS|TCP_INVALID_ACK_SEQUENCE", "wrong ACK of a half-open connection"),
	{ .expected = { .name = "request_echo", .states = "NEW_SYN_RECV|LISTEN",
	                .reasons = "TCP_RFC7323_TSECR" },
	  .since = KERNEL(6, 14), .make = request_echo,
	  .what = "wrong timestamp echo in a half-open connection" },
	/* Counted in ListenOverflows; up to 6.18 at least the packet itself is consumed. */
	{ .expected = { .name = "overflow_syn", .states = "LISTEN",
	                .reasons = "TCP_LISTEN_OVERFLOW", .optional = true },
	  .make = overflow_syn, .what = "SYN when the accept queue is full" },
	CASE_UNNAMED(overflow_ack, KERNEL(6, 16), "NEW_SYN_RECV|LISTEN", "TCP_LISTEN_OVERFLOW",
	     "last ACK of a handshake when the accept queue is full"),
};

const size_t cases_listen_count = COUNT(cases_listen);
