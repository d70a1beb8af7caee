/* SPDX-License-Identifier: MIT */
/*
 * The little of printf that messages and listings need, in a tenth of its size.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * As snprintf(3): terminated, cut at size, returns the whole length. Knows %s
 * %c %d %u %x %llu %llx %%, a width, the flags '-', '0' and '+', and %.*s.
 */
__attribute__((format(printf, 3, 4)))
int text_format(char *buf, size_t size, const char *format, ...);

int text_vformat(char *buf, size_t size, const char *format, va_list arguments);

/* The same to a file descriptor in one write(2), cut at 1023 bytes. 0 or -errno. */
__attribute__((format(printf, 2, 3)))
int text_write(int fd, const char *format, ...);

/* Makes one line of what others chose: control characters become '?'. */
void text_clean(char *line);

/* Each line of it to standard error, as a message of ours. */
void text_say(const char *lines);

/* How many bytes come before the first of stops, or the end: strcspn(3) without its table. */
size_t text_until(const char *s, const char *stops);

/* The string at number n of those that stand one behind the other, each with its zero byte. */
const char *text_nth(const char *strings, unsigned n);

/* Says that output could not be written, if error (-errno) is not 0. Exit status: 0 or 1. */
int text_unwritten(int error);

/* What an errno means, as strerror(3): of those that can come up here; "error 71" otherwise. */
const char *text_error(int number);

/* A decimal number at *p, which is moved behind it; -1: no digit, or beyond 63 bits. */
int64_t text_number(const char **p);

#endif
