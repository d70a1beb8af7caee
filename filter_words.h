/* SPDX-License-Identifier: MIT */
/* The words of an expression that stand for numbers: addresses and ports. */
#ifndef FILTER_WORDS_H
#define FILTER_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One to four decimal numbers with dots between; the rest is 0. How many, or 0: it is none. */
unsigned filter_words_ipv4(const char *s, size_t n, uint8_t to[4]);

/* All forms of RFC 4291. */
bool filter_words_ipv6(const char *s, size_t n, uint8_t to[16]);

/* A decimal number from 0 to max; -1: it is none. */
int32_t filter_words_number(const char *s, size_t n, int32_t max);

/* A number, or one of the common names; -1: it is none. */
int32_t filter_words_port(const char *s, size_t n);

#endif
