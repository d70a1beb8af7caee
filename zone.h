/* SPDX-License-Identifier: MIT */
/*
 * Local time: how far east of UTC it is, from TZ or /etc/localtime. A struct
 * zone begins as all zero bytes, which is UTC.
 */
#ifndef ZONE_H
#define ZONE_H

#include <stdbool.h>
#include <stdint.h>

enum { ZONE_TIMES = 1024 }; /* changes in one file; the largest of tzdata has 244 */

/* When summer time begins or ends in each year, by a POSIX rule. */
struct zone_change {
	int     month;          /* 1 to 13 */
	int     day;            /* from the first of month: 0 is that day */
	int     weekday;        /* that one (0: Sunday) on that day or the next after it; -1: any */
	int32_t time;           /* seconds from that day's midnight, in the offset before */
	int32_t offset;         /* from then on */
};

struct zone {
	uint32_t count;
	bool     has_rule;      /* for what comes after the last of at[] */
	struct zone_change rule[2];         /* summer, winter */
	int64_t  at[ZONE_TIMES];
	int32_t  offset[ZONE_TIMES + 1];    /* [i + 1] holds from at[i] on */
};

/*
 * Reads the zone once: what TZ names, as tzset(3) has it (":path", "Area/City",
 * "CET-1CEST,M3.5.0,M10.5.0/3", empty), or /etc/localtime. UTC when it cannot be
 * read or is malformed. Leap seconds are not counted.
 */
void zone_open(struct zone *);

/* Seconds east of UTC at utc, seconds since 1970, in the years 4 to 9999. */
int32_t zone_offset(const struct zone *, int64_t utc);

/* Days from 1970-01-01 to the first of a month, 1 to 13, of a year from 1 on. */
int zone_days(int year, int month);

#endif
