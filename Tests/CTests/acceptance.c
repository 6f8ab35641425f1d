// SPDX-License-Identifier: MIT
/* Acceptance scenarios of the engine that are counted and not timed, with 1, 2, 3, 8 and 64 workers.
 * The table in Tests/README.md says where each scenario is. A1 is order_matrix.c. */
#include <malloc.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stages.h"

static const uint32_t worker_counts[] = { 1, 2, 3, 8, 64 };
enum { COUNTS = sizeof worker_counts / sizeof *worker_counts };

/* What the library allocates goes through here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
static int64_t allocations; /* atomic */
void *malloc(size_t size) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return __libc_malloc(size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return __libc_memalign(alignment, size);
}

static int32_t endless(WITHIN(context)) {
  counter *counter = context;
  UNUSED;
  counter->calls++;
  return WP_STAGE_OK;
}

static int32_t add_calls(WITHIN(context)) {
  UNUSED;
  __atomic_add_fetch((uint64_t *)context, 1, __ATOMIC_RELAXED);
  return WP_STAGE_OK;
}

static wp_pipeline_statistics statistics_of(const wp_pipeline *pipeline) {
  wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &statistics), WP_OK);
  return statistics;
}

/* ----- A2 ----- */

static int32_t finished(void *context, int32_t status) {
  CHECK_EQUAL(status, WP_OK);
  ++*(int *)context;
  return WP_OK;
}

static void empty(void) {
  for (int i = 0; i < COUNTS; i++) {
    for (int stages = 0; stages < 3; stages++) {
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
      counter counter = { 0, 0 };
      int finishes = 0;
      set_source(pipeline, count_up, &counter);
      for (int s = 0; s < stages; s++) {
        wp_stage_options options = stage(WP_PARALLEL, pass, &finishes);
        options.finish = finished;
        CHECK(wp_pipeline_add_stage(pipeline, &options) >= 1);
      }
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
      CHECK_EQUAL(finishes, stages);
      CHECK_EQUAL(statistics_of(pipeline).blocks_in, 0);
      CHECK_EQUAL(statistics_of(pipeline).blocks_out, 0);
      CHECK_EQUAL(statistics_of(pipeline).in_flight_max, 0);
      destroy(pipeline, pool);
    }
  }
}

/* ----- A7 ----- */

static int32_t stop_at_137(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number == 137 ? WP_STAGE_STOP : WP_STAGE_OK;
}

static void exact_head(void) {
  for (int i = 0; i < COUNTS; i++) {
    for (uint32_t limit = 1; limit <= 64; limit *= 4) {
      static memory memory;
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline *pipeline = pipeline_on(pool, 0, limit);
      counter counter = { 0, 0 };
      memset(&memory, 0, sizeof memory);
      set_source(pipeline, endless, &counter);
      add_stage(pipeline, WP_PARALLEL, pass, NULL);
      add_stage(pipeline, WP_SERIAL, stop_at_137, NULL);
      set_sink(pipeline, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STOPPED);
      check_prefix(&memory, 138);
      CHECK(counter.calls <= 137 + limit + 1);
      wp_result result = result_of(pipeline);
      CHECK_EQUAL(result.number, 137);
      CHECK_EQUAL(result.blocks_delivered + result.blocks_cut, counter.calls);
      destroy(pipeline, pool);
    }
  }
}

/* ----- A8 ----- */

static int32_t head_of_10(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number == 9 ? WP_STAGE_STOP : WP_STAGE_OK;
}

static void head_after_see_all(void) {
  for (int i = 0; i < COUNTS; i++) {
    for (int sees_all = 0; sees_all < 2; sees_all++) {
      static memory memory;
      const uint32_t limit = 16;
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline *pipeline = pipeline_on(pool, 0, limit);
      counter counter = { 1000, 0 };
      uint64_t counted = 0;
      memset(&memory, 0, sizeof memory);
      set_source(pipeline, count_up, &counter);
      wp_stage_options count = stage(WP_SERIAL, add_calls, &counted);
      count.flags = sees_all ? WP_STAGE_SEE_ALL : 0;
      CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &count), 1);
      add_stage(pipeline, WP_SERIAL, head_of_10, NULL);
      set_sink(pipeline, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STOPPED);
      check_prefix(&memory, 10);
      if (sees_all) CHECK_EQUAL(counted, 1000);
      else CHECK(counted <= 10 + limit);
      destroy(pipeline, pool);
    }
  }
}

/* ----- A9 ----- */

typedef struct two_errors {
  gate seven_failed;
  int waits;
} two_errors;

static int32_t fail_twice(WITHIN(context)) {
  two_errors *errors = context;
  UNUSED;
  if (block->number == 7) {
    gate_raise(&errors->seven_failed, 1);
    return wp_block_fail(block, -2007, "seven");
  }
  if (block->number == 5) {
    if (errors->waits) gate_wait(&errors->seven_failed, 1);
    return wp_block_fail(block, -2005, "five");
  }
  return WP_STAGE_OK;
}

static void fail_fast_prefix(void) {
  for (int i = 0; i < COUNTS; i++) {
    for (int trial = 0; trial < 20; trial++) {
      static memory memory, behind;
      two_errors errors = { GATE, worker_counts[i] > 1 };
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline *pipeline = pipeline_on(pool, 0, 16);
      counter counter = { 0, 0 };
      memset(&memory, 0, sizeof memory);
      memset(&behind, 0, sizeof behind);
      set_source(pipeline, endless, &counter);
      add_stage(pipeline, WP_PARALLEL, fail_twice, &errors);
      add_stage(pipeline, WP_SERIAL, remember, &behind);
      set_sink(pipeline, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
      check_prefix(&memory, 5);
      check_prefix(&behind, 5);
      CHECK_EQUAL(result_of(pipeline).number, 5);
      CHECK_EQUAL(result_of(pipeline).code, -2005);
      destroy(pipeline, pool);
    }
  }
}

/* ----- A10 ----- */

static int32_t fail_one(WITHIN(context)) {
  UNUSED;
  uint64_t number = *(const uint64_t *)context;
  char text[40];
  snprintf(text, sizeof text, "no %d", (int)number);
  return block->number == number ? wp_block_fail(block, -2000, text) : WP_STAGE_OK;
}

static void collect(void) {
  static uint64_t bad[] = { 900, 3, 901 };
  static const uint32_t kinds[] = { WP_PARALLEL, WP_SERIAL, WP_SERIAL_ANY_ORDER };
  static const struct { uint64_t number; uint32_t stage; } list[] = { { 3, 2 }, { 900, 1 }, { 901, 3 } };
  for (int i = 0; i < COUNTS; i++) {
    for (uint32_t kept = 1; kept <= 4; kept++) {
      static memory memory;
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
      wp_pipeline *pipeline = NULL;
      counter counter = { 1000, 0 };
      memset(&memory, 0, sizeof memory);
      options.flags = WP_PIPELINE_COLLECT_ERRORS;
      options.max_errors_kept = kept;
      CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
      set_source(pipeline, count_up, &counter);
      for (int s = 0; s < 3; s++) add_stage(pipeline, kinds[s], fail_one, &bad[s]);
      set_sink(pipeline, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
      CHECK_EQUAL(memory.count, 997);
      wp_result result = result_of(pipeline);
      CHECK_EQUAL(result.errors, 3);
      CHECK_EQUAL(result.errors_not_kept, kept < 3 ? 3 - kept : 0);
      for (uint32_t e = 0; e < 4; e++) {
        wp_error_entry entry = { .struct_size = sizeof entry };
        int32_t status = wp_pipeline_error(pipeline, e, &entry);
        CHECK_EQUAL(status, e < 3 && e < kept ? WP_OK : WP_END);
        if (status != WP_OK) break;
        char text[40];
        snprintf(text, sizeof text, "no %d", (int)list[e].number);
        CHECK_EQUAL(entry.number, list[e].number);
        CHECK_EQUAL(entry.stage, list[e].stage);
        CHECK_TEXT(entry.text, text);
      }
      destroy(pipeline, pool);
    }
  }
}

/* ----- A12, in small; `make stress` is the long one ----- */

typedef struct storm {
  wp_pool *pool;
  uint64_t seed;
} storm;

static void *storm_thread(void *argument) {
  storm *storm = argument;
  uint64_t r = storm->seed;
  for (int round = 0; round < 60; round++) {
    static __thread memory memory;
    memset(&memory, 0, sizeof memory);
    wp_pipeline *pipeline = pipeline_on(storm->pool, 0, 1 + (uint32_t)(r >> 40) % 20);
    add_stage(pipeline, WP_PARALLEL, pass, NULL);
    add_stage(pipeline, (uint32_t)(r >> 33) % 3, pass, NULL);
    set_sink(pipeline, remember, &memory);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    uint64_t count = (r >> 20) % 100;
    for (uint64_t n = 0; n < count; n++) {
      wp_payload payload = { .meta = { n, 0, 0, 0 } };
      CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
      r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      if (r >> 60 == 0) CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
    }
    if (r >> 62) { /* else it is destroyed while it runs */
      CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
      check_prefix(&memory, count);
      CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
      CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    }
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    check_prefix(&memory, memory.count);
  }
  return NULL;
}

static void create_destroy_storm(void) {
  for (int i = 0; i < COUNTS; i++) {
    wp_pool *pool = pool_of(worker_counts[i]);
    pthread_t threads[8];
    storm storms[8];
    for (int t = 0; t < 8; t++) {
      storms[t] = (storm){ pool, UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(t + 1 + 8 * i) };
      CHECK_EQUAL(pthread_create(&threads[t], NULL, storm_thread, &storms[t]), 0);
    }
    for (int t = 0; t < 8; t++) pthread_join(threads[t], NULL);
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

/* ----- A14: counts; the CPU time of an idle pool is measured by `make stress` ----- */

static void wakes(void) {
  for (int i = 0; i < COUNTS; i++) {
    const uint64_t submits = 100000;
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
    uint64_t seen = 0;
    add_stage(pipeline, WP_PARALLEL, add_calls, &seen);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    uint64_t before = statistics_of(pipeline).wakes;
    for (uint64_t n = 0; n < submits; n++) {
      wp_payload payload = { .meta = { n, 0, 0, 0 } };
      CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
      if (n % 16 == 0) CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
    }
    CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    CHECK_EQUAL(seen, submits);
    CHECK(statistics_of(pipeline).wakes - before <= submits + 1); /* and the close */
    destroy(pipeline, pool);
  }
}

/* ----- A15: counts ----- */

typedef struct steady {
  uint64_t end, calls;
  int64_t before, after;
} steady;

static int32_t steady_source(WITHIN(context)) {
  steady *steady = context;
  UNUSED;
  if (steady->calls == steady->end / 10) steady->before = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
  if (steady->calls == steady->end) {
    steady->after = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    return WP_SOURCE_END;
  }
  steady->calls++;
  return WP_STAGE_OK;
}

static void tiny_stages(void) {
  for (int i = 0; i < COUNTS; i++) {
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
    steady steady = { worker_counts[i] <= 2 ? 1000000 : 200000, 0, -1, -2 };
    uint64_t delivered = 0;
    set_source(pipeline, steady_source, &steady);
    add_stage(pipeline, WP_PARALLEL, pass, NULL);
    set_sink(pipeline, add_calls, &delivered);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    CHECK_EQUAL(delivered, steady.end);
    CHECK_EQUAL(steady.after - steady.before, 0); /* nothing is allocated for a block */
    /* Nobody is called for what costs less than the call. */
    CHECK(statistics_of(pipeline).wakes * 20 < steady.end);
    destroy(pipeline, pool);
  }
}

int main(void) {
  RUN("A2 without stages or blocks a run ends at once", empty);
  RUN("A7 a stop at block 137 of an endless source is exact", exact_head);
  RUN("A8 a see-all stage before a head sees every block", head_after_see_all);
  RUN("A9 the lowest failing block decides, nothing behind it is seen", fail_fast_prefix);
  RUN("A10 collected errors are listed in order, the others delivered", collect);
  RUN("A12 pipelines come and go on one pool", create_destroy_storm);
  RUN("A14 a submit wakes one worker at most", wakes);
  RUN("A15 tiny stages allocate nothing and wake nobody", tiny_stages);
  return CHECK_SUMMARY();
}
