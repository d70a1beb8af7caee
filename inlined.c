/* SPDX-License-Identifier: MIT */
/*
 * tcp_drop() is sk_drops_add(sk, skb), then __kfree_skb(skb):
 *
 *   f0 01 85 a8 00 00 00    lock add %eax,0xa8(%rbp)     sk->sk_drops
 *   4c 89 e7                mov %r12,%rdi                skb
 *   e8 rel32                call __kfree_skb             or e9, a jump
 *
 * (Linux 5.10, gcc 10.) clang lets two sites share the latter two, to which the
 * first jumps. Other additions to sk_drops are increments, other calls
 * of __kfree_skb() have no locked add before them. The call itself may be shared
 * with code that frees a packet which is no drop (as in tcp_data_queue()): the
 * place to probe is the addition.
 */
#include <string.h>

#include "inlined.h"

enum {
	REACH = 40, /* bytes between the add and the call; 3 to 20 were seen */
	CALL  = 5,  /* length of call and jmp rel32 */
	ENOUGH = 3, /* sites that are not understood but agree: 9 there are */
};

static int32_t
read32(const uint8_t *p)
{
	int32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/*
 * lock add %r32,disp(%r64), or lock xadd: Intel SDM, volume 2. Returns its
 * length, the displacement and the register; 0 when p is something else. p has
 * 16 bytes.
 */
static size_t
locked_add(const uint8_t *p, int32_t *displacement, uint8_t *reg)
{
	const uint8_t *start = p;
	uint8_t mode, base, high = 0;

	if (*p++ != 0xf0)
		return 0;
	if ((*p & 0xf8) == 0x40) /* REX without W: 32 bits; its B is the base's high bit */
		high = (uint8_t)((*p++ & 1) << 3);
	if (p[0] == 0x0f && p[1] == 0xc1)
		p += 2;
	else if (*p++ != 0x01)
		return 0;
	mode = *p >> 6;
	base = *p++ & 7;
	if (base == 4 && (*p & 0x38) != 0x20) /* a SIB byte with an index */
		return 0;
	*reg = (uint8_t)((base == 4 ? *p++ & 7 : base) | high);
	if (mode == 1)
		*displacement = (int8_t)*p++;
	else if (mode == 2)
		*displacement = read32(p), p += 4;
	else if (mode == 0 && (*reg & 7) != 5) /* else there is no register */
		*displacement = 0;
	else
		return 0;
	return (size_t)(p - start);
}

/* Where a jump at offset leads; offset itself when there is none, or it leads out of the text. */
static size_t
follow_jump(const uint8_t *text, size_t n, size_t offset)
{
	size_t to = offset;

	if (offset + CALL <= n && text[offset] == 0xe9)
		to = offset + CALL + (size_t)(int64_t)read32(text + offset + 1);
	else if (offset + 2 <= n && text[offset] == 0xeb)
		to = offset + 2 + (size_t)(int64_t)(int8_t)text[offset + 1];
	return to < n ? to : offset;
}

/* The place of the call or jump to target, at offset or within reach of it; n: none. */
static size_t
find_call(const uint8_t *text, size_t n, size_t offset, uint64_t address, uint64_t target)
{
	for (size_t i = offset; i < offset + REACH && i + CALL <= n; i++) {
		uint64_t to = address + i + CALL + (uint64_t)(int64_t)read32(text + i + 1);

		if ((text[i] == 0xe8 || text[i] == 0xe9) && to == target)
			return i;
	}
	return n;
}

/* The register that is moved to rdi, the first argument, last before the call; -1: none is. */
static int8_t
find_argument(const uint8_t *p, const uint8_t *call)
{
	int reg = -1;

	for (; p + 3 <= call; p++) {
		if ((p[0] == 0x48 || p[0] == 0x4c) && p[1] == 0x89 && (p[2] & 0xc7) == 0xc7)
			reg = (p[2] >> 3 & 7) | (p[0] == 0x4c ? 8 : 0);
		else if ((p[0] == 0x48 || p[0] == 0x49) && p[1] == 0x8b && (p[2] & 0xf8) == 0xf8)
			reg = (p[2] & 7) | (p[0] == 0x49 ? 8 : 0);
	}
	return (int8_t)reg;
}

void
inlined_scan(struct inlined *found, const uint8_t *text, size_t n, uint64_t address,
             uint64_t target)
{
	found->start = address;
	found->end = address + n;
	for (size_t i = 0; i + 16 <= n; i++) {
		int32_t displacement;
		uint8_t base = 0;
		size_t length = locked_add(text + i, &displacement, &base);
		size_t next = length ? follow_jump(text, n, i + length) : n;
		size_t call = length ? find_call(text, n, next, address, target) : n;

		if (length && found->count == INLINED_MAX)
			found->unclear++;
		else if (length)
			found->site[found->count++] = (struct inlined_site){
				.address = address + i, .sk_drops = displacement, .base = base,
				.frees = call < n,
				.skb = call < n ? find_argument(text + next, text + call) : -1,
			};
	}
}

/* Sites that free, with that displacement; those that are understood count more. */
static unsigned
weigh(const struct inlined *found, int32_t displacement)
{
	unsigned weight = 0;

	for (unsigned i = 0; i < found->count; i++)
		if (found->site[i].frees && found->site[i].sk_drops == displacement)
			weight += found->site[i].skb >= 0 ? INLINED_MAX : 1;
	return weight;
}

void
inlined_finish(struct inlined *found)
{
	unsigned most = 0, kept = 0;

	for (unsigned i = 0; i < found->count; i++) {
		unsigned weight = weigh(found, found->site[i].sk_drops);

		if (weight > most)
			found->sk_drops = found->site[i].sk_drops;
		most = weight > most ? weight : most;
	}
	if (most < ENOUGH)
		found->sk_drops = 0;
	for (unsigned i = 0; i < found->count; i++) {
		struct inlined_site site = found->site[i];

		site.back = site.sk_drops ? 0 : found->sk_drops;
		if (site.skb >= 0 && (site.sk_drops == found->sk_drops || !site.sk_drops))
			found->site[kept++] = site;
		else if (found->sk_drops && site.sk_drops == found->sk_drops)
			found->unclear++;
	}
	found->count = kept;
}

void
inlined_leave_out(struct inlined *found, uint64_t start, uint64_t end)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < found->count; i++)
		if (found->site[i].address < start || found->site[i].address >= end)
			found->site[kept++] = found->site[i];
	found->count = kept;
}
