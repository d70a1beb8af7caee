/* SPDX-License-Identifier: MIT */
/* Handshakes by hand, with a real socket on the kernel's side only. */
#define _GNU_SOURCE

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "link.h"
#include "net.h"

enum { WAIT_MS = 2000, PROTO_ICMP = 1, ECHO_REQUEST = 8, ECHO_ID = 0x7764 };

void
conn_init(struct conn *c, int tun, int ip, uint16_t sport, uint16_t dport)
{
	memset(c, 0, sizeof(*c));
	c->tun = tun;
	c->ip = ip;
	c->sport = sport;
	c->dport = dport;
	c->listener = -1;
	c->fd = -1;
	c->backlog = 8;
	c->snd_nxt = 0x10000000u + sport * 0x1001u;
	c->tsval = 0x20000000;
}

static long long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* The remote host's address and the kernel's. */
static void
ends(const struct conn *c, uint8_t theirs[16], uint8_t ours[16])
{
	uint8_t near[16];

	net_addresses(c->ip, theirs, ours);
	if (c->beyond)
		link_addresses(c->ip, ours, near);
}

struct packet
conn_packet(struct conn *c, unsigned int flags, size_t len)
{
	struct packet p = {
		.ip = c->ip,
		.sport = c->sport,
		.dport = c->dport,
		.seq = c->snd_nxt,
		.ack = flags & ACK ? c->rcv_nxt : 0,
		.flags = (uint8_t)flags,
		.window = 8000,
		.len = len,
	};

	ends(c, p.saddr, p.daddr);
	if (c->timestamps)
		packet_timestamp(&p, c->tsval, flags & ACK ? c->tsecr : 0);
	return p;
}

void
conn_inject(struct conn *c, const struct packet *p)
{
	uint8_t buf[PACKET_MAX];
	size_t n = packet_build(p, buf);

	if (write(c->tun, buf, n) != (ssize_t)n)
		die("write a packet to %s:", net_tun);
}

/* The size of the next packet from the kernel, 0 when there is none in time. */
static size_t
next(int tun, uint8_t buf[PACKET_MAX], int ms)
{
	struct pollfd pfd = { .fd = tun, .events = POLLIN };
	ssize_t n = read(tun, buf, PACKET_MAX);

	if (n > 0)
		return (size_t)n;
	if (ms <= 0 || poll(&pfd, 1, ms) <= 0)
		return 0;
	n = read(tun, buf, PACKET_MAX);
	return n > 0 ? (size_t)n : 0;
}

static void
learn(struct conn *c, const struct packet *p)
{
	if (p->flags & RST)
		return;
	c->window = p->window;
	if (p->flags & ACK)
		c->edge = p->ack + p->window;
	if (packet_tsval(p))
		c->tsecr = packet_tsval(p);
}

bool
conn_reply(struct conn *c, struct packet *p, int ms)
{
	long long until = now_ms() + ms;
	uint8_t buf[PACKET_MAX];

	for (;;) {
		long long left = until - now_ms();
		size_t n = next(c->tun, buf, left > 0 ? (int)left : 0);

		if (n && packet_parse(p, buf, n) == 0 && p->ip == c->ip
		    && p->dport == c->sport && p->sport == c->dport) {
			learn(c, p);
			return true;
		}
		if (!n && left <= 0)
			return false;
	}
}

bool
conn_expect(struct conn *c, unsigned int flags, struct packet *p, int ms)
{
	long long until = now_ms() + ms;
	long long left;

	while ((left = until - now_ms()) > 0)
		if (conn_reply(c, p, (int)left) && (p->flags & flags) == flags)
			return true;
	return false;
}

void
conn_drain(int tun, int ms)
{
	uint8_t buf[PACKET_MAX];

	while (next(tun, buf, ms))
		;
}

/* Asks this IPv4 address for an echo and waits for it. */
static void
echo(int tun, const uint8_t address[4])
{
	static unsigned int count;
	struct packet like = { .ip = 4 };
	uint8_t buf[PACKET_MAX], *icmp = buf + 20;
	long long until = now_ms() + WAIT_MS;
	size_t n;

	count++;
	net_addresses(4, like.saddr, like.daddr);
	memcpy(like.daddr, address, 4);
	packet_build(&like, buf);
	memset(icmp, 0, 20);
	buf[9] = PROTO_ICMP;
	packet_put16(buf + 10, 0);
	packet_put16(buf + 10, packet_checksum(buf, 20, 0));
	icmp[0] = ECHO_REQUEST;
	packet_put16(icmp + 4, ECHO_ID);
	packet_put16(icmp + 6, count & 0xffff);
	packet_put16(icmp + 2, packet_checksum(icmp, 20, 0));
	if (write(tun, buf, 40) != 40)
		die("write a packet to %s:", net_tun);
	while ((n = next(tun, buf, WAIT_MS)) && now_ms() < until)
		if (n == 40 && buf[0] == 0x45 && buf[9] == PROTO_ICMP && icmp[0] == 0
		    && icmp[6] == (uint8_t)(count >> 8) && icmp[7] == (uint8_t)count)
			return;
}

void
conn_settle(int tun)
{
	uint8_t remote[16], local[16];

	net_addresses(4, remote, local);
	echo(tun, local);
}

void
conn_arrive(struct conn *c)
{
	uint8_t there[16], here[16];

	conn_settle(c->tun);
	if (!c->beyond)
		return;
	link_addresses(4, there, here);
	echo(c->tun, there);
}

socklen_t
conn_address(const struct conn *c, struct sockaddr_storage *ss, bool remote, uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	uint8_t theirs[16], ours[16];

	memset(ss, 0, sizeof(*ss));
	ends(c, theirs, ours);
	if (c->ip == 4 && !c->mapped) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		if (remote)
			memcpy(&sin->sin_addr, theirs, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	if (remote)
		memcpy(&sin6->sin6_addr, theirs, 16);
	return sizeof(*sin6);
}

static int
open_socket(const struct conn *c, int family)
{
	int fd;

	if (c->beyond)
		link_enter();
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->beyond)
		link_leave();
	return fd;
}

static int
bound_socket(struct conn *c)
{
	int family = c->ip == 4 && !c->mapped ? AF_INET : AF_INET6;
	int fd = open_socket(c, family);
	int on = 1, only = !c->mapped;
	struct sockaddr_storage ss;
	socklen_t n = conn_address(c, &ss, false, c->dport);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (c->rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &c->rcvbuf, sizeof(c->rcvbuf));
	if (bind(fd, (struct sockaddr *)&ss, n) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

const char *
conn_listen(struct conn *c)
{
	c->listener = bound_socket(c);
	if (c->listener < 0)
		return "cannot bind a socket";
	if (listen(c->listener, c->backlog) < 0)
		return "cannot listen";
	return NULL;
}

const char *
conn_syn(struct conn *c)
{
	struct packet p = conn_packet(c, SYN, 0);

	conn_inject(c, &p);
	c->snd_nxt++;
	if (!conn_expect(c, SYN | ACK, &p, WAIT_MS))
		return "no SYN|ACK came back";
	c->rcv_nxt = p.seq + 1;
	return NULL;
}

static const char *
accept_one(struct conn *c)
{
	struct pollfd pfd = { .fd = c->listener, .events = POLLIN };

	if (poll(&pfd, 1, WAIT_MS) <= 0)
		return "the connection was not established";
	c->fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return c->fd < 0 ? "cannot accept" : NULL;
}

const char *
conn_open(struct conn *c)
{
	const char *error = NULL;
	struct packet p;

	if (c->listener < 0)
		error = conn_listen(c);
	if (!error)
		error = conn_syn(c);
	if (error)
		return error;
	p = conn_packet(c, ACK, 0);
	conn_inject(c, &p);
	return accept_one(c);
}

const char *
conn_connect(struct conn *c)
{
	struct sockaddr_storage ss;
	socklen_t n = conn_address(c, &ss, true, c->sport);
	struct packet p;

	c->fd = bound_socket(c);
	if (c->fd < 0)
		return "cannot bind a socket";
	if (connect(c->fd, (struct sockaddr *)&ss, n) < 0 && errno != EINPROGRESS)
		return "cannot connect";
	if (!conn_expect(c, SYN, &p, WAIT_MS))
		return "no SYN came";
	c->rcv_nxt = p.seq + 1;
	return NULL;
}

const char *
conn_send(struct conn *c, size_t n)
{
	struct packet p = conn_packet(c, ACK | PSH, n);

	conn_inject(c, &p);
	c->snd_nxt += (uint32_t)n;
	for (int i = 0; i < 8; i++) {
		if (!conn_expect(c, ACK, &p, WAIT_MS))
			return "data was not acknowledged";
		if ((int32_t)(p.ack - c->snd_nxt) >= 0)
			return NULL;
	}
	return "data was not acknowledged in full";
}

void
conn_consume(struct conn *c)
{
	char buf[4096];

	while (c->fd >= 0 && read(c->fd, buf, sizeof(buf)) > 0)
		;
}

void
conn_close(struct conn *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	conn_arrive(c);
	if (c->fd >= 0) {
		conn_consume(c);
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(c->fd);
	}
	if (c->listener >= 0)
		close(c->listener);
	c->fd = -1;
	c->listener = -1;
	conn_drain(c->tun, 0);
}
