/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "advice.h"
#include "kernel.h"
#include "text.h"
#include "texts.h"

/* The texts are TEXTS_REMEDIES, which tests/pack takes from here. */
#define REMEDY(step, error, text) { step, error }

struct remedy {
	uint8_t step; /* enum step; STEP_NONE: any */
	uint8_t error;
};

/* The first that fits counts. EPERM has many causes and is looked into below. */
static const struct remedy remedies[] = {
	REMEDY(STEP_NONE, EMFILE, "raise the limit on open files: 'ulimit -n'"),
	REMEDY(STEP_NONE, ENFILE, "raise the sysctl fs.file-max"),
	REMEDY(STEP_RING, ENOMEM, "make the rings smaller (-B) or raise the limit on locked memory "
	       "('ulimit -l unlimited', sysctl kernel.perf_event_mlock_kb)"),
	REMEDY(STEP_NONE, ENOMEM, "raise the limit on locked memory: 'ulimit -l unlimited'"),
	REMEDY(STEP_RING, ENOSYS, "the kernel needs CONFIG_PERF_EVENTS"),
	REMEDY(STEP_NONE, ENOSYS, "the kernel needs CONFIG_BPF_SYSCALL"),
	REMEDY(STEP_RING, EACCES, "see the sysctl kernel.perf_event_paranoid"),
	REMEDY(STEP_RING, EINVAL, "the kernel needs CONFIG_BPF_EVENTS, Linux 4.4"),
	REMEDY(STEP_MAP, EINVAL, "the kernel lacks a BPF map type: it needs Linux 4.6"),
	REMEDY(STEP_BUILD, ERANGE, "the offsets do not fit together: see --offsets and --check"),
	REMEDY(STEP_LOAD, EINVAL, "-v shows why; the kernel needs CONFIG_BPF_EVENTS"),
	REMEDY(STEP_LOAD, EACCES, "the verifier refuses it: -v shows why"),
	REMEDY(STEP_DUMP, EINVAL, "needs Linux 4.13"),
	REMEDY(STEP_DUMP, ENODATA, "hidden by the sysctls kernel.kptr_restrict or "
	       "net.core.bpf_jit_harden"),
	REMEDY(STEP_PMU, ENOENT, "the kernel needs CONFIG_KPROBES and CONFIG_KPROBE_EVENTS; "
	       "before Linux 4.17 tracefs too"),
	REMEDY(STEP_PMU, ENODEV, "the kernel needs CONFIG_KPROBES and CONFIG_KPROBE_EVENTS"),
	REMEDY(STEP_SITES, EPERM, "the symbols are hidden: sysctl kernel.kptr_restrict"),
	REMEDY(STEP_SITES, ENOENT, "none in the kernel's text"),
	REMEDY(STEP_KPROBE, ENOENT, "this kernel has no such function"),
	REMEDY(STEP_KPROBE, EINVAL, "this kernel does not let the function be probed"),
	REMEDY(STEP_TRACEPOINT, ENOENT, "the kernel needs CONFIG_TRACEPOINTS"),
	REMEDY(STEP_TRACEPOINT, EINVAL, "the kernel needs CONFIG_BPF_EVENTS, Linux 4.17"),
	REMEDY(STEP_REPEATS, EEXIST, "it frees with what another probe sees"),
	REMEDY(STEP_BIND, EINVAL, "the kernel needs CONFIG_BPF_EVENTS"),
};

const char *
advice_step(enum step step)
{
	static const char names[] = /* in the order of enum step */
		"\0" "perf ring\0" "BPF map\0" "asking the verifier\0" "BPF program\0"
		"BPF program load\0" "BPF program dump\0" "kprobe\0" "inlined tcp_drop()\0"
		"kprobe\0" "tracepoint\0" "kprobe program\0" "kprobe";

	return text_nth(names, step);
}

static void
forbidden(char *buf, size_t size, const char *lacking, const char *lockdown)
{
	if (lacking[0])
		text_format(buf, size, "this process lacks%s: run as root", lacking);
	else if (lockdown[0] && strcmp(lockdown, "none") != 0)
		text_format(buf, size, "the kernel is locked down (%s): boot with lockdown=none, "
		            "or without Secure Boot", lockdown);
	else
		text_format(buf, size, "a seccomp filter or a security module forbids it "
		            "(in a container: --privileged)");
}

void
advice(char *buf, size_t size, enum step step, int error, uint32_t version)
{
	char lockdown[32], lacking[64];

	buf[0] = '\0';
	kernel_lockdown(lockdown, sizeof(lockdown));
	kernel_lacking(lacking, sizeof(lacking), version, step == STEP_ASK);
	/* locked down to "confidentiality", there are no helpers that read memory */
	if ((error == -EPERM && step != STEP_SITES) || (error == -EACCES && lacking[0])
	    || (step == STEP_LOAD && !strcmp(lockdown, "confidentiality"))) {
		forbidden(buf, size, lacking, lockdown);
		return;
	}
	for (unsigned i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		const struct remedy *r = &remedies[i];

		if ((r->step == step || r->step == STEP_NONE) && r->error == -error) {
			text_format(buf, size, "%s", texts_get(TEXTS_REMEDIES, i));
			return;
		}
	}
}
