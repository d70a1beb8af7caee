/* SPDX-License-Identifier: MIT */
/* Run from the project's root: the kernels' lists are in tests/facts/. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../names.h"
#include "tap.h"

#define VERSION(a, b, c) ((uint32_t)(a) << 16 | (b) << 8 | (c))

static struct names names;

static char *
read_facts(const char *name, size_t *n)
{
	static char buf[32768];
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "tests/facts/%s", name);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	*n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[*n] = '\0';
	fclose(f);
	return buf;
}

/* The names a list of facts has and the names we have are the same, both ways. */
static void
check_list(const char *version, bool has_first)
{
	char file[64], *text;
	uint32_t listed = 0, wrong = 0, known = 0, code, start = UINT32_MAX;
	size_t n;
	int used;
	char name[64];

	snprintf(file, sizeof(file), "reasons/%s.txt", version);
	text = read_facts(file, &n);
	if (!CHECK(text, "%s: facts are there", version))
		return;
	for (; sscanf(text, "%u %63s%n", &code, name, &used) == 2; text += used) {
		const char *got = names_reason(&names, code);

		if (!strcmp(name, "NOT_SPECIFIED"))
			start = code;
		if (!has_first && start == UINT32_MAX)
			continue;
		if (!strcmp(name, "MAX")) {
			wrong += got != NULL;
			continue;
		}
		listed++;
		if (!got || strcmp(got, name)) {
			printf("# %s: %u is %s, got %s\n", version, code, name, got ? got : "-");
			wrong++;
		}
	}
	for (code = 0; code < 2 * NAMES_REASONS; code++)
		known += names_reason(&names, code) != NULL;
	CHECK_INT(wrong, 0, "%s: each name is the kernel's", version);
	CHECK(listed > 60, "%s: the list is whole", version);
	CHECK_INT(known, listed, "%s: no name besides", version);
}

static void
test_builtin(void)
{
	static const struct {
		const char *facts;
		uint32_t version;
	} rows[] = {
		{ "6.1.170",  VERSION(6, 1, 170) },
		{ "6.1.190",  VERSION(6, 1, 190) },
		{ "6.1.192",  VERSION(6, 1, 192) },
		{ "6.12.95",  VERSION(6, 12, 95) },
		{ "6.12.107", VERSION(6, 12, 107) },
		{ "6.12.113", VERSION(6, 12, 113) },
		{ "6.12.115", VERSION(6, 12, 115) },
		{ "6.12.117", VERSION(6, 12, 117) },
		{ "6.16.12",  VERSION(6, 16, 12) },
		{ "6.17.13",  VERSION(6, 17, 13) },
		{ "6.18.15",  VERSION(6, 18, 15) },
		{ "6.18.44",  VERSION(6, 18, 44) },
		{ "7.2.6",    VERSION(7, 2, 6) },
		{ "7.2.13",   VERSION(7, 2, 13) },
		{ "7.3.0",    VERSION(7, 3, 0) },
		{ "7.3.4",    VERSION(7, 3, 4) },
	};
	static const struct {
		const char *name;
		uint32_t version;
	} unknown[] = {
		{ "0",        0 },
		{ "5.10",     VERSION(5, 10, 0) },
		{ "6.0",      VERSION(6, 0, 255) },
		{ "6.1.0",    VERSION(6, 1, 0) },
		{ "6.2",      VERSION(6, 2, 0) },
		{ "6.12.0",   VERSION(6, 12, 0) },
		{ "6.12.96",  VERSION(6, 12, 96) },
		{ "6.12.114", VERSION(6, 12, 114) },
		{ "6.12.118", VERSION(6, 12, 118) },
		{ "6.19",     VERSION(6, 19, 0) },
		{ "7.4",      VERSION(7, 4, 0) },
		{ "all ones", UINT32_MAX },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(names_builtin(&names, rows[i].version), 0, "builtin %s", rows[i].facts);
		CHECK_INT(names.source, NAMES_BUILTIN, "builtin %s: source", rows[i].facts);
		check_list(rows[i].facts, true);
	}
	for (size_t i = 0; i < COUNT(unknown); i++) {
		names_free(&names);
		CHECK_INT(names_builtin(&names, unknown[i].version), -ENOENT,
		          "builtin %s is not known", unknown[i].name);
		CHECK_INT(names.source, NAMES_NONE, "builtin %s: nothing taken", unknown[i].name);
	}
}

static void
test_format(void)
{
	size_t n = 0;
	char *text = read_facts("format-6.18.44.txt", &n);
	uint32_t code = 0;

	if (!CHECK(text, "format 6.18.44: facts are there"))
		return;
	names_free(&names);
	CHECK_INT(names_parse_format(&names, text, n), 0, "format 6.18.44");
	CHECK_INT(names.source, NAMES_FORMAT, "format 6.18.44: source");
	check_list("6.18.44", false);
	CHECK(names_consumed(&names, &code), "format 6.18.44: has SKB_CONSUMED");
	CHECK_INT(code, 1, "format 6.18.44: SKB_CONSUMED");
}

/* What one entry list gives for code 2, or the error. */
static void
test_format_forms(void)
{
	static const char head[] = "print fmt: \"reason: %s\", __print_symbolic(REC->reason, ";
	static const struct {
		const char *name;
		const char *list;
		int err;
		const char *two;
	} rows[] = {
		{ "plain",              "{ 2, \"A_B\" })",                         0, "A_B" },
		{ "prefixed",           "{ 2, \"SKB_DROP_REASON_A\" })",           0, "A" },
		{ "hexadecimal: never", "{ 0x2, \"A\" }, { 3, \"B\" })",           0, NULL },
		{ "no blanks",          "{1,\"B\"},{2,\"A\"})",                    0, "A" },
		{ "line ends",          "{ 1, \"B\" },\n\t{ 2, \"A\" })",          0, "A" },
		{ "the first counts",   "{ 2, \"A\" }, { 2, \"B\" })",             0, "A" },
		{ "MAX is no reason",   "{ 1, \"B\" }, { 2, \"MAX\" })",           0, NULL },
		{ "MAX alone",          "{ 2, \"SKB_DROP_REASON_MAX\" })",         -ENOENT, NULL },
		{ "a word for number",  "{ SKB_DROP_REASON_A, \"A\" }, { 2, \"B\" })", 0, "B" },
		{ "only words",         "{ SKB_DROP_REASON_A, \"A\" })",           -ENOENT, NULL },
		{ "hostile name",       "{ 2, \"A\x1b[2J\" }, { 3, \"B\" })",      0, NULL },
		{ "empty name",         "{ 2, \"\" }, { 3, \"B\" })",              0, NULL },
		{ "cut in a name",      "{ 3, \"B\" }, { 2, \"A",                  0, NULL },
		{ "cut at the start",   "",                                        -ENOENT, NULL },
		{ "number too large",   "{ 4294967298, \"A\" }, { 3, \"B\" })",    0, NULL },
		{ "subsystem's number", "{ 65538, \"A\" }, { 3, \"B\" })",         0, NULL },
		{ "empty",              ")",                                       -ENOENT, NULL },
		{ "end of the list",    "{ 1, \"B\" }), { 2, \"A\" })",            0, NULL },
	};
	char text[512];

	for (size_t i = 0; i < COUNT(rows); i++) {
		int n = snprintf(text, sizeof(text), "%s%s", head, rows[i].list);

		names_free(&names);
		CHECK_INT(names_parse_format(&names, text, (size_t)n), rows[i].err,
		          "form: %s", rows[i].name);
		CHECK_STR(names_reason(&names, 2), rows[i].two, "form: %s: 2", rows[i].name);
	}
	CHECK_INT(names_parse_format(&names, "print fmt: \"skbaddr=%p\"", 23), -ENOENT,
	          "form: a kernel without reasons");
	CHECK_INT(names_parse_format(&names, "", 0), -ENOENT, "form: empty file");
}

/* Every cut of the real file, in an exact allocation for the sanitizers. */
static void
test_format_cuts(void)
{
	size_t n = 0, bad = 0;
	char *text = read_facts("format-6.18.44.txt", &n);

	for (size_t i = 0; text && i <= n; i++) {
		char *copy = malloc(i ? i : 1);
		const char *name;

		if (!copy)
			break;
		memcpy(copy, text, i);
		names_free(&names);
		names_parse_format(&names, copy, i);
		name = names_reason(&names, 34);
		bad += name && strcmp(name, "TCP_OVERWINDOW");
		free(copy);
	}
	CHECK_INT(bad, 0, "format cut anywhere never gives a wrong name");
}

static void
test_codes(void)
{
	static const struct {
		const char *name;
		int err;
		uint32_t code;
	} rows[] = {
		{ "TCP_OVERWINDOW",                 0, 34 },
		{ "tcp_overwindow",                 0, 34 },
		{ "SKB_DROP_REASON_TCP_OVERWINDOW", 0, 34 },
		{ "skb_drop_reason_tcp_overwindow", 0, 34 },
		{ "TCP_OVERWINDO",                  -ENOENT, 99 },
		{ "TCP_OVERWINDOWS",                -ENOENT, 99 },
		{ "SKB_DROP_REASON_",               -ENOENT, 99 },
		{ "",                               -ENOENT, 99 },
		{ "MAX",                            -ENOENT, 99 },
	};
	uint32_t code;

	names_builtin(&names, VERSION(6, 18, 44));
	for (size_t i = 0; i < COUNT(rows); i++) {
		code = 99;
		CHECK_INT(names_reason_code(&names, rows[i].name, &code), rows[i].err,
		          "code of \"%s\"", rows[i].name);
		CHECK_INT(code, rows[i].code, "code of \"%s\": number", rows[i].name);
	}
	CHECK(names_consumed(&names, &code) && code == 1, "6.18: SKB_CONSUMED is 1");
	names_builtin(&names, VERSION(6, 1, 192));
	CHECK(!names_consumed(&names, &code), "6.1: no SKB_CONSUMED");
	CHECK_STR(names_reason(&names, 7), "NETFILTER_DROP", "6.1: 7");
	CHECK_STR(names_reason(&names, 0x10002), NULL, "a subsystem's reason has no core name");
	CHECK_STR(names_reason(&names, UINT32_MAX), NULL, "largest number");
	names_free(&names);
	CHECK_STR(names_reason(&names, 2), NULL, "no names");
	CHECK_INT(names_reason_code(&names, "NO_SOCKET", &code), -ENOENT, "no names: code");
	CHECK(!names_consumed(&names, &code), "no names: SKB_CONSUMED");
}

/* The file leaves SKB_CONSUMED out: NOT_SPECIFIED tells whether it is there. */
static void
test_consumed(void)
{
	static const struct {
		const char *list;
		bool has;
		uint32_t code;
	} rows[] = {
		{ "__print_symbolic(REC->reason, { 0, \"NOT_SPECIFIED\" })", false, 99 },
		{ "__print_symbolic(REC->reason, { 1, \"NOT_SPECIFIED\" })", false, 99 },
		{ "__print_symbolic(REC->reason, { 2, \"NOT_SPECIFIED\" })", true, 1 },
		{ "__print_symbolic(REC->reason, { 3, \"NOT_SPECIFIED\" })", false, 99 },
		{ "__print_symbolic(REC->reason, { 3, \"CONSUMED\" })", true, 3 },
		{ "__print_symbolic(REC->reason, { 1, \"A\" }, { 2, \"NOT_SPECIFIED\" })", false, 99 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t code = 99;

		names_parse_format(&names, rows[i].list, strlen(rows[i].list));
		CHECK_INT(names_consumed(&names, &code), rows[i].has, "consumed %zu", i);
		CHECK_INT(code, rows[i].code, "consumed %zu: number", i);
	}
	names_free(&names);
}

static void
test_states(void)
{
	static const char *const want[] = {
		NULL, "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
		"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
		"BOUND_INACTIVE", NULL,
	};
	uint8_t state = 99;

	for (size_t i = 0; i < COUNT(want); i++) {
		CHECK_STR(names_state((uint8_t)i), want[i], "state %zu", i);
		if (!want[i])
			continue;
		CHECK_INT(names_state_code(want[i], &state), 0, "state code %s", want[i]);
		CHECK_INT(state, i, "state code %s: number", want[i]);
	}
	CHECK_STR(names_state(255), NULL, "state 255");
	CHECK(!names_state_code("listen", &state) && state == 10, "state code in small letters");
	CHECK_INT(names_state_code("", &state), -ENOENT, "state code of nothing");
	CHECK_INT(names_state_code("LISTENING", &state), -ENOENT, "state code of another word");
}

static void
test_flags(void)
{
	static const struct {
		uint16_t flags;
		const char *want;
	} rows[] = {
		{ 0x000, "none" },
		{ 0x001, "FIN" },
		{ 0x002, "SYN" },
		{ 0x012, "SYN|ACK" },
		{ 0x014, "RST|ACK" },
		{ 0x0c2, "SYN|ECE|CWR" },
		{ 0x0ff, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR" },
		{ 0x1ff, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR|NS" },
		{ 0x200, "0x0200" },
		{ 0xffff, "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR|NS|0xfe00" },
	};
	char buf[NAMES_FLAGS];

	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(buf, 'x', sizeof(buf));
		CHECK_INT(names_flags(buf, rows[i].flags), strlen(rows[i].want),
		          "flags 0x%x: length", rows[i].flags);
		CHECK_STR(buf, rows[i].want, "flags 0x%x", rows[i].flags);
	}
}

int
main(void)
{
	test_builtin();
	test_format();
	test_format_forms();
	test_format_cuts();
	test_codes();
	test_consumed();
	test_states();
	test_flags();
	names_free(&names);
	return tap_end();
}
