/* SPDX-License-Identifier: MIT */
/*
 * The text of the programs: as listed in tests/golden, within the limits of the
 * oldest verifier for every kernel, probe and filter, and accepted by the one
 * that is running. What they do is in test_behaviour.c. With the name of a
 * golden file it prints what that file should be.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "../attach.h"
#include "../bpf_asm.h"
#include "../event.h"
#include "../filter.h"
#include "../inlined.h"
#include "../kernel.h"
#include "../notes.h"
#include "../offsets.h"
#include "../probe.h"
#include "../program.h"
#include "tap.h"
#include "ways.h"

enum { RAW_TRACEPOINT = PROBES - 2 };

static struct bpf_asm code;
static struct offsets offsets;
static bool packet; /* its bytes are asked for */
static struct filter expression;

static const struct program_maps numbered = {
	.counters = 0, .rings = 1, .bells = 2, .control = 3, .marks = 4, .notes = 5, .summary = 6,
};

static const uint32_t versions[] = {
	KERNEL_VERSION(4, 4, 178), KERNEL_VERSION(4, 9, 229), KERNEL_VERSION(4, 19, 108),
	KERNEL_VERSION(5, 4, 273), KERNEL_VERSION(5, 10, 255), KERNEL_VERSION(5, 15, 135),
	KERNEL_VERSION(6, 1, 192), KERNEL_VERSION(6, 6, 87), KERNEL_VERSION(6, 12, 117),
	KERNEL_VERSION(6, 18, 15), KERNEL_VERSION(7, 3, 4),
};

/* Lists that a verifier which follows each way apart does not get through. */
static char wide[4096];

static void
make_wide(void)
{
	size_t n = (size_t)snprintf(wide, sizeof(wide), "(port 0");

	for (int i = 1; i < 64; i++)
		n += (size_t)snprintf(wide + n, sizeof(wide) - n, " or %d", i);
	n += (size_t)snprintf(wide + n, sizeof(wide) - n, ") and (not portrange 0-100");
	for (int i = 64; i > 0; i--)
		n += (size_t)snprintf(wide + n, sizeof(wide) - n, " and %d-%d", i, 60000 + i);
	n += (size_t)snprintf(wide + n, sizeof(wide) - n, ") or (state listen and (reason 0");
	for (int i = 1; i < 40; i++)
		n += (size_t)snprintf(wide + n, sizeof(wide) - n, " or %d", i);
	n += (size_t)snprintf(wide + n, sizeof(wide) - n, ")) or (host 10.0.0.1");
	for (int i = 1; i < 16; i++)
		n += (size_t)snprintf(wide + n, sizeof(wide) - n,
		                      " or 10.%d.255.200 or 2001:db8::%d", i, i);
	snprintf(wide + n, sizeof(wide) - n, ")");
}

static const struct asked {
	const char           *name;
	struct program_filter filter;
	const char           *text; /* the expression; reasons are numbers */
} filters[] = {
	{ "none",  { 0 }, NULL },
	{ "ipv4",  { .family = 4 }, NULL },
	{ "ipv6",  { .family = 6 }, NULL },
	{ "pid",   { .has_pid = true, .pid = 4294967295 }, NULL },
	{ "pidns", { .has_pid = true, .pid = 17, .pidns_dev = 4, .pidns_ino = 0xf0000afe }, NULL },
	{ "words", { 0 }, "host 10.1.2.3 or 2001:db8::1 and not (net 10.1 or port 80 or portrange 90-99)" },
	{ "state", { 0 }, "src net 2001:db8:8000::/33 and (state listen or none) or reason 2 or 65537" },
	{ "ports", { 0 }, "src port 443 or 80 or 65535 or 1 or 2 or 3 or 4 or 5 or 6 or 7 or 8 or 9" },
	{ "wide",  { 0 }, wide },
	{ "netns", { .netns = 0xf0000afe, .netns_sure = true, .ifindex = 7 }, NULL },
	{ "lo",    { .netns = 0xf0000afe, .ifindex = 1 }, NULL },
	{ "all",   { .family = 4, .has_pid = true, .pid = 17, .pidns_dev = 4, .pidns_ino = 1,
	             .netns = 1, .ifindex = 1 },
	           "host 10.1.2.3 and ip and tcp and not ip6 and state established and reason 3" },
	{ "summary", { 0 }, NULL },
	{ "summary of all", { .family = 6, .has_pid = true, .pid = 17, .netns = 1, .ifindex = 1 },
	           "host 2001:db8::1 and port 443 and state established" },
};

static void
parse(const char *text)
{
	char err[FILTER_ERROR];

	if (filter_parse(&expression, text, err, sizeof(err)))
		printf("Bail out! %s\n", err);
	for (unsigned i = 1; i <= expression.count; i++) {
		struct filter_node *n = &expression.node[i];

		if (n->kind != FILTER_REASON_NAME)
			continue;
		n->kind = FILTER_REASON;
		n->low = n->high = (uint32_t)atoi(text + n->low);
	}
}

static int
build(unsigned probe, uint32_t version, uint8_t arguments, const struct asked *asked,
      struct program_maps maps)
{
	struct program_filter filter = asked->filter;
	static const struct inlined_site site = { .base = 5, .skb = 12 };
	struct program p = {
		.probe = probe_get(probe), .index = (uint8_t)probe, .arguments = arguments, .site = &site,
		.read = version >= KERNEL_VERSION(5, 5, 0) ? BPF_FUNC_probe_read_kernel
		                                           : BPF_FUNC_probe_read,
		.has_consumed = version >= KERNEL_VERSION(6, 6, 0), .consumed = 1,
		.clears = version < KERNEL_VERSION(4, 6, 0), .sk_drops = 168,
		.offsets = &offsets, .filter = &filter, .maps = maps, .packet = packet,
		.summary = !strncmp(asked->name, "summary", 7),
	};

	parse(asked->text);
	filter.expression = &expression;
	offsets_table(&offsets, version);
	offsets.at[DEV_NET] = 264; /* measured: it is in no table */
	return program_build(&code, &p);
}

/* ---- golden listings ---- */

static const struct {
	const char *name;
	const char *command; /* NULL: the filter of that name on the tracepoint of 6.12 */
} golden[] = {
	{ "dump-5.10",    "./tcpdrop --dump=5.10 --probe tracepoint" },
	{ "dump-6.1",     "./tcpdrop --dump=6.1 --probe kfree_skb_reason" },
	{ "dump-6.12",    "./tcpdrop --dump=6.12 --probe sk_skb_reason_drop" },
	{ "dump-summary", "./tcpdrop -s --dump=6.12 --probe sk_skb_reason_drop" },
	{ "dump-7.3",     "./tcpdrop --dump=7.3 --probe tracepoint" },
	{ "dump-write",   "./tcpdrop --dump=6.12 --probe tracepoint -w -" },
	{ "filter-ipv4",  NULL },
	{ "filter-ipv6",  NULL },
	{ "filter-pid",   NULL },
	{ "filter-pidns", NULL },
	{ "filter-ports", NULL },
	{ "filter-netns", NULL },
	{ "filter-state", NULL },
	{ "filter-expression", "./tcpdrop --dump=6.12 --probe tracepoint -P 443,80 "
	  "'src net 10/8 or host 2001:db8::1 and not reason 17'" },
};

static void
list(FILE *to)
{
	for (unsigned i = 0, block = 0; i < code.count; i++) {
		char text[80];

		for (; block < code.blocks && code.block[block].at <= i; block++)
			fprintf(to, "; %s\n", code.block[block].title);
		bpf_asm_print(text, sizeof(text), &code.insn[i], i);
		fprintf(to, "%5u  %s\n", i, text);
		i += code.insn[i].code == (BPF_LD | BPF_DW | BPF_IMM);
	}
}

static FILE *
list_filter(const char *name)
{
	FILE *file = tmpfile();

	for (size_t i = 0; file && i < COUNT(filters); i++) {
		if (strcmp(filters[i].name, name) != 0)
			continue;
		build(RAW_TRACEPOINT, KERNEL_VERSION(6, 12, 0), 4, &filters[i], numbered);
		list(file);
	}
	if (file)
		rewind(file);
	return file;
}

static FILE *
made(size_t i)
{
	return golden[i].command ? popen(golden[i].command, "r")
	                         : list_filter(strchr(golden[i].name, '-') + 1);
}

static bool
same(FILE *a, FILE *b, unsigned *line)
{
	int x, y;

	*line = 1;
	do {
		x = getc(a);
		y = getc(b);
		*line += x == '\n';
	} while (x == y && x != EOF);
	for (int rest = x; rest != EOF;) /* a command must not die of a closed pipe */
		rest = getc(a);
	return x == y;
}

static void
test_golden(size_t i)
{
	char path[64];
	FILE *want, *got = made(i);
	unsigned line = 0;
	int status = 0;

	snprintf(path, sizeof(path), "tests/golden/%s.txt", golden[i].name);
	want = fopen(path, "r");
	if (!want)
		want = fopen("/dev/null", "r");
	if (!CHECK(got && want && same(got, want, &line), "golden: %s", golden[i].name))
		printf("# line %u differs; tests/golden/update shows how and takes it over\n",
		       line);
	if (want)
		fclose(want);
	if (got && golden[i].command)
		status = pclose(got);
	else if (got)
		fclose(got);
	if (golden[i].command)
		CHECK_INT(status, 0, "golden: %s ends with 0", golden[i].command);
}

static int
print_golden(const char *name)
{
	for (size_t i = 0; i < COUNT(golden); i++) {
		FILE *file;
		int c;

		if (strcmp(golden[i].name, name) != 0)
			continue;
		file = made(i);
		while (file && (c = getc(file)) != EOF)
			putchar(c);
		return !file;
	}
	for (size_t i = 0; i < COUNT(golden); i++)
		printf("%s\n", golden[i].name);
	return 1;
}

/* ---- limits ---- */

/* Everything that 4.4's verifier knows and 4.9's allows to a tracer. */
static bool
allowed(const struct bpf_insn *i)
{
	static const int32_t helpers[] = {
		BPF_FUNC_map_lookup_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_delete_elem,
		BPF_FUNC_probe_read, BPF_FUNC_perf_event_output, BPF_FUNC_get_current_comm,
		BPF_FUNC_get_current_pid_tgid, BPF_FUNC_get_smp_processor_id,
		BPF_FUNC_ktime_get_ns,
		BPF_FUNC_probe_read_kernel,       /* 5.5 on */
		BPF_FUNC_get_ns_current_pid_tgid, /* 5.7 on */
	};
	uint8_t op = BPF_OP(i->code), mode = BPF_MODE(i->code);

	switch (BPF_CLASS(i->code)) {
	case BPF_LD:    return i->code == (BPF_LD | BPF_DW | BPF_IMM);
	case BPF_LDX:   return mode == BPF_MEM;
	case BPF_ST:    return mode == BPF_MEM;
	case BPF_STX:   return mode == BPF_MEM || (mode == 0xc0 && i->imm == 0);
	case BPF_ALU:   return op <= BPF_ARSH || (op == BPF_END && i->imm <= 64);
	case BPF_ALU64: return op <= BPF_ARSH;
	case BPF_JMP:   break;
	default:        return false;
	}
	if (op != BPF_CALL)
		return op <= BPF_JSGE || op == BPF_EXIT;
	for (size_t n = 0; n < COUNT(helpers); n++)
		if (i->imm == helpers[n])
			return true;
	return false;
}

static bool
is_wide(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_DW | BPF_IMM);
}

static bool
is_jump(const struct bpf_insn *i)
{
	return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_CALL
	       && BPF_OP(i->code) != BPF_EXIT;
}

/* One pass is enough where no jump goes backward. */
static const char *
check_flow(void)
{
	static bool reached[BPF_ASM_MAX + 1];

	memset(reached, 0, sizeof(reached));
	reached[0] = true;
	for (unsigned at = 0; at < code.count; at++) {
		const struct bpf_insn *i = &code.insn[at];

		if (!reached[at])
			return "an instruction cannot be reached";
		if (is_wide(i)) {
			reached[++at + 1] = true;
			continue;
		}
		if (is_jump(i)) {
			if (i->off < 0 || at + 1 + (unsigned)i->off >= code.count)
				return "a jump goes backward or out of the program";
			reached[at + 1 + (unsigned)i->off] = true;
		}
		if (i->code == (BPF_JMP | BPF_EXIT) || i->code == (BPF_JMP | BPF_JA))
			continue;
		reached[at + 1] = true;
	}
	return reached[code.count] ? "it runs off its end" : NULL;
}

static const char *
check_limits(void)
{
	if (code.count > 4096)
		return "more than 4096 instructions";
	for (unsigned at = 0; at < code.count; at++) {
		const struct bpf_insn *i = &code.insn[at];
		bool load = BPF_CLASS(i->code) == BPF_LDX;
		bool store = BPF_CLASS(i->code) == BPF_ST || BPF_CLASS(i->code) == BPF_STX;

		if (!allowed(i))
			return "an opcode that 4.9 does not have";
		if (((load && i->src_reg == 10) || (store && i->dst_reg == 10))
		    && (i->off < -512 || i->off >= 0))
			return "outside of the stack's 512 bytes";
		if (at && i[-1].code == (BPF_ALU64 | BPF_MOV | BPF_X) && i[-1].src_reg == 10
		    && i->code == (BPF_ALU64 | BPF_ADD | BPF_K) && (i->imm < -512 || i->imm >= 0))
			return "an address outside of the stack's 512 bytes";
		at += is_wide(i);
	}
	return check_flow();
}

/* The programs of 4.4 must not be too involved for it either. */
static void
test_ways(const char *probe, const char *filter)
{
	int ways = ways_count(code.insn, code.count);

	if (CHECK(ways > 0, "ways: %s, %s", probe, filter))
		printf("# %u instructions, %d gone through\n", code.count, ways);
	else
		printf("# %s\n", strerror(-ways));
}

static void
test_limits(uint32_t version, unsigned probe, uint8_t arguments)
{
	char name[32];
	unsigned longest = 0;

	snprintf(name, sizeof(name), "%u.%u", version >> 16, version >> 8 & 255);
	for (size_t i = 0; i < COUNT(filters); i++) {
		const char *wrong;
		int error = build(probe, version, arguments, &filters[i], numbered);

		CHECK_INT(error, 0, "builds: %s, Linux %s, %s", probe_get(probe)->label, name,
		          filters[i].name);
		if (error)
			continue;
		wrong = check_limits();
		if (!CHECK(!wrong, "limits: %s, Linux %s, %s", probe_get(probe)->label, name,
		           filters[i].name))
			printf("# %s\n", wrong);
		if (version < KERNEL_VERSION(4, 7, 0) && probe != RAW_TRACEPOINT)
			test_ways(probe_get(probe)->label, filters[i].name);
		if (code.count > longest)
			longest = code.count;
	}
	printf("# %s, Linux %s: at most %u instructions\n", probe_get(probe)->label, name, longest);
}

static void
test_all_limits(void)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (unsigned i = 0; i < PROBES; i++)
			if (i != RAW_TRACEPOINT)
				test_limits(versions[v], i, 0);
		for (uint8_t arguments = 2; arguments <= 4; arguments++)
			test_limits(versions[v], RAW_TRACEPOINT, arguments);
	}
}

/* ---- offsets that do not fit together ---- */

static const struct {
	const char *list;
	int         want;
} misfits[] = {
	{ "skb.head=192,skb.data=200,skb.users=212", 0 },
	{ "skb.protocol=176,skb.transport_header=178,skb.network_header=180,skb.tail=184", 0 },
	{ "skb.head=204", -ERANGE },
	{ "skb.data=4", -ERANGE },
	{ "skb.users=4000", -ERANGE },
	{ "skb.users=8191", -ERANGE },
	{ "skb.users=0", -ERANGE },
	{ "skb.len=8191", -ERANGE },
	{ "skb.len=113", -ERANGE },
	{ "skb.network_header=8", -ERANGE },
	{ "skb.tail=186", -ERANGE },
	{ "skb.dev=64", -ERANGE },
	{ "skb.dev=20", -ERANGE },
	{ "skb.sk=0", -ERANGE },
	{ "skb.dev=24,skb.sk=24", -ERANGE },
	{ "sock.skc_daddr=8191", -ERANGE },
	{ "sock.skc_state=2000", -ERANGE },
	{ "net_device.ifindex=8191", 0 },
};

static void
test_misfits(void)
{
	static const struct program_filter none;
	struct program p = {
		.arguments = 4, .read = BPF_FUNC_probe_read_kernel, .offsets = &offsets, .filter = &none,
		.maps = numbered,
	};
	char err[128];

	for (size_t i = 0; i < COUNT(misfits); i++) {
		offsets_table(&offsets, KERNEL_VERSION(6, 12, 0));
		if (offsets_override(&offsets, misfits[i].list, err, sizeof(err)))
			printf("Bail out! %s\n", err);
		p.probe = probe_get(RAW_TRACEPOINT);
		CHECK_INT(program_build(&code, &p), misfits[i].want, "offsets: %s",
			  misfits[i].list);
		p.probe = probe_get(0);
		CHECK_INT(program_build(&code, &p), misfits[i].want, "offsets, kprobe: %s",
			  misfits[i].list);
		if (!misfits[i].want)
			CHECK(!check_limits(), "offsets: within limits with %s", misfits[i].list);
	}
	for (unsigned id = 0; id < OFFSETS; id++) {
		int want;

		offsets_table(&offsets, KERNEL_VERSION(6, 12, 0));
		offsets.at[id] = OFFSET_NONE;
		want = offsets_missing(&offsets) == OFFSETS ? 0 : -ERANGE;
		CHECK(program_build(&code, &p) == want && (want || !check_limits()),
		      "offsets: without %s", offsets_name((enum offset)id));
	}
}

/* ---- the running kernel ---- */

/* How much the verifier had to do, from the last lines of its log. */
static unsigned
processed(const char *log)
{
	const char *found = NULL;
	unsigned count = 0;

	for (const char *p = log; (p = strstr(p, "processed ")); p++)
		found = p;
	if (found)
		sscanf(found, "processed %u", &count);
	return count;
}

static void
test_load(unsigned probe, uint32_t version, const struct asked *filter, struct program_maps maps)
{
	enum { LOG = (16 << 20) - 1 }; /* UINT_MAX >> 8: older kernels take no more */
	static char log[LOG];
	enum probe_kind kind = probe_get(probe)->kind;
	struct attach_program p = {
		.type = kind == PROBE_TRACEPOINT ? BPF_PROG_TYPE_RAW_TRACEPOINT
		        : kind == PROBE_EVENT ? BPF_PROG_TYPE_TRACEPOINT : BPF_PROG_TYPE_KPROBE,
		.insn = code.insn, .version = version, .log = log, .log_size = LOG,
	};
	int fd;

	log[0] = '\0';
	if (build(probe, version, version >= KERNEL_VERSION(6, 11, 0) ? 4 : 2, filter, maps))
		return;
	p.count = code.count;
	fd = attach_load(&p);
	if (fd == -ENOSPC) {
		p.log = NULL;
		fd = attach_load(&p);
	}
	if (CHECK(fd >= 0, "verifier: %s, %s", probe_get(probe)->label, filter->name)) {
		printf("# %u instructions, %u processed\n", code.count, processed(log));
		close(fd);
	} else {
		printf("# %s\n# %.400s\n", strerror(-fd),
		       strlen(log) > 400 ? log + strlen(log) - 400 : log);
	}
}

/* The program of a probe's notes: within the limits, and loaded. */
static void
test_load_note(unsigned probe, uint32_t version, struct program_maps maps)
{
	static const struct program_filter none;
	struct program q = {
		.probe = probe_get(probe), .offsets = &offsets, .filter = &none, .maps = maps,
		.read = version >= KERNEL_VERSION(5, 5, 0) ? BPF_FUNC_probe_read_kernel
		                                           : BPF_FUNC_probe_read,
		.sk_drops = 168,
	};
	struct attach_program p = { .type = BPF_PROG_TYPE_KPROBE, .insn = code.insn,
	                            .version = version };
	int fd;

	if (!q.probe->notes[0])
		return;
	CHECK_INT(program_build_note(&code, &q), 0, "builds: notes of %s", q.probe->label);
	CHECK(!check_limits(), "limits: notes of %s", q.probe->label);
	p.count = code.count;
	fd = attach_load(&p);
	if (CHECK(fd >= 0, "verifier: notes of %s", q.probe->label))
		close(fd);
}

static void
test_verifier(void)
{
	struct program_maps maps = {
		.counters = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct program_counters), 64),
		.rings = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1),
		.bells = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1),
		.control = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct program_control), 1),
		.marks = attach_map(BPF_MAP_TYPE_HASH, 8, 4, 16),
		.notes = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct note), 64),
		.summary = attach_map(BPF_MAP_TYPE_HASH, sizeof(struct summary_key),
		                      sizeof(struct summary_count), 32),
	};
	uint32_t version = kernel_version();
	char cause[128];

	if (maps.counters < 0 || maps.rings < 0) {
		snprintf(cause, sizeof(cause), "%s: cannot make BPF maps: %s",
		         geteuid() ? "not root" : "root, but",
		         strerror(maps.counters < 0 ? -maps.counters : -maps.rings));
		SKIP(cause, "verifier: the running kernel's");
		return;
	}
	for (unsigned probe = 0; probe < PROBES; probe++)
		test_load_note(probe, version, maps);
	for (unsigned probe = 0; probe < PROBES; probe++)
		for (size_t i = 0; i < COUNT(filters); i++)
			if (!filters[i].filter.pidns_ino || version >= KERNEL_VERSION(5, 7, 0))
				test_load(probe, version, &filters[i], maps);
	close(maps.counters);
	close(maps.rings);
	close(maps.bells);
	close(maps.control);
	close(maps.marks);
	close(maps.notes);
	close(maps.summary);
}

int
main(int argc, char **argv)
{
	make_wide();
	if (argc > 1)
		return print_golden(argv[1]);
	for (size_t i = 0; i < COUNT(golden); i++)
		test_golden(i);
	for (int i = 0; i < 2; i++, packet = true) {
		printf("# %s the packet's bytes\n", packet ? "with" : "without");
		test_all_limits();
		test_verifier();
	}
	packet = false;
	test_misfits();
	return tap_end();
}
