/* SPDX-License-Identifier: MIT */
/* Whole files of the kernel's file systems, which tell no size. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads an open file from its beginning into buf and terminates it. Its length,
 * or -errno; -EFBIG when it has more than size - 1 bytes. A file of /proc is made
 * anew for each such reading.
 */
ssize_t file_read(int fd, char *buf, size_t size);

/* Opens path as openat(2) does, reads it so and closes it. */
ssize_t file_load(int dirfd, const char *path, char *buf, size_t size);

#endif
