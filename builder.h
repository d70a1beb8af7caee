/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the program are written in: the stack, the labels, and
 * blocks of instructions with names in them.
 *
 *   r6  context: struct pt_regs, or the tracepoint's arguments
 *   r7  struct sk_buff
 *   r8  address of the network header, then of the TCP header
 *   r9  offset of the TCP header, then struct sock, then the reader's flag
 *   r1 to r5 die at every call
 */
#ifndef BUILDER_H
#define BUILDER_H

#include "bpf_asm.h"
#include "bpf_insns.h"
#include "event.h"
#include "offsets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program;

enum {
	WINDOW       = 128, /* most bytes of struct sk_buff we read at once */
	SOCK_BYTES   = 88,  /* the part of struct sock_common with the addresses */
	EXT_HEADERS  = 6,   /* IPv6 extension headers we walk */
	STACK_WORDS  = 24,  /* of the caller's frame, searched for a socket */
	SAVED        = 8,   /* of them read at a time */

	/* <linux/in.h>, <linux/socket.h> and <net/tcp_states.h> of the kernel */
	INET         = 2,
	INET6        = 10,
	PACKET       = 17,
	STREAM       = 1,
	RAW          = 3,
	PROTO_TCP    = 6,
	TIME_WAIT    = 6,
	CLOSE        = 7,
	LISTEN       = 10,
	NEW_SYN_RECV = 12,

	/* byte 13 of the TCP header */
	FIN          = 0x01,
	SYN          = 0x02,
	RST          = 0x04,
	ACK          = 0x10,
};

/* What the program keeps on its stack, at most 512 bytes. */
struct stack {
	struct event event;
	uint8_t  skb[WINDOW];        /* struct sk_buff from window_start() on */
	uint8_t  links[16];          /* skb->dev and skb->sk */
	uint8_t  sock[SOCK_BYTES];
	uint64_t saved[SAVED];       /* words of the caller's stack frame */
	uint64_t network;            /* address of the network header */
	uint64_t header_type;        /* of an IPv6 extension header */
	uint64_t listener;           /* one that matches but for the peer, or 0; plus r7 */
	uint64_t raw;                /* not 0: a raw socket is at hand */
	uint64_t buffer;             /* struct sk_buff, as a key */
	uint64_t cpu;
	uint64_t noted;              /* the socket whose sk_drops has grown */
	uint64_t word;               /* room for small reads and keys */
};

_Static_assert(sizeof(struct stack) <= 512, "MAX_BPF_STACK, include/linux/filter.h");
_Static_assert(sizeof(struct stack) % 8 == 0, "slots are aligned");
/* they overlay what the program has read and needs no more */
_Static_assert(offsetof(struct stack, skb) == sizeof(struct event)
               && offsetof(struct stack, skb) + EVENT_PACKET <= offsetof(struct stack, network),
               "the packet's bytes follow the event");

#define SLOT(member) ((int)offsetof(struct stack, member) - (int)sizeof(struct stack))

enum label {
	DONE,
	IPV4, IPV6, TCP_HEADER,
	FROM_BUFFER, FROM_REGISTERS, NO_MATCH, NO_LISTENER, COPY_HOLDER, HAVE_SOCKET, NO_SOCKET,
	PEER_KNOWN,
	SOCKETLESS,
	NO_NUMBERS, HAVE_NET, NO_NETNS, HAVE_INTERFACE,
	QUIET, COPY,
	LABELS, /* further ones are local to a block */
};

struct builder {
	struct bpf_asm       *a;
	const struct program *p;
	const uint16_t       *at;   /* offsets */
	int                   base; /* where the window of struct sk_buff begins */
	int                   locals; /* the label that LOCAL stands for */
	int                   other;  /* the label that OTHER stands for */
};

/*
 * The blocks are constants. What depends on the kernel or on where a block
 * stands is in them as a name, which resolve() replaces.
 */
enum {
	/* registers: a window on the stack; the load's offset is an enum offset then */
	SKB = 11, SOCK, LINKS,
	/* helper: the one that reads memory on this kernel */
	READER = -1,
	/* an offset in a READ: of this field */
	FIELD = 0x10000,
	/* labels: of the block's own scope, and where to go when a look-up fails */
	OTHER = 0x4000, LOCAL, LOCALS = 6,
	/* maps */
	MAP_COUNTERS = 0, MAP_RINGS, MAP_BELLS, MAP_CONTROL, MAP_MARKS, MAP_NOTES,
	MAP_SUMMARY,
};

/*
 * if (probe_read(stack + slot, size, from + add)) goto fail
 * fail 0, which is DONE, is a label too; -1: never mind. add may be FIELD + an
 * enum offset. Two slots of no opcode that append() replaces.
 */
#define READ_OPCODE (BPF_JMP | 0xe0)
#define READ(slot, size, from, add, fail) \
	INSN(READ_OPCODE, from, 0, slot, size), INSN(READ_OPCODE, 0, 0, fail, add)

/* Appends a block; a title begins one in the listing. */
void builder_append(struct builder *, const char *title, const struct bpf_insn *, size_t count);

#define EMIT(b, title, ...) \
	do { \
		/* clang aligns larger arrays to 16 */ \
		static const struct bpf_insn block[] __attribute__((aligned(8))) \
			= { __VA_ARGS__ }; \
		builder_append((b), (title), block, sizeof(block) / sizeof(block[0])); \
	} while (0)

/* For instructions with values that are not constant. */
#define EMIT_VALUES(b, ...) \
	builder_append((b), NULL, (const struct bpf_insn[]){ __VA_ARGS__ }, \
	       sizeof((const struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

/* Begins a block whose labels are LOCAL, LOCAL + 1, ... */
void builder_scope(struct builder *);

/* The stack slot of a field of struct sk_buff or struct sock_common; where dev and sk begin. */
int builder_in_skb(const struct builder *, enum offset);
int builder_in_sock(const struct builder *, enum offset);
int builder_links(const struct builder *);

/* Is the place of the field known? */
bool builder_knows(const struct builder *, enum offset);

/* Does this probe, on this kernel, give the argument of that number? Load it into a register. */
bool builder_given(const struct builder *, unsigned number);
void builder_argument(struct builder *, int dst, unsigned number);

/* Is the context the arguments of a tracepoint, or its record, and not the registers? */
bool builder_is_tracepoint(const struct builder *);

/* dst = the reason the probe is given */
void builder_reason(struct builder *, int dst);

/* event.known |= bits */
#define SET_KNOWN(bits) \
	LOAD(BPF_B, R1, FP, SLOT(event.known)), ORI(R1, bits), \
	STORE(BPF_B, FP, SLOT(event.known), R1)

/*
 * A zero that the verifier does not know to be one. It goes on with each value
 * that it knows apart, in registers and on the stack, and may give up at that.
 */
#define UNKNOWN_ZERO(dst) MOV(dst, R7), SUB(dst, R7)

/*
 * Kernel addresses have the top bits all set, how many depends on the paging; NULL
 * and numbers in a union's place have not. Kernels of 5.x warn in their log of a
 * read at what is no address at all. r0 is lost.
 */
enum { TOP_BITS = -2 };
#define UNLESS_POINTER(reg, label) \
	MOV(R0, reg), ARSHI(R0, TOP_BITS), JNEI(R0, -1, label)

/* r0 = the address of map[word], or 0: word is a key of 32 bits */
#define LOOK_UP(map) \
	LOAD_MAP(R1, map), MOV(R2, FP), ADDI(R2, SLOT(word)), CALL(BPF_FUNC_map_lookup_elem)

/* The size of what is sent, which resolve() knows. */
enum { RECORD_SIZE = -3 };

/* perf_event_output(r6, map, cpu, record); BPF_F_CURRENT_CPU is there from 4.6 on only */
#define OUTPUT(map) \
	MOV(R1, R6), LOAD_MAP(R2, map), LOAD(BPF_DW, R3, FP, SLOT(cpu)), \
	MOV(R4, FP), ADDI(R4, SLOT(event)), MOVI(R5, RECORD_SIZE), \
	CALL(BPF_FUNC_perf_event_output)

#endif
