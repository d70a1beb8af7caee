/* SPDX-License-Identifier: MIT */
/*
 * Which process has a drop's socket open (-o): NETLINK_SOCK_DIAG of its network
 * namespace tells the inode number of the socket, and /proc/PID/fd who has it.
 */
#ifndef OWNER_H
#define OWNER_H

#include <stdbool.h>
#include <stddef.h>

struct drop;
struct drop_owner;

/*
 * Opens what is needed and learns the sockets that are open now. What will not
 * be told, why, and what to do about it: a line each in lacking, "" if nothing.
 */
void owner_open(char *lacking, size_t size);

/*
 * The process, valid until the next call; of several the one found first, which
 * is mostly that of the lowest pid. NULL: none, or none that can be told now. A
 * few microseconds; for a socket that is not known yet it looks through /proc, for
 * a few milliseconds at most and a tenth of the time in all.
 */
const struct drop_owner *owner_find(const struct drop *);

/* Where there is nothing else to do: looks through /proc as owner_find() would. Is there more? */
bool owner_go_on(void);

/* Before a pause: lets go of the other network namespace that was asked last. */
void owner_rest(void);

#endif
