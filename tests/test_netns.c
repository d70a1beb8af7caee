/* SPDX-License-Identifier: MIT */
/*
 * The network namespace of a drop and what is asked of it: how its places in the
 * kernel's structures are searched for, from what the program takes it, and which
 * drops -i, --netns-id and --pid-netns leave out.
 */
#include <linux/version.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "../bpf_asm.h"
#include "../bpf_insns.h"
#include "tap.h"
#include "ways.h"
#include "world.h"

enum { IFINDEX = 256, ND_NET = 264 };

#define OTHER_INUM 0xf0000123u
#define AT_OTHER   (AT_DEV + 0x10000)

static const struct kernel kernels[] = {
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "inlined", 7, BPF_FUNC_probe_read, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "kfree_skb", 0, BPF_FUNC_probe_read_kernel, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "tracepoint", 2, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	{ "7.3",  KERNEL_VERSION(7, 3, 4), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
};

static void
tell(const char *wrong, const char *name, const struct kernel *k)
{
	if (!CHECK(!wrong, "%s: %s %s", name, k->name, k->probe))
		printf("# %s\n", wrong);
}

/* ---- the search ---- */

enum { NET_SIZE = 384, DEV_SIZE = 1536 };

static const struct {
	const char *name;
	int         inum, nd_net;        /* where they are put; -1: nowhere */
	unsigned    net_size, dev_size;  /* how much can be read */
	uint64_t    sock, dev;
	unsigned    want_inum, want_nd_net;
} searches[] = {
	{ "6.12", 136, 280, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 136, 280 },
	{ "5.10", 144, 1264, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 144, 1264 },
	{ "at the ends", 380, 1528, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 380, 1528 },
	{ "right behind the first part", 128, 128, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 128, 128 },
	{ "no inode", -1, 280, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 0, 280 },
	{ "no pointer", 136, -1, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 136, 0 },
	{ "pointer not aligned", 136, 284, NET_SIZE, DEV_SIZE, AT_SOCK(0), AT_DEV, 136, 0 },
	{ "inode beyond what can be read", 300, 280, 256, DEV_SIZE, AT_SOCK(0), AT_DEV, 0, 280 },
	{ "pointer beyond what can be read", 136, 520, NET_SIZE, 512, AT_SOCK(0), AT_DEV, 136, 0 },
	{ "no device", 136, 280, NET_SIZE, DEV_SIZE, AT_SOCK(0), 0, 136, 0 },
	{ "no socket", 136, 280, NET_SIZE, DEV_SIZE, 0, AT_DEV, 0, 0 },
	{ "a socket that is none", 136, 280, NET_SIZE, DEV_SIZE, AT_NOTHING, AT_DEV, 0, 0 },
};

static void
test_search(size_t i)
{
	static struct bpf_asm code;
	static struct bpf_run run;
	static uint8_t skb[256], sock[256], net[NET_SIZE], dev[DEV_SIZE];
	struct offsets o;

	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	memset(&run, 0, sizeof(run));
	memset(skb, 0, sizeof(skb));
	memset(sock, 0, sizeof(sock));
	memset(net, 0, sizeof(net));
	memset(dev, 0xcc, sizeof(dev));
	world_put(skb, o.at[SKB_SK], searches[i].sock, 8);
	world_put(skb, o.at[SKB_DEV], searches[i].dev, 8);
	world_put(sock, o.at[SOCK_NET], AT_NET, 8);
	world_put(net, (uint16_t)searches[i].inum, INUM, 4);
	world_put(dev, (uint16_t)searches[i].nd_net, AT_NET, 8);
	bpf_run_map(&run, AT_SKB, skb, sizeof(skb));
	bpf_run_map(&run, AT_SOCK(0), sock, sizeof(sock));
	bpf_run_map(&run, AT_NET, net, searches[i].net_size);
	bpf_run_map(&run, AT_DEV, dev, searches[i].dev_size);

	bpf_asm_start(&code, 0);
	BPF_ASM(&code, NULL, LOAD64(R3, AT_SKB));
	offsets_netns_search(&code, &o, BPF_FUNC_probe_read_kernel, INUM);
	BPF_ASM(&code, NULL, MOV(R0, R6), EXIT);
	CHECK_INT(bpf_asm_link(&code), 0, "search: %s links", searches[i].name);
	CHECK(ways_count(code.insn, code.count) > 0, "search: %s: 4.4 goes through it",
	      searches[i].name);
	if (!CHECK(bpf_run(&run, code.insn, code.count), "search: %s runs", searches[i].name))
		printf("# %s\n", run.fault);
	CHECK_INT(run.result & 0xffff, searches[i].want_inum, "search: %s: inode",
	          searches[i].name);
	CHECK_INT(run.result >> 16, searches[i].want_nd_net, "search: %s: pointer",
	          searches[i].name);
}

static void
test_answer(void)
{
	struct offsets o;
	char err[64];

	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	CHECK(o.at[DEV_NET] == OFFSET_NONE && o.source[DEV_NET] == OFFSET_UNKNOWN,
	      "answer: nd_net is in no table");
	offsets_netns_answer(&o, 280u << 16);
	CHECK(o.at[DEV_NET] == OFFSET_NONE && o.source[NET_INUM] == OFFSET_TABLE,
	      "answer: without the inode the pointer is to anything");
	offsets_netns_answer(&o, 136);
	CHECK(o.at[DEV_NET] == OFFSET_NONE && o.at[NET_INUM] == 136, "answer: only the inode");
	offsets_netns_answer(&o, 4000u << 16 | 136);
	CHECK_INT(o.at[DEV_NET], OFFSET_NONE, "answer: nonsense");
	offsets_netns_answer(&o, 280u << 16 | 136);
	CHECK(o.at[DEV_NET] == 280 && o.source[DEV_NET] == OFFSET_KERNEL, "answer: both");
	CHECK_INT(offsets_override(&o, "net_device.nd_net=264", err, sizeof(err)), 0, "override");
	offsets_netns_answer(&o, 280u << 16 | 136);
	CHECK_INT(o.at[DEV_NET], 264, "answer: the user's stands");
}

/* ---- of what it is ---- */

/* A world with two namespaces; the device is of the first. */
static void
make(struct world *w, const struct kernel *k)
{
	static uint8_t other[SMALL];

	world_make(w, k, NULL);
	if (w->o.at[DEV_IFINDEX] == OFFSET_NONE)
		w->o.at[DEV_IFINDEX] = IFINDEX;
	w->o.at[DEV_NET] = ND_NET;
	world_put(w->dev, w->o.at[DEV_IFINDEX], DEV, 4);
	world_put(w->dev, ND_NET, AT_NET, 8);
	world_put(other, w->o.at[NET_INUM], OTHER_INUM, 4);
	bpf_run_map(&w->run, AT_OTHER, other, sizeof(other));
}

/* What the kernel names for the packet, as this probe does; of the other namespace. */
static void
give_socket(struct world *w, enum who who)
{
	uint64_t sk = world_sock(w, who);

	world_put(w->sock[0], w->o.at[SOCK_NET], AT_OTHER, 8);
	world_put_skb(w, SKB_SK, sk, 8);
}

static const struct {
	const char *name;
	uint64_t    dev;
	enum who    owner;
	bool        sent;
	uint32_t    want;    /* 0: not known */
	uint32_t    without; /* the same where nd_net is not known */
} sources[] = {
	{ "a socket's own", 0, RECEIVER, false, OTHER_INUM, OTHER_INUM },
	{ "a socket's before the device's", AT_DEV, RECEIVER, false, OTHER_INUM,
	  OTHER_INUM },
	{ "the device's", AT_DEV, NOBODY, false, INUM, 0 },
	{ "neither socket nor device", 0, NOBODY, false, 0, 0 },
	{ "dev is no pointer", 5, NOBODY, false, 0, 0 },
	{ "dev is unreadable", AT_NOTHING, NOBODY, false, 0, 0 },
	{ "a TUN device's socket, its device", AT_DEV, TUN, false, INUM, 0 },
	{ "a raw socket's, on the way out", 0, RAW, true, OTHER_INUM, 0 },
	{ "owner is a number", 0, SMALL_NUMBER, false, 0, 0 },
	{ "owner is unreadable", 0, GARBAGE, false, 0, 0 },
};

static const char *
source(const struct kernel *k, size_t i, bool known)
{
	static struct world w;
	uint32_t want = known ? sources[i].want : sources[i].without;
	const char *wrong;
	struct event e;

	make(&w, k);
	if (!known)
		w.o.at[DEV_NET] = OFFSET_NONE;
	world_put_skb(&w, SKB_DEV, sources[i].dev, 8);
	if (sources[i].sent)
		world_put_skb(&w, SKB_IIF, 0, 4);
	give_socket(&w, sources[i].owner);
	wrong = world_expect(&w, true);
	if (wrong)
		return wrong;
	e = world_event(&w);
	DEMAND(e.netns == want);
	DEMAND(!!(e.known & EVENT_HAS_NETNS) == !!want);
	return NULL;
}

/* ---- which are left out ---- */

static const struct {
	const char *name;
	uint32_t    netns;
	bool        sure;
	uint32_t    ifindex;
	uint64_t    dev;
	enum who    owner;
	bool        shown;
} filters[] = {
	{ "the socket's, wanted", OTHER_INUM, true, 0, 0, RECEIVER, true },
	{ "the socket's, another wanted", INUM, true, 0, 0, RECEIVER, false },
	{ "the device's, wanted", INUM, true, 0, AT_DEV, NOBODY, true },
	{ "the device's, another wanted", OTHER_INUM, true, 0, AT_DEV, NOBODY, false },
	{ "the lower half alone is the same", OTHER_INUM & 0xffff, true, 0, 0, RECEIVER, false },
	{ "of none known", INUM, true, 0, 0, NOBODY, false },
	{ "of none known, that will do", INUM, false, 0, 0, NOBODY, true },
	{ "another, where none known will do", INUM, false, 0, 0, RECEIVER, false },
	{ "from the interface", 0, false, IIF, 0, NOBODY, true },
	{ "from another interface", 0, false, IIF + 1, 0, NOBODY, false },
	{ "from the device", 0, false, DEV, AT_DEV, NOBODY, true },
	{ "by the interface, from another device", 0, false, IIF, AT_DEV, NOBODY, false },
	{ "device and namespace", INUM, true, DEV, AT_DEV, NOBODY, true },
	{ "that device, of another namespace", OTHER_INUM, false, DEV, AT_DEV, NOBODY, false },
	{ "that namespace, another device", INUM, true, DEV + 1, AT_DEV, NOBODY, false },
};

/* What a kprobe leaves out is marked for the tracepoint, which may know less. */
static const char *
filter(const struct kernel *k, size_t i)
{
	static struct world w;
	const char *wrong;
	bool marks;

	make(&w, k);
	marks = world_is_kprobe(&w) && w.probe->shared;
	world_put_skb(&w, SKB_DEV, filters[i].dev, 8);
	give_socket(&w, filters[i].owner);
	w.filter.netns = filters[i].netns;
	w.filter.netns_sure = filters[i].sure;
	w.filter.ifindex = filters[i].ifindex;
	wrong = world_expect(&w, filters[i].shown);
	if (wrong)
		return wrong;
	DEMAND(w.run.marks == marks);
	return NULL;
}

/* Before 6.11 the tracepoint has no socket: on its own it could not know. */
static const char *
left_to_tracepoint(void)
{
	static struct world k, t;

	make(&k, &kernels[2]);
	k.filter.netns = INUM;
	world_set_register(&k, 0, world_sock(&k, RECEIVER));
	world_put(k.sock[0], k.o.at[SOCK_NET], AT_OTHER, 8);
	DEMAND(!world_expect(&k, false));
	make(&t, &kernels[3]);
	t.filter.netns = INUM;
	memcpy(t.run.mark, k.run.mark, sizeof(t.run.mark));
	t.run.marks = k.run.marks;
	DEMAND(!world_expect(&t, false));
	DEMAND(t.run.marks == 0);
	make(&t, &kernels[3]);
	t.filter.netns = INUM;
	return world_expect(&t, true);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(searches); i++)
		test_search(i);
	test_answer();
	for (size_t k = 0; k < COUNT(kernels); k++) {
		for (size_t i = 0; i < COUNT(sources); i++) {
			tell(source(&kernels[k], i, true), sources[i].name, &kernels[k]);
			tell(source(&kernels[k], i, false), sources[i].name, &kernels[k]);
		}
		for (size_t i = 0; i < COUNT(filters); i++)
			tell(filter(&kernels[k], i), filters[i].name, &kernels[k]);
	}
	tell(left_to_tracepoint(), "left out by the kprobe, not shown by the tracepoint",
	     &kernels[3]);
	return tap_end();
}
