/* SPDX-License-Identifier: MIT */
/* The line that counts, with a clock made up, as it comes out of standard error: a pipe. */
#include <fcntl.h>
#include <unistd.h>

#include "../progress.h"
#include "tap.h"

#define MS 1000000ull
#define START (1000 * 1000 * MS)

static int reader;

/* What was written since the last time. */
static const char *
written(void)
{
	static char text[4096];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *
update(struct progress *p, uint64_t ms, uint64_t drops, uint64_t lost)
{
	progress_update(p, START + ms * MS, drops, lost);
	return written();
}

static const struct {
	unsigned    ms, drops, lost;
	const char *want;       /* without the blanks that fill it up */
	int         wait;       /* ms; -1: for ever */
} steps[] = {
	{ 0, 0, 0, "0 drops, 0/s", -1 },
	{ 10000, 1, 0, "1 drop, 0/s", -1 },             /* the rate begins anew after a pause */
	{ 10020, 2, 0, "", 250 },                       /* too soon */
	{ 10249, 50, 0, "", 250 },
	{ 10250, 51, 0, "51 drops, 0/s", -1 },
	{ 11000, 231, 0, "231 drops, 230/s", 1000 },
	{ 11300, 231, 0, "", 1000 },                    /* nothing new */
	{ 11400, 231, 3, "231 drops, 230/s, 3 lost", 1000 },
	{ 12500, 231, 3, "231 drops, 0/s, 3 lost", -1 },
	{ 13600, 231, 3, "", -1 },
};

static void
test_steps(void)
{
	struct progress p = { .on = true };

	for (size_t i = 0; i < COUNT(steps); i++) {
		char want[80] = "";

		if (*steps[i].want)
			snprintf(want, sizeof(want), "\r%-*s\r", PROGRESS_COLUMNS, steps[i].want);
		CHECK_STR(update(&p, steps[i].ms, steps[i].drops, steps[i].lost), want,
		          "at %u ms", steps[i].ms);
		CHECK_INT(progress_wait(&p), steps[i].wait < 0 ? -1 : steps[i].wait * (int64_t)MS,
		          "at %u ms: how long to wait", steps[i].ms);
	}
}

static void
test_clear(void)
{
	struct progress p = { .on = true };
	char want[80];

	progress_clear(&p);
	CHECK_STR(written(), "", "clear: nothing was drawn");
	update(&p, 0, 7, 0);
	progress_clear(&p);
	snprintf(want, sizeof(want), "\r%-*s\r", PROGRESS_COLUMNS, "");
	CHECK_STR(written(), want, "clear: the whole line");
	progress_clear(&p);
	CHECK_STR(written(), "", "clear: once");
	CHECK(*update(&p, 300, 7, 0), "clear: then it is drawn again");
}

static void
test_off(void)
{
	struct progress p = { .on = false };

	CHECK_STR(update(&p, 0, 1, 1), "", "off: nothing is drawn");
	CHECK_STR(update(&p, 5000, 100, 1), "", "off: nothing is drawn later");
	CHECK_INT(progress_wait(&p), -1, "off: nothing to wait for");
}

/* Over a simulated minute of a flood, however often it is asked. */
static void
test_rate_of_drawing(void)
{
	struct progress p = { .on = true };
	unsigned drawn = 0;

	for (unsigned ms = 0; ms < 60000; ms += 20)
		drawn += *update(&p, ms, ms * 20ull, 0) != '\0';
	CHECK(drawn > 200 && drawn <= 240, "at most 4 a second: %u in a minute", drawn);
}

int
main(void)
{
	int ends[2];

	if (pipe(ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0
	    || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return 2;
	reader = ends[0];
	test_steps();
	test_clear();
	test_off();
	test_rate_of_drawing();
	return tap_end();
}
