/* SPDX-License-Identifier: MIT */
#include <sys/ioctl.h>

#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "keyboard.h"

static struct termios before;
static bool           open;

/* In the background the terminal is another's: to touch it would stop us. */
bool
keyboard_open(void)
{
	struct termios keys;
	pid_t group = -1;

	if (open)
		return true;
	ioctl(STDIN_FILENO, TIOCGPGRP, &group);
	if (group != getpgrp() || ioctl(STDIN_FILENO, TCGETS, &before) < 0)
		return false;
	keys = before;
	keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	keys.c_cc[VMIN] = 0;
	keys.c_cc[VTIME] = 0;
	open = ioctl(STDIN_FILENO, TCSETS, &keys) == 0;
	return open;
}

bool
keyboard_pressed(const char *keys)
{
	char text[64];
	ssize_t n = open ? read(STDIN_FILENO, text, sizeof(text)) : 0;

	while (n-- > 0)
		if (strchr(keys, text[n]) && text[n])
			return true;
	return false;
}

void
keyboard_close(void)
{
	if (open)
		ioctl(STDIN_FILENO, TCSETS, &before);
	open = false;
}
