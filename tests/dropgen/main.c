/* SPDX-License-Identifier: MIT */
/*
 * dropgen: makes TCP drops on purpose, one cause after the other, in a network
 * namespace of its own, and records what a reader of drops must see.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "flood.h"
#include "healthy.h"
#include "link.h"
#include "net.h"

enum { FIRST_SPORT = 30000, FIRST_DPORT = 10000, PORTS_A_CASE = 8, QUIET_MS = 100 };

struct options {
	bool list;
	bool stay;
	int ip;                 /* 4, 6, or 0: both */
	const char *output;
	char **names;
	int count;
};

static const struct {
	const struct drop_case *cases;
	const size_t *count;
} groups[] = {
	{ cases_listen, &cases_listen_count },
	{ cases_established, &cases_established_count },
	{ cases_close, &cases_close_count },
	{ cases_ip, &cases_ip_count },
	{ cases_filter, &cases_filter_count },
	{ cases_never, &cases_never_count },
	{ cases_socket, &cases_socket_count },
	{ cases_link, &cases_link_count },
	{ cases_large, &cases_large_count },
};

static const char usage_text[] =
	"usage: dropgen [-l] [-n] [-4|-6] [-o RECORD] [CASE...]\n"
	"       dropgen flood N [-n] [-r RATE] [-c CPU] [-p PORT] [-o RECORD]\n"
	"       dropgen healthy N [-o RECORD]\n"
	"  -l          list the cases\n"
	"  -n          in this network namespace, not in a new one\n"
	"  -4, -6      one address family only\n"
	"  -o RECORD   write the record there, not to stdout\n"
	"  -r RATE     segments a second, not as fast as possible\n"
	"  -c CPU      send from this CPU\n"
	"  -p PORT     send to this port, not to 9\n";

static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

void
case_drop_as(struct run *r, const struct packet *p, const char *states, const char *reasons)
{
	struct expected e = r->what->expected;

	e.states = states;
	e.reasons = reasons;
	if (r->c.beyond)
		e.netns = link_netns();
	record_drop(&e, p);
	conn_inject(&r->c, p);
	conn_arrive(&r->c);
}

void
case_drop(struct run *r, const struct packet *p)
{
	case_drop_as(r, p, r->what->expected.states, r->what->expected.reasons);
}

void
case_accepted(struct run *r, const struct packet *p, const char *states)
{
	struct expected e = {
		.name = r->what->expected.name,
		.states = states,
		.reasons = "NOT_SPECIFIED",
		.optional = true,
	};

	if (net_kernel() < KERNEL(5, 19))
		record_drop(&e, p);
	conn_inject(&r->c, p);
	conn_settle(r->c.tun);
}

const char *
case_skip(struct run *r, const char *cause)
{
	r->skip = cause;
	return NULL;
}

static bool
wanted(const struct options *o, const char *name)
{
	for (int i = 0; i < o->count; i++)
		if (!strcmp(o->names[i], name))
			return true;
	return o->count == 0;
}

/* Returns 1 when the case could not be set up. */
static int
run_case(const struct drop_case *what, int tun, int ip, unsigned int index)
{
	const char *name = what->expected.name, *error;
	struct drop_case here = *what;
	struct run r = { .what = &here };
	static char cause[80];

	if (ip == 6 && !net_has_ip6) {
		record_skip(name, ip, "no IPv6");
		return 0;
	}
	if (what->since > net_kernel()) {
		snprintf(cause, sizeof(cause), "kernels before %d.%d drop no packet here",
		         what->since / 1000, what->since % 1000);
		record_skip(name, ip, cause);
		return 0;
	}
	here.expected.optional |= what->hides && what->hides();
	conn_init(&r.c, tun, ip, (uint16_t)(FIRST_SPORT + index * PORTS_A_CASE),
	          (uint16_t)(FIRST_DPORT + index));
	error = what->make(&r);
	conn_close(&r.c);
	net_sysctl_restore();
	conn_drain(tun, 1);
	if (error)
		record_error(name, ip, error);
	else if (r.skip)
		record_skip(name, ip, r.skip);
	else if (what->hides && what->hides())
		record_skip(name, ip, "this kernel frees it where nothing can be seen");
	return error != NULL;
}

static int
skip_all(const struct options *o, const char *cause)
{
	for (size_t g = 0; g < COUNT(groups); g++)
		for (size_t i = 0; i < *groups[g].count; i++) {
			const struct drop_case *what = &groups[g].cases[i];

			for (int ip = 4; ip <= 6; ip += 2)
				if ((!o->ip || o->ip == ip) && (!what->only || what->only == ip)
				    && wanted(o, what->expected.name))
					record_skip(what->expected.name, ip, cause);
		}
	return 0;
}

static int
run_all(const struct options *o, int tun)
{
	unsigned int index = 0;
	int failed = 0;

	for (size_t g = 0; g < COUNT(groups); g++)
		for (size_t i = 0; i < *groups[g].count; i++) {
			const struct drop_case *what = &groups[g].cases[i];

			for (int ip = 4; ip <= 6; ip += 2, index++)
				if ((!o->ip || o->ip == ip) && (!what->only || what->only == ip)
				    && wanted(o, what->expected.name))
					failed += run_case(what, tun, ip, index);
		}
	return failed ? 1 : 0;
}

static void
list_cases(void)
{
	for (size_t g = 0; g < COUNT(groups); g++)
		for (size_t i = 0; i < *groups[g].count; i++) {
			const struct drop_case *what = &groups[g].cases[i];

			printf("%-24s %s\n", what->expected.name, what->what);
		}
}

static void
check_names(const struct options *o)
{
	for (int n = 0; n < o->count; n++) {
		bool known = false;

		for (size_t g = 0; g < COUNT(groups); g++)
			for (size_t i = 0; i < *groups[g].count; i++)
				known |= !strcmp(groups[g].cases[i].expected.name, o->names[n]);
		if (!known)
			die("no case %s; -l lists them", o->names[n]);
	}
}

static FILE *
open_output(const char *path)
{
	FILE *out = path ? fopen(path, "we") : stdout;

	if (!out)
		die("write %s:", path);
	return out;
}

static unsigned long
number(const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-')
		die("%s is no number", text);
	return value;
}

static void
pin(unsigned long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("run on CPU %lu:", cpu);
}

static int
main_flood(int argc, char **argv)
{
	unsigned long count, rate = 0, cpu = 0, port = 9;
	const char *output = NULL;
	unsigned long long netns;
	bool stay = false;
	int option;

	if (argc < 2)
		usage();
	count = number(argv[1]);
	optind = 2;
	while ((option = getopt(argc, argv, "nr:c:p:o:")) != -1) {
		switch (option) {
		case 'n': stay = true; break;
		case 'r': rate = number(optarg); break;
		case 'p': port = number(optarg); break;
		case 'c': cpu = number(optarg); pin(cpu); break;
		case 'o': output = optarg; break;
		default: usage();
		}
	}
	if (optind != argc)
		usage();
	netns = net_enter(stay);
	/* floods of several CPUs have no segment in common */
	return flood(open_output(output), netns, cpu << 28, count, rate, port);
}

static int
main_healthy(int argc, char **argv)
{
	const char *output = NULL;
	unsigned long count;
	int option;

	if (argc < 2)
		usage();
	count = number(argv[1]);
	optind = 2;
	while ((option = getopt(argc, argv, "o:")) != -1) {
		if (option != 'o')
			usage();
		output = optarg;
	}
	if (optind != argc)
		usage();
	record_open(open_output(output), net_enter(false));
	return healthy_many(count);
}

static struct options
parse(int argc, char **argv)
{
	struct options o = { 0 };
	int option;

	while ((option = getopt(argc, argv, "ln46o:")) != -1) {
		switch (option) {
		case 'l': o.list = true; break;
		case 'n': o.stay = true; break;
		case '4': o.ip = 4; break;
		case '6': o.ip = 6; break;
		case 'o': o.output = optarg; break;
		default: usage();
		}
	}
	o.names = argv + optind;
	o.count = argc - optind;
	return o;
}

int
main(int argc, char **argv)
{
	struct options o;
	int tun, ret;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "flood"))
		return main_flood(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "healthy"))
		return main_healthy(argc - 1, argv + 1);
	o = parse(argc, argv);
	check_names(&o);
	if (o.list) {
		list_cases();
		return 0;
	}
	/* One CPU has one receive queue, so packets are taken in the order they are sent. */
	pin((unsigned long)sched_getcpu());
	record_open(open_output(o.output), net_enter(o.stay));
	tun = net_tun_open();
	if (tun < 0)
		return skip_all(&o, tun == -ENOENT || tun == -ENODEV || tun == -ENXIO
		                ? "no TUN device" : "cannot open /dev/net/tun");
	ret = run_all(&o, tun);
	/* A packet still queued in the device would be dropped with it. */
	conn_drain(tun, QUIET_MS);
	close(tun);
	return ret;
}
