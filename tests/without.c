/* SPDX-License-Identifier: MIT */
/*
 * without WORD... -- COMMAND...: runs a command for which this kernel lacks what
 * the words name, as an older kernel does: a seccomp filter gives that kernel's
 * answer.
 */
#define _GNU_SOURCE

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVERY_COMMAND = -1, STATEMENTS = 5, MOST = 8 };

static const struct lack {
	const char *word;
	int         call;
	int         command; /* the first argument, or EVERY_COMMAND */
	int         error;
} lacks[] = {
	{ "info", SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, EINVAL },            /* before 4.13 */
	{ "test_run", SYS_bpf, BPF_PROG_TEST_RUN, EINVAL },             /* 4.12 */
	{ "raw_tracepoint", SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, EINVAL }, /* 4.17 */
	{ "fsopen", SYS_fsopen, EVERY_COMMAND, ENOSYS },                /* 5.2 */
	{ "statx", SYS_statx, EVERY_COMMAND, ENOSYS },                  /* 4.11 */
};

static const struct lack *
find(const char *word)
{
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
		if (!strcmp(lacks[i].word, word))
			return &lacks[i];
	return NULL;
}

/* if (call == lack's && the command too) return the error */
static unsigned
deny(struct sock_filter *f, const struct lack *lack)
{
	const struct sock_filter load = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	const struct sock_filter equal = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
	const struct sock_filter give = BPF_STMT(BPF_RET | BPF_K, 0);
	unsigned n = 0, rest = lack->command == EVERY_COMMAND ? 1 : 3;

	f[n] = load;
	f[n++].k = offsetof(struct seccomp_data, nr);
	f[n] = equal;
	f[n].jf = (uint8_t)rest;
	f[n++].k = (uint32_t)lack->call;
	if (rest > 1) {
		f[n] = load;
		f[n++].k = offsetof(struct seccomp_data, args);
		f[n] = equal;
		f[n].jf = 1;
		f[n++].k = (uint32_t)lack->command;
	}
	f[n] = give;
	f[n++].k = SECCOMP_RET_ERRNO | (uint32_t)lack->error;
	return n;
}

static int
install(char **words)
{
	struct sock_filter filter[MOST * STATEMENTS + 1];
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .filter = filter };
	int count = 0;

	for (; *words && strcmp(*words, "--") != 0; words++) {
		if (!find(*words) || count++ == MOST)
			return -1;
		program.len += deny(filter + program.len, find(*words));
	}
	filter[program.len++] = allow;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int
main(int argc, char **argv)
{
	char **command = argv + 1;

	while (*command && strcmp(*command, "--") != 0)
		command++;
	if (argc < 4 || !*command || !command[1]) {
		fputs("usage: without info|test_run|raw_tracepoint|fsopen|statx... -- COMMAND...\n",
		      stderr);
		return 2;
	}
	if (install(argv + 1) < 0) {
		perror("without");
		return 126;
	}
	execv(command[1], command + 1);
	perror(command[1]);
	return 127;
}
