/* SPDX-License-Identifier: MIT */
#include "arch.h"
#include "builder.h"
#include "inlined.h"
#include "probe.h"
#include "program.h"

/* The stack slot of a field of struct sk_buff that is in the window. */
int
builder_in_skb(const struct builder *b, enum offset id)
{
	return SLOT(skb) + b->at[id] - b->base;
}

int
builder_in_sock(const struct builder *b, enum offset id)
{
	return SLOT(sock) + b->at[id];
}

int
builder_links(const struct builder *b)
{
	return b->at[SKB_DEV] < b->at[SKB_SK] ? b->at[SKB_DEV] : b->at[SKB_SK];
}

static int
in_links(const struct builder *b, enum offset id)
{
	return SLOT(links) + b->at[id] - builder_links(b);
}

static int
window_slot(const struct builder *b, int window, int id)
{
	return window == SKB ? builder_in_skb(b, (enum offset)id)
	     : window == SOCK ? builder_in_sock(b, (enum offset)id) : in_links(b, (enum offset)id);
}

static struct bpf_insn
resolve(const struct builder *b, struct bpf_insn i)
{
	const struct program_maps *m = &b->p->maps;
	const int maps[] = {
		m->counters, m->rings, m->bells, m->control, m->marks, m->notes, m->summary,
	};

	if (BPF_CLASS(i.code) == BPF_LDX && i.src_reg >= SKB) {
		i.off = (int16_t)window_slot(b, i.src_reg, i.off);
		i.src_reg = FP;
	} else if (BPF_CLASS(i.code) == BPF_JMP && i.off >= OTHER) {
		i.off = (int16_t)(i.off == OTHER ? b->other : b->locals + i.off - LOCAL);
	} else if (i.code == (BPF_ALU64 | BPF_ARSH | BPF_K) && i.imm == TOP_BITS) {
		i.imm = b->p->five_levels ? 56 : 47;
	} else if (i.code == (BPF_ALU64 | BPF_MOV | BPF_K) && i.imm == RECORD_SIZE) {
		i.imm = (int32_t)sizeof(struct event) + (b->p->packet ? EVENT_PACKET : 0);
	} else if (i.code == (BPF_JMP | BPF_CALL) && i.imm == READER) {
		i.imm = b->p->read;
	} else if (i.code == (BPF_LD | BPF_DW | BPF_IMM) && i.src_reg == BPF_PSEUDO_MAP_FD) {
		i.imm = maps[i.imm];
	}
	return i;
}

static void
append_one(struct builder *b, struct bpf_insn i)
{
	i = resolve(b, i);
	bpf_asm_append(b->a, NULL, &i, 1);
}

static void
append_read(struct builder *b, const struct bpf_insn *i)
{
	int add = i[1].imm >= FIELD ? b->at[i[1].imm - FIELD] : i[1].imm;
	const struct bpf_insn read[] = {
		MOV(R1, FP), ADDI(R1, i[0].off), MOVI(R2, i[0].imm), MOV(R3, i[0].dst_reg),
		ADDI(R3, add), CALL(READER), JNEI(R0, 0, i[1].off),
	};

	for (unsigned n = 0; n < sizeof(read) / sizeof(read[0]); n++)
		if ((n != 4 || add) && (n != 6 || i[1].off >= 0))
			append_one(b, read[n]);
}

void
builder_append(struct builder *b, const char *title, const struct bpf_insn *insn, size_t count)
{
	if (title)
		bpf_asm_title(b->a, title);
	for (size_t i = 0; i < count; i++) {
		if (insn[i].code == READ_OPCODE)
			append_read(b, &insn[i++]);
		else
			append_one(b, insn[i]);
	}
}

/* Begins a block whose labels are LOCAL, LOCAL + 1, ... */
void
builder_scope(struct builder *b)
{
	b->locals = bpf_asm_label(b->a);
	for (int i = 1; i < LOCALS; i++)
		bpf_asm_label(b->a);
}

bool
builder_knows(const struct builder *b, enum offset id)
{
	return b->at[id] != OFFSET_NONE;
}

bool
builder_is_tracepoint(const struct builder *b)
{
	return b->p->probe->kind == PROBE_TRACEPOINT || b->p->probe->kind == PROBE_EVENT;
}

void
builder_argument(struct builder *b, int dst, unsigned number)
{
	const struct inlined_site *site = b->p->site;
	bool is_sk = number == b->p->probe->sk;

	if (builder_is_tracepoint(b)) {
		EMIT_VALUES(b, LOAD(BPF_DW, dst, R6, 8 * ((int)number - 1)));
	} else if (b->p->probe->kind != PROBE_SITES) {
		EMIT_VALUES(b, LOAD(BPF_DW, dst, R6, arch.argument[number - 1]));
	} else {
		EMIT_VALUES(b, LOAD(BPF_DW, dst, R6, arch.general[is_sk ? site->base : site->skb]));
		if (is_sk && site->back)
			EMIT_VALUES(b, ADDI(dst, -site->back));
	}
}

/* Does this probe, on this kernel, give the argument? */
bool
builder_given(const struct builder *b, unsigned number)
{
	return number && (b->p->probe->kind != PROBE_TRACEPOINT || number <= b->p->arguments);
}

void
builder_reason(struct builder *b, int dst)
{
	builder_argument(b, dst, b->p->probe->reason);
	EMIT_VALUES(b, LSHI(dst, 32), RSHI(dst, 32));
}

