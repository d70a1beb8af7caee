/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"

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
