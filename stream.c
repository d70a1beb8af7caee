/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "capture.h"
#include "decode.h"
#include "kallsyms.h"
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
#include "tracer.h"

enum {
	LATENCY = NANOS_SECOND / 50,  /* the longest a drop waits while others keep us busy */
	SOON    = NANOS_SECOND / 250, /* where its owner is to be found before it has gone */
};

static struct drop drop;

/* ---- one drop ---- */

void
stream_say_no_symbols(const struct tracer *t)
{
	text_write(STDERR_FILENO, "tcpdrop: no symbols, addresses are shown: /proc/kallsyms: %s\n",
	           t->symbols_error == -EPERM ? "addresses are hidden (sysctl "
	           "kernel.kptr_restrict, CAP_SYSLOG)" : text_error(-t->symbols_error));
}

/* Symbols are read when the first stack is to be shown, and not before. */
static void
name_frame(struct stream *s, struct frame *f)
{
	const struct kallsyms *symbols = tracer_symbols(s->tracer);

	if (symbols && f->address)
		kallsyms_find(symbols, f->address, f);
	if (symbols || s->told_no_symbols)
		return;
	progress_clear(s->progress);
	stream_say_no_symbols(s->tracer);
	s->told_no_symbols = true;
}

/* Adds the words to what the record says. */
static void
name_drop(struct stream *s, struct drop *d, const struct sample *from)
{
	unsigned probe = (unsigned)decode_probe(from);

	d->since_start = from->time > s->start ? from->time - s->start : 0;
	d->time = from->time + s->to_wall;
	d->probe = probe < PROBES ? probe_get(probe)->label : NULL;
	d->state_name = names_state(d->state);
	if (d->has_reason)
		d->reason_name = tracer_reason(s->tracer, d->reason);
	if (s->named)
		name_frame(s, &d->location);
	if (s->style.owner && !s->tracer->rings.behind)
		d->owner = owner_find(d);
	for (unsigned i = 0; i < d->frames; i++)
		name_frame(s, &d->stack[i]);
}

static void
tell_lost(struct stream *s, uint64_t time, uint64_t count)
{
	s->lost += count;
	capture_lost(s->capture, count);
	if (count)
		output_add(s->out, format_lost(output_end(s->out), output_left(s->out),
		                               &s->style, time, count));
}

/* Titles are for a reader: they stand once more when the terminal has got another width. */
static void
show_titles(struct stream *s)
{
	if (!s->titled && !s->packets)
		output_add(s->out, format_header(output_end(s->out), output_left(s->out),
		                                 &s->style));
	s->titled = true;
}

/* A part of another packet is no drop; the programs leave it out once they know the place. */
static bool
is_member(struct stream *s, const struct drop *d)
{
	bool member;

	tracer_find_release(s->tracer, s->named);
	member = tracer_is_member(s->tracer, d->location.address);
	s->members += member;
	return member;
}

static void
show_drop(struct stream *s)
{
	if (!s->packets) {
		show_titles(s);
		output_add(s->out, format_drop(output_end(s->out), output_left(s->out), &s->style,
		                               &drop));
	}
	capture_drop(s->capture, &drop);
	tally_drop(s->tally, &drop);
	s->shown++;
	s->ended = s->options->count && s->shown == s->options->count;
}

static void
show_sample(struct stream *s, const struct sample *from)
{
	if (from->time < s->start)
		return;
	if (from->lost) {
		tell_lost(s, from->time + s->to_wall, from->lost);
	} else if (decode_drop(from, &drop)) {
		/* no record of ours: it stays in the difference of seen and shown, as lost */
		return;
	} else if (is_member(s, &drop)) {
		return;
	} else {
		name_drop(s, &drop, from);
		show_drop(s);
	}
}

/* ---- the loop ---- */

static void
look_at_terminal(struct stream *s)
{
	struct terminal t = terminal_look(STDOUT_FILENO);

	s->style.colour = t.colour;
	s->titled = t.columns == s->style.width && s->titled;
	s->style.width = (uint16_t)t.columns;
}

/* Takes a signal; false: it ends the run. */
static bool
take_signal(struct stream *s)
{
	if (signals_take(s->signals) != SIGWINCH)
		return false;
	look_at_terminal(s);
	return true;
}

static bool
is_broken(const struct stream *s)
{
	return s->out->error || s->capture->out.error;
}

static bool
drain(struct stream *s)
{
	struct sample sample;
	bool any = false;

	rings_round(&s->tracer->rings);
	while (!s->ended && !is_broken(s) && rings_next(&s->tracer->rings, &sample)) {
		show_sample(s, &sample);
		any = true;
	}
	if (s->out->used && s->style.width) /* a terminal: most likely the same */
		progress_clear(s->progress);
	output_flush(s->out);
	capture_flush(s->capture);
	owner_rest();
	return any;
}

/* Nanoseconds to wait: what is left of the duration, at most limit; -1: for ever. */
static int64_t
time_left(const struct stream *s, int64_t limit)
{
	uint64_t now, end = s->start + s->options->duration_ns;
	int64_t left;

	if (!s->options->duration_ns)
		return limit;
	now = nanos(CLOCK_MONOTONIC);
	left = now < end ? (int64_t)(end - now) : 0;
	return limit < 0 || left < limit ? left : limit;
}

/*
 * While drops come, sleep LATENCY (or SOON) at a time: only a ring that fills
 * wakes us earlier. When none came, arm the bell, give a program that had looked
 * at it before the time to finish, and sleep until the bell rings.
 */
static void
loop(struct stream *s)
{
	enum { BUSY, ARMED, IDLE } state = BUSY;
	int latency = s->style.owner ? SOON : LATENCY;

	while (!s->ended && !is_broken(s) && time_left(s, -1) != 0) {
		int64_t limit = state == IDLE ? progress_wait(s->progress) : latency;
		int r = rings_wait(&s->tracer->rings, time_left(s, limit), STDOUT_FILENO,
		                   s->signals);

		if (r > 0 && r & RINGS_READABLE && !take_signal(s))
			return;
		if (r > 0 && r & RINGS_HUNG_UP)
			(s->packets ? &s->capture->out : s->out)->error = -EPIPE;
		if (drain(s) || owner_go_on()) {
			state = BUSY;
		} else if (state == BUSY) {
			tracer_arm(s->tracer);
			state = ARMED;
		} else {
			state = IDLE;
		}
		if (s->progress->on)
			progress_update(s->progress, nanos(CLOCK_MONOTONIC), s->shown, s->lost);
	}
}

/*
 * What is in the rings when we stop is shown. Ended by its count, the run is
 * over at that drop: what came after it was not asked for, and is not lost.
 */
static uint64_t
finish(struct stream *s)
{
	uint64_t seen;

	tracer_stop(s->tracer);
	while (!s->ended && !is_broken(s) && drain(s))
		;
	seen = tracer_matched(s->tracer) - s->before - s->members;
	if (s->ended || is_broken(s) || seen < s->shown + s->lost)
		return s->shown + s->lost;
	/* perf tells of a loss with the next event that finds room: there may be none */
	tell_lost(s, nanos(CLOCK_REALTIME), seen - s->shown - s->lost);
	return seen;
}

void
stream(struct stream *s)
{
	const struct options *o = s->options;

	s->named = !o->quiet || o->json || o->write;
	look_at_terminal(s);
	show_titles(s);
	output_flush(s->out);
	capture_flush(s->capture);
	loop(s);
	progress_clear(s->progress);
	tally_stop(s->tally);
	s->seen = finish(s);
}
