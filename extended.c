/* SPDX-License-Identifier: MIT */
/*
 * Sequence numbers wrap around: which of two comes first is the sign of their
 * difference, as in before() of <net/tcp.h>.
 */
#include "drop.h"
#include "extended.h"
#include "put.h"

enum {
	SYN = 0x02, ACK = 0x10,  /* of the TCP header's byte 13 */
	SYN_SENT = 2, CLOSE = 7, /* <net/tcp_states.h> */
};

static void
put_count(struct out *o, const char *before, uint32_t count, const char *after)
{
	put_text(o, before);
	put_number(o, count);
	put_text(o, after);
}

/* How far a is before b; 0: it is not. */
static uint32_t
distance(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0 ? b - a : 0;
}

/* A SYN takes a number, and the payload begins behind it. */
static uint32_t
syn(const struct drop *d)
{
	return d->flags & SYN ? 1 : 0;
}

static void
put_seq(struct out *o, const struct drop *d, uint32_t next, const char *equal)
{
	if (d->seq == next)
		put_text(o, equal);
	else if (distance(d->seq, next))
		put_count(o, "seq ", distance(d->seq, next), " behind");
	else
		put_count(o, "seq ", d->seq - next, " ahead");
}

/* How much of the payload is before a number. */
static void
put_done(struct out *o, const struct drop *d, uint32_t limit, const char *done)
{
	uint32_t before = distance(d->seq, limit), bytes = before - syn(d);

	if (before <= syn(d) || !d->length)
		return;
	put_text(o, ", ");
	if (bytes < d->length)
		put_count(o, "", bytes, " of ");
	put_count(o, "", d->length, d->length == 1 ? " byte " : " bytes ");
	put_text(o, done);
}

/*
 * The window counts from rcv_wup, the rcv_nxt of the last ACK sent, whose place
 * is not known: the window's end is rcv_nxt + rcv_wnd or before it.
 */
static void
put_window(struct out *o, const struct drop *d)
{
	int64_t window = d->numbers.rcv_wnd;
	int64_t start = (int32_t)(d->seq - d->numbers.rcv_nxt);
	int64_t end = start + syn(d) + d->length;

	if (!d->numbers.has_rcv_wnd)
		return;
	if (!start && !window)
		put_text(o, d->length ? ", window closed" : "");
	else if (start >= window)
		put_text(o, ", beyond the window");
	else if (d->length && end > window)
		put_text(o, ", ends beyond the window");
}

static void
put_ack(struct out *o, uint32_t ack, const struct sock_numbers *n)
{
	if (distance(ack, n->snd_una))
		put_count(o, ", ack ", distance(ack, n->snd_una), " old");
	else if (distance(n->snd_nxt, ack))
		put_count(o, ", acks ", ack - n->snd_nxt, " not yet sent");
	else if (ack == n->snd_una)
		put_text(o, ", ack current");
	else
		put_count(o, ", acks ", ack - n->snd_una, " new");
}

static void
put_plain_seq(struct out *o, const struct drop *d)
{
	put_count(o, "seq ", d->seq, "");
	if (d->length)
		put_count(o, ":", d->seq + d->length, "");
}

/* Before the peer's SYN has come rcv_nxt is 0: tcp_connect_init(). */
static bool
knows_peer(const struct drop *d)
{
	return d->state != SYN_SENT && (d->state != CLOSE || d->numbers.rcv_nxt);
}

static void
put_received(struct out *o, const struct drop *d)
{
	const struct sock_numbers *n = &d->numbers;

	if (knows_peer(d)) {
		put_seq(o, d, n->rcv_nxt, "seq as expected");
		put_done(o, d, n->rcv_nxt, "already received");
		put_window(o, d);
	} else {
		put_plain_seq(o, d);
	}
	if (d->flags & ACK)
		put_ack(o, d->ack, n);
}

static void
put_sent(struct out *o, const struct drop *d)
{
	const struct sock_numbers *n = &d->numbers;

	put_seq(o, d, n->snd_nxt, "seq next to send");
	put_done(o, d, n->snd_una, "already acknowledged");
}

static void
put_segment(struct out *o, const struct drop *d)
{
	if (d->sent)
		put_text(o, "sent, ");
	if (d->has_numbers && d->sent) {
		put_sent(o, d);
	} else if (d->has_numbers && d->received) {
		put_received(o, d);
	} else {
		put_plain_seq(o, d);
		if (d->flags & ACK)
			put_count(o, ", ack ", d->ack, "");
	}
	put_count(o, ", win ", d->window, "");
	put_count(o, ", length ", d->length, "");
}

static void
put_nonzero(struct out *o, const char *before, uint32_t count)
{
	if (count)
		put_count(o, before, count, "");
}

/* As in ss(8), what is 0 is left out, but for the window. */
static void
put_socket(struct out *o, const struct sock_numbers *n)
{
	if (n->has_rcv_wnd)
		put_count(o, "; rcv_wnd ", n->rcv_wnd, "");
	else
		put_text(o, "; rcv_wnd -");
	put_nonzero(o, ", in flight ", n->snd_nxt - n->snd_una);
	put_nonzero(o, ", retrans ", n->total_retrans);
	if (!n->srtt_us)
		return;
	put_count(o, ", rtt ", n->srtt_us / 1000, ".");
	put_digits(o, n->srtt_us % 1000, 10, 3);
	put_text(o, " ms");
}

void
extended_put(struct out *o, const struct drop *d)
{
	put_text(o, "  ");
	if (d->has_tcp)
		put_segment(o, d);
	else
		put_char(o, '-');
	if (d->has_numbers)
		put_socket(o, &d->numbers);
	put_char(o, '\n');
}
