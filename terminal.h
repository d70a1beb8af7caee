/* SPDX-License-Identifier: MIT */
/* What a file descriptor leads to, as far as the shape of the output depends on it. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

struct terminal {
	bool     is;            /* false: a pipe, a file: the rest is 0 */
	bool     dumb;          /* by TERM, or there is none: no escape sequences */
	bool     colour;        /* not where it is dumb, nor with NO_COLOR set */
	unsigned columns, rows; /* 0: the terminal does not say */
};

/* To be asked again after SIGWINCH. */
struct terminal terminal_look(int fd);

#endif
