/* SPDX-License-Identifier: MIT */
/*
 * What must not be shown: packets that are not TCP, connections that go well,
 * and the copies of TCP packets that raw and packet sockets keep. Those are
 * freed as dropped, but no TCP packet was.
 */
#define _GNU_SOURCE

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cases.h"
#include "healthy.h"

enum { HEALTHY = 20, BULK = 200000, PROTO_ICMP = 1, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

static void
never(struct run *r)
{
	record_never(r->what->expected.name, r->c.ip, r->c.sport, r->c.dport, "");
}

/* An IP packet of another protocol. */
static void
inject_other(struct run *r, unsigned int protocol, const uint8_t *data, size_t n, bool bad_csum)
{
	struct packet like = conn_packet(&r->c, 0, 0);
	uint8_t buf[PACKET_MAX], *payload = buf + (like.ip == 4 ? 20 : 40);
	uint32_t sum = 0;
	size_t at = protocol == PROTO_UDP ? 6 : 2, size = like.ip == 4 ? 4 : 16;

	packet_build(&like, buf);
	memcpy(payload, data, n);
	if (like.ip == 4) {
		buf[9] = (uint8_t)protocol;
		packet_put16(buf + 2, (unsigned int)(20 + n));
		packet_put16(buf + 10, 0);
		packet_put16(buf + 10, packet_checksum(buf, 20, 0));
	} else {
		buf[6] = (uint8_t)protocol;
		packet_put16(buf + 4, (unsigned int)n);
	}
	if (protocol != PROTO_ICMP) {
		sum = protocol + (uint32_t)n;
		for (size_t i = 0; i < size; i += 2)
			sum += (uint32_t)(like.saddr[i] << 8 | like.saddr[i + 1])
			     + (uint32_t)(like.daddr[i] << 8 | like.daddr[i + 1]);
	}
	packet_put16(payload + at, packet_checksum(payload, n, sum) ^ (bad_csum ? 0x5555u : 0));
	n += (size_t)(payload - buf);
	if (write(r->c.tun, buf, n) != (ssize_t)n)
		die("write a packet to %s:", net_tun);
	conn_settle(r->c.tun);
}

static void
inject_udp(struct run *r, bool bad_csum)
{
	uint8_t udp[108] = { 0 };

	packet_put16(udp, r->c.sport);
	packet_put16(udp + 2, r->c.dport);
	packet_put16(udp + 4, sizeof(udp));
	inject_other(r, PROTO_UDP, udp, sizeof(udp), bad_csum);
}

static const char *
udp_closed_port(struct run *r)
{
	never(r);
	inject_udp(r, false);
	inject_udp(r, true);
	return NULL;
}

static const char *
icmp(struct run *r)
{
	uint8_t echo[64] = { 0 }, unknown[64] = { 0 };
	unsigned int protocol = r->c.ip == 4 ? PROTO_ICMP : PROTO_ICMP6;

	never(r);
	echo[0] = r->c.ip == 4 ? 8 : 128;
	unknown[0] = 99;
	inject_other(r, protocol, echo, sizeof(echo), false);
	inject_other(r, protocol, echo, sizeof(echo), true);
	inject_other(r, protocol, unknown, sizeof(unknown), false);
	return NULL;
}

static const char *
udp_full(struct run *r)
{
	int fd = healthy_socket(r->c.ip, SOCK_DGRAM, r->c.dport, 1);

	if (fd < 0)
		return "cannot bind a UDP socket";
	never(r);
	for (int i = 0; i < 50; i++)
		inject_udp(r, false);
	close(fd);
	return NULL;
}

static const char *
healthy(struct run *r)
{
	int listener = healthy_socket(r->c.ip, SOCK_STREAM, r->c.dport, 0);
	const char *error = NULL;

	if (listener < 0 || listen(listener, 8) < 0)
		return "cannot listen";
	healthy_record(r->what->expected.name, r->c.ip, r->c.dport);
	for (unsigned int i = 0; i < HEALTHY && !error; i++)
		error = healthy_one(r->c.ip, listener, r->c.dport, (uint16_t)(50000 + i), BULK);
	close(listener);
	return error;
}

static const char *
healthy_reset(struct run *r)
{
	const char *error = conn_open(&r->c);

	if (error)
		return error;
	never(r);
	for (int i = 0; i < 10 && !error; i++)
		error = conn_send(&r->c, 1000);
	return error;
}

static const char *
close_unread(struct run *r)
{
	const char *error = conn_open(&r->c);

	if (error)
		return error;
	never(r);
	error = conn_send(&r->c, 100);
	close(r->c.fd);
	r->c.fd = -1;
	return error;
}

/* A conversation while another socket gets copies of all of its packets. */
static const char *
with_copies(struct run *r, int fd, int rcvbuf, unsigned int count)
{
	const char *error;

	if (fd < 0)
		return "cannot open a raw socket";
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	never(r);
	error = conn_open(&r->c);
	for (unsigned int i = 0; i < count && !error; i++) {
		error = conn_send(&r->c, 500);
		conn_consume(&r->c);
	}
	close(fd);
	return error;
}

static int
raw_socket(struct run *r)
{
	return socket(r->c.ip == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
}

static int
packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
}

static const char *
raw_unread(struct run *r)
{
	return with_copies(r, raw_socket(r), 0, 10);
}

static const char *
raw_full(struct run *r)
{
	return with_copies(r, raw_socket(r), 1, 15);
}

static const char *
packet_unread(struct run *r)
{
	return with_copies(r, packet_socket(), 0, 10);
}

static const char *
packet_full(struct run *r)
{
	return with_copies(r, packet_socket(), 1, 15);
}

#define NEVER(id, what_) { .expected = { .name = #id }, .make = id, .what = what_ }

const struct drop_case cases_never[] = {
	NEVER(udp_closed_port, "nothing shown: UDP to a closed port, with a bad checksum"),
	NEVER(udp_full, "nothing shown: UDP to a full socket, and closed with it unread"),
	NEVER(icmp, "nothing shown: ICMP, also with a bad checksum or of no type"),
	NEVER(healthy, "nothing shown: connections over lo with bulk data"),
	NEVER(healthy_reset, "nothing shown: a connection the kernel resets"),
	NEVER(close_unread, "nothing shown: close with data not read"),
	NEVER(raw_unread, "nothing shown: copies in a raw socket closed unread"),
	NEVER(raw_full, "nothing shown: copies a full raw socket refuses"),
	NEVER(packet_unread, "nothing shown: copies in a packet socket closed unread"),
	NEVER(packet_full, "nothing shown: copies a full packet socket refuses"),
};

const size_t cases_never_count = COUNT(cases_never);
