/* SPDX-License-Identifier: MIT */
/*
 * All that differs between architectures: where struct pt_regs keeps what a
 * kprobe program reads. Offsets are bytes into the context of the program,
 * which is struct pt_regs of <asm/ptrace.h>.
 */
#ifndef ARCH_H
#define ARCH_H

#include <asm/ptrace.h>

#include <stddef.h>
#include <stdint.h>

enum { ARCH_SAVED_MAX = 16 };

struct arch {
	const char *name;
	uint8_t     pointer_size;
	int16_t     argument[4];           /* registers of the first four arguments */
	int16_t     stack_pointer;         /* at a function's entry it holds the return address */
	int16_t     instruction_pointer;
	int16_t     general[16];           /* by their number in the machine's instructions */
	uint8_t     saved_count;
	int16_t     saved[ARCH_SAVED_MAX]; /* callee-saved: the caller's values at entry */
};

#if defined(__x86_64__)
#define ARCH_REG(name) ((int16_t)offsetof(struct pt_regs, name))
static const struct arch arch = {
	.name = "x86_64",
	.pointer_size = 8,
	.argument = { ARCH_REG(rdi), ARCH_REG(rsi), ARCH_REG(rdx), ARCH_REG(rcx) },
	.stack_pointer = ARCH_REG(rsp),
	.instruction_pointer = ARCH_REG(rip),
	.general = {
		ARCH_REG(rax), ARCH_REG(rcx), ARCH_REG(rdx), ARCH_REG(rbx),
		ARCH_REG(rsp), ARCH_REG(rbp), ARCH_REG(rsi), ARCH_REG(rdi),
		ARCH_REG(r8), ARCH_REG(r9), ARCH_REG(r10), ARCH_REG(r11),
		ARCH_REG(r12), ARCH_REG(r13), ARCH_REG(r14), ARCH_REG(r15),
	},
	.saved_count = 6,
	.saved = {
		ARCH_REG(rbx), ARCH_REG(rbp), ARCH_REG(r12), ARCH_REG(r13), ARCH_REG(r14),
		ARCH_REG(r15),
	},
};
#else
#error "tcpdrop: this architecture is not known to arch.h"
#endif

#endif
