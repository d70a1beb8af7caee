/* SPDX-License-Identifier: MIT */
/*
 * The symbols of the kernel's code, compact: 8 bytes and the name for each.
 * The kernel lists its own symbols by address, and then those of modules and
 * BPF programs in no order, so only the tail is sorted and merged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drop.h"
#include "kallsyms.h"
#include "memory.h"

/* names[]: where the name is, and what its symbol is like. The number of a
 * module symbol's module stands in the two bytes before its name. */
enum {
	NAME_AT     = (1u << 29) - 1,
	NAME_GLOBAL = 1u << 29,     /* T */
	NAME_WEAK   = 1u << 30,     /* W: global, but the lesser name */
};
#define NAME_MODULE (1u << 31)

enum {
	TEXT_GAP   = 0,             /* where in text: the empty name, an end of code */
	FAR_AWAY   = 256 * 1024,    /* no function is that long */
	READ_BYTES = 16 * 1024,     /* the kernel gives a page a read */
};

struct symbol {
	uint64_t address;
	uint32_t name;
	uint32_t order;
};

/* Called everywhere: its code once is enough. */
__attribute__((noinline))
static uint64_t
address_at(const struct kallsyms *ks, uint32_t i)
{
	return ks->far ? ks->far[i] : ks->base + ks->near[i];
}

__attribute__((noinline))
static void
address_set(struct kallsyms *ks, uint32_t i, uint64_t address)
{
	if (ks->far)
		ks->far[i] = address;
	else
		ks->near[i] = (uint32_t)(address - ks->base);
}

static bool
address_fits(const struct kallsyms *ks, uint64_t address)
{
	return address >= ks->base && address - ks->base <= UINT32_MAX;
}

/* memory_resize() that leaves the pointer alone when it fails */
static int
resize(void *pointer, size_t n, size_t size)
{
	void *old, *new;

	memcpy(&old, pointer, sizeof(old));
	new = memory_resize(old, n * size);
	if (!new)
		return -ENOMEM;
	memcpy(pointer, &new, sizeof(new));
	return 0;
}

static int
set_room(struct kallsyms *ks, uint32_t room)
{
	if (resize(&ks->names, room, sizeof(*ks->names)))
		return -ENOMEM;
	if (ks->far ? resize(&ks->far, room, sizeof(*ks->far))
	            : resize(&ks->near, room, sizeof(*ks->near)))
		return -ENOMEM;
	ks->room = room;
	return 0;
}

/* From 4-byte addresses to whole ones: BPF programs of arm64 and modules of
 * powerpc are far away from the kernel. */
static int
widen(struct kallsyms *ks)
{
	uint64_t *far = memory_resize(NULL, ks->room * sizeof(*far));

	if (!far)
		return -ENOMEM;
	for (uint32_t i = 0; i < ks->count; i++)
		far[i] = ks->base + ks->near[i];
	memory_free(ks->near);
	ks->near = NULL;
	ks->far = far;
	return 0;
}

/* memcpy() for a name, inline: the C library's is made for more bytes. */
static void
copy(char *to, const char *from, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8)
		memcpy(to + i, from + i, 8);
	for (; i < n; i++)
		to[i] = from[i];
}

/* Where n bytes of text and a zero byte begin, or -ENOMEM. */
static int64_t
text_add(struct kallsyms *ks, const char *s, size_t n)
{
	uint32_t at = ks->text_used;

	if (ks->text_room - at <= n) {
		uint32_t room = ks->text_room + ks->text_room / 2 + 65536;

		if (room > NAME_AT || resize(&ks->text, room, 1))
			return -ENOMEM;
		ks->text_room = room;
	}
	copy(ks->text + at, s, n);
	ks->text[at + n] = '\0';
	ks->text_used = at + (uint32_t)n + 1;
	return at;
}

/* The number of a module, which is new when it has not been seen. */
static int64_t
module_add(struct kallsyms *ks, const char *s, size_t n)
{
	int64_t at;

	for (uint32_t i = ks->modules_count; i-- > 0;) {
		const char *name = ks->text + ks->modules[i];

		if (!strncmp(name, s, n) && !name[n])
			return i;
	}
	if (ks->modules_count > UINT16_MAX)
		return -ENOMEM;
	if (resize(&ks->modules, ks->modules_count + 1, sizeof(*ks->modules)))
		return -ENOMEM;
	at = text_add(ks, s, n);
	if (at < 0)
		return at;
	ks->modules[ks->modules_count] = (uint32_t)at;
	return ks->modules_count++;
}

static bool
has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool
contains(const char *s, const char *part)
{
	while (*s && !has_prefix(s, part))
		s++;
	return *s != '\0';
}

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !strcmp(s + n - m, suffix);
}

/* Names of the linker script, which stand where a section begins or ends. */
static bool
is_marker(const char *s)
{
	static const char *const exact[] = {
		"_text", "_stext", "_etext", "_sinittext", "_einittext",
		"__init_begin", "__init_end",
	};

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (!strcmp(s, exact[i]))
			return true;
	return has_prefix(s, "__") &&
	       (contains(s, "text_") || contains(s, "_thunk_")) &&
	       (has_suffix(s, "_start") || has_suffix(s, "_end"));
}

/* How good a name is for an address that has several. */
static int
rank(const struct kallsyms *ks, uint32_t name)
{
	const char *s = ks->text + (name & NAME_AT);
	int underscores = (int)strspn(s, "_");

	if (!*s)
		return -1;
	if (is_marker(s))
		return 0;
	if (underscores > 8)
		underscores = 8;
	if (has_prefix(s, "__pi_") || has_prefix(s, "__ia32_"))
		underscores++; /* second names of memcpy and __x64_sys_read */
	return 10 - underscores + (strchr(s, '.') ? 0 : 10) +
	       (name & NAME_GLOBAL ? 60 : name & NAME_WEAK ? 40 : 20);
}

static int
entry_add(struct kallsyms *ks, uint64_t address, uint32_t name)
{
	if (ks->count == ks->room && set_room(ks, ks->room + ks->room / 2 + 4096))
		return -ENOMEM;
	if (!ks->count) /* modules may lie on either side of the kernel */
		ks->base = address > 1u << 31 ? address - (1u << 31) : 0;
	if (!ks->far && !address_fits(ks, address) && widen(ks))
		return -ENOMEM;
	address_set(ks, ks->count, address);
	ks->names[ks->count++] = name;
	return 0;
}

/* The end of code is a symbol with the empty name. */
static int
gap_add(struct kallsyms *ks, uint64_t address)
{
	if (!ks->count || ks->gap)
		return 0;
	ks->gap = true;
	if (address <= address_at(ks, ks->count - 1) || (!ks->far && !address_fits(ks, address)))
		return 0;
	return entry_add(ks, address, TEXT_GAP);
}

static int
symbol_add(struct kallsyms *ks, uint64_t address, uint32_t flags, const char *s, size_t n,
           const char *module, size_t module_n)
{
	uint32_t before = ks->text_used;
	uint32_t last = ks->count - 1;
	int64_t at;

	if (module) {
		int64_t number = module_add(ks, module, module_n);
		char id[2];

		if (number < 0)
			return -ENOMEM;
		id[0] = (char)(number & 0xff);
		id[1] = (char)(number >> 8);
		before = ks->text_used;
		if (text_add(ks, id, sizeof(id)) < 0)
			return -ENOMEM;
		ks->text_used--; /* the name follows at once */
		flags |= NAME_MODULE;
	}
	at = text_add(ks, s, n);
	if (at < 0)
		return -ENOMEM;
	flags |= (uint32_t)at;
	if (!ks->count || ks->gap || address != address_at(ks, last)) {
		ks->gap = false;
		return entry_add(ks, address, flags);
	}
	if (rank(ks, flags) <= rank(ks, ks->names[last])) {
		ks->text_used = before;
		return 0;
	}
	ks->names[last] = flags;
	return 0;
}

/* What follows the number, or NULL when it is none. */
static const char *
hex(const char *s, const char *end, uint64_t *value)
{
	const char *start = s;
	uint64_t v = 0;

	for (; s < end; s++) {
		unsigned c = (unsigned char)*s;
		unsigned digit = c - '0';

		if (digit > 9) {
			digit = (c | 0x20) - 'a' + 10;
			if (digit < 10 || digit > 15)
				break;
		}
		v = v << 4 | digit;
	}
	*value = v;
	return s == start || s - start > 16 ? NULL : s;
}

/* A function's padding (__pfx_, 6.3 on) and its type word (__cfi_, 6.2 on)
 * stand before it as symbols of their own; $x and $d are the assembler's. */
static bool
is_noise(const char *s, size_t n)
{
	return !n || *s == '$' || (n > 6 && (!memcmp(s, "__pfx_", 6) || !memcmp(s, "__cfi_", 6)));
}

/* "ffffffff81000000 T name\t[module]"; tab is NULL when there is none */
static int
line_add(struct kallsyms *ks, const char *s, const char *tab, const char *end)
{
	const char *module = NULL;
	size_t module_n = 0;
	uint64_t address;
	uint32_t flags;
	char type;

	s = hex(s, end, &address);
	if (!s || end - s < 4 || s[0] != ' ' || s[2] != ' ')
		return 0;
	type = s[1];
	s += 3;
	if (tab && tab < s)
		return 0;
	if (type != 'T' && type != 't' && type != 'W' && type != 'w')
		return tab || !memchr("bBdDgGrRsS", type, 10) ? 0 : gap_add(ks, address);
	flags = type == 'T' ? NAME_GLOBAL : type == 'W' ? NAME_WEAK : 0;
	if (!address) {
		ks->zeroes++;
		return 0;
	}
	if (tab && end - tab > 3 && tab[1] == '[' && end[-1] == ']') {
		module = tab + 2;
		module_n = (size_t)(end - 1 - module);
	}
	if (tab)
		end = tab;
	if (is_noise(s, (size_t)(end - s)))
		return 0;
	if (!module && end - s == 6 && !memcmp(s, "_etext", 6))
		return gap_add(ks, address);
	return symbol_add(ks, address, flags, s, (size_t)(end - s), module, module_n);
}

/* Eight bytes of which none is a tab or a line end: all are above 13. */
static bool
is_plain(const char *s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t bytes;

	memcpy(&bytes, s, sizeof(bytes));
	return !((bytes - ones * 14) & ~bytes & ones * 128);
}

/* The end of the line at s, or NULL; and its first tab. Lines are so short
 * that two calls of memchr() take twice the time. */
static const char *
line_scan(const char *s, const char *end, const char **tab)
{
	*tab = NULL;
	while (end - s >= 8 && is_plain(s))
		s += 8;
	for (; s < end; s++) {
		if (*s > '\n')
			continue;
		if (*s == '\n')
			return s;
		if (*s == '\t' && !*tab)
			*tab = s;
	}
	return NULL;
}

/* Ends the line begun in an earlier chunk; a full buffer is a line too long. */
static int
line_end(struct kallsyms *ks)
{
	uint32_t n = ks->line_used;

	ks->line_used = 0;
	if (n == KALLSYMS_LINE)
		return 0;
	return line_add(ks, ks->line, memchr(ks->line, '\t', n), ks->line + n);
}

static void
line_keep(struct kallsyms *ks, const char *s, size_t n)
{
	size_t room = KALLSYMS_LINE - ks->line_used;

	if (n > room)
		n = room;
	memcpy(ks->line + ks->line_used, s, n);
	ks->line_used += (uint32_t)n;
}

int
kallsyms_parse(struct kallsyms *ks, const char *text, size_t n)
{
	const char *end = text + n;
	int err = 0;

	if (!ks->text_used && text_add(ks, "", 0) < 0) /* TEXT_GAP */
		return -ENOMEM;
	while (!err && text < end) {
		const char *tab;
		const char *eol = line_scan(text, end, &tab);

		if (!eol) {
			line_keep(ks, text, (size_t)(end - text));
			break;
		}
		if (ks->line_used) {
			line_keep(ks, text, (size_t)(eol - text));
			err = line_end(ks);
		} else if (eol - text < KALLSYMS_LINE) {
			err = line_add(ks, text, tab, eol);
		}
		text = eol + 1;
	}
	return err;
}

static bool
symbol_before(const struct symbol *x, const struct symbol *y)
{
	return x->address != y->address ? x->address < y->address : x->order < y->order;
}

/* Modules' symbols come in long ordered runs, which this likes better than qsort() does. */
static void
shell_sort(struct symbol *symbols, uint32_t count)
{
	uint32_t gap = 1;

	while (gap < count / 3)
		gap = gap * 3 + 1;
	for (; gap; gap /= 3)
		for (uint32_t i = gap; i < count; i++) {
			struct symbol moved = symbols[i];
			uint32_t to = i;

			for (; to >= gap && symbol_before(&moved, &symbols[to - gap]); to -= gap)
				symbols[to] = symbols[to - gap];
			symbols[to] = moved;
		}
}

static void
entry_set(struct kallsyms *ks, uint32_t to, uint64_t address, uint32_t name)
{
	address_set(ks, to, address);
	ks->names[to] = name;
}

/* Sorts what follows the ordered part, and merges the two from the back. */
static int
sort(struct kallsyms *ks, uint32_t ordered)
{
	uint32_t rest = ks->count - ordered;
	struct symbol *tail;

	if (!rest)
		return 0;
	tail = memory_resize(NULL, rest * sizeof(*tail));
	if (!tail)
		return -ENOMEM;
	for (uint32_t i = 0; i < rest; i++)
		tail[i] = (struct symbol){
			address_at(ks, ordered + i), ks->names[ordered + i], i,
		};
	shell_sort(tail, rest);
	for (uint32_t to = ks->count; rest; ) {
		const struct symbol *last = &tail[rest - 1];
		uint64_t address = ordered ? address_at(ks, ordered - 1) : 0;

		if (address > last->address) {
			entry_set(ks, --to, address, ks->names[--ordered]);
		} else {
			entry_set(ks, --to, last->address, last->name);
			rest--;
		}
	}
	memory_free(tail);
	return 0;
}

/* One name an address. */
static void
unite(struct kallsyms *ks)
{
	uint32_t to = 0;

	for (uint32_t i = 1; i < ks->count; i++) {
		uint64_t address = address_at(ks, i);
		uint32_t name = ks->names[i];

		if (address != address_at(ks, to))
			to++;
		else if (rank(ks, name) <= rank(ks, ks->names[to]))
			continue;
		entry_set(ks, to, address, name);
	}
	ks->count = to + 1;
}

int
kallsyms_finish(struct kallsyms *ks)
{
	uint32_t ordered;

	if (ks->line_used && line_end(ks))
		return -ENOMEM;
	if (!ks->count)
		return ks->zeroes ? -EPERM : -ENODATA;
	for (ordered = 1; ordered < ks->count; ordered++)
		if (address_at(ks, ordered) < address_at(ks, ordered - 1))
			break;
	if (sort(ks, ordered))
		return -ENOMEM;
	unite(ks);
	/* what is not used any more is given back; that this fails does no harm */
	(void)set_room(ks, ks->count);
	(void)resize(&ks->text, ks->text_used, 1);
	ks->text_room = ks->text_used;
	return 0;
}

static int
read_all(struct kallsyms *ks, int fd)
{
	char buf[READ_BYTES];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		if (n > 0 && kallsyms_parse(ks, buf, (size_t)n))
			return -ENOMEM;
	}
}

int
kallsyms_read(struct kallsyms *ks, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(ks, fd);
	close(fd);
	return err ? err : kallsyms_finish(ks);
}

/* The index of the last symbol at or below, or -1. */
static int64_t
search(const struct kallsyms *ks, uint64_t address)
{
	uint32_t low = 0, high = ks->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (address_at(ks, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return (int64_t)low - 1;
}

bool
kallsyms_find(const struct kallsyms *ks, uint64_t address, struct frame *out)
{
	int64_t i = search(ks, address);
	uint64_t offset;
	uint32_t name;
	const char *s;

	*out = (struct frame){ .address = address };
	if (i < 0)
		return false;
	offset = address - address_at(ks, (uint32_t)i);
	name = ks->names[i];
	s = ks->text + (name & NAME_AT);
	if (!*s || offset >= FAR_AWAY)
		return false;
	out->name = s;
	out->offset = (uint32_t)offset;
	if (name & NAME_MODULE) {
		const unsigned char *id = (const unsigned char *)s - 2;

		out->module = ks->text + ks->modules[id[0] | id[1] << 8];
	}
	return true;
}

bool
kallsyms_function(const struct kallsyms *ks, const char *name, uint64_t *start, uint64_t *end)
{
	for (uint32_t i = 0; i < ks->count; i++)
		if (!strcmp(ks->text + (ks->names[i] & NAME_AT), name)) {
			*start = address_at(ks, i);
			*end = i + 1 < ks->count ? address_at(ks, i + 1) : *start;
			return true;
		}
	return false;
}

void
kallsyms_free(struct kallsyms *ks)
{
	memory_free(ks->near);
	memory_free(ks->far);
	memory_free(ks->names);
	memory_free(ks->text);
	memory_free(ks->modules);
	*ks = (struct kallsyms){ 0 };
}
