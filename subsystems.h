/* SPDX-License-Identifier: MIT */
/*
 * Names of drop reasons from the kernel's own memory: those of subsystems, which
 * have their number in the high 16 bits and stand in no file, and the core's where
 * tracefs cannot be read. A struct subsystems begins as all zero bytes.
 */
#ifndef SUBSYSTEMS_H
#define SUBSYSTEMS_H

#include <stdbool.h>
#include <stdint.h>

enum { SUBSYSTEMS_NAMES = 64, SUBSYSTEMS_NAME = 48 };

struct subsystems {
	bool     searched;
	uint64_t table;    /* drop_reasons_by_subsys (6.4 on); 0: not known */
	unsigned count;
	struct {
		uint32_t reason;
		char     name[SUBSYSTEMS_NAME]; /* "": it has none */
	} kept[SUBSYSTEMS_NAMES];
};

/*
 * The name, as the kernel has it, which lives as long as the struct; NULL when the
 * kernel does not tell it. helper: the one that reads memory. Each name is read
 * once; after SUBSYSTEMS_NAMES of them no more are.
 */
const char *subsystems_name(struct subsystems *, int32_t helper, uint32_t reason);

/* The number of a name in any case, with or without SKB_DROP_REASON_: 0 or -ENOENT. */
int subsystems_code(struct subsystems *, int32_t helper, const char *name, uint32_t *code);

#endif
