/* SPDX-License-Identifier: MIT */
#ifndef WORKPOOL_CNETTLE_H
#define WORKPOOL_CNETTLE_H
#include <nettle/sha2.h>
#include <nettle/version.h>

/* The hash of all that was added, 32 bytes; Nettle 4 dropped the length of its digest functions. */
static inline void wpl_sha256_digest(struct sha256_ctx *context, uint8_t *digest) {
#if NETTLE_VERSION_MAJOR >= 4
  sha256_digest(context, digest);
#else
  sha256_digest(context, SHA256_DIGEST_SIZE, digest);
#endif
}
#endif
