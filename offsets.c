/* SPDX-License-Identifier: MIT */
/*
 * The table by version, and the kernel's own word over it. A program that reads
 * __sk_buff and bpf_sock fields is translated by the verifier into loads from
 * the real structures; each of our reads stands behind a mark, so the loads
 * between two marks are the answer to one question.
 */
#include <linux/bpf.h>

#include <errno.h>
#include <string.h>

#include "bpf_asm.h"
#include "bpf_insns.h"
#include "offsets.h"
#include "text.h"

/* One line of kernels, or several that are alike. NO: not known for it. */
struct row {
	uint16_t first, last; /* major << 8 | minor */
	/* struct sk_buff, include/linux/skbuff.h, as distributions configure it */
	uint16_t dev, len, iif, protocol;
	/* struct tcp_sock, include/linux/tcp.h, in the order of enum offset */
	uint16_t tcp[TCP_TOTAL_RETRANS - TCP_RCV_NXT + 1];
	/* struct sock, struct net, struct net_device */
	uint16_t type, inum, ifindex;
};

#define LINE(major, minor) ((major) << 8 | (minor))
#define NO OFFSET_NONE
#define NO_TCP { NO, NO, NO, NO, NO, NO }

static const struct row rows[] = {
	{ LINE(4, 4),  LINE(4, 4),  32, 128, 160, 192, NO_TCP, NO, 144, NO },
	{ LINE(4, 9),  LINE(4, 9),  32, 128, 160, 192, NO_TCP, NO, 152, NO },
	{ LINE(4, 14), LINE(4, 14), 32, 128, 160, 192, NO_TCP, NO, 136, NO },
	{ LINE(4, 19), LINE(4, 19), 16, 128, 160, 192, NO_TCP, NO, 128, NO },
	{ LINE(5, 4),  LINE(5, 4),  16, 112, 144, 176, NO_TCP, NO, 128, NO },
	{ LINE(5, 10), LINE(5, 10), 16, 112, 144, 176,
	  { 1424, 1808, 1468, 1436, 1632, 2104 }, 538, 144, 256 },
	{ LINE(5, 15), LINE(5, 15), 16, 112, 144, 176, NO_TCP, NO, 128, NO },
	{ LINE(6, 1),  LINE(6, 1),  16, 112, 144, 180,
	  { 1464, 1848, 1508, 1476, 1672, 2144 }, 514, 144, 216 },
	{ LINE(6, 6),  LINE(6, 6),  16, 112, 148, 180, NO_TCP, NO, 136, NO },
	{ LINE(6, 12), LINE(6, 12), 16, 112, 148, 180,
	  { 1712, 1752, 1720, 1716, 1728, 2216 }, 572, 136, 224 },
	{ LINE(6, 16), LINE(6, 17), 16, 112, 148, 180,
	  { 1712, 1752, 1720, 1716, 1728, 2216 }, 572, 168, 224 },
	{ LINE(6, 18), LINE(6, 18), 16, 112, 148, 180,
	  { 1656, 1712, 1664, 1660, 1672, 2192 }, 534, 176, 224 },
	{ LINE(7, 2),  LINE(7, 3),  16, 112, 148, 180,
	  { 1768, 1816, 1776, 1772, 1784, 2304 }, 542, 280, 224 },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const char *
offsets_name(enum offset id)
{
	static const char names[] =
#define X(field, name) name "\0"
		OFFSETS_LIST(X)
#undef X
		;

	return text_nth(names, id);
}

static uint16_t
align8(unsigned n)
{
	return (uint16_t)((n + 7) / 8 * 8);
}

/*
 * In every configuration the three headers follow protocol, tail and end come
 * after them, and head is the next 8-aligned place; users is data + 12, and
 * pkt_type len + 16.
 * struct sock_common, include/net/sock.h, is the same from 4.4 to 7.3 where
 * IPv6 and network namespaces are on.
 */
static void
spread(uint16_t at[OFFSETS], const struct row *row)
{
	static const uint8_t common[] = { 0, 4, 12, 14, 16, 18, 48, 56, 72 };
	uint16_t protocol = row->protocol, head = align8(protocol + 16u);
	const uint16_t skb[] = {
		row->dev, 24, row->len, (uint16_t)(row->len + 16), row->iif, protocol,
		(uint16_t)(protocol + 2),
		(uint16_t)(protocol + 4), (uint16_t)(protocol + 8), head, (uint16_t)(head + 8),
		(uint16_t)(head + 20), row->ifindex,
	};

	_Static_assert(sizeof(skb) / sizeof(skb[0]) == SOCK_DADDR, "in the order of enum offset");
	_Static_assert(sizeof(common) == SOCK_TYPE - SOCK_DADDR, "in the order of enum offset");
	memcpy(at, skb, sizeof(skb));
	for (unsigned i = 0; i < sizeof(common); i++)
		at[SOCK_DADDR + i] = common[i];
	at[SOCK_TYPE] = row->type;
	memcpy(at + TCP_RCV_NXT, row->tcp, sizeof(row->tcp));
	at[NET_INUM] = row->inum;
	at[DEV_NET] = NO; /* it moves with the configuration: what is not measured is not known */
}

static void
set(struct offsets *o, unsigned id, uint16_t at, enum offset_source source)
{
	o->at[id] = at;
	o->source[id] = (uint8_t)(at == OFFSET_NONE ? OFFSET_UNKNOWN : source);
}

void
offsets_table(struct offsets *o, uint32_t version)
{
	const struct row *row = &rows[0];

	for (unsigned i = 1; i < ROWS && rows[i].first <= version >> 8; i++)
		row = &rows[i];
	memset(o, 0, sizeof(*o));
	o->version = version;
	o->exact = version >> 8 >= row->first && version >> 8 <= row->last;
	o->row = o->exact ? version & ~255u : (uint32_t)row->last << 8;
	spread(o->table, row);
	/* what moves from line to line is not to be had from a neighbour */
	for (unsigned id = 0; id < OFFSETS; id++)
		set(o, id, id < TCP_RCV_NXT || o->exact ? o->table[id] : OFFSET_NONE, OFFSET_TABLE);
}

/* One question: read this field of a BPF context, and the loads it turns into. */
enum base { OF_SKB, OF_SOCK, OF_TCP };

struct question {
	enum base base;
	uint8_t   size; /* BPF_W, ... */
	uint16_t  field;
	uint8_t   answers;
	struct {
		uint8_t size;   /* of the load that tells it */
		uint8_t id;     /* enum offset, or one of the two below */
	} answer[2];
};

/* Answers that are not themselves offsets in our list. */
enum { SKB_END = OFFSETS };

static const struct question questions[] = {
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, len), 1, { { BPF_W, SKB_LEN } } },
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, pkt_type), 1, { { BPF_B, SKB_PKT_TYPE } } },
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, protocol), 1, { { BPF_H, SKB_PROTOCOL } } },
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, ingress_ifindex), 1, { { BPF_W, SKB_IIF } } },
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, ifindex), 2,
	  { { BPF_DW, SKB_DEV }, { BPF_W, DEV_IFINDEX } } },
	{ OF_SKB, BPF_W, offsetof(struct __sk_buff, data), 1, { { BPF_DW, SKB_DATA } } },
	/* skb_shinfo(skb) is head + end; gso_segs is here from 5.1 on, as sockets are */
	{ OF_SOCK, BPF_W, offsetof(struct __sk_buff, gso_segs), 2,
	  { { BPF_W, SKB_END }, { BPF_DW, SKB_HEAD } } },
	{ OF_SOCK, BPF_DW, offsetof(struct __sk_buff, sk), 1, { { BPF_DW, SKB_SK } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, family), 1, { { BPF_H, SOCK_FAMILY } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, type), 1, { { BPF_H, SOCK_TYPE } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, src_ip4), 1, { { BPF_W, SOCK_RCV_SADDR } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, src_ip6), 1, { { BPF_W, SOCK_V6_RCV_SADDR } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, src_port), 1, { { BPF_H, SOCK_NUM } } },
	{ OF_SOCK, BPF_H, offsetof(struct bpf_sock, dst_port), 1, { { BPF_H, SOCK_DPORT } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, dst_ip4), 1, { { BPF_W, SOCK_DADDR } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, dst_ip6), 1, { { BPF_W, SOCK_V6_DADDR } } },
	{ OF_SOCK, BPF_W, offsetof(struct bpf_sock, state), 1, { { BPF_B, SOCK_STATE } } },
	{ OF_TCP, BPF_W, offsetof(struct bpf_tcp_sock, rcv_nxt), 1, { { BPF_W, TCP_RCV_NXT } } },
	{ OF_TCP, BPF_W, offsetof(struct bpf_tcp_sock, snd_nxt), 1, { { BPF_W, TCP_SND_NXT } } },
	{ OF_TCP, BPF_W, offsetof(struct bpf_tcp_sock, snd_una), 1, { { BPF_W, TCP_SND_UNA } } },
	{ OF_TCP, BPF_W, offsetof(struct bpf_tcp_sock, srtt_us), 1, { { BPF_W, TCP_SRTT_US } } },
	{ OF_TCP, BPF_W, offsetof(struct bpf_tcp_sock, total_retrans), 1,
	  { { BPF_W, TCP_TOTAL_RETRANS } } },
};

enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

/*
 * The mark before question n: a byte stored at the frame pointer less n + 1. No
 * other instruction looks like it, the verifier keeps it, and it has no constant
 * that net.core.bpf_jit_harden would blind.
 */
#define MARK(number) STORE(BPF_B, FP, -1 - (int)(number), R2)

/* The question that a mark is for; more than QUESTIONS when it is none. */
static unsigned
marked(const struct bpf_insn *i)
{
	return i->code == (BPF_STX | BPF_MEM | BPF_B) && i->dst_reg == FP && i->src_reg == R2
	       ? (unsigned)(-1 - i->off) : QUESTIONS + 1;
}

static void
ask(struct bpf_asm *a, unsigned number, int from)
{
	const struct question *q = &questions[number];

	BPF_ASM(a, NULL, MOVI(R2, 0), MARK(number), LOAD(q->size, R0, from, q->field));
}

static bool
is_socket_pointer(const struct question *q)
{
	return q->size == BPF_DW;
}

/* r6 = __sk_buff, r7 = bpf_sock, r8 = bpf_tcp_sock; r0 is what was read last. */
static void
ask_all(struct bpf_asm *a, bool sockets, int end)
{
	int from = R6;

	for (unsigned i = 0; i < QUESTIONS; i++) {
		const struct question *q = &questions[i];

		if (q->base != OF_SKB && !sockets)
			break;
		if (q->base == OF_TCP && from != R8) {
			BPF_ASM(a, NULL, MOV(R1, R9), CALL(BPF_FUNC_tcp_sock), JEQI(R0, 0, end),
			        MOV(R8, R0));
			from = R8;
		}
		ask(a, i, from);
		if (is_socket_pointer(q)) {
			BPF_ASM(a, NULL, JEQI(R0, 0, end), MOV(R9, R0), MOV(R1, R0),
			        CALL(BPF_FUNC_sk_fullsock), JEQI(R0, 0, end), MOV(R7, R0));
			from = R7;
		}
	}
}

void
offsets_question(struct bpf_asm *a, bool sockets)
{
	enum { END, LABELS };

	bpf_asm_start(a, LABELS);
	BPF_ASM(a, "every field we want to know the place of", MOV(R6, R1));
	ask_all(a, sockets, END);
	BPF_ASM(a, NULL, MOVI(R2, 0), MARK(QUESTIONS), LABEL(END), MOVI(R0, 0), EXIT);
	bpf_asm_link(a);
}

void
offsets_told(struct offsets *o, enum offset id, int at)
{
	set(o, id, (uint16_t)at, OFFSET_KERNEL);
}

/* The loads between two markers, in order, are the answers to one question. */
static int
take_answer(struct offsets *o, const struct question *q, const struct bpf_insn *i,
            const struct bpf_insn *stop, int *end)
{
	int count = 0;

	for (; i < stop && count < q->answers; i++) {
		if (BPF_CLASS(i->code) != BPF_LDX || BPF_SIZE(i->code) != q->answer[count].size)
			continue;
		if (q->answer[count].id == SKB_END)
			*end = i->off;
		else
			offsets_told(o, q->answer[count].id, i->off);
		count++;
	}
	return count;
}

/*
 * What is not asked but follows. The three headers are a group with protocol in
 * every kernel; tail stands 4 bytes before end. Kernels that cannot be asked for
 * end: after the headers, or after the 8 bytes of CONFIG_KCOV (5.11 on).
 */
static void
follow(struct offsets *o, int end)
{
	unsigned protocol = o->at[SKB_PROTOCOL];

	if (o->source[SKB_PROTOCOL] == OFFSET_KERNEL) {
		offsets_told(o, SKB_TRANSPORT, (int)protocol + 2);
		offsets_told(o, SKB_NETWORK, (int)protocol + 4);
	}
	if (o->source[SKB_DATA] == OFFSET_KERNEL) {
		offsets_told(o, SKB_HEAD, o->at[SKB_DATA] - 8);
		offsets_told(o, SKB_USERS, o->at[SKB_DATA] + 12);
	}
	if (end >= 0)
		offsets_told(o, SKB_TAIL, end - 4);
	else if (align8(protocol + 16) == o->at[SKB_HEAD])
		offsets_told(o, SKB_TAIL, (int)protocol + 8);
	else if (align8(align8(protocol + 8) + 16u) == o->at[SKB_HEAD])
		offsets_told(o, SKB_TAIL, align8(protocol + 8) + 8);
}

/*
 * struct tcp_sock's rcv_wnd cannot be asked. It stands between fields that can:
 * it holds when the row is of this very kernel and all of those are where it
 * says, or all as far from there as a longer or shorter struct sock makes them.
 */
static void
confirm_tcp(struct offsets *o)
{
	int shift = o->at[TCP_RCV_NXT] - o->table[TCP_RCV_NXT];
	bool holds = o->exact && o->table[TCP_RCV_WND] != OFFSET_NONE;

	for (unsigned id = TCP_RCV_NXT; id <= TCP_TOTAL_RETRANS; id++)
		holds &= id == TCP_RCV_WND
		         || (o->source[id] == OFFSET_KERNEL && o->at[id] - o->table[id] == shift);
	set(o, TCP_RCV_WND, holds ? (uint16_t)(o->table[TCP_RCV_WND] + shift) : OFFSET_NONE,
	    OFFSET_TABLE);
}

int
offsets_answer(struct offsets *o, const struct bpf_insn *insn, unsigned count)
{
	int total = 0, end = -1;
	const struct bpf_insn *from = NULL;
	unsigned open = QUESTIONS;

	for (unsigned i = 0; i < count; i++) {
		unsigned number = marked(&insn[i]);

		if (number > QUESTIONS)
			continue;
		if (open < QUESTIONS)
			total += take_answer(o, &questions[open], from, insn + i, &end);
		open = number;
		from = insn + i + 1;
	}
	if (!total)
		return -EBADMSG;
	o->asked = true;
	follow(o, end);
	confirm_tcp(o);
	return total;
}

enum {
	NET_SEARCHED = 384,  /* bytes of struct net that are searched: ns.inum is at 128 to 280 */
	DEV_SEARCHED = 1536, /* of struct net_device: nd_net is at 264 to 1280 */
};

/* Copies OFFSETS_SEARCH bytes of *r3, from at on, to the stack. */
static void
fetch(struct bpf_asm *a, int32_t helper, int at, int end)
{
	BPF_ASM(a, NULL, MOV(R1, FP), ADDI(R1, -OFFSETS_SEARCH), MOVI(R2, OFFSETS_SEARCH),
	        ADDI(R3, at), CALL(helper), JNEI(R0, 0, end));
}

/* r6 = the place of r8 in *r7, or 0; size: BPF_W or BPF_DW */
static void
search(struct bpf_asm *a, int32_t helper, uint8_t size, int bytes)
{
	int end = bpf_asm_label(a), none = bpf_asm_label(a);

	for (int at = 0; at < bytes; at += size == BPF_W ? 4 : 8) {
		if (at % OFFSETS_SEARCH == 0) {
			BPF_ASM(a, NULL, MOV(R3, R7));
			fetch(a, helper, at, none);
		}
		BPF_ASM(a, NULL, MOVI(R6, at),
		        LOAD(size, R1, FP, at % OFFSETS_SEARCH - OFFSETS_SEARCH), JEQ(R1, R8, end));
	}
	BPF_ASM(a, NULL, LABEL(none), MOVI(R6, 0), LABEL(end));
}

/*
 * The verifier must not go through the second search with each place of the first
 * apart: that is unknown to it then, and a jump is before it, for to 4.6 it compares
 * what it knows at the targets of jumps only.
 */
void
offsets_netns_search(struct bpf_asm *a, const struct offsets *o, int32_t helper, uint32_t inode)
{
	int end = bpf_asm_label(a), next = bpf_asm_label(a);

	BPF_ASM(a, "r9 = skb->dev, r3 = skb->sk", MOVI(R6, 0));
	fetch(a, helper, 0, end);
	BPF_ASM(a, NULL, LOAD(BPF_DW, R9, FP, o->at[SKB_DEV] - OFFSETS_SEARCH),
	        LOAD(BPF_DW, R3, FP, o->at[SKB_SK] - OFFSETS_SEARCH));
	fetch(a, helper, 0, end);
	BPF_ASM(a, "r6 = the place of our inode in sk->sk_net",
	        LOAD(BPF_DW, R7, FP, o->at[SOCK_NET] - OFFSETS_SEARCH), MOV32I(R8, inode));
	search(a, helper, BPF_W, NET_SEARCHED);
	BPF_ASM(a, "r6 |= the place of sk->sk_net in skb->dev << 16", MOV(R8, R7), SUB(R7, R8),
	        ADD(R6, R7), MOV(R7, R9), MOV(R9, R6), GOTO(next), LABEL(next));
	search(a, helper, BPF_DW, DEV_SEARCHED);
	BPF_ASM(a, NULL, LSHI(R6, 16), OR(R6, R9), LABEL(end));
}

/* BPF_PROG_TEST_RUN gives the frame a socket and lo of our own network namespace (4.18 on). */
void
offsets_netns_question(struct bpf_asm *a, const struct offsets *o, uint32_t inode)
{
	bpf_asm_start(a, 0);
	BPF_ASM(a, NULL, MOV(R3, R1));
	offsets_netns_search(a, o, BPF_FUNC_probe_read_kernel, inode);
	BPF_ASM(a, NULL, MOV(R0, R6), EXIT);
	bpf_asm_link(a);
}

void
offsets_netns_answer(struct offsets *o, uint32_t answer)
{
	unsigned inum = answer & 0xffff, dev = answer >> 16;

	if (inum == 0 || inum >= NET_SEARCHED)
		return;
	offsets_told(o, NET_INUM, (int)inum);
	offsets_told(o, SOCK_NET, o->at[SOCK_NET]);
	if (dev != 0 && dev < DEV_SEARCHED && o->source[DEV_NET] != OFFSET_USER)
		offsets_told(o, DEV_NET, (int)dev);
}

static enum offset
find_name(const char *name, size_t length)
{
	enum offset id = 0;

	for (; id < OFFSETS; id++)
		if (strlen(offsets_name(id)) == length && !memcmp(offsets_name(id), name, length))
			break;
	return id;
}

int
offsets_override(struct offsets *o, const char *list, char *err, size_t size)
{
	while (*list) {
		size_t item = text_until(list, ",");
		size_t name = text_until(list, "=,");
		enum offset id = find_name(list, name);
		const char *p = list + name + 1;
		int64_t at;

		if (id == OFFSETS) {
			text_format(err, size, "no offset is called '%.*s'; --check lists them",
			            (int)name, list);
			return -EINVAL;
		}
		at = name < item ? text_number(&p) : -1;
		if (at < 0 || at > 8191 || p != list + item) {
			text_format(err, size, "'%.*s': expected %s=BYTES, 0 to 8191",
			            (int)item, list, offsets_name(id));
			return -EINVAL;
		}
		set(o, id, (uint16_t)at, OFFSET_USER);
		list += item + (list[item] == ',');
	}
	return 0;
}

enum offset
offsets_missing(const struct offsets *o)
{
	static const enum offset needed[] = {
		SKB_SK, SKB_DEV, SKB_LEN, SKB_PROTOCOL, SKB_TRANSPORT, SKB_NETWORK, SKB_TAIL,
		SKB_HEAD, SKB_DATA, SKB_USERS, SOCK_DADDR, SOCK_RCV_SADDR, SOCK_DPORT, SOCK_NUM,
		SOCK_FAMILY, SOCK_STATE,
	};

	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (o->at[needed[i]] == OFFSET_NONE)
			return needed[i];
	return OFFSETS;
}
