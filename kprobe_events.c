/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "kprobe_events.h"
#include "memory.h"
#include "text.h"
#include "tracefs.h"

enum { LIST_MAX = 256 * 1024, FIRST_MAX = 4096 };

static const char group[] = "tcpdrop_"; /* and the process id */

static int
write_line(int file, const char *line)
{
	ssize_t n = write(file, line, strlen(line));

	return n < 0 ? -errno : 0;
}

/* A kprobe that perf has open cannot be taken away: EBUSY. */
static int
take_away(int file, int64_t pid, int64_t number)
{
	char line[64];

	text_format(line, sizeof(line), "-:%s%llu/k%llu\n", group, (unsigned long long)pid,
	            (unsigned long long)number);
	return write_line(file, line);
}

/* "p:tcpdrop_4711/k0 kfree_skb": the process and the number, if a line is one of ours. */
static bool
parse_ours(const char *line, int64_t *pid, int64_t *number)
{
	const char *p = line + text_until(line, ":\n");
	size_t n = sizeof(group) - 1;

	if (*line != 'p' || *p++ != ':' || strncmp(p, group, n) != 0)
		return false;
	p += n;
	*pid = text_number(&p);
	if (*pid <= 0 || p[0] != '/' || p[1] != 'k')
		return false;
	p += 2;
	*number = text_number(&p);
	return *number >= 0;
}

static void
sweep(const struct kprobe_events *e)
{
	char *list = memory_resize(NULL, LIST_MAX); /* zeroes */
	int64_t pid, number;

	if (!list)
		return;
	tracefs_read(e->tracefs, "kprobe_events", list, LIST_MAX);
	for (const char *line = list; *line; line += *line == '\n') {
		if (parse_ours(line, &pid, &number) && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			take_away(e->file, pid, number);
		line += text_until(line, "\n");
	}
	memory_free(list);
}

int
kprobe_events_open(struct kprobe_events *e, int tracefs)
{
	/* without O_APPEND the kernel would take away all there are, of others too */
	*e = (struct kprobe_events){ .tracefs = tracefs };
	e->file = openat(tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (e->file < 0) {
		int error = -errno;

		kprobe_events_close(e);
		return error;
	}
	sweep(e);
	return 0;
}

static int
read_id(const struct kprobe_events *e, unsigned number)
{
	char path[64], text[32];
	const char *p = text;
	ssize_t n;

	text_format(path, sizeof(path), "events/%s%u/k%u/id", group, (unsigned)getpid(), number);
	n = tracefs_read(e->tracefs, path, text, sizeof(text));
	return n < 0 ? (int)n : (int)text_number(&p);
}

/* EEXIST: a process of our number in another pid namespace has the name. */
int
kprobe_events_add(struct kprobe_events *e, const char *function, uint64_t address)
{
	char line[128], place[24];
	int error;

	text_format(place, sizeof(place), "0x%llx", (unsigned long long)address);
	do {
		text_format(line, sizeof(line), "p:%s%u/k%u %s\n", group, (unsigned)getpid(),
		            e->first + e->count, function ? function : place);
		error = write_line(e->file, line);
	} while (error == -EEXIST && !e->count && ++e->first < FIRST_MAX);
	return error ? error : read_id(e, e->first + e->count++);
}

void
kprobe_events_close(struct kprobe_events *e)
{
	if (e->tracefs < 0)
		return;
	for (unsigned i = 0; i < e->count; i++)
		take_away(e->file, getpid(), e->first + i);
	if (e->file >= 0)
		close(e->file);
	close(e->tracefs);
	*e = (struct kprobe_events){ .tracefs = -1, .file = -1 };
}
