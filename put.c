/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "put.h"

/* The pieces are so short that a call of memcpy() takes longer. */
void
put_bytes(struct out *o, const char *bytes, size_t n)
{
	char *at = o->at;

	if (o->cut || n > (size_t)(o->end - at)) {
		o->cut = true;
		return;
	}
	o->at += n;
	while (at < o->at)
		*at++ = *bytes++;
}

void
put_char(struct out *o, char c)
{
	put_bytes(o, &c, 1);
}

void
put_text(struct out *o, const char *text)
{
	put_bytes(o, text, strlen(text));
}

void
put_digits(struct out *o, uint64_t number, unsigned base, unsigned digits)
{
	char text[20], *end = text + sizeof(text), *at = end;

	for (; number || at > end - digits; number /= base)
		*--at = "0123456789abcdef"[number % base];
	put_bytes(o, at, (size_t)(end - at));
}

void
put_number(struct out *o, uint64_t number)
{
	put_digits(o, number, 10, 1);
}
