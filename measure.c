/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/bpf.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arch.h"
#include "attach.h"
#include "bpf_insns.h"
#include "calibrate.h"
#include "kernel.h"
#include "kprobes.h"
#include "measure.h"
#include "tracer.h"

enum {
	CATCHES  = 8,  /* buffers that are kept: ours is among the first */
	TRIES    = 8,  /* as many as are kept */
	PAYLOAD  = 61, /* bytes; no number that anything else in a buffer has */
	UDP      = 8,  /* bytes of its header */
	PRIORITY = 5,
	LOOPBACK = 1,  /* LOOPBACK_IFINDEX, include/net/flow.h: lo is the first of each namespace */
};

struct trap {
	int next;   /* array of one uint32_t: how many were caught, or the answer */
	int caught; /* array of CATCHES buffers */
	int program;
	int event;
};

/*
 * if (this thread has not our name) goto done; the stack from low on is zeroes.
 * The process id will not do: a program is told that of the first pid namespace.
 */
static void
begin(struct bpf_asm *a, int low, int done)
{
	uint64_t name[2] = { 0, 0 };

	syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0);
	BPF_ASM(a, NULL, MOV(R6, R1), MOVI(R1, 0));
	for (int i = low; i < 0; i += 8)
		BPF_ASM(a, NULL, STORE(BPF_DW, FP, i, R1));
	BPF_ASM(a, NULL, MOV(R1, FP), ADDI(R1, -16), MOVI(R2, 16), CALL(BPF_FUNC_get_current_comm),
	        LOAD(BPF_DW, R1, FP, -16), LOAD64(R2, name[0]), JNE(R1, R2, done),
	        LOAD(BPF_DW, R1, FP, -8), LOAD64(R2, name[1]), JNE(R1, R2, done),
	        STOREI(BPF_DW, FP, -16, 0), STOREI(BPF_DW, FP, -8, 0));
}

/* At kfree_skb(skb), in this thread: caught[next++] = *skb */
static void
write_program(struct tracer *t, const struct trap *trap)
{
	enum { DONE, LABELS };
	enum { KEY = -8, DATA = -8 - CALIBRATE_BYTES };
	struct bpf_asm *a = &t->text;

	bpf_asm_start(a, LABELS);
	begin(a, DATA, DONE);
	BPF_ASM(a, NULL,
	        LOAD(BPF_DW, R3, R6, arch.argument[0]), MOV(R1, FP), ADDI(R1, DATA),
	        MOVI(R2, CALIBRATE_BYTES), CALL(t->read), JNEI(R0, 0, DONE),
	        LOAD_MAP(R1, trap->next), MOV(R2, FP), ADDI(R2, KEY),
	        CALL(BPF_FUNC_map_lookup_elem), JEQI(R0, 0, DONE),
	        LOAD(BPF_W, R1, R0, 0), STORE(BPF_W, FP, KEY, R1), ADDI(R1, 1),
	        STORE(BPF_W, R0, 0, R1),
	        LOAD_MAP(R1, trap->caught), MOV(R2, FP), ADDI(R2, KEY), MOV(R3, FP),
	        ADDI(R3, DATA), MOVI(R4, BPF_ANY), CALL(BPF_FUNC_map_update_elem),
	        LABEL(DONE), MOVI(R0, 0), EXIT);
	bpf_asm_link(a);
}

/* At loopback_xmit(skb, lo), in this thread: next[0] = offsets_netns_search(skb) */
static void
write_netns_program(struct tracer *t, const struct trap *trap)
{
	enum { DONE, LABELS };
	enum { KEY = -OFFSETS_SEARCH - 8, VALUE = KEY - 8 };
	struct bpf_asm *a = &t->text;

	bpf_asm_start(a, LABELS);
	begin(a, VALUE, DONE);
	BPF_ASM(a, NULL, LOAD(BPF_DW, R3, R6, arch.argument[0]));
	offsets_netns_search(a, &t->offsets, t->read, kernel_net_namespace());
	BPF_ASM(a, NULL, STORE(BPF_W, FP, VALUE, R6),
	        LOAD_MAP(R1, trap->next), MOV(R2, FP), ADDI(R2, KEY), MOV(R3, FP),
	        ADDI(R3, VALUE), MOVI(R4, BPF_ANY), CALL(BPF_FUNC_map_update_elem),
	        LABEL(DONE), MOVI(R0, 0), EXIT);
	bpf_asm_link(a);
}

static int
open_trap(struct tracer *t, struct trap *trap, const char *function,
          void (*write)(struct tracer *, const struct trap *))
{
	int error;

	*trap = (struct trap){ .program = -1, .event = -1 };
	trap->next = attach_map(BPF_MAP_TYPE_ARRAY, 4, 4, 1);
	trap->caught = attach_map(BPF_MAP_TYPE_ARRAY, 4, CALIBRATE_BYTES, CATCHES);
	if (trap->next < 0 || trap->caught < 0)
		return trap->next < 0 ? trap->next : trap->caught;
	write(t, trap);
	trap->program = tracer_load(t, BPF_PROG_TYPE_KPROBE);
	if (trap->program < 0)
		return trap->program;
	trap->event = kprobes_make(&t->kprobes, function, 0, (int)t->rings.first);
	if (trap->event < 0)
		return trap->event;
	error = attach_bind(trap->event, trap->program);
	return error ? error : attach_enable(trap->event);
}

static void
close_trap(struct trap *trap)
{
	attach_close(&trap->event);
	attach_close(&trap->program);
	attach_close(&trap->next);
	attach_close(&trap->caught);
}

/* A socket at a port of its own on lo, whose address is then in *at. */
static int
open_port(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*at = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)at, size) < 0
	    || getsockname(fd, (struct sockaddr *)at, &size) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int
send_datagram(void)
{
	static const uint8_t payload[PAYLOAD];
	const int priority = PRIORITY;
	struct sockaddr_in from, to;
	int sender = open_port(&from), port = open_port(&to), error = 0;

	if (sender < 0 || port < 0
	    || setsockopt(sender, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) < 0)
		error = -EADDRNOTAVAIL;
	attach_close(&port);
	if (!error && sendto(sender, payload, sizeof(payload), 0, (struct sockaddr *)&to,
	                     sizeof(to)) < 0)
		error = -errno;
	attach_close(&sender);
	return error;
}

static bool
look(struct tracer *t, const struct trap *trap)
{
	const struct calibrate_packet ours = { UDP + PAYLOAD, PRIORITY, LOOPBACK };
	uint8_t skb[CALIBRATE_BYTES];

	for (uint32_t i = 0; i < CATCHES; i++)
		if (!attach_map_get(trap->caught, &i, skb) && calibrate(&t->offsets, skb, &ours))
			return true;
	return false;
}

/* While ksoftirqd is at work it frees the datagram too, and not this thread: then once more. */
int
measure(struct tracer *t)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct trap trap;
	int error = open_trap(t, &trap, "kfree_skb", write_program);

	for (int tries = 0; !error && tries < TRIES; tries++) {
		error = send_datagram();
		if (error || look(t, &trap))
			break;
		nanosleep(&pause, NULL);
		error = tries < TRIES - 1 ? 0 : -ENODATA;
	}
	close_trap(&trap);
	t->offsets.measured = !error;
	return error;
}

void
measure_netns(struct tracer *t)
{
	struct trap trap = { -1, -1, -1, -1 };
	uint32_t key = 0, at = 0;

	if (t->offsets.at[SOCK_NET] != OFFSET_NONE && kernel_net_namespace()
	    && !open_trap(t, &trap, "loopback_xmit", write_netns_program) && !send_datagram())
		attach_map_get(trap.next, &key, &at);
	close_trap(&trap);
	offsets_told(&t->offsets, NET_INUM, OFFSET_NONE);
	offsets_netns_answer(&t->offsets, at);
}
