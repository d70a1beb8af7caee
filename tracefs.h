/* SPDX-License-Identifier: MIT */
/* Files of tracefs, whether it is mounted or not. */
#ifndef TRACEFS_H
#define TRACEFS_H

#include <stdbool.h>

/* A file descriptor of the root of tracefs, for openat(2) (it may be O_PATH).
 * Found at the usual mounts; else, where detached is allowed, through fsopen(2)
 * (5.2 on), which leaves the mount table as it is, or before that in a mount
 * namespace of our own, in which we stay. Not to be allowed on a kernel
 * locked down to "confidentiality": from 6.12 on, and to 7.3 at least, closing such
 * a mount crashes it. Or -errno: -EACCES or -EPERM without the
 * right to, -ENODEV when the kernel has no tracefs, -ENOENT when it is not
 * mounted and the kernel is too old for fsopen(2). */
int tracefs_open(bool detached);

#endif
