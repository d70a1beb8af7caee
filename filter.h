/* SPDX-License-Identifier: MIT */
/*
 * Which drops are wanted: an expression in the manner of pcap-filter(7), as a
 * tree. A struct filter begins as all zero bytes, which lets everything pass.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FILTER_NODES = 4096,
	FILTER_DEPTH = 100,     /* of parentheses, and of what is negated */
	FILTER_ERROR = 512,     /* room for any error */
};

enum filter_kind {
	FILTER_AND, FILTER_OR,  /* left, right */
	FILTER_NOT,             /* left */
	FILTER_ADDRESS4, FILTER_ADDRESS6,
	/* numbers from low to high, in the order in which filter_program.c has them at hand */
	FILTER_FAMILY,          /* 4 or 6 */
	FILTER_PORT,            /* side; a packet without ports has none */
	FILTER_TARGET_PORT,     /* the same of side 1: never in a node */
	FILTER_REASON,
	FILTER_STATE,           /* 0: no socket */
	FILTER_REASON_NAME,     /* becomes FILTER_REASON: low is where it begins, high its length */
};

struct filter_node {
	uint8_t  kind;
	uint8_t  side;          /* of an address or port: 0 source, 1 destination */
	uint16_t left, right;   /* nodes */
	uint32_t low, high;
	uint8_t  address[16];   /* 4 or 16 bytes; none is set where mask is not */
	uint8_t  mask[16];
};

struct filter {
	const char *text;       /* as given to filter_parse() */
	uint16_t    count;      /* the last of node[] in use; the first is none */
	uint16_t    root;       /* 0: everything passes */
	bool        has_state;
	bool        has_reason; /* by name or number, which the kernel is to tell of */
	struct filter_node node[FILTER_NODES];
};

/*
 * Reads an expression, which must live on; NULL and blanks let everything pass.
 * 0; or -EINVAL with three lines in err: what is expected, the expression, and
 * '^' under the word. Names of reasons stay FILTER_REASON_NAME.
 */
int filter_parse(struct filter *, const char *text, char *err, size_t size);

/* Writes such lines about n bytes of text, "expected " before what. */
void filter_point(char *err, size_t size, const char *text, size_t at, size_t n, const char *what);

/* Lets only pass what also has one of the ports at either end. 0, or -E2BIG. */
int filter_ports(struct filter *, const uint16_t *ports, unsigned count);

#endif
