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

static const char *const alu_sign[16] = {
	[BPF_ADD >> 4] = "+=", [BPF_SUB >> 4] = "-=", [BPF_MUL >> 4] = "*=", [BPF_DIV >> 4] = "/=",
	[BPF_OR >> 4] = "|=",  [BPF_AND >> 4] = "&=", [BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=",
	[BPF_MOD >> 4] = "%=", [BPF_XOR >> 4] = "^=", [BPF_MOV >> 4] = "=",  [BPF_ARSH >> 4] = "s>>=",
	[BPF_END >> 4] = "",
};

static const char *const jump_sign[16] = {
	[BPF_JEQ >> 4] = "==",   [BPF_JGT >> 4] = ">",   [BPF_JGE >> 4] = ">=", [BPF_JSET >> 4] = "&",
	[BPF_JA >> 4] = "", [BPF_CALL >> 4] = "", [BPF_EXIT >> 4] = "",
	[BPF_JNE >> 4] = "!=",   [BPF_JSGT >> 4] = "s>", [BPF_JSGE >> 4] = "s>=",
};

static int
print_opcode(char *buf, size_t size, const struct bpf_insn *i)
{
	return text_format(buf, size, "opcode 0x%02x", i->code);
}

static int
print_alu(char *buf, size_t size, const struct bpf_insn *i)
{
	char r = BPF_CLASS(i->code) == BPF_ALU ? 'w' : 'r';
	const char *sign = alu_sign[BPF_OP(i->code) >> 4];

	if (!sign)
		return print_opcode(buf, size, i);
	if (BPF_OP(i->code) == BPF_END)
		return text_format(buf, size, "r%d = be%d r%d", i->dst_reg, i->imm, i->dst_reg);
	if (BPF_SRC(i->code) == BPF_X)
		return text_format(buf, size, "%c%d %s %c%d", r, i->dst_reg, sign, r, i->src_reg);
	return text_format(buf, size, "%c%d %s %d", r, i->dst_reg, sign, i->imm);
}

static int
print_jump(char *buf, size_t size, const struct bpf_insn *i, unsigned at)
{
	const char *sign = jump_sign[BPF_OP(i->code) >> 4];
	unsigned to = (unsigned)((int)at + 1 + i->off);

	if (!sign)
		return print_opcode(buf, size, i);
	if (BPF_OP(i->code) == BPF_EXIT)
		return text_format(buf, size, "exit");
	if (BPF_OP(i->code) == BPF_CALL)
		return text_format(buf, size, "call %d", i->imm);
	if (BPF_OP(i->code) == BPF_JA)
		return text_format(buf, size, "goto %u", to);
	if (BPF_SRC(i->code) == BPF_X)
		return text_format(buf, size, "if r%d %s r%d goto %u", i->dst_reg, sign, i->src_reg, to);
	return text_format(buf, size, "if r%d %s %d goto %u", i->dst_reg, sign, i->imm, to);
}

static int
print_memory(char *buf, size_t size, const struct bpf_insn *i)
{
	static const char *const width[4] = {
		[BPF_W >> 3] = "u32", [BPF_H >> 3] = "u16", [BPF_B >> 3] = "u8", [BPF_DW >> 3] = "u64",
	};
	const char *type = width[BPF_SIZE(i->code) >> 3];
	char place[32];

	text_format(place, sizeof(place), "*(%s *)(r%d %+d)", type,
	         BPF_CLASS(i->code) == BPF_LDX ? i->src_reg : i->dst_reg, i->off);
	if (BPF_CLASS(i->code) == BPF_LDX)
		return text_format(buf, size, "r%d = %s", i->dst_reg, place);
	if (BPF_CLASS(i->code) == BPF_ST)
		return text_format(buf, size, "%s = %d", place, i->imm);
	return text_format(buf, size, "%s%s %s r%d", BPF_MODE(i->code) == BPF_MEM ? "" : "lock ", place,
	                BPF_MODE(i->code) == BPF_MEM ? "=" : "+=", i->src_reg);
}

static int
print_wide(char *buf, size_t size, const struct bpf_insn *i)
{
	if (i->src_reg == BPF_PSEUDO_MAP_FD)
		return text_format(buf, size, "r%d = map %d", i->dst_reg, i->imm);
	return text_format(buf, size, "r%d = 0x%llx", i->dst_reg,
	                (unsigned long long)(uint32_t)i[1].imm << 32 | (uint32_t)i->imm);
}

size_t
bpf_asm_print(char *buf, size_t size, const struct bpf_insn *i, unsigned at)
{
	int n;

	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: case BPF_ALU64: n = print_alu(buf, size, i); break;
	case BPF_JMP:                 n = print_jump(buf, size, i, at); break;
	case BPF_LD:                  n = print_wide(buf, size, i); break;
	default:                      n = print_memory(buf, size, i); break;
	}
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
