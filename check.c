/* SPDX-License-Identifier: MIT */
#include <linux/version.h>

#include <sys/utsname.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "arch.h"
#include "check.h"
#include "kallsyms.h"
#include "kernel.h"
#include "options.h"
#include "text.h"
#include "tracer.h"

static const char OK[] = "ok", NOTE[] = "note", FAIL[] = "FAIL";
static unsigned failures;
static bool unwritten;

__attribute__((format(printf, 4, 5)))
static void
line(int fd, const char *status, const char *what, const char *format, ...)
{
	char text[512];
	va_list arguments;

	failures += status == FAIL;
	va_start(arguments, format);
	text_vformat(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (text_write(fd, "%s%-4s  %-12s  %s\n", fd == STDERR_FILENO ? "tcpdrop: " : "", status, what,
	               text))
		unwritten = true;
}

/* ": " and what to do about it, or nothing. */
static const char *
remedy(const struct tracer *t, enum step step, int error)
{
	static char text[256];
	size_t n = 2;

	advice(text + n, sizeof(text) - n, step, error, t->version);
	memcpy(text, text[n] ? ": " : "\0", 2);
	return text;
}

static void
tell_kernel(const struct tracer *t, int fd)
{
	struct utsname name;
	char version[32], lacking[64], lockdown[32];

	kernel_version_text(version, sizeof(version), t->version);
	memset(&name, 0, sizeof(name));
	uname(&name);
	line(fd, OK, "kernel", "Linux %s (%s)", version, name.release);
	line(fd, OK, "architecture", "%s", arch.name);
	kernel_lacking(lacking, sizeof(lacking), t->version);
	if (lacking[0])
		line(fd, FAIL, "privileges", "this process lacks %s: run as root", lacking);
	else
		line(fd, OK, "privileges", "all that are needed");
	kernel_lockdown(lockdown, sizeof(lockdown));
	if (!strcmp(lockdown, "confidentiality"))
		line(fd, FAIL, "lockdown", "%s: boot with lockdown=none, or without Secure Boot", lockdown);
	else
		line(fd, OK, "lockdown", "%s", lockdown[0] ? lockdown : "not known (securityfs is not mounted, or the kernel has none)");
}

static void
tell_one_probe(const struct tracer *t, int fd, unsigned i)
{
	const struct tracer_probe *p = &t->probe[i];
	const struct probe *probe = probe_get(i);

	if (p->attached && probe->kind == PROBE_TRACEPOINT)
		line(fd, OK, "probe", "%s: %u arguments, %u instructions", probe->label, p->arguments,
		     p->count);
	else if (p->attached && probe->kind == PROBE_SITES)
		line(fd, t->inlined.unclear ? NOTE : OK, "probe", "%s: %u sites, %u not understood and "
		     "not probed, %u instructions", probe->label, t->inlined.count, t->inlined.unclear,
		     p->count);
	else if (p->attached)
		line(fd, OK, "probe", "%s: %u instructions", probe->label, p->count);
	else if (p->wanted && p->step != STEP_PMU)
		line(fd, NOTE, "probe", "%s: %s%s", probe->label, text_error(-p->error),
		     remedy(t, p->step, p->error));
}

/*
 * What will not be seen. To 5.17 tcp_drop() frees with __kfree_skb(), which
 * neither kfree_skb() nor the tracepoint sees; a compiler that inlined it has
 * left nothing to probe.
 */
void
check_coverage(const struct tracer *t, int fd, bool all)
{
	unsigned notes = 0;

	if (t->version < KERNEL_VERSION(5, 18, 0) && !tracer_attached(t, "tcp_drop") && !tracer_attached(t, "inlined")
	    && ++notes)
		line(fd, NOTE, "coverage", "tcp_drop() cannot be probed here (the compiler inlined it): "
		     "segments it drops (old data, outside the window, invalid ACK, ...) are not seen");
	if (!tracer_attached(t, "tracepoint") && ++notes)
		line(fd, NOTE, "coverage", "without the tracepoint, frees of whole lists and frees "
		     "deferred to softirq are not seen");
	if (!tracer_has(t, PROBE_KPROBE) && t->version < KERNEL_VERSION(6, 11, 0) && ++notes)
		line(fd, NOTE, "coverage", "without kprobes, the socket of a received packet is not known");
	if (!notes && all)
		line(fd, OK, "coverage", "every drop of a TCP packet that the kernel makes known");
}

static void
tell_probes(const struct tracer *t, int fd)
{
	if (t->pmu < 0)
		line(fd, NOTE, "kprobes", "%s%s", text_error(-t->pmu), remedy(t, STEP_PMU, t->pmu));
	else
		line(fd, OK, "kprobes", "perf PMU %d", t->pmu);
	for (unsigned i = 0; i < PROBES; i++)
		tell_one_probe(t, fd, i);
	check_coverage(t, fd, true);
}

static void
tell_offset(const struct tracer *t, int fd, enum offset id)
{
	static const char *const sources[] = {
		[OFFSET_UNKNOWN] = "not known", [OFFSET_TABLE] = "table",
		[OFFSET_KERNEL] = "kernel", [OFFSET_USER] = "--offsets",
	};
	const struct offsets *o = &t->offsets;
	char place[16] = "-", table[48] = "";

	if (o->at[id] != OFFSET_NONE)
		text_format(place, sizeof(place), "%u", o->at[id]);
	if (o->table[id] != OFFSET_NONE && o->table[id] != o->at[id])
		text_format(table, sizeof(table), o->source[id] == OFFSET_TABLE
		            ? ": %u, moved as its neighbours are" : ", the table says %u", o->table[id]);
	line(fd, o->source[id] == OFFSET_UNKNOWN ? NOTE : OK, "offset", "%s = %s (%s%s)",
	     offsets_name(id), place, sources[o->source[id]], table);
}

static void
tell_offsets(const struct tracer *t, int fd)
{
	const struct offsets *o = &t->offsets;
	unsigned told = 0, differ = 0;
	char row[32];

	for (unsigned id = 0; id < OFFSETS; id++) {
		told += o->source[id] == OFFSET_KERNEL;
		differ += o->source[id] == OFFSET_KERNEL && o->table[id] != OFFSET_NONE
		          && o->table[id] != o->at[id];
	}
	kernel_version_text(row, sizeof(row), o->row);
	line(fd, o->exact ? OK : NOTE, "offsets", "table row for Linux %s%s", row,
	     o->exact ? "" : ", the nearest there is");
	if (o->asked)
		line(fd, OK, "offsets", "the kernel tells %u of %u, %u differ from the table: the kernel's "
		     "word is taken", told, OFFSETS, differ);
	else
		line(fd, NOTE, "offsets", "the kernel was not asked: %s: %s%s", advice_step(t->unasked),
		     text_error(-t->unasked_error), remedy(t, t->unasked, t->unasked_error));
	for (enum offset id = 0; id < OFFSETS; id++)
		tell_offset(t, fd, id);
}

static void
tell_names(struct tracer *t, int fd)
{
	const struct kallsyms *symbols = tracer_symbols(t);
	int error = t->symbols_error;

	if (!symbols)
		line(fd, NOTE, "symbols", "/proc/kallsyms: %s: stacks are shown as addresses",
		     error == -EPERM ? "addresses are hidden, set the sysctl kernel.kptr_restrict to 0 or 1 "
		     "and have CAP_SYSLOG" : text_error(-error));
	else
		line(fd, OK, "symbols", "%u functions in /proc/kallsyms", symbols->count);
	line(fd, t->has_names ? OK : NOTE, "reasons", "%s", t->names_from);
}

static void
tell_rings(struct tracer *t, int fd)
{
	int error = tracer_test_ring(t);

	line(fd, OK, "rings", "%u CPUs, %llu KiB each", t->rings.open,
	     (unsigned long long)t->rings.size / 1024);
	if (error == -EINVAL || error == -EOPNOTSUPP)
		line(fd, NOTE, "ring test", "this kernel cannot run a test program (Linux 4.12 can)");
	else if (error)
		line(fd, FAIL, "ring test", "%s%s", text_error(-error), remedy(t, STEP_LOAD, error));
	else
		line(fd, OK, "ring test", "an event went through");
}

void
check_describe(const struct tracer *t, int fd)
{
	tell_probes(t, fd);
	tell_offsets(t, fd);
	line(fd, t->has_names ? OK : NOTE, "reasons", "%s", t->names_from);
}

/* The error's first line says what failed, the others what to do. */
static void
tell_error(const char *text)
{
	while (*text) {
		int n = (int)strcspn(text, "\n");

		line(STDOUT_FILENO, FAIL, "trace", "%.*s", n, text);
		text += n + (text[n] == '\n');
	}
}

/* The verifier's reason stands at the end. */
static const char *
log_tail(const char *log)
{
	size_t length = strlen(log);

	return length > 440 ? log + length - 440 : log;
}

int
check(struct tracer *t, const struct options *o)
{
	int error = tracer_learn(t, o) || tracer_open(t);

	if (t->usage) {
		text_write(STDERR_FILENO, "tcpdrop: %s\ntcpdrop: try 'tcpdrop --help'\n", t->error);
		return 2;
	}
	tell_kernel(t, STDOUT_FILENO);
	if (t->rings.open)
		tell_probes(t, STDOUT_FILENO);
	tell_offsets(t, STDOUT_FILENO);
	tell_names(t, STDOUT_FILENO);
	if (!error)
		tell_rings(t, STDOUT_FILENO);
	else
		tell_error(t->error);
	if (o->verbose && t->log[0])
		line(STDOUT_FILENO, NOTE, "verifier", "the last refusal:\n%.*s", 440, log_tail(t->log));
	error = failures > 0;
	line(STDOUT_FILENO, error ? FAIL : OK, "verdict", "%s", error ? "tcpdrop cannot trace here"
	                                                              : "tcpdrop can trace here");
	tracer_close(t);
	return error || unwritten;
}
