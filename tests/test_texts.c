/* SPDX-License-Identifier: MIT */
/* Run from the project's root. That they are the texts in the sources, tests/check_packed tells. */
#include <stdio.h>
#include <string.h>

#include "../packed.h"
#include "../reasons.h"
#include "../texts.h"
#include "tap.h"

/* How many strings there are in a text. */
static unsigned
strings(enum texts which)
{
	const char *s = texts_get(which, 0);
	const char *end = s + packed_starts[which + 1] - packed_starts[which];
	unsigned n = 0;

	CHECK(s < end && !end[-1], "text %d: whole strings", (int)which);
	for (; s < end; s++)
		n += !*s;
	return n;
}

/* How often a word is in a file. */
static unsigned
times(const char *path, const char *word)
{
	static char text[65536];
	FILE *f = fopen(path, "r");
	unsigned n = 0;

	text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
	if (f)
		fclose(f);
	for (const char *s = text; (s = strstr(s, word)); s++)
		n++;
	return n;
}

int
main(void)
{
	CHECK_INT(strings(TEXTS_EXPLAIN), 1, "explain.txt is one string");
	CHECK_INT(strings(TEXTS_REASONS), REASONS_NAMES, "a name for each number");
	CHECK_INT(strings(TEXTS_REMEDIES), times("advice.c", "\tREMEDY("), "a text for each row");
	CHECK_STR(texts_get(TEXTS_REASONS, 0), "SKB_NOT_DROPPED_YET", "the first reason");
	CHECK_STR(texts_get(TEXTS_REASONS, 11), "SOCKET_FILTER", "one that has moved");
	CHECK_STR(texts_get(TEXTS_REASONS, REASONS_NAMES - 1), "RECURSION_LIMIT", "the last");
	CHECK_STR(texts_get(TEXTS_REMEDIES, 2), "make the rings smaller (-B) or raise the limit on "
	          "locked memory ('ulimit -l unlimited', sysctl kernel.perf_event_mlock_kb)",
	          "one of several literals");
	CHECK(texts_get(TEXTS_REMEDIES, 0) == texts_get(TEXTS_REMEDIES, 0), "they stay");
	return tap_end();
}
