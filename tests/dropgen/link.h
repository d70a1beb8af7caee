/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_LINK_H
#define DROPGEN_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Our end of a pair of veth devices, the other end is in a second namespace. */
extern const char link_near[];

/*
 * The pair: 10.77.1.1 and fd77:0:0:1::1 here, 10.77.1.2 and fd77:0:0:1::2
 * there, both without ARP. What comes from the TUN device for the other end
 * is forwarded. Made once; 0 or why this kernel cannot.
 */
const char *link_open(void);

/* What a host does that is a router, up to net_sysctl_restore(). */
void link_forward(void);

/* Into the second namespace and back; its inode. */
void link_enter(void);
void link_leave(void);
unsigned long long link_netns(void);

/* The address there, and ours of the pair. */
void link_addresses(int ip, uint8_t there[16], uint8_t here[16]);

/*
 * A pair of veth devices in our namespace, and a bridge that has the second
 * one as its only port; the route for 10.77.2.0/24 and fd77:0:0:2::/64 is the
 * first one. 0 or why not.
 */
const char *link_pair(bool bridge);
void link_unpair(void);

/*
 * A queueing discipline at the root of a device: one that no packet fits, one
 * that holds what comes after the first bytes, one that loses everything.
 */
enum link_queue { QUEUE_REFUSES, QUEUE_HOLDS, QUEUE_LOSES };

const char *link_queue(const char *device, enum link_queue kind);
void link_unqueue(const char *device);

#endif
