/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>

#include "inlined.h"
#include "kallsyms.h"
#include "memory.h"
#include "peek.h"
#include "sites.h"

enum { TEXT_MAX = 512 * 1024 }; /* tcp_input.c is about 40 KiB */

/*
 * net/ipv4/tcp_input.c is one piece of the kernel's text: from the lowest of
 * these functions to the end of the highest.
 */
static int
find_text(const struct kallsyms *symbols, uint64_t *start, uint64_t *end)
{
	static const char *const functions[] = {
		"tcp_rcv_established", "tcp_rcv_state_process", "tcp_validate_incoming", "tcp_ack",
		"tcp_data_queue", "tcp_data_queue_ofo", "tcp_prune_ofo_queue", "tcp_prune_queue",
		"tcp_try_rmem_schedule", "tcp_conn_request", "tcp_enter_loss", "tcp_finish_connect",
	};

	*start = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		uint64_t from, to;

		if (!kallsyms_function(symbols, functions[i], &from, &to))
			continue;
		*start = from < *start ? from : *start;
		*end = to > *end ? to : *end;
	}
	return *start < *end && *end - *start <= TEXT_MAX ? 0 : -ENOENT;
}

int
sites_find(struct inlined *found, const struct kallsyms *symbols, const char *target,
           int32_t helper)
{
	uint64_t start, end, to, next;
	uint8_t *text;
	int error;

	if (!kallsyms_function(symbols, target, &to, &next) || find_text(symbols, &start, &end))
		return -ENOENT;
	text = memory_resize(NULL, end - start);
	if (!text)
		return -ENOMEM;
	error = peek(helper, start, text, end - start);
	if (!error)
		inlined_scan(found, text, end - start, start, to);
	inlined_finish(found);
	memory_free(text);
	return error ? error : found->count ? 0 : -ENOENT;
}
