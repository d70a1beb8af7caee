/* SPDX-License-Identifier: MIT */
/*
 * One dropped packet as it is shown. decode.c fills what the record says,
 * names.c and kallsyms.c add the words, format.c prints it.
 */
#ifndef DROP_H
#define DROP_H

#include <stdbool.h>
#include <stdint.h>

enum { DROP_FRAMES = 127 }; /* PERF_MAX_STACK_DEPTH, <linux/perf_event.h> */

/* An address of the kernel, with its name when one is known. */
struct frame {
	uint64_t    address;
	const char *name;   /* NULL: not known */
	const char *module; /* NULL: the kernel proper */
	uint32_t    offset; /* bytes from the start of name */
};

/* Numbers of a full TCP socket at the moment of the drop. */
struct sock_numbers {
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t srtt_us;       /* microseconds */
	uint32_t total_retrans;
	bool     has_rcv_wnd;   /* its place is known on fewer kernels */
};

/* The process that has the packet's socket open. */
struct drop_owner {
	uint32_t pid;
	char     comm[16];      /* terminated, not escaped */
};

struct drop {
	uint64_t time;          /* CLOCK_REALTIME, nanoseconds */
	uint64_t since_start;   /* nanoseconds */
	uint32_t cpu;
	uint32_t pid;
	char     comm[16];      /* terminated, not escaped */

	uint8_t  ip;            /* 4 or 6 */
	uint8_t  saddr[16];     /* network byte order; IPv4 in the first four */
	uint8_t  daddr[16];
	bool     has_ports;     /* false: the buffer ended before the ports */
	bool     has_tcp;       /* false: the buffer ended inside the TCP header */
	uint16_t sport;         /* host byte order, as all that follows */
	uint16_t dport;
	uint16_t flags;         /* low 8 bits of byte 13 of the TCP header, NS above */
	uint16_t window;        /* as in the header, not scaled */
	uint32_t seq;
	uint32_t ack;
	uint32_t length;        /* bytes of TCP payload */

	bool     has_reason;
	uint32_t reason;
	const char *reason_name;    /* NULL: no name known */
	uint8_t  state;             /* 0: no socket */
	const char *state_name;     /* NULL: no socket, or a state without a name */
	uint32_t netns;             /* 0: not known */
	uint32_t ifindex;           /* 0: not known */
	bool     received;          /* by the socket, from its peer */
	bool     sent;              /* by the socket, to its peer; neither: not known */
	bool     has_numbers;
	struct sock_numbers numbers;
	const struct drop_owner *owner; /* NULL: not known */

	const char  *probe;         /* "kprobe:kfree_skb_reason" */
	struct frame location;      /* address 0: not known */
	uint32_t     frames;        /* 0: no stack */
	struct frame stack[DROP_FRAMES];

	uint32_t       packet_length; /* bytes from the IP header on */
	uint32_t       header_bytes;  /* 0: not asked for */
	const uint8_t *headers;       /* of IP and TCP, as long as the sample is there */
};

#endif
