// SPDX-License-Identifier: MIT
/* Pipelines that the host feeds and reads: submit, close, flush, results, numbers, cancel. */
#include <stdlib.h>

#include "stages.h"

static const uint32_t worker_counts[] = { 1, 2, 8, 64 };
static wp_pool *pool;
static uint32_t workers;

#define FOR_EACH_POOL(body) \
  for (int w_ = 0; w_ < 4; w_++) { \
    workers = worker_counts[w_]; \
    pool = pool_of(workers); \
    body(); \
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK); \
  }

static wp_payload copied(const void *data, size_t size) {
  wp_payload payload = { 0 };
  payload.data = (void *)data;
  payload.size = size;
  return payload;
}

static int32_t submit_number(wp_pipeline *pipeline, uint64_t value, int64_t timeout) {
  wp_payload payload = copied(&value, sizeof value);
  payload.meta[0] = value;
  int32_t status = wp_pipeline_submit(pipeline, &payload, timeout);
  value = UINT64_MAX; /* the library has its own copy */
  return status;
}

static int32_t check_copy(WITHIN(context)) {
  (void)context;
  UNUSED;
  CHECK_EQUAL(block->size, sizeof(uint64_t));
  CHECK(!memcmp(block->data, &block->meta[0], sizeof(uint64_t)));
  CHECK_EQUAL(block->meta[0], 5 * block->number);
  return WP_STAGE_OK;
}

/* ----- submit, close, wait ----- */

static void submitted_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 3);
  add_stage(pipeline, WP_PARALLEL, check_copy, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_INVALID_STATE);
  for (int run = 0; run < 3; run++) {
    memory.count = 0;
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_INVALID_STATE);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_TIMED_OUT);
    for (uint64_t i = 0; i < 500; i++) CHECK_EQUAL(submit_number(pipeline, 5 * i, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
    CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_CLOSED);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    check_prefix(&memory, 500);
  }
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void submitted(void) { FOR_EACH_POOL(submitted_); }

static void empty_(void) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_stop(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_STOPPED);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void empty(void) { FOR_EACH_POOL(empty_); }

static gate inside = GATE, outside = GATE;
static int32_t hold(WITHIN(context)) {
  (void)context;
  UNUSED;
  gate_raise(&inside, 1);
  gate_wait(&outside, 1);
  return WP_STAGE_OK;
}

static void full_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  inside.value = outside.value = 0;
  add_stage(pipeline, WP_SERIAL, hold, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t i = 0; i < 4; i++) CHECK_EQUAL(submit_number(pipeline, i, 0), WP_OK);
  gate_wait(&inside, 1);
  CHECK_EQUAL(submit_number(pipeline, 4, 0), WP_WOULD_BLOCK);
  CHECK_EQUAL(submit_number(pipeline, 4, 1000000), WP_TIMED_OUT);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, 1000000), WP_TIMED_OUT);
  gate_raise(&outside, 1);
  CHECK_EQUAL(submit_number(pipeline, 4, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  CHECK_EQUAL(memory.count, 5);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  check_prefix(&memory, 5);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void full(void) { FOR_EACH_POOL(full_); }

enum { PRODUCERS = 5, EACH = 400 };
static void *produce(void *pipeline) {
  for (uint64_t i = 0; i < EACH; i++) CHECK_EQUAL(submit_number(pipeline, i, -1), WP_OK);
  return NULL;
}

static void producers_(void) {
  memory memory = { 0 };
  pthread_t threads[PRODUCERS];
  wp_pipeline *pipeline = pipeline_on(pool, 0, 2);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (int i = 0; i < PRODUCERS; i++) pthread_create(&threads[i], NULL, produce, pipeline);
  for (int i = 0; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  check_prefix(&memory, PRODUCERS * EACH);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void producers(void) { FOR_EACH_POOL(producers_); }

/* ----- results ----- */

static void one_thread_(void) {
  wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS, 3);
  wp_block *block = NULL;
  uint64_t sent = 0, got = 0;
  add_stage(pipeline, WP_PARALLEL, check_copy, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, 0, &block), WP_WOULD_BLOCK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, 1000000, &block), WP_TIMED_OUT);
  while (sent < 200) {
    int32_t status = submit_number(pipeline, 5 * sent, -1);
    if (status == WP_OK) {
      sent++;
      continue;
    }
    CHECK_EQUAL(status, WP_RESULTS_WAITING);
    CHECK_EQUAL(sent - got, 3);
    CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
    CHECK_EQUAL(block->number, got++);
    wp_block_release(block);
  }
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  while (got < 200) {
    CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
    CHECK_EQUAL(block->number, got++);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_BUSY);
    wp_block_release(block);
  }
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_END);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, 0, &block), WP_END);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  wp_block_release(NULL);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void one_thread(void) { FOR_EACH_POOL(one_thread_); }

static void all_held_(void) {
  wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS, 2);
  wp_block *held[2], *more = NULL;
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t i = 0; i < 2; i++) CHECK_EQUAL(submit_number(pipeline, i, -1), WP_OK);
  for (int i = 0; i < 2; i++) CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &held[i]), WP_OK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &more), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(submit_number(pipeline, 2, -1), WP_RESULTS_WAITING);
  wp_block_release(held[0]);
  CHECK_EQUAL(submit_number(pipeline, 2, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &more), WP_OK);
  CHECK_EQUAL(more->number, 2);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  wp_block_release(held[1]);
  wp_block_release(more);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &more), WP_END);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void all_held(void) { FOR_EACH_POOL(all_held_); }

/* Nothing that is still to come needs a place then. */
static void ended_while_held_(void) {
  static const uint32_t flags[] = { 0, WP_PIPELINE_UNORDERED };
  for (int i = 0; i < 2; i++) {
    for (int stops = 0; stops < 2; stops++) {
      int32_t end = stops ? WP_STOPPED : WP_CANCELLED;
      wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS | flags[i], 2);
      wp_block *held[2] = { NULL, NULL }, *more = NULL;
      counter many = { UINT64_MAX, 0 };
      set_source(pipeline, count_up, &many);
      add_stage(pipeline, WP_PARALLEL, pass, NULL);
      CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
      for (int n = 0; n < 2; n++) CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &held[n]), WP_OK);
      CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &more), WP_WOULD_DEADLOCK);
      CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_RESULTS_WAITING);
      CHECK_EQUAL(stops ? wp_pipeline_stop(pipeline) : wp_pipeline_cancel(pipeline), WP_OK);
      CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), end);
      CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &more), end);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_BUSY);
      for (int n = 0; n < 2; n++) wp_block_release(held[n]);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    }
  }
}
static void ended_while_held(void) { FOR_EACH_POOL(ended_while_held_); }

static void *read_all(void *pipeline) {
  uint64_t expected = 0;
  wp_block *block;
  while (wp_pipeline_next_result(pipeline, -1, &block) == WP_OK) {
    CHECK_EQUAL(block->number, expected);
    CHECK_EQUAL(block->meta[0], expected);
    expected++;
    wp_block_release(block);
  }
  return (void *)(uintptr_t)expected;
}

static void two_threads_(void) {
  wp_pipeline *pipeline = pipeline_on(
    pool, WP_PIPELINE_PULL_RESULTS | WP_PIPELINE_READER_IS_ANOTHER_THREAD, 2);
  pthread_t reader;
  void *read = NULL;
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  pthread_create(&reader, NULL, read_all, pipeline);
  for (uint64_t i = 0; i < 1000; i++) CHECK_EQUAL(submit_number(pipeline, i, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  pthread_join(reader, &read);
  CHECK_EQUAL((uintptr_t)read, 1000);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void two_threads(void) { FOR_EACH_POOL(two_threads_); }

static int32_t fail_at_fifty(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number == 50 ? -1050 : WP_STAGE_OK;
}

static void prefix_first_(void) {
  counter endless = { UINT64_MAX, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS, 8);
  wp_block *block = NULL;
  set_source(pipeline, count_up, &endless);
  add_stage(pipeline, WP_PARALLEL, fail_at_fifty, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t i = 0; i < 50; i++) {
    CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
    CHECK_EQUAL(block->number, i);
    wp_block_release(block);
  }
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_STAGE_FAILED);
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_STAGE_FAILED);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_STAGE_FAILED);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void prefix_first(void) { FOR_EACH_POOL(prefix_first_); }

/* ----- the input is cut while the host submits ----- */

static int32_t stop_at_thirty(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number == 30 ? WP_STAGE_STOP : WP_STAGE_OK;
}

static void cut_input_(void) {
  static const struct {
    wp_stage_fn fn;
    int32_t status;
    uint64_t delivered;
  } cases[] = { { stop_at_thirty, WP_STOPPED, 31 }, { fail_at_fifty, WP_STAGE_FAILED, 50 } };
  for (int i = 0; i < 2; i++) {
    memory memory = { 0 };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
    add_stage(pipeline, WP_PARALLEL, cases[i].fn, NULL);
    set_sink(pipeline, remember, &memory);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    int32_t status;
    uint64_t accepted = 0;
    while ((status = submit_number(pipeline, 0, -1)) == WP_OK) accepted++;
    CHECK_EQUAL(status, cases[i].status);
    CHECK(accepted <= cases[i].delivered + 4 + 1);
    CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), cases[i].status);
    check_prefix(&memory, cases[i].delivered);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
}
static void cut_input(void) { FOR_EACH_POOL(cut_input_); }

/* ----- numbers of the caller ----- */

static int32_t submit_at(wp_pipeline *pipeline, uint64_t number, int64_t timeout) {
  wp_payload payload = copied(&number, sizeof number);
  payload.meta[0] = number;
  return wp_pipeline_submit_numbered(pipeline, number, &payload, timeout);
}

static void numbered_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t base = 0; base < 400; base += 8) {
    for (uint64_t i = 8; i-- > 0;) CHECK_EQUAL(submit_at(pipeline, base + i, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
    CHECK_EQUAL(submit_at(pipeline, base + 3, -1), WP_DUPLICATE_BLOCK);
  }
  CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_INVALID_STATE);
  CHECK_EQUAL(submit_at(pipeline, 401, -1), WP_OK);
  CHECK_EQUAL(submit_at(pipeline, 401, -1), WP_DUPLICATE_BLOCK);
  CHECK_EQUAL(submit_at(pipeline, 408, 0), WP_WOULD_BLOCK);
  CHECK_EQUAL(submit_at(pipeline, UINT64_C(1) << 40, 1000000), WP_TIMED_OUT);
  CHECK_EQUAL(wp_pipeline_skip(pipeline, 400, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_skip(pipeline, 400, -1), WP_DUPLICATE_BLOCK);
  CHECK_EQUAL(submit_at(pipeline, 400, -1), WP_DUPLICATE_BLOCK);
  CHECK_EQUAL(submit_at(pipeline, 408, -1), WP_OK);
  for (uint64_t i = 402; i < 408; i++) CHECK_EQUAL(submit_at(pipeline, i, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(memory.count, 408);
  CHECK_EQUAL(memory.number[399], 399);
  CHECK_EQUAL(memory.number[400], 401);
  CHECK_EQUAL(memory.last, 408);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void numbered(void) { FOR_EACH_POOL(numbered_); }

static void missing_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 10);
  add_stage(pipeline, WP_PARALLEL, pass, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  static const uint64_t numbers[] = { 0, 1, 2, 5, 6, 8 };
  for (int i = 0; i < 6; i++) CHECK_EQUAL(submit_at(pipeline, numbers[i], -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_MISSING_BLOCK);
  check_prefix(&memory, 3);
  CHECK_EQUAL(result_of(pipeline).number, 3);
  memory.count = 0;
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_OK);
  CHECK_EQUAL(submit_at(pipeline, 1, -1), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_skip(pipeline, 1, -1), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void missing(void) { FOR_EACH_POOL(missing_); }

typedef struct share {
  wp_pipeline *pipeline;
  uint64_t first, step, end;
} share;

static void *submit_share(void *context) {
  share *share = context;
  for (uint64_t i = share->first; i < share->end; i += share->step) {
    CHECK_EQUAL(submit_at(share->pipeline, i, -1), WP_OK);
  }
  return NULL;
}

static void numbered_producers_(void) {
  for (uint32_t limit = 1; limit <= 16; limit *= 4) {
    memory memory = { 0 };
    pthread_t threads[3];
    share shares[3];
    wp_pipeline *pipeline = pipeline_on(pool, 0, limit);
    add_stage(pipeline, WP_SERIAL, pass, NULL);
    set_sink(pipeline, remember, &memory);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    for (uint64_t i = 0; i < 3; i++) {
      shares[i] = (share){ pipeline, 2 - i, 3, 900 };
      pthread_create(&threads[i], NULL, submit_share, &shares[i]);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    check_prefix(&memory, 900);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
}
static void numbered_producers(void) { FOR_EACH_POOL(numbered_producers_); }

/* ----- cancel ----- */

typedef struct waiter {
  wp_pipeline *pipeline;
  int kind;
  int32_t status;
} waiter;

static gate waiting = GATE;
static void *wait_somewhere(void *context) {
  waiter *waiter = context;
  wp_block *block = NULL;
  gate_raise(&waiting, 1);
  switch (waiter->kind) {
  case 0: waiter->status = wp_pipeline_wait(waiter->pipeline, -1); break;
  case 1: waiter->status = wp_pipeline_flush(waiter->pipeline, -1); break;
  case 2: waiter->status = submit_number(waiter->pipeline, 9, -1); break;
  default: waiter->status = wp_pipeline_next_result(waiter->pipeline, -1, &block); break;
  }
  return NULL;
}

static void cancel_wakes_(void) {
  for (int pulls = 0; pulls < 2; pulls++) {
    for (int by_destroy = 0; by_destroy < 2; by_destroy++) {
      wp_pipeline *pipeline = pipeline_on(
        pool, pulls ? WP_PIPELINE_PULL_RESULTS | WP_PIPELINE_READER_IS_ANOTHER_THREAD : 0, 2);
      waiter waiters[4];
      pthread_t threads[4];
      int count = pulls ? 4 : 3;
      inside.value = outside.value = waiting.value = 0;
      add_stage(pipeline, WP_SERIAL, hold, NULL);
      CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
      for (uint64_t i = 0; i < 2; i++) CHECK_EQUAL(submit_number(pipeline, i, -1), WP_OK);
      gate_wait(&inside, 1);
      for (int i = 0; i < count; i++) {
        waiters[i] = (waiter){ pipeline, i, 0 };
        pthread_create(&threads[i], NULL, wait_somewhere, &waiters[i]);
      }
      gate_wait(&waiting, (uint64_t)count);
      CHECK_EQUAL(wp_pipeline_cancel(pipeline), WP_OK);
      for (int i = 1; i < count; i++) { /* these return while the callback still holds */
        pthread_join(threads[i], NULL);
        CHECK_EQUAL(waiters[i].status, WP_CANCELLED);
      }
      CHECK_EQUAL(submit_number(pipeline, 3, -1), WP_CANCELLED);
      CHECK_EQUAL(wp_pipeline_wait(pipeline, 0), WP_TIMED_OUT);
      gate_raise(&outside, 1);
      pthread_join(threads[0], NULL);
      CHECK_EQUAL(waiters[0].status, WP_CANCELLED);
      CHECK_EQUAL(wp_pipeline_cancel(pipeline), WP_OK);
      CHECK_EQUAL(result_of(pipeline).status, WP_CANCELLED);
      CHECK_EQUAL(inside.value, 1);
      if (by_destroy) { /* a run under way is cancelled by destroy too */
        CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
        CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_OK);
        CHECK_EQUAL(submit_number(pipeline, 1, -1), WP_OK);
      }
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    }
  }
}
static void cancel_wakes(void) { FOR_EACH_POOL(cancel_wakes_); }

static int32_t cancel_at_sixty(WITHIN(context)) {
  UNUSED;
  if (block->number == 60) {
    CHECK_EQUAL(wp_pipeline_cancel(context), WP_OK);
    CHECK(wp_token_is_cancelled(call->token) != 0);
  }
  return WP_STAGE_OK;
}

static int finished_with;
static int32_t note_finish(void *context, int32_t status) {
  (void)context;
  finished_with = status;
  return 0;
}

static void cancel_inside_(void) {
  counter endless = { UINT64_MAX, 0 };
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 6);
  finished_with = 0;
  set_source(pipeline, count_up, &endless);
  wp_stage_options options = stage(WP_SERIAL, cancel_at_sixty, pipeline);
  options.finish = note_finish;
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), 1);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_cancel(pipeline), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_CANCELLED);
  CHECK_EQUAL(finished_with, WP_CANCELLED);
  CHECK(memory.count <= 60);
  check_prefix(&memory, memory.count);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void cancel_inside(void) { FOR_EACH_POOL(cancel_inside_); }

/* ----- calls from callbacks ----- */

static int32_t wait_for_itself(WITHIN(context)) {
  UNUSED;
  wp_block *none = NULL;
  CHECK_EQUAL(wp_pipeline_wait(context, -1), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(wp_pipeline_flush(context, -1), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(wp_pipeline_destroy(context), WP_BUSY);
  CHECK_EQUAL(wp_pipeline_start(context), WP_INVALID_STATE);
  if (block->number == 0) {
    CHECK_EQUAL(submit_number(context, 1, 0), WP_OK);
    CHECK_EQUAL(submit_number(context, 2, 0), WP_WOULD_BLOCK);
    CHECK_EQUAL(submit_number(context, 2, -1), WP_WOULD_DEADLOCK);
  }
  CHECK_EQUAL(wp_pipeline_next_result(context, 0, &none), WP_INVALID_STATE);
  return WP_STAGE_OK;
}

static void from_callbacks_(void) {
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 2);
  add_stage(pipeline, WP_SERIAL, wait_for_itself, pipeline);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(submit_number(pipeline, 0, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  check_prefix(&memory, 2);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void from_callbacks(void) { FOR_EACH_POOL(from_callbacks_); }

static int32_t feed_next(WITHIN(context)) {
  UNUSED;
  CHECK_EQUAL(submit_number(context, block->number, -1), WP_OK);
  return WP_STAGE_OK;
}

static void chained_(void) {
  if (workers == 1) return; /* the sink of the first waits on a worker, the second needs another */
  counter counter = { 500, 0 };
  memory memory = { 0 };
  wp_pipeline *first = pipeline_on(pool, 0, 4), *second = pipeline_on(pool, 0, 3);
  set_source(first, count_up, &counter);
  set_sink(first, feed_next, second);
  add_stage(second, WP_PARALLEL, pass, NULL);
  set_sink(second, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(second), WP_OK);
  CHECK_EQUAL(wp_pipeline_run(first), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(second), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(second, -1), WP_OK);
  check_prefix(&memory, 500);
  CHECK_EQUAL(wp_pipeline_destroy(first), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(second), WP_OK);
}
static void chained(void) { FOR_EACH_POOL(chained_); }

int main(void) {
  RUN("what is submitted is delivered in order, run after run", submitted);
  RUN("a run without blocks ends with close or stop", empty);
  RUN("a full pipeline refuses, times out or waits, as asked", full);
  RUN("several producers may submit", producers);
  RUN("one thread can submit and read, and never hangs", one_thread);
  RUN("a host that holds every place is told so", all_held);
  RUN("a cancel or a stop ends a run although the host holds every place", ended_while_held);
  RUN("one thread submits, another reads", two_threads);
  RUN("results come before the error", prefix_first);
  RUN("submit ends when a stage ends the input", cut_input);
  RUN("blocks may come under their own numbers, in any order", numbered);
  RUN("a missing number is an error after the blocks before it", missing);
  RUN("several producers may bring numbered blocks", numbered_producers);
  RUN("cancel wakes whoever waits", cancel_wakes);
  RUN("a stage can cancel; what was delivered is a prefix", cancel_inside);
  RUN("calls that would wait for their own callback are refused", from_callbacks);
  RUN("a stage may feed another pipeline of the pool", chained);
  return CHECK_SUMMARY();
}
