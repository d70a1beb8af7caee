/* SPDX-License-Identifier: MIT */
/*
 * A buffer is made by the layout of each kernel and configuration in
 * facts/sk_buff.csv, as the kernel leaves it with our packet in it; the layout
 * must come back out of its bytes.
 */
#include <linux/if_ether.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../calibrate.h"
#include "../offsets.h"
#include "tap.h"

enum column {
	SK, DEV, CB, LEN, IIF, MARK, PROTOCOL, TRANSPORT, NETWORK, MAC, TAIL, END, HEAD, DATA,
	TRUESIZE, USERS, SIZE, COLUMNS,
};

enum { HEADROOM = 64 + ETH_HLEN, IP = 20 };

static const struct calibrate_packet packet = { .length = 69, .priority = 5, .ifindex = 1 };

static void
put(uint8_t *skb, unsigned at, uint64_t value, size_t size)
{
	memcpy(skb + at, &value, size);
}

/* What else is in it is not all zero. */
static void
fill(uint8_t skb[CALIBRATE_BYTES], const unsigned *at)
{
	for (unsigned i = 0; i < CALIBRATE_BYTES; i++)
		skb[i] = (uint8_t)(i * 7 + 3);
	put(skb, at[LEN], packet.length, 4);
	put(skb, at[LEN] + 4, 0, 4);
	put(skb, at[LEN] + 8, ETH_HLEN, 2);
	put(skb, at[IIF] - 4, packet.priority, 4);
	put(skb, at[IIF], packet.ifindex, 4);
	put(skb, at[PROTOCOL], 8, 2); /* ETH_P_IP in network byte order */
	put(skb, at[TRANSPORT], HEADROOM + IP, 2);
	put(skb, at[NETWORK], HEADROOM, 2);
	put(skb, at[MAC], HEADROOM - ETH_HLEN, 2);
	put(skb, at[TAIL], HEADROOM + IP + packet.length, 4);
	put(skb, at[END], 320, 4);
	put(skb, at[HEAD], 0xffff888012345000, 8);
	put(skb, at[DATA], 0xffff888012345000 + HEADROOM + IP, 8);
	put(skb, at[TRUESIZE], 768, 4);
	put(skb, at[USERS], 1, 4);
}

static void
check_row(const char *name, const unsigned *at)
{
	static const struct {
		enum offset id;
		enum column column;
	} told[] = {
		{ SKB_LEN, LEN }, { SKB_IIF, IIF }, { SKB_PROTOCOL, PROTOCOL },
		{ SKB_TRANSPORT, TRANSPORT }, { SKB_NETWORK, NETWORK }, { SKB_TAIL, TAIL },
		{ SKB_HEAD, HEAD }, { SKB_DATA, DATA }, { SKB_USERS, USERS },
	};
	uint8_t skb[CALIBRATE_BYTES];
	struct offsets o;

	fill(skb, at);
	offsets_table(&o, 0);
	if (!CHECK(calibrate(&o, skb, &packet), "%s: told", name))
		return;
	for (size_t i = 0; i < COUNT(told); i++)
		CHECK_INT(o.at[told[i].id], at[told[i].column], "%s: %s", name,
		          offsets_name(told[i].id));
}

/* Kernels to 4.14: with later ones dev is at 16, and they can be asked. */
static unsigned
check_rows(unsigned last[COLUMNS])
{
	FILE *file = fopen("tests/facts/sk_buff.csv", "re");
	char line[256];
	unsigned rows = 0;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned at[COLUMNS], n = 0;
		char *field = strtok(line, ","), name[64];
		char *configuration = strtok(NULL, ",");

		if (strncmp(field, "4.", 2) != 0 || !configuration)
			continue;
		snprintf(name, sizeof(name), "%s %s", field, configuration);
		while (n < COLUMNS && (field = strtok(NULL, ",")))
			at[n++] = (unsigned)atoi(field);
		if (n < COLUMNS || at[DEV] != 32)
			continue;
		check_row(name, at);
		memcpy(last, at, sizeof(at));
		rows++;
	}
	if (file)
		fclose(file);
	return rows;
}

static void
check_refused(const unsigned *at)
{
	static const struct {
		const char *name;
		enum column column;
		uint32_t    value;
		unsigned    size;
	} wrong[] = {
		{ "another length",         LEN, 68, 4 },
		{ "IPv6",                   PROTOCOL, 0xdd86, 2 },
		{ "no Ethernet header",     MAC, HEADROOM, 2 },
		{ "IP options",             TRANSPORT, HEADROOM + 24, 2 },
		{ "data elsewhere",         DATA, 0x12345000, 4 },
		{ "a tail that is too far", TAIL, 400, 4 },
		{ "end before tail",        END, 100, 4 },
		{ "shared",                 USERS, 2, 4 },
	};
	uint8_t skb[CALIBRATE_BYTES];
	struct offsets o, before;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		fill(skb, at);
		put(skb, at[wrong[i].column], wrong[i].value, wrong[i].size);
		offsets_table(&o, 0);
		before = o;
		CHECK(!calibrate(&o, skb, &packet), "refused: %s", wrong[i].name);
		CHECK(!memcmp(&o, &before, sizeof(o)), "nothing changed: %s", wrong[i].name);
	}
	fill(skb, at);
	put(skb, at[LEN] - 12, packet.length, 4);
	put(skb, at[LEN] - 8, 0, 4);
	put(skb, at[LEN] - 4, ETH_HLEN, 2);
	CHECK(!calibrate(&o, skb, &packet), "refused: the length in two places");
	fill(skb, at);
	put(skb, at[IIF], 2, 4);
	CHECK(calibrate(&o, skb, &packet) && o.at[SKB_IIF] == OFFSET_NONE
	      && o.source[SKB_IIF] == OFFSET_UNKNOWN, "no interface: its place is not known");
	memset(skb, 0, sizeof(skb));
	CHECK(!calibrate(&o, skb, &packet), "refused: nothing but zeroes");
}

int
main(void)
{
	unsigned last[COLUMNS];
	unsigned rows = check_rows(last);

	if (CHECK(rows >= 10, "%u layouts", rows))
		check_refused(last);
	return tap_end();
}
