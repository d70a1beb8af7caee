/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include <signal.h>
#include <unistd.h>

#include "signals.h"

/* The kernel's set is of words, the first of which has the first signals. */
int
signals_open(uint32_t taken, uint32_t blocked)
{
	unsigned long set[_NSIG / 8 / sizeof(long)] = { taken };
	int fd = (int)syscall(SYS_signalfd4, -1, set, sizeof(set), SFD_CLOEXEC);

	set[0] = fd < 0 ? blocked : taken | blocked;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, set, NULL, sizeof(set));
	return fd;
}

uint32_t
signals_take(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? info.ssi_signo : 0;
}
