/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "decode.h"
#include "drop.h"
#include "event.h"

enum {
	IPV4_HEADER = 20, /* without options */
	IPV6_HEADER = 40,
	TCP_HEADER  = 20, /* without options */
	TCP_PORTS   = 4,
};

static uint16_t
get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t
get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

static int
read_event(const struct sample *s, struct event *e)
{
	if (s->lost || !s->data || s->size < sizeof(*e))
		return -EBADMSG;
	memcpy(e, s->data, sizeof(*e));
	return 0;
}

/* Does the record agree with the IP header in it? */
static int
check_event(const struct event *e)
{
	if (e->tcp_bytes > sizeof(e->tcp) || e->ip[0] >> 4 != e->family)
		return -EBADMSG;
	if (e->family == 4)
		return e->tcp_offset < IPV4_HEADER || e->tcp_offset != (e->ip[0] & 15) * 4
		       ? -EBADMSG : 0;
	return e->family != 6 || e->tcp_offset < IPV6_HEADER ? -EBADMSG : 0;
}

/* Bytes of the packet from the IP header to its end. */
static uint32_t
packet_length(const struct event *e)
{
	uint16_t length = get16(e->ip + (e->family == 4 ? 2 : 4));

	if (!length)
		return e->length;
	return e->family == 4 ? length : length + (uint32_t)IPV6_HEADER;
}

/* Bytes from the IP header to the payload. */
static uint32_t
headers_length(const struct event *e)
{
	uint32_t header = (e->tcp[12] >> 4) * 4u;

	if (header < TCP_HEADER || e->tcp_offset + header > packet_length(e))
		header = TCP_HEADER;
	return e->tcp_offset + header;
}

static uint32_t
payload_length(const struct event *e)
{
	uint32_t total = packet_length(e), headers = headers_length(e);

	return total > headers ? total - headers : 0;
}

/* The bytes behind the event go on into the payload, or what is behind the packet. */
static void
decode_headers(const struct event *e, const struct sample *s, struct drop *out)
{
	const uint32_t limits[] = {
		e->linear, EVENT_PACKET, s->size - (uint32_t)sizeof(*e), packet_length(e),
	};

	out->packet_length = packet_length(e);
	out->headers = (const uint8_t *)s->data + sizeof(*e);
	out->header_bytes = headers_length(e);
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (out->header_bytes > limits[i])
			out->header_bytes = limits[i];
}

static void
decode_addresses(const struct event *e, struct drop *out)
{
	size_t n = e->family == 4 ? 4 : 16;
	const uint8_t *saddr = e->ip + (e->family == 4 ? 12 : 8);

	out->ip = e->family;
	memcpy(out->saddr, saddr, n);
	memcpy(out->daddr, saddr + n, n);
}

static void
decode_tcp(const struct event *e, struct drop *out)
{
	const uint8_t *tcp = e->tcp;

	if (e->tcp_bytes < TCP_PORTS)
		return;
	out->has_ports = true;
	out->sport = get16(tcp);
	out->dport = get16(tcp + 2);
	if (e->tcp_bytes < TCP_HEADER)
		return;
	out->has_tcp = true;
	out->seq = get32(tcp + 4);
	out->ack = get32(tcp + 8);
	out->flags = get16(tcp + 12) & 0x1ff;
	out->window = get16(tcp + 14);
	out->length = payload_length(e);
}

static void
decode_socket(const struct event *e, struct drop *out)
{
	if (!(e->known & EVENT_HAS_SOCKET))
		return;
	out->state = e->state;
	out->received = e->known & EVENT_RECEIVED;
	out->sent = e->known & EVENT_SENT;
	if (!(e->known & EVENT_HAS_NUMBERS))
		return;
	out->has_numbers = true;
	out->numbers = (struct sock_numbers){
		.rcv_nxt       = e->rcv_nxt,
		.snd_una       = e->snd_una,
		.snd_nxt       = e->snd_nxt,
		.srtt_us       = e->srtt_us >> 3, /* tcp_sock.srtt_us is eight times it, 3.15 on */
		.total_retrans = e->total_retrans,
		.has_rcv_wnd   = e->known & EVENT_HAS_RCV_WND,
	};
	if (out->numbers.has_rcv_wnd)
		out->numbers.rcv_wnd = e->rcv_wnd;
}

/* PERF_CONTEXT_KERNEL and its kin are no addresses: PERF_CONTEXT_MAX, <linux/perf_event.h> */
static bool
is_mark(uint64_t address)
{
	return address >= (uint64_t)-4095;
}

static void
add_frame(struct drop *out, uint64_t address)
{
	if (!is_mark(address) && out->frames < DROP_FRAMES)
		out->stack[out->frames++] = (struct frame){ .address = address };
}

/*
 * A kernel that unwinds by frame pointers does not see the caller of a function
 * which has not yet set up its frame: location stands for it, and the function's
 * own address, which comes first, is the probe's.
 */
static void
decode_stack(const struct sample *s, bool at_entry, struct drop *out)
{
	uint32_t frames = s->stack ? s->frames : 0;
	uint32_t first = decode_trim(s->stack, frames, out->location.address);

	if (first == frames && frames && at_entry && out->location.address) {
		for (first = 0; first < frames && is_mark(s->stack[first]); first++)
			;
		first++;
		add_frame(out, out->location.address);
	} else if (first == frames) {
		first = 0;
	}
	for (uint32_t i = first; i < frames; i++)
		add_frame(out, s->stack[i]);
}

uint32_t
decode_trim(const uint64_t *stack, uint32_t frames, uint64_t location)
{
	uint32_t i = 0;

	if (!location || is_mark(location))
		return frames;
	while (i < frames && stack[i] != location)
		i++;
	return i;
}

int
decode_probe(const struct sample *s)
{
	struct event e;

	return read_event(s, &e) < 0 ? -EBADMSG : e.probe;
}

int
decode_drop(const struct sample *s, struct drop *out)
{
	struct event e;

	if (read_event(s, &e) < 0 || check_event(&e) < 0)
		return -EBADMSG;
	memset(&out->cpu, 0, offsetof(struct drop, stack) - offsetof(struct drop, cpu));
	out->cpu = s->cpu;
	out->pid = s->pid;
	for (size_t i = 0; i < sizeof(out->comm) - 1 && e.comm[i]; i++)
		out->comm[i] = e.comm[i];
	decode_addresses(&e, out);
	decode_tcp(&e, out);
	decode_headers(&e, s, out);
	decode_socket(&e, out);
	out->has_reason = e.known & EVENT_HAS_REASON;
	out->reason = out->has_reason ? e.reason : 0;
	out->netns = e.known & EVENT_HAS_NETNS ? e.netns : 0;
	out->ifindex = e.ifindex;
	out->location.address = e.location;
	decode_stack(s, e.at_entry, out);
	return 0;
}
