/* SPDX-License-Identifier: MIT */
/*
 * The socket a packet was for. In order: what the probe is given, skb->sk, the
 * caller's registers, the caller's stack frame; a socket that nobody names must
 * match the packet's addresses and ports. No match is no socket.
 */
#include <linux/if_packet.h>

#include "arch.h"
#include "builder.h"
#include "find_socket.h"
#include "notes.h"
#include "probe.h"
#include "program.h"

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

	builder_scope(b);
	EMIT(b, NULL,
	     LOAD(BPF_H, R1, SOCK, SOCK_FAMILY),
	     JEQI(R1, INET, IS_INET), JEQI(R1, INET6, IS_INET), JEQI(R1, PACKET, OTHER),
	     GOTO(FROM_REGISTERS),
	     LABEL(IS_INET),
	     LOAD(BPF_B, R1, SOCK, SOCK_STATE),
	     JEQI(R1, TIME_WAIT, HAVE_SOCKET), JEQI(R1, NEW_SYN_RECV, HAVE_SOCKET));
	if (!builder_knows(b, SOCK_TYPE))
		return;
	EMIT(b, NULL, READ(SLOT(word), 2, R9, FIELD + SOCK_TYPE, FROM_REGISTERS));
	EMIT(b, NULL, LOAD(BPF_H, R1, FP, SLOT(word)),
	     JEQI(R1, STREAM, HAVE_SOCKET), JEQI(R1, RAW, OTHER), GOTO(FROM_REGISTERS));
}

/* The probe's own argument. Given to a raw or packet socket, it is a copy. */
static void
socket_given(struct builder *b)
{
	if (!builder_given(b, b->p->probe->sk))
		return;
	bpf_asm_title(b->a, "r9 = the socket the kernel passes along");
	builder_argument(b, R9, b->p->probe->sk);
	read_sock(b, FROM_BUFFER);
	b->other = COPY;
	check_tcp_socket(b);
	if (!builder_knows(b, SOCK_TYPE))
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

/*
 * Where a socket was found. What lies in a stack frame may be left over from an
 * earlier call, such as that of the raw sockets' receive path: it can match the
 * packet, but says nothing otherwise.
 */
enum where { IN_REGISTER, IN_FRAME };

/* A full raw socket of IPPROTO_TCP, whose number is its protocol: the packet may be its copy. */
static void
note_raw_socket(struct builder *b)
{
	if (builder_knows(b, SOCK_TYPE))
		EMIT(b, NULL, READ(SLOT(word), 2, R9, FIELD + SOCK_TYPE, OTHER),
		     LOAD(BPF_H, R1, FP, SLOT(word)), JNEI(R1, RAW, OTHER));
	EMIT(b, NULL, STORE(BPF_DW, FP, SLOT(raw), R7), GOTO(OTHER));
}

/*
 * A packet socket is at hand: the packet is its copy. Such a socket has no
 * addresses, is in CLOSE, and of one of three types; a family alone may be any
 * number, such as an address of 17.0.0.0/16 in an IP header.
 */
static void
note_packet_socket(struct builder *b)
{
	enum { DGRAM = 2, PACKET_TYPE = 10 }; /* <linux/net.h> of the kernel */

	EMIT(b, NULL, JNEI(R1, PACKET, OTHER),
	     LOAD(BPF_B, R1, SOCK, SOCK_STATE), JNEI(R1, CLOSE, OTHER),
	     LOAD(BPF_W, R1, SOCK, SOCK_DADDR), JNEI(R1, 0, OTHER),
	     LOAD(BPF_W, R1, SOCK, SOCK_RCV_SADDR), JNEI(R1, 0, OTHER));
	if (builder_knows(b, SOCK_NET))
		EMIT(b, NULL, LOAD(BPF_DW, R1, SOCK, SOCK_NET), UNLESS_POINTER(R1, OTHER));
	if (builder_knows(b, SOCK_TYPE))
		EMIT(b, NULL, READ(SLOT(word), 2, R9, FIELD + SOCK_TYPE, OTHER),
		     LOAD(BPF_H, R1, FP, SLOT(word)), JEQI(R1, RAW, COPY),
		     JEQI(R1, DGRAM, COPY), JEQI(R1, PACKET_TYPE, COPY), GOTO(OTHER));
	else
		EMIT(b, NULL, GOTO(COPY));
}

/*
 * Does sock match the packet as its receiver? Its port, the peer's port and
 * both addresses; a listener has no peer, and a socket that has just been closed
 * no port. IPv6 sockets keep the addresses of mapped IPv4 peers in the IPv4
 * fields too.
 */
static void
match_sock(struct builder *b, enum where where)
{
	enum { IS_INET = LOCAL, PORT, CLOSED, PEER, IS_IPV6, ACCEPTS };

	builder_scope(b);
	EMIT(b, NULL,
	     LOAD(BPF_H, R1, SOCK, SOCK_FAMILY),
	     JEQI(R1, INET, IS_INET), JEQI(R1, INET6, IS_INET));
	if (where == IN_REGISTER)
		note_packet_socket(b);
	else
		EMIT(b, NULL, GOTO(OTHER));
	EMIT(b, NULL,
	     LABEL(IS_INET),
	     LOAD(BPF_H, R1, FP, SLOT(event.tcp) + 2), BE(R1, 16),
	     LOAD(BPF_H, R2, SOCK, SOCK_NUM),
	     JEQ(R1, R2, PORT), JEQI(R2, 0, CLOSED), JNEI(R2, PROTO_TCP, OTHER));
	if (where == IN_REGISTER)
		note_raw_socket(b);
	else
		EMIT(b, NULL, GOTO(OTHER));
	EMIT(b, NULL,
	     LABEL(PORT), LOAD(BPF_B, R1, SOCK, SOCK_STATE), JNEI(R1, LISTEN, PEER),
	     LOAD(BPF_B, R1, FP, SLOT(event.family)), JNEI(R1, 6, ACCEPTS),
	     LOAD(BPF_H, R1, SOCK, SOCK_FAMILY), JNEI(R1, INET6, OTHER),
	     LABEL(ACCEPTS), ADD(R9, R7), STORE(BPF_DW, FP, SLOT(listener), R9), GOTO(OTHER),
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
	if (builder_knows(b, SOCK_V6_DADDR) && builder_knows(b, SOCK_V6_RCV_SADDR)) {
		compare_ipv6(b, SLOT(event.ip) + 8, builder_in_sock(b, SOCK_V6_DADDR));
		compare_ipv6(b, SLOT(event.ip) + 24, builder_in_sock(b, SOCK_V6_RCV_SADDR));
		EMIT(b, NULL, GOTO(HAVE_SOCKET));
	}
}

/*
 * r9 may be a socket: goto HAVE_SOCKET if it is the packet's. Registers are left
 * alike on every way, or the verifier goes on with each of them apart.
 */
static void
try_socket(struct builder *b, enum where where)
{
	read_sock(b, OTHER);
	match_sock(b, where);
	EMIT(b, NULL, LABEL(OTHER), MOVI(R0, 0), MOVI(R1, 0), MOVI(R2, 0), MOVI(R9, 0));
}

/*
 * What the dropping function no longer needs may have left the registers; its
 * caller's registers, which it has saved, are still in its stack frame.
 */
static void
socket_from_stack(struct builder *b)
{
	if (builder_given(b, b->p->probe->sk))
		return;
	for (int i = 0; i < STACK_WORDS; i++) {
		if (i % SAVED == 0) {
			if (!i)
				bpf_asm_title(b->a, "r9 = the same in the caller's frame");
			EMIT_VALUES(b, LOAD(BPF_DW, R9, R6, arch.stack_pointer));
			EMIT_VALUES(b, READ(SLOT(saved), 8 * SAVED, R9, 8 * (i + 1), NO_MATCH));
		}
		b->other = bpf_asm_label(b->a);
		EMIT_VALUES(b, LOAD(BPF_DW, R9, FP, SLOT(saved) + i % SAVED * 8));
		try_socket(b, IN_FRAME);
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
	if (builder_is_tracepoint(b)) {
		EMIT(b, NULL, GOTO(NO_SOCKET));
		return;
	}
	EMIT(b, "r9 = a socket of this packet in the caller's registers",
	     STORE(BPF_DW, FP, SLOT(listener), R7), UNKNOWN_ZERO(R1),
	     STORE(BPF_DW, FP, SLOT(raw), R1),
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp_bytes)), JEQI(R1, 0, NO_SOCKET));
	for (unsigned i = 0; i < arch.saved_count; i++) {
		b->other = bpf_asm_label(b->a);
		EMIT_VALUES(b, LOAD(BPF_DW, R9, R6, arch.saved[i]));
		try_socket(b, IN_REGISTER);
	}
	EMIT(b, "if (a raw socket is at hand) return", LOAD(BPF_DW, R1, FP, SLOT(raw)),
	     JNEI(R1, 0, COPY));
	socket_from_stack(b);
	EMIT(b, NULL, LABEL(NO_MATCH));
	if (b->p->probe->notes[0] && b->p->maps.notes >= 0) {
		b->other = bpf_asm_label(b->a);
		notes_read(b);
		try_socket(b, IN_REGISTER);
	}
	EMIT(b, "else a listener of its port",
	     LOAD(BPF_DW, R9, FP, SLOT(listener)), SUB(R9, R7));
	read_sock(b, NO_LISTENER);
	EMIT(b, NULL, GOTO(HAVE_SOCKET), LABEL(NO_LISTENER), GOTO(NO_SOCKET));
}

/*
 * skb->sk: the sender, or the owner of the queue the packet waits in. Where the
 * type of a socket cannot be read, one of the packet's ports must be its own;
 * with its protocol for a number instead it is a raw one.
 */
static void
socket_from_buffer(struct builder *b)
{
	EMIT(b, "r9 = skb->sk", LABEL(FROM_BUFFER), LOAD(BPF_DW, R9, LINKS, SKB_SK));
	read_sock(b, FROM_REGISTERS);
	b->other = COPY_HOLDER;
	check_tcp_socket(b);
	if (!builder_knows(b, SOCK_TYPE))
		EMIT(b, NULL,
		     LOAD(BPF_H, R1, SOCK, SOCK_NUM),
		     LOAD(BPF_H, R2, FP, SLOT(event.tcp)), BE(R2, 16), JEQ(R1, R2, HAVE_SOCKET),
		     LOAD(BPF_H, R2, FP, SLOT(event.tcp) + 2), BE(R2, 16),
		     JEQ(R1, R2, HAVE_SOCKET), JEQI(R1, PROTO_TCP, OTHER));
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
	if (builder_knows(b, SKB_IIF))
		EMIT(b, NULL, LOAD(BPF_W, R1, SKB, SKB_IIF), JNEI(R1, 0, COPY));
	EMIT(b, NULL, LABEL(NO_SOCKET));
	if (builder_knows(b, SKB_PKT_TYPE))
		EMIT(b, NULL, LOAD(BPF_B, R1, SKB, SKB_PKT_TYPE), ANDI(R1, 7),
		     JEQI(R1, PACKET_OUTGOING, COPY));
	EMIT(b, NULL, MOVI(R9, 0), GOTO(SOCKETLESS));
}

/* if (this end of the packet is not the socket's peer) goto OTHER; event.known |= bit */
static void
note_peer(struct builder *b, int port, int ipv4, int ipv6, int bit)
{
	enum { IS_IPV6 = LOCAL, SAME };

	builder_scope(b);
	b->other = bpf_asm_label(b->a);
	EMIT_VALUES(b, LOAD(BPF_H, R1, FP, port), LOAD(BPF_H, R2, SOCK, SOCK_DPORT),
	            JNE(R1, R2, OTHER),
	            LOAD(BPF_B, R1, FP, SLOT(event.family)), JEQI(R1, 6, IS_IPV6),
	            LOAD(BPF_W, R1, FP, ipv4), LOAD(BPF_W, R2, SOCK, SOCK_DADDR),
	            JNE(R1, R2, OTHER), GOTO(SAME),
	            LABEL(IS_IPV6));
	if (builder_knows(b, SOCK_V6_DADDR))
		compare_ipv6(b, ipv6, builder_in_sock(b, SOCK_V6_DADDR));
	else
		EMIT(b, NULL, GOTO(OTHER));
	EMIT_VALUES(b, LABEL(SAME), SET_KNOWN(bit));
}

/*
 * Which way did the packet go? Not told for a listener, which has no peer, nor
 * where the peer's address in the packet has been translated.
 */
static void
note_direction(struct builder *b)
{
	bpf_asm_title(b->a, "is it from the socket's peer, or to it?");
	note_peer(b, SLOT(event.tcp), SLOT(event.ip) + 12, SLOT(event.ip) + 8, EVENT_RECEIVED);
	EMIT(b, NULL, GOTO(PEER_KNOWN), LABEL(OTHER));
	note_peer(b, SLOT(event.tcp) + 2, SLOT(event.ip) + 16, SLOT(event.ip) + 24, EVENT_SENT);
	EMIT(b, NULL, LABEL(OTHER), LABEL(PEER_KNOWN));
}

/*
 * The noted socket has counted a drop: it is this packet's if it is its receiver.
 * Else the count came from somewhere else, and this packet is not dropped.
 */
static void
socket_that_counted(struct builder *b)
{
	EMIT(b, "r9 = the socket that has counted a drop",
	     STORE(BPF_DW, FP, SLOT(listener), R7), LOAD(BPF_DW, R9, FP, SLOT(noted)));
	b->other = bpf_asm_label(b->a);
	try_socket(b, IN_FRAME);
	EMIT(b, NULL, LOAD(BPF_DW, R9, FP, SLOT(listener)), SUB(R9, R7));
	read_sock(b, DONE);
}

void
find_socket(struct builder *b)
{
	bpf_asm_title(b->a, "skb->dev and skb->sk");
	EMIT_VALUES(b, READ(SLOT(links), 16, R7, builder_links(b), DONE));
	if (b->p->probe->kind == PROBE_GROWN) {
		socket_that_counted(b);
	} else {
		socket_given(b);
		socket_from_buffer(b);
		socket_from_registers(b);
		skip_copies(b);
	}
	EMIT(b, "the socket's state", LABEL(HAVE_SOCKET),
	     LOAD(BPF_B, R1, SOCK, SOCK_STATE), STORE(BPF_B, FP, SLOT(event.state), R1),
	     SET_KNOWN(EVENT_HAS_SOCKET));
	note_direction(b);
}

