/* SPDX-License-Identifier: MIT */
/* Against libc's localtime_r(): every file of the machine's zoneinfo, and rules. */
#define _GNU_SOURCE
#include <ftw.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../zone.h"
#include "tap.h"

#define ZONEINFO "/usr/share/zoneinfo"

enum { RANDOM_TIMES = 1500 };

#define FIRST INT64_C(-2177452800) /* 1901-01-01 */
#define LAST  INT64_C(13601088000) /* 2401-01-01 */
#define Y2099 INT64_C(4070908800)

static struct zone zone;
static char path[] = "/tmp/test_zone.XXXXXX";
static char value[sizeof(path) + 1]; /* ":" and path */
static int files;
static int changes;
static int files_wrong;

/* xorshift64*: the same times in every run */
static uint64_t
next_random(void)
{
	static uint64_t state = 1;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static void
open_as(const char *tz)
{
	setenv("TZ", tz, 1);
	zone_open(&zone);
}

/*
 * musl takes a file's rule for all times when the file has only one change, and
 * gives UTC after the last change of a file without a rule: that with leap
 * seconds, in right/.
 */
static bool
libc_errs(const char *tz, int64_t utc)
{
	if (zone.has_rule && !zone.count && utc < 0)
		return true;
#ifdef __GLIBC__
	return false;
#else
	if (strstr(tz, "/right/"))
		return zone.count && (zone.count == 1 || utc >= zone.at[zone.count - 1]);
	return zone.count == 1 && utc < zone.at[0];
#endif
}

static int
differs(const char *tz, int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	if (libc_errs(tz, utc))
		return 0;
	localtime_r(&t, &tm);
	if (tm.tm_gmtoff == zone_offset(&zone, utc))
		return 0;
	printf("# %s at %lld: got %d, want %ld\n", tz, (long long)utc,
	       zone_offset(&zone, utc), tm.tm_gmtoff);
	return 1;
}

/* Stops at the third difference. */
static int
compare(const char *tz)
{
	int wrong = 0;

	open_as(tz);
	tzset();
	for (uint32_t i = 0; i < zone.count && wrong < 3; i++)
		for (int64_t near = -1; near <= 1; near++)
			if (zone.at[i] + near >= FIRST)
				wrong += differs(tz, zone.at[i] + near);
	for (int i = 0; i < RANDOM_TIMES && wrong < 3; i++)
		wrong += differs(tz, FIRST + (int64_t)(next_random() % (uint64_t)(LAST - FIRST)));
	return wrong;
}

static int
compare_file(const char *name, const struct stat *status, int type, struct FTW *place)
{
	char tz[512] = ":", magic[4] = "";
	FILE *f = type == FTW_F ? fopen(name, "r") : NULL;

	(void)status;
	(void)place;
	if (!f)
		return 0;
	if (fread(magic, 1, sizeof(magic), f) == sizeof(magic) && !memcmp(magic, "TZif", 4)) {
		strncat(tz, name, sizeof(tz) - 2);
		files++;
		files_wrong += compare(tz) != 0;
		changes += (int)zone.count;
	}
	fclose(f);
	return 0;
}

static void
test_files(void)
{
	if (access(ZONEINFO, R_OK)) {
		SKIP("no " ZONEINFO " on this machine", "files of zoneinfo");
		return;
	}
	nftw(ZONEINFO, compare_file, 16, 0);
	CHECK_INT(files_wrong, 0, "%d files of zoneinfo with %d changes: libc's offsets", files,
	          changes);
	CHECK(!access(ZONEINFO "/Europe/Berlin", R_OK) && !compare("Europe/Berlin"), "Area/City");
	CHECK(zone.count > 100, "Area/City is read from its file");
	CHECK(!compare(":America/New_York"), ":Area/City");
}

static void
test_rules(void)
{
	static const char *const rules[] = {
		"UTC0", "GMT-0", "JST-9", "<+03>-3", "<-03>+3", "<+1245>-12:45:30", "XXX-05:30",
		"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "EST+5EDT4,M3.2.0/2,M11.1.0/2",
		"CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00",
		"NZST-12NZDT,M9.5.0,M4.1.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3", /* south */
		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
		"IST-1GMT0,M10.5.0,M3.5.0/1", /* winter is the summer time */
		"EET-2EEST,M3.4.4/50,M10.4.4/50", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
		"IST-2IDT,M3.4.4/26,M10.5.0", "XXX3YYY,M3.1.1/-167,M11.5.6/167",
		"AAA1BBB,J60,J300", "AAA1BBB,J59,J61/1", "AAA1BBB,59,60/1", "AAA-11BBB,5/0,350/25",
		"AAA1BBB,J1,J365/23", "AAA1BBB,J200/1:30:15,J100", "AAA1BBB,300,20/12",
		"AAA1BBB,M12.1.6,M1.2.0/-1", "AAA0BBB,M4.1.3,M4.5.3",
	};

	for (size_t i = 0; i < COUNT(rules); i++) {
		int wrong = compare(rules[i]);

		/* each half hour, and the second before, around 2100, which has no 29 Feb */
		for (int64_t t = Y2099; t < Y2099 + 5 * 31557600 && wrong < 3; t += 1800)
			wrong += differs(rules[i], t) + differs(rules[i], t - 1);
		CHECK_INT(wrong, 0, "rule: %s", rules[i]);
	}
}

/* RFC 9636, 3.3.1; and before 1970, where libc errs: the calendar repeats after 400 years. */
static void
test_rule_times(void)
{
	const int64_t cycle = INT64_C(146097) * 86400;
	int wrong = 0;

	open_as("EST5EDT,0/0,J365/25");
	for (int64_t t = FIRST; t < LAST; t += 3599 * 7)
		wrong += zone_offset(&zone, t) != -14400;
	CHECK_INT(wrong, 0, "summer time the whole year");
	open_as("CET-1CEST,M3.5.0,M10.5.0/3");
	for (int64_t t = FIRST; t < 0; t += 3599)
		wrong += zone_offset(&zone, t) != zone_offset(&zone, t + cycle);
	CHECK_INT(wrong, 0, "a rule before 1970");
}

/* What libc does otherwise, or not at all. */
static void
test_known(void)
{
	static const struct {
		const char *tz;
		int64_t utc;
		int32_t want;
	} rows[] = {
		{ "", 0, 0 }, { ":", 0, 0 }, { "UTC", 0, 0 }, { "Nowhere/None", 0, 0 },
		{ ":/dev/null", 0, 0 }, { "/", 0, 0 }, { "../../../..", 0, 0 },
		{ "EST5EDT", 1795439122, -18000 },  /* 2026-11-23 */
		{ "EST5EDT", 1782000000, -14400 },  /* 2026-06-21: the rule of the United States */
		{ "EST5EDT", 1772953199, -18000 }, { "EST5EDT", 1772953200, -14400 },
		{ "EST5EDT", 1793512799, -14400 }, { "EST5EDT", 1793512800, -18000 },
		/* malformed */
		{ "5", 0, 0 }, { "AAA168", 0, 0 }, { "AAA99999999999999999999", 0, 0 },
		{ "AAA1:60", 0, 0 }, { "AAA1:0:60", 0, 0 }, { "AAA1:", 0, 0 }, { "<AAA1", 0, 0 },
		{ "<>1", 0, 0 }, { "AAA1BBB,", 0, 0 }, { "AAA1BBB,M3.5.0", 0, 0 },
		{ "AAA1BBB,M13.1.0,M1.1.0", 0, 0 }, { "AAA1BBB,M0.1.0,M1.1.0", 0, 0 },
		{ "AAA1BBB,M3.6.0,M1.1.0", 0, 0 }, { "AAA1BBB,M3.1.7,M1.1.0", 0, 0 },
		{ "AAA1BBB,J0,J1", 0, 0 }, { "AAA1BBB,J366,J1", 0, 0 }, { "AAA1BBB,366,1", 0, 0 },
		{ "AAA1BBB,1,2,3", 0, 0 }, { "AAA1BBB,1,2 ", 0, 0 }, { "AAA1BBB2,", 0, 0 },
		{ "AAA--1", 0, 0 }, { "AAA1\n", 0, 0 }, { "\xff\xfe", 0, 0 },
	};
	static char long_name[5000];

	for (size_t i = 0; i < COUNT(rows); i++) {
		open_as(rows[i].tz);
		CHECK_INT(zone_offset(&zone, rows[i].utc), rows[i].want, "row %zu", i);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	open_as(long_name);
	CHECK_INT(zone_offset(&zone, 0), 0, "a long name");
	unsetenv("TZ");
	tzset();
	zone_open(&zone);
	CHECK_INT(differs("/etc/localtime", 1795439122), 0, "no TZ: /etc/localtime");
}

static size_t
slurp(const char *name, uint8_t *to, size_t size)
{
	FILE *f = fopen(name, "r");
	size_t n = f ? fread(to, 1, size, f) : 0;

	if (f)
		fclose(f);
	return n;
}

static void
open_bytes(const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fwrite(bytes, 1, n, f);
	fclose(f);
	open_as(value);
}

/* Whatever was believed of a hostile file: the sanitizers look on. */
static void
use_zone(void)
{
	for (int i = 0; i < 20; i++)
		zone_offset(&zone, (int64_t)(next_random() % (uint64_t)(LAST - FIRST)) + FIRST);
}

static int
is_utc(void)
{
	return !zone.count && !zone.has_rule && !zone.offset[0];
}

/* A version 1 file of one change, and the same in version 2 behind it with a footer. */
static size_t
make_file(uint8_t *to, char version, const char *footer)
{
	static const uint8_t header[] = {
		'T', 'Z', 'i', 'f', 0, [35] = 1, [39] = 2, [43] = 4,
	}, data4[] = { 0, 0, 0, 100 }, data8[] = { 0, 0, 0, 0, 0, 0, 0, 200 }, rest[] = {
		1, 0, 0, 0x0e, 0x10, 0, 0, 0xff, 0xff, 0xf1, 0xf0, 0, 0, 'A', 'B', 'C', 0,
	};
	uint8_t *at = to;

	for (int i = 0; i < 1 + (version != 0); i++) {
		at = (uint8_t *)mempcpy(at, header, sizeof(header));
		at[4 - (int)sizeof(header)] = (uint8_t)version;
		at = i ? mempcpy(at, data8, sizeof(data8)) : mempcpy(at, data4, sizeof(data4));
		at = mempcpy(at, rest, sizeof(rest));
	}
	if (version)
		at = mempcpy(at, footer, strlen(footer));
	return (size_t)(at - to);
}

static void
test_versions(void)
{
	static uint8_t file[512];

	open_bytes(file, make_file(file, 0, ""));
	CHECK_INT(zone_offset(&zone, 99), 3600, "version 1: before");
	CHECK_INT(zone_offset(&zone, 100), -3600, "version 1: after");
	open_bytes(file, make_file(file, '2', "\n\n"));
	CHECK_INT(zone_offset(&zone, 199), 3600, "version 2: before");
	CHECK_INT(zone_offset(&zone, 200), -3600, "version 2: after, no rule");
	open_bytes(file, make_file(file, '3', "\nABC-5\n"));
	CHECK_INT(zone_offset(&zone, 199), 3600, "version 3: before");
	CHECK_INT(zone_offset(&zone, 200), 18000, "version 3: after, rule");
	open_bytes(file, make_file(file, '2', "\n"));
	CHECK(is_utc(), "no footer");
	open_bytes(file, make_file(file, '2', "\nABC-5"));
	CHECK(is_utc(), "unended footer");
	open_bytes(file, make_file(file, '2', "\nABC\n"));
	CHECK(is_utc(), "malformed footer");
}

static void
test_hostile(void)
{
	static uint8_t good[16384], file[20000];
	size_t n = slurp(ZONEINFO "/America/New_York", good, sizeof(good));
	int bad = 0, believed = 0;

	if (n < 44)
		n = make_file(good, '3', "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
	for (size_t cut = 0; cut < n; cut++) {
		open_bytes(good, cut);
		believed += !is_utc();
	}
	CHECK_INT(believed, 0, "truncated at each of %zu bytes: UTC", n);
	for (int i = 0; i < 20000; i++) {
		size_t length = i & 1 ? n : 44 + next_random() % 300;

		memcpy(file, good, n);
		for (uint64_t k = 1 + next_random() % 8; k; k--)
			file[next_random() % (i & 2 ? 48 : length)] = (uint8_t)next_random();
		open_bytes(file, length);
		bad += zone.count > ZONE_TIMES;
		use_zone();
	}
	for (int i = 0; i < 5000; i++) {
		size_t length = 44 + next_random() % 500;

		for (size_t k = 0; k < length; k++)
			file[k] = (uint8_t)next_random();
		memcpy(file, "TZif", 4);
		file[4] = i & 1 ? '2' : 0;
		for (size_t k = 20; k < 44; k++)
			file[k] = k % 4 == 3 ? file[k] & 7 : 0;
		open_bytes(file, length);
		bad += zone.count > ZONE_TIMES;
		use_zone();
	}
	CHECK_INT(bad, 0, "25000 changed and random files");
	memset(file, 0xff, sizeof(file));
	memcpy(file, "TZif", 4);
	open_bytes(file, sizeof(file));
	CHECK(is_utc(), "largest numbers");
}

static void
test_days(void)
{
	int wrong = 0;

	for (int year = 1; year < 2401; year++)
		for (int month = 1; month <= 13; month++) {
			struct tm tm = { .tm_mday = 1, .tm_mon = month - 1 };

			tm.tm_year = year - 1900;
			wrong += timegm(&tm) != (time_t)zone_days(year, month) * 86400;
		}
	CHECK_INT(wrong, 0, "days of months");
}

int
main(void)
{
	int fd = mkstemp(path);

	if (!CHECK(fd >= 0, "a file to write to"))
		return tap_end();
	close(fd);
	snprintf(value, sizeof(value), ":%s", path);
	test_files();
	test_rules();
	test_rule_times();
	test_known();
	test_versions();
	test_hostile();
	test_days();
	unlink(path);
	return tap_end();
}
