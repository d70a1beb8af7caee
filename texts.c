/* SPDX-License-Identifier: MIT */
#include "packed.h"
#include "text.h"
#include "texts.h"
#include "unpack.h"

static char all[UNPACK_BEFORE + TEXTS_ROOM];

const char *
texts_get(enum texts which, unsigned string)
{
	const char *s = all + UNPACK_BEFORE + packed_starts[which];

	if (!all[UNPACK_BEFORE])
		unpack(all + UNPACK_BEFORE, packed_starts[TEXTS], packed_bytes);
	return text_nth(s, string);
}
