/* SPDX-License-Identifier: MIT */
/*
 * Addresses of kernel code to names, from the text of /proc/kallsyms.
 * A struct kallsyms begins as all zero bytes.
 */
#ifndef KALLSYMS_H
#define KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

/* Longer lines are ignored: KSYM_NAME_LEN is 512 (include/linux/kallsyms.h,
 * 6.1 on), MODULE_NAME_LEN 56, and 20 bytes stand before the name. */
enum { KALLSYMS_LINE = 640 };

struct kallsyms_symbol {
	uint64_t address;
	uint32_t name;           /* where in text, and its kind: kallsyms.c */
	uint32_t module;         /* where in text; 0: the kernel proper */
};

struct kallsyms {
	struct kallsyms_symbol *symbol; /* by address once finished */
	uint32_t count;
	uint32_t room;
	char    *text;           /* names, each with its zero byte */
	uint32_t text_used;
	uint32_t text_room;
	uint32_t module;         /* the module of the line before */
	uint32_t zeroes;         /* code symbols whose address is hidden */
	uint32_t line_used;
	char     line[KALLSYMS_LINE]; /* the begun line of the chunk before */
};

/* The three steps below in one. 0, or -errno: what open or read said, -EPERM
 * when every address is hidden (kernel.kptr_restrict, no CAP_SYSLOG), -ENODATA
 * when there is no code symbol, -ENOMEM. Free it in any case. */
int kallsyms_read(struct kallsyms *ks, const char *path);

/* The next n bytes of the text, cut anywhere. Lines of another form are passed
 * over. 0 or -ENOMEM. */
int kallsyms_parse(struct kallsyms *ks, const char *text, size_t n);

/* After the last chunk and before the first search: 0, -EPERM, -ENODATA or
 * -ENOMEM as above. */
int kallsyms_finish(struct kallsyms *ks);

/* Fills out with address and the nearest symbol at or below it; its strings
 * live as long as ks. False, and name and module NULL, offset 0, when there is
 * none, when data or the end of the kernel's code lies between, or when it is
 * too far away to be believed. */
bool kallsyms_find(const struct kallsyms *ks, uint64_t address, struct frame *out);

/* Where a function begins, and where the next one does; false when it has no
 * symbol. Its name may have an ending of the compiler's (.isra, .constprop).
 * Looks at every symbol. */
bool kallsyms_function(const struct kallsyms *ks, const char *name, uint64_t *start, uint64_t *end);

/* The same of a file, without keeping anything: for one function only. False as well when
 * the file cannot be read or hides the address. */
bool kallsyms_lookup(const char *path, const char *name, uint64_t *start, uint64_t *end);

/* Where a symbol of any type is, data too (CONFIG_KALLSYMS_ALL); 0: as above. */
uint64_t kallsyms_address(const char *path, const char *name);

void kallsyms_free(struct kallsyms *ks);

#endif
