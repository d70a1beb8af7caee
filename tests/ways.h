/* SPDX-License-Identifier: MIT */
/*
 * How far the verifier of Linux 4.4 goes through a program: it follows each way
 * apart, but for those that meet at a target of a jump with the same knowledge.
 */
#ifndef WAYS_H
#define WAYS_H

#include <linux/bpf.h>

enum {
	WAYS_INSNS   = 32768, /* it goes through in all */
	WAYS_PENDING = 1024,  /* ways that it has put off at a time */
};

/* The instructions it goes through, or -E2BIG, or -EFAULT for too many ways put off. */
int ways_count(const struct bpf_insn *, unsigned count);

#endif
