/* SPDX-License-Identifier: MIT */
/*
 * What can be told about the running kernel and our own standing in it without
 * asking BPF or perf.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * LINUX_VERSION_CODE of the running kernel, from the note in its vDSO: uname(2)
 * says something else on Debian and Ubuntu. From uname only without a vDSO; 0
 * when neither can be read.
 */
uint32_t kernel_version(void);

/* "6.12.57" into buf, terminated. */
void kernel_version_text(char *buf, size_t size, uint32_t version);

/* Reads "5.10" or "5.10.4" into a version code; 0 when it is none. */
uint32_t kernel_version_parse(const char *text);

/*
 * The capabilities a tracer needs and this process lacks, in words; "" if none.
 * asking: also the one for SCHED_CLS programs, which offsets are asked with.
 */
void kernel_lacking(char *buf, size_t size, uint32_t version, bool asking);

/* "none", "integrity", "confidentiality", or "" where the kernel does not tell. */
void kernel_lockdown(char *buf, size_t size);

/*
 * What a link of /proc leads to, as in "socket:[123]" (kind: "socket:["): its
 * inode number; 0 when it is of another kind or cannot be read.
 */
uint32_t kernel_inode(int dirfd, const char *path, const char *kind);

/* Device and inode of the pid namespace we are in; false and zeroes: the first one, or unknown. */
bool kernel_pid_namespace(uint64_t *dev, uint64_t *ino);

/* Are page tables of five levels in use (x86-64, 4.14 on)? Addresses have 57 bits then, else 48. */
bool kernel_five_levels(void);

/* The inode number of our network namespace. */
uint32_t kernel_net_namespace(void);

/* A small file as one line without its newline; false (and "") when it cannot be read. */
bool kernel_file(const char *path, char *buf, size_t size);

#endif
