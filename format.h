/* SPDX-License-Identifier: MIT */
/*
 * A struct drop to text or to one line of JSON, as bytes in a caller's buffer.
 *
 * Every function returns the number of bytes written, newline included, not
 * terminated; or 0, and what is in the buffer means nothing, when size is too
 * small. Where there is nothing to say, it returns 0 too: text has no lines for
 * losses and the end (they are told on stderr), JSON has no header.
 *
 * Text that others chose (comm, names) is made harmless. Text: "\x1b" for each
 * byte of a control or invisible character and of invalid UTF-8, "\\" for a
 * backslash. JSON: \u001b, and U+FFFD for each byte of invalid UTF-8, so that
 * a line is always valid. The rest of UTF-8 stands as it is.
 *
 * The time of day in text is that of style.zone; JSON has UTC.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include "drop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FORMAT_NAME   = 512, /* bytes of a name as printed: KSYM_NAME_LEN; the rest is cut */
	FORMAT_MODULE = 64,  /* the same for a module: MODULE_NAME_LEN is 64 - sizeof(long) */
	/* quotes, comma, "+0x" and 8 digits, " [" and "]" are 17 */
	FORMAT_FRAME  = FORMAT_NAME + FORMAT_MODULE + 24,
	/* reason, state and probe by name, and all that cannot grow: about 850; less as text */
	FORMAT_LINE   = 3 * FORMAT_NAME + 1024,
	/* enough for any drop: the line or two, its location and its stack */
	FORMAT_MAX    = FORMAT_LINE + (DROP_FRAMES + 1) * FORMAT_FRAME,
};

struct out;
struct zone;

struct format_style {
	bool json;
	bool stack;         /* show it; in text an empty line then ends each drop */
	bool extended;      /* text: the line of extended.h under that of the columns */
	bool owner;         /* another column or key */
	bool since_start;   /* text: TIME is drop.since_start, in a wider column */
	bool colour;        /* text: escape sequences around STATE and REASON */
	uint16_t width;     /* text: of the terminal that the table fits; 0: as wide as it gets */
	bool comment;       /* text: beside the packet, so reason=, state=, ... for the columns */
	const struct zone *zone; /* NULL: UTC */
};

/* Escape sequences that can be read on light and on dark; NULL: this state has none. */
#define FORMAT_REASON_COLOUR "\x1b[1m"
#define FORMAT_NO_COLOUR     "\x1b[0m"
const char *format_state_colour(uint8_t state);

size_t format_header(char *buf, size_t size, const struct format_style *);
size_t format_drop(char *buf, size_t size, const struct format_style *, const struct drop *);

/* time: CLOCK_REALTIME, nanoseconds; count: drops that were lost there */
size_t format_lost(char *buf, size_t size, const struct format_style *, uint64_t time,
                   uint64_t count);

size_t format_end(char *buf, size_t size, const struct format_style *, uint64_t time,
                  uint64_t seen, uint64_t shown, uint64_t lost);

/*
 * Pieces of a drop, for a summary too. A name as text has it: its number when it
 * has none, "-" when there is not even that. "name+0x1f4 [module]", or
 * "0xffffffff81234567" without a name. The time in the way of the style.
 */
void format_name(struct out *, const char *name, bool known, uint32_t number);
void format_frame(struct out *, const struct frame *, bool json);
void format_time(struct out *, uint64_t time, uint64_t since_start, const struct format_style *);

/* JSON keys from "time" to "port", which is sport, without braces. */
void format_keys(struct out *, const struct format_style *, const struct drop *);

#endif
