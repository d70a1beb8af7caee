/* SPDX-License-Identifier: MIT */
/* What the BPF program counts with -s: each drop once, in the row of its own kind. */
#include <linux/bpf.h>
#include <linux/version.h>

#include "tap.h"
#include "world.h"

static const struct kernel kernels[] = {
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "tcp_drop", 0, BPF_FUNC_probe_read, false },
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "tracepoint", 3, BPF_FUNC_probe_read, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "inlined", 8, BPF_FUNC_probe_read_kernel, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "tracepoint", 2, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	{ "6.18", KERNEL_VERSION(6, 18, 15), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
	{ "7.3",  KERNEL_VERSION(7, 3, 4), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
};

/* One line of TAP for a row on a kernel. */
static void
tell(const char *wrong, const char *name, const struct kernel *k)
{
	if (!CHECK(!wrong, "%s: %s %s", name, k->name, k->probe))
		printf("# %s\n", wrong);
}

/* Each drop is in one row or is counted as one that has none, whatever the map says. */
static const struct {
	const char *name;
	unsigned    room, rows; /* that the map has; that it gets */
	bool        race;
	uint64_t    counts[3];  /* of the first row, after each of three drops alike */
} count_rows[] = {
	{ "a row", 1, 1, false, { 1, 2, 3 } },
	{ "another CPU makes the row", 1, 1, true, { 2, 3, 4 } },
	{ "no room", 0, 0, false, { 0, 0, 0 } },
};

static void
test_counts(const struct kernel *k)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(count_rows); i++) {
		const char *wrong = NULL;

		world_make(&w, k, NULL);
		w.program.summary = true;
		w.run.room = count_rows[i].room;
		w.run.race = count_rows[i].race;
		w.run.now = 1000;
		for (unsigned n = 0; n < 3 && !wrong; n++) {
			uint64_t count;

			w.run.marks = 0;
			wrong = world_run(&w);
			count = w.run.rows ? w.run.row[0].value.count : 0;
			if (!wrong && (w.run.events || w.run.rows != count_rows[i].rows))
				wrong = "rows or events are wrong";
			if (!wrong && count != count_rows[i].counts[n])
				wrong = "the count is wrong";
			/* the other CPU's one is not in our counters */
			if (!wrong && count + w.run.counters[1]
			              != w.run.counters[0] + count_rows[i].race)
				wrong = "a drop is in no row, and not uncounted";
		}
		if (!wrong && w.run.rows
		    && (w.run.row[0].value.first != (w.run.race ? 7 : 1000)
		        || w.run.row[0].value.last != w.run.now - 1))
			wrong = "first or last is wrong";
		tell(wrong, count_rows[i].name, k);
	}
}

/* Which drops are alike: all that a key holds, and nothing else. */
static const char *
check_key(struct world *w, unsigned row, enum who who, uint16_t port)
{
	const struct summary_key *key = &w->run.row[row].key;
	bool reason = world_has_argument(w, w->probe->reason);
	unsigned known = w->version | (reason ? SUMMARY_HAS_REASON : 0u)
	                 | (port ? SUMMARY_HAS_PORT : 0u);

	DEMAND(w->run.rows == row + 1);
	DEMAND(key->location == LOCATION);
	DEMAND(key->reason == (reason ? REASON : 0));
	DEMAND(key->port == port);
	DEMAND(key->known == known);
	DEMAND(key->state == (who == NOBODY ? 0 : who == LISTENER ? 10 : who == TIMEWAIT ? 6 : 1));
	return NULL;
}

static void
test_keys(const struct kernel *k)
{
	static const struct { const char *name; struct packet packet; enum who who; uint16_t port; }
	keys[] = {
		{ "no socket", { 0 }, NOBODY, TARGET_PORT },
		{ "no socket, IPv6", { .version = 6 }, NOBODY, TARGET_PORT },
		{ "received", { 0 }, RECEIVER, TARGET_PORT },
		{ "received, IPv6", { .version = 6 }, RECEIVER, TARGET_PORT },
		{ "sent", { 0 }, SENDER, SOURCE_PORT },
		{ "sent, IPv6", { .version = 6 }, SENDER, SOURCE_PORT },
		{ "listener", { 0 }, LISTENER, TARGET_PORT },
		{ "TIME_WAIT", { 0 }, TIMEWAIT, TARGET_PORT },
		{ "ports only", { .linear = 24 }, NOBODY, TARGET_PORT },
		{ "no ports", { .linear = 20 }, NOBODY, 0 },
	};
	static struct world w;

	for (size_t i = 0; i < COUNT(keys); i++) {
		const char *wrong;
		uint64_t sk;

		world_make(&w, k, &keys[i].packet);
		w.program.summary = true;
		sk = world_sock(&w, keys[i].who);
		if (w.probe->sk && world_has_argument(&w, w.probe->sk))
			world_set_argument(&w, w.probe->sk, sk);
		else
			world_put_skb(&w, SKB_SK, sk, 8);
		wrong = world_run(&w);
		tell(wrong ? wrong : check_key(&w, 0, keys[i].who, keys[i].port), keys[i].name, k);
	}
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(kernels); i++) {
		test_counts(&kernels[i]);
		test_keys(&kernels[i]);
	}
	return tap_end();
}
