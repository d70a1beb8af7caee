/* SPDX-License-Identifier: MIT */
#ifndef DROPGEN_NFT_H
#define DROPGEN_NFT_H

#include <stdint.h>

enum nft_hook { NFT_IN, NFT_OUT, NFT_INGRESS };

/*
 * Drops what comes in for the TCP port, what goes out from it, or what comes
 * in for it by the TUN device before the IP layer has it; 0 or -errno.
 */
int nft_drop(enum nft_hook hook, uint16_t port);

/* Takes that away again. */
void nft_clear(enum nft_hook hook);

#endif
