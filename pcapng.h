/* SPDX-License-Identifier: MIT */
/*
 * Drops to blocks of a pcapng file (draft-ietf-opsawg-pcapng), as bytes in a
 * caller's buffer: a section, an interface before the first packet of each
 * device, a packet for each drop, statistics of each device at the end.
 *
 * A function that writes a block returns its size, which FORMAT_MAX always has
 * room for; 0 when size is too small.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stddef.h>
#include <stdint.h>

struct drop;
struct format_style;

enum { PCAPNG_DEVICES = 4096 }; /* told apart; the rest counts as not known */

struct pcapng_device {
	uint32_t netns;
	uint32_t ifindex; /* 0: not known */
	uint32_t packets;
};

/* Begins as all zero bytes. */
struct pcapng {
	uint64_t lost;
	uint64_t untold;  /* of them, since the last packet */
	unsigned devices;
	struct pcapng_device device[PCAPNG_DEVICES];
};

/* The number of the device, a new one's is the count before. ifindex 0: that of the lost. */
unsigned pcapng_find(struct pcapng *, uint32_t netns, uint32_t ifindex);

void pcapng_lost(struct pcapng *, uint64_t count);

/* application: who writes; os: release of the kernel. Both terminated. */
size_t pcapng_section(char *buf, size_t size, const char *application, const char *os);

/* name: what the device is called in our network namespace, NULL: nothing. */
size_t pcapng_interface(const struct pcapng *, unsigned device, char *buf, size_t size,
                        const char *name);

/* style: what the comment has, see format.h. */
size_t pcapng_packet(struct pcapng *, unsigned device, char *buf, size_t size,
                     const struct format_style *style, const struct drop *);

/* Times are CLOCK_REALTIME, nanoseconds. */
size_t pcapng_statistics(const struct pcapng *, unsigned device, char *buf, size_t size,
                         uint64_t start, uint64_t end);

#endif
