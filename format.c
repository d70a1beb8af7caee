/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <string.h>

#include "extended.h"
#include "format.h"
#include "names.h"
#include "put.h"
#include "zone.h"

enum {
	SECOND = 1000000000, /* nanoseconds */
	DAY    = 86400,      /* seconds */
	COMM   = 6 * sizeof(((struct drop *)0)->comm), /* as printed: no byte gives more than 6 */
};

/* The columns of the text; the last one is never padded. */
enum column { TIME, PID, COMMAND, SOURCE, DESTINATION, STATE, FLAGS, OWNER, REASON };

static const struct {
	char     title[15];
	uint8_t  width;
} columns[] = {
	[TIME]        = { "TIME", 8 },
	[PID]         = { "PID", 7 },
	[COMMAND]     = { "COMM", 16 },
	[SOURCE]      = { "SADDR:SPORT", 21 },
	[DESTINATION] = { "DADDR:DPORT", 21 },
	[STATE]       = { "STATE", 12 },
	[FLAGS]       = { "FLAGS", 8 },
	[OWNER]       = { "OWNER", 16 },
	[REASON]      = { "REASON", 0 },
};

enum {
	TIME_SINCE_START = 12,  /* 99999.999999 is more than a day */
	REASON_ROOM      = 20,  /* on a terminal; a longer one may take it from COMM */
	COMM_LEAST       = 4,
	END_MOST         = 47,  /* IPv6 with a port */
};

/* What a line of columns needs besides the drop. */
struct line {
	uint8_t width[REASON + 1];      /* 0: there is no such column */
	bool    below;                  /* the ends stand on a line of their own */
	uint8_t length[2];              /* of the ends, or of their titles */
	char    end[2][END_MOST];
};

/* "2026-11-23T13:05:22" in UTC, or the time of day alone in a zone. */
static void
fill_clock(struct out *o, uint64_t second, bool date, const struct zone *zone)
{
	/* whole days more, as the offset may be negative */
	uint64_t local = second + DAY + (uint64_t)(zone ? zone_offset(zone, (int64_t)second) : 0);
	int time = (int)(local % DAY), day = (int)(second / DAY);
	int year = 1970 + day / 366, month = 1;

	while (zone_days(year + 1, 1) <= day)
		year++;
	while (zone_days(year, month + 1) <= day)
		month++;
	day -= zone_days(year, month) - 1;

	const int parts[] = { year, month, day, time / 3600, time / 60 % 60, time % 60 };

	for (unsigned i = date ? 0 : 3; i < 6; i++) {
		put_digits(o, (unsigned)parts[i], 10, i ? 2 : 4);
		if (i < 5)
			put_char(o, "--T::"[i]);
	}
}

/* fill_clock() for a drop: its text is kept while the second lasts. */
static void
put_clock(struct out *o, uint64_t second, const struct format_style *style)
{
	static struct {
		uint64_t second;
		size_t   length;
		bool     date;
		char     text[sizeof("2026-11-23T13:05:22") - 1];
	} kept = { .second = UINT64_MAX };

	if (kept.second != second || kept.date != style->json) {
		struct out text = { kept.text, kept.text + sizeof(kept.text), false };

		fill_clock(&text, second, style->json, style->json ? NULL : style->zone);
		kept.second = second;
		kept.date = style->json;
		kept.length = (size_t)(text.at - kept.text);
	}
	put_bytes(o, kept.text, kept.length);
}

static void
put_utc(struct out *o, uint64_t time, const struct format_style *style)
{
	put_clock(o, time / SECOND, style);
	put_char(o, '.');
	put_digits(o, time % SECOND, 10, 9);
	put_char(o, 'Z');
}

static void
put_since_start(struct out *o, uint64_t time)
{
	put_number(o, time / SECOND);
	put_char(o, '.');
	put_digits(o, time % SECOND / 1000, 10, 6);
}

void
format_time(struct out *o, uint64_t time, uint64_t since_start, const struct format_style *style)
{
	if (style->json)
		put_utc(o, time, style);
	else if (style->since_start)
		put_since_start(o, since_start);
	else
		put_clock(o, time / SECOND, style);
}

void
format_frame(struct out *o, const struct frame *f, bool json)
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

	put_bytes(o, text, names_flags(text, flags));
}

static void
put_end_text(struct out *o, const struct drop *d, bool source)
{
	if (d->ip == 6)
		put_char(o, '[');
	put_address(o, d->ip, source ? d->saddr : d->daddr);
	put_text(o, d->ip == 6 ? "]:" : ":");
	if (d->has_ports)
		put_number(o, source ? d->sport : d->dport);
	else
		put_char(o, '-');
}

void
format_name(struct out *o, const char *name, bool known, uint32_t number)
{
	if (!known)
		put_char(o, '-');
	else if (name && *name)
		put_escaped(o, name, FORMAT_NAME, false);
	else
		put_number(o, number);
}

static void
put_owner(struct out *o, const struct drop_owner *owner)
{
	put_number(o, owner->pid);
	put_char(o, '/');
	put_escaped(o, owner->comm, COMM, false);
}

static void
put_column(struct out *o, enum column column, const struct format_style *style,
           const struct line *l, const struct drop *d)
{
	unsigned end = column - SOURCE;

	switch (column) {
	case TIME:
		format_time(o, d->time, d->since_start, style);
		break;
	case PID:
		put_number(o, d->pid);
		break;
	case COMMAND:
		put_escaped(o, d->comm[0] ? d->comm : "-", COMM, false);
		break;
	case SOURCE:
	case DESTINATION:
		if (!l->below)
			put_bytes(o, l->end[end], l->length[end]);
		break;
	case STATE:
		format_name(o, d->state_name, d->state, d->state);
		break;
	case FLAGS:
		if (d->has_tcp)
			put_flags(o, d->flags);
		else
			put_char(o, '-');
		break;
	case OWNER:
		if (d->owner)
			put_owner(o, d->owner);
		else
			put_char(o, '-');
		break;
	case REASON:
		format_name(o, d->reason_name, d->has_reason, d->reason);
		break;
	}
}

/* The ends of a drop, or their titles (NULL). */
static void
fill_ends(struct line *l, const struct drop *d)
{
	for (unsigned i = 0; i < 2; i++) {
		struct out end = { l->end[i], l->end[i] + END_MOST, false };

		if (d)
			put_end_text(&end, d, !i);
		else
			put_text(&end, columns[SOURCE + i].title);
		l->length[i] = (uint8_t)(end.at - l->end[i]);
	}
}

/* On a terminal the ends get what room there is, or leave the line when it is too little. */
static void
fit_columns(struct line *l, const struct format_style *style)
{
	int room = style->width - REASON_ROOM, end = columns[SOURCE].width, comm;

	for (enum column c = TIME; c < REASON; c++) {
		l->width[c] = c == TIME && style->since_start ? TIME_SINCE_START
		            : c == OWNER && !style->owner ? 0 : columns[c].width;
		room -= l->width[c] ? l->width[c] + 1 : 0;
	}
	l->below = false;
	if (!style->width)
		return;
	end += room / 2 < END_MOST - end ? room / 2 : END_MOST - end;
	if (room < 0) {
		comm = columns[COMMAND].width + room + 2 * (columns[SOURCE].width + 1);
		if (comm < columns[COMMAND].width)
			l->width[COMMAND] = (uint8_t)(comm > COMM_LEAST ? comm : COMM_LEAST);
		end = 0;
	}
	l->width[SOURCE] = l->width[DESTINATION] = (uint8_t)end;
	l->below = l->length[0] > end || l->length[1] > end;
}

const char *
format_state_colour(uint8_t state)
{
	enum { ESTABLISHED = 1, OPENING = 1 << 2 | 1 << 3 | 1 << 10 | 1 << 12 };

	if (state == ESTABLISHED)
		return "\x1b[32m";
	return state < 16 && OPENING >> state & 1 ? "\x1b[35m" : NULL;
}

static const char *
colour(enum column column, const struct drop *d)
{
	return column == STATE ? format_state_colour(d->state)
	     : column == REASON && d->has_reason ? FORMAT_REASON_COLOUR : NULL;
}

/* A value of a drop, or its title (NULL). Returns how wide it is. */
static unsigned
put_cell(struct out *o, enum column column, const struct format_style *style,
         const struct line *l, const struct drop *d)
{
	const char *code = d && style->colour ? colour(column, d) : NULL, *start;
	unsigned used;

	put_text(o, code ? code : "");
	start = o->at;
	if (d)
		put_column(o, column, style, l, d);
	else
		put_text(o, columns[column].title);
	while ((used = put_width(start, o->at, style->width)) > l->width[COMMAND]
	       && column == COMMAND && style->width) {
		do
			o->at--;
		while ((*o->at & 0xc0) == 0x80);
	}
	put_text(o, code ? FORMAT_NO_COLOUR : "");
	return used;
}

static void
put_spaces(struct out *o, unsigned n)
{
	while (n--)
		put_char(o, ' ');
}

/*
 * A value that is too long pushes the next: on a terminal until one is short
 * enough, else all that follow. Returns how wide the line is.
 */
static unsigned
put_line(struct out *o, const struct format_style *style, const struct line *l,
         const struct drop *d)
{
	unsigned at = 0, next = 0, gap;

	for (enum column c = TIME; c < REASON; c++) {
		if (!l->width[c])
			continue;
		next = (style->width ? next : at) + l->width[c] + 1;
		at += put_cell(o, c, style, l, d);
		gap = at < next ? next - at : 1;
		put_spaces(o, gap);
		at += gap;
	}
	return at + put_cell(o, REASON, style, l, d);
}

/* The ends under a line that had no room for them; one under the other if need be. */
static void
put_below(struct out *o, const struct line *l, unsigned width)
{
	unsigned indent = l->width[TIME] + 1u;
	bool apart = indent + l->length[0] + 3 + l->length[1] > width;

	put_spaces(o, indent);
	put_bytes(o, l->end[0], l->length[0]);
	put_text(o, apart ? " >\n" : " > ");
	put_spaces(o, apart ? indent : 0);
	put_bytes(o, l->end[1], l->length[1]);
	put_char(o, '\n');
}

/* The columns of a drop, or their titles (NULL). */
static void
put_columns(struct out *o, const struct format_style *style, const struct drop *d)
{
	const struct out start = *o;
	struct line l;
	unsigned over;

	fill_ends(&l, d);
	fit_columns(&l, style);
	over = put_line(o, style, &l, d) - style->width;
	if (style->width && (int)over > 0) { /* COMM gives way */
		l.width[COMMAND] = (uint8_t)(l.width[COMMAND] > over ? l.width[COMMAND] - over : 1);
		*o = start;
		put_line(o, style, &l, d);
	}
	put_char(o, '\n');
	if (l.below)
		put_below(o, &l, style->width);
}

/* What a reader of the packet does not have; the place may be the only sign of why. */
static void
put_comment(struct out *o, const struct format_style *style, const struct drop *d)
{
	static const struct {
		char    key[9];
		uint8_t column;
	} words[] = {
		{ "reason=", REASON }, { " state=", STATE }, { " pid=", PID }, { " comm=", COMMAND },
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		put_text(o, words[i].key);
		put_column(o, words[i].column, style, NULL, d);
	}
	put_text(o, "\nlocation=");
	if (d->location.address)
		format_frame(o, &d->location, false);
	else
		put_char(o, '-');
	put_char(o, '\n');
}

static void
put_drop_text(struct out *o, const struct format_style *style, const struct drop *d)
{
	if (style->comment)
		put_comment(o, style, d);
	else
		put_columns(o, style, d);
	if (style->extended)
		extended_put(o, d);
	if (!style->stack)
		return;
	for (uint32_t i = 0; i < d->frames && i < DROP_FRAMES; i++) {
		put_char(o, '\t');
		format_frame(o, &d->stack[i], false);
		put_char(o, '\n');
	}
	put_char(o, '\n');
}

/* What stands behind a JSON key. */
enum kind {
	NUMBER,     /* uint32_t */
	NONZERO,    /* the same; null when it is 0 */
	SHORT,      /* uint16_t */
	FAMILY,
	NUMBERS,    /* an object */
	OWNED_BY,   /* the same; null when the pointer is NULL */
	FRAMES,     /* an array */
	QUOTED,     /* and all that follow */
	UTC = QUOTED,
	PROCESS,
	NAME,       /* null when the pointer is NULL */
	ADDRESS,
	TCP_STATE,
	TCP_FLAGS,
	FRAME,      /* null when its address is 0 */
};

struct key {
	char    name[12];
	uint8_t kind;
	uint8_t known;  /* where its bool is; 0: it is always known */
	uint8_t field;  /* where it is */
};

#define AT(field)        offsetof(struct drop, field)
#define AT_NUMBER(field) offsetof(struct sock_numbers, field)

static const struct key drop_keys[] = {
	{ "time",        UTC,       0,               AT(time) },
	{ "cpu",         NUMBER,    0,               AT(cpu) },
	{ "pid",         NUMBER,    0,               AT(pid) },
	{ "comm",        PROCESS,   0,               AT(comm) },
	{ "ip",          FAMILY,    0,               AT(ip) },
	{ "saddr",       ADDRESS,   0,               AT(saddr) },
	{ "sport",       SHORT,     AT(has_ports),   AT(sport) },
	{ "daddr",       ADDRESS,   0,               AT(daddr) },
	{ "dport",       SHORT,     AT(has_ports),   AT(dport) },
	{ "state",       TCP_STATE, AT(state),       AT(state) },
	{ "flags",       TCP_FLAGS, AT(has_tcp),     AT(flags) },
	{ "seq",         NUMBER,    AT(has_tcp),     AT(seq) },
	{ "ack",         NUMBER,    AT(has_tcp),     AT(ack) },
	{ "window",      SHORT,     AT(has_tcp),     AT(window) },
	{ "length",      NUMBER,    AT(has_tcp),     AT(length) },
	{ "reason",      NAME,      AT(has_reason),  AT(reason_name) },
	{ "reason_code", NUMBER,    AT(has_reason),  AT(reason) },
	{ "netns",       NONZERO,   0,               AT(netns) },
	{ "ifindex",     NONZERO,   0,               AT(ifindex) },
	{ "sock",        NUMBERS,   AT(has_numbers), AT(numbers) },
	{ "probe",       NAME,      0,               AT(probe) },
	{ "location",    FRAME,     0,               AT(location) },
	{ "stack",       FRAMES,    0,               AT(stack) },
	{ "owner",       OWNED_BY,  0,               AT(owner) }, /* the last: not always there */
};

static const struct key number_keys[] = {
	{ "rcv_nxt",     NUMBER,    0,                      AT_NUMBER(rcv_nxt) },
	{ "rcv_wnd",     NUMBER,    AT_NUMBER(has_rcv_wnd), AT_NUMBER(rcv_wnd) },
	{ "snd_una",     NUMBER,    0,                      AT_NUMBER(snd_una) },
	{ "snd_nxt",     NUMBER,    0,                      AT_NUMBER(snd_nxt) },
	{ "srtt_us",     NUMBER,    0,                      AT_NUMBER(srtt_us) },
	{ "retrans",     NUMBER,    0,                      AT_NUMBER(total_retrans) },
};

static const struct key owner_keys[] = {
	{ "pid",         NUMBER,    0,               offsetof(struct drop_owner, pid) },
	{ "comm",        PROCESS,   0,               offsetof(struct drop_owner, comm) },
};

enum {
	DROP_KEYS   = sizeof(drop_keys) / sizeof(drop_keys[0]),
	NUMBER_KEYS = sizeof(number_keys) / sizeof(number_keys[0]),
	OWNER_KEYS  = sizeof(owner_keys) / sizeof(owner_keys[0]),
};

_Static_assert(AT(stack) <= UINT8_MAX, "format: the places of a drop's fields are bytes");

static bool
is_null(const struct key *key, const void *field, const char *base,
        const struct format_style *style)
{
	if (key->known && !base[key->known])
		return true;
	switch (key->kind) {
	case NONZERO: return !*(const uint32_t *)field;
	case OWNED_BY:
	case NAME:    return !*(const char *const *)field;
	case FRAME:   return !((const struct frame *)field)->address;
	case FRAMES:  return !style->stack || !((const struct drop *)base)->frames;
	default:      return false;
	}
}

static void
put_frames_json(struct out *o, const struct drop *d)
{
	for (uint32_t i = 0; i < d->frames && i < DROP_FRAMES; i++) {
		put_text(o, i ? "\",\"" : "[\"");
		format_frame(o, &d->stack[i], true);
	}
	put_text(o, "\"]");
}

static void
put_keys(struct out *o, const struct key *keys, unsigned count, const void *base,
         const struct format_style *style);

static void
put_value(struct out *o, enum kind kind, const void *field, const struct drop *d,
          const struct format_style *style)
{
	switch (kind) {
	case NUMBER:
	case NONZERO:   put_number(o, *(const uint32_t *)field); break;
	case SHORT:     put_number(o, *(const uint16_t *)field); break;
	case FAMILY:    put_number(o, d->ip); break;
	case FRAMES:    put_frames_json(o, d); break;
	case UTC:       put_utc(o, d->time, style); break;
	case PROCESS:   put_escaped(o, field, COMM, true); break;
	case NAME:      put_escaped(o, *(const char *const *)field, FORMAT_NAME, true); break;
	case ADDRESS:   put_address(o, d->ip, field); break;
	case TCP_FLAGS: put_flags(o, d->flags); break;
	case FRAME:     format_frame(o, field, true); break;
	case OWNED_BY:
		put_char(o, '{');
		put_keys(o, owner_keys, OWNER_KEYS, *(const void *const *)field, style);
		put_char(o, '}');
		break;
	case NUMBERS:
		put_char(o, '{');
		put_keys(o, number_keys, NUMBER_KEYS, field, style);
		put_char(o, '}');
		break;
	case TCP_STATE: /* without a name it is its number, as a string */
		if (d->state_name)
			put_escaped(o, d->state_name, FORMAT_NAME, true);
		else
			put_number(o, d->state);
		break;
	}
}

static void
put_keys(struct out *o, const struct key *keys, unsigned count, const void *base,
         const struct format_style *style)
{
	for (const struct key *key = keys; key < keys + count; key++) {
		const char *field = (const char *)base + key->field;

		put_text(o, key == keys ? "\"" : ",\"");
		put_text(o, key->name);
		put_text(o, "\":");
		if (is_null(key, field, base, style)) {
			put_text(o, "null");
			continue;
		}
		if (key->kind >= QUOTED)
			put_char(o, '"');
		put_value(o, key->kind, field, base, style);
		if (key->kind >= QUOTED)
			put_char(o, '"');
	}
}

static void
put_drop_json(struct out *o, const struct format_style *style, const struct drop *d)
{
	put_text(o, "{\"type\":\"drop\",");
	put_keys(o, drop_keys, DROP_KEYS - !style->owner, d, style);
	put_text(o, "}\n");
}

size_t
format_header(char *buf, size_t size, const struct format_style *style)
{
	struct out o = { buf, buf + size, false };

	if (style->json)
		return 0;
	put_columns(&o, style, NULL);
	return put_finish(&o, buf);
}

size_t
format_drop(char *buf, size_t size, const struct format_style *style, const struct drop *d)
{
	struct out o = { buf, buf + size, false };

	if (style->json)
		put_drop_json(&o, style, d);
	else
		put_drop_text(&o, style, d);
	return put_finish(&o, buf);
}

static void
put_count(struct out *o, const char *key, uint64_t count)
{
	put_text(o, key);
	put_number(o, count);
}

size_t
format_lost(char *buf, size_t size, const struct format_style *style, uint64_t time,
            uint64_t count)
{
	struct out o = { buf, buf + size, false };

	if (!style->json)
		return 0;
	put_text(&o, "{\"type\":\"lost\",\"time\":\"");
	put_utc(&o, time, style);
	put_count(&o, "\",\"count\":", count);
	put_text(&o, "}\n");
	return put_finish(&o, buf);
}

size_t
format_end(char *buf, size_t size, const struct format_style *style, uint64_t time,
           uint64_t seen, uint64_t shown, uint64_t lost)
{
	struct out o = { buf, buf + size, false };

	if (!style->json)
		return 0;
	put_text(&o, "{\"type\":\"end\",\"time\":\"");
	put_utc(&o, time, style);
	put_count(&o, "\",\"seen\":", seen);
	put_count(&o, ",\"shown\":", shown);
	put_count(&o, ",\"lost\":", lost);
	put_text(&o, "}\n");
	return put_finish(&o, buf);
}

static const struct key summary_keys[] = {
	{ "time",        UTC,       0,               AT(time) },
	{ "reason",      NAME,      AT(has_reason),  AT(reason_name) },
	{ "reason_code", NUMBER,    AT(has_reason),  AT(reason) },
	{ "location",    FRAME,     0,               AT(location) },
	{ "state",       TCP_STATE, AT(state),       AT(state) },
	{ "ip",          FAMILY,    0,               AT(ip) },
	{ "port",        SHORT,     AT(has_ports),   AT(sport) },
};

void
format_keys(struct out *o, const struct format_style *style, const struct drop *d)
{
	put_keys(o, summary_keys, sizeof(summary_keys) / sizeof(summary_keys[0]), d, style);
}
