/* SPDX-License-Identifier: MIT */
/*
 * A made-up kernel with one packet that is dropped, on which bpf_run.c runs the
 * program of a probe: a sk_buff with headers, sockets, registers, a stack.
 */
#ifndef WORLD_H
#define WORLD_H

#include <asm/ptrace.h>
#include <linux/bpf.h>

#include <stdbool.h>
#include <stdint.h>

#include "../event.h"
#include "../inlined.h"
#include "../offsets.h"
#include "../probe.h"
#include "../program.h"
#include "bpf_run.h"

struct kernel {
	const char *name;
	uint32_t    version;
	const char *probe;
	uint8_t     arguments; /* of the tracepoint; of sites: skb's register, rdi (7) or r8 */
	int32_t     read;
	bool        consumed;  /* has SKB_CONSUMED, as number 1 */
};

enum { SKB_SIZE = 256, HEAD_SIZE = 640, SOCK_SIZE = 3072, SMALL = 512, SOCKS = 12, FRAME = 64 };

#define AT_SKB      0xffff888012340000u
#define AT_HEAD     0xffff888012350000u
#define AT_SOCK(n)  (0xffff888012360000u + (uint64_t)(n) * 0x4000)
#define AT_NET      0xffff8880123d0000u
#define AT_DEV      0xffff8880123e0000u
#define AT_STACK    0xffffc90000003f00u
#define AT_USER     0x00007f0012340000u
#define AT_NOTHING  0xffff8880deadbee8u
#define LOCATION    0xffffffff81a2b3c4u

enum {
	SOURCE_PORT = 443, TARGET_PORT = 51514,
	REASON = 42, CONSUMED = 1,
	IIF = 3, DEV = 7,
	INUM = 0x70000098,
};

struct world {
	const struct kernel  *kernel;
	const struct probe   *probe;
	struct offsets        o;
	struct program_filter filter;
	struct program        program;
	struct inlined_site   site;
	struct bpf_run        run;
	struct pt_regs        regs;
	uint64_t              args[4];
	uint8_t               skb[SKB_SIZE], head[HEAD_SIZE], dev[SMALL], net[SMALL];
	uint8_t               sock[SOCKS][SOCK_SIZE];
	unsigned              socks;
	uint64_t              frame[FRAME]; /* the stack: return address, caller's frame */

	/* what was put there */
	unsigned              network;  /* header, in head */
	unsigned              total;    /* bytes of the packet */
	unsigned              tcp;      /* where its transport header begins */
	uint8_t               version;  /* of IP */
};

/*
 * Extension headers as letters: h hop-by-hop, r routing, d destination options
 * of 8 bytes, H D of 24; f a first fragment, a whole one ("atomic") is A, F a
 * later one; t AH of 24 bytes, T of 16; m mobility, which is not walked.
 */
struct packet {
	const char *ext;
	uint8_t     version;   /* 0: 4 */
	uint8_t     header;    /* version nibble, when it is another */
	uint8_t     proto;     /* 0: TCP */
	uint8_t     ihl;       /* 0: 5 */
	uint16_t    fragment;  /* IPv4 flags and offset */
	int         skb_proto; /* 0: as it should be; -1: 0 */
	int         linear;    /* 0: all; else so many bytes of the packet, -1: none */
	int         transport; /* off by so much; NO_TRANSPORT: not set */
	int         data;      /* skb->data, from the network header on; 0: the TCP header */
	bool        at_head;   /* the network header is at 0 */
};

enum { NO_TRANSPORT = 9999 };

/* A socket by how it relates to the packet. Zero is none at all. */
enum who {
	NOBODY, RECEIVER, LISTENER, TIMEWAIT, REQUEST, CLOSED, MAPPED, MAPPED_LISTENER,
	OTHER_PORT, OTHER_PEER_PORT, OTHER_PEER, OTHER_LOCAL, UNIX,
	UNHASHED, OTHER_UNHASHED, UNHASHED_LIVE,
	OTHER_LISTENER, FOREIGN_LISTENER, HERE_LISTENER,
	SENDER, RAW, PACKET_SOCKET, UDP, CONTROL, TUN,
	USER_POINTER, GARBAGE, NULLS, SMALL_NUMBER, ODD_POINTER,
};

/* The numbers of each full socket, by enum offset. */
extern const uint32_t world_numbers[TCP_TOTAL_RETRANS + 1];

/*
 * Begins with one TCP packet, of no socket, that came in from interface IIF and
 * is dropped at LOCATION for REASON. A packet of NULL is a plain one.
 */
void world_make(struct world *, const struct kernel *, const struct packet *);

/* Puts a socket there and returns what a pointer to it would be. */
uint64_t world_sock(struct world *, enum who);

bool world_is_kprobe(const struct world *);

/* Does the probe give the argument on this kernel? Counted from 1. */
bool world_has_argument(const struct world *, unsigned number);
void world_set_argument(struct world *, unsigned number, uint64_t value);

/* The callee-saved registers: rbx, rbp, r12 to r15. */
void world_set_register(struct world *, unsigned n, uint64_t value);

/* What is asked for, until the next call; reasons as numbers. */
void world_filter(struct world *, const char *text, const uint16_t *ports, unsigned count);

/* Writes a field, if its place is known. */
void world_put(void *base, uint16_t at, uint64_t value, size_t size);
void world_put_skb(struct world *, enum offset, uint64_t value, size_t size);

/* Builds the program and runs it once. NULL, or what went wrong. */
const char *world_run(struct world *);

/* Runs the program that notes a socket and its packet. NULL, or what went wrong. */
const char *world_note(struct world *, uint64_t sk, uint64_t skb);

/* The same, and one event must be sent, or none; it must have all that every drop has. */
const char *world_expect(struct world *, bool shown);

/* The event sent last; zeros if there is none. */
struct event world_event(const struct world *);

#define DEMAND(what) do { if (!(what)) return "not " #what; } while (0)

#endif
