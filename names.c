/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "names.h"
#include "reasons.h"
#include "text.h"
#include "texts.h"

/* enum of include/net/tcp_states.h, 6.8 on (BOUND_INACTIVE; 4.4 has the rest) */
static const char states[] = /* the first is 1 */
	"ESTABLISHED\0" "SYN_SENT\0" "SYN_RECV\0" "FIN_WAIT1\0" "FIN_WAIT2\0"
	"TIME_WAIT\0" "CLOSE\0" "CLOSE_WAIT\0" "LAST_ACK\0" "LISTEN\0"
	"CLOSING\0" "NEW_SYN_RECV\0" "BOUND_INACTIVE\0";

/* byte 13 of the TCP header, RFC 9293, and NS above it, RFC 3540 */
static const char flags_names[][4] = {
	"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS",
};

enum {
	STATES = 13,
	FLAGS  = sizeof(flags_names) / sizeof(flags_names[0]),
	NAMES_LONGEST = 64,
};

const char *
names_bare(const char *name)
{
	size_t n = sizeof(NAMES_PREFIX) - 1;

	return strncasecmp(name, NAMES_PREFIX, n) ? name : name + n;
}

static void
skip_blanks(const char **s)
{
	while (**s == ' ' || **s == '\t' || **s == '\n')
		++*s;
}

static bool
take(const char **s, char want)
{
	skip_blanks(s);
	if (**s != want)
		return false;
	++*s;
	return true;
}

static bool
is_name_byte(char c)
{
	return (c >= '0' && c <= '9') || c == '_' || ((c |= 0x20) >= 'a' && c <= 'z');
}

/* Its length; 0 is none. */
static size_t
take_name(const char **s, const char **name)
{
	size_t n, skip = sizeof(NAMES_PREFIX) - 1;

	if (!take(s, '"'))
		return 0;
	for (*name = *s; is_name_byte(**s); ++*s)
		;
	n = (size_t)(*s - *name);
	if (!take(s, '"'))
		return 0;
	if (n <= skip || memcmp(*name, NAMES_PREFIX, skip))
		return n;
	*name += skip;
	return n - skip;
}

/*
 * { 2, "NOT_SPECIFIED" }, ... MAX is the end of the enum, no reason. A number
 * that the kernel did not resolve stands as a word, and is passed over. The
 * names move to the front of text, behind an empty one.
 */
static bool
parse_entries(char *text, uint16_t *at)
{
	const char *s = text, *name;
	size_t used = 1, n;

	while (take(&s, '{')) {
		uint64_t code;

		skip_blanks(&s);
		code = (uint64_t)text_number(&s);
		if (take(&s, ',') && (n = take_name(&s, &name)) && code < NAMES_REASONS
		    && !at[code] && used + n < UINT16_MAX && (n != 3 || memcmp(name, "MAX", 3))) {
			at[code] = (uint16_t)used;
			memmove(text + used, name, n);
			used += n;
			text[used++] = '\0';
		}
		s += text_until(s, "})");
		if (!take(&s, '}') || !take(&s, ','))
			break;
	}
	text[0] = '\0';
	return used > 1;
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
	uint16_t at[NAMES_REASONS] = { 0 };
	char *owned;

	if (!list)
		return -ENOENT;
	list += sizeof(start) - 1;
	n -= (size_t)(list - text);
	owned = memory_resize(NULL, n + 1); /* its last byte is zero */
	if (!owned)
		return -ENOMEM;
	memcpy(owned, list, n);
	if (!parse_entries(owned, at)) {
		memory_free(owned);
		return -ENOENT;
	}
	names_free(names);
	names->text = names->owned = owned;
	names->source = NAMES_FORMAT;
	memcpy(names->at, at, sizeof(at));
	return 0;
}

int
names_builtin(struct names *names, uint32_t version_code)
{
	const struct reasons *row = reasons_table;
	const char *s;
	const uint8_t *absent = reasons_absent;

	while (version_code < row->first || version_code > row->last)
		if (++row == reasons_table + REASONS_ROWS)
			return -ENOENT;
	names_free(names);
	for (unsigned list = 0; list < row->list; absent++)
		list += *absent == REASONS_NAMES;
	s = texts_get(TEXTS_REASONS, 0);
	names->text = s - 1; /* there, a zero byte ends the text before */
	for (uint32_t i = 0, code = 0; code < row->count; i++, s += strlen(s) + 1) {
		if (i == *absent)
			absent++;
		else
			names->at[code++] = (uint16_t)(s - names->text);
	}
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
	name = names_bare(name);
	for (uint32_t i = 0; i < NAMES_REASONS; i++) {
		if (names->at[i] && !strncasecmp(names->text + names->at[i], name, NAMES_LONGEST)) {
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
	const char *second = names_reason(names, 2);

	for (uint32_t i = 0; i < NAMES_REASONS; i++) {
		const char *name = names_reason(names, i);

		/* "SKB_CONSUMED" in the enum, perhaps "CONSUMED" in a format file to come */
		if (name && strlen(name) >= 8 && !strcmp(name + strlen(name) - 8, "CONSUMED")) {
			*code = i;
			return true;
		}
	}
	if (names_reason(names, 1) || !second || strcmp(second, "NOT_SPECIFIED") != 0)
		return false;
	*code = 1;
	return true;
}

const char *
names_state(uint8_t state)
{
	return state && state <= STATES ? text_nth(states, state - 1u) : NULL;
}

int
names_state_code(const char *name, uint8_t *state)
{
	for (uint8_t i = 1; i <= STATES; i++) {
		if (!strncasecmp(names_state(i), name, NAMES_LONGEST)) {
			*state = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Appends a word to those of start; returns the new end. */
static char *
word_add(char *start, char *end, const char *word)
{
	if (end > start)
		*end++ = '|';
	while ((*end = *word++))
		end++;
	return end;
}

size_t
names_flags(char buf[NAMES_FLAGS], uint16_t flags)
{
	unsigned rest = flags & ~0u << FLAGS;
	char number[8], *end = buf;

	for (unsigned i = 0; i < FLAGS; i++)
		if (flags & 1u << i)
			end = word_add(buf, end, flags_names[i]);
	if (rest) {
		text_format(number, sizeof(number), "0x%04x", rest);
		end = word_add(buf, end, number);
	}
	if (!flags)
		end = word_add(buf, end, "none");
	return (size_t)(end - buf);
}
