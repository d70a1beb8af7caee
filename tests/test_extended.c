/* SPDX-License-Identifier: MIT */
#include "../drop.h"
#include "../extended.h"
#include "../put.h"
#include "tap.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum {
	ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, FIN_WAIT2 = 5, TIME_WAIT = 6, CLOSE = 7,
	CLOSE_WAIT = 8, LISTEN = 10, NEW_SYN_RECV = 12,
};

static const char *
line(const struct drop *d)
{
	static char text[512];
	struct out o = { text, text + sizeof(text) - 1, false };

	extended_put(&o, d);
	*o.at = '\0';
	return o.cut ? "cut" : text;
}

/* The window is 501 in the header; the socket's is 1000 bytes, with nothing in flight. */
static struct drop
make_drop(uint32_t rcv_nxt, uint32_t snd_una)
{
	return (struct drop){
		.has_ports = true, .has_tcp = true, .flags = ACK, .window = 501, .seq = rcv_nxt,
		.ack = snd_una, .state = ESTABLISHED, .received = true, .has_numbers = true,
		.numbers = {
			.rcv_nxt = rcv_nxt, .rcv_wnd = 1000, .snd_una = snd_una, .snd_nxt = snd_una,
			.has_rcv_wnd = true,
		},
	};
}

/* Received: seq counts from rcv_nxt, ack from snd_una, so it is all the same where they stand. */
static const struct {
	const char *name;
	int64_t     seq;
	uint32_t    length;
	uint16_t    flags;  /* 0: ACK */
	int64_t     ack;
	uint32_t    flight;
	int32_t     window; /* of the socket; 0: 1000, -1: closed, -2: not known */
	const char *want;
} received[] = {
	/* the sequence number */
	{ "as expected", 0, 10, 0, 0, 0, 0,
	  "seq as expected, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "as expected, all of the window", 0, 1000, 0, 0, 0, 0,
	  "seq as expected, ack current, win 501, length 1000; rcv_wnd 1000" },
	{ "as expected, a byte too long", 0, 1001, 0, 0, 0, 0,
	  "seq as expected, ends beyond the window, ack current, win 501, length 1001; rcv_wnd 1000" },
	{ "as expected, window closed", 0, 10, 0, 0, 0, -1,
	  "seq as expected, window closed, ack current, win 501, length 10; rcv_wnd 0" },
	{ "no payload, window closed", 0, 0, 0, 0, 0, -1,
	  "seq as expected, ack current, win 501, length 0; rcv_wnd 0" },
	{ "as expected, window not known", 0, 100000, 0, 0, 0, -2,
	  "seq as expected, ack current, win 501, length 100000; rcv_wnd -" },
	{ "in the window perhaps", 1, 10, 0, 0, 0, 0,
	  "seq 1 ahead, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "up to the edge", 990, 10, 0, 0, 0, 0,
	  "seq 990 ahead, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "over the edge", 991, 10, 0, 0, 0, 0,
	  "seq 991 ahead, ends beyond the window, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "last byte of the window", 999, 1, 0, 0, 0, 0,
	  "seq 999 ahead, ack current, win 501, length 1; rcv_wnd 1000" },
	{ "at the edge", 1000, 10, 0, 0, 0, 0,
	  "seq 1000 ahead, beyond the window, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "at the edge, no payload", 1000, 0, 0, 0, 0, 0,
	  "seq 1000 ahead, beyond the window, ack current, win 501, length 0; rcv_wnd 1000" },
	{ "far away", 0x20000000, 10, 0, 0, 0, 0,
	  "seq 536870912 ahead, beyond the window, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "far away, window not known", 0x20000000, 10, 0, 0, 0, -2,
	  "seq 536870912 ahead, ack current, win 501, length 10; rcv_wnd -" },
	{ "ahead, window closed", 5, 1, 0, 0, 0, -1,
	  "seq 5 ahead, beyond the window, ack current, win 501, length 1; rcv_wnd 0" },
	{ "as far ahead as can be", 0x7fffffff, 0, 0, 0, 0, 0,
	  "seq 2147483647 ahead, beyond the window, ack current, win 501, length 0; rcv_wnd 1000" },
	{ "as far ahead as can be, SYN", 0x7fffffff, 1, SYN, 0, 0, 0,
	  "seq 2147483647 ahead, beyond the window, win 501, length 1; rcv_wnd 1000" },
	{ "as far behind as can be", -0x80000000LL, 0, 0, 0, 0, 0,
	  "seq 2147483648 behind, ack current, win 501, length 0; rcv_wnd 1000" },
	{ "the last segment again", -100, 100, PSH | ACK, 0, 0, 0,
	  "seq 100 behind, 100 bytes already received, ack current, win 501, length 100; "
	  "rcv_wnd 1000" },
	{ "an older segment", -200, 100, 0, 0, 0, 0,
	  "seq 200 behind, 100 bytes already received, ack current, win 501, length 100; "
	  "rcv_wnd 1000" },
	{ "partly received", -40, 140, 0, 0, 0, 0,
	  "seq 40 behind, 40 of 140 bytes already received, ack current, win 501, length 140; "
	  "rcv_wnd 1000" },
	{ "but for the last byte", -99, 100, 0, 0, 0, 0,
	  "seq 99 behind, 99 of 100 bytes already received, ack current, win 501, length 100; "
	  "rcv_wnd 1000" },
	{ "one byte of two", -1, 2, 0, 0, 0, 0,
	  "seq 1 behind, 1 of 2 bytes already received, ack current, win 501, length 2; rcv_wnd 1000" },
	{ "over the whole window", -40, 1041, 0, 0, 0, 0,
	  "seq 40 behind, 40 of 1041 bytes already received, ends beyond the window, ack current, "
	  "win 501, length 1041; rcv_wnd 1000" },
	{ "to the end of the window", -40, 1040, 0, 0, 0, 0,
	  "seq 40 behind, 40 of 1040 bytes already received, ack current, win 501, length 1040; "
	  "rcv_wnd 1000" },
	{ "a byte again", -1, 1, 0, 0, 0, 0,
	  "seq 1 behind, 1 byte already received, ack current, win 501, length 1; rcv_wnd 1000" },
	{ "keep-alive probe", -1, 0, 0, 0, 0, 0,
	  "seq 1 behind, ack current, win 501, length 0; rcv_wnd 1000" },
	{ "behind, window closed", -10, 10, 0, 0, 0, -1,
	  "seq 10 behind, 10 bytes already received, ack current, win 501, length 10; rcv_wnd 0" },
	{ "half new, window closed", -10, 20, 0, 0, 0, -1,
	  "seq 10 behind, 10 of 20 bytes already received, ends beyond the window, ack current, "
	  "win 501, length 20; rcv_wnd 0" },

	/* a SYN comes before the payload, a FIN after it */
	{ "SYN|ACK again", -1, 0, SYN | ACK, 0, 0, 0,
	  "seq 1 behind, ack current, win 501, length 0; rcv_wnd 1000" },
	{ "SYN again, its payload new", -1, 10, SYN, 0, 0, 0,
	  "seq 1 behind, win 501, length 10; rcv_wnd 1000" },
	{ "SYN again, its payload too", -11, 10, SYN, 0, 0, 0,
	  "seq 11 behind, 10 bytes already received, win 501, length 10; rcv_wnd 1000" },
	{ "SYN again, part of its payload", -10, 10, SYN, 0, 0, 0,
	  "seq 10 behind, 9 of 10 bytes already received, win 501, length 10; rcv_wnd 1000" },
	{ "SYN and payload to the edge", 0, 999, SYN, 0, 0, 0,
	  "seq as expected, win 501, length 999; rcv_wnd 1000" },
	{ "SYN and payload over the edge", 0, 1000, SYN, 0, 0, 0,
	  "seq as expected, ends beyond the window, win 501, length 1000; rcv_wnd 1000" },
	{ "FIN again", -1, 0, FIN | ACK, 0, 0, 0,
	  "seq 1 behind, ack current, win 501, length 0; rcv_wnd 1000" },

	/* the acknowledgment number */
	{ "no ACK", 0, 0, RST, 5000, 0, 0, "seq as expected, win 501, length 0; rcv_wnd 1000" },
	{ "of nothing new", 0, 0, 0, 0, 3000, 0,
	  "seq as expected, ack current, win 501, length 0; rcv_wnd 1000, in flight 3000" },
	{ "of some", 0, 0, 0, 1, 3000, 0,
	  "seq as expected, acks 1 new, win 501, length 0; rcv_wnd 1000, in flight 3000" },
	{ "of all", 0, 0, 0, 3000, 3000, 0,
	  "seq as expected, acks 3000 new, win 501, length 0; rcv_wnd 1000, in flight 3000" },
	{ "of a byte too much", 0, 0, 0, 3001, 3000, 0,
	  "seq as expected, acks 1 not yet sent, win 501, length 0; rcv_wnd 1000, in flight 3000" },
	{ "of what was not sent", 0, 0, 0, 1000, 0, 0,
	  "seq as expected, acks 1000 not yet sent, win 501, length 0; rcv_wnd 1000" },
	{ "a byte old", 0, 0, 0, -1, 3000, 0,
	  "seq as expected, ack 1 old, win 501, length 0; rcv_wnd 1000, in flight 3000" },
	{ "very old", 0, 0, 0, -200000, 0, 0,
	  "seq as expected, ack 200000 old, win 501, length 0; rcv_wnd 1000" },
	{ "as old as can be", 0, 0, 0, -0x80000000LL, 0, 0,
	  "seq as expected, ack 2147483648 old, win 501, length 0; rcv_wnd 1000" },
	{ "as early as can be", 0, 0, 0, 0x7fffffff, 1, 0,
	  "seq as expected, acks 2147483646 not yet sent, win 501, length 0; rcv_wnd 1000, in flight 1" },
	{ "all is wrong", 0x20000000, 10, 0, 1000, 0, 0,
	  "seq 536870912 ahead, beyond the window, acks 1000 not yet sent, win 501, length 10; "
	  "rcv_wnd 1000" },
};

/* Places in the sequence numbers, where they and the half of them wrap around. */
static const uint32_t places[] = {
	1, 7000, 0x7ffffff0, 0x7fffffff, 0x80000000, 0xfffffc18, 0xffffffb0, 0xfffffffe,
	0xffffffff, 0,
};

static void
test_received(void)
{
	char want[256];

	for (size_t i = 0; i < COUNT(received); i++) {
		unsigned bad = 0;

		snprintf(want, sizeof(want), "  %s\n", received[i].want);
		for (size_t j = 0; j < COUNT(places) * COUNT(places); j++) {
			struct drop d = make_drop(places[j / COUNT(places)],
			                          places[j % COUNT(places)]);
			int32_t window = received[i].window;

			d.seq += (uint32_t)received[i].seq;
			d.ack += (uint32_t)received[i].ack;
			d.length = received[i].length;
			d.flags = received[i].flags ? received[i].flags : ACK;
			d.numbers.snd_nxt += received[i].flight;
			d.numbers.has_rcv_wnd = window != -2;
			d.numbers.rcv_wnd = window ? 0 : 1000;
			if (strcmp(line(&d), want) && !bad++)
				printf("# rcv_nxt %u, snd_una %u: %s", d.numbers.rcv_nxt,
				       d.numbers.snd_una, line(&d));
		}
		CHECK_INT(bad, 0, "received: %s: anywhere", received[i].name);
	}
}

/* Sent: seq counts from snd_una, of which 3000 bytes are in flight. */
static const struct {
	const char *name;
	int64_t     seq;
	uint32_t    length;
	uint16_t    flags;
	const char *want;
} sent[] = {
	{ "new", 3000, 100, ACK, "seq next to send, win 501, length 100" },
	{ "all of it in flight", 0, 3000, ACK, "seq 3000 behind, win 501, length 3000" },
	{ "the last in flight", 2900, 100, ACK, "seq 100 behind, win 501, length 100" },
	{ "acknowledged", -100, 100, ACK,
	  "seq 3100 behind, 100 bytes already acknowledged, win 501, length 100" },
	{ "partly acknowledged", -1, 100, PSH | ACK,
	  "seq 3001 behind, 1 of 100 bytes already acknowledged, win 501, length 100" },
	{ "keep-alive probe", -1, 0, ACK, "seq 3001 behind, win 501, length 0" },
	{ "ahead", 3001, 0, RST, "seq 1 ahead, win 501, length 0" },
};

static void
test_sent(void)
{
	char want[256];

	for (size_t i = 0; i < COUNT(sent); i++) {
		unsigned bad = 0;

		snprintf(want, sizeof(want), "  sent, %s; rcv_wnd 1000, in flight 3000\n",
		         sent[i].want);
		for (size_t j = 0; j < COUNT(places); j++) {
			struct drop d = make_drop(7, places[j]);

			d.received = false;
			d.sent = true;
			d.seq = d.numbers.snd_una + (uint32_t)sent[i].seq;
			d.numbers.snd_nxt += 3000;
			d.length = sent[i].length;
			d.flags = sent[i].flags;
			if (strcmp(line(&d), want) && !bad++)
				printf("# snd_una %u: %s", d.numbers.snd_una, line(&d));
		}
		CHECK_INT(bad, 0, "sent: %s: anywhere", sent[i].name);
	}
}

/* What there is to compare with, by state; without it the segment's own numbers stand. */
static const struct {
	const char *name;
	uint8_t     state;
	bool        numbers, received, sent;
	uint32_t    rcv_nxt;
	const char *want;
} states[] = {
	{ "no socket", 0, false, false, false, 0, "seq 90:100, ack 7000, win 501, length 10" },
	{ "LISTEN", LISTEN, false, false, false, 0, "seq 90:100, ack 7000, win 501, length 10" },
	{ "TIME_WAIT", TIME_WAIT, false, true, false, 0, "seq 90:100, ack 7000, win 501, length 10" },
	{ "NEW_SYN_RECV", NEW_SYN_RECV, false, true, false, 0,
	  "seq 90:100, ack 7000, win 501, length 10" },
	{ "NEW_SYN_RECV, sent", NEW_SYN_RECV, false, false, true, 0,
	  "sent, seq 90:100, ack 7000, win 501, length 10" },
	{ "no place of numbers", ESTABLISHED, false, true, false, 0,
	  "seq 90:100, ack 7000, win 501, length 10" },
	{ "neither sent nor received", ESTABLISHED, true, false, false, 100,
	  "seq 90:100, ack 7000, win 501, length 10; rcv_wnd 1000" },
	{ "SYN_SENT", SYN_SENT, true, true, false, 0,
	  "seq 90:100, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "CLOSE, never open", CLOSE, true, true, false, 0,
	  "seq 90:100, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "CLOSE", CLOSE, true, true, false, 100,
	  "seq 10 behind, 10 bytes already received, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "SYN_RECV", SYN_RECV, true, true, false, 90,
	  "seq as expected, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "FIN_WAIT2", FIN_WAIT2, true, true, false, 80,
	  "seq 10 ahead, ack current, win 501, length 10; rcv_wnd 1000" },
	{ "CLOSE_WAIT", CLOSE_WAIT, true, true, false, 90,
	  "seq as expected, ack current, win 501, length 10; rcv_wnd 1000" },
};

static void
test_states(void)
{
	char want[256];

	for (size_t i = 0; i < COUNT(states); i++) {
		struct drop d = make_drop(states[i].rcv_nxt, 7000);

		d.seq = 90;
		d.length = 10;
		d.state = states[i].state;
		d.has_numbers = states[i].numbers;
		d.received = states[i].received;
		d.sent = states[i].sent;
		snprintf(want, sizeof(want), "  %s\n", states[i].want);
		CHECK_STR(line(&d), want, "state: %s", states[i].name);
	}
}

static void
test_plain(void)
{
	struct drop d = { .has_tcp = true, .seq = 0xffffffff, .length = 10, .window = 65535 };

	CHECK_STR(line(&d), "  seq 4294967295:9, win 65535, length 10\n", "plain: wraps, no ACK");
	d.length = 0;
	d.flags = ACK;
	d.ack = 0xffffffff;
	CHECK_STR(line(&d), "  seq 4294967295, ack 4294967295, win 65535, length 0\n",
	          "plain: empty");
	d.has_tcp = false;
	CHECK_STR(line(&d), "  -\n", "header cut");
	d = make_drop(1, 1);
	d.has_tcp = false;
	CHECK_STR(line(&d), "  -; rcv_wnd 1000\n", "header cut, a socket");
}

static const struct {
	uint32_t    flight, retrans, srtt_us;
	const char *want;
} sockets[] = {
	{ 0, 0, 0, "" },
	{ 1448, 0, 0, ", in flight 1448" },
	{ 0, 3, 0, ", retrans 3" },
	{ 0, 0, 1, ", rtt 0.001 ms" },
	{ 0, 0, 41, ", rtt 0.041 ms" },
	{ 0, 0, 1000, ", rtt 1.000 ms" },
	{ 0, 0, 123456, ", rtt 123.456 ms" },
	{ 14480, 12, 30021, ", in flight 14480, retrans 12, rtt 30.021 ms" },
	{ UINT32_MAX, UINT32_MAX, UINT32_MAX,
	  ", in flight 4294967295, retrans 4294967295, rtt 4294967.295 ms" },
};

static void
test_sockets(void)
{
	char want[256];

	for (size_t i = 0; i < COUNT(sockets); i++) {
		struct drop d = make_drop(0, 0xfffffff0);

		d.numbers.snd_nxt += sockets[i].flight;
		d.numbers.total_retrans = sockets[i].retrans;
		d.numbers.srtt_us = sockets[i].srtt_us;
		snprintf(want, sizeof(want), "length 0; rcv_wnd 1000%s\n", sockets[i].want);
		CHECK(strstr(line(&d), want), "socket, window known: %zu", i);
		d.numbers.has_rcv_wnd = false;
		snprintf(want, sizeof(want), "length 0; rcv_wnd -%s\n", sockets[i].want);
		CHECK(strstr(line(&d), want), "socket, window not known: %zu", i);
	}
}

int
main(void)
{
	test_received();
	test_sent();
	test_states();
	test_plain();
	test_sockets();
	return tap_end();
}
