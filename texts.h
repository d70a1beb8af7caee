/* SPDX-License-Identifier: MIT */
/*
 * Texts that are seldom needed. They are packed in packed.c, which tests/pack
 * makes of them, and unpacked when the first is asked for.
 */
#ifndef TEXTS_H
#define TEXTS_H

enum {
	TEXTS_ROOM = 32 * 1024, /* for all, unpacked */
};

/* Where they come from; each is one string or more, each with its zero byte. */
enum texts {
	TEXTS_EXPLAIN,          /* explain.txt, as it is */
	TEXTS_REASONS,          /* the names in reasons.c */
	TEXTS_REMEDIES,         /* those in advice.c */
	TEXTS,
};

/* The first string is 0. Each stays where it is. */
const char *texts_get(enum texts which, unsigned string);

#endif
