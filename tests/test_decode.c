/* SPDX-License-Identifier: MIT */
/*
 * With -DFUZZ there is no main() but libFuzzer's entry (-fsanitize=fuzzer).
 * Build with -fsanitize=address to have every read outside the sample found.
 */
#include <errno.h>
#include <stdlib.h>

#include "../decode.h"
#include "../drop.h"
#include "../event.h"
#include "tap.h"

static uint64_t stack[300];
static unsigned accepted;
static volatile unsigned sum; /* of all header bytes: each is read */

/* What must hold for whatever comes in. */
static bool
is_sound(const struct drop *d)
{
	bool names = !d->probe && !d->reason_name && !d->state_name && !d->location.name;

	for (uint32_t i = 0; i < d->frames && i < DROP_FRAMES; i++)
		names = names && !d->stack[i].name && !d->stack[i].module
		        && !d->stack[i].offset && d->stack[i].address < (uint64_t)-4095;
	return names && (d->ip == 4 || d->ip == 6) && d->frames <= DROP_FRAMES
	       && memchr(d->comm, 0, sizeof(d->comm)) && d->has_ports >= d->has_tcp
	       && d->flags < 0x200 && (d->has_tcp || (!d->length && !d->flags && !d->window))
	       && (d->has_ports || (!d->sport && !d->dport))
	       && d->header_bytes <= EVENT_PACKET && d->header_bytes <= d->packet_length;
}

/*
 * The first bytes say how many frames there are and what is in them, the rest is
 * the record, at an odd address and at the end of its memory. true: sound.
 */
static bool
feed(const uint8_t *bytes, size_t n)
{
	static struct drop d;
	size_t head = n < 2 ? n : 2, size = n - head;
	uint8_t *memory = malloc(size + 1);
	struct sample s = {
		.data = memory + 1, .size = (uint32_t)size, .stack = stack, .cpu = 1, .pid = 2,
	};
	int error;

	s.frames = n ? bytes[0] : 0;
	for (uint32_t i = 0; i < s.frames; i++)
		stack[i] = i % 3 ? (uint64_t)-1 << (bytes[n - 1] & 63) : i;
	memcpy(memory + 1, bytes + head, size);
	memset(&d, 0xa5, sizeof(d));
	error = decode_drop(&s, &d);
	for (uint32_t i = 0; !error && i < d.header_bytes; i++)
		sum += d.headers[i];
	free(memory);
	accepted += !error;
	return error ? error == -EBADMSG && d.ip == 0xa5 : is_sound(&d);
}

#ifdef FUZZ

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!feed(bytes, n))
		abort();
	return 0;
}

#else

/* Addresses, ports and numbers of every packet below. */
enum { SPORT = 0xc001, DPORT = 443, WINDOW = 0xfff0 };

#define SEQ 0x89abcdef
#define ACK 0xfedcba98

static void
put16(uint8_t *b, unsigned value)
{
	b[0] = (uint8_t)(value >> 8);
	b[1] = (uint8_t)value;
}

static void
put32(uint8_t *b, uint32_t value)
{
	put16(b, value >> 16);
	put16(b + 2, value & 0xffff);
}

static void
fill_tcp(struct event *e, unsigned doff)
{
	put16(e->tcp, SPORT);
	put16(e->tcp + 2, DPORT);
	put32(e->tcp + 4, SEQ);
	put32(e->tcp + 8, ACK);
	e->tcp[12] = (uint8_t)(doff << 4 | 1); /* NS */
	e->tcp[13] = 0x12;                     /* SYN ACK */
	put16(e->tcp + 14, WINDOW);
	e->tcp_bytes = EVENT_TCP_BYTES;
}

static struct event
make_event(uint8_t family, uint16_t ip_length, uint16_t tcp_offset, unsigned doff)
{
	struct event e = {
		.location = 0xffffffff81000010, .reason = 42, .ifindex = 3, .netns = 4026531840,
		.length = 3000, .tcp_offset = tcp_offset, .family = family, .state = 1, .probe = 2,
		.known = 0x3f, .rcv_nxt = 11, .rcv_wnd = 12, .snd_una = 13, .snd_nxt = 14,
		.srtt_us = 8 * 41 + 7, .total_retrans = 15, .comm = "swapper/1",
	};

	e.ip[0] = (uint8_t)(family << 4 | (family == 4 ? tcp_offset / 4 : 0));
	put16(e.ip + (family == 4 ? 2 : 4), ip_length);
	for (uint8_t i = 0; i < 32; i++)
		e.ip[8 + i] = (uint8_t)(0x20 + i);
	fill_tcp(&e, doff);
	return e;
}

static int
decode(const struct event *e, struct drop *d)
{
	struct sample s = { .data = e, .size = sizeof(*e), .cpu = 5, .pid = 6, .time = 7 };

	memset(d, 0xa5, sizeof(*d));
	return decode_drop(&s, d);
}

/* Payload length: IP length, TCP offset and data offset to bytes. */
static const struct {
	const char *name;
	uint8_t     family;
	uint16_t    ip_length;
	uint16_t    tcp_offset;
	unsigned    doff;
	uint32_t    buffer;
	uint32_t    want;
} lengths[] = {
	{ "v4 empty",                 4, 40,    20, 5,  40,     0 },
	{ "v4 ten bytes",             4, 50,    20, 5,  50,     10 },
	{ "v4 padded to 60",          4, 40,    20, 5,  46,     0 },
	{ "v4 TCP options",           4, 62,    20, 10, 62,     2 },
	{ "v4 IP options",            4, 110,   60, 5,  110,    30 },
	{ "v4 all the options",       4, 120,   60, 15, 120,    0 },
	{ "v4 largest",               4, 65535, 20, 5,  65535,  65495 },
	{ "v4 zero: buffer",          4, 0,     20, 8,  100052, 100000 },
	{ "v4 zero, empty buffer",    4, 0,     20, 5,  0,      0 },
	{ "v4 shorter than headers",  4, 30,    20, 5,  30,     0 },
	{ "v4 shorter than IP",       4, 10,    20, 5,  3000,   0 },
	{ "v4 doff 0",                4, 50,    20, 0,  50,     10 },
	{ "v4 doff 4",                4, 50,    20, 4,  50,     10 },
	{ "v4 doff to the end",       4, 80,    20, 15, 80,     0 },
	{ "v4 doff behind the end",   4, 79,    20, 15, 79,     39 },
	{ "v4 doff behind, nothing",  4, 40,    20, 15, 40,     0 },
	{ "v6 empty",                 6, 20,    40, 5,  60,     0 },
	{ "v6 ten bytes",             6, 30,    40, 5,  70,     10 },
	{ "v6 extension header",      6, 50,    64, 5,  90,     6 },
	{ "v6 largest",               6, 65535, 40, 5,  65575,  65515 },
	{ "v6 zero: buffer",          6, 0,     48, 8,  200080, 200000 },
	{ "v6 shorter than headers",  6, 10,    40, 5,  50,     0 },
	{ "v6 offset behind the end", 6, 20,    65535, 5, 60,   0 },
	{ "v6 doff 0",                6, 30,    40, 0,  70,     10 },
};

static void
test_lengths(void)
{
	static struct drop d;

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct event e = make_event(lengths[i].family, lengths[i].ip_length,
		                            lengths[i].tcp_offset, lengths[i].doff);

		e.length = lengths[i].buffer;
		CHECK_INT(decode(&e, &d), 0, "length: %s: decoded", lengths[i].name);
		CHECK_INT(d.length, lengths[i].want, "length: %s", lengths[i].name);
	}
}

/*
 * The bytes behind the event: headers, then payload, then what is not the
 * packet's. Of the record's last fields linear counts, and the record's size.
 */
static const struct {
	const char *name;
	uint8_t     family;
	uint16_t    ip_length;
	uint16_t    tcp_offset;
	unsigned    doff;
	uint32_t    linear;
	uint32_t    behind;
	uint32_t    want;
	uint32_t    want_length;
} headers[] = {
	{ "none",                     4, 50,  20,    5,  0,   0,   0,   50 },
	{ "not asked for, padded",    4, 50,  20,    5,  0,   4,   0,   50 },
	{ "v4",                       4, 50,  20,    5,  50,  256, 40,  50 },
	{ "v4 TCP options",           4, 62,  20,    10, 62,  256, 60,  62 },
	{ "v4 all the options",       4, 130, 60,    15, 130, 256, 120, 130 },
	{ "v4 cut in the options",    4, 130, 60,    15, 100, 256, 100, 130 },
	{ "v4 cut in the ports",      4, 50,  20,    5,  22,  256, 22,  50 },
	{ "v4 doff 0",                4, 50,  20,    0,  50,  256, 40,  50 },
	{ "v4 doff behind the end",   4, 50,  20,    15, 50,  256, 40,  50 },
	{ "v4 ends in the header",    4, 30,  20,    5,  60,  256, 30,  30 },
	{ "v4 shorter than IP",       4, 10,  20,    5,  60,  256, 10,  10 },
	{ "v4 zero: buffer",          4, 0,   20,    8,  900, 256, 52,  3000 },
	{ "v4 record cut",            4, 50,  20,    5,  50,  30,  30,  50 },
	{ "v6",                       6, 30,  40,    5,  70,  256, 60,  70 },
	{ "v6 six headers",           6, 500, 196,   15, 540, 256, 256, 540 },
	{ "v6 beyond what is sent",   6, 900, 400,   5,  940, 260, 256, 940 },
	{ "v6 offset behind the end", 6, 20,  65535, 5,  60,  256, 60,  60 },
};

static void
test_headers(void)
{
	static struct drop d;

	for (size_t i = 0; i < COUNT(headers); i++) {
		struct event e = make_event(headers[i].family, headers[i].ip_length,
		                            headers[i].tcp_offset, headers[i].doff);
		uint32_t size = (uint32_t)sizeof(e) + headers[i].behind;
		uint8_t *memory = malloc(size);
		struct sample s = { .data = memory, .size = size };

		e.linear = headers[i].linear;
		memcpy(memory, &e, sizeof(e));
		memset(&d, 0xa5, sizeof(d));
		CHECK_INT(decode_drop(&s, &d), 0, "headers: %s: decoded", headers[i].name);
		CHECK_INT(d.header_bytes, headers[i].want, "headers: %s", headers[i].name);
		CHECK_INT(d.packet_length, headers[i].want_length, "headers: %s: length",
		          headers[i].name);
		CHECK(!d.header_bytes || d.headers == memory + sizeof(e), "headers: %s: where",
		      headers[i].name);
		free(memory);
	}
}

static void
test_fields(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);

	CHECK_INT(decode(&e, &d), 0, "fields: decoded");
	CHECK_INT(d.time, 0xa5a5a5a5a5a5a5a5, "time is the caller's");
	CHECK_INT(d.since_start, 0xa5a5a5a5a5a5a5a5, "since_start is the caller's");
	CHECK(is_sound(&d), "names are cleared");
	CHECK_INT(d.cpu, 5, "cpu");
	CHECK_INT(d.pid, 6, "pid");
	CHECK_STR(d.comm, "swapper/1", "comm");
	CHECK_INT(d.ip, 4, "ip");
	CHECK(!memcmp(d.saddr, "\x24\x25\x26\x27\0\0\0\0\0\0\0\0\0\0\0", 16), "v4 saddr");
	CHECK(!memcmp(d.daddr, "\x28\x29\x2a\x2b\0\0\0\0\0\0\0\0\0\0\0", 16), "v4 daddr");
	CHECK(d.has_ports && d.has_tcp, "whole header");
	CHECK_INT(d.sport, SPORT, "sport");
	CHECK_INT(d.dport, DPORT, "dport");
	CHECK_INT(d.seq, SEQ, "seq");
	CHECK_INT(d.ack, ACK, "ack");
	CHECK_INT(d.window, WINDOW, "window");
	CHECK_INT(d.flags, 0x112, "flags");
	CHECK(d.has_reason && d.reason == 42, "reason");
	CHECK_INT(d.state, 1, "state");
	CHECK(d.received && !d.sent, "received");
	CHECK_INT(d.netns, 4026531840, "netns");
	CHECK_INT(d.ifindex, 3, "ifindex");
	CHECK_INT(d.location.address, (long long)0xffffffff81000010, "location");
	CHECK_INT(d.frames, 0, "no stack");
	e = make_event(6, 30, 40, 5);
	CHECK_INT(decode(&e, &d), 0, "v6: decoded");
	CHECK_INT(d.ip, 6, "v6: ip");
	CHECK(!memcmp(d.saddr, e.ip + 8, 16), "v6: saddr");
	CHECK(!memcmp(d.daddr, e.ip + 24, 16), "v6: daddr");
	CHECK_INT(d.sport, SPORT, "v6: sport");
}

static void
test_numbers(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);

	decode(&e, &d);
	CHECK(d.has_numbers && d.numbers.has_rcv_wnd, "numbers: known");
	CHECK_INT(d.numbers.rcv_nxt, 11, "rcv_nxt");
	CHECK_INT(d.numbers.rcv_wnd, 12, "rcv_wnd");
	CHECK_INT(d.numbers.snd_una, 13, "snd_una");
	CHECK_INT(d.numbers.snd_nxt, 14, "snd_nxt");
	CHECK_INT(d.numbers.srtt_us, 41, "srtt_us");
	CHECK_INT(d.numbers.total_retrans, 15, "total_retrans");
	e.known &= ~EVENT_HAS_RCV_WND & 0xff;
	decode(&e, &d);
	CHECK(d.has_numbers && !d.numbers.has_rcv_wnd && !d.numbers.rcv_wnd, "no rcv_wnd");
	e.known &= ~EVENT_HAS_NUMBERS & 0xff;
	decode(&e, &d);
	CHECK(!d.has_numbers && !d.numbers.rcv_nxt && d.state == 1, "no numbers");
	e.known = EVENT_HAS_SOCKET | EVENT_SENT;
	decode(&e, &d);
	CHECK(d.sent && !d.received, "sent");
	e.known = EVENT_HAS_SOCKET;
	decode(&e, &d);
	CHECK(!d.sent && !d.received, "neither sent nor received");
	e.known = EVENT_HAS_NUMBERS | EVENT_RECEIVED;
	decode(&e, &d);
	CHECK(!d.received, "no socket, no direction");
	CHECK(!d.has_numbers && !d.state, "no socket, no numbers");
	CHECK(!d.has_reason && !d.reason, "no reason");
	CHECK_INT(d.netns, 0, "no netns");
}

static void
test_comm(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);

	memcpy(e.comm, "0123456789abcdef", 16);
	decode(&e, &d);
	CHECK_STR(d.comm, "0123456789abcde", "comm: terminated");
	memcpy(e.comm, "a\0bcdefghijklmno", 16);
	decode(&e, &d);
	CHECK(!memcmp(d.comm, "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), "comm: nothing behind its end");
}

static void
test_tcp_bytes(void)
{
	static struct drop d;

	for (unsigned n = 0; n < 256; n++) {
		struct event e = make_event(4, 50, 20, 5);

		e.tcp_bytes = (uint8_t)n;
		if (n > EVENT_TCP_BYTES) {
			CHECK_INT(decode(&e, &d), -EBADMSG, "tcp_bytes %u", n);
			continue;
		}
		CHECK_INT(decode(&e, &d), 0, "tcp_bytes %u", n);
		CHECK_INT(d.has_ports, n >= 4, "tcp_bytes %u: has_ports", n);
		CHECK_INT(d.has_tcp, n >= 20, "tcp_bytes %u: has_tcp", n);
		CHECK_INT(d.dport, n >= 4 ? DPORT : 0, "tcp_bytes %u: dport", n);
		CHECK_INT(d.seq, n >= 20 ? SEQ : 0, "tcp_bytes %u: seq", n);
		CHECK_INT(d.length, n >= 20 ? 10 : 0, "tcp_bytes %u: length", n);
	}
}

/* Each length of the record, in memory that ends with it, at an odd address. */
static void
test_truncated(void)
{
	static struct drop d;
	struct event e = make_event(6, 30, 40, 5);

	for (uint32_t n = 0; n <= sizeof(e) + 4; n++) {
		uint8_t *memory = calloc(1, n + 1);
		struct sample s = { .data = memory + 1, .size = n };

		memcpy(memory + 1, &e, n < sizeof(e) ? n : sizeof(e));
		CHECK_INT(decode_drop(&s, &d), n < sizeof(e) ? -EBADMSG : 0, "size %u", n);
		CHECK_INT(decode_probe(&s), n < sizeof(e) ? -EBADMSG : 2, "size %u: probe", n);
		free(memory);
	}
}

static const struct {
	const char *name;
	uint8_t     family;
	uint8_t     first;      /* of the IP header */
	uint16_t    tcp_offset;
} bad[] = {
	{ "family 0",               0, 0x45, 20 },
	{ "family 5",               5, 0x55, 20 },
	{ "family 10",              10, 0xa5, 40 },
	{ "family 255",             255, 0xf5, 40 },
	{ "v4 record, v6 header",   4, 0x60, 20 },
	{ "v6 record, v4 header",   6, 0x45, 40 },
	{ "version 0",              4, 0x05, 20 },
	{ "v4 header length 0",     4, 0x40, 0 },
	{ "v4 header length 16",    4, 0x44, 16 },
	{ "v4 offset too small",    4, 0x46, 20 },
	{ "v4 offset too large",    4, 0x45, 24 },
	{ "v4 offset far away",     4, 0x45, 65535 },
	{ "v6 offset 0",            6, 0x60, 0 },
	{ "v6 offset in header",    6, 0x60, 39 },
};

static void
test_contradictions(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);
	struct sample s = { .data = &e, .size = sizeof(e) };

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct event b = e;

		b.family = bad[i].family;
		b.ip[0] = bad[i].first;
		b.tcp_offset = bad[i].tcp_offset;
		CHECK_INT(decode(&b, &d), -EBADMSG, "refused: %s", bad[i].name);
		CHECK_INT(d.ip, 0xa5, "refused, untouched: %s", bad[i].name);
	}
	CHECK_INT(decode_drop(&s, &d), 0, "good");
	s.lost = 1;
	CHECK_INT(decode_drop(&s, &d), -EBADMSG, "refused: a gap");
	s = (struct sample){ .size = sizeof(e) };
	CHECK_INT(decode_drop(&s, &d), -EBADMSG, "refused: no data");
}

#define K  0xffffffffffffff80 /* PERF_CONTEXT_KERNEL */
#define U  0xfffffffffffffe00 /* PERF_CONTEXT_USER */
#define F1 0xffffffff81000001
#define F2 0xffffffff81000002
#define F3 0xffffffff81000003

static const struct {
	const char *name;
	uint64_t    location;
	uint64_t    stack[6];   /* to the first 0 */
	uint32_t    first;
	uint64_t    want[6];
} trims[] = {
	{ "no frames",              F1, { 0 }, 0, { 0 } },
	{ "only a mark",            F1, { K }, 1, { 0 } },
	{ "own frames before",      F3, { F1, F2, F3, F1 }, 2, { F3, F1 } },
	{ "mark in front",          F2, { K, F1, F2, F3 }, 2, { F2, F3 } },
	{ "marks anywhere",         F1, { K, F1, U, F2, K }, 1, { F1, F2 } },
	{ "location first",         F1, { F1, F2 }, 0, { F1, F2 } },
	{ "location last",          F3, { F1, F2, F3 }, 2, { F3 } },
	{ "location twice",         F2, { F1, F2, F3, F2 }, 1, { F2, F3, F2 } },
	{ "location not there",     F3, { K, F1, F2 }, 3, { F1, F2 } },
	{ "no location",            0,  { K, F1, F2 }, 3, { F1, F2 } },
	{ "location is a mark",     U,  { F1, U, F2 }, 3, { F1, F2 } },
	{ "last address, no mark",  F1, { 0xfffffffffffff000, F1 }, 1, { F1 } },
	{ "lowest mark",            0,  { 0xfffffffffffff001, F1 }, 2, { F1 } },
};

static void
test_trims(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);

	for (size_t i = 0; i < COUNT(trims); i++) {
		struct sample s = { .data = &e, .size = sizeof(e), .stack = trims[i].stack };
		uint32_t n = 0;

		e.location = trims[i].location;
		while (s.frames < 6 && trims[i].stack[s.frames])
			s.frames++;
		CHECK_INT(decode_trim(s.stack, s.frames, e.location), trims[i].first, "trim: %s",
		          trims[i].name);
		decode_drop(&s, &d);
		while (n < d.frames && n < 6 && d.stack[n].address == trims[i].want[n])
			n++;
		CHECK(n == d.frames && !trims[i].want[n], "stack: %s", trims[i].name);
	}
}

/* What the program says was at the entry of a function: its own frame is the first address. */
static void
test_entries(void)
{
	static const struct {
		const char *name;
		uint64_t    location;
		uint64_t    stack[6];
		uint64_t    want[6];
	} entries[] = {
		{ "the caller is there",    F2, { K, F1, F2, F3 }, { F2, F3 } },
		{ "the caller is missing",  F2, { K, F1, F3 }, { F2, F3 } },
		{ "no mark in front",       F2, { F1, F3 }, { F2, F3 } },
		{ "only the function",      F2, { K, F1 }, { F2 } },
		{ "no frames",              F2, { 0 }, { 0 } },
		{ "no location",            0,  { K, F1, F3 }, { F1, F3 } },
	};
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);

	e.at_entry = 1;
	for (size_t i = 0; i < COUNT(entries); i++) {
		struct sample s = { .data = &e, .size = sizeof(e), .stack = entries[i].stack };
		uint32_t n = 0;

		e.location = entries[i].location;
		while (s.frames < 6 && entries[i].stack[s.frames])
			s.frames++;
		decode_drop(&s, &d);
		while (n < d.frames && n < 6 && d.stack[n].address == entries[i].want[n])
			n++;
		CHECK(n == d.frames && !entries[i].want[n], "entry: %s", entries[i].name);
	}
}

static void
test_deep_stack(void)
{
	static struct drop d;
	struct event e = make_event(4, 50, 20, 5);
	struct sample s = { .data = &e, .size = sizeof(e), .stack = stack };

	for (uint32_t i = 0; i < COUNT(stack); i++)
		stack[i] = F1 + i;
	e.location = F1 + 10;
	s.frames = COUNT(stack);
	CHECK_INT(decode_drop(&s, &d), 0, "deep stack");
	CHECK_INT(d.frames, DROP_FRAMES, "deep stack: cut");
	CHECK_INT(d.stack[DROP_FRAMES - 1].address - F1, 10 + DROP_FRAMES - 1, "deep stack: last");
	s.stack = NULL;
	CHECK_INT(decode_drop(&s, &d), 0, "frames but no stack");
	CHECK_INT(d.frames, 0, "frames but no stack: none");
}

/* xorshift64*: the same inputs in every run */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/* A good record with some bytes changed, or noise; of any size up to a few bytes more. */
static size_t
make_random(uint8_t bytes[256], uint64_t *state)
{
	bool v6 = next_random(state) & 1, noise = next_random(state) % 8 == 0;
	struct event e = make_event(v6 ? 6 : 4, 50, v6 ? 40 : 20, 5);
	size_t n = 2 + sizeof(e) + next_random(state) % 8;
	unsigned changes = noise ? (unsigned)n : (unsigned)(next_random(state) % 6);

	if (next_random(state) % 16 == 0)
		n = next_random(state) % n;
	memset(bytes, 0, 256);
	put16(bytes, (unsigned)next_random(state) & 0xffff);
	memcpy(bytes + 2, &e, sizeof(e));
	for (unsigned i = 0; i < changes; i++)
		bytes[next_random(state) % 160] = (uint8_t)(next_random(state) >> 32);
	return n;
}

static void
test_random(void)
{
	uint64_t state = 20231123;
	uint8_t bytes[256];
	unsigned bad_inputs = 0;

	for (unsigned i = 0; i < 1000000; i++)
		bad_inputs += !feed(bytes, make_random(bytes, &state));
	CHECK_INT(bad_inputs, 0, "a million random records: sound or refused");
	CHECK(accepted > 100000 && accepted < 900000, "random records: %u accepted", accepted);
}

int
main(void)
{
	test_fields();
	test_numbers();
	test_comm();
	test_lengths();
	test_headers();
	test_tcp_bytes();
	test_truncated();
	test_contradictions();
	test_trims();
	test_entries();
	test_deep_stack();
	test_random();
	return tap_end();
}

#endif
