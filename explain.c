/* SPDX-License-Identifier: MIT */
/*
 * The texts are paragraphs of explain.txt: a line or more of names with ", "
 * between them, then lines that begin with blanks.
 *
 * Sources: the reasons of include/net/dropreason-core.h, 5.17 to 7.3, and of
 * net/openvswitch/drop.h; the functions that free a packet as dropped in 4.4 to
 * 5.16, and so stand first in the stack; counters of net/ipv4/proc.c and
 * net/ipv6/proc.c.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "explain.h"
#include "names.h"
#include "text.h"
#include "texts.h"

const char *
explain_all(void)
{
	return texts_get(TEXTS_EXPLAIN, 0);
}

/* Behind the paragraph at s, with the end of its last line. */
static const char *
paragraph_end(const char *s)
{
	while (*s && !(s[0] == '\n' && s[1] == '\n'))
		s++;
	return s + (*s == '\n');
}

/* Goes through the names of all paragraphs; begins as all zero bytes. */
struct names_cursor {
	const char *paragraph;
	const char *next;
};

static const char *
next_name(struct names_cursor *c, size_t *length)
{
	const char *name;

	while (!c->next) {
		const char *end = c->paragraph ? paragraph_end(c->paragraph) : NULL;

		c->paragraph = end ? end + (*end == '\n') : explain_all();
		if (!*c->paragraph)
			return NULL;
		c->next = *c->paragraph == '#' ? NULL : c->paragraph;
	}
	name = c->next;
	*length = text_until(name, ",\n");
	c->next = name[*length] == ',' ? name + *length + 2 : NULL;
	return name;
}

static const char *
whole(const char *paragraph, size_t *size)
{
	*size = (size_t)(paragraph_end(paragraph) - paragraph);
	return paragraph;
}

/* A name without what may stand around it; its length goes to *n. */
static const char *
bare(const char *name, size_t *n)
{
	name = names_bare(name);
	*n = text_until(name, "+. ");
	return name;
}

const char *
explain_name(const char *name, size_t *size)
{
	struct names_cursor c = { 0 };
	const char *known;
	size_t n, length;

	name = bare(name, &n);
	while ((known = next_name(&c, &length)))
		if (length == n && !strncasecmp(known, name, n))
			return whole(c.paragraph, size);
	return NULL;
}

/*
 * Two subsystems have reasons: mac80211, whose frames are no TCP packets yet,
 * and openvswitch, which is 3 where mac80211 has two lists (6.14) and 2 where
 * it has one. Its names are in the text in the order of their numbers, from 1.
 */
const char *
explain_subsystem(uint32_t reason, size_t *size)
{
	static const char prefix[] = "OVS_DROP_";
	uint32_t subsystem = reason >> 16, number = reason & 0xffff;
	struct names_cursor c = { 0 };
	const char *known;
	size_t length;

	if (subsystem != 2 && subsystem != 3)
		return NULL;
	while ((known = next_name(&c, &length)))
		if (!strncmp(known, prefix, sizeof(prefix) - 1) && !--number)
			return whole(c.paragraph, size);
	return NULL;
}

enum {
	LIKE_BEGIN = 3,         /* so much of the beginning must be the same */
	LIKE_PART  = 1000,      /* more than any beginning */
};

static size_t
likeness(const char *known, size_t length, const char *name, size_t n)
{
	size_t same = 0;

	for (size_t i = 0; n && i + n <= length; i++)
		if (!strncasecmp(known + i, name, n))
			return LIKE_PART;
	while (same < length && same < n && !strncasecmp(known, name, same + 1))
		same++;
	return same;
}

size_t
explain_near(char *buf, size_t size, const char *name)
{
	static const char more[] = ", ...";
	struct names_cursor c = { 0 };
	size_t n, length, best = LIKE_BEGIN, used = 0;
	const char *known;

	name = bare(name, &n);
	while ((known = next_name(&c, &length))) {
		size_t like = likeness(known, length, name, n);

		best = like > best ? like : best;
	}
	for (c.paragraph = NULL; (known = next_name(&c, &length)); ) {
		bool fits = used + 2 + length + sizeof(more) <= size;

		if (likeness(known, length, name, n) != best)
			continue;
		used += (size_t)text_format(buf + used, size - used, "%s%.*s", used ? ", " : "",
		                            fits ? (int)length : 3, fits ? known : "...");
		if (!fits)
			break;
	}
	return used;
}
