/* SPDX-License-Identifier: MIT */
/*
 * Packets by hand: the generator plays the remote host, so it writes and
 * reads every header itself.
 */
#include <string.h>

#include "packet.h"

enum { OPT_NOP = 1, OPT_TIMESTAMP = 8, PROTO_TCP = 6, PROTO_DSTOPTS = 60 };

void
packet_put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void
packet_put32(uint8_t *at, uint32_t value)
{
	packet_put16(at, value >> 16);
	packet_put16(at + 2, value & 0xffff);
}

static uint16_t
get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

uint16_t
packet_checksum(const uint8_t *data, size_t n, uint32_t sum)
{
	for (; n > 1; data += 2, n -= 2)
		sum += get16(data);
	if (n)
		sum += (uint32_t)data[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t
pseudo_header(const struct packet *p, size_t n)
{
	size_t size = p->ip == 4 ? 4 : 16;
	uint32_t sum = PROTO_TCP + (uint32_t)n;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)get16(p->saddr + i) + get16(p->daddr + i);
	return sum;
}

static size_t
build_ip4(const struct packet *p, uint8_t *buf, size_t segment)
{
	size_t n = p->ip_options ? 24 : 20;

	buf[0] = (uint8_t)(0x40 | n / 4);
	buf[1] = p->tos;
	packet_put16(buf + 2, (unsigned int)(n + segment + p->extra));
	packet_put16(buf + 6, 0x4000);
	buf[8] = p->ttl ? p->ttl : 64;
	buf[9] = PROTO_TCP;
	memcpy(buf + 12, p->saddr, 4);
	memcpy(buf + 16, p->daddr, 4);
	memset(buf + 20, OPT_NOP, n - 20);
	packet_put16(buf + 10, packet_checksum(buf, n, 0) ^ (p->bad_ip_csum ? 0x5555 : 0));
	return n;
}

static size_t
build_ip6(const struct packet *p, uint8_t *buf, size_t segment)
{
	static const uint8_t padding[8] = { PROTO_TCP, 0, 1, 4 };
	size_t n = p->ip_options ? 48 : 40;

	packet_put16(buf, 0x6000u | (unsigned int)p->tos << 4);
	packet_put16(buf + 4, (unsigned int)(n - 40 + segment + p->extra));
	buf[6] = p->ip_options ? PROTO_DSTOPTS : PROTO_TCP;
	buf[7] = p->ttl ? p->ttl : 64;
	memcpy(buf + 8, p->saddr, 16);
	memcpy(buf + 24, p->daddr, 16);
	memcpy(buf + 40, padding, n - 40);
	return n;
}

size_t
packet_build(const struct packet *p, uint8_t buf[PACKET_MAX])
{
	size_t header = 20 + p->nopts, whole = header + p->len;
	size_t segment = p->cut ? p->cut : whole;
	size_t n;
	uint8_t *tcp;

	memset(buf, 0, PACKET_MAX);
	n = p->ip == 4 ? build_ip4(p, buf, segment) : build_ip6(p, buf, segment);
	tcp = buf + n;
	packet_put16(tcp, p->sport);
	packet_put16(tcp + 2, p->dport);
	packet_put32(tcp + 4, p->seq);
	packet_put32(tcp + 8, p->ack);
	tcp[12] = (uint8_t)((p->doff ? p->doff : header / 4) << 4);
	tcp[13] = p->flags;
	packet_put16(tcp + 14, p->window);
	memcpy(tcp + 20, p->opts, p->nopts);
	memset(tcp + header, 'x', p->len);
	packet_put16(tcp + 16, packet_checksum(tcp, segment, pseudo_header(p, segment))
	             ^ (p->bad_csum ? 0x5555 : 0));
	return n + segment;
}

int
packet_parse(struct packet *p, const uint8_t *buf, size_t n)
{
	size_t ip, header, total;

	memset(p, 0, sizeof(*p));
	if (n >= 40 && buf[0] >> 4 == 4 && buf[9] == PROTO_TCP) {
		p->ip = 4;
		ip = (buf[0] & 15u) * 4;
		total = get16(buf + 2);
		memcpy(p->saddr, buf + 12, 4);
		memcpy(p->daddr, buf + 16, 4);
	} else if (n >= 60 && buf[0] >> 4 == 6 && buf[6] == PROTO_TCP) {
		p->ip = 6;
		ip = 40;
		total = 40u + get16(buf + 4);
		memcpy(p->saddr, buf + 8, 16);
		memcpy(p->daddr, buf + 24, 16);
	} else {
		return -1;
	}
	if (total > n || ip + 20 > total)
		return -1;
	buf += ip;
	header = (buf[12] >> 4) * 4u;
	if (header < 20 || ip + header > total)
		return -1;
	p->sport = get16(buf);
	p->dport = get16(buf + 2);
	p->seq = get32(buf + 4);
	p->ack = get32(buf + 8);
	p->flags = buf[13];
	p->window = get16(buf + 14);
	p->nopts = header - 20;
	memcpy(p->opts, buf + 20, p->nopts);
	p->len = total - ip - header;
	return 0;
}

uint32_t
packet_tsval(const struct packet *p)
{
	for (size_t i = 0; i + 1 < p->nopts && p->opts[i];) {
		if (p->opts[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (p->opts[i] == OPT_TIMESTAMP && i + 10 <= p->nopts)
			return get32(p->opts + i + 2);
		i += p->opts[i + 1] ? p->opts[i + 1] : 1u;
	}
	return 0;
}

void
packet_timestamp(struct packet *p, uint32_t tsval, uint32_t tsecr)
{
	uint8_t *o = p->opts + p->nopts;

	o[0] = OPT_NOP;
	o[1] = OPT_NOP;
	o[2] = OPT_TIMESTAMP;
	o[3] = 10;
	packet_put32(o + 4, tsval);
	packet_put32(o + 8, tsecr);
	p->nopts += 12;
}
