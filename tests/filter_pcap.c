/* SPDX-License-Identifier: MIT */
/*
 * Expressions against libpcap itself: random ones, and random packets, must have
 * the same verdict from its bpf_filter(), from our program in bpf_run.c and, where
 * it lets us, from the filter's part of it in the kernel. What one of them takes
 * for an expression the other must take too, but for the differences listed.
 * Built with the system's own libc, as libpcap is. "filter_pcap SEED [COUNT]".
 */
#include <linux/version.h>

#include <arpa/inet.h>
#include <sys/syscall.h>

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "../attach.h"
#define RAW RAW_SOCKET /* world.h has one too */
#include "../builder.h"
#undef RAW
#include "../filter.h"
#include "../filter_program.h"
#include "../filter_words.h"
#include "peer.h"
#include "tap.h"
#include "world.h"

enum { PACKETS = 48, TEXT = 1024 };

/* ---- random things ---- */

static uint64_t seed;
static bool has_services; /* libpcap has names of ports from /etc/services */

static unsigned
below(unsigned limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 16) % limit;
}

static bool
chance(unsigned percent)
{
	return below(100) < percent;
}

static const uint8_t v4[][4] = {
	{ 10, 1, 2, 3 }, { 10, 1, 9, 255 }, { 10, 200, 0, 128 }, { 192, 168, 1, 200 },
	{ 255, 255, 255, 255 }, { 127, 0, 0, 1 }, { 0, 0, 0, 0 }, { 128, 0, 0, 0 },
};
static const char *const v6[] = {
	"2001:db8::1", "2001:db8:0:1::ffff", "fe80::1:2:3:4", "::1", "::", "::ffff:10.1.2.3",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::8000:0:0:80",
};
static const uint16_t ports[] = { 0, 22, 80, 443, 8080, 8443, 32768, 65535 };

static void
any_v6(uint8_t to[16])
{
	const char *text = v6[below(COUNT(v6))];

	if (!filter_words_ipv6(text, strlen(text), to))
		printf("Bail out! %s\n", text);
}

/* ---- packets ---- */

static struct world worlds[PACKETS];

static void
make_world(struct world *w)
{
	static const struct kernel kernels[] = {
		{ "6.12", KERNEL_VERSION(6, 12, 117), "tracepoint", 4, BPF_FUNC_probe_read_kernel, true },
		{ "6.1",  KERNEL_VERSION(6, 1, 192), "kfree_skb_reason", 0, BPF_FUNC_probe_read_kernel, false },
		{ "4.9",  KERNEL_VERSION(4, 9, 229), "kfree_skb", 0, BPF_FUNC_probe_read, false },
	};
	struct packet packet = { .version = chance(40) ? 6 : 4 };
	uint8_t *ip;

	if (packet.version == 4 && chance(40))
		packet.ihl = (uint8_t)(5 + below(11));
	if (packet.version == 4 && chance(20))
		packet.fragment = 0x2000;
	world_make(w, &kernels[below(COUNT(kernels))], &packet);
	ip = w->head + w->network;
	for (unsigned i = 0; i < 2; i++) {
		uint16_t port = ports[below(COUNT(ports))];

		if (packet.version == 4)
			memcpy(ip + 12 + 4 * i, v4[below(COUNT(v4))], 4);
		else
			any_v6(ip + 8 + 16 * i);
		ip[w->tcp + 2 * i] = (uint8_t)(port >> 8);
		ip[w->tcp + 2 * i + 1] = (uint8_t)port;
	}
}

/* ---- verdicts ---- */

static struct filter filter;

/* -1: it is no expression; -2: our program fails */
static int
ours(struct world *w)
{
	w->filter.expression = &filter;
	w->run.events = w->run.marks = 0;
	w->run.counters[0] = 0;
	if (world_run(w))
		return -2;
	return (int)w->run.events;
}

/* The filter's part alone, over a record that is the packet's data. */
static int
load_part(void)
{
	static struct bpf_asm code;
	static struct program_filter none;
	struct program p = { .filter = &none };
	struct builder b = { .a = &code, .p = &p };
	struct attach_program load = { .type = BPF_PROG_TYPE_SCHED_CLS, .insn = code.insn };

	bpf_asm_start(&code, LABELS);
	EMIT(&b, NULL, MOVI(R2, 0), MOV(R3, FP), ADDI(R3, SLOT(event)),
	     MOVI(R4, sizeof(struct event)), CALL(BPF_FUNC_skb_load_bytes), JNEI(R0, 0, QUIET));
	filter_program(&b, &filter, DONE);
	EMIT(&b, NULL, MOVI(R0, 1), EXIT, LABEL(QUIET), MOVI(R0, 2), EXIT,
	     LABEL(DONE), MOVI(R0, 0), EXIT);
	if (bpf_asm_link(&code))
		return code.error;
	load.count = code.count;
	return attach_load(&load);
}

static int
in_kernel(int program, const struct event *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)e;
	attr.test.data_size_in = sizeof(*e);
	attr.test.repeat = 1;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		return -2;
	return (int)attr.test.retval;
}

static bool
we_take(const char *text)
{
	char err[FILTER_ERROR];

	return !filter_parse(&filter, text, err, sizeof(err));
}

static struct {
	unsigned expressions, packets, matched, kernel, differences;
} total;

/* What the packets are worth to both. */
static void
compare(const char *text, const struct event *events, bool use_kernel)
{
	const char *why = "";
	bool theirs = peer_takes(text, chance(50), &why), mine = we_take(text);
	int part = mine && use_kernel ? load_part() : -1;

	total.expressions++;
	if (theirs != mine || (use_kernel && part < 0)) {
		total.differences++;
		printf("# pcap %s, we %s%s: %s\n", theirs ? "takes it" : why,
		       mine ? "take it" : "do not", mine && part < 0 ? ", the kernel not" : "",
		       text);
	}
	for (unsigned i = 0; theirs && mine && i < PACKETS; i++) {
		int want = peer_verdict(worlds[i].head + worlds[i].network, worlds[i].total);
		int got = ours(&worlds[i]);
		int kernel = use_kernel ? in_kernel(part, &events[i]) : want;

		total.packets++;
		total.matched += want;
		total.kernel += use_kernel;
		if (want == got && want == kernel)
			continue;
		total.differences++;
		printf("# packet %u: pcap %d, we %d, kernel %d: %s%s\n", i, want, got, kernel,
		       text, got == -2 ? worlds[i].run.fault : "");
	}
	if (part >= 0)
		close(part);
}

/* ---- expressions ---- */

struct text {
	char   s[TEXT];
	size_t n;
	unsigned values;
};

static void
say(struct text *t, const char *word)
{
	size_t n = strlen(word);

	if (t->n + n + 2 > TEXT)
		return;
	/* words may touch signs */
	if (t->n && (!ispunct((unsigned char)t->s[t->n - 1]) || !strchr("(!)", t->s[t->n - 1])
	             || chance(50)) && (!strchr("()!", *word) || chance(50)))
		t->s[t->n++] = ' ';
	memcpy(t->s + t->n, word, n + 1);
	t->n += n;
}

static void
say_net(struct text *t)
{
	char word[80];
	uint8_t a[16];

	if (chance(60)) {
		const uint8_t *from = v4[below(COUNT(v4))];
		unsigned bits = below(33);
		uint32_t mask = bits ? 0xffffffffu << (32 - bits) : 0, n;

		memcpy(&n, from, 4);
		n = ntohl(n) & mask;
		if (chance(60))
			snprintf(word, sizeof(word), "%u.%u.%u.%u/%u", n >> 24, n >> 16 & 255,
			         n >> 8 & 255, n & 255, bits);
		else if (chance(50))
			snprintf(word, sizeof(word), "%u.%u.%u.%u mask %u.%u.%u.%u", n >> 24,
			         n >> 16 & 255, n >> 8 & 255, n & 255, mask >> 24, mask >> 16 & 255,
			         mask >> 8 & 255, mask & 255);
		else
			snprintf(word, sizeof(word), "%u.%u.%u", from[0] ? from[0] : 1, from[1],
			         from[2]);
		if (!strpbrk(word, "/m") && bits < 17)
			*strrchr(word, '.') = '\0';
		if (!strpbrk(word, "/m") && bits < 9)
			*strrchr(word, '.') = '\0';
	} else {
		unsigned bits = below(129), used = 0;

		any_v6(a);
		for (unsigned i = 0; i < 16; i++)
			a[i] &= (uint8_t)(i * 8 + 8 <= bits ? 255 : i * 8 >= bits ? 0
			                  : 0xff00 >> (bits & 7));
		for (unsigned i = 0; i < 16; i += 2)
			used += (unsigned)snprintf(word + used, sizeof(word) - used,
			                           i ? ":%x" : "%x", a[i] << 8 | a[i + 1]);
		snprintf(word + used, sizeof(word) - used, "/%u", bits);
	}
	say(t, word);
}

enum kind { IS_HOST, IS_NET, IS_PORT, IS_RANGE };

/* family 0, 4 or 6: of the qualifier before it */
static void
say_value(struct text *t, enum kind kind, unsigned family)
{
	char word[40];
	uint16_t a = ports[below(COUNT(ports))], b = ports[below(COUNT(ports))];

	t->values++;
	if (kind == IS_NET && !family) {
		say_net(t);
		return;
	}
	if (kind <= IS_NET) {
		if (family == 6 || (!family && chance(40))) {
			say(t, v6[below(COUNT(v6))]);
			return;
		}
		inet_ntop(AF_INET, v4[a % 8], word, sizeof(word));
	} else if (kind == IS_PORT && has_services && chance(20)) {
		strcpy(word, chance(50) ? "http" : chance(50) ? "https" : "ssh");
	} else if (kind == IS_PORT || chance(10)) {
		snprintf(word, sizeof(word), "%u", chance(80) ? a : below(65536));
	} else {
		snprintf(word, sizeof(word), "%u-%u", a, chance(80) ? b : below(65536));
	}
	say(t, word);
}

static void
say_join(struct text *t)
{
	static const char *const words[] = { "and", "or", "&&", "||" };

	say(t, words[below(4)]);
}

static void
say_not(struct text *t)
{
	say(t, chance(50) ? "not" : "!");
}

static void
say_values(struct text *t, enum kind kind, unsigned family, unsigned depth)
{
	if (chance(10))
		say_not(t);
	if (depth && chance(15)) {
		say(t, "(");
		say_value(t, kind, family);
		for (unsigned n = below(4); n; n--) {
			say_join(t);
			say_values(t, kind, family, depth - 1);
		}
		say(t, ")");
	} else {
		say_value(t, kind, family);
	}
}

static void
say_primitive(struct text *t, unsigned depth)
{
	static const char *const sides[] = {
		"src", "dst", "src or dst", "dst or src", "src and dst", "dst and src", "src || dst",
	};
	static const char *const names[] = { "host", "net", "port", "portrange" };
	enum kind kind = (enum kind)below(4);
	unsigned family = 0;
	bool side = chance(50);

	if (chance(12)) {
		say(t, chance(33) ? "ip" : chance(50) ? "ip6" : "tcp");
		return;
	}
	if (kind >= IS_PORT ? chance(25) : chance(15)) {
		family = kind >= IS_PORT ? 0 : chance(50) ? 4 : 6;
		say(t, kind >= IS_PORT ? "tcp" : family == 4 ? "ip" : "ip6");
	}
	if (side)
		say(t, sides[below(COUNT(sides))]);
	if (!side || kind != IS_HOST || chance(50))
		say(t, names[kind]);
	say_values(t, kind, family, depth);
	for (unsigned n = chance(30) ? 1 + below(3) : 0; n; n--) {
		say_join(t);
		say_values(t, kind, family, depth);
	}
}

static void
say_expression(struct text *t, unsigned depth)
{
	for (unsigned n = 1 + below(3); n; n--) {
		while (chance(15))
			say_not(t);
		if (depth && chance(35)) {
			say(t, "(");
			say_expression(t, depth - 1);
			say(t, ")");
		} else {
			say_primitive(t, depth);
		}
		if (n > 1)
			say_join(t);
	}
}

/* ---- words in any order ---- */

static const char *const salad[] = {
	"and", "or", "not", "(", ")", "src", "dst", "host", "net", "port", "portrange", "ip", "ip6",
	"tcp", "10.1.2.3", "10.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "80", "443",
	"80-443", "mask", "255.0.0.0", "/", "8", "http", "!", "&&", "||", "src or dst", "10.0.0.0",
	"port 80", "host 10.1.2.3", "src host", "dst port", "net 10", ":::", "1.2.3.4.5", "256.1.1.1",
	"1:2", "66000", "10.0.0.1/8", "2001:db8::1/32", "2001:db8::/129", "10.0.0.0/33",
};

static void
say_salad(struct text *t)
{
	for (unsigned n = 1 + below(9); n; n--)
		say(t, salad[below(COUNT(salad))]);
}

/* An expression with a word more, less, or another one. */
static void
say_mistake(struct text *t)
{
	struct text right = { .n = 0 };
	unsigned words = 1, wrong;

	say_expression(&right, 2);
	for (const char *s = right.s; (s = strchr(s, ' ')); s++)
		words++;
	wrong = below(words);
	words = 0;
	for (char *word = strtok(right.s, " "); word; word = strtok(NULL, " "), words++) {
		if (words != wrong || chance(40))
			say(t, word);
		if (words == wrong && chance(60))
			say(t, salad[below(COUNT(salad))]);
	}
}

/* The text with each word from replaced. */
static void
replace(char *text, const char *from, const char *to)
{
	char copy[TEXT];
	size_t used = 0, n = strlen(from);

	for (const char *s = text; *s && used + strlen(to) + 2 < TEXT; ) {
		bool begins = s == text || strchr(" ()!/", s[-1]);

		if (begins && !strncmp(s, from, n) && (!s[n] || strchr(" ()!/", s[n]))) {
			used += (size_t)sprintf(copy + used, "%s", to);
			s += n;
		} else {
			copy[used++] = *s++;
		}
	}
	copy[used] = '\0';
	strcpy(text, copy);
}

/* ( word ) becomes word, again and again. */
static void
unwrap(char *text)
{
	for (char *open = text; (open = strchr(open, '(')); ) {
		char *word = open + 1 + strspn(open + 1, " "), *end = word + strcspn(word, " ()!/");
		char *close = end + strspn(end, " ");

		if (end == word || *close != ')') {
			open++;
			continue;
		}
		*open = *close = ' ';
		open = text;
	}
}

/*
 * What we do otherwise, as a change of the text after which there is no difference:
 * both take it. Numbers are one bit each in which.
 */
static bool
explained(const char *text, unsigned which)
{
	char changed[TEXT * 4];
	static const char *const nets[] = { "8", "10", "80", NULL };
	const char *why;
	size_t used = 0;

	/* an address may be a number there; here a number is a port */
	for (const char *s = text; *s && used < TEXT; s++) {
		size_t n = strspn(s, "0123456789");
		bool word = n && (s == text || strchr(" ()!&|", s[-1])) && strchr(" ()!&|", s[n]);

		if (word && which & 1)
			used += (size_t)sprintf(changed + used, "0.0.%u.%u", atoi(s) >> 8 & 255,
			                        atoi(s) & 255);
		else if (n)
			used += (size_t)sprintf(changed + used, "%.*s", (int)n, s);
		else
			changed[used++] = *s;
		which >>= word;
		s += n ? n - 1 : 0;
	}
	changed[used] = '\0';
	unwrap(changed);                                        /* "(" "(" before an address */
	replace(changed, "tcp src", "src");                     /* tcp src 80 */
	replace(changed, "tcp dst", "dst");
	replace(changed, "http", "80");                         /* portrange http, tcp src http */
	replace(changed, "https", "443");
	replace(changed, "ssh", "22");
	for (const char *const *n = nets; *n; n++) {            /* net 10/8, net 8 mask 255.0.0.0 */
		char from[40], to[40];

		snprintf(from, sizeof(from), "%s mask", *n);
		snprintf(to, sizeof(to), "%s.0.0.0 mask", *n);
		replace(changed, from, to);
		snprintf(from, sizeof(from), "%s / 8", *n);
		snprintf(to, sizeof(to), "%s.0.0.0/8", *n);
		replace(changed, from, to);
	}
	return we_take(changed) && peer_takes(changed, false, &why);
}

static struct {
	unsigned words, taken, explained, compared, differences;
} salads;

static bool
has_word(const char *text, const char *words)
{
	char copy[TEXT];

	strcpy(copy, text);
	for (char *word = strtok(copy, " ()!/"); word; word = strtok(NULL, " ()!/")) {
		bool number = !word[strspn(word, "0123456789")];

		if (words ? strstr(words, word) != NULL : number)
			return true;
	}
	return false;
}

static void
try_salad(const char *text)
{
	const char *why = "";
	bool theirs = peer_takes(text, false, &why), mine = we_take(text), known = theirs == mine;

	salads.words++;
	salads.taken += theirs && mine;
	for (unsigned which = 0; !known && which < 64; which++)
		known = explained(text, which);
	salads.explained += theirs != mine && known;
	if (!known) {
		salads.differences++;
		printf("# pcap %s, we %s: %s\n", theirs ? "takes it" : why,
		       mine ? "take it" : "do not", text);
	}
	/* src 80 is a host there */
	if (theirs && mine && !(has_word(text, "src dst") && has_word(text, NULL))) {
		salads.compared++;
		compare(text, NULL, false);
	}
}

static const struct {
	const char *text;
	bool theirs, mine;
} known[] = {
	{ "host 80", true, false },              /* 0.0.0.80 is nobody's */
	{ "src 80", true, true },                /* a port here */
	{ "ip src 80", true, false },            /* the same; "ip" goes with addresses */
	{ "tcp src 80", false, true },
	{ "src 10.1.2.3 or 80", true, true },
	{ "net 300", true, false },
	{ "net 10/8", false, true },
	{ "net 10 mask 255.0.0.0", false, true },
	{ "host ((10.1.2.3) or 10.1)", false, true }, /* grammar.y has no rule for it */
	{ "host 2001:db8::1/128", true, false }, /* a length goes with a net */
	{ "portrange http", false, true },
	{ "port 0x50", true, false },            /* numbers are decimal */
	{ "port 0120", true, true },             /* 120 here, 80 there */
	{ "port telnets", true, false },         /* of /etc/services, not of our table */
	{ "ip proto \\tcp", true, false },       /* not in our subset, and so on: */
	{ "tcp[13] & 2 != 0", true, false },
	{ "greater 100", true, false },
	{ "udp port 53", true, false },
	{ "ip6 host 10.1.2.3", false, false },
	{ "reason XDP", false, true },
	{ "state LISTEN", false, true },
};

static void
test_known(void)
{
	for (size_t i = 0; i < COUNT(known); i++) {
		const char *why;
		bool theirs = peer_takes(known[i].text, false, &why), mine = we_take(known[i].text);

		if (!strcmp(known[i].text, "port telnets") && !getservbyname("telnets", "tcp"))
			continue;
		CHECK(theirs == known[i].theirs && mine == known[i].mine, "known difference: %s",
		      known[i].text);
	}
}

/* Our table of names says what the system's says. */
static void
test_names(void)
{
	unsigned same = 0;
	struct servent *s;

	setservent(1);
	while ((s = getservent())) {
		int32_t port = filter_words_port(s->s_name, strlen(s->s_name));

		if (strcmp(s->s_proto, "tcp") != 0 || port < 0)
			continue;
		same++;
		if (port != ntohs((uint16_t)s->s_port))
			CHECK(false, "port %s is %d", s->s_name, ntohs((uint16_t)s->s_port));
	}
	endservent();
	if (same)
		CHECK(same > 20, "%u names of ports are those of /etc/services", same);
	else
		SKIP("no /etc/services", "names of ports");
}

int
main(int argc, char **argv)
{
	static struct event events[PACKETS];
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 3000, from;
	bool use_kernel;

	has_services = getservbyname("https", "tcp");
	from = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 0x5eed;
	seed = from * 0x9e3779b97f4a7c15u + 1;
	for (unsigned i = 0; i < PACKETS; i++) {
		make_world(&worlds[i]);
		if (world_run(&worlds[i]))
			printf("Bail out! %s\n", worlds[i].run.fault);
		events[i] = world_event(&worlds[i]);
	}
	we_take("port 80");
	use_kernel = load_part() >= 0;
	printf("# seed %u: tests/build/filter_pcap %u %u repeats this; %s\n", from, from, count,
	       peer_version());
	for (unsigned i = 0; i < count; i++) {
		struct text t = { .n = 0 };

		say_expression(&t, 2);
		compare(t.s, events, use_kernel);
	}
	CHECK(!total.differences && total.matched * 20 > total.packets
	      && total.matched * 20 < total.packets * 19,
	      "%u expressions, %u packets, %u matched: %u differences from libpcap", total.expressions,
	      total.packets, total.matched, total.differences);
	if (use_kernel)
		CHECK(total.kernel == total.packets, "%u of them by the kernel too", total.kernel);
	else
		SKIP("BPF_PROG_TEST_RUN cannot be used", "the same by the kernel");
	total.differences = total.expressions = total.packets = 0;
	for (unsigned i = 0; i < count * 10; i++) {
		struct text t = { .n = 0 };

		if (chance(50))
			say_salad(&t);
		else
			say_mistake(&t);
		try_salad(t.s);
	}
	CHECK(!salads.differences && salads.taken > count / 10,
	      "%u times words in any order, %u taken by both, %u known differences: %u others",
	      salads.words, salads.taken, salads.explained, salads.differences);
	CHECK(!total.differences && salads.compared,
	      "%u packets of %u of those expressions: %u differences", total.packets,
	      salads.compared, total.differences);
	test_known();
	test_names();
	return tap_end();
}
