/* SPDX-License-Identifier: MIT */
/*
 * The places where tcp_drop() was inlined, as compilers wrote them. Each
 * sequence ends with a call or jump whose distance is filled in here, so that
 * it leads to TARGET.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../inlined.h"
#include "tap.h"

#define ADDRESS 0x81000000u /* low half */
#define TARGET  0x80f00000u

static const struct sequence {
	const char *name;
	const char *bytes;    /* hex, blanks are passed over; "REL32" is the distance */
	unsigned    count;    /* sites */
	unsigned    unclear;
	int         skb;      /* register of the first */
	int         sk_drops;
} sequences[] = {
	/* Linux 5.10, gcc 10: tcp_validate_incoming() */
	{ "add to rbp, r12", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32", 1, 0, 12, 168 },
	/* tcp_data_queue(): the epilogue stands between, and the call is a jump */
	{ "tail call", "f0 01 85 a8 00 00 00 48 8b 44 24 20 65 48 2b 04 25 28 00 00 00 0f 85 94 08 00 00"
	  " 48 83 c4 28 4c 89 ef 5b 5d 41 5c 41 5d 41 5e 41 5f e9 REL32", 1, 0, 13, 168 },
	{ "r15", "f0 01 85 a8 00 00 00 4c 89 ff e8 REL32", 1, 0, 15, 168 },
	/* forms of the same instructions that other compilers and offsets make */
	{ "rbx, 8-bit offset", "f0 01 43 70 48 89 ef e8 REL32", 1, 0, 5, 112 },
	{ "r12 with its SIB byte", "f0 41 01 84 24 e8 00 00 00 48 89 df e8 REL32", 1, 0, 3, 232 },
	{ "xadd", "f0 0f c1 83 a8 00 00 00 48 89 ef e8 REL32", 1, 0, 5, 168 },
	{ "mov written with 8b", "f0 01 85 a8 00 00 00 49 8b fc e8 REL32", 1, 0, 12, 168 },
	{ "a jump to where another goes on", "f0 01 83 a8 00 00 00 eb 09 90 90 f0 01 83 a8 00 00 00"
	  " 4c 89 f7 e8 REL32", 2, 0, 14, 168 },
	{ "a long jump back", "eb 0d 90 90 90 4c 89 f7 e8 REL32 90 90 f0 01 83 a8 00 00 00"
	  " e9 e5 ff ff ff", 1, 0, 14, 168 },
	{ "a jump out of the text", "f0 01 83 a8 00 00 00 e9 00 00 10 00", 0, 0, 0, 0 },
	/* what is none */
	{ "increment", "f0 ff 85 a8 00 00 00 4c 89 e7 e8 REL32", 0, 0, 0, 0 },
	{ "no lock", "90 01 85 a8 00 00 00 4c 89 e7 e8 REL32", 0, 0, 0, 0 },
	{ "64 bits", "f0 48 01 85 a8 00 00 00 4c 89 e7 e8 REL32", 0, 0, 0, 0 },
	{ "an index register", "f0 01 84 05 a8 00 00 00 4c 89 e7 e8 REL32", 0, 0, 0, 0 },
	{ "another function", "f0 01 85 a8 00 00 00 4c 89 e7 e8 00 00 00 00", 0, 0, 0, 0 },
	{ "no register is moved", "f0 01 85 a8 00 00 00 48 8b 7c 24 08 e8 REL32", 0, 0, 0, 0 },
	{ "no register is moved, twice", "f0 01 85 a8 00 00 00 48 8b 7c 24 08 e8 REL32"
	  " f0 01 85 a8 00 00 00 48 8b 7c 24 10 e8 REL32", 0, 0, 0, 0 },
	{ "no register is moved, three times", "f0 01 85 a8 00 00 00 48 8b 7c 24 08 e8 REL32"
	  " f0 01 85 a8 00 00 00 48 8b 7c 24 10 e8 REL32"
	  " f0 01 85 a8 00 00 00 48 8b 7c 24 18 e8 REL32", 0, 3, 0, 168 },
	/* a good one and one that cannot be told */
	{ "unclear beside a clear one", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32"
	  " 90 90 f0 01 85 a8 00 00 00 48 8b 7c 24 08 e8 REL32", 1, 1, 12, 168 },
	/* tcp_prune_ofo_queue(): r13 is the address of sk_drops itself */
	{ "address in a register", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32"
	  " 90 90 f0 41 01 45 00 48 89 ef e8 REL32", 2, 0, 12, 168 },
	{ "address in another register", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32"
	  " 90 90 f0 01 03 48 89 ef e8 REL32", 2, 0, 12, 168 },
	{ "address in r12", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32"
	  " 90 90 f0 41 01 04 24 48 89 ef e8 REL32", 2, 0, 12, 168 },
	{ "an address in the instruction", "f0 01 05 a8 00 00 00 4c 89 e7 e8 REL32", 0, 0, 0, 0 },
	/* an addition to another field before a free that is no drop */
	{ "another field", "f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32 f0 01 85 a8 00 00 00 4c 89 e7 e8 REL32"
	  " 90 90 f0 01 45 14 48 89 ef e8 REL32", 2, 0, 12, 168 },
};

static unsigned
nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t
assemble(uint8_t *to, const char *p)
{
	size_t n = 0;

	while (*p) {
		if (*p == ' ') {
			p++;
		} else if (!strncmp(p, "REL32", 5)) {
			int32_t distance = (int32_t)(TARGET - (ADDRESS + n + 4));

			memcpy(to + n, &distance, 4);
			n += 4;
			p += 5;
		} else {
			to[n++] = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
			p += 2;
		}
	}
	return n;
}

static void
test_sequence(const struct sequence *s)
{
	uint8_t text[256];
	struct inlined found = { 0 };
	size_t n = assemble(text, s->bytes);

	memset(text + n, 0x90, sizeof(text) - n);
	inlined_scan(&found, text, sizeof(text), (uint64_t)0xffffffff00000000u | ADDRESS,
	             (uint64_t)0xffffffff00000000u | TARGET);
	inlined_finish(&found);
	CHECK_INT(found.count, s->count, "%s: sites", s->name);
	CHECK_INT(found.unclear, s->unclear, "%s: unclear", s->name);
	CHECK_INT(found.sk_drops, s->sk_drops, "%s: offset of sk_drops", s->name);
	if (!s->count)
		return;
	CHECK_INT(found.site[0].skb, s->skb, "%s: register", s->name);
	if (!strncmp(s->bytes, "f0", 2))
		CHECK_INT((uint32_t)found.site[0].address, ADDRESS,
		          "%s: the addition is the place", s->name);
}

static int
register_number(const char *name)
{
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	int n = 0;

	while (n < 16 && strcmp(names[n], name) != 0)
		n++;
	return n;
}

/* Splits a line at its tabs. */
static unsigned
split(char *line, char *field[], unsigned most)
{
	unsigned n = 0;

	for (char *p = strtok(line, "\t\n"); p && n < most; p = strtok(NULL, "\t\n"))
		field[n++] = p;
	return n;
}

/*
 * What compilers really wrote: all places of a kernel one after the other, as in
 * its text. Each must be found, with the registers that objdump reads.
 */
static void
test_kernel(char (*lines)[512], unsigned count)
{
	static uint8_t text[8192];
	struct inlined found = { 0 };
	size_t used = 0;
	char *field[64][6];

	memset(text, 0x90, sizeof(text));
	for (unsigned i = 0; i < count; i++) {
		split(lines[i], field[i], 6);
		/* REL32 counts from where the sequence begins */
		size_t n = assemble(text + used, field[i][5]);
		int32_t distance = (int32_t)(TARGET - (ADDRESS + used + n));

		memcpy(text + used + n - 4, &distance, 4);
		used += n + 32;
	}
	inlined_scan(&found, text, sizeof(text), (uint64_t)0xffffffff00000000u | ADDRESS,
	             (uint64_t)0xffffffff00000000u | TARGET);
	inlined_finish(&found);
	CHECK_INT(found.unclear, 0, "%s: all are understood", field[0][0]);
	if (!CHECK_INT(found.count, count, "%s: sites", field[0][0]))
		return;
	for (unsigned i = 0; i < count; i++) {
		const struct inlined_site *s = &found.site[i];
		int displacement = atoi(field[i][4]);

		CHECK_INT(s->base, register_number(field[i][2]), "%s: %s: socket", field[i][0],
		          field[i][1]);
		CHECK_INT(s->skb, register_number(field[i][3]), "%s: %s: packet", field[i][0],
		          field[i][1]);
		CHECK_INT(s->back, displacement ? 0 : found.sk_drops, "%s: %s: back", field[i][0],
		          field[i][1]);
	}
	inlined_leave_out(&found, found.site[1].address, found.site[1].address + 1);
	CHECK_INT(found.count, count - 1, "%s: one is left out", field[0][0]);
}

static void
test_kernels(void)
{
	static char lines[64][512];
	FILE *file = fopen("tests/facts/inlined.txt", "re");
	unsigned count = 0, kernels = 0;
	char line[512];

	while (file && count < 64) {
		bool more = fgets(line, sizeof(line), file);

		if (more && *line == '#')
			continue;
		if (count && (!more || strncmp(lines[0], line, strcspn(line, "\t")) != 0)) {
			test_kernel(lines, count);
			kernels++;
			count = 0;
		}
		if (!more)
			break;
		memcpy(lines[count++], line, sizeof(line));
	}
	if (file)
		fclose(file);
	CHECK(kernels >= 4, "%u kernels and compilers", kernels);
}

/* More places than there is room for: the rest is counted as not probed. */
static void
test_too_many(void)
{
	enum { MORE = 3, STEP = 64 };
	static uint8_t text[(INLINED_MAX + MORE) * STEP];
	struct inlined found = { 0 };

	memset(text, 0x90, sizeof(text));
	for (size_t at = 0; at < sizeof(text); at += STEP) {
		size_t n = assemble(text + at, sequences[0].bytes);
		int32_t distance = (int32_t)(TARGET - (ADDRESS + at + n));

		memcpy(text + at + n - 4, &distance, 4);
	}
	inlined_scan(&found, text, sizeof(text), ADDRESS, TARGET);
	inlined_finish(&found);
	CHECK_INT(found.count, INLINED_MAX, "too many: what there is room for is probed");
	CHECK_INT(found.unclear, MORE, "too many: the rest is counted");
}

/* Text that ends anywhere is not read beyond. */
static void
test_truncated(void)
{
	uint8_t whole[64];
	size_t n = assemble(whole, sequences[0].bytes);
	unsigned most = 0;

	for (size_t length = 0; length <= n; length++) {
		uint8_t *text = malloc(length + 1);
		struct inlined found = { 0 };

		memcpy(text, whole, length);
		inlined_scan(&found, text, length, ADDRESS, TARGET);
		inlined_finish(&found);
		most = found.count > most ? found.count : most;
		free(text);
	}
	CHECK(most <= 1, "truncated text");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(sequences); i++)
		test_sequence(&sequences[i]);
	test_kernels();
	test_too_many();
	test_truncated();
	return tap_end();
}
