/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <linux/version.h>

#include <sys/syscall.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "attach.h"
#include "bpf_insns.h"
#include "hooks.h"
#include "kprobes.h"
#include "measure.h"
#include "notes.h"
#include "options.h"
#include "text.h"
#include "tracer.h"

enum {
	UNLIMITED      = KERNEL_VERSION(5, 2, 0), /* before it BPF_MAXINSNS, <linux/bpf_common.h> */
	MOST           = 4095, /* to 4.9 one less than BPF_MAXINSNS */
	FEWER_CALLS    = KERNEL_VERSION(6, 1, 0), /* skb_release_data() frees its list itself */
	MARKS          = 1024, /* buffers between a kprobe and the tracepoint within: a few a CPU */
	MEMBARRIER_ALL = 1,    /* MEMBARRIER_CMD_GLOBAL, <linux/membarrier.h>, 4.3 on */
};

static int
fail(struct tracer *t, enum step step, int error)
{
	char remedy[256];

	advice(remedy, sizeof(remedy), step, error, t->version);
	text_format(t->error, sizeof(t->error), "%s: %s%s%s", advice_step(step), text_error(-error),
	         remedy[0] ? "\n" : "", remedy);
	return -1;
}

int
tracer_too_large(struct tracer *t)
{
	bool long_one = t->text.whole > MOST && t->version < UNLIMITED;

	text_format(t->error, sizeof(t->error), "%u instructions are too many for this kernel%s: "
	            "ask for less in the expression", t->text.whole,
	            long_one ? ", which takes 4095" : "'s verifier");
	t->too_large = true;
	return -E2BIG;
}

/*
 * Loads, with the verifier's log on failure only: writing it costs time. To 6.3 a
 * log that finds no room in the buffer is an error of its own, which hides the cause.
 */
int
tracer_load(struct tracer *t, uint32_t type)
{
	struct attach_program p = {
		.type = type, .insn = t->text.insn, .count = t->text.count, .version = t->version,
	};
	int error = attach_load(&p), fd;

	if (error >= 0)
		return error;
	p.log = t->log;
	p.log_size = sizeof(t->log);
	t->log[0] = '\0';
	fd = attach_load(&p);
	return fd == -ENOSPC ? error : fd;
}

/* ---- open ---- */

struct fds {
	int rings, bells;
};

static int
set_cpu(unsigned cpu, int event, int bell, void *context)
{
	const struct fds *maps = context;
	uint32_t key = cpu;
	int error = attach_map_set(maps->rings, &key, &event);

	return error ? error : attach_map_set(maps->bells, &key, &bell);
}

unsigned
tracer_rows(const struct tracer *t)
{
	enum { DEFAULT_KIB = 2048, ROWS = 8 }; /* an element has 88 bytes, its bucket 16 */
	uint32_t kib = t->options->buffer_kib;

	return (kib ? kib : DEFAULT_KIB) * ROWS;
}

static int
open_maps(struct tracer *t)
{
	struct program_maps *m = &t->maps;
	uint32_t cpus = t->rings.count;
	struct fds fds;
	const int *const all[] = {
		&m->counters, &m->rings, &m->bells, &m->control, &m->marks, &m->notes,
	};

	m->counters = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct program_counters), cpus);
	m->control = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct program_control), 1);
	m->rings = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, cpus);
	m->bells = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, cpus);
	m->marks = attach_map(BPF_MAP_TYPE_HASH, 8, 4, MARKS);
	m->notes = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct note), cpus);
	if (t->options->summary) {
		m->summary = attach_map(BPF_MAP_TYPE_HASH, sizeof(struct summary_key),
		                        sizeof(struct summary_count), tracer_rows(t));
		if (m->summary < 0)
			return m->summary;
	}
	fds = (struct fds){ m->rings, m->bells };
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (*all[i] < 0)
			return *all[i];
	return rings_each(&t->rings, set_cpu, &fds);
}

static struct program
describe(const struct tracer *t, unsigned probe)
{
	return (struct program){
		.probe = probe_get(probe), .index = (uint8_t)probe,
		.read = t->read, .clears = t->version < KERNEL_VERSION(4, 6, 0),
		.offsets = &t->offsets, .filter = &t->filter, .maps = t->maps,
		.taker = t->taker, .sk_drops = t->inlined.sk_drops, .five_levels = t->five_levels,
		.has_consumed = t->has_consumed, .consumed = t->consumed,
		.summary = t->options->summary,
		.packet = !t->options->summary && t->options->write,
	};
}

int
tracer_build(struct tracer *t, unsigned probe, uint8_t arguments, const struct inlined_site *site)
{
	struct program p = describe(t, probe);
	int error;

	p.arguments = arguments;
	p.site = site;
	error = program_build(&t->text, &p);
	if (error == -E2BIG || (t->text.count > MOST && t->version < UNLIMITED))
		error = tracer_too_large(t);
	return error;
}

int
tracer_build_note(struct tracer *t, unsigned probe)
{
	struct program p = describe(t, probe);

	return program_build_note(&t->text, &p);
}

const struct kallsyms *
tracer_symbols(struct tracer *t)
{
	if (!t->symbols_read)
		t->symbols_error = kallsyms_read(&t->symbols, "/proc/kallsyms");
	t->symbols_read = true;
	return t->symbols_error ? NULL : &t->symbols;
}

const char *
tracer_reason(struct tracer *t, uint32_t reason)
{
	const char *name = names_reason(&t->names, reason);

	return name ? name : subsystems_name(&t->subsystems, t->read, reason);
}

bool
tracer_attached(const struct tracer *t, const char *name)
{
	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].attached && !strcmp(probe_get(i)->name, name))
			return true;
	return false;
}

bool
tracer_has(const struct tracer *t, enum probe_kind kind)
{
	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].attached && probe_get(i)->kind == kind)
			return true;
	return false;
}

static int
fail_probes(struct tracer *t)
{
	size_t n = (size_t)text_format(t->error, sizeof(t->error), "no probe could be attached");

	for (unsigned i = 0; i < PROBES && n < sizeof(t->error); i++) {
		const struct tracer_probe *p = &t->probe[i];
		char remedy[256];

		if (!p->wanted)
			continue;
		advice(remedy, sizeof(remedy), p->step, p->error, t->version);
		n += (size_t)text_format(t->error + n, sizeof(t->error) - n, "\n%s: %s: %s%s%s",
		                         probe_get(i)->name, advice_step(p->step),
		                         text_error(-p->error), remedy[0] ? ": " : "", remedy);
	}
	return -1;
}

/*
 * The function that frees SYNs as dropped which were not (to 4.6, where stable
 * kernels have no fix). Where symbols are hidden: from anywhere in the kernel.
 */
static void
find_taker(struct tracer *t)
{
	const struct kallsyms *symbols;

	if (t->version >= KERNEL_VERSION(4, 7, 0))
		return;
	t->taker = (struct program_range){ 0, UINT64_MAX };
	symbols = tracer_symbols(t);
	if (symbols)
		kallsyms_function(symbols, "tcp_rcv_state_process", &t->taker.start,
		                  &t->taker.end);
}

static int
fail_offset(struct tracer *t, enum offset id)
{
	text_format(t->error, sizeof(t->error), "the offset %s is not known for this kernel\n"
	            "give it with --offsets", offsets_name(id));
	return -1;
}

int
tracer_open(struct tracer *t)
{
	enum { DEFAULT_KIB = 256, SUMMARY_KIB = 4 };
	const struct options *o = t->options;
	int error;

	if (offsets_missing(&t->offsets) != OFFSETS)
		return fail_offset(t, offsets_missing(&t->offsets));
	error = rings_open(&t->rings, o->summary ? SUMMARY_KIB : o->buffer_kib ? o->buffer_kib
	                                                       : DEFAULT_KIB,
	                   !o->quiet && !o->summary);
	if (error)
		return fail(t, STEP_RING, error);
	error = open_maps(t);
	if (error)
		return fail(t, STEP_MAP, error);
	kprobes_open(&t->kprobes, t->reads_memory);
	if (!t->offsets.asked && !o->offsets)
		t->unmeasured = measure(t);
	if (t->offsets.source[NET_INUM] < OFFSET_KERNEL)
		measure_netns(t);
	if (t->filter.netns_sure && t->offsets.at[NET_INUM] == OFFSET_NONE)
		return fail_offset(t, NET_INUM);
	find_taker(t);
	if (o->summary) /* no reader leaves out what the tracepoint counts from now on */
		tracer_find_release(t, true);
	error = hooks_open(t);
	return t->too_large ? -1 : error ? fail_probes(t) : 0;
}

int
tracer_test_ring(struct tracer *t)
{
	struct sample s;
	uint32_t result;
	int program, error;

	bpf_asm_start(&t->text, 0);
	BPF_ASM(&t->text, NULL, STOREI(BPF_DW, FP, -8, 1), LOAD_MAP(R2, t->maps.rings),
	        MOV32I(R3, BPF_F_CURRENT_CPU), MOV(R4, FP), ADDI(R4, -8), MOVI(R5, 8),
	        CALL(BPF_FUNC_perf_event_output), MOVI(R0, 0), EXIT);
	program = tracer_load(t, BPF_PROG_TYPE_SCHED_CLS);
	if (program < 0)
		return program;
	error = attach_test_run(program, &result);
	close(program);
	if (error)
		return error;
	rings_round(&t->rings);
	while (rings_next(&t->rings, &s))
		if (!s.lost && s.size < sizeof(struct event))
			return 0;
	return -ENODATA;
}

/* ---- run ---- */

static void
set_control(struct tracer *t, uint32_t armed)
{
	uint32_t key = 0;

	t->control.armed = armed;
	attach_map_set(t->maps.control, &key, &t->control);
}

int
tracer_start(struct tracer *t)
{
	int error;

	if (t->version < FEWER_CALLS)
		tracer_find_release(t, false);
	set_control(t, 0);
	error = hooks_enable(t);
	return error ? fail(t, STEP_KPROBE, error) : 0;
}

void
tracer_arm(struct tracer *t)
{
	set_control(t, 1);
}

/* Through the symbols if they are here, else without keeping them. */
void
tracer_find_release(struct tracer *t, bool keep_symbols)
{
	static const char *const names[] = { "skb_release_data", "__kfree_skb", "kfree_skb_list" };
	struct program_range *const ranges[] = {
		&t->control.release[0], &t->control.release[1], &t->control.list,
	};

	if (t->release_searched)
		return;
	t->release_searched = true;
	if (keep_symbols)
		tracer_symbols(t);
	for (unsigned i = 0; i < (t->version < FEWER_CALLS ? 3 : 2); i++) {
		struct program_range *r = ranges[i];

		if (t->symbols_read && !t->symbols_error)
			kallsyms_function(&t->symbols, names[i], &r->start, &r->end);
		else if (!t->symbols_read)
			kallsyms_lookup("/proc/kallsyms", names[i], &r->start, &r->end);
	}
	set_control(t, 0);
}

bool
tracer_is_member(const struct tracer *t, uint64_t location)
{
	for (unsigned i = 0; i < 2; i++)
		if (location >= t->control.release[i].start && location < t->control.release[i].end)
			return true;
	return false;
}

/*
 * A program that began before is over after one grace period, which is what a
 * global memory barrier waits for.
 */
void
tracer_stop(struct tracer *t)
{
	const struct timespec grace = { .tv_nsec = 20000000 };

	hooks_detach(t);
	if (syscall(SYS_membarrier, MEMBARRIER_ALL, 0)) /* CONFIG_MEMBARRIER may be off */
		nanosleep(&grace, NULL);
}

static uint64_t
add_counters(const struct tracer *t, bool unfit)
{
	struct program_counters one;
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < t->rings.count; cpu++)
		if (!attach_map_get(t->maps.counters, &cpu, &one))
			sum += unfit ? one.unfit : one.matched;
	return sum;
}

uint64_t
tracer_matched(const struct tracer *t)
{
	return add_counters(t, false);
}

uint64_t
tracer_unfit(const struct tracer *t)
{
	return add_counters(t, true);
}

void
tracer_close(struct tracer *t)
{
	struct program_maps *m = &t->maps;

	hooks_close(t);
	attach_close(&m->counters);
	attach_close(&m->rings);
	attach_close(&m->bells);
	attach_close(&m->control);
	attach_close(&m->marks);
	attach_close(&m->notes);
	attach_close(&m->summary);
	rings_close(&t->rings);
	kallsyms_free(&t->symbols);
}
