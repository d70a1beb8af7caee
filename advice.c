/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "advice.h"
#include "kernel.h"
#include "text.h"

struct remedy {
	enum step   step;
	int         error;
	const char *text;
};

/* EPERM is not here: it has many causes and is looked into below. */
static const struct remedy remedies[] = {
	{ STEP_RING, EMFILE, "too many open files: each CPU needs two; raise 'ulimit -n'" },
	{ STEP_RING, ENFILE, "the system has too many open files: raise the sysctl fs.file-max" },
	{ STEP_RING, ENOMEM, "no memory for the rings: make them smaller with -B" },
	{ STEP_RING, ENOSYS, "this kernel has no perf events: it needs CONFIG_PERF_EVENTS" },
	{ STEP_RING, EACCES, "perf events are forbidden: see the sysctl kernel.perf_event_paranoid" },
	{ STEP_RING, EINVAL, "this kernel has no BPF output event: it needs Linux 4.4 and CONFIG_BPF_EVENTS" },
	{ STEP_MAP, ENOSYS, "this kernel has no bpf(2): it needs CONFIG_BPF_SYSCALL" },
	{ STEP_MAP, EMFILE, "too many open files: raise 'ulimit -n'" },
	{ STEP_MAP, ENOMEM, "no memory for BPF maps, or the limit on locked memory: 'ulimit -l unlimited'" },
	{ STEP_MAP, EINVAL, "this kernel lacks a BPF map type: it needs Linux 4.6" },
	{ STEP_BUILD, ERANGE, "the offsets do not fit together: look at --offsets and --check" },
	{ STEP_BUILD, E2BIG, "the program is too long: ask for fewer ports" },
	{ STEP_LOAD, ENOSYS, "this kernel has no bpf(2): it needs CONFIG_BPF_SYSCALL" },
	{ STEP_LOAD, EINVAL, "the kernel refuses the program: -v shows its words; it needs CONFIG_BPF_EVENTS" },
	{ STEP_LOAD, EACCES, "the verifier refuses the program: -v shows its words" },
	{ STEP_LOAD, ENOMEM, "the limit on locked memory: 'ulimit -l unlimited'" },
	{ STEP_DUMP, EINVAL, "needs Linux 4.13" },
	{ STEP_DUMP, ENODATA, "the kernel hides them: see the sysctls kernel.kptr_restrict and "
	  "net.core.bpf_jit_harden" },
	{ STEP_PMU, ENOENT, "no kprobe PMU: the kernel needs CONFIG_KPROBES and CONFIG_KPROBE_EVENTS, "
	  "Linux 4.17, and /sys mounted" },
	{ STEP_SITES, ENOENT, "the kernel's text has none, or /proc/kcore does not show it" },
	{ STEP_KPROBE, ENOENT, "this kernel has no such function" },
	{ STEP_KPROBE, EINVAL, "this kernel does not let this function be probed" },
	{ STEP_KPROBE, EMFILE, "too many open files: raise 'ulimit -n'" },
	{ STEP_TRACEPOINT, EMFILE, "too many open files: raise 'ulimit -n'" },
	{ STEP_TRACEPOINT, ENOENT, "this kernel has no such tracepoint: it needs CONFIG_TRACEPOINTS" },
	{ STEP_TRACEPOINT, EINVAL, "no raw tracepoints: they need Linux 4.17 and CONFIG_BPF_EVENTS" },
	{ STEP_BIND, EINVAL, "needs CONFIG_BPF_EVENTS" },
	{ STEP_BIND, EEXIST, "the kprobe has a program already" },
};

const char *
advice_step(enum step step)
{
	static const char *const names[] = {
		[STEP_NONE] = "", [STEP_RING] = "perf ring", [STEP_MAP] = "BPF map",
		[STEP_BUILD] = "BPF program", [STEP_LOAD] = "BPF program load",
		[STEP_DUMP] = "BPF program dump", [STEP_PMU] = "kprobe", [STEP_SITES] = "search for inlined tcp_drop()", [STEP_KPROBE] = "kprobe",
		[STEP_TRACEPOINT] = "tracepoint", [STEP_BIND] = "kprobe program",
	};

	return names[step];
}

static void
forbidden(char *buf, size_t size, enum step step, uint32_t version)
{
	char lacking[64], lockdown[32];

	kernel_lacking(lacking, sizeof(lacking), version);
	kernel_lockdown(lockdown, sizeof(lockdown));
	if (lacking[0])
		text_format(buf, size, "this process lacks %s: run as root", lacking);
	else if (lockdown[0] && strcmp(lockdown, "none") != 0)
		text_format(buf, size, "the kernel is locked down (%s): boot with lockdown=none, or without "
		         "Secure Boot", lockdown);
	else if (step == STEP_RING)
		text_format(buf, size, "the limit on locked memory: smaller rings with -B, 'ulimit -l "
		         "unlimited', or the sysctl kernel.perf_event_mlock_kb");
	else
		text_format(buf, size, "a security module or a seccomp filter forbids it (in a container: "
		         "--privileged)");
}

void
advice(char *buf, size_t size, enum step step, int error, uint32_t version)
{
	char lockdown[32], lacking[64];

	buf[0] = '\0';
	/* locked down to "confidentiality", the verifier does not know the helpers that read memory */
	kernel_lockdown(lockdown, sizeof(lockdown));
	kernel_lacking(lacking, sizeof(lacking), version);
	if (error == -EPERM || (error == -EACCES && lacking[0])
	    || (step == STEP_LOAD && !strcmp(lockdown, "confidentiality"))) {
		forbidden(buf, size, step, version);
		return;
	}
	for (unsigned i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].step == step && remedies[i].error == -error)
			text_format(buf, size, "%s", remedies[i].text);
}
