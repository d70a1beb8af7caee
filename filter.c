/* SPDX-License-Identifier: MIT */
/*
 * The grammar is that of libpcap's grammar.y for these words: "and" and "or" bind
 * alike, from left to right; "not" binds tightest; an address or a port alone has
 * the qualifiers of what stands before it.
 */
#include <errno.h>
#include <string.h>

#include "filter.h"
#include "filter_words.h"
#include "names.h"
#include "text.h"

/* What an address or a port is, and NOTHING where it cannot stand. ANY is either. */
enum type { NOTHING, ANY, HOST, NET, PORT, PORTS, REASON, STATE };

/* Sides as bits; both: either will do. ALL: both must. */
enum { SOURCE = 1, TARGET = 2, ALL = 4 };

struct qualifiers {
	uint8_t type;
	uint8_t sides;
	uint8_t family;  /* 4, 6, or 0: both */
};

struct parser {
	struct filter    *f;
	const char       *word;    /* the next one; it has no bytes at the end and after an error */
	size_t            length;
	struct qualifiers q;
	unsigned          depth;
	char             *err;
	size_t            size;
	bool              failed;
};

/* What does not fit a line is cut, on both sides of the word. */
void
filter_point(char *err, size_t size, const char *text, size_t at, size_t n, const char *what)
{
	enum { WIDTH = 72, BEFORE = 40 };
	char line[WIDTH + 1], marks[WIDTH + 1];
	size_t start = at > BEFORE && at + n > WIDTH ? at - BEFORE : 0, column = at - start, i;

	for (i = 0; i < WIDTH && text[start + i]; i++) {
		unsigned char c = (unsigned char)text[start + i];

		line[i] = c == '\t' || c == '\n' ? ' ' : c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	line[i] = '\0';
	for (i = 0; i < WIDTH && (i <= column || i < column + n); i++)
		marks[i] = i < column ? ' ' : '^';
	marks[i] = '\0';
	text_format(err, size, "expected %s\n  %s\n  %s", what, line, marks);
}

/* ---- words ---- */

static void
next(struct parser *p)
{
	static const char signs[] = "()!/";
	const char *s = p->word + p->length;

	while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
		s++;
	p->word = s;
	p->length = text_until(s, " \t\n\r()!/&|");
	if (!p->length && *s)
		p->length = strchr(signs, *s) || s[1] != *s ? 1 : 2;
}

static bool
is(const struct parser *p, const char *word)
{
	return p->length && !strncmp(p->word, word, p->length) && !word[p->length];
}

static bool
take(struct parser *p, const char *word)
{
	if (!is(p, word))
		return false;
	next(p);
	return true;
}

static bool
take_not(struct parser *p)
{
	return take(p, "!") || take(p, "not");
}

/* After the first error there are no more words. Returns no node. */
static uint16_t
fail_at(struct parser *p, const char *word, size_t length, const char *what)
{
	if (!p->failed)
		filter_point(p->err, p->size, p->f->text, (size_t)(word - p->f->text), length,
		             what);
	p->failed = true;
	p->length = 0;
	p->word = "";
	return 0;
}

static uint16_t
fail(struct parser *p, const char *what)
{
	return fail_at(p, p->word, p->length, what);
}

/* ---- nodes ---- */

/* 0 when there is no room: what is written there is nothing. */
static uint16_t
add(struct filter *f, enum filter_kind kind)
{
	uint16_t i = f->count < FILTER_NODES - 1 ? ++f->count : 0;

	f->node[i] = (struct filter_node){ .kind = (uint8_t)kind };
	return i;
}

static uint16_t
join(struct filter *f, enum filter_kind kind, uint16_t left, uint16_t right)
{
	uint16_t i = add(f, kind);

	f->node[i].left = left;
	f->node[i].right = right;
	return i;
}

static uint16_t
range(struct filter *f, enum filter_kind kind, uint32_t low, uint32_t high)
{
	uint16_t i = add(f, kind);

	f->node[i].low = low;
	f->node[i].high = high;
	f->has_state |= kind == FILTER_STATE;
	f->has_reason |= kind == FILTER_REASON_NAME;
	return i;
}

/* The test of an address or port for each side that is asked for. */
static uint16_t
sides(struct filter *f, uint16_t one, unsigned wanted)
{
	uint16_t other;

	f->node[one].side = wanted == TARGET;
	if (wanted == SOURCE || wanted == TARGET)
		return one;
	other = add(f, 0);
	f->node[other] = f->node[one];
	f->node[other].side = 1;
	return join(f, wanted & ALL ? FILTER_AND : FILTER_OR, one, other);
}

/* ---- addresses, ports, names ---- */

/* The first bits of a mask. */
static void
set_mask(uint8_t mask[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++, bits -= bits < 8 ? bits : 8)
		mask[i] = (uint8_t)(0xff00 >> (bits < 8 ? bits : 8));
}

static const char *
expected_address(const struct parser *p)
{
	return p->q.type == ANY ? "an address or a port number"
	     : p->q.family == 4 ? "an IPv4 address"
	     : p->q.family == 6 ? "an IPv6 address" : "an address";
}

/* What may follow the address of a net: "/LEN", "mask MASK". */
static void
take_mask(struct parser *p, struct filter_node *n)
{
	bool ipv4 = n->kind == FILTER_ADDRESS4;

	if (take(p, "/")) {
		int32_t bits = filter_words_number(p->word, p->length, ipv4 ? 32 : 128);

		if (bits < 0)
			fail(p, "a length of up to 32 bits, with IPv6 128");
		set_mask(n->mask, (unsigned)bits);
	} else if (ipv4 && take(p, "mask")) {
		if (!filter_words_ipv4(p->word, p->length, n->mask))
			fail(p, "a mask, as 255.255.0.0");
	} else {
		return;
	}
	next(p);
}

static uint16_t
address(struct parser *p)
{
	const char *word = p->word;
	size_t length = p->length;
	uint16_t i = add(p->f, FILTER_ADDRESS4);
	struct filter_node *n = &p->f->node[i];
	unsigned parts = filter_words_ipv4(word, length, n->address), set = 0;

	if (!parts && filter_words_ipv6(word, length, n->address))
		n->kind = FILTER_ADDRESS6;
	else if (!parts || (parts == 1 && p->q.type != NET))
		return fail(p, expected_address(p));
	if (p->q.family == (parts ? 6 : 4))
		return fail(p, expected_address(p));
	set_mask(n->mask, parts ? parts * 8 : 128);
	next(p);
	if (p->q.type == NET)
		take_mask(p, n);
	for (unsigned b = 0; b < 16; b++) {
		if (n->address[b] & ~n->mask[b])
			return fail_at(p, word, length, "no bits behind those of the net");
		set |= n->mask[b];
	}
	if (!set)
		return range(p->f, FILTER_FAMILY, parts ? 4 : 6, parts ? 4 : 6);
	return sides(p->f, i, p->q.sides);
}

static uint16_t
ports(struct filter *f, unsigned wanted, int32_t low, int32_t high)
{
	return sides(f, range(f, FILTER_PORT, (uint32_t)low, (uint32_t)high), wanted);
}

static uint16_t
port(struct parser *p)
{
	size_t dash = p->q.type == PORTS ? text_until(p->word, "-") : p->length;
	size_t first = dash < p->length ? dash : p->length;
	int32_t low = filter_words_port(p->word, first), high = low;

	if (first < p->length)
		high = filter_words_port(p->word + first + 1, p->length - first - 1);
	if (low < 0 || high < 0)
		return fail(p, p->q.type == PORTS ? "a range of ports, as 8000-8080"
		               : "a port: 0 to 65535, or the name of a common one");
	next(p);
	return ports(p->f, p->q.sides, low <= high ? low : high, low <= high ? high : low);
}

static uint16_t
fail_state(struct parser *p)
{
	char what[256];
	size_t n = (size_t)text_format(what, sizeof(what), "a state: none");
	const char *name;

	for (uint8_t i = 1; (name = names_state(i)) && n < sizeof(what); i++)
		n += (size_t)text_format(what + n, sizeof(what) - n, ", %s", name);
	return fail(p, what);
}

static uint16_t
state(struct parser *p)
{
	char name[16];
	uint8_t code = 0;
	size_t n = p->length < sizeof(name) ? p->length : sizeof(name) - 1;

	for (size_t i = 0; i < n; i++)
		name[i] = p->word[i] == '-' ? '_' : p->word[i];
	name[n] = '\0';
	if (!is(p, "none") && names_state_code(name, &code))
		return fail_state(p);
	next(p);
	return range(p->f, FILTER_STATE, code, code);
}

static uint16_t
reason(struct parser *p)
{
	uint32_t at = (uint32_t)(p->word - p->f->text), length = (uint32_t)p->length;

	if (!length || strchr("()!/&|", *p->word))
		return fail(p, "a reason");
	next(p);
	return range(p->f, FILTER_REASON_NAME, at, length);
}

/* ---- grammar ---- */

/* A word, or words in parentheses, with the qualifiers there are. */
static uint16_t
value(struct parser *p)
{
	if (p->q.type == REASON)
		return reason(p);
	if (p->q.type == STATE)
		return state(p);
	if (p->q.type >= PORT
	    || (p->q.type == ANY && filter_words_number(p->word, p->length, INT32_MAX) >= 0))
		return port(p);
	return address(p);
}

/* One of these may stand; the numbers are those of enum type, then of what follows it. */
static const char keywords[][10] = {
	"host", "net", "port", "portrange", "reason", "state", "ip", "tcp", "ip6", "src", "dst",
};

enum { IP = STATE + 1, TCP, IP6, SRC, DST };

/* 0: none */
static unsigned
keyword(const struct parser *p)
{
	for (unsigned i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (is(p, keywords[i]))
			return i + HOST;
	return NOTHING;
}

/* What "and" or "or" makes of two; FILTER_NOT: neither is there. */
static enum filter_kind
take_join(struct parser *p)
{
	return take(p, "and") || take(p, "&&") ? FILTER_AND
	     : take(p, "or") || take(p, "||") ? FILTER_OR : FILTER_NOT;
}

/* Both bind alike. */
static uint16_t
chain(struct parser *p, uint16_t (*operand)(struct parser *))
{
	uint16_t left = operand(p);

	for (enum filter_kind kind; (kind = take_join(p)) != FILTER_NOT; )
		left = join(p->f, kind, left, operand(p));
	return left;
}

/* "not" and parentheses around operands, or what stands in their place: a leaf. */
static uint16_t
enclosed(struct parser *p, uint16_t (*operand)(struct parser *), uint16_t (*leaf)(struct parser *))
{
	struct qualifiers before = p->q;
	uint16_t node;

	if (p->depth == FILTER_DEPTH)
		return fail(p, "less in one another");
	p->depth++;
	if (take_not(p)) {
		node = join(p->f, FILTER_NOT, operand(p), 0);
	} else if (take(p, "(")) {
		node = chain(p, operand);
		p->q = before;
		if (!take(p, ")"))
			fail(p, "'and', 'or' or ')'");
	} else {
		node = leaf(p);
	}
	p->depth--;
	return node;
}

static uint16_t
values(struct parser *p)
{
	return enclosed(p, values, value);
}

/* "src", "src or dst", "dst and src" and so on */
static uint8_t
take_sides(struct parser *p, unsigned word)
{
	const char *other = word == SRC ? "dst" : "src";
	enum filter_kind kind;

	next(p);
	kind = take_join(p);
	if (kind == FILTER_NOT)
		return word == SRC ? SOURCE : TARGET;
	if (!take(p, other))
		fail(p, other);
	return kind == FILTER_AND ? SOURCE | TARGET | ALL : SOURCE | TARGET;
}

/* The qualifiers, and the first value that they are for. */
static uint16_t
primitive(struct parser *p)
{
	unsigned word = keyword(p), family = 0, type;
	uint8_t wanted = 0;

	if (word >= IP && word <= IP6) {
		family = word;
		next(p);
		word = keyword(p);
	}
	if (word >= SRC) {
		wanted = take_sides(p, word);
		word = keyword(p);
	}
	type = word >= HOST && word <= (family || wanted ? PORTS : STATE) ? word : NOTHING;
	if (family && type && (family == TCP) != (type >= PORT))
		return fail(p, family == TCP ? "port or portrange" : "host or net");
	p->q = (struct qualifiers){ .sides = SOURCE | TARGET };
	if (!type && !wanted && family)
		return range(p->f, FILTER_FAMILY, family == IP6 ? 6 : 4, family == IP ? 4 : 6);
	if (!type && !wanted)
		return fail(p, "host, net, port, portrange, src, dst, ip, ip6, tcp, reason, "
		            "state, not or '('");
	if (wanted)
		p->q.sides = wanted;
	p->q.family = family == IP ? 4 : family == IP6 ? 6 : 0;
	p->q.type = (uint8_t)(type ? type : family == TCP ? PORT : family ? HOST : ANY);
	if (type)
		next(p);
	return values(p);
}

/* Does a value come next, and not qualifiers of its own? */
static bool
is_value(const struct parser *p)
{
	struct parser ahead = *p;

	while (take(&ahead, "(") || take_not(&ahead))
		;
	return p->q.type && ahead.length && !keyword(&ahead);
}

static uint16_t
operand(struct parser *p)
{
	return is_value(p) ? values(p) : enclosed(p, operand, primitive);
}

int
filter_parse(struct filter *f, const char *text, char *err, size_t size)
{
	struct parser p = { .f = f, .word = text, .err = err, .size = size };

	f->text = text;
	f->count = f->root = 0;
	f->has_state = f->has_reason = false;
	if (text)
		next(&p);
	if (p.length)
		f->root = chain(&p, operand);
	if (p.length)
		fail(&p, "'and', 'or' or the end");
	else if (f->count == FILTER_NODES - 1)
		fail(&p, "a shorter expression");
	return p.failed ? -EINVAL : 0;
}

int
filter_ports(struct filter *f, const uint16_t *list, unsigned count)
{
	uint16_t all = 0;

	for (unsigned i = 0; i < count; i++) {
		uint16_t one = ports(f, SOURCE | TARGET, list[i], list[i]);

		all = i ? join(f, FILTER_OR, all, one) : one;
	}
	if (count)
		f->root = f->root ? join(f, FILTER_AND, all, f->root) : all;
	return f->count == FILTER_NODES - 1 ? -E2BIG : 0;
}
