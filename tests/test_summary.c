/* SPDX-License-Identifier: MIT */
/* The tables of -s in each format: of known rows, of hostile names, in narrow windows. */
#include <stdlib.h>

#include "../options.h"
#include "../summary.h"
#include "tap.h"

#define SECONDS(n) ((uint64_t)(n) * 1000000000)
#define START SECONDS(100)
#define WALL (1795439122123456789 - START) /* 2026-11-23T13:05:22.123456789Z at the start */

enum { V4 = 4, V6 = 6, REASONED = SUMMARY_HAS_REASON, PORTED = SUMMARY_HAS_PORT };

static struct summary_row rows[] = {
	{ { 0xffffffff81000193, 42, 443, 1, V4 | REASONED | PORTED },
	  { 1200, START + SECONDS(1), START + SECONDS(9) }, 15,
	  { 0xffffffff81000193, "tcp_validate_incoming", NULL, 0x193 }, "TCP_OVERWINDOW" },
	{ { 0xffffffff81000091, 3, 9, 0, V4 | REASONED | PORTED },
	  { 7, START, START + SECONDS(2) }, 1200,
	  { 0xffffffff81000091, "tcp_v4_rcv", NULL, 0x91 }, "NO_SOCKET" },
	{ { 0xffffffff8100034f, 3, 9, 10, V6 | REASONED | PORTED },
	  { 1, START + SECONDS(5), START + SECONDS(5) }, 0,
	  { 0xffffffff8100034f, "tcp_v6_rcv", NULL, 0x34f }, "NO_SOCKET" },
	{ { 0, 0, 0, 0, V6 }, { 2, START + SECONDS(3), START + SECONDS(4) }, 0,
	  { 0, NULL, NULL, 0 }, NULL },
	{ { 0xffffffffc0000010, 0x30002, 0, 99, V4 | REASONED },
	  { 18446744073709551615u, START + SECONDS(3), START + SECONDS(4) }, 1,
	  { 0xffffffffc0000010, NULL, NULL, 0 }, NULL },
};

static struct summary_row *order[COUNT(rows)];

static struct summary
make(uint32_t format, unsigned count)
{
	for (unsigned i = 0; i < COUNT(rows); i++)
		order[i] = &rows[i];
	return (struct summary){
		.row = order, .rows = count, .counted = 1210, .uncounted = 5, .rate = 1215,
		.time = START + SECONDS(10), .start = START, .to_wall = WALL, .format = format,
		.style.json = format == OPTIONS_AS_JSON, .left = UINT32_MAX,
	};
}

/* All pieces of a table as one text. */
static const char *
print(struct summary *s)
{
	enum { ROOM = 8 * FORMAT_MAX };
	static char text[ROOM];
	size_t used;

	summary_sort(s);
	used = summary_begin(text, ROOM, s);
	for (unsigned i = 0; i < s->rows && s->left; )
		used += summary_rows(text + used, FORMAT_MAX, s, &i);
	used += summary_end(text + used, FORMAT_MAX, s);
	text[used] = '\0';
	return text;
}

static void
test_text(void)
{
	struct summary s = make(OPTIONS_AS_TEXT, 5);

	CHECK_STR(print(&s),
	    "13:05:32: 1215 drops in 10 s, 121.5/s, 5 uncounted\n"
	    "REASON         PLACE                       STATE       FAMILY PORT"
	    "                COUNT RATE/s FIRST    LAST\n"
	    "NO_SOCKET      tcp_v4_rcv+0x91             -           IPv4      9"
	    "                    7  120.0 13:05:22 13:05:24\n"
	    "TCP_OVERWINDOW tcp_validate_incoming+0x193 ESTABLISHED IPv4    443"
	    "                 1200    1.5 13:05:23 13:05:31\n"
	    "196610         0xffffffffc0000010          99          IPv4      -"
	    " 18446744073709551615    0.1 13:05:25 13:05:26\n"
	    "-              -                           -           IPv6      -"
	    "                    2    0.0 13:05:25 13:05:26\n"
	    "NO_SOCKET      tcp_v6_rcv+0x34f            LISTEN      IPv6      9"
	    "                    1    0.0 13:05:27 13:05:27\n", "text: by rate, then by count");
	s = make(OPTIONS_AS_TEXT, 1);
	s.style.since_start = true;
	CHECK_STR(print(&s),
	    "10.000000: 1215 drops in 10 s, 121.5/s, 5 uncounted\n"
	    "REASON         PLACE                       STATE       FAMILY PORT COUNT RATE/s"
	    " FIRST    LAST\n"
	    "TCP_OVERWINDOW tcp_validate_incoming+0x193 ESTABLISHED IPv4    443  1200    1.5"
	    " 1.000000 9.000000\n", "text: since the start");
	s = make(OPTIONS_AS_TEXT, 0);
	CHECK_STR(print(&s),
	    "13:05:32: 1215 drops in 10 s, 121.5/s, 5 uncounted\n"
	    "REASON PLACE STATE FAMILY PORT COUNT RATE/s FIRST LAST\n", "text: no rows");
}

static void
test_explained(void)
{
	struct summary s = make(OPTIONS_AS_TEXT, 2);
	const char *text, *line;
	unsigned indented = 0;

	s.explain = true;
	text = print(&s);
	for (line = text; *line; line += strcspn(line, "\n") + 1)
		indented += !strncmp(line, "    ", 4);
	line = strstr(text, "\nTCP_OVERWINDOW ");
	CHECK(line && strstr(line, "\n    Begins or ends beyond the receive window"),
	      "explained: the reason of its row");
	CHECK(indented > 3, "explained: %u lines", indented);
	CHECK(!strstr(text, "TCP_INVALID_SEQUENCE,"), "explained: without the names");
}

/* The widest line, in characters. */
static unsigned
widest(const char *text)
{
	unsigned most = 0, n = 0;

	for (; *text; text++) {
		n = *text == '\n' ? 0 : n + ((*text & 0xc0) != 0x80);
		most = n > most ? n : most;
	}
	return most;
}

static void
test_width(void)
{
	struct summary s;
	const char *text;

	for (unsigned columns = 1; columns <= 140; columns++) {
		unsigned got;

		s = make(OPTIONS_AS_TEXT, 5);
		s.columns = columns;
		s.explain = true;
		got = widest(print(&s));
		if (columns % 20 == 0 || got > columns)
			CHECK(got <= columns, "width: %u fit into %u columns", got, columns);
	}
	s = make(OPTIONS_AS_TEXT, 4);
	s.row[0] = &rows[0];
	s.columns = 80;
	CHECK_STR(print(&s),
	    "13:05:32: 1215 drops in 10 s, 121.5/s, 5 uncounted\n"
	    "REASON         PLACE                       STATE       PORT COUNT RATE/s\n"
	    "NO_SOCKET      tcp_v4_rcv+0x91             -              9     7  120.0\n"
	    "TCP_OVERWINDOW tcp_validate_incoming+0x193 ESTABLISHED  443  1200    1.5\n"
	    "-              -                           -              -     2    0.0\n"
	    "NO_SOCKET      tcp_v6_rcv+0x34f            LISTEN         9     1    0.0\n",
	    "width: 80 columns do without times and family");
	s.columns = 72;
	CHECK(widest(text = print(&s)) == 72 && !strchr(text, '~'), "width: 72, nothing is cut");
	s.columns = 70;
	CHECK(strstr(print(&s), " tcp_validate_incoming+0x~ ESTABLISHED "),
	      "width: 70, cut and told");
	s.columns = 20;
	CHECK(strstr(print(&s), "\nTCP_OVERWINDOW  1200\n") || strstr(print(&s), " 1200\n"),
	      "width: 20, the count stays");
}

/* What a terminal gets: each line cleared first, no more lines than there are. */
static void
test_live(void)
{
	struct summary s = make(OPTIONS_AS_TEXT, 5);
	const char *text;
	unsigned lines = 0, cleared = 0;

	s.live = true;
	s.left = 4;
	s.columns = 80;
	text = print(&s);
	for (const char *p = text; *p; p++) {
		lines += *p == '\n';
		cleared += !strncmp(p, "\33[K", 3) && (p == text + 3 || p[-1] == '\n');
	}
	CHECK(lines == 4 && cleared == 4, "live: %u lines, %u cleared", lines, cleared);
	CHECK(!strncmp(text, "\33[H\33[K13:05:32: ", 16), "live: from the top");
	CHECK_STR(text + strlen(text) - 3, "\33[J", "live: the rest is cleared");
	s.left = 1;
	s.explain = true;
	text = print(&s);
	CHECK(strchr(text, '\n') == strrchr(text, '\n'), "live: one line of room, one line");
}

/* The text without its escape sequences. */
static const char *
plain(const char *text)
{
	static char out[1 << 16];
	char *end = out;

	for (; *text && end < out + sizeof(out) - 1; text++) {
		if (*text != '\33')
			*end++ = *text;
		else
			while (*text != 'm')
				text++;
	}
	*end = '\0';
	return out;
}

/* Colours change nothing else: not the columns, and no sequence is cut. */
static void
test_colour(void)
{
	static char without[1 << 16];

	for (unsigned columns = 1; columns <= 140; columns++) {
		struct summary s = make(OPTIONS_AS_TEXT, 5);
		const char *text;

		s.columns = columns;
		snprintf(without, sizeof(without), "%s", print(&s));
		s = make(OPTIONS_AS_TEXT, 5);
		s.columns = columns;
		s.style.colour = true;
		text = print(&s);
		if (columns % 20 == 0 || strcmp(plain(text), without) != 0)
			CHECK_STR(plain(text), without, "colour: %u columns", columns);
		if (columns != 100)
			continue;
		CHECK(strstr(text, "\33[1mTCP_OVERWINDOW\33[0m "), "colour: a reason is bold");
		CHECK(strstr(text, "\33[32mESTABLISHED\33[0m "), "colour: ESTABLISHED is green");
		CHECK(strstr(text, "\33[35mLISTEN     \33[0m "), "colour: LISTEN is magenta");
		CHECK(!strchr(without, '\33'), "colour: none when it is not asked for");
	}
}

static void
test_json(void)
{
	struct summary s = make(OPTIONS_AS_JSON, 5);

	CHECK_STR(print(&s),
	    "{\"type\":\"summary\",\"time\":\"2026-11-23T13:05:32.123456789Z\",\"reason\":\"NO_SOCKET\","
	    "\"reason_code\":3,\"location\":\"tcp_v4_rcv+0x91\",\"state\":null,\"ip\":4,\"port\":9,"
	    "\"count\":7,\"rate\":120.0,\"first\":\"2026-11-23T13:05:22.123456789Z\","
	    "\"last\":\"2026-11-23T13:05:24.123456789Z\"}\n"
	    "{\"type\":\"summary\",\"time\":\"2026-11-23T13:05:32.123456789Z\","
	    "\"reason\":\"TCP_OVERWINDOW\",\"reason_code\":42,"
	    "\"location\":\"tcp_validate_incoming+0x193\",\"state\":\"ESTABLISHED\",\"ip\":4,"
	    "\"port\":443,\"count\":1200,\"rate\":1.5,\"first\":\"2026-11-23T13:05:23.123456789Z\","
	    "\"last\":\"2026-11-23T13:05:31.123456789Z\"}\n"
	    "{\"type\":\"summary\",\"time\":\"2026-11-23T13:05:32.123456789Z\",\"reason\":null,"
	    "\"reason_code\":196610,\"location\":\"0xffffffffc0000010\",\"state\":\"99\",\"ip\":4,"
	    "\"port\":null,\"count\":18446744073709551615,\"rate\":0.1,"
	    "\"first\":\"2026-11-23T13:05:25.123456789Z\",\"last\":\"2026-11-23T13:05:26.123456789Z\"}\n"
	    "{\"type\":\"summary\",\"time\":\"2026-11-23T13:05:32.123456789Z\",\"reason\":null,"
	    "\"reason_code\":null,\"location\":null,\"state\":null,\"ip\":6,\"port\":null,"
	    "\"count\":2,\"rate\":0.0,\"first\":\"2026-11-23T13:05:25.123456789Z\","
	    "\"last\":\"2026-11-23T13:05:26.123456789Z\"}\n"
	    "{\"type\":\"summary\",\"time\":\"2026-11-23T13:05:32.123456789Z\",\"reason\":\"NO_SOCKET\","
	    "\"reason_code\":3,\"location\":\"tcp_v6_rcv+0x34f\",\"state\":\"LISTEN\",\"ip\":6,\"port\":9,"
	    "\"count\":1,\"rate\":0.0,\"first\":\"2026-11-23T13:05:27.123456789Z\","
	    "\"last\":\"2026-11-23T13:05:27.123456789Z\"}\n"
	    "{\"type\":\"summary_end\",\"time\":\"2026-11-23T13:05:32.123456789Z\",\"total\":1215,"
	    "\"uncounted\":5}\n", "JSON: rows and the end");
}

static void
test_prometheus(void)
{
	/* the same labels: another port, another place in the function, the same name elsewhere */
	static struct summary_row alike[] = {
		{ { 0xffffffff81000193, 42, 443, 1, V4 | REASONED | PORTED }, { 10, 1, 2 }, 0,
		  { 0xffffffff81000193, "tcp_ack", NULL, 0x193 }, "TCP_OVERWINDOW" },
		{ { 0xffffffff81000091, 3, 9, 0, V4 | REASONED | PORTED }, { 7, 1, 2 }, 0,
		  { 0xffffffff81000091, "tcp_v4_rcv", NULL, 0x91 }, "NO_SOCKET" },
		{ { 0xffffffff81000193, 42, 80, 1, V4 | REASONED | PORTED }, { 20, 1, 2 }, 0,
		  { 0xffffffff81000193, "tcp_ack", NULL, 0x193 }, "TCP_OVERWINDOW" },
		{ { 0, 0, 0, 0, V6 }, { 3, 1, 2 }, 0, { 0, NULL, NULL, 0 }, NULL },
		{ { 0xffffffff81000200, 42, 0, 1, V4 | REASONED }, { 300, 1, 2 }, 0,
		  { 0xffffffff81000200, "tcp_ack", NULL, 0x200 }, "TCP_OVERWINDOW" },
		{ { 0xffffffffc0000200, 42, 0, 1, V4 | REASONED }, { 4000, 1, 2 }, 0,
		  { 0xffffffffc0000200, "tcp_ack", "module", 0x200 }, "TCP_OVERWINDOW" },
	};
	static struct summary_row *all[COUNT(alike)];
	struct summary s = make(OPTIONS_AS_PROMETHEUS, 0);
	static char first[4096];

	for (unsigned i = 0; i < COUNT(alike); i++)
		all[i] = &alike[i];
	s.row = all;
	s.rows = COUNT(alike);
	CHECK_STR(print(&s),
	    "# HELP tcpdrop_drops_total TCP packets that the kernel dropped.\n"
	    "# TYPE tcpdrop_drops_total counter\n"
	    "tcpdrop_drops_total{reason=\"\",state=\"\",family=\"IPv6\",location=\"\"} 3\n"
	    "tcpdrop_drops_total{reason=\"NO_SOCKET\",state=\"\",family=\"IPv4\","
	    "location=\"tcp_v4_rcv\"} 7\n"
	    "tcpdrop_drops_total{reason=\"TCP_OVERWINDOW\",state=\"ESTABLISHED\",family=\"IPv4\","
	    "location=\"tcp_ack\"} 4330\n"
	    "# HELP tcpdrop_uncounted_drops_total Dropped TCP packets that had no room to be "
	    "counted by label.\n"
	    "# TYPE tcpdrop_uncounted_drops_total counter\n"
	    "tcpdrop_uncounted_drops_total 5\n"
	    "# HELP tcpdrop_start_time_seconds When tcpdrop began to count, in seconds since 1970.\n"
	    "# TYPE tcpdrop_start_time_seconds gauge\n"
	    "tcpdrop_start_time_seconds 1795439122.123\n", "Prometheus: ports are added up");
	snprintf(first, sizeof(first), "%s", print(&s));
	for (unsigned i = 0; i < COUNT(alike); i++)
		all[i] = &alike[COUNT(alike) - 1 - i];
	CHECK_STR(print(&s), first, "Prometheus: in any order");
}

static void
test_hostile(void)
{
	struct summary_row bad = {
		{ 0xffffffffc0000010, 70000, 1, 1, V4 | REASONED | PORTED }, { 1, START, START }, 0,
		{ 0xffffffffc0000010, "a\"b\\c\nd\33[2J\xff\xc3\xa4", "m\"\n", 0x10 }, "x\"\n\\",
	}, *row = &bad;
	static char longest[3 * FORMAT_NAME];
	struct summary s;
	const char *text;

	s = make(OPTIONS_AS_TEXT, 1);
	s.row = &row;
	text = print(&s);
	CHECK(strstr(text, "\nx\"\\x0a\\\\ a\"b\\\\c\\x0ad\\x1b[2J\\xff\xc3\xa4+0x10 [m\"\\x0a] "),
	      "hostile: text is harmless");
	s = make(OPTIONS_AS_JSON, 1);
	s.row = &row;
	text = print(&s);
	CHECK(strstr(text, "\"reason\":\"x\\\"\\u000a\\\\\",") && strstr(text,
	      "\"location\":\"a\\\"b\\\\c\\u000ad\\u001b[2J\xef\xbf\xbd\xc3\xa4+0x10 [m\\\"\\u000a]\","),
	      "hostile: JSON stays valid");
	s = make(OPTIONS_AS_PROMETHEUS, 1);
	s.row = &row;
	text = print(&s);
	CHECK(strstr(text, "{reason=\"x\\\"\\\\x0a\\\\\\\\\",state=\"ESTABLISHED\",family=\"IPv4\","
	      "location=\"a\\\"b\\\\\\\\c\\\\x0ad\\\\x1b[2J\\\\xff\xc3\xa4\"} 1\n"),
	      "hostile: labels have the escapes of the format only");
	memset(longest, '\\', sizeof(longest) - 1);
	bad.reason = bad.place.name = bad.place.module = longest;
	for (unsigned format = OPTIONS_AS_TEXT; format <= OPTIONS_AS_PROMETHEUS; format++) {
		const char *end;

		s = make(format, 1);
		s.row = &row;
		text = print(&s);
		end = format == OPTIONS_AS_JSON ? "\"}\n{"
		      : format == OPTIONS_AS_TEXT ? "13:05:22\n" : "\"} 1\n";
		CHECK(strstr(text, end), "hostile: a long name is cut, format %u", format);
	}
	s = make(OPTIONS_AS_TEXT, 1);
	s.row = &row;
	s.columns = 80;
	CHECK(widest(print(&s)) <= 80, "hostile: long names fit into 80 columns");
}

static int
compare(const struct summary_row *a, const struct summary_row *b)
{
	return a->rate < b->rate || (a->rate == b->rate && a->now.count < b->now.count);
}

static void
test_sort(void)
{
	enum { MANY = 5000 };
	static struct summary_row many[MANY];
	static struct summary_row *all[MANY];
	struct summary s = make(OPTIONS_AS_TEXT, 0);
	unsigned wrong = 0;
	uint64_t sum = 0;

	srand(1);
	for (unsigned i = 0; i < MANY; i++) {
		many[i].rate = (uint64_t)rand() % 100;
		many[i].now.count = (uint64_t)rand() % 100;
		many[i].key.location = i;
		all[i] = &many[i];
	}
	s.row = all;
	for (s.rows = 0; s.rows <= MANY; s.rows = s.rows < 20 ? s.rows + 1 : s.rows + 1660) {
		summary_sort(&s);
		for (unsigned i = 1; i < s.rows; i++)
			wrong += compare(all[i - 1], all[i]) != 0;
	}
	for (unsigned i = 0; i < MANY; i++)
		sum += all[i]->key.location;
	CHECK_INT(wrong, 0, "sort: any number of rows");
	CHECK_INT(sum, (uint64_t)MANY * (MANY - 1) / 2, "sort: each row once");
}

static void
test_rates(void)
{
	CHECK_INT(summary_rate(0, 0), 0, "rate: nothing in no time");
	CHECK_INT(summary_rate(1, 1000000), 0, "rate: a millisecond tells of none");
	CHECK_INT(summary_rate(1, SECONDS(1)), 10, "rate: 1.0");
	CHECK_INT(summary_rate(1000000, SECONDS(1) / 2), 20000000, "rate: a million in 0.5 s");
	CHECK_INT(summary_rate(1, SECONDS(100)), 0, "rate: 0.01 is 0.0");
	CHECK_INT(summary_rate(1000000000000000, SECONDS(1000000)), 10000000000,
	          "rate: a long run");
}

int
main(void)
{
	test_text();
	test_explained();
	test_width();
	test_live();
	test_colour();
	test_json();
	test_prometheus();
	test_hostile();
	test_sort();
	test_rates();
	return tap_end();
}
