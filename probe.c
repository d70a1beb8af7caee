/* SPDX-License-Identifier: MIT */
#include <linux/version.h>

#include <errno.h>
#include <string.h>

#include "probe.h"
#include "text.h"

/*
 * net/core/skbuff.c and net/ipv4/tcp_input.c: the functions that free a dropped
 * packet, by the kernels that have them. A TIME_WAIT socket is no longer at hand
 * where its packet is freed: it is noted before. tcp_drop() frees with __kfree_skb(), so
 * it completes kfree_skb() and does not overlap it. Stable kernels backport:
 * what attaches decides, not the version.
 */
static const struct probe probes[PROBES] = {
	{
		.name = "tcp_drop", .label = "kprobe:tcp_drop", .symbol = "tcp_drop",
		.kind = PROBE_KPROBE, .sk = 1, .skb = 2,
		.first = 0, .last = KERNEL_VERSION(5, 17, 255),
	}, {
		.name = "inlined", .label = "kprobe:tcp_drop(inlined)", .symbol = "__kfree_skb",
		.kind = PROBE_SITES, .sk = 1, .skb = 2,
		.first = 0, .last = KERNEL_VERSION(5, 17, 255),
	}, {
		/* what tcp_drop() does: count, then free; where its places are not understood */
		.name = "sk_drops", .label = "kprobe:__kfree_skb", .symbol = "__kfree_skb",
		.notes = { "tcp_rcv_established", "tcp_rcv_state_process" },
		.kind = PROBE_GROWN, .skb = 1,
		.first = 0, .last = KERNEL_VERSION(5, 17, 255),
	}, {
		.name = "sk_skb_reason_drop", .label = "kprobe:sk_skb_reason_drop",
		.symbol = "sk_skb_reason_drop",
		.kind = PROBE_KPROBE, .sk = 1, .skb = 2, .reason = 3, .shared = true, .instead = true,
		.first = KERNEL_VERSION(6, 11, 0), .last = UINT32_MAX,
	}, {
		.name = "kfree_skb_reason", .label = "kprobe:kfree_skb_reason",
		.symbol = "kfree_skb_reason", .notes = { "tcp_timewait_state_process" },
		.kind = PROBE_KPROBE, .skb = 1, .reason = 2, .shared = true, .instead = true,
		.first = KERNEL_VERSION(5, 17, 0), .last = KERNEL_VERSION(6, 10, 255),
	}, {
		.name = "kfree_skb", .label = "kprobe:kfree_skb", .symbol = "kfree_skb",
		.notes = { "tcp_timewait_state_process" },
		.kind = PROBE_KPROBE, .skb = 1, .shared = true, .instead = true,
		.first = 0, .last = KERNEL_VERSION(5, 16, 255),
	}, {
		/* reason from 5.17 on, the socket from 6.11 on */
		.name = "tracepoint", .label = "tracepoint:kfree_skb", .symbol = "kfree_skb",
		.kind = PROBE_TRACEPOINT, .skb = 1, .location = 2, .reason = 3, .sk = 4,
		.first = KERNEL_VERSION(4, 17, 0), .last = UINT32_MAX,
	}, {
		/* record: 8 bytes in common, skbaddr, location; programs on events from 4.7 on */
		.name = "tracepoint", .label = "tracepoint:skb:kfree_skb", .symbol = "skb/kfree_skb",
		.kind = PROBE_EVENT, .skb = 2, .location = 3,
		.first = KERNEL_VERSION(4, 7, 0), .last = KERNEL_VERSION(4, 16, 255),
	},
};

const struct probe *
probe_get(unsigned index)
{
	return &probes[index];
}

static bool
is_named(const struct probe *p, const char *name, size_t length)
{
	return strlen(p->name) == length && !memcmp(p->name, name, length);
}

/* The first of that name: there are two ways to the tracepoint. */
static unsigned
find(const char *name, size_t length)
{
	unsigned i = 0;

	while (i < PROBES && !is_named(&probes[i], name, length))
		i++;
	return i;
}

static void
complain(char *err, size_t size, const char *name, size_t length)
{
	int n = text_format(err, size, "no probe is called '%.*s'; there are", (int)length, name);

	for (unsigned i = 0; i < PROBES && n > 0 && (size_t)n < size; i++)
		if (find(probes[i].name, strlen(probes[i].name)) == i)
			n += text_format(err + n, size - (size_t)n, "%s %s", i ? "," : "",
			                 probes[i].name);
}

int
probe_parse(const char *list, unsigned *set, char *err, size_t size)
{
	*set = 0;
	do {
		size_t length = text_until(list, ",");
		unsigned i = find(list, length);

		if (i == PROBES) {
			complain(err, size, list, length);
			return -EINVAL;
		}
		for (; i < PROBES; i++)
			if (is_named(&probes[i], list, length))
				*set |= 1u << i;
		list += length;
	} while (*list++);
	return 0;
}
