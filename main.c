/* SPDX-License-Identifier: MIT */
/*
 * tcpdrop: options -> probe -> offsets -> program -> attach -> ring -> decode
 * -> kallsyms, names -> format -> stdout: trace.c has it from start to end.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dump.h"
#include "explain.h"
#include "learn.h"
#include "options.h"
#include "output.h"
#include "text.h"
#include "trace.h"
#include "tracer.h"

static const char version[] = "tcpdrop 0.1";

static struct tracer tracer;
static struct output out;

/* ---- explaining ---- */

/* name is what the kernel calls a number, NULL if that is not known; else what was typed. */
static int
explain_unknown(const char *name)
{
	const char *what = "unknown reason; near: ", *more;
	char near[160];

	more = name && explain_near(near, sizeof(near), name) ? near : "";
	if (!name)
		what = tracer.has_names ? "this kernel has no reason of that number"
		                        : tracer.names_from;
	else if (!*more)
		what = "unknown reason; 'tcpdrop --explain' lists all";
	text_write(STDERR_FILENO, "tcpdrop: --explain: %s%s\n", what, more);
	return 2;
}

/* A number up to 16 bits is the running kernel's, with the name that tracing would show. */
static int
explain(const struct options *o)
{
	const char *name = o->explain, *end = name, *text = NULL;
	int64_t number = text_number(&end);
	size_t size = 0;

	if (number >= 0 && !*end && number <= UINT16_MAX) {
		learn_kernel(&tracer, o);
		name = tracer_reason(&tracer, (uint32_t)number);
	} else if (number >= 0 && !*end && number <= UINT32_MAX) {
		text = explain_subsystem((uint32_t)number, &size);
	} else if (!*name) {
		text = explain_all();
		size = strlen(text);
	}
	if (!text && name)
		text = explain_name(name, &size);
	if (!text)
		return explain_unknown(name);
	memcpy(output_end(&out), text, size);
	output_add(&out, size);
	output_flush(&out);
	return text_unwritten(out.error);
}

/*
 * Nothing else that is opened may get the number of a standard stream that is
 * closed. Open for reading, writing to it stays an error.
 */
static void
fill_standard_streams(void)
{
	int fd;

	do
		fd = openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	static struct options o;
	char error[FILTER_ERROR];

	fill_standard_streams();
	out.fd = STDOUT_FILENO;
	if (options_parse(&o, argc, argv, error, sizeof(error))) {
		text_say(error);
		text_say(options_try_help);
		return 2;
	}
	if (o.help || o.version) {
		char *end = output_end(&out);
		size_t left = output_left(&out);

		output_add(&out, o.help ? options_usage(end, left)
		                        : (size_t)text_format(end, left, "%s\n", version));
		output_flush(&out);
		return text_unwritten(out.error);
	}
	if (filter_parse(&tracer.expression, o.expression, error, sizeof(error))) {
		text_say(error);
		text_say(options_try_help);
		return 2;
	}
	if (o.explain)
		return explain(&o);
	if (o.dump)
		return dump(&tracer, &o);
	if (o.check) {
		trace_catch_signals(&o); /* what it makes in the kernel is to be taken away again */
		return check(&tracer, &o);
	}
	return trace(&tracer, &out, &o, version);
}
