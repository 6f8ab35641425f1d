/* SPDX-License-Identifier: MIT
 *
 * For tests, in debug builds alone: threads that a seed holds up at the steps where their order
 * matters, and waits that return without reason.
 */
#ifndef WORKPOOL_CPLATFORM_SCHEDULE_H
#define WORKPOOL_CPLATFORM_SCHEDULE_H
#include <stdint.h>

/* From now on the seed decides; 0: nobody is held up. Each thread draws its own decisions, in the order
 * in which threads came to their first point: the same seed decides the same again. */
void wpl_schedule(uint64_t seed);
/* A step of the caller whose moment matters: nothing, another thread's turn, or a short delay. */
void wpl_schedule_point(void);
/* Whether the wait that the caller is about to begin shall return at once. */
int wpl_schedule_ends_wait(void);

#endif
