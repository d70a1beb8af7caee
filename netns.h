/* SPDX-License-Identifier: MIT */
/* Network namespaces: what -i, --netns-id and --pid-netns mean here, and sockets in others. */
#ifndef NETNS_H
#define NETNS_H

#include <stddef.h>

struct options;
struct program_filter;

/*
 * Sets the network namespace and the device of the filter. 0, or -1 with what is
 * wrong and what to do in err. A device is looked up in the namespace that is
 * meant, which for that takes CAP_SYS_ADMIN when it is not our own.
 */
int netns_resolve(struct program_filter *, const struct options *, char *err, size_t size);

/*
 * socket(2), in the network namespace of a descriptor of /proc/PID/ns/net; -1: in
 * our own. The new descriptor or -errno.
 */
int netns_socket(int ns, int family, int type, int protocol);

#endif
