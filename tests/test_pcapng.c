/* SPDX-License-Identifier: MIT */
/*
 * The blocks against the layout of draft-ietf-opsawg-pcapng, which is written
 * down here a second time: as bytes for plain ones, by a reader of its own for
 * the rest. That Wireshark reads them is shown in tests/capture.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../drop.h"
#include "../format.h"
#include "../pcapng.h"
#include "tap.h"

#define TIME 0x18123456789abcdeu

static uint8_t memory[FORMAT_MAX + 16];
static struct pcapng p;

static const struct format_style style = { .stack = true, .comment = true };
static const uint8_t bytes[256] = { 0x45, 1, 2, 3, 4, 5, 6, 7, [255] = 0xee };

static uint32_t
get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint16_t
get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint64_t
get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* The option of that code behind fixed bytes: its value, NULL if there is none. */
static const uint8_t *
option(const uint8_t *block, size_t fixed, unsigned code, size_t *size)
{
	const uint8_t *at = block + 8 + fixed, *end = block + get32(block + 4) - 4;

	*size = 0;
	while (at + 4 <= end && get16(at)) {
		if (get16(at) == code) {
			*size = get16(at + 2);
			return at + 4;
		}
		at += 4 + (get16(at + 2) + 3u) / 4 * 4;
	}
	return NULL;
}

/* What is wrong with the shape of a block of n bytes; NULL: nothing. */
static const char *
shape(const uint8_t *block, size_t n, uint32_t type, size_t fixed)
{
	const uint8_t *at = block + 8 + fixed, *end = block + n - 4;

	if (n < 16 || n % 4 || get32(block) != type)
		return "type or size";
	if (get32(block + 4) != n || get32(end) != n)
		return "the two lengths";
	for (;;) {
		size_t size = get16(at + 2), rest = -size & 3;

		if (!get16(at))
			return size || at + 4 != end ? "the end of the options" : NULL;
		if (at + 4 + size + rest + 4 > end)
			return "an option is too long";
		for (size_t i = 0; i < rest; i++)
			if (at[4 + size + i])
				return "padding";
		at += 4 + size + rest;
	}
}

static bool
is_text(const uint8_t *value, size_t size, const char *want)
{
	if (value && size == strlen(want) && !memcmp(value, want, size))
		return true;
	printf("# got \"%.*s\", want \"%s\"\n", (int)size, value ? (const char *)value : "", want);
	return false;
}

/* ---- section ---- */

static void
test_section(void)
{
	/* by hand; a little-endian machine's */
	static const uint8_t want[] =
		"\x0a\x0d\x0d\x0a" "\x34\0\0\0" "\x4d\x3c\x2b\x1a" "\1\0\0\0"
		"\xff\xff\xff\xff\xff\xff\xff\xff"
		"\3\0\5\0" "6.1.0\0\0\0" "\4\0\4\0" "test" "\0\0\0\0" "\x34\0\0\0";
	size_t n = pcapng_section((char *)memory, FORMAT_MAX, "test", "6.1.0");

	CHECK_INT(n, sizeof(want) - 1, "section: size");
	CHECK(!memcmp(memory, want, sizeof(want) - 1), "section: bytes");
}

/* ---- devices ---- */

static void
test_find(void)
{
	unsigned n = PCAPNG_DEVICES - 1;
	bool right = true;

	memset(&p, 0, sizeof(p));
	CHECK_INT(pcapng_find(&p, 7, 2), 0, "devices: the first");
	CHECK_INT(pcapng_find(&p, 8, 2), 1, "devices: the same index elsewhere");
	CHECK_INT(pcapng_find(&p, 0, 2), 2, "devices: the same index, nobody knows where");
	CHECK_INT(pcapng_find(&p, 7, 2), 0, "devices: the first again");
	CHECK_INT(p.devices, 3, "devices: three");
	for (unsigned i = 3; i < n; i++)
		right &= pcapng_find(&p, 9, i) == i;
	CHECK(right, "devices: many");
	CHECK_INT(pcapng_find(&p, 10, 1), n, "devices: one too many is not known");
	CHECK_INT(pcapng_find(&p, 11, 5), n, "devices: another one too many");
	CHECK_INT(pcapng_find(&p, 0, 0), n, "devices: not known");
	CHECK_INT(pcapng_find(&p, 7, 0), n, "devices: without an index");
	CHECK_INT(pcapng_find(&p, 9, 4), 4, "devices: an old one");
	CHECK_INT(p.devices, PCAPNG_DEVICES, "devices: the table is full, not more");
}

static const struct {
	const char *title;
	uint32_t    netns, ifindex;
	const char *name;           /* in our own namespace */
	const char *want_name;      /* NULL: none */
	const char *description;
} interfaces[] = {
	{ "ours", 4026531840, 2, "eth0", "eth0", "ifindex 2, network namespace 4026531840" },
	{ "another's", 4026532177, 2, NULL, NULL, "ifindex 2, network namespace 4026532177" },
	{ "whose is not known", 0, 2, "eth0", NULL,
	  "ifindex 2, network namespace not known (eth0 in tcpdrop's)" },
	{ "whose is not known, nor ours", 0, 4294967295, NULL, NULL,
	  "ifindex 4294967295, network namespace not known" },
	{ "not known", 0, 0, NULL, NULL, "device not known" },
	{ "a hostile name", 9, 3, "\x1b[2J\n\xff\"\\", "\\x1b[2J\\x0a\\xff\"\\\\",
	  "ifindex 3, network namespace 9" },
	{ "a hostile name, not known", 0, 3, "%s%n\x01", NULL,
	  "ifindex 3, network namespace not known (%s%n\\x01 in tcpdrop's)" },
	{ "a name of 15", 9, 4, "\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b",
	  "\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b",
	  "ifindex 4, network namespace 9" },
};

static void
test_interfaces(void)
{
	for (size_t i = 0; i < COUNT(interfaces); i++) {
		const char *title = interfaces[i].title, *wrong;
		const uint8_t *value;
		size_t n, size;

		memset(&p, 0, sizeof(p));
		pcapng_find(&p, interfaces[i].netns, interfaces[i].ifindex);
		n = pcapng_interface(&p, 0, (char *)memory, FORMAT_MAX, interfaces[i].name);
		wrong = shape(memory, n, 1, 8);
		CHECK_STR(wrong, NULL, "interface %s: shape", title);
		CHECK(get16(memory + 8) == 101 && !get16(memory + 10) && get32(memory + 12) == 256,
		      "interface %s: LINKTYPE_RAW, 256 bytes at most", title);
		value = option(memory, 8, 2, &size);
		CHECK(!interfaces[i].want_name ? !value
		      : is_text(value, size, interfaces[i].want_name), "interface %s: name", title);
		value = option(memory, 8, 3, &size);
		CHECK(is_text(value, size, interfaces[i].description), "interface %s: description",
		      title);
		value = option(memory, 8, 9, &size);
		CHECK(value && size == 1 && *value == 9, "interface %s: nanoseconds", title);
	}
}

/* ---- packets ---- */

static struct drop
make_drop(void)
{
	return (struct drop){
		.time = TIME, .pid = 17, .comm = "a b\n\x1b", .ip = 4, .has_reason = true,
		.reason = 42, .reason_name = "TCP_CSUM", .state = 1, .state_name = "ESTABLISHED",
		.netns = 7, .ifindex = 2, .packet_length = 1500, .header_bytes = 52, .headers = bytes,
		.location = { 1, "tcp_rcv", "mod", 0x1f4 }, .frames = 2,
		.stack = { { 1, "tcp_rcv", "mod", 0x1f4 }, { 0xffffffff81234567, NULL, NULL, 0 } },
	};
}

static size_t
write_packet(const struct drop *d)
{
	return pcapng_packet(&p, pcapng_find(&p, d->netns, d->ifindex), (char *)memory, FORMAT_MAX,
	                     &style, d);
}

static void
test_packet(void)
{
	struct drop d = make_drop();
	const uint8_t *value;
	size_t n, size;

	memset(&p, 0, sizeof(p));
	pcapng_find(&p, 1, 1);
	n = write_packet(&d);
	CHECK_STR(shape(memory, n, 6, 20 + 52), NULL, "packet: shape");
	CHECK_INT(get32(memory + 8), 1, "packet: interface");
	CHECK(get32(memory + 12) == TIME >> 32 && get32(memory + 16) == (uint32_t)TIME,
	      "packet: time, the high half first");
	CHECK(get32(memory + 20) == 52 && get32(memory + 24) == 1500, "packet: lengths");
	CHECK(!memcmp(memory + 28, bytes, 52), "packet: bytes");
	value = option(memory, 20 + 52, 1, &size);
	CHECK(is_text(value, size, "reason=TCP_CSUM state=ESTABLISHED pid=17 comm=a b\\x0a\\x1b\n"
	              "location=tcp_rcv+0x1f4 [mod]\n\ttcp_rcv+0x1f4 [mod]\n\t0xffffffff81234567"),
	      "packet: comment");
	CHECK(!option(memory, 20 + 52, 2, &size), "packet: no direction");
	CHECK(!option(memory, 20 + 52, 4, &size), "packet: nothing lost");
	d = (struct drop){ .ip = 6, .time = 1, .headers = bytes };
	n = write_packet(&d);
	CHECK_STR(shape(memory, n, 6, 20), NULL, "packet of no bytes: shape");
	value = option(memory, 20, 1, &size);
	CHECK(is_text(value, size, "reason=- state=- pid=0 comm=-\nlocation=-"),
	      "packet of which nothing is known: comment");
}

static void
test_padding(void)
{
	memset(&p, 0, sizeof(p));
	for (uint32_t n = 0; n <= 256; n++) {
		struct drop d = make_drop();
		const char *wrong;
		size_t size;

		d.header_bytes = n;
		size = write_packet(&d);
		wrong = shape(memory, size, 6, 20 + (n + 3) / 4 * 4);
		for (uint32_t i = n; !wrong && i % 4; i++)
			wrong = memory[28 + i] ? "padding of the packet" : NULL;
		if (!wrong && memcmp(memory + 28, bytes, n))
			wrong = "bytes";
		CHECK_STR(wrong, NULL, "packet of %u bytes", n);
	}
	CHECK_INT(p.device[0].packets, 257, "packets are counted");
}

static void
test_direction(void)
{
	static const struct {
		bool     received, sent;
		uint32_t want;
	} rows[] = { { true, false, 1 }, { false, true, 2 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drop d = make_drop();
		const uint8_t *value;
		size_t size;

		d.received = rows[i].received;
		d.sent = rows[i].sent;
		write_packet(&d);
		value = option(memory, 20 + 52, 2, &size);
		CHECK(value && size == 4 && get32(value) == rows[i].want, "direction %u",
		      rows[i].want);
	}
}

static void
test_lost(void)
{
	struct drop d = make_drop();
	const uint8_t *value;
	size_t size;

	memset(&p, 0, sizeof(p));
	pcapng_lost(&p, 5);
	pcapng_lost(&p, 0x100000000);
	write_packet(&d);
	value = option(memory, 20 + 52, 4, &size);
	CHECK(value && size == 8 && get64(value) == 0x100000005, "lost: said with the next packet");
	write_packet(&d);
	CHECK(!option(memory, 20 + 52, 4, &size), "lost: and not again");
}

/* Names as long as they can be, all of them to be escaped. */
static struct drop
long_drop(uint32_t frames)
{
	static char name[600], module[80];
	struct drop d = make_drop();

	memset(name, 0x01, sizeof(name) - 1);
	memset(module, 0xff, sizeof(module) - 1);
	d.reason_name = d.state_name = name;
	d.location = (struct frame){ 1, name, module, UINT32_MAX };
	d.frames = frames;
	for (uint32_t i = 0; i < frames; i++)
		d.stack[i] = d.location;
	return d;
}

/* UTF-8 that is cut anywhere: each length of what stands before. */
static const char *
cut(uint32_t frames, unsigned before)
{
	static char name[600];
	struct drop d = long_drop(frames);
	const uint8_t *value;
	size_t n, size;

	memset(name, 'x', before);
	for (size_t i = before; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "\xe2\x82\xac", 4);
	for (uint32_t i = 0; i < frames; i++)
		d.stack[i].name = name;
	memset(&p, 0, sizeof(p));
	n = write_packet(&d);
	value = option(memory, 20 + 52, 1, &size);
	if (shape(memory, n, 6, 20 + 52))
		return shape(memory, n, 6, 20 + 52);
	if (!value || size > 65535 || size < 65533)
		return "size of the comment";
	/* the first byte that is left out begins a character */
	for (size_t i = size; i > 0; i--)
		if ((value[i - 1] & 0xc0) != 0x80)
			return value[i - 1] == 0xe2 && size - i != 2 ? "cut in a character" : NULL;
	return "no text";
}

static void
test_long(void)
{
	struct drop d = long_drop(DROP_FRAMES);
	size_t n, size;
	unsigned before = 0;
	const char *wrong = NULL;

	d.received = true;
	memset(&p, 0, sizeof(p));
	pcapng_lost(&p, 1);
	n = write_packet(&d);
	CHECK_STR(shape(memory, n, 6, 20 + 52), NULL, "longest comment: shape");
	option(memory, 20 + 52, 1, &size);
	CHECK_INT(size, 65535, "longest comment: cut");
	CHECK(option(memory, 20 + 52, 2, &size) && option(memory, 20 + 52, 4, &size),
	      "longest comment: what follows is there");
	while (!wrong && before++ < 12)
		wrong = cut(DROP_FRAMES, before);
	CHECK_STR(wrong, NULL, "a comment is cut between characters (%u)", before);
}

/* Whatever room there is: the block, without a comment where that does not fit, or nothing. */
static void
test_room(void)
{
	struct drop d = make_drop();
	size_t whole = write_packet(&d), written = 0;
	const char *wrong = NULL;

	for (size_t room = 0; !wrong && room < whole + 64; room++) {
		uint8_t *buf = malloc(room + 1);
		size_t n = pcapng_packet(&p, 0, (char *)buf, room, &style, &d);

		if (n)
			wrong = n > room ? "more than there is room" : shape(buf, n, 6, 20 + 52);
		written += n != 0;
		free(buf);
	}
	CHECK_STR(wrong, NULL, "packet: every size of the buffer");
	CHECK(written > 64, "packet: %zu sizes had room for a block", written);
	CHECK_INT(pcapng_section((char *)memory, 51, "test", "6.1.0"), 0, "section: no room");
	CHECK_INT(pcapng_interface(&p, 0, (char *)memory, 40, NULL), 0, "interface: no room");
	CHECK_INT(pcapng_statistics(&p, 0, (char *)memory, 40, 1, 2), 0, "statistics: no room");
}

/* ---- statistics ---- */

static void
check_statistics(const char *title, unsigned device, uint64_t packets, bool told, uint64_t lost)
{
	size_t size, n = pcapng_statistics(&p, device, (char *)memory, FORMAT_MAX, TIME, TIME + 9);
	const uint8_t *value;

	CHECK_STR(shape(memory, n, 5, 12), NULL, "statistics, %s: shape", title);
	CHECK(get32(memory + 8) == device && get32(memory + 12) == TIME >> 32
	      && get32(memory + 16) == (uint32_t)TIME + 9, "statistics, %s: head", title);
	value = option(memory, 12, 2, &size);
	CHECK(value && size == 8 && get32(value) == TIME >> 32
	      && get32(value + 4) == (uint32_t)TIME, "statistics, %s: start", title);
	value = option(memory, 12, 3, &size);
	CHECK(value && size == 8 && get32(value + 4) == (uint32_t)TIME + 9, "statistics, %s: end",
	      title);
	value = option(memory, 12, 4, &size);
	CHECK(value && size == 8 && get64(value) == packets, "statistics, %s: packets", title);
	value = option(memory, 12, 5, &size);
	CHECK(told ? value && size == 8 && get64(value) == lost : !value, "statistics, %s: lost",
	      title);
}

static void
test_statistics(void)
{
	struct drop d = make_drop();

	memset(&p, 0, sizeof(p));
	write_packet(&d);
	write_packet(&d);
	check_statistics("nothing lost", 0, 2, true, 0);
	pcapng_lost(&p, 3);
	pcapng_find(&p, 0, 0);
	check_statistics("of a device when some were lost", 0, 2, false, 0);
	check_statistics("of those lost", 1, 0, true, 3);
}

int
main(void)
{
	test_section();
	test_find();
	test_interfaces();
	test_packet();
	test_padding();
	test_direction();
	test_lost();
	test_long();
	test_room();
	test_statistics();
	return tap_end();
}
