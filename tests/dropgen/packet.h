/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_PACKET_H
#define DROPGEN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08,
	ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80
};

enum { PACKET_MAX = 4096 };

/* One IP packet with a TCP header, in host byte order, addresses as on the wire. */
struct packet {
	int ip;                 /* 4 or 6 */
	uint8_t saddr[16];
	uint8_t daddr[16];
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint8_t ttl;
	uint8_t tos;
	uint16_t window;
	uint8_t opts[40];
	size_t nopts;           /* a multiple of 4 */
	size_t len;             /* payload */
	unsigned int doff;      /* in words, 0: what the options need */
	size_t cut;             /* bytes left of the TCP segment, 0: all */
	size_t extra;           /* bytes the IP header claims beyond the end */
	bool ip_options;        /* v4: 4 bytes of them; v6: a destination options header */
	bool bad_csum;
	bool bad_ip_csum;
};

size_t packet_build(const struct packet *p, uint8_t buf[PACKET_MAX]);

/* 0 when buf holds a whole TCP packet. */
int packet_parse(struct packet *p, const uint8_t *buf, size_t n);

/* The value of a 32-bit TCP timestamp option, 0 when there is none. */
uint32_t packet_tsval(const struct packet *p);

void packet_timestamp(struct packet *p, uint32_t tsval, uint32_t tsecr);
uint16_t packet_checksum(const uint8_t *data, size_t n, uint32_t sum);
void packet_put16(uint8_t *at, unsigned int value);
void packet_put32(uint8_t *at, uint32_t value);

#endif
