/* SPDX-License-Identifier: MIT */
/*
 * Prints what the running kernel's verifier makes of the program that asks for
 * offsets, one instruction of 16 hexadecimal digits a line, for
 * tests/facts/readback. Needs root. With an argument it asks without sockets.
 */
#include <linux/bpf.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../attach.h"
#include "../bpf_asm.h"
#include "../kernel.h"
#include "../offsets.h"

static struct bpf_asm question;
static struct bpf_insn answer[BPF_ASM_MAX];

int
main(int argc, char **argv)
{
	char version[32];
	int program, count;

	(void)argv;
	offsets_question(&question, argc < 2);
	program = attach_load(&(struct attach_program){
		.type = BPF_PROG_TYPE_SCHED_CLS, .insn = question.insn, .count = question.count,
	});
	if (program < 0) {
		fprintf(stderr, "readback: cannot load: %s\n", strerror(-program));
		return 1;
	}
	count = attach_dump(program, answer, BPF_ASM_MAX);
	if (count <= 0) {
		fprintf(stderr, "readback: no answer: %s\n",
			count ? strerror(-count) : "not shown");
		return 1;
	}
	kernel_version_text(version, sizeof(version), kernel_version());
	printf("# Linux %s\n", version);
	for (int i = 0; i < count; i++) {
		const uint8_t *byte = (const uint8_t *)&answer[i];

		for (unsigned b = 0; b < sizeof(answer[i]); b++)
			printf("%02x", byte[b]);
		printf("\n");
	}
	return 0;
}
