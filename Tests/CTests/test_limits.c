// SPDX-License-Identifier: MIT
/* Limits of blocks and bytes in flight, which may change before, between and during runs. */
#include <sched.h>
#include <stdlib.h>

#include "stages.h"

static const uint32_t worker_counts[] = { 1, 2, 3, 8, 64 };
static wp_pool *pool;
static uint32_t workers;

#define FOR_EACH_POOL(body) \
  for (int w_ = 0; w_ < 5; w_++) { \
    workers = worker_counts[w_]; \
    pool = pool_of(workers); \
    body(); \
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK); \
  }

static wp_pipeline *pipeline_with(uint32_t flags, uint32_t limit, uint32_t capacity) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.flags = flags;
  options.max_blocks_in_flight = limit;
  options.window_capacity = capacity;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  return pipeline;
}

/* ----- blocks that live: from the source, or submit, until their memory is given back ----- */

static crowd living;
static void bury(void *context, void *data, size_t size, int32_t reason) {
  (void)context, (void)size, (void)reason;
  crowd_leave(&living);
  free(data);
}

static uint64_t end_at;
static int32_t bear(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number >= end_at) return WP_SOURCE_END;
  crowd_enter(&living);
  CHECK_EQUAL(wp_block_set_data(block, malloc(64), 64, bury, NULL), WP_OK);
  return WP_STAGE_OK;
}

static void wait_for(int64_t count) {
  while (__atomic_load_n(&living.now, __ATOMIC_SEQ_CST) != count) sched_yield();
}

static void read_one(wp_pipeline *pipeline) {
  wp_block *block = NULL;
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
  wp_block_release(block);
}

static wp_pipeline_statistics statistics_of(const wp_pipeline *pipeline) {
  wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &statistics), WP_OK);
  return statistics;
}

/* ----- blocks ----- */

static void capacities(void) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  const uint32_t bad[][2] = { { 16, 8 }, { 16, 24 }, { 0, 64 }, { 1, 131072 }, { 300, 256 } };
  for (int i = 0; i < 5; i++) {
    options.max_blocks_in_flight = bad[i][0];
    options.window_capacity = bad[i][1];
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  }
  const uint32_t good[][3] = { { 0, 0, 256 }, { 257, 0, 512 }, { 16, 16, 16 }, { 1, 65536, 65536 } };
  for (int i = 0; i < 4; i++) {
    pipeline = pipeline_with(0, good[i][0], good[i][1]);
    CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, good[i][2]), WP_OK);
    CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, good[i][2] + 1), WP_INVALID_ARGUMENT);
    CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, 0), WP_INVALID_ARGUMENT);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
  CHECK_EQUAL(wp_pipeline_set_max_blocks(NULL, 1), WP_INVALID_ARGUMENT);
}

static void live_limit(void) {
  wp_pipeline *pipeline = pipeline_with(WP_PIPELINE_PULL_RESULTS, 3, 0);
  living.now = living.most = 0;
  end_at = 200;
  set_source(pipeline, bear, NULL);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, 2), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  wait_for(2);
  CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, 7), WP_OK);
  wait_for(7);
  CHECK_EQUAL(statistics_of(pipeline).limit, 7);
  CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, 4), WP_OK);
  for (int left = 6; left >= 4; left--) {
    read_one(pipeline);
    CHECK_EQUAL(living.now, left);
  }
  for (int i = 0; i < 50; i++) {
    read_one(pipeline);
    wait_for(4);
  }
  CHECK_EQUAL(living.most, 7);
  CHECK_EQUAL(wp_pipeline_set_max_blocks(pipeline, 1), WP_OK);
  for (int i = 53; i < 200; i++) read_one(pipeline);
  CHECK_EQUAL(living.now, 0);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(statistics_of(pipeline).in_flight_max, 7);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void live_limits(void) { FOR_EACH_POOL(live_limit); }

static int32_t vary(WITHIN(pipeline)) {
  UNUSED;
  return wp_pipeline_set_max_blocks(pipeline, 1 + (uint32_t)(block->number * 7 % 11));
}

static void from_inside_(void) {
  counter counter = { 5000, 0 };
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_with(0, 11, 16);
  set_source(pipeline, count_up, &counter);
  add_stage(pipeline, WP_PARALLEL, vary, pipeline);
  add_stage(pipeline, WP_SERIAL, vary, pipeline);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  check_prefix(&memory, 5000);
  CHECK(statistics_of(pipeline).in_flight_max <= 11);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void from_inside(void) { FOR_EACH_POOL(from_inside_); }

/* ----- bytes ----- */

static void live_bytes(void) {
  wp_pipeline *pipeline = pipeline_with(WP_PIPELINE_PULL_RESULTS, 0, 0);
  living.now = living.most = 0;
  end_at = 100;
  set_source(pipeline, bear, NULL);
  CHECK_EQUAL(wp_pipeline_set_max_bytes(pipeline, 150), WP_OK); /* blocks of 64 bytes */
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  wait_for(3);
  CHECK_EQUAL(statistics_of(pipeline).bytes_in_flight, 192);
  CHECK_EQUAL(wp_pipeline_set_max_bytes(pipeline, 257), WP_OK);
  wait_for(5);
  CHECK_EQUAL(wp_pipeline_set_max_bytes(pipeline, 1), WP_OK);
  for (int left = 4; left > 0; left--) {
    read_one(pipeline);
    CHECK_EQUAL(living.now, left);
  }
  for (int i = 4; i < 100; i++) read_one(pipeline);
  CHECK_EQUAL(living.most, 5);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(statistics_of(pipeline).bytes_in_flight, 0);
  CHECK_EQUAL(statistics_of(pipeline).bytes_in_flight_max, 320);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void bytes(void) {
  FOR_EACH_POOL(live_bytes);
  CHECK_EQUAL(wp_pipeline_set_max_bytes(NULL, 1), WP_INVALID_ARGUMENT);
}

static int32_t lighten(WITHIN(context)) {
  (void)context;
  UNUSED;
  CHECK_EQUAL(block->weight, UINT64_MAX);
  block->weight = 1;
  return WP_STAGE_OK;
}

static void weights(void) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  wp_payload payload = { 0 };
  pool = pool_of(2);
  options.flags = WP_PIPELINE_PULL_RESULTS;
  options.max_bytes_in_flight = 2;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  add_stage(pipeline, WP_SERIAL, lighten, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  payload.weight = UINT64_MAX; /* it passes alone */
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  CHECK_EQUAL(statistics_of(pipeline).bytes_in_flight, 2);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_RESULTS_WAITING);
  read_one(pipeline);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

int main(void) {
  pool = pool_of(2);
  RUN("the window's capacity bounds the limit", capacities);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  RUN("a raised limit is reached at once, a lowered one by the blocks that leave", live_limits);
  RUN("callbacks may change the limit of their pipeline", from_inside);
  RUN("a limit of bytes is reached and passed by less than a block, also when it changes", bytes);
  RUN("a block weighs what it says", weights);
  return CHECK_SUMMARY();
}
