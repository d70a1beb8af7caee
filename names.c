/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "names.h"
#include "reasons.h"

/* enum of include/net/tcp_states.h, 6.8 on (BOUND_INACTIVE; 4.4 has the rest) */
static const char *const states[] = {
	[1]  = "ESTABLISHED",
	[2]  = "SYN_SENT",
	[3]  = "SYN_RECV",
	[4]  = "FIN_WAIT1",
	[5]  = "FIN_WAIT2",
	[6]  = "TIME_WAIT",
	[7]  = "CLOSE",
	[8]  = "CLOSE_WAIT",
	[9]  = "LAST_ACK",
	[10] = "LISTEN",
	[11] = "CLOSING",
	[12] = "NEW_SYN_RECV",
	[13] = "BOUND_INACTIVE",
};

/* byte 13 of the TCP header, RFC 9293, and NS above it, RFC 3540 */
static const char flags_names[][4] = {
	"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS",
};

enum {
	STATES = sizeof(states) / sizeof(states[0]),
	FLAGS  = sizeof(flags_names) / sizeof(flags_names[0]),
};

static const char prefix[] = "SKB_DROP_REASON_";

static const char *
without_prefix(const char *name)
{
	size_t n = sizeof(prefix) - 1;

	return strncasecmp(name, prefix, n) ? name : name + n;
}

/* A place in the text of a format file */
struct cursor {
	const char *at;
	const char *end;
};

static void
skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n'))
		c->at++;
}

static bool
take(struct cursor *c, char want)
{
	skip_blanks(c);
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* decimal or 0x; a number too large for a core reason is any such number */
static bool
take_number(struct cursor *c, uint32_t *number)
{
	const char *start;
	int base = 10;

	skip_blanks(c);
	if (c->end - c->at > 2 && c->at[0] == '0' && (c->at[1] | 0x20) == 'x') {
		base = 16;
		c->at += 2;
	}
	*number = 0;
	for (start = c->at; c->at < c->end && digit_of(*c->at) < base; c->at++)
		if (*number < NAMES_REASONS)
			*number = *number * (uint32_t)base + (uint32_t)digit_of(*c->at);
	return c->at > start;
}

static bool
is_name_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool
take_name(struct cursor *c, const char **name, size_t *n)
{
	if (!take(c, '"'))
		return false;
	*name = c->at;
	while (c->at < c->end && is_name_byte(*c->at))
		c->at++;
	*n = (size_t)(c->at - *name);
	return take(c, '"');
}

static void
skip_entry(struct cursor *c)
{
	while (c->at < c->end && *c->at != '}' && *c->at != ')')
		c->at++;
}

/* Appends a name to the text; 0 when it does not fit. */
static uint16_t
text_add(char *text, size_t *used, const char *name, size_t n)
{
	size_t at = *used;

	if (at + n + 1 > UINT16_MAX)
		return 0;
	memcpy(text + at, name, n);
	text[at + n] = '\0';
	*used += n + 1;
	return (uint16_t)at;
}

/* { 2, "NOT_SPECIFIED" }, ... MAX is the end of the enum, no reason. A number
 * that the kernel did not resolve stands as a word, and is passed over. */
static uint32_t
parse_entries(struct cursor *c, uint16_t *at, char *text, size_t *used)
{
	uint32_t found = 0;

	while (take(c, '{')) {
		uint32_t code;
		const char *name;
		size_t n;

		if (take_number(c, &code) && take(c, ',') && take_name(c, &name, &n)) {
			if (n > sizeof(prefix) - 1 && !memcmp(name, prefix, sizeof(prefix) - 1)) {
				name += sizeof(prefix) - 1;
				n -= sizeof(prefix) - 1;
			}
			if (n && code < NAMES_REASONS && !at[code] &&
			    (n != 3 || memcmp(name, "MAX", 3))) {
				at[code] = text_add(text, used, name, n);
				found += at[code] != 0;
			}
		}
		skip_entry(c);
		if (!take(c, '}') || !take(c, ','))
			break;
	}
	return found;
}

static const char *
find(const char *text, size_t n, const char *part, size_t length)
{
	for (; n >= length; text++, n--)
		if (!memcmp(text, part, length))
			return text;
	return NULL;
}

int
names_parse_format(struct names *names, const char *text, size_t n)
{
	static const char start[] = "__print_symbolic(REC->reason,";
	const char *list = find(text, n, start, sizeof(start) - 1);
	struct cursor c = { NULL, text + n };
	uint16_t at[NAMES_REASONS] = { 0 };
	char *owned;
	size_t used = 1;

	if (!list)
		return -ENOENT;
	c.at = list + sizeof(start) - 1;
	owned = memory_resize(NULL, (size_t)(c.end - c.at) + 2); /* each entry is longer than its name */
	if (!owned)
		return -ENOMEM;
	owned[0] = '\0';
	if (!parse_entries(&c, at, owned, &used)) {
		memory_free(owned);
		return -ENOENT;
	}
	names_free(names);
	names->owned = owned;
	names->text = names->owned;
	names->source = NAMES_FORMAT;
	memcpy(names->at, at, sizeof(at));
	return 0;
}

int
names_builtin(struct names *names, uint32_t version_code)
{
	const struct reasons *row = reasons_table;
	uint16_t where[REASONS_NAMES];
	const char *s = reasons_text + 1;

	while (row < reasons_table + REASONS_ROWS &&
	       (version_code < row->first || version_code > row->last))
		row++;
	if (row == reasons_table + REASONS_ROWS)
		return -ENOENT;
	for (uint32_t i = 0; i < REASONS_NAMES; i++) {
		where[i] = (uint16_t)(s - reasons_text);
		s += strlen(s) + 1;
	}
	names_free(names);
	for (uint32_t code = 0; code < row->count; code++)
		names->at[code] = where[row->list[code]];
	names->text = reasons_text;
	names->source = NAMES_BUILTIN;
	return 0;
}

void
names_free(struct names *names)
{
	memory_free(names->owned);
	*names = (struct names){ 0 };
}

const char *
names_reason(const struct names *names, uint32_t reason)
{
	if (reason >= NAMES_REASONS || !names->at[reason])
		return NULL;
	return names->text + names->at[reason];
}

int
names_reason_code(const struct names *names, const char *name, uint32_t *code)
{
	name = without_prefix(name);
	for (uint32_t i = 0; i < NAMES_REASONS; i++) {
		if (names->at[i] && !strcasecmp(names->text + names->at[i], name)) {
			*code = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* The format file leaves out what is no drop: include/trace/events/skb.h lists
 * from NOT_SPECIFIED on, and the enum has SKB_NOT_DROPPED_YET at 0 and, where
 * there is one, SKB_CONSUMED right after it, before NOT_SPECIFIED. */
bool
names_consumed(const struct names *names, uint32_t *code)
{
	uint32_t not_specified;

	if (!names_reason_code(names, "SKB_CONSUMED", code) ||
	    !names_reason_code(names, "CONSUMED", code))
		return true;
	if (names->source != NAMES_FORMAT || names->at[1])
		return false;
	if (names_reason_code(names, "NOT_SPECIFIED", &not_specified) || not_specified != 2)
		return false;
	*code = 1;
	return true;
}

const char *
names_state(uint8_t state)
{
	return state < STATES ? states[state] : NULL;
}

int
names_state_code(const char *name, uint8_t *state)
{
	for (uint8_t i = 1; i < STATES; i++) {
		if (!strcasecmp(states[i], name)) {
			*state = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Appends a word whole or not at all. */
static size_t
word_add(char *buf, size_t size, size_t used, const char *word)
{
	size_t n = strlen(word), bar = used ? 1 : 0;

	if (used + bar + n >= size)
		return used;
	if (bar)
		buf[used] = '|';
	memcpy(buf + used + bar, word, n + 1);
	return used + bar + n;
}

size_t
names_flags(char *buf, size_t size, uint16_t flags)
{
	static const char digits[] = "0123456789abcdef";
	unsigned rest = flags & ~0u << FLAGS;
	size_t used = 0;

	if (!size)
		return 0;
	buf[0] = '\0';
	if (!flags)
		return word_add(buf, size, used, "none");
	for (unsigned i = 0; i < FLAGS; i++)
		if (flags & 1u << i)
			used = word_add(buf, size, used, flags_names[i]);
	if (rest) {
		char number[] = "0x0000";

		for (unsigned i = 0; i < 4; i++)
			number[5 - i] = digits[rest >> 4 * i & 15];
		used = word_add(buf, size, used, number);
	}
	return used;
}
