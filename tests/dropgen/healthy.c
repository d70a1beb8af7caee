/* SPDX-License-Identifier: MIT */
/*
 * Connections over lo that go well, each with data both ways and an orderly
 * end; many of them beside sniffers and drops that are none of TCP's.
 */
#define _GNU_SOURCE

#include <linux/if_ether.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "healthy.h"
#include "net.h"
#include "record.h"

enum { PORT = 9000, FIRST_PORT = 10000, MOST = 100000, SOME = 16, BULK = 20000, MUCH = 1000000,
       PROTO_ICMP = 1 };

static socklen_t
loopback_address(struct sockaddr_storage *ss, int ip, uint16_t port)
{
	static const uint8_t ip4[16] = { 127, 0, 0, 1 }, ip6[16] = { [15] = 1 };

	return net_socket_address(ss, ip, ip == 4 ? ip4 : ip6, port);
}

int
healthy_socket(int ip, int type, uint16_t port, int rcvbuf)
{
	static const uint8_t any[16];
	int fd = socket(ip == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_storage ss;
	socklen_t n = net_socket_address(&ss, ip, any, port);

	if (fd < 0)
		return -1;
	if (ip == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	if (bind(fd, (struct sockaddr *)&ss, n) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Moves n bytes from one end to the other of a connection over lo, in this one process. */
static const char *
transfer(int from, int to, size_t n)
{
	static char buf[16384];
	size_t sent = 0, got = 0;

	while (got < n) {
		ssize_t k;

		if (sent < n) {
			k = send(from, buf, n - sent < sizeof(buf) ? n - sent : sizeof(buf),
			         MSG_DONTWAIT | MSG_NOSIGNAL);
			if (k > 0)
				sent += (size_t)k;
		}
		k = recv(to, buf, sizeof(buf), sent < n ? MSG_DONTWAIT : 0);
		if (k > 0)
			got += (size_t)k;
		else if (k == 0)
			return "the connection ended early";
	}
	return NULL;
}

const char *
healthy_one(int ip, int listener, uint16_t dport, uint16_t sport, size_t bulk)
{
	int client = healthy_socket(ip, SOCK_STREAM, sport, 0), server;
	struct sockaddr_storage ss;
	socklen_t n = loopback_address(&ss, ip, dport);
	const char *error;
	char end;

	if (client < 0 || connect(client, (struct sockaddr *)&ss, n) < 0)
		return "cannot connect over lo";
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		return "cannot accept";
	error = transfer(client, server, bulk);
	if (!error)
		error = transfer(server, client, bulk);
	shutdown(client, SHUT_WR);
	if (recv(server, &end, 1, 0) != 0)
		error = "no end of the stream";
	close(server);
	if (recv(client, &end, 1, 0) != 0)
		error = "no end of the stream";
	close(client);
	return error;
}

/* Up to 5.17 the last ACK of an orderly close is freed with tcp_drop(). */
void
healthy_record(const char *name, int ip, uint16_t dport)
{
	record_never(name, ip, 0, dport, net_kernel() < KERNEL(5, 19) ? "ACK" : "");
}

/* ---- many ---- */

/* None of them is ever read, so what they keep is soon all that fits. */
static void
open_sniffers(int sniffers[4])
{
	sniffers[0] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	sniffers[1] = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	sniffers[2] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	sniffers[3] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	if (sniffers[0] < 0 || sniffers[2] < 0)
		die("open a sniffer:");
}

/* A UDP packet to a closed port, which ICMP answers, and ICMP with a bad checksum. */
static void
drop_others(int ip)
{
	static const uint8_t echo[64] = { 8, 0, 0x12, 0x34 };
	struct sockaddr_storage ss;
	socklen_t n = loopback_address(&ss, ip, PORT);
	int udp = socket(ip == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int icmp = ip == 4 ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, PROTO_ICMP) : -1;

	sendto(udp, echo, sizeof(echo), 0, (struct sockaddr *)&ss, n);
	if (icmp >= 0) {
		sendto(icmp, echo, sizeof(echo), 0, (struct sockaddr *)&ss, n);
		close(icmp);
	}
	close(udp);
}

static int
listener(int ip)
{
	int fd = healthy_socket(ip, SOCK_STREAM, PORT, 0);

	if (fd >= 0 && listen(fd, 8) == 0)
		healthy_record("healthy_many", ip, PORT);
	return fd;
}

/* Did the drops beside it happen? */
static const char *
others_dropped(void)
{
	if (net_counter("/proc/net/snmp", "Udp", "NoPorts") < 1)
		return "no UDP packet was dropped beside";
	if (net_counter("/proc/net/snmp", "Icmp", "InCsumErrors") < 1)
		return "no ICMP packet was dropped beside";
	return NULL;
}

int
healthy_many(unsigned long count)
{
	int sniffers[4], listeners[2] = { listener(4), listener(6) };
	const char *error = NULL;

	if (count > MOST || listeners[0] < 0)
		die(count > MOST ? "there are ports for %d connections" : "listen on port %d:",
		    count > MOST ? MOST : PORT);
	/* No tail loss probe: where the receiver is late it comes again, which is a drop. */
	net_sysctl("/proc/sys/net/ipv4/tcp_early_retrans", "0");
	open_sniffers(sniffers);
	for (unsigned long i = 0; i < count && !error; i++) {
		int six = i % 2 && listeners[1] >= 0;

		if (i % SOME < 2)
			drop_others(six ? 6 : 4);
		error = healthy_one(six ? 6 : 4, listeners[six], PORT,
		                    (uint16_t)(FIRST_PORT + i / 2), i % SOME ? BULK : MUCH);
	}
	if (!error)
		error = others_dropped();
	if (error)
		record_error("healthy_many", 4, error);
	for (unsigned int i = 0; i < 4; i++)
		close(sniffers[i]);
	return error != NULL;
}
