/* SPDX-License-Identifier: MIT */
/*
 * The kernel's numbers to words: TCP states, TCP flags, and the reasons of the
 * running kernel. A struct names begins as all zero bytes, which is one that
 * knows no reasons.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_PREFIX "SKB_DROP_REASON_" /* what the kernel has before each reason */

enum {
	NAMES_REASONS = 512,    /* core reasons are below; 129 on 6.18 */
	NAMES_FLAGS   = 48,     /* room for any text of names_flags() */
};

enum names_source {
	NAMES_NONE,             /* no reasons known */
	NAMES_FORMAT,           /* the kernel's own list */
	NAMES_BUILTIN,          /* our table for exactly this kernel */
};

struct names {
	enum names_source source;
	const char       *text;                 /* names, each with its zero byte */
	char             *owned;                /* text, when it is ours to free */
	uint16_t          at[NAMES_REASONS];    /* where in text; 0: no name */
};

/* Takes the reasons from n bytes of events/skb/kfree_skb/format in tracefs.
 * 0, -ENOENT when it has none (before 5.17), -ENOMEM. Nothing changes then. */
int names_parse_format(struct names *names, const char *text, size_t n);

/* Takes the reasons from the built-in table for LINUX_VERSION_CODE
 * version_code. 0, or -ENOENT when the list of exactly this kernel is not
 * known: that of a neighbour would be wrong. */
int names_builtin(struct names *names, uint32_t version_code);

void names_free(struct names *names);

/* The name without SKB_DROP_REASON_ in any case, if it begins so. */
const char *names_bare(const char *name);

/* Without SKB_DROP_REASON_. NULL: not known, and reasons of subsystems, which
 * have a number in the high 16 bits. */
const char *names_reason(const struct names *names, uint32_t reason);

/* The number of a name in any case, with or without SKB_DROP_REASON_: 0 or
 * -ENOENT. */
int names_reason_code(const struct names *names, const char *name, uint32_t *code);

/* The number of SKB_CONSUMED, which is no drop; false on kernels without it. */
bool names_consumed(const struct names *names, uint32_t *code);

/* NULL for 0 and for what the kernel does not have. */
const char *names_state(uint8_t state);

/* The number of a state's name in any case: 0 or -ENOENT. */
int names_state_code(const char *name, uint8_t *state);

/* "SYN|ACK", lowest bit first; "none" for a header without flags; bits without
 * a name as one number at the end. Returns its length. */
size_t names_flags(char buf[NAMES_FLAGS], uint16_t flags);

#endif
