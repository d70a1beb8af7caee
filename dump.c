/* SPDX-License-Identifier: MIT */
#include <linux/version.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "dump.h"
#include "kernel.h"
#include "learn.h"
#include "options.h"
#include "text.h"
#include "tracer.h"

/* Maps have no file descriptors here: these numbers stand for them in the listing. */
static const struct program_maps numbered = {
	.counters = 0, .rings = 1, .bells = 2, .control = 3, .marks = 4, .notes = 5, .summary = 6,
};

static bool
is_expected(const struct probe *p, uint32_t version)
{
	return version >= p->first && version <= p->last;
}

static uint8_t
arguments(uint32_t version)
{
	return version >= KERNEL_VERSION(6, 11, 0) ? 4
	     : version >= KERNEL_VERSION(5, 17, 0) ? 3 : 2;
}

static int unwritten; /* what the last write that failed said, -errno */

__attribute__((format(printf, 1, 2)))
static void
print(const char *format, ...)
{
	char text[160];
	va_list arguments;
	int error;

	va_start(arguments, format);
	text_vformat(text, sizeof(text), format, arguments);
	va_end(arguments);
	error = text_write(STDOUT_FILENO, "%s", text);
	unwritten = error ? error : unwritten;
}

static void
list(const struct bpf_asm *a)
{
	unsigned block = 0;

	for (unsigned i = 0; i < a->count; i++) {
		char text[80];

		for (; block < a->blocks && a->block[block].at <= i; block++)
			print("; %s\n", a->block[block].title);
		bpf_asm_print(text, sizeof(text), &a->insn[i], i);
		print("%5u  %s\n", i, text);
		if (a->insn[i].code == (BPF_LD | BPF_DW | BPF_IMM))
			i++;
	}
}

static int
dump_probe(struct tracer *t, unsigned i)
{
	char version[32];
	/* as gcc 10 wrote one: the socket in rbp, the packet in r12 */
	static const struct inlined_site site = { .base = 5, .skb = 12 };
	int error = tracer_build(t, i, arguments(t->version), &site);

	if (error) {
		text_write(STDERR_FILENO, "tcpdrop: %s: %s\n", probe_get(i)->label,
		           error == -E2BIG ? t->error : text_error(-error));
		return 1;
	}
	kernel_version_text(version, sizeof(version), t->version);
	print("# %s, Linux %s, %s: %u instructions\n", probe_get(i)->label, version, arch.name,
	       t->text.count);
	list(&t->text);
	return 0;
}

/* "5.10,x86_64"; the architecture may be left out. */
static int
read_target(struct tracer *t, const char *target)
{
	const char *comma = target + text_until(target, ",");

	t->version = kernel_version_parse(target);
	if (!t->version) {
		text_write(STDERR_FILENO, "tcpdrop: --dump=%s: expected VERSION[,ARCH], as in "
		           "5.10,%s\n", target, arch.name);
		return -1;
	}
	if (*comma && strcmp(comma + 1, arch.name) != 0) {
		text_write(STDERR_FILENO, "tcpdrop: --dump=%s: this tcpdrop is built for %s only\n",
		           target, arch.name);
		return -1;
	}
	return 0;
}

int
dump(struct tracer *t, const struct options *o)
{
	char row[32];
	int status = 0;

	if (*o->dump && read_target(t, o->dump))
		return 2;
	if (learn_kernel(t, o)) {
		text_say(t->error);
		return t->usage ? 2 : 1;
	}
	t->maps = numbered;
	kernel_version_text(row, sizeof(row), t->offsets.row);
	print("# offsets: table for Linux %s; "
	      "maps: 0 counters, 1 rings, 2 bells, 3 control, 4 marks, 5 notes%s\n", row,
	      o->summary ? ", 6 summary" : "");
	for (unsigned i = 0; i < PROBES && !status; i++)
		if (t->set >> i & 1 && (o->probe || is_expected(probe_get(i), t->version)))
			status = dump_probe(t, i);
	return text_unwritten(unwritten) ? 1 : status;
}
