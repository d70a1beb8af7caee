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
#include "kcore.h"
#include "kernel.h"
#include "memory.h"
#include "options.h"
#include "text.h"
#include "tracefs.h"
#include "tracer.h"

enum {
	TEXT_MAX       = 512 * 1024, /* tcp_input.c is about 64 KiB */
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
	t->unasked = STEP_LOAD;
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

/* Measured where it can be, as the table cannot know every configuration. */
static void
ask_netns(struct tracer *t)
{
	uint32_t own = kernel_net_namespace(), at = 0;
	int program;

	if (t->offsets.at[SOCK_NET] == OFFSET_NONE || !own)
		return;
	offsets_netns_question(&t->text, &t->offsets, own);
	program = load(t, BPF_PROG_TYPE_SCHED_CLS);
	if (program < 0)
		return;
	if (!attach_test_run(program, &at))
		offsets_netns_answer(&t->offsets, at);
	close(program);
}

/* The running kernel's own list from tracefs; else ours, if we have that very kernel's. */
static void
learn_reasons(struct tracer *t)
{
	static char text[64 * 1024];
	int dir = tracefs_open();
	ssize_t n = dir < 0 ? dir : tracefs_read(dir, "events/skb/kfree_skb/format", text, sizeof(text));

	if (dir >= 0)
		close(dir);
	if (n >= 0) {
		int error = names_parse_format(&t->names, text, (size_t)n);

		t->has_names = !error;
		t->names_from = error ? "this kernel gives no reasons" : "tracefs";
	} else {
		t->has_names = !names_builtin(&t->names, t->version);
		t->names_from = t->has_names ? "built-in table for this kernel"
		                : "no tracefs and no built-in table for this kernel: numbers are shown";
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
		text_format(t->error, sizeof(t->error), "-p: this is not the first pid namespace, and Linux "
		         "before 5.7 cannot tell pids of another\nrun tcpdrop on the host");
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
	for (unsigned i = 0; i < PROBES; i++)
		t->probe[i].program = t->probe[i].event = -1;
	for (unsigned i = 0; i < INLINED_MAX; i++)
		t->site[i] = -1;
	for (unsigned i = 0; i < 16; i++)
		t->site_program[i] = -1;
	offsets_table(&t->offsets, t->version);
	if (!o->dump) {
		raise_limit(RLIMIT_NOFILE);
		raise_limit(RLIMIT_MEMLOCK);
		ask_offsets(t);
		ask_netns(t);
		learn_reasons(t);
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

static int
load_probe(struct tracer *t, unsigned i, uint32_t type, uint8_t arguments)
{
	struct tracer_probe *p = &t->probe[i];
	int error = tracer_build(t, i, arguments);

	p->step = STEP_BUILD;
	if (error)
		return error;
	p->step = STEP_LOAD;
	p->count = t->text.count;
	p->program = load(t, type);
	return p->program < 0 ? p->program : 0;
}

/* How many arguments the tracepoint has is found by trying: a program that reads more is refused. */
static int
open_tracepoint(struct tracer *t, unsigned i)
{
	struct tracer_probe *p = &t->probe[i];
	int error = -EINVAL;

	for (uint8_t n = 4; n >= 2 && error == -EINVAL; n--) {
		error = load_probe(t, i, BPF_PROG_TYPE_RAW_TRACEPOINT, n);
		if (error)
			return error;
		p->step = STEP_TRACEPOINT;
		p->arguments = n;
		p->event = attach_raw_tracepoint(p->program, probe_get(i)->symbol);
		error = p->event < 0 ? p->event : 0;
		if (error) {
			close(p->program);
			p->program = -1;
		}
	}
	return error;
}

static int
open_kprobe(struct tracer *t, unsigned i)
{
	struct tracer_probe *p = &t->probe[i];

	p->step = STEP_PMU;
	if (t->pmu < 0)
		return t->pmu;
	p->step = STEP_KPROBE;
	p->event = attach_kprobe(t->pmu, probe_get(i)->symbol, (int)t->rings.first);
	return p->event < 0 ? p->event : 0;
}

const struct kallsyms *
tracer_symbols(struct tracer *t)
{
	if (!t->symbols_read)
		t->symbols_error = kallsyms_read(&t->symbols, "/proc/kallsyms");
	t->symbols_read = true;
	return t->symbols_error ? NULL : &t->symbols;
}

/* The text of net/ipv4/tcp_input.c, which is one piece: from its lowest known function to its highest. */
static int
find_text(const struct kallsyms *symbols, uint64_t *start, uint64_t *end)
{
	static const char *const functions[] = {
		"tcp_rcv_established", "tcp_rcv_state_process", "tcp_validate_incoming", "tcp_ack",
		"tcp_data_queue", "tcp_data_queue_ofo", "tcp_prune_ofo_queue", "tcp_prune_queue",
		"tcp_try_rmem_schedule", "tcp_conn_request", "tcp_enter_loss", "tcp_finish_connect",
	};

	*start = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		uint64_t from, to;

		if (!kallsyms_function(symbols, functions[i], &from, &to))
			continue;
		*start = from < *start ? from : *start;
		*end = to > *end ? to : *end;
	}
	return *start < *end && *end - *start <= TEXT_MAX ? 0 : -ENOENT;
}

static int
find_sites(struct tracer *t, const char *target)
{
	const struct kallsyms *symbols = tracer_symbols(t);
	uint64_t start, end, to, next;
	uint8_t *text;
	int error;

	if (!symbols)
		return t->symbols_error;
	if (!kallsyms_function(symbols, target, &to, &next) || find_text(symbols, &start, &end))
		return -ENOENT;
	text = memory_resize(NULL, end - start);
	if (!text)
		return -ENOMEM;
	error = kcore_read(start, text, end - start);
	if (!error)
		inlined_scan(&t->inlined, text, end - start, start, to);
	inlined_finish(&t->inlined);
	memory_free(text);
	return error ? error : t->inlined.count ? 0 : -ENOENT;
}

static int
open_sites(struct tracer *t, unsigned i)
{
	struct tracer_probe *p = &t->probe[i];
	int error;

	p->step = STEP_PMU;
	if (t->pmu < 0)
		return t->pmu;
	p->step = STEP_SITES;
	error = find_sites(t, probe_get(i)->symbol);
	for (unsigned n = 0; n < t->inlined.count && !error; n++) {
		p->step = STEP_KPROBE;
		t->site[n] = attach_kprobe_at(t->pmu, t->inlined.site[n].address, (int)t->rings.first);
		error = t->site[n] < 0 ? t->site[n] : 0;
	}
	return error;
}

static int
bind_sites(struct tracer *t, unsigned i)
{
	int *program = t->site_program, error = 0;

	for (unsigned n = 0; n < t->inlined.count && !error; n++) {
		uint8_t skb = (uint8_t)t->inlined.site[n].skb & 15;

		if (program[skb] < 0) {
			error = load_probe(t, i, BPF_PROG_TYPE_KPROBE, skb);
			program[skb] = t->probe[i].program;
			t->probe[i].program = -1;
		}
		if (!error)
			error = attach_bind(t->site[n], program[skb]);
	}
	return error;
}

static int
load_kprobe(struct tracer *t, unsigned i)
{
	struct tracer_probe *p = &t->probe[i];
	int error = load_probe(t, i, BPF_PROG_TYPE_KPROBE, 0);

	if (error)
		return error;
	p->step = STEP_BIND;
	return attach_bind(p->event, p->program);
}

/* The kprobes; their programs are kept until the end, for tracer_missed(). */
static void
close_sites(struct tracer *t)
{
	for (unsigned i = 0; i < INLINED_MAX; i++) {
		if (t->site[i] >= 0)
			close(t->site[i]);
		t->site[i] = -1;
	}
}

static void
close_probe(struct tracer *t, struct tracer_probe *p)
{
	if (probe_get((unsigned)(p - t->probe))->kind == PROBE_SITES)
		close_sites(t);
	if (p->event >= 0)
		close(p->event);
	if (p->program >= 0)
		close(p->program);
	p->event = p->program = -1;
	p->attached = false;
}

static void
note(struct tracer *t, struct tracer_probe *p, int error)
{
	p->error = error;
	if (error)
		close_probe(t, p);
	else
		p->attached = true;
}

/* All of one kind that are asked for; of those a kernel has one of, the first is enough. */
static bool
each_probe(struct tracer *t, unsigned set, enum probe_kind kind,
           int (*step)(struct tracer *, unsigned))
{
	bool all = t->options->probe, shared = false;

	for (unsigned i = 0; i < PROBES; i++) {
		const struct probe *probe = probe_get(i);
		struct tracer_probe *p = &t->probe[i];

		if (!(set >> i & 1) || probe->kind != kind || (probe->instead && shared && !all))
			continue;
		p->wanted = true;
		note(t, p, step(t, i));
		shared |= p->attached && probe->shared;
	}
	return shared;
}

static bool
any_attached(const struct tracer *t)
{
	bool any = false;

	for (unsigned i = 0; i < PROBES; i++)
		any |= t->probe[i].attached;
	return any;
}

/* From 6.11 on the socket comes along with every drop, and tcp_drop() is no more. */
static bool
needs_sites(const struct tracer *t)
{
	for (unsigned i = 0; i < PROBES; i++) {
		const char *name = probe_get(i)->name;

		if (t->probe[i].attached
		    && (!strcmp(name, "tcp_drop") || !strcmp(name, "sk_skb_reason_drop")))
			return t->options->probe;
	}
	return true;
}

/*
 * The kprobes are made first, as a function that is not there costs no program;
 * then the tracepoint, then the kprobes' programs: each side marks or looks for
 * marks only if the other side is there.
 */
static int
open_probes(struct tracer *t, unsigned set)
{
	int marks = t->maps.marks;
	bool tracepoint = false;

	t->pmu = attach_kprobe_pmu();
	if (!each_probe(t, set, PROBE_KPROBE, open_kprobe))
		t->maps.marks = -1;
	if (needs_sites(t))
		each_probe(t, set, PROBE_SITES, open_sites);
	each_probe(t, set, PROBE_TRACEPOINT, open_tracepoint);
	for (unsigned i = 0; i < PROBES; i++)
		tracepoint |= t->probe[i].attached && probe_get(i)->kind == PROBE_TRACEPOINT;
	if (!tracepoint)
		t->maps.marks = -1;
	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].attached && probe_get(i)->kind == PROBE_KPROBE)
			note(t, &t->probe[i], load_kprobe(t, i));
		else if (t->probe[i].attached && probe_get(i)->kind == PROBE_SITES)
			note(t, &t->probe[i], bind_sites(t, i));
	t->maps.marks = marks;
	return any_attached(t) ? 0 : -1;
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
		                      probe_get(i)->name, advice_step(p->step), text_error(-p->error),
		                      remedy[0] ? ": " : "", remedy);
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
		text_format(t->error, sizeof(t->error), "the offset %s is not known for this kernel\n"
		         "give it with --offsets %s=BYTES", offsets_name(missing), offsets_name(missing));
		return -1;
	}
	error = rings_open(&t->rings, o->buffer_kib ? o->buffer_kib : DEFAULT_KIB, !o->quiet);
	if (error)
		return fail(t, STEP_RING, error);
	error = open_maps(t);
	if (error)
		return fail(t, STEP_MAP, error);
	return open_probes(t, t->set) ? fail_probes(t) : 0;
}

int
tracer_test_ring(struct tracer *t)
{
	struct sample s;
	uint32_t result;
	int program, error;

	bpf_asm_start(&t->text, 0);
	BPF_ASM(&t->text, "send eight bytes", STOREI(BPF_DW, FP, -8, 1), LOAD_MAP(R2, t->maps.rings),
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
	for (unsigned i = 0; i < PROBES; i++) {
		int error = 0;

		if (t->probe[i].attached && probe_get(i)->kind == PROBE_KPROBE)
			error = attach_enable(t->probe[i].event);
		if (error)
			return fail(t, STEP_KPROBE, error);
	}
	for (unsigned i = 0; i < INLINED_MAX && t->site[i] >= 0; i++) {
		int error = attach_enable(t->site[i]);

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
	close_sites(t);
	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].event >= 0)
			close(t->probe[i].event);
	for (unsigned i = 0; i < PROBES; i++)
		t->probe[i].event = -1;
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

	for (unsigned i = 0; i < PROBES; i++)
		if (t->probe[i].program >= 0)
			sum += attach_missed(t->probe[i].program);
	for (unsigned i = 0; i < 16; i++)
		if (t->site_program[i] >= 0)
			sum += attach_missed(t->site_program[i]);
	return sum;
}

void
tracer_close(struct tracer *t)
{
	int maps[] = { t->maps.counters, t->maps.rings, t->maps.bells, t->maps.armed, t->maps.marks };

	for (unsigned i = 0; i < PROBES; i++)
		close_probe(t, &t->probe[i]);
	kallsyms_free(&t->symbols);
	rings_close(&t->rings);
	for (unsigned i = 0; i < 16; i++)
		if (t->site_program[i] >= 0)
			close(t->site_program[i]);
	for (unsigned i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (maps[i] >= 0)
			close(maps[i]);
}
