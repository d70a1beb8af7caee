/* SPDX-License-Identifier: MIT */
#include <sys/ioctl.h>

#include <stdlib.h>
#include <string.h>

#include "terminal.h"

/* https://no-color.org: any value but an empty one */
static bool
has_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return term && *term && strcmp(term, "dumb") != 0 && !(no && *no);
}

struct terminal
terminal_look(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return (struct terminal){ 0 };
	return (struct terminal){
		.is = true, .colour = has_colour(), .columns = size.ws_col, .rows = size.ws_row,
	};
}
