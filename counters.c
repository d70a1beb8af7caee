/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "counters.h"
#include "names.h"
#include "text.h"

enum { EXTENDED = 25 }; /* the first are of the group TcpExt, the others of Tcp */

/*
 * A line for each counter: its name, and the reasons that say the same. Where a
 * reason stands for several counters, each has all drops of that reason.
 */
static const char rows[] =
	/* a SYN refused is consumed, so there is no event; ListenDrops has all of these */
	"ListenOverflows TCP_LISTEN_OVERFLOW\n"
	"ListenDrops TCP_LISTEN_OVERFLOW\n"
	"TCPReqQFullDrop\n"
	"PAWSPassive\n" /* to 4.11 */
	/* tcp_check_req() drops the bare ACK without a reason */
	"TCPDeferAcceptDrop\n"
	"TCPBacklogDrop SOCKET_BACKLOG\n"
	"TCPRcvQDrop PROTO_MEM\n"
	"TCPOFODrop PROTO_MEM\n"
	/* before TCPRcvQDrop the only one for a full receive queue */
	"RcvPruned PROTO_MEM\n"
	/* counts times, not packets: each time may drop several */
	"OfoPruned TCP_OFO_QUEUE_PRUNE\n"
	"TCPOFOMerge TCP_OFOMERGE\n"
	"TCPZeroWindowDrop TCP_ZEROWINDOW\n"
	/* 6.17 on; TCP_OVERWINDOW is among them in newer ones only */
	"BeyondWindow TCP_INVALID_SEQUENCE TCP_INVALID_END_SEQUENCE TCP_OVERWINDOW\n"
	"PAWSActive TCP_RFC7323_PAWS\n"
	"PAWSEstab TCP_RFC7323_PAWS\n"
	"PAWSOldAck TCP_RFC7323_PAWS_ACK\n"
	"PAWSTimewait TCP_RFC7323_TW_PAWS\n"
	"TSEcrRejected TCP_RFC7323_TSECR\n"
	"TCPMinTTLDrop TCP_MINTTL\n"
	"TCPMD5NotFound TCP_MD5NOTFOUND\n"
	"TCPMD5Unexpected TCP_MD5UNEXPECTED\n"
	"TCPMD5Failure TCP_MD5FAILURE\n"
	"TCPAORequired TCP_AONOTFOUND\n"
	"TCPAOKeyNotFound TCP_AOKEYNOTFOUND TCP_AOUNEXPECTED\n"
	"TCPAOBad TCP_AOFAILURE\n"
	/* tcp_validate_incoming() takes a SYN on a connection for an error */
	"InErrs TCP_CSUM PKT_TOO_SMALL TCP_INVALID_SYN\n"
	"InCsumErrors TCP_CSUM\n";

/* ---- lines and words ---- */

/* The next word of a line; its length, 0 at the end. */
static size_t
take_word(const char **p, const char **word)
{
	size_t n;

	while (**p == ' ')
		++*p;
	*word = *p;
	n = text_until(*p, " \n");
	*p += n;
	return n;
}

static bool
is(const char *word, size_t n, const char *want)
{
	return !strncmp(word, want, n) && !want[n];
}

static const char *
next_line(const char *p)
{
	while (*p && *p++ != '\n')
		;
	return p;
}

static const char *
row(unsigned i)
{
	const char *p = rows;

	while (i--)
		p = next_line(p);
	return p;
}

void
counters_name(char *buf, size_t size, unsigned i)
{
	const char *p = row(i), *name;
	size_t n = take_word(&p, &name);

	text_format(buf, size, "%s%.*s", i < EXTENDED ? "TcpExt" : "Tcp", (int)n, name);
}

/* ---- reading ---- */

/* The two lines of a group, behind its name, whose counters are those from first to end. */
static void
parse_group(struct counters *c, unsigned first, unsigned end, const char *names,
            const char *values)
{
	const char *name, *value;
	size_t n, digits;

	while ((n = take_word(&names, &name)) && (digits = take_word(&values, &value))) {
		const char *p = row(first), *known, *end_of_value = value;
		int64_t number = text_number(&end_of_value);
		unsigned i = first;

		for (; i < end && (take_word(&p, &known) != n || strncmp(name, known, n)); i++)
			p = next_line(p);
		/* not "-1", which MaxConn is */
		if (i < end && number >= 0 && end_of_value == value + digits) {
			c->value[i] = (uint64_t)number;
			c->known |= 1u << i;
		}
	}
}

void
counters_parse(struct counters *c, const char *text)
{
	for (const char *next; *text; text = next) {
		size_t n = text_until(text, ":\n");

		next = next_line(text);
		if (text[n] != ':' || strncmp(text, next, n + 1))
			continue;
		if (is(text, n, "TcpExt"))
			parse_group(c, 0, EXTENDED, text + n + 1, next + n + 1);
		else if (is(text, n, "Tcp"))
			parse_group(c, EXTENDED, COUNTERS, text + n + 1, next + n + 1);
		next = next_line(next);
	}
}

uint64_t
counters_rise(const struct counters *before, const struct counters *after, unsigned i)
{
	if (!(before->known & after->known & 1u << i) || after->value[i] < before->value[i])
		return 0;
	return after->value[i] - before->value[i];
}

/* ---- the table ---- */

struct table {
	char  *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3)))
static void
add(struct table *t, const char *format, ...)
{
	va_list arguments;
	size_t left = t->used < t->size ? t->size - t->used : 0;

	va_start(arguments, format);
	t->used += (size_t)text_vformat(t->buf + (left ? t->used : 0), left, format, arguments);
	va_end(arguments);
}

/* The number of a reason; NAMES_REASONS: this kernel has no such one. */
static unsigned
find_reason(const struct names *names, const char *word, size_t n)
{
	unsigned code = 0;

	for (; code < NAMES_REASONS; code++) {
		const char *name = names_reason(names, code);

		if (name && is(word, n, name))
			break;
	}
	return code;
}

/* A line for each reason of which drops were shown; one if there are none. */
static void
add_row(struct table *t, unsigned i, uint64_t rise, const uint64_t *shown,
        const struct names *names)
{
	const char *p = row(i), *word, *known = NULL;
	char counter[COUNTERS_NAME];
	bool any = false;
	size_t n;

	counters_name(counter, sizeof(counter), i);
	add(t, "%-24s %8llu", counter, (unsigned long long)rise);
	take_word(&p, &word);
	while ((n = take_word(&p, &word))) {
		unsigned code = find_reason(names, word, n);

		if (code == NAMES_REASONS)
			continue;
		known = known ? known : names_reason(names, code);
		if (!shown[code])
			continue;
		if (any)
			add(t, "%33s", "");
		add(t, " %8llu  %.*s\n", (unsigned long long)shown[code], (int)n, word);
		any = true;
	}
	if (!any)
		add(t, known ? " %8s  %s\n" : " %8s\n", known ? "0" : "-", known);
}

size_t
counters_table(char *buf, size_t size, const struct counters *before,
               const struct counters *after, const uint64_t *shown, const struct names *names)
{
	struct table t = { .buf = buf, .size = size };

	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t rise = counters_rise(before, after, i);

		if (rise && !t.used)
			add(&t, "%-24s %8s %8s  %s\n", "COUNTER", "COUNTED", "SHOWN", "REASON");
		if (rise)
			add_row(&t, i, rise, shown, names);
	}
	return t.used;
}
