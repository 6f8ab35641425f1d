// SPDX-License-Identifier: MIT
/* libworkpool: a stage for each letter of the shape. */
#include <stdlib.h>
#include <workpool.h>

#include "../bench.h"

const char *const engine_name = "wpool";

static int32_t source(void *bench, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch, (void)call;
  block_t *made = bench_source(bench);
  block->meta[0] = (uintptr_t)made;
  return made ? WP_STAGE_OK : WP_SOURCE_END;
}

static int32_t stage(void *bench, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch;
  bench_stage(bench, (int)call->stage, (block_t *)(uintptr_t)block->meta[0]);
  return WP_STAGE_OK;
}

static int32_t sink(void *bench, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch, (void)call;
  bench_sink(bench, (block_t *)(uintptr_t)block->meta[0]);
  return WP_STAGE_OK;
}

void *engine_open(const bench_t *b) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = (uint32_t)b->workers;
  if (wp_pool_create(&options, &pool)) exit(2);
  return pool;
}

int engine_run(void *pool, bench_t *b) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_stage_options it = WP_STAGE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.max_blocks_in_flight = (uint32_t)b->limit;
  if (wp_pipeline_create(pool, &options, &pipeline)) return 1;
  it.context = b;
  it.fn = source;
  int failed = wp_pipeline_set_source(pipeline, &it) != WP_OK;
  it.fn = stage;
  for (int i = 1; i < b->stages - 1; i++) {
    it.kind = b->shape[i] == 'S' ? WP_SERIAL : WP_PARALLEL;
    failed |= wp_pipeline_add_stage(pipeline, &it) != i;
  }
  it.fn = sink;
  failed |= wp_pipeline_set_sink(pipeline, &it) != WP_OK;
  failed |= wp_pipeline_run(pipeline) != WP_OK;
  return failed | (wp_pipeline_destroy(pipeline) != WP_OK);
}

void engine_close(void *pool) { wp_pool_destroy(pool); }
