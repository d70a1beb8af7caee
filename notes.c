/* SPDX-License-Identifier: MIT */
#include "builder.h"
#include "notes.h"
#include "program.h"

#define AT(member) offsetof(struct note, member)

/* r0 = this CPU's note; goto fail if there is none */
static void
find_note(struct builder *b, int fail)
{
	EMIT_VALUES(b, CALL(BPF_FUNC_get_smp_processor_id), STORE(BPF_W, FP, SLOT(word), R0),
	            LOOK_UP(MAP_NOTES), JEQI(R0, 0, fail));
}

/* r1 = *(u32 *)(from + the offset of sk_drops) */
static void
read_drops(struct builder *b, int from)
{
	EMIT(b, NULL, STOREI(BPF_DW, FP, SLOT(word), 0));
	EMIT_VALUES(b, READ(SLOT(word), 4, from, b->p->sk_drops, DONE));
	EMIT(b, NULL, LOAD(BPF_W, R1, FP, SLOT(word)));
}

void
notes_write(struct builder *b)
{
	EMIT(b, "notes[cpu] = { skb, sk, sk->sk_drops }", MOV(R6, R1));
	builder_argument(b, R8, 1);
	builder_argument(b, R7, 2);
	find_note(b, DONE);
	EMIT(b, NULL, MOV(R9, R0), STORE(BPF_DW, R9, AT(skb), R7), STORE(BPF_DW, R9, AT(sk), R8));
	if (!b->p->sk_drops)
		return;
	read_drops(b, R8);
	EMIT(b, NULL, STORE(BPF_W, R9, AT(drops), R1));
}

void
notes_compare(struct builder *b)
{
	bpf_asm_title(b->a, "if (the noted socket's sk_drops has not grown) return");
	find_note(b, DONE);
	EMIT(b, NULL, MOV(R9, R0), LOAD(BPF_DW, R8, R9, AT(sk)), UNLESS_POINTER(R8, DONE));
	read_drops(b, R8);
	EMIT(b, NULL, LOAD(BPF_W, R2, R9, AT(drops)), JEQ(R1, R2, DONE),
	     STORE(BPF_W, R9, AT(drops), R1), STORE(BPF_DW, FP, SLOT(noted), R8));
}

void
notes_read(struct builder *b)
{
	enum { NONE = LOCAL, FOUND };

	builder_scope(b);
	bpf_asm_title(b->a, "else the socket noted with this skb");
	find_note(b, NONE);
	EMIT(b, NULL, LOAD(BPF_DW, R1, R0, AT(skb)), LOAD(BPF_DW, R9, R0, AT(sk)),
	     JEQ(R1, R7, FOUND),
	     LABEL(NONE), UNKNOWN_ZERO(R9), LABEL(FOUND));
}
