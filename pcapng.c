/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "drop.h"
#include "event.h"
#include "format.h"
#include "pcapng.h"
#include "put.h"
#include "text.h"

enum {
	SECTION    = 0x0a0d0d0a,
	INTERFACE  = 1,
	STATISTICS = 5,
	PACKET     = 6,
};

/* The numbers of options are each block's own, but that of a comment. */
enum {
	COMMENT         = 1,
	SECTION_OS      = 3,
	SECTION_APPL    = 4,
	IF_NAME         = 2,
	IF_DESCRIPTION  = 3,
	IF_RESOLUTION   = 9,
	PACKET_FLAGS    = 2,
	PACKET_DROPPED  = 4,
	STAT_START      = 2,
	STAT_END        = 3,
	STAT_RECEIVED   = 4,
	STAT_DROPPED    = 5, /* isb_ifdrop: where dumpcap has what found no room */
};

enum {
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_RAW     = 101, /* an IPv4 or IPv6 header comes first */
	NANOSECONDS      = 9,
	INBOUND          = 1,
	OUTBOUND         = 2,
	COMMENT_MAX      = UINT16_MAX,
	AFTER_COMMENT    = 40,  /* padding, the other options of a packet, the end */
};

static void
put16(struct out *o, unsigned value)
{
	uint16_t v = (uint16_t)value;

	put_bytes(o, (const char *)&v, sizeof(v));
}

static void
put32(struct out *o, uint32_t value)
{
	put_bytes(o, (const char *)&value, sizeof(value));
}

static void
put_time(struct out *o, uint64_t time)
{
	put32(o, (uint32_t)(time >> 32));
	put32(o, (uint32_t)time);
}

/* A block's pieces all begin at multiples of 4 from its start. */
static void
pad(struct out *o, size_t written)
{
	put_bytes(o, "\0\0\0", -written & 3);
}

static void
put_option(struct out *o, unsigned code, const void *value, size_t size)
{
	put16(o, code);
	put16(o, (unsigned)size);
	put_bytes(o, value, size);
	pad(o, size);
}

static void
put_option_text(struct out *o, unsigned code, const char *text)
{
	put_option(o, code, text, strlen(text));
}

static void
put_option_time(struct out *o, unsigned code, uint64_t time)
{
	put16(o, code);
	put16(o, sizeof(time));
	put_time(o, time);
}

static struct out
begin(char *buf, size_t size, uint32_t type)
{
	struct out o = { buf, buf + size, false };

	put32(&o, type);
	put32(&o, 0);
	return o;
}

/* The end of the options, the length, and the same at the start. */
static size_t
end(struct out *o, char *buf)
{
	uint32_t length = (uint32_t)(o->at - buf) + 8;

	put32(o, 0);
	put32(o, length);
	if (o->cut)
		return 0;
	memcpy(buf + 4, &length, sizeof(length));
	return length;
}

unsigned
pcapng_find(struct pcapng *p, uint32_t netns, uint32_t ifindex)
{
	unsigned i = 0;

	if (!ifindex)
		netns = 0;
	while (i < p->devices && (p->device[i].ifindex != ifindex || p->device[i].netns != netns))
		i++;
	if (i == p->devices) {
		/* the last place is for what is not known */
		if (ifindex && i >= PCAPNG_DEVICES - 1)
			return pcapng_find(p, 0, 0);
		p->device[i] = (struct pcapng_device){ .netns = netns, .ifindex = ifindex };
		p->devices++;
	}
	return i;
}

void
pcapng_lost(struct pcapng *p, uint64_t count)
{
	p->lost += count;
	p->untold += count;
}

size_t
pcapng_section(char *buf, size_t size, const char *application, const char *os)
{
	struct out o = begin(buf, size, SECTION);

	put32(&o, BYTE_ORDER_MAGIC);
	put16(&o, 1);
	put16(&o, 0);
	put_time(&o, UINT64_MAX); /* the section's length is not known */
	put_option_text(&o, SECTION_OS, os);
	put_option_text(&o, SECTION_APPL, application);
	return end(&o, buf);
}

/*
 * An index means something within its namespace only. Where that is not known
 * our own name for it is a hint, and not the interface's name.
 */
static void
put_names(struct out *o, const struct pcapng_device *d, const char *name)
{
	char text[FORMAT_NAME + 96], safe[FORMAT_NAME + 1] = { 0 };
	size_t n = (size_t)text_format(text, sizeof(text), "ifindex %u, network namespace ",
	                               d->ifindex);

	if (name)
		put_escaped(&(struct out){ safe, safe + FORMAT_NAME, false }, name, FORMAT_NAME,
		            false);
	if (!d->ifindex)
		text_format(text, sizeof(text), "device not known");
	else if (d->netns)
		text_format(text + n, sizeof(text) - n, "%u", d->netns);
	else
		text_format(text + n, sizeof(text) - n, name ? "not known (%s in tcpdrop's)"
		                                             : "not known", safe);
	if (d->netns && name)
		put_option_text(o, IF_NAME, safe);
	put_option_text(o, IF_DESCRIPTION, text);
}

size_t
pcapng_interface(const struct pcapng *p, unsigned device, char *buf, size_t size,
                 const char *name)
{
	static const uint8_t resolution = NANOSECONDS;
	struct out o = begin(buf, size, INTERFACE);

	put32(&o, LINKTYPE_RAW); /* 16 bits, and 16 of nothing */
	put32(&o, EVENT_PACKET);
	put_names(&o, &p->device[device], name);
	put_option(&o, IF_RESOLUTION, &resolution, sizeof(resolution));
	return end(&o, buf);
}

/* Cut between characters. Not there at all when the buffer has no room for it. */
static void
put_comment(struct out *o, const struct format_style *style, const struct drop *d)
{
	size_t room = (size_t)(o->end - o->at), n = 0;
	char *text = o->at + 4;

	if (!o->cut && room > 4 + AFTER_COMMENT)
		n = format_drop(text, room - 4 - AFTER_COMMENT, style, d);
	while (n && text[n - 1] == '\n')
		n--;
	if (n > COMMENT_MAX)
		for (n = COMMENT_MAX; ((uint8_t)text[n] & 0xc0) == 0x80; n--)
			;
	if (n)
		put_option(o, COMMENT, text, n); /* onto itself */
}

size_t
pcapng_packet(struct pcapng *p, unsigned device, char *buf, size_t size,
              const struct format_style *style, const struct drop *d)
{
	uint32_t direction = d->received ? INBOUND : OUTBOUND;
	struct out o = begin(buf, size, PACKET);

	put32(&o, device);
	put_time(&o, d->time);
	put32(&o, d->header_bytes);
	put32(&o, d->packet_length);
	put_bytes(&o, (const char *)d->headers, d->header_bytes);
	pad(&o, d->header_bytes);
	put_comment(&o, style, d);
	if (d->received || d->sent)
		put_option(&o, PACKET_FLAGS, &direction, sizeof(direction));
	if (p->untold)
		put_option(&o, PACKET_DROPPED, &p->untold, sizeof(p->untold));
	size = end(&o, buf);
	if (size) {
		p->device[device].packets++;
		p->untold = 0;
	}
	return size;
}

/* Nobody knows of which devices the lost ones were. */
size_t
pcapng_statistics(const struct pcapng *p, unsigned device, char *buf, size_t size,
                  uint64_t start, uint64_t stop)
{
	const struct pcapng_device *d = &p->device[device];
	uint64_t packets = d->packets;
	struct out o = begin(buf, size, STATISTICS);

	put32(&o, device);
	put_time(&o, stop);
	put_option_time(&o, STAT_START, start);
	put_option_time(&o, STAT_END, stop);
	put_option(&o, STAT_RECEIVED, &packets, sizeof(packets));
	if (!p->lost || !d->ifindex)
		put_option(&o, STAT_DROPPED, &p->lost, sizeof(p->lost));
	return end(&o, buf);
}
