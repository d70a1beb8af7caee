/* SPDX-License-Identifier: MIT */
/*
 * The table, and what is made of the kernel's answers, against facts measured
 * another way: offsets.csv by the kernels' own type information, sk_buff.csv and
 * sock.csv by offsetof in the kernels' source. The answers in readback are those
 * of the very kernels of offsets.csv; in readback/alone those to the question
 * without sockets, all that kernels before 5.1 can be asked.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "../bpf_asm.h"
#include "../bpf_insns.h"
#include "../offsets.h"
#include "tap.h"

/* ---- comma-separated facts ---- */

enum { COLUMNS = 48, ROWS = 64, CELL = 48 };

struct facts {
	unsigned columns, rows;
	char     name[COLUMNS][CELL];
	char     cell[ROWS][COLUMNS][CELL];
};

static struct facts kernels, buffers, socks;

static unsigned
split(char *line, char out[COLUMNS][CELL])
{
	unsigned n = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *next; line && n < COLUMNS; line = next) {
		next = strchr(line, ',');
		if (next)
			*next++ = '\0';
		snprintf(out[n++], CELL, "%s", line);
	}
	return n;
}

static void
load(struct facts *f, const char *path)
{
	char line[2048];
	FILE *file = fopen(path, "r");

	if (!file || !fgets(line, sizeof(line), file)) {
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	f->columns = split(line, f->name);
	while (f->rows < ROWS && fgets(line, sizeof(line), file))
		split(line, f->cell[f->rows++]);
	fclose(file);
}

/* The cell, "" if it is empty or not there. */
static const char *
fact(const struct facts *f, unsigned row, const char *column)
{
	for (unsigned i = 0; i < f->columns; i++)
		if (!strcmp(f->name[i], column))
			return f->cell[row][i];
	return "";
}

static uint32_t
version_of(const char *kernel)
{
	unsigned major = 0, minor = 0, patch = 0;

	sscanf(kernel, "%u.%u.%u", &major, &minor, &patch);
	return KERNEL_VERSION(major, minor, patch > 255 ? 255 : patch);
}

/* The facts' name of a field: two are not in offsets.csv under ours. */
static const char *
known_fact(unsigned row, unsigned id)
{
	char name[64];
	const char *ours = offsets_name((enum offset)id);

	snprintf(name, sizeof(name), "%s%s", strncmp(ours, "skb.", 4) ? "" : "sk_buff",
	         strncmp(ours, "skb.", 4) ? ours : ours + 3);
	return fact(&kernels, row, name);
}

/* Does every field for which there is a fact have it? Tells how many there were. */
static bool
agrees(const struct offsets *o, unsigned row, unsigned *compared, bool need_kernel)
{
	bool ok = true;

	*compared = 0;
	for (unsigned id = 0; id < OFFSETS; id++) {
		const char *want = known_fact(row, id);

		if (!*want || o->at[id] == OFFSET_NONE)
			continue;
		++*compared;
		if (o->at[id] == atoi(want) && (!need_kernel || o->source[id] == OFFSET_KERNEL))
			continue;
		ok = false;
		printf("# %s: %s is %u of source %u, want %s\n", fact(&kernels, row, "kernel"),
		       offsets_name((enum offset)id), o->at[id], o->source[id], want);
	}
	/* tail stands 4 bytes before end */
	if (o->at[SKB_TAIL] + 4 != atoi(fact(&kernels, row, "sk_buff.end"))) {
		ok = false;
		printf("# %s: tail is %u\n", fact(&kernels, row, "kernel"), o->at[SKB_TAIL]);
	}
	return ok;
}

/* ---- the table ---- */

static bool
is_other(const char *kernel)
{
	return strstr(kernel, "other configuration");
}

static void
test_table(void)
{
	for (unsigned row = 0; row < kernels.rows; row++) {
		const char *kernel = fact(&kernels, row, "kernel");
		struct offsets o;
		unsigned compared;

		offsets_table(&o, version_of(kernel));
		if (is_other(kernel)) {
			CHECK(o.at[SKB_PROTOCOL] == 180
				  && atoi(known_fact(row, SKB_PROTOCOL)) == 176,
			      "table: it does not know every configuration of 6.18");
			continue;
		}
		CHECK(agrees(&o, row, &compared, false), "table: %s %s",
		      fact(&kernels, row, "arch"), kernel);
		CHECK_INT(compared, 26, "table: every fact for %s %s", fact(&kernels, row, "arch"),
			  kernel);
		CHECK(o.exact, "table: %s has a row of its own", kernel);
		CHECK_INT(offsets_missing(&o), OFFSETS, "table: %s lacks nothing", kernel);
	}
}

static void
test_old_buffer(unsigned row)
{
	static const struct { enum offset id; const char *column; } fields[] = {
		{ SKB_SK, "sk" }, { SKB_DEV, "dev" }, { SKB_LEN, "len" }, { SKB_IIF, "skb_iif" },
		{ SKB_PROTOCOL, "protocol" }, { SKB_TRANSPORT, "transport_header" },
		{ SKB_NETWORK, "network_header" }, { SKB_TAIL, "tail" }, { SKB_HEAD, "head" },
		{ SKB_DATA, "data" }, { SKB_USERS, "users" },
	};
	const char *kernel = fact(&buffers, row, "kernel");
	struct offsets o;

	offsets_table(&o, version_of(kernel));
	for (size_t i = 0; i < COUNT(fields); i++)
		CHECK_INT(o.at[fields[i].id], atoi(fact(&buffers, row, fields[i].column)),
		          "table: %s of a distribution's %s", fields[i].column, kernel);
}

static void
test_old_sock(unsigned row)
{
	static const struct { enum offset id; const char *column; } fields[] = {
		{ SOCK_DADDR, "skc_daddr" }, { SOCK_RCV_SADDR, "skc_rcv_saddr" },
		{ SOCK_DPORT, "skc_dport" }, { SOCK_NUM, "skc_num" }, { SOCK_FAMILY, "skc_family" },
		{ SOCK_STATE, "skc_state" }, { SOCK_NET, "skc_net" }, { SOCK_V6_DADDR, "skc_v6_daddr" },
		{ SOCK_V6_RCV_SADDR, "skc_v6_rcv_saddr" }, { NET_INUM, "net.ns.inum" },
	};
	const char *kernel = fact(&socks, row, "kernel");
	struct offsets o;

	offsets_table(&o, version_of(kernel));
	for (size_t i = 0; i < COUNT(fields); i++)
		CHECK_INT(o.at[fields[i].id], atoi(fact(&socks, row, fields[i].column)),
		          "table: %s of %s", fields[i].column, kernel);
}

/* A version between two rows takes the lower one, without what moves from line to line. */
static void
test_neighbours(void)
{
	struct offsets o;

	offsets_table(&o, KERNEL_VERSION(6, 14, 3));
	CHECK_INT(o.row, KERNEL_VERSION(6, 12, 0), "table: 6.14 has 6.12's row");
	CHECK(!o.exact, "table: which is not its own");
	CHECK_INT(o.at[SKB_PROTOCOL], 180, "table: sk_buff from the neighbour");
	for (unsigned id = TCP_RCV_NXT; id <= NET_INUM; id++)
		CHECK(o.at[id] == OFFSET_NONE && o.source[id] == OFFSET_UNKNOWN,
		      "table: %s not from the neighbour", offsets_name((enum offset)id));
	CHECK_INT(offsets_missing(&o), OFFSETS, "table: enough to trace");
	offsets_table(&o, KERNEL_VERSION(9, 0, 0));
	CHECK_INT(o.row, KERNEL_VERSION(7, 3, 0), "table: a future kernel has the last row");
	CHECK(!o.exact, "table: which is not its own either");
	offsets_table(&o, KERNEL_VERSION(3, 10, 0));
	CHECK_INT(o.row, KERNEL_VERSION(4, 4, 0), "table: an ancient one has the first");
	offsets_table(&o, KERNEL_VERSION(6, 1, 255));
	CHECK(o.exact && o.row == KERNEL_VERSION(6, 1, 0), "table: patch levels share a row");
}

/* ---- the kernel's own word ---- */

static struct bpf_insn answer[BPF_ASM_MAX];

static unsigned
read_answer(const char *folder, const char *kernel)
{
	char path[256], line[64];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "tests/facts/%s/%s.hex", folder, kernel);
	file = fopen(path, "r");
	if (!file)
		return 0;
	while (count < BPF_ASM_MAX && fgets(line, sizeof(line), file)) {
		uint8_t *byte = (uint8_t *)&answer[count];
		unsigned n = 0, value;

		while (*line != '#' && n < 8 && sscanf(line + 2 * n, "%2x", &value) == 1)
			byte[n++] = (uint8_t)value;
		count += n == 8;
	}
	fclose(file);
	return count;
}

/* A line of another layout: everything the kernel tells must be corrected. */
static uint32_t
another(uint32_t version)
{
	return version >= KERNEL_VERSION(6, 0, 0) ? KERNEL_VERSION(5, 10, 0)
						  : KERNEL_VERSION(7, 3, 0);
}

/* What the question about sockets must be able to tell; not sock_net, rcv_wnd, what is searched. */
static bool
can_be_told(unsigned id)
{
	return id != SOCK_NET && id != TCP_RCV_WND && id != NET_INUM && id != DEV_NET;
}

static void
test_answer(unsigned row, const char *kernel)
{
	unsigned count = read_answer("readback", kernel), compared, untold = 0;
	struct offsets o;
	int told;

	offsets_table(&o, another(version_of(kernel)));
	o.at[TCP_RCV_WND] = o.at[NET_INUM] = OFFSET_NONE;
	told = offsets_answer(&o, answer, count);
	CHECK(told > 20 && o.asked, "answer: %s tells", kernel);
	for (unsigned id = 0; id < OFFSETS; id++) {
		if (!can_be_told(id) || o.source[id] == OFFSET_KERNEL)
			continue;
		printf("# %s: %s not told\n", kernel, offsets_name((enum offset)id));
		untold++;
	}
	CHECK_INT(untold, 0, "answer: %s tells of every field", kernel);
	o.at[SOCK_NET] = o.at[TCP_RCV_WND] = OFFSET_NONE;
	CHECK(agrees(&o, row, &compared, true), "answer: %s, from another kernel's row", kernel);
	CHECK_INT(compared, 23, "answer: every fact for %s", kernel);
}

/* rcv_wnd cannot be asked: the row of the very kernel must be confirmed by its neighbours. */
static void
test_confirmed(unsigned row, const char *kernel)
{
	unsigned count = read_answer("readback", kernel);
	struct offsets o;

	offsets_table(&o, version_of(kernel));
	offsets_answer(&o, answer, count);
	CHECK_INT(o.at[TCP_RCV_WND], atoi(known_fact(row, TCP_RCV_WND)), "rcv_wnd: %s confirms",
		  kernel);
	CHECK_INT(o.source[TCP_RCV_WND], OFFSET_TABLE, "rcv_wnd: from the table");

	offsets_table(&o, version_of(kernel) + KERNEL_VERSION(0, 1, 0));
	offsets_answer(&o, answer, count);
	if (!o.exact)
		CHECK_INT(o.at[TCP_RCV_WND], OFFSET_NONE, "rcv_wnd: not by %s for a neighbour",
			  kernel);

	for (unsigned id = TCP_RCV_NXT; id <= TCP_TOTAL_RETRANS; id++) {
		if (id == TCP_RCV_WND)
			continue;
		offsets_table(&o, version_of(kernel));
		o.table[id] = (uint16_t)(o.table[id] + 4);
		offsets_answer(&o, answer, count);
		CHECK(o.at[TCP_RCV_WND] == OFFSET_NONE && o.source[TCP_RCV_WND] == OFFSET_UNKNOWN,
		      "rcv_wnd: not on %s when %s moves", kernel, offsets_name((enum offset)id));
	}
}

/* The question without sockets gives the buffer; the rest stays with the table. */
static void
test_alone(unsigned row, const char *kernel)
{
	unsigned count = read_answer("readback/alone", kernel);
	struct offsets o;

	offsets_table(&o, KERNEL_VERSION(4, 19, 0));
	CHECK(offsets_answer(&o, answer, count) > 0, "alone: %s tells", kernel);
	for (unsigned id = SKB_DEV; id <= DEV_IFINDEX; id++) {
		const char *want = known_fact(row, id);

		if (*want)
			CHECK_INT(o.at[id], atoi(want), "alone: %s of %s",
				  offsets_name((enum offset)id), kernel);
	}
	CHECK_INT(o.at[SKB_TAIL] + 4, atoi(fact(&kernels, row, "sk_buff.end")), "alone: tail of %s",
		  kernel);
	CHECK_INT(o.source[SOCK_DADDR], OFFSET_TABLE, "alone: nothing of sockets from %s", kernel);
	CHECK_INT(o.at[TCP_RCV_WND], OFFSET_NONE, "alone: no rcv_wnd on %s", kernel);
}

static void
test_answers(void)
{
	unsigned found = 0;

	for (unsigned row = 0; row < kernels.rows; row++) {
		const char *kernel = fact(&kernels, row, "kernel");

		if (strcmp(fact(&kernels, row, "arch"), "x86_64") != 0
		    || !read_answer("readback", kernel))
			continue;
		found++;
		test_answer(row, kernel);
		test_confirmed(row, kernel);
		test_alone(row, kernel);
	}
	CHECK_INT(found, 9, "answer: all nine kernels' were found");
}

/* ---- answers written by hand ---- */

/* Puts loads where our question had its reads: one after the marker of each question. */
static unsigned
make_answer(const struct bpf_insn *loads, unsigned count)
{
	static struct bpf_asm question;
	unsigned n = 0;

	offsets_question(&question, false);
	for (unsigned i = 0, next = 0; i < question.count; i++) {
		if (question.insn[i].code == (BPF_LDX | BPF_MEM | BPF_W) && next < count) {
			answer[n++] = loads[next++];
			if (answer[n - 1].code == (BPF_LDX | BPF_MEM | BPF_DW)
			    && loads[next - 1].off < 64)
				answer[n++] = loads[next++]; /* ifindex takes two */
		} else {
			answer[n++] = question.insn[i];
		}
	}
	return n;
}

/* Kernels of sk_buff.csv, each configuration: what would the verifier have made of it? */
static void
test_configuration(unsigned row)
{
	const char *kernel = fact(&buffers, row, "kernel");
	const char *name = fact(&buffers, row, "configuration");
#define AT(column) ((int16_t)atoi(fact(&buffers, row, column)))
	const struct bpf_insn loads[] = {
		LOAD(BPF_W, R0, R6, AT("len")), LOAD(BPF_B, R0, R6, AT("len") + 16),
		LOAD(BPF_H, R0, R6, AT("protocol")), LOAD(BPF_W, R0, R6, AT("skb_iif")),
		LOAD(BPF_DW, R0, R6, AT("dev")), LOAD(BPF_W, R0, R0, 216),
		LOAD(BPF_DW, R0, R6, AT("data")),
	};
	struct offsets o;

	offsets_table(&o, version_of(kernel));
	CHECK(offsets_answer(&o, answer, make_answer(loads, COUNT(loads))) > 0, "follows: %s %s",
	      kernel, name);
	CHECK(o.at[SKB_LEN] == AT("len") && o.at[SKB_DEV] == AT("dev")
		  && o.at[SKB_IIF] == AT("skb_iif") && o.at[SKB_DATA] == AT("data")
		  && o.at[DEV_IFINDEX] == 216,
	      "follows: %s %s, what was told", kernel, name);
	CHECK(o.at[SKB_TRANSPORT] == AT("transport_header")
		  && o.at[SKB_NETWORK] == AT("network_header"),
	      "follows: %s %s, headers", kernel, name);
	CHECK(o.at[SKB_HEAD] == AT("head") && o.at[SKB_USERS] == AT("users"),
	      "follows: %s %s, head and users", kernel, name);
	CHECK_INT(o.at[SKB_TAIL], AT("tail"), "follows: %s %s, tail", kernel, name);
#undef AT
}

static void
test_no_answer(void)
{
	static const struct bpf_insn nothing[] = { MOVI(R0, 0), EXIT };
	static struct bpf_asm question;
	struct offsets o, before;

	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	before = o;
	CHECK_INT(offsets_answer(&o, nothing, COUNT(nothing)), -EBADMSG, "no answer: no marker");
	CHECK_INT(offsets_answer(&o, nothing, 0), -EBADMSG, "no answer: no instructions");
	offsets_question(&question, false);
	for (unsigned i = 0; i < question.count; i++)
		if (BPF_CLASS(question.insn[i].code) == BPF_LDX)
			question.insn[i] = (struct bpf_insn)MOVI(R0, 0);
	CHECK_INT(offsets_answer(&o, question.insn, question.count), -EBADMSG,
	          "no answer: no loads, as on a blinded program");
	CHECK(!memcmp(&o, &before, sizeof(o)), "no answer: nothing has changed");
}

static void
test_netns(void)
{
	static struct bpf_asm question;
	struct offsets o;

	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	offsets_netns_answer(&o, 0);
	CHECK_INT(o.source[NET_INUM], OFFSET_TABLE, "inode: not found, the table stands");
	offsets_netns_answer(&o, 280u << 16 | 4000);
	CHECK_INT(o.source[NET_INUM], OFFSET_TABLE, "inode: nonsense, the table stands");
	offsets_netns_answer(&o, 280);
	CHECK(o.at[NET_INUM] == 280 && o.source[NET_INUM] == OFFSET_KERNEL, "inode: found");
	offsets_netns_question(&question, &o, 0xf0000000);
	CHECK(!question.error && question.count > 100 && question.count < BPF_ASM_MAX,
	      "inode: the question links");
	offsets_question(&question, true);
	CHECK(!question.error && question.count > 40, "the question with sockets links");
	offsets_question(&question, false);
	CHECK(!question.error && question.count > 10, "the question without sockets links");
}

/* ---- overrides ---- */

static const struct {
	const char *list;
	int         want;
	enum offset id;
	uint16_t    at;
	const char *says; /* in the message */
} overrides[] = {
	{ "skb.head=200", 0, SKB_HEAD, 200, "" },
	{ "skb.head=0", 0, SKB_HEAD, 0, "" },
	{ "skb.head=8191", 0, SKB_HEAD, 8191, "" },
	{ "skb.head=1,net.ns.inum=280", 0, NET_INUM, 280, "" },
	{ "skb.head=1,skb.head=2", 0, SKB_HEAD, 2, "" },
	{ "sock.skc_v6_rcv_saddr=80", 0, SOCK_V6_RCV_SADDR, 80, "" },
	{ "", 0, SKB_SK, 24, "" },
	{ "skb.heads=200", -EINVAL, OFFSETS, 0, "'skb.heads'" },
	{ "skb.hea=200", -EINVAL, OFFSETS, 0, "'skb.hea'" },
	{ "head=200", -EINVAL, OFFSETS, 0, "'head'" },
	{ "=200", -EINVAL, OFFSETS, 0, "''" },
	{ ",", -EINVAL, OFFSETS, 0, "''" },
	{ "skb.head", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=,skb.data=8", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=0xc8", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=abc", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=12x", -EINVAL, OFFSETS, 0, "'skb.head=12x'" },
	{ "skb.head=-8", -EINVAL, OFFSETS, 0, "skb.head=BYTES" },
	{ "skb.head=8192", -EINVAL, OFFSETS, 0, "8191" },
	{ "skb.head=18446744073709551616", -EINVAL, OFFSETS, 0, "8191" },
	{ "skb.head=1,skb.tail", -EINVAL, OFFSETS, 0, "skb.tail=BYTES" },
};

static void
test_overrides(void)
{
	for (size_t i = 0; i < COUNT(overrides); i++) {
		const char *list = overrides[i].list;
		struct offsets o;
		char err[256] = "";

		offsets_table(&o, KERNEL_VERSION(6, 12, 0));
		CHECK_INT(offsets_override(&o, list, err, sizeof(err)), overrides[i].want,
		          "override: '%s'", list);
		if (!CHECK(strstr(err, overrides[i].says), "override: '%s' says what is wrong",
			   list))
			printf("# %s\n", err);
		if (overrides[i].want)
			continue;
		CHECK_INT(o.at[overrides[i].id], overrides[i].at, "override: '%s' holds", list);
		CHECK_INT(o.source[overrides[i].id], *list ? OFFSET_USER : OFFSET_TABLE,
		          "override: '%s' is the user's", list);
	}
}

static void
test_missing(void)
{
	struct offsets o;

	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	o.at[SKB_HEAD] = OFFSET_NONE;
	CHECK_INT(offsets_missing(&o), SKB_HEAD, "missing: skb.head");
	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	o.at[SOCK_STATE] = OFFSET_NONE;
	CHECK_INT(offsets_missing(&o), SOCK_STATE, "missing: sock.skc_state");
	offsets_table(&o, KERNEL_VERSION(6, 12, 0));
	o.at[NET_INUM] = o.at[TCP_RCV_WND] = o.at[SKB_IIF] = OFFSET_NONE;
	CHECK_INT(offsets_missing(&o), OFFSETS,
		  "missing: nothing without which no drop can be told");
}

int
main(void)
{
	load(&kernels, "tests/facts/offsets.csv");
	load(&buffers, "tests/facts/sk_buff.csv");
	load(&socks, "tests/facts/sock.csv");
	test_table();
	for (unsigned row = 0; row < buffers.rows; row++)
		if (!strcmp(fact(&buffers, row, "configuration"), "distro"))
			test_old_buffer(row);
	for (unsigned row = 0; row < socks.rows; row++)
		test_old_sock(row);
	test_neighbours();
	test_answers();
	for (unsigned row = 0; row < buffers.rows; row++)
		test_configuration(row);
	test_no_answer();
	test_netns();
	test_overrides();
	test_missing();
	return tap_end();
}
