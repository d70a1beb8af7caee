/* SPDX-License-Identifier: MIT */
/*
 * Expressions: the tree that is made of them, or where the '^' stands. That the
 * trees are right is shown against libpcap, by tests/check_filter.
 */
#include <linux/bpf.h>
#include <linux/version.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "../filter.h"
#include "../filter_words.h"
#include "tap.h"
#include "world.h"

static struct filter filter;
static char tree[8192];
static size_t used;

__attribute__((format(printf, 1, 2)))
static void
say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	used += (size_t)vsnprintf(tree + used, sizeof(tree) - used, format, ap);
	va_end(ap);
}

/* The two forms differ only in how much of the mask there is. */
static void
say_address(const struct filter_node *n)
{
	unsigned size = n->kind == FILTER_ADDRESS6 ? 16 : 4, bits = 0;
	bool plain = true;

	for (unsigned i = 0; i < 8 * size; i++) {
		bool set = n->mask[i / 8] >> (7 - i % 8) & 1;

		plain &= !set || bits == i;
		bits += set;
	}
	for (unsigned i = 0; i < size; i++)
		say(size == 4 ? i ? ".%u" : "%u" : i && i % 2 == 0 ? ":%02x" : "%02x",
		    n->address[i]);
	if (!plain)
		say("&%02x%02x%02x%02x", n->mask[0], n->mask[1], n->mask[2], n->mask[3]);
	else if (bits != 8 * size)
		say("/%u", bits);
}

static void
say_node(const struct filter *f, unsigned i)
{
	static const char *const names[] = {
		[FILTER_FAMILY] = "ip", [FILTER_PORT] = "port", [FILTER_REASON] = "reason",
		[FILTER_STATE] = "state",
	};
	const struct filter_node *n = &f->node[i];
	const char *side = n->side ? "dst" : "src";

	if (n->kind <= FILTER_NOT) {
		say(n->kind == FILTER_AND ? "(and " : n->kind == FILTER_OR ? "(or " : "(not ");
		say_node(f, n->left);
		if (n->kind != FILTER_NOT) {
			say(" ");
			say_node(f, n->right);
		}
		say(")");
	} else if (n->kind <= FILTER_ADDRESS6) {
		say("%s ", side);
		say_address(n);
	} else if (n->kind == FILTER_REASON_NAME) {
		say("reason '%.*s'", (int)n->high, f->text + n->low);
	} else {
		say("%s ", n->kind == FILTER_PORT ? side : names[n->kind]);
		say(n->low == n->high ? "%u" : "%u-%u", n->low, n->high);
	}
}

static const char *
parse(const char *text)
{
	char err[FILTER_ERROR] = "";

	used = 0;
	tree[0] = '\0';
	if (filter_parse(&filter, text, err, sizeof(err)))
		say("%s", err);
	else if (filter.root)
		say_node(&filter, filter.root);
	return tree;
}

#define EITHER(what)   "(or src " what " dst " what ")"
#define BOTH(what)     "(and src " what " dst " what ")"

static const struct {
	const char *text, *want;
} trees[] = {
	{ "", "" },
	{ " \t ", "" },
	{ "ip", "ip 4" }, { "ip6", "ip 6" }, { "tcp", "ip 4-6" },
	{ "host 10.1.2.3", EITHER("10.1.2.3") },
	{ "src host 10.1.2.3", "src 10.1.2.3" },
	{ "dst host 10.1.2.3", "dst 10.1.2.3" },
	{ "src 10.1.2.3", "src 10.1.2.3" },
	{ "src or dst 10.1.2.3", EITHER("10.1.2.3") },
	{ "dst or src host 10.1.2.3", EITHER("10.1.2.3") },
	{ "src and dst host 10.1.2.3", BOTH("10.1.2.3") },
	{ "dst && src 10.1.2.3", BOTH("10.1.2.3") },
	{ "ip host 10.1.2.3", EITHER("10.1.2.3") },
	{ "ip src 10.1.2.3", "src 10.1.2.3" },
	{ "host 10.1", EITHER("10.1.0.0/16") },
	{ "host 255.255.255.255", EITHER("255.255.255.255") },
	{ "net 10", EITHER("10.0.0.0/8") },
	{ "net 10.1", EITHER("10.1.0.0/16") },
	{ "net 10.1.2", EITHER("10.1.2.0/24") },
	{ "net 10.1.2.3", EITHER("10.1.2.3") },
	{ "net 10.0.0.0/8", EITHER("10.0.0.0/8") },
	{ "net 10/8", EITHER("10.0.0.0/8") },
	{ "net 10.1.2.0 / 23", EITHER("10.1.2.0/23") },
	{ "net 10.1.2.3/32", EITHER("10.1.2.3") },
	{ "src net 0.0.0.0/0", "ip 4" },
	{ "net ::/0", "ip 6" },
	{ "net 10.0.0.0 mask 255.0.0.0", EITHER("10.0.0.0/8") },
	{ "net 10.0.1.0 mask 255.0.255.0", EITHER("10.0.1.0&ff00ff00") },
	{ "dst net 10.1 mask 255.255", "dst 10.1.0.0/16" },
	{ "host ::1", EITHER("0000:0000:0000:0000:0000:0000:0000:0001") },
	{ "src ::ffff:10.1.2.3", "src 0000:0000:0000:0000:0000:ffff:0a01:0203" },
	{ "net 2001:db8::/32", EITHER("2001:0db8:0000:0000:0000:0000:0000:0000/32") },
	{ "ip6 net fe80::/10", EITHER("fe80:0000:0000:0000:0000:0000:0000:0000/10") },
	{ "src net 2001:db8:8000::/33", "src 2001:0db8:8000:0000:0000:0000:0000:0000/33" },
	{ "port 80", EITHER("80") },
	{ "port 0", EITHER("0") },
	{ "port 65535", EITHER("65535") },
	{ "port http", EITHER("80") },
	{ "port ftp-data", EITHER("20") },
	{ "src port 80", "src 80" },
	{ "tcp dst port https", "dst 443" },
	{ "src 80", "src 80" },
	{ "src or dst 80", EITHER("80") },
	{ "tcp src 80", "src 80" },
	{ "tcp src ssh", "src 22" },
	{ "portrange 80-90", EITHER("80-90") },
	{ "portrange 90-80", EITHER("80-90") },
	{ "dst portrange 80", "dst 80" },
	{ "src portrange ssh-http", "src 22-80" },
	{ "not port 80", "(not " EITHER("80") ")" },
	{ "!port 80", "(not " EITHER("80") ")" },
	{ "! ! ip", "(not (not ip 4))" },
	{ "port not 80", "(not " EITHER("80") ")" },
	/* "and" and "or" bind alike, from the left */
	{ "ip or tcp and ip6", "(and (or ip 4 ip 4-6) ip 6)" },
	{ "ip && tcp || ip6", "(or (and ip 4 ip 4-6) ip 6)" },
	{ "ip or (tcp and ip6)", "(or ip 4 (and ip 4-6 ip 6))" },
	{ "ip or(tcp and ip6)", "(or ip 4 (and ip 4-6 ip 6))" },
	{ "not ip and tcp", "(and (not ip 4) ip 4-6)" },
	{ "not (ip and tcp)", "(not (and ip 4 ip 4-6))" },
	{ "((ip))", "ip 4" },
	/* qualifiers carry over */
	{ "src 10.1.2.3 or 10.1.2.4", "(or src 10.1.2.3 src 10.1.2.4)" },
	{ "src host 10.1.2.3 or ::1", "(or src 10.1.2.3 src 0000:0000:0000:0000:0000:0000:0000:0001)" },
	{ "dst port 80 or 443 or http", "(or (or dst 80 dst 443) dst 80)" },
	{ "not src host 10.1.2.3 and 10.1.2.4", "(and (not src 10.1.2.3) src 10.1.2.4)" },
	{ "src host (10.1.2.3 or 10.1.2.4)", "(or src 10.1.2.3 src 10.1.2.4)" },
	{ "src port (80 or not 443)", "(or src 80 (not src 443))" },
	{ "src port 80 or (443 and 22)", "(or src 80 (and src 443 src 22))" },
	{ "src port 80 and (dst host 10.1.2.3) or 443", "(or (and src 80 dst 10.1.2.3) src 443)" },
	{ "src port 80 and dst host 10.1.2.3 or 10.1.2.4",
	  "(or (and src 80 dst 10.1.2.3) dst 10.1.2.4)" },
	{ "src port 80 and not 443", "(and src 80 (not src 443))" },
	{ "src 10.1.2.3 or 80", "(or src 10.1.2.3 src 80)" },
	/* our own */
	{ "state listen", "state 10" },
	{ "state LISTEN or time-wait or none", "(or (or state 10 state 6) state 0)" },
	{ "state (fin_wait1 or Fin-Wait2)", "(or state 4 state 5)" },
	{ "reason XDP", "reason 'XDP'" },
	{ "reason (skb_drop_reason_tcp_csum or 17) and port 1",
	  "(and (or reason 'skb_drop_reason_tcp_csum' reason '17') " EITHER("1") ")" },
};

static void
test_trees(void)
{
	for (size_t i = 0; i < COUNT(trees); i++)
		CHECK_STR(parse(trees[i].text), trees[i].want, "tree: %s", trees[i].text);
	CHECK(!filter_parse(&filter, NULL, NULL, 0) && !filter.root, "tree: no text");
	parse("port 80");
	CHECK(!filter.has_state && !filter.has_reason, "no state or reason asked for");
	parse("port 80 or not state listen");
	CHECK(filter.has_state, "a state asked for");
	parse("host 10.0.0.1 or not reason XDP");
	CHECK(filter.has_reason, "a reason asked for");
}

/* The second line is the text, the third has '^' under what is wrong. */
static const struct {
	const char *text, *marks, *what;
} errors[] = {
	{ "foo",               "^^^", "expected host, net, port, portrange, src, dst, ip, ip6, tcp, "
	                              "reason, state, not or '('" },
	{ "HOST 10.1.2.3",     "^^^^", NULL },
	{ "80",                "^^", NULL },
	{ "host",              "    ^", "expected an address" },
	{ "host foo",          "     ^^^", "expected an address" },
	{ "host 10",           "     ^^", "expected an address" },
	{ "host 10.1.2.3.4",   "     ^^^^^^^^^^", "expected an address" },
	{ "host 10.1.2.256",   "     ^^^^^^^^^^", "expected an address" },
	{ "host 10..1",        "     ^^^^^", "expected an address" },
	{ "host 1:2",          "     ^^^", "expected an address" },
	{ "host 10.0.0.0/8",   "             ^", "expected 'and', 'or' or the end" },
	{ "src foo or 80",     "    ^^^", "expected an address or a port number" },
	{ "src or 10.1.2.3",   "       ^^^^^^^^", "expected dst" },
	{ "dst and port 80",   "        ^^^^", "expected src" },
	{ "ip port 80",        "   ^^^^", "expected host or net" },
	{ "tcp host 10.1.2.3", "    ^^^^", "expected port or portrange" },
	{ "tcp src 10.1.2.3",  "        ^^^^^^^^", "expected a port: 0 to 65535, or the name of a "
	                                           "common one" },
	{ "ip host ::1",       "        ^^^", "expected an IPv4 address" },
	{ "ip6 net 10.0.0.0/8", "        ^^^^^^^^", "expected an IPv6 address" },
	{ "ip src 80",         "       ^^", "expected an IPv4 address" },
	{ "ip 10.1.2.3",       "   ^^^^^^^^", "expected 'and', 'or' or the end" },
	{ "ip tcp",            "   ^^^", "expected 'and', 'or' or the end" },
	{ "src state listen",  "    ^^^^^", "expected an address or a port number" },
	{ "tcp reason XDP",    "    ^^^^^^", "expected 'and', 'or' or the end" },
	{ "net 10.1.2.3/8",    "    ^^^^^^^^", "expected no bits behind those of the net" },
	{ "net 10.1 mask 255", "    ^^^^", "expected no bits behind those of the net" },
	{ "net 2001:db8::1/32", "    ^^^^^^^^^^^", "expected no bits behind those of the net" },
	{ "net 10.0.0.0/33",   "             ^^", "expected a length of up to 32 bits, with IPv6 128" },
	{ "net ::/129",        "       ^^^", "expected a length of up to 32 bits, with IPv6 128" },
	{ "net 10.0.0.0/",     "             ^", "expected a length of up to 32 bits, with IPv6 128" },
	{ "net 10.0.0.0 mask x", "                  ^", "expected a mask, as 255.255.0.0" },
	{ "net :: mask ::",    "       ^^^^", "expected 'and', 'or' or the end" },
	{ "net 300",           "    ^^^", "expected an address" },
	{ "port 65536",        "     ^^^^^", NULL },
	{ "port -1",           "     ^^", NULL },
	{ "port 80-90",        "     ^^^^^", NULL },
	{ "port foo",          "     ^^^", NULL },
	{ "port 99999999999999999999", "     ^^^^^^^^^^^^^^^^^^^^", NULL },
	{ "portrange 80-",     "          ^^^", "expected a range of ports, as 8000-8080" },
	{ "portrange 80-90-95", "          ^^^^^^^^", "expected a range of ports, as 8000-8080" },
	{ "port 80 or",        "          ^", NULL },
	{ "port 80 or or",     "           ^^", NULL },
	{ "port 80 443",       "        ^^^", "expected 'and', 'or' or the end" },
	{ "port 80 & ip",      "        ^", "expected 'and', 'or' or the end" },
	{ "(port 80",          "        ^", "expected 'and', 'or' or ')'" },
	{ "port (80 or ip)",   "            ^^", NULL },
	{ "port 80)",          "       ^", "expected 'and', 'or' or the end" },
	{ "()",                " ^", NULL },
	{ "not",               "   ^", NULL },
	{ "(80)",              " ^^", NULL },
	{ "ip or (80)",        "       ^^", NULL },
	{ "reason",            "      ^", "expected a reason" },
	{ "reason )",          "       ^", "expected a reason" },
	{ "state foo",         "      ^^^", "expected a state: none, ESTABLISHED, SYN_SENT, SYN_RECV, "
	                       "FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, "
	                       "CLOSING, NEW_SYN_RECV, BOUND_INACTIVE" },
	{ "state listenlistenlisten", "      ^^^^^^^^^^^^^^^^^^", NULL },
	{ "host 10.1.2.3 and (net 10/8 or port \x1b\xc3\xa4\n)",
	  "                                    ^^^", NULL },
};

static const char *
check_error(size_t i)
{
	static char err[FILTER_ERROR], printable[256];
	char *second, *third;

	if (filter_parse(&filter, errors[i].text, err, sizeof(err)) != -EINVAL)
		return "it is taken";
	second = strchr(err, '\n');
	third = second ? strchr(second + 1, '\n') : NULL;
	if (!third || strchr(third + 1, '\n'))
		return "not three lines";
	*second++ = *third++ = '\0';
	snprintf(printable, sizeof(printable), "  %s", errors[i].text);
	for (char *c = printable; *c; c++)
		*c = *c == '\n' ? ' ' : *c < ' ' || *c > '~' ? '?' : *c;
	if (strcmp(second, printable) != 0)
		return second;
	if (strncmp(third, "  ", 2) != 0 || strcmp(third + 2, errors[i].marks) != 0)
		return third;
	return errors[i].what && strcmp(err, errors[i].what) != 0 ? err : NULL;
}

static void
test_errors(void)
{
	for (size_t i = 0; i < COUNT(errors); i++) {
		const char *wrong = check_error(i);

		if (!CHECK(!wrong, "error %zu", i))
			printf("# %s: %s\n", errors[i].text, wrong);
	}
}

/* No line is longer than a window of 80 columns, and the mark is still under the word. */
static void
test_long(void)
{
	static char text[4096], err[FILTER_ERROR];
	size_t wrong = 0;

	for (int at = 0; at < 100; at++) {
		char *line, *mark;

		text[0] = '\0';
		for (int i = 0; i < 100; i++)
			strcat(text, i == at ? "port Oops or " : "port 8080 or ");
		filter_parse(&filter, strcat(text, "ip"), err, sizeof(err));
		line = strchr(err, '\n') + 1;
		mark = strchr(line, '\n') + 1;
		wrong += strcspn(line, "\n") > 74 || strlen(mark) > 74
		         || strncmp(strchr(mark, '^') - mark + line, "Oops or", 4) != 0;
	}
	CHECK_INT(wrong, 0, "long: the word is shown");
}

static const struct {
	const char *text;
	const char *want; /* NULL: it is none */
} addresses[] = {
	{ "::", "00000000000000000000000000000000" },
	{ "::1", "00000000000000000000000000000001" },
	{ "1::", "00010000000000000000000000000000" },
	{ "2001:DB8::8:800:200C:417A", "20010db80000000000080800200c417a" },
	{ "2001:db8:0:0:8:800:200c:417a", "20010db80000000000080800200c417a" },
	{ "1:2:3:4:5:6:7::", "00010002000300040005000600070000" },
	{ "::2:3:4:5:6:7:8", "00000002000300040005000600070008" },
	{ "1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304" },
	{ "::13.1.68.3", "0000000000000000000000000d014403" },
	{ "::ffff:129.144.52.38", "00000000000000000000ffff81903426" },
	{ "1:2:3:4:5::1.2.3.4", "00010002000300040005000001020304" },
	{ "0001:00FF::", "000100ff000000000000000000000000" },
	{ ":", NULL }, { ":::", NULL }, { "1:", NULL }, { ":1", NULL }, { "1::2::3", NULL },
	{ "1:2:3:4:5:6:7", NULL }, { "1:2:3:4:5:6:7:8:9", NULL }, { "1:2:3:4:5:6:7:8::", NULL },
	{ "::1:2:3:4:5:6:7:8", NULL }, { "1:2:3:4::5:6:7:8", NULL }, { "12345::", NULL },
	{ "g::", NULL }, { "1:2:3:4:5:6:7:1.2.3.4", NULL }, { "1.2.3.4::", NULL },
	{ "::1.2.3", NULL }, { "::1.2.3.256", NULL }, { "::1.2.3.4:1", NULL }, { "1:2:3:4:5:6:7:", NULL },
	{ "fe80::1%eth0", NULL }, { "1", NULL }, { "1.2.3.4", NULL }, { "::-1", NULL },
};

static void
test_addresses(void)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		uint8_t bytes[16];
		char got[33] = "", exact[64];
		size_t n = strlen(addresses[i].text);

		/* nothing behind the word is read */
		memcpy(exact, addresses[i].text, n);
		memset(exact + n, '1', sizeof(exact) - n);
		if (filter_words_ipv6(exact, n, bytes))
			for (unsigned b = 0; b < 16; b++)
				snprintf(got + 2 * b, 3, "%02x", bytes[b]);
		CHECK_STR(got, addresses[i].want ? addresses[i].want : "", "IPv6: %s",
		          addresses[i].text);
	}
}

/* ---- what nobody types ---- */

static void
test_limits(void)
{
	static char text[70000], err[FILTER_ERROR];

	for (int n = 90; n <= 60000; n += 59910) {
		for (int shape = 0; shape < 3; shape++) {
			bool deep = n > FILTER_DEPTH;

			text[0] = '\0';
			memset(text, shape ? '!' : '(', (size_t)n);
			strcpy(text + n, shape == 2 ? "port (80" : "ip");
			if (!shape && !deep) {
				memset(text + n + 2, ')', (size_t)n);
				text[2 * n + 2] = '\0';
			}
			CHECK_INT(filter_parse(&filter, text, err, sizeof(err)),
			          deep || shape == 2 ? -EINVAL : 0, "%d deep, %d", n, shape);
		}
	}
	for (int n = 1000; n <= 5000; n += 4000) {
		strcpy(text, "ip");
		for (int i = 1; i < n; i++)
			strcpy(text + 2 + (i - 1) * 6, " or ip");
		CHECK_INT(filter_parse(&filter, text, err, sizeof(err)), n == 1000 ? 0 : -EINVAL,
		          "%d words", n);
		if (n > 1000)
			CHECK(!strncmp(err, "expected a shorter expression\n", 30),
			      "%d words: said", n);
	}
}

static void
test_ports(void)
{
	static const uint16_t list[] = { 80, 443 };

	parse("");
	CHECK_INT(filter_ports(&filter, list, 0), 0, "no ports");
	CHECK(!filter.root, "no ports: all passes");
	CHECK_INT(filter_ports(&filter, list, 2), 0, "ports alone");
	used = 0;
	say_node(&filter, filter.root);
	CHECK_STR(tree, "(or " EITHER("80") " " EITHER("443") ")", "ports alone");
	parse("ip or tcp");
	CHECK_INT(filter_ports(&filter, list, 1), 0, "ports and an expression");
	used = 0;
	say_node(&filter, filter.root);
	CHECK_STR(tree, "(and " EITHER("80") " (or ip 4 ip 4-6))", "ports and an expression");
	parse("ip");
	filter.count = FILTER_NODES - 2;
	CHECK_INT(filter_ports(&filter, list, 2), -E2BIG, "no room for ports");
}

static const char *
any_word(void)
{
	static const char *const words[] = {
		"and", "or", "not", "(", ")", "!", "&&", "||", "&", "|", "/", "src", "dst", "host", "net",
		"port", "portrange", "ip", "ip6", "tcp", "mask", "reason", "state", "10.0.0.0", "::1", "80",
		"80-90", "none", "LISTEN", "-", ":", ".", "8", "\xff", "\x01", "'", "\"", "%s", "",
	};

	return words[(size_t)rand() % COUNT(words)];
}

/* Bytes of all kinds: mostly the words there are, in any order, and what is near them. */
static void
test_random(void)
{
	unsigned taken = 0, wrong = 0;

	srand(1);
	for (int run = 0; run < 200000; run++) {
		char text[256], err[FILTER_ERROR], small[20];
		size_t n = 0;

		for (int i = rand() % 12; i >= 0; i--) {
			if (rand() % 8)
				n += (size_t)snprintf(text + n, 20, "%s%s", any_word(),
				                      rand() % 6 ? " " : "");
			else
				text[n++] = (char)(1 + rand() % 255);
		}
		text[n] = '\0';
		if (filter_parse(&filter, text, err, sizeof(err))) {
			const char *mark = strrchr(err, '\n');

			wrong += !mark || !strchr(mark, '^') || strlen(err) + 1 >= sizeof(err);
			for (const char *c = err; *c; c++)
				wrong += *c != '\n' && (*c < ' ' || *c > '~');
			filter_parse(&filter, text, small, sizeof(small));
			wrong += strlen(small) != sizeof(small) - 1;
		} else {
			taken++;
			wrong += filter.root > filter.count;
		}
	}
	CHECK(!wrong && taken > 1000, "200000 random texts: %u taken, %u wrong", taken, wrong);
}

/* ---- in the program ---- */

static const struct kernel kernels[] = {
	{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	{ "5.10", KERNEL_VERSION(5, 10, 255), "tracepoint", 2, BPF_FUNC_probe_read_kernel, false },
	{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "sk_skb_reason_drop", 0, BPF_FUNC_probe_read_kernel, true },
	{ "6.12", KERNEL_VERSION(6, 12, 117), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
};

/* What a record alone does not show: reason and state. Headers are tests/check_filter's. */
static const struct {
	const char *text;
	enum who    who;   /* at hand in a register, where there are any */
	bool        shown; /* where that socket is found, and the reason given */
	bool        alone; /* where neither is */
} expression_rows[] = {
	{ "port 443",                          NOBODY, true, true },
	{ "port 444",                          NOBODY, false, false },
	{ "reason 42",                         NOBODY, true, false },
	{ "not reason 42",                     NOBODY, false, true },
	{ "reason 43 or 41",                   NOBODY, false, false },
	{ "reason 43 or 42 and port 443",      NOBODY, true, false },
	{ "reason 2147483647",                 NOBODY, false, false },
	{ "state none",                        NOBODY, true, true },
	{ "not state none",                    NOBODY, false, false },
	{ "state established",                 RECEIVER, true, false },
	{ "state none",                        RECEIVER, false, true },
	{ "state listen or established",       RECEIVER, true, false },
	{ "state listen or time-wait",         RECEIVER, false, false },
	{ "not state established",             RECEIVER, false, true },
	{ "state listen",                      LISTENER, true, false },
	{ "state time-wait and port 443",      TIMEWAIT, true, false },
	{ "state time-wait and port 444",      TIMEWAIT, false, false },
	{ "port 444 or state new-syn-recv",    REQUEST, true, false },
	{ "state established and reason 42",   RECEIVER, true, false },
	{ "not (state none or reason 42)",     RECEIVER, false, false },
};

static void
test_program(const struct kernel *k)
{
	static struct world w;

	for (size_t i = 0; i < COUNT(expression_rows); i++) {
		const char *wrong, *text = expression_rows[i].text;
		bool needs_socket = expression_rows[i].who != NOBODY, reason, socket, known;

		world_make(&w, k, NULL);
		reason = world_has_argument(&w, w.probe->reason);
		socket = world_is_kprobe(&w) && !w.probe->sk;
		if (needs_socket && socket)
			world_set_register(&w, 1, world_sock(&w, expression_rows[i].who));
		known = (!needs_socket || socket) && (!strstr(text, "reason") || reason);
		/* what is half known says little */
		if (!known && ((needs_socket && socket) || (reason && strstr(text, "reason"))))
			continue;
		world_filter(&w, text, NULL, 0);
		wrong = world_expect(&w, known ? expression_rows[i].shown
		                               : expression_rows[i].alone);
		if (!CHECK(!wrong, "%s: %s %s", text, k->name, k->probe))
			printf("# %s\n", wrong);
	}
}

int
main(void)
{
	test_trees();
	test_errors();
	test_long();
	test_addresses();
	test_limits();
	test_ports();
	test_random();
	for (size_t i = 0; i < COUNT(kernels); i++)
		test_program(&kernels[i]);
	return tap_end();
}
