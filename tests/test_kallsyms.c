/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../drop.h"
#include "../kallsyms.h"
#include "tap.h"

static struct kallsyms ks;

/* text in pieces of the given size, each in an exact allocation */
static int
load_pieces(const char *text, size_t n, size_t piece)
{
	kallsyms_free(&ks);
	for (size_t i = 0; i < n; i += piece) {
		size_t size = n - i < piece ? n - i : piece;
		char *copy = malloc(size);
		int err;

		if (!copy)
			return -ENOMEM;
		memcpy(copy, text + i, size);
		err = kallsyms_parse(&ks, copy, size);
		free(copy);
		if (err)
			return err;
	}
	return kallsyms_finish(&ks);
}

static int
load(const char *text)
{
	return load_pieces(text, strlen(text), 4096);
}

/* "name+0x1f [module]" or "-" */
static const char *
found(uint64_t address)
{
	static char buf[1024];
	struct frame f;
	bool ok = kallsyms_find(&ks, address, &f);

	if (f.address != address || ok != (f.name != NULL))
		return "frame is not consistent";
	if (!ok)
		return f.module || f.offset ? "frame is not empty" : "-";
	snprintf(buf, sizeof(buf), "%s+0x%" PRIx32 "%s%s%s", f.name, f.offset,
	         f.module ? " [" : "", f.module ? f.module : "", f.module ? "]" : "");
	return buf;
}

static const char x86[] =
	"0000000000000000 A fixed_percpu_data\n"
	"0000000000021000 D cpu_tlbstate\n"
	"ffffffff81000000 T _stext\n"
	"ffffffff81000000 T _text\n"
	"ffffffff81000000 T startup_64\n"
	"ffffffff81000060 t early_setup\n"
	"ffffffff81000060 T early_setup_idt\n"
	"ffffffff810000f0 t __pfx_tcp_drop_reason\n"
	"ffffffff81000100 t tcp_drop_reason\n"
	"ffffffff81000180 t __pfx_tcp_rcv_established\n"
	"ffffffff81000190 T tcp_rcv_established\n"
	"ffffffff81000300 t tcp_ack.isra.0\n"
	"ffffffff81000400 t tcp_v4_rcv.cold\n"
	"ffffffff81000500 W arch_weak\n"
	"ffffffff81000500 T arch_strong\n"
	"ffffffff81000600 T __memcpy\n"
	"ffffffff81000600 W memcpy\n"
	"ffffffff81000700 T __irqentry_text_start\n"
	"ffffffff81000700 t asm_common_interrupt\n"
	"ffffffff81000800 T __x64_sys_a\n"
	"ffffffff81000800 T _a\n"
	"ffffffff81000900 t __do_sys_getgid\n"
	"ffffffff81000900 T __ia32_sys_getgid\n"
	"ffffffff81000900 T __x64_sys_getgid\n"
	"ffffffff81001000 T _etext\n"
	"ffffffff81200000 R __start_rodata\n"
	"ffffffff82000000 D init_task\n"
	"ffffffff83000000 T _sinittext\n"
	"ffffffff83000000 t init_first\n"
	"ffffffff83000100 b bss_thing\n"
	"ffffffffc0900000 t nf_hook\t[nf_tables]\n"
	"ffffffffc0900100 T nf_eval\t[nf_tables]\n"
	"ffffffffc0900080 t nf_middle\t[nf_tables]\n"
	"ffffffffc0900090 d nf_data\t[nf_tables]\n"
	"ffffffffc0100000 t veth_xmit\t[veth]\n"
	"ffffffffc0100000 T veth_open\t[veth]\n"
	"ffffffffc0200000 t bpf_prog_6deef7357e7b4530_sd_fw\t[bpf]\n";

static const struct {
	uint64_t address;
	const char *want;
} places[] = {
	{ 0,                  "-" },
	{ 0x21000,            "-" },
	{ 0x7fffffffe000,     "-" },
	{ 0xffffffff80ffffff, "-" },
	{ 0xffffffff81000000, "startup_64+0x0" },
	{ 0xffffffff8100005f, "startup_64+0x5f" },
	{ 0xffffffff81000060, "early_setup_idt+0x0" },
	{ 0xffffffff81000100, "tcp_drop_reason+0x0" },
	{ 0xffffffff8100017f, "tcp_drop_reason+0x7f" },
	{ 0xffffffff81000190, "tcp_rcv_established+0x0" },
	{ 0xffffffff81000301, "tcp_ack.isra.0+0x1" },
	{ 0xffffffff81000410, "tcp_v4_rcv.cold+0x10" },
	{ 0xffffffff81000504, "arch_strong+0x4" },
	{ 0xffffffff81000600, "__memcpy+0x0" },
	{ 0xffffffff81000700, "asm_common_interrupt+0x0" },
	{ 0xffffffff810008ff, "_a+0xff" },
	{ 0xffffffff81000fff, "__x64_sys_getgid+0x6ff" },
	{ 0xffffffff81001000, "-" },
	{ 0xffffffff81200010, "-" },
	{ 0xffffffff82000010, "-" },
	{ 0xffffffff83000000, "init_first+0x0" },
	{ 0xffffffff830000ff, "init_first+0xff" },
	{ 0xffffffff83000100, "-" },
	{ 0xffffffffc0900000, "nf_hook+0x0 [nf_tables]" },
	{ 0xffffffffc0900085, "nf_middle+0x5 [nf_tables]" },
	{ 0xffffffffc0900095, "nf_middle+0x15 [nf_tables]" },
	{ 0xffffffffc0900100, "nf_eval+0x0 [nf_tables]" },
	{ 0xffffffffc0100000, "veth_open+0x0 [veth]" },
	{ 0xffffffffc0200001, "bpf_prog_6deef7357e7b4530_sd_fw+0x1 [bpf]" },
	{ 0xffffffffc093ffff, "nf_eval+0x3feff [nf_tables]" },
	{ 0xffffffffc0940100, "-" },
	{ UINT64_MAX,         "-" },
};

static void
test_find(void)
{
	CHECK_INT(load(x86), 0, "x86-64 loads");
	for (size_t i = 0; i < COUNT(places); i++)
		CHECK_STR(found(places[i].address), places[i].want, "find %" PRIx64,
		          places[i].address);
}

static void
test_pieces(void)
{
	size_t n = strlen(x86);

	for (size_t piece = 1; piece <= n; piece += piece < 100 ? 1 : 37) {
		size_t wrong = 0;
		int err = load_pieces(x86, n, piece);

		for (size_t i = 0; i < COUNT(places); i++)
			wrong += strcmp(found(places[i].address), places[i].want) != 0;
		if (err || wrong) {
			CHECK(false, "in pieces of %zu: error %d, %zu wrong", piece, err, wrong);
			return;
		}
	}
	CHECK(true, "in pieces of every size");
	CHECK_INT(load_pieces(x86, n - 1, 7), 0, "without the last line end");
	CHECK_STR(found(0xffffffffc0200001), places[28].want, "without the last line end: found");
}

static void
test_layouts(void)
{
	static const struct {
		const char *name;
		const char *text;
		struct {
			uint64_t address;
			const char *want;
		} look[3];
	} rows[] = {
		{ "32-bit", "c0008000 T stext\nc0100000 t func\nbf000000 t mod_f\t[mod]\n",
		  { { 0xc0100004, "func+0x4" }, { 0xbf000010, "mod_f+0x10 [mod]" },
		    { 0xbeffffff, "-" } } },
		{ "modules below", "ffff800080010000 T _stext\nffff800080020000 T func\n"
		  "ffff800078000000 t low\t[mod]\n",
		  { { 0xffff800080020001, "func+0x1" }, { 0xffff800078000001, "low+0x1 [mod]" },
		    { 0xffff800077ffffff, "-" } } },
		{ "far apart", "c000000000000000 T _stext\nc000000000001000 T func\n"
		  "c008000000000000 t far\t[mod]\nb000000000000000 t lower\t[bpf]\n",
		  { { 0xc000000000001004, "func+0x4" }, { 0xc008000000000010, "far+0x10 [mod]" },
		    { 0xb000000000000001, "lower+0x1 [bpf]" } } },
		{ "end of the address space", "0000000080000000 T low\nffffffffffffff00 T high\n",
		  { { 0x80000001, "low+0x1" }, { 0xffffffffffffffff, "high+0xff" },
		  { 0x7fffffff, "-" } } },
		{ "data far away marks nothing", "ffffffff81000000 T func\n0000000000001000 D low\n"
		  "ffffffff81000100 T next\n",
		  { { 0xffffffff81000010, "func+0x10" }, { 0xffffffff81000100, "next+0x0" },
		    { 0x1000, "-" } } },
		{ "data in code", "ffffffff81000000 T func\nffffffff81000010 r table\n"
		  "ffffffff81000020 t more\n",
		  { { 0xffffffff8100000f, "func+0xf" }, { 0xffffffff81000010, "-" },
		    { 0xffffffff81000021, "more+0x1" } } },
		{ "data where code begins", "ffffffff81000000 T a\nffffffff81000010 r table\n"
		  "ffffffff81000010 t b\n",
		  { { 0xffffffff81000010, "b+0x0" }, { 0xffffffff81000001, "a+0x1" } } },
		{ "not in order at all", "ffffffff81000300 t c\nffffffff81000100 t a\n"
		  "ffffffff81000200 t b\nffffffff81000100 T A\n",
		  { { 0xffffffff81000100, "A+0x0" }, { 0xffffffff81000201, "b+0x1" },
		    { 0xffffffff81000302, "c+0x2" } } },
		{ "padding and type words", "ffffffff81000000 t a\nffffffff810000f0 t __cfi_b\n"
		  "ffffffff81000100 t b\nffffffff81000200 t $x\n",
		  { { 0xffffffff810000f0, "a+0xf0" }, { 0xffffffff81000200, "b+0x100" } } },
		{ "a function named _etext_x", "ffffffff81000000 t _etext_x\n",
		  { { 0xffffffff81000000, "_etext_x+0x0" }, { 0xffffffff80000000, "-" } } },
		{ "capital digits", "FFFFFFFF81000000 t a\n",
		  { { 0xffffffff81000001, "a+0x1" }, { 0, "-" } } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(load(rows[i].text), 0, "%s: loads", rows[i].name);
		for (size_t j = 0; j < COUNT(rows[i].look) && rows[i].look[j].want; j++)
			CHECK_STR(found(rows[i].look[j].address), rows[i].look[j].want,
			          "%s: %" PRIx64, rows[i].name, rows[i].look[j].address);
	}
}

/* One function of a file, with what may stand around it; the file is longer than one read. */
static void
test_lookup(void)
{
	static const struct {
		const char *name, *lines;
		uint64_t    start, end; /* 0: not found */
	} rows[] = {
		{ "in the middle", "ffffffff81000000 t a\nffffffff81000100 T target\n"
		  "ffffffff81000180 t b\n", 0xffffffff81000100, 0xffffffff81000180 },
		{ "padding before it", "ffffffff810000f0 t __pfx_target\nffffffff81000100 t target\n"
		  "ffffffff81000180 t __pfx_b\n", 0xffffffff81000100, 0xffffffff81000180 },
		{ "two at its place", "ffffffff81000100 t target\nffffffff81000100 t alias\n"
		  "ffffffff81000180 t b\n", 0xffffffff81000100, 0xffffffff81000180 },
		{ "made simpler", "ffffffff81000100 t target.isra.0\nffffffff81000180 t b\n",
		  0xffffffff81000100, 0xffffffff81000180 },
		{ "its cold part alone", "ffffffff81000100 t target.cold\n"
		  "ffffffff81000180 t b\n", 0, 0 },
		{ "a longer name", "ffffffff81000100 t target_b\nffffffff81000180 t b\n", 0, 0 },
		{ "data", "ffffffff81000100 D target\nffffffff81000180 t b\n", 0, 0 },
		{ "the last symbol", "ffffffff81000100 t target\n", 0, 0 },
		{ "hidden", "0000000000000000 t target\n0000000000000000 t b\n", 0, 0 },
		{ "not there", "ffffffff81000100 t a\nffffffff81000180 t b\n", 0, 0 },
	};
	static const char path[] = "tests/build/kallsyms.lookup";

	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned before = 0; before <= 700; before += 350) {
			FILE *file = fopen(path, "we");
			uint64_t start = 1, end = 1;
			bool found;

			for (unsigned n = 0; file && n < before; n++)
				fprintf(file, "ffffffff80%06x t function_number_%u\n", n * 16, n);
			if (!file || fputs(rows[i].lines, file) < 0 || fclose(file)) {
				SKIP("cannot write tests/build", "lookup");
				return;
			}
			found = kallsyms_lookup(path, "target", &start, &end);
			CHECK(found == (rows[i].start != 0) && start == rows[i].start
			      && end == rows[i].end, "lookup: %s, %u lines before", rows[i].name,
			      before);
		}
	unlink(path);
	{
		uint64_t start, end;

		CHECK(!kallsyms_lookup("/no/such/file", "target", &start, &end) && !start && !end,
		      "lookup: no file");
	}
}

static void
test_errors(void)
{
	static const struct {
		const char *name;
		const char *text;
		int err;
	} rows[] = {
		{ "empty",            "", -ENODATA },
		{ "hidden addresses", "0000000000000000 T _text\n0000000000000000 t a\n", -EPERM },
		{ "hidden, 32-bit",   "00000000 T _text\n00000000 t a\n", -EPERM },
		{ "data only",        "ffffffff81000000 D a\nffffffff81000010 b c\n", -ENODATA },
		{ "no symbols",       "\n\n \nffffffff81000000\nffffffff81000000 T\n", -ENODATA },
		{ "no number",        " T a\nzzzz T a\n0x10 T a\n", -ENODATA },
		{ "number too long",  "1ffffffff81000000 T a\n", -ENODATA },
		{ "no name",          "ffffffff81000000 T \n", -ENODATA },
		{ "tab in the way",   "ffffffff81000000\tT a\nffffffff81000000 \t abc\n", -ENODATA },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(load(rows[i].text), rows[i].err, "%s", rows[i].name);
		CHECK_STR(found(0xffffffff81000000), "-", "%s: nothing is found", rows[i].name);
	}
	kallsyms_free(&ks);
	CHECK_INT(kallsyms_read(&ks, "/no/such/file"), -ENOENT, "no such file");
	kallsyms_free(&ks);
	CHECK_INT(kallsyms_read(&ks, "/"), -EISDIR, "a directory");
	kallsyms_free(&ks);
	CHECK_STR(found(0xffffffff81000000), "-", "a freed table finds nothing");
}

/* Lines at the limit and over it, in one piece and in many. */
static void
test_long_lines(void)
{
	static char text[4 * KALLSYMS_LINE];

	for (int n = KALLSYMS_LINE - 2; n <= KALLSYMS_LINE + 2; n++) {
		int name = n - 19;
		int size = snprintf(text, sizeof(text), "ffffffff81000000 t %0*d\n"
		                    "ffffffff81001000 t after\n", name, 7);
		for (int piece = size; piece > 0; piece -= 61) {
			int err = load_pieces(text, (size_t)size, (size_t)piece);
			bool has = strcmp(found(0xffffffff81000000), "-") != 0;

			if (err || has != (n < KALLSYMS_LINE) ||
			    strcmp(found(0xffffffff81001000), "after+0x0")) {
				CHECK(false, "line of %d in pieces of %d", n, piece);
				return;
			}
		}
	}
	CHECK(true, "lines of any length in pieces of any size");
}

static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Many symbols in a shuffled tail, against the plain truth: name says address. */
static void
test_many(void)
{
	enum { SYMBOLS = 70000, BYTES = SYMBOLS * 48 };
	char *text = malloc(BYTES);
	size_t used = 0, wrong = 0;
	uint32_t seed = 1;

	if (!text)
		return;
	for (uint32_t i = 0; i < SYMBOLS; i++) {
		uint32_t at = i < SYMBOLS / 2 ? i : SYMBOLS / 2 + next(&seed) % SYMBOLS;

		used += (size_t)snprintf(text + used, BYTES - used,
		                         "ffffffff%08" PRIx32 " t f_%" PRIx32 "\t[m%" PRIu32 "]\n",
		                         0x81000000 + at * 16, at, at % 300);
	}
	CHECK_INT(load_pieces(text, used, 4096), 0, "many: load");
	for (uint32_t i = 1; i < ks.count; i++)
		wrong += ks.symbol[i].address <= ks.symbol[i - 1].address;
	CHECK_INT(wrong, 0, "many: in order, one name an address");
	for (uint32_t i = 0; i < SYMBOLS / 2; i++) {
		char want[64];

		snprintf(want, sizeof(want), "f_%" PRIx32 "+0xf [m%" PRIu32 "]", i, i % 300);
		wrong += strcmp(found(0xffffffff81000000 + i * 16 + 15), want) != 0;
	}
	CHECK_INT(wrong, 0, "many: each is found");
	free(text);
}

/* Text in each line of the running kernel's file is found by its address. */
static void
test_running(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	size_t symbols = 0, missing = 0;
	char line[1024];
	int err;

	kallsyms_free(&ks);
	err = kallsyms_read(&ks, "/proc/kallsyms");
	if (!f || err == -EPERM || err == -ENODATA) {
		SKIP(f ? "its addresses are hidden" : "no /proc/kallsyms", "the running kernel");
		if (f)
			fclose(f);
		return;
	}
	CHECK_INT(err, 0, "the running kernel loads");
	while (fgets(line, sizeof(line), f)) {
		uint64_t address;
		char type, name[640];
		struct frame frame;

		if (sscanf(line, "%" SCNx64 " %c %639s", &address, &type, name) != 3)
			continue;
		if (type != 'T' && type != 't')
			continue;
		if (!strncmp(name, "__pfx_", 6) || !strncmp(name, "__cfi_", 6))
			continue;
		if (*name == '$' || !strcmp(name, "_etext"))
			continue;
		symbols++;
		if (!kallsyms_find(&ks, address, &frame) || frame.offset)
			missing++;
	}
	fclose(f);
	CHECK(symbols > 1000, "the running kernel has %zu symbols of code", symbols);
	CHECK_INT(missing, 0, "each is found at its own address");
	CHECK((size_t)ks.count * 16 + ks.text_used < 3000000 || symbols > 80000,
	      "%" PRIu32 " symbols take %zu bytes", ks.count, (size_t)ks.count * 16 + ks.text_used);
}

int
main(void)
{
	test_find();
	test_pieces();
	test_layouts();
	test_errors();
	test_long_lines();
	test_many();
	test_running();
	kallsyms_free(&ks);
	test_lookup();
	return tap_end();
}
