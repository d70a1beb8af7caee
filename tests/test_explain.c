/* SPDX-License-Identifier: MIT */
/* Run from the project's root: the text is explain.txt, the kernels' lists are in tests/facts/. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "../explain.h"
#include "../reasons.h"
#include "../texts.h"
#include "tap.h"

enum { COLUMNS = 80, NAMES = 512 };

/* What the paragraphs of explain.txt say of a name, read here once more. */
enum kind { REASON, PLACE, NEVER };

static struct {
	char      text[64];
	enum kind kind;
} names[NAMES];

static unsigned name_count;
static char     text[TEXTS_ROOM + 1];

/* How many times a name is there, of one kind. */
static unsigned
times(const char *name, enum kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < name_count; i++)
		n += names[i].kind == kind && !strcmp(names[i].text, name);
	return n;
}

static void
take_names(char *line, enum kind kind)
{
	char *word = strtok(line, ", ");

	for (; word && name_count < NAMES; word = strtok(NULL, ", ")) {
		snprintf(names[name_count].text, sizeof(names[0].text), "%s", word);
		names[name_count++].kind = kind;
	}
}

/* The whole file; its form is checked on the way. */
static void
read_text(void)
{
	static char copy[sizeof(text)];
	FILE *f = fopen("explain.txt", "r");
	enum kind kind = REASON;
	unsigned wide = 0, blank_ends = 0, strange = 0;
	char *next = copy;

	if (!CHECK(f, "explain.txt is there"))
		return;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	strcpy(copy, text);
	for (char *line; (line = strsep(&next, "\n")); ) {
		size_t n = strlen(line);

		wide += n > COLUMNS;
		blank_ends += n && line[n - 1] == ' ';
		strange += n && line[0] == ' ' && (strncmp(line, "    ", 4) || line[4] == ' ');
		if (!strncmp(line, "# No reason", 11))
			kind = PLACE;
		else if (!strncmp(line, "# Never", 7))
			kind = NEVER;
		else if (n && line[0] != '#' && line[0] != ' ')
			take_names(line, kind);
	}
	CHECK_INT(wide, 0, "no line is wider than 80");
	CHECK_INT(blank_ends, 0, "no line ends in a blank");
	CHECK_INT(strange, 0, "text is indented by four");
	CHECK(name_count > 150 && name_count < NAMES, "%u names", name_count);
}

/* Each name once in all; those of functions and of reasons cannot be mixed up. */
static void
test_names(void)
{
	for (unsigned i = 0; i < name_count; i++) {
		const char *name = names[i].text;
		bool upper = true, lower = true;

		for (const char *c = name; *c; c++) {
			bool neither = *c == '_' || isdigit((unsigned char)*c);

			upper &= neither || isupper((unsigned char)*c);
			lower &= neither || islower((unsigned char)*c);
		}
		CHECK(names[i].kind == PLACE ? lower : upper, "%s: letters", name);
		CHECK_INT(times(name, REASON) + times(name, PLACE) + times(name, NEVER), 1,
		          "%s: once", name);
	}
}

/* Lines of text, and then, but for what never comes, what to look at. */
static void
test_paragraphs(void)
{
	for (unsigned i = 0; i < name_count; i++) {
		const char *name = names[i].text, *look, *body;
		size_t size = 0;
		const char *paragraph = explain_name(name, &size);
		char copy[2048] = "";

		if (!CHECK(paragraph && size && size < sizeof(copy), "%s: has a paragraph", name))
			continue;
		memcpy(copy, paragraph, size);
		body = strstr(copy, "\n    ");
		CHECK(body && strstr(copy, name) && strstr(copy, name) < body, "%s: its own",
		      name);
		look = strstr(copy, "\n    Look at: ");
		CHECK(body && body != look && strlen(body) > 20, "%s: has a text", name);
		if (names[i].kind == NEVER)
			CHECK(strstr(copy, "No TCP packet") && !look, "%s: never", name);
		else
			CHECK(look && isalpha((unsigned char)look[14]), "%s: where to look", name);
		CHECK(copy[size - 1] == '\n' && !strstr(copy, "\n\n"), "%s: no more than it", name);
	}
}

/* A reason is explained, or declared never to concern TCP. */
static unsigned
check_reason(const char *name)
{
	bool good = times(name, REASON) + times(name, NEVER) == 1;

	if (!good)
		printf("# %s is not there\n", name);
	return !good;
}

static unsigned
check_list(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned code, wrong = 0, listed = 0;
	char name[64];

	for (; f && fscanf(f, "%u %63s", &code, name) == 2; listed++)
		if (strcmp(name, "MAX") != 0)
			wrong += check_reason(name);
	if (f)
		fclose(f);
	return wrong + (listed < 60);
}

static void
test_complete(void)
{
	DIR *dir = opendir("tests/facts/reasons");
	unsigned lists = 0, wrong = 0;
	char path[512];

	for (struct dirent *e; dir && (e = readdir(dir)); ) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/facts/reasons/%s", e->d_name);
		CHECK_INT(check_list(path), 0, "%s: all explained", e->d_name);
		lists++;
	}
	if (dir)
		closedir(dir);
	CHECK(lists >= 16, "%u lists", lists);
	for (unsigned i = 0; i < REASONS_NAMES; i++)
		wrong += check_reason(texts_get(TEXTS_REASONS, i));
	CHECK_INT(wrong, 0, "the built-in names: all explained");
}

/* net/openvswitch/drop.h, 6.6 on; the enum begins at 1 */
static void
test_subsystems(void)
{
	static const char *const openvswitch[] = {
		"LAST_ACTION", "ACTION_ERROR", "EXPLICIT", "EXPLICIT_WITH_ERROR", "METER",
		"RECURSION_LIMIT", "DEFERRED_LIMIT", "FRAG_L2_TOO_LONG", "FRAG_INVALID_PROTO",
		"CONNTRACK", "IP_TTL",
	};
	static const uint32_t unknown[] = {
		0, 1, 0xffff, 0x10000, 0x10001, 0x20000, 0x30000, 0x2000c, 0x3000c, 0x40001,
		0x2ffff, UINT32_MAX,
	};
	size_t size, same;
	char name[64];

	for (uint32_t i = 0; i < COUNT(openvswitch); i++) {
		snprintf(name, sizeof(name), "OVS_DROP_%s", openvswitch[i]);
		CHECK(times(name, REASON) == 1, "%s is explained", name);
		for (uint32_t subsystem = 2; subsystem <= 3; subsystem++) {
			const char *got = explain_subsystem(subsystem << 16 | (i + 1), &size);

			CHECK(got && got == explain_name(name, &same) && size == same,
			      "number %u of subsystem %u is %s", i + 1, subsystem, name);
		}
	}
	for (size_t i = 0; i < COUNT(unknown); i++)
		CHECK(!explain_subsystem(unknown[i], &size), "0x%x is unknown", unknown[i]);
}

static void
test_forms(void)
{
	static const struct {
		const char *typed;
		const char *want; /* the beginning of the paragraph; NULL: unknown */
	} rows[] = {
		{ "NO_SOCKET",                        "NO_SOCKET\n" },
		{ "no_socket",                        "NO_SOCKET\n" },
		{ "SKB_DROP_REASON_NO_SOCKET",        "NO_SOCKET\n" },
		{ "skb_drop_reason_No_Socket",        "NO_SOCKET\n" },
		{ "TCP_INVALID_END_SEQUENCE",         "TCP_OVERWINDOW, TCP_INVALID_SEQUENCE, " },
		{ "IP_NOPROTO",                       "ARP_PVLAN_DISABLE, " },
		{ "tcp_v6_rcv",                       "tcp_v4_rcv, tcp_v6_rcv\n" },
		{ "tcp_v4_rcv+0x1f4",                 "tcp_v4_rcv, " },
		{ "tcp_v4_rcv.isra.0+0x1f4",          "tcp_v4_rcv, " },
		{ "tun_net_xmit+0x12d [tun]",         "tun_net_xmit, " },
		{ "ip6_protocol_deliver_rcu",         "ip_local_deliver_finish, " },
		{ "",                                 NULL },
		{ "+",                                NULL },
		{ "SKB_DROP_REASON_",                 NULL },
		{ "NO_SOCKE",                         NULL },
		{ "NO_SOCKETS",                       NULL },
		{ "O_SOCKET",                         NULL },
		{ "NO_SOCKET,",                       NULL },
		{ "TCP_OVERWINDOW,",                  NULL },
		{ "#",                                NULL },
		{ "# IP",                             NULL },
		{ "IP",                               NULL },
		{ "    ",                             NULL },
		{ "MAX",                              NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t size = 0;
		const char *got = explain_name(rows[i].typed, &size);
		const char *want = rows[i].want;

		CHECK(want ? got && !strncmp(got, want, strlen(want)) : !got, "form: '%s'",
		      rows[i].typed);
	}
}

static void
test_near(void)
{
	static const struct {
		const char *typed;
		const char *want;
	} rows[] = {
		{ "TCP_OVERWIDOW",    "TCP_OVERWINDOW" },
		{ "overwin",          "TCP_OVERWINDOW" },
		{ "NETFILTER",        "NETFILTER_DROP" },
		{ "SKB_DROP_REASON_NEIGH", "NEIGH_FAILED, NEIGH_QUEUEFULL, NEIGH_CREATEFAIL, "
		                      "NEIGH_DEAD, NEIGH_HH_FILLFAIL, __neigh_event_send, ..." },
		{ "XDP+0x1",          "XDP, do_xdp_generic, netif_receive_generic_xdp, "
		                      "veth_xdp_rcv_skb" },
		{ "NOMEMORY",         "NOMEM" },
		{ "NOsuch",           "" },
		{ "qq",               "" },
		{ "",                 "" },
		{ "SKB_DROP_REASON_", "" },
		{ "+",                "" },
	};
	char got[120];

	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(got, 'x', sizeof(got));
		got[0] = '\0';
		CHECK_INT(explain_near(got, sizeof(got), rows[i].typed), strlen(rows[i].want),
		          "near: '%s': length", rows[i].typed);
		CHECK_STR(got, rows[i].want, "near: '%s'", rows[i].typed);
	}
}

/* Whatever fits, it is whole names, and says so when there are more. */
static void
test_near_cuts(void)
{
	unsigned wrong = 0;

	for (size_t size = 6; size < 700; size++) {
		char got[700];
		size_t n = explain_near(got, size, "TCP");
		const char *last;

		wrong += n >= size || strlen(got) != n;
		last = strrchr(got, ' ') ? strrchr(got, ' ') + 1 : got;
		wrong += strcmp(last, "...") != 0;
	}
	CHECK_INT(wrong, 0, "near: cut at any size");
}

int
main(void)
{
	read_text();
	CHECK_STR(explain_all(), text, "what is packed is explain.txt: else run tests/pack");
	CHECK_STR(explain_all(), text, "and is so when asked again");
	test_names();
	test_paragraphs();
	test_complete();
	test_subsystems();
	test_forms();
	test_near();
	test_near_cuts();
	return tap_end();
}
