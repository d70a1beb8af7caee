/* SPDX-License-Identifier: MIT */
/*
 * Every node becomes jumps to one of two labels further on. The numbers that may
 * be asked for are in registers from the beginning:
 *
 *   r1  family       r2  source port, r3 destination port; or more than any port
 *   r4  reason       r5  state
 */
#include <string.h>

#include "builder.h"
#include "filter.h"
#include "filter_program.h"

struct ways {
	int yes, no;
	int next;   /* the one of them that comes next */
};

static void
put(struct builder *b, struct bpf_insn i)
{
	builder_append(b, NULL, &i, 1);
}

#define PUT(b, ...) put((b), (struct bpf_insn)__VA_ARGS__)

/*
 * Which of many the ports are equal to is known here, and verifiers to 4.6 would
 * follow each apart: they compare what they know at targets of jumps only.
 */
static void
forget_ports(struct builder *b)
{
	enum { NEXT = LOCAL };

	builder_scope(b);
	EMIT(b, NULL, LOAD(BPF_W, R2, FP, SLOT(word)), LOAD(BPF_W, R3, FP, SLOT(word) + 4),
	     GOTO(NEXT), LABEL(NEXT));
}

static void
write_range(struct builder *b, const struct filter_node *n, const struct ways *w)
{
	int reg = R1 + n->kind - FILTER_FAMILY + n->side;

	if (n->low == n->high) {
		PUT(b, JEQI(reg, (int)n->low, w->yes));
	} else {
		PUT(b, JGTI(reg, (int)n->high, w->no));
		PUT(b, JGEI(reg, (int)n->low, w->yes));
	}
}

static int
word(const uint8_t *bytes)
{
	int w;

	memcpy(&w, bytes, sizeof(w));
	return w;
}

/* Each word that the mask leaves must be the same; some byte of the mask is set. */
static void
write_address(struct builder *b, const struct filter_node *n, const struct ways *w)
{
	int size = n->kind == FILTER_ADDRESS6 ? 16 : 4, tests = 0;
	int slot = SLOT(event.ip) + (size == 16 ? 8 : 12) + n->side * size;

	PUT(b, JNEI(R1, size == 16 ? 6 : 4, w->no));
	for (int i = 0; i < size; i += 4) {
		int mask = word(n->mask + i);

		if (!mask)
			continue;
		if (tests++)
			PUT(b, JNEI(R0, 0, w->no));
		PUT(b, LOAD(BPF_W, R0, FP, slot + i));
		if (mask != -1)
			PUT(b, ANDI(R0, mask));
		if (word(n->address + i))
			PUT(b, SUB32I(R0, word(n->address + i)));
	}
	PUT(b, JEQI(R0, 0, w->yes));
}

static void
write_node(struct builder *b, const struct filter *f, unsigned i, struct ways w)
{
	const struct filter_node *n = &f->node[i];
	struct ways left = w;

	if (n->kind == FILTER_NOT) {
		write_node(b, f, n->left, (struct ways){ w.no, w.yes, w.next });
		return;
	}
	if (n->kind <= FILTER_OR) {
		left.next = bpf_asm_label(b->a);
		*(n->kind == FILTER_OR ? &left.no : &left.yes) = left.next;
		write_node(b, f, n->left, left);
		PUT(b, LABEL(left.next));
		if (n->kind == FILTER_AND)
			forget_ports(b);
		write_node(b, f, n->right, w);
		return;
	}
	if (n->kind <= FILTER_ADDRESS6)
		write_address(b, n, &w);
	else
		write_range(b, n, &w);
	if (w.next != w.no)
		PUT(b, GOTO(w.no));
}

void
filter_program(struct builder *b, const struct filter *f, int label)
{
	enum { HAS_PORTS = LOCAL, NO_PORT = 0x10000 };
	int yes = bpf_asm_label(b->a);

	builder_scope(b);
	EMIT(b, "what the expression asks for",
	     LOAD(BPF_B, R1, FP, SLOT(event.tcp_bytes)),
	     LOAD(BPF_H, R2, FP, SLOT(event.tcp)), BE(R2, 16),
	     LOAD(BPF_H, R3, FP, SLOT(event.tcp) + 2), BE(R3, 16),
	     JNEI(R1, 0, HAS_PORTS), ORI(R2, NO_PORT), ORI(R3, NO_PORT), LABEL(HAS_PORTS),
	     STORE(BPF_W, FP, SLOT(word), R2), STORE(BPF_W, FP, SLOT(word) + 4, R3),
	     LOAD(BPF_B, R1, FP, SLOT(event.family)), LOAD(BPF_W, R4, FP, SLOT(event.reason)),
	     LOAD(BPF_B, R5, FP, SLOT(event.state)));
	bpf_asm_title(b->a, "if (the expression does not hold) return");
	write_node(b, f, f->root, (struct ways){ yes, label, yes });
	PUT(b, LABEL(yes));
	forget_ports(b);
}
