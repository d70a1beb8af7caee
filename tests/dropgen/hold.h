/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_HOLD_H
#define DROPGEN_HOLD_H

/*
 * Keeps the socket locked by its owner, so that segments go to its backlog.
 * There must be data in it to read, which is gone after the release. Returns
 * 0 or why this kernel cannot.
 */
const char *hold_begin(int fd);

/* The owner goes on, and takes what is in the backlog. */
void hold_end(void);

#endif
