// SPDX-License-Identifier: MIT
/* Wrong arguments and wrong moments give a status, keep nothing and destroy nothing. */
#include "stages.h"

static wp_pool *pool;
static int destroyed;
static void on_destroy(void *context) {
  (void)context;
  destroyed++;
}

static void null_handles(void) {
  wp_stage_options options = stage(WP_SERIAL, pass, NULL);
  wp_payload payload = { 0 };
  wp_block *block = NULL;
  wp_result result = { .struct_size = sizeof result };
  wp_error_entry entry = { .struct_size = sizeof entry };
  wp_stage_statistics stage = { .struct_size = sizeof stage };
  wp_pipeline_statistics whole = { .struct_size = sizeof whole };
  CHECK_EQUAL(wp_pipeline_destroy(NULL), WP_OK);
  CHECK_EQUAL(wp_pipeline_set_source(NULL, &options), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_add_stage(NULL, &options), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_set_sink(NULL, &options), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_start(NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_wait(NULL, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_run(NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_submit(NULL, &payload, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_submit_numbered(NULL, 0, &payload, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_skip(NULL, 0, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_close(NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_flush(NULL, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_next_result(NULL, 0, &block), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_stop(NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_cancel(NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_result(NULL, &result), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_error(NULL, 0, &entry), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_stage_statistics(NULL, 0, &stage), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_statistics_get(NULL, &whole), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_reserve(NULL, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_commit_spare(NULL, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_set_data(NULL, NULL, 0, NULL, NULL), WP_INVALID_ARGUMENT);
  wp_block_release(NULL);
}

static void pipeline_options(void) {
  const wp_pipeline_options good = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  wp_pipeline_options bad;
#define REFUSED(change) \
  bad = good; \
  bad.change; \
  CHECK_EQUAL(wp_pipeline_create(pool, &bad, &pipeline), WP_INVALID_ARGUMENT); \
  CHECK(pipeline == NULL)
  REFUSED(struct_size = 0);
  REFUSED(struct_size = sizeof bad - 1);
  REFUSED(struct_size = sizeof bad + 1);
  REFUSED(flags = 32);
  REFUSED(flags = UINT32_MAX);
  REFUSED(max_blocks_in_flight = 65537);
  REFUSED(weight = 1001);
  REFUSED(weight = UINT32_MAX);
#undef REFUSED
  CHECK_EQUAL(wp_pipeline_create(NULL, &good, &pipeline), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_create(pool, &good, NULL), WP_INVALID_ARGUMENT);
  bad = good;
  bad.flags = WP_PIPELINE_SERIAL_REFERENCE;
  CHECK_EQUAL(wp_pipeline_create(NULL, &bad, &pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  bad = good;
  bad.max_blocks_in_flight = 65536;
  CHECK_EQUAL(wp_pipeline_create(pool, &bad, &pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static void stage_options(void) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  wp_stage_options good = stage(WP_PARALLEL, pass, NULL), bad;
  good.destroy_context = on_destroy;
  destroyed = 0;
#define REFUSED(change) \
  bad = good; \
  bad.change; \
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, &bad), WP_INVALID_ARGUMENT); \
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &bad), WP_INVALID_ARGUMENT); \
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &bad), WP_INVALID_ARGUMENT)
  REFUSED(struct_size = 0);
  REFUSED(struct_size = sizeof bad + 8);
  REFUSED(flags = 4);
  REFUSED(fn = NULL);
  REFUSED(max_batch = 257);
#undef REFUSED
  bad = good;
  bad.max_batch = 2;
  for (bad.kind = 0; bad.kind <= WP_SPLITTER; bad.kind++) {
    if (bad.kind == WP_SERIAL) continue;
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &bad), WP_INVALID_ARGUMENT);
  }
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, &bad), WP_INVALID_ARGUMENT);
  wp_pipeline *unordered = pipeline_on(pool, WP_PIPELINE_UNORDERED, 0);
  CHECK_EQUAL(wp_pipeline_set_sink(unordered, &bad), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_destroy(unordered), WP_OK);
  bad = good;
  bad.kind = WP_SPLITTER + 1;
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &bad), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(destroyed, 0);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(destroyed, 0);
}

static void most_stages(void) {
  counter counter = { 100, 0 };
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 3);
  wp_stage_options options = stage(WP_SERIAL, pass, NULL);
  options.destroy_context = on_destroy;
  options.name = "a name that is quite a bit longer than thirty-one bytes";
  destroyed = 0;
  for (int i = 1; i <= 62; i++) CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), i);
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), WP_INVALID_ARGUMENT);
  set_source(pipeline, count_up, &counter);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  check_prefix(&memory, 100);
  wp_stage_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, 62, &statistics), WP_OK);
  CHECK_EQUAL(statistics.calls, 100);
  CHECK_TEXT(statistics.name, "a name that is quite a bit long");
  CHECK_EQUAL(destroyed, 0);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(destroyed, 62);
}

static void wrong_moments(void) {
  counter counter = { 3, 0 };
  wp_stage_options options = stage(WP_SERIAL, count_up, &counter);
  wp_payload payload = { 0 };
  wp_result result = { .struct_size = sizeof result };
  wp_block *block = NULL;
  options.destroy_context = on_destroy;
  destroyed = 0;
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, 0), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, &options), WP_OK);
  CHECK_EQUAL(wp_pipeline_set_source(pipeline, &options), WP_INVALID_STATE);
  options.fn = pass;
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &options), WP_OK);
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &options), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(destroyed, 2);
}

static void reference_runs_only(void) {
  counter counter = { 3, 0 };
  wp_pipeline *pipeline = pipeline_on(NULL, WP_PIPELINE_SERIAL_REFERENCE, 0);
  set_source(pipeline, count_up, &counter);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  CHECK_EQUAL(counter.calls, 4);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static void snapshot_sizes(void) {
  counter counter = { 3, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  set_source(pipeline, count_up, &counter);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  wp_result result = { 0 };
  wp_error_entry entry = { 0 };
  wp_stage_statistics stage = { 0 };
  wp_pipeline_statistics whole = { 0 };
  CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_error(pipeline, 0, &entry), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, 0, &stage), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &whole), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_result(pipeline, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, NULL), WP_INVALID_ARGUMENT);
  result.struct_size = sizeof result;
  CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_OK);
  CHECK_EQUAL(result.struct_size, sizeof result);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

int main(void) {
  pool = pool_of(2);
  RUN("no handle is an invalid argument", null_handles);
  RUN("wrong pipeline options are refused", pipeline_options);
  RUN("wrong stage options are refused and keep nothing", stage_options);
  RUN("a pipeline has up to 62 stages", most_stages);
  RUN("calls at the wrong moment say so", wrong_moments);
  RUN("the serial reference runs, and does nothing else", reference_runs_only);
  RUN("snapshots say how large they are", snapshot_sizes);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  return CHECK_SUMMARY();
}
