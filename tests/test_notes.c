/* SPDX-License-Identifier: MIT */
/*
 * What the programs note of a packet on its way, and what they make of it: the
 * socket that is at hand no more, a drop that only a counter tells of, a SYN that
 * was taken. As test_behaviour.c, on made-up kernel memory.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <stdint.h>

#include "tap.h"
#include "world.h"

static const struct kernel kernels[] = {
	{ "4.4",  KERNEL_VERSION(4, 4, 178), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "kfree_skb", 0, BPF_FUNC_probe_read_kernel, false },
	{ "5.15", KERNEL_VERSION(5, 15, 135), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
};

/* One line of TAP for a row on a kernel. */
static void
tell(const char *wrong, const char *name, const struct kernel *k)
{
	if (!CHECK(!wrong, "%s: %s %s", name, k->name, k->probe))
		printf("# %s\n", wrong);
}

enum { DROPS = 232 }; /* where sk_drops is in these sockets */

static void
set_drops(struct world *w, uint64_t sk, uint32_t drops)
{
	world_put(w->sock[(sk - AT_SOCK(0)) / (AT_SOCK(1) - AT_SOCK(0))], DROPS, drops, 4);
}

static const char *
noted_case(struct world *w, enum who who, uint64_t skb, uint8_t state)
{
	const char *wrong = world_note(w, world_sock(w, who), skb);

	DEMAND(!wrong && !w->run.events);
	wrong = world_expect(w, true);
	if (wrong)
		return wrong;
	DEMAND(world_event(w).state == state);
	return NULL;
}

/* A socket that is in no register and no frame any more, but was noted with this very packet. */
static void
test_noted(const struct kernel *k)
{
	static struct world w;

	for (uint8_t version = 4; version <= 6; version += 2) {
		struct packet packet = { .version = version };

		world_make(&w, k, &packet);
		if (!w.probe->notes[0])
			return;
		tell(noted_case(&w, TIMEWAIT, AT_SKB, 6), "noted: TIME_WAIT", k);
		world_make(&w, k, &packet);
		tell(noted_case(&w, TIMEWAIT, AT_SKB + 8, 0), "noted with another packet", k);
		world_make(&w, k, &packet);
		tell(noted_case(&w, OTHER_PEER, AT_SKB, 0), "noted: of another peer", k);
		world_make(&w, k, &packet);
		tell(noted_case(&w, GARBAGE, AT_SKB, 0), "noted: no socket", k);
		world_make(&w, k, &packet);
		w.program.maps.notes = -1;
		tell(world_expect(&w, true), "nothing is noted", k);
	}
}

/*
 * __kfree_skb() of a packet: a drop only when the noted socket has counted one
 * since, and the packet is that socket's.
 */
static const char *
grown_case(struct world *w, enum who who, uint32_t before, uint32_t after, uint8_t flags,
           bool shown, bool elsewhere)
{
	uint64_t sk = world_sock(w, who);

	w->program.sk_drops = DROPS;
	w->run.droppers[1].start = LOCATION + (elsewhere ? 1 : 0);
	w->run.droppers[1].end = LOCATION + 64;
	w->head[w->network + w->tcp + 13] = flags;
	set_drops(w, sk, before);
	DEMAND(!world_note(w, sk, AT_SKB));
	set_drops(w, sk, after);
	return world_expect(w, shown);
}

static void
test_grown(void)
{
	enum { F = 0x01, S = 0x02, R = 0x04, A = 0x10 };
	static const struct kernel k = {
		"4.9", KERNEL_VERSION(4, 9, 229), "sk_drops", 0, BPF_FUNC_probe_read, false,
	};
	static const struct {
		const char *name;
		enum who    who;
		uint32_t    before, after;
		uint8_t     flags;
		bool        shown;
		bool        elsewhere; /* the caller is not in tcp_input.c */
	} rows[] = {
		{ "grown by one", RECEIVER, 7, 8, A, true, false },
		{ "grown by the segments of one", RECEIVER, 7, 51, A, true, false },
		{ "over the end", RECEIVER, 0xffffffff, 0, A, true, false },
		{ "not grown", RECEIVER, 7, 7, A, false, false },
		{ "grown, but freed elsewhere", RECEIVER, 7, 8, A, false, true },
		{ "grown, but another's packet", OTHER_PEER, 7, 8, A, false, false },
		{ "grown, but another port's packet", OTHER_PORT, 7, 8, A, false, false },
		{ "listener: FIN", LISTENER, 0, 1, F, true, false },
		{ "listener: SYN and FIN", LISTENER, 0, 1, S | F, true, false },
		{ "listener: RST", LISTENER, 0, 1, R, true, false },
		{ "listener: SYN, which may be another's", LISTENER, 0, 1, S, false, false },
	};
	static struct world w;

	for (size_t i = 0; i < COUNT(rows); i++)
		for (uint8_t version = 4; version <= 6; version += 2) {
			struct packet packet = { .version = version };

			world_make(&w, &k, &packet);
			tell(grown_case(&w, rows[i].who, rows[i].before, rows[i].after,
			                rows[i].flags, rows[i].shown, rows[i].elsewhere),
			     rows[i].name, &k);
		}
	world_make(&w, &k, NULL);
	w.program.sk_drops = DROPS;
	tell(world_expect(&w, false), "nothing was noted", &k);
	world_make(&w, &k, NULL);
	tell(grown_case(&w, RECEIVER, 1, 2, A, true, false), "the first free after it has grown",
	     &k);
	w.run.events = 0;
	w.run.counters[0] = 0;
	tell(world_expect(&w, false), "and no other", &k);
}

/* To 4.6 a listener's SYN is freed as dropped by the function that has taken it. */
static void
test_taken(const struct kernel *k)
{
	static const struct {
		const char *name;
		enum who    who;
		uint8_t     flags;
		int64_t     from, to; /* of the function, from the place on */
		bool        shown;
	} rows[] = {
		{ "SYN taken", LISTENER, 0x02, -16, 16, false },
		{ "SYN taken, the place begins there", LISTENER, 0x02, 0, 16, false },
		{ "SYN dropped elsewhere, before", LISTENER, 0x02, 1, 16, true },
		{ "SYN dropped elsewhere, after", LISTENER, 0x02, -16, 0, true },
		{ "SYN with ECN taken", LISTENER, 0xc2, -16, 16, false },
		{ "FIN to a listener", LISTENER, 0x01, -16, 16, true },
		{ "SYN|FIN to a listener", LISTENER, 0x03, -16, 16, true },
		{ "SYN to a connection", RECEIVER, 0x02, -16, 16, true },
		{ "SYN to nobody", NOBODY, 0x02, -16, 16, true },
	};
	static struct world w;

	for (size_t i = 0; i < COUNT(rows); i++) {
		world_make(&w, k, NULL);
		if (strcmp(w.probe->name, "kfree_skb") != 0)
			return;
		w.program.taker.start = LOCATION + (uint64_t)rows[i].from;
		w.program.taker.end = LOCATION + (uint64_t)rows[i].to;
		w.head[w.network + w.tcp + 13] = rows[i].flags;
		world_set_register(&w, 0, world_sock(&w, rows[i].who));
		tell(world_expect(&w, rows[i].shown), rows[i].name, k);
	}
}

/* Parts of another buffer, freed by the function that releases it. */
static void
test_members(const struct kernel *k)
{
	static const struct {
		const char *name;
		int         word;  /* of the frame that holds an address in it; -1: location does */
		int64_t     from, to;
		bool        shown;
		bool        elsewhere; /* location is not in the function that frees lists */
	} rows[] = {
		{ "called from there", -1, -8, 8, false, false },
		{ "called from its first byte", -1, 0, 8, false, false },
		{ "called from before it", -1, 1, 8, true, false },
		{ "called from behind it", -1, -8, 0, true, false },
		{ "called by what it called", 1, -8, 8, false, false },
		{ "called by what it called, three registers kept", 4, -8, 8, false, false },
		{ "an older frame", 5, -8, 8, true, false },
		{ "not called by what frees lists", 2, -8, 8, true, true },
	};
	static struct world w;

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t inside = LOCATION + 0x100000;
		bool frame = rows[i].word >= 0;

		world_make(&w, k, NULL);
		if (frame)
			w.frame[rows[i].word] = inside;
		w.run.list.start = LOCATION - 32;
		w.run.list.end = LOCATION + (rows[i].elsewhere ? 0 : 32);
		w.run.release[i % 2].start = (frame ? inside : LOCATION) + (uint64_t)rows[i].from;
		w.run.release[i % 2].end = (frame ? inside : LOCATION) + (uint64_t)rows[i].to;
		tell(world_expect(&w, rows[i].shown), rows[i].name, k);
	}
	world_make(&w, k, NULL);
	tell(world_expect(&w, true), "the place is not known", k);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(kernels); i++) {
		test_noted(&kernels[i]);
		test_taken(&kernels[i]);
		test_members(&kernels[i]);
	}
	test_grown();
	return tap_end();
}
