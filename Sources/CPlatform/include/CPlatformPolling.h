/* SPDX-License-Identifier: MIT
 *
 * One thread that sleeps until something happens: descriptors, a time, a call by another thread.
 * Included by CPlatform.h.
 */
#ifndef WORKPOOL_CPLATFORM_POLLING_H
#define WORKPOOL_CPLATFORM_POLLING_H
#include <stdint.h>

/* What another thread calls by: a close-on-exec descriptor to poll, or -errno. */
int32_t wpl_call_create(void);
/* Makes it readable; any number of calls are one until they are taken. */
void wpl_call(int32_t call);
void wpl_call_take(int32_t call);

/* Sleeps until one of the descriptors is readable or hung up, or until `deadline` (in wpl_now() time;
 * negative: none). ready[i] becomes 1 or 0. -1 among the descriptors is nothing. May return early. */
void wpl_poll(const int32_t *descriptors, uint8_t *ready, int32_t count, int64_t deadline);

#endif
