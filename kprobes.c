/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "file.h"
#include "kprobes.h"
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
sweep(const struct kprobes *k)
{
	char *list = memory_resize(NULL, LIST_MAX); /* zeroes */
	int64_t pid, number;

	if (!list)
		return;
	file_load(k->tracefs, "kprobe_events", list, LIST_MAX - 1);
	for (const char *line = list; *line; line += *line == '\n') {
		if (parse_ours(line, &pid, &number) && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			take_away(k->file, pid, number);
		line += text_until(line, "\n");
	}
	memory_free(list);
}

void
kprobes_init(struct kprobes *k)
{
	*k = (struct kprobes){ .pmu = -1, .tracefs = -1, .file = -1 };
}

/* Without O_APPEND the kernel would take away all there are, of others too. */
static int
open_file(struct kprobes *k, bool detached)
{
	k->tracefs = tracefs_open(detached);
	if (k->tracefs < 0)
		return k->tracefs;
	k->file = openat(k->tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (k->file < 0)
		return -errno;
	sweep(k);
	return 0;
}

void
kprobes_open(struct kprobes *k, bool detached)
{
	k->pmu = attach_kprobe_pmu();
	k->error = k->pmu < 0 ? open_file(k, detached) : 0;
}

static int
read_id(const struct kprobes *k, const char *event)
{
	char path[96], text[32];
	const char *p = text;
	ssize_t n;

	text_format(path, sizeof(path), "events/%s/id", event);
	n = file_load(k->tracefs, path, text, sizeof(text));
	return n < 0 ? (int)n : (int)text_number(&p);
}

/* EEXIST: a process of our number in another pid namespace has the name. */
static int
add(struct kprobes *k, const char *function, uint64_t address)
{
	char line[128], place[24], event[48];
	int error;

	text_format(place, sizeof(place), "0x%llx", (unsigned long long)address);
	do {
		text_format(line, sizeof(line), "p:%s%u/k%u %s\n", group, (unsigned)getpid(),
		            k->first + k->count, function ? function : place);
		error = write_line(k->file, line);
	} while (error == -EEXIST && !k->count && ++k->first < FIRST_MAX);
	if (error)
		return error;
	text_format(event, sizeof(event), "%s%u/k%u", group, (unsigned)getpid(),
	            k->first + k->count++);
	return read_id(k, event);
}

int
kprobes_make(struct kprobes *k, const char *function, uint64_t address, int cpu)
{
	int id;

	if (k->error)
		return k->error;
	if (k->pmu >= 0)
		return attach_kprobe(k->pmu, function, address, cpu);
	id = add(k, function, address);
	return id < 0 ? id : attach_event(id, cpu);
}

int
kprobes_event(struct kprobes *k, const char *name, int cpu)
{
	int id = k->tracefs < 0 ? -ENODEV : read_id(k, name);

	return id < 0 ? id : attach_event(id, cpu);
}

void
kprobes_close(struct kprobes *k)
{
	for (unsigned i = 0; i < k->count; i++)
		take_away(k->file, getpid(), k->first + i);
	attach_close(&k->file);
	attach_close(&k->tracefs);
	k->count = 0;
}
