/* SPDX-License-Identifier: MIT */
/*
 * TZif files and the rules of TZ: RFC 9636, which names POSIX for the rules.
 * Neither is trusted: each length and number is checked before it is used.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "zone.h"

enum {
	FILE_MAX = 16 * 1024,
	HEADER   = 44,
	INFO     = 6,       /* offset, summer time, name */
	HOURS    = 167,     /* 3.3.1: a rule's times are within a week */
	YEAR     = 31556952, /* its mean seconds */
	EPOCH    = 719468,  /* days from 0000-03-01, a Wednesday, to 1970-01-01 */
};

/* The text of a rule, as far as it is read. */
struct reader {
	const char *at;
	bool        bad;
};

static bool
take(struct reader *r, char want)
{
	if (*r->at != want)
		return false;
	r->at++;
	return true;
}

static void
expect(struct reader *r, char want)
{
	r->bad |= !take(r, want);
}

static int
take_number(struct reader *r, int min, int max)
{
	int64_t number = text_number(&r->at);

	if (number >= min && number <= max)
		return (int)number;
	r->bad = true;
	return min;
}

/* "CET" or "<+03>" */
static void
take_name(struct reader *r)
{
	bool quoted = take(r, '<');
	const char *start = r->at;

	while (quoted ? *r->at && *r->at != '>' : (*r->at | 0x20) >= 'a' && (*r->at | 0x20) <= 'z')
		r->at++;
	r->bad |= r->at == start;
	if (quoted)
		expect(r, '>');
}

/* "2", "-1:30", "+167:59:59", in seconds */
static int32_t
take_time(struct reader *r)
{
	int sign = take(r, '-') ? -1 : 1;
	int32_t time;

	if (sign > 0)
		take(r, '+');
	time = take_number(r, 0, HOURS) * 3600;
	if (take(r, ':'))
		time += take_number(r, 0, 59) * 60;
	if (take(r, ':'))
		time += take_number(r, 0, 59);
	return sign * time;
}

/* ",M3.5.0/2"; ",J60", where 60 is always the first of March; ",59" */
static void
take_change(struct reader *r, struct zone_change *c)
{
	expect(r, ',');
	*c = (struct zone_change){ .month = 1, .weekday = -1, .time = 2 * 3600 };
	if (take(r, 'M')) {
		c->month = take_number(r, 1, 12);
		expect(r, '.');
		c->day = (take_number(r, 1, 5) - 1) * 7;
		expect(r, '.');
		c->weekday = take_number(r, 0, 6);
		if (c->day == 28) { /* the last of the month */
			c->month++;
			c->day = -7;
		}
	} else if (take(r, 'J')) {
		c->day = take_number(r, 1, 365) - 1;
		if (c->day >= 59) {
			c->month = 3;
			c->day -= 59;
		}
	} else {
		c->day = take_number(r, 0, 365);
	}
	if (take(r, '/'))
		c->time = take_time(r);
}

/* Without days, the rule is that of the United States, as glibc has it. */
static bool
read_rule(struct zone *z, const char *text)
{
	struct reader r = { .at = text };
	int32_t winter, summer;

	take_name(&r);
	winter = -take_time(&r);
	z->offset[z->count] = winter;
	z->has_rule = *r.at;
	if (z->has_rule) {
		take_name(&r);
		summer = *r.at && *r.at != ',' ? -take_time(&r) : winter + 3600;
		if (!*r.at)
			r.at = ",M3.2.0,M11.1.0";
		take_change(&r, &z->rule[0]);
		take_change(&r, &z->rule[1]);
		z->rule[0].offset = summer;
		z->rule[1].offset = winter;
	}
	return !r.bad && !*r.at;
}

static uint32_t
get32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* A header and its data; the times have 4 or 8 bytes. */
struct block {
	const uint8_t *times;   /* and a byte for each: its info's number */
	const uint8_t *infos;
	uint32_t       count;
	uint32_t       info_count;
	uint8_t       *end;
};

static bool
find_block(struct block *b, uint8_t *start, const uint8_t *end, bool wide)
{
	/* UTC and standard marks, leap seconds, times, infos, bytes of names: 3.1 */
	static const uint8_t sizes[2][6] = { { 1, 1, 8, 5, INFO, 1 }, { 1, 1, 12, 9, INFO, 1 } };
	uint64_t size = HEADER;

	if (end - start < HEADER || memcmp(start, "TZif", 4))
		return false;
	for (unsigned i = 0; i < 6; i++)
		size += (uint64_t)get32(start + 20 + 4 * i) * sizes[wide][i];
	if (size > (uint64_t)(end - start))
		return false;
	b->times = start + HEADER;
	b->count = get32(start + 32);
	b->infos = b->times + (size_t)b->count * sizes[wide][3];
	b->info_count = get32(start + 36);
	b->end = start + size;
	return b->count <= ZONE_TIMES;
}

static bool
read_info(const struct block *b, unsigned i, int32_t *offset)
{
	if (i >= b->info_count)
		return false;
	*offset = (int32_t)get32(b->infos + i * INFO);
	return true;
}

static bool
read_times(struct zone *z, const struct block *b, bool wide)
{
	const uint8_t *time = b->times, *type = b->infos - b->count;

	if (!read_info(b, 0, &z->offset[0])) /* before the first time: 3.2 */
		return false;
	for (; z->count < b->count; z->count++) {
		int64_t at = (int32_t)get32(time);

		time += 4;
		if (wide) {
			at = at * (INT64_C(1) << 32) | get32(time);
			time += 4;
		}
		z->at[z->count] = at;
		if (!read_info(b, type[z->count], &z->offset[z->count + 1]))
			return false;
	}
	return true;
}

/* From version 2 on, all stands there once more in 8 bytes, and then the rule. */
static bool
read_file(struct zone *z, uint8_t *file, uint8_t *end)
{
	struct block b;
	bool wide;

	if (!find_block(&b, file, end, false))
		return false;
	wide = file[4];
	if (wide && !find_block(&b, b.end, end, true))
		return false;
	if (!read_times(z, &b, wide))
		return false;
	if (!wide)
		return true;
	if (end - b.end < 2 || b.end[0] != '\n' || end[-1] != '\n')
		return false;
	end[-1] = '\0';
	return !b.end[1] || read_rule(z, (const char *)b.end + 1);
}

static bool
read_path(struct zone *z, const char *folder, const char *name)
{
	uint8_t file[FILE_MAX];
	char path[256];
	ssize_t n;
	int fd;

	if (text_format(path, sizeof(path), "%s%s", folder, name) >= (int)sizeof(path))
		return false;
	fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = read(fd, file, sizeof(file));
	close(fd);
	*z = (struct zone){ 0 };
	return n > 0 && read_file(z, file, file + n);
}

/* As musl looks for it. */
static bool
find_file(struct zone *z, const char *name)
{
	static const char *const folders[] = {
		"/usr/share/zoneinfo/", "/usr/lib/zoneinfo/", "/share/zoneinfo/",
	};

	if (*name == '/' || *name == '.')
		return read_path(z, "", name);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (read_path(z, folders[i], name))
			return true;
	return false;
}

void
zone_open(struct zone *z)
{
	const char *name = getenv("TZ");

	*z = (struct zone){ 0 };
	if (!name)
		name = "/etc/localtime";
	if (!read_rule(z, name) && !find_file(z, *name == ':' ? name + 1 : name))
		*z = (struct zone){ 0 };
}

/* In years that begin in March, so that a leap day ends one. */
int
zone_days(int year, int month)
{
	month -= 3;
	if (month < 0) {
		month += 12;
		year--;
	}
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - EPOCH;
}

/* When it comes in a year, were it UTC. */
static int64_t
change_time(const struct zone_change *c, int year)
{
	int day = zone_days(year, c->month) + c->day;

	if (c->weekday >= 0) /* 1970-01-01 was a Thursday */
		day += (c->weekday - day - 4 + 7 * EPOCH) % 7;
	return (int64_t)day * 86400 + c->time;
}

/* That of the last change before utc; one may stand in the rule of a neighbouring year. */
static int32_t
rule_offset(const struct zone_change *rule, int64_t utc)
{
	int year = (int)(utc / YEAR) + 1970;
	int64_t last = INT64_MIN;
	int32_t offset = 0;

	for (int y = year - 2; y < year + 2; y++) {
		for (unsigned i = 0; i < 2; i++) {
			int64_t at = change_time(&rule[i], y) - rule[!i].offset;

			if (at > utc || at < last)
				continue;
			last = at;
			offset = rule[i].offset;
		}
	}
	return offset;
}

int32_t
zone_offset(const struct zone *z, int64_t utc)
{
	uint32_t low = 0, high = z->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (z->at[middle] <= utc)
			low = middle + 1;
		else
			high = middle;
	}
	return z->has_rule && low == z->count ? rule_offset(z->rule, utc) : z->offset[low];
}
