/* SPDX-License-Identifier: MIT */
/*
 * Kprobe and tracepoint together: each drop once. The programs of both are run
 * by bpf_run.c one after the other, as they are when the tracepoint fires within
 * the function that the kprobe is on.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <netinet/in.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "world.h"

static const struct pair {
	struct kernel kprobe, tracepoint;
} pairs[] = {
	{ { "5.10", KERNEL_VERSION(5, 10, 255), "kfree_skb", 0, BPF_FUNC_probe_read_kernel, false },
	  { "5.10", KERNEL_VERSION(5, 10, 255), "tracepoint", 2, BPF_FUNC_probe_read_kernel, false } },
	{ { "6.1", KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	  { "6.1", KERNEL_VERSION(6, 1, 192), "tracepoint", 3, BPF_FUNC_probe_read_kernel, false } },
	{ { "6.12", KERNEL_VERSION(6, 12, 117), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	  { "6.12", KERNEL_VERSION(6, 12, 117), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true } },
	{ { "7.3", KERNEL_VERSION(7, 3, 4), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	  { "7.3", KERNEL_VERSION(7, 3, 4), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true } },
};

static void
tell(const char *wrong, const char *name, const struct kernel *k)
{
	if (!CHECK(!wrong, "%s: %s %s", name, k->name, k->probe))
		printf("# %s\n", wrong);
}

/* Hands what maps hold from one program to the next. */
static void
carry(struct world *to, const struct world *from)
{
	memcpy(to->run.mark, from->run.mark, sizeof(to->run.mark));
	to->run.marks = from->run.marks;
}

static void
set_buffer(struct world *w, uint64_t at)
{
	w->run.region[0].at = at;
	world_set_argument(w, w->probe->skb, at);
}

static const char *
once(const struct kernel *kprobe, const struct kernel *tracepoint)
{
	static struct world k, t;

	world_make(&k, kprobe, NULL);
	DEMAND(!world_expect(&k, true));
	DEMAND(k.run.marks == 1);
	world_make(&t, tracepoint, NULL);
	carry(&t, &k);
	DEMAND(!world_expect(&t, false));
	DEMAND(t.run.marks == 0);
	/* the same address again, freed where no kprobe is */
	world_make(&t, tracepoint, NULL);
	DEMAND(!world_expect(&t, true));
	DEMAND(t.run.marks == 0);
	return NULL;
}

/* Between kprobe and tracepoint an interrupt drops another packet, by either way. */
static const char *
interrupted(const struct kernel *kprobe, const struct kernel *tracepoint)
{
	static struct world k, inner, t;

	world_make(&k, kprobe, NULL);
	DEMAND(!world_expect(&k, true));

	world_make(&inner, tracepoint, NULL);
	carry(&inner, &k);
	set_buffer(&inner, AT_SKB + 0x800);
	DEMAND(!world_expect(&inner, true));

	world_make(&t, kprobe, NULL);
	carry(&t, &inner);
	set_buffer(&t, AT_SKB + 0xc00);
	DEMAND(!world_expect(&t, true));
	DEMAND(t.run.marks == 2);
	carry(&inner, &t);
	inner.run.events = 0;
	inner.run.counters[0] = 0;
	set_buffer(&inner, AT_SKB + 0xc00);
	DEMAND(!world_expect(&inner, false));

	world_make(&t, tracepoint, NULL);
	carry(&t, &inner);
	DEMAND(!world_expect(&t, false));
	DEMAND(t.run.marks == 0);
	return NULL;
}

/* What the kprobe leaves alone leaves no mark: shared, filtered, not TCP. */
static const char *
no_mark(const struct kernel *kprobe)
{
	static struct world w;
	struct packet udp = { .proto = IPPROTO_UDP };

	world_make(&w, kprobe, NULL);
	world_put_skb(&w, SKB_USERS, 2, 4);
	DEMAND(!world_expect(&w, false) && !w.run.marks);
	world_make(&w, kprobe, NULL);
	world_filter(&w, "port 80", NULL, 0);
	DEMAND(!world_expect(&w, false) && !w.run.marks);
	world_make(&w, kprobe, &udp);
	DEMAND(!world_expect(&w, false) && !w.run.marks);
	return NULL;
}

/* Only the kprobe sees whose copy it was, in the registers; the tracepoint must not show it. */
static const char *
copy(const struct kernel *kprobe, const struct kernel *tracepoint)
{
	static struct world k, t;

	world_make(&k, kprobe, NULL);
	world_set_register(&k, 3, world_sock(&k, RAW));
	DEMAND(!world_expect(&k, false));
	world_make(&t, tracepoint, NULL);
	carry(&t, &k);
	DEMAND(!world_expect(&t, false));
	DEMAND(t.run.marks == 0);
	return NULL;
}

/*
 * The tracepoint sees no socket, and would show what the kprobe has left out for
 * its state; what the kprobe has shown it must not show again.
 */
static const char *
state(const struct kernel *kprobe, const struct kernel *tracepoint)
{
	static const char *const wanted[] = {
		"state none", "not state established", "state established",
	};
	static struct world k, t;

	for (unsigned i = 0; i < COUNT(wanted); i++) {
		world_make(&k, kprobe, NULL);
		world_filter(&k, wanted[i], NULL, 0);
		if (k.probe->sk)
			world_set_argument(&k, k.probe->sk, world_sock(&k, RECEIVER));
		else
			world_set_register(&k, 3, world_sock(&k, RECEIVER));
		DEMAND(!world_expect(&k, i == 2));
		DEMAND(k.run.marks == 1);
		world_make(&t, tracepoint, NULL);
		world_filter(&t, wanted[i], NULL, 0);
		carry(&t, &k);
		DEMAND(!world_expect(&t, false));
		DEMAND(t.run.marks == 0);
	}
	return NULL;
}

/* What is left out for its headers or its reason the tracepoint leaves out by itself. */
static const char *
unmarked(const struct kernel *kprobe, const struct kernel *tracepoint)
{
	static const char *const wanted[] = { "port 80", "reason 41", "ip6" };
	static struct world w;

	for (unsigned i = 0; i < COUNT(wanted); i++) {
		world_make(&w, kprobe, NULL);
		world_filter(&w, wanted[i], NULL, 0);
		DEMAND(!world_expect(&w, false) && !w.run.marks);
		world_make(&w, tracepoint, NULL);
		world_filter(&w, wanted[i], NULL, 0);
		DEMAND(!world_expect(&w, false) && !w.run.marks);
	}
	return NULL;
}

/* A mark that cannot be kept must not lose the drop. */
static const char *
marks_full(const struct kernel *kprobe)
{
	static struct world w;

	world_make(&w, kprobe, NULL);
	for (unsigned i = 0; i < RUN_MARKS; i++)
		w.run.mark[w.run.marks++] = AT_SKB + 0x10000 + i;
	DEMAND(!world_expect(&w, true));
	return NULL;
}

static const char *
alone(const struct kernel *k)
{
	static struct world w;

	world_make(&w, k, NULL);
	w.program.maps.marks = -1;
	w.run.mark[w.run.marks++] = AT_SKB;
	return world_expect(&w, true);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		const struct kernel *k = &pairs[i].kprobe, *t = &pairs[i].tracepoint;

		tell(once(k, t), "a drop seen by both is shown once", k);
		tell(interrupted(k, t), "an interrupt drops another in between", k);
		tell(no_mark(k), "what is left alone is not marked", k);
		tell(copy(k, t), "a copy, by the registers", k);
		tell(state(k, t), "by the state, which only a kprobe sees", k);
		tell(unmarked(k, t), "by headers and reason", k);
		tell(marks_full(k), "no room for a mark", k);
		tell(alone(k), "without marks, a kprobe", k);
		tell(alone(t), "without marks, the tracepoint", t);
	}
	return tap_end();
}
