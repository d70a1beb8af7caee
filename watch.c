/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "kallsyms.h"
#include "keyboard.h"
#include "memory.h"
#include "nanos.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "signals.h"
#include "summary.h"
#include "tally.h"
#include "terminal.h"
#include "text.h"
#include "tracer.h"
#include "watch.h"

enum {
	LIVE_SECONDS = 1,          /* between tables: on a terminal; into a file */
	FILE_SECONDS = 15,
	LEAST        = NANOS_SECOND / 10,
	FINAL_LINES  = 3,          /* of the window for what is said after the last table */
	PATH_ROOM    = 4096 + 8,   /* PATH_MAX and ".tmp" */
};

/*
 * Rows stay where they are; behind them table.row has them in the order shown, and
 * known by their keys.
 */
static struct {
	struct summary       table;
	struct summary_row  *rows;
	struct summary_row **known;
	unsigned             room;
	uint64_t             before;   /* drops in the table before */
	uint64_t             last;     /* when that was */
	const char          *file;     /* NULL: standard output */
	bool                 written;  /* a table was */
	int                  changes;  /* a descriptor of signals about the terminal, or -1 */
} w;

/* ---- reading the counts ---- */

/* Where the row of a key is in known, or is to be. */
static unsigned
find(const struct summary_key *key)
{
	unsigned low = 0, high = w.table.rows;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (memcmp(&w.known[middle]->key, key, sizeof(*key)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct summary_row *
add_row(struct tracer *t, const struct summary_key *key, unsigned at)
{
	unsigned count = w.table.rows++;
	struct summary_row *r = &w.rows[count];
	const struct kallsyms *symbols = tracer_symbols(t);

	r->key = *key;
	r->place.address = key->location;
	if (symbols && key->location)
		kallsyms_find(symbols, key->location, &r->place);
	if (key->known & SUMMARY_HAS_REASON)
		r->reason = tracer_reason(t, key->reason);
	memmove(&w.known[at + 1], &w.known[at], (count - at) * sizeof(*w.known));
	w.known[at] = r;
	w.table.row[count] = r;
	return r;
}

static void
read_row(struct tracer *t, const struct summary_key *key, uint64_t elapsed, bool whole)
{
	struct summary_count count;
	unsigned at = find(key);
	struct summary_row *r = NULL;

	if (attach_map_get(t->maps.summary, key, &count))
		return;
	if (at < w.table.rows && !memcmp(&w.known[at]->key, key, sizeof(*key)))
		r = w.known[at];
	else if (w.table.rows < w.room)
		r = add_row(t, key, at);
	else
		return;
	r->rate = summary_rate(count.count - (whole ? 0 : r->now.count), elapsed);
	r->now = count;
	w.table.counted += count.count;
}

/*
 * No row is ever taken away, so none is read twice; one that is made meanwhile
 * may wait for the next table. A key of all ones is none. whole: rates are over
 * the whole run.
 */
static void
read_counts(struct tracer *t, bool whole)
{
	struct summary *s = &w.table;
	struct summary_key key, next;
	uint64_t elapsed;

	s->time = nanos(CLOCK_MONOTONIC);
	elapsed = s->time - (whole ? s->start : w.last);
	s->counted = 0;
	memset(&key, 0xff, sizeof(key));
	for (; !attach_map_next(t->maps.summary, &key, &next); key = next)
		read_row(t, &next, elapsed, whole);
	s->uncounted = tracer_unfit(t);
	s->rate = summary_rate(s->counted + s->uncounted - (whole ? 0 : w.before), elapsed);
	w.before = s->counted + s->uncounted;
	w.last = s->time;
	summary_sort(s);
}

/* ---- writing a table ---- */

static void
write_rows(struct output *out)
{
	struct summary *s = &w.table;

	output_add(out, summary_begin(output_end(out), output_left(out), s));
	for (unsigned i = 0; i < s->rows && s->left; )
		output_add(out, summary_rows(output_end(out), output_left(out), s, &i));
	output_add(out, summary_end(output_end(out), output_left(out), s));
	output_flush(out);
}

/* The whole file or none of it. It may be for others to read, whatever our umask is. */
static int
write_file(struct output *out)
{
	char temporary[PATH_ROOM];
	int error = 0;

	text_format(temporary, sizeof(temporary), "%s.tmp", w.file);
	unlink(temporary);
	out->fd = openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out->fd < 0)
		return -errno;
	if (syscall(SYS_fchmod, out->fd, 0644) < 0) /* the bare call: libc's has a way around */
		error = -errno;
	write_rows(out);
	if (close(out->fd) < 0)
		error = -errno;
	if (out->error)
		error = out->error;
	if (!error && rename(temporary, w.file) < 0)
		error = -errno;
	if (error)
		unlink(temporary);
	return error;
}

/* What is renamed over it takes its place: a device, a FIFO or a link would be lost. */
static bool
may_replace(const char *path)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0
	       || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode); /* rename() refuses a folder */
}

/* Lines of the window, less some; the last one stays free for the cursor. */
static void
look(unsigned less)
{
	struct terminal t = terminal_look(STDOUT_FILENO);
	unsigned rows = t.rows ? t.rows : 24;

	w.table.left = UINT32_MAX;
	if (!w.table.live)
		return;
	w.table.style.colour = t.colour;
	w.table.columns = t.columns ? t.columns : 80;
	w.table.left = rows > less + 2 ? rows - less : 2;
}

/* Returns not 0 when that ends the run. */
static int
write_table(struct output *out, unsigned less)
{
	struct summary *s = &w.table;
	int error = 0;

	look(less);
	if (w.file) {
		error = write_file(out);
		out->error = 0;
	} else {
		if (w.written && s->format == OPTIONS_AS_TEXT && !s->live)
			*output_end(out) = '\n', output_add(out, 1);
		write_rows(out);
	}
	w.written = true;
	if (error)
		text_write(STDERR_FILENO, "tcpdrop: write %s: %s\n", w.file, text_error(-error));
	return error || out->error;
}

/* ---- the terminal ---- */

static bool
is_live(void)
{
	struct terminal t = terminal_look(STDOUT_FILENO);

	return w.table.format == OPTIONS_AS_TEXT && !w.file && t.is && !t.dumb;
}

/* What is on the screen goes up, and stays where one can scroll back to it. */
static void
open_terminal(struct output *out)
{
	w.changes = signals_open(SIGNALS_BIT(SIGWINCH) | SIGNALS_BIT(SIGTSTP)
	                         | SIGNALS_BIT(SIGCONT), 0);
	keyboard_open();
	look(0);
	memset(output_end(out), '\n', w.table.left); /* at most 65535, as the kernel has it */
	output_add(out, w.table.left);
}

/* Another size, or Ctrl-Z: the shell gets its terminal back for as long as we are stopped. */
static void
change_terminal(void)
{
	if (signals_take(w.changes) == SIGTSTP) {
		keyboard_close();
		kill(getpid(), SIGSTOP);
	}
	keyboard_open();
}

/* ---- the run ---- */

static bool
open_table(const struct watch *run)
{
	const struct options *o = run->tracer->options;
	struct summary *s = &w.table;

	s->format = o->format ? o->format : o->json ? OPTIONS_AS_JSON : OPTIONS_AS_TEXT;
	s->start = w.last = run->start;
	s->to_wall = run->to_wall;
	s->style = (struct format_style){
		.json = s->format == OPTIONS_AS_JSON, .since_start = o->timestamp, .zone = run->zone,
	};
	s->explain = o->verbose;
	w.changes = -1;
	w.file = options_file(o);
	s->live = is_live();
	w.room = tracer_rows(run->tracer);
	w.rows = memory_resize(NULL, w.room * (sizeof(*w.rows) + 2 * sizeof(*w.known)));
	s->row = (struct summary_row **)(w.rows + w.room);
	w.known = s->row + w.room;
	return w.rows;
}

static uint64_t
interval(const struct options *o)
{
	uint64_t seconds = w.table.live ? LIVE_SECONDS : w.file ? FILE_SECONDS : 0;

	if (!o->summary_ns)
		return seconds * NANOS_SECOND;
	return o->summary_ns > LEAST ? o->summary_ns : LEAST;
}

/* Until then, at most. Returns false when the run is over. */
static bool
rest(struct watch *run, uint64_t until)
{
	uint64_t time = nanos(CLOCK_MONOTONIC), left = until > time ? until - time : 0;
	struct timespec limit = {
		.tv_sec = (time_t)(left / NANOS_SECOND), .tv_nsec = (long)(left % NANOS_SECOND),
	};
	struct pollfd poll[] = {
		{ .fd = run->signals, .events = POLLIN },
		{ .fd = w.file ? -1 : STDOUT_FILENO },
		{ .fd = w.changes, .events = POLLIN },
		{ .fd = w.table.live && keyboard_open() ? STDIN_FILENO : -1, .events = POLLIN },
	};

	ppoll(poll, 4, until == UINT64_MAX ? NULL : &limit, NULL);
	if (poll[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		run->out->error = -EPIPE;
	if (poll[2].revents) {
		change_terminal();
		write_table(run->out, 1);
	}
	return !poll[0].revents && !run->out->error
	       && !(poll[3].revents && keyboard_pressed("qQ"));
}

static uint64_t
earliest(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Tables until the run is over; on a terminal and into a file from the start on. */
static int
count(struct watch *run, const struct options *o)
{
	uint64_t every = interval(o), next = run->start + every, time;
	uint64_t end = o->duration_ns ? run->start + o->duration_ns : UINT64_MAX;

	if (!every)
		next = UINT64_MAX;
	else if (w.table.live || w.file)
		next = run->start;
	while ((time = nanos(CLOCK_MONOTONIC)) < end) {
		if (time >= next) {
			read_counts(run->tracer, false);
			progress_clear(run->progress);
			if (write_table(run->out, 1))
				return 1;
			next += every;
			if (next < time)
				next = time + every;
		} else {
			progress_update(run->progress, time, tracer_matched(run->tracer), 0);
		}
		if (!rest(run, earliest(next, end, run->progress->on ? time + NANOS_SECOND : end)))
			break;
	}
	return run->out->error;
}

static void
close_table(struct watch *run)
{
	for (unsigned i = 0; i < w.table.rows; i++) {
		const struct summary_row *r = &w.rows[i];

		if (r->key.known & SUMMARY_HAS_REASON && r->key.reason < NAMES_REASONS)
			run->tally->shown[r->key.reason] += r->now.count;
	}
	run->counted = w.table.counted;
	run->uncounted = w.table.uncounted;
	memory_free(w.rows);
}

int
watch(struct watch *run)
{
	int failed = 0;

	if (!open_table(run)) {
		text_write(STDERR_FILENO, "tcpdrop: rows: %s\n", text_error(ENOMEM));
		return 1;
	}
	if (w.file && !may_replace(w.file)) {
		text_write(STDERR_FILENO, "tcpdrop: write %s: no regular file, and would be "
		           "replaced; '-w -' is standard output\n", w.file);
		return 1;
	}
	if (w.table.live)
		open_terminal(run->out);
	failed = count(run, run->tracer->options);
	progress_clear(run->progress);
	keyboard_close();
	tally_stop(run->tally);
	tracer_stop(run->tracer);
	read_counts(run->tracer, true);
	if (!failed)
		failed = write_table(run->out, FINAL_LINES);
	close_table(run);
	return failed;
}
