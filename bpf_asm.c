/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf_asm.h"
#include "bpf_insns.h"
#include "text.h"

void
bpf_asm_start(struct bpf_asm *a, unsigned first_label)
{
	a->count = 0;
	a->whole = 0;
	a->blocks = 0;
	a->labels = first_label;
	a->error = first_label > BPF_ASM_LABELS ? -E2BIG : 0;
}

int
bpf_asm_label(struct bpf_asm *a)
{
	if (a->labels >= BPF_ASM_LABELS) {
		a->error = -E2BIG;
		return 0;
	}
	return (int)a->labels++;
}

void
bpf_asm_title(struct bpf_asm *a, const char *title)
{
	if (a->blocks == BPF_ASM_BLOCKS) {
		a->error = -E2BIG;
		return;
	}
	a->block[a->blocks].title = title;
	a->block[a->blocks].at = a->count;
	a->blocks++;
}

void
bpf_asm_append(struct bpf_asm *a, const char *title, const struct bpf_insn *insn, size_t count)
{
	for (size_t i = 0; i < count; i++)
		a->whole += insn[i].code != LABEL_OPCODE;
	if (count > BPF_ASM_MAX - a->count)
		a->error = -E2BIG;
	if (title && !a->error)
		bpf_asm_title(a, title);
	if (a->error)
		return;
	memcpy(a->insn + a->count, insn, count * sizeof(*insn));
	a->count += (unsigned)count;
}

static bool
is_wide(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_DW | BPF_IMM);
}

static bool
is_jump(const struct bpf_insn *i)
{
	uint8_t op = BPF_OP(i->code);

	return BPF_CLASS(i->code) == BPF_JMP && op != BPF_CALL && op != BPF_EXIT;
}

/* Moves the instructions together over the labels; where[] gets each label's place. */
static int
place_labels(struct bpf_asm *a, int where[BPF_ASM_LABELS])
{
	unsigned to = 0, block = 0;

	for (unsigned from = 0; from < a->count; from++) {
		const struct bpf_insn *i = &a->insn[from];

		for (; block < a->blocks && a->block[block].at == from; block++)
			a->block[block].at = to;
		if (i->code != LABEL_OPCODE) {
			a->insn[to++] = *i;
			if (is_wide(i))
				a->insn[to++] = a->insn[++from];
			continue;
		}
		if (i->off < 0 || (unsigned)i->off >= a->labels)
			return -ENOENT;
		if (where[i->off] >= 0)
			return -EEXIST;
		where[i->off] = (int)to;
	}
	a->count = to;
	return 0;
}

int
bpf_asm_link(struct bpf_asm *a)
{
	int where[BPF_ASM_LABELS];
	int error = a->error;

	memset(where, -1, sizeof(where));
	if (!error)
		error = place_labels(a, where);
	for (unsigned at = 0; !error && at < a->count; at++) {
		struct bpf_insn *i = &a->insn[at];

		if (is_wide(i)) {
			at++;
		} else if (is_jump(i)) {
			if (i->off < 0 || (unsigned)i->off >= a->labels || where[i->off] < 0)
				error = -ENOENT;
			else if (where[i->off] <= (int)at)
				error = -ELOOP;
			else
				i->off = (int16_t)(where[i->off] - (int)at - 1);
		}
	}
	return a->error = error;
}

static const char alu_sign[16][5] = {
	[BPF_ADD >> 4] = "+=", [BPF_SUB >> 4] = "-=", [BPF_MUL >> 4] = "*=", [BPF_DIV >> 4] = "/=",
	[BPF_OR >> 4] = "|=",  [BPF_AND >> 4] = "&=", [BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=",
	[BPF_MOD >> 4] = "%=", [BPF_XOR >> 4] = "^=", [BPF_MOV >> 4] = "=",  [BPF_ARSH >> 4] = "s>>=",
};

static const char jump_sign[16][4] = {
	[BPF_JEQ >> 4] = "==",   [BPF_JGT >> 4] = ">",   [BPF_JGE >> 4] = ">=", [BPF_JSET >> 4] = "&",
	[BPF_JNE >> 4] = "!=",   [BPF_JSGT >> 4] = "s>", [BPF_JSGE >> 4] = "s>=",
};

static const char width[4][4] = {
	[BPF_W >> 3] = "u32", [BPF_H >> 3] = "u16", [BPF_B >> 3] = "u8", [BPF_DW >> 3] = "u64",
};

static void
print_opcode(char *buf, size_t size, const struct bpf_insn *i)
{
	text_format(buf, size, "opcode 0x%02x", i->code);
}

/* value is the source: a register or a number */
static void
print_alu(char *buf, size_t size, const struct bpf_insn *i, char r, const char *value)
{
	const char *sign = alu_sign[BPF_OP(i->code) >> 4];

	if (BPF_OP(i->code) == BPF_END)
		text_format(buf, size, "r%d = be%d r%d", i->dst_reg, i->imm, i->dst_reg);
	else if (*sign)
		text_format(buf, size, "%c%d %s %s", r, i->dst_reg, sign, value);
	else
		print_opcode(buf, size, i);
}

static void
print_jump(char *buf, size_t size, const struct bpf_insn *i, unsigned at, const char *value)
{
	const char *sign = jump_sign[BPF_OP(i->code) >> 4];
	unsigned to = (unsigned)((int)at + 1 + i->off);

	if (BPF_OP(i->code) == BPF_EXIT)
		text_format(buf, size, "exit");
	else if (BPF_OP(i->code) == BPF_CALL)
		text_format(buf, size, "call %d", i->imm);
	else if (BPF_OP(i->code) == BPF_JA)
		text_format(buf, size, "goto %u", to);
	else if (*sign)
		text_format(buf, size, "if r%d %s %s goto %u", i->dst_reg, sign, value, to);
	else
		print_opcode(buf, size, i);
}

static void
print_memory(char *buf, size_t size, const struct bpf_insn *i, const char *value)
{
	bool load = BPF_CLASS(i->code) == BPF_LDX, plain = BPF_MODE(i->code) == BPF_MEM;
	char place[32];

	text_format(place, sizeof(place), "*(%s *)(r%d %+d)", width[BPF_SIZE(i->code) >> 3],
	            load ? i->src_reg : i->dst_reg, i->off);
	if (load)
		text_format(buf, size, "r%d = %s", i->dst_reg, place);
	else
		text_format(buf, size, plain ? "%s = %s" : "lock %s += %s", place, value);
}

static void
print_wide(char *buf, size_t size, const struct bpf_insn *i)
{
	if (i->src_reg == BPF_PSEUDO_MAP_FD)
		text_format(buf, size, "r%d = map %d", i->dst_reg, i->imm);
	else
		text_format(buf, size, "r%d = 0x%llx", i->dst_reg,
		            (unsigned long long)(uint32_t)i[1].imm << 32 | (uint32_t)i->imm);
}

void
bpf_asm_print(char *buf, size_t size, const struct bpf_insn *i, unsigned at)
{
	unsigned class = BPF_CLASS(i->code);
	char r = class == BPF_ALU ? 'w' : 'r';
	char value[16];

	if (class == BPF_STX || (class != BPF_ST && BPF_SRC(i->code) == BPF_X))
		text_format(value, sizeof(value), "%c%d", r, i->src_reg);
	else
		text_format(value, sizeof(value), "%d", i->imm);
	switch (class) {
	case BPF_ALU: case BPF_ALU64: print_alu(buf, size, i, r, value); break;
	case BPF_JMP:                 print_jump(buf, size, i, at, value); break;
	case BPF_LD:                  print_wide(buf, size, i); break;
	default:                      print_memory(buf, size, i, value); break;
	}
}
