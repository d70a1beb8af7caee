/* SPDX-License-Identifier: MIT */
/*
 * The two ways to the kernel's memory must agree: /proc/kcore and the program.
 * What is read is text of functions, which does not change meanwhile.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kallsyms.h"
#include "../kcore.h"
#include "../kernel.h"
#include "../memory.h"
#include "../peek.h"
#include "tap.h"

static struct kallsyms symbols;
static int32_t helper;

static bool
is_refused(int error)
{
	bool old = kernel_version() < KERNEL_VERSION(4, 9, 0);

	if (error == -EPERM || error == -EACCES)
		SKIP("not allowed to load a program", "peek_by_program");
	else if (old)
		SKIP("needs Linux 4.9", "peek_by_program");
	return old || error == -EPERM || error == -EACCES;
}

static void
compare(const char *function, size_t size)
{
	static uint8_t one[20000], other[20000];
	uint64_t at, end;
	int error;

	if (!kallsyms_function(&symbols, function, &at, &end)) {
		SKIP("this kernel has no such function", "%s", function);
		return;
	}
	memset(one, 0, sizeof(one));
	memset(other, 0xff, sizeof(other));
	error = kcore_read(at, one, size);
	if (error) {
		SKIP("no /proc/kcore to compare with", "%s", function);
		return;
	}
	error = peek_by_program(helper, at, other, size);
	if (is_refused(error))
		return;
	CHECK_INT(error, 0, "%s: %zu bytes by a program", function, size);
	CHECK(!memcmp(one, other, size) && other[size] == 0xff, "%s: the same, and no more",
	      function);
}

/* The text of linux_banner is that of /proc/version: init/version.c. */
static void
read_banner(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long at = 0;
	char line[700], banner[64] = "", want[64] = "";

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " linux_banner\n"))
			at = strtoull(line, NULL, 16);
	if (file)
		fclose(file);
	file = fopen("/proc/version", "re");
	if (!at || !file || fread(want, sizeof(want) - 1, 1, file) != 1) {
		SKIP("no address of linux_banner", "the kernel's banner");
		return;
	}
	fclose(file);
	CHECK_INT(peek(helper, at, banner, sizeof(banner) - 1), 0, "the kernel's banner is read");
	CHECK_STR(banner, want, "it is what /proc/version says");
}

int
main(void)
{
	uint8_t byte;
	int error;

	helper = kernel_version() >= KERNEL_VERSION(5, 5, 0) ? BPF_FUNC_probe_read_kernel
	                                                     : BPF_FUNC_probe_read;
	if (kallsyms_read(&symbols, "/proc/kallsyms")) {
		SKIP("no symbols", "peek");
		return tap_end();
	}
	read_banner();
	compare("__kfree_skb", 1);
	compare("tcp_v4_rcv", 256);
	compare("tcp_v4_rcv", 4096);
	compare("tcp_rcv_established", 10001);
	error = peek_by_program(helper, 0xffff800000000000u, &byte, 1);
	if (!is_refused(error))
		CHECK_INT(error, -EFAULT, "an address of nothing");
	kallsyms_free(&symbols);
	return tap_end();
}
