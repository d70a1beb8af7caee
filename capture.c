/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "drop.h"
#include "kernel.h"
#include "text.h"

/* A block that was written in part is taken back, where the file allows it. */
static void
settle(struct capture *c)
{
	struct output *o = &c->out;
	size_t whole = 0;
	uint32_t length;
	off_t at;

	if (!o->error || c->settled)
		return;
	c->settled = true;
	for (;;) {
		memcpy(&length, o->buf + whole + 4, sizeof(length));
		if (whole + length > o->before)
			break;
		whole += length;
	}
	at = lseek(o->fd, 0, SEEK_CUR);
	if (o->before > whole && at >= 0 && ftruncate(o->fd, at - (off_t)(o->before - whole)) < 0)
		return; /* no file that has a length */
}

static void
add(struct capture *c, size_t size)
{
	output_add(&c->out, size);
	settle(c);
}

void
capture_flush(struct capture *c)
{
	output_flush(&c->out);
	settle(c);
}

/* Never waits, as signals are blocked by now: a FIFO must have its reader. */
static int
open_file(const char *path)
{
	int fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC,
	                0600);
	int off = 0;

	if (fd >= 0)
		ioctl(fd, FIONBIO, &off);
	return fd;
}

int
capture_open(struct capture *c, const char *path, const char *application, char *err, size_t size)
{
	struct utsname system;

	if (!path)
		return 0;
	c->out.fd = STDOUT_FILENO;
	if (strcmp(path, "-") != 0)
		c->out.fd = open_file(path);
	if (c->out.fd < 0) {
		text_format(err, size, "-w: open %s: %s", path, errno == ENXIO
		            ? "nobody reads it: start the reader first" : text_error(errno));
		return -1;
	}
	c->path = path;
	c->netns = kernel_net_namespace();
	c->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uname(&system);
	add(c, pcapng_section(output_end(&c->out), output_left(&c->out), application,
	                      system.release));
	return 0;
}

static unsigned
find_device(struct capture *c, uint32_t netns, uint32_t ifindex)
{
	unsigned known = c->pcapng.devices, device = pcapng_find(&c->pcapng, netns, ifindex);
	struct ifreq name = { .ifr_ifindex = (int)ifindex };
	bool named = (!netns || netns == c->netns) && device == known
	             && ioctl(c->socket, SIOCGIFNAME, &name) == 0;

	if (device == known)
		add(c, pcapng_interface(&c->pcapng, device, output_end(&c->out),
		                        output_left(&c->out), named ? name.ifr_name : NULL));
	return device;
}

void
capture_drop(struct capture *c, const struct drop *d)
{
	unsigned device;

	if (!c->path)
		return;
	device = find_device(c, d->netns, d->ifindex);
	add(c, pcapng_packet(&c->pcapng, device, output_end(&c->out), output_left(&c->out),
	                     &c->style, d));
}

void
capture_lost(struct capture *c, uint64_t count)
{
	pcapng_lost(&c->pcapng, count);
}

int
capture_end(struct capture *c, uint64_t start, uint64_t end)
{
	if (!c->path)
		return 0;
	if (c->pcapng.lost)
		find_device(c, 0, 0);
	for (unsigned i = 0; i < c->pcapng.devices; i++)
		add(c, pcapng_statistics(&c->pcapng, i, output_end(&c->out),
		                         output_left(&c->out), start, end));
	capture_flush(c);
	if (c->out.error)
		text_write(STDERR_FILENO, "tcpdrop: write %s: %s\n", c->path,
		           text_error(-c->out.error));
	return c->out.error != 0;
}
