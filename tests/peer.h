/* SPDX-License-Identifier: MIT */
/* libpcap, whose headers and the kernel's do not go together in one file. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does it take the text for an expression? That one then counts; else why says why not. */
bool peer_takes(const char *text, bool optimize, const char **why);

/* Does a packet, from its IP header on, match it? */
bool peer_verdict(const uint8_t *packet, size_t size);

const char *peer_version(void);

#endif
