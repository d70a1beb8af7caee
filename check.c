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
#include "counters.h"
#include "kallsyms.h"
#include "kernel.h"
#include "learn.h"
#include "options.h"
#include "owner.h"
#include "tally.h"
#include "text.h"
#include "tracer.h"

static const char OK[] = "ok", NOTE[] = "note", FAIL[] = "FAIL";
static int      to;        /* the file descriptor of the report */
static unsigned failures;
static int      unwritten; /* what the last write that failed said, -errno */

__attribute__((format(printf, 3, 4)))
static void
line(const char *status, const char *what, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int error;

	failures += status == FAIL;
	va_start(arguments, format);
	text_vformat(text, sizeof(text), format, arguments);
	va_end(arguments);
	error = text_write(to, "%s%-4s  %-12s  %s\n", to == STDERR_FILENO ? "tcpdrop: " : "",
	                   status, what, text);
	unwritten = error ? error : unwritten;
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
tell_kernel(const struct tracer *t)
{
	struct utsname name;
	char version[32], lacking[64], lockdown[32];

	kernel_version_text(version, sizeof(version), t->version);
	memset(&name, 0, sizeof(name));
	uname(&name);
	line(OK, "kernel", "Linux %s (%s)", version, name.release);
	line(OK, "architecture", "%s", arch.name);
	kernel_lacking(lacking, sizeof(lacking), t->version, false);
	if (lacking[0])
		line(FAIL, "privileges", "this process lacks%s: run as root", lacking);
	else
		line(OK, "privileges", "all that are needed");
	kernel_lockdown(lockdown, sizeof(lockdown));
	if (!strcmp(lockdown, "confidentiality"))
		line(FAIL, "lockdown", "%s: boot with lockdown=none, or without Secure Boot",
		     lockdown);
	else
		line(OK, "lockdown", "%s",
		     lockdown[0] ? lockdown : "not known (no securityfs mounted)");
}

/* Places of tcp_drop() that are there and have no probe. */
static unsigned
missed_sites(const struct tracer *t)
{
	return t->inlined.unclear + t->inlined.count - t->sites_probed;
}

static void
tell_one_probe(const struct tracer *t, unsigned i)
{
	const struct tracer_probe *p = &t->probe[i];
	const struct probe *probe = probe_get(i);

	if (p->attached && probe->kind == PROBE_TRACEPOINT)
		line(OK, "probe", "%s: %u arguments, %u instructions", probe->label, p->arguments,
		     p->count);
	else if (p->attached && probe->kind == PROBE_SITES)
		line(missed_sites(t) ? NOTE : OK, "probe", "%s: %u sites, %u not understood, "
		     "%u refused, %u instructions", probe->label, t->sites_probed,
		     t->inlined.unclear, t->inlined.count - t->sites_probed, p->count);
	else if (p->attached)
		line(OK, "probe", "%s: %u instructions", probe->label, p->count);
	else if (p->wanted && p->step != STEP_PMU)
		line(NOTE, "probe", "%s: %s%s", probe->label, text_error(-p->error),
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

	to = fd;
	if (tracer_attached(t, "sk_drops") && ++notes)
		line(NOTE, "coverage", "the places of tcp_drop() are not understood: its drops are "
		     "told by sk_drops, and one is missed where an interrupt comes between");
	else if (t->version < KERNEL_VERSION(5, 18, 0) && !t->drops_with_reasons
	         && !tracer_attached(t, "tcp_drop") && !tracer_attached(t, "inlined") && ++notes)
		line(NOTE, "coverage", "tcp_drop() cannot be probed here: segments it drops "
		     "(old data, outside the window, invalid ACK, ...) are not seen");
	else if (tracer_attached(t, "inlined") && missed_sites(t) && ++notes)
		line(NOTE, "coverage", "%u of %u places of tcp_drop() have no probe: what they "
		     "drop is not seen", missed_sites(t),
		     t->inlined.count + t->inlined.unclear);
	else if (tracer_attached(t, "tcp_drop") && t->sites_error
	         && t->sites_error != -ENOENT && ++notes)
		line(NOTE, "coverage", "tcp_drop() may be inlined in places as well, which cannot "
		     "be looked for: %s", text_error(-t->sites_error));
	if (!tracer_attached(t, "tracepoint") && ++notes)
		line(NOTE, "coverage", "without the tracepoint, frees of lists and frees put off "
		     "to softirq are not seen");
	if (!tracer_has(t, PROBE_KPROBE) && t->version < KERNEL_VERSION(6, 11, 0) && ++notes)
		line(NOTE, "coverage", "without kprobes, the socket of a received packet is not "
		     "known");
	if (!notes && all)
		line(OK, "coverage", "every drop of a TCP packet that the kernel makes known");
}

static void
tell_probes(const struct tracer *t)
{
	if (t->kprobes.error)
		line(NOTE, "kprobes", "%s%s", text_error(-t->kprobes.error),
		     remedy(t, STEP_PMU, t->kprobes.error));
	else if (t->kprobes.pmu < 0)
		line(OK, "kprobes", "kprobe_events of tracefs");
	else
		line(OK, "kprobes", "perf PMU %d", t->kprobes.pmu);
	for (unsigned i = 0; i < PROBES; i++)
		tell_one_probe(t, i);
	check_coverage(t, to, true);
}

static void
tell_offset(const struct tracer *t, enum offset id)
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
		            ? ": %u, moved as its neighbours are" : ", the table says %u",
		            o->table[id]);
	line(o->source[id] == OFFSET_UNKNOWN ? NOTE : OK, "offset", "%s = %s (%s%s)",
	     offsets_name(id), place, sources[o->source[id]], table);
}

static void
tell_offsets(const struct tracer *t)
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
	line(o->exact ? OK : NOTE, "offsets", "table row for Linux %s%s", row,
	     o->exact ? "" : ", the nearest there is");
	if (o->asked)
		line(OK, "offsets", "the kernel tells %u of %u, %u differ from the table", told,
		     OFFSETS, differ);
	else if (o->measured)
		line(OK, "offsets", "measured with a packet of our own: %u of %u, %u differ from "
		     "the table", told, OFFSETS, differ);
	else
		line(NOTE, "offsets", "the kernel was not asked: %s: %s%s", advice_step(t->unasked),
		     text_error(-t->unasked_error), remedy(t, t->unasked, t->unasked_error));
	if (!o->asked && t->unmeasured)
		line(NOTE, "offsets", "nor measured with a packet of our own: %s",
		     text_error(-t->unmeasured));
	for (enum offset id = 0; id < OFFSETS; id++)
		tell_offset(t, id);
}

static void
tell_names(struct tracer *t)
{
	const struct kallsyms *symbols = tracer_symbols(t);
	int error = t->symbols_error;

	if (!symbols)
		line(NOTE, "symbols", "/proc/kallsyms: %s: stacks are shown as addresses",
		     error == -EPERM ? "hidden (sysctl kernel.kptr_restrict, CAP_SYSLOG)"
		                     : text_error(-error));
	else
		line(OK, "symbols", "%u functions in /proc/kallsyms", symbols->count);
	line(t->has_names ? OK : NOTE, "reasons", "%s", t->names_from);
}

static void
tell_rings(struct tracer *t)
{
	int error = tracer_test_ring(t);

	line(OK, "rings", "%u CPUs, %llu KiB each", t->rings.open,
	     (unsigned long long)t->rings.size / 1024);
	if (error == -EINVAL || error == -EOPNOTSUPP)
		line(NOTE, "ring test", "needs Linux 4.12");
	else if (error)
		line(error == -EPERM ? NOTE : FAIL, "ring test", "%s%s", text_error(-error),
		     remedy(t, STEP_ASK, error));
	else
		line(OK, "ring test", "an event went through");
}

/* Since boot, or since the namespace was made. */
static void
tell_counters(void)
{
	static struct tally tally;
	char name[COUNTERS_NAME];
	unsigned told = 0;

	tally_start(&tally);
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (!tally.before.value[i])
			continue;
		counters_name(name, sizeof(name), i);
		line(NOTE, "counters", "%s %llu since boot in this network namespace", name,
		     (unsigned long long)tally.before.value[i]);
		told++;
	}
	if (!tally.before.known)
		line(NOTE, "counters", "/proc/net/netstat cannot be read: not told what frees no "
		     "packet");
	else if (!told)
		line(OK, "counters", "all 0 since boot in this network namespace");
}

void
check_describe(const struct tracer *t, int fd)
{
	to = fd;
	tell_probes(t);
	tell_offsets(t);
	line(t->has_names ? OK : NOTE, "reasons", "%s", t->names_from);
}

static void
tell_owners(void)
{
	char lacking[512];

	owner_open(lacking, sizeof(lacking));
	for (const char *p = lacking; *p; p += text_until(p, "\n") + 1)
		line(NOTE, "owners", "%.*s", (int)text_until(p, "\n"), p);
	if (!*lacking)
		line(OK, "owners", "can be told (-o)");
}

/* The error's first line says what failed, the others what to do. */
static void
tell_error(const char *text)
{
	while (*text) {
		int n = (int)text_until(text, "\n");

		line(FAIL, "trace", "%.*s", n, text);
		text += n + (text[n] == '\n');
	}
}

int
check(struct tracer *t, const struct options *o)
{
	int error = learn_kernel(t, o) || tracer_open(t);

	if (t->usage) {
		text_say(t->error);
		text_say(options_try_help);
		return 2;
	}
	to = STDOUT_FILENO;
	tell_kernel(t);
	if (t->rings.open)
		tell_probes(t);
	tell_offsets(t);
	tell_names(t);
	if (!error)
		tell_rings(t);
	else
		tell_error(t->error);
	tell_counters();
	tell_owners();
	if (o->verbose && t->log[0])
		text_write(to, "note  verifier\n%s\n", t->log);
	error = failures > 0;
	line(error ? FAIL : OK, "verdict", "tcpdrop %s trace here", error ? "cannot" : "can");
	tracer_close(t);
	return text_unwritten(unwritten) || error;
}
