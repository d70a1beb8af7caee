/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "put.h"

struct range {
	uint16_t first;
	uint16_t last;
};

/* Code points that do not show, or that change how others do. */
static const struct range hidden[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f }, /* controls */
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, /* no width, direction, line ends */
	{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
};

/* Those that take two columns of a terminal: East Asian Width W or F of Unicode 15. */
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xa960, 0xa97c },
	{ 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff01, 0xff60 },
	{ 0xffe0, 0xffe6 },
};

/* Those that take none: they combine with the one before. */
static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
};

#define IS_AMONG(point, ranges) is_among(point, ranges, sizeof(ranges) / sizeof(ranges[0]))

size_t
put_finish(const struct out *o, const char *buf)
{
	return o->cut ? 0 : (size_t)(o->at - buf);
}

/* The pieces are so short that a call of memcpy() takes longer. */
void
put_bytes(struct out *o, const char *bytes, size_t n)
{
	char *at = o->at;

	if (o->cut || n > (size_t)(o->end - at)) {
		o->cut = true;
		return;
	}
	o->at += n;
	while (at < o->at)
		*at++ = *bytes++;
}

void
put_char(struct out *o, char c)
{
	put_bytes(o, &c, 1);
}

void
put_text(struct out *o, const char *text)
{
	put_bytes(o, text, strlen(text));
}

void
put_digits(struct out *o, uint64_t number, unsigned base, unsigned digits)
{
	char text[20], *end = text + sizeof(text), *at = end;

	for (; number || at > end - digits; number /= base)
		*--at = "0123456789abcdef"[number % base];
	put_bytes(o, at, (size_t)(end - at));
}

void
put_number(struct out *o, uint64_t number)
{
	put_digits(o, number, 10, 1);
}

void
put_hex(struct out *o, uint64_t number)
{
	put_digits(o, number, 16, 1);
}

static void
put_ipv4(struct out *o, const uint8_t *address)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			put_char(o, '.');
		put_number(o, address[i]);
	}
}

static unsigned
group_at(const uint8_t *address, unsigned group)
{
	return (unsigned)address[2 * group] << 8 | address[2 * group + 1];
}

/* The first of the longest runs of zero groups; a single one is no run (RFC 5952, 4.2). */
static unsigned
longest_run(const uint8_t *address, unsigned *length)
{
	unsigned start = 0;

	*length = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && !group_at(address, i + n))
			n++;
		if (n > *length) {
			*length = n;
			start = i;
		}
	}
	return start;
}

static void
put_ipv6(struct out *o, const uint8_t *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	unsigned length, start = longest_run(address, &length);

	if (!memcmp(address, mapped, sizeof(mapped))) {
		put_text(o, "::ffff:");
		put_ipv4(o, address + sizeof(mapped));
		return;
	}
	for (unsigned i = 0; i < 8; i++) {
		if (length > 1 && i == start) {
			put_text(o, "::");
			i += length - 1;
			continue;
		}
		if (i && !(length > 1 && i == start + length))
			put_char(o, ':');
		put_hex(o, group_at(address, i));
	}
}

void
put_address(struct out *o, uint8_t ip, const uint8_t *address)
{
	if (ip == 6)
		put_ipv6(o, address);
	else
		put_ipv4(o, address);
}

/* Length of the UTF-8 sequence at text, its code point in *point; 0: invalid. */
static unsigned
read_utf8(const unsigned char *text, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = *text;
	unsigned n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	*point = n < 2 ? c : c & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3f);
	}
	if (n && (*point < least[n] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000)))
		return 0;
	return n;
}

static bool
is_among(uint32_t point, const struct range *ranges, size_t n)
{
	for (; n--; ranges++)
		if (point >= ranges->first && point <= ranges->last)
			return true;
	return false;
}

/* The next character of text, as it may be written; returns how many bytes of text it took. */
static unsigned
put_safe(struct out *o, const unsigned char *text, bool json)
{
	uint32_t point;
	unsigned n = read_utf8(text, &point), taken = n ? n : 1;

	if (n && !IS_AMONG(point, hidden)) {
		if (point == '\\' || (json && point == '"'))
			put_char(o, '\\');
		put_bytes(o, (const char *)text, n);
	} else if (!json) {
		for (unsigned i = 0; i < taken; i++) {
			put_text(o, "\\x");
			put_digits(o, text[i], 16, 2);
		}
	} else if (n) {
		put_text(o, "\\u");
		put_digits(o, point, 16, 4);
	} else {
		put_text(o, "\xef\xbf\xbd"); /* U+FFFD */
	}
	return taken;
}

/* How many of the next bytes, at most max, stand as they are: nearly always all. */
static size_t
count_plain(const char *text, size_t max)
{
	size_t n = 0;

	while (n < max && text[n] >= ' ' && text[n] <= '~' && text[n] != '\\' && text[n] != '"')
		n++;
	return n;
}

void
put_escaped(struct out *o, const char *text, size_t max, bool json)
{
	for (;;) {
		size_t plain = count_plain(text, max);
		char piece[16];
		struct out safe = { piece, piece + sizeof(piece), false };

		put_bytes(o, text, plain);
		text += plain;
		max -= plain;
		if (!*text)
			return;
		text += put_safe(&safe, (const unsigned char *)text, json);
		if ((size_t)(safe.at - piece) > max)
			return;
		put_bytes(o, piece, (size_t)(safe.at - piece));
		max -= (size_t)(safe.at - piece);
	}
}

unsigned
put_width(const char *text, const char *end, bool cells)
{
	unsigned used = 0;

	while (text < end) {
		uint32_t point;
		unsigned n = read_utf8((const unsigned char *)text, &point);

		text += n ? n : 1;
		/* from 0x1f300 on: pictures, and the planes of ideographs */
		used += !cells || point < 0x300 ? 1
		        : point >= 0x1f300 || IS_AMONG(point, wide) ? 2
		        : !IS_AMONG(point, combining);
	}
	return used;
}
