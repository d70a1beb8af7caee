/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/mount.h>
#include <linux/sched.h>

#include <sys/mount.h>
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
	int fd = openat(AT_FDCWD, path, flags | O_CLOEXEC);
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

/*
 * Before fsopen(2): a mount that only we see, for a moment, in a mount namespace
 * of our own which follows what happens in the one we came from.
 */
static int
open_unshared(void)
{
	static const char place[] = "/proc";
	int fd;

	if (syscall(SYS_unshare, CLONE_NEWNS) < 0
	    || syscall(SYS_mount, "", "/", "", MS_REC | MS_SLAVE, NULL) < 0
	    || syscall(SYS_mount, "tracefs", place, "tracefs", 0, NULL) < 0)
		return -errno;
	fd = open_root(place, O_PATH);
	syscall(SYS_umount2, place, MNT_DETACH);
	return fd;
}

int
tracefs_open(bool detached)
{
	bool denied = false;
	int fd;

	/* O_PATH alone, so that debugfs does not mount it on the way but as the last resort */
	fd = open_root("/sys/kernel/tracing", O_PATH);
	denied |= fd == -EACCES;
	if (fd < 0)
		fd = open_root(debug_path, O_PATH);
	denied |= fd == -EACCES;
	if (fd < 0 && detached)
		fd = open_detached();
	if (fd == -ENOSYS) {
		fd = open_root(debug_path, O_RDONLY | O_DIRECTORY);
		if (fd < 0 && detached)
			fd = open_unshared();
	}
	return fd < 0 && denied ? -EACCES : fd;
}
