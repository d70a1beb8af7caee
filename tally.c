/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>

#include "counters.h"
#include "drop.h"
#include "file.h"
#include "kernel.h"
#include "names.h"
#include "tally.h"

static const char *const paths[TALLY_FILES] = { "/proc/net/netstat", "/proc/net/snmp" };

static void
read_files(const struct tally *t, struct counters *counters)
{
	static char text[32 * 1024]; /* netstat has 5 KiB on 6.18 */

	for (unsigned i = 0; i < TALLY_FILES; i++)
		if (t->file[i] >= 0 && file_read(t->file[i], text, sizeof(text)) >= 0)
			counters_parse(counters, text);
}

void
tally_start(struct tally *t)
{
	/* the namespace of a file is that of its opening */
	for (unsigned i = 0; i < TALLY_FILES; i++)
		t->file[i] = openat(AT_FDCWD, paths[i], O_RDONLY | O_CLOEXEC);
	t->netns = kernel_net_namespace();
	read_files(t, &t->before);
}

void
tally_drop(struct tally *t, const struct drop *d)
{
	if (d->has_reason && d->reason < NAMES_REASONS
	    && (!d->netns || !t->netns || d->netns == t->netns))
		t->shown[d->reason]++;
}

void
tally_stop(struct tally *t)
{
	read_files(t, &t->after);
	for (unsigned i = 0; i < TALLY_FILES; i++)
		if (t->file[i] >= 0)
			close(t->file[i]);
}
