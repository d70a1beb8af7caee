/* SPDX-License-Identifier: MIT */
/*
 * The record that program.c writes and decode.c reads, and the sample that
 * carries it through ring.c. Layout is the contract: numbers are the kernel's
 * (host byte order), header bytes are the packet's (network byte order).
 */
#ifndef EVENT_H
#define EVENT_H

#include <stddef.h>
#include <stdint.h>

enum {
	EVENT_IP_BYTES  = 40, /* an IPv6 header; an IPv4 header without options is 20 */
	EVENT_TCP_BYTES = 20, /* a TCP header without options */
	EVENT_COMM      = 16, /* TASK_COMM_LEN, include/linux/sched.h, 2.6 on */
	EVENT_PACKET    = 256, /* bytes from the IP header on that follow the event, for -w */
};

/* event.known: which of the fields below the program could fill */
enum {
	EVENT_HAS_REASON  = 1 << 0, /* reason */
	EVENT_HAS_SOCKET  = 1 << 1, /* state */
	EVENT_HAS_NUMBERS = 1 << 2, /* rcv_nxt to total_retrans but rcv_wnd */
	EVENT_HAS_RCV_WND = 1 << 3,
	EVENT_HAS_NETNS   = 1 << 4, /* netns */
	EVENT_RECEIVED    = 1 << 5, /* the packet's source is the socket's peer */
	EVENT_SENT        = 1 << 6, /* its destination is */
};

struct event {
	uint64_t location;      /* address that freed the packet, 0: not known */
	uint32_t reason;        /* enum skb_drop_reason of the running kernel */
	uint32_t ifindex;       /* 0: not known */
	uint32_t netns;         /* inode of the network namespace */
	uint32_t length;        /* bytes from the IP header to the end of the buffer */
	uint16_t tcp_offset;    /* bytes from the IP header to the TCP header */
	uint8_t  tcp_bytes;     /* how many bytes of tcp[] are the packet's */
	uint8_t  family;        /* 4 or 6 */
	uint8_t  state;         /* enum of <net/tcp_states.h>: 1 ESTABLISHED ... */
	uint8_t  probe;         /* which program sent it: an index chosen by its builder */
	uint8_t  known;         /* EVENT_HAS_... */
	uint8_t  at_entry;      /* 1: the probe is the entry of a function; location called it */
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t srtt_us;       /* as the kernel keeps it: eight times the value */
	uint32_t total_retrans;
	char     comm[EVENT_COMM];
	uint8_t  ip[EVENT_IP_BYTES];
	uint8_t  tcp[EVENT_TCP_BYTES];
	uint32_t linear;        /* bytes from the IP header to skb->tail; 0: none follow */
};

_Static_assert(sizeof(struct event) == 136, "event: size is part of the contract");
_Static_assert(offsetof(struct event, tcp_offset) == 24, "event: no hole before tcp_offset");
_Static_assert(offsetof(struct event, rcv_nxt) == 32, "event: no hole before rcv_nxt");
_Static_assert(offsetof(struct event, comm) == 56, "event: no hole before comm");
_Static_assert(offsetof(struct event, tcp) == 112, "event: no hole before tcp");

/* With -s: drops alike in all of this are counted together in a hash map. */
struct summary_key {
	uint64_t location;      /* as in the event, and so are the next two */
	uint32_t reason;
	uint16_t port;          /* of the end that receives or, where that is known, sends */
	uint8_t  state;
	uint8_t  known;         /* the family, 4 or 6, and SUMMARY_HAS_... */
};

enum {
	SUMMARY_FAMILY     = 0x0f,
	SUMMARY_HAS_REASON = 0x10,
	SUMMARY_HAS_PORT   = 0x20,
};

struct summary_count {
	uint64_t count;
	uint64_t first, last;   /* CLOCK_MONOTONIC, nanoseconds */
};

_Static_assert(sizeof(struct summary_key) == 16, "summary: no hole in the key");

/* What a ring gives: one event with what perf adds to it, or a gap. */
struct sample {
	uint64_t        time;   /* CLOCK_MONOTONIC, nanoseconds */
	uint32_t        cpu;
	uint32_t        pid;    /* thread group, in our own pid namespace */
	uint64_t        lost;   /* not 0: a gap; this many events were lost here */
	const void     *data;   /* struct event, not aligned */
	uint32_t        size;   /* bytes of data, may be padded */
	uint32_t        frames; /* number of addresses in stack */
	const uint64_t *stack;  /* innermost first, may begin with the probe's own frames */
};

#endif
