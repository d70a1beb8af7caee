/* SPDX-License-Identifier: MIT */
/*
 * A thread that receives into a page which userfaultfd has registered and
 * nobody fills: tcp_recvmsg() copies with the socket locked, so it sleeps in
 * the page fault as the socket's owner, until the descriptor is closed.
 */
#define _GNU_SOURCE

#include <linux/userfaultfd.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold.h"

enum { PAGE = 4096, WAIT_MS = 2000 };

static pthread_t thread;
static void *page;
static int faults = -1;
static int held;                /* the socket */

static int
watch_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	all.range.start = (unsigned long)page;
	all.range.len = PAGE;
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (faults < 0)
		return -1;
	return syscall(SYS_ioctl, faults, UFFDIO_API, &api) < 0
	    || syscall(SYS_ioctl, faults, UFFDIO_REGISTER, &all) < 0 ? -1 : 0;
}

static void *
receive(void *unused)
{
	recv(held, page, PAGE, MSG_DONTWAIT);
	return unused;
}

static void
forget(void)
{
	if (faults >= 0)
		close(faults);
	faults = -1;
	munmap(page, PAGE);
}

const char *
hold_begin(int fd)
{
	struct pollfd pfd = { .events = POLLIN };

	if (watch_page() < 0) {
		forget();
		return "no userfaultfd to keep a socket locked with";
	}
	held = fd;
	if (pthread_create(&thread, NULL, receive, NULL)) {
		forget();
		return "no second thread";
	}
	pfd.fd = faults;
	if (poll(&pfd, 1, WAIT_MS) == 1 && pfd.revents == POLLIN)
		return NULL;
	hold_end();
	return "the reader of the socket was not stopped";
}

void
hold_end(void)
{
	close(faults);
	faults = -1;
	pthread_join(thread, NULL);
	forget();
}
