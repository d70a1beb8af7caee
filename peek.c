/* SPDX-License-Identifier: MIT */
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include <sys/mman.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "bpf_asm.h"
#include "bpf_insns.h"
#include "kcore.h"
#include "peek.h"

enum {
	PIECE  = 256, /* bytes on the program's stack: half of what it may have */
	PIECES = 16,  /* that one run copies */
	PAGE   = 65536, /* no page is larger */
};

struct request {
	uint64_t address; /* 0: it is done */
	uint64_t size;
};

struct window {
	int  request; /* array of one struct request */
	int  pieces;  /* array of PIECES times PIECE bytes */
	int  program;
	int  event;
};

/* r7, r8 = request[0]; for each piece that is asked for: pieces[i] = *(r7 + i * PIECE) */
static void
write_program(struct bpf_asm *a, const struct window *w, int32_t helper)
{
	enum { DONE, ALL, LABELS };
	enum { KEY = -8, DATA = -8 - PIECE };

	bpf_asm_start(a, LABELS);
	BPF_ASM(a, NULL, STOREI(BPF_W, FP, KEY, 0), LOAD_MAP(R1, w->request), MOV(R2, FP),
	        ADDI(R2, KEY), CALL(BPF_FUNC_map_lookup_elem), JEQI(R0, 0, DONE), MOV(R9, R0),
	        LOAD(BPF_DW, R7, R9, offsetof(struct request, address)),
	        LOAD(BPF_DW, R8, R9, offsetof(struct request, size)), JEQI(R7, 0, DONE));
	for (int i = 0; i < PIECES; i++) {
		int next = bpf_asm_label(a);

		BPF_ASM(a, NULL, JGTI(R8, i * PIECE, next), GOTO(ALL), LABEL(next),
		        MOV(R1, FP), ADDI(R1, DATA), MOVI(R2, PIECE), MOV(R3, R7),
		        ADDI(R3, i * PIECE), CALL(helper), JNEI(R0, 0, DONE),
		        STOREI(BPF_W, FP, KEY, i), LOAD_MAP(R1, w->pieces), MOV(R2, FP),
		        ADDI(R2, KEY), MOV(R3, FP), ADDI(R3, DATA), MOVI(R4, BPF_ANY),
		        CALL(BPF_FUNC_map_update_elem));
	}
	BPF_ASM(a, NULL, LABEL(ALL), STOREI(BPF_DW, R9, offsetof(struct request, address), 0),
	        LABEL(DONE), MOVI(R0, 0), EXIT);
	bpf_asm_link(a);
}

static int
open_window(struct window *w, int32_t helper)
{
	static struct bpf_asm text;
	struct attach_program p = { .type = BPF_PROG_TYPE_PERF_EVENT, .insn = text.insn };

	*w = (struct window){ .program = -1, .event = -1 };
	w->request = attach_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct request), 1);
	w->pieces = attach_map(BPF_MAP_TYPE_ARRAY, 4, PIECE, PIECES);
	if (w->request < 0 || w->pieces < 0)
		return w->request < 0 ? w->request : w->pieces;
	write_program(&text, w, helper);
	p.count = text.count;
	w->program = attach_load(&p);
	if (w->program < 0)
		return w->program;
	w->event = attach_software(PERF_COUNT_SW_PAGE_FAULTS);
	if (w->event < 0)
		return w->event;
	return attach_bind(w->event, w->program);
}

static void
close_window(struct window *w)
{
	attach_close(&w->event);
	attach_close(&w->program);
	attach_close(&w->request);
	attach_close(&w->pieces);
}

/* A page that was never touched: the first write to it is a fault. */
static bool
fault(void)
{
	volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                           -1, 0);

	if (page == MAP_FAILED)
		return false;
	*page = 1;
	munmap((void *)(uintptr_t)page, PAGE);
	return true;
}

static int
copy_piece(const struct window *w, uint32_t i, uint8_t *to, size_t size)
{
	uint8_t piece[PIECE];
	int error = attach_map_get(w->pieces, &i, piece);

	if (!error)
		memcpy(to, piece, size < PIECE ? size : PIECE);
	return error;
}

static int
read_window(const struct window *w, uint64_t address, uint8_t *to, size_t size)
{
	struct request r = { .address = address, .size = size };
	uint32_t key = 0;
	int error = attach_map_set(w->request, &key, &r);

	if (!error)
		error = fault() ? attach_map_get(w->request, &key, &r) : -ENOMEM;
	if (!error && r.address)
		error = -EFAULT; /* it did not run, or could not read all */
	for (uint32_t i = 0; i * PIECE < size && !error; i++)
		error = copy_piece(w, i, to + i * PIECE, size - i * PIECE);
	return error;
}

int
peek_by_program(int32_t helper, uint64_t address, void *to, size_t size)
{
	const size_t most = PIECE * PIECES;
	struct window w;
	int error = open_window(&w, helper);

	if (!error)
		error = attach_enable(w.event);
	for (size_t done = 0; done < size && !error; done += most)
		error = read_window(&w, address + done, (uint8_t *)to + done,
		                    size - done < most ? size - done : most);
	close_window(&w);
	return error;
}

int
peek(int32_t helper, uint64_t address, void *to, size_t size)
{
	int error = kcore_read(address, to, size);

	return error && peek_by_program(helper, address, to, size) ? error : 0;
}
