/* SPDX-License-Identifier: MIT */
/*
 * What is found in /proc is kept, and looked at again before it is used. A socket
 * for asking keeps its network namespace alive: that of another one is open only
 * while drops are at hand.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"
#include "drop.h"
#include "file.h"
#include "kernel.h"
#include "nanos.h"
#include "netns.h"
#include "owner.h"
#include "text.h"

enum {
	SLOTS     = 16384,   /* more sockets than that push each other out */
	NAMESPACE = -1,      /* in place of a descriptor: it is a network namespace */
	SOCKET    = 0,
	LISTEN    = 10,      /* <net/tcp_states.h> */
	MS        = 1000000, /* nanoseconds */
	FRESH     = 20 * MS, /* how long what was looked at is taken to hold */
	FIRST     = 250 * MS, /* the first look through /proc */
	SLICE     = 4 * MS,  /* a later one at most */
	SHARE     = 10,      /* all in all one part in so many of the time */
	CREDIT    = 80 * MS, /* of time for which that may be spent in advance */
	RETRY     = 1000 * MS, /* until what nobody had is looked for again */
};

static const uint32_t NOBODY = UINT32_MAX; /* a pid above all: whoever is found takes its place */

/* Who has a socket, or is in a network namespace. */
static struct slot {
	uint64_t checked; /* CLOCK_MONOTONIC, nanoseconds */
	uint32_t inode;   /* 0: unused */
	int32_t  fd;
	struct drop_owner owner;
} slots[SLOTS];

/* One look through /proc, which may take several drops: all processes, descriptors of one. */
static struct {
	struct file_folder processes, fds;
	uint32_t pid;
	uint32_t found;   /* the process */
	bool     hidden;  /* some processes are */
	uint32_t sought;  /* what it was begun for; 0: it is over */
	int      kind;
	uint64_t paid;    /* when its share is back within bounds */
} sweep;

static int      here = -1, there = -1; /* for asking: our own network namespace, another */
static uint32_t here_net, there_net;

static uint64_t
now(void)
{
	return nanos(CLOCK_MONOTONIC);
}

/* ---- who has what ---- */

static bool
is(const struct slot *s, uint32_t inode, int kind)
{
	return s->inode == inode && (s->fd < 0) == (kind < 0);
}

/* The inode number behind a descriptor, or that of the network namespace. */
static uint32_t
read_link(uint32_t pid, int fd)
{
	char path[40];

	text_format(path, sizeof(path), fd < 0 ? "%u/ns/net" : "%u/fd/%d", pid, fd);
	return kernel_inode(sweep.processes.fd, path, fd < 0 ? "net:[" : "socket:[");
}

/*
 * Does it still hold? The name comes first: when the same process number has the
 * socket after that, the name was that process's.
 */
static bool
holds(struct slot *s, uint32_t inode, int kind)
{
	char path[40], comm[sizeof(s->owner.comm) + 2];
	ssize_t n;

	if (!is(s, inode, kind) || s->owner.pid == NOBODY)
		return false;
	if (now() - s->checked < FRESH)
		return true;
	text_format(path, sizeof(path), "%u/comm", s->owner.pid);
	n = file_load(sweep.processes.fd, path, comm, sizeof(comm));
	if (n < 1 || read_link(s->owner.pid, s->fd) != inode)
		return false;
	comm[n - 1] = '\0';
	memcpy(s->owner.comm, comm, sizeof(s->owner.comm));
	s->checked = now();
	return true;
}

/* The first process of a sweep that has it stays. */
static void
note(uint32_t inode, int fd)
{
	struct slot *s = &slots[inode % SLOTS];

	if (inode && (!is(s, inode, fd) || sweep.pid < s->owner.pid))
		*s = (struct slot){ .inode = inode, .fd = fd, .owner.pid = sweep.pid };
}

/* ---- looking through /proc ---- */

static void
enter(uint32_t pid)
{
	char path[40];
	uint32_t net;

	sweep.pid = pid;
	net = read_link(pid, NAMESPACE);
	sweep.hidden |= !net && errno == EACCES;
	note(net, NAMESPACE);
	text_format(path, sizeof(path), "%u/fd", pid);
	sweep.fds.fd = openat(sweep.processes.fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sweep.fds.at = sweep.fds.used = 0;
}

/* The process found last comes first: it may have opened one more. */
static void
begin(uint32_t inode, int kind)
{
	if (sweep.fds.fd >= 0)
		close(sweep.fds.fd);
	lseek(sweep.processes.fd, 0, SEEK_SET);
	sweep.processes.at = sweep.processes.used = 0;
	sweep.sought = inode;
	sweep.kind = kind;
	enter(sweep.found);
}

/* The next descriptor of this process, or the next process; false: all were seen. */
static bool
step(void)
{
	struct file_folder *fds = &sweep.fds;
	int64_t n = file_number(fds->fd < 0 ? &sweep.processes : fds);
	char path[24];

	if (fds->fd >= 0 && n >= 0) {
		text_format(path, sizeof(path), "%u", (unsigned)n);
		note(kernel_inode(fds->fd, path, "socket:["), (int)n);
	} else if (fds->fd >= 0) {
		close(fds->fd);
		fds->fd = -1;
	} else if (n >= 0) {
		enter((uint32_t)n);
	} else {
		return false;
	}
	return true;
}

/*
 * Until it is found, or known that nobody has it, or the limit is reached. What
 * another look was begun for, it may have passed already: that one is finished first.
 */
static void
look_through(struct slot *s, uint32_t inode, int kind, unsigned limit)
{
	uint64_t start = now(), end = start;

	if (start + CREDIT < sweep.paid)
		return;
	for (unsigned i = 0; !is(s, inode, kind) && end - start < limit; i++) {
		if (!sweep.sought)
			begin(inode, kind);
		if (!step()) {
			if (sweep.sought == inode)
				*s = (struct slot){ now(), inode, kind, { .pid = NOBODY } };
			sweep.sought = 0;
		}
		if (i % 16 == 0)
			end = now();
	}
	if (sweep.sought == inode && is(s, inode, kind))
		sweep.sought = 0;
	sweep.paid = (sweep.paid > start ? sweep.paid : start) + (end - start) * SHARE;
}

static const struct slot *
look_up(uint32_t inode, int kind)
{
	struct slot *s = &slots[inode % SLOTS];

	if (holds(s, inode, kind))
		return s;
	if (is(s, inode, kind)) {
		if (s->owner.pid == NOBODY && now() - s->checked < RETRY)
			return NULL;
		s->inode = 0;
	}
	look_through(s, inode, kind, SLICE);
	if (!holds(s, inode, kind))
		return NULL;
	sweep.found = s->owner.pid;
	return s;
}

bool
owner_go_on(void)
{
	if (sweep.sought)
		look_through(&slots[sweep.sought % SLOTS], sweep.sought, sweep.kind, SLICE);
	return sweep.sought;
}

/* ---- asking ---- */

/* What the kernel has answered, at most size bytes; it has by the time send() is over. */
static size_t
ask(int fd, struct diag_request *q, void *answer, size_t size)
{
	static uint32_t sequence;
	const struct nlmsghdr *header = answer;
	ssize_t n;

	q->header.nlmsg_seq = ++sequence;
	if (send(fd, q, sizeof(*q), MSG_DONTWAIT) != sizeof(*q))
		return 0;
	while ((n = recv(fd, answer, size, MSG_DONTWAIT)) >= (ssize_t)sizeof(*header))
		if (header->nlmsg_seq == sequence)
			return (size_t)n;
	return 0;
}

void
owner_rest(void)
{
	if (there >= 0)
		close(there);
	there = -1;
	there_net = 0;
}

/* The process may have gone, or to another namespace, since it was looked at. */
static int
open_there(uint32_t pid, uint32_t net)
{
	char path[40];
	int fd = -1, ns;

	text_format(path, sizeof(path), "%u/ns/net", pid);
	ns = openat(sweep.processes.fd, path, O_RDONLY | O_CLOEXEC);
	text_format(path, sizeof(path), "self/fd/%d", ns);
	if (kernel_inode(sweep.processes.fd, path, "net:[") == net)
		fd = netns_socket(ns, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	if (ns >= 0)
		close(ns);
	return fd;
}

/* Where namespaces cannot be told apart, a listener of ours may not be the packet's. */
static int
socket_of(const struct drop *d)
{
	const struct slot *s;

	if (d->netns == here_net || (!d->netns && d->state != LISTEN))
		return here;
	if (d->netns != there_net) {
		owner_rest();
		s = look_up(d->netns, NAMESPACE);
		there = s ? open_there(s->owner.pid, d->netns) : -1;
		there_net = d->netns;
	}
	return there;
}

const struct drop_owner *
owner_find(const struct drop *d)
{
	_Alignas(8) char answer[512];
	struct diag_request question;
	const struct slot *s = NULL;
	uint32_t inode;
	int fd;

	if (!diag_ask(&question, d))
		return NULL;
	fd = socket_of(d);
	inode = diag_inode(answer, ask(fd, &question, answer, sizeof(answer)), d->state);
	if (inode)
		s = look_up(inode, SOCKET);
	return s ? &s->owner : NULL;
}

/* ---- the start ---- */

/* Module tcp_diag is loaded by the question. */
static int
try_asking(void)
{
	_Alignas(8) char answer[512];
	struct diag_request question;

	here = netns_socket(-1, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	diag_try(&question);
	return diag_error(answer, ask(here, &question, answer, sizeof(answer)));
}

void
owner_open(char *lacking, size_t size)
{
	static const char *const what[] = {
		": the kernel needs CONFIG_INET_DIAG and tcp_diag",
		" among processes that are hidden: CAP_SYS_PTRACE, and /proc mounted without hidepid",
		" in other network namespaces: CAP_SYS_ADMIN",
		" outside of this pid namespace: run on the host",
	};
	uint64_t device, number;
	bool lacks[4];
	int ns;

	sweep.fds.fd = -1;
	sweep.processes.fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC); /* -1: there is but one */
	here_net = kernel_net_namespace();
	lacks[0] = try_asking() != 0;
	look_through(&slots[NOBODY % SLOTS], NOBODY, SOCKET, FIRST);
	sweep.paid = 0;
	lacks[1] = sweep.hidden || access("/proc/1", F_OK);
	lacks[2] = ns >= 0 && setns(ns, CLONE_NEWNET);
	lacks[3] = kernel_pid_namespace(&device, &number);
	if (ns >= 0)
		close(ns);
	*lacking = '\0';
	for (unsigned i = 0, n = 0; i < 4 && n < size; i++)
		if (lacks[i])
			n += (unsigned)text_format(lacking + n, size - n, "no owners%s\n", what[i]);
}
