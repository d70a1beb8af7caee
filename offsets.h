/* SPDX-License-Identifier: MIT */
/*
 * Where the fields we read are in the structures of the running kernel. All
 * knowledge of the kernel's memory comes in through struct offsets; only
 * offsets.c knows by which method.
 */
#ifndef OFFSETS_H
#define OFFSETS_H

#include <linux/bpf.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_asm;

/* One list: the name is the kernel's own, and what --offsets and --check use. */
#define OFFSETS_LIST(X) \
	X(SKB_DEV,           "skb.dev") \
	X(SKB_SK,            "skb.sk") \
	X(SKB_LEN,           "skb.len") \
	X(SKB_PKT_TYPE,      "skb.pkt_type") \
	X(SKB_IIF,           "skb.skb_iif") \
	X(SKB_PROTOCOL,      "skb.protocol") \
	X(SKB_TRANSPORT,     "skb.transport_header") \
	X(SKB_NETWORK,       "skb.network_header") \
	X(SKB_TAIL,          "skb.tail") \
	X(SKB_HEAD,          "skb.head") \
	X(SKB_DATA,          "skb.data") \
	X(SKB_USERS,         "skb.users") \
	X(DEV_IFINDEX,       "net_device.ifindex") \
	X(SOCK_DADDR,        "sock.skc_daddr") \
	X(SOCK_RCV_SADDR,    "sock.skc_rcv_saddr") \
	X(SOCK_DPORT,        "sock.skc_dport") \
	X(SOCK_NUM,          "sock.skc_num") \
	X(SOCK_FAMILY,       "sock.skc_family") \
	X(SOCK_STATE,        "sock.skc_state") \
	X(SOCK_NET,          "sock.skc_net") \
	X(SOCK_V6_DADDR,     "sock.skc_v6_daddr") \
	X(SOCK_V6_RCV_SADDR, "sock.skc_v6_rcv_saddr") \
	X(SOCK_TYPE,         "sock.sk_type") \
	X(TCP_RCV_NXT,       "tcp_sock.rcv_nxt") \
	X(TCP_RCV_WND,       "tcp_sock.rcv_wnd") \
	X(TCP_SND_UNA,       "tcp_sock.snd_una") \
	X(TCP_SND_NXT,       "tcp_sock.snd_nxt") \
	X(TCP_SRTT_US,       "tcp_sock.srtt_us") \
	X(TCP_TOTAL_RETRANS, "tcp_sock.total_retrans") \
	X(NET_INUM,          "net.ns.inum") \
	X(DEV_NET,           "net_device.nd_net")

enum offset {
#define X(id, name) id,
	OFFSETS_LIST(X)
#undef X
	OFFSETS
};

enum { OFFSET_NONE = 0xffff };

enum offset_source {
	OFFSET_UNKNOWN, /* at is OFFSET_NONE */
	OFFSET_TABLE,   /* our table, not confirmed by the kernel */
	OFFSET_KERNEL,  /* the verifier's readback */
	OFFSET_USER,    /* --offsets */
};

struct offsets {
	uint32_t version;            /* LINUX_VERSION_CODE the table was asked for */
	uint32_t row;                /* the version of the row that was taken */
	bool     exact;              /* the row is of that very kernel line */
	bool     asked;              /* the kernel has answered */
	bool     measured;           /* a packet of our own has told */
	uint16_t at[OFFSETS];        /* bytes from the start of the structure */
	uint16_t table[OFFSETS];     /* what the table said, to be compared */
	uint8_t  source[OFFSETS];    /* enum offset_source */
};

/* The field's name, as in OFFSETS_LIST. */
const char *offsets_name(enum offset);

/* Fills in the row for a version (LINUX_VERSION_CODE); the nearest lower one if there is none. */
void offsets_table(struct offsets *, uint32_t version);

/*
 * Writes the program whose translated instructions tell the offsets, a
 * SCHED_CLS one that is never run. Without sockets it loads from Linux 4.13 on,
 * with them from 5.1 on.
 */
void offsets_question(struct bpf_asm *, bool sockets);

/*
 * Takes what the verifier made of that program (xlated_prog_insns). Where it
 * differs from the table, the kernel's word wins; tcp_sock.rcv_wnd, of which the
 * kernel does not speak, becomes unknown unless its neighbours confirm the table.
 * Returns how many fields the kernel told, or -EBADMSG when the instructions are
 * not an answer.
 */
int offsets_answer(struct offsets *, const struct bpf_insn *, unsigned count);

/*
 * Writes the SCHED_CLS program that finds net.ns.inum and net_device.nd_net: run
 * once with BPF_PROG_TEST_RUN (5.8 on), it returns an answer. inode is the number
 * of our own network namespace.
 */
void offsets_netns_question(struct bpf_asm *, const struct offsets *, uint32_t inode);

/*
 * The part of it that searches, for other programs: from the buffer in r3, which
 * has a socket and a device of our own network namespace, to the answer in r6.
 * Fills OFFSETS_SEARCH bytes below the frame pointer, through helper, the one that
 * reads memory.
 */
enum { OFFSETS_SEARCH = 128 };
void offsets_netns_search(struct bpf_asm *, const struct offsets *, int32_t helper, uint32_t inode);

/*
 * Takes the answer: the place of the inode in struct net, and in the upper 16 bits
 * that of the pointer to it in struct net_device; 0: not found.
 */
void offsets_netns_answer(struct offsets *, uint32_t answer);

/* Sets what the kernel has told in another way; OFFSET_NONE: that it is not known. */
void offsets_told(struct offsets *, enum offset, int at);

/* Applies "name=number,...". 0, or -EINVAL with what was wrong in err. */
int offsets_override(struct offsets *, const char *list, char *err, size_t size);

/* The first field without which no drop can be told, and is not known; OFFSETS if none. */
enum offset offsets_missing(const struct offsets *);

#endif
