/* SPDX-License-Identifier: MIT */
/*
 * The command line: one table of options, which drives parsing, --help and
 * whatever else wants to list them.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OPTIONS_PORTS   = 64,
	OPTIONS_COLUMNS = 80,   /* no line of the usage text is longer */
	OPTIONS_EXPRESSION = 16384,
};

struct options {
	bool        ipv4_only;
	bool        ipv6_only;
	bool        quiet;      /* no stack */
	bool        timestamp;  /* time since start */
	bool        extended;   /* a second line */
	bool        owner;
	bool        json;
	bool        summary;    /* counts, not drops */
	bool        check;
	bool        verbose;
	bool        help;
	bool        version;
	bool        has_pid;
	uint32_t    pid;        /* 0 is the idle task */
	uint64_t    netns_id;   /* inode; 0: any */
	uint64_t    pid_netns;  /* a process; 0: any */
	const char *interface;  /* NULL: any */
	unsigned    port_count; /* 0: any */
	uint16_t    ports[OPTIONS_PORTS]; /* host byte order, no number twice */
	uint64_t    count;      /* drops; 0: no limit */
	uint64_t    duration_ns; /* 0: no limit */
	uint64_t    summary_ns; /* between tables; 0: not given */
	uint32_t    format;     /* of the summary: enum options_format */
	const char *write;      /* a file of packets, or of the summary; "-": stdout */
	uint32_t    buffer_kib; /* of each CPU, a power of two; 0: the default */
	const char *probe;      /* lists as typed; NULL: not given */
	const char *offsets;
	const char *dump;       /* NULL: not given; "": this kernel */
	const char *explain;    /* NULL: not given; "": all reasons */
	char        expression[OPTIONS_EXPRESSION]; /* the operands, with blanks between */
};

enum options_format { OPTIONS_NO_FORMAT, OPTIONS_AS_TEXT, OPTIONS_AS_JSON, OPTIONS_AS_PROMETHEUS };

/* What kind of value an option takes. */
enum options_kind {
	OPTIONS_FLAG,           /* none */
	OPTIONS_FLAG_TEXT,      /* any text, after '=', or none: then it is "" */
	OPTIONS_FLAG_WORD,      /* the same; also the next word that begins with no '-' */
	OPTIONS_FLAG_SECONDS,   /* seconds as below, after '=' or the letter, or none */
	OPTIONS_TEXT,           /* any text */
	OPTIONS_FORMAT,         /* the name of one */
	OPTIONS_COUNT,          /* decimal numbers from min to max: uint64_t */
	OPTIONS_PID,
	OPTIONS_KIB,            /* rounded up to a power of two */
	OPTIONS_LIST,           /* of numbers, separated by commas; adds up when repeated */
	OPTIONS_SECONDS,        /* decimal fraction, more than nothing, up to max seconds */
};

struct options_row {
	const char *name;       /* without the "--" */
	const char *argument;   /* its name in the usage text; NULL: takes none */
	const char *help;       /* one line */
	char        letter;     /* 0: none */
	uint8_t     kind;       /* enum options_kind */
	uint16_t    field;      /* where in struct options */
	uint32_t    min;
	uint64_t    max;
};

/* Does -w ask for standard output, or for a file of that name? NULL: for none. */
bool        options_writes_stdout(const struct options *);
const char *options_file(const struct options *);

/* The row at index, in the order of the usage text; NULL behind the last. */
const struct options_row *options_row(unsigned index);

/*
 * Reads argv; the strings in out are argv's own. The last of a repeated option
 * wins, but ports add up. -h and -V end the reading: what follows them is not
 * looked at. Returns 0; or -1 with one line, without newline, in err: the
 * option, the value, what is expected.
 */
int options_parse(struct options *out, int argc, char **argv, char *err, size_t size);

/*
 * Writes the usage text, terminated, cut at size. Returns its whole length,
 * which may be more than was written.
 */
size_t options_usage(char *buf, size_t size);

/* What to do when it was wrong. */
extern const char options_try_help[];

#endif
