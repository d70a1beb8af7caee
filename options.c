/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>

#include "options.h"
#include "text.h"

const char options_try_help[] = "try 'tcpdrop --help'";

#define FIELD(name) offsetof(struct options, name)

static const struct options_row rows[] = {
	{ "ipv4",       NULL,              "IPv4 only",
	  '4', OPTIONS_FLAG,      FIELD(ipv4_only), 0, 0 },
	{ "ipv6",       NULL,              "IPv6 only",
	  '6', OPTIONS_FLAG,      FIELD(ipv6_only), 0, 0 },
	/* PID_MAX_LIMIT, include/linux/threads.h, 2.6 on */
	{ "pid",        "PID",             "drops while PID was on the CPU; 0 is the idle task",
	  'p', OPTIONS_PID,       FIELD(pid), 0, 4194304 },
	{ "port",       "PORT[,PORT...]",  "drops where either end has one of the ports",
	  'P', OPTIONS_LIST,      FIELD(ports), 0, UINT16_MAX },
	{ "interface",  "NAME",            "drops on this device",
	  'i', OPTIONS_TEXT,      FIELD(interface), 0, 0 },
	{ "netns-id",   "INODE",           "drops in the network namespace of this number",
	  0,   OPTIONS_COUNT,     FIELD(netns_id), 1, UINT32_MAX },
	{ "pid-netns",  "PID",             "drops in the network namespace of this process",
	  0,   OPTIONS_COUNT,     FIELD(pid_netns), 1, 4194304 },
	{ "count",      "N",               "stop after N drops",
	  'c', OPTIONS_COUNT,     FIELD(count), 1, UINT64_MAX },
	{ "duration",   "SECS",            "stop after SECS seconds; fractions allowed",
	  'd', OPTIONS_SECONDS,   FIELD(duration_ns), 0, 1000000000 },
	{ "quiet",      NULL,              "one line a drop, no stack",
	  'q', OPTIONS_FLAG,      FIELD(quiet), 0, 0 },
	{ "timestamp",  NULL,              "TIME in seconds since the start",
	  't', OPTIONS_FLAG,      FIELD(timestamp), 0, 0 },
	{ "extended",   NULL,              "a second line in words: how far off the segment is",
	  'e', OPTIONS_FLAG,      FIELD(extended), 0, 0 },
	{ "owner",      NULL,              "the process that has the socket open",
	  'o', OPTIONS_FLAG,      FIELD(owner), 0, 0 },
	{ "json",       NULL,              "one JSON object a line",
	  'j', OPTIONS_FLAG,      FIELD(json), 0, 0 },
	{ "summary",    "SECS",            "counts instead of drops, every SECS and at the end",
	  's', OPTIONS_FLAG_SECONDS, FIELD(summary), 0, 1000000000 },
	{ "format",     "FORMAT",          "summary as text, json or prometheus",
	  'f', OPTIONS_FORMAT,    FIELD(format), 0, 0 },
	{ "write",      "FILE",            "packets too (pcapng), or the summary; - is stdout",
	  'w', OPTIONS_TEXT,      FIELD(write), 0, 0 },
	{ "buffer",     "KIB",             "size of the ring of each CPU, 4 to 1048576",
	  'B', OPTIONS_KIB,       FIELD(buffer_kib), 4, 1048576 },
	{ "probe",      "NAME[,NAME...]",  "use these probes: tcp_drop, kfree_skb, ...",
	  0,   OPTIONS_TEXT,      FIELD(probe), 0, 0 },
	{ "offsets",    "LIST",            "override offsets: skb.head=200,...",
	  0,   OPTIONS_TEXT,      FIELD(offsets), 0, 0 },
	{ "check",      NULL,              "say what this kernel offers and what is missing",
	  0,   OPTIONS_FLAG,      FIELD(check), 0, 0 },
	{ "dump",       "VERSION,ARCH",    "list the BPF program, of another kernel too",
	  0,   OPTIONS_FLAG_TEXT, FIELD(dump), 0, 0 },
	{ "explain",    "REASON",          "what a reason means and what to look at",
	  0,   OPTIONS_FLAG_WORD, FIELD(explain), 0, 0 },
	{ "verbose",    NULL,              "offsets, probes tried, the verifier's log",
	  'v', OPTIONS_FLAG,      FIELD(verbose), 0, 0 },
	{ "help",       NULL,              "this text",
	  'h', OPTIONS_FLAG,      FIELD(help), 0, 0 },
	{ "version",    NULL,              "the version of tcpdrop",
	  'V', OPTIONS_FLAG,      FIELD(version), 0, 0 },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Where a message goes, and the option it is about, as it was typed. */
struct reader {
	struct options *out;
	char           *err;
	size_t          size;
	char            option[64];
};

const struct options_row *
options_row(unsigned index)
{
	return index < ROWS ? &rows[index] : NULL;
}

bool
options_writes_stdout(const struct options *o)
{
	return o->write && !strcmp(o->write, "-");
}

const char *
options_file(const struct options *o)
{
	return options_writes_stdout(o) ? NULL : o->write;
}

/* One line, whatever was typed. */
__attribute__((format(printf, 2, 3)))
static int
fail(const struct reader *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	text_vformat(r->err, r->size, format, ap);
	va_end(ap);
	if (r->size)
		text_clean(r->err);
	return -1;
}

/* The digits at *text, which it moves behind them; false: none, or too many. */
static bool
take_digits(const char **text, uint64_t *number)
{
	const char *at = *text;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	*number = n;
	return true;
}

/* "ports from" "to" ", separated by commas": what is expected around the row's limits */
static int
expect(const struct reader *r, const struct options_row *row, const char *what,
       const char *to, const char *more, const char *value)
{
	return fail(r, "option '%s': expected %s %u %s %llu%s, got '%s'", r->option, what,
	            row->min, to, (unsigned long long)row->max, more, value);
}

static int
take_number(const struct reader *r, const struct options_row *row, const char *value,
            uint64_t *number)
{
	const char *at = value;

	if (!take_digits(&at, number) || *at || *number < row->min || *number > row->max)
		return expect(r, row, "a number from", "to", "", value);
	return 0;
}

static int
add_port(const struct reader *r, uint16_t port)
{
	struct options *o = r->out;

	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i] == port)
			return 0;
	if (o->port_count == OPTIONS_PORTS)
		return fail(r, "option '%s': expected at most %d ports, got '%u' as well",
		            r->option, OPTIONS_PORTS, port);
	o->ports[o->port_count++] = port;
	return 0;
}

static int
take_ports(const struct reader *r, const struct options_row *row, const char *value)
{
	const char *at = value;
	uint64_t port;

	for (;; at++) {
		if (!take_digits(&at, &port) || port < row->min || port > row->max
		    || (*at && *at != ','))
			return expect(r, row, "ports from", "to", ", separated by commas", value);
		if (add_port(r, (uint16_t)port) < 0)
			return -1;
		if (!*at)
			return 0;
	}
}

/* Digits after the point to nanoseconds; what is finer is left out. */
static uint64_t
take_fraction(const char **text)
{
	uint64_t ns = 0, unit = 100000000;

	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		ns += (uint64_t)(**text - '0') * unit;
	return ns;
}

static int
take_seconds(const struct reader *r, const struct options_row *row, const char *value,
             uint64_t *ns)
{
	const char *at = value;
	uint64_t seconds = 0, fraction = 0;
	bool good = take_digits(&at, &seconds);

	if (*at == '.') {
		const char *point = ++at;

		fraction = take_fraction(&at);
		good = (good || point == value + 1) && at > point;
	}
	if (!good || *at || seconds > row->max || (seconds == row->max && fraction)
	    || !(seconds | fraction))
		return expect(r, row, "seconds, more than", "and up to", "", value);
	*ns = seconds * 1000000000 + fraction;
	return 0;
}

/* "-s5", "--summary=5", or nothing */
static int
take_summary(const struct reader *r, const struct options_row *row, const char *value)
{
	r->out->summary = true;
	return value ? take_seconds(r, row, value, &r->out->summary_ns) : 0;
}

static int
take_format(const struct reader *r, const char *value)
{
	static const char names[][12] = { "text", "json", "prometheus" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(value, names[i])) {
			r->out->format = OPTIONS_AS_TEXT + i;
			return 0;
		}
	return fail(r, "option '%s': expected text, json or prometheus, got '%s'", r->option,
	            value);
}

static int
take_kib(const struct reader *r, const struct options_row *row, const char *value,
         uint32_t *kib)
{
	uint64_t number;
	uint32_t power = 1;

	if (take_number(r, row, value, &number) < 0)
		return -1;
	while (power < number)
		power *= 2;
	*kib = power;
	return 0;
}

static int
take_pid(const struct reader *r, const struct options_row *row, const char *value)
{
	uint64_t number;

	if (take_number(r, row, value, &number) < 0)
		return -1;
	r->out->pid = (uint32_t)number;
	r->out->has_pid = true;
	return 0;
}

static int
take_text(const struct reader *r, const struct options_row *row, const char *value,
          const char **text)
{
	if (!*value)
		return fail(r, "option '%s': expected %s, got ''", r->option, row->argument);
	*text = value;
	return 0;
}

static int
take(const struct reader *r, const struct options_row *row, const char *value)
{
	void *field = (char *)r->out + row->field;

	switch (row->kind) {
	case OPTIONS_FLAG:    *(bool *)field = true; return 0;
	case OPTIONS_FLAG_TEXT:
	case OPTIONS_FLAG_WORD:
		*(const char **)field = "";
		return value ? take_text(r, row, value, field) : 0;
	case OPTIONS_FLAG_SECONDS: return take_summary(r, row, value);
	case OPTIONS_TEXT:    return take_text(r, row, value, field);
	case OPTIONS_FORMAT:  return take_format(r, value);
	case OPTIONS_COUNT:   return take_number(r, row, value, field);
	case OPTIONS_PID:     return take_pid(r, row, value);
	case OPTIONS_KIB:     return take_kib(r, row, value, field);
	case OPTIONS_LIST:    return take_ports(r, row, value);
	case OPTIONS_SECONDS: return take_seconds(r, row, value, field);
	}
	return fail(r, "option '%s' has no meaning", r->option);
}

/* name is n bytes of what was typed: a whole name, or the beginning of one only. */
static const struct options_row *
find_long(struct reader *r, const char *name, size_t n)
{
	const struct options_row *found = NULL;
	char list[128] = "";
	size_t used = 0;
	int count = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		if (strncmp(rows[i].name, name, n) != 0)
			continue;
		found = &rows[i];
		if (!rows[i].name[n])
			return found;
		if (used < sizeof(list))
			used += (size_t)text_format(list + used, sizeof(list) - used, "%s--%s",
			                            count ? ", " : "", rows[i].name);
		count++;
	}
	if (n && count == 1)
		return found;
	if (n && count > 1)
		fail(r, "option '--%.*s' is ambiguous: %s", (int)n, name, list);
	else
		fail(r, "unknown option '--%.*s'", (int)n, name);
	return NULL;
}

/* Whether the word behind an option is its value; where there must be one, it is. */
static bool
takes_word(const struct options_row *row, const char *next)
{
	if (row->kind == OPTIONS_FLAG_WORD)
		return next && *next != '-';
	return row->argument && row->kind != OPTIONS_FLAG_TEXT
	       && row->kind != OPTIONS_FLAG_SECONDS;
}

/* "--name", "--name=value", "--name" "value". Returns how many arguments it took. */
static int
take_long(struct reader *r, const char *argument, const char *next)
{
	size_t n = text_until(argument, "=");
	const struct options_row *row = find_long(r, argument, n);
	const char *value = argument[n] ? argument + n + 1 : NULL;
	bool takes_next = row && !value && takes_word(row, next);

	if (!row)
		return -1;
	text_format(r->option, sizeof(r->option), "--%s", row->name);
	if (value && !row->argument)
		return fail(r, "option '%s' takes no argument, got '%s'", r->option, value);
	if (takes_next && !next)
		return fail(r, "option '%s' needs an argument: %s", r->option, row->argument);
	return take(r, row, takes_next ? next : value) < 0 ? -1 : 1 + takes_next;
}

static const struct options_row *
find_letter(char letter)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (letter && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static bool
begins_number(char c)
{
	return (c >= '0' && c <= '9') || c == '.';
}

/* "-qt", "-c5", "-qc" "5": letters, the last of which may take the rest or the next. */
static int
take_letters(struct reader *r, const char *letters, const char *next)
{
	for (const char *p = letters; *p; p++) {
		const struct options_row *row = find_letter(*p);
		bool printable = *p > ' ' && *p < 0x7f, takes;

		if (!row)
			return printable ? fail(r, "unknown option '-%c'", *p)
			                 : fail(r, "unknown option in '-%s'", letters);
		takes = row->kind == OPTIONS_FLAG_SECONDS ? begins_number(p[1])
		                                          : row->argument != NULL;
		text_format(r->option, sizeof(r->option), "-%c", *p);
		if (takes && !p[1] && !next)
			return fail(r, "option '%s' needs an argument: %s", r->option,
			            row->argument);
		if (takes)
			return take(r, row, p[1] ? p + 1 : next) < 0 ? -1 : 1 + !p[1];
		if (take(r, row, NULL) < 0)
			return -1;
		if (r->out->help || r->out->version)
			break;
	}
	return 1;
}

/* Operands are one expression, as tcpdump has it. */
static int
add_operand(const struct reader *r, size_t *used, const char *word)
{
	char *text = r->out->expression;
	size_t n = strlen(word);

	if (n >= OPTIONS_EXPRESSION - *used - 1)
		return fail(r, "the expression is longer than %d bytes", OPTIONS_EXPRESSION - 2);
	if (*used)
		text[(*used)++] = ' ';
	memcpy(text + *used, word, n + 1);
	*used += n;
	return 1;
}

static int
exclude(const struct reader *r, const char *one, const char *other, const char *remedy)
{
	return fail(r, "options '%s' and '%s' exclude each other: %s", one, other, remedy);
}

/* "5", "0.5", "5 and ...": no expression does. */
static bool
begins_seconds(const char *text)
{
	const char *end = text;
	uint64_t number;

	take_digits(&end, &number);
	if (*end == '.')
		end++;
	take_fraction(&end);
	return end > text && (!*end || *end == ' ');
}

/* What belongs to single drops, and what to a summary. */
static int
check_summary(const struct reader *r)
{
	const struct options *o = r->out;

	if (o->summary && o->count)
		return exclude(r, "-s", "-c", "to end a summary, give '-d SECS'");
	if (o->summary && (o->extended || o->owner))
		return exclude(r, "-s", o->owner ? "-o" : "-e", "a summary has no single drops");
	if (o->summary && begins_seconds(o->expression))
		return fail(r, "option '-s': expected SECS right behind it, as in '-s5', got ' %s'",
		            o->expression);
	if (!o->summary && o->format)
		return fail(r, "option '-f' needs '-s'");
	if (!o->summary && o->json && options_writes_stdout(o))
		return exclude(r, "-j", "-w -", "write the packets to a file");
	return 0;
}

static int
check_together(const struct reader *r)
{
	if (r->out->ipv4_only && r->out->ipv6_only)
		return exclude(r, "-4", "-6", "leave both out to see both families");
	if (r->out->netns_id && r->out->pid_netns)
		return exclude(r, "--netns-id", "--pid-netns", "give one of them");
	return check_summary(r);
}

int
options_parse(struct options *out, int argc, char **argv, char *err, size_t size)
{
	struct reader r = { .out = out, .err = err, .size = size };
	bool over = false; /* "--" was there: operands follow */
	size_t used = 0;

	*out = (struct options){ 0 };
	for (int i = 1, taken; i < argc && !out->help && !out->version; i += taken) {
		const char *argument = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;

		taken = 1;
		if (!over && !strcmp(argument, "--"))
			over = true;
		else if (over || argument[0] != '-' || !argument[1])
			taken = add_operand(&r, &used, argument);
		else if (argument[1] == '-')
			taken = take_long(&r, argument + 2, next);
		else
			taken = take_letters(&r, argument + 1, next);
		if (taken < 0)
			return -1;
	}
	return out->help || out->version ? 0 : check_together(&r);
}

struct usage {
	char  *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3)))
static void
add(struct usage *t, const char *format, ...)
{
	bool fits = t->used < t->size;
	va_list ap;

	va_start(ap, format);
	t->used += (size_t)text_vformat(fits ? t->buf + t->used : NULL,
	                                fits ? t->size - t->used : 0, format, ap);
	va_end(ap);
}

static void
add_row(struct usage *t, const struct options_row *row)
{
	const char *open = row->kind == OPTIONS_FLAG_TEXT
	                   || row->kind == OPTIONS_FLAG_SECONDS ? "[="
	                 : row->kind == OPTIONS_FLAG_WORD ? " [" : row->argument ? " " : "";
	char letter[] = "-?, ", left[64];

	letter[1] = row->letter;
	text_format(left, sizeof(left), "  %4s--%s%s%s%s", row->letter ? letter : "", row->name,
	            open, row->argument ? row->argument : "", strchr(open, '[') ? "]" : "");
	add(t, "%-29s %s\n", left, row->help);
}

size_t
options_usage(char *buf, size_t size)
{
	struct usage t = { .buf = buf, .size = size };

	add(&t, "Usage: tcpdrop [options] [expression]\n"
	    "Show every TCP packet that the kernel drops: its addresses, the state of its\n"
	    "socket, the reason and the kernel stack.\n"
	    "\n");
	for (unsigned i = 0; i < ROWS; i++)
		add_row(&t, &rows[i]);
	add(&t, "\n"
	    "expression: which drops, as in tcpdump: [src|dst] host, net, port, portrange;\n"
	    "ip, ip6; reason NAME, state NAME; and, or, not, parentheses\n");
	return t.used;
}
