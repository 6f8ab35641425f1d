// SPDX-License-Identifier: MIT
/* What the tests put into pipelines: a source that counts, a sink that remembers, a gate to wait at
 * without sleeping. */
#ifndef STAGES_H
#define STAGES_H

#include <pthread.h>
#include <sched.h>
#include <workpool.h>

#include "check.h"

#define WITHIN(name) void *name, wp_block *block, void *scratch, const wp_call *call
#define UNUSED (void)block, (void)scratch, (void)call

/* ----- gate: a number that only grows, and threads that wait for it ----- */

typedef struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  uint64_t value;
} gate;
#define GATE { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

static inline void gate_raise(gate *gate, uint64_t by) {
  pthread_mutex_lock(&gate->mutex);
  gate->value += by;
  pthread_cond_broadcast(&gate->changed);
  pthread_mutex_unlock(&gate->mutex);
}

static inline void gate_wait(gate *gate, uint64_t least) {
  pthread_mutex_lock(&gate->mutex);
  while (gate->value < least) pthread_cond_wait(&gate->changed, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

/* ----- how many at once ----- */

typedef struct crowd {
  int64_t now, most; /* atomic */
} crowd;

static inline int64_t crowd_enter(crowd *crowd) {
  int64_t now = __atomic_add_fetch(&crowd->now, 1, __ATOMIC_SEQ_CST);
  int64_t most = __atomic_load_n(&crowd->most, __ATOMIC_RELAXED);
  while (now > most && !__atomic_compare_exchange_n(&crowd->most, &most, now, 0, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED)) {
  }
  return now;
}

static inline void crowd_leave(crowd *crowd) {
  __atomic_sub_fetch(&crowd->now, 1, __ATOMIC_SEQ_CST);
}

/* ----- source and sink ----- */

/* Blocks 0 ... end - 1; meta[0] of block n is 3 n + 1. */
typedef struct counter {
  uint64_t end, calls;
} counter;

static inline int32_t count_up(WITHIN(context)) {
  counter *counter = context;
  UNUSED;
  CHECK_EQUAL(block->number, counter->calls);
  CHECK_EQUAL(call->stage, 0);
  counter->calls++;
  if (block->number >= counter->end) return WP_SOURCE_END;
  block->meta[0] = 3 * block->number + 1;
  return WP_STAGE_OK;
}

enum { MOST_REMEMBERED = 4096 };
typedef struct memory {
  uint64_t count, last, number[MOST_REMEMBERED], size[MOST_REMEMBERED];
} memory;

static inline int32_t remember(WITHIN(context)) {
  memory *memory = context;
  UNUSED;
  if (memory->count) CHECK(block->number > memory->last);
  memory->last = block->number;
  if (memory->count < MOST_REMEMBERED) {
    memory->number[memory->count] = block->number;
    memory->size[memory->count] = block->size;
  }
  memory->count++;
  return WP_STAGE_OK;
}

/* Were exactly the blocks 0 ... end - 1 delivered? */
static inline void check_prefix(const memory *memory, uint64_t end) {
  CHECK_EQUAL(memory->count, end);
  for (uint64_t i = 0; i < memory->count && i < end && i < MOST_REMEMBERED; i++) {
    CHECK_EQUAL(memory->number[i], i);
  }
}

static inline int32_t pass(WITHIN(context)) {
  (void)context;
  UNUSED;
  return WP_STAGE_OK;
}

/* 0 to 4 us by block and stage, and now and then another thread's turn: stages that all workers
 * share, for what takes no time is left to one. */
static inline void take_time(uint64_t number, uint32_t stage) {
  uint64_t r = (number * 5 + stage) * UINT64_C(0x9E3779B97F4A7C15);
  r ^= r >> 29;
  if (r % 64 == 0) sched_yield();
  for (uint64_t i = r >> 8 & 4095; i > 0; i--) __asm__ volatile("");
}

/* ----- building ----- */

static inline wp_stage_options stage(uint32_t kind, wp_stage_fn fn, void *context) {
  wp_stage_options options = WP_STAGE_OPTIONS_INIT;
  options.kind = kind;
  options.fn = fn;
  options.context = context;
  return options;
}

static inline wp_pool *pool_of(uint32_t workers) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = workers;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  return pool;
}

static inline wp_pipeline *pipeline_on(wp_pool *pool, uint32_t flags, uint32_t limit) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.flags = flags;
  options.max_blocks_in_flight = limit;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  return pipeline;
}

static inline void set_source(wp_pipeline *pipeline, wp_stage_fn fn, void *context) {
  wp_stage_options options = stage(WP_SERIAL, fn, context);
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, &options), WP_OK);
}

static inline int32_t add_stage(wp_pipeline *pipeline, uint32_t kind, wp_stage_fn fn,
                                void *context) {
  wp_stage_options options = stage(kind, fn, context);
  int32_t number = wp_pipeline_add_stage(pipeline, &options);
  CHECK(number >= 1);
  return number;
}

static inline void set_sink(wp_pipeline *pipeline, wp_stage_fn fn, void *context) {
  wp_stage_options options = stage(WP_SERIAL, fn, context);
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &options), WP_OK);
}

static inline wp_result result_of(const wp_pipeline *pipeline) {
  wp_result result = { 0 };
  result.struct_size = sizeof result;
  CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_OK);
  return result;
}

/* Both must go without WP_BUSY: a finished run leaves nothing behind. */
static inline void destroy(wp_pipeline *pipeline, wp_pool *pool) {
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

#endif
