/* SPDX-License-Identifier: MIT */
/* The record: one JSON object a line, written before the next packet is sent. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"
#include "packet.h"
#include "record.h"

static FILE *file;
static unsigned long long netns;

void
record_open(FILE *out, unsigned long long inode)
{
	file = out;
	netns = inode;
}

static void
begin(const char *name, int ip)
{
	fprintf(file, "{\"case\":\"%s\",\"ip\":%d", name, ip);
}

static void
end_in(unsigned long long inode)
{
	if (inode)
		fprintf(file, ",\"netns\":%llu}\n", inode);
	else
		fputs(",\"netns\":null}\n", file);
	fflush(file);
}

static void
end(void)
{
	end_in(netns);
}

static void
put_name(const char *name, size_t n)
{
	if (n == 1 && *name == '-')
		fputs("null", file);
	else
		fprintf(file, "\"%.*s\"", (int)n, name);
}

static void
put_names(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, "|");

		put_name(list, n);
		list += n;
		if (*list) {
			fputc(',', file);
			list++;
		}
	}
}

static void
put_list(const char *key, const char *list)
{
	fprintf(file, ",\"%s\":[", key);
	put_names(list);
	fputc(']', file);
}

static void
put_reasons(const struct expected *e)
{
	fputs(",\"reasons\":[", file);
	put_names(e->reasons);
	if (net_kernel() < (e->unnamed ? e->unnamed : KERNEL(6, 0)))
		fputs(",\"NOT_SPECIFIED\"", file);
	fputc(']', file);
}

static void
put_flags(unsigned int flags)
{
	static const char *const names[8] = {
		"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"
	};
	const char *separator = "";

	fputs(",\"flags\":\"", file);
	for (unsigned int i = 0; i < 8; i++) {
		if (!(flags >> i & 1))
			continue;
		fprintf(file, "%s%s", separator, names[i]);
		separator = "|";
	}
	fputc('"', file);
}

void
record_drop(const struct expected *e, const struct packet *p)
{
	int family = p->ip == 4 ? AF_INET : AF_INET6;
	char saddr[INET6_ADDRSTRLEN], daddr[INET6_ADDRSTRLEN];
	const char *states = e->states ? e->states : "-";

	inet_ntop(family, p->saddr, saddr, sizeof(saddr));
	inet_ntop(family, p->daddr, daddr, sizeof(daddr));
	begin(e->name, p->ip);
	fprintf(file, ",\"saddr\":\"%s\",\"sport\":%u,\"daddr\":\"%s\",\"dport\":%u",
	        saddr, p->sport, daddr, p->dport);
	if (e->any_header) {
		fputs(",\"flags\":null,\"seq\":null,\"ack\":null,\"window\":null", file);
	} else {
		put_flags(p->flags);
		fprintf(file, ",\"seq\":%u,\"ack\":%u", p->seq, p->ack);
		if (e->any_window)
			fputs(",\"window\":null", file);
		else
			fprintf(file, ",\"window\":%u", p->window);
	}
	if (e->any_header || e->any_length)
		fputs(",\"length\":null", file);
	else
		fprintf(file, ",\"length\":%zu", p->len);
	fputs(",\"state\":", file);
	put_name(states, strcspn(states, "|"));
	put_list("states", states);
	put_reasons(e);
	if (e->optional)
		fputs(",\"optional\":true", file);
	end_in(e->netns ? e->netns : netns);
}

static void
put_cause(const char *name, int ip, const char *key, const char *cause)
{
	begin(name, ip);
	fprintf(file, ",\"%s\":\"%s\"", key, cause);
	end();
}

void
record_skip(const char *name, int ip, const char *cause)
{
	put_cause(name, ip, "skip", cause);
}

void
record_error(const char *name, int ip, const char *cause)
{
	put_cause(name, ip, "error", cause);
}

void
record_never(const char *name, int ip, unsigned int sport, unsigned int dport, const char *allow)
{
	begin(name, ip);
	fprintf(file, ",\"never\":true,\"sport\":%u,\"dport\":%u", sport, dport);
	put_list("allow", allow);
	end();
}
