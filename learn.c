/* SPDX-License-Identifier: MIT */
#include <linux/bpf.h>
#include <linux/version.h>

#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "explain.h"
#include "file.h"
#include "filter.h"
#include "kernel.h"
#include "kprobes.h"
#include "learn.h"
#include "netns.h"
#include "options.h"
#include "text.h"
#include "tracefs.h"
#include "tracer.h"

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

static void
ask_offsets(struct tracer *t)
{
	static struct bpf_insn answer[BPF_ASM_MAX];
	int program = -1, n;

	for (int sockets = 1; sockets >= 0 && program < 0; sockets--) {
		offsets_question(&t->text, sockets);
		program = tracer_load(t, BPF_PROG_TYPE_SCHED_CLS);
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
 * whether the kernel lets a program read its memory: not where it is locked down,
 * and not before 5.8.
 */
static bool
ask_netns(struct tracer *t)
{
	uint32_t own = kernel_net_namespace(), at = 0;
	int program;

	if (t->offsets.at[SOCK_NET] == OFFSET_NONE)
		return false;
	offsets_netns_question(&t->text, &t->offsets, own);
	program = tracer_load(t, BPF_PROG_TYPE_SCHED_CLS);
	if (program < 0)
		return false;
	if (own && !attach_test_run(program, &at))
		offsets_netns_answer(&t->offsets, at);
	close(program);
	return true;
}

enum { FIRST_REASONS = KERNEL_VERSION(5, 15, 0) }; /* where stable has them from 5.17 */
static const char no_reasons[] = "this kernel gives no reasons";

/* The running kernel's own list from tracefs; else ours, if we have that very kernel's. */
static void
learn_reasons(struct tracer *t)
{
	static char text[64 * 1024];
	int dir = t->options->dump ? -ENOENT : tracefs_open(t->reads_memory);
	ssize_t n = dir;

	if (dir >= 0) {
		n = file_load(dir, "events/skb/kfree_skb/format", text, sizeof(text));
		close(dir);
	}
	if (n >= 0) {
		int error = names_parse_format(&t->names, text, (size_t)n);

		t->has_names = !error;
		t->names_from = error ? no_reasons : "tracefs";
	} else {
		t->has_names = !names_builtin(&t->names, t->version);
		t->names_from = t->has_names ? "built-in table"
		                : t->version < FIRST_REASONS ? no_reasons
		                : "no tracefs and no table for this kernel: numbers";
	}
}

/* SKB_CONSUMED is number 1 where there is one; without names of reasons its own name tells. */
static void
learn_consumed(struct tracer *t)
{
	const char *name;

	t->has_consumed = t->has_names && names_consumed(&t->names, &t->consumed);
	if (t->has_names || t->version < KERNEL_VERSION(5, 17, 0))
		return;
	name = subsystems_name(&t->subsystems, t->read, 1);
	t->has_consumed = name && !strcmp(name, "CONSUMED");
	t->consumed = 1;
}

static int
fail_reason(struct tracer *t, const struct filter_node *n, const char *name)
{
	char what[200], near[160];

	near[0] = '\0';
	t->usage = t->has_names || t->subsystems.table;
	if (!t->usage)
		text_format(what, sizeof(what), "no name: %s", t->names_from);
	else
		text_format(what, sizeof(what), "a reason of this kernel%s%s",
		            explain_near(near, sizeof(near), name) ? "; near: " : "", near);
	filter_point(t->error, sizeof(t->error), t->expression.text, n->low, n->high, what);
	return -1;
}

/* A number is taken as shown, a name as this kernel has it. */
static int
name_reason(struct tracer *t, struct filter_node *n)
{
	const char *end;
	char name[SUBSYSTEMS_NAME + sizeof(NAMES_PREFIX)];
	int64_t number;
	uint32_t code;

	text_format(name, sizeof(name), "%.*s", (int)n->high, t->expression.text + n->low);
	end = name;
	number = text_number(&end);
	if (number >= 0 && number <= INT32_MAX && !*end && t->names_from != no_reasons)
		code = (uint32_t)number;
	else if (names_reason_code(&t->names, name, &code)
	         && (t->options->dump || subsystems_code(&t->subsystems, t->read, name, &code)))
		return fail_reason(t, n, name);
	n->kind = FILTER_REASON;
	n->low = n->high = code;
	return 0;
}

static int
learn_expression(struct tracer *t)
{
	struct filter *f = &t->expression;

	for (unsigned i = 1; i <= f->count; i++)
		if (f->node[i].kind == FILTER_REASON_NAME && name_reason(t, &f->node[i]))
			return -1;
	if (!filter_ports(f, t->options->ports, t->options->port_count))
		return 0;
	text_format(t->error, sizeof(t->error), "the expression is too long");
	return -1;
}

static int
learn_filter(struct tracer *t)
{
	const struct options *o = t->options;
	struct program_filter *f = &t->filter;

	f->family = o->ipv4_only ? 4 : o->ipv6_only ? 6 : 0;
	f->has_pid = o->has_pid;
	f->pid = o->pid;
	f->expression = &t->expression;
	if (learn_expression(t))
		return -1;
	/* bpf_get_ns_current_pid_tgid() is there from 5.7 on */
	if (o->has_pid && kernel_pid_namespace(&f->pidns_dev, &f->pidns_ino)
	    && t->version < KERNEL_VERSION(5, 7, 0)) {
		text_format(t->error, sizeof(t->error), "-p: Linux before 5.7 cannot tell pids of "
		            "a pid namespace\nrun tcpdrop on the host");
		return -1;
	}
	return netns_resolve(f, o, t->error, sizeof(t->error));
}

int
learn_kernel(struct tracer *t, const struct options *o)
{
	t->options = o;
	if (!t->version)
		t->version = kernel_version();
	t->read = t->version >= KERNEL_VERSION(5, 5, 0) ? BPF_FUNC_probe_read_kernel
	                                                : BPF_FUNC_probe_read;
	t->maps = (struct program_maps){ -1, -1, -1, -1, -1, -1, -1 };
	kprobes_init(&t->kprobes);
	offsets_table(&t->offsets, t->version);
	if (!o->dump) {
		t->five_levels = kernel_five_levels();
		raise_limit(RLIMIT_NOFILE);
		raise_limit(RLIMIT_MEMLOCK);
		ask_offsets(t);
		t->reads_memory = ask_netns(t) || t->version < KERNEL_VERSION(5, 8, 0);
	}
	if (!o->dump || t->expression.has_reason)
		learn_reasons(t);
	if (!o->dump)
		learn_consumed(t);
	t->usage = o->offsets
	           && offsets_override(&t->offsets, o->offsets, t->error, sizeof(t->error));
	t->set = PROBE_ALL;
	if (!t->usage && o->probe)
		t->usage = probe_parse(o->probe, &t->set, t->error, sizeof(t->error));
	return t->usage ? -1 : learn_filter(t);
}
