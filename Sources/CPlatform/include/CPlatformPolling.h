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

typedef struct wpl_interest {
  int32_t descriptor; /* -1: none */
  uint8_t writes;     /* 1: in writing, not in reading */
  uint8_t is_ready;   /* out: readable, hung up, or broken */
  uint8_t can_write;  /* out */
} wpl_interest;
/* Sleeps until one of them is ready, or until this wpl_now() time (negative: none). May return early,
 * and without memory for many it calls all of them ready after a while. */
void wpl_wait(wpl_interest *interests, int32_t count, int64_t until);

#endif
