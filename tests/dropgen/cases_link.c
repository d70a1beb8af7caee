/* SPDX-License-Identifier: MIT */
/*
 * Packets that are forwarded, and drops of devices: in a second namespace, by
 * a queueing discipline, in a bridge, at a veth device whose peer is down.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "cases.h"
#include "link.h"
#include "nft.h"

static void
to_address(struct packet *p, const char *ip4, const char *ip6)
{
	memset(p->daddr, 0, 16);
	inet_pton(p->ip == 4 ? AF_INET : AF_INET6, p->ip == 4 ? ip4 : ip6, p->daddr);
}

/* ---- forwarding ---- */

static const char *
forwarded(struct run *r, const struct packet *p)
{
	link_forward();
	case_drop(r, p);
	return NULL;
}

static const char *
forward_no_route(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	to_address(&p, "198.51.100.7", "fd99::7");
	return forwarded(r, &p);
}

static const char *
forward_ttl(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	to_address(&p, "10.77.0.9", "fd77::9");
	p.ttl = 1;
	return forwarded(r, &p);
}

static const char *
forward_too_big(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK, 2000);

	to_address(&p, "10.77.0.9", "fd77::9");
	return forwarded(r, &p);
}

/* ---- the second namespace ---- */

/* The connection's other end is there, and what is for it is forwarded. */
static bool
use_far(struct run *r)
{
	r->skip = link_open();
	if (r->skip)
		return false;
	r->c.beyond = true;
	link_forward();
	return true;
}

static const char *
netns_closed_port(struct run *r)
{
	struct packet p;

	if (!use_far(r))
		return NULL;
	p = conn_packet(&r->c, SYN, 0);
	case_drop(r, &p);
	return NULL;
}

static const char *
netns_overwindow(struct run *r)
{
	const char *error;
	struct packet p;

	if (!use_far(r))
		return NULL;
	error = conn_open(&r->c);
	if (error)
		return error;
	p = conn_packet(&r->c, ACK | PSH, 10);
	p.seq += 0x20000000;
	case_drop(r, &p);
	return NULL;
}

/* ---- devices ---- */

/* The drop is on our side of the pair. */
static void
drop_near(struct run *r, const struct packet *p)
{
	record_drop(&r->what->expected, p);
	conn_inject(&r->c, p);
	conn_settle(r->c.tun);
}

static const char *
queue_forwarded(struct run *r, enum link_queue kind)
{
	struct packet p;

	if (!use_far(r))
		return NULL;
	p = conn_packet(&r->c, SYN, 0);
	r->skip = link_queue(link_near, kind);
	if (!r->skip)
		drop_near(r, &p);
	link_unqueue(link_near);
	return NULL;
}

static const char *
queue_refuses(struct run *r)
{
	return queue_forwarded(r, QUEUE_REFUSES);
}

static const char *
queue_loses(struct run *r)
{
	return queue_forwarded(r, QUEUE_LOSES);
}

/* An echo request takes what is in the bucket, three packets wait, and go with the queue. */
static const char *
queue_reset(struct run *r)
{
	struct packet p;

	if (!use_far(r))
		return NULL;
	p = conn_packet(&r->c, SYN, 0);
	conn_arrive(&r->c);
	r->skip = link_queue(link_near, QUEUE_HOLDS);
	if (!r->skip) {
		conn_arrive(&r->c);
		for (unsigned int i = 0; i < 3; i++) {
			p.sport = (uint16_t)(r->c.sport + i);
			drop_near(r, &p);
		}
	}
	link_unqueue(link_near);
	return NULL;
}

/* What the kernel itself sends on the connection, as it is dropped on the way out. */
static struct packet
outgoing(struct run *r, size_t len)
{
	struct packet p = { .ip = r->c.ip, .sport = r->c.dport, .dport = r->c.sport,
	                    .flags = ACK | PSH, .len = len,
	                    .seq = r->c.rcv_nxt, .ack = r->c.snd_nxt };

	net_addresses(p.ip, p.daddr, p.saddr);
	return p;
}

static const char *
queue_own(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p;

	if (error)
		return error;
	p = outgoing(r, 10);
	r->skip = link_queue(net_tun, QUEUE_REFUSES);
	if (r->skip)
		return NULL;
	record_drop(&r->what->expected, &p);
	if (send(r->c.fd, "0123456789", 10, MSG_NOSIGNAL) != 10)
		error = "cannot send";
	link_unqueue(net_tun);
	return error;
}

static const char *
by_pair(struct run *r, bool bridge)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	to_address(&p, "10.77.2.2", "fd77:0:0:2::2");
	link_forward();
	r->skip = link_pair(bridge);
	if (!r->skip)
		drop_near(r, &p);
	link_unpair();
	return NULL;
}

static const char *
veth_peer_down(struct run *r)
{
	return by_pair(r, false);
}

/* The bridge has learned that address from the port the packet comes from. */
static const char *
bridge_no_port(struct run *r)
{
	return by_pair(r, true);
}

const struct drop_case cases_link[] = {
	CASE(forward_no_route, "-", "IP_INNOROUTES|IP_INADDRERRORS|IP_OUTNOROUTES",
	     "forwarding without a route"),
	CASE(forward_ttl, "-", "IP_INHDR", "forwarding with a TTL of 1"),
	CASE(forward_too_big, "-", "PKT_TOO_BIG", "forwarding of a packet too big for the device"),
	CASE(netns_closed_port, "-", "NO_SOCKET", "closed port in another namespace"),
	CASE(netns_overwindow, "ESTABLISHED", "TCP_INVALID_SEQUENCE|TCP_OVERWINDOW",
	     "segment outside the window in another namespace"),
	CASE(queue_refuses, "-", "QDISC_DROP", "forwarded packet refused by a queue"),
	CASE(queue_loses, "-", "QDISC_DROP", "forwarded packet lost by netem"),
	CASE(queue_reset, "-", "NOT_SPECIFIED", "three packets in a queue that is taken away"),
	{ .expected = { .name = "queue_own", .states = "ESTABLISHED", .reasons = "QDISC_DROP",
	                .any_window = true },
	  .make = queue_own, .what = "data of the kernel's refused by a queue" },
	CASE(veth_peer_down, "-", "QDISC_DROP", "to a veth device whose peer is down"),
	CASE(bridge_no_port, "-", "NOT_SPECIFIED", "in a bridge with no port to send it to"),
};

const size_t cases_link_count = COUNT(cases_link);
