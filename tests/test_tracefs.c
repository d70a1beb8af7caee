/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../file.h"
#include "../names.h"
#include "../tracefs.h"
#include "tap.h"

static long
count_mounts(void)
{
	FILE *f = fopen("/proc/self/mounts", "r");
	long lines = 0;

	if (!f)
		return -1;
	for (int c; (c = getc(f)) != EOF;)
		lines += c == '\n';
	fclose(f);
	return lines;
}

static void
test_format(int fd)
{
	static const char path[] = "events/skb/kfree_skb/format";
	static char buf[32768];
	static struct names names;
	ssize_t n = file_load(fd, path, buf, sizeof(buf));

	if (n == -ENOENT) {
		SKIP("this kernel has no event kfree_skb", "format of kfree_skb");
		return;
	}
	CHECK(n > 0, "format of kfree_skb is read");
	if (n < 0)
		return;
	CHECK_INT(buf[n], 0, "format is terminated");
	CHECK(strstr(buf, "name: kfree_skb\n"), "format is that of kfree_skb");
	CHECK_INT(file_load(fd, path, buf, (size_t)n), -EFBIG, "no room for the last byte");
	CHECK_INT(file_load(fd, path, buf, (size_t)n + 1), n, "room that is just enough");
	CHECK_INT(file_load(fd, path, buf, 0), -EFBIG, "no room at all");
	n = file_load(fd, path, buf, sizeof(buf));
	if (!strstr(buf, "REC->reason")) {
		SKIP("this kernel gives no reasons", "reasons from the format");
		return;
	}
	CHECK_INT(names_parse_format(&names, buf, (size_t)n), 0, "reasons from the format");
	CHECK(names_reason(&names, 3) || names_reason(&names, 2), "reasons have names");
	names_free(&names);
}

static void
test_open(void)
{
	long before = count_mounts();
	int fd = tracefs_open(true);

	if (fd == -EACCES || fd == -EPERM) {
		SKIP("not permitted to reach tracefs", "open");
		return;
	}
	if (fd == -ENODEV || (fd == -ENOENT && access("/sys/kernel/tracing", F_OK))) {
		SKIP("this kernel has no tracefs", "open");
		return;
	}
	CHECK(fd >= 0, "open: %d", fd);
	if (fd < 0)
		return;
	CHECK(!faccessat(fd, "events", F_OK, 0), "events are there");
	CHECK_INT(count_mounts(), before, "the mount table is as it was");
	CHECK_INT(file_load(fd, "no/such/file", (char[8]){ 0 }, 8), -ENOENT, "no such file");
	test_format(fd);
	close(fd);
}

int
main(void)
{
	if (geteuid())
		SKIP("not root", "tracefs");
	else
		test_open();
	return tap_end();
}
