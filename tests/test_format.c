/* SPDX-License-Identifier: MIT */
/*
 * With the argument "json" it tests nothing but prints JSON lines, of the cases
 * here and of random drops, for a JSON parser to read.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <stdlib.h>
#include <time.h>
#include <wchar.h>

#include "../format.h"
#include "../names.h"
#include "../zone.h"
#include "tap.h"

#define TIME 1795439122123456789 /* 2026-11-23T13:05:22.123456789Z */

static char buf[FORMAT_MAX + 1];

static struct zone zone;

static const struct format_style text = { .stack = true }, quiet = { .zone = &zone },
	extended = { .stack = true, .extended = true }, extended_quiet = { .extended = true },
	json = { .json = true, .stack = true }, json_quiet = { .json = true },
	terminal = { .stack = true, .width = 80, .colour = true };

#define JSON_START "{\"type\":\"drop\",\"time\":\"2026-11-23T13:05:22.123456789Z\",\"cpu\":1,"

/* The drop of the manual: everything is known. */
static struct drop
full_drop(void)
{
	return (struct drop){
		.time = TIME, .since_start = 123000, .cpu = 1, .pid = 0, .comm = "swapper/1",
		.ip = 4, .saddr = { 10, 0, 0, 7 }, .daddr = { 10, 0, 0, 9 },
		.has_ports = true, .has_tcp = true, .sport = 443, .dport = 51514, .flags = 0x10,
		.window = 501, .seq = 123, .ack = 456, .length = 10, .has_reason = true,
		.reason = 42, .reason_name = "TCP_OVERWINDOW", .state = 1,
		.state_name = "ESTABLISHED", .netns = 4026531840, .ifindex = 2,
		.has_numbers = true,
		.numbers = { 100, 64240, 456, 456, 41, 0, true },
		.probe = "kprobe:kfree_skb_reason",
		.location = { 0xffffffff81000010, "tcp_validate_incoming", NULL, 0x1f4 },
		.frames = 4,
		.stack = {
			{ 0xffffffff81000010, "tcp_validate_incoming", NULL, 0x1f4 },
			{ 0xffffffff81000020, "tcp_rcv_established", NULL, 0x1a3 },
			{ 0xffffffffc0000030, "nf_hook", "nf_tables", 0 },
			{ 0xffffffff81234567, NULL, NULL, 0 },
		},
	};
}

/* Nothing is known but the addresses. */
static struct drop
bare_drop(void)
{
	return (struct drop){
		.time = TIME, .ip = 6, .saddr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
		.daddr = { [15] = 1 },
	};
}

static const char *
drop_line(const struct format_style *style, const struct drop *d)
{
	buf[format_drop(buf, FORMAT_MAX, style, d)] = '\0';
	return buf;
}

static void
test_text(void)
{
	static struct drop d;

	d = full_drop();
	CHECK_STR(drop_line(&text, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "\ttcp_validate_incoming+0x1f4\n"
	          "\ttcp_rcv_established+0x1a3\n"
	          "\tnf_hook+0x0 [nf_tables]\n"
	          "\t0xffffffff81234567\n"
	          "\n", "text: v4 with stack");
	CHECK_STR(drop_line(&quiet, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      TCP_OVERWINDOW\n",
	          "text: v4 without stack");
	d = bare_drop();
	CHECK_STR(drop_line(&text, &d),
	          "13:05:22 0       -                [2001:db8::1]:-       "
	          "[::1]:-               -            -        -\n\n", "text: nothing known");
	d.state = 14;
	d.has_reason = true;
	d.reason = 0x20003;
	d.has_ports = d.has_tcp = true;
	d.sport = 1;
	CHECK_STR(drop_line(&quiet, &d),
	          "13:05:22 0       -                [2001:db8::1]:1       "
	          "[::1]:0               14           none     131075\n", "text: numbers for names");
}

static void
test_extended(void)
{
	static const struct format_style extended_json = { .json = true, .extended = true };
	static struct drop d;
	static char plain[FORMAT_MAX];

	d = full_drop();
	d.frames = 1;
	d.received = true;
	CHECK_STR(drop_line(&extended, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "  seq 23 ahead, ack current, win 501, length 10; rcv_wnd 64240, rtt 0.041 ms\n"
	          "\ttcp_validate_incoming+0x1f4\n"
	          "\n", "extended: before the stack");
	CHECK_STR(drop_line(&extended_quiet, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "  seq 23 ahead, ack current, win 501, length 10; rcv_wnd 64240, rtt 0.041 ms\n",
	          "extended: without stack");
	strcpy(plain, drop_line(&json_quiet, &d));
	CHECK_STR(drop_line(&extended_json, &d), plain, "extended: JSON is as ever");
	d = bare_drop();
	CHECK_STR(drop_line(&extended_quiet, &d),
	          "13:05:22 0       -                [2001:db8::1]:-       "
	          "[::1]:-               -            -        -\n  -\n", "extended: nothing known");
}

static void
test_text_long(void)
{
	static struct drop d;

	d = full_drop();
	d.pid = 4294967295;
	memcpy(d.comm, "a process's name", 15);
	d.ip = 6;
	memset(d.saddr, 0xab, 16);
	memset(d.daddr, 0x12, 16);
	d.sport = d.dport = 65535;
	d.state_name = "BOUND_INACTIVE_MORE";
	d.flags = 0x1ff;
	CHECK_STR(drop_line(&quiet, &d),
	          "13:05:22 4294967295 a process's nam  "
	          "[abab:abab:abab:abab:abab:abab:abab:abab]:65535 "
	          "[1212:1212:1212:1212:1212:1212:1212:1212]:65535 BOUND_INACTIVE_MORE "
	          "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR|NS TCP_OVERWINDOW\n", "text: long values push");
}

static void
test_header(void)
{
	struct format_style since_start = { .since_start = true };
	static struct drop d;

	buf[format_header(buf, FORMAT_MAX, &text)] = '\0';
	CHECK_STR(buf, "TIME     PID     COMM             SADDR:SPORT           "
	          "DADDR:DPORT           STATE        FLAGS    REASON\n", "header");
	buf[format_header(buf, FORMAT_MAX, &since_start)] = '\0';
	CHECK_STR(buf, "TIME         PID     COMM             SADDR:SPORT           "
	          "DADDR:DPORT           STATE        FLAGS    REASON\n", "header: since start");
	d = full_drop();
	CHECK_STR(drop_line(&since_start, &d),
	          "0.000123     0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      TCP_OVERWINDOW\n", "since start");
	d.since_start = 12345678901234567;
	CHECK(!strncmp(drop_line(&since_start, &d), "12345678.901234 0 ", 18), "since start: long");
	CHECK_INT(format_header(buf, FORMAT_MAX, &json), 0, "JSON has no header");
}

static void
test_owner(void)
{
	static const struct format_style owned = { .owner = true },
		owned_json = { .json = true, .owner = true };
	static const struct drop_owner owner = { 1234, "a \"b\x1b" };
	static struct drop d;

	buf[format_header(buf, FORMAT_MAX, &owned)] = '\0';
	CHECK_STR(buf, "TIME     PID     COMM             SADDR:SPORT           "
	          "DADDR:DPORT           STATE        FLAGS    OWNER            REASON\n",
	          "owner: header");
	d = full_drop();
	CHECK_STR(drop_line(&owned, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443          "
	          "10.0.0.9:51514        ESTABLISHED  ACK      -                TCP_OVERWINDOW\n",
	          "owner: not known");
	CHECK(strstr(drop_line(&owned_json, &d), ",\"stack\":null,\"owner\":null}\n"),
	      "JSON: owner not known");
	d.owner = &owner;
	CHECK(strstr(drop_line(&owned, &d), " ACK      1234/a \"b\\x1b    TCP_OVERWINDOW\n"),
	      "owner: number and name, escaped");
	CHECK(strstr(drop_line(&owned_json, &d),
	             ",\"stack\":null,\"owner\":{\"pid\":1234,\"comm\":\"a \\\"b\\u001b\"}}\n"),
	      "JSON: owner");
	CHECK(!strstr(drop_line(&json, &d), "owner"), "JSON: no key when not asked for");
}

static void
test_json(void)
{
	static struct drop d;

	d = full_drop();
	CHECK_STR(drop_line(&json, &d), JSON_START
	          "\"pid\":0,\"comm\":\"swapper/1\",\"ip\":4,\"saddr\":\"10.0.0.7\",\"sport\":443,"
	          "\"daddr\":\"10.0.0.9\",\"dport\":51514,\"state\":\"ESTABLISHED\","
	          "\"flags\":\"ACK\",\"seq\":123,\"ack\":456,\"window\":501,\"length\":10,"
	          "\"reason\":\"TCP_OVERWINDOW\",\"reason_code\":42,\"netns\":4026531840,"
	          "\"ifindex\":2,\"sock\":{\"rcv_nxt\":100,\"rcv_wnd\":64240,\"snd_una\":456,"
	          "\"snd_nxt\":456,\"srtt_us\":41,\"retrans\":0},"
	          "\"probe\":\"kprobe:kfree_skb_reason\","
	          "\"location\":\"tcp_validate_incoming+0x1f4\","
	          "\"stack\":[\"tcp_validate_incoming+0x1f4\",\"tcp_rcv_established+0x1a3\","
	          "\"nf_hook+0x0 [nf_tables]\",\"0xffffffff81234567\"]}\n", "JSON: everything");
	d = bare_drop();
	CHECK_STR(drop_line(&json, &d),
	          "{\"type\":\"drop\",\"time\":\"2026-11-23T13:05:22.123456789Z\",\"cpu\":0,"
	          "\"pid\":0,\"comm\":\"\",\"ip\":6,\"saddr\":\"2001:db8::1\",\"sport\":null,"
	          "\"daddr\":\"::1\",\"dport\":null,\"state\":null,\"flags\":null,\"seq\":null,"
	          "\"ack\":null,\"window\":null,\"length\":null,\"reason\":null,"
	          "\"reason_code\":null,\"netns\":null,\"ifindex\":null,\"sock\":null,"
	          "\"probe\":null,\"location\":null,\"stack\":null}\n", "JSON: nothing known");
}

static void
test_json_parts(void)
{
	static struct drop d;

	d = full_drop();
	d.numbers.has_rcv_wnd = false;
	CHECK(strstr(drop_line(&json, &d), "{\"rcv_nxt\":100,\"rcv_wnd\":null,\"snd_una\":456,"),
	      "JSON: no rcv_wnd");
	CHECK(strstr(drop_line(&json_quiet, &d), "\"stack\":null}\n"), "JSON: stack off");
	d.location = (struct frame){ .address = 0xffffffff81234567 };
	CHECK(strstr(drop_line(&json, &d), "\"location\":\"0xffffffff81234567\","),
	      "JSON: location without a name");
	d.reason_name = NULL;
	CHECK(strstr(drop_line(&json, &d), "\"reason\":null,\"reason_code\":42,"),
	      "JSON: reason without a name");
	d.reason = 0;
	CHECK(strstr(drop_line(&json, &d), "\"reason\":null,\"reason_code\":0,"),
	      "JSON: reason 0");
	d.state_name = NULL;
	CHECK(strstr(drop_line(&json, &d), "\"state\":\"1\","), "JSON: state without a name");
	d.has_tcp = false;
	CHECK(strstr(drop_line(&json, &d), "\"dport\":51514,\"state\":\"1\",\"flags\":null,"
	             "\"seq\":null,\"ack\":null,\"window\":null,\"length\":null,"),
	      "JSON: only the ports");
	d.time = 5;
	CHECK(strstr(drop_line(&json, &d), "\"time\":\"1970-01-01T00:00:00.000000005Z\","),
	      "JSON: time near 0");
	d.time = UINT64_MAX;
	CHECK(strstr(drop_line(&json, &d), "\"time\":\"2554-07-21T23:34:33.709551615Z\","),
	      "JSON: last time");
}

static void
test_other_lines(void)
{
	buf[format_lost(buf, FORMAT_MAX, &json, TIME, 12)] = '\0';
	CHECK_STR(buf, "{\"type\":\"lost\",\"time\":\"2026-11-23T13:05:22.123456789Z\","
	          "\"count\":12}\n", "lost");
	buf[format_end(buf, FORMAT_MAX, &json, TIME, UINT64_MAX, 3, 4)] = '\0';
	CHECK_STR(buf, "{\"type\":\"end\",\"time\":\"2026-11-23T13:05:22.123456789Z\","
	          "\"seen\":18446744073709551615,\"shown\":3,\"lost\":4}\n", "end");
	CHECK_INT(format_lost(buf, FORMAT_MAX, &text, TIME, 12), 0, "lost: no text");
	CHECK_INT(format_end(buf, FORMAT_MAX, &text, TIME, 1, 1, 0), 0, "end: no text");
}

static const struct {
	uint8_t     address[16];
	const char *want;
} addresses[] = {
	{ { 0 }, "::" },
	{ { [15] = 1 }, "::1" },
	{ { 1 }, "100::" },
	{ { 0x20, 1, 0xd, 0xb8, [15] = 1 }, "2001:db8::1" },
	{ { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1 }, "2001:db8:0:1:1:1:1:1" },
	{ { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1 }, "2001:db8::1:0:0:1" },
	{ { 0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 }, "2001:0:0:1::1" },
	{ { 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7 }, "0:1:2:3:4:5:6:7" },
	{ { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0 }, "1:2:3:4:5:6:7:0" },
	{ { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 0, 0, 0 }, "1:2:3:4:5:6::" },
	{ { 0, 0, 0, 0, 0, 3, 0, 4, 0, 5, 0, 6, 0, 0, 0, 0 }, "::3:4:5:6:0:0" },
	{ { 0xfe, 0x80, [8] = 0xab, 0xcd, 0xef, 1, 0x0a, 0, 0, 0x0b },
	  "fe80::abcd:ef01:a00:b" },
	{ { [10] = 0xff, 0xff, 10, 0, 0, 255 }, "::ffff:10.0.0.255" },
	{ { [12] = 10, 0, 0, 1 }, "::a00:1" },
};

static void
test_addresses(void)
{
	static struct drop d;
	char want[128];

	for (size_t i = 0; i < COUNT(addresses); i++) {
		d = full_drop();
		d.ip = 6;
		memcpy(d.saddr, addresses[i].address, 16);
		snprintf(want, sizeof(want), " [%s]:443 ", addresses[i].want);
		CHECK(strstr(drop_line(&quiet, &d), want), "address: %s", addresses[i].want);
		snprintf(want, sizeof(want), "\"saddr\":\"%s\",", addresses[i].want);
		CHECK(strstr(drop_line(&json, &d), want), "JSON address: %s", addresses[i].want);
	}
}

static const struct {
	const char *comm;
	const char *text;
	const char *json;
} comms[] = {
	{ "tmux: server",   "tmux: server     ", "tmux: server" },
	{ "a\"b",           "a\"b              ", "a\\\"b" },
	{ "a\\b",           "a\\\\b             ", "a\\\\b" },
	{ "\x1b[31m",       "\\x1b[31m         ", "\\u001b[31m" },
	{ "a\nb\t\x7f",     "a\\x0ab\\x09\\x7f   ", "a\\u000ab\\u0009\\u007f" },
	{ "gr\xc3\xbc\xc3\x9f""e", "gr\xc3\xbc\xc3\x9f""e            ", "gr\xc3\xbc\xc3\x9f""e" },
	{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7                ", "\xf0\x9f\x90\xa7" },
	{ "\xff\xfe",       "\\xff\\xfe         ", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "cut\xe2\x82",    "cut\\xe2\\x82      ", "cut\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xc0\xaf",       "\\xc0\\xaf         ", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xed\xa0\x80",   "\\xed\\xa0\\x80     ", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80 ",
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xc2\x9b""1m",   "\\xc2\\x9b1m       ", "\\u009b1m" },
	{ "\xe2\x80\xae""cod", "\\xe2\\x80\\xae""cod  ", "\\u202ecod" },
	{ "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e",
	  "\\x80\\x81\\x82\\x83\\x84\\x85\\x86\\x87\\x88\\x89\\x8a\\x8b\\x8c\\x8d\\x8e ", NULL },
};

static void
test_comms(void)
{
	static struct drop d;
	char want[256];

	for (size_t i = 0; i < COUNT(comms); i++) {
		d = full_drop();
		memcpy(d.comm, comms[i].comm, strlen(comms[i].comm) + 1);
		snprintf(want, sizeof(want), "13:05:22 0       %s10.0.0.7:443 ", comms[i].text);
		CHECK(!strncmp(drop_line(&quiet, &d), want, strlen(want)), "comm %zu: text", i);
		snprintf(want, sizeof(want), ",\"comm\":\"%s\",\"ip\"",
		         comms[i].json ? comms[i].json : "");
		if (comms[i].json)
			CHECK(strstr(drop_line(&json, &d), want), "comm %zu: JSON", i);
	}
}

/* A symbol's name is no more trusted than comm, and is cut. */
static void
test_names(void)
{
	static struct drop d;
	static char name[3000], want[3000];

	d = full_drop();
	d.frames = 1;
	d.stack[0].name = "a\x1b\n";
	CHECK(strstr(drop_line(&text, &d), "\n\ta\\x1b\\x0a+0x1f4\n\n"), "name: text");
	CHECK(strstr(drop_line(&json, &d), "\"stack\":[\"a\\u001b\\u000a+0x1f4\"]}"),
	      "name: JSON");
	memset(name, 'n', sizeof(name) - 1);
	d.stack[0].name = name;
	d.stack[0].module = name;
	snprintf(want, sizeof(want), "\n\t%.*s+0x1f4 [%.*s]\n\n", FORMAT_NAME, name,
	         FORMAT_MODULE, name);
	CHECK(strstr(drop_line(&text, &d), want), "name: cut");
	memset(name, '\1', sizeof(name) - 1);
	CHECK(strstr(drop_line(&json, &d), "\\u0001\\u0001+0x1f4 [\\u0001"), "name: cut between");
	d.reason_name = "a\nb";
	CHECK(strstr(drop_line(&quiet, &d), " a\\x0ab\n"), "reason: escaped");
	d.reason_name = "";
	CHECK(strstr(drop_line(&quiet, &d), " 42\n"), "reason: empty");
}

/* The longest drop there can be. */
static struct drop
worst_drop(const char *name)
{
	static struct drop_owner owner = { .pid = UINT32_MAX };
	struct drop d = full_drop();

	d.time = d.since_start = UINT64_MAX;
	d.cpu = d.pid = d.reason = d.seq = d.ack = d.length = d.netns = d.ifindex = UINT32_MAX;
	d.flags = 0xffff;
	d.ip = 6;
	d.window = d.sport = d.dport = UINT16_MAX;
	d.state = 255;
	memset(&d.numbers, 0xff, sizeof(d.numbers));
	d.numbers.has_rcv_wnd = d.received = true;
	d.numbers.snd_nxt--;
	memset(d.comm, 1, 15);
	memset(owner.comm, 1, 15);
	d.owner = &owner;
	memset(d.saddr, 0xff, 16);
	memset(d.daddr, 0xff, 16);
	d.state_name = d.reason_name = d.probe = name;
	d.location = (struct frame){ UINT64_MAX, name, name, UINT32_MAX };
	d.frames = DROP_FRAMES;
	for (int i = 0; i < DROP_FRAMES; i++)
		d.stack[i] = d.location;
	return d;
}

static void
test_worst(void)
{
	static const struct format_style since_start = {
		.since_start = true, .stack = true, .extended = true, .owner = true,
	}, owned = { .json = true, .stack = true, .owner = true };
	static const struct format_style *const styles[] = { &text, &since_start, &json, &owned };
	static struct drop d;
	static char name[1000];

	memset(name, 'n', sizeof(name) - 1);
	d = worst_drop(name);
	for (size_t i = 0; i < COUNT(styles); i++) {
		size_t n = format_drop(buf, FORMAT_MAX, styles[i], &d);

		CHECK(n > DROP_FRAMES * FORMAT_NAME && buf[n - 1] == '\n',
		      "worst drop %zu: %zu of %d", i, n, FORMAT_MAX);
		d.frames = 0;
		d.location = (struct frame){ 0 };
		n = format_drop(buf, FORMAT_MAX, styles[i], &d);
		CHECK(n && n <= FORMAT_LINE, "worst line %zu: %zu of %d", i, n, FORMAT_LINE);
		d = worst_drop(name);
	}
	d.frames = UINT32_MAX;
	CHECK(format_drop(buf, FORMAT_MAX, &text, &d) > 0, "impossible number of frames");
	CHECK(format_drop(buf, FORMAT_MAX, &json, &d) > 0, "JSON: impossible number of frames");
}

/* In a buffer of any size: all of it, or 0; ASan sees a byte behind the end. */
static void
test_small_buffers(void)
{
	static const struct format_style *const styles[] = {
		&text, &quiet, &extended, &extended_quiet, &json, &json_quiet, &terminal,
	};
	static struct drop d;
	unsigned bad = 0;

	d = full_drop();
	for (size_t i = 0; i < COUNT(styles); i++) {
		size_t whole = strlen(drop_line(styles[i], &d));

		for (size_t n = 0; n <= whole; n++) {
			char *memory = malloc(n + 1);

			memory[n] = '\x55';
			bad += format_drop(memory, n, styles[i], &d) != (n == whole ? whole : 0);
			bad += memory[n] != '\x55';
			bad += n == whole && memcmp(memory, buf, n);
			free(memory);
		}
	}
	for (size_t n = 0; n < 40; n++)
		bad += format_header(buf, n, &text) || format_lost(buf, n, &json, TIME, 1)
		       || format_end(buf, n, &json, TIME, 1, 1, 1);
	CHECK_INT(bad, 0, "small buffers");
}

/* xorshift64*: the same drops in every run */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/* ---- the table on a terminal ---- */

#define BELOW(time) "TIME " time "PID     COMM             STATE        FLAGS    REASON\n"

static const struct {
	uint16_t    width;
	bool        since_start;
	const char *want;
} titles[] = {
	{ 60, false, "TIME     PID     COMM STATE        FLAGS    REASON\n"
	             "         SADDR:SPORT > DADDR:DPORT\n" },
	{ 70, false, "TIME     PID     COMM       STATE        FLAGS    REASON\n"
	             "         SADDR:SPORT > DADDR:DPORT\n" },
	{ 80, false, BELOW("    ") "         SADDR:SPORT > DADDR:DPORT\n" },
	{ 80, true,  BELOW("        ") "             SADDR:SPORT > DADDR:DPORT\n" },
	{ 119, false, BELOW("    ") "         SADDR:SPORT > DADDR:DPORT\n" },
	{ 120, false, "TIME     PID     COMM             SADDR:SPORT           "
	              "DADDR:DPORT           STATE        FLAGS    REASON\n" },
	{ 123, true, BELOW("        ") "             SADDR:SPORT > DADDR:DPORT\n" },
	{ 124, true, "TIME         PID     COMM             SADDR:SPORT           "
	             "DADDR:DPORT           STATE        FLAGS    REASON\n" },
	{ 132, false, "TIME     PID     COMM             SADDR:SPORT                 "
	              "DADDR:DPORT                 STATE        FLAGS    REASON\n" },
	{ 65535, false, "TIME     PID     COMM             "
	                "SADDR:SPORT                                     "
	                "DADDR:DPORT                                     "
	                "STATE        FLAGS    REASON\n" },
};

static void
test_titles(void)
{
	for (size_t i = 0; i < COUNT(titles); i++) {
		struct format_style style = {
			.width = titles[i].width, .since_start = titles[i].since_start,
		};

		buf[format_header(buf, FORMAT_MAX, &style)] = '\0';
		CHECK_STR(buf, titles[i].want, "titles: %u columns%s", style.width,
		          style.since_start ? ", -t" : "");
	}
}

static void
set_ends(struct drop *d, uint8_t byte)
{
	d->ip = 6;
	memset(d->saddr, byte, 16);
	memset(d->daddr, byte, 16);
	d->sport = d->dport = 65535;
}

static void
test_ends_below(void)
{
	struct format_style narrow = { .width = 80, .stack = true }, wide = { .width = 132 };
	static struct drop d;

	d = full_drop();
	d.frames = 1;
	CHECK_STR(drop_line(&narrow, &d),
	          "13:05:22 0       swapper/1        ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "         10.0.0.7:443 > 10.0.0.9:51514\n"
	          "\ttcp_validate_incoming+0x1f4\n\n", "80 columns: the ends before the stack");
	CHECK_STR(drop_line(&wide, &d),
	          "13:05:22 0       swapper/1        10.0.0.7:443                "
	          "10.0.0.9:51514              ESTABLISHED  ACK      TCP_OVERWINDOW\n",
	          "132 columns: one line");
	set_ends(&d, 0xab);
	CHECK_STR(drop_line(&narrow, &d),
	          "13:05:22 0       swapper/1        ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "         [abab:abab:abab:abab:abab:abab:abab:abab]:65535 >\n"
	          "         [abab:abab:abab:abab:abab:abab:abab:abab]:65535\n"
	          "\ttcp_validate_incoming+0x1f4\n\n", "80 columns: one end under the other");
	CHECK_STR(drop_line(&wide, &d),
	          "13:05:22 0       swapper/1                                                    "
	          "            ESTABLISHED  ACK      TCP_OVERWINDOW\n"
	          "         [abab:abab:abab:abab:abab:abab:abab:abab]:65535 > "
	          "[abab:abab:abab:abab:abab:abab:abab:abab]:65535\n",
	          "132 columns: ends that are too long leave theirs empty");
	wide.width = 172;
	CHECK(!strchr(strchr(drop_line(&wide, &d), '\n') + 1, '\n'), "172 columns: one line");
}

static void
test_comm_gives_way(void)
{
	struct format_style style = { .width = 80 };
	static struct drop d;

	d = full_drop();
	d.flags = 0x19;
	CHECK(strstr(drop_line(&style, &d), " swapper/1        ESTABLISHED  FIN|PSH|ACK TCP_OVER"),
	      "80 columns: long flags push the reason");
	d.reason_name = "TCP_INVALID_ACK_SEQUENCE";
	strcpy(d.comm, "a process's nam");
	CHECK_STR(drop_line(&style, &d),
	          "13:05:22 0       a process's n ESTABLISHED  FIN|PSH|ACK TCP_INVALID_ACK_SEQUENCE\n"
	          "         10.0.0.7:443 > 10.0.0.9:51514\n", "80 columns: the name gives way");
	strcpy(d.comm, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac");
	d.flags = 0x1d; /* 7 longer than the column: 9 are left */
	CHECK(strstr(drop_line(&style, &d),
	             " \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5  ESTABLISHED "),
	      "80 columns: cut between characters");
	d = full_drop();
	memset(d.comm, 1, 15);
	CHECK(strstr(drop_line(&style, &d), "0       \\x01\\x01\\x01\\x01 ESTABLISHED "),
	      "80 columns: a name that was escaped is cut to its column");
	d = full_drop();
	d.state_name = "BOUND_INACTIVE";
	CHECK(strstr(drop_line(&style, &d), " BOUND_INACTIVE ACK    TCP_OVERWINDOW\n"),
	      "80 columns: a long state pushes no more than it must");
}

/* libc's word on how wide it is; escape sequences take nothing. */
static int
cells(const char *from, const char *to)
{
	int used = 0;

	while (from < to) {
		wchar_t c;
		int n = mbtowc(&c, from, (size_t)(to - from)), one;

		if (*from == '\x1b') {
			from = strchr(from, 'm') + 1;
			continue;
		}
		one = n > 0 ? wcwidth(c) : -1;
		if (one < 0)
			return 100000;
		used += one;
		from += n;
	}
	return used;
}

static const struct {
	const char *comm;
	int         width;
} wide_comms[] = {
	{ "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6 },             /* Japanese */
	{ "\xec\x84\x9c\xeb\xb2\x84", 4 },                         /* Korean */
	{ "\xef\xbc\xa1\xef\xbc\xa2", 4 },                         /* full width A, B */
	{ "\xf0\x9f\x90\xa7", 2 },                                 /* a penguin */
	{ "e\xcc\x81t\xcc\x81", 2 },                               /* accents of their own */
	{ "gr\xc3\xbc\xc3\x9f""e", 5 },
};

static void
test_wide_comms(void)
{
	const struct format_style style = { .width = 80 };
	static struct drop d;

	for (size_t i = 0; i < COUNT(wide_comms); i++) {
		const char *line, *state;

		d = full_drop();
		strcpy(d.comm, wide_comms[i].comm);
		line = drop_line(&style, &d);
		state = strstr(line, "ESTABLISHED");
		CHECK_INT(cells(line, state), 34, "comm %zu: STATE is in its column", i);
		CHECK_INT(cells(wide_comms[i].comm, strchr(wide_comms[i].comm, '\0')),
		          wide_comms[i].width, "comm %zu: libc agrees", i);
	}
}

/* A random drop whose flags are at most four. */
static struct drop
some_drop(uint64_t *state)
{
	static const char *const reasons[] = {
		"NO_SOCKET", "TCP_INVALID_ACK_SEQUENCE", "TCP_INVALID_SEQUENCE", NULL,
	};
	static const char *const states[] = { "CLOSE", "NEW_SYN_RECV", "ESTABLISHED", NULL };
	static const uint8_t bytes[] = { 0, 1, 0x12, 255 };
	struct drop d = full_drop();

	for (int i = 0; i < 15; i++)
		d.comm[i] = (char)(next_random(state) >> 40 & (i & 8 ? 255 : 127));
	strcpy(d.comm, wide_comms[next_random(state) % COUNT(wide_comms)].comm);
	d.pid = next_random(state) % 4194305;
	d.since_start = next_random(state) % (100000 * 1000000000ull);
	set_ends(&d, bytes[next_random(state) >> 50 & 3]);
	d.ip = next_random(state) >> 50 & 1 ? 4 : 6;
	d.reason_name = reasons[next_random(state) >> 50 & 3];
	d.state_name = states[next_random(state) >> 50 & 3];
	d.state = next_random(state) >> 50 & 15;
	d.flags = 0;
	for (int i = 0; i < 4; i++)
		d.flags |= (uint16_t)(1u << (next_random(state) >> 50) % 9);
	return d;
}

static void
test_never_wraps(void)
{
	uint64_t state = 1;
	unsigned bad = 0, lines = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct format_style style = {
			.width = (uint16_t)(80 + i % 140), .since_start = i & 1, .colour = i & 2,
		};
		struct drop d = some_drop(&state);

		for (const char *at = drop_line(&style, &d), *end; *at; at = end + 1) {
			end = strchr(at, '\n');
			lines++;
			bad += cells(at, end) > style.width;
			if (bad == 1 && cells(at, end) > style.width)
				printf("# %u columns: %.*s\n", style.width, (int)(end - at), at);
		}
	}
	CHECK(!bad && lines > 20000, "no line is wider than the terminal: %u of %u", bad, lines);
}

static void
test_colour(void)
{
	static const struct {
		uint8_t     state;
		const char *want;
	} states[] = {
		{ 1, " \x1b[32mESTABLISHED\x1b[0m  ACK      \x1b[1mTCP_OVERWINDOW\x1b[0m\n" },
		{ 10, " \x1b[35mLISTEN\x1b[0m       ACK " },
		{ 12, " \x1b[35mNEW_SYN_RECV\x1b[0m ACK " },
		{ 6, " TIME_WAIT    ACK      \x1b[1mTCP_OVERWINDOW\x1b[0m\n" },
		{ 0, " -            ACK " },
	};
	const struct format_style style = { .colour = true, .width = 80 };
	struct format_style plain = style;
	static struct drop d;

	plain.colour = false;
	for (size_t i = 0; i < COUNT(states); i++) {
		d = full_drop();
		d.state = states[i].state;
		d.state_name = names_state(d.state);
		CHECK(strstr(drop_line(&style, &d), states[i].want), "colour: state %d", d.state);
		CHECK(!strchr(drop_line(&plain, &d), '\x1b'), "no colour: state %d", d.state);
	}
	d.has_reason = false;
	CHECK(!strchr(drop_line(&style, &d), '\x1b'), "colour: no reason, no state");
	buf[format_header(buf, FORMAT_MAX, &style)] = '\0';
	CHECK(!strchr(buf, '\x1b'), "colour: not of titles");
}

static void
test_time_zone(void)
{
	static struct drop d;

	setenv("TZ", "XXX-05:30", 1);
	zone_open(&zone);
	d = full_drop();
	d.time += 1000000000;
	CHECK(!strncmp(drop_line(&quiet, &d), "18:35:23 ", 9), "local time");
	CHECK(strstr(drop_line(&json, &d), "T13:05:23.123456789Z"), "JSON: UTC");
	d.time += 3599000000000;
	CHECK(!strncmp(drop_line(&quiet, &d), "19:35:22 ", 9), "local time: an hour later");
}

static void
random_text(char *to, size_t n, uint64_t *state)
{
	for (size_t i = 0; i < n - 1; i++)
		to[i] = (char)(next_random(state) >> 32);
	to[n - 1] = '\0';
}

static void
print_json(void)
{
	static struct drop d;
	static char name[200];
	uint64_t state = 1;

	d = full_drop();
	fputs(drop_line(&json, &d), stdout);
	d = bare_drop();
	fputs(drop_line(&json, &d), stdout);
	memset(name, 1, sizeof(name) - 1);
	d = worst_drop(name);
	fputs(drop_line(&json, &d), stdout);
	for (int i = 0; i < 20000; i++) {
		d = i & 1 ? full_drop() : bare_drop();
		random_text(d.comm, sizeof(d.comm), &state);
		random_text(name, sizeof(name), &state);
		d.stack[0].name = name;
		d.time = next_random(&state);
		d.flags = (uint16_t)next_random(&state);
		for (int j = 0; j < 16; j++)
			d.saddr[j] = next_random(&state) & 1 ? 0 : (uint8_t)next_random(&state);
		fputs(drop_line(&json, &d), stdout);
	}
	fwrite(buf, 1, format_lost(buf, FORMAT_MAX, &json, TIME, 1), stdout);
	fwrite(buf, 1, format_end(buf, FORMAT_MAX, &json, TIME, 1, 1, 0), stdout);
}

int
main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc > 1 && !strcmp(argv[1], "json")) {
		print_json();
		return fflush(stdout) != 0;
	}
	test_text();
	test_extended();
	test_text_long();
	test_header();
	test_owner();
	test_json();
	test_json_parts();
	test_other_lines();
	test_addresses();
	test_comms();
	test_names();
	test_worst();
	test_small_buffers();
	test_time_zone();
	test_titles();
	test_ends_below();
	test_comm_gives_way();
	test_wide_comms();
	test_never_wraps();
	test_colour();
	return tap_end();
}
