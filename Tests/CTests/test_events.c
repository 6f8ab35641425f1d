// SPDX-License-Identifier: MIT
/* What happens to a run by the clock: its deadline, progress, and what is told of one that is stuck. */
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

/* ----- dumps ----- */

typedef struct page {
  char text[20000];
  size_t size, lines, most; /* `most` lines are taken; 0: all */
} page;

static int32_t write_down(void *context, const char *text, size_t size) {
  page *page = context;
  CHECK(size > 0 && text[size - 1] == '\n');
  CHECK(memchr(text, '\n', size - 1) == NULL);
  CHECK_EQUAL(strlen(text), size);
  if (page->size + size < sizeof page->text) {
    memcpy(page->text + page->size, text, size);
    page->size += size;
    page->text[page->size] = 0;
  }
  page->lines++;
  return page->most && page->lines == page->most;
}

static int pipeline_says(wp_pipeline *pipeline, const char *words) {
  page page = { "", 0, 0, 0 };
  CHECK_EQUAL(wp_pipeline_dump(pipeline, write_down, &page), WP_OK);
  return strstr(page.text, words) != NULL;
}
static int pool_says(wp_pool *pool, const char *words) {
  page page = { "", 0, 0, 0 };
  CHECK_EQUAL(wp_pool_dump(pool, write_down, &page), WP_OK);
  return strstr(page.text, words) != NULL;
}

static gate dumped = GATE;
static int32_t hang_at_four(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 4) gate_wait(&dumped, 1);
  return WP_STAGE_OK;
}

static void a_dump_names_the_stage_that_hangs(void) {
  EACH_COUNT(i) {
    wp_pool *pool = pool_of(worker_counts[i]);
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    wp_stage_options hanging = stage(WP_SERIAL, hang_at_four, NULL);
    counter counter = { 30, 0 };
    hanging.name = "hangs";
    set_source(pipeline, count_up, &counter);
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &hanging), 1);
    CHECK(pipeline_says(pipeline, "not started"));
    dumped.value = 0;
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    while (!pipeline_says(pipeline, ": block 4 in stage 1 (hangs) for ")) sched_yield();
    CHECK(pipeline_says(pipeline, "pipeline source > hangs: running"));
    CHECK(pool_says(pool, ": block 4 in stage 1 (hangs) for "));
    CHECK(pool_says(pool, "pool of "));
    gate_raise(&dumped, 1);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    CHECK(pipeline_says(pipeline, ": ended"));
    CHECK(!pool_says(pool, "hangs"));
    destroy(pipeline, pool);
  }
}

static void a_dump_ends_when_nobody_wants_more(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
  page page = { "", 0, 0, 1 };
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_dump(pipeline, write_down, &page), WP_STOPPED);
  CHECK_EQUAL(page.lines, 1);
  CHECK_EQUAL(wp_pool_dump(pool, write_down, &page), WP_OK); /* it has had its line */
  CHECK_EQUAL(wp_pipeline_dump(pipeline, NULL, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pipeline_dump(NULL, write_down, &page), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_dump(pool, NULL, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_dump(NULL, write_down, &page), WP_INVALID_ARGUMENT);
  destroy(pipeline, pool);
}

/* ----- stuck ----- */

typedef struct report {
  gate calls;
  int32_t names_the_missing_block;
} report;

static void keep_report(void *context, const char *dump) {
  report *report = context;
  report->names_the_missing_block = strstr(dump, "never submitted so far: 0\n") != NULL;
  gate_raise(&report->calls, 1);
}

static void a_run_that_is_stuck_is_reported_and_cancelled_if_asked(void) {
  EACH_COUNT(i) {
    for (uint32_t flags = 0; flags <= WP_PIPELINE_CANCEL_WHEN_STUCK;
         flags += WP_PIPELINE_CANCEL_WHEN_STUCK) {
      wp_pool *pool = pool_of(worker_counts[i]);
      wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
      wp_pipeline *pipeline = NULL;
      wp_payload payload = { 0 };
      report report = { GATE, 0 };
      options.flags = flags;
      options.stuck_after_ns = soon;
      options.on_stuck = keep_report;
      options.stuck_context = &report;
      CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
      add_stage(pipeline, WP_SERIAL, pass, NULL);
      CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
      CHECK_EQUAL(wp_pipeline_submit_numbered(pipeline, 1, &payload, -1), WP_OK);
      gate_wait(&report.calls, 1);
      CHECK(report.names_the_missing_block);
      if (flags) {
        CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_CANCELLED);
      } else {
        CHECK_EQUAL(wp_pipeline_submit_numbered(pipeline, 0, &payload, -1), WP_OK);
        CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
        CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
      }
      CHECK_EQUAL(report.calls.value, 1);
      destroy(pipeline, pool);
    }
  }
}

static uint32_t reason_seen; /* atomic */
static int32_t wait_for_cancel(WITHIN(context)) {
  (void)context;
  UNUSED;
  while (!wp_token_is_cancelled(call->token)) sched_yield();
  __atomic_store_n(&reason_seen, wp_token_is_cancelled(call->token), __ATOMIC_RELAXED);
  return WP_STAGE_OK;
}

static void a_callback_sees_why_the_run_was_cancelled(void) {
  wp_pool *pool = pool_of(2);
  for (int32_t is_stuck = 0; is_stuck < 2; is_stuck++) {
    wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
    wp_pipeline *pipeline = NULL;
    counter counter = { 3, 0 };
    if (is_stuck) {
      options.flags = WP_PIPELINE_CANCEL_WHEN_STUCK;
      options.stuck_after_ns = soon;
    } else {
      options.run_timeout_ns = soon;
    }
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
    set_source(pipeline, count_up, &counter);
    add_stage(pipeline, WP_PARALLEL, wait_for_cancel, NULL);
    reason_seen = 0;
    int32_t status = wp_pipeline_run(pipeline);
    CHECK_EQUAL(status, is_stuck ? WP_CANCELLED : WP_TIMED_OUT);
    if (reason_seen) CHECK_EQUAL(reason_seen, is_stuck ? WP_CANCEL_STUCK : WP_CANCEL_DEADLINE);
    CHECK(reason_seen || !is_stuck); /* a deadline may come before the first block */
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void a_watch_needs_a_time_and_something_to_do(void) {
  wp_pool *pool = pool_of(1);
  wp_pipeline *pipeline = NULL;
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  options.stuck_after_ns = 1;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  options.on_stuck = keep_report;
  options.stuck_after_ns = 0;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  options.stuck_after_ns = -1;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  options.stuck_after_ns = 1;
  options.flags = WP_PIPELINE_SERIAL_REFERENCE;
  CHECK_EQUAL(wp_pipeline_create(NULL, &options, &pipeline), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
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
  RUN("a dump names the stage that hangs", a_dump_names_the_stage_that_hangs);
  RUN("a dump ends when nobody wants more", a_dump_ends_when_nobody_wants_more);
  RUN("a run that is stuck is reported, and cancelled if asked",
      a_run_that_is_stuck_is_reported_and_cancelled_if_asked);
  RUN("a callback sees why the run was cancelled", a_callback_sees_why_the_run_was_cancelled);
  RUN("a watch needs a time and something to do", a_watch_needs_a_time_and_something_to_do);
  return CHECK_SUMMARY();
}
