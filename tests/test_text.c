/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

#include "../text.h"
#include "tap.h"

/* Each conversion against what the C library makes of the same. */
#define SAME(...) \
	do { \
		char ours[128], theirs[128]; \
		int n = text_format(ours, sizeof(ours), __VA_ARGS__); \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		CHECK_STR(ours, theirs, "format: %s", #__VA_ARGS__); \
		CHECK_INT(n, m, "length: %s", #__VA_ARGS__); \
	} while (0)

static void
test_format(void)
{
	SAME("%s", "");
	SAME("plain %% text");
	SAME("%s and %s", "one", "two");
	SAME("%-4s|", "ok");
	SAME("%-12s|%s", "privileges", "x");
	SAME("%-2s|", "longer");
	SAME("%.*s|", 3, "abcdef");
	SAME("%.*s|", 0, "abcdef");
	SAME("%c%c", 'a', 'b');
	SAME("%d %d %d", 0, -1, 2147483647);
	SAME("%d", -2147483647 - 1);
	SAME("%+d %+d", 5, -5);
	SAME("%u", 4294967295u);
	SAME("%5u|%5u", 7u, 123456u);
	SAME("%x", 0xdeadbeefu);
	SAME("%02x", 7u);
	SAME("%llu", 18446744073709551615ull);
	SAME("%llx", 0xffffffff81000000ull);
}

/* Cut at every size: terminated, nothing beyond, the whole length told. */
static void
test_cut(void)
{
	unsigned wrong = 0;

	for (size_t size = 0; size <= 12; size++) {
		char buf[16];

		memset(buf, '#', sizeof(buf));
		wrong += text_format(buf, size, "%s", "0123456789") != 10;
		for (size_t i = size; i < sizeof(buf); i++)
			wrong += buf[i] != '#';
		if (size)
			wrong += strlen(buf) != (size - 1 < 10 ? size - 1 : 10);
	}
	CHECK_INT(wrong, 0, "cut at every size");
}

static void
test_number(void)
{
	static const struct {
		const char *text;
		int64_t     want;
		size_t      used;
	} rows[] = {
		{ "0", 0, 1 }, { "42,", 42, 2 }, { "007", 7, 3 }, { "", -1, 0 }, { "-1", -1, 0 },
		{ " 1", -1, 0 }, { "x", -1, 0 }, { "9223372036854775807", INT64_MAX, 19 },
		{ "9223372036854775808", -1, 0 }, { "99999999999999999999", -1, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *p = rows[i].text;
		int64_t got = text_number(&p);

		CHECK(got == rows[i].want, "number: '%s'", rows[i].text);
		if (rows[i].want >= 0)
			CHECK_INT((size_t)(p - rows[i].text), rows[i].used, "number: '%s' used",
			          rows[i].text);
	}
}

int
main(void)
{
	test_format();
	test_cut();
	test_number();
	CHECK(strlen(text_error(EPERM)) > 5, "EPERM has words");
	CHECK_STR(text_error(4095), "error 4095", "an unknown errno is its number");
	return tap_end();
}
