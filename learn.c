/* SPDX-License-Identifier: MIT */
#include <linux/bpf.h>
#include <linux/version.h>

#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "file.h"
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

/* The running kernel's own list from tracefs; else ours, if we have that very kernel's. */
static void
learn_reasons(struct tracer *t)
{
	static char text[64 * 1024];
	int dir = tracefs_open(t->reads_memory);
	ssize_t n = dir;

	if (dir >= 0) {
		n = file_load(dir, "events/skb/kfree_skb/format", text, sizeof(text));
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

/* SKB_CONSUMED is number 1 where there is one; without names of reasons its own name tells. */
static void
learn_consumed(struct tracer *t)
{
	const char *name;

	t->has_consumed = t->has_names && names_consumed(&t->names, &t->consumed);
	if (t->has_names || t->version < KERNEL_VERSION(5, 17, 0) || t->options->dump)
		return;
	name = subsystems_name(&t->subsystems, t->read, 1);
	t->has_consumed = name && !strcmp(name, "CONSUMED");
	t->consumed = 1;
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
	t->maps = (struct program_maps){ -1, -1, -1, -1, -1, -1 };
	kprobes_init(&t->kprobes);
	offsets_table(&t->offsets, t->version);
	if (!o->dump) {
		t->five_levels = kernel_five_levels();
		raise_limit(RLIMIT_NOFILE);
		raise_limit(RLIMIT_MEMLOCK);
		ask_offsets(t);
		t->reads_memory = ask_netns(t) || t->version < KERNEL_VERSION(5, 8, 0);
		learn_reasons(t);
		learn_consumed(t);
	}
	t->usage = o->offsets
	           && offsets_override(&t->offsets, o->offsets, t->error, sizeof(t->error));
	t->set = PROBE_ALL;
	if (!t->usage && o->probe)
		t->usage = probe_parse(o->probe, &t->set, t->error, sizeof(t->error));
	return t->usage ? -1 : learn_filter(t);
}
