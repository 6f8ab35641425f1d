// SPDX-License-Identifier: MIT
/* What happens to a run by the clock: its deadline. */
#include "stages.h"

static const uint32_t worker_counts[] = { 1, 2, 3, 8, 64 };
#define EACH_COUNT(i) for (size_t i = 0; i < sizeof worker_counts / sizeof *worker_counts; i++)

static const int64_t soon = 2000000, far_away = INT64_C(3600000000000);

static wp_pipeline *limited_to(int64_t run_timeout_ns, wp_pool *pool, uint32_t flags) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.flags = flags;
  options.max_blocks_in_flight = 8;
  options.run_timeout_ns = run_timeout_ns;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  return pipeline;
}

/* ----- deadlines ----- */

static int32_t told; /* what a finish callback was told */
static int32_t hear(void *context, int32_t status) {
  (void)context;
  told = status;
  return 0;
}

static void a_run_that_takes_too_long_times_out(void) {
  EACH_COUNT(i) {
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = limited_to(soon, pool, 0);
    wp_stage_options listening = stage(WP_SERIAL, pass, NULL);
    memory memory = { 0 };
    listening.finish = hear;
    set_source(pipeline, pass, NULL); /* endless */
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &listening), 1);
    set_sink(pipeline, remember, &memory);
    told = 0;
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_TIMED_OUT);
    CHECK_EQUAL(told, WP_TIMED_OUT);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_TIMED_OUT);
    wp_result result = result_of(pipeline);
    CHECK_EQUAL(result.status, WP_TIMED_OUT);
    CHECK_EQUAL(result.blocks_delivered, memory.count);
    check_prefix(&memory, memory.count);
    destroy(pipeline, pool);
  }
}

static void waiters_at_a_deadline_are_cancelled(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = limited_to(soon, pool, WP_PIPELINE_PULL_RESULTS);
  wp_block *block = NULL;
  wp_payload payload = { 0 };
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_TIMED_OUT);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_CANCELLED);
  destroy(pipeline, pool);
}

static void a_wait_that_times_out_has_no_result(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = limited_to(far_away, pool, 0);
  wp_result result = { 0 };
  result.struct_size = sizeof result;
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, 1000), WP_TIMED_OUT);
  CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(result_of(pipeline).status, WP_OK);
  destroy(pipeline, pool);
}

static void the_serial_reference_has_deadlines_too(void) {
  wp_pipeline *pipeline = limited_to(soon, NULL, WP_PIPELINE_SERIAL_REFERENCE);
  set_source(pipeline, pass, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_TIMED_OUT);
  CHECK_EQUAL(result_of(pipeline).status, WP_TIMED_OUT);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static void a_negative_run_timeout_is_refused(void) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  wp_pool *pool = pool_of(1);
  options.run_timeout_ns = -1;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

int main(void) {
  RUN("a run that takes too long times out", a_run_that_takes_too_long_times_out);
  RUN("waiters at a deadline are cancelled", waiters_at_a_deadline_are_cancelled);
  RUN("a wait that times out has no result", a_wait_that_times_out_has_no_result);
  RUN("the serial reference has deadlines too", the_serial_reference_has_deadlines_too);
  RUN("a negative run timeout is refused", a_negative_run_timeout_is_refused);
  return CHECK_SUMMARY();
}
