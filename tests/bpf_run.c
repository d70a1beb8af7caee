/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bpf_run.h"

enum { STACK = 512, REGISTERS = 11, STEPS = 4096 };

/* What the verifier would know of a register. */
enum kind { UNKNOWN, NUMBER, TO_STACK, TO_CONTEXT, TO_VALUE, MAYBE_VALUE, MAP };

struct value {
	enum kind kind;
	uint64_t  bits;  /* a number; a map's; an offset from the frame pointer, into the context */
	uint8_t  *base;  /* of a map value */
	size_t    size;
};

/* A stack slot may hold a spilled pointer; then its bytes are no number. */
struct machine {
	struct bpf_run *run;
	struct value    r[REGISTERS];
	uint8_t         stack[STACK];
	bool            written[STACK];
	unsigned        at;
};

void
bpf_run_map(struct bpf_run *run, uint64_t at, const void *data, size_t size)
{
	if (run->regions < RUN_REGIONS)
		run->region[run->regions++] = (struct run_region){ at, size, data };
}

__attribute__((format(printf, 2, 3)))
static bool
fault(struct machine *m, const char *format, ...)
{
	char *buf = m->run->fault;
	int n;
	va_list ap;

	if (*buf)
		return false;
	n = snprintf(buf, sizeof(m->run->fault), "at %u: ", m->at);
	va_start(ap, format);
	vsnprintf(buf + n, sizeof(m->run->fault) - (size_t)n, format, ap);
	va_end(ap);
	return false;
}

static const struct run_region *
find_region(const struct run_region *list, unsigned count, uint64_t at, size_t size)
{
	for (unsigned i = 0; i < count; i++)
		if (at >= list[i].at && at - list[i].at <= list[i].size
		    && size <= list[i].size - (at - list[i].at))
			return &list[i];
	return NULL;
}

/* As copy_from_kernel_nofault(): all, or -EFAULT and zeros. */
static int64_t
read_kernel(struct machine *m, uint8_t *to, uint64_t at, size_t size, bool user_too)
{
	const struct run_region *r = find_region(m->run->region, m->run->regions, at, size);

	if (!r && user_too)
		r = find_region(m->run->user, m->run->users, at, size);
	if (!r) {
		memset(to, 0, size);
		return -EFAULT;
	}
	memcpy(to, (const uint8_t *)r->data + (at - r->at), size);
	return 0;
}

static struct value
number(uint64_t bits)
{
	return (struct value){ .kind = NUMBER, .bits = bits };
}

/* The size bytes of the stack at a register plus at. NULL and a fault if they are not there. */
static uint8_t *
stack_at(struct machine *m, const struct value *v, int64_t at, size_t size, bool read)
{
	int64_t start = (int64_t)v->bits + at + STACK;

	if (v->kind != TO_STACK || start < 0 || start + (int64_t)size > STACK) {
		fault(m, "not %zu bytes of the stack", size);
		return NULL;
	}
	for (size_t i = 0; read && i < size; i++) {
		if (!m->written[start + (int64_t)i]) {
			fault(m, "stack %lld was never written",
			      (long long)(start + (int64_t)i - STACK));
			return NULL;
		}
	}
	for (size_t i = 0; !read && i < size; i++)
		m->written[start + (int64_t)i] = true;
	return m->stack + start;
}

static uint8_t *
memory_at(struct machine *m, const struct value *v, int16_t off, size_t size, bool read)
{
	int64_t at = (int64_t)v->bits + off;

	if (v->kind == TO_STACK) {
		if (at % (int64_t)size)
			fault(m, "stack %lld is not aligned for %zu", (long long)at, size);
		return stack_at(m, v, off, size, read);
	}
	if (v->kind == TO_VALUE && at >= 0 && (size_t)at + size <= v->size)
		return v->base + at;
	fault(m, "no memory behind the register");
	return NULL;
}

static bool
load_context(struct machine *m, struct value *dst, int64_t at, size_t size)
{
	uint64_t bits = 0;

	if (at < 0 || (size_t)at + size > m->run->context_size || at % (int64_t)size)
		return fault(m, "context %lld is not there", (long long)at);
	memcpy(&bits, (const uint8_t *)m->run->context + at, size);
	*dst = number(bits);
	return true;
}

static const size_t width[4] = {
	[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8,
};

static bool
load(struct machine *m, const struct bpf_insn *i)
{
	const struct value *src = &m->r[i->src_reg];
	size_t size = width[BPF_SIZE(i->code) >> 3];
	uint64_t bits = 0;
	const uint8_t *p;

	if (BPF_MODE(i->code) != BPF_MEM)
		return fault(m, "opcode 0x%02x", i->code);
	if (src->kind == TO_CONTEXT)
		return load_context(m, &m->r[i->dst_reg], (int64_t)src->bits + i->off, size);
	p = memory_at(m, src, i->off, size, true);
	if (!p)
		return false;
	memcpy(&bits, p, size);
	m->r[i->dst_reg] = number(bits);
	return true;
}

static bool
store(struct machine *m, const struct bpf_insn *i)
{
	bool immediate = BPF_CLASS(i->code) == BPF_ST;
	bool add = !immediate && BPF_MODE(i->code) == 0xc0;
	uint64_t bits = immediate ? (uint64_t)(int64_t)i->imm : m->r[i->src_reg].bits, old = 0;
	size_t size = width[BPF_SIZE(i->code) >> 3];
	uint8_t *p;

	if (!add && BPF_MODE(i->code) != BPF_MEM)
		return fault(m, "opcode 0x%02x", i->code);
	if (add && (i->imm != BPF_ADD || size < 4))
		return fault(m, "atomic operation 0x%x", i->imm);
	if (!immediate && m->r[i->src_reg].kind != NUMBER)
		return fault(m, "r%d is no number to store", i->src_reg);
	p = memory_at(m, &m->r[i->dst_reg], i->off, size, add);
	if (!p)
		return false;
	if (add) {
		memcpy(&old, p, size);
		bits += old;
	}
	memcpy(p, &bits, size);
	return true;
}

static bool
compute(struct machine *m, uint8_t op, uint64_t *a, uint64_t b, unsigned bits)
{
	switch (op) {
	case BPF_ADD: *a += b; return true;
	case BPF_SUB: *a -= b; return true;
	case BPF_OR:  *a |= b; return true;
	case BPF_AND: *a &= b; return true;
	case BPF_XOR: *a ^= b; return true;
	case BPF_MUL: *a *= b; return true;
	case BPF_LSH: *a <<= b % bits; return true;
	case BPF_RSH: *a >>= b % bits; return true;
	case BPF_ARSH: *a = (uint64_t)((int64_t)*a >> b % bits); return bits == 64;
	case BPF_MOV: *a = b; return true;
	default: return fault(m, "operation 0x%02x", op);
	}
}

static bool
swap(struct machine *m, const struct bpf_insn *i)
{
	struct value *v = &m->r[i->dst_reg];

	if (v->kind != NUMBER || BPF_SRC(i->code) != BPF_TO_BE)
		return fault(m, "opcode 0x%02x", i->code);
	if (i->imm == 16)
		v->bits = __builtin_bswap16((uint16_t)v->bits);
	else if (i->imm == 32)
		v->bits = __builtin_bswap32((uint32_t)v->bits);
	else
		return fault(m, "swap of %d bits", i->imm);
	return true;
}

static bool
alu(struct machine *m, const struct bpf_insn *i)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64;
	uint8_t op = BPF_OP(i->code);
	struct value *dst = &m->r[i->dst_reg];
	struct value src = number((uint64_t)(int64_t)i->imm);

	if (i->dst_reg >= BPF_REG_10)
		return fault(m, "r10 is written");
	if (op == BPF_END)
		return wide ? fault(m, "opcode 0x%02x", i->code) : swap(m, i);
	if (BPF_SRC(i->code) == BPF_X)
		src = m->r[i->src_reg];
	if (src.kind == UNKNOWN || (op != BPF_MOV && dst->kind == UNKNOWN))
		return fault(m, "r%d was never written",
			     src.kind == UNKNOWN ? i->src_reg : i->dst_reg);
	if (op == BPF_MOV && wide) {
		*dst = src;
		return true;
	}
	if (src.kind != NUMBER)
		return fault(m, "arithmetic with a pointer in r%d", i->src_reg);
	if (op != BPF_MOV && dst->kind != NUMBER
	    && (!wide || BPF_SRC(i->code) == BPF_X || (op != BPF_ADD && op != BPF_SUB)
	        || dst->kind == MAYBE_VALUE || dst->kind == MAP))
		return fault(m, "arithmetic on a pointer in r%d", i->dst_reg);
	if (!wide) {
		dst->kind = NUMBER;
		src.bits = (uint32_t)src.bits;
		dst->bits = (uint32_t)dst->bits;
	}
	if (!compute(m, op, &dst->bits, src.bits, wide ? 64 : 32))
		return false;
	if (!wide)
		dst->bits = (uint32_t)dst->bits;
	return true;
}

static bool
holds(struct machine *m, uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case BPF_JA:   return true;
	case BPF_JEQ:  return a == b;
	case BPF_JNE:  return a != b;
	case BPF_JGT:  return a > b;
	case BPF_JGE:  return a >= b;
	case BPF_JSET: return a & b;
	case BPF_JSGT: return (int64_t)a > (int64_t)b;
	case BPF_JSGE: return (int64_t)a >= (int64_t)b;
	default: return fault(m, "jump 0x%02x", op);
	}
}

static bool
jump(struct machine *m, const struct bpf_insn *i)
{
	struct value *a = &m->r[i->dst_reg];
	struct value b = number((uint64_t)(int64_t)i->imm);
	uint8_t op = BPF_OP(i->code);

	if (BPF_SRC(i->code) == BPF_X)
		b = m->r[i->src_reg];
	if (op == BPF_JA)
		a = &b;
	if (a->kind == MAYBE_VALUE && (op == BPF_JEQ || op == BPF_JNE)
	    && BPF_SRC(i->code) == BPF_K && !i->imm) {
		bool null = !a->base;

		*a = null ? number(0) : (struct value){ TO_VALUE, 0, a->base, a->size };
		if (null == (op == BPF_JEQ))
			m->at += (unsigned)(int)i->off;
		return true;
	}
	if (a->kind != NUMBER || b.kind != NUMBER)
		return fault(m, "comparison of what is no number");
	if (holds(m, op, a->bits, b.bits))
		m->at += (unsigned)(int)i->off;
	return !*m->run->fault;
}

/* ---- helpers ---- */

static bool
argument_number(struct machine *m, unsigned n, uint64_t *bits)
{
	*bits = m->r[n].bits;
	return m->r[n].kind == NUMBER || fault(m, "argument %u is no number", n);
}

static bool
probe_read(struct machine *m, bool user_too, int64_t *result)
{
	uint64_t size, from;
	uint8_t *to;

	if (!argument_number(m, 2, &size) || !argument_number(m, 3, &from))
		return false;
	if (!size || size > STACK)
		return fault(m, "probe_read of %llu bytes", (unsigned long long)size);
	to = stack_at(m, &m->r[1], 0, size, false);
	if (to)
		*result = read_kernel(m, to, from, size, user_too);
	return to;
}

static bool
map_argument(struct machine *m, unsigned n, uint64_t *map)
{
	*map = m->r[n].bits;
	return m->r[n].kind == MAP || fault(m, "argument %u is no map", n);
}

/* Where the row of a key is; rows: there is none. */
static unsigned
find_row(const struct bpf_run *run, const uint8_t *key)
{
	unsigned i = 0;

	while (i < run->rows && memcmp(&run->row[i].key, key, sizeof(run->row[i].key)) != 0)
		i++;
	return i;
}

static bool
lookup_row(struct machine *m, struct value *result)
{
	const uint8_t *key = stack_at(m, &m->r[2], 0, sizeof(struct summary_key), true);
	unsigned i;

	if (!key)
		return false;
	i = find_row(m->run, key);
	*result = (struct value){ .kind = MAYBE_VALUE, .size = sizeof(struct summary_count) };
	if (i < m->run->rows)
		result->base = (uint8_t *)&m->run->row[i].value;
	return true;
}

/* As htab_map_update_elem(): E2BIG without room, EEXIST when it is there, of which it is first. */
static bool
add_row(struct machine *m, int64_t *result)
{
	struct bpf_run *run = m->run;
	const uint8_t *key = stack_at(m, &m->r[2], 0, sizeof(struct summary_key), true);
	const uint8_t *value = key ? stack_at(m, &m->r[3], 0, sizeof(struct summary_count), true)
	                           : NULL;

	if (!value)
		return false;
	if (m->r[4].kind != NUMBER || m->r[4].bits != BPF_NOEXIST)
		return fault(m, "a row that another CPU made would be lost");
	if (run->race && run->rows < run->room && find_row(run, key) == run->rows) {
		memcpy(&run->row[run->rows].key, key, sizeof(run->row[0].key));
		run->row[run->rows++].value = (struct summary_count){ 1, 7, 7 };
	}
	*result = find_row(run, key) < run->rows ? -EEXIST : run->rows == run->room ? -E2BIG : 0;
	if (!*result) {
		memcpy(&run->row[run->rows].key, key, sizeof(run->row[0].key));
		memcpy(&run->row[run->rows++].value, value, sizeof(run->row[0].value));
	}
	return true;
}

static bool
lookup(struct machine *m, struct value *result)
{
	uint64_t map;
	const uint8_t *key;
	uint32_t index;

	if (!map_argument(m, 1, &map))
		return false;
	if (map == RUN_SUMMARY)
		return lookup_row(m, result);
	if (!(key = stack_at(m, &m->r[2], 0, 4, true)))
		return false;
	memcpy(&index, key, sizeof(index));
	*result = (struct value){ .kind = MAYBE_VALUE };
	if (map == RUN_COUNTERS) {
		result->base = (uint8_t *)m->run->counters;
		result->size = sizeof(m->run->counters);
	} else if (map == RUN_NOTES) {
		result->base = (uint8_t *)m->run->note;
		result->size = sizeof(m->run->note);
	} else if (map == RUN_CONTROL) {
		result->base = (uint8_t *)&m->run->armed;
		result->size = sizeof(struct program_control);
	} else {
		return fault(m, "look-up in map %llu", (unsigned long long)map);
	}
	if (index != (map == RUN_CONTROL ? 0 : m->run->cpu))
		result->base = NULL;
	return true;
}

static unsigned
find_mark(const struct bpf_run *run, const uint8_t *key)
{
	unsigned i = 0;

	while (i < run->marks && memcmp(&run->mark[i], key, 8) != 0)
		i++;
	return i;
}

static bool
change_marks(struct machine *m, bool remove, int64_t *result)
{
	struct bpf_run *run = m->run;
	uint64_t map;
	const uint8_t *key;
	unsigned i;

	if (!map_argument(m, 1, &map))
		return false;
	if (map == RUN_SUMMARY && !remove)
		return add_row(m, result);
	if (!(key = stack_at(m, &m->r[2], 0, 8, true)))
		return false;
	if (map != RUN_MARKED)
		return fault(m, "change of map %llu", (unsigned long long)map);
	if (!remove && (!stack_at(m, &m->r[3], 0, 4, true) || m->r[4].kind != NUMBER))
		return fault(m, "update without value or flags");
	i = find_mark(run, key);
	*result = 0;
	if (remove && i == run->marks) {
		*result = -ENOENT;
	} else if (remove) {
		run->mark[i] = run->mark[--run->marks];
	} else if (i == RUN_MARKS) {
		*result = -E2BIG;
	} else if (i == run->marks) {
		memcpy(&run->mark[run->marks++], key, 8);
	}
	return true;
}

static bool
output(struct machine *m, int64_t *result)
{
	struct bpf_run *run = m->run;
	uint64_t map, flags, size;
	const uint8_t *data;

	if (m->r[1].kind != TO_CONTEXT || m->r[1].bits)
		return fault(m, "argument 1 is not the context");
	if (!map_argument(m, 2, &map) || !argument_number(m, 3, &flags)
	    || !argument_number(m, 5, &size))
		return false;
	if ((map != RUN_RINGS && map != RUN_BELLS) || flags != run->cpu)
		return fault(m, "output to map %llu, flags %llx", (unsigned long long)map,
		             (unsigned long long)flags);
	data = stack_at(m, &m->r[4], 0, size, true);
	if (!data || size > RUN_BYTES)
		return fault(m, "output of %llu bytes", (unsigned long long)size);
	*result = run->output_error;
	if (run->output_error || run->events == RUN_EVENTS)
		return true;
	run->event[run->events].map = (int)map;
	run->event[run->events].size = size;
	memcpy(run->event[run->events].data, data, size);
	run->events++;
	return true;
}

static bool
get_comm(struct machine *m, int64_t *result)
{
	uint64_t size;
	uint8_t *to;

	if (!argument_number(m, 2, &size) || !(to = stack_at(m, &m->r[1], 0, size, false)))
		return false;
	if (size != sizeof(m->run->comm))
		return fault(m, "comm of %llu bytes", (unsigned long long)size);
	memcpy(to, m->run->comm, size);
	*result = 0;
	return true;
}

/* struct bpf_pidns_info is { u32 pid, tgid }. */
static bool
get_ns_pid(struct machine *m, int64_t *result)
{
	const struct bpf_run *run = m->run;
	uint64_t dev, ino, size;
	uint8_t *to;

	if (!argument_number(m, 1, &dev) || !argument_number(m, 2, &ino)
	    || !argument_number(m, 4, &size) || !(to = stack_at(m, &m->r[3], 0, 8, false)))
		return false;
	if (size != 8)
		return fault(m, "pidns info of %llu bytes", (unsigned long long)size);
	memset(to, 0, 8);
	*result = -EINVAL;
	if (dev == run->pidns_dev && ino == run->pidns_ino) {
		memcpy(to, &run->pidns_tgid, 4);
		memcpy(to + 4, &run->pidns_tgid, 4);
		*result = 0;
	}
	return true;
}

static bool
call(struct machine *m, int32_t helper)
{
	struct value r0 = { .kind = NUMBER };
	int64_t result = 0;
	bool ok;

	switch (helper) {
	case BPF_FUNC_probe_read:         ok = probe_read(m, true, &result); break;
	case BPF_FUNC_probe_read_kernel:  ok = probe_read(m, false, &result); break;
	case BPF_FUNC_map_lookup_elem:    ok = lookup(m, &r0); break;
	case BPF_FUNC_map_update_elem:    ok = change_marks(m, false, &result); break;
	case BPF_FUNC_map_delete_elem:    ok = change_marks(m, true, &result); break;
	case BPF_FUNC_perf_event_output:  ok = output(m, &result); break;
	case BPF_FUNC_get_current_comm:   ok = get_comm(m, &result); break;
	case BPF_FUNC_get_ns_current_pid_tgid: ok = get_ns_pid(m, &result); break;
	case BPF_FUNC_get_current_pid_tgid: ok = true; result = (int64_t)m->run->pid_tgid; break;
	case BPF_FUNC_ktime_get_ns:       ok = true; result = (int64_t)m->run->now++; break;
	case BPF_FUNC_get_smp_processor_id: ok = true; result = m->run->cpu; break;
	default: ok = fault(m, "helper %d", helper);
	}
	if (r0.kind == NUMBER)
		r0.bits = (uint64_t)result;
	m->r[0] = r0;
	for (unsigned i = 1; i <= 5; i++)
		m->r[i].kind = UNKNOWN;
	return ok;
}

static bool
load_wide(struct machine *m, const struct bpf_insn *i)
{
	uint64_t bits = (uint64_t)(uint32_t)i[1].imm << 32 | (uint32_t)i->imm;
	bool map = i->src_reg == BPF_PSEUDO_MAP_FD;

	if (i->code != (BPF_LD | BPF_DW | BPF_IMM) || i[1].code || (!map && i->src_reg))
		return fault(m, "opcode 0x%02x", i->code);
	m->r[i->dst_reg] = (struct value){ .kind = map ? MAP : NUMBER, .bits = bits };
	m->at++;
	return true;
}

static bool
step(struct machine *m, const struct bpf_insn *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: case BPF_ALU64: return alu(m, i);
	case BPF_LDX:                 return load(m, i);
	case BPF_ST: case BPF_STX:    return store(m, i);
	case BPF_LD:                  return load_wide(m, i);
	case BPF_JMP:
		return BPF_OP(i->code) == BPF_CALL ? call(m, i->imm) : jump(m, i);
	default: return fault(m, "opcode 0x%02x", i->code);
	}
}

bool
bpf_run(struct bpf_run *run, const struct bpf_insn *insn, unsigned count)
{
	struct machine m = { .run = run };

	m.r[1].kind = TO_CONTEXT;
	m.r[10].kind = TO_STACK;
	run->fault[0] = '\0';
	run->result = 0;
	for (run->steps = 0; run->steps < STEPS; run->steps++, m.at++) {
		const struct bpf_insn *i = &insn[m.at];

		if (m.at >= count)
			return fault(&m, "ran off the end");
		if (i->dst_reg >= REGISTERS || i->src_reg >= REGISTERS)
			return fault(&m, "no such register");
		if (i->code == (BPF_JMP | BPF_EXIT)) {
			run->result = (int64_t)m.r[0].bits;
			return m.r[0].kind == NUMBER || fault(&m, "r0 is no number at exit");
		}
		if (!step(&m, i))
			return false;
	}
	return fault(&m, "does not end");
}
