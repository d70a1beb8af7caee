/* SPDX-License-Identifier: MIT */
/*
 * Bytes, text and numbers into a caller's buffer. No stdio: a flood of drops is
 * when speed matters. Every byte goes through put_bytes(), which is where the
 * end of the buffer is guarded.
 */
#ifndef PUT_H
#define PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
	char *at;
	char *end;
	bool  cut;  /* something did not fit */
};

/* How many bytes stand in buf, where it began; 0: they did not fit. */
size_t put_finish(const struct out *, const char *buf);

void put_bytes(struct out *, const char *bytes, size_t n);
void put_char(struct out *, char c);
void put_text(struct out *, const char *text);

/* At least digits of them, which is at most 20. */
void put_digits(struct out *, uint64_t number, unsigned base, unsigned digits);

/* In decimal; in hexadecimal without "0x". */
void put_number(struct out *, uint64_t number);
void put_hex(struct out *, uint64_t number);

/* ip: 4 or 6; in network byte order. IPv6 as RFC 5952 has it. */
void put_address(struct out *, uint8_t ip, const uint8_t *address);

/* Text of others, made harmless as format.h says: at most max bytes, cut between characters. */
void put_escaped(struct out *, const char *text, size_t max, bool json);

/* How many characters of UTF-8 text to end has, or how many cells of a terminal they take. */
unsigned put_width(const char *text, const char *end, bool cells);

#endif
