/* SPDX-License-Identifier: MIT */
/* Whole files of the kernel's file systems, which tell no size. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads an open file from its beginning into buf and terminates it. Its length,
 * or -errno; -EFBIG when it has more than size - 1 bytes. A file of /proc is made
 * anew for each such reading.
 */
ssize_t file_read(int fd, char *buf, size_t size);

/* Opens path as openat(2) does, reads it so and closes it. */
ssize_t file_load(int dirfd, const char *path, char *buf, size_t size);

/* A folder of /proc, as far as its numbers are read; only fd is to be set, once it is opened. */
struct file_folder {
	int      fd;
	uint16_t at, used;
	_Alignas(8) char buf[2048];
};

/* The next name in it that begins with a number; -1: there is none. */
int64_t file_number(struct file_folder *);

#endif
