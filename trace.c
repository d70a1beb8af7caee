/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "capture.h"
#include "check.h"
#include "counters.h"
#include "hooks.h"
#include "learn.h"
#include "nanos.h"
#include "options.h"
#include "output.h"
#include "owner.h"
#include "progress.h"
#include "signals.h"
#include "stream.h"
#include "tally.h"
#include "terminal.h"
#include "text.h"
#include "trace.h"
#include "tracer.h"
#include "watch.h"
#include "zone.h"

struct run {
	const struct options *options;
	struct tracer        *tracer;
	struct output        *out;
	bool                  packets;  /* standard output gets packets, and no text */
	int                   signals;
	uint64_t              start;    /* CLOCK_MONOTONIC */
	uint64_t              to_wall;  /* CLOCK_REALTIME less that */
	uint64_t              before;   /* drops that matched while the probes were being armed */
};

/* What became of the drops. */
struct end {
	uint64_t drops;   /* shown or counted */
	uint64_t lost;    /* or without a row in a summary */
	bool     limited; /* it ended with its count of drops */
};

static struct capture  capture;
static struct tally    tally;
static struct progress progress;
static struct zone     zone;

int
trace_catch_signals(const struct options *o)
{
	const uint32_t ends = SIGNALS_BIT(SIGINT) | SIGNALS_BIT(SIGQUIT) | SIGNALS_BIT(SIGTERM)
	                      | SIGNALS_BIT(SIGHUP);

	return signals_open(o->summary ? ends : ends | SIGNALS_BIT(SIGWINCH),
	                    SIGNALS_BIT(SIGPIPE) | SIGNALS_BIT(SIGXFSZ));
}

/* ---- the start ---- */

static int
refuse(struct tracer *t)
{
	text_say(t->error);
	if (t->usage)
		text_say(options_try_help);
	else if (t->options->verbose)
		text_say(t->log);
	tracer_close(t);
	return t->usage ? 2 : 1;
}

/* What makes the output less than it could be, but for what --check tells. */
static void
warn(const struct tracer *t)
{
	if (!t->offsets.asked && !t->offsets.measured && !t->options->offsets)
		text_say("this kernel does not tell its offsets, the table's may be wrong: "
		         "see --check");
	if (t->filter.ifindex && t->offsets.at[DEV_IFINDEX] == OFFSET_NONE)
		text_say("-i: the device a packet is to leave by is not known on this kernel, "
		         "only the one it came in by");
	for (unsigned i = 0; i < PROBES; i++) {
		const struct tracer_probe *p = &t->probe[i];

		if (p->error && (p->step == STEP_LOAD || p->step == STEP_BIND))
			text_write(STDERR_FILENO, "tcpdrop: %s: %s: %s: see --check -v\n",
			           probe_get(i)->label, advice_step(p->step),
			           text_error(-p->error));
	}
}

static void
tell_start(struct tracer *t)
{
	char probes[160] = "";
	size_t used = 0;

	for (unsigned i = 0; i < PROBES && used < sizeof(probes); i++)
		if (t->probe[i].attached)
			used += (size_t)text_format(probes + used, sizeof(probes) - used, "%s%s",
			                            used ? ", " : "", probe_get(i)->label);
	if (t->options->verbose)
		check_describe(t, STDERR_FILENO);
	else
		check_coverage(t, STDERR_FILENO, false);
	text_write(STDERR_FILENO, "tcpdrop: %s TCP drops with %s; Ctrl-C ends\n",
	           t->options->summary ? "counting" : "tracing", probes);
}

/*
 * Drops that go elsewhere are counted on the terminal meanwhile. What a pipe leads
 * to may be on the same screen, and is not ours to order.
 */
static bool
wants_progress(const struct options *o)
{
	bool terminal = terminal_look(STDOUT_FILENO).is;
	bool file = lseek(STDOUT_FILENO, 0, SEEK_CUR) >= 0;

	return (o->summary ? !terminal || options_file(o)
	                   : o->quiet && (file || (o->write && terminal)))
	       && terminal_look(STDERR_FILENO).columns > PROGRESS_COLUMNS;
}

/* ---- the end ---- */

/* Where the kernel's own counters rose: beside what was shown of it. */
static void
tell_counters(const struct tracer *t, bool limited)
{
	const struct options *o = t->options;
	char text[4096];

	if (!counters_table(text, sizeof(text), &tally.before, &tally.after, tally.shown,
	                    &t->names))
		return;
	text_say("the kernel counted since the start, in this network namespace:");
	if (o->ipv4_only || o->ipv6_only || o->has_pid || t->expression.root || limited
	    || t->filter.netns || t->filter.ifindex)
		text_say("(filters and -c limit what is SHOWN, not what is COUNTED)");
	text_say(text);
}

static void
tell_end(struct tracer *t, const struct end *end)
{
	uint64_t missed = hooks_missed(t);
	bool summary = t->options->summary;
	char lost[96];

	text_format(lost, sizeof(lost), ", %llu %s (-B) or a filter may help",
	            (unsigned long long)end->lost,
	            summary ? "uncounted: a larger map" : "lost: larger rings");
	text_write(STDERR_FILENO, "tcpdrop: %llu drop%s %s%s\n", (unsigned long long)end->drops,
	           end->drops == 1 ? "" : "s", summary ? "counted" : "shown",
	           end->lost ? lost : "");
	if (missed)
		text_write(STDERR_FILENO, "tcpdrop: %llu frees, of drops or not, met our program "
		           "while it ran and were not seen\n", (unsigned long long)missed);
	tell_counters(t, end->limited);
}

/* ---- the two kinds of a run ---- */

static int
summarize(const struct run *run, struct end *end)
{
	struct watch w = {
		.tracer = run->tracer, .tally = &tally, .out = run->out, .zone = &zone,
		.progress = &progress, .signals = run->signals, .start = run->start,
		.to_wall = run->to_wall,
	};
	int failed;

	if (!tracer_symbols(run->tracer))
		stream_say_no_symbols(run->tracer);
	failed = watch(&w);
	*end = (struct end){ .drops = w.counted, .lost = w.uncounted };
	return failed;
}

static void
show(const struct run *run, struct end *end)
{
	const struct options *o = run->options;
	struct stream s = {
		.options = o, .tracer = run->tracer, .tally = &tally, .out = run->out,
		.capture = &capture, .progress = &progress, .style = capture.style,
		.packets = run->packets, .signals = run->signals, .start = run->start,
		.to_wall = run->to_wall, .before = run->before,
	};

	s.style.json = o->json;
	s.style.comment = false;
	stream(&s);
	if (o->json)
		output_add(run->out, format_end(output_end(run->out), output_left(run->out),
		                                &s.style, nanos(CLOCK_REALTIME), s.seen, s.shown,
		                                s.lost));
	output_flush(run->out);
	*end = (struct end){ .drops = s.shown, .lost = s.lost, .limited = s.ended };
}

/* Opens all there is to open; 0, or -1 and the tracer knows why. */
static int
start(struct run *run, const char *application)
{
	const struct options *o = run->options;
	struct tracer *t = run->tracer;
	char lacking[512] = "";

	if (learn_kernel(t, o))
		return -1;
	if (o->owner)
		owner_open(lacking, sizeof(lacking)); /* takes its time: nothing is traced yet */
	/* an old file of packets is emptied last, when nothing else can fail */
	if (tracer_open(t) || tracer_start(t)
	    || capture_open(&capture, o->summary ? NULL : o->write, application, t->error,
	                    sizeof(t->error)))
		return -1;
	warn(t);
	text_say(lacking);
	run->start = nanos(CLOCK_MONOTONIC);
	run->to_wall = nanos(CLOCK_REALTIME) - run->start;
	run->before = tracer_matched(t);
	return 0;
}

int
trace(struct tracer *t, struct output *out, const struct options *o, const char *application)
{
	struct run run = {
		.options = o, .tracer = t, .out = out, .signals = trace_catch_signals(o),
		.packets = !o->summary && options_writes_stdout(o),
	};
	struct end end;
	int failed = 0;

	if (run.packets && terminal_look(STDOUT_FILENO).is) {
		text_say("option '-w -': standard output is a terminal: expected a pipe or a file");
		text_say(options_try_help);
		return 2;
	}
	zone_open(&zone);
	capture.style = (struct format_style){
		.stack = !o->quiet, .extended = o->extended, .owner = o->owner, .comment = true,
		.since_start = o->timestamp, .zone = &zone,
	};
	if (start(&run, application))
		return refuse(t);
	tally_start(&tally);
	progress.on = wants_progress(o);
	tell_start(t);
	if (o->summary)
		failed = summarize(&run, &end);
	else
		show(&run, &end);
	tell_end(t, &end);
	failed |= capture_end(&capture, run.start + run.to_wall, nanos(CLOCK_REALTIME));
	tracer_close(t);
	/* a reader who has seen enough need not be told */
	return out->error == -EPIPE || text_unwritten(out->error) || failed;
}
