/* SPDX-License-Identifier: MIT */
/* Keys from the terminal as they are pressed, while we are in its foreground. */
#ifndef KEYBOARD_H
#define KEYBOARD_H

#include <stdbool.h>

/* Standard input gives each key at once and shows none. false: it is no terminal of ours. */
bool keyboard_open(void);

/* Has one of these been pressed? Takes what there is. */
bool keyboard_pressed(const char *keys);

/* The terminal is as it was before. */
void keyboard_close(void);

#endif
