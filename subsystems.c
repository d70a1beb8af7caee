/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "kallsyms.h"
#include "names.h"
#include "peek.h"
#include "subsystems.h"

enum {
	SUBSYSTEMS = 16,   /* SKB_DROP_REASON_SUBSYS_NUM is 2 to 4, include/net/dropreason.h */
	REASONS    = 1024, /* more than any list has: 129 on 6.18 */
};

/* struct drop_reason_list, include/net/dropreason.h, 6.4 on */
struct list {
	uint64_t reasons; /* const char *const * */
	uint64_t count;
};

static bool
is_name(const char *name)
{
	size_t n = 0;

	while ((name[n] >= 'A' && name[n] <= 'Z') || (name[n] >= '0' && name[n] <= '9')
	       || name[n] == '_')
		if (++n == SUBSYSTEMS_NAME)
			return false;
	return n && !name[n];
}

/* How many reasons the subsystem has; it fills in list. */
static uint64_t
read_list(const struct subsystems *s, int32_t helper, uint32_t subsystem, struct list *list)
{
	uint64_t at;

	return subsystem < SUBSYSTEMS
	       && !peek(helper, s->table + subsystem * sizeof(at), &at, sizeof(at)) && at
	       && !peek(helper, at, list, sizeof(*list))
	       && list->count <= REASONS ? list->count : 0;
}

static bool
read_name(const struct list *list, int32_t helper, uint64_t number, char *name)
{
	uint64_t at;

	return !peek(helper, list->reasons + number * sizeof(at), &at, sizeof(at)) && at
	       && !peek(helper, at, name, SUBSYSTEMS_NAME) && is_name(name);
}

static uint64_t
find_table(struct subsystems *s)
{
	if (!s->searched)
		s->table = kallsyms_address("/proc/kallsyms", "drop_reasons_by_subsys");
	s->searched = true;
	return s->table;
}

const char *
subsystems_name(struct subsystems *s, int32_t helper, uint32_t reason)
{
	struct list list;
	char *name;

	for (unsigned i = 0; i < s->count; i++)
		if (s->kept[i].reason == reason)
			return s->kept[i].name[0] ? s->kept[i].name : NULL;
	if (!find_table(s) || s->count == SUBSYSTEMS_NAMES)
		return NULL;
	name = s->kept[s->count].name;
	s->kept[s->count++].reason = reason;
	if ((reason & 0xffff) >= read_list(s, helper, reason >> 16, &list)
	    || !read_name(&list, helper, reason & 0xffff, name))
		name[0] = '\0';
	return name[0] ? name : NULL;
}

int
subsystems_code(struct subsystems *s, int32_t helper, const char *name, uint32_t *code)
{
	char known[SUBSYSTEMS_NAME];
	struct list list;

	name = names_bare(name);
	for (uint32_t i = 0; find_table(s) && i < SUBSYSTEMS; i++) {
		uint64_t count = read_list(s, helper, i, &list);

		for (*code = i << 16; (*code & 0xffff) < count; ++*code)
			if (read_name(&list, helper, *code & 0xffff, known)
			    && !strncasecmp(known, name, SUBSYSTEMS_NAME))
				return 0;
	}
	return -ENOENT;
}
