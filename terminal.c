/* SPDX-License-Identifier: MIT */
#include <sys/ioctl.h>

#include <stdlib.h>
#include <string.h>

#include "terminal.h"

static const char *
get(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* NO_COLOR: https://no-color.org, any value but an empty one */
struct terminal
terminal_look(int fd)
{
	const char *term = get("TERM");
	bool dumb = !*term || !strcmp(term, "dumb");
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return (struct terminal){ 0 };
	return (struct terminal){
		.is = true, .dumb = dumb, .colour = !dumb && !*get("NO_COLOR"),
		.columns = size.ws_col, .rows = size.ws_row,
	};
}
