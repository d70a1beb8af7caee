/* SPDX-License-Identifier: MIT */
/* Drops of a socket that is locked, or short of memory, and of fast open. */
#define _GNU_SOURCE

#include <netinet/in.h>
#include <sys/socket.h>

#include "cases.h"
#include "hold.h"

enum { TCP_FASTOPEN_OPTION = 23, BACKLOG_MOST = 2000 };

static const char netstat[] = "/proc/net/netstat";

/* Small buffers: the backlog may take both of them and 64 KiB. */
static void
shrink_buffers(struct run *r)
{
	int least = 1;

	setsockopt(r->c.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	setsockopt(r->c.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
}

/* A connection whose owner holds the lock of its socket. */
static const char *
open_held(struct run *r)
{
	const char *error = conn_open(&r->c);

	if (!error)
		error = conn_send(&r->c, 10);
	if (error)
		return error;
	shrink_buffers(r);
	r->skip = hold_begin(r->c.fd);
	return NULL;
}

/*
 * Segments are put into the backlog until one is refused. They are ACKs that
 * tell nothing new; an ECE of every other one keeps them from being joined.
 */
static const char *
backlog(struct run *r)
{
	const char *error = open_held(r);
	long long refused = net_counter(netstat, "TcpExt", "TCPBacklogDrop");

	if (error || r->skip)
		return error;
	error = "the backlog has no end";
	for (unsigned int i = 0; i < BACKLOG_MOST; i++) {
		struct packet p = conn_packet(&r->c, i % 2 ? ACK | ECE : ACK, 0);

		p.window = (uint16_t)(8000 - i);
		conn_inject(&r->c, &p);
		conn_settle(r->c.tun);
		if (net_counter(netstat, "TcpExt", "TCPBacklogDrop") == refused)
			continue;
		record_drop(&r->what->expected, &p);
		error = NULL;
		break;
	}
	hold_end();
	return error;
}

/* The reset before it closes the socket while the segment waits in the backlog. */
static const char *
backlog_close(struct run *r)
{
	const char *error = open_held(r);
	struct packet p;

	if (error || r->skip)
		return error;
	p = conn_packet(&r->c, RST, 0);
	case_accepted(r, &p, "CLOSE|ESTABLISHED");
	p = conn_packet(&r->c, ACK | PSH, 10);
	case_drop(r, &p);
	hold_end();
	return NULL;
}

/*
 * The window that was offered stays, however small the buffer is made now. Data that
 * comes to a buffer too small, even if it is taken, makes 6.17 close the window.
 */
static const char *
fill_buffer(struct run *r)
{
	const char *error = conn_open(&r->c);

	if (!error)
		error = conn_send(&r->c, 3000);
	shrink_buffers(r);
	return error;
}

static bool
counted(const char *name, long long before)
{
	return before < 0 || net_counter(netstat, "TcpExt", name) == before + 1;
}

static const char *
no_memory(struct run *r, uint32_t seq, const char *counter)
{
	const char *error = fill_buffer(r);
	long long before = net_counter(netstat, "TcpExt", counter);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 100);
	p.seq += seq;
	/* Another window keeps it off the fast path, which does not look at the buffer. */
	p.window--;
	case_drop(r, &p);
	return counted(counter, before) ? NULL : "the kernel counted no such drop";
}

static const char *
no_memory_data(struct run *r)
{
	return no_memory(r, 0, "TCPRcvQDrop");
}

static const char *
no_memory_ofo(struct run *r)
{
	return no_memory(r, 200, "TCPOFODrop");
}

/* SOCKET_RCVBUFF is of sock_queue_rcv_skb(), which TCP does not use. */
static const char *
full_buffer(struct run *r)
{
	return case_skip(r, "SOCKET_RCVBUFF is never of a TCP socket; raw_full has its copies");
}

/* tcp_prune_ofo_queue() frees with kfree_skb() or tcp_drop(), but in the last of 4.4. */
static bool
hides_prune(void)
{
	return net_kernel() < KERNEL(4, 9);
}

/* Data in order pushes out what is out of order. */
static const char *
ofo_prune(struct run *r)
{
	const char *error = conn_open(&r->c);
	long long before = net_counter(netstat, "TcpExt", "OfoPruned");
	struct packet p;

	if (!error)
		error = conn_send(&r->c, 10);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 3000);
	p.seq += 100;
	record_drop(&r->what->expected, &p);
	conn_inject(&r->c, &p);
	conn_settle(r->c.tun);
	shrink_buffers(r);
	p = conn_packet(&r->c, ACK | PSH, 10);
	p.window--;
	conn_inject(&r->c, &p);
	conn_settle(r->c.tun);
	r->c.snd_nxt += 10;
	return counted("OfoPruned", before) ? NULL : "the kernel counted no such drop";
}

/* Data in order covers what is out of order. */
static const char *
ofo_overtaken(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 50);
	p.seq += 100;
	record_drop(&r->what->expected, &p);
	conn_inject(&r->c, &p);
	conn_settle(r->c.tun);
	return conn_send(&r->c, 200);
}

/* A listener that takes data with the SYN, without a cookie. */
static const char *
listen_fast(struct run *r)
{
	const char *error = conn_listen(&r->c);
	int most = 8;

	if (error)
		return error;
	if (setsockopt(r->c.listener, IPPROTO_TCP, TCP_FASTOPEN_OPTION, &most, sizeof(most)) < 0
	    || net_sysctl("/proc/sys/net/ipv4/tcp_fastopen", "1538") < 0)
		r->skip = "no fast open in this kernel's namespaces";
	return NULL;
}

/* The socket is there from the SYN on; the SYN again is dropped by tcp_check_req(). */
static const char *
fastopen_syn(struct run *r)
{
	const char *error = listen_fast(r);
	struct packet first, p;

	if (error || r->skip)
		return error;
	first = conn_packet(&r->c, SYN, 10);
	conn_inject(&r->c, &first);
	if (!conn_expect(&r->c, SYN | ACK, &p, 2000))
		return "no SYN|ACK came back";
	r->c.fd = accept4(r->c.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (r->c.fd < 0)
		return "the data of the SYN was not taken";
	first.len = 0;
	case_drop(r, &first);
	return NULL;
}

static const char *
urgent(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH | URG, 10);
	p.seq += 0x20000000;
	case_drop(r, &p);
	return NULL;
}

static const char *
ecn_syn(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN | ECE | CWR, 0);

	case_drop(r, &p);
	return NULL;
}

static const char *
ecn_marked(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK | ECE, 20);

	p.tos = 3;
	case_drop(r, &p);
	return NULL;
}

const struct drop_case cases_socket[] = {
	CASE(backlog, "ESTABLISHED", "SOCKET_BACKLOG",
	     "the backlog of a locked socket is full"),
	CASE(backlog_close, "CLOSE", "TCP_CLOSE", "data in the backlog behind a RST"),
	CASE(no_memory_data, "ESTABLISHED", "PROTO_MEM", "data beyond a buffer made smaller"),
	CASE(no_memory_ofo, "ESTABLISHED", "PROTO_MEM",
	     "data out of order beyond a buffer made smaller"),
	CASE(full_buffer, "-", "SOCKET_RCVBUFF", "a full receive buffer"),
	{ .expected = { .name = "ofo_prune", .states = "ESTABLISHED",
	                .reasons = "TCP_OFO_QUEUE_PRUNE" },
	  .hides = hides_prune, .make = ofo_prune,
	  .what = "data out of order pruned for data in order" },
	CASE(ofo_overtaken, "ESTABLISHED", "TCP_OFO_DROP",
	     "data out of order covered by data in order"),
	CASE(fastopen_syn, "SYN_RECV", "TCP_FASTOPEN", "SYN of a fast open again"),
	CASE(urgent, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW",
	     "urgent data outside the window"),
	CASE(ecn_syn, "-", "NO_SOCKET", "SYN with ECN to a closed port"),
	CASE(ecn_marked, "-", "NO_SOCKET", "data with congestion experienced to a closed port"),
};

const size_t cases_socket_count = COUNT(cases_socket);
