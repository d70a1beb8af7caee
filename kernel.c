/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <linux/stat.h>
#include <linux/version.h>

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "kernel.h"
#include "text.h"

#ifndef CAP_PERFMON /* <linux/capability.h>, 5.8 on */
#define CAP_PERFMON 38
#define CAP_BPF     39
#endif

enum { INIT_PID_NAMESPACE = (int)0xeffffffc }; /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

static size_t
align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The note named "Linux" of type 0: arch/ * /vdso/note.S since 2.6 */
static uint32_t
find_note(const uint8_t *p, const uint8_t *end)
{
	ElfW(Nhdr) note;
	uint32_t code;

	while ((size_t)(end - p) >= sizeof(note)) {
		const uint8_t *name = p + sizeof(note), *value;

		memcpy(&note, p, sizeof(note));
		value = name + align4(note.n_namesz);
		if (note.n_type == 0 && note.n_namesz == 6 && !memcmp(name, "Linux", 6)) {
			memcpy(&code, value, sizeof(code));
			return code;
		}
		p = value + align4(note.n_descsz);
	}
	return 0;
}

static uint32_t
vdso_version(void)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	ElfW(Ehdr) elf;
	uint32_t code = 0;

	if (!vdso)
		return 0;
	memcpy(&elf, vdso, sizeof(elf));
	for (unsigned i = 0; i < elf.e_phnum && !code; i++) {
		ElfW(Phdr) part;

		memcpy(&part, vdso + elf.e_phoff + i * elf.e_phentsize, sizeof(part));
		if (part.p_type == PT_NOTE)
			code = find_note(vdso + part.p_offset,
			                 vdso + part.p_offset + part.p_filesz);
	}
	return code;
}

uint32_t
kernel_version(void)
{
	uint32_t code = vdso_version();
	struct utsname name;

	if (!code && !uname(&name))
		code = kernel_version_parse(name.release);
	return code;
}

void
kernel_version_text(char *buf, size_t size, uint32_t version)
{
	text_format(buf, size, "%u.%u.%u", version >> 16, version >> 8 & 255, version & 255);
}

uint32_t
kernel_version_parse(const char *text)
{
	unsigned long part[3] = { 0, 0, 0 };
	unsigned n = 0;

	while (n < 3 && *text >= '0' && *text <= '9') {
		part[n++] = (unsigned long)text_number(&text);
		text = *text == '.' ? text + 1 : "";
	}
	if (n < 2 || part[0] > 255 || part[1] > 255)
		return 0;
	return (uint32_t)(part[0] << 16 | part[1] << 8 | (part[2] > 255 ? 255 : part[2]));
}

static uint64_t
effective_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	syscall(SYS_capget, &header, data);
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static bool
has(uint64_t set, int capability)
{
	return set >> capability & 1;
}

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, which are there from 5.8 on. */
void
kernel_lacking(char *buf, size_t size, uint32_t version, bool asking)
{
	uint64_t set = effective_capabilities();
	bool admin = has(set, CAP_SYS_ADMIN);
	const char *net = asking && !has(set, CAP_NET_ADMIN) ? " CAP_NET_ADMIN" : "";

	if (version < KERNEL_VERSION(5, 8, 0))
		text_format(buf, size, "%s%s", admin ? "" : " CAP_SYS_ADMIN", net);
	else
		text_format(buf, size, "%s%s%s", admin || has(set, CAP_BPF) ? "" : " CAP_BPF",
		            admin || has(set, CAP_PERFMON) ? "" : " CAP_PERFMON", net);
}

bool
kernel_file(const char *path, char *buf, size_t size)
{
	ssize_t n = file_load(AT_FDCWD, path, buf, size);

	buf[n < 0 ? 0 : n] = '\0';
	buf[text_until(buf, "\n")] = '\0';
	return n >= 0;
}

/* "none [integrity] confidentiality": the one in force is in brackets. */
void
kernel_lockdown(char *buf, size_t size)
{
	char text[64];
	const char *open;

	buf[0] = '\0';
	if (!kernel_file("/sys/kernel/security/lockdown", text, sizeof(text)))
		return;
	open = text + text_until(text, "[");
	if (*open)
		text_format(buf, size, "%.*s", (int)text_until(open + 1, "]"), open + 1);
}

/* Only then a mapping may be where it is asked for, above 47 bits of addresses. */
bool
kernel_five_levels(void)
{
	static const size_t size = 4096;
	uint64_t hint = (uint64_t)1 << 48;
	void *p = mmap((void *)(uintptr_t)hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	               0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, size);
	return (uintptr_t)p >= hint;
}

uint32_t
kernel_inode(int dirfd, const char *path, const char *kind)
{
	char link[64];
	const char *p = link;
	ssize_t n = readlinkat(dirfd, path, link, sizeof(link) - 1);

	link[n < 0 ? 0 : n] = '\0';
	for (; *kind; p++, kind++)
		if (*p != *kind)
			return 0;
	return (uint32_t)text_number(&p);
}

bool
kernel_pid_namespace(uint64_t *dev, uint64_t *ino)
{
	static const char path[] = "/proc/self/ns/pid";
	struct statx st;

	*dev = 0;
	*ino = kernel_inode(AT_FDCWD, path, "pid:[");
	/* statx(2) is there from 4.11 on, the helper that takes both from 5.7 on */
	if (!syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &st))
		*dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	if (*ino == (uint32_t)INIT_PID_NAMESPACE)
		*dev = *ino = 0;
	return *ino;
}

uint32_t
kernel_net_namespace(void)
{
	return kernel_inode(AT_FDCWD, "/proc/self/ns/net", "net:[");
}
