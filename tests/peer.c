/* SPDX-License-Identifier: MIT */
#include <pcap/pcap.h>

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

#include "peer.h"

static pcap_t *pcap;
static struct bpf_program program; /* no instructions: it matches nothing */

/* libpcap would ask DNS for each word it does not know. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo mine = hints ? *hints : (struct addrinfo){ 0 };

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	mine.ai_flags |= node ? AI_NUMERICHOST : 0;
	return real(node, service, &mine, found);
}

bool
peer_takes(const char *text, bool optimize, const char **why)
{
	if (!pcap)
		pcap = pcap_open_dead(DLT_RAW, 65535);
	if (program.bf_insns)
		pcap_freecode(&program);
	memset(&program, 0, sizeof(program));
	if (!pcap_compile(pcap, &program, text, optimize, PCAP_NETMASK_UNKNOWN))
		return true;
	memset(&program, 0, sizeof(program));
	*why = pcap_geterr(pcap);
	return strstr(*why, "rejects all packets");
}

bool
peer_verdict(const uint8_t *packet, size_t size)
{
	struct pcap_pkthdr header = { .caplen = (bpf_u_int32)size, .len = (bpf_u_int32)size };

	return program.bf_insns && pcap_offline_filter(&program, &header, packet);
}

const char *
peer_version(void)
{
	return pcap_lib_version();
}
