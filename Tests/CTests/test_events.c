// SPDX-License-Identifier: MIT
/* What happens to a run by the clock: its deadline, and progress. */
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

/* ----- progress ----- */

typedef struct listener {
  wp_pipeline *pipeline;
  gate calls;
  int64_t inside, destroyed; /* atomic */
  int32_t cancels;
  uint64_t leaves; /* its own number, once it shall unsubscribe itself */
  wp_progress last;
} listener;
#define LISTENER(pipeline) { pipeline, GATE, 0, 0, 0, 0, { 0 } }

static void listen_to(void *context, const wp_progress *progress) {
  listener *listener = context;
  CHECK_EQUAL(__atomic_add_fetch(&listener->inside, 1, __ATOMIC_SEQ_CST), 1);
  CHECK_EQUAL(progress->struct_size, sizeof *progress);
  CHECK_EQUAL(progress->flags & ~WP_PROGRESS_LAST, 0);
  CHECK_EQUAL(wp_pipeline_wait(listener->pipeline, -1), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(wp_pipeline_destroy(listener->pipeline), WP_BUSY);
  if (listener->cancels) CHECK_EQUAL(wp_pipeline_cancel(listener->pipeline), WP_OK);
  if (listener->leaves) {
    CHECK_EQUAL(wp_pipeline_unsubscribe(listener->pipeline, listener->leaves), WP_OK);
    CHECK_EQUAL(__atomic_load_n(&listener->destroyed, __ATOMIC_RELAXED), 0);
  }
  listener->last = *progress;
  __atomic_sub_fetch(&listener->inside, 1, __ATOMIC_SEQ_CST);
  gate_raise(&listener->calls, 1);
}

static void part(void *context) {
  listener *listener = context;
  __atomic_add_fetch(&listener->destroyed, 1, __ATOMIC_RELAXED);
}

static uint64_t subscribe(listener *listener, int64_t interval_ns) {
  wp_subscriber_options options = WP_SUBSCRIBER_OPTIONS_INIT;
  uint64_t id = 0;
  options.interval_ns = interval_ns;
  options.fn = listen_to;
  options.context = listener;
  options.destroy_context = part;
  CHECK_EQUAL(wp_pipeline_subscribe(listener->pipeline, &options, &id), WP_OK);
  CHECK(id != 0);
  return id;
}

static int32_t fill(WITHIN(context)) {
  UNUSED;
  if (block->number == *(uint64_t *)context) return WP_SOURCE_END;
  if (wp_block_reserve(block, 8) != WP_OK) return -1000;
  block->size = 8;
  return WP_STAGE_OK;
}

static void the_last_call_comes_before_the_end(void) {
  EACH_COUNT(i) {
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    listener one = LISTENER(pipeline), two = LISTENER(pipeline);
    uint64_t count = 100;
    set_source(pipeline, fill, &count);
    add_stage(pipeline, WP_PARALLEL, pass, NULL);
    subscribe(&one, far_away);
    subscribe(&two, far_away);
    CHECK_EQUAL(wp_pipeline_set_total(pipeline, 1000, 800), WP_OK);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    CHECK_EQUAL(one.calls.value, 1);
    CHECK_EQUAL(two.calls.value, 1);
    CHECK_EQUAL(one.last.flags, WP_PROGRESS_LAST);
    CHECK_EQUAL(one.last.blocks_in, 100);
    CHECK_EQUAL(one.last.blocks_out, 100);
    CHECK_EQUAL(one.last.bytes_in, 800);
    CHECK_EQUAL(one.last.bytes_out, 800);
    CHECK_EQUAL(one.last.in_flight, 0);
    CHECK_EQUAL(one.last.total_blocks, 100);
    CHECK_EQUAL(one.last.total_bytes, 800);
    CHECK_EQUAL(one.last.eta_ns, 0);
    CHECK(one.last.blocks_per_second > 0 && one.last.bytes_per_second > 0);
    CHECK_EQUAL(one.destroyed, 0);
    destroy(pipeline, pool);
    CHECK_EQUAL(one.destroyed, 1);
    CHECK_EQUAL(two.destroyed, 1);
  }
}

static void subscribers_are_called_while_it_runs_and_may_cancel(void) {
  EACH_COUNT(i) {
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    listener listener = LISTENER(pipeline), killer = LISTENER(pipeline);
    killer.cancels = 1;
    subscribe(&listener, 1);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    gate_wait(&listener.calls, 3);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_TIMED_OUT);
    subscribe(&killer, 1);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_CANCELLED);
    CHECK(listener.last.flags == WP_PROGRESS_LAST && killer.last.flags == WP_PROGRESS_LAST);
    destroy(pipeline, pool);
    CHECK_EQUAL(killer.destroyed, 1);
  }
}

static void subscriptions_end_at_any_time(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
  listener one = LISTENER(pipeline), two = LISTENER(pipeline), never = LISTENER(pipeline);
  uint64_t id = subscribe(&never, 1);
  CHECK_EQUAL(wp_pipeline_unsubscribe(pipeline, id), WP_OK);
  CHECK_EQUAL(never.destroyed, 1);
  CHECK_EQUAL(wp_pipeline_unsubscribe(pipeline, id), WP_INVALID_ARGUMENT);
  id = subscribe(&one, 1);
  two.leaves = id + 1;
  CHECK_EQUAL(subscribe(&two, far_away), id + 1);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  gate_wait(&one.calls, 1);
  CHECK_EQUAL(wp_pipeline_unsubscribe(pipeline, id), WP_OK);
  CHECK_EQUAL(one.destroyed, 1);
  uint64_t calls = one.calls.value;
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(one.calls.value, calls);
  CHECK_EQUAL(two.calls.value, 1);
  CHECK_EQUAL(two.destroyed, 1);
  CHECK_EQUAL(never.calls.value, 0);
  destroy(pipeline, pool);
}

static void wrong_subscribers_are_refused(void) {
  wp_pool *pool = pool_of(1);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
  wp_subscriber_options options = WP_SUBSCRIBER_OPTIONS_INIT;
  listener listener = LISTENER(pipeline);
  uint64_t id = 0;
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, NULL, &id), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, &options, &id), WP_INVALID_ARGUMENT);
  options.fn = listen_to;
  options.context = &listener;
  options.destroy_context = part;
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, &options, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_subscribe(NULL, &options, &id), WP_INVALID_ARGUMENT);
  options.interval_ns = -1;
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, &options, &id), WP_INVALID_ARGUMENT);
  options.interval_ns = 0;
  options.reserved = 1;
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, &options, &id), WP_INVALID_ARGUMENT);
  options.reserved = 0;
  options.struct_size = 8;
  CHECK_EQUAL(wp_pipeline_subscribe(pipeline, &options, &id), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(listener.destroyed, 0);
  CHECK_EQUAL(wp_pipeline_set_total(NULL, 1, 1), WP_INVALID_ARGUMENT);
  destroy(pipeline, pool);
}

int main(void) {
  RUN("a run that takes too long times out", a_run_that_takes_too_long_times_out);
  RUN("waiters at a deadline are cancelled", waiters_at_a_deadline_are_cancelled);
  RUN("a wait that times out has no result", a_wait_that_times_out_has_no_result);
  RUN("the serial reference has deadlines too", the_serial_reference_has_deadlines_too);
  RUN("a negative run timeout is refused", a_negative_run_timeout_is_refused);
  RUN("the last progress call comes before the end", the_last_call_comes_before_the_end);
  RUN("subscribers are called while it runs, and may cancel",
      subscribers_are_called_while_it_runs_and_may_cancel);
  RUN("subscriptions end at any time", subscriptions_end_at_any_time);
  RUN("wrong subscribers are refused", wrong_subscribers_are_refused);
  return CHECK_SUMMARY();
}
