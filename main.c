/* SPDX-License-Identifier: MIT */
/*
 * tcpdrop: options -> probe -> offsets -> program -> attach -> ring -> decode
 * -> kallsyms, names -> format -> stdout.
 */
#define _GNU_SOURCE
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "capture.h"
#include "check.h"
#include "counters.h"
#include "decode.h"
#include "drop.h"
#include "dump.h"
#include "explain.h"
#include "filter.h"
#include "format.h"
#include "hooks.h"
#include "kallsyms.h"
#include "learn.h"
#include "options.h"
#include "output.h"
#include "owner.h"
#include "progress.h"
#include "tally.h"
#include "terminal.h"
#include "text.h"
#include "tracer.h"
#include "watch.h"
#include "zone.h"

enum {
	SECOND  = 1000000000,
	LATENCY = SECOND / 50,  /* the longest a drop waits while others keep us busy */
	SOON    = SECOND / 250, /* the same where its owner is to be found before it has gone */
};

static const char try_help[] = "try 'tcpdrop --help'";
static const char version[] = "tcpdrop 0.1";

struct run {
	const struct options *options;
	struct format_style   style;
	bool                  named;    /* functions are shown by name */
	bool                  told_no_symbols;
	bool                  titled;   /* in the present width */
	struct output        *standard; /* what goes to standard output: out, or packets */
	uint64_t              start;    /* CLOCK_MONOTONIC */
	uint64_t              to_wall;  /* CLOCK_REALTIME less CLOCK_MONOTONIC */
	uint64_t              before;   /* drops that matched while the probes were being armed */
	uint64_t              shown;
	uint64_t              lost;
	uint64_t              members;  /* parts of other packets, which matched too */
	bool                  ended;    /* the count is reached */
};

static struct tracer tracer;
static struct output out;
static struct capture capture;
static struct drop   drop;
static struct zone   zone;
static struct tally  tally;
static struct progress progress;

static void
say(const char *text)
{
	progress_clear(&progress);
	text_say(text);
}

static uint64_t
nanoseconds(clockid_t clock)
{
	struct timespec t;

	syscall(SYS_clock_gettime, clock, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- one drop ---- */

static void
say_no_symbols(void)
{
	progress_clear(&progress);
	text_write(STDERR_FILENO, "tcpdrop: no symbols, addresses are shown: /proc/kallsyms: %s\n",
	           tracer.symbols_error == -EPERM ? "addresses are hidden (sysctl "
	           "kernel.kptr_restrict, CAP_SYSLOG)" : text_error(-tracer.symbols_error));
}

/* Symbols are read when the first stack is to be shown, and not before. */
static void
name_frame(struct run *run, struct frame *f)
{
	const struct kallsyms *symbols = tracer_symbols(&tracer);

	if (symbols && f->address)
		kallsyms_find(symbols, f->address, f);
	else if (!symbols && !run->told_no_symbols)
		say_no_symbols();
	run->told_no_symbols |= !symbols;
}

/* Adds the words to what the record says. */
static void
name_drop(struct run *run, struct drop *d, const struct sample *s)
{
	unsigned probe = (unsigned)decode_probe(s);

	d->since_start = s->time > run->start ? s->time - run->start : 0;
	d->time = s->time + run->to_wall;
	d->probe = probe < PROBES ? probe_get(probe)->label : NULL;
	d->state_name = names_state(d->state);
	if (d->has_reason && !(d->reason_name = names_reason(&tracer.names, d->reason)))
		d->reason_name = subsystems_name(&tracer.subsystems, tracer.read, d->reason);
	if (run->named)
		name_frame(run, &d->location);
	if (run->style.owner && !tracer.rings.behind)
		d->owner = owner_find(d);
	for (unsigned i = 0; i < d->frames; i++)
		name_frame(run, &d->stack[i]);
}

static void
tell_lost(struct run *run, uint64_t time, uint64_t count)
{
	run->lost += count;
	capture_lost(&capture, count);
	if (count)
		output_add(&out, format_lost(output_end(&out), output_left(&out), &run->style,
		                             time, count));
}

/* Titles are for a reader: they stand once more when the terminal has got another width. */
static void
show_titles(struct run *run)
{
	if (!run->titled && run->standard == &out)
		output_add(&out, format_header(output_end(&out), output_left(&out),
		                               &run->style));
	run->titled = true;
}

/* A part of another packet is no drop; the programs leave it out once they know the place. */
static bool
is_member(struct run *run, const struct drop *d)
{
	bool member;

	tracer_find_release(&tracer, run->named);
	member = tracer_is_member(&tracer, d->location.address);
	run->members += member;
	return member;
}

static void
show_sample(struct run *run, const struct sample *s)
{
	if (s->time < run->start)
		return;
	if (s->lost) {
		tell_lost(run, s->time + run->to_wall, s->lost);
	} else if (decode_drop(s, &drop)) {
		/* no record of ours: it stays in the difference of seen and shown, as lost */
		return;
	} else if (is_member(run, &drop)) {
		return;
	} else {
		name_drop(run, &drop, s);
		if (run->standard == &out) {
			show_titles(run);
			output_add(&out, format_drop(output_end(&out), output_left(&out),
			                             &run->style, &drop));
		}
		capture_drop(&capture, &drop);
		tally_drop(&tally, &drop);
		run->shown++;
		run->ended = run->options->count && run->shown == run->options->count;
	}
}

/* ---- the loop ---- */

static void
look_at_terminal(struct run *run)
{
	struct terminal t = terminal_look(STDOUT_FILENO);

	run->style.colour = t.colour;
	run->titled = t.columns == run->style.width && run->titled;
	run->style.width = (uint16_t)t.columns;
}

/* Takes a signal; false: it ends the run. */
static bool
take_signal(struct run *run, int signals)
{
	struct signalfd_siginfo signal;

	if (read(signals, &signal, sizeof(signal)) < 0 || signal.ssi_signo != SIGWINCH)
		return false;
	look_at_terminal(run);
	return true;
}

static bool
is_broken(void)
{
	return out.error || capture.out.error;
}

static bool
drain(struct run *run)
{
	struct sample s;
	bool any = false;

	rings_round(&tracer.rings);
	while (!run->ended && !is_broken() && rings_next(&tracer.rings, &s)) {
		show_sample(run, &s);
		any = true;
	}
	if (out.used)
		progress_clear(&progress);
	output_flush(&out);
	capture_flush(&capture);
	owner_rest();
	return any;
}

/* Nanoseconds to wait: what is left of the duration, at most limit; -1: for ever. */
static int64_t
time_left(const struct run *run, int64_t limit)
{
	uint64_t now, end = run->start + run->options->duration_ns;
	int64_t left;

	if (!run->options->duration_ns)
		return limit;
	now = nanoseconds(CLOCK_MONOTONIC);
	left = now < end ? (int64_t)(end - now) : 0;
	return limit < 0 || left < limit ? left : limit;
}

/*
 * While drops come, sleep LATENCY (or SOON) at a time: only a ring that fills wakes us
 * earlier. When none came, arm the bell, give a program that had looked at it
 * before the time to finish, and sleep until the bell rings.
 */
static void
loop(struct run *run, int signals)
{
	enum { BUSY, ARMED, IDLE } state = BUSY;
	int latency = run->style.owner ? SOON : LATENCY;

	while (!run->ended && !is_broken() && time_left(run, -1) != 0) {
		int64_t limit = state == IDLE ? progress_wait(&progress) : latency;
		int r = rings_wait(&tracer.rings, time_left(run, limit), STDOUT_FILENO, signals);

		if (r > 0 && r & RINGS_READABLE && !take_signal(run, signals))
			return;
		if (r > 0 && r & RINGS_HUNG_UP)
			run->standard->error = -EPIPE;
		if (drain(run) || owner_go_on()) {
			state = BUSY;
		} else if (state == BUSY) {
			tracer_arm(&tracer);
			state = ARMED;
		} else {
			state = IDLE;
		}
		if (progress.on)
			progress_update(&progress, nanoseconds(CLOCK_MONOTONIC), run->shown,
			                run->lost);
	}
}

/*
 * Signals that end a run, and that of a window's size if asked, become a file descriptor;
 * a closed pipe, or a file larger than it may be, is an error of write(2). The
 * kernel's signal set is a number with a bit for each.
 */
static int
catch_signals(bool window)
{
	const uint64_t taken = 1u << (SIGINT - 1) | 1u << (SIGQUIT - 1) | 1u << (SIGTERM - 1)
	                       | 1u << (SIGHUP - 1) | (uint64_t)window << (SIGWINCH - 1);
	const uint64_t blocked = taken | 1u << (SIGPIPE - 1) | 1u << (SIGXFSZ - 1);

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, sizeof(blocked));
	return (int)syscall(SYS_signalfd4, -1, &taken, sizeof(taken), SFD_CLOEXEC);
}

/* ---- the end ---- */

/*
 * What is in the rings when we stop is shown. Ended by its count, the run is
 * over at that drop: what came after it was not asked for, and is not lost.
 */
static uint64_t
finish(struct run *run)
{
	uint64_t seen;

	tracer_stop(&tracer);
	while (!run->ended && !is_broken() && drain(run))
		;
	seen = tracer_matched(&tracer) - run->before - run->members;
	if (run->ended || is_broken() || seen < run->shown + run->lost)
		return run->shown + run->lost;
	/* perf tells of a loss with the next event that finds room: there may be none */
	tell_lost(run, nanoseconds(CLOCK_REALTIME), seen - run->shown - run->lost);
	return seen;
}

/* Where the kernel's own counters rose: beside what was shown of it. */
static void
tell_counters(const struct run *run)
{
	const struct options *o = run->options;
	char text[4096];

	if (!counters_table(text, sizeof(text), &tally.before, &tally.after, tally.shown,
	                    &tracer.names))
		return;
	say("the kernel counted since the start, in this network namespace:");
	if (o->ipv4_only || o->ipv6_only || o->has_pid || tracer.expression.root || run->ended
	    || tracer.filter.netns || tracer.filter.ifindex)
		say("(filters and -c limit what is SHOWN, not what is COUNTED)");
	say(text);
}

static void
tell_end(const struct run *run, uint64_t seen)
{
	uint64_t missed = hooks_missed(&tracer);
	bool summary = run->options->summary;
	char lost[96];

	if (run->style.json && !summary) {
		output_add(&out, format_end(output_end(&out), output_left(&out), &run->style,
		                            nanoseconds(CLOCK_REALTIME), seen, run->shown,
		                            run->lost));
		output_flush(&out);
	}
	text_format(lost, sizeof(lost), ", %llu %s (-B) or a filter may help",
	            (unsigned long long)run->lost,
	            summary ? "uncounted: a larger map" : "lost: larger rings");
	text_write(STDERR_FILENO, "tcpdrop: %llu drop%s %s%s\n", (unsigned long long)run->shown,
	           run->shown == 1 ? "" : "s", summary ? "counted" : "shown",
	           run->lost ? lost : "");
	if (missed)
		text_write(STDERR_FILENO, "tcpdrop: %llu frees, of drops or not, met our program "
		           "while it ran and were not seen\n", (unsigned long long)missed);
	tell_counters(run);
}

/* What makes the output less than it could be, but for what --check tells. */
static void
warn(void)
{
	if (!tracer.offsets.asked && !tracer.offsets.measured && !tracer.options->offsets)
		say("this kernel does not tell its offsets, the table's may be wrong: see --check");
	for (unsigned i = 0; i < PROBES; i++) {
		const struct tracer_probe *p = &tracer.probe[i];

		if (p->error && (p->step == STEP_LOAD || p->step == STEP_BIND))
			text_write(STDERR_FILENO, "tcpdrop: %s: %s: %s: see --check -v\n",
			           probe_get(i)->label, advice_step(p->step),
			           text_error(-p->error));
	}
}

static void
tell_start(void)
{
	char probes[160] = "";
	size_t used = 0;

	for (unsigned i = 0; i < PROBES && used < sizeof(probes); i++)
		if (tracer.probe[i].attached)
			used += (size_t)text_format(probes + used, sizeof(probes) - used, "%s%s",
			                            used ? ", " : "", probe_get(i)->label);
	if (tracer.options->verbose)
		check_describe(&tracer, STDERR_FILENO);
	else
		check_coverage(&tracer, STDERR_FILENO, false);
	text_write(STDERR_FILENO, "tcpdrop: %s TCP drops with %s; Ctrl-C ends\n",
	           tracer.options->summary ? "counting" : "tracing", probes);
}

static int
summarize(struct run *run, int signals)
{
	struct watch w = {
		.tracer = &tracer, .tally = &tally, .out = &out, .zone = &zone, .signals = signals,
		.start = run->start, .to_wall = run->to_wall,
	};
	int failed;

	if (!tracer_symbols(&tracer))
		say_no_symbols();
	failed = watch(&w);
	run->shown = w.counted;
	run->lost = w.uncounted;
	tell_end(run, 0);
	tracer_close(&tracer);
	return text_unwritten(out.error == -EPIPE ? 0 : out.error) || failed;
}

/*
 * Drops that go to a file are counted on the terminal meanwhile. What a pipe leads
 * to may be on the same screen, and is not ours to order.
 */
static bool
wants_progress(const struct options *o)
{
	bool file = lseek(STDOUT_FILENO, 0, SEEK_CUR) >= 0;

	return o->quiet && (file || (o->write && terminal_look(STDOUT_FILENO).is))
	       && terminal_look(STDERR_FILENO).columns > PROGRESS_COLUMNS;
}

static int
trace(const struct options *o)
{
	struct run run = {
		.options = o, .standard = &out, .named = !o->quiet || o->json || o->write,
		.style = {
			.json = o->json, .stack = !o->quiet, .extended = o->extended,
			.owner = o->owner,
			.since_start = o->timestamp, .zone = &zone,
		},
	};
	int signals = catch_signals(!o->summary), status;
	char lacking[512] = "";
	uint64_t seen;

	if (o->write && !o->summary && !strcmp(o->write, "-"))
		run.standard = &capture.out;
	if (run.standard != &out && terminal_look(STDOUT_FILENO).is) {
		say("option '-w -': standard output is a terminal: expected a pipe or a file");
		say(try_help);
		return 2;
	}
	zone_open(&zone);
	capture.style = run.style;
	capture.style.json = false;
	capture.style.comment = true;
	if (o->owner)
		owner_open(lacking, sizeof(lacking)); /* takes its time: nothing is traced yet */
	if (learn_kernel(&tracer, o) || tracer_open(&tracer)
	    || capture_open(&capture, o->summary ? NULL : o->write, version, tracer.error,
	                    sizeof(tracer.error))
	    || tracer_start(&tracer)) {
		say(tracer.error);
		if (tracer.usage)
			say(try_help);
		else if (o->verbose)
			say(tracer.log);
		tracer_close(&tracer);
		return tracer.usage ? 2 : 1;
	}
	warn();
	say(lacking);
	run.start = nanoseconds(CLOCK_MONOTONIC);
	run.to_wall = nanoseconds(CLOCK_REALTIME) - run.start;
	run.before = tracer_matched(&tracer);
	tell_start();
	tally_start(&tally);
	if (o->summary)
		return summarize(&run, signals);
	look_at_terminal(&run);
	show_titles(&run);
	output_flush(&out);
	capture_flush(&capture);
	progress.on = wants_progress(o);
	loop(&run, signals);
	progress_clear(&progress);
	tally_stop(&tally);
	seen = finish(&run);
	tell_end(&run, seen);
	status = capture_end(&capture, run.start + run.to_wall, nanoseconds(CLOCK_REALTIME));
	tracer_close(&tracer);
	return out.error == -EPIPE ? 1 : text_unwritten(out.error) | status;
}

/* ---- explaining ---- */

/* name is what the kernel calls a number, NULL if that is not known; else what was typed. */
static int
explain_unknown(const char *name)
{
	const char *what = "unknown reason; near: ", *more;
	char near[160];

	more = name && explain_near(near, sizeof(near), name) ? near : "";
	if (!name)
		what = tracer.has_names ? "this kernel has no reason of that number"
		                        : tracer.names_from;
	else if (!*more)
		what = "unknown reason; 'tcpdrop --explain' lists all";
	text_write(STDERR_FILENO, "tcpdrop: --explain: %s%s\n", what, more);
	return 2;
}

/* A number up to 16 bits is the running kernel's, with the name that tracing would show. */
static int
explain(const struct options *o)
{
	const char *name = o->explain, *end = name, *text = NULL;
	int64_t number = text_number(&end);
	size_t size = 0;

	if (number >= 0 && !*end && number <= UINT16_MAX) {
		learn_kernel(&tracer, o);
		name = names_reason(&tracer.names, (uint32_t)number);
		if (!name)
			name = subsystems_name(&tracer.subsystems, tracer.read, (uint32_t)number);
	} else if (number >= 0 && !*end && number <= UINT32_MAX) {
		text = explain_subsystem((uint32_t)number, &size);
	} else if (!*name) {
		text = explain_all();
		size = strlen(text);
	}
	if (!text && name)
		text = explain_name(name, &size);
	if (!text)
		return explain_unknown(name);
	memcpy(output_end(&out), text, size);
	output_add(&out, size);
	output_flush(&out);
	return text_unwritten(out.error);
}

int
main(int argc, char **argv)
{
	static struct options o;
	char error[FILTER_ERROR];

	out.fd = STDOUT_FILENO;
	if (options_parse(&o, argc, argv, error, sizeof(error))) {
		say(error);
		say(try_help);
		return 2;
	}
	if (o.help || o.version) {
		char *end = output_end(&out);
		size_t left = output_left(&out);

		output_add(&out, o.help ? options_usage(end, left)
		                        : (size_t)text_format(end, left, "%s\n", version));
		output_flush(&out);
		return text_unwritten(out.error);
	}
	if (filter_parse(&tracer.expression, o.expression, error, sizeof(error))) {
		say(error);
		say(try_help);
		return 2;
	}
	if (o.explain)
		return explain(&o);
	if (o.dump)
		return dump(&tracer, &o);
	if (o.check) {
		catch_signals(false); /* what it makes in the kernel is to be taken away again */
		return check(&tracer, &o);
	}
	return trace(&o);
}
