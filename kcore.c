/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "kcore.h"

/* To 4.5 at least, a long read may come in pieces. */
static int
read_at(int fd, void *to, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size; ) {
		ssize_t n = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));

		if (n <= 0)
			return n < 0 ? -errno : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

/* The place in the file of the segment that holds the address. */
static int
find_segment(int fd, uint64_t address, uint64_t *offset)
{
	ElfW(Ehdr) elf;
	ElfW(Phdr) part;
	int error = read_at(fd, &elf, sizeof(elf), 0);

	if (!error && (memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_phentsize != sizeof(part)))
		error = -ENOEXEC;
	for (unsigned i = 0; !error && i < elf.e_phnum; i++) {
		error = read_at(fd, &part, sizeof(part), elf.e_phoff + i * sizeof(part));
		if (!error && part.p_type == PT_LOAD && address - part.p_vaddr < part.p_memsz) {
			*offset = part.p_offset + (address - part.p_vaddr);
			return 0;
		}
	}
	return error ? error : -EFAULT;
}

int
kcore_read(uint64_t address, void *to, size_t size)
{
	int fd = openat(AT_FDCWD, "/proc/kcore", O_RDONLY | O_CLOEXEC);
	uint64_t offset;
	int error;

	if (fd < 0)
		return -errno;
	error = find_segment(fd, address, &offset);
	if (!error)
		error = read_at(fd, to, size, offset);
	close(fd);
	return error;
}
