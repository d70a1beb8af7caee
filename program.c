/* SPDX-License-Identifier: MIT */
/*
 * One program for every probe: find the TCP header of the packet that is being
 * freed, decide whether it is wanted, find its socket, send the event.
 *
 * It keeps to what the verifier of 4.9 allows: no loops, helpers write to the
 * stack only, sizes are constants.
 */
#include <errno.h>

#include "arch.h"
#include "builder.h"
#include "filter.h"
#include "filter_program.h"
#include "find_packet.h"
#include "find_socket.h"
#include "notes.h"
#include "probe.h"
#include "program.h"

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

/*
 * The state is known late. What is refused then is dealt with: the tracepoint
 * might find no socket and think otherwise.
 */
static void
filter_expression(struct builder *b, bool late)
{
	const struct filter *f = b->p->filter->expression;

	if (f && f->root && f->has_state == late)
		filter_program(b, f, late ? COPY : DONE);
}

/*
 * The tracepoint fires within a function whose kprobe has dealt with this buffer
 * just before: reported it, or found it to be a copy.
 */
static void
skip_reported(struct builder *b)
{
	if (!builder_is_tracepoint(b) || b->p->maps.marks < 0)
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

static void
count_match(struct builder *b)
{
	enum { MISSING = LOCAL };

	builder_scope(b);
	EMIT(b, "counters[cpu].matched++",
	     CALL(BPF_FUNC_get_smp_processor_id), STORE(BPF_DW, FP, SLOT(cpu), R0),
	     STORE(BPF_W, FP, SLOT(word), R0),
	     LOOK_UP(MAP_COUNTERS), JEQI(R0, 0, MISSING),
	     MOVI(R1, 1), ATOMIC_ADD(R0, offsetof(struct program_counters, matched), R1),
	     LABEL(MISSING));
}

/* if (r1 is in the range of that place in the control, which is r9) goto label */
static void
if_within(struct builder *b, size_t at, int label)
{
	enum { OUTSIDE = LOCAL };

	builder_scope(b);
	EMIT_VALUES(b, LOAD(BPF_DW, R2, R9, at), LOAD(BPF_DW, R3, R9, at + 8),
	            JGT(R2, R1, OUTSIDE), JGT(R3, R1, label), LABEL(OUTSIDE));
}

static void
skip_if_released(struct builder *b, int slot)
{
	EMIT_VALUES(b, LOAD(BPF_DW, R1, FP, slot));
	for (int i = 0; i < 2; i++)
		if_within(b, offsetof(struct program_control, release[i]), COPY);
}

/* A socket's sk_drops grows elsewhere too, after which what its owner has read is freed. */
static void
skip_elsewhere(struct builder *b)
{
	int dropper = bpf_asm_label(b->a);

	EMIT(b, NULL, LOAD(BPF_DW, R1, FP, SLOT(event.location)));
	for (unsigned i = 0; i < 4; i++)
		if_within(b, offsetof(struct program_control, droppers[i]), dropper);
	EMIT_VALUES(b, GOTO(DONE), LABEL(dropper));
}

/*
 * Segments that GRO has joined, or fragments, hang on one buffer's frag_list and
 * are freed one by one with it: they are parts of a packet, dropped or not. That
 * is done by skb_release_data(), which clang inlines into __kfree_skb(). To 6.0 it
 * is through kfree_skb_list(), which is then the caller, and in whose small frame
 * the return address is.
 */
static void
skip_members(struct builder *b)
{
	enum { FRAME = 4 };
	const struct probe *probe = b->p->probe;
	int none = bpf_asm_label(b->a), list = bpf_asm_label(b->a);

	bpf_asm_title(b->a, "if (skb is freed as a part of another) return");
	EMIT(b, NULL, STOREI(BPF_W, FP, SLOT(word), 0), LOOK_UP(MAP_CONTROL));
	EMIT_VALUES(b, JEQI(R0, 0, none), MOV(R9, R0));
	if (probe->kind == PROBE_GROWN)
		skip_elsewhere(b);
	skip_if_released(b, SLOT(event.location));
	if (probe->kind == PROBE_KPROBE && probe->shared && !probe->sk) {
		if_within(b, offsetof(struct program_control, list), list);
		EMIT_VALUES(b, GOTO(none), LABEL(list), LOAD(BPF_DW, R3, R6, arch.stack_pointer),
		            READ(SLOT(saved), 8 * FRAME, R3, 8, none));
		for (int i = 0; i < FRAME; i++)
			skip_if_released(b, SLOT(saved) + 8 * i);
	}
	EMIT_VALUES(b, LABEL(none), MOVI(R9, 0));
}

/*
 * To 4.6 tcp_rcv_state_process() frees with kfree_skb() the SYN that its listener
 * has taken, or refused without a word: that is not told apart, and is no drop.
 * What a listener's sk_drops has grown by may be SYNs that other CPUs refuse.
 */
static void
skip_taken(struct builder *b)
{
	enum { NOT_TAKEN = LOCAL };
	bool grown = b->p->probe->kind == PROBE_GROWN;

	if (!b->p->taker.end && !grown)
		return;
	builder_scope(b);
	EMIT(b, "if (a listener has taken the SYN) return",
	     LOAD(BPF_B, R1, FP, SLOT(event.state)), JNEI(R1, LISTEN, NOT_TAKEN),
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp) + 13), ANDI(R1, FIN | SYN | RST | ACK),
	     JNEI(R1, SYN, NOT_TAKEN));
	if (grown)
		EMIT(b, NULL, GOTO(DONE));
	else
		EMIT_VALUES(b, LOAD(BPF_DW, R1, FP, SLOT(event.location)),
		            LOAD64(R2, b->p->taker.start), LOAD64(R3, b->p->taker.end),
		            JGT(R2, R1, NOT_TAKEN), JGT(R3, R1, DONE));
	EMIT(b, NULL, LABEL(NOT_TAKEN));
}

/* struct tcp_sock begins with struct sock; a listener's numbers mean nothing. */
static void
read_numbers(struct builder *b)
{
	static const enum offset numbers[] = {
		TCP_RCV_NXT, TCP_SND_UNA, TCP_SND_NXT, TCP_SRTT_US, TCP_TOTAL_RETRANS,
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!builder_knows(b, numbers[i]))
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
	if (builder_knows(b, TCP_RCV_WND))
		EMIT(b, NULL, READ(SLOT(event.rcv_wnd), 4, R9, FIELD + TCP_RCV_WND, NO_NUMBERS),
		     SET_KNOWN(EVENT_HAS_RCV_WND));
	EMIT(b, NULL, LABEL(NO_NUMBERS));
}

/*
 * The socket's; of a packet without one that of its device, if it is still at hand,
 * or of what sends it, which is no TCP socket. sk_drops tells of a socket always.
 */
static void
read_netns(struct builder *b)
{
	enum { OWNER = LOCAL, FOUND };
	bool knows = builder_knows(b, SOCK_NET) && builder_knows(b, NET_INUM);
	bool has_device = knows && builder_knows(b, DEV_NET) && b->p->probe->kind != PROBE_GROWN;

	builder_scope(b);
	if (knows)
		EMIT(b, "netns = sk->sk_net->ns.inum", LOAD(BPF_DW, R3, SOCK, SOCK_NET));
	if (has_device)
		EMIT(b, "or skb->dev->nd_net->ns.inum, or skb->sk->sk_net->ns.inum",
		     GOTO(HAVE_NET), LABEL(SOCKETLESS),
		     LOAD(BPF_DW, R3, LINKS, SKB_DEV), UNLESS_POINTER(R3, OWNER),
		     READ(SLOT(word), 8, R3, FIELD + DEV_NET, NO_NETNS), GOTO(FOUND),
		     LABEL(OWNER),
		     LOAD(BPF_DW, R3, LINKS, SKB_SK), UNLESS_POINTER(R3, NO_NETNS),
		     READ(SLOT(word), 8, R3, FIELD + SOCK_NET, NO_NETNS),
		     LABEL(FOUND), LOAD(BPF_DW, R3, FP, SLOT(word)), LABEL(HAVE_NET));
	if (knows)
		EMIT(b, NULL, UNLESS_POINTER(R3, NO_NETNS),
		     READ(SLOT(event.netns), 4, R3, FIELD + NET_INUM, NO_NETNS),
		     SET_KNOWN(EVENT_HAS_NETNS), LABEL(NO_NETNS));
	if (!has_device)
		EMIT(b, NULL, LABEL(SOCKETLESS));
}

/* The receive path clears skb->dev, and its place is an rb-tree link in a socket's queue. */
static void
read_interface(struct builder *b)
{
	enum { DEVICE = LOCAL };

	builder_scope(b);
	if (builder_knows(b, SKB_IIF))
		EMIT(b, "ifindex = skb->skb_iif",
		     LOAD(BPF_W, R1, SKB, SKB_IIF),
		     STORE(BPF_W, FP, SLOT(event.ifindex), R1),
		     JEQI(R1, 0, DEVICE),
		     LOAD(BPF_DW, R1, LINKS, SKB_SK), JNEI(R1, 0, HAVE_INTERFACE));
	EMIT(b, NULL, LABEL(DEVICE));
	if (builder_knows(b, DEV_IFINDEX))
		EMIT(b, "if (skb->dev) ifindex = skb->dev->ifindex",
		     LOAD(BPF_DW, R3, LINKS, SKB_DEV), UNLESS_POINTER(R3, HAVE_INTERFACE),
		     READ(SLOT(word), 4, R3, FIELD + DEV_IFINDEX, HAVE_INTERFACE),
		     LOAD(BPF_W, R1, FP, SLOT(word)), STORE(BPF_W, FP, SLOT(event.ifindex), R1));
	EMIT(b, NULL, LABEL(HAVE_INTERFACE));
}

/*
 * A kprobe may know what the tracepoint behind it does not: what it leaves out here
 * is dealt with. 0 is no namespace's number.
 */
static void
filter_place(struct builder *b)
{
	enum { UNKNOWN = LOCAL };
	const struct program_filter *f = b->p->filter;

	builder_scope(b);
	if (f->netns) {
		EMIT(b, "if (netns is not the wanted one) return",
		     LOAD(BPF_W, R1, FP, SLOT(event.netns)));
		if (!f->netns_sure)
			EMIT(b, NULL, JEQI(R1, 0, UNKNOWN));
		EMIT_VALUES(b, MOV32I(R2, f->netns), JNE(R1, R2, COPY), LABEL(UNKNOWN));
	}
	if (f->ifindex) {
		EMIT(b, "if (ifindex is not the wanted one) return",
		     LOAD(BPF_W, R1, FP, SLOT(event.ifindex)));
		EMIT_VALUES(b, JNEI(R1, (int)f->ifindex, COPY));
	}
}

static void
read_length(struct builder *b)
{
	EMIT(b, "length = skb->data + skb->len - network header",
	     LOAD(BPF_DW, R1, SKB, SKB_DATA), LOAD(BPF_W, R2, SKB, SKB_LEN),
	     ADD(R1, R2), LOAD(BPF_DW, R2, FP, SLOT(network)), SUB(R1, R2),
	     STORE(BPF_W, FP, SLOT(event.length), R1));
}

static void
read_reason(struct builder *b)
{
	if (!builder_given(b, b->p->probe->reason))
		return;
	bpf_asm_title(b->a, "reason");
	builder_reason(b, R1);
	EMIT(b, NULL, STORE(BPF_W, FP, SLOT(event.reason), R1), SET_KNOWN(EVENT_HAS_REASON));
}

static void
read_location(struct builder *b)
{
	const struct probe *probe = b->p->probe;

	bpf_asm_title(b->a, "location");
	if (probe->location) {
		builder_argument(b, R3, probe->location);
		EMIT(b, NULL, STORE(BPF_DW, FP, SLOT(event.location), R3));
	} else if (probe->kind == PROBE_SITES) {
		EMIT_VALUES(b, LOAD(BPF_DW, R3, R6, arch.instruction_pointer),
		            STORE(BPF_DW, FP, SLOT(event.location), R3));
	} else {
		EMIT_VALUES(b, LOAD(BPF_DW, R3, R6, arch.stack_pointer));
		EMIT(b, NULL, READ(SLOT(event.location), 8, R3, 0, -1),
		     STOREI(BPF_B, FP, SLOT(event.at_entry), 1));
	}
}

static void
read_comm(struct builder *b)
{
	EMIT(b, "comm", MOV(R1, FP), ADDI(R1, SLOT(event.comm)), MOVI(R2, EVENT_COMM),
	     CALL(BPF_FUNC_get_current_comm));
}

/*
 * What is behind skb->tail is left out by the reader. It can be read: the network
 * header is at least 20 bytes before skb->end, and struct skb_shared_info follows
 * there, of 304 bytes or more on machines of 64 bits.
 */
static void
read_packet(struct builder *b)
{
	enum { UNREAD = LOCAL };

	_Static_assert(EVENT_PACKET <= 20 + 304, "no byte is outside the buffer");
	if (!b->p->packet)
		return;
	builder_scope(b);
	EMIT(b, "the packet's bytes from the network header on; how many are before skb->tail",
	     LOAD(BPF_W, R9, SKB, SKB_TAIL), LOAD(BPF_DW, R1, SKB, SKB_HEAD), ADD(R9, R1),
	     LOAD(BPF_DW, R3, FP, SLOT(network)), SUB(R9, R3),
	     READ(SLOT(skb), EVENT_PACKET, R3, 0, UNREAD),
	     STORE(BPF_W, FP, SLOT(event.linear), R9), LABEL(UNREAD));
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
	     LOOK_UP(MAP_CONTROL), JEQI(R0, 0, QUIET),
	     MOV(R9, R0), LOAD(BPF_W, R1, R9, 0), JEQI(R1, 0, QUIET));
	EMIT(b, NULL, OUTPUT(MAP_BELLS), JNEI(R0, 0, DONE), STOREI(BPF_W, R9, 0, 0), GOTO(DONE));
	EMIT(b, "else leave it in the ring", LABEL(QUIET), OUTPUT(MAP_RINGS));
}

/* A drop has no comm or numbers in a summary: their place is the key's and a new count's. */
#define KEY(field)   (SLOT(event.comm) + (int)offsetof(struct summary_key, field))
#define VALUE(field) (SLOT(event.rcv_nxt) + (int)offsetof(struct summary_count, field))

_Static_assert(EVENT_COMM >= sizeof(struct summary_key), "program: room for the key");
_Static_assert(offsetof(struct event, comm) - offsetof(struct event, rcv_nxt)
               >= sizeof(struct summary_count), "program: room for the count");

static void
make_key(struct builder *b)
{
	enum { HAVE_PORT = LOCAL, NO_PORT };

	builder_scope(b);
	EMIT(b, "key = location, reason, local port, state, family",
	     LOAD(BPF_DW, R1, FP, SLOT(event.location)), STORE(BPF_DW, FP, KEY(location), R1),
	     LOAD(BPF_B, R1, FP, SLOT(event.state)), STORE(BPF_B, FP, KEY(state), R1),
	     LOAD(BPF_B, R9, FP, SLOT(event.family)));
	if (builder_given(b, b->p->probe->reason))
		EMIT(b, NULL, LOAD(BPF_W, R1, FP, SLOT(event.reason)),
		     STORE(BPF_W, FP, KEY(reason), R1), ORI(R9, SUMMARY_HAS_REASON));
	EMIT(b, NULL,
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp_bytes)), JEQI(R1, 0, NO_PORT),
	     ORI(R9, SUMMARY_HAS_PORT),
	     LOAD(BPF_B, R1, FP, SLOT(event.known)),
	     LOAD(BPF_H, R2, FP, SLOT(event.tcp)), JSETI(R1, EVENT_SENT, HAVE_PORT),
	     LOAD(BPF_H, R2, FP, SLOT(event.tcp) + 2),
	     LABEL(HAVE_PORT), BE(R2, 16), STORE(BPF_H, FP, KEY(port), R2),
	     LABEL(NO_PORT), STORE(BPF_B, FP, KEY(known), R9));
}

#define LOOK_UP_KEY \
	LOAD_MAP(R1, MAP_SUMMARY), MOV(R2, FP), ADDI(R2, KEY(location)), \
	CALL(BPF_FUNC_map_lookup_elem)

/* Another CPU may have made the same row meanwhile; without room, there is none. */
static void
count_drop(struct builder *b)
{
	enum { FOUND = LOCAL };

	make_key(b);
	builder_scope(b);
	EMIT(b, "if (!summary[key]) summary[key] = { 1, now, now }",
	     LOOK_UP_KEY, JNEI(R0, 0, FOUND),
	     STOREI(BPF_DW, FP, VALUE(count), 1), CALL(BPF_FUNC_ktime_get_ns),
	     STORE(BPF_DW, FP, VALUE(first), R0), STORE(BPF_DW, FP, VALUE(last), R0),
	     LOAD_MAP(R1, MAP_SUMMARY), MOV(R2, FP), ADDI(R2, KEY(location)),
	     MOV(R3, FP), ADDI(R3, VALUE(count)), MOVI(R4, BPF_NOEXIST),
	     CALL(BPF_FUNC_map_update_elem), JEQI(R0, 0, DONE));
	EMIT(b, "if (there is still none) counters[cpu].unfit++",
	     LOOK_UP_KEY, JNEI(R0, 0, FOUND),
	     LOAD(BPF_DW, R1, FP, SLOT(cpu)), STORE(BPF_W, FP, SLOT(word), R1),
	     LOOK_UP(MAP_COUNTERS), JEQI(R0, 0, DONE),
	     MOVI(R1, 1), ATOMIC_ADD(R0, offsetof(struct program_counters, unfit), R1),
	     GOTO(DONE));
	EMIT(b, "else summary[key].count++, last = now", LABEL(FOUND), MOV(R9, R0),
	     MOVI(R1, 1), ATOMIC_ADD(R9, offsetof(struct summary_count, count), R1),
	     CALL(BPF_FUNC_ktime_get_ns),
	     STORE(BPF_DW, R9, offsetof(struct summary_count, last), R0));
}

static void
tell_drop(struct builder *b)
{
	read_length(b);
	EMIT_VALUES(b, STOREI(BPF_B, FP, SLOT(event.probe), b->p->index));
	read_comm(b);
	read_packet(b);
	send_event(b);
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
		if (builder_knows(b, fields[i])
		    && (b->at[fields[i]] < b->base || b->at[fields[i]] + 4 > end))
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
	    || b->at[SKB_DATA] != b->at[SKB_HEAD] + 8
	    || (dev - sk != 8 && sk - dev != 8))
		return -ERANGE;
	for (unsigned id = SOCK_DADDR; id <= SOCK_V6_RCV_SADDR; id++)
		if (builder_knows(b, id) && b->at[id] > SOCK_BYTES - 16)
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
	find_packet(&b);
	filter_pid(&b);
	read_reason(&b);
	filter_expression(&b, false);
	skip_reported(&b);
	read_location(&b);
	skip_members(&b);
	find_socket(&b);
	skip_taken(&b);
	if (!p->summary)
		read_numbers(&b);
	if (!p->summary || p->filter->netns || p->filter->ifindex) {
		read_netns(&b);
		read_interface(&b);
		filter_place(&b);
	} else {
		EMIT(&b, NULL, LABEL(SOCKETLESS));
	}
	filter_expression(&b, true);
	count_match(&b);
	mark_reported(&b);
	if (p->summary)
		count_drop(&b);
	else
		tell_drop(&b);
	EMIT(&b, NULL, GOTO(DONE), LABEL(COPY));
	mark_reported(&b);
	EMIT(&b, "return 0", LABEL(DONE), MOVI(R0, 0), EXIT);
	return bpf_asm_link(a);
}

int
program_build_note(struct bpf_asm *a, const struct program *p)
{
	struct builder b = { .a = a, .p = p, .at = p->offsets->at };

	bpf_asm_start(a, LABELS);
	notes_write(&b);
	EMIT(&b, "return 0", LABEL(DONE), MOVI(R0, 0), EXIT);
	return bpf_asm_link(a);
}
