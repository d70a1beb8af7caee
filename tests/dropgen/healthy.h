/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_HEALTHY_H
#define DROPGEN_HEALTHY_H

#include <stddef.h>
#include <stdint.h>

/* A socket bound to a port, or -1; rcvbuf 0: as it is. */
int healthy_socket(int ip, int type, uint16_t port, int rcvbuf);

/* One connection to the listener, bulk bytes each way; 0 or what failed. */
const char *healthy_one(int ip, int listener, uint16_t dport, uint16_t sport, size_t bulk);

/* Records that nothing of such connections may be shown. */
void healthy_record(const char *name, int ip, uint16_t dport);

/* So many of them; 0, or 1 when one failed. */
int healthy_many(unsigned long count);

#endif
