/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <stdalign.h>
#include <stddef.h>
#include <unistd.h>

#include "memory.h"

/* Stands in front of each region. */
struct header {
	alignas(max_align_t) size_t size; /* of all, as mapped */
};

void *
memory_resize(void *p, size_t size)
{
	struct header *h = p ? (struct header *)p - 1 : NULL;

	size += sizeof(*h);
	if (h)
		h = (void *)syscall(SYS_mremap, h, h->size, size, MREMAP_MAYMOVE);
	else
		h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h == MAP_FAILED)
		return NULL;
	h->size = size;
	return h + 1;
}

void
memory_free(void *p)
{
	struct header *h = p ? (struct header *)p - 1 : NULL;

	if (h)
		munmap(h, h->size);
}
