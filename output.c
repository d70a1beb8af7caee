/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "output.h"

char *
output_end(struct output *o)
{
	return o->buf + o->used;
}

size_t
output_left(const struct output *o)
{
	return sizeof(o->buf) - o->used;
}

void
output_add(struct output *o, size_t size)
{
	o->used += size;
	if (o->used > OUTPUT_ROOM)
		output_flush(o);
}

void
output_flush(struct output *o)
{
	size_t done = 0;

	while (done < o->used && !o->error) {
		ssize_t n = write(o->fd, o->buf + done, o->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			o->error = -errno;
		if (o->error)
			o->before = done;
	}
	o->used = 0;
}
