/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"
#include "text.h"

ssize_t
file_read(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n = 0;

	while (used < size) {
		n = pread(fd, buf + used, size - used, (off_t)used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (n < 0)
		return -errno;
	if (used == size)
		return -EFBIG;
	buf[used] = '\0';
	return (ssize_t)used;
}

ssize_t
file_load(int dirfd, const char *path, char *buf, size_t size)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = file_read(fd, buf, size);
	close(fd);
	return n;
}

/* struct dirent is the kernel's linux_dirent64: musl's has 64 bits everywhere. */
int64_t
file_number(struct file_folder *f)
{
	int64_t number = -1;

	while (number < 0) {
		const struct dirent *entry = (const void *)(f->buf + f->at);
		const char *name = entry->d_name;

		if (f->at == f->used) {
			long n = syscall(SYS_getdents64, f->fd, f->buf, sizeof(f->buf));

			if (n <= 0)
				return -1;
			f->at = 0;
			f->used = (uint16_t)n;
			continue;
		}
		f->at = (uint16_t)(f->at + entry->d_reclen);
		number = text_number(&name);
	}
	return number;
}
