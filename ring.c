/* SPDX-License-Identifier: MIT */
/*
 * Each CPU has one ring and two events that write to it: the ring's own wakes
 * the reader when the ring is a quarter full, the bell at every record. The BPF
 * program chooses the bell only while the reader sleeps without a time-out, so
 * that an idle tool is never woken and a busy one not for each record.
 *
 * The contract of the shared page (<linux/perf_event.h>): the kernel writes
 * records, then data_head; we load data_head with acquire, read the records,
 * then store data_tail with release, after which the kernel may overwrite them.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "nanos.h"
#include "ring.h"

struct ring {
	unsigned cpu;
	int      fd;
	int      bell;
	struct perf_event_mmap_page *page;
	uint8_t *data;
	uint64_t head;  /* end of what this round takes */
	uint64_t tail;  /* what we have read up to */
	uint64_t told;  /* the tail that the kernel knows */
	uint64_t time;  /* of the record at tail, when there is one */
};

enum { RECORD_MAX = 65536 }; /* perf_event_header.size is 16 bits */

/* What sample_type below makes of a sample, up to the call chain. */
struct sample_start {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, reserved;
};

/* PERF_RECORD_LOST with sample_id_all. */
struct lost_record {
	struct perf_event_header header;
	uint64_t id;
	uint64_t lost;
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, reserved;
};

static int
open_event(unsigned cpu, bool stacks, uint32_t wakeup_bytes)
{
	struct perf_event_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = PERF_ATTR_SIZE_VER5; /* 4.1 on: clockid */
	attr.config = PERF_COUNT_SW_BPF_OUTPUT;
	attr.sample_period = 1;
	attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_RAW;
	if (stacks)
		attr.sample_type |= PERF_SAMPLE_CALLCHAIN;
	attr.exclude_callchain_user = 1;
	attr.sample_id_all = 1;
	attr.use_clockid = 1;
	attr.clockid = CLOCK_MONOTONIC;
	attr.watermark = wakeup_bytes > 0;
	if (wakeup_bytes)
		attr.wakeup_watermark = wakeup_bytes;
	else
		attr.wakeup_events = 1;
	fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static void
close_ring(struct ring *r, uint64_t size)
{
	if (r->page)
		munmap(r->page, (size_t)getauxval(AT_PAGESZ) + size);
	if (r->bell >= 0)
		close(r->bell);
	if (r->fd >= 0)
		close(r->fd);
}

static int
open_ring(struct ring *r, unsigned cpu, uint64_t size, bool stacks)
{
	size_t page = (size_t)getauxval(AT_PAGESZ);
	void *p;

	*r = (struct ring){ .cpu = cpu, .bell = -1 };
	r->fd = open_event(cpu, stacks, (uint32_t)(size / 4));
	if (r->fd < 0)
		return r->fd;
	p = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (p == MAP_FAILED) /* EPERM: more than may be locked */
		return errno == EPERM ? -ENOMEM : -errno;
	r->page = p;
	r->data = (uint8_t *)p + page;
	r->bell = open_event(cpu, stacks, 0);
	if (r->bell < 0)
		return r->bell;
	if (ioctl(r->bell, PERF_EVENT_IOC_SET_OUTPUT, r->fd) < 0
	    || ioctl(r->fd, PERF_EVENT_IOC_ENABLE, 0) < 0
	    || ioctl(r->bell, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return 0;
}

/* A CPU that is offline says ENODEV, a number past the last EINVAL. */
static int
open_all(struct rings *r)
{
	for (;; r->count++) {
		struct ring *more = memory_resize(r->ring, (r->open + 1) * sizeof(*more));
		int error;

		if (!more)
			return -ENOMEM;
		r->ring = more;
		error = open_ring(&more[r->open], r->count, r->size, r->stacks);
		if (!error) {
			r->open++;
			continue;
		}
		close_ring(&more[r->open], r->size);
		if (error != -ENODEV)
			return error == -EINVAL && r->open ? 0 : error;
	}
}

int
rings_open(struct rings *r, uint32_t kib, bool stacks)
{
	int error;

	*r = (struct rings){ .stacks = stacks, .size = (uint64_t)getauxval(AT_PAGESZ) };
	while (r->size < (uint64_t)kib * 1024)
		r->size *= 2;
	error = open_all(r);
	r->poll = memory_resize(NULL, (r->open + 2) * sizeof(*r->poll));
	r->record = memory_resize(NULL, RECORD_MAX);
	if (!error && (!r->poll || !r->record))
		error = -ENOMEM;
	if (error) {
		rings_close(r);
		return error;
	}
	for (unsigned i = 0; i < r->open; i++)
		r->poll[i] = (struct pollfd){ .fd = r->ring[i].fd, .events = POLLIN };
	r->first = r->ring[0].cpu;
	return 0;
}

void
rings_close(struct rings *r)
{
	for (unsigned i = 0; i < r->open; i++)
		close_ring(&r->ring[i], r->size);
	memory_free(r->ring);
	memory_free(r->poll);
	memory_free(r->record);
	*r = (struct rings){ 0 };
}

int
rings_each(struct rings *r, int (*set)(unsigned cpu, int event, int bell, void *context),
           void *context)
{
	int error = 0;

	for (unsigned i = 0; i < r->open && !error; i++)
		error = set(r->ring[i].cpu, r->ring[i].fd, r->ring[i].bell, context);
	return error;
}

static uint64_t
load_head(const struct ring *r)
{
	return __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
}

static void
store_tail(struct ring *r)
{
	if (r->told != r->tail)
		__atomic_store_n(&r->page->data_tail, r->tail, __ATOMIC_RELEASE);
	r->told = r->tail;
}

int
rings_wait(struct rings *r, int64_t nanoseconds, int writer, int reader)
{
	struct timespec limit = {
		.tv_sec = nanoseconds / NANOS_SECOND, .tv_nsec = nanoseconds % NANOS_SECOND,
	};
	struct pollfd *extra = &r->poll[r->open];

	for (unsigned i = 0; i < r->open; i++)
		store_tail(&r->ring[i]);
	extra[0] = (struct pollfd){ .fd = writer, .events = 0 };
	extra[1] = (struct pollfd){ .fd = reader, .events = POLLIN };
	if (ppoll(r->poll, r->open + 2, nanoseconds < 0 ? NULL : &limit, NULL) < 0)
		return -errno;
	return (extra[0].revents & (POLLERR | POLLHUP | POLLNVAL) ? RINGS_HUNG_UP : 0)
	       | (extra[1].revents ? RINGS_READABLE : 0);
}

/* Eight bytes of the record at tail: all begins at a multiple of 8, nothing of 8 wraps. */
static const void *
field(const struct rings *r, const struct ring *ring, size_t at)
{
	return ring->data + ((ring->tail + at) & (r->size - 1));
}

static void
read_time(const struct rings *r, struct ring *ring)
{
	const struct perf_event_header *header = field(r, ring, 0);
	size_t at = offsetof(struct sample_start, time);

	if (ring->tail == ring->head)
		return;
	if (header->type == PERF_RECORD_LOST)
		at = offsetof(struct lost_record, time);
	memcpy(&ring->time, field(r, ring, at), sizeof(ring->time));
}

/*
 * Records up to the limit are all visible by the time the heads are read, so
 * none of this round can be older than one of the last.
 */
void
rings_round(struct rings *r)
{
	r->limit = nanos(CLOCK_MONOTONIC);
	r->behind = false;
	for (unsigned i = 0; i < r->open; i++) {
		store_tail(&r->ring[i]);
		r->ring[i].head = load_head(&r->ring[i]);
		r->behind |= r->ring[i].head - r->ring[i].tail > r->size / 2;
		read_time(r, &r->ring[i]);
	}
}

/* The ring whose next record is the oldest of all; NULL: the round is over. */
static struct ring *
earliest(const struct rings *r)
{
	struct ring *found = NULL;
	uint64_t best = r->limit;

	for (struct ring *ring = r->ring; ring < r->ring + r->open; ring++) {
		if (ring->tail != ring->head && ring->time <= best) {
			best = ring->time;
			found = ring;
		}
	}
	return found;
}

/* The record at tail, in one piece; then the ring is behind it. */
static void
take_record(struct rings *r, struct ring *ring)
{
	const struct perf_event_header *header = field(r, ring, 0);
	uint16_t size = header->size;
	size_t first = (size_t)(r->size - (ring->tail & (r->size - 1))); /* up to the end */

	if (first > size)
		first = size;
	memcpy(r->record, header, first);
	memcpy(r->record + first, ring->data, size - first);
	ring->tail += size;
	if (ring->tail - ring->told > r->size / 8)
		store_tail(ring);
	read_time(r, ring);
}

static bool
parse_lost(const uint8_t *record, struct sample *s)
{
	struct lost_record lost;

	memcpy(&lost, record, sizeof(lost));
	*s = (struct sample){ .time = lost.time, .cpu = lost.cpu, .lost = lost.lost };
	return lost.lost > 0;
}

/* Call chains come with marks among the addresses; decode.c knows them. */
static bool
parse_sample(const uint8_t *record, uint16_t size, bool stacks, struct sample *s)
{
	struct sample_start start;
	const uint8_t *p = record + sizeof(start), *end = record + size;
	uint64_t frames = 0;

	memcpy(&start, record, sizeof(start));
	*s = (struct sample){ .time = start.time, .cpu = start.cpu, .pid = start.pid };
	if (stacks) {
		memcpy(&frames, p, sizeof(frames));
		p += sizeof(frames);
		if (frames > (uint64_t)(end - p) / 8)
			return false;
		s->stack = (const uint64_t *)(const void *)p;
		s->frames = (uint32_t)frames;
		p += frames * 8;
	}
	memcpy(&s->size, p, sizeof(s->size));
	s->data = p + sizeof(s->size);
	return s->size <= (size_t)(end - p) - sizeof(s->size);
}

bool
rings_next(struct rings *r, struct sample *s)
{
	struct ring *ring;

	while ((ring = earliest(r))) {
		struct perf_event_header header;

		take_record(r, ring);
		memcpy(&header, r->record, sizeof(header));
		if (header.type == PERF_RECORD_LOST && parse_lost(r->record, s))
			return true;
		if (header.type == PERF_RECORD_SAMPLE
		    && parse_sample(r->record, header.size, r->stacks, s))
			return true;
	}
	return false;
}
