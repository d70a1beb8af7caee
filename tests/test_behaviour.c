/* SPDX-License-Identifier: MIT */
/*
 * What the BPF program does with a packet: each program is built for a kernel
 * of the table and run by bpf_run.c on a made-up sk_buff, its headers and
 * sockets. The rows say what is there and what must come out; every row is
 * run with every probe of every kernel to which it applies.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/version.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"
#include "world.h"

/* ---- kernels and probes ---- */

static const struct kernel kernels[] = {
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "tcp_drop", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "inlined", 7, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "tracepoint", 3, BPF_FUNC_probe_read, false },
	{ "5.4",  KERNEL_VERSION(5, 4, 273), "tracepoint", 2, BPF_FUNC_probe_read, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "kfree_skb", 0, BPF_FUNC_probe_read_kernel, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "tcp_drop", 0, BPF_FUNC_probe_read_kernel, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "inlined", 8, BPF_FUNC_probe_read_kernel, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "tracepoint", 2, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "tracepoint", 3, BPF_FUNC_probe_read_kernel, false },
	{ "6.6",  KERNEL_VERSION(6, 6, 87), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, true },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
	{ "6.18", KERNEL_VERSION(6, 18, 15), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
	{ "7.3",  KERNEL_VERSION(7, 3, 4), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	{ "7.3",  KERNEL_VERSION(7, 3, 4), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
};

/* One line of TAP for a row on a kernel. */
static void
tell(const char *wrong, const char *name, const struct kernel *k)
{
	if (!CHECK(!wrong, "%s: %s %s", name, k->name, k->probe))
		printf("# %s\n", wrong);
}

/* ---- headers ---- */

static const struct packet_row {
	const char   *name;
	struct packet packet;
	bool          shown;
	uint8_t       bytes; /* of the TCP header */
} packet_rows[] = {
	{ "IPv4", { 0 }, true, 20 },
	{ "IPv4 with options", { .ihl = 15 }, true, 20 },
	{ "IPv4, header length 4", { .ihl = 4 }, false, 0 },
	{ "IPv4, header length 1", { .ihl = 1 }, false, 0 },
	{ "IPv4, data at the IP header", { .data = -0 }, true, 20 },
	{ "IPv4, data at the Ethernet header", { .data = -14 }, true, 20 },
	{ "IPv4, data behind the TCP header", { .data = 40 }, true, 20 },
	{ "IPv4, first fragment", { .fragment = 0x2000 }, true, 20 },
	{ "IPv4, do not fragment", { .fragment = 0x4000 }, true, 20 },
	{ "IPv4, later fragment", { .fragment = 0x2001 }, false, 0 },
	{ "IPv4, last fragment", { .fragment = 0x0100 }, false, 0 },
	{ "IPv4, fragment far away", { .fragment = 0x1fff }, false, 0 },
	{ "IPv4 UDP", { .proto = IPPROTO_UDP }, false, 0 },
	{ "IPv4 ICMP", { .proto = IPPROTO_ICMP }, false, 0 },
	{ "IPv4 in IPv4", { .proto = IPPROTO_IPIP }, false, 0 },
	{ "IPv4 SCTP", { .proto = IPPROTO_SCTP }, false, 0 },
	{ "IPv4, headers in pages", { .linear = -1 }, false, 0 },
	{ "IPv6", { .version = 6 }, true, 20 },
	{ "IPv6 hop-by-hop", { .version = 6, .ext = "h" }, true, 20 },
	{ "IPv6 long hop-by-hop", { .version = 6, .ext = "H" }, true, 20 },
	{ "IPv6 routing", { .version = 6, .ext = "r" }, true, 20 },
	{ "IPv6 first fragment", { .version = 6, .ext = "f" }, true, 20 },
	{ "IPv6 atomic fragment", { .version = 6, .ext = "A" }, true, 20 },
	{ "IPv6 later fragment", { .version = 6, .ext = "F" }, false, 0 },
	{ "IPv6 AH of 24", { .version = 6, .ext = "t" }, true, 20 },
	{ "IPv6 AH of 16", { .version = 6, .ext = "T" }, true, 20 },
	{ "IPv6 destination options", { .version = 6, .ext = "D" }, true, 20 },
	{ "IPv6 six headers", { .version = 6, .ext = "hdrftd" }, true, 20 },
	{ "IPv6 seven headers", { .version = 6, .ext = "hdrftdd" }, false, 0 },
	{ "IPv6 six headers, then UDP", { .version = 6, .ext = "hdrftd", .proto = 17 }, false, 0 },
	{ "IPv6 later fragment behind options", { .version = 6, .ext = "hF" }, false, 0 },
	{ "IPv6 mobility", { .version = 6, .ext = "m" }, false, 0 },
	{ "IPv6 UDP", { .version = 6, .proto = IPPROTO_UDP }, false, 0 },
	{ "IPv6 ICMPv6", { .version = 6, .proto = IPPROTO_ICMPV6 }, false, 0 },
	{ "IPv6 ESP", { .version = 6, .proto = IPPROTO_ESP }, false, 0 },
	{ "IPv6 no next header", { .version = 6, .ext = "h", .proto = 59 }, false, 0 },
	{ "IPv6, headers in pages", { .version = 6, .linear = -1 }, false, 0 },
	{ "IPv6, data at the Ethernet header", { .version = 6, .data = -14 }, true, 20 },
	{ "version 5", { .header = 5 }, false, 0 },
	{ "version 0", { .header = 15 }, false, 0 },
	{ "skb->protocol IPv6, header IPv4", { .skb_proto = ETH_P_IPV6 }, false, 0 },
	{ "skb->protocol IPv4, header IPv6", { .version = 6, .skb_proto = ETH_P_IP }, false, 0 },
	{ "skb->protocol 0, transport right", { .skb_proto = -1 }, true, 20 },
	{ "skb->protocol 0, transport right, IPv6", { .version = 6, .skb_proto = -1 }, true, 20 },
	{ "skb->protocol 0, transport off", { .skb_proto = -1, .transport = 4 }, false, 0 },
	{ "skb->protocol 0, transport off by 256", { .skb_proto = -1, .transport = 256 }, false, 0 },
	{ "skb->protocol 0, no transport", { .skb_proto = -1, .transport = NO_TRANSPORT }, false, 0 },
	{ "skb->protocol ARP, transport off", { .skb_proto = ETH_P_ARP, .transport = 4 }, false, 0 },
	{ "skb->protocol right, no transport", { .transport = NO_TRANSPORT }, true, 20 },
	{ "skb->protocol right, transport off", { .transport = -20 }, true, 20 },
	{ "collapsed: network_header 0, data like a packet",
	  { .at_head = true, .skb_proto = -1, .transport = NO_TRANSPORT }, false, 0 },
	{ "collapsed, data like IPv6",
	  { .version = 6, .at_head = true, .skb_proto = -1, .transport = NO_TRANSPORT }, false, 0 },
	{ "network_header 0 of a real packet", { .at_head = true }, true, 20 },
};

static void
test_packets(const struct kernel *k)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(packet_rows); i++) {
		const struct packet_row *row = &packet_rows[i];
		const char *wrong;

		world_make(&w, k, &row->packet);
		wrong = world_expect(&w, row->shown);
		if (!wrong && row->shown && world_event(&w).tcp_bytes != row->bytes)
			wrong = "tcp_bytes is wrong";
		if (!wrong && row->shown && world_event(&w).known & EVENT_HAS_SOCKET)
			wrong = "a socket from nowhere";
		tell(wrong, row->name, k);
	}
}

/*
 * Every length of the linear part: what lies behind skb->tail is not the
 * packet's, whether it can be read or not.
 */
static const struct {
	const char   *name;
	struct packet packet;
	unsigned      ip; /* bytes without which it is not known to be TCP */
} cut_rows[] = {
	{ "IPv4 cut", { 0 }, 20 },
	{ "IPv4 with options cut", { .ihl = 7 }, 20 },
	{ "IPv6 cut", { .version = 6 }, 40 },
	{ "IPv6 with a header cut", { .version = 6, .ext = "h" }, 48 },
	{ "IPv6 with a long header cut", { .version = 6, .ext = "H" }, 48 },
	{ "IPv6 with three headers cut", { .version = 6, .ext = "hft" }, 64 },
};

static const char *
cut(const struct kernel *k, const struct packet *packet, unsigned ip, int linear, bool readable)
{
	static struct world w;
	struct packet p = *packet;
	const char *wrong;
	int rest, bytes;

	p.linear = linear ? linear : -1;
	world_make(&w, k, &p);
	if (!readable)
		w.run.region[1].size = w.network + (unsigned)linear;
	wrong = world_expect(&w, linear >= (int)ip);
	rest = linear - (int)w.tcp;
	bytes = rest < 4 ? 0 : rest < 20 ? 4 : 20;
	if (!wrong && w.run.events && world_event(&w).tcp_bytes != bytes)
		wrong = "tcp_bytes is wrong";
	return wrong;
}

static void
test_cuts(const struct kernel *k)
{
	for (size_t i = 0; i < COUNT(cut_rows); i++) {
		for (int readable = 0; readable <= 1; readable++) {
			const char *wrong = NULL;
			int linear = -1;

			while (!wrong && linear++ < 110)
				wrong = cut(k, &cut_rows[i].packet, cut_rows[i].ip, linear,
				            readable);
			if (wrong)
				printf("# with %d bytes, the rest %sreadable\n", linear,
				       readable ? "" : "not ");
			tell(wrong, cut_rows[i].name, k);
		}
	}
}

/*
 * With the packet's bytes behind the event: those before skb->tail are the
 * packet's, however many they are, and all else of the event is as it was.
 */
static const char *
bytes_of(const struct kernel *k, const struct packet *packet, int linear, bool readable)
{
	static struct world w, plain;
	struct packet p = *packet;
	struct event e, without;
	const uint8_t *sent = w.run.event[0].data + sizeof(e);
	const char *wrong;
	unsigned n = (unsigned)linear < EVENT_PACKET ? (unsigned)linear : EVENT_PACKET;

	p.linear = linear;
	world_make(&plain, k, &p);
	wrong = world_expect(&plain, true);
	world_make(&w, k, &p);
	w.program.packet = true;
	if (!readable)
		w.run.region[1].size = w.network + 130;
	if (!wrong)
		wrong = world_expect(&w, true);
	if (wrong)
		return wrong;
	e = world_event(&w);
	without = world_event(&plain);
	DEMAND(e.linear == (readable ? (uint32_t)linear : 0));
	DEMAND(!readable || !memcmp(sent, w.head + w.network, n));
	e.linear = 0;
	DEMAND(!memcmp(&e, &without, sizeof(e)));
	return NULL;
}

static void
test_bytes(const struct kernel *k)
{
	for (size_t i = 0; i < COUNT(cut_rows); i++) {
		const char *wrong = NULL;

		for (int linear = (int)cut_rows[i].ip; !wrong && linear <= 120; linear++)
			wrong = bytes_of(k, &cut_rows[i].packet, linear, true);
		if (!wrong)
			wrong = bytes_of(k, &cut_rows[i].packet, 100, false);
		if (!CHECK(!wrong, "bytes: %s: %s %s", cut_rows[i].name, k->name, k->probe))
			printf("# %s\n", wrong);
	}
}

/* ---- sockets ---- */

enum { ANY, V4, V6 };

static const struct socket_row {
	const char *name;
	int         family;
	enum who    argument;
	enum who    reg[6];
	enum who    frame[26];  /* words of the stack; 0 is the return address */
	bool        short_stack;
	enum who    owner;      /* skb->sk */
	int         pkt_type;
	bool        sent;       /* skb_iif 0 */
	bool        hidden;     /* no drop of a TCP packet */
	uint8_t     state;      /* of the socket that must be found; 0: none */
	bool        types;      /* only where the type of a socket can be read */
} socket_rows[] = {
	/* the probe's own argument */
	{ "given the receiver", ANY, .argument = RECEIVER, .state = 1 },
	{ "given the listener", ANY, .argument = LISTENER, .state = 10 },
	{ "given a TIME_WAIT", ANY, .argument = TIMEWAIT, .state = 6 },
	{ "given a request", ANY, .argument = REQUEST, .state = 12 },
	{ "given a closed socket", ANY, .argument = CLOSED, .state = 7 },
	{ "given a mapped socket", V4, .argument = MAPPED, .state = 1 },
	{ "given nothing", ANY, .argument = NOBODY, .state = 0 },
	{ "given garbage", ANY, .argument = GARBAGE, .state = 0 },
	{ "given a user address", ANY, .argument = USER_POINTER, .state = 0 },
	{ "given nothing, skb->sk the receiver", ANY, .argument = NOBODY, .owner = RECEIVER, .state = 1 },
	{ "given garbage, skb->sk the receiver", ANY, .argument = GARBAGE, .owner = RECEIVER, .state = 1 },
	{ "given one, skb->sk another", ANY, .argument = LISTENER, .owner = RECEIVER, .state = 10 },
	{ "given one, a register another", ANY, .argument = LISTENER, .reg = { RECEIVER }, .state = 10 },
	{ "given a packet socket", ANY, .argument = PACKET_SOCKET, .hidden = true },
	{ "given a raw socket", ANY, .argument = RAW, .hidden = true, .types = true },

	/* the caller's registers */
	{ "rbx the receiver", ANY, .reg = { RECEIVER }, .state = 1 },
	{ "rbp the receiver", ANY, .reg = { [1] = RECEIVER }, .state = 1 },
	{ "r12 the receiver", ANY, .reg = { [2] = RECEIVER }, .state = 1 },
	{ "r13 the receiver", ANY, .reg = { [3] = RECEIVER }, .state = 1 },
	{ "r14 the receiver", ANY, .reg = { [4] = RECEIVER }, .state = 1 },
	{ "r15 the receiver", ANY, .reg = { [5] = RECEIVER }, .state = 1 },
	{ "a listener", ANY, .reg = { [2] = LISTENER }, .state = 10 },
	{ "a listener on this address", ANY, .reg = { [2] = HERE_LISTENER }, .state = 10 },
	{ "a TIME_WAIT", ANY, .reg = { [1] = TIMEWAIT }, .state = 6 },
	{ "a request", ANY, .reg = { [1] = REQUEST }, .state = 12 },
	{ "a mapped socket", V4, .reg = { MAPPED }, .state = 1 },
	{ "a listener for both families", V4, .reg = { MAPPED_LISTENER }, .state = 10 },
	{ "the listener first, then the receiver", ANY, .reg = { LISTENER, RECEIVER }, .state = 1 },
	{ "the receiver first, then the listener", ANY, .reg = { RECEIVER, LISTENER }, .state = 1 },
	{ "the listener, then garbage", ANY, .reg = { LISTENER, GARBAGE, GARBAGE, [5] = NULLS }, .state = 10 },
	{ "garbage, then the receiver", ANY,
	  .reg = { GARBAGE, USER_POINTER, SMALL_NUMBER, NULLS, ODD_POINTER, RECEIVER }, .state = 1 },
	{ "nothing but garbage", ANY,
	  .reg = { GARBAGE, USER_POINTER, SMALL_NUMBER, NULLS, ODD_POINTER, GARBAGE }, .state = 0 },
	{ "other local port", ANY, .reg = { OTHER_PORT }, .state = 0 },
	{ "other peer's port", ANY, .reg = { OTHER_PEER_PORT }, .state = 0 },
	{ "other peer", ANY, .reg = { OTHER_PEER }, .state = 0 },
	{ "other local address", ANY, .reg = { OTHER_LOCAL }, .state = 0 },
	{ "a unix socket", ANY, .reg = { UNIX }, .state = 0 },
	{ "a listener on another port", ANY, .reg = { OTHER_LISTENER }, .state = 0 },
	{ "an IPv4 listener, packet IPv6", V6, .reg = { FOREIGN_LISTENER }, .state = 0 },
	{ "wrong ones, then the receiver", ANY,
	  .reg = { OTHER_PORT, OTHER_PEER, OTHER_LOCAL, OTHER_LISTENER, UNIX, RECEIVER }, .state = 1 },
	{ "wrong ones, skb->sk the sender", ANY, .reg = { OTHER_PORT, OTHER_PEER }, .owner = SENDER,
	  .sent = true, .state = 1 },
	{ "skb->sk before a listener in a register", ANY, .reg = { LISTENER }, .owner = RECEIVER,
	  .state = 1 },
	{ "closed a moment ago: it has no port", ANY, .reg = { [1] = UNHASHED }, .state = 7 },
	{ "closed a moment ago, other peer's port", ANY, .reg = { [1] = OTHER_UNHASHED }, .state = 0 },
	{ "no port, but not closed", ANY, .reg = { [1] = UNHASHED_LIVE }, .state = 0 },
	{ "a raw socket: its copy", ANY, .reg = { [2] = RAW }, .hidden = true },
	{ "a packet socket: its copy", ANY, .reg = { [2] = PACKET_SOCKET }, .hidden = true },
	{ "a packet socket, the receiver in the frame", ANY, .reg = { PACKET_SOCKET },
	  .frame = { [5] = RECEIVER }, .hidden = true },
	{ "a packet socket, then the receiver", ANY, .reg = { PACKET_SOCKET, RECEIVER }, .hidden = true },

	/* the caller's stack frame */
	{ "frame: first word", ANY, .frame = { [1] = RECEIVER }, .state = 1 },
	{ "frame: eighth word", ANY, .frame = { [8] = RECEIVER }, .state = 1 },
	{ "frame: ninth word", ANY, .frame = { [9] = RECEIVER }, .state = 1 },
	{ "frame: last word looked at", ANY, .frame = { [24] = RECEIVER }, .state = 1 },
	{ "frame: too far", ANY, .frame = { [25] = RECEIVER }, .state = 0 },
	{ "frame: a listener", ANY, .frame = { [5] = LISTENER }, .state = 10 },
	{ "frame: garbage, then the receiver", ANY,
	  .frame = { 0, GARBAGE, USER_POINTER, SMALL_NUMBER, NULLS, OTHER_PORT, RECEIVER }, .state = 1 },
	{ "frame: the receiver, a listener in a register", ANY, .reg = { LISTENER },
	  .frame = { [5] = RECEIVER }, .state = 1 },
	{ "frame: another's, a listener in a register", ANY, .reg = { LISTENER },
	  .frame = { [5] = OTHER_PEER }, .state = 10 },
	{ "frame: unreadable, a listener in a register", ANY, .reg = { LISTENER }, .short_stack = true,
	  .state = 10 },

	/* skb->sk */
	{ "skb->sk the receiver", ANY, .owner = RECEIVER, .state = 1 },
	{ "skb->sk the sender", ANY, .owner = SENDER, .sent = true, .state = 1 },
	{ "skb->sk a request", ANY, .owner = REQUEST, .state = 12 },
	{ "skb->sk a TIME_WAIT", ANY, .owner = TIMEWAIT, .state = 6 },
	{ "skb->sk a number, to 5.15", ANY, .owner = SMALL_NUMBER, .state = 0 },
	{ "skb->sk garbage", ANY, .owner = GARBAGE, .state = 0 },
	{ "skb->sk a user address", ANY, .owner = USER_POINTER, .state = 0 },

	/* copies, and senders that are not TCP */
	{ "copy in a packet socket", ANY, .owner = PACKET_SOCKET, .hidden = true },
	{ "copy for a packet socket on the way out", ANY, .owner = PACKET_SOCKET, .sent = true,
	  .pkt_type = PACKET_OUTGOING, .hidden = true, .types = true },
	{ "copy on the way out, no owner yet", ANY, .sent = true, .pkt_type = PACKET_OUTGOING,
	  .hidden = true, .types = true },
	{ "copy in a raw socket", ANY, .owner = RAW, .hidden = true, .types = true },
	{ "copy in a raw socket, came to all", ANY, .owner = RAW, .pkt_type = PACKET_MULTICAST,
	  .hidden = true, .types = true },
	{ "sent by a raw socket", ANY, .owner = RAW, .sent = true, .state = 0, .types = true },
	{ "sent by a packet socket", ANY, .owner = PACKET_SOCKET, .sent = true, .state = 0 },
	{ "sent by the kernel's control socket", ANY, .owner = CONTROL, .sent = true, .state = 0,
	  .types = true },
	{ "skb->sk a UDP socket, came in", ANY, .owner = UDP, .state = 0, .types = true },
	{ "brought in by a TUN device", ANY, .owner = TUN, .state = 0 },
	{ "given a TUN device's socket", ANY, .argument = TUN, .state = 0 },
	{ "for another host", ANY, .pkt_type = PACKET_OTHERHOST, .state = 0 },
};

static bool
applies(const struct socket_row *row, struct world *w)
{
	bool given = world_has_argument(w, w->probe->sk), registers = false;

	for (unsigned i = 0; i < 6; i++)
		registers |= row->reg[i] != NOBODY;
	/* where the kernel names the socket its caller's frame is left alone */
	for (unsigned i = 1; i < COUNT(row->frame); i++)
		if (row->frame[i] != NOBODY && (given || !world_is_kprobe(w)))
			return false;
	if (row->types && w->o.at[SOCK_TYPE] == OFFSET_NONE)
		return false;
	return (row->argument == NOBODY || given) && (!registers || world_is_kprobe(w));
}

static const char *
check_numbers(struct world *w, uint8_t state)
{
	struct event e = world_event(w);
	const uint32_t got[] = {
		[TCP_RCV_NXT] = e.rcv_nxt, [TCP_RCV_WND] = e.rcv_wnd, [TCP_SND_UNA] = e.snd_una,
		[TCP_SND_NXT] = e.snd_nxt, [TCP_SRTT_US] = e.srtt_us,
		[TCP_TOTAL_RETRANS] = e.total_retrans,
	};
	bool full = state && state != 6 && state != 10 && state != 12;
	bool known = w->o.at[TCP_RCV_NXT] != OFFSET_NONE && full;

	DEMAND(!!(e.known & EVENT_HAS_NUMBERS) == known);
	DEMAND(!!(e.known & EVENT_HAS_RCV_WND) == known);
	for (unsigned id = TCP_RCV_NXT; known && id <= TCP_TOTAL_RETRANS; id++)
		if (got[id] != world_numbers[id])
			return offsets_name((enum offset)id);
	return NULL;
}

/* The way a packet went: from the socket's peer, to it, or neither is known. */
static const char *
check_direction(const struct world *w, uint8_t want)
{
	uint8_t got = world_event(w).known & (EVENT_RECEIVED | EVENT_SENT);

	return got == want ? NULL : got & EVENT_RECEIVED ? "is called received"
	     : got ? "is called sent" : "its direction is not known";
}

static const char *
check_socket(struct world *w, uint8_t state)
{
	struct event e = world_event(w);
	bool netns = state && w->o.at[NET_INUM] != OFFSET_NONE;

	if (!state && e.known & EVENT_HAS_SOCKET)
		return "a socket is claimed";
	if (state && !(e.known & EVENT_HAS_SOCKET))
		return "no socket is found";
	DEMAND(e.state == state);
	DEMAND(!!(e.known & EVENT_HAS_NETNS) == netns);
	DEMAND(!netns || e.netns == INUM);
	return check_numbers(w, state);
}

static void
set_stack_size(struct world *w, size_t size)
{
	for (unsigned i = 0; i < w->run.regions; i++)
		if (w->run.region[i].at == AT_STACK)
			w->run.region[i].size = size;
}

static void
test_socket(const struct kernel *k, const struct socket_row *row, uint8_t version)
{
	static struct world w;
	struct packet packet = { .version = version };
	const char *wrong;

	world_make(&w, k, &packet);
	if (!applies(row, &w))
		return;
	world_set_argument(&w, w.probe->sk, world_sock(&w, row->argument));
	for (unsigned i = 0; i < 6; i++)
		world_set_register(&w, i, world_sock(&w, row->reg[i]));
	for (unsigned i = 1; i < COUNT(row->frame); i++)
		w.frame[i] = world_sock(&w, row->frame[i]);
	if (row->short_stack)
		set_stack_size(&w, 8);
	world_put_skb(&w, SKB_SK, world_sock(&w, row->owner), 8);
	world_put_skb(&w, SKB_IIF, row->sent ? 0 : IIF, 4);
	world_put_skb(&w, SKB_PKT_TYPE, 0xf8 | (unsigned)row->pkt_type, 1);
	wrong = world_expect(&w, !row->hidden);
	if (!wrong && !row->hidden)
		wrong = check_socket(&w, row->state);
	if (!wrong && !row->hidden)
		wrong = check_direction(&w, !row->state || row->state == 10 ? 0
		                            : row->sent ? EVENT_SENT : EVENT_RECEIVED);
	if (!CHECK(!wrong, "IPv%d, %s: %s %s", version, row->name, k->name, k->probe))
		printf("# %s\n", wrong);
}

static void
test_sockets(const struct kernel *k)
{
	for (size_t i = 0; i < COUNT(socket_rows); i++) {
		if (socket_rows[i].family != V6)
			test_socket(k, &socket_rows[i], 4);
		if (socket_rows[i].family != V4)
			test_socket(k, &socket_rows[i], 6);
	}
}

/* A socket in skb->sk, with the ports at its ends, and the way the packet then went. */
static const struct {
	const char *name;
	enum who    owner;
	uint16_t    source, target; /* of the packet; 0: as ever */
	uint16_t    own, peer;      /* of the socket; 0: as ever */
	int         linear;
	uint8_t     want;
} direction_rows[] = {
	{ "from the peer", RECEIVER, 0, 0, 0, 0, 0, EVENT_RECEIVED },
	{ "to the peer", SENDER, 0, 0, 0, 0, 0, EVENT_SENT },
	{ "from the peer, same ports", RECEIVER, 646, 646, 646, 646, 0, EVENT_RECEIVED },
	{ "to the peer, same ports", SENDER, 646, 646, 646, 646, 0, EVENT_SENT },
	{ "from the peer, a closed socket", UNHASHED, 0, 0, 0, 0, 0, EVENT_RECEIVED },
	{ "from the peer, ports only", RECEIVER, 0, 0, 0, 0, 24, EVENT_RECEIVED },
	{ "the peer's port is another", OTHER_PEER_PORT, 0, 0, 0, 0, 0, 0 },
	{ "to another port at the peer", SENDER, 0, 8080, 0, 0, 0, 0 },
	{ "the peer's address is another", OTHER_PEER, 0, 0, 0, 0, 0, 0 },
	{ "the peer's address is another, same ports", OTHER_PEER, 646, 646, 646, 646, 0, 0 },
	{ "own address translated", OTHER_LOCAL, 0, 0, 0, 0, 0, EVENT_RECEIVED },
	{ "a listener", LISTENER, 0, 0, 0, 0, 0, 0 },
};

static void
test_direction(const struct kernel *k, uint8_t version)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(direction_rows); i++) {
		struct packet packet = { .version = version };
		const uint16_t port[] = { direction_rows[i].source, direction_rows[i].target };
		const char *wrong;

		if (direction_rows[i].linear)
			packet.linear = direction_rows[i].linear + (version == 6 ? 20 : 0);
		world_make(&w, k, &packet);
		if (direction_rows[i].owner == UNHASHED && w.o.at[SOCK_TYPE] == OFFSET_NONE)
			continue; /* nothing tells that it is the packet's */
		world_put_skb(&w, SKB_SK, world_sock(&w, direction_rows[i].owner), 8);
		for (unsigned end = 0; end < 2; end++)
			if (port[end])
				world_put(w.head, (uint16_t)(w.network + w.tcp + 2 * end),
				          htons(port[end]), 2);
		if (direction_rows[i].own)
			world_put(w.sock[0], w.o.at[SOCK_NUM], direction_rows[i].own, 2);
		if (direction_rows[i].peer)
			world_put(w.sock[0], w.o.at[SOCK_DPORT], htons(direction_rows[i].peer), 2);
		wrong = world_expect(&w, true);
		if (!wrong)
			wrong = check_direction(&w, direction_rows[i].want);
		tell(wrong, direction_rows[i].name, k);
	}
}

/* Without the packet's ports no register can be matched. */
static void
test_no_ports(const struct kernel *k)
{
	static struct world w;
	struct packet packet = { .linear = 20 };
	const char *wrong;

	world_make(&w, k, &packet);
	if (!world_is_kprobe(&w))
		return;
	world_set_register(&w, 0, world_sock(&w, RECEIVER));
	world_set_register(&w, 1, world_sock(&w, LISTENER));
	wrong = world_expect(&w, true);
	tell(wrong ? wrong : check_socket(&w, 0), "no ports, no match in registers", k);
}

/* Parts of a socket that fault must leave the rest of the event. */
static void
test_broken_socket(const struct kernel *k)
{
	static struct world w;
	const char *wrong;

	world_make(&w, k, NULL);
	world_put_skb(&w, SKB_SK, world_sock(&w, RECEIVER), 8);
	world_put(w.sock[0], w.o.at[SOCK_NET], AT_NOTHING, 8);
	wrong = world_expect(&w, true);
	if (!wrong && world_event(&w).known & EVENT_HAS_NETNS)
		wrong = "a namespace from nowhere";
	tell(wrong, "unreadable namespace", k);

	world_make(&w, k, NULL);
	world_put_skb(&w, SKB_SK, world_sock(&w, RECEIVER), 8);
	w.run.region[w.run.regions - 1].size = 1024;
	wrong = world_expect(&w, true);
	if (!wrong && world_event(&w).known & (EVENT_HAS_NUMBERS | EVENT_HAS_RCV_WND))
		wrong = "numbers from nowhere";
	if (!wrong && world_event(&w).state != 1)
		wrong = "the state is lost";
	tell(wrong, "unreadable numbers", k);
}

/* ---- filters ---- */

enum pid_case { NO_PID, OUR_PID, OTHER_PID, THREAD, NS_PID, NS_OTHER, NS_UNKNOWN };

static const struct {
	const char *name;
	uint8_t     family;     /* of the filter */
	uint8_t     version;    /* of the packet */
	unsigned    ports;
	uint16_t    port[4];
	int         linear;
	enum pid_case pid;
	bool        shown;
} filter_rows[] = {
	{ "no filter", 0, 4, 0, { 0 }, 0, NO_PID, true },
	{ "-4, IPv4", 4, 4, 0, { 0 }, 0, NO_PID, true },
	{ "-4, IPv6", 4, 6, 0, { 0 }, 0, NO_PID, false },
	{ "-6, IPv4", 6, 4, 0, { 0 }, 0, NO_PID, false },
	{ "-6, IPv6", 6, 6, 0, { 0 }, 0, NO_PID, true },
	{ "-P source", 0, 4, 1, { SOURCE_PORT }, 0, NO_PID, true },
	{ "-P target", 0, 4, 1, { TARGET_PORT }, 0, NO_PID, true },
	{ "-P source, IPv6", 0, 6, 1, { SOURCE_PORT }, 0, NO_PID, true },
	{ "-P other", 0, 4, 1, { 80 }, 0, NO_PID, false },
	{ "-P bytes swapped", 0, 4, 1, { 0xbb01 }, 0, NO_PID, false },
	{ "-P 65535", 0, 4, 1, { 65535 }, 0, NO_PID, false },
	{ "-P list with target last", 0, 4, 4, { 80, 22, 65535, TARGET_PORT }, 0, NO_PID, true },
	{ "-P list without", 0, 6, 4, { 80, 22, 65535, 1 }, 0, NO_PID, false },
	{ "-P source, ports only", 0, 4, 1, { SOURCE_PORT }, 24, NO_PID, true },
	{ "-P 0, header cut", 0, 4, 1, { 0 }, 20, NO_PID, false },
	{ "-P source, header cut", 0, 4, 1, { SOURCE_PORT }, 22, NO_PID, false },
	{ "-6 -P target", 6, 6, 1, { TARGET_PORT }, 0, NO_PID, true },
	{ "-4 -P target, IPv6", 4, 6, 1, { TARGET_PORT }, 0, NO_PID, false },
	{ "-p running", 0, 4, 0, { 0 }, 0, OUR_PID, true },
	{ "-p other", 0, 4, 0, { 0 }, 0, OTHER_PID, false },
	{ "-p thread's number", 0, 4, 0, { 0 }, 0, THREAD, false },
	{ "-p running -P other", 0, 4, 1, { 80 }, 0, OUR_PID, false },
	{ "-p in a namespace", 0, 4, 0, { 0 }, 0, NS_PID, true },
	{ "-p other in a namespace", 0, 4, 0, { 0 }, 0, NS_OTHER, false },
	{ "-p of another namespace", 0, 4, 0, { 0 }, 0, NS_UNKNOWN, false },
};

static void
set_pid(struct world *w, enum pid_case pid)
{
	struct program_filter *f = &w->filter;

	f->has_pid = pid != NO_PID;
	f->pid = pid == OUR_PID ? 4321 : pid == THREAD ? 4399 : pid == NS_PID ? 17 : 4322;
	if (pid < NS_PID)
		return;
	f->pidns_dev = 0x100000004;
	f->pidns_ino = 0xf0000afe;
	w->run.pidns_dev = f->pidns_dev;
	w->run.pidns_ino = pid == NS_UNKNOWN ? 0xf0000aff : f->pidns_ino;
	w->run.pidns_tgid = pid == NS_UNKNOWN ? 4322 : 17;
}

static void
test_filters(const struct kernel *k)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(filter_rows); i++) {
		struct packet packet = {
			.version = filter_rows[i].version, .linear = filter_rows[i].linear,
		};

		world_make(&w, k, &packet);
		w.filter.family = filter_rows[i].family;
		world_filter(&w, NULL, filter_rows[i].port, filter_rows[i].ports);
		set_pid(&w, filter_rows[i].pid);
		tell(world_expect(&w, filter_rows[i].shown), filter_rows[i].name, k);
	}
}

/* ---- the buffer itself ---- */

static void
test_users(const struct kernel *k)
{
	static struct world w;

	static const char *const names[] = { "users 0", "users 1", "users 2", "users 3" };

	for (unsigned users = 0; users <= 3; users++) {
		world_make(&w, k, NULL);
		world_put_skb(&w, SKB_USERS, users, 4);
		/* the tracepoint fires when the last reference is gone, tcp_drop() counts none */
		if (w.probe->shared)
			tell(world_expect(&w, users == 1), names[users], k);
		else if (users)
			tell(world_expect(&w, true), "users do not matter", k);
	}
}

static void
test_consumed(const struct kernel *k)
{
	static struct world w;

	world_make(&w, k, NULL);
	if (!world_is_kprobe(&w) || !w.probe->reason)
		return;
	world_set_argument(&w, w.probe->reason, (uint64_t)0xffffffff << 32 | CONSUMED);
	if (k->consumed) {
		tell(world_expect(&w, false), "SKB_CONSUMED", k);
	} else {
		const char *wrong = world_run(&w);

		if (!wrong && w.run.events != 1)
			wrong = "it is not shown";
		tell(wrong, "number 1 is a drop", k);
	}
}

static void
test_no_buffer(const struct kernel *k)
{
	static struct world w;

	world_make(&w, k, NULL);
	world_set_argument(&w, w.probe->skb, 0);
	tell(world_expect(&w, false), "no buffer", k);
	world_make(&w, k, NULL);
	world_set_argument(&w, w.probe->skb, AT_NOTHING);
	tell(world_expect(&w, false), "unreadable buffer", k);
	world_make(&w, k, NULL);
	world_put_skb(&w, SKB_HEAD, AT_NOTHING, 8);
	tell(world_expect(&w, false), "unreadable head", k);
	world_make(&w, k, NULL);
	world_put_skb(&w, SKB_NETWORK, 0xffff, 2);
	tell(world_expect(&w, false), "network_header not set", k);
}

static const struct {
	const char *name;
	uint64_t    dev;
	uint32_t    iif;
	enum who    owner;
	uint32_t    want;     /* where net_device can be read */
	uint32_t    blind;    /* and where not */
} interface_rows[] = {
	{ "received, dev cleared", 0, IIF, NOBODY, IIF, IIF },
	{ "received, dev still there", AT_DEV, IIF, NOBODY, DEV, IIF },
	{ "sent", AT_DEV, 0, SENDER, DEV, 0 },
	{ "sent, no device yet", 0, 0, SENDER, 0, 0 },
	{ "in a socket's queue: dev is a tree's link", AT_DEV, IIF, RECEIVER, IIF, IIF },
	{ "dev is no pointer", 5, IIF, NOBODY, IIF, IIF },
	{ "dev is unreadable", AT_NOTHING, IIF, NOBODY, IIF, IIF },
};

static void
test_interfaces(const struct kernel *k)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(interface_rows); i++) {
		const char *wrong;
		uint32_t want;

		world_make(&w, k, NULL);
		want = w.o.at[DEV_IFINDEX] == OFFSET_NONE ? interface_rows[i].blind
		                                          : interface_rows[i].want;
		world_put_skb(&w, SKB_DEV, interface_rows[i].dev, 8);
		world_put_skb(&w, SKB_IIF, interface_rows[i].iif, 4);
		world_put_skb(&w, SKB_SK, world_sock(&w, interface_rows[i].owner), 8);
		wrong = world_expect(&w, true);
		if (!wrong && world_event(&w).ifindex != want)
			wrong = "the interface is wrong";
		tell(wrong, interface_rows[i].name, k);
	}
}

/* ---- rings ---- */

static const char *
ring_case(struct world *w, uint32_t armed, int error, int map, uint32_t after)
{
	const char *wrong;

	w->run.armed = armed;
	w->run.output_error = error;
	wrong = world_run(w);
	if (wrong)
		return wrong;
	DEMAND(w->run.armed == after);
	DEMAND(w->run.counters[0] == 1);
	DEMAND(w->run.events == (error ? 0 : 1));
	DEMAND(error || w->run.event[0].map == map);
	return NULL;
}

static void
test_rings(const struct kernel *k)
{
	static struct world w;

	world_make(&w, k, NULL);
	tell(ring_case(&w, 0, 0, RUN_RINGS, 0), "the reader is awake", k);
	world_make(&w, k, NULL);
	tell(ring_case(&w, 1, 0, RUN_BELLS, 0), "the reader sleeps: the bell, once", k);
	world_make(&w, k, NULL);
	tell(ring_case(&w, 1, -ENOSPC, RUN_BELLS, 1), "the ring is full: the bell stays armed", k);
	world_make(&w, k, NULL);
	tell(ring_case(&w, 0, -ENOSPC, RUN_RINGS, 0), "the ring is full: it is counted", k);
}

/* tcp_drop() frees with __kfree_skb(): no tracepoint comes to take a mark away. */
static void
test_tcp_drop(const struct kernel *k)
{
	static struct world w;
	const char *wrong;

	if (strcmp(k->probe, "tcp_drop") != 0 && strcmp(k->probe, "inlined") != 0)
		return;
	world_make(&w, k, NULL);
	wrong = world_expect(&w, true);
	if (!wrong && w.run.marks)
		wrong = "it is marked";
	tell(wrong, "no mark for the tracepoint, which does not fire", k);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(kernels); i++) {
		const struct kernel *k = &kernels[i];

		test_packets(k);
		test_cuts(k);
		test_bytes(k);
		test_sockets(k);
		test_direction(k, 4);
		test_direction(k, 6);
		test_no_ports(k);
		test_broken_socket(k);
		test_filters(k);
		test_users(k);
		test_consumed(k);
		test_no_buffer(k);
		test_interfaces(k);
		test_rings(k);
		test_tcp_drop(k);
	}
	return tap_end();
}
