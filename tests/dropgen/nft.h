/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_NFT_H
#define DROPGEN_NFT_H

#include <stdbool.h>
#include <stdint.h>

/* Drops what comes in for the TCP port, or what goes out from it; 0 or -errno. */
int nft_drop(uint16_t port, bool out);

/* Takes that away again. */
void nft_clear(void);

#endif
