/* SPDX-License-Identifier: MIT */
/*
 * One program for every probe: find the TCP header of the packet that is being
 * freed, decide whether it is wanted, find its socket, send the event.
 *
 *   r6  context: struct pt_regs, or the tracepoint's arguments
 *   r7  struct sk_buff
 *   r8  address of the network header, then of the TCP header
 *   r9  offset of the TCP header, then struct sock, then the reader's flag
 *   r1 to r5 die at every call
 *
 * It keeps to what the verifier of 4.9 allows: no loops, helpers write to the
 * stack only, sizes are constants.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <errno.h>
#include <stddef.h>

#include "arch.h"
#include "bpf_asm.h"
#include "bpf_insns.h"
#include "event.h"
#include "offsets.h"
#include "probe.h"
#include "program.h"

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
	uint64_t listener;           /* a socket that matches but for the peer */
	uint64_t buffer;             /* struct sk_buff, as a key */
	uint64_t word;               /* room for small reads and keys */
};

_Static_assert(sizeof(struct stack) <= 512, "MAX_BPF_STACK, include/linux/filter.h");
_Static_assert(sizeof(struct stack) % 8 == 0, "slots are aligned");

#define SLOT(member) ((int)offsetof(struct stack, member) - (int)sizeof(struct stack))

enum label {
	DONE,
	IPV4, IPV6, TCP_HEADER,
	FROM_BUFFER, FROM_REGISTERS, NO_LISTENER, COPY_HOLDER, HAVE_SOCKET, NO_SOCKET, COUNT,
	NO_NUMBERS, NO_NETNS, HAVE_INTERFACE,
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
	OTHER = 1000, LOCAL, LOCALS = 5,
	/* maps */
	MAP_COUNTERS = 0, MAP_RINGS, MAP_BELLS, MAP_ARMED, MAP_MARKS,
};

/* The stack slot of a field of struct sk_buff that is in the window. */
static int
in_skb(const struct builder *b, enum offset id)
{
	return SLOT(skb) + b->at[id] - b->base;
}

static int
in_sock(const struct builder *b, enum offset id)
{
	return SLOT(sock) + b->at[id];
}

static int
link_start(const struct builder *b)
{
	return b->at[SKB_DEV] < b->at[SKB_SK] ? b->at[SKB_DEV] : b->at[SKB_SK];
}

static int
in_links(const struct builder *b, enum offset id)
{
	return SLOT(links) + b->at[id] - link_start(b);
}

/*
 * if (probe_read(stack + slot, size, from + add)) goto fail
 * fail 0, which is DONE, is a label too; -1: never mind. add may be FIELD + an
 * enum offset. Two slots of no opcode that append() replaces.
 */
#define READ_OPCODE (BPF_JMP | 0xe0)
#define READ(slot, size, from, add, fail) \
	INSN(READ_OPCODE, from, 0, slot, size), INSN(READ_OPCODE, 0, 0, fail, add)

static int
window_slot(const struct builder *b, int window, int id)
{
	return window == SKB ? in_skb(b, (enum offset)id)
	     : window == SOCK ? in_sock(b, (enum offset)id) : in_links(b, (enum offset)id);
}

static struct bpf_insn
resolve(const struct builder *b, struct bpf_insn i)
{
	const struct program_maps *m = &b->p->maps;
	const int maps[] = { m->counters, m->rings, m->bells, m->armed, m->marks };

	if (BPF_CLASS(i.code) == BPF_LDX && i.src_reg >= SKB) {
		i.off = (int16_t)window_slot(b, i.src_reg, i.off);
		i.src_reg = FP;
	} else if (BPF_CLASS(i.code) == BPF_JMP && i.off >= OTHER) {
		i.off = (int16_t)(i.off == OTHER ? b->other : b->locals + i.off - LOCAL);
	} else if (i.code == (BPF_JMP | BPF_CALL) && i.imm == READER) {
		i.imm = b->p->read;
	} else if (i.code == (BPF_LD | BPF_DW | BPF_IMM) && i.src_reg == BPF_PSEUDO_MAP_FD) {
		i.imm = maps[i.imm];
	}
	return i;
}

static void
append_one(struct builder *b, struct bpf_insn i)
{
	i = resolve(b, i);
	bpf_asm_append(b->a, NULL, &i, 1);
}

static void
append_read(struct builder *b, const struct bpf_insn *i)
{
	int add = i[1].imm >= FIELD ? b->at[i[1].imm - FIELD] : i[1].imm;
	const struct bpf_insn read[] = {
		MOV(R1, FP), ADDI(R1, i[0].off), MOVI(R2, i[0].imm), MOV(R3, i[0].dst_reg),
		ADDI(R3, add), CALL(READER), JNEI(R0, 0, i[1].off),
	};

	for (unsigned n = 0; n < sizeof(read) / sizeof(read[0]); n++)
		if ((n != 4 || add) && (n != 6 || i[1].off >= 0))
			append_one(b, read[n]);
}

static void
append(struct builder *b, const char *title, const struct bpf_insn *insn, size_t count)
{
	if (title)
		bpf_asm_title(b->a, title);
	for (size_t i = 0; i < count; i++) {
		if (insn[i].code == READ_OPCODE)
			append_read(b, &insn[i++]);
		else
			append_one(b, insn[i]);
	}
}

#define EMIT(b, title, ...) \
	do { \
		static const struct bpf_insn block[] = { __VA_ARGS__ }; \
		append((b), (title), block, sizeof(block) / sizeof(block[0])); \
	} while (0)

/* For instructions with values that are not constant. */
#define EMIT_VALUES(b, ...) \
	append((b), NULL, (const struct bpf_insn[]){ __VA_ARGS__ }, \
	       sizeof((const struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

/* Begins a block whose labels are LOCAL, LOCAL + 1, ... */
static void
scope(struct builder *b)
{
	b->locals = bpf_asm_label(b->a);
	for (int i = 1; i < LOCALS; i++)
		bpf_asm_label(b->a);
}

static bool
known(const struct builder *b, enum offset id)
{
	return b->at[id] != OFFSET_NONE;
}

/* event.known |= bits */
#define SET_KNOWN(bits) \
	LOAD(BPF_B, R1, FP, SLOT(event.known)), ORI(R1, bits), STORE(BPF_B, FP, SLOT(event.known), R1)

/* Kernel addresses have the top bit set; NULL and numbers in a union's place do not. */
#define UNLESS_POINTER(reg, label) JSGEI(reg, 0, label)

/* perf_event_output(r6, map, this CPU, event) */
#define OUTPUT(map) \
	MOV(R1, R6), LOAD_MAP(R2, map), MOV32I(R3, BPF_F_CURRENT_CPU), \
	MOV(R4, FP), ADDI(R4, SLOT(event)), MOVI(R5, sizeof(struct event)), \
	CALL(BPF_FUNC_perf_event_output)

static void
load_argument(struct builder *b, int dst, unsigned number)
{
	const struct program *p = b->p;
	int at = p->probe->kind == PROBE_KPROBE ? arch.argument[number - 1]
	       : p->probe->kind == PROBE_SITES ? arch.general[p->arguments & 15]
	       : 8 * ((int)number - 1);

	EMIT_VALUES(b, LOAD(BPF_DW, dst, R6, at));
}

/* Does this probe, on this kernel, give the argument? */
static bool
given(const struct builder *b, unsigned number)
{
	return number && (b->p->probe->kind != PROBE_TRACEPOINT || number <= b->p->arguments);
}

static void
load_reason(struct builder *b, int dst)
{
	load_argument(b, dst, b->p->probe->reason);
	EMIT_VALUES(b, LSHI(dst, 32), RSHI(dst, 32));
}

/* kfree_skb() and its successors only drop the reference when others hold the buffer. */
static void
find_buffer(struct builder *b)
{
	const struct probe *probe = b->p->probe;

	EMIT(b, "r7 = skb", MOV(R6, R1));
	load_argument(b, R7, probe->skb);
	EMIT(b, NULL, JEQI(R7, 0, DONE));
	if (probe->kind != PROBE_TRACEPOINT && probe->reason && b->p->has_consumed) {
		bpf_asm_title(b->a, "if (reason == SKB_CONSUMED) return");
		load_reason(b, R1);
		EMIT_VALUES(b, JEQI(R1, (int)b->p->consumed, DONE));
	}
	EMIT(b, "the fields of skb from len to users", STORE(BPF_DW, FP, SLOT(buffer), R7));
	EMIT_VALUES(b, READ(SLOT(skb), b->at[SKB_USERS] + 4 - b->base, R7, b->base, DONE));
	if (probe->shared)
		EMIT(b, "if (skb->users != 1) return", LOAD(BPF_W, R1, SKB, SKB_USERS),
		     JNEI(R1, 1, DONE));
}

static void
clear_event(struct builder *b)
{
	EMIT(b, "event = {}", MOVI(R1, 0));
	for (int i = 0; i < (int)sizeof(struct event); i += 8)
		EMIT_VALUES(b, STORE(BPF_DW, FP, SLOT(event) + i, R1));
}

/*
 * The network header must lie in the linear part. A buffer made anew, as
 * tcp_collapse() does, has no headers and network_header 0: what is there must
 * agree with skb->protocol, and say TCP.
 */
static void
find_network_header(struct builder *b)
{
	enum { LINEAR = LOCAL };

	scope(b);
	EMIT(b, "r8 = skb->head + skb->network_header",
	     LOAD(BPF_H, R1, SKB, SKB_NETWORK),
	     LOAD(BPF_W, R9, SKB, SKB_TAIL),
	     SUB(R9, R1),
	     JSGTI(R9, 19, LINEAR), GOTO(DONE),
	     LABEL(LINEAR),
	     LOAD(BPF_DW, R8, SKB, SKB_HEAD),
	     ADD(R8, R1),
	     STORE(BPF_DW, FP, SLOT(network), R8));
	clear_event(b);
	EMIT(b, "which IP version", READ(SLOT(event.ip), 20, R8, 0, DONE),
	     LOAD(BPF_H, R1, SKB, SKB_PROTOCOL), BE(R1, 16),
	     LOAD(BPF_B, R2, FP, SLOT(event.ip)), MOV(R3, R2), RSHI(R3, 4),
	     JEQI(R3, 4, IPV4), JEQI(R3, 6, IPV6), GOTO(DONE));
}

/* TCP, not a later fragment; r9 = header length */
static void
read_ipv4(struct builder *b)
{
	EMIT(b, "IPv4", LABEL(IPV4));
	if (b->p->filter->family == 6) {
		EMIT(b, NULL, GOTO(DONE));
		return;
	}
	EMIT(b, NULL,
	     JEQI(R1, ETH_P_IPV6, DONE),
	     LOAD(BPF_B, R3, FP, SLOT(event.ip) + 9), JNEI(R3, PROTO_TCP, DONE),
	     LOAD(BPF_H, R3, FP, SLOT(event.ip) + 6), BE(R3, 16), JSETI(R3, 0x1fff, DONE),
	     MOV(R9, R2), ANDI(R9, 15), LSHI(R9, 2),
	     STOREI(BPF_B, FP, SLOT(event.family), 4),
	     JGTI(R9, 19, TCP_HEADER), GOTO(DONE));
}

/*
 * One extension header: r4 is its type, r9 its offset. Hop-by-hop, routing and
 * destination options count in units of 8 bytes without the first, the
 * authentication header in units of 4 without the first two (RFC 8200, 4302).
 */
static void
skip_extension(struct builder *b)
{
	enum { FRAGMENT = LOCAL, AUTHENTICATION, MEASURED, SKIP, LINEAR };

	scope(b);
	EMIT(b, NULL,
	     JEQI(R4, PROTO_TCP, TCP_HEADER),
	     JEQI(R4, 0, SKIP), JEQI(R4, 43, SKIP), JEQI(R4, 44, SKIP), JEQI(R4, 51, SKIP),
	     JEQI(R4, 60, SKIP), GOTO(DONE),
	     LABEL(SKIP),
	     STORE(BPF_DW, FP, SLOT(header_type), R4),
	     LOAD(BPF_W, R1, SKB, SKB_TAIL), LOAD(BPF_DW, R2, SKB, SKB_HEAD),
	     MOV(R3, R8), ADD(R3, R9), ADD(R1, R2), SUB(R1, R3), JSGTI(R1, 7, LINEAR), GOTO(DONE),
	     LABEL(LINEAR),
	     MOV(R1, FP), ADDI(R1, SLOT(word)), MOVI(R2, 8), CALL(READER), JNEI(R0, 0, DONE),
	     LOAD(BPF_DW, R3, FP, SLOT(header_type)),
	     LOAD(BPF_B, R4, FP, SLOT(word)), LOAD(BPF_B, R5, FP, SLOT(word) + 1),
	     JEQI(R3, 44, FRAGMENT), JEQI(R3, 51, AUTHENTICATION),
	     ADDI(R5, 1), LSHI(R5, 3), GOTO(MEASURED),
	     LABEL(FRAGMENT),
	     LOAD(BPF_H, R3, FP, SLOT(word) + 2), BE(R3, 16), JSETI(R3, 0xfff8, DONE),
	     MOVI(R5, 8), GOTO(MEASURED),
	     LABEL(AUTHENTICATION), ADDI(R5, 2), LSHI(R5, 2),
	     LABEL(MEASURED), ADD(R9, R5));
}

static void
read_ipv6(struct builder *b)
{
	enum { LINEAR = LOCAL };

	scope(b);
	EMIT(b, "IPv6", LABEL(IPV6));
	if (b->p->filter->family == 4) {
		EMIT(b, NULL, GOTO(DONE));
		return;
	}
	EMIT(b, NULL, JEQI(R1, ETH_P_IP, DONE), JGTI(R9, 39, LINEAR), GOTO(DONE), LABEL(LINEAR),
	     READ(SLOT(event.ip) + 20, 20, R8, 20, DONE),
	     STOREI(BPF_B, FP, SLOT(event.family), 6),
	     LOAD(BPF_B, R4, FP, SLOT(event.ip) + 6), MOVI(R9, 40));
	for (int i = 0; i < EXT_HEADERS; i++)
		skip_extension(b);
	EMIT(b, NULL, JEQI(R4, PROTO_TCP, TCP_HEADER), GOTO(DONE));
}

/*
 * As much of the TCP header as the linear part has: all of it, or the ports, or
 * nothing. Where skb->protocol does not vouch for the network header (before
 * 4.10 it is 0 on local output), transport_header must.
 */
static void
read_tcp(struct builder *b)
{
	enum { VOUCHED = LOCAL, END, WHOLE, PORTS };

	scope(b);
	EMIT(b, "r8 = TCP header", LABEL(TCP_HEADER),
	     ADD(R8, R9), STORE(BPF_H, FP, SLOT(event.tcp_offset), R9),
	     LOAD(BPF_H, R1, SKB, SKB_PROTOCOL), BE(R1, 16),
	     JEQI(R1, ETH_P_IP, VOUCHED), JEQI(R1, ETH_P_IPV6, VOUCHED),
	     LOAD(BPF_H, R1, SKB, SKB_TRANSPORT),
	     LOAD(BPF_DW, R2, SKB, SKB_HEAD),
	     ADD(R1, R2), JNE(R1, R8, DONE),
	     LABEL(VOUCHED));
	EMIT(b, "as much of it as there is before skb->tail",
	     LOAD(BPF_W, R9, SKB, SKB_TAIL), LOAD(BPF_DW, R1, SKB, SKB_HEAD),
	     ADD(R9, R1), SUB(R9, R8),
	     JSGTI(R9, EVENT_TCP_BYTES - 1, WHOLE), JSGTI(R9, 3, PORTS), GOTO(END),
	     LABEL(PORTS), READ(SLOT(event.tcp), 4, R8, 0, END),
	     STOREI(BPF_B, FP, SLOT(event.tcp_bytes), 4), GOTO(END),
	     LABEL(WHOLE), READ(SLOT(event.tcp), EVENT_TCP_BYTES, R8, 0, END),
	     STOREI(BPF_B, FP, SLOT(event.tcp_bytes), EVENT_TCP_BYTES), LABEL(END));
}

static void
filter_pid(struct builder *b)
{
	const struct program_filter *f = b->p->filter;

	if (!f->has_pid)
		return;
	if (f->pidns_ino) {
		/* struct bpf_pidns_info { u32 pid, tgid } */
		bpf_asm_title(b->a, "if (tgid in our pid namespace != pid) return");
		EMIT_VALUES(b, LOAD64(R1, f->pidns_dev), LOAD64(R2, f->pidns_ino));
		EMIT(b, NULL,
		     MOV(R3, FP), ADDI(R3, SLOT(word)), MOVI(R4, 8),
		     CALL(BPF_FUNC_get_ns_current_pid_tgid), JNEI(R0, 0, DONE),
		     LOAD(BPF_W, R0, FP, SLOT(word) + 4));
	} else {
		EMIT(b, "if (current->tgid != pid) return",
		     CALL(BPF_FUNC_get_current_pid_tgid), RSHI(R0, 32));
	}
	EMIT_VALUES(b, MOV32I(R1, f->pid), JNE(R0, R1, DONE));
}

static void
filter_ports(struct builder *b)
{
	const struct program_filter *f = b->p->filter;
	enum { MATCH = LOCAL };

	scope(b);
	if (!f->port_count)
		return;
	EMIT(b, "if (neither port is wanted) return",
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp_bytes)), JEQI(R1, 0, DONE),
	     LOAD(BPF_H, R1, FP, SLOT(event.tcp)), BE(R1, 16),
	     LOAD(BPF_H, R2, FP, SLOT(event.tcp) + 2), BE(R2, 16));
	for (unsigned i = 0; i < f->port_count; i++)
		EMIT_VALUES(b, JEQI(R1, f->port[i], MATCH), JEQI(R2, f->port[i], MATCH));
	EMIT(b, NULL, GOTO(DONE), LABEL(MATCH));
}

/*
 * The tracepoint fires within a function whose kprobe has dealt with this buffer
 * just before: reported it, or found it to be a copy.
 */
static void
skip_reported(struct builder *b)
{
	if (b->p->probe->kind != PROBE_TRACEPOINT || b->p->maps.marks < 0)
		return;
	EMIT(b, "if (a kprobe has dealt with this skb) return",
	     LOAD_MAP(R1, MAP_MARKS), MOV(R2, FP), ADDI(R2, SLOT(buffer)),
	     CALL(BPF_FUNC_map_delete_elem), JEQI(R0, 0, DONE));
}

static void
mark_reported(struct builder *b)
{
	if (!b->p->probe->shared || b->p->maps.marks < 0)
		return;
	EMIT(b, "remember that this skb is dealt with",
	     STOREI(BPF_W, FP, SLOT(word), 1),
	     LOAD_MAP(R1, MAP_MARKS), MOV(R2, FP), ADDI(R2, SLOT(buffer)),
	     MOV(R3, FP), ADDI(R3, SLOT(word)), MOVI(R4, BPF_ANY),
	     CALL(BPF_FUNC_map_update_elem));
}

/* sock = the first bytes of *r9, which every kind of socket has in common */
static void
read_sock(struct builder *b, int fail)
{
	EMIT_VALUES(b, UNLESS_POINTER(R9, fail), READ(SLOT(sock), SOCK_BYTES, R9, 0, fail));
}

/*
 * r9 is a socket that the kernel names for this packet: a TCP one? goto
 * HAVE_SOCKET. A raw or packet one? goto OTHER. Others neither have nor copy
 * the packet: a TUN device's own, of no family, is on all it brings in. Only a
 * full socket has a type: not TIME_WAIT, not a request.
 */
static void
check_tcp_socket(struct builder *b)
{
	enum { IS_INET = LOCAL };

	scope(b);
	EMIT(b, NULL,
	     LOAD(BPF_H, R1, SOCK, SOCK_FAMILY),
	     JEQI(R1, INET, IS_INET), JEQI(R1, INET6, IS_INET), JEQI(R1, PACKET, OTHER),
	     GOTO(FROM_REGISTERS),
	     LABEL(IS_INET),
	     LOAD(BPF_B, R1, SOCK, SOCK_STATE),
	     JEQI(R1, TIME_WAIT, HAVE_SOCKET), JEQI(R1, NEW_SYN_RECV, HAVE_SOCKET));
	if (!known(b, SOCK_TYPE))
		return;
	EMIT(b, NULL, READ(SLOT(word), 2, R9, FIELD + SOCK_TYPE, FROM_REGISTERS));
	EMIT(b, NULL, LOAD(BPF_H, R1, FP, SLOT(word)),
	     JEQI(R1, STREAM, HAVE_SOCKET), JEQI(R1, RAW, OTHER), GOTO(FROM_REGISTERS));
}

/* The probe's own argument. Given to a raw or packet socket, it is a copy. */
static void
socket_given(struct builder *b)
{
	if (!given(b, b->p->probe->sk))
		return;
	bpf_asm_title(b->a, "r9 = the socket the kernel passes along");
	load_argument(b, R9, b->p->probe->sk);
	read_sock(b, FROM_BUFFER);
	b->other = COPY;
	check_tcp_socket(b);
	if (!known(b, SOCK_TYPE))
		EMIT(b, NULL, GOTO(HAVE_SOCKET));
}

/* if (sixteen bytes at two stack slots differ) goto OTHER */
static void
compare_ipv6(struct builder *b, int slot, int other)
{
	for (int i = 0; i < 16; i += 8)
		EMIT_VALUES(b, LOAD(BPF_DW, R1, FP, slot + i), LOAD(BPF_DW, R2, FP, other + i),
		            JNE(R1, R2, OTHER));
}

/* A full raw socket of IPPROTO_TCP, whose number is its protocol: the packet is its copy. */
static void
skip_raw_receiver(struct builder *b)
{
	if (!known(b, SOCK_TYPE)) {
		EMIT(b, NULL, GOTO(OTHER));
		return;
	}
	EMIT(b, NULL, READ(SLOT(word), 2, R9, FIELD + SOCK_TYPE, OTHER));
	EMIT(b, NULL, LOAD(BPF_H, R1, FP, SLOT(word)), JNEI(R1, RAW, OTHER), GOTO(COPY));
}

/*
 * Does sock match the packet as its receiver? Its port, the peer's port and
 * both addresses; a listener has no peer, and a socket that has just been closed
 * no port. IPv6 sockets keep the addresses of mapped IPv4 peers in the IPv4
 * fields too.
 */
static void
match_sock(struct builder *b)
{
	enum { IS_INET = LOCAL, PORT, CLOSED, PEER, IS_IPV6 };

	scope(b);
	EMIT(b, NULL,
	     LOAD(BPF_H, R1, SOCK, SOCK_FAMILY),
	     JEQI(R1, INET, IS_INET), JNEI(R1, INET6, OTHER),
	     LABEL(IS_INET),
	     LOAD(BPF_H, R1, FP, SLOT(event.tcp) + 2), BE(R1, 16),
	     LOAD(BPF_H, R2, SOCK, SOCK_NUM),
	     JEQ(R1, R2, PORT), JEQI(R2, 0, CLOSED), JNEI(R2, PROTO_TCP, OTHER));
	skip_raw_receiver(b);
	EMIT(b, NULL,
	     LABEL(PORT), LOAD(BPF_B, R1, SOCK, SOCK_STATE), JNEI(R1, LISTEN, PEER),
	     STORE(BPF_DW, FP, SLOT(listener), R9), GOTO(OTHER),
	     LABEL(CLOSED), LOAD(BPF_B, R1, SOCK, SOCK_STATE), JNEI(R1, CLOSE, OTHER),
	     LABEL(PEER),
	     LOAD(BPF_H, R1, FP, SLOT(event.tcp)), LOAD(BPF_H, R2, SOCK, SOCK_DPORT),
	     JNE(R1, R2, OTHER),
	     LOAD(BPF_B, R1, FP, SLOT(event.family)), JEQI(R1, 6, IS_IPV6),
	     LOAD(BPF_W, R1, FP, SLOT(event.ip) + 12), LOAD(BPF_W, R2, SOCK, SOCK_DADDR),
	     JNE(R1, R2, OTHER),
	     LOAD(BPF_W, R1, FP, SLOT(event.ip) + 16), LOAD(BPF_W, R2, SOCK, SOCK_RCV_SADDR),
	     JNE(R1, R2, OTHER), GOTO(HAVE_SOCKET),
	     LABEL(IS_IPV6));
	if (known(b, SOCK_V6_DADDR) && known(b, SOCK_V6_RCV_SADDR)) {
		compare_ipv6(b, SLOT(event.ip) + 8, in_sock(b, SOCK_V6_DADDR));
		compare_ipv6(b, SLOT(event.ip) + 24, in_sock(b, SOCK_V6_RCV_SADDR));
		EMIT(b, NULL, GOTO(HAVE_SOCKET));
	}
}

/* r9 may be a socket: goto HAVE_SOCKET if it is the packet's. */
static void
try_socket(struct builder *b)
{
	read_sock(b, OTHER);
	match_sock(b);
	EMIT(b, NULL, LABEL(OTHER));
}

/*
 * What the dropping function no longer needs may have left the registers; its
 * caller's registers, which it has saved, are still in its stack frame.
 */
static void
socket_from_stack(struct builder *b)
{
	if (given(b, b->p->probe->sk))
		return;
	for (int i = 0; i < STACK_WORDS; i++) {
		if (i % SAVED == 0) {
			if (!i)
				bpf_asm_title(b->a, "r9 = a socket of this packet in the caller's frame");
			EMIT_VALUES(b, LOAD(BPF_DW, R9, R6, arch.stack_pointer));
			EMIT_VALUES(b, READ(SLOT(saved), 8 * SAVED, R9, 8 * (i + 1), NO_LISTENER));
		}
		b->other = bpf_asm_label(b->a);
		EMIT_VALUES(b, LOAD(BPF_DW, R9, FP, SLOT(saved) + i % SAVED * 8));
		try_socket(b);
	}
}

/*
 * The receive path has taken the socket off the buffer, but the function that
 * drops it still has it, in a register it must keep over the call.
 */
static void
socket_from_registers(struct builder *b)
{
	EMIT(b, NULL, LABEL(FROM_REGISTERS));
	if (b->p->probe->kind == PROBE_TRACEPOINT) {
		EMIT(b, NULL, GOTO(NO_SOCKET));
		return;
	}
	EMIT(b, "r9 = a socket of this packet in the caller's registers", MOVI(R1, 0),
	     STORE(BPF_DW, FP, SLOT(listener), R1),
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp_bytes)), JEQI(R1, 0, NO_SOCKET));
	for (unsigned i = 0; i < arch.saved_count; i++) {
		b->other = bpf_asm_label(b->a);
		EMIT_VALUES(b, LOAD(BPF_DW, R9, R6, arch.saved[i]));
		try_socket(b);
	}
	socket_from_stack(b);
	EMIT(b, "else a listener of its port", LABEL(NO_LISTENER),
	     LOAD(BPF_DW, R9, FP, SLOT(listener)));
	read_sock(b, NO_SOCKET);
	EMIT(b, NULL, GOTO(HAVE_SOCKET));
}

/*
 * skb->sk: the sender, or the owner of the queue the packet waits in. Where the
 * type of a socket cannot be read, one of the packet's ports must be its own.
 */
static void
socket_from_buffer(struct builder *b)
{
	EMIT(b, "r9 = skb->sk", LABEL(FROM_BUFFER), LOAD(BPF_DW, R9, LINKS, SKB_SK));
	read_sock(b, FROM_REGISTERS);
	b->other = COPY_HOLDER;
	check_tcp_socket(b);
	if (!known(b, SOCK_TYPE))
		EMIT(b, NULL,
		     LOAD(BPF_H, R1, SOCK, SOCK_NUM),
		     LOAD(BPF_H, R2, FP, SLOT(event.tcp)), BE(R2, 16), JEQ(R1, R2, HAVE_SOCKET),
		     LOAD(BPF_H, R2, FP, SLOT(event.tcp) + 2), BE(R2, 16), JEQ(R1, R2, HAVE_SOCKET));
}

/*
 * Raw and packet sockets queue copies of TCP packets; freeing a copy drops no
 * packet. A copy has come in from an interface, or was made on the way out
 * (PACKET_OUTGOING, which only copies are); what such a socket sends has not.
 */
static void
skip_copies(struct builder *b)
{
	EMIT(b, "if (skb is the copy of a raw or packet socket) return", LABEL(COPY_HOLDER));
	if (known(b, SKB_IIF))
		EMIT(b, NULL, LOAD(BPF_W, R1, SKB, SKB_IIF), JNEI(R1, 0, COPY));
	EMIT(b, NULL, LABEL(NO_SOCKET));
	if (known(b, SKB_PKT_TYPE))
		EMIT(b, NULL, LOAD(BPF_B, R1, SKB, SKB_PKT_TYPE), ANDI(R1, 7),
		     JEQI(R1, PACKET_OUTGOING, COPY));
	EMIT(b, NULL, MOVI(R9, 0), GOTO(COUNT));
}

static void
find_socket(struct builder *b)
{
	bpf_asm_title(b->a, "skb->dev and skb->sk");
	EMIT_VALUES(b, READ(SLOT(links), 16, R7, link_start(b), DONE));
	socket_given(b);
	socket_from_buffer(b);
	socket_from_registers(b);
	skip_copies(b);
	EMIT(b, "the socket's state", LABEL(HAVE_SOCKET),
	     LOAD(BPF_B, R1, SOCK, SOCK_STATE), STORE(BPF_B, FP, SLOT(event.state), R1),
	     SET_KNOWN(EVENT_HAS_SOCKET));
}

static void
count_match(struct builder *b)
{
	enum { MISSING = LOCAL };

	scope(b);
	EMIT(b, "matched++", LABEL(COUNT),
	     STOREI(BPF_W, FP, SLOT(word), 0),
	     LOAD_MAP(R1, MAP_COUNTERS), MOV(R2, FP), ADDI(R2, SLOT(word)),
	     CALL(BPF_FUNC_map_lookup_elem), JEQI(R0, 0, MISSING),
	     MOVI(R1, 1), ATOMIC_ADD(R0, offsetof(struct program_counters, matched), R1),
	     LABEL(MISSING));
}

/* struct tcp_sock begins with struct sock; a listener's numbers mean nothing. */
static void
read_numbers(struct builder *b)
{
	static const enum offset numbers[] = {
		TCP_RCV_NXT, TCP_SND_UNA, TCP_SND_NXT, TCP_SRTT_US, TCP_TOTAL_RETRANS,
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!known(b, numbers[i]))
			return;
	EMIT(b, "the numbers of a full socket", LOAD(BPF_B, R1, FP, SLOT(event.state)),
	     JEQI(R1, TIME_WAIT, NO_NUMBERS), JEQI(R1, NEW_SYN_RECV, NO_NUMBERS),
	     JEQI(R1, LISTEN, NO_NUMBERS),
	     READ(SLOT(event.rcv_nxt), 4, R9, FIELD + TCP_RCV_NXT, NO_NUMBERS),
	     READ(SLOT(event.snd_una), 4, R9, FIELD + TCP_SND_UNA, NO_NUMBERS),
	     READ(SLOT(event.snd_nxt), 4, R9, FIELD + TCP_SND_NXT, NO_NUMBERS),
	     READ(SLOT(event.srtt_us), 4, R9, FIELD + TCP_SRTT_US, NO_NUMBERS),
	     READ(SLOT(event.total_retrans), 4, R9, FIELD + TCP_TOTAL_RETRANS, NO_NUMBERS),
	     SET_KNOWN(EVENT_HAS_NUMBERS));
	if (known(b, TCP_RCV_WND))
		EMIT(b, NULL, READ(SLOT(event.rcv_wnd), 4, R9, FIELD + TCP_RCV_WND, NO_NUMBERS),
		     SET_KNOWN(EVENT_HAS_RCV_WND));
	EMIT(b, NULL, LABEL(NO_NUMBERS));
}

static void
read_netns(struct builder *b)
{
	if (!known(b, SOCK_NET) || !known(b, NET_INUM))
		return;
	EMIT(b, "netns = sk->sk_net->ns.inum", LOAD(BPF_DW, R3, SOCK, SOCK_NET),
	     UNLESS_POINTER(R3, NO_NETNS),
	     READ(SLOT(event.netns), 4, R3, FIELD + NET_INUM, NO_NETNS),
	     SET_KNOWN(EVENT_HAS_NETNS),
	     LABEL(NO_NETNS));
}

/* The receive path clears skb->dev, and its place is an rb-tree link in a socket's queue. */
static void
read_interface(struct builder *b)
{
	enum { DEVICE = LOCAL };

	scope(b);
	if (known(b, SKB_IIF))
		EMIT(b, "ifindex = skb->skb_iif",
		     LOAD(BPF_W, R1, SKB, SKB_IIF),
		     STORE(BPF_W, FP, SLOT(event.ifindex), R1),
		     JEQI(R1, 0, DEVICE),
		     LOAD(BPF_DW, R1, LINKS, SKB_SK), JNEI(R1, 0, HAVE_INTERFACE));
	EMIT(b, NULL, LABEL(DEVICE));
	if (known(b, DEV_IFINDEX))
		EMIT(b, "if (skb->dev) ifindex = skb->dev->ifindex",
		     LOAD(BPF_DW, R3, LINKS, SKB_DEV), UNLESS_POINTER(R3, HAVE_INTERFACE),
		     READ(SLOT(event.ifindex), 4, R3, FIELD + DEV_IFINDEX, -1));
	EMIT(b, NULL, LABEL(HAVE_INTERFACE));
}

static void
read_place(struct builder *b)
{
	const struct probe *probe = b->p->probe;

	EMIT(b, "length = skb->data + skb->len - network header",
	     LOAD(BPF_DW, R1, SKB, SKB_DATA), LOAD(BPF_W, R2, SKB, SKB_LEN),
	     ADD(R1, R2), LOAD(BPF_DW, R2, FP, SLOT(network)), SUB(R1, R2),
	     STORE(BPF_W, FP, SLOT(event.length), R1));
	EMIT_VALUES(b, STOREI(BPF_B, FP, SLOT(event.probe), b->p->index));
	if (given(b, probe->reason)) {
		bpf_asm_title(b->a, "reason");
		load_reason(b, R1);
		EMIT(b, NULL, STORE(BPF_W, FP, SLOT(event.reason), R1), SET_KNOWN(EVENT_HAS_REASON));
	}
	bpf_asm_title(b->a, "location");
	if (probe->location) {
		load_argument(b, R3, probe->location);
		EMIT(b, NULL, STORE(BPF_DW, FP, SLOT(event.location), R3));
	} else if (probe->kind == PROBE_SITES) {
		EMIT_VALUES(b, LOAD(BPF_DW, R3, R6, arch.instruction_pointer),
		            STORE(BPF_DW, FP, SLOT(event.location), R3));
	} else {
		EMIT_VALUES(b, LOAD(BPF_DW, R3, R6, arch.stack_pointer));
		EMIT(b, NULL, READ(SLOT(event.location), 8, R3, 0, -1));
	}
	EMIT(b, "comm", MOV(R1, FP), ADDI(R1, SLOT(event.comm)), MOVI(R2, EVENT_COMM),
	     CALL(BPF_FUNC_get_current_comm));
}

/*
 * Into the same ring either way; only when the reader sleeps without a time-out
 * does the event wake it, and the first that has reached it disarms the bell.
 */
static void
send_event(struct builder *b)
{
	EMIT(b, "if (the reader sleeps) wake it with this event",
	     STOREI(BPF_W, FP, SLOT(word), 0),
	     LOAD_MAP(R1, MAP_ARMED), MOV(R2, FP), ADDI(R2, SLOT(word)),
	     CALL(BPF_FUNC_map_lookup_elem), JEQI(R0, 0, QUIET),
	     MOV(R9, R0), LOAD(BPF_W, R1, R9, 0), JEQI(R1, 0, QUIET));
	EMIT(b, NULL, OUTPUT(MAP_BELLS), JNEI(R0, 0, DONE), STOREI(BPF_W, R9, 0, 0), GOTO(DONE));
	EMIT(b, "else leave it in the ring", LABEL(QUIET), OUTPUT(MAP_RINGS));
}

static int
window_fits(const struct builder *b)
{
	static const enum offset fields[] = {
		SKB_PROTOCOL, SKB_TRANSPORT, SKB_NETWORK, SKB_TAIL, SKB_HEAD, SKB_DATA,
		SKB_PKT_TYPE, SKB_IIF,
	};
	int end = b->at[SKB_USERS] + 4;

	if (end - b->base > WINDOW || b->base >= end)
		return -ERANGE;
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (known(b, fields[i]) && (b->at[fields[i]] < b->base || b->at[fields[i]] + 4 > end))
			return -ERANGE;
	return b->at[SKB_HEAD] % 8 || b->at[SKB_DATA] % 8 || b->at[SKB_TAIL] % 4
	       || b->at[SKB_LEN] % 4 || b->at[SKB_USERS] % 4 || b->at[SKB_PROTOCOL] % 2
	       ? -ERANGE : 0;
}

static int
check_offsets(const struct builder *b)
{
	int dev = b->at[SKB_DEV], sk = b->at[SKB_SK];

	if (offsets_missing(b->p->offsets) != OFFSETS || dev % 8 || sk % 8
	    || (dev - sk != 8 && sk - dev != 8))
		return -ERANGE;
	for (unsigned id = SOCK_DADDR; id <= SOCK_V6_RCV_SADDR; id++)
		if (known(b, id) && b->at[id] > SOCK_BYTES - 16)
			return -ERANGE;
	return window_fits(b);
}

int
program_build(struct bpf_asm *a, const struct program *p)
{
	struct builder b = { .a = a, .p = p, .at = p->offsets->at };

	b.base = b.at[SKB_LEN] / 8 * 8;
	if (check_offsets(&b))
		return -ERANGE;
	bpf_asm_start(a, LABELS);
	find_buffer(&b);
	find_network_header(&b);
	read_ipv4(&b);
	read_ipv6(&b);
	read_tcp(&b);
	filter_pid(&b);
	filter_ports(&b);
	skip_reported(&b);
	find_socket(&b);
	read_numbers(&b);
	read_netns(&b);
	count_match(&b);
	mark_reported(&b);
	read_interface(&b);
	read_place(&b);
	send_event(&b);
	EMIT(&b, NULL, GOTO(DONE), LABEL(COPY));
	mark_reported(&b);
	EMIT(&b, "return 0", LABEL(DONE), MOVI(R0, 0), EXIT);
	return bpf_asm_link(a);
}
