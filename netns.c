/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "kernel.h"
#include "netns.h"
#include "options.h"
#include "program.h"
#include "text.h"

enum { SHOWN = 4096 }; /* bytes of /proc/PID/net/dev: some thirty devices */

/* A process, whose namespace is meant, by its folder in /proc. */
struct process {
	char folder[24];
	bool is_us;
};

static int
open_in(const struct process *p, const char *name)
{
	char path[40];

	text_format(path, sizeof(path), "%s/%s", p->folder, name);
	return openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

/* pid 0: ourselves. The number of its namespace, or 0 and errno. */
static uint32_t
set_process(struct process *p, unsigned pid)
{
	char path[40];

	text_format(p->folder, sizeof(p->folder), pid ? "/proc/%u" : "/proc/self", pid);
	text_format(path, sizeof(path), "%s/ns/net", p->folder);
	return kernel_inode(AT_FDCWD, path, "net:[");
}

/* Any process that is in the namespace. */
static bool
find_process(struct process *p, uint32_t netns)
{
	struct file_folder proc = { .fd = openat(AT_FDCWD, "/proc", O_RDONLY | O_CLOEXEC) };
	bool found = false;
	int64_t pid;

	while (!found && (pid = file_number(&proc)) >= 0)
		found = set_process(p, (unsigned)pid) == netns;
	close(proc.fd);
	return found;
}

/* It goes only where it has the right to come back from. */
int
netns_socket(int ns, int family, int type, int protocol)
{
	int home = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;

	if (ns < 0 || (!setns(home, CLONE_NEWNET) && !setns(ns, CLONE_NEWNET)))
		fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fd = -errno;
	if (ns >= 0)
		setns(home, CLONE_NEWNET);
	close(home);
	return fd;
}

/* The same for the namespace of a process. */
static int
open_socket(const struct process *p)
{
	int ns = p->is_us ? -1 : open_in(p, "ns/net"), error = -errno, fd;

	if (ns < 0 && !p->is_us)
		return error;
	fd = netns_socket(ns, AF_UNIX, SOCK_DGRAM, 0);
	close(ns);
	return fd;
}

/* The index of a device, or -errno. What is longer than a name can be is none. */
static int
find_device(const struct process *p, const char *name)
{
	struct ifreq request;
	size_t length = strlen(name);
	int fd = open_socket(p), error = -ENODEV;

	if (fd < 0)
		return fd;
	memset(&request, 0, sizeof(request));
	if (length < IFNAMSIZ) {
		memcpy(request.ifr_name, name, length);
		error = ioctl(fd, SIOCGIFINDEX, &request) ? -errno : 0;
	}
	close(fd);
	return error ? error : request.ifr_ifindex;
}

/* Appends the names of the devices there are, as far as they fit. */
static void
list_devices(const struct process *p, char *err, size_t size)
{
	static char text[SHOWN];
	const char *before = "; there are: ";
	size_t used = strlen(err);
	int fd = open_in(p, "net/dev");
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	for (const char *line = text; *line && used < size; line += *line == '\n') {
		size_t name;

		while (*line == ' ')
			line++;
		name = text_until(line, ":\n");
		if (line[name] == ':')
			used += (size_t)text_format(err + used, size - used, "%s%.*s", before,
			                            (int)name, line);
		before = line[name] == ':' ? " " : before;
		line += text_until(line, "\n");
	}
}

static const char *
remedy(int error)
{
	return error == -EPERM || error == -EACCES ? ": run as root" : "";
}

static int
fail_device(const struct process *p, const char *name, int error, char *err, size_t size)
{
	text_format(err, size, "-i %.*s: %s%s", 64, name, error == -ENODEV ? "no such interface"
	            : error == -ESRCH ? "no process in that network namespace: run tcpdrop in it"
	            : text_error(-error), remedy(error));
	if (error == -ENODEV)
		list_devices(p, err, size);
	text_clean(err); /* as what was typed, and what a device is called */
	return -1;
}

int
netns_resolve(struct program_filter *f, const struct options *o, char *err, size_t size)
{
	struct process p;
	uint32_t own = set_process(&p, 0);
	int device;

	f->netns = (uint32_t)o->netns_id;
	if (o->pid_netns) {
		f->netns = set_process(&p, (unsigned)o->pid_netns);
		if (!f->netns) {
			text_format(err, size, "--pid-netns %u: %s%s",
			            (unsigned)o->pid_netns, errno == ENOENT
			            ? "no such process" : text_error(errno), remedy(-errno));
			return -1;
		}
	}
	f->netns_sure = f->netns;
	if (!o->interface)
		return 0;
	if (!f->netns)
		f->netns = own;
	p.is_us = f->netns == own;
	if (!p.is_us && !o->pid_netns && !find_process(&p, f->netns))
		device = -ESRCH;
	else
		device = find_device(&p, o->interface);
	if (device < 0)
		return fail_device(&p, o->interface, device, err, size);
	f->ifindex = (uint32_t)device;
	return 0;
}
