/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "text.h"

#define POINTER(p) ((uint64_t)(uintptr_t)(p))

static int
bpf(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

int
attach_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = key_size;
	attr.value_size = value_size;
	attr.max_entries = entries;
	return bpf(BPF_MAP_CREATE, &attr);
}

static int
map_element(int command, int map, const void *key, const void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = POINTER(key);
	attr.value = POINTER(value);
	return bpf(command, &attr);
}

int
attach_map_set(int map, const void *key, const void *value)
{
	return map_element(BPF_MAP_UPDATE_ELEM, map, key, value);
}

int
attach_map_get(int map, const void *key, void *value)
{
	return map_element(BPF_MAP_LOOKUP_ELEM, map, key, value);
}

int
attach_map_next(int map, const void *key, void *next)
{
	return map_element(BPF_MAP_GET_NEXT_KEY, map, key, next);
}

int
attach_load(const struct attach_program *p)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = p->type;
	attr.insns = POINTER(p->insn);
	attr.insn_cnt = p->count;
	attr.license = POINTER("Dual MIT/GPL");
	attr.kern_version = p->version;
	if (p->log) {
		attr.log_buf = POINTER(p->log);
		attr.log_size = p->log_size;
		attr.log_level = 1;
	}
	return bpf(BPF_PROG_LOAD, &attr);
}

static int
program_info(int program, struct bpf_prog_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(*info);
	attr.info.info = POINTER(info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

int
attach_dump(int program, struct bpf_insn *insn, unsigned max)
{
	struct bpf_prog_info info;
	int error;

	memset(&info, 0, sizeof(info));
	info.xlated_prog_len = max * (uint32_t)sizeof(*insn);
	info.xlated_prog_insns = POINTER(insn);
	error = program_info(program, &info);
	if (error)
		return error;
	if (!info.xlated_prog_insns)
		return 0;
	return (int)(info.xlated_prog_len / sizeof(*insn));
}

uint64_t
attach_missed(int program)
{
	struct bpf_prog_info info;

	memset(&info, 0, sizeof(info));
	return program_info(program, &info) ? 0 : info.recursion_misses;
}

int
attach_test_run(int program, uint32_t *result)
{
	static const uint8_t frame[64];
	union bpf_attr attr;
	int error;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = POINTER(frame);
	attr.test.data_size_in = sizeof(frame);
	attr.test.repeat = 1;
	error = bpf(BPF_PROG_TEST_RUN, &attr);
	*result = attr.test.retval;
	return error;
}

int
attach_raw_tracepoint(int program, const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.name = POINTER(name);
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

int
attach_kprobe_pmu(void)
{
	char text[16] = "";
	const char *p = text;
	int fd = openat(AT_FDCWD, "/sys/bus/event_source/devices/kprobe/type",
	                O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;

	if (error)
		return error;
	if (read(fd, text, sizeof(text) - 1) < 0)
		error = -errno;
	close(fd);
	return error ? error : (int)text_number(&p);
}

static int
open_event(struct perf_event_attr *attr, int pid, int cpu)
{
	long fd;

	attr->size = PERF_ATTR_SIZE_VER5; /* 4.1 on */
	attr->disabled = 1;
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int
attach_kprobe(int pmu, const char *function, uint64_t address, int cpu)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = (uint32_t)pmu;
	attr.config1 = POINTER(function); /* kprobe_func, 4.17 on */
	attr.config2 = address;           /* kprobe_addr when that is NULL, else an offset */
	return open_event(&attr, -1, cpu);
}

int
attach_event(int id, int cpu)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (unsigned)id;
	attr.sample_period = 1;
	return open_event(&attr, -1, cpu);
}

int
attach_software(uint64_t kind)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = kind;
	attr.sample_period = 1;
	return open_event(&attr, 0, -1);
}

int
attach_bind(int event, int program)
{
	return ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ? -errno : 0;
}

int
attach_enable(int event)
{
	return ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

void
attach_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
