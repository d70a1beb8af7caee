/* SPDX-License-Identifier: MIT */
/*
 * Names of reasons out of the kernel's memory. The core's must be those that the
 * kernel's own tracefs tells; a subsystem's are there when its module is.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "../kallsyms.h"
#include "../kernel.h"
#include "../names.h"
#include "../subsystems.h"
#include "../tracefs.h"
#include "tap.h"

static struct names names;
static struct subsystems fresh, s;

static bool
read_names(void)
{
	static char text[64 * 1024];
	int dir = tracefs_open(true);
	ssize_t n = dir < 0 ? dir : file_load(dir, "events/skb/kfree_skb/format", text,
	                                      sizeof(text));

	if (dir >= 0)
		close(dir);
	return n > 0 && !names_parse_format(&names, text, (size_t)n);
}

static void
check_core(void)
{
	unsigned told = 0, wrong = 0;

	for (uint32_t code = 0; code < NAMES_REASONS; code++) {
		const char *want = names_reason(&names, code), *got;

		if (!want)
			continue;
		s = fresh;
		got = subsystems_name(&s, BPF_FUNC_probe_read_kernel, code);
		told++;
		if (got && !strcmp(got, want))
			continue;
		wrong++;
		printf("# %u: %s, not %s\n", code, got ? got : "-", want);
	}
	CHECK(told > 50 && !wrong, "%u names of the core are those of tracefs", told);
	s = fresh;
	CHECK(!subsystems_name(&s, BPF_FUNC_probe_read_kernel, 0x7fff), "a number beyond the list");
	CHECK(!subsystems_name(&s, BPF_FUNC_probe_read_kernel, 15u << 16 | 1),
	      "a subsystem that is not there");
	CHECK_INT(s.count, 2, "what has no name is not looked for twice");
	subsystems_name(&s, BPF_FUNC_probe_read_kernel, 15u << 16 | 1);
	CHECK_INT(s.count, 2, "what has no name is not looked for twice");
}

static void
check_codes(void)
{
	uint32_t number;

	for (uint32_t code = 2; code < NAMES_REASONS; code += 16) {
		char name[80];

		if (!names_reason(&names, code))
			continue;
		snprintf(name, sizeof(name), "skb_Drop_reason_%s", names_reason(&names, code));
		s = fresh;
		CHECK_INT(subsystems_code(&s, BPF_FUNC_probe_read_kernel, name, &number), 0, "%s",
		          name);
		CHECK_INT(number, code, "number of %s", name);
	}
	CHECK_INT(subsystems_code(&s, BPF_FUNC_probe_read_kernel, "NO_SUCH_REASON", &number),
	          -ENOENT, "a name that is not there");
}

/* net/openvswitch/drop.h, 6.6 on: subsystem 3, or 2 where mac80211 has only one. */
static void
check_openvswitch(void)
{
	const char *two, *three;
	uint32_t code = 0;

	s = fresh;
	two = subsystems_name(&s, BPF_FUNC_probe_read_kernel, 2u << 16 | 1);
	three = subsystems_name(&s, BPF_FUNC_probe_read_kernel, 3u << 16 | 1);
	if (access("/sys/module/openvswitch", F_OK))
		SKIP("openvswitch is not loaded", "names of openvswitch");
	else
		CHECK((two && !strcmp(two, "OVS_DROP_LAST_ACTION"))
		      || (three && !strcmp(three, "OVS_DROP_LAST_ACTION")),
		      "openvswitch's first is OVS_DROP_LAST_ACTION: %s %s", two ? two : "-",
		      three ? three : "-");
	if (two || three) {
		subsystems_code(&s, BPF_FUNC_probe_read_kernel, "ovs_drop_last_action", &code);
		CHECK(code == (2u << 16 | 1) || code == (3u << 16 | 1), "its number is 0x%x", code);
	}
}

int
main(void)
{
	if (geteuid() || !read_names())
		SKIP("this kernel gives no reasons, or we are not root", "names in memory");
	else if (!(fresh.table = kallsyms_address("/proc/kallsyms", "drop_reasons_by_subsys")))
		SKIP("no symbol drop_reasons_by_subsys (6.4, CONFIG_KALLSYMS_ALL)",
		     "names in memory");
	else {
		fresh.searched = true;
		check_core();
		check_codes();
		check_openvswitch();
	}
	return tap_end();
}
