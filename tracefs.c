/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/mount.h>

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tracefs.h"

static const char debug_path[] = "/sys/kernel/debug/tracing";

/* The directory at path if it is tracefs: a bare mount point has no events. */
static int
open_root(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	/* the bare system call: libc's faccessat() is made for flags */
	if (!syscall(SYS_faccessat, fd, "events", F_OK))
		return fd;
	err = errno;
	close(fd);
	return err == EACCES ? -EACCES : -ENOENT;
}

/* \040 and its kin in /proc/self/mounts: blanks in a path */
static void
unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "source path type options 0 0": the path, if the type is tracefs */
static char *
mount_path(char *line)
{
	char *path = strchr(line, ' ');
	char *type = path ? strchr(path + 1, ' ') : NULL;

	if (!type || strncmp(type, " tracefs ", 9))
		return NULL;
	*type = '\0';
	unescape(path + 1);
	return path + 1;
}

static int
open_mounted(void)
{
	static char mounts[64 * 1024];
	ssize_t n = tracefs_read(AT_FDCWD, "/proc/self/mounts", mounts, sizeof(mounts));
	int err = n < 0 ? (int)n : -ENOENT;

	mounts[sizeof(mounts) - 1] = '\0';

	for (char *line = mounts, *next; *line; line = next) {
		const char *path;
		int fd;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		path = mount_path(line);
		fd = path ? open_root(path, O_PATH) : -ENOENT;
		if (fd >= 0)
			return fd;
		if (fd == -EACCES)
			err = fd;
	}
	return err;
}

/* A mount of our own that is attached nowhere and goes with its descriptor. */
static int
open_detached(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	int fd, err;

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		fd = -1;
	else
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	err = errno;
	close(fs);
	return fd < 0 ? -err : fd;
}

int
tracefs_open(void)
{
	bool denied = false;
	int fd;

	/* O_PATH alone, so that debugfs does not mount it on the way */
	fd = open_root("/sys/kernel/tracing", O_PATH);
	denied |= fd == -EACCES;
	if (fd < 0)
		fd = open_root(debug_path, O_PATH);
	denied |= fd == -EACCES;
	if (fd < 0)
		fd = open_mounted();
	denied |= fd == -EACCES;
	if (fd < 0)
		fd = open_detached();
	if (fd != -ENOSYS)
		return fd < 0 && denied ? -EACCES : fd;
	fd = open_root(debug_path, O_RDONLY | O_DIRECTORY);
	return fd < 0 && denied ? -EACCES : fd;
}

ssize_t
tracefs_read(int dirfd, const char *path, char *buf, size_t size)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0)
		return -errno;
	while (used < size) {
		n = read(fd, buf + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (n < 0)
		err = -errno;
	else if (used == size)
		err = -EFBIG;
	close(fd);
	if (err)
		return err;
	buf[used] = '\0';
	return (ssize_t)used;
}
