/* SPDX-License-Identifier: MIT */
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf_asm.h"
#include "../filter.h"
#include "world.h"

void
world_put(void *base, uint16_t at, uint64_t value, size_t size)
{
	if (at != OFFSET_NONE)
		memcpy((uint8_t *)base + at, &value, size);
}

void
world_put_skb(struct world *w, enum offset id, uint64_t value, size_t size)
{
	world_put(w->skb, w->o.at[id], value, size);
}

bool
world_is_kprobe(const struct world *w)
{
	return w->probe->kind != PROBE_TRACEPOINT && w->probe->kind != PROBE_EVENT;
}

bool
world_has_argument(const struct world *w, unsigned number)
{
	return number && (world_is_kprobe(w) || number <= w->program.arguments);
}

void
world_set_argument(struct world *w, unsigned number, uint64_t value)
{
	if (!world_has_argument(w, number))
		return;
	if (!world_is_kprobe(w))
		w->args[number - 1] = value;
	else if (w->probe->kind == PROBE_SITES && number == w->probe->skb)
		*(w->kernel->arguments == 8 ? &w->regs.r8 : &w->regs.rdi) = value;
	else if (w->probe->kind == PROBE_SITES)
		w->regs.r9 = value;
	else if (number == 1)
		w->regs.rdi = value;
	else if (number == 2)
		w->regs.rsi = value;
	else
		w->regs.rdx = value;
}

/* Of two with one name, that of the kernel. */
static const struct probe *
find_probe(const struct kernel *k, uint8_t *index)
{
	for (unsigned i = 0; i < PROBES; i++) {
		const struct probe *p = probe_get(i);

		if (!strcmp(p->name, k->probe)
		    && (p->kind != PROBE_EVENT || k->version <= p->last)
		    && (p->kind != PROBE_TRACEPOINT || k->version >= p->first)) {
			*index = (uint8_t)i;
			return p;
		}
	}
	printf("Bail out! no probe %s\n", k->probe);
	exit(1);
}

/* ---- packets ---- */

static unsigned
extension(uint8_t *p, char letter, uint8_t *type)
{
	static const struct { char letter; uint8_t type, units, bytes; } kinds[] = {
		{ 'h', 0, 0, 8 }, { 'r', 43, 0, 8 }, { 'd', 60, 0, 8 }, { 'H', 0, 2, 24 },
		{ 'D', 60, 2, 24 }, { 'f', 44, 0, 8 }, { 'A', 44, 0, 8 }, { 'F', 44, 0, 8 },
		{ 't', 51, 4, 24 }, { 'T', 51, 2, 16 }, { 'm', 135, 0, 8 },
	};
	unsigned i = 0;

	while (kinds[i].letter != letter)
		i++;
	memset(p, 0x5a, kinds[i].bytes);
	p[1] = kinds[i].units;
	if (letter == 'f')
		p[2] = 0, p[3] = 1;     /* offset 0, more to come */
	if (letter == 'A')
		p[2] = p[3] = 0;
	if (letter == 'F')
		p[2] = 0, p[3] = 8 | 1; /* offset 8 bytes */
	*type = kinds[i].type;
	return kinds[i].bytes;
}

static unsigned
make_ipv6(uint8_t *p, const struct packet *k, uint8_t proto)
{
	static const uint8_t source[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };
	static const uint8_t target[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
	uint8_t *next = p + 6;
	unsigned size = 40;

	p[0] = 0x60;
	p[7] = 64;
	memcpy(p + 8, source, 16);
	memcpy(p + 24, target, 16);
	for (const char *e = k->ext ? k->ext : ""; *e; e++) {
		uint8_t *header = p + size, type;

		size += extension(header, *e, &type);
		*next = type;
		next = header;
	}
	*next = proto;
	return size;
}

static unsigned
make_ipv4(uint8_t *p, const struct packet *k, uint8_t proto)
{
	static const uint8_t addresses[8] = { 10, 0, 0, 7, 10, 0, 0, 9 };
	uint8_t ihl = k->ihl ? k->ihl : 5;

	p[0] = 0x40 | ihl;
	p[6] = (uint8_t)(k->fragment >> 8);
	p[7] = (uint8_t)k->fragment;
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, addresses, 8);
	return 4u * ihl;
}

static void
make_packet(struct world *w, const struct packet *k)
{
	static const uint8_t tcp[20] = {
		SOURCE_PORT >> 8, SOURCE_PORT & 255, TARGET_PORT >> 8, TARGET_PORT & 255,
		1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x10, 0x01, 0xf5, 0xab, 0xcd, 0, 0,
	};
	uint8_t *p = w->head + (w->network = k->at_head ? 0 : 64);
	uint8_t proto = k->proto ? k->proto : IPPROTO_TCP;
	uint16_t ether = k->version == 6 ? ETH_P_IPV6 : ETH_P_IP;
	unsigned linear, data;

	w->version = k->version ? k->version : 4;
	w->tcp = w->version == 6 ? make_ipv6(p, k, proto) : make_ipv4(p, k, proto);
	memcpy(p + w->tcp, tcp, sizeof(tcp));
	w->total = w->tcp + 20 + 10;
	if (k->header)
		p[0] = (uint8_t)((k->header << 4) | (p[0] & 15));
	linear = k->linear < 0 ? 0 : k->linear ? (unsigned)k->linear : w->total;
	data = w->network + (unsigned)(k->data ? k->data : (int)(linear < w->tcp ? 0 : w->tcp));
	world_put_skb(w, SKB_PROTOCOL, htons((uint16_t)(k->skb_proto > 0 ? k->skb_proto
	                                          : k->skb_proto ? 0 : ether)), 2);
	world_put_skb(w, SKB_NETWORK, w->network, 2);
	world_put_skb(w, SKB_TRANSPORT, k->transport == NO_TRANSPORT ? 0xffff
	        : w->network + w->tcp + (unsigned)k->transport, 2);
	world_put_skb(w, SKB_TAIL, w->network + linear, 4);
	world_put_skb(w, SKB_DATA, AT_HEAD + data, 8);
	world_put_skb(w, SKB_LEN, w->network + w->total - data, 4);
}

/* ---- sockets ---- */

enum { OURS = -1, THE_OTHER = -2 };

static const struct {
	int  family; /* OURS: the packet's */
	int  state;
	int  type;
	bool listens;
	bool swapped; /* the sender's end */
} kinds[] = {
	[RECEIVER] = { OURS, 1, 1, false, false },   [LISTENER] = { OURS, 10, 1, true, false },
	[TIMEWAIT] = { OURS, 6, 0, false, false },   [REQUEST] = { OURS, 12, 0, false, false },
	[CLOSED] = { OURS, 7, 1, false, false }, [UNHASHED] = { OURS, 7, 1, false, false },
	[OTHER_UNHASHED] = { OURS, 7, 1, false, false },
	[UNHASHED_LIVE] = { OURS, 4, 1, false, false },
	[MAPPED] = { AF_INET6, 1, 1, false, false },
	[MAPPED_LISTENER] = { AF_INET6, 10, 1, true, false },
	[OTHER_PORT] = { OURS, 1, 1, false, false }, [OTHER_PEER_PORT] = { OURS, 1, 1, false, false },
	[OTHER_PEER] = { OURS, 1, 1, false, false }, [OTHER_LOCAL] = { OURS, 1, 1, false, false },
	[UNIX] = { AF_UNIX, 1, 1, false, false }, [OTHER_LISTENER] = { OURS, 10, 1, true, false },
	[FOREIGN_LISTENER] = { THE_OTHER, 10, 1, true, false },
	[HERE_LISTENER] = { OURS, 10, 1, true, false },
	[SENDER] = { OURS, 1, 1, false, true },      [RAW] = { OURS, 7, 3, true, false },
	[PACKET_SOCKET] = { AF_PACKET, 7, 3, true, false },
	[UDP] = { OURS, 7, 2, false, false },        [CONTROL] = { OURS, 7, 3, true, false },
	[TUN] = { AF_UNSPEC, 0, 0, true, false },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const uint32_t world_numbers[TCP_TOTAL_RETRANS + 1] = {
	[TCP_RCV_NXT] = 0xa1000001, [TCP_RCV_WND] = 0xa1000002, [TCP_SND_UNA] = 0xa1000003,
	[TCP_SND_NXT] = 0xa1000004, [TCP_SRTT_US] = 0xa1000005, [TCP_TOTAL_RETRANS] = 0xa1000006,
};

static uint16_t
sock_port(enum who who, bool local)
{
	bool swapped = kinds[who].swapped;

	if (who == OTHER_LISTENER || (who == OTHER_PORT && local))
		return local ? 22 : 0;
	if ((who == OTHER_PEER_PORT || who == OTHER_UNHASHED) && !local)
		return 444;
	if (local && (who == UNHASHED || who == OTHER_UNHASHED || who == UNHASHED_LIVE))
		return 0;
	if (!local && kinds[who].listens)
		return 0;
	if (who == RAW || who == CONTROL)
		return local ? IPPROTO_TCP : 0;
	if (who == PACKET_SOCKET)
		return 0;
	return local != swapped ? TARGET_PORT : SOURCE_PORT;
}

static void
sock_addresses(struct world *w, uint8_t *s, enum who who)
{
	const uint8_t *p = w->head + w->network;
	bool v6 = w->version == 6, swapped = kinds[who].swapped;
	size_t size = v6 ? 16 : 4;
	const uint8_t *peer = p + (v6 ? 8 : 12) + (swapped ? size : 0);
	const uint8_t *own = p + (v6 ? 8 : 12) + (swapped ? 0 : size);
	uint16_t at_peer = w->o.at[v6 ? SOCK_V6_DADDR : SOCK_DADDR];
	uint16_t at_own = w->o.at[v6 ? SOCK_V6_RCV_SADDR : SOCK_RCV_SADDR];

	if (!kinds[who].listens)
		memcpy(s + at_peer, peer, size);
	if (!kinds[who].listens || who == HERE_LISTENER)
		memcpy(s + at_own, own, size);
	if (who == OTHER_PEER)
		s[at_peer + size - 1] ^= 0x80;
	if (who == OTHER_LOCAL)
		s[at_own + size - 1] ^= 0x80;
}

uint64_t
world_sock(struct world *w, enum who who)
{
	static const uint64_t no_socket[] = {
		[NOBODY] = 0, [USER_POINTER] = AT_USER, [GARBAGE] = AT_NOTHING, [NULLS] = AT_NET + 256,
		[SMALL_NUMBER] = 1480, [ODD_POINTER] = AT_HEAD + 13,
	};
	int ours = w->version == 6 ? AF_INET6 : AF_INET;
	int other = w->version == 6 ? AF_INET : AF_INET6;
	int family = kinds[who < KINDS ? who : 0].family;
	uint8_t *s = w->sock[w->socks];
	bool full = who < KINDS && kinds[who].state != 6 && kinds[who].state != 12;

	if (who == NOBODY || who >= USER_POINTER)
		return no_socket[who];
	family = family == OURS ? ours : family == THE_OTHER ? other : family;
	world_put(s, w->o.at[SOCK_FAMILY], (uint64_t)family, 2);
	world_put(s, w->o.at[SOCK_STATE], (uint64_t)kinds[who].state, 1);
	world_put(s, w->o.at[SOCK_NUM], sock_port(who, true), 2);
	world_put(s, w->o.at[SOCK_DPORT], htons(sock_port(who, false)), 2);
	world_put(s, w->o.at[SOCK_NET], AT_NET, 8);
	sock_addresses(w, s, who);
	if (full) {
		world_put(s, w->o.at[SOCK_TYPE], (uint64_t)kinds[who].type, 2);
		for (unsigned id = TCP_RCV_NXT; id <= TCP_TOTAL_RETRANS; id++)
			world_put(s, w->o.at[id], world_numbers[id], 4);
	}
	/* a small socket ends right after what all have in common */
	bpf_run_map(&w->run, AT_SOCK(w->socks), s, full ? SOCK_SIZE : 136);
	return AT_SOCK(w->socks++);
}

void
world_set_register(struct world *w, unsigned n, uint64_t value)
{
	unsigned long *const saved[] = {
		&w->regs.rbx, &w->regs.rbp, &w->regs.r12, &w->regs.r13, &w->regs.r14, &w->regs.r15,
	};

	*saved[n] = value;
}

/* ---- run ---- */

void
world_make(struct world *w, const struct kernel *k, const struct packet *packet)
{
	static const struct packet plain;

	memset(w, 0, sizeof(*w));
	w->kernel = k;
	offsets_table(&w->o, k->version);
	w->probe = find_probe(k, &w->program.index);
	w->program.probe = w->probe;
	w->program.arguments = k->arguments;
	w->site = (struct inlined_site){ .skb = (int8_t)k->arguments, .base = 9 };
	w->program.site = &w->site;
	w->program.read = k->read;
	w->program.has_consumed = k->consumed;
	w->program.consumed = CONSUMED;
	w->program.offsets = &w->o;
	w->program.filter = &w->filter;
	w->program.maps = (struct program_maps){
		.counters = RUN_COUNTERS, .rings = RUN_RINGS, .bells = RUN_BELLS,
		.control = RUN_CONTROL, .marks = RUN_MARKED, .notes = RUN_NOTES,
		.summary = RUN_SUMMARY,
	};
	w->run.cpu = 5;
	w->run.room = RUN_ROWS;
	memset(w->skb, 0xcc, sizeof(w->skb));
	world_put_skb(w, SKB_DEV, 0, 8);
	world_put_skb(w, SKB_SK, 0, 8);
	world_put_skb(w, SKB_IIF, IIF, 4);
	world_put_skb(w, SKB_PKT_TYPE, 0xf8 | PACKET_HOST, 1);
	world_put_skb(w, SKB_HEAD, AT_HEAD, 8);
	world_put_skb(w, SKB_USERS, 1, 4);
	make_packet(w, packet ? packet : &plain);
	world_put(w->net, w->o.at[NET_INUM], INUM, 4);
	world_put(w->dev, w->o.at[DEV_IFINDEX], DEV, 4);
	/* at an entry the return address is on the stack; at a call the place is its own */
	w->frame[0] = w->probe->kind != PROBE_SITES ? LOCATION : LOCATION + 0x1000;
	w->regs.rip = w->probe->kind != PROBE_SITES ? LOCATION - 0x1000 : LOCATION;
	w->regs.rsp = AT_STACK;
	bpf_run_map(&w->run, AT_SKB, w->skb, sizeof(w->skb));
	bpf_run_map(&w->run, AT_HEAD, w->head, sizeof(w->head));
	bpf_run_map(&w->run, AT_NET, w->net, sizeof(w->net));
	bpf_run_map(&w->run, AT_DEV, w->dev, sizeof(w->dev));
	bpf_run_map(&w->run, AT_STACK, w->frame, sizeof(w->frame));
	memcpy(w->run.comm, "swapper/1\0\0\0\0\0\0", 16);
	w->run.pid_tgid = (uint64_t)4321 << 32 | 4399;
	world_set_argument(w, w->probe->skb, AT_SKB);
	world_set_argument(w, w->probe->location, LOCATION);
	world_set_argument(w, w->probe->reason, (uint64_t)0xdeadbeef << 32 | REASON);
}

void
world_filter(struct world *w, const char *text, const uint16_t *ports, unsigned count)
{
	static struct filter filter;
	char err[FILTER_ERROR];

	if (filter_parse(&filter, text, err, sizeof(err)) || filter_ports(&filter, ports, count))
		printf("Bail out! %s: %s\n", text, err);
	for (unsigned i = 1; i <= filter.count; i++) {
		struct filter_node *n = &filter.node[i];

		if (n->kind != FILTER_REASON_NAME)
			continue;
		n->kind = FILTER_REASON;
		n->low = n->high = (uint32_t)atoi(text + n->low);
	}
	w->filter.expression = &filter;
}

static const char *
run(struct world *w, int (*build)(struct bpf_asm *, const struct program *))
{
	static struct bpf_asm code;
	static char text[160];
	int error = build(&code, &w->program);

	if (error) {
		snprintf(text, sizeof(text), "cannot be built: %d", error);
		return text;
	}
	w->run.context = world_is_kprobe(w) ? (const void *)&w->regs : w->args;
	w->run.context_size = world_is_kprobe(w) ? sizeof(w->regs) : 8u * w->program.arguments;
	if (!bpf_run(&w->run, code.insn, code.count))
		return w->run.fault;
	return w->run.result ? "does not return 0" : NULL;
}

const char *
world_run(struct world *w)
{
	return run(w, program_build);
}

const char *
world_note(struct world *w, uint64_t sk, uint64_t skb)
{
	struct pt_regs before = w->regs;
	const char *wrong;

	w->regs.rdi = sk;
	w->regs.rsi = skb;
	wrong = run(w, program_build_note);
	w->regs = before;
	return wrong;
}

struct event
world_event(const struct world *w)
{
	struct event e = { 0 };

	if (w->run.events)
		memcpy(&e, w->run.event[w->run.events - 1].data, sizeof(e));
	return e;
}

/* The event has everything that is sure of every drop. */
static const char *
check_event(struct world *w)
{
	struct event e = world_event(w);
	bool reason = world_has_argument(w, w->probe->reason);

	DEMAND(w->run.event[0].size == sizeof(e) + (w->program.packet ? EVENT_PACKET : 0));
	DEMAND(e.family == w->version);
	DEMAND(e.tcp_offset == w->tcp);
	DEMAND(e.length == w->total);
	DEMAND(e.location == LOCATION);
	DEMAND(e.probe == w->program.index);
	DEMAND(!memcmp(e.comm, w->run.comm, sizeof(e.comm)));
	DEMAND(!memcmp(e.ip, w->head + w->network, w->version == 6 ? 40 : 20));
	DEMAND(!memcmp(e.tcp, w->head + w->network + w->tcp, e.tcp_bytes));
	DEMAND(!!(e.known & EVENT_HAS_REASON) == reason);
	DEMAND(!reason || e.reason == REASON);
	return NULL;
}

const char *
world_expect(struct world *w, bool shown)
{
	const char *wrong = world_run(w);

	if (wrong)
		return wrong;
	if (w->run.events != shown)
		return shown ? "it is not shown" : "it is shown";
	if (w->run.counters[0] != w->run.events)
		return "the count is wrong";
	if (!shown)
		return NULL;
	return check_event(w);
}

