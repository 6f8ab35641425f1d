// SPDX-License-Identifier: MIT
/* What runs and workers measure of themselves: A17, the timeline, who refuses what. */
#include <stdlib.h>

#include "stages.h"

static wp_stage_statistics stage_of(wp_pipeline *pipeline, uint32_t stage) {
  wp_stage_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, stage, &statistics), WP_OK);
  return statistics;
}

static wp_pipeline_statistics whole_of(wp_pipeline *pipeline) {
  wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &statistics), WP_OK);
  return statistics;
}

/* The calls of all workers, whose times must add up within 2 %. */
static uint64_t calls_of_workers(wp_pool *pool) {
  uint64_t calls = 0;
  for (uint32_t i = 0; i < wp_pool_workers(pool); i++) {
    wp_worker_statistics worker = { .struct_size = sizeof worker };
    CHECK_EQUAL(wp_pool_worker_statistics(pool, i, &worker), WP_OK);
    uint64_t sum = worker.busy_ns + worker.blocked_ns + worker.engine_ns + worker.idle_ns;
    uint64_t error = sum > worker.wall_ns ? sum - worker.wall_ns : worker.wall_ns - sum;
    CHECK(error <= worker.wall_ns / 50);
    CHECK_EQUAL(worker.is_host_thread, 0);
    calls += worker.calls;
  }
  return calls;
}

/* Much work, which no compiler can leave out. */
static int32_t burn(WITHIN(context)) {
  (void)context;
  UNUSED;
  for (uint64_t i = 0; i < 400000; i++) __asm__ volatile("");
  return WP_STAGE_OK;
}

static int32_t meet_two(WITHIN(context)) {
  UNUSED;
  gate_raise(context, 1);
  gate_wait(context, 2);
  return WP_STAGE_OK;
}

static void the_seat_of_a_host_thread_has_a_meter(void) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = 2;
  options.host_workers = 1;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  counter two = { 2, 0 };
  gate both = GATE;
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  set_source(pipeline, count_up, &two);
  add_stage(pipeline, WP_PARALLEL, meet_two, &both);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  for (uint32_t i = 0; i < 2; i++) {
    wp_worker_statistics worker = { .struct_size = sizeof worker };
    CHECK_EQUAL(wp_pool_worker_statistics(pool, i, &worker), WP_OK);
    CHECK_EQUAL(worker.is_host_thread, i);
    CHECK(worker.calls > 0);
    CHECK_EQUAL(worker.busy_ns + worker.blocked_ns + worker.engine_ns + worker.idle_ns, worker.wall_ns);
  }
  destroy(pipeline, pool);
}

static void a17(void) {
  static const uint32_t workers[] = { 1, 2, 3, 8, 64 };
  for (int i = 0; i < 5; i++) {
    enum { BLOCKS = 200 };
    counter counter = { BLOCKS, 0 };
    wp_pool *pool = pool_of(workers[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 12);
    set_source(pipeline, count_up, &counter);
    add_stage(pipeline, WP_PARALLEL, pass, NULL);
    add_stage(pipeline, WP_SERIAL, burn, NULL);
    add_stage(pipeline, WP_SERIAL_ANY_ORDER, pass, NULL);
    set_sink(pipeline, pass, NULL);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    uint64_t before[5] = { 0 };
    while (wp_pipeline_wait(pipeline, 1000000) == WP_TIMED_OUT) {
      wp_pipeline_statistics whole = whole_of(pipeline);
      CHECK(whole.blocks_in <= BLOCKS && whole.in_flight <= 12 && whole.in_flight_max <= 12);
      for (uint32_t stage = 0; stage < 5; stage++) {
        wp_stage_statistics seen = stage_of(pipeline, stage);
        CHECK(seen.calls >= before[stage] && seen.calls <= BLOCKS + 1);
        CHECK(seen.parked_now <= 12 && seen.parked_max <= 12);
        before[stage] = seen.calls;
      }
      calls_of_workers(pool);
    }
    uint64_t calls = 0;
    for (uint32_t stage = 0; stage < 5; stage++) {
      wp_stage_statistics seen = stage_of(pipeline, stage);
      CHECK_EQUAL(seen.calls, BLOCKS + (stage == 0));
      CHECK_EQUAL(seen.blocks_in, BLOCKS);
      CHECK_EQUAL(seen.blocks_out, BLOCKS);
      calls += seen.calls;
    }
    CHECK_EQUAL(whole_of(pipeline).bottleneck_stage, 2);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    CHECK_EQUAL(calls_of_workers(pool), calls);
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

/* ----- timeline ----- */

typedef struct text {
  char *data;
  size_t size;
  int32_t answer;
} text;

static int32_t gather(void *context, const void *data, size_t size) {
  text *text = context;
  if (text->answer) return text->answer;
  text->data = realloc(text->data, text->size + size + 1);
  memcpy(text->data + text->size, data, size);
  text->size += size;
  text->data[text->size] = 0;
  return 0;
}

static uint64_t occurrences(const text *text, const char *what) {
  uint64_t count = 0;
  for (const char *at = text->data; (at = strstr(at, what)); at += strlen(what)) count++;
  return count;
}

static void timeline(void) {
  counter counter = { 1000, 0 };
  wp_pool *pool = pool_of(3);
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.timeline_events = 4000;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  set_source(pipeline, count_up, &counter);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  add_stage(pipeline, WP_SERIAL, pass, NULL);
  text text = { NULL, 0, 0 };
  CHECK_EQUAL(wp_pipeline_write_timeline(pipeline, gather, &text), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_write_timeline(pipeline, gather, &text), WP_OK);
  CHECK_EQUAL(occurrences(&text, "\"ph\":\"X\""), 3001);
  CHECK_EQUAL(occurrences(&text, "\"name\":\"stage 1\""), 1000);
  CHECK_EQUAL(occurrences(&text, "\"thread_name\""), 4);
  CHECK_EQUAL(occurrences(&text, "\"events_lost\":0"), 1);
  CHECK_EQUAL(text.data[0], '{');
  CHECK_EQUAL(text.data[text.size - 2], '}');
  CHECK_EQUAL(whole_of(pipeline).timeline_events_lost, 0);
  text.answer = -1234;
  CHECK_EQUAL(wp_pipeline_write_timeline(pipeline, gather, &text), -1234);
  text.answer = 1;
  CHECK_EQUAL(wp_pipeline_write_timeline(pipeline, gather, &text), WP_IO_FAILED);
  CHECK_EQUAL(wp_pipeline_write_timeline(pipeline, NULL, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_write_timeline(NULL, gather, &text), WP_INVALID_ARGUMENT);
  free(text.data);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);

  options.timeline_events = (1 << 24) + 1;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void refusals(void) {
  wp_pool *pool = pool_of(2);
  wp_worker_statistics worker = { .struct_size = sizeof worker };
  CHECK_EQUAL(wp_pool_worker_statistics(pool, 2, &worker), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_worker_statistics(pool, UINT32_MAX, &worker), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_worker_statistics(NULL, 0, &worker), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_worker_statistics(pool, 0, NULL), WP_INVALID_ARGUMENT);
  worker.struct_size--;
  CHECK_EQUAL(wp_pool_worker_statistics(pool, 0, &worker), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

int main(void) {
  RUN("the seat of a thread of the host has a meter", the_seat_of_a_host_thread_has_a_meter);
  RUN("A17: calls are blocks, times of workers add up, the slow stage is the bottleneck", a17);
  RUN("a timeline shows every call, and its writer may refuse it", timeline);
  RUN("worker statistics refuse what is not there", refusals);
  return CHECK_SUMMARY();
}
