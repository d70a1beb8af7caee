/* SPDX-License-Identifier: MIT */
/*
 * The symbols of the kernel's code: 16 bytes and the name for each. The kernel
 * lists its own by address, and then those of modules and BPF programs in no
 * order, so only the tail is sorted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "drop.h"
#include "kallsyms.h"
#include "memory.h"

enum {
	KIND_SHIFT = 29,                    /* 1 local, 2 weak, 3 global: above a name's place */
	NAME_AT    = (1 << KIND_SHIFT) - 1,
	NO_NAME    = 0,                     /* the empty name: an end of code */
	FAR_AWAY   = 256 * 1024,            /* no function is that long */
	READ_BYTES = 16 * 1024,             /* the kernel gives a page a read */
};

static const char *
name_of(const struct kallsyms *ks, const struct kallsyms_symbol *s)
{
	return ks->text + (s->name & NAME_AT);
}

/* Where n bytes of text and a zero byte begin, or -ENOMEM. */
static int64_t
text_add(struct kallsyms *ks, const char *s, size_t n)
{
	uint32_t at = ks->text_used;

	if (ks->text_room - at <= n) {
		uint32_t room = ks->text_room + ks->text_room / 2 + 65536;
		char *more = room > NAME_AT ? NULL : memory_resize(ks->text, room);

		if (!more)
			return -ENOMEM;
		ks->text = more;
		ks->text_room = room;
	}
	for (size_t i = 0; i < n; i++)
		ks->text[at + i] = s[i];
	ks->text[at + n] = '\0';
	ks->text_used = at + (uint32_t)n + 1;
	return at;
}

static int
symbol_add(struct kallsyms *ks, uint64_t address, uint32_t name, uint32_t module)
{
	if (ks->count == ks->room) {
		uint32_t room = ks->room + ks->room / 2 + 4096;
		struct kallsyms_symbol *more = memory_resize(ks->symbol, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		ks->symbol = more;
		ks->room = room;
	}
	ks->symbol[ks->count++] = (struct kallsyms_symbol){ address, name, module };
	return 0;
}

/* Data, or the end of a section, behind code: the symbol before ends there. */
static int
end_add(struct kallsyms *ks, uint64_t address)
{
	const struct kallsyms_symbol *last = ks->symbol;

	if (!ks->count)
		return 0;
	last += ks->count - 1;
	if (last->name == NO_NAME || address <= last->address)
		return 0;
	return symbol_add(ks, address, NO_NAME, 0);
}

/* A module's symbols come one after the other: its name is kept once. */
static int
module_add(struct kallsyms *ks, const char *s, size_t n)
{
	const char *last = ks->text + ks->module;
	int64_t at = ks->module;

	if (strlen(last) != n || memcmp(last, s, n) != 0)
		at = text_add(ks, s, n);
	if (at < 0)
		return -ENOMEM;
	ks->module = (uint32_t)at;
	return 0;
}

/* The number at *s, which is moved behind it; it stays when there is none. */
static uint64_t
hex(const char **s, const char *end)
{
	uint64_t value = 0;

	for (const char *p = *s; p < end && p - *s < 17; p++) {
		unsigned c = (unsigned char)*p;

		if (c - '0' > 9 && (c | 0x20) - 'a' > 5) {
			*s = p;
			break;
		}
		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

static bool
has_prefix(const char *s, size_t n, const char *prefix)
{
	size_t length = strlen(prefix);

	return n >= length && !memcmp(s, prefix, length);
}

/* A function's padding (__pfx_, 6.3 on) and its type word (__cfi_, 6.2 on)
 * stand before it as symbols of their own; $x and $d are the assembler's. */
static bool
is_noise(const char *s, size_t n)
{
	return !n || *s == '$' || has_prefix(s, n, "__pfx_") || has_prefix(s, n, "__cfi_");
}

static uint32_t
kind_of(char type)
{
	return type == 'T' ? 3 : type == 'W' || type == 'w' ? 2 : type == 't' ? 1 : 0;
}

static bool
is_data(char type)
{
	static const char types[] = "bBdDgGrRsS";

	for (const char *t = types; *t; t++)
		if (*t == type)
			return true;
	return false;
}

/* "ffffffff81000000 T name\t[module]" */
static int
line_add(struct kallsyms *ks, const char *s, const char *end)
{
	const char *start = s, *name, *tab;
	uint64_t address = hex(&s, end);
	uint32_t kind;
	int64_t at;

	if (s == start || end - s < 4 || s[0] != ' ' || s[2] != ' ')
		return 0;
	kind = kind_of(s[1]);
	name = tab = s + 3;
	while (tab < end && *tab != '\t')
		tab++;
	if (!kind)
		return tab == end && is_data(s[1]) ? end_add(ks, address) : 0;
	if (!address) {
		ks->zeroes++;
		return 0;
	}
	if (is_noise(name, (size_t)(tab - name)))
		return 0;
	if (tab == end && tab - name == 6 && !memcmp(name, "_etext", 6))
		return end_add(ks, address);
	at = text_add(ks, name, (size_t)(tab - name));
	if (at < 0)
		return -ENOMEM;
	if (end - tab <= 3 || tab[1] != '[' || end[-1] != ']')
		return symbol_add(ks, address, (uint32_t)at | kind << KIND_SHIFT, 0);
	if (module_add(ks, tab + 2, (size_t)(end - tab - 3)))
		return -ENOMEM;
	return symbol_add(ks, address, (uint32_t)at | kind << KIND_SHIFT, ks->module);
}

/* The begun line and n bytes more; what is longer than any line is passed over. */
static void
line_keep(struct kallsyms *ks, const char *s, size_t n)
{
	size_t room = KALLSYMS_LINE - ks->line_used;

	if (n > room)
		n = room;
	memcpy(ks->line + ks->line_used, s, n);
	ks->line_used += (uint32_t)n;
}

static int
line_end(struct kallsyms *ks)
{
	uint32_t n = ks->line_used;

	ks->line_used = 0;
	return n == KALLSYMS_LINE ? 0 : line_add(ks, ks->line, ks->line + n);
}

int
kallsyms_parse(struct kallsyms *ks, const char *text, size_t n)
{
	const char *end = text + n;
	int err = !ks->text_used && text_add(ks, "", 0) < 0 ? -ENOMEM : 0; /* NO_NAME */

	while (!err && text < end) {
		const char *eol = text;

		while (eol < end && *eol != '\n')
			eol++;
		if (eol == end || ks->line_used)
			line_keep(ks, text, (size_t)(eol - text));
		if (eol == end)
			break;
		if (ks->line_used)
			err = line_end(ks);
		else if (eol - text < KALLSYMS_LINE)
			err = line_add(ks, text, eol);
		text = eol + 1;
	}
	return err;
}

/* By address, and those of one address as they came: names are in that order. */
static bool
is_before(const struct kallsyms_symbol *a, const struct kallsyms_symbol *b)
{
	return a->address != b->address ? a->address < b->address
	                                : (a->name & NAME_AT) < (b->name & NAME_AT);
}

/* Modules' symbols come in long ordered runs, which shell sort likes. */
static void
sort(struct kallsyms_symbol *s, uint32_t count)
{
	uint32_t gap = 1;

	while (gap < count / 3)
		gap = gap * 3 + 1;
	for (; gap; gap /= 3)
		for (uint32_t i = gap; i < count; i++) {
			struct kallsyms_symbol moved = s[i];
			uint32_t to = i;

			for (; to >= gap && is_before(&moved, &s[to - gap]); to -= gap)
				s[to] = s[to - gap];
			s[to] = moved;
		}
}

/* Names of the linker script, which stand where a section begins or ends. */
static bool
is_marker(const char *s)
{
	static const char *const ends[] = { "text", "_start", "_end", "_begin" };
	size_t n = strlen(s);

	for (unsigned i = 0; *s == '_' && i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t length = strlen(ends[i]);

		if (n >= length && !strcmp(s + n - length, ends[i]))
			return true;
	}
	return false;
}

/*
 * How good a name is for an address that has several: a global one before a weak
 * and a local one, a plain one before one with a suffix or underscores.
 */
static uint32_t
rank(const struct kallsyms *ks, const struct kallsyms_symbol *s)
{
	const char *name = name_of(ks, s);
	uint32_t underscores = 0, dot = 0;

	if (!*name || is_marker(name))
		return *name != '\0';
	while (name[underscores] == '_')
		underscores++;
	/* __ia32_ is the second name of __x64_sys_read(), __pi_ of memcpy() */
	underscores += name[0] == '_' && name[1] == '_' && (name[2] == 'i' || name[2] == 'p');
	for (const char *p = name; *p; p++)
		dot |= *p == '.';
	if (underscores > 15)
		underscores = 15;
	return (s->name >> KIND_SHIFT) * 64 + (dot ? 16 : 32) - underscores;
}

/* One name an address. */
static void
unite(struct kallsyms *ks)
{
	struct kallsyms_symbol *s = ks->symbol;
	uint32_t to = 0;

	for (uint32_t i = 1; i < ks->count; i++) {
		if (s[i].address != s[to].address)
			s[++to] = s[i];
		else if (rank(ks, &s[i]) > rank(ks, &s[to]))
			s[to] = s[i];
	}
	ks->count = to + 1;
}

int
kallsyms_finish(struct kallsyms *ks)
{
	struct kallsyms_symbol *s = ks->symbol;
	uint32_t ordered = 1;

	if (ks->line_used && line_end(ks))
		return -ENOMEM;
	if (!ks->count)
		return ks->zeroes ? -EPERM : -ENODATA;
	s = ks->symbol;
	while (ordered < ks->count && s[ordered - 1].address <= s[ordered].address)
		ordered++;
	sort(s + ordered, ks->count - ordered);
	if (ordered < ks->count && s[ordered].address < s[ordered - 1].address)
		sort(s, ks->count);
	unite(ks);
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
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(ks, fd);
	close(fd);
	return err ? err : kallsyms_finish(ks);
}

bool
kallsyms_find(const struct kallsyms *ks, uint64_t address, struct frame *out)
{
	uint32_t low = 0, high = ks->count;
	const struct kallsyms_symbol *s = ks->symbol;

	*out = (struct frame){ .address = address };
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ks->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	s += low - 1;
	if (s->name == NO_NAME || address - s->address >= FAR_AWAY)
		return false;
	out->name = name_of(ks, s);
	out->offset = (uint32_t)(address - s->address);
	out->module = s->module ? ks->text + s->module : NULL;
	return true;
}

/* Behind the name: nothing, or what the compiler adds for the same function made simpler. */
static bool
is_same_name(const char *rest, size_t n)
{
	return !n || has_prefix(rest, n, ".isra") || has_prefix(rest, n, ".constprop");
}

bool
kallsyms_function(const struct kallsyms *ks, const char *name, uint64_t *start, uint64_t *end)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < ks->count; i++) {
		const char *other = name_of(ks, &ks->symbol[i]);

		if (strncmp(other, name, n) != 0 || !is_same_name(other + n, strlen(other + n)))
			continue;
		*start = ks->symbol[i].address;
		*end = i + 1 < ks->count ? ks->symbol[i + 1].address : *start;
		return true;
	}
	return false;
}

/* What is looked for in a file, and what was found. */
struct search {
	const char *name;
	bool        data;   /* of any type; its end does not matter */
	uint64_t    start, end;
};

/* A whole line: is it the symbol, or the end of it, which is the next that is not there too? */
static bool
look_at_line(struct search *s, const char *line, const char *end)
{
	uint64_t address = hex(&line, end);
	size_t n = strlen(s->name);

	if (end - line < 4 || !address || !(s->data || kind_of(line[1])))
		return false;
	if (s->start)
		s->end = address;
	else if ((size_t)(end - line) >= n + 3 && !memcmp(line + 3, s->name, n)
	         && is_same_name(line + 3 + n, (size_t)(end - line) - n - 3))
		s->start = address;
	return s->start && (s->data || s->end > s->start);
}

static bool
search_file(struct search *s, const char *path)
{
	char buf[READ_BYTES + KALLSYMS_LINE];
	size_t used = 0;
	ssize_t n;
	bool found = false;
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while (!found && (n = read(fd, buf + used, READ_BYTES)) > 0) {
		const char *line = buf, *stop = buf + used + n, *eol;

		while (!found && (eol = memchr(line, '\n', (size_t)(stop - line)))) {
			found = look_at_line(s, line, eol);
			line = eol + 1;
		}
		used = (size_t)(stop - line) < KALLSYMS_LINE ? (size_t)(stop - line) : 0;
		memmove(buf, line, used);
	}
	close(fd);
	return found;
}

bool
kallsyms_lookup(const char *path, const char *name, uint64_t *start, uint64_t *end)
{
	struct search s = { .name = name };
	bool found = search_file(&s, path);

	*start = found ? s.start : 0;
	*end = found ? s.end : 0;
	return found;
}

uint64_t
kallsyms_address(const char *path, const char *name)
{
	struct search s = { .name = name, .data = true };

	return search_file(&s, path) ? s.start : 0;
}

void
kallsyms_free(struct kallsyms *ks)
{
	memory_free(ks->symbol);
	memory_free(ks->text);
	*ks = (struct kallsyms){ 0 };
}
