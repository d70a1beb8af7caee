/* SPDX-License-Identifier: MIT */
/*
 * Only what keeps ways apart: which registers have a known number or what kind of
 * pointer. The stack is left out: the programs write no pointers there, and those
 * for 4.4 clear it first.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ways.h"

enum { REGISTERS = 11, FRAME = 10 };

enum kind { UNSET, UNKNOWN, NUMBER, POINTER, MAYBE_VALUE };

struct ways {
	struct known { enum kind kind; int32_t number; } r[REGISTERS];
	unsigned at;
};

struct seen {
	struct ways  state;
	struct seen *next;
};

struct walk {
	const struct bpf_insn *insn;
	unsigned     count;
	bool        *meets; /* ways are compared here */
	struct seen **seen;
	struct ways  now, later[WAYS_PENDING + 1];
	unsigned     pending;
	int          error;
};

static bool
is_jump(const struct bpf_insn *i)
{
	return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_CALL
	       && BPF_OP(i->code) != BPF_EXIT;
}

static bool
is_wide(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_DW | BPF_IMM);
}

/* Targets of branches; of goto what follows it, which it calls "after every jump". */
static void
find_meetings(struct walk *w)
{
	for (unsigned at = 0; at < w->count; at++) {
		const struct bpf_insn *i = &w->insn[at];
		unsigned after = at + 1;

		if (is_jump(i) && i->code != (BPF_JMP | BPF_JA))
			after += (unsigned)i->off;
		if (is_jump(i) && after < w->count)
			w->meets[after] = true;
		at += is_wide(i);
	}
}

/* Does what was known then cover what is known now? */
static bool
covers(const struct ways *then, const struct ways *now)
{
	for (int r = 0; r < REGISTERS; r++) {
		const struct known *a = &then->r[r], *b = &now->r[r];

		if (a->kind != UNSET && !(a->kind == UNKNOWN && b->kind != UNSET)
		    && (a->kind != b->kind || a->number != b->number))
			return false;
	}
	return true;
}

static bool
was_here(struct walk *w)
{
	struct seen *s;

	if (!w->meets[w->now.at])
		return false;
	for (s = w->seen[w->now.at]; s; s = s->next)
		if (covers(&s->state, &w->now))
			return true;
	s = malloc(sizeof(*s));
	*s = (struct seen){ w->now, w->seen[w->now.at] };
	w->seen[w->now.at] = s;
	return false;
}

static struct known
number(int32_t n)
{
	return (struct known){ NUMBER, n };
}

static struct known
unknown(enum kind kind)
{
	return (struct known){ kind, 0 };
}

static void
compute(struct walk *w, const struct bpf_insn *i)
{
	struct known *dst = &w->now.r[i->dst_reg], *src = &w->now.r[i->src_reg];
	bool whole = BPF_CLASS(i->code) == BPF_ALU64, immediate = BPF_SRC(i->code) == BPF_K;

	if (BPF_OP(i->code) == BPF_MOV && immediate)
		*dst = number(i->imm);
	else if (BPF_OP(i->code) == BPF_MOV && whole)
		*dst = *src;
	else if (BPF_OP(i->code) == BPF_ADD && whole && immediate && dst->kind == POINTER)
		dst->number += i->imm;
	else
		*dst = unknown(UNKNOWN);
}

static void
call(struct walk *w, int helper)
{
	for (int r = 0; r <= 5; r++)
		w->now.r[r] = unknown(UNSET);
	w->now.r[0] = unknown(helper == BPF_FUNC_map_lookup_elem ? MAYBE_VALUE : UNKNOWN);
}

static void
branch(struct walk *w, const struct bpf_insn *i)
{
	bool same = BPF_SRC(i->code) == BPF_K && BPF_OP(i->code) == BPF_JEQ;
	bool other = BPF_SRC(i->code) == BPF_K && BPF_OP(i->code) == BPF_JNE;
	struct known *here = &w->now.r[i->dst_reg];
	struct ways *there = &w->later[w->pending];

	if ((same || other) && here->kind == NUMBER && here->number == i->imm) {
		w->now.at += same ? (unsigned)i->off : 0;
		return;
	}
	if (++w->pending > WAYS_PENDING) {
		w->error = -EFAULT;
		return;
	}
	*there = w->now;
	there->at += (unsigned)i->off;
	if ((same || other) && here->kind == MAYBE_VALUE)
		*(same ? here : &there->r[i->dst_reg]) = unknown(POINTER);
	if (same || other)
		*(same ? &there->r[i->dst_reg] : here) = number(i->imm);
}

/* One instruction; false: this way has ended. */
static bool
step(struct walk *w)
{
	const struct bpf_insn *i = &w->insn[w->now.at];

	if (was_here(w) || i->code == (BPF_JMP | BPF_EXIT))
		return false;
	w->now.at += 1u + is_wide(i);
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: case BPF_ALU64: compute(w, i); break;
	case BPF_LDX: w->now.r[i->dst_reg] = unknown(UNKNOWN); break;
	case BPF_LD:  w->now.r[i->dst_reg] = unknown(i->src_reg ? POINTER : UNKNOWN); break;
	case BPF_JMP:
		if (BPF_OP(i->code) == BPF_CALL)
			call(w, i->imm);
		else if (BPF_OP(i->code) == BPF_JA)
			w->now.at += (unsigned)i->off;
		else
			branch(w, i);
		break;
	default: break;
	}
	return true;
}

static void
forget(struct walk *w)
{
	for (unsigned at = 0; at < w->count; at++)
		for (struct seen *s = w->seen[at], *next; s; s = next) {
			next = s->next;
			free(s);
		}
	free(w->seen);
	free(w->meets);
}

int
ways_count(const struct bpf_insn *insn, unsigned count)
{
	static struct walk w;
	int gone = 0;

	memset(&w, 0, sizeof(w));
	w.insn = insn;
	w.count = count;
	w.meets = calloc(count, sizeof(*w.meets));
	w.seen = calloc(count, sizeof(struct seen *));
	w.now.r[1] = unknown(POINTER);
	w.now.r[1].number = -1; /* the context */
	w.now.r[FRAME] = unknown(POINTER);
	find_meetings(&w);
	for (bool more = true; more && !w.error; ) {
		if (++gone > WAYS_INSNS)
			w.error = -E2BIG;
		else if (!step(&w)) {
			more = w.pending > 0;
			if (more)
				w.now = w.later[--w.pending];
		}
	}
	forget(&w);
	return w.error ? w.error : gone;
}
