/* SPDX-License-Identifier: MIT */
/*
 * Each bit is foretold and then read with an arithmetic decoder, which takes the
 * less input the better it was foretold. What was seen after the same 0 to 6
 * bytes, and in the same word so far, each has a slot with the chance of a one;
 * the chances are added up as logarithms of odds, with weights that learn from
 * each bit which of them to believe. tests/pack does the same in the other
 * direction, down to the rounding of each number: change both.
 */
#include <stdbool.h>

#include "memory.h"
#include "unpack.h"

enum {
	CONTEXTS  = UNPACK_BEFORE + 1,
	SLOT_BITS = 20,         /* 4 MB of slots */
	SURE      = 12,         /* a count that goes no farther */
	FRACTION  = 16,         /* bits of chances and weights behind the point */
	REACH     = 2047,       /* of logarithms of odds, in 256ths */
	WEIGHT    = 20000,      /* that all begin with */
};

static const uint32_t spread = 0x2f0b4c47, spread_more = 0x9e3779b1; /* odd, no pattern */

struct slot {
	int16_t chance;         /* less a half */
	uint8_t count;          /* 0: free */
	uint8_t check;          /* of whose slot it is */
};

/* One context's part in the bit to come. */
struct guess {
	struct slot *slot;
	int32_t     *weight;    /* less WEIGHT */
	int32_t      odds;
};

static struct slot   *slots;
static int32_t        weights[CONTEXTS][SURE + 1][256];
static uint16_t       to_chance[2 * REACH + 1];
static int16_t        to_odds[4096];
static uint32_t       contexts[CONTEXTS];
static uint32_t       range, code;
static const uint8_t *next;

/* The slope of the logistic function is p * (1 - p): here in steps of 1/256. */
static void
make_tables(void)
{
	uint32_t p = 1440000; /* of 2^32, at -REACH */
	unsigned filled = 0;

	for (int i = 0; i <= 2 * REACH; i++) {
		to_chance[i] = (uint16_t)(p >> 16);
		while (filled <= p >> 20)
			to_odds[filled++] = (int16_t)(i - REACH);
		p += (uint32_t)((uint64_t)p * (0 - p) >> 40);
	}
}

static bool
read_bit(uint32_t chance)
{
	uint32_t part = (uint32_t)((uint64_t)range * chance >> FRACTION);
	bool bit = code < part;

	code -= bit ? 0 : part;
	range = bit ? part : range - part;
	for (; !(range >> 24); range <<= 8)
		code = code << 8 | *next++;
	return bit;
}

static struct slot *
find_slot(uint32_t hash)
{
	uint32_t i = hash >> (32 - SLOT_BITS);
	uint8_t check = (uint8_t)(hash >> 4);

	while (slots[i].count && slots[i].check != check)
		i = (i + 1) % (1u << SLOT_BITS);
	slots[i].check = check;
	return &slots[i];
}

/* bits: those of this byte so far, behind a one. Returns the logarithm of the odds. */
static int
foretell(struct guess *guesses, unsigned bits)
{
	int64_t sum = 0;

	for (int i = 0; i < CONTEXTS; i++) {
		struct guess *g = &guesses[i];
		uint32_t hash = (contexts[i] + bits) * spread_more;

		g->slot = find_slot((hash ^ hash >> 15) * spread);
		g->weight = &weights[i][g->slot->count][bits];
		g->odds = to_odds[(g->slot->chance + 32768) >> 4];
		sum += (int64_t)(*g->weight + WEIGHT) * g->odds;
	}
	sum >>= FRACTION;
	return (int)(sum > REACH ? REACH : sum < -REACH ? -REACH : sum);
}

static void
learn(struct guess *g, bool bit, int32_t error)
{
	struct slot *s = g->slot;

	*g->weight += g->odds * error >> 14;
	/* the largest chance is one that to_odds has */
	s->chance = (int16_t)(s->chance + ((bit ? 32751 : -32751) - s->chance) * 2
	                                  / (2 * s->count + 3));
	s->count = (uint8_t)(s->count + (s->count < SURE));
}

static bool
take_bit(unsigned bits)
{
	struct guess guesses[CONTEXTS];
	uint32_t chance = to_chance[foretell(guesses, bits) + REACH];
	bool bit = read_bit(chance);

	for (int i = 0; i < CONTEXTS; i++)
		learn(&guesses[i], bit, (bit << FRACTION) - (int32_t)chance);
	return bit;
}

static char
take_byte(const char *end)
{
	uint32_t hash = 0, word = contexts[CONTEXTS - 1];
	unsigned bits = 1;

	for (int i = 0; i < UNPACK_BEFORE; i++) {
		contexts[i] = hash;
		hash = (hash + (uint8_t)*--end + 1) * spread;
	}
	while (bits < 256)
		bits = bits * 2 + take_bit(bits);
	/* as if in lower case; what is no letter ends it */
	bits &= 255;
	contexts[CONTEXTS - 1] = bits < 'A' ? 1 : (word + (bits | 0x20)) * spread;
	return (char)bits;
}

void
unpack(char *out, size_t size, const uint8_t *packed)
{
	slots = memory_resize(NULL, sizeof(*slots) << SLOT_BITS);
	if (!slots)
		return;
	make_tables();
	range = UINT32_MAX;
	for (next = packed; next < packed + 4; next++)
		code = code << 8 | *next;
	while (size--) {
		*out = take_byte(out);
		out++;
	}
	memory_free(slots);
}
