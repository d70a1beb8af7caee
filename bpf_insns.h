/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary: one macro per BPF instruction, built from the opcode
 * constants of <linux/bpf.h> and <linux/bpf_common.h>. Each is an initialiser
 * of struct bpf_insn, so a program is an array of them.
 *
 * The last argument of a jump is a label number; bpf_asm.c turns it into a
 * distance. Names: dst, src are registers (R0 to R10), imm is 32 bits signed,
 * at is an offset in bytes from a register. Only what the verifier of Linux
 * 4.4 knows is here: no JLT or JLE (4.14), no 32-bit jumps (5.1).
 */
#ifndef BPF_INSNS_H
#define BPF_INSNS_H

#include <linux/bpf.h>

/* UAPI's BPF_REG_ names are long for a program that says little else. */
#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define R5 BPF_REG_5
#define R6 BPF_REG_6
#define R7 BPF_REG_7
#define R8 BPF_REG_8
#define R9 BPF_REG_9
#define FP BPF_REG_10

#define INSN(op, dst, src, at, value) \
	{ .code = (op), .dst_reg = (__u8)((dst) & 15), .src_reg = (__u8)((src) & 15), \
	  .off = (__s16)(at), .imm = (value) }

/* dst = src, dst = imm; the 32-bit forms clear the upper half */
#define MOV(dst, src)    INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOVI(dst, imm)   INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV32I(dst, imm) INSN(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (__s32)(imm))

/* dst op= src, dst op= imm */
#define ADD(dst, src)    INSN(BPF_ALU64 | BPF_ADD | BPF_X, dst, src, 0, 0)
#define ADDI(dst, imm)   INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define SUB(dst, src)    INSN(BPF_ALU64 | BPF_SUB | BPF_X, dst, src, 0, 0)
#define SUB32I(dst, imm) INSN(BPF_ALU | BPF_SUB | BPF_K, dst, 0, 0, (__s32)(imm))
#define AND(dst, src)    INSN(BPF_ALU64 | BPF_AND | BPF_X, dst, src, 0, 0)
#define ANDI(dst, imm)   INSN(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, imm)
#define OR(dst, src)     INSN(BPF_ALU64 | BPF_OR | BPF_X, dst, src, 0, 0)
#define ORI(dst, imm)    INSN(BPF_ALU64 | BPF_OR | BPF_K, dst, 0, 0, imm)
#define LSHI(dst, imm)   INSN(BPF_ALU64 | BPF_LSH | BPF_K, dst, 0, 0, imm)
#define RSHI(dst, imm)   INSN(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, imm)
#define ARSHI(dst, imm)  INSN(BPF_ALU64 | BPF_ARSH | BPF_K, dst, 0, 0, imm)

/* dst = big-endian bits of dst as a host number, 16 or 32 bits wide */
#define BE(dst, bits)    INSN(BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits)

/* size is BPF_B, BPF_H, BPF_W or BPF_DW: 1, 2, 4, 8 bytes */
#define LOAD(size, dst, src, at)   INSN(BPF_LDX | BPF_MEM | (size), dst, src, at, 0)
#define STORE(size, dst, at, src)  INSN(BPF_STX | BPF_MEM | (size), dst, src, at, 0)
#define STOREI(size, dst, at, imm) INSN(BPF_ST | BPF_MEM | (size), dst, 0, at, imm)

/* *(u64 *)(dst + at) += src, as one step for all CPUs; BPF_XADD before 5.12 */
#define ATOMIC_ADD(dst, at, src)   INSN(BPF_STX | 0xc0 | BPF_DW, dst, src, at, BPF_ADD)

/* dst = the map behind a file descriptor; dst = a 64-bit number: two slots each */
#define LOAD_MAP(dst, fd) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define LOAD64(dst, value) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (__s32)(__u32)(value)), \
	INSN(0, 0, 0, 0, (__s32)(__u32)((__u64)(value) >> 32))

/* if (dst cond src) goto label, if (dst cond imm) goto label */
#define JEQ(dst, src, label)   INSN(BPF_JMP | BPF_JEQ | BPF_X, dst, src, label, 0)
#define JEQI(dst, imm, label)  INSN(BPF_JMP | BPF_JEQ | BPF_K, dst, 0, label, imm)
#define JNE(dst, src, label)   INSN(BPF_JMP | BPF_JNE | BPF_X, dst, src, label, 0)
#define JNEI(dst, imm, label)  INSN(BPF_JMP | BPF_JNE | BPF_K, dst, 0, label, imm)
#define JGT(dst, src, label)   INSN(BPF_JMP | BPF_JGT | BPF_X, dst, src, label, 0)
#define JGTI(dst, imm, label)  INSN(BPF_JMP | BPF_JGT | BPF_K, dst, 0, label, imm)
#define JGEI(dst, imm, label)  INSN(BPF_JMP | BPF_JGE | BPF_K, dst, 0, label, imm)
#define JSGTI(dst, imm, label) INSN(BPF_JMP | BPF_JSGT | BPF_K, dst, 0, label, imm)
#define JSGEI(dst, imm, label) INSN(BPF_JMP | BPF_JSGE | BPF_K, dst, 0, label, imm)
#define JSETI(dst, imm, label) INSN(BPF_JMP | BPF_JSET | BPF_K, dst, 0, label, imm)
#define GOTO(label)            INSN(BPF_JMP | BPF_JA, 0, 0, label, 0)

/* r0 = helper(r1, ..., r5); r1 to r5 are lost */
#define CALL(helper)     INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT             INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/*
 * A place to jump to. No instruction: an opcode that no kernel has, taken out
 * again by bpf_asm_link().
 */
#define LABEL_OPCODE     (BPF_JMP | 0xf0)
#define LABEL(number)    INSN(LABEL_OPCODE, 0, 0, number, 0)

#endif
