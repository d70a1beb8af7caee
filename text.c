/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

struct out {
	char  *buf;
	size_t size;
	size_t used; /* may pass size: the length it would have */
};

/* One conversion, as far as it is parsed. */
struct field {
	bool left, zero, plus, wide;
	int  width;
	int  precision; /* -1: none */
};

static void
put(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->buf[o->used] = c;
	o->used++;
}

static void
pad(struct out *o, int n, char c)
{
	while (n-- > 0)
		put(o, c);
}

static void
put_string(struct out *o, const struct field *f, const char *s)
{
	size_t n = 0;

	while (s[n] && (f->precision < 0 || n < (size_t)f->precision))
		n++;
	if (!f->left)
		pad(o, f->width - (int)n, ' ');
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (f->left)
		pad(o, f->width - (int)n, ' ');
}

static void
put_number(struct out *o, const struct field *f, uint64_t value, unsigned base, char sign)
{
	char digits[24];
	int n = 0, length;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	length = n + (sign != '\0');
	if (!f->left && !f->zero)
		pad(o, f->width - length, ' ');
	if (sign)
		put(o, sign);
	if (f->zero)
		pad(o, f->width - length, '0');
	while (n)
		put(o, digits[--n]);
	if (f->left)
		pad(o, f->width - length, ' ');
}

static const char *
parse_field(const char *p, struct field *f, va_list *arguments)
{
	*f = (struct field){ .precision = -1 };
	for (; *p == '-' || *p == '0' || *p == '+'; p++) {
		f->left |= *p == '-';
		f->zero |= *p == '0';
		f->plus |= *p == '+';
	}
	for (; *p >= '0' && *p <= '9'; p++)
		f->width = f->width * 10 + *p - '0';
	if (p[0] == '.' && p[1] == '*') {
		f->precision = va_arg(*arguments, int);
		p += 2;
	}
	for (; *p == 'l'; p++)
		f->wide = true;
	return p;
}

static void
put_argument(struct out *o, const struct field *f, char kind, va_list *arguments)
{
	uint64_t value;
	int number;

	switch (kind) {
	case 's':
		put_string(o, f, va_arg(*arguments, const char *));
		break;
	case 'd':
		number = va_arg(*arguments, int);
		value = number < 0 ? -(uint64_t)number : (uint64_t)number;
		put_number(o, f, value, 10, number < 0 ? '-' : f->plus ? '+' : '\0');
		break;
	case 'u':
	case 'x':
		value = f->wide ? va_arg(*arguments, unsigned long long)
		                : va_arg(*arguments, unsigned);
		put_number(o, f, value, kind == 'u' ? 10 : 16, '\0');
		break;
	case 'c':
		put(o, (char)va_arg(*arguments, int));
		break;
	default:
		put(o, kind);
		break;
	}
}

int
text_vformat(char *buf, size_t size, const char *format, va_list outer)
{
	struct out o = { .buf = buf, .size = size };
	va_list arguments;

	va_copy(arguments, outer);
	for (const char *p = format; *p; p++) {
		struct field f;

		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		p = parse_field(p + 1, &f, &arguments);
		put_argument(&o, &f, *p, &arguments);
	}
	va_end(arguments);
	if (size)
		buf[o.used < size ? o.used : size - 1] = '\0';
	return (int)o.used;
}

int
text_format(char *buf, size_t size, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = text_vformat(buf, size, format, arguments);
	va_end(arguments);
	return n;
}

int
text_write(int fd, const char *format, ...)
{
	char buf[1024];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = text_vformat(buf, sizeof(buf), format, arguments);
	va_end(arguments);
	if (n > (int)sizeof(buf) - 1)
		n = (int)sizeof(buf) - 1;
	return write(fd, buf, (size_t)n) == n ? 0 : errno ? -errno : -EIO;
}

void
text_say(const char *lines)
{
	while (*lines) {
		size_t n = text_until(lines, "\n");

		text_write(2, "tcpdrop: %.*s\n", (int)n, lines);
		lines += n + (lines[n] == '\n');
	}
}

void
text_clean(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
}

size_t
text_until(const char *s, const char *stops)
{
	size_t n = 0;

	for (; s[n]; n++)
		for (const char *stop = stops; *stop; stop++)
			if (s[n] == *stop)
				return n;
	return n;
}

int64_t
text_number(const char **p)
{
	const char *start = *p;
	int64_t value = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (__builtin_mul_overflow(value, 10, &value)
		    || __builtin_add_overflow(value, **p - '0', &value))
			return -1;
	}
	return *p == start ? -1 : value;
}

const char *
text_nth(const char *strings, unsigned n)
{
	while (n--)
		strings += strlen(strings) + 1;
	return strings;
}

#define ERRORS(X) \
	X(EPERM, "Operation not permitted") \
	X(ENOENT, "No such file or directory") \
	X(EIO, "I/O error") \
	X(E2BIG, "Argument list too long") \
	X(ENOMEM, "Out of memory") \
	X(EACCES, "Permission denied") \
	X(EBUSY, "Resource busy") \
	X(EEXIST, "File exists") \
	X(ENODEV, "No such device") \
	X(EINVAL, "Invalid argument") \
	X(ENFILE, "Too many open files in system") \
	X(EMFILE, "Too many open files") \
	X(ENOSPC, "No space left on device") \
	X(EPIPE, "Broken pipe") \
	X(ERANGE, "Out of range") \
	X(ENOSYS, "Function not implemented") \
	X(ENODATA, "No data available") \
	X(ENOTDIR, "Not a directory") \
	X(EISDIR, "Is a directory") \
	X(EFBIG, "File too large") \
	X(EROFS, "Read-only file system") \
	X(ENAMETOOLONG, "File name too long") \
	X(EBADF, "Bad file descriptor")

const char *
text_error(int number)
{
	static const uint8_t numbers[] = {
#define X(number, text) number,
		ERRORS(X)
#undef X
	};
	static const char texts[] =
#define X(number, text) text "\0"
		ERRORS(X)
#undef X
		;
	static char unknown[24];

	for (unsigned i = 0; i < sizeof(numbers); i++)
		if (numbers[i] == number)
			return text_nth(texts, i);
	text_format(unknown, sizeof(unknown), "error %d", number);
	return unknown;
}

int
text_unwritten(int error)
{
	if (error)
		text_write(STDERR_FILENO, "tcpdrop: write: %s\n", text_error(-error));
	return error != 0;
}
