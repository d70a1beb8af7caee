/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <linux/version.h>

#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "attach.h"
#include "bpf_insns.h"
#include "kernel.h"
#include "memory.h"
#include "options.h"
#include "sites.h"
#include "text.h"
#include "tracefs.h"
#include "tracer.h"

enum {
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

/* Loads, with the verifier's log on failure only: writing it costs time. */
static int
load(struct tracer *t, uint32_t type)
{
	struct attach_program p = {
		.type = type, .insn = t->text.insn, .count = t->text.count, .version = t->version,
	};
	int fd = attach_load(&p);

	if (fd >= 0)
		return fd;
	p.log = t->log;
	p.log_size = sizeof(t->log);
	t->log[0] = '\0';
	fd = attach_load(&p);
	return fd;
}

static void
raise_limit(int resource)
{
	struct rlimit limit;

	/* the bare system call: libc's would first stop all threads, of which there is one */
	if (syscall(SYS_prlimit64, 0, resource, NULL, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	syscall(SYS_prlimit64, 0, resource, &limit, NULL);
	/* before 5.11 maps and programs are counted as locked memory */
	limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
	if (resource == RLIMIT_MEMLOCK)
		syscall(SYS_prlimit64, 0, resource, &limit, NULL);
}

/* ---- learn ---- */

static void
ask_offsets(struct tracer *t)
{
	static struct bpf_insn answer[BPF_ASM_MAX];
	int program = -1, n;

	for (int sockets = 1; sockets >= 0 && program < 0; sockets--) {
		offsets_question(&t->text, sockets);
		program = load(t, BPF_PROG_TYPE_SCHED_CLS);
	}
	t->unasked = STEP_ASK;
	t->unasked_error = program;
	if (program < 0)
		return;
	n = attach_dump(program, answer, BPF_ASM_MAX);
	close(program);
	t->unasked = STEP_DUMP;
	t->unasked_error = n < 0 ? n : -ENODATA;
	if (n > 0 && offsets_answer(&t->offsets, answer, (unsigned)n) > 0)
		t->unasked = STEP_NONE;
}

/*
 * Measured where it can be, as the table cannot know every configuration. Says
 * whether the kernel lets a program read its memory: not where it is locked down.
 */
static bool
ask_netns(struct tracer *t)
{
	uint32_t own = kernel_net_namespace(), at = 0;
	int program;

	if (t->offsets.at[SOCK_NET] == OFFSET_NONE)
		return false;
	offsets_netns_question(&t->text, &t->offsets, own);
	program = load(t, BPF_PROG_TYPE_SCHED_CLS);
	if (program < 0)
		return false;
	if (own && !attach_test_run(program, &at))
		offsets_netns_answer(&t->offsets, at);
	close(program);
	return true;
}

/* The running kernel's own list from tracefs; else ours, if we have that very kernel's. */
static void
learn_reasons(struct tracer *t, bool reads_memory)
{
	static char text[64 * 1024];
	int dir = tracefs_open(reads_memory);
	ssize_t n = dir;

	if (dir >= 0) {
		n = tracefs_read(dir, "events/skb/kfree_skb/format", text, sizeof(text));
		close(dir);
	}
	if (n >= 0) {
		int error = names_parse_format(&t->names, text, (size_t)n);

		t->has_names = !error;
		t->names_from = error ? "this kernel gives no reasons" : "tracefs";
	} else {
		t->has_names = !names_builtin(&t->names, t->version);
		t->names_from = t->has_names ? "built-in table"
		                             : "no tracefs and no table for this kernel: numbers";
	}
}

static int
learn_filter(struct tracer *t)
{
	const struct options *o = t->options;
	struct program_filter *f = &t->filter;

	f->family = o->ipv4_only ? 4 : o->ipv6_only ? 6 : 0;
	f->has_pid = o->has_pid;
	f->pid = o->pid;
	f->port_count = o->port_count;
	for (unsigned i = 0; i < o->port_count; i++)
		f->port[i] = o->ports[i];
	/* bpf_get_ns_current_pid_tgid() is there from 5.7 on */
	if (o->has_pid && kernel_pid_namespace(&f->pidns_dev, &f->pidns_ino)
	    && t->version < KERNEL_VERSION(5, 7, 0)) {
		text_format(t->error, sizeof(t->error), "-p: Linux before 5.7 cannot tell pids of "
		            "a pid namespace\nrun tcpdrop on the host");
		return -1;
	}
	return 0;
}

int
tracer_learn(struct tracer *t, const struct options *o)
{
	t->options = o;
	if (!t->version)
		t->version = kernel_version();
	t->read = t->version >= KERNEL_VERSION(5, 5, 0) ? BPF_FUNC_probe_read_kernel
	                                                : BPF_FUNC_probe_read;
	t->maps = (struct program_maps){ -1, -1, -1, -1, -1 };
	offsets_table(&t->offsets, t->version);
	if (!o->dump) {
		raise_limit(RLIMIT_NOFILE);
		raise_limit(RLIMIT_MEMLOCK);
		ask_offsets(t);
		learn_reasons(t, ask_netns(t));
	}
	t->usage = o->offsets
	           && offsets_override(&t->offsets, o->offsets, t->error, sizeof(t->error));
	t->set = PROBE_ALL;
	if (!t->usage && o->probe)
		t->usage = probe_parse(o->probe, &t->set, t->error, sizeof(t->error));
	return t->usage ? -1 : learn_filter(t);
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

static int
open_maps(struct tracer *t)
{
	struct program_maps *m = &t->maps;
	uint32_t cpus = t->rings.count;
	struct fds fds;

	m->counters = attach_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct program_counters), 1);
	m->armed = attach_map(BPF_MAP_TYPE_ARRAY, 4, 4, 1);
	m->rings = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, cpus);
	m->bells = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, cpus);
	m->marks = attach_map(BPF_MAP_TYPE_HASH, 8, 4, MARKS);
	fds = (struct fds){ m->rings, m->bells };
	if (m->counters < 0 || m->armed < 0 || m->rings < 0 || m->bells < 0 || m->marks < 0)
		return m->counters < 0 ? m->counters : m->armed < 0 ? m->armed
		     : m->rings < 0 ? m->rings : m->bells < 0 ? m->bells : m->marks;
	return rings_each(&t->rings, set_cpu, &fds);
}

int
tracer_build(struct tracer *t, unsigned probe, uint8_t arguments)
{
	struct program p = {
		.probe = probe_get(probe), .index = (uint8_t)probe, .arguments = arguments,
		.read = t->read, .offsets = &t->offsets, .filter = &t->filter, .maps = t->maps,
	};

	p.has_consumed = t->has_names && names_consumed(&t->names, &p.consumed);
	return program_build(&t->text, &p);
}

/* ---- hooks: what is attached, and the program it runs ---- */

static int
add_hook(struct tracer *t, unsigned probe, int event, int8_t skb)
{
	if (event < 0)
		return event;
	t->hook[t->hooks++] = (struct tracer_hook){
		.event = event, .program = -1, .probe = (uint8_t)probe, .skb = skb,
	};
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
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
		close_fd(&h->event);
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
load_program(struct tracer *t, unsigned i, uint32_t type, uint8_t arguments, enum step *step)
{
	int error = tracer_build(t, i, arguments);

	*step = STEP_BUILD;
	if (error)
		return error;
	*step = STEP_LOAD;
	t->probe[i].count = t->text.count;
	return load(t, type);
}

/* How many arguments it has is found by trying: a program that reads more is refused. */
static void
open_tracepoint(struct tracer *t, unsigned i)
{
	int error = -EINVAL;
	enum step step = STEP_NONE;

	for (uint8_t n = 4; n >= 2 && error == -EINVAL && step != STEP_LOAD; n--) {
		int program = load_program(t, i, BPF_PROG_TYPE_RAW_TRACEPOINT, n, &step);

		error = program;
		if (program < 0)
			continue;
		step = STEP_TRACEPOINT;
		t->probe[i].arguments = n;
		error = add_hook(t, i, attach_raw_tracepoint(program, probe_get(i)->symbol), 0);
		if (error)
			close(program);
		else
			t->hook[t->hooks - 1].program = program;
	}
	note(t, i, step, error);
}

static void
open_kprobe(struct tracer *t, unsigned i)
{
	int event = t->pmu;

	if (t->pmu >= 0)
		event = attach_kprobe(t->pmu, probe_get(i)->symbol, (int)t->rings.first);
	note(t, i, t->pmu < 0 ? STEP_PMU : STEP_KPROBE, add_hook(t, i, event, 0));
}

/* A site whose kprobe is refused is one that is not probed; --check tells how many. */
static void
open_sites(struct tracer *t, unsigned i)
{
	const struct kallsyms *symbols = t->pmu < 0 ? NULL : tracer_symbols(t);
	int error = t->pmu < 0 ? t->pmu : t->symbols_error;
	unsigned before = t->hooks;

	if (symbols)
		error = sites_find(&t->inlined, symbols, probe_get(i)->symbol);
	for (unsigned n = 0; n < t->inlined.count && !error; n++) {
		const struct inlined_site *site = &t->inlined.site[n];

		if (add_hook(t, i, attach_kprobe_at(t->pmu, site->address, (int)t->rings.first),
		             site->skb))
			t->inlined.unclear++;
	}
	if (!error && t->hooks == before)
		error = -EINVAL;
	note(t, i, t->pmu < 0 ? STEP_PMU : STEP_SITES, error);
}

/* The program of a hook: that of an earlier one which would be the same, or a new one. */
static int
load_hook(struct tracer *t, struct tracer_hook *h, enum step *step)
{
	for (const struct tracer_hook *other = t->hook; other < h; other++)
		if (other->probe == h->probe && other->skb == h->skb)
			h->program = other->program;
	if (h->program < 0)
		h->program = load_program(t, h->probe, BPF_PROG_TYPE_KPROBE, (uint8_t)h->skb, step);
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
		if (error)
			note(t, h->probe, step, error);
	}
}

const struct kallsyms *
tracer_symbols(struct tracer *t)
{
	if (!t->symbols_read)
		t->symbols_error = kallsyms_read(&t->symbols, "/proc/kallsyms");
	t->symbols_read = true;
	return t->symbols_error ? NULL : &t->symbols;
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

/*
 * Is the probe to be tried? Of those that a kernel has one of, the first is
 * enough. Inlined tcp_drop() is looked for where there is none to probe; from
 * 5.18 on it frees with what the other probes see.
 */
static bool
is_wanted(const struct tracer *t, unsigned i, bool shared)
{
	const struct probe *probe = probe_get(i);

	if (!(t->set >> i & 1))
		return false;
	if (t->options->probe)
		return true;
	if (probe->kind == PROBE_SITES)
		return t->version <= probe->last && !tracer_attached(t, "tcp_drop");
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

/*
 * The kprobes are made first, as a function that is not there costs no program;
 * then the tracepoint, then the kprobes' programs: each side marks or looks for
 * marks only if the other side is there.
 */
static int
open_probes(struct tracer *t)
{
	int marks = t->maps.marks;

	t->pmu = attach_kprobe_pmu();
	if (!open_kind(t, PROBE_KPROBE, open_kprobe))
		t->maps.marks = -1;
	open_kind(t, PROBE_SITES, open_sites);
	open_kind(t, PROBE_TRACEPOINT, open_tracepoint);
	if (!tracer_has(t, PROBE_TRACEPOINT))
		t->maps.marks = -1;
	load_kprobes(t);
	t->maps.marks = marks;
	return tracer_has(t, PROBE_KPROBE) || tracer_has(t, PROBE_SITES)
	       || tracer_has(t, PROBE_TRACEPOINT) ? 0 : -1;
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

int
tracer_open(struct tracer *t)
{
	enum { DEFAULT_KIB = 256 };
	const struct options *o = t->options;
	enum offset missing = offsets_missing(&t->offsets);
	int error;

	if (missing != OFFSETS) {
		text_format(t->error, sizeof(t->error), "the offset %s is not known for this "
		            "kernel\ngive it with --offsets", offsets_name(missing));
		return -1;
	}
	error = rings_open(&t->rings, o->buffer_kib ? o->buffer_kib : DEFAULT_KIB, !o->quiet);
	if (error)
		return fail(t, STEP_RING, error);
	error = open_maps(t);
	if (error)
		return fail(t, STEP_MAP, error);
	return open_probes(t) ? fail_probes(t) : 0;
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
	program = load(t, BPF_PROG_TYPE_SCHED_CLS);
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

int
tracer_start(struct tracer *t)
{
	for (unsigned i = 0; i < t->hooks; i++) {
		const struct tracer_hook *h = &t->hook[i];
		int error = 0;

		if (h->event >= 0 && probe_get(h->probe)->kind != PROBE_TRACEPOINT)
			error = attach_enable(h->event);
		if (error)
			return fail(t, STEP_KPROBE, error);
	}
	return 0;
}

void
tracer_arm(struct tracer *t)
{
	uint32_t key = 0, on = 1;

	attach_map_set(t->maps.armed, &key, &on);
}

/*
 * Kprobes go first: a buffer that one has marked still meets the tracepoint. A
 * program that began before is over after one grace period, which is what a
 * global memory barrier waits for.
 */
void
tracer_stop(struct tracer *t)
{
	for (unsigned kind = PROBE_KPROBE; kind <= PROBE_TRACEPOINT; kind++)
		for (unsigned i = 0; i < t->hooks; i++)
			if (probe_get(t->hook[i].probe)->kind == kind)
				close_fd(&t->hook[i].event);
	syscall(SYS_membarrier, MEMBARRIER_ALL, 0);
}

uint64_t
tracer_matched(const struct tracer *t)
{
	struct program_counters *each = memory_resize(NULL, t->rings.count * sizeof(*each));
	uint32_t key = 0;
	uint64_t sum = 0;

	if (each && !attach_map_get(t->maps.counters, &key, each))
		for (unsigned i = 0; i < t->rings.count; i++)
			sum += each[i].matched;
	memory_free(each);
	return sum;
}

uint64_t
tracer_missed(const struct tracer *t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->hooks; i++)
		if (owns_program(t, &t->hook[i]))
			sum += attach_missed(t->hook[i].program);
	return sum;
}

void
tracer_close(struct tracer *t)
{
	struct program_maps *m = &t->maps;

	for (unsigned i = 0; i < PROBES; i++)
		close_hooks(t, i);
	close_fd(&m->counters);
	close_fd(&m->rings);
	close_fd(&m->bells);
	close_fd(&m->armed);
	close_fd(&m->marks);
	rings_close(&t->rings);
	kallsyms_free(&t->symbols);
}
