/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "nanos.h"
#include "progress.h"
#include "text.h"

enum { PAUSE = NANOS_SECOND / 4 };

/* No escape sequences: any terminal can do it. */
static void
draw(const char *text)
{
	_Static_assert(PROGRESS_COLUMNS == 48, "progress: the width below");
	text_write(STDERR_FILENO, "\r%-48s\r", text);
}

/* Over a second or two; what is older is from before a pause. */
static void
take_rate(struct progress *p, uint64_t now, uint64_t drops)
{
	uint64_t time = now - p->since;

	if (time < NANOS_SECOND)
		return;
	p->rate = 0;
	if (time < 3ull * NANOS_SECOND)
		p->rate = (uint32_t)((drops - p->before) * NANOS_SECOND / time);
	p->since = now;
	p->before = drops;
}

void
progress_update(struct progress *p, uint64_t now, uint64_t drops, uint64_t lost)
{
	uint32_t rate = p->rate;
	char text[80], tail[32];

	if (!p->on)
		return;
	p->late = drops + lost != p->count;
	if (now < p->next)
		return;
	take_rate(p, now, drops);
	if (p->drawn && !p->late && p->rate == rate)
		return;
	text_format(tail, sizeof(tail), ", %llu lost", (unsigned long long)lost);
	text_format(text, sizeof(text), "%llu drop%s, %u/s%s", (unsigned long long)drops,
	            drops == 1 ? "" : "s", p->rate, lost ? tail : "");
	draw(text);
	p->drawn = true;
	p->late = false;
	p->count = drops + lost;
	p->next = now + PAUSE;
}

int64_t
progress_wait(const struct progress *p)
{
	return p->late ? PAUSE : p->rate ? NANOS_SECOND : -1;
}

void
progress_clear(struct progress *p)
{
	if (p->drawn)
		draw("");
	p->drawn = false;
}
