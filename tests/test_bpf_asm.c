/* SPDX-License-Identifier: MIT */
/*
 * The bytes are written by hand from the kernel's "BPF Instruction Set
 * Architecture": opcode, source and destination register in one byte, 16 bits of
 * offset, 32 bits of immediate, the last two in host byte order (little-endian
 * here).
 */
#include <linux/bpf.h>

#include <errno.h>
#include <stdint.h>

#include "../bpf_asm.h"
#include "../bpf_insns.h"
#include "tap.h"

#define BYTES(...) { __VA_ARGS__ }

static const struct {
	const char     *name;
	struct bpf_insn insn;
	uint8_t         want[8];
} macros[] = {
	{ "MOV",        MOV(R6, R1),            BYTES(0xbf, 0x16, 0, 0, 0, 0, 0, 0) },
	{ "MOV fp",     MOV(R1, FP),            BYTES(0xbf, 0xa1, 0, 0, 0, 0, 0, 0) },
	{ "MOVI",       MOVI(R2, 0x12345678),   BYTES(0xb7, 0x02, 0, 0, 0x78, 0x56, 0x34, 0x12) },
	{ "MOVI -1",    MOVI(R9, -1),           BYTES(0xb7, 0x09, 0, 0, 0xff, 0xff, 0xff, 0xff) },
	{ "MOV32I",     MOV32I(R3, 0xffffffff), BYTES(0xb4, 0x03, 0, 0, 0xff, 0xff, 0xff, 0xff) },
	{ "ADD",        ADD(R8, R9),            BYTES(0x0f, 0x98, 0, 0, 0, 0, 0, 0) },
	{ "ADDI",       ADDI(R1, -512),         BYTES(0x07, 0x01, 0, 0, 0x00, 0xfe, 0xff, 0xff) },
	{ "SUB",        SUB(R9, R1),            BYTES(0x1f, 0x19, 0, 0, 0, 0, 0, 0) },
	{ "ANDI",       ANDI(R9, 15),           BYTES(0x57, 0x09, 0, 0, 15, 0, 0, 0) },
	{ "ORI",        ORI(R1, 2),             BYTES(0x47, 0x01, 0, 0, 2, 0, 0, 0) },
	{ "LSHI",       LSHI(R5, 3),            BYTES(0x67, 0x05, 0, 0, 3, 0, 0, 0) },
	{ "RSHI",       RSHI(R0, 32),           BYTES(0x77, 0x00, 0, 0, 32, 0, 0, 0) },
	{ "BE 16",      BE(R1, 16),             BYTES(0xdc, 0x01, 0, 0, 16, 0, 0, 0) },
	{ "BE 32",      BE(R4, 32),             BYTES(0xdc, 0x04, 0, 0, 32, 0, 0, 0) },
	{ "LOAD W",     LOAD(BPF_W, R0, R1, 112),   BYTES(0x61, 0x10, 112, 0, 0, 0, 0, 0) },
	{ "LOAD H",     LOAD(BPF_H, R3, FP, -2),    BYTES(0x69, 0xa3, 0xfe, 0xff, 0, 0, 0, 0) },
	{ "LOAD B",     LOAD(BPF_B, R4, R9, 18),    BYTES(0x71, 0x94, 18, 0, 0, 0, 0, 0) },
	{ "LOAD DW",    LOAD(BPF_DW, R7, R6, 0x70), BYTES(0x79, 0x67, 0x70, 0, 0, 0, 0, 0) },
	{ "STORE W",    STORE(BPF_W, FP, -8, R1),   BYTES(0x63, 0x1a, 0xf8, 0xff, 0, 0, 0, 0) },
	{ "STORE H",    STORE(BPF_H, FP, -300, R9), BYTES(0x6b, 0x9a, 0xd4, 0xfe, 0, 0, 0, 0) },
	{ "STORE B",    STORE(BPF_B, R2, 7, R3),    BYTES(0x73, 0x32, 7, 0, 0, 0, 0, 0) },
	{ "STORE DW",   STORE(BPF_DW, FP, -16, R8), BYTES(0x7b, 0x8a, 0xf0, 0xff, 0, 0, 0, 0) },
	{ "STOREI W",   STOREI(BPF_W, FP, -8, 1),   BYTES(0x62, 0x0a, 0xf8, 0xff, 1, 0, 0, 0) },
	{ "STOREI H",   STOREI(BPF_H, FP, -8, 258), BYTES(0x6a, 0x0a, 0xf8, 0xff, 2, 1, 0, 0) },
	{ "STOREI B",   STOREI(BPF_B, FP, -1, 6),   BYTES(0x72, 0x0a, 0xff, 0xff, 6, 0, 0, 0) },
	{ "STOREI DW",  STOREI(BPF_DW, R9, 0, -1),  BYTES(0x7a, 0x09, 0, 0, 0xff, 0xff, 0xff, 0xff) },
	{ "ATOMIC_ADD", ATOMIC_ADD(R0, 8, R1),      BYTES(0xdb, 0x10, 8, 0, 0, 0, 0, 0) },
	{ "JEQ",        JEQ(R1, R2, 5),         BYTES(0x1d, 0x21, 5, 0, 0, 0, 0, 0) },
	{ "JEQI",       JEQI(R7, 4, 6),         BYTES(0x15, 0x07, 6, 0, 4, 0, 0, 0) },
	{ "JNE",        JNE(R0, R1, 7),         BYTES(0x5d, 0x10, 7, 0, 0, 0, 0, 0) },
	{ "JNEI",       JNEI(R0, 0, 8),         BYTES(0x55, 0x00, 8, 0, 0, 0, 0, 0) },
	{ "JGTI",       JGTI(R9, 19, 258),      BYTES(0x25, 0x09, 2, 1, 19, 0, 0, 0) },
	{ "JSGTI",      JSGTI(R9, 3, 11),       BYTES(0x65, 0x09, 11, 0, 3, 0, 0, 0) },
	{ "JSGEI",      JSGEI(R9, 0, 12),       BYTES(0x75, 0x09, 12, 0, 0, 0, 0, 0) },
	{ "JSETI",      JSETI(R3, 0x1fff, 13),  BYTES(0x45, 0x03, 13, 0, 0xff, 0x1f, 0, 0) },
	{ "GOTO",       GOTO(14),               BYTES(0x05, 0x00, 14, 0, 0, 0, 0, 0) },
	{ "CALL",       CALL(BPF_FUNC_probe_read), BYTES(0x85, 0x00, 0, 0, 4, 0, 0, 0) },
	{ "EXIT",       EXIT,                   BYTES(0x95, 0x00, 0, 0, 0, 0, 0, 0) },
/* Not every tcpdrop has a use for these. */
#ifdef AND
	{ "AND",        AND(R1, R2),            BYTES(0x5f, 0x21, 0, 0, 0, 0, 0, 0) },
#endif
#ifdef OR
	{ "OR",         OR(R3, R4),             BYTES(0x4f, 0x43, 0, 0, 0, 0, 0, 0) },
#endif
#ifdef JGT
	{ "JGT",        JGT(R1, R2, 9),         BYTES(0x2d, 0x21, 9, 0, 0, 0, 0, 0) },
#endif
#ifdef JGEI
	{ "JGEI",       JGEI(R1, 1, 10),        BYTES(0x35, 0x01, 10, 0, 1, 0, 0, 0) },
#endif
};

static void
test_macros(void)
{
	static const struct bpf_insn map[] = { LOAD_MAP(R1, 0x12345) };
	static const struct bpf_insn number[] = { LOAD64(R2, 0x1122334455667788) };
	static const uint8_t want_map[16] = { 0x18, 0x11, 0, 0, 0x45, 0x23, 0x01 };
	static const uint8_t want_number[16] = {
		0x18, 0x02, 0, 0, 0x88, 0x77, 0x66, 0x55, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
	};

	for (size_t i = 0; i < COUNT(macros); i++)
		CHECK(!memcmp(&macros[i].insn, macros[i].want, 8), "bytes: %s", macros[i].name);
	CHECK(sizeof(map) == 16 && !memcmp(map, want_map, 16), "bytes: LOAD_MAP");
	CHECK(sizeof(number) == 16 && !memcmp(number, want_number, 16), "bytes: LOAD64");
}

/* ---- labels ---- */

static struct bpf_asm a;

static int
link_these(unsigned first_label, const struct bpf_insn *insn, size_t count)
{
	bpf_asm_start(&a, first_label);
	bpf_asm_append(&a, "block", insn, count);
	return bpf_asm_link(&a);
}

#define LINK(labels, ...) \
	link_these((labels), (const struct bpf_insn[]){ __VA_ARGS__ }, \
	           sizeof((const struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

static void
test_labels(void)
{
	CHECK_INT(LINK(1, JEQI(R1, 0, 0), MOVI(R0, 1), LABEL(0), EXIT), 0, "label: one forward");
	CHECK_INT(a.count, 3, "label: it is no instruction");
	CHECK_INT(a.insn[0].off, 1, "label: distance over one");
	CHECK_INT(a.insn[2].code, 0x95, "label: what follows has moved up");

	CHECK_INT(LINK(1, JEQI(R1, 0, 0), LABEL(0), EXIT), 0, "label: the next instruction");
	CHECK_INT(a.insn[0].off, 0, "label: distance 0");

	CHECK_INT(LINK(1, JEQI(R1, 0, 0), JNE(R1, R2, 0), GOTO(0), LABEL(0), EXIT), 0,
	          "label: several to one");
	CHECK(a.insn[0].off == 2 && a.insn[1].off == 1 && a.insn[2].off == 0,
	      "label: each its own distance");

	CHECK_INT(LINK(3, GOTO(2), LABEL(0), MOVI(R0, 0), LABEL(1), LABEL(2), EXIT), 0,
	          "label: two at one place, one not used");
	CHECK_INT(a.insn[0].off, 1, "label: over labels that are no instructions");
	CHECK_INT(a.count, 3, "label: all taken out");

	CHECK_INT(LINK(1, JEQI(R1, 0, 0), LOAD64(R2, 1), LOAD_MAP(R1, 3), LABEL(0), EXIT), 0,
	          "label: over 64-bit loads");
	CHECK_INT(a.insn[0].off, 4, "label: they are two slots each");

	CHECK_INT(LINK(1, LOAD64(R1, (uint64_t)LABEL_OPCODE << 32 | 0x95), GOTO(0), LABEL(0), EXIT),
		  0, "label: second slots are not looked at");
	CHECK_INT(a.insn[2].off, 0, "label: distance behind a 64-bit load");

	CHECK_INT(LINK(1, CALL(4), LABEL(0), EXIT), 0, "label: a call is no jump");
	CHECK_INT(a.insn[0].imm, 4, "label: the call is as it was");
	CHECK_INT(LINK(0, EXIT), 0, "label: none");
}

static void
test_blocks(void)
{
	static const struct bpf_insn first[] = { JEQI(R1, 0, 0), LABEL(1), MOVI(R2, 2) };
	static const struct bpf_insn second[] = { LABEL(2), MOVI(R3, 3), GOTO(1 + 2) };
	static const struct bpf_insn third[] = { LABEL(0), LABEL(3), EXIT };

	bpf_asm_start(&a, 4);
	bpf_asm_append(&a, "first", first, COUNT(first));
	bpf_asm_append(&a, "second", second, COUNT(second));
	bpf_asm_append(&a, NULL, second + 1, 1);
	bpf_asm_append(&a, "third", third, COUNT(third));
	CHECK_INT(bpf_asm_link(&a), 0, "blocks: link");
	CHECK_INT(a.count, 6, "blocks: instructions");
	CHECK_INT(a.blocks, 3, "blocks: a block without title is none");
	CHECK_INT(a.block[0].at, 0, "blocks: first title");
	CHECK_INT(a.block[1].at, 2, "blocks: second title, moved by a label before it");
	CHECK_INT(a.block[2].at, 5, "blocks: third title, moved by two");
	CHECK_STR(a.block[2].title, "third", "blocks: titles");
	CHECK_INT(a.insn[0].off, 4, "blocks: a jump over two borders");
	CHECK_INT(a.insn[3].off, 1, "blocks: a jump over one border");
}

static void
test_numbers(void)
{
	int one, two;

	bpf_asm_start(&a, 7);
	one = bpf_asm_label(&a);
	two = bpf_asm_label(&a);
	CHECK_INT(one, 7, "label numbers: the first behind the caller's own");
	CHECK_INT(two, 8, "label numbers: each once");
	bpf_asm_start(&a, BPF_ASM_LABELS - 1);
	CHECK_INT(bpf_asm_label(&a), BPF_ASM_LABELS - 1, "label numbers: the last");
	CHECK_INT(a.error, 0, "label numbers: no error yet");
	bpf_asm_label(&a);
	CHECK_INT(bpf_asm_link(&a), -E2BIG, "label numbers: one too many");
	bpf_asm_start(&a, BPF_ASM_LABELS + 1);
	CHECK_INT(bpf_asm_link(&a), -E2BIG, "label numbers: too many of the caller's own");
}

/* ---- errors ---- */

static void
test_errors(void)
{
	static struct bpf_insn many[BPF_ASM_MAX + 1];

	CHECK_INT(LINK(1, JEQI(R1, 0, 0), EXIT), -ENOENT, "error: undefined label");
	CHECK_INT(LINK(1, GOTO(1), LABEL(0), EXIT), -ENOENT, "error: jump to a number nobody has");
	CHECK_INT(LINK(1, GOTO(-1), LABEL(0), EXIT), -ENOENT, "error: jump to a negative number");
	CHECK_INT(LINK(1, LABEL(1), EXIT), -ENOENT, "error: label that nobody has");
	CHECK_INT(LINK(2, GOTO(0), LABEL(0), LABEL(1), LABEL(0), EXIT), -EEXIST,
		  "error: doubled label");
	CHECK_INT(LINK(1, LABEL(0), GOTO(0), EXIT), -ELOOP, "error: jump to itself");
	CHECK_INT(LINK(1, LABEL(0), MOVI(R0, 0), JNEI(R0, 0, 0), EXIT), -ELOOP,
		  "error: jump backward");
	CHECK_INT(a.error, -ELOOP, "error: it is kept");

	for (unsigned i = 0; i < COUNT(many); i++)
		many[i] = (struct bpf_insn)EXIT;
	CHECK_INT(link_these(0, many, BPF_ASM_MAX), 0, "error: just long enough");
	CHECK_INT(link_these(0, many, BPF_ASM_MAX + 1), -E2BIG, "error: too long");
	bpf_asm_start(&a, 0);
	bpf_asm_append(&a, NULL, many, BPF_ASM_MAX);
	bpf_asm_append(&a, NULL, many, 1);
	bpf_asm_append(&a, NULL, many, 0);
	CHECK_INT(bpf_asm_link(&a), -E2BIG, "error: too long in pieces");
	bpf_asm_start(&a, 0);
	for (unsigned i = 0; i <= BPF_ASM_BLOCKS; i++)
		bpf_asm_append(&a, "block", many, 1);
	CHECK_INT(bpf_asm_link(&a), -E2BIG, "error: too many blocks");
	bpf_asm_start(&a, 0);
	CHECK_INT(a.error, 0, "error: forgotten at the next start");
}

/* ---- listing ---- */

static const struct {
	struct bpf_insn insn[2];
	const char     *want;
} listed[] = {
	{ { MOV(R6, R1) },              "r6 = r1" },
	{ { MOVI(R0, -7) },             "r0 = -7" },
	{ { MOV32I(R3, 5) },            "w3 = 5" },
	{ { ADD(R8, R9) },              "r8 += r9" },
	{ { ADDI(R1, -512) },           "r1 += -512" },
	{ { SUB(R9, R1) },              "r9 -= r1" },
	{ { ANDI(R9, 15) },             "r9 &= 15" },
	{ { ORI(R1, 2) },               "r1 |= 2" },
	{ { LSHI(R5, 3) },              "r5 <<= 3" },
	{ { RSHI(R0, 32) },             "r0 >>= 32" },
	{ { BE(R1, 16) },               "r1 = be16 r1" },
	{ { LOAD(BPF_W, R0, R1, 112) }, "r0 = *(u32 *)(r1 +112)" },
	{ { LOAD(BPF_H, R3, FP, -2) },  "r3 = *(u16 *)(r10 -2)" },
	{ { LOAD(BPF_B, R4, R9, 0) },   "r4 = *(u8 *)(r9 +0)" },
	{ { STORE(BPF_DW, FP, -16, R8) }, "*(u64 *)(r10 -16) = r8" },
	{ { STOREI(BPF_H, FP, -8, 258) }, "*(u16 *)(r10 -8) = 258" },
	{ { ATOMIC_ADD(R0, 8, R1) },    "lock *(u64 *)(r0 +8) += r1" },
	{ { LOAD_MAP(R1, 3) },          "r1 = map 3" },
	{ { LOAD64(R2, 0x1122334455667788) }, "r2 = 0x1122334455667788" },
	{ { LOAD64(R2, 0xffffffff) },   "r2 = 0xffffffff" },
	{ { JEQ(R1, R2, 5) },           "if r1 == r2 goto 106" },
	{ { JEQI(R7, 4, 0) },           "if r7 == 4 goto 101" },
	{ { JNE(R0, R1, 7) },           "if r0 != r1 goto 108" },
	{ { JNEI(R0, -1, 8) },          "if r0 != -1 goto 109" },
	{ { JGTI(R9, 19, 1) },          "if r9 > 19 goto 102" },
	{ { JSGTI(R9, 3, 1) },          "if r9 s> 3 goto 102" },
	{ { JSGEI(R9, 0, 1) },          "if r9 s>= 0 goto 102" },
	{ { JSETI(R3, 8191, 1) },       "if r3 & 8191 goto 102" },
	{ { GOTO(14) },                 "goto 115" },
	{ { CALL(4) },                  "call 4" },
	{ { EXIT },                     "exit" },
	{ { LABEL(1) },                 "opcode 0xf5" },
	{ { { .code = 0x87 } },         "opcode 0x87" },
	{ { { .code = 0xad } },         "opcode 0xad" },
};

static void
test_print(void)
{
	char text[80], small[8];

	for (size_t i = 0; i < COUNT(listed); i++) {
		bpf_asm_print(text, sizeof(text), listed[i].insn, 100);
		CHECK_STR(text, listed[i].want, "print: %s", listed[i].want);
	}
	bpf_asm_print(small, sizeof(small), listed[11].insn, 0);
	CHECK_STR(small, "r0 = *(", "print: cut at size");
}

int
main(void)
{
	test_macros();
	test_labels();
	test_blocks();
	test_numbers();
	test_errors();
	test_print();
	return tap_end();
}
