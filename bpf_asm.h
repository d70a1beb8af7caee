/* SPDX-License-Identifier: MIT */
/*
 * Builds a BPF program from blocks of instructions, resolves its labels, and
 * lists it. Knows instructions, not what they are for.
 */
#ifndef BPF_ASM_H
#define BPF_ASM_H

#include <linux/bpf.h>

#include <stddef.h>

enum {
	BPF_ASM_MAX    = 16384, /* with labels; distances are below 32768 */
	BPF_ASM_BLOCKS = 128,
	BPF_ASM_LABELS = 4096,
};

struct bpf_asm {
	unsigned        count;  /* of insn */
	unsigned        whole;  /* of instructions, with those that found no room */
	unsigned        blocks; /* of block */
	unsigned        labels; /* numbers below this are taken */
	int             error;  /* the first thing that went wrong, -errno */
	struct {
		const char *title;
		unsigned    at; /* index of the first instruction */
	} block[BPF_ASM_BLOCKS];
	struct bpf_insn insn[BPF_ASM_MAX];
};

/* Starts an empty program; label numbers below first_label are the caller's own. */
void bpf_asm_start(struct bpf_asm *, unsigned first_label);

/* A label number nobody has. */
int bpf_asm_label(struct bpf_asm *);

/* Begins a block of the listing with what is appended next. */
void bpf_asm_title(struct bpf_asm *, const char *title);

/* Appends count instructions. A title begins a block in the listing; NULL goes on. */
void bpf_asm_append(struct bpf_asm *, const char *title, const struct bpf_insn *, size_t count);

#define BPF_ASM(a, title, ...) \
	bpf_asm_append((a), (title), (const struct bpf_insn[]){ __VA_ARGS__ }, \
	               sizeof((const struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

/*
 * Takes the labels out and turns label numbers into distances. Returns 0, or
 * -E2BIG too long, -ENOENT a jump to a label that is not there, -EEXIST a label
 * set twice, -ELOOP a jump backward (the verifier refuses loops to 5.2).
 */
int bpf_asm_link(struct bpf_asm *);

/*
 * Writes one instruction as text, terminated, cut at size: "r0 = *(u32 *)(r1 +112)".
 * at is its index (for jump targets); the slot of a 64-bit load after it is read, too.
 */
void bpf_asm_print(char *buf, size_t size, const struct bpf_insn *, unsigned at);

#endif
