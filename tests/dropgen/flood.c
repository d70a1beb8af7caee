/* SPDX-License-Identifier: MIT */
/*
 * As many drops as possible: a bad checksum is found before any look-up and
 * draws no reply, so each packet is one drop and nothing else. The softirq
 * that receives from lo runs before the send returns, unless ksoftirqd has
 * it; then the per-CPU backlog (netdev_max_backlog) bounds what may wait, so
 * the kernel's own counter is read until it has caught up.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "flood.h"
#include "net.h"
#include "packet.h"

enum { BATCH = 64, SIZE = 40, FIRST_PORT = 1024, PORTS = 60000 };

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
wait_until(double when)
{
	double left = when - now();

	if (left > 0) {
		struct timespec ts = { .tv_sec = (time_t)left };

		ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
		nanosleep(&ts, NULL);
	}
}

static void
prepare(uint8_t packets[BATCH][SIZE], unsigned long first)
{
	for (unsigned long i = 0; i < BATCH; i++) {
		uint8_t *tcp = packets[i] + 20;

		packet_put16(tcp, (unsigned int)(FIRST_PORT + (first + i) % PORTS));
		packet_put32(tcp + 4, (uint32_t)(first + i));
	}
}

static void
spoil(uint8_t packets[BATCH][SIZE])
{
	for (unsigned int i = 0; i < BATCH; i++) {
		uint8_t *tcp = packets[i] + 20;
		uint32_t pseudo = 6 + 20 + 2 * (0x7f00 + 1);

		packet_put16(tcp + 16, 0);
		packet_put16(tcp + 16, packet_checksum(tcp, 20, pseudo) ^ 0x5555u);
	}
}

static long long
bad_checksums(void)
{
	return net_counter("/proc/net/snmp", "Tcp", "InCsumErrors");
}

int
flood(FILE *out, unsigned long long netns, unsigned long first, unsigned long count,
      unsigned long rate, unsigned long port)
{
	static uint8_t packets[BATCH][SIZE];
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct packet p = { .ip = 4, .dport = (uint16_t)port, .flags = ACK, .window = 1,
	                    .saddr = { 127, 0, 0, 1 }, .daddr = { 127, 0, 0, 1 } };
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	unsigned long sent = 0, refused = 0;
	uint8_t buf[PACKET_MAX];
	long long counted;
	double start, seconds;

	if (fd < 0)
		die("open a raw socket:");
	memset(messages, 0, sizeof(messages));
	packet_build(&p, buf);
	for (unsigned int i = 0; i < BATCH; i++) {
		memcpy(packets[i], buf, SIZE);
		vectors[i].iov_base = packets[i];
		vectors[i].iov_len = SIZE;
		messages[i].msg_hdr.msg_name = &to;
		messages[i].msg_hdr.msg_namelen = sizeof(to);
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	counted = bad_checksums();
	start = now();
	while (sent < count) {
		unsigned int batch = count - sent < BATCH ? (unsigned int)(count - sent) : BATCH;
		int n;

		if (rate && batch > rate / 100 + 1)
			batch = (unsigned int)(rate / 100 + 1);
		prepare(packets, first + sent);
		spoil(packets);
		n = sendmmsg(fd, messages, batch, 0);
		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			die("send:");
		if (n < 0)
			refused++;
		else
			sent += (unsigned long)n;
		if (rate)
			wait_until(start + (double)sent / (double)rate);
	}
	seconds = now() - start;
	close(fd);
	for (int i = 0; i < 1000 && bad_checksums() - counted < (long long)sent; i++)
		wait_until(now() + 0.01);
	counted = bad_checksums() - counted;
	fprintf(out, "{\"sent\":%lu,\"csum_errors\":%lld,\"refused\":%lu,\"netns\":%llu,"
	        "\"saddr\":\"127.0.0.1\",\"daddr\":\"127.0.0.1\",\"dport\":%lu,\"seconds\":%.6f,"
	        "\"per_second\":%.0f}\n",
	        sent, counted, refused, netns, port, seconds,
	        seconds > 0 ? (double)sent / seconds : 0);
	fflush(out);
	return counted == (long long)sent ? 0 : 1;
}
