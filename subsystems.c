/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "kallsyms.h"
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

static bool
read_name(const struct subsystems *s, int32_t helper, uint32_t reason, char *name)
{
	uint64_t at, number = reason & 0xffff;
	struct list list;

	return reason >> 16 < SUBSYSTEMS
	       && !peek(helper, s->table + (reason >> 16) * sizeof(at), &at, sizeof(at)) && at
	       && !peek(helper, at, &list, sizeof(list))
	       && number < list.count && list.count <= REASONS
	       && !peek(helper, list.reasons + number * sizeof(at), &at, sizeof(at)) && at
	       && !peek(helper, at, name, SUBSYSTEMS_NAME) && is_name(name);
}

const char *
subsystems_name(struct subsystems *s, int32_t helper, uint32_t reason)
{
	char *name;

	if (!s->searched)
		s->table = kallsyms_address("/proc/kallsyms", "drop_reasons_by_subsys");
	s->searched = true;
	for (unsigned i = 0; i < s->count; i++)
		if (s->kept[i].reason == reason)
			return s->kept[i].name[0] ? s->kept[i].name : NULL;
	if (!s->table || s->count == SUBSYSTEMS_NAMES)
		return NULL;
	name = s->kept[s->count].name;
	s->kept[s->count++].reason = reason;
	if (!read_name(s, helper, reason, name))
		name[0] = '\0';
	return name[0] ? name : NULL;
}
