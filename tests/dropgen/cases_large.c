/* SPDX-License-Identifier: MIT */
/*
 * Buffers that are more than one packet on the wire: sent with GSO, received
 * with GSO or GRO, put together from fragments. Each is one drop, of the whole.
 */
#define _GNU_SOURCE

#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"
#include "link.h"
#include "nft.h"

/* <linux/tcp.h> */
enum { TCP_MAXSEG_OPTION = 2, TCP_REPAIR_OPTION = 19, SEGMENT = 500, FRAGMENT = 1240 };

static const char no_nft[] = "no nftables in this kernel";
static const char large_tun[] = "dropgen7";

/* Of the parts of the buffer nothing may be shown beside the drop of the whole. */
static void
nothing_else(struct run *r)
{
	record_never(r->what->expected.name, r->c.ip, r->c.sport, r->c.dport, "");
}

/* ---- sent ---- */

/* Two segments, which tcp_tso_autosize() never parts. */
static size_t
two_segments(int fd)
{
	int one = 0;
	socklen_t n = sizeof(one);

	return getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG_OPTION, &one, &n) < 0 ? 0 : 2 * (size_t)one;
}

static const char *
send_two(int fd, size_t n)
{
	static const char zeros[131072];

	if (!n || n > sizeof(zeros))
		return "no segment size";
	return send(fd, zeros, n, MSG_NOSIGNAL) == (ssize_t)n ? NULL : "cannot send";
}

static const char *
gso_out(struct run *r)
{
	const char *error = conn_open(&r->c);
	struct packet p = { .ip = r->c.ip, .sport = r->c.dport, .dport = r->c.sport,
	                    .flags = ACK | PSH };

	if (error)
		return error;
	net_addresses(p.ip, p.daddr, p.saddr);
	p.seq = r->c.rcv_nxt;
	p.ack = r->c.snd_nxt;
	p.len = two_segments(r->c.fd);
	if (nft_drop(NFT_OUT, r->c.dport) < 0)
		return case_skip(r, no_nft);
	nothing_else(r);
	record_drop(&r->what->expected, &p);
	error = send_two(r->c.fd, p.len);
	nft_clear(NFT_OUT);
	return error;
}

/* A connection of two sockets, from our namespace to the second one. */
struct across {
	int listener, client, server, sniffer;
	struct packet last;     /* the client's ACK of the handshake */
};

static int
bound_to(int ip, const uint8_t address[16], uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t n = net_socket_address(&ss, ip, address, port);
	int fd = socket(ip == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, n) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The last packet from the client that the sniffer has. */
static bool
sniffed(struct across *a, struct run *r)
{
	uint8_t frame[PACKET_MAX];
	struct packet p;
	bool found = false;
	ssize_t n;

	while ((n = recv(a->sniffer, frame, sizeof(frame), MSG_DONTWAIT)) > 14)
		if (packet_parse(&p, frame + 14, (size_t)n - 14) == 0 && p.sport == r->c.sport
		    && p.dport == r->c.dport && p.flags == ACK) {
			a->last = p;
			found = true;
		}
	return found;
}

static const char *
across_connect(struct across *a, struct run *r)
{
	uint8_t there[16], here[16];
	struct sockaddr_storage ss;
	socklen_t n;

	link_addresses(r->c.ip, there, here);
	n = net_socket_address(&ss, r->c.ip, there, r->c.dport);
	link_enter();
	a->listener = bound_to(r->c.ip, there, r->c.dport);
	link_leave();
	a->client = bound_to(r->c.ip, here, r->c.sport);
	a->sniffer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (a->listener < 0 || a->client < 0 || a->sniffer < 0 || listen(a->listener, 8) < 0)
		return "cannot listen in the second namespace";
	if (connect(a->client, (struct sockaddr *)&ss, n) < 0)
		return "cannot connect to the second namespace";
	a->server = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
	if (a->server < 0)
		return "cannot accept";
	return sniffed(a, r) ? NULL : "the handshake was not seen";
}

/* Repair mode: a connection ends without a word, and nothing is sent again. */
static void
close_silently(int *fd)
{
	int on = 1;

	if (*fd < 0)
		return;
	setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR_OPTION, &on, sizeof(on));
	close(*fd);
	*fd = -1;
}

static void
across_close(struct across *a)
{
	close_silently(&a->client);
	close_silently(&a->server);
	if (a->sniffer >= 0)
		close(a->sniffer);
	if (a->listener >= 0)
		close(a->listener);
}

/* Dropped in the second namespace as it came from the first, in one piece. */
static const char *
send_across(struct across *a, struct run *r)
{
	struct expected e = r->what->expected;
	const char *error;
	bool nft;

	e.netns = link_netns();
	a->last.flags = ACK | PSH;
	a->last.len = two_segments(a->client);
	link_enter();
	nft = nft_drop(NFT_IN, r->c.dport) == 0;
	link_leave();
	if (!nft)
		return case_skip(r, no_nft);
	record_drop(&e, &a->last);
	error = send_two(a->client, a->last.len);
	close_silently(&a->client);
	link_enter();
	nft_clear(NFT_IN);
	link_leave();
	return error;
}

static const char *
gso_across(struct run *r)
{
	struct across a = { -1, -1, -1, -1, { 0 } };
	const char *error;

	r->skip = link_open();
	if (r->skip)
		return NULL;
	nothing_else(r);
	/* No tail loss probe, which would be dropped too. */
	net_sysctl("/proc/sys/net/ipv4/tcp_early_retrans", "0");
	error = across_connect(&a, r);
	if (!error)
		error = send_across(&a, r);
	across_close(&a);
	return error;
}

/* ---- received ---- */

/* From another host behind the second TUN device. */
static struct packet
from_large(struct run *r, size_t len)
{
	struct packet p = conn_packet(&r->c, ACK, len);

	p.ack = 12345;
	p.saddr[p.ip == 4 ? 2 : 7] = 3;
	return p;
}

static void
write_gso(int fd, const struct packet *p)
{
	size_t ip = p->ip == 4 ? 20 : 40;
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = p->ip == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)(ip + 20),
		.gso_size = SEGMENT,
		.csum_start = (uint16_t)ip,
		.csum_offset = 16,
	};
	uint8_t buf[PACKET_MAX];
	struct iovec parts[2] = { { &header, sizeof(header) }, { buf, packet_build(p, buf) } };

	if (writev(fd, parts, 2) < 0)
		die("write a packet to %s:", large_tun);
}

/* As from a virtual machine that leaves segmentation to its host. */
static const char *
gso_in(struct run *r)
{
	struct packet p = from_large(r, 3 * SEGMENT);
	int fd = net_tun_more(large_tun, NET_TUN_VNET);

	if (fd < 0)
		return case_skip(r, "no second TUN device");
	nothing_else(r);
	record_drop(&r->what->expected, &p);
	write_gso(fd, &p);
	conn_settle(r->c.tun);
	conn_drain(fd, 20);
	close(fd);
	return NULL;
}

/* A packet waits this long for the next one of its flow. */
static bool
hold_gro(const char *device)
{
	char path[80];
	int status;
	pid_t child = fork();

	if (child == 0) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/gro_flush_timeout", device);
		if (unshare(CLONE_NEWNS) < 0)
			_exit(1);
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
			_exit(1);
		_exit(net_sysctl(path, "500000000") < 0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void
write_plain(int fd, const struct packet *p)
{
	uint8_t buf[PACKET_MAX];
	size_t n = packet_build(p, buf);

	if (write(fd, buf, n) != (ssize_t)n)
		die("write a packet to %s:", large_tun);
}

/* Each packet to a closed port is answered by one reset. */
static int
count_resets(int fd, int ip)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t protocol = ip == 4 ? 9 : 6, flags = ip == 4 ? 20 + 13 : 40 + 13;
	uint8_t buf[PACKET_MAX];
	int count = 0;

	while (poll(&pfd, 1, 20) > 0) {
		ssize_t n = read(fd, buf, sizeof(buf));

		count += n > (ssize_t)flags && buf[0] >> 4 == ip && buf[protocol] == IPPROTO_TCP
		         && buf[flags] & RST;
	}
	return count;
}

/*
 * The second segment joins the first, which waits for it, and its PSH ends that.
 * But the first goes on alone where a tick of the clock comes while it is received:
 * napi_complete_done() lets nothing wait that is of an earlier one.
 */
static bool
write_joined(struct run *r, int fd)
{
	struct packet whole = from_large(r, 2 * SEGMENT), one = whole, two;
	bool joined;

	whole.flags = ACK | PSH;
	one.len = SEGMENT;
	two = one;
	two.flags = ACK | PSH;
	two.seq += SEGMENT;
	write_plain(fd, &one);
	write_plain(fd, &two);
	conn_settle(r->c.tun);
	joined = count_resets(fd, r->c.ip) == 1;
	record_drop(&r->what->expected, joined ? &whole : &one);
	if (!joined)
		record_drop(&r->what->expected, &two);
	return joined;
}

static const char *
gro_in(struct run *r)
{
	bool joined = false;
	int fd;

	/* There the buffers that hang on the first keep the device's socket, and lose it. */
	if (net_kernel() < KERNEL(5, 15))
		return case_skip(r, "before 5.15 the kernel warns of GRO on a TUN device");
	fd = net_tun_more(large_tun, NET_TUN_NAPI);
	if (fd < 0)
		return case_skip(r, "no TUN device with NAPI");
	if (!hold_gro(large_tun)) {
		close(fd);
		return case_skip(r, "GRO cannot be told to wait");
	}
	nothing_else(r);
	for (int i = 0; i < 5 && !joined; i++) {
		joined = write_joined(r, fd);
		r->c.snd_nxt += 2 * SEGMENT;
	}
	close(fd);
	return joined ? NULL : "the segments do not join";
}

/* ---- fragments ---- */

static void
inject_bytes(struct run *r, const uint8_t *buf, size_t n)
{
	if (write(r->c.tun, buf, n) != (ssize_t)n)
		die("write a packet to %s:", net_tun);
}

/* The part of p from one byte behind its IP header to another; whether more follow. */
static void
inject_fragment(struct run *r, const struct packet *p, size_t from, size_t to, bool more)
{
	uint8_t whole[PACKET_MAX], part[PACKET_MAX] = { 0 };
	size_t n = packet_build(p, whole), ip = p->ip == 4 ? 20 : 40, header = p->ip == 4 ? 20 : 48;

	if (to > n - ip)
		to = n - ip;
	memcpy(part, whole, ip);
	memcpy(part + header, whole + ip + from, to - from);
	if (p->ip == 4) {
		packet_put16(part + 2, (unsigned int)(ip + to - from));
		packet_put16(part + 4, r->c.sport);
		packet_put16(part + 6, (unsigned int)(from / 8) | (more ? 0x2000 : 0));
		packet_put16(part + 10, 0);
		packet_put16(part + 10, packet_checksum(part, 20, 0));
	} else {
		packet_put16(part + 4, (unsigned int)(8 + to - from));
		part[6] = 44;
		part[40] = 6;
		packet_put16(part + 42, (unsigned int)from | more);
		packet_put32(part + 44, r->c.sport);
	}
	inject_bytes(r, part, header + to - from);
}

/*
 * What has no room in the first fragment's buffer hangs on it as a list. Stable kernels
 * of 2018 (4.4.178) refuse IPv6 fragments smaller than the least MTU, 1280 bytes, but
 * for the last.
 */
static const char *
fragments(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK, 3000);

	p.ack = 12345;
	nothing_else(r);
	record_drop(&r->what->expected, &p);
	inject_fragment(r, &p, 0, FRAGMENT, true);
	inject_fragment(r, &p, FRAGMENT, 2 * FRAGMENT, true);
	inject_fragment(r, &p, 2 * FRAGMENT, 3 * FRAGMENT, false);
	conn_settle(r->c.tun);
	return NULL;
}

static long long
given_up(int ip)
{
	return ip == 4 ? net_counter("/proc/net/snmp", "Ip", "ReasmTimeout")
	               : net_counter6("Ip6ReasmTimeout");
}

/* The kernel gives the other fragments a second to come. */
static bool
wait_given_up(int ip, long long before)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 500; i++) {
		if (given_up(ip) > before)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static const char *
fragment_alone(struct run *r)
{
	struct packet p = conn_packet(&r->c, ACK, 3000);
	const char *path = r->c.ip == 4 ? "/proc/sys/net/ipv4/ipfrag_time"
	                                : "/proc/sys/net/ipv6/ip6frag_time";
	const char *tracked = "/proc/sys/net/netfilter/nf_conntrack_frag6_timeout";
	long long before = given_up(r->c.ip);

	p.ack = 12345;
	/* Connection tracking, where it is in use, takes IPv6 fragments first. */
	if (net_sysctl(path, "1") < 0
	    || (r->c.ip == 6 && net_sysctl(tracked, "1") < 0 && access(tracked, F_OK) == 0))
		return case_skip(r, "the life of fragments cannot be set");
	if (r->c.ip == 6 && net_kernel() < KERNEL(4, 5) && access(tracked, F_OK) == 0)
		return case_skip(r, "this kernel's connection tracking works on copies");
	inject_fragment(r, &p, 0, FRAGMENT, true);
	p.len = FRAGMENT - 20;
	record_drop(&r->what->expected, &p);
	return wait_given_up(r->c.ip, before) ? NULL : "the kernel waits for the other fragments";
}

const struct drop_case cases_large[] = {
	{ .expected = { .name = "gso_out", .states = "ESTABLISHED", .reasons = "NETFILTER_DROP",
	                .any_window = true },
	  .make = gso_out, .what = "two segments in one buffer dropped by an output rule" },
	{ .expected = { .name = "gso_across", .states = "ESTABLISHED|-",
	                .reasons = "NETFILTER_DROP", .any_window = true },
	  .make = gso_across,
	  .what = "two segments in one buffer dropped by an input rule of another namespace" },
	CASE(gso_in, "-", "NO_SOCKET", "three segments in one buffer to a closed port"),
	CASE(gro_in, "-", "NO_SOCKET", "two segments joined by GRO to a closed port"),
	CASE(fragments, "-", "NO_SOCKET", "three IP fragments to a closed port"),
	CASE_UNNAMED(fragment_alone, KERNEL(6, 2), "-", "FRAG_REASM_TIMEOUT",
	             "an IP fragment without the next one"),
};

const size_t cases_large_count = COUNT(cases_large);
