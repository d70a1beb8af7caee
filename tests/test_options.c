/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../options.h"
#include "tap.h"

enum { ARGUMENTS = 16 };

/* Splits line at spaces into argv; '_' alone stands for an empty argument. */
static int
split(char *line, char *argv[ARGUMENTS + 1])
{
	static char name[] = "tcpdrop", empty[] = "";
	int argc = 0;

	argv[argc++] = name;
	for (char *word = strtok(line, " "); word && argc < ARGUMENTS; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "_") ? word : empty;
	argv[argc] = NULL;
	return argc;
}

/* The strings in o point into a buffer that lives until the next call. */
static int
parse(const char *line, struct options *o, char *err, size_t size)
{
	static char copy[4096];
	char *argv[ARGUMENTS + 1];

	snprintf(copy, sizeof(copy), "%s", line);
	err[0] = '\0';
	return options_parse(o, split(copy, argv), argv, err, size);
}

#define NUMBER(field) offsetof(struct options, field), sizeof(((struct options *)0)->field)

static const struct {
	const char *line;
	size_t      field;
	size_t      size;
	uint64_t    want;
} numbers[] = {
	{ "-4",                   NUMBER(ipv4_only), 1 },
	{ "--ipv4",               NUMBER(ipv4_only), 1 },
	{ "-6",                   NUMBER(ipv6_only), 1 },
	{ "",                     NUMBER(ipv6_only), 0 },
	{ "-q",                   NUMBER(quiet), 1 },
	{ "--qui",                NUMBER(quiet), 1 },
	{ "-t",                   NUMBER(timestamp), 1 },
	{ "-o",                   NUMBER(owner), 1 },
	{ "--owner",              NUMBER(owner), 1 },
	{ "-e",                   NUMBER(extended), 1 },
	{ "--extended",           NUMBER(extended), 1 },
	{ "-qe",                  NUMBER(extended), 1 },
	{ "-j",                   NUMBER(json), 1 },
	{ "-v",                   NUMBER(verbose), 1 },
	{ "-qtjv",                NUMBER(timestamp), 1 },
	{ "--check",              NUMBER(check), 1 },
	{ "-h",                   NUMBER(help), 1 },
	{ "-V",                   NUMBER(version), 1 },
	{ "-h nonsense --foo",    NUMBER(help), 1 },
	{ "-p 0",                 NUMBER(has_pid), 1 },
	{ "",                     NUMBER(has_pid), 0 },
	{ "-p 0",                 NUMBER(pid), 0 },
	{ "-p4194304",            NUMBER(pid), 4194304 },
	{ "--pid=17",             NUMBER(pid), 17 },
	{ "--pid 17",             NUMBER(pid), 17 },
	{ "-p 1 -p 2",            NUMBER(pid), 2 },
	{ "--netns-id 4026531840", NUMBER(netns_id), 4026531840 },
	{ "--netns-id 4294967295", NUMBER(netns_id), 4294967295 },
	{ "--pid-netns 1",        NUMBER(pid_netns), 1 },
	{ "--pid 1",              NUMBER(pid_netns), 0 },
	{ "--pid 1",              NUMBER(pid), 1 },
	{ "--pid-netns 4194304",  NUMBER(pid_netns), 4194304 },
	{ "--pid-netns 1 --netns-id 2 --help", NUMBER(help), 1 },
	{ "-c 1",                 NUMBER(count), 1 },
	{ "-c 18446744073709551615", NUMBER(count), UINT64_MAX },
	{ "-c 5 --count 6",       NUMBER(count), 6 },
	{ "-c 007",               NUMBER(count), 7 },
	{ "-d 5",                 NUMBER(duration_ns), 5000000000 },
	{ "-d 0.5",               NUMBER(duration_ns), 500000000 },
	{ "-d .25",               NUMBER(duration_ns), 250000000 },
	{ "-d 1.000000001",       NUMBER(duration_ns), 1000000001 },
	{ "-d 1.0000000019",      NUMBER(duration_ns), 1000000001 },
	{ "-d 0.000000001",       NUMBER(duration_ns), 1 },
	{ "-d 1000000000",        NUMBER(duration_ns), 1000000000000000000 },
	{ "-d 1000000000.0",      NUMBER(duration_ns), 1000000000000000000 },
	{ "-B 4",                 NUMBER(buffer_kib), 4 },
	{ "-B 5",                 NUMBER(buffer_kib), 8 },
	{ "-B 100",               NUMBER(buffer_kib), 128 },
	{ "-B 1048576",           NUMBER(buffer_kib), 1048576 },
	{ "--buffer=1048575",     NUMBER(buffer_kib), 1048576 },
	{ "-P 80",                NUMBER(port_count), 1 },
	{ "-P 80,443",            NUMBER(port_count), 2 },
	{ "-P 80,443 -P 22",      NUMBER(port_count), 3 },
	{ "-P 80,443 -P 80",      NUMBER(port_count), 2 },
	{ "-P 80,443 -P 22",      NUMBER(ports[2]), 22 },
	{ "-P 0",                 NUMBER(port_count), 1 },
	{ "-P 65535",             NUMBER(ports[0]), 65535 },
	{ "--explain -q",         NUMBER(quiet), 1 },
	{ "--explain XDP -q",     NUMBER(quiet), 1 },
	{ "port 443 -q",          NUMBER(quiet), 1 },
	{ "-- port 443 -q",       NUMBER(quiet), 0 },
	{ "port -p 17 443",       NUMBER(pid), 17 },
	{ "- -q",                 NUMBER(quiet), 1 },
	{ "--explain -c 5",       NUMBER(count), 5 },
	{ "--",                   NUMBER(check), 0 },
	{ "-s",                   NUMBER(summary), 1 },
	{ "",                     NUMBER(summary), 0 },
	{ "-s",                   NUMBER(summary_ns), 0 },
	{ "-s5",                  NUMBER(summary_ns), 5000000000 },
	{ "-s5",                  NUMBER(summary), 1 },
	{ "-s.5",                 NUMBER(summary_ns), 500000000 },
	{ "-s4",                  NUMBER(ipv4_only), 0 },
	{ "-sq",                  NUMBER(summary_ns), 0 },
	{ "-sq",                  NUMBER(quiet), 1 },
	{ "-qs0.25",              NUMBER(summary_ns), 250000000 },
	{ "-s -4",                NUMBER(ipv4_only), 1 },
	{ "--summary",            NUMBER(summary), 1 },
	{ "--summary=5",          NUMBER(summary_ns), 5000000000 },
	{ "--summary -q",         NUMBER(quiet), 1 },
	{ "-s -f text",           NUMBER(format), OPTIONS_AS_TEXT },
	{ "-sfjson",              NUMBER(format), OPTIONS_AS_JSON },
	{ "-s --format=prometheus", NUMBER(format), OPTIONS_AS_PROMETHEUS },
};

static const struct {
	const char *line;
	size_t      field;
	const char *want;
} texts[] = {
	{ "",                        offsetof(struct options, probe), NULL },
	{ "--probe tcp_drop,inlined", offsetof(struct options, probe), "tcp_drop,inlined" },
	{ "--probe=a --probe=b",     offsetof(struct options, probe), "b" },
	{ "--offsets skb.head=200",  offsetof(struct options, offsets), "skb.head=200" },
	{ "--offsets=skb.head=200",  offsetof(struct options, offsets), "skb.head=200" },
	{ "-i lo",                   offsetof(struct options, interface), "lo" },
	{ "--interface=a%d -i b.1:2", offsetof(struct options, interface), "b.1:2" },
	{ "",                        offsetof(struct options, interface), NULL },
	{ "",                        offsetof(struct options, dump), NULL },
	{ "--dump",                  offsetof(struct options, dump), "" },
	{ "--dump=5.10,x86_64",      offsetof(struct options, dump), "5.10,x86_64" },
	{ "--dump=5.10 --dump",      offsetof(struct options, dump), "" },
	{ "",                        offsetof(struct options, explain), NULL },
	{ "--explain",               offsetof(struct options, explain), "" },
	{ "--explain XDP",           offsetof(struct options, explain), "XDP" },
	{ "--explain=XDP",           offsetof(struct options, explain), "XDP" },
	{ "--explain=-q",            offsetof(struct options, explain), "-q" },
	{ "--expl 7 -q",             offsetof(struct options, explain), "7" },
	{ "--explain -q",            offsetof(struct options, explain), "" },
	{ "--explain --",            offsetof(struct options, explain), "" },
	{ "--explain XDP --explain", offsetof(struct options, explain), "" },
	{ "",                        offsetof(struct options, write), NULL },
	{ "-w file",                 offsetof(struct options, write), "file" },
	{ "-qwfile",                 offsetof(struct options, write), "file" },
	{ "--write=a -w b",          offsetof(struct options, write), "b" },
	{ "-w -",                    offsetof(struct options, write), "-" },
	{ "-w - -q",                 offsetof(struct options, write), "-" },
	{ "--write - -e",            offsetof(struct options, write), "-" },
	{ "-j -w file",              offsetof(struct options, write), "file" },
	{ "-s -w out.prom",          offsetof(struct options, write), "out.prom" },
	{ "-s --write=-",            offsetof(struct options, write), "-" },
};

/* The operands, wherever they stand. */
static const struct {
	const char *line;
	const char *want;
} expressions[] = {
	{ "",                          "" },
	{ "_",                         "" },
	{ "host",                      "host" },
	{ "port 443 or 80",            "port 443 or 80" },
	{ "-q port 443 -c 5 or 80 -j", "port 443 or 80" },
	{ "-- port -c 5",              "port -c 5" },
	{ "port -- -4",                "port -4" },
	{ "_ port _ 443 _",            "port  443 " },
	{ "-",                         "-" },
	{ "--explain XDP port 1",      "port 1" },
	{ "--explain -- XDP",          "XDP" },
	{ "--dump 5.10",               "5.10" },
	{ "port 1 -h or 2",            "port 1" },
};

static const struct {
	const char *line;
	const char *want;
} errors[] = {
	{ "--foo",          "unknown option '--foo'" },
	{ "--foo=bar",      "unknown option '--foo'" },
	{ "--quietly",      "unknown option '--quietly'" },
	{ "-x",             "unknown option '-x'" },
	{ "-qx",            "unknown option '-x'" },
	{ "--p",            "option '--p' is ambiguous: --pid, --port, --pid-netns, --probe" },
	{ "--p=1",          "option '--p' is ambiguous: --pid, --port, --pid-netns, --probe" },
	{ "--ver",          "option '--ver' is ambiguous: --verbose, --version" },
	{ "-p",             "option '-p' needs an argument: PID" },
	{ "-qp",            "option '-p' needs an argument: PID" },
	{ "--pid",          "option '--pid' needs an argument: PID" },
	{ "--port",         "option '--port' needs an argument: PORT[,PORT...]" },
	{ "--quiet=yes",    "option '--quiet' takes no argument, got 'yes'" },
	{ "-4 -6",          "options '-4' and '-6' exclude each other: "
	                    "leave both out to see both families" },
	{ "--ipv6 -q -4",   "options '-4' and '-6' exclude each other: "
	                    "leave both out to see both families" },
	{ "--pid-netns 1 --netns-id 2", "options '--netns-id' and '--pid-netns' exclude each other: "
	                    "give one of them" },
	{ "--netns-id 0",   "option '--netns-id': expected a number from 1 to 4294967295, got '0'" },
	{ "--netns-id 4294967296", "option '--netns-id': expected a number from 1 to 4294967295, "
	                    "got '4294967296'" },
	{ "--pid-netns 0",  "option '--pid-netns': expected a number from 1 to 4194304, got '0'" },
	{ "--pid-netns self", "option '--pid-netns': expected a number from 1 to 4194304, got 'self'" },
	{ "-i _",           "option '-i': expected NAME, got ''" },
	{ "-i",             "option '-i' needs an argument: NAME" },
	{ "-p -1",          "option '-p': expected a number from 0 to 4194304, got '-1'" },
	{ "-p +1",          "option '-p': expected a number from 0 to 4194304, got '+1'" },
	{ "-p 1x",          "option '-p': expected a number from 0 to 4194304, got '1x'" },
	{ "-p 0x10",        "option '-p': expected a number from 0 to 4194304, got '0x10'" },
	{ "-p 4194305",     "option '-p': expected a number from 0 to 4194304, got '4194305'" },
	{ "-p _",           "option '-p': expected a number from 0 to 4194304, got ''" },
	{ "--pid=",         "option '--pid': expected a number from 0 to 4194304, got ''" },
	{ "-p 1\x1b\n",     "option '-p': expected a number from 0 to 4194304, got '1\?\?'" },
	{ "-c 0",           "option '-c': expected a number from 1 to 18446744073709551615, "
	                    "got '0'" },
	{ "-c 18446744073709551616", "option '-c': expected a number from 1 to "
	                    "18446744073709551615, got '18446744073709551616'" },
	{ "-B 3",           "option '-B': expected a number from 4 to 1048576, got '3'" },
	{ "-B 1048577",     "option '-B': expected a number from 4 to 1048576, got '1048577'" },
	{ "-B 64K",         "option '-B': expected a number from 4 to 1048576, got '64K'" },
	{ "-P 65536",       "option '-P': expected ports from 0 to 65535, separated by commas, "
	                    "got '65536'" },
	{ "--port 80,",     "option '--port': expected ports from 0 to 65535, separated by commas, "
	                    "got '80,'" },
	{ "-P ,80",         "option '-P': expected ports from 0 to 65535, separated by commas, "
	                    "got ',80'" },
	{ "-P 80,,443",     "option '-P': expected ports from 0 to 65535, separated by commas, "
	                    "got '80,,443'" },
	{ "-P https",       "option '-P': expected ports from 0 to 65535, separated by commas, "
	                    "got 'https'" },
	{ "-P 80;443",      "option '-P': expected ports from 0 to 65535, separated by commas, "
	                    "got '80;443'" },
	{ "-d 0",           "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '0'" },
	{ "-d 0.0000000009", "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '0.0000000009'" },
	{ "-d -1",          "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '-1'" },
	{ "-d nan",         "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got 'nan'" },
	{ "-d inf",         "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got 'inf'" },
	{ "-d 1e3",         "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '1e3'" },
	{ "-d 5s",          "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '5s'" },
	{ "-d .",           "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '.'" },
	{ "-d 5.",          "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '5.'" },
	{ "-d x.5",         "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got 'x.5'" },
	{ "-d 1.5.5",       "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '1.5.5'" },
	{ "-d 1000000000.1", "option '-d': expected seconds, more than 0 and up to 1000000000, "
	                    "got '1000000000.1'" },
	{ "-d 99999999999999999999", "option '-d': expected seconds, more than 0 and up to "
	                    "1000000000, got '99999999999999999999'" },
	{ "--probe=",       "option '--probe': expected NAME[,NAME...], got ''" },
	{ "--dump=",        "option '--dump': expected VERSION,ARCH, got ''" },
	{ "--explain=",     "option '--explain': expected REASON, got ''" },
	{ "--explain _",    "option '--explain': expected REASON, got ''" },
	{ "-w",             "option '-w' needs an argument: FILE" },
	{ "--write=",       "option '--write': expected FILE, got ''" },
	{ "-j -w -",        "options '-j' and '-w -' exclude each other: "
	                    "write the packets to a file" },
	{ "-w - --json",    "options '-j' and '-w -' exclude each other: "
	                    "write the packets to a file" },
	{ "-f json",        "option '-f' needs '-s'" },
	{ "-s 5 port 80",   "option '-s': expected SECS right behind it, as in '-s5', got ' 5 port 80'" },
	{ "--summary .5",   "option '-s': expected SECS right behind it, as in '-s5', got ' .5'" },
	{ "-s -e",          "options '-s' and '-e' exclude each other: "
	                    "a summary has no single drops" },
	{ "-c 5 -s",        "options '-s' and '-c' exclude each other: "
	                    "to end a summary, give '-d SECS'" },
	{ "-s -f yaml",     "option '-f': expected text, json or prometheus, got 'yaml'" },
	{ "-s --format=",   "option '--format': expected text, json or prometheus, got ''" },
	{ "-sf",            "option '-f' needs an argument: FORMAT" },
	{ "-s0",            "option '-s': expected seconds, more than 0 and up to 1000000000, "
	                    "got '0'" },
	{ "-s5q",           "option '-s': expected seconds, more than 0 and up to 1000000000, "
	                    "got '5q'" },
	{ "--summary=",     "option '--summary': expected seconds, more than 0 and up to "
	                    "1000000000, got ''" },
};

static uint64_t
get(const struct options *o, size_t field, size_t size)
{
	union { uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64; } u = { .u64 = 0 };

	memcpy(&u, (const char *)o + field, size);
	return size == 1 ? u.u8 : size == 2 ? u.u16 : size == 4 ? u.u32 : u.u64;
}

static void
test_numbers(void)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct options o;
		char err[256];

		CHECK_INT(parse(numbers[i].line, &o, err, sizeof(err)), 0, "parse: %s",
		          numbers[i].line);
		CHECK_INT(get(&o, numbers[i].field, numbers[i].size), numbers[i].want,
		          "value: %s", numbers[i].line);
	}
}

static void
test_texts(void)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct options o;
		const char *got;
		char err[256];

		CHECK_INT(parse(texts[i].line, &o, err, sizeof(err)), 0, "parse: %s",
		          texts[i].line);
		memcpy(&got, (char *)&o + texts[i].field, sizeof(got));
		CHECK_STR(got, texts[i].want, "text: %s", texts[i].line);
	}
}

static void
test_expressions(void)
{
	static char word[OPTIONS_EXPRESSION + 8], small[] = "x";
	char *argv[] = { small, word, small, NULL }, err[256];
	struct options o;

	for (size_t i = 0; i < COUNT(expressions); i++) {
		CHECK_INT(parse(expressions[i].line, &o, err, sizeof(err)), 0, "parse: %s",
		          expressions[i].line);
		CHECK_STR(o.expression, expressions[i].want, "expression: %s", expressions[i].line);
	}
	for (int n = OPTIONS_EXPRESSION - 5; n < OPTIONS_EXPRESSION + 5; n++) {
		memset(word, 'w', sizeof(word));
		word[n] = '\0';
		CHECK_INT(options_parse(&o, 2, argv, err, sizeof(err)),
		          n < OPTIONS_EXPRESSION - 1 ? 0 : -1, "a word of %d bytes", n);
		CHECK_INT(options_parse(&o, 3, argv, err, sizeof(err)),
		          n < OPTIONS_EXPRESSION - 2 ? 0 : -1, "a word of %d bytes and another", n);
	}
	CHECK_STR(err, "the expression is longer than 16382 bytes", "too long: said");
}

static void
test_errors(void)
{
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct options o;
		char err[256], cut[10];

		CHECK_INT(parse(errors[i].line, &o, err, sizeof(err)), -1, "refused: %zu", i);
		CHECK_STR(err, errors[i].want, "message: %zu", i);
		parse(errors[i].line, &o, cut, sizeof(cut));
		CHECK(strlen(cut) == 9 && !strncmp(cut, err, 9), "cut message: %zu", i);
	}
}

/* 64 ports fit, in one list or two; one more does not. */
static void
test_ports(void)
{
	struct options o;
	char line[1024] = "-P 1", err[256];

	for (int i = 2; i <= OPTIONS_PORTS; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%d",
		         i == 40 ? " --port=" : ",", i);
	CHECK_INT(parse(line, &o, err, sizeof(err)), 0, "64 ports");
	CHECK_INT(o.port_count, OPTIONS_PORTS, "64 ports counted");
	CHECK_INT(o.ports[63], 64, "the last port");
	strcat(line, ",64");
	CHECK_INT(parse(line, &o, err, sizeof(err)), 0, "64 ports and one twice");
	strcat(line, ",65");
	CHECK_INT(parse(line, &o, err, sizeof(err)), -1, "65 ports");
	CHECK_STR(err, "option '--port': expected at most 64 ports, got '65' as well",
	          "65 ports: message");
}

static void
test_no_arguments(void)
{
	struct options o;
	char *none[] = { NULL }, err[256] = "";

	memset(&o, 0xff, sizeof(o));
	CHECK_INT(options_parse(&o, 0, none, err, sizeof(err)), 0, "no argv[0]");
	CHECK(!o.ipv4_only && !o.has_pid && !o.count && !o.probe, "all at rest");
}

/* A field of one byte, or a text; the lowest byte of an address may be 0. */
static bool
is_set(const struct options *o, const struct options_row *row)
{
	const char *field = (const char *)o + row->field, *text;

	memcpy(&text, field, sizeof(text));
	switch (row->kind) {
	case OPTIONS_FLAG_TEXT:
	case OPTIONS_FLAG_WORD:
	case OPTIONS_TEXT:
		return text;
	default:
		return *field;
	}
}

/* Every row is in the usage text, and does what it says. */
static void
test_rows(void)
{
	static const char *const values[] = {
		[OPTIONS_FLAG_TEXT] = NULL, [OPTIONS_FLAG_WORD] = " x", [OPTIONS_TEXT] = " x", [OPTIONS_COUNT] = " 4",
		[OPTIONS_PID] = " 4", [OPTIONS_KIB] = " 4", [OPTIONS_LIST] = " 4",
		[OPTIONS_SECONDS] = " 0.000000004", [OPTIONS_FORMAT] = " json",
	};
	const struct options_row *row;
	char usage[8192], line[64], err[256];
	struct options o;

	options_usage(usage, sizeof(usage));
	for (unsigned i = 0; (row = options_row(i)); i++) {
		const char *value = values[row->kind] ? values[row->kind] : "";
		const char *with = strchr("fw", row->letter) && row->letter ? "-s " : "";

		snprintf(line, sizeof(line), "%s--%s%s", with, row->name, value);
		CHECK_INT(parse(line, &o, err, sizeof(err)), 0, "row: %s", line);
		CHECK(is_set(&o, row), "row sets its field: %s", line);
		snprintf(line, sizeof(line), "--%s", row->name);
		CHECK(strstr(usage, line), "usage has %s", line);
		CHECK(strstr(usage, row->help), "usage has the help of %s", line);
		if (!row->letter)
			continue;
		snprintf(line, sizeof(line), "%s-%c%s", with, row->letter, value);
		CHECK_INT(parse(line, &o, err, sizeof(err)), 0, "row: %s", line);
		CHECK(is_set(&o, row), "row sets its field: %s", line);
	}
	CHECK(!options_row(10000), "no row behind the last");
}

static void
test_usage(void)
{
	char usage[8192], cut[100];
	size_t length = options_usage(usage, sizeof(usage)), longest = 0;

	CHECK_INT(strlen(usage), length, "usage: length");
	for (const char *at = usage; *at; at += strcspn(at, "\n") + 1)
		if (strcspn(at, "\n") > longest)
			longest = strcspn(at, "\n");
	CHECK(longest <= OPTIONS_COLUMNS, "usage: longest line has %zu", longest);
	CHECK(usage[length - 1] == '\n', "usage: ends its last line");
	CHECK(!strstr(usage, " \n"), "usage: no trailing spaces");
	CHECK_INT(options_usage(cut, sizeof(cut)), length, "usage: cut, length");
	CHECK(strlen(cut) == sizeof(cut) - 1 && !strncmp(cut, usage, sizeof(cut) - 1),
	      "usage: cut");
	CHECK_INT(options_usage(NULL, 0), length, "usage: measured");
}

int
main(void)
{
	test_numbers();
	test_texts();
	test_expressions();
	test_errors();
	test_ports();
	test_no_arguments();
	test_rows();
	test_usage();
	return tap_end();
}
