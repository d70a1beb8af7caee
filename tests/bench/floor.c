/* SPDX-License-Identifier: MIT */
/*
 * What nothing can be below: a program at the tracepoint kfree_skb that returns
 * at once, or one that only sends so many bytes of its stack through the ring.
 *
 *     floor empty | floor send BYTES [stack]
 *
 * Says "armed", and at the end of its input how often it ran and for how many
 * nanoseconds in all (kernel.bpf_stats_enabled).
 */
#include <linux/bpf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../attach.h"
#include "../../bpf_asm.h"
#include "../../bpf_insns.h"
#include "../../ring.h"

static struct bpf_asm text;

static int
set_cpu(unsigned cpu, int event, int bell, void *map)
{
	uint32_t key = cpu;

	(void)bell;
	return attach_map_set(*(int *)map, &key, &event);
}

/* perf_event_output(ctx, map, this CPU, stack, bytes) */
static void
write_send(int map, int bytes)
{
	BPF_ASM(&text, NULL, MOV(R6, R1), MOVI(R1, 0));
	for (int at = -bytes; at < 0; at += 8)
		BPF_ASM(&text, NULL, STORE(BPF_DW, FP, at, R1));
	BPF_ASM(&text, NULL, MOV(R1, R6), LOAD_MAP(R2, map), MOV32I(R3, BPF_F_CURRENT_CPU),
	        MOV(R4, FP), ADDI(R4, -bytes), MOVI(R5, bytes),
	        CALL(BPF_FUNC_perf_event_output));
}

static void
tell(int program)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", program);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "run_", 4))
			fputs(line, stdout);
	if (file)
		fclose(file);
}

int
main(int argc, char **argv)
{
	int bytes = argc > 2 ? atoi(argv[2]) : 0, map, program, error;
	struct attach_program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	struct rings rings;
	char rest[64];

	error = rings_open(&rings, 256, argc > 3);
	if (error)
		return fprintf(stderr, "floor: rings: %s\n", strerror(-error)), 1;
	map = attach_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, rings.count);
	if (map < 0 || rings_each(&rings, set_cpu, &map))
		return fprintf(stderr, "floor: map: %s\n", strerror(-map)), 1;
	bpf_asm_start(&text, 0);
	if (bytes)
		write_send(map, bytes);
	BPF_ASM(&text, NULL, MOVI(R0, 0), EXIT);
	bpf_asm_link(&text);
	p.insn = text.insn;
	p.count = text.count;
	program = attach_load(&p);
	if (program < 0 || attach_raw_tracepoint(program, "kfree_skb") < 0)
		return fprintf(stderr, "floor: cannot load or attach\n"), 1;
	puts("armed");
	fflush(stdout);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
	tell(program);
	return 0;
}
