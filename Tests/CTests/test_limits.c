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

static void wait_for_bytes(const wp_pipeline *pipeline, uint64_t bytes) {
  while (statistics_of(pipeline).bytes_in_flight != bytes) sched_yield();
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
  wait_for_bytes(pipeline, 192); /* a block weighs from the end of the source's call on */
  CHECK_EQUAL(wp_pipeline_set_max_bytes(pipeline, 257), WP_OK);
  wait_for(5);
  wait_for_bytes(pipeline, 320);
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

/* ----- unordered delivery ----- */

static gate head = GATE;
static int32_t hold_head(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 0 && workers > 1) gate_wait(&head, 1);
  return WP_STAGE_OK;
}

static uint8_t times_seen[300];
static uint64_t seen;
static int32_t see(WITHIN(context)) {
  static int32_t inside;
  (void)context;
  UNUSED;
  CHECK_EQUAL(__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST), 1);
  times_seen[block->number]++;
  __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
  __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
  return WP_STAGE_OK;
}

static void unordered_(void) {
  wp_pipeline *pipeline = pipeline_with(WP_PIPELINE_UNORDERED, 4, 64);
  living.now = living.most = 0;
  head.value = seen = 0;
  memset(times_seen, 0, sizeof times_seen);
  end_at = 300;
  set_source(pipeline, bear, NULL);
  add_stage(pipeline, WP_PARALLEL, hold_head, NULL);
  set_sink(pipeline, see, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  if (workers > 1) { /* 63 others are delivered: as many as the window has room for */
    while (__atomic_load_n(&seen, __ATOMIC_SEQ_CST) < 63) sched_yield();
    CHECK_EQUAL(times_seen[0], 0);
  }
  gate_raise(&head, 1);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  for (int i = 0; i < 300; i++) CHECK_EQUAL(times_seen[i], 1);
  CHECK_EQUAL(result_of(pipeline).blocks_delivered, 300);
  CHECK(living.most <= 4);
  CHECK_EQUAL(living.now, 0);
  CHECK_EQUAL(statistics_of(pipeline).stages, 3);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void unordered(void) { FOR_EACH_POOL(unordered_); }

static void unordered_results_(void) {
  wp_pipeline *pipeline = pipeline_with(WP_PIPELINE_UNORDERED | WP_PIPELINE_PULL_RESULTS, 4, 32);
  wp_payload payload = { 0 };
  wp_block *block = NULL;
  uint64_t read = 0, submitted = 0;
  head.value = 0;
  memset(times_seen, 0, sizeof times_seen);
  add_stage(pipeline, WP_PARALLEL, hold_head, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  while (read < 300) {
    if (read == 25) gate_raise(&head, 1);
    while (submitted < 300 && submitted - read < 3) {
      CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
      submitted++;
    }
    CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
    times_seen[block->number]++;
    wp_block_release(block);
    read++;
    if (workers > 1 && read <= 25) CHECK_EQUAL(times_seen[0], 0);
  }
  for (int i = 0; i < 300; i++) CHECK_EQUAL(times_seen[i], 1);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_END);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void unordered_results(void) { FOR_EACH_POOL(unordered_results_); }

/* ----- A3: exactly the limit ----- */

static int32_t drop_third(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number % 3 == 1 ? WP_STAGE_DROP : WP_STAGE_OK;
}

static void exact_limit_(void) {
  const int64_t limits[] = { 1, 2, 5, 16 };
  for (int l = 0; l < 4; l++) {
    for (uint32_t kind = WP_PARALLEL; kind <= WP_SERIAL_ANY_ORDER + 1; kind++) {
      for (int in_bytes = 0; in_bytes < 2; in_bytes++) {
        int64_t limit = limits[l];
        wp_block *block = NULL;
        wp_pipeline *pipeline =
          pipeline_with(WP_PIPELINE_PULL_RESULTS, in_bytes ? 100 : (uint32_t)limit, 0);
        if (in_bytes) { /* blocks of 64 bytes: less than this and one block is `limit` of them */
          CHECK_EQUAL(wp_pipeline_set_max_bytes(pipeline, (uint64_t)(limit - 1) * 64 + 1), WP_OK);
        }
        living.now = living.most = 0;
        end_at = 120;
        set_source(pipeline, bear, NULL);
        if (kind > WP_SERIAL_ANY_ORDER) {
          add_stage(pipeline, WP_PARALLEL, drop_third, NULL);
        } else {
          add_stage(pipeline, kind, pass, NULL);
        }
        CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
        wait_for(limit);
        while (wp_pipeline_next_result(pipeline, -1, &block) == WP_OK) wp_block_release(block);
        CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
        CHECK_EQUAL(living.most, limit);
        CHECK_EQUAL(living.now, 0);
        CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
      }
    }
  }
}
static void exact_limit(void) { FOR_EACH_POOL(exact_limit_); }

/* ----- A4: one at a time ----- */

static int32_t check_alone(WITHIN(context)) {
  UNUSED;
  CHECK_EQUAL(__atomic_load_n(&living.now, __ATOMIC_SEQ_CST), 1);
  return remember(context, block, scratch, call);
}

static void limit_one_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_with(0, 1, 0);
  living.now = living.most = 0;
  end_at = 500;
  set_source(pipeline, bear, NULL);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  add_stage(pipeline, WP_SERIAL_ANY_ORDER, pass, NULL);
  set_sink(pipeline, check_alone, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  check_prefix(&memory, 500);
  CHECK_EQUAL(living.most, 1);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void limit_one(void) { FOR_EACH_POOL(limit_one_); }

/* ----- A5: slow heads ----- */

/* Block n with n % 32 == 0 takes until all others have passed that fit into the window with it. */
enum { SLOW_BLOCKS = 320 };
static uint8_t passed[SLOW_BLOCKS];
static int32_t slow_head(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number % 32) {
    __atomic_store_n(&passed[block->number], 1, __ATOMIC_SEQ_CST);
  } else if (workers > 1) {
    for (uint64_t n = block->number + 1; n < block->number + 2 * workers && n < SLOW_BLOCKS; n++) {
      while (n % 32 && !__atomic_load_n(&passed[n], __ATOMIC_SEQ_CST)) sched_yield();
    }
  }
  return WP_STAGE_OK;
}

static void slow_heads_(void) {
  memory memory = { 0 };
  wp_payload payload = { 0 };
  wp_pipeline *pipeline = pipeline_with(0, 2 * workers, 0);
  memset(passed, 0, sizeof passed);
  add_stage(pipeline, WP_PARALLEL, slow_head, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (int i = 0; i < SLOW_BLOCKS; i++) {
    CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  }
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  check_prefix(&memory, SLOW_BLOCKS);
  CHECK(statistics_of(pipeline).in_flight_max <= 2 * workers);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void slow_heads(void) { FOR_EACH_POOL(slow_heads_); }

static int32_t dawdle(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number % 32 == 0) for (int i = 0; i < 300; i++) sched_yield();
  return WP_STAGE_OK;
}

static void one_thread_(void) {
  wp_payload payload = { 0 };
  wp_block *block = NULL;
  uint64_t read = 0;
  wp_pipeline *pipeline = pipeline_with(WP_PIPELINE_PULL_RESULTS, 2 * workers, 0);
  add_stage(pipeline, WP_PARALLEL, dawdle, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (int i = 0; i < SLOW_BLOCKS; i++) {
    int32_t status;
    while ((status = wp_pipeline_submit(pipeline, &payload, -1)) == WP_RESULTS_WAITING) {
      CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
      CHECK_EQUAL(block->number, read++);
      wp_block_release(block);
    }
    CHECK_EQUAL(status, WP_OK);
  }
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  while (wp_pipeline_next_result(pipeline, -1, &block) == WP_OK) {
    CHECK_EQUAL(block->number, read++);
    wp_block_release(block);
  }
  CHECK_EQUAL(read, SLOW_BLOCKS);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void one_thread(void) { FOR_EACH_POOL(one_thread_); }

/* ----- memory ----- */

static int32_t fill(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number >= end_at) return WP_SOURCE_END;
  CHECK_EQUAL(wp_block_reserve(block, 4096), WP_OK);
  block->size = 4096;
  return WP_STAGE_OK;
}

static void allocated(void) {
  CHECK_EQUAL(wp_pipeline_memory(NULL), 0);
  CHECK_EQUAL(wp_pool_memory(NULL), 0);
  pool = pool_of(2);
  CHECK(wp_pool_memory(pool) > 0);
  wp_pipeline *pipeline = pipeline_with(0, 8, 8);
  CHECK_EQUAL(wp_pipeline_memory(pipeline), 0);
  set_source(pipeline, fill, NULL);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  uint64_t most = 8 * (64 + 640) + 2 * 3 * 4096 + 20480 + 16 * 12288;
  for (end_at = 10; end_at <= 10000; end_at *= 10) {
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    CHECK(wp_pipeline_memory(pipeline) > 4096);
    CHECK(wp_pipeline_memory(pipeline) <= most);
  }
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
  RUN("A3: the live blocks come to exactly the limit, in blocks and in bytes", exact_limit);
  RUN("A4: with a limit of one, blocks go one at a time", limit_one);
  RUN("A5: behind a slow head the others are done until the window is full", slow_heads);
  RUN("A5: submit and next_result on one thread proceed or say what to do", one_thread);
  RUN("memory is told, and does not grow with the number of blocks", allocated);
  RUN("A6: others are delivered while one sleeps, one at a time and each once", unordered);
  RUN("A6: the same with results", unordered_results);
  return CHECK_SUMMARY();
}
