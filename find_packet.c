/* SPDX-License-Identifier: MIT */
/*
 * From the buffer to the TCP header: is this a TCP packet, and is it freed?
 */
#include <linux/if_ether.h>

#include "builder.h"
#include "find_packet.h"
#include "notes.h"
#include "probe.h"
#include "program.h"

static void
clear(struct builder *b, int slot, int size)
{
	EMIT(b, NULL, UNKNOWN_ZERO(R1));
	for (int i = 0; i < size; i += 8)
		EMIT_VALUES(b, STORE(BPF_DW, FP, slot + i, R1));
}

/* kfree_skb() and its successors only drop the reference when others hold the buffer. */
static void
find_buffer(struct builder *b)
{
	const struct probe *probe = b->p->probe;

	EMIT(b, "r6 = context, r7 = skb", MOV(R6, R1));
	builder_argument(b, R7, probe->skb);
	if (b->p->clears)
		clear(b, -(int)sizeof(struct stack), sizeof(struct stack));
	EMIT(b, NULL, JEQI(R7, 0, DONE));
	if (probe->kind == PROBE_GROWN)
		notes_compare(b);
	if (!builder_is_tracepoint(b) && probe->reason && b->p->has_consumed) {
		bpf_asm_title(b->a, "if (reason == SKB_CONSUMED) return");
		builder_reason(b, R1);
		EMIT_VALUES(b, JEQI(R1, (int)b->p->consumed, DONE));
	}
	EMIT(b, "the fields of skb from len to users", STORE(BPF_DW, FP, SLOT(buffer), R7));
	EMIT_VALUES(b, READ(SLOT(skb), b->at[SKB_USERS] + 4 - b->base, R7, b->base, DONE));
	if (probe->shared)
		EMIT(b, "if (skb->users != 1) return", LOAD(BPF_W, R1, SKB, SKB_USERS),
		     JNEI(R1, 1, DONE));
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

	builder_scope(b);
	EMIT(b, "r8 = skb->head + skb->network_header",
	     LOAD(BPF_H, R1, SKB, SKB_NETWORK),
	     LOAD(BPF_W, R9, SKB, SKB_TAIL),
	     SUB(R9, R1),
	     JSGTI(R9, 19, LINEAR), GOTO(DONE),
	     LABEL(LINEAR),
	     LOAD(BPF_DW, R8, SKB, SKB_HEAD),
	     ADD(R8, R1),
	     STORE(BPF_DW, FP, SLOT(network), R8));
	if (!b->p->clears) {
		bpf_asm_title(b->a, "event = {}");
		clear(b, SLOT(event), sizeof(struct event));
	}
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

	builder_scope(b);
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

	builder_scope(b);
	EMIT(b, "IPv6", LABEL(IPV6));
	if (b->p->filter->family == 4) {
		EMIT(b, NULL, GOTO(DONE));
		return;
	}
	EMIT(b, NULL, JEQI(R1, ETH_P_IP, DONE), JGTI(R9, 39, LINEAR), GOTO(DONE), LABEL(LINEAR),
	     READ(SLOT(event.ip) + 20, 20, R8, 20, DONE),
	     STOREI(BPF_B, FP, SLOT(event.family), 6),
	     LOAD(BPF_B, R4, FP, SLOT(event.ip) + 6), UNKNOWN_ZERO(R9), ADDI(R9, 40));
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

	builder_scope(b);
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

void
find_packet(struct builder *b)
{
	find_buffer(b);
	find_network_header(b);
	read_ipv4(b);
	read_ipv6(b);
	read_tcp(b);
}
