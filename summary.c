/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>

#include "explain.h"
#include "names.h"
#include "options.h"
#include "put.h"
#include "summary.h"
#include "text.h"

enum {
	SECOND      = 1000000000,
	MILLISECOND = 1000000,
	LEAST       = 10,              /* of them that tell of a rate */
	LINE        = 5 * FORMAT_NAME, /* two names, each byte escaped once more, and the rest */
};

enum column { REASON, PLACE, STATE, FAMILY, PORT, COUNT, RATE, FIRST, LAST };

static const struct {
	char title[7];
	bool right; /* numbers end below each other */
} columns[SUMMARY_COLUMNS] = {
	{ "REASON", false }, { "PLACE", false }, { "STATE", false }, { "FAMILY", false },
	{ "PORT", true }, { "COUNT", true }, { "RATE/s", true }, { "FIRST", false },
	{ "LAST", false },
};

/* What a narrow window does without, in this order: all of a column, or what is over least. */
static const struct {
	uint8_t column;
	uint8_t least;
} spare[] = {
	{ FIRST, 0 }, { FAMILY, 0 }, { LAST, 0 }, { PLACE, 18 }, { REASON, 18 }, { STATE, 0 },
	{ PORT, 0 }, { RATE, 0 }, { PLACE, 0 }, { REASON, 8 },
};

static bool
has(const struct summary_row *r, unsigned what)
{
	return r->key.known & what;
}

static bool
is_ipv6(const struct summary_row *r)
{
	return (r->key.known & SUMMARY_FAMILY) == 6;
}

uint64_t
summary_rate(uint64_t count, uint64_t nanoseconds)
{
	uint64_t ms = nanoseconds / MILLISECOND;

	return ms < LEAST ? 0 : count * 10000 / ms;
}

__attribute__((format(printf, 2, 3)))
static void
add(struct out *o, const char *format, ...)
{
	size_t room = (size_t)(o->end - o->at), n;
	va_list arguments;

	va_start(arguments, format);
	n = (size_t)text_vformat(o->at, room, format, arguments);
	va_end(arguments);
	o->cut |= n >= room;
	o->at += n < room ? n : 0;
}

/* Numbers as add() takes them: a whole one, and one in tenths with its point. */
#define WHOLE(n)  (unsigned long long)(n)
#define TENTHS(n) WHOLE((n) / 10), WHOLE((n) % 10)

static void
put_time(struct out *o, const struct summary *s, uint64_t time)
{
	format_time(o, time + s->to_wall, time > s->start ? time - s->start : 0, &s->style);
}

static void
put_reason(struct out *o, const struct summary_row *r)
{
	format_name(o, r->reason, has(r, SUMMARY_HAS_REASON), r->key.reason);
}

/* ---- order ---- */

/* {reason="...",state="...",family="...",location="..."}; what is not known is "". */
static void
put_labels(char *buf, size_t size, const struct summary_row *r);

static int
compare_rates(const struct summary_row *a, const struct summary_row *b)
{
	if (a->rate != b->rate)
		return a->rate < b->rate ? 1 : -1;
	if (a->now.count != b->now.count)
		return a->now.count < b->now.count ? 1 : -1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

static int
compare_labels(const struct summary_row *a, const struct summary_row *b)
{
	static char one[LINE], two[LINE];

	if (a->key.location == b->key.location && a->key.reason == b->key.reason
	    && a->key.state == b->key.state && a->key.known == b->key.known)
		return 0;
	put_labels(one, sizeof(one), a);
	put_labels(two, sizeof(two), b);
	return strcmp(one, two);
}

/* Shell's sort: little code, and fast enough for what a map holds. */
void
summary_sort(struct summary *s)
{
	int (*const compare)(const struct summary_row *, const struct summary_row *) =
		s->format == OPTIONS_AS_PROMETHEUS ? compare_labels : compare_rates;
	unsigned gap = 1;

	while (gap < s->rows / 3)
		gap = 3 * gap + 1;
	for (; gap; gap /= 3) {
		for (unsigned i = gap; i < s->rows; i++) {
			struct summary_row *row = s->row[i];
			unsigned at = i;

			for (; at >= gap && compare(s->row[at - gap], row) > 0; at -= gap)
				s->row[at] = s->row[at - gap];
			s->row[at] = row;
		}
	}
}

/* ---- text ---- */

static unsigned
characters(const char *text, size_t n)
{
	return put_width(text, text + n, false);
}

/* How many bytes of text are its first count characters. */
static size_t
bytes(const char *text, size_t n, unsigned count)
{
	size_t i = 0;

	while (i < n && ((text[i] & 0xc0) == 0x80 || count--))
		i++;
	return i;
}

/* A line of the window, if one is left, cut at its width. It is cleared before it is written. */
static void
put_line(struct out *o, struct summary *s, const char *text, size_t n, bool whole)
{
	if (!s->left)
		return;
	s->left--;
	if (s->live)
		put_text(o, "\33[K");
	put_bytes(o, text, s->columns && !whole ? bytes(text, n, s->columns) : n);
	put_char(o, '\n');
}

static void
put_value(struct out *o, enum column column, const struct summary *s, const struct summary_row *r)
{
	switch (column) {
	case REASON: put_reason(o, r); break;
	case PLACE:
		if (r->key.location)
			format_frame(o, &r->place, false);
		else
			put_char(o, '-');
		break;
	case STATE:  format_name(o, names_state(r->key.state), r->key.state, r->key.state); break;
	case FAMILY: put_text(o, is_ipv6(r) ? "IPv6" : "IPv4"); break;
	case PORT:   format_name(o, NULL, has(r, SUMMARY_HAS_PORT), r->key.port); break;
	case COUNT:  put_number(o, r->now.count); break;
	case RATE:   add(o, "%llu.%llu", TENTHS(r->rate)); break;
	case FIRST:  put_time(o, s, r->now.first); break;
	case LAST:   put_time(o, s, r->now.last); break;
	}
}

/* What stands in a column: of a row, or its title (NULL). */
static size_t
make_cell(char text[LINE], enum column column, const struct summary *s,
          const struct summary_row *r)
{
	struct out cell = { text, text + LINE, false };

	if (r)
		put_value(&cell, column, s, r);
	else
		put_text(&cell, columns[column].title);
	return (size_t)(cell.at - text);
}

/* A cell that is too long ends in '~'. */
static void
put_cell(struct out *o, enum column column, const struct summary *s, const struct summary_row *r)
{
	char text[LINE];
	size_t n = make_cell(text, column, s, r);
	unsigned width = s->width[column], used = characters(text, n);

	for (unsigned i = used; columns[column].right && i < width; i++)
		put_char(o, ' ');
	put_bytes(o, text, used > width ? bytes(text, n, width - 1) : n);
	if (used > width)
		put_char(o, '~');
	for (unsigned i = used; !columns[column].right && i < width; i++)
		put_char(o, ' ');
}

static const char *
colour(enum column column, const struct summary_row *r)
{
	return column == STATE ? format_state_colour(r->key.state)
	     : column == REASON && has(r, SUMMARY_HAS_REASON) ? FORMAT_REASON_COLOUR : NULL;
}

static void
put_columns(struct out *o, struct summary *s, const struct summary_row *r)
{
	char text[LINE];
	struct out line = { text, text + sizeof(text), false };
	const char *code;

	for (enum column c = REASON; c <= LAST; c++) {
		if (!s->width[c])
			continue;
		code = s->style.colour && s->fits && r ? colour(c, r) : NULL;
		put_text(&line, code ? code : "");
		put_cell(&line, c, s, r);
		put_text(&line, code ? FORMAT_NO_COLOUR : "");
		put_char(&line, ' ');
	}
	while (line.at > text && line.at[-1] == ' ')
		line.at--;
	put_line(o, s, text, (size_t)(line.at - text), s->fits);
}

static unsigned
widest(enum column column, const struct summary *s, unsigned rows)
{
	unsigned most = (unsigned)strlen(columns[column].title);
	char text[LINE];

	for (unsigned i = 0; i < rows; i++) {
		unsigned n = characters(text, make_cell(text, column, s, s->row[i]));

		most = n > most ? n : most;
	}
	return most;
}

/* Columns as wide as what is in them; what is then too much goes. */
static void
fit(struct summary *s)
{
	int over = -1 - (int)s->columns; /* no blank behind the last one */

	for (enum column c = REASON; c <= LAST; c++) {
		s->width[c] = (uint16_t)widest(c, s, s->rows < s->left ? s->rows : s->left);
		over += s->width[c] + 1;
	}
	for (unsigned i = 0; s->columns && i < sizeof(spare) / sizeof(spare[0]); i++) {
		uint16_t *width = &s->width[spare[i].column];
		int most = *width - spare[i].least;

		if (over <= 0 || !*width || most <= 0)
			continue;
		if (spare[i].least && over < most)
			most = over;
		*width = (uint16_t)(*width - most);
		over -= most + !*width;
	}
	s->fits = over <= 0;
}

static void
begin_text(struct out *o, struct summary *s)
{
	uint64_t drops = s->counted + s->uncounted;
	char text[LINE];
	struct out line = { text, text + sizeof(text), false };

	if (s->live)
		put_text(o, "\33[H");
	put_time(&line, s, s->time);
	add(&line, ": %llu drop%s in %llu s, %llu.%llu/s, %llu uncounted", WHOLE(drops),
	    drops == 1 ? "" : "s", WHOLE((s->time - s->start) / SECOND), TENTHS(s->rate),
	    WHOLE(s->uncounted));
	put_line(o, s, text, (size_t)(line.at - text), false);
	fit(s);
	put_columns(o, s, NULL);
}

/* Its paragraph but for the names it begins with; the lines are indented. */
static void
explain_row(struct out *o, struct summary *s, const struct summary_row *r)
{
	const char *name = has(r, SUMMARY_HAS_REASON) ? r->reason : r->place.name, *text = NULL;
	const char *end;
	size_t size;

	if (name)
		text = explain_name(name, &size);
	if (!text && r->key.reason > UINT16_MAX)
		text = explain_subsystem(r->key.reason, &size);
	if (!text)
		return;
	for (end = text + size; text < end; text += text_until(text, "\n") + 1)
		if (*text == ' ')
			put_line(o, s, text, text_until(text, "\n"), false);
}

/* ---- JSON ---- */

static void
put_json(struct out *o, const struct summary *s, const struct summary_row *r)
{
	static struct drop d; /* what a row has of a drop */

	d = (struct drop){
		.time = s->time + s->to_wall, .ip = r->key.known & SUMMARY_FAMILY,
		.has_ports = has(r, SUMMARY_HAS_PORT), .sport = r->key.port,
		.has_reason = has(r, SUMMARY_HAS_REASON), .reason = r->key.reason,
		.reason_name = r->reason, .state = r->key.state,
		.state_name = names_state(r->key.state), .location = r->place,
	};
	put_text(o, "{\"type\":\"summary\",");
	format_keys(o, &s->style, &d);
	add(o, ",\"count\":%llu,\"rate\":%llu.%llu,\"first\":\"", WHOLE(r->now.count),
	    TENTHS(r->rate));
	put_time(o, s, r->now.first);
	put_text(o, "\",\"last\":\"");
	put_time(o, s, r->now.last);
	put_text(o, "\"}\n");
}

static void
end_json(struct out *o, const struct summary *s)
{
	put_text(o, "{\"type\":\"summary_end\",\"time\":\"");
	put_time(o, s, s->time);
	add(o, "\",\"total\":%llu,\"uncounted\":%llu}\n", WHOLE(s->counted + s->uncounted),
	    WHOLE(s->uncounted));
}

/* ---- Prometheus ---- */

static void
put_label(struct out *o, const char *name, const char *text, size_t n)
{
	put_text(o, name);
	put_text(o, "=\"");
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '"' || text[i] == '\\')
			put_char(o, '\\');
		put_char(o, text[i]);
	}
	put_char(o, '"');
}

static void
put_labels(char *buf, size_t size, const struct summary_row *r)
{
	static const char names[][11] = { "{reason", ",state", ",family", ",location" };
	static const uint8_t from[] = { REASON, STATE, FAMILY };
	struct out o = { buf, buf + size - 1, false };

	for (unsigned i = 0; i < 4; i++) {
		char text[LINE];
		struct out label = { text, text + sizeof(text), false };
		size_t n;

		if (i < 3)
			put_value(&label, from[i], NULL, r);
		else /* the function, without the offset: labels are to be few */
			format_name(&label, r->place.name, r->place.name, 0);
		n = (size_t)(label.at - text);
		put_label(&o, names[i], text, n == 1 && *text == '-' ? 0 : n);
	}
	put_char(&o, '}');
	*o.at = '\0';
}

static const char begin_prometheus[] =
	"# HELP tcpdrop_drops_total TCP packets that the kernel dropped.\n"
	"# TYPE tcpdrop_drops_total counter\n";

/* One sample for all rows of the same labels, which stand together. */
static void
put_sample(struct out *o, const struct summary *s, unsigned *i)
{
	const struct summary_row *row = s->row[*i];
	uint64_t sum = 0;
	char labels[LINE];

	for (; *i < s->rows && !compare_labels(row, s->row[*i]); ++*i)
		sum += s->row[*i]->now.count;
	put_labels(labels, sizeof(labels), row);
	add(o, "tcpdrop_drops_total%s %llu\n", labels, WHOLE(sum));
}

static void
end_prometheus(struct out *o, const struct summary *s)
{
	uint64_t start = s->start + s->to_wall;

	add(o, "# HELP tcpdrop_uncounted_drops_total Dropped TCP packets that had no room to be "
	    "counted by label.\n"
	    "# TYPE tcpdrop_uncounted_drops_total counter\n"
	    "tcpdrop_uncounted_drops_total %llu\n"
	    "# HELP tcpdrop_start_time_seconds When tcpdrop began to count, in seconds since "
	    "1970.\n"
	    "# TYPE tcpdrop_start_time_seconds gauge\n"
	    "tcpdrop_start_time_seconds %llu.%03u\n", WHOLE(s->uncounted), WHOLE(start / SECOND),
	    (unsigned)(start % SECOND / MILLISECOND));
}

/* ---- pieces ---- */

size_t
summary_begin(char *buf, size_t size, struct summary *s)
{
	struct out o = { buf, buf + size, false };

	if (s->format == OPTIONS_AS_TEXT)
		begin_text(&o, s);
	else if (s->format == OPTIONS_AS_PROMETHEUS)
		put_text(&o, begin_prometheus);
	return put_finish(&o, buf);
}

size_t
summary_rows(char *buf, size_t size, struct summary *s, unsigned *i)
{
	struct out o = { buf, buf + size, false };
	const struct summary_row *row = s->row[*i];

	if (s->format == OPTIONS_AS_PROMETHEUS) {
		put_sample(&o, s, i);
		return put_finish(&o, buf);
	}
	++*i;
	if (s->format == OPTIONS_AS_JSON) {
		put_json(&o, s, row);
	} else {
		put_columns(&o, s, row);
		if (s->explain)
			explain_row(&o, s, row);
	}
	return put_finish(&o, buf);
}

size_t
summary_end(char *buf, size_t size, struct summary *s)
{
	struct out o = { buf, buf + size, false };

	if (s->format == OPTIONS_AS_JSON)
		end_json(&o, s);
	else if (s->format == OPTIONS_AS_PROMETHEUS)
		end_prometheus(&o, s);
	else if (s->live)
		put_text(&o, "\33[J");
	return put_finish(&o, buf);
}
