/* SPDX-License-Identifier: MIT */
/* The places in the kernel where our programs run: made, attached, taken away. */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "hooks.h"
#include "options.h"
#include "sites.h"
#include "tracer.h"

static int
add_hook(struct tracer *t, unsigned probe, int event)
{
	if (event < 0)
		return event;
	t->hook[t->hooks++] = (struct tracer_hook){
		.event = event, .program = -1, .probe = (uint8_t)probe,
	};
	return 0;
}

/* A program is the first hook's that runs it. */
static bool
owns_program(const struct tracer *t, const struct tracer_hook *h)
{
	for (const struct tracer_hook *other = t->hook; other < h; other++)
		if (other->program == h->program)
			return false;
	return h->program >= 0;
}

static void
close_program(struct tracer *t, struct tracer_hook *h)
{
	if (owns_program(t, h))
		close(h->program);
}

static void
close_hooks(struct tracer *t, unsigned probe)
{
	/* from the last: a program goes with its owner, which is the first */
	for (unsigned i = t->hooks; i-- > 0; ) {
		struct tracer_hook *h = &t->hook[i];

		if (h->probe != probe)
			continue;
		attach_close(&h->event);
		close_program(t, h);
		h->program = -1;
	}
}

/* What became of a probe; the last failure counts. */
static void
note(struct tracer *t, unsigned i, enum step step, int error)
{
	struct tracer_probe *p = &t->probe[i];

	p->wanted = true;
	p->step = step;
	p->error = error;
	p->attached = !error;
	if (error)
		close_hooks(t, i);
}

static int
load_program(struct tracer *t, unsigned i, uint32_t type, uint8_t arguments,
             const struct inlined_site *site, enum step *step)
{
	int error = tracer_build(t, i, arguments, site);

	*step = STEP_BUILD;
	if (error)
		return error;
	*step = STEP_LOAD;
	t->probe[i].count = t->text.count;
	error = tracer_load(t, type);
	/* EFAULT: more ways than it keeps, which are 1024 to 5.2 and 8192 from there on */
	return error == -E2BIG || error == -EFAULT ? tracer_too_large(t) : error;
}

static int
load_note(struct tracer *t, unsigned i, enum step *step)
{
	int error = tracer_build_note(t, i);

	*step = error ? STEP_BUILD : STEP_LOAD;
	return error ? error : tracer_load(t, BPF_PROG_TYPE_KPROBE);
}

/* How many arguments it has is found by trying: a program that reads more is refused. */
static void
open_tracepoint(struct tracer *t, unsigned i)
{
	int error = -EINVAL;
	enum step step = STEP_NONE;

	for (uint8_t n = 4; n >= 2 && error == -EINVAL && step != STEP_LOAD; n--) {
		int program = load_program(t, i, BPF_PROG_TYPE_RAW_TRACEPOINT, n, NULL, &step);

		error = program;
		if (program < 0)
			continue;
		step = STEP_TRACEPOINT;
		t->probe[i].arguments = n;
		error = add_hook(t, i, attach_raw_tracepoint(program, probe_get(i)->symbol));
		if (error)
			close(program);
		else
			t->hook[t->hooks - 1].program = program;
	}
	note(t, i, step, error);
}

/* One CPU's event is enough: the program of a kprobe runs on every CPU. */
static int
make_kprobe(struct tracer *t, const char *function, uint64_t address)
{
	return kprobes_make(&t->kprobes, function, address, (int)t->rings.first);
}

/* How many of the functions that note for a probe have a kprobe now. */
static unsigned
add_notes(struct tracer *t, unsigned i)
{
	unsigned count = 0;

	for (unsigned n = 0; n < 2 && probe_get(i)->notes[n]; n++)
		if (!add_hook(t, i, make_kprobe(t, probe_get(i)->notes[n], 0))) {
			t->hook[t->hooks - 1].is_note = true;
			count++;
		}
	return count;
}

/* Without what is noted it misses a socket now and then, and no drop. */
static void
open_kprobe(struct tracer *t, unsigned i)
{
	int event = make_kprobe(t, probe_get(i)->symbol, 0);

	if (event >= 0)
		add_notes(t, i);
	note(t, i, t->kprobes.error ? STEP_PMU : STEP_KPROBE, add_hook(t, i, event));
}

/* An event of tracefs, where there are no raw tracepoints: that one has failed is no news then. */
static void
open_event(struct tracer *t, unsigned i)
{
	int event = kprobes_event(&t->kprobes, probe_get(i)->symbol, (int)t->rings.first);

	note(t, i, STEP_TRACEPOINT, add_hook(t, i, event));
	for (unsigned other = 0; other < PROBES && event >= 0; other++)
		if (probe_get(other)->kind == PROBE_TRACEPOINT)
			t->probe[other] = (struct tracer_probe){ 0 };
	if (t->kprobes.pmu >= 0)
		t->probe[i].wanted = false; /* raw ones are as old as the PMU */
}

/*
 * Does tcp_drop() free with the function of a probe that is attached? Then it is
 * seen there. So it is from 5.18 on, and before where reasons were backported.
 */
static bool
drops_with_reasons(struct tracer *t)
{
	static const char *const names[] = { "sk_skb_reason_drop", "kfree_skb_reason" };
	const struct kallsyms *symbols = NULL;
	struct inlined found = { 0 };
	uint64_t start, end;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!tracer_attached(t, names[i]))
			continue;
		symbols = tracer_symbols(t);
		if (symbols && (kallsyms_function(symbols, "tcp_drop_reason", &start, &end)
		                || !sites_find(&found, symbols, names[i], t->read)))
			return true;
	}
	return false;
}

/*
 * Looks for inlined tcp_drop() once: what it is called with, and where sk_drops
 * is. clang inlines it here and calls it there: the function itself is left out.
 */
static int
find_sites(struct tracer *t)
{
	const struct kallsyms *symbols;
	uint64_t start, end;

	if (t->kprobes.error || t->sites_searched)
		return t->kprobes.error ? t->kprobes.error : t->sites_error;
	symbols = tracer_symbols(t);
	t->sites_error = symbols ? sites_find(&t->inlined, symbols, "__kfree_skb", t->read)
	                         : t->symbols_error;
	t->sites_searched = true;
	if (symbols && tracer_attached(t, "tcp_drop")
	    && kallsyms_function(symbols, "tcp_drop", &start, &end)) {
		inlined_leave_out(&t->inlined, start, end);
		t->sites_error = t->sites_error || t->inlined.count ? t->sites_error : -ENOENT;
	}
	return t->sites_error;
}

/* A site whose kprobe is refused is one that is not probed; --check tells how many. */
static void
open_sites(struct tracer *t, unsigned i)
{
	int error = find_sites(t);
	unsigned before = t->hooks;

	for (unsigned n = 0; n < t->inlined.count && !error; n++) {
		const struct inlined_site *site = &t->inlined.site[n];

		if (!add_hook(t, i, make_kprobe(t, NULL, site->address)))
			t->hook[t->hooks - 1].site = site;
	}
	t->sites_probed = t->hooks - before;
	if (!error && t->hooks == before)
		error = -EINVAL;
	note(t, i, t->kprobes.error ? STEP_PMU : STEP_SITES, error);
	if (error == -ENOENT && tracer_attached(t, "tcp_drop"))
		t->probe[i].wanted = false; /* it need not be anywhere */
}

/*
 * tcp_input.c, or what calls it: tcp_rcv_established() may end in a jump to
 * __kfree_skb(), whose caller is then that function's.
 */
static void
find_droppers(struct tracer *t)
{
	static const char *const names[] = {
		"tcp_v4_do_rcv", "tcp_v6_do_rcv", "tcp_child_process",
	};
	const struct kallsyms *symbols = tracer_symbols(t);
	struct program_range *droppers = t->control.droppers;

	droppers[3] = (struct program_range){ t->inlined.start, t->inlined.end };
	for (unsigned i = 0; i < 3 && symbols; i++)
		kallsyms_function(symbols, names[i], &droppers[i].start, &droppers[i].end);
}

/* Where sk_drops is stands in the same text, whether the sites are understood or not. */
static void
open_grown(struct tracer *t, unsigned i)
{
	int error = find_sites(t);

	find_droppers(t);
	if (t->inlined.sk_drops)
		error = add_hook(t, i, make_kprobe(t, probe_get(i)->symbol, 0));
	if (!error && add_notes(t, i) < 2)
		error = -ENOENT;
	note(t, i, t->kprobes.error ? STEP_PMU : t->inlined.sk_drops ? STEP_KPROBE : STEP_SITES,
	     error);
}

static bool
is_same_site(const struct inlined_site *a, const struct inlined_site *b)
{
	return a == b || (a && b && a->skb == b->skb && a->base == b->base && a->back == b->back);
}

/* The program of a hook: that of an earlier one which would be the same, or a new one. */
static int
load_hook(struct tracer *t, struct tracer_hook *h, enum step *step)
{
	bool is_event = probe_get(h->probe)->kind == PROBE_EVENT;

	for (const struct tracer_hook *other = t->hook; other < h; other++)
		if (other->probe == h->probe && is_same_site(other->site, h->site)
		    && other->is_note == h->is_note)
			h->program = other->program;
	if (h->program < 0 && h->is_note)
		h->program = load_note(t, h->probe, step);
	else if (h->program < 0)
		h->program = load_program(t, h->probe, is_event ? BPF_PROG_TYPE_TRACEPOINT
		                                                : BPF_PROG_TYPE_KPROBE,
		                          0, h->site, step);
	if (h->program < 0)
		return h->program;
	*step = STEP_BIND;
	return attach_bind(h->event, h->program);
}

static void
load_kprobes(struct tracer *t)
{
	for (unsigned i = 0; i < t->hooks; i++) {
		struct tracer_hook *h = &t->hook[i];
		enum step step = STEP_NONE;
		int error = 0;

		if (h->event >= 0 && probe_get(h->probe)->kind != PROBE_TRACEPOINT)
			error = load_hook(t, h, &step);
		if (error && h->is_note && probe_get(h->probe)->kind != PROBE_GROWN)
			attach_close(&h->event);
		else if (error)
			note(t, h->probe, step, error);
	}
}

/*
 * Is the probe to be tried? Of those that a kernel has one of, the first is
 * enough. tcp_drop() may be a function and inlined as well.
 */
static bool
is_wanted(const struct tracer *t, unsigned i, bool shared)
{
	const struct probe *probe = probe_get(i);

	if (!(t->set >> i & 1))
		return false;
	/* the event's record is read for no reason, which there is from 5.17 on */
	if (probe->kind == PROBE_EVENT
	    && (tracer_attached(t, "tracepoint") || t->version >= KERNEL_VERSION(5, 17, 0)
	        || t->version < probe->first))
		return false;
	if (t->options->probe)
		return true;
	/* nobody backports this far, and tracefs writes what it refuses to the kernel's log */
	if (t->version < KERNEL_VERSION(4, 17, 0) && t->version < probe->first)
		return false;
	if (probe->kind == PROBE_SITES)
		return !t->drops_with_reasons;
	if (probe->kind == PROBE_GROWN)
		return !t->drops_with_reasons && !tracer_attached(t, "tcp_drop")
		       && !tracer_attached(t, "inlined");
	return !(probe->instead && shared);
}

static bool
open_kind(struct tracer *t, enum probe_kind kind, void (*open)(struct tracer *, unsigned))
{
	bool shared = false;

	for (unsigned i = 0; i < PROBES; i++) {
		if (probe_get(i)->kind == kind && is_wanted(t, i, shared))
			open(t, i);
		shared |= t->probe[i].attached && probe_get(i)->shared;
	}
	return shared;
}

/* One that only calls what another probe sees would show its drops twice. */
static void
settle_tcp_drop(struct tracer *t)
{
	t->drops_with_reasons = t->version >= KERNEL_VERSION(5, 18, 0) || drops_with_reasons(t);
	for (unsigned i = 0; i < PROBES; i++)
		if (t->drops_with_reasons && !t->options->probe && t->probe[i].attached
		    && !strcmp(probe_get(i)->name, "tcp_drop"))
			note(t, i, STEP_REPEATS, -EEXIST);
}

/*
 * The kprobes are made first, as a function that is not there costs no program;
 * then the tracepoint, then the kprobes' programs: each side marks or looks for
 * marks only if the other side is there.
 */
int
hooks_open(struct tracer *t)
{
	int marks = t->maps.marks;

	if (!open_kind(t, PROBE_KPROBE, open_kprobe))
		t->maps.marks = -1;
	settle_tcp_drop(t);
	open_kind(t, PROBE_SITES, open_sites);
	open_kind(t, PROBE_GROWN, open_grown);
	open_kind(t, PROBE_TRACEPOINT, open_tracepoint);
	open_kind(t, PROBE_EVENT, open_event);
	if (!tracer_attached(t, "tracepoint"))
		t->maps.marks = -1;
	load_kprobes(t);
	t->maps.marks = marks;
	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].attached)
			return 0;
	return -1;
}

int
hooks_enable(struct tracer *t)
{
	for (unsigned i = 0; i < t->hooks; i++) {
		const struct tracer_hook *h = &t->hook[i];
		int error = 0;

		if (h->event >= 0 && probe_get(h->probe)->kind != PROBE_TRACEPOINT)
			error = attach_enable(h->event);
		if (error)
			return error;
	}
	return 0;
}

/* Kprobes go first: a buffer that one has marked still meets the tracepoint. */
void
hooks_detach(struct tracer *t)
{
	for (unsigned kind = PROBE_KPROBE; kind <= PROBE_EVENT; kind++)
		for (unsigned i = 0; i < t->hooks; i++)
			if (probe_get(t->hook[i].probe)->kind == kind)
				attach_close(&t->hook[i].event);
}

uint64_t
hooks_missed(const struct tracer *t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->hooks; i++)
		if (owns_program(t, &t->hook[i]))
			sum += attach_missed(t->hook[i].program);
	return sum;
}

void
hooks_close(struct tracer *t)
{
	for (unsigned i = 0; i < PROBES; i++)
		close_hooks(t, i);
	kprobes_close(&t->kprobes);
}
