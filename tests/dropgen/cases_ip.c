/* SPDX-License-Identifier: MIT */
/* TCP packets the IP layer drops before any socket is looked for. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

static void
set_address(uint8_t address[16], int ip, const char *ip4, const char *ip6)
{
	memset(address, 0, 16);
	inet_pton(ip == 4 ? AF_INET : AF_INET6, ip == 4 ? ip4 : ip6, address);
}

static const char *
ip_csum(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.bad_ip_csum = true;
	case_drop(r, &p);
	return NULL;
}

static const char *
ip_beyond_end(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	p.extra = 40;
	case_drop(r, &p);
	return NULL;
}

static const char *
ip_not_ours(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	set_address(p.daddr, p.ip, "198.51.100.7", "fd99::7");
	case_drop(r, &p);
	return NULL;
}

static const char *
ip_own_source(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	set_address(p.saddr, p.ip, "10.77.0.1", "");
	case_drop(r, &p);
	return NULL;
}

static const char *
ip_loopback_source(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	set_address(p.saddr, p.ip, "127.0.0.9", "::1");
	case_drop(r, &p);
	return NULL;
}

static const char *
ip_rpfilter(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);

	set_address(p.saddr, p.ip, "198.51.100.9", "");
	if (net_sysctl("/proc/sys/net/ipv4/conf/dropgen0/rp_filter", "1") < 0)
		return case_skip(r, "cannot write net.ipv4.conf.dropgen0.rp_filter");
	case_drop(r, &p);
	net_sysctl("/proc/sys/net/ipv4/conf/dropgen0/rp_filter", "0");
	return NULL;
}

/* An IPv4 length that does not hold its own header, an IPv6 group as the sender. */
static const char *
ip_header(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);
	uint8_t buf[PACKET_MAX];
	size_t n;

	if (p.ip == 6)
		set_address(p.saddr, 6, "", "ff05::77");
	n = packet_build(&p, buf);
	if (p.ip == 4) {
		packet_put16(buf + 2, 16);
		packet_put16(buf + 10, 0);
		packet_put16(buf + 10, packet_checksum(buf, 20, 0));
	}
	record_drop(&r->what->expected, &p);
	if (write(r->c.tun, buf, n) != (ssize_t)n)
		return "cannot write to the TUN device";
	conn_settle(r->c.tun);
	return NULL;
}

/* A destination option the receiver must drop the packet for when it does not know it. */
static const char *
ip_option(struct run *r)
{
	struct packet p = conn_packet(&r->c, SYN, 0);
	uint8_t buf[PACKET_MAX];
	size_t n;

	p.ip_options = true;
	n = packet_build(&p, buf);
	buf[42] = 0x40 | 0x1e;
	record_drop(&r->what->expected, &p);
	if (write(r->c.tun, buf, n) != (ssize_t)n)
		return "cannot write to the TUN device";
	conn_settle(r->c.tun);
	return NULL;
}

const struct drop_case cases_ip[] = {
	{ .expected = { .name = "ip_csum", .reasons = "IP_CSUM" },
	  .only = 4, .make = ip_csum, .what = "bad checksum of the IP header" },
	{ .expected = { .name = "ip_beyond_end", .reasons = "PKT_TOO_SMALL|IP_INHDR",
	                .any_length = true },
	  .make = ip_beyond_end, .what = "IP length beyond the packet" },
	{ .expected = { .name = "ip_not_ours",
	                .reasons = "IP_INADDRERRORS|IP_INNOROUTES|IP_OUTNOROUTES" },
	  .make = ip_not_ours, .what = "for another host, not forwarded" },
	{ .expected = { .name = "ip_own_source", .reasons = "IP_LOCAL_SOURCE|IP_RPFILTER",
	                .unnamed = KERNEL(6, 16) },
	  .only = 4, .make = ip_own_source, .what = "from our own address" },
	{ .expected = { .name = "ip_loopback_source",
	                .reasons = "IP_LOCALNET|IP_INHDR|IP_INVALID_SOURCE|IP_RPFILTER",
	                .unnamed = KERNEL(6, 16) },
	  .make = ip_loopback_source, .what = "from a loopback address" },
	{ .expected = { .name = "ip_rpfilter", .reasons = "IP_RPFILTER" },
	  .only = 4, .make = ip_rpfilter, .what = "reverse path filter" },
	{ .expected = { .name = "ip_header", .reasons = "IP_INHDR|IP_INVALID_SOURCE",
	                .any_length = true },
	  .make = ip_header, .what = "bad IP header" },
	{ .expected = { .name = "ip_option", .reasons = "UNHANDLED_PROTO|IP_INHDR" },
	  .only = 6, .make = ip_option, .what = "unknown option of an extension header" },
};

const size_t cases_ip_count = COUNT(cases_ip);
