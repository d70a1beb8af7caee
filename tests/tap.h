/* SPDX-License-Identifier: MIT */
/*
 * TAP for one test program: each CHECK prints one "ok" or "not ok" line and
 * gives back whether it held; main ends with return tap_end(). The name of a
 * check is a printf format with its arguments, so a table row can name itself:
 *
 *	for (size_t i = 0; i < COUNT(rows); i++)
 *		CHECK_INT(parse(rows[i].input), rows[i].want, "parse: %s", rows[i].name);
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(cond, ...)        tap_check((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
#define CHECK_INT(got, want, ...) \
	tap_check_int((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
#define CHECK_STR(got, want, ...) \
	tap_check_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define SKIP(cause, ...)        tap_skip((cause), __VA_ARGS__)

static struct {
	int run;
	int failed;
} tap;

__attribute__((format(printf, 2, 0)))
static inline bool
tap_line(bool ok, const char *name, va_list ap)
{
	printf("%s %d - ", ok ? "ok" : "not ok", ++tap.run);
	vprintf(name, ap);
	tap.failed += !ok;
	return ok;
}

__attribute__((format(printf, 5, 6)))
static inline bool
tap_check(bool ok, const char *file, int line, const char *cond, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	tap_line(ok, name, ap);
	va_end(ap);
	printf(ok ? "\n" : "\n# %s:%d: %s\n", file, line, cond);
	return ok;
}

__attribute__((format(printf, 5, 6)))
static inline bool
tap_check_int(long long got, long long want, const char *file, int line, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	tap_line(got == want, name, ap);
	va_end(ap);
	printf(got == want ? "\n" : "\n# %s:%d: got %lld, want %lld\n", file, line, got, want);
	return got == want;
}

__attribute__((format(printf, 5, 6)))
static inline bool
tap_check_str(const char *got, const char *want, const char *file, int line, const char *name, ...)
{
	bool ok = got && want ? !strcmp(got, want) : got == want;
	va_list ap;

	va_start(ap, name);
	tap_line(ok, name, ap);
	va_end(ap);
	printf(ok ? "\n" : "\n# %s:%d: got \"%s\", want \"%s\"\n", file, line,
	       got ? got : "(null)", want ? want : "(null)");
	return ok;
}

/* A skip counts as neither pass nor failure; its cause is printed. */
__attribute__((format(printf, 2, 3)))
static inline void
tap_skip(const char *cause, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	tap_line(true, name, ap);
	va_end(ap);
	printf(" # SKIP %s\n", cause);
}

static inline int
tap_end(void)
{
	printf("1..%d\n", tap.run);
	return fflush(stdout) || tap.failed || !tap.run;
}

#endif
