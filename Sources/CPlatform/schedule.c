/* SPDX-License-Identifier: MIT */
#ifdef WPL_SCHEDULES
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "CPlatform.h"

static _Atomic uint64_t seed;
static _Atomic uint32_t generation, threads;
static _Thread_local uint64_t state;
static _Thread_local uint32_t own_generation;

void wpl_schedule(uint64_t new_seed) {
  atomic_store(&seed, 0);
  atomic_store(&threads, 0);
  atomic_fetch_add(&generation, 1);
  atomic_store(&seed, new_seed);
}

/* SplitMix64 (S. Vigna) */
static uint64_t draw(uint64_t from) {
  uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed);
  if (own_generation != now) {
    own_generation = now;
    state = from * UINT64_C(0xD1342543DE82EF95) + atomic_fetch_add(&threads, 1);
  }
  uint64_t x = state += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

void wpl_schedule_point(void) {
  uint64_t from = atomic_load_explicit(&seed, memory_order_relaxed);
  if (from == 0) return;
  uint64_t r = draw(from);
  switch (r % 64) {
  case 0: case 1: case 2: case 3: sched_yield(); break;
  case 4:
    for (uint64_t i = r >> 8 & 1023; i > 0; i--) wpl_pause();
    break;
  case 5:
    if (r >> 8 & 7) break;
    nanosleep(&(struct timespec){.tv_nsec = 10000 + (long)(r >> 16 & 0xffff)}, NULL);
  }
}

int wpl_schedule_ends_wait(void) {
  uint64_t from = atomic_load_explicit(&seed, memory_order_relaxed);
  return from != 0 && draw(from) % 8 == 0;
}
#endif
