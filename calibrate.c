/* SPDX-License-Identifier: MIT */
#include <linux/if_ether.h>

#include <string.h>

#include "calibrate.h"
#include "offsets.h"

enum {
	IP_HEADER = 20,
	CB_END    = 40 + 48, /* skb->cb is at 40 to 4.14; what we look for comes after it */
	NOWHERE   = -1,
	TWICE     = -2,
};

static uint16_t
get16(const uint8_t *skb, int at)
{
	uint16_t value;

	memcpy(&value, skb + at, sizeof(value));
	return value;
}

static uint32_t
get32(const uint8_t *skb, int at)
{
	uint32_t value;

	memcpy(&value, skb + at, sizeof(value));
	return value;
}

static uint64_t
get64(const uint8_t *skb, int at)
{
	uint64_t value;

	memcpy(&value, skb + at, sizeof(value));
	return value;
}

/* skb->head: the next 8-aligned place after protocol, three headers, tail and end. */
static int
head_after(int protocol)
{
	return (protocol + 16 + 7) / 8 * 8;
}

/* Do the fields around it agree that protocol is there? */
static bool
is_protocol(const uint8_t *skb, int at, const struct calibrate_packet *p)
{
	static const uint8_t ip[2] = { ETH_P_IP >> 8, ETH_P_IP & 255 };
	int head = head_after(at);
	unsigned transport = get16(skb, at + 2), network = get16(skb, at + 4);

	return !memcmp(skb + at, ip, sizeof(ip))
	       && network + IP_HEADER == transport
	       && get16(skb, at + 6) + (unsigned)ETH_HLEN == network
	       && (get64(skb, head) >> 63)
	       && get64(skb, head + 8) - get64(skb, head) == transport
	       && get32(skb, at + 8) == transport + p->length
	       && get32(skb, at + 12) >= get32(skb, at + 8)
	       && get32(skb, head + 20) == 1;
}

/* len, with nothing in pages (data_len) and the length of the Ethernet header behind it */
static bool
is_length(const uint8_t *skb, int at, const struct calibrate_packet *p)
{
	return get32(skb, at) == p->length && get32(skb, at + 4) == 0
	       && get16(skb, at + 8) == ETH_HLEN;
}

/* skb_iif stands behind priority. */
static bool
is_interface(const uint8_t *skb, int at, const struct calibrate_packet *p)
{
	return get32(skb, at) == p->ifindex && get32(skb, at - 4) == p->priority;
}

static int
find(const uint8_t *skb, int from, int to, int step, const struct calibrate_packet *p,
     bool (*is)(const uint8_t *, int, const struct calibrate_packet *))
{
	int found = NOWHERE;

	for (int at = from; at < to; at += step)
		if (is(skb, at, p))
			found = found == NOWHERE ? at : TWICE;
	return found;
}

bool
calibrate(struct offsets *o, const uint8_t skb[CALIBRATE_BYTES], const struct calibrate_packet *p)
{
	int protocol = find(skb, CB_END, CALIBRATE_BYTES - 40, 2, p, is_protocol);
	int head = head_after(protocol);
	int len = protocol < 0 ? NOWHERE : find(skb, CB_END, protocol - 20, 4, p, is_length);
	int iif = len < 0 ? NOWHERE : find(skb, len + 24, protocol, 4, p, is_interface);

	if (len < 0)
		return false;
	offsets_told(o, SKB_LEN, len);
	offsets_told(o, SKB_PKT_TYPE, len + 16);
	offsets_told(o, SKB_IIF, iif < 0 ? OFFSET_NONE : iif);
	offsets_told(o, SKB_PROTOCOL, protocol);
	offsets_told(o, SKB_TRANSPORT, protocol + 2);
	offsets_told(o, SKB_NETWORK, protocol + 4);
	offsets_told(o, SKB_TAIL, protocol + 8);
	offsets_told(o, SKB_HEAD, head);
	offsets_told(o, SKB_DATA, head + 8);
	offsets_told(o, SKB_USERS, head + 20);
	return true;
}
