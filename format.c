/* SPDX-License-Identifier: MIT */
/*
 * No stdio: a flood of drops is when speed matters. Every byte goes through
 * put_bytes(), which is where the end of the buffer is guarded.
 */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "format.h"
#include "names.h"

enum {
	SECOND = 1000000000, /* nanoseconds */
	COMM   = 6 * sizeof(((struct drop *)0)->comm), /* as printed: no byte gives more than 6 */
};

struct out {
	char *at;
	char *end;
	bool  cut;  /* something did not fit */
};

/* The columns of the text; the last one is never padded. */
enum column { TIME, PID, COMMAND, SOURCE, DESTINATION, STATE, FLAGS, REASON };

static const struct {
	const char *title;
	unsigned    width;
} columns[] = {
	[TIME]        = { "TIME", 8 },
	[PID]         = { "PID", 7 },
	[COMMAND]     = { "COMM", 16 },
	[SOURCE]      = { "SADDR:SPORT", 21 },
	[DESTINATION] = { "DADDR:DPORT", 21 },
	[STATE]       = { "STATE", 12 },
	[FLAGS]       = { "FLAGS", 8 },
	[REASON]      = { "REASON", 0 },
};

enum { TIME_SINCE_START = 12 }; /* 99999.999999 is more than a day */

/* Code points that do not show, or that change how others do. */
static const struct {
	uint32_t first;
	uint32_t last;
} hidden[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f }, /* controls */
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, /* no width, direction, line ends */
	{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
};

static const char two_digits[] =
	"00010203040506070809" "10111213141516171819" "20212223242526272829"
	"30313233343536373839" "40414243444546474849" "50515253545556575859"
	"60616263646566676869" "70717273747576777879" "80818283848586878889"
	"90919293949596979899";

static const char hex_digits[] = "0123456789abcdef";

static void
put_bytes(struct out *o, const char *bytes, size_t n)
{
	if (o->cut || n > (size_t)(o->end - o->at)) {
		o->cut = true;
		return;
	}
	memcpy(o->at, bytes, n);
	o->at += n;
}

static void
put_char(struct out *o, char c)
{
	put_bytes(o, &c, 1);
}

static void
put_text(struct out *o, const char *text)
{
	put_bytes(o, text, strlen(text));
}

static size_t
finish(const struct out *o, const char *buf)
{
	return o->cut ? 0 : (size_t)(o->at - buf);
}

/* At least digits of them, which is at most 20. */
static void
put_digits(struct out *o, uint64_t number, unsigned digits)
{
	char text[20], *end = text + sizeof(text), *at = end;

	for (; number >= 10; number /= 100)
		memcpy(at -= 2, two_digits + number % 100 * 2, 2);
	if (number)
		*--at = (char)('0' + number);
	while (at > end - digits)
		*--at = '0';
	put_bytes(o, at, (size_t)(end - at));
}

static void
put_number(struct out *o, uint64_t number)
{
	put_digits(o, number, 1);
}

static void
put_hex(struct out *o, uint64_t number)
{
	char text[16], *end = text + sizeof(text), *at = end;

	do
		*--at = hex_digits[number & 15];
	while (number >>= 4);
	put_bytes(o, at, (size_t)(end - at));
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
is_hidden(uint32_t point)
{
	for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (point >= hidden[i].first && point <= hidden[i].last)
			return true;
	return false;
}

/* n bytes that may not stand as they are, at most 4 bytes each; the length of what does */
static unsigned
escape_text(char *piece, const unsigned char *bytes, unsigned n)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++) {
		piece[used++] = '\\';
		if (bytes[i] == '\\') {
			piece[used++] = '\\';
			continue;
		}
		piece[used++] = 'x';
		piece[used++] = hex_digits[bytes[i] >> 4];
		piece[used++] = hex_digits[bytes[i] & 15];
	}
	return used;
}

/* point is in hidden[], or a quote, or a backslash */
static unsigned
escape_json(char *piece, uint32_t point)
{
	if (point == '"' || point == '\\') {
		piece[0] = '\\';
		piece[1] = (char)point;
		return 2;
	}
	memcpy(piece, "\\u", 2);
	for (unsigned i = 0; i < 4; i++)
		piece[2 + i] = hex_digits[point >> (12 - 4 * i) & 15];
	return 6;
}

/* How the next character of text is written: *taken bytes of it become the result's. */
static unsigned
escape(char piece[16], const unsigned char *text, bool json, unsigned *taken)
{
	uint32_t point;
	unsigned n = read_utf8(text, &point);

	*taken = n ? n : 1;
	if (!n && json) {
		memcpy(piece, "\xef\xbf\xbd", 3); /* U+FFFD */
		return 3;
	}
	if (n && !is_hidden(point) && point != '\\' && !(json && point == '"')) {
		memcpy(piece, text, n);
		return n;
	}
	return json ? escape_json(piece, point) : escape_text(piece, text, *taken);
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

/* At most max bytes, cut between characters. */
static void
put_escaped(struct out *o, const char *text, size_t max, bool json)
{
	for (;;) {
		size_t plain = count_plain(text, max);
		char piece[16];
		unsigned taken, n;

		put_bytes(o, text, plain);
		text += plain;
		max -= plain;
		if (!*text)
			return;
		n = escape(piece, (const unsigned char *)text, json, &taken);
		if (n > max)
			return;
		put_bytes(o, piece, n);
		text += taken;
		max -= n;
	}
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

static void
put_address(struct out *o, uint8_t ip, const uint8_t *address)
{
	if (ip == 6)
		put_ipv6(o, address);
	else
		put_ipv4(o, address);
}

/* The text of a second, kept while the second lasts. */
struct clock {
	uint64_t second;
	char     text[sizeof("2026-11-23T13:05:22") - 1];
};

static void
fill_clock(struct clock *c, uint64_t second, bool utc)
{
	struct out o = { c->text, c->text + sizeof(c->text), false };
	time_t t = (time_t)second;
	struct tm tm = { 0 };

	if (utc)
		gmtime_r(&t, &tm);
	else
		localtime_r(&t, &tm);
	put_digits(&o, (uint64_t)tm.tm_year + 1900, 4);
	put_char(&o, '-');
	put_digits(&o, (uint64_t)tm.tm_mon + 1, 2);
	put_char(&o, '-');
	put_digits(&o, (uint64_t)tm.tm_mday, 2);
	put_char(&o, 'T');
	put_digits(&o, (uint64_t)tm.tm_hour, 2);
	put_char(&o, ':');
	put_digits(&o, (uint64_t)tm.tm_min, 2);
	put_char(&o, ':');
	put_digits(&o, (uint64_t)tm.tm_sec, 2);
	c->second = second;
}

static void
put_utc(struct out *o, uint64_t time)
{
	static struct clock clock = { .second = UINT64_MAX };

	if (clock.second != time / SECOND)
		fill_clock(&clock, time / SECOND, true);
	put_bytes(o, clock.text, sizeof(clock.text));
	put_char(o, '.');
	put_digits(o, time % SECOND, 9);
	put_char(o, 'Z');
}

static void
put_local(struct out *o, uint64_t time)
{
	static struct clock clock = { .second = UINT64_MAX };

	if (clock.second != time / SECOND)
		fill_clock(&clock, time / SECOND, false);
	put_bytes(o, clock.text + sizeof(clock.text) - 8, 8);
}

static void
put_since_start(struct out *o, uint64_t time)
{
	put_number(o, time / SECOND);
	put_char(o, '.');
	put_digits(o, time % SECOND / 1000, 6);
}

/* "name+0x1f4 [module]", or "0xffffffff81234567" without a name. */
static void
put_frame(struct out *o, const struct frame *f, bool json)
{
	if (!f->name) {
		put_text(o, "0x");
		put_hex(o, f->address);
		return;
	}
	put_escaped(o, f->name, FORMAT_NAME, json);
	put_text(o, "+0x");
	put_hex(o, f->offset);
	if (!f->module)
		return;
	put_text(o, " [");
	put_escaped(o, f->module, FORMAT_MODULE, json);
	put_char(o, ']');
}

static void
put_flags(struct out *o, uint16_t flags)
{
	char text[NAMES_FLAGS];

	put_bytes(o, text, names_flags(text, sizeof(text), flags));
}

static unsigned
column_width(enum column column, const struct format_style *style)
{
	return column == TIME && style->since_start ? TIME_SINCE_START : columns[column].width;
}

/* Spaces from a value that began at start to the next column; at least one. */
static void
put_gap(struct out *o, const char *start, unsigned width)
{
	unsigned used = 0;

	for (; start < o->at; start++)
		used += (*start & 0xc0) != 0x80; /* characters, not bytes */
	do
		put_char(o, ' ');
	while (used++ < width && !o->cut);
}

static void
put_end_text(struct out *o, const struct drop *d, enum column column)
{
	bool source = column == SOURCE;

	if (d->ip == 6)
		put_char(o, '[');
	put_address(o, d->ip, source ? d->saddr : d->daddr);
	put_text(o, d->ip == 6 ? "]:" : ":");
	if (d->has_ports)
		put_number(o, source ? d->sport : d->dport);
	else
		put_char(o, '-');
}

/* A name; its number when it has none; "-" when there is not even that. */
static void
put_name_text(struct out *o, const char *name, bool known, uint32_t number)
{
	if (!known)
		put_char(o, '-');
	else if (name && *name)
		put_escaped(o, name, FORMAT_NAME, false);
	else
		put_number(o, number);
}

static void
put_column(struct out *o, enum column column, const struct format_style *style,
           const struct drop *d)
{
	switch (column) {
	case TIME:
		if (style->since_start)
			put_since_start(o, d->since_start);
		else
			put_local(o, d->time);
		break;
	case PID:
		put_number(o, d->pid);
		break;
	case COMMAND:
		put_escaped(o, d->comm[0] ? d->comm : "-", COMM, false);
		break;
	case SOURCE:
	case DESTINATION:
		put_end_text(o, d, column);
		break;
	case STATE:
		put_name_text(o, d->state_name, d->state, d->state);
		break;
	case FLAGS:
		if (d->has_tcp)
			put_flags(o, d->flags);
		else
			put_char(o, '-');
		break;
	case REASON:
		put_name_text(o, d->reason_name, d->has_reason, d->reason);
		break;
	}
}

static void
put_drop_text(struct out *o, const struct format_style *style, const struct drop *d)
{
	for (enum column c = TIME; c <= REASON; c++) {
		const char *start = o->at;

		put_column(o, c, style, d);
		if (c != REASON)
			put_gap(o, start, column_width(c, style));
	}
	put_char(o, '\n');
	if (!style->stack)
		return;
	for (uint32_t i = 0; i < d->frames && i < DROP_FRAMES; i++) {
		put_char(o, '\t');
		put_frame(o, &d->stack[i], false);
		put_char(o, '\n');
	}
	put_char(o, '\n');
}

/* Each key comes with what stands before it: {"type":"drop", or a comma. */
static void
put_key_number(struct out *o, const char *key, bool known, uint64_t number)
{
	put_text(o, key);
	if (known)
		put_number(o, number);
	else
		put_text(o, "null");
}

static void
put_key_string(struct out *o, const char *key, const char *value, size_t max)
{
	put_text(o, key);
	if (!value) {
		put_text(o, "null");
		return;
	}
	put_char(o, '"');
	put_escaped(o, value, max, true);
	put_char(o, '"');
}

static void
put_key_time(struct out *o, const char *key, uint64_t time)
{
	put_text(o, key);
	put_char(o, '"');
	put_utc(o, time);
	put_char(o, '"');
}

static void
put_key_address(struct out *o, const char *key, uint8_t ip, const uint8_t *address)
{
	put_text(o, key);
	put_char(o, '"');
	put_address(o, ip, address);
	put_char(o, '"');
}

/* A state without a name is its number, as a string. */
static void
put_key_state(struct out *o, const char *key, const struct drop *d)
{
	if (!d->state || d->state_name) {
		put_key_string(o, key, d->state ? d->state_name : NULL, FORMAT_NAME);
		return;
	}
	put_text(o, key);
	put_char(o, '"');
	put_number(o, d->state);
	put_char(o, '"');
}

static void
put_key_flags(struct out *o, const char *key, const struct drop *d)
{
	put_text(o, key);
	if (!d->has_tcp) {
		put_text(o, "null");
		return;
	}
	put_char(o, '"');
	put_flags(o, d->flags);
	put_char(o, '"');
}

static void
put_quoted_frame(struct out *o, const struct frame *f)
{
	put_char(o, '"');
	put_frame(o, f, true);
	put_char(o, '"');
}

static void
put_key_stack(struct out *o, const char *key, bool shown, const struct drop *d)
{
	put_text(o, key);
	if (!shown || !d->frames) {
		put_text(o, "null");
		return;
	}
	for (uint32_t i = 0; i < d->frames && i < DROP_FRAMES; i++) {
		put_char(o, i ? ',' : '[');
		put_quoted_frame(o, &d->stack[i]);
	}
	put_char(o, ']');
}

static void
put_key_sock(struct out *o, const char *key, const struct drop *d)
{
	const struct sock_numbers *n = &d->numbers;

	put_text(o, key);
	if (!d->has_numbers) {
		put_text(o, "null");
		return;
	}
	put_key_number(o, "{\"rcv_nxt\":", true, n->rcv_nxt);
	put_key_number(o, ",\"rcv_wnd\":", n->has_rcv_wnd, n->rcv_wnd);
	put_key_number(o, ",\"snd_una\":", true, n->snd_una);
	put_key_number(o, ",\"snd_nxt\":", true, n->snd_nxt);
	put_key_number(o, ",\"srtt_us\":", true, n->srtt_us);
	put_key_number(o, ",\"retrans\":", true, n->total_retrans);
	put_char(o, '}');
}

static void
put_drop_json(struct out *o, const struct format_style *style, const struct drop *d)
{
	put_key_time(o, "{\"type\":\"drop\",\"time\":", d->time);
	put_key_number(o, ",\"cpu\":", true, d->cpu);
	put_key_number(o, ",\"pid\":", true, d->pid);
	put_key_string(o, ",\"comm\":", d->comm, COMM);
	put_key_number(o, ",\"ip\":", true, d->ip);
	put_key_address(o, ",\"saddr\":", d->ip, d->saddr);
	put_key_number(o, ",\"sport\":", d->has_ports, d->sport);
	put_key_address(o, ",\"daddr\":", d->ip, d->daddr);
	put_key_number(o, ",\"dport\":", d->has_ports, d->dport);
	put_key_state(o, ",\"state\":", d);
	put_key_flags(o, ",\"flags\":", d);
	put_key_number(o, ",\"seq\":", d->has_tcp, d->seq);
	put_key_number(o, ",\"ack\":", d->has_tcp, d->ack);
	put_key_number(o, ",\"window\":", d->has_tcp, d->window);
	put_key_number(o, ",\"length\":", d->has_tcp, d->length);
	put_key_string(o, ",\"reason\":", d->has_reason ? d->reason_name : NULL, FORMAT_NAME);
	put_key_number(o, ",\"reason_code\":", d->has_reason, d->reason);
	put_key_number(o, ",\"netns\":", d->netns, d->netns);
	put_key_number(o, ",\"ifindex\":", d->ifindex, d->ifindex);
	put_key_sock(o, ",\"sock\":", d);
	put_key_string(o, ",\"probe\":", d->probe, FORMAT_NAME);
	put_text(o, ",\"location\":");
	if (d->location.address)
		put_quoted_frame(o, &d->location);
	else
		put_text(o, "null");
	put_key_stack(o, ",\"stack\":", style->stack, d);
	put_text(o, "}\n");
}

size_t
format_header(char *buf, size_t size, const struct format_style *style)
{
	struct out o = { buf, buf + size, false };

	if (style->json)
		return 0;
	for (enum column c = TIME; c <= REASON; c++) {
		const char *start = o.at;

		put_text(&o, columns[c].title);
		if (c != REASON)
			put_gap(&o, start, column_width(c, style));
	}
	put_char(&o, '\n');
	return finish(&o, buf);
}

size_t
format_drop(char *buf, size_t size, const struct format_style *style, const struct drop *d)
{
	struct out o = { buf, buf + size, false };

	if (style->json)
		put_drop_json(&o, style, d);
	else
		put_drop_text(&o, style, d);
	return finish(&o, buf);
}

size_t
format_lost(char *buf, size_t size, const struct format_style *style, uint64_t time,
            uint64_t count)
{
	struct out o = { buf, buf + size, false };

	if (!style->json)
		return 0;
	put_key_time(&o, "{\"type\":\"lost\",\"time\":", time);
	put_key_number(&o, ",\"count\":", true, count);
	put_text(&o, "}\n");
	return finish(&o, buf);
}

size_t
format_end(char *buf, size_t size, const struct format_style *style, uint64_t time,
           uint64_t seen, uint64_t shown, uint64_t lost)
{
	struct out o = { buf, buf + size, false };

	if (!style->json)
		return 0;
	put_key_time(&o, "{\"type\":\"end\",\"time\":", time);
	put_key_number(&o, ",\"seen\":", true, seen);
	put_key_number(&o, ",\"shown\":", true, shown);
	put_key_number(&o, ",\"lost\":", true, lost);
	put_text(&o, "}\n");
	return finish(&o, buf);
}
