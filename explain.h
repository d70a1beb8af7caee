/* SPDX-License-Identifier: MIT */
/*
 * What a reason means, what usually causes it, and what to look at; where a
 * kernel gives no reason, the same for the function that dropped the packet.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

/* Everything, in sections, each under a line that begins with '#'. */
const char *explain_all(void);

/*
 * The paragraph of one reason, in any case, with or without SKB_DROP_REASON_;
 * or of one function, also as a stack has it ("tcp_v4_rcv.isra.0+0x1f"). It is
 * *size bytes. NULL: nothing is known of it.
 */
const char *explain_name(const char *name, size_t *size);

/* The same for the number of a subsystem's reason, which is not 0 in its high 16 bits. */
const char *explain_subsystem(uint32_t reason, size_t *size);

/*
 * Writes the names like this one on one line, terminated, with "..." for those
 * that do not fit. Returns its length; 0: there are none.
 */
size_t explain_near(char *buf, size_t size, const char *name);

#endif
