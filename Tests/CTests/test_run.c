// SPDX-License-Identifier: MIT
/* Pipelines with a source: order, drop, stop, errors, limits, hooks, statistics. */
#include <stdlib.h>

#include "stages.h"

static const uint32_t worker_counts[] = { 1, 2, 3, 8, 64 };
enum { WORKER_COUNTS = 5 };
static wp_pool *pool; /* of the worker count that is tried */
static uint32_t workers;

#define FOR_EACH_POOL(body) \
  for (int w_ = 0; w_ < WORKER_COUNTS; w_++) { \
    workers = worker_counts[w_]; \
    pool = pool_of(workers); \
    body(); \
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK); \
  }

/* ----- a stage that answers as told ----- */

typedef struct answer {
  uint64_t number;
  int32_t code;
} answer;

typedef struct script {
  answer answers[8]; /* ends with code 0 */
  uint64_t calls, highest; /* of serial stages */
  uint8_t is_serial;
} script;

static int32_t follow(WITHIN(context)) {
  script *script = context;
  UNUSED;
  __atomic_fetch_add(&script->calls, 1, __ATOMIC_RELAXED);
  if (script->is_serial) script->highest = block->number;
  for (const answer *answer = script->answers; answer->code; answer++) {
    if (answer->number == block->number) {
      return answer->code < 0 ? wp_block_fail(block, answer->code, "as told") : answer->code;
    }
  }
  return WP_STAGE_OK;
}

typedef struct trial {
  counter counter;
  script first, second;
  memory memory;
  wp_pipeline *pipeline;
  int32_t status;
  wp_result result;
} trial;

/* source --> first (parallel) --> second (kind) --> sink */
static void run_trial(trial *trial, uint32_t flags, uint32_t limit, uint32_t kind) {
  trial->pipeline = pipeline_on(pool, flags, limit);
  trial->second.is_serial = kind == WP_SERIAL;
  set_source(trial->pipeline, count_up, &trial->counter);
  CHECK_EQUAL(add_stage(trial->pipeline, WP_PARALLEL, follow, &trial->first), 1);
  CHECK_EQUAL(add_stage(trial->pipeline, kind, follow, &trial->second), 2);
  set_sink(trial->pipeline, remember, &trial->memory);
  trial->status = wp_pipeline_run(trial->pipeline);
  trial->result = result_of(trial->pipeline);
  CHECK_EQUAL(trial->result.status, trial->status);
  CHECK_EQUAL(trial->result.blocks_delivered, trial->memory.count);
}

static void end_trial(trial *trial) { CHECK_EQUAL(wp_pipeline_destroy(trial->pipeline), WP_OK); }

/* ----- order ----- */

static void order_(void) {
  trial t = { .counter = { 1000, 0 } };
  run_trial(&t, 0, 16, WP_SERIAL);
  CHECK_EQUAL(t.status, WP_OK);
  check_prefix(&t.memory, 1000);
  CHECK_EQUAL(t.first.calls, 1000);
  CHECK_EQUAL(t.second.calls, 1000);
  CHECK(t.result.number == UINT64_MAX && t.result.stage == UINT32_MAX && t.result.code == 0);
  t.counter.calls = t.memory.count = 0;
  CHECK_EQUAL(wp_pipeline_run(t.pipeline), WP_OK);
  check_prefix(&t.memory, 1000);
  end_trial(&t);
}
static void order(void) { FOR_EACH_POOL(order_); }

static int32_t check_meta(WITHIN(context)) {
  (void)context;
  UNUSED;
  CHECK_EQUAL(block->meta[0], 3 * block->number + 1);
  CHECK_EQUAL(block->meta[3], 7 * block->number);
  CHECK_EQUAL(block->source_number, block->number);
  CHECK_EQUAL(block->size, 0);
  return WP_STAGE_OK;
}

static int32_t set_meta(WITHIN(context)) {
  (void)context;
  UNUSED;
  CHECK_EQUAL(block->meta[1] | block->meta[2] | block->meta[3], 0);
  CHECK(call->worker < workers);
  CHECK_EQUAL(call->worker, wp_worker_index());
  CHECK_EQUAL(call->stage, 1);
  block->meta[3] = 7 * block->number;
  return WP_STAGE_OK;
}

static void meta_(void) {
  counter counter = { 300, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 7);
  set_source(pipeline, count_up, &counter);
  add_stage(pipeline, WP_PARALLEL, set_meta, NULL);
  add_stage(pipeline, WP_SERIAL_ANY_ORDER, pass, NULL);
  set_sink(pipeline, check_meta, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void meta(void) { FOR_EACH_POOL(meta_); }

static int finishes;
static int32_t finish_in_order(void *context, int32_t status) {
  CHECK_EQUAL(finishes, (intptr_t)context);
  CHECK_EQUAL(status, WP_OK);
  finishes++;
  return 0;
}

static void nothing_to_do_(void) {
  for (int stages = 0; stages <= 3; stages++) {
    counter none = { 0, 0 };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
    wp_stage_options options = stage(WP_SERIAL, count_up, &none);
    CHECK_EQUAL(wp_pipeline_set_source(pipeline, &options), WP_OK);
    for (int i = 0; i < stages; i++) {
      options = stage(WP_PARALLEL, pass, (void *)(intptr_t)i);
      options.finish = finish_in_order;
      CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), i + 1);
    }
    finishes = 0;
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    CHECK_EQUAL(finishes, stages);
    CHECK_EQUAL(none.calls, 1);
    CHECK_EQUAL(result_of(pipeline).blocks_delivered, 0);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
}
static void nothing_to_do(void) { FOR_EACH_POOL(nothing_to_do_); }

/* ----- drop and stop ----- */

static void drop_(void) {
  trial t = { .counter = { 500, 0 } };
  t.first.answers[0] = (answer){ 0, WP_STAGE_DROP };
  t.first.answers[1] = (answer){ 13, WP_STAGE_DROP };
  t.second.answers[0] = (answer){ 499, WP_STAGE_DROP };
  run_trial(&t, 0, 3, WP_SERIAL);
  CHECK_EQUAL(t.status, WP_OK);
  CHECK_EQUAL(t.memory.count, 497);
  CHECK_EQUAL(t.memory.number[0], 1);
  CHECK_EQUAL(t.memory.number[11], 12);
  CHECK_EQUAL(t.memory.number[12], 14);
  CHECK_EQUAL(t.memory.last, 498);
  CHECK_EQUAL(t.second.calls, 498);
  CHECK_EQUAL(t.result.blocks_dropped, 3);
  end_trial(&t);
}
static void drop(void) { FOR_EACH_POOL(drop_); }

static void stop_(void) {
  for (uint32_t limit = 1; limit <= 32; limit *= 4) {
    for (int inSecond = 0; inSecond < 2; inSecond++) {
      for (int drops = 0; drops < 2; drops++) {
        trial t = { .counter = { UINT64_MAX, 0 } };
        script *script = inSecond ? &t.second : &t.first;
        script->answers[0] = (answer){ 137, drops ? WP_STAGE_STOP_DROP : WP_STAGE_STOP };
        run_trial(&t, 0, limit, WP_SERIAL);
        CHECK_EQUAL(t.status, WP_STOPPED);
        check_prefix(&t.memory, drops ? 137 : 138);
        CHECK_EQUAL(t.result.number, 137);
        CHECK_EQUAL(t.result.stage, inSecond + 1);
        CHECK(t.counter.calls <= 137 + limit + 1);
        CHECK_EQUAL(t.second.highest, inSecond || !drops ? 137 : 136);
        end_trial(&t);
      }
    }
  }
}
static void stop(void) { FOR_EACH_POOL(stop_); }

static int32_t stop_at_nine(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number == 9 ? WP_STAGE_STOP : WP_STAGE_OK;
}

static void see_all_(void) {
  for (int seesAll = 0; seesAll < 2; seesAll++) {
    counter counter = { 1000, 0 };
    memory counted = { 0 }, delivered = { 0 };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    set_source(pipeline, count_up, &counter);
    wp_stage_options options = stage(WP_SERIAL, remember, &counted);
    options.flags = seesAll ? WP_STAGE_SEE_ALL : 0;
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), 1);
    add_stage(pipeline, WP_SERIAL, stop_at_nine, NULL);
    set_sink(pipeline, remember, &delivered);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STOPPED);
    if (seesAll) {
      check_prefix(&counted, 1000);
    } else {
      check_prefix(&counted, counted.count);
      CHECK(counted.count >= 10 && counted.count <= 10 + 8);
    }
    check_prefix(&delivered, 10);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
}
static void see_all(void) { FOR_EACH_POOL(see_all_); }

static int32_t stop_pipeline(WITHIN(context)) {
  UNUSED;
  if (block->number == 20) CHECK_EQUAL(wp_pipeline_stop(context), WP_OK);
  return WP_STAGE_OK;
}

static void host_stop_(void) {
  counter endless = { UINT64_MAX, 0 };
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 5);
  CHECK_EQUAL(wp_pipeline_stop(pipeline), WP_INVALID_STATE);
  set_source(pipeline, count_up, &endless);
  add_stage(pipeline, WP_PARALLEL, stop_pipeline, pipeline);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STOPPED);
  CHECK(memory.count >= 21);
  check_prefix(&memory, endless.calls);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void host_stop(void) { FOR_EACH_POOL(host_stop_); }

/* ----- errors ----- */

static gate seven = GATE;
static int32_t fail_at_seven_then_five(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 7) {
    gate_raise(&seven, 1);
    return wp_block_fail(block, -1007, "seven");
  }
  if (block->number == 5) {
    if (workers > 1) gate_wait(&seven, 1);
    return wp_block_fail(block, -1005, "five");
  }
  return WP_STAGE_OK;
}

static void first_error_(void) {
  trial t = { .counter = { UINT64_MAX, 0 }, .second = { .is_serial = 1 } };
  seven.value = 0;
  t.pipeline = pipeline_on(pool, 0, 12);
  set_source(t.pipeline, count_up, &t.counter);
  add_stage(t.pipeline, WP_PARALLEL, fail_at_seven_then_five, NULL);
  add_stage(t.pipeline, WP_SERIAL, follow, &t.second);
  set_sink(t.pipeline, remember, &t.memory);
  CHECK_EQUAL(wp_pipeline_run(t.pipeline), WP_STAGE_FAILED);
  check_prefix(&t.memory, 5);
  CHECK_EQUAL(t.second.highest, 4);
  wp_result result = result_of(t.pipeline);
  CHECK_EQUAL(result.number, 5);
  CHECK_EQUAL(result.stage, 1);
  CHECK_EQUAL(result.code, -1005);
  CHECK_EQUAL(result.errors, 1);
  wp_error_entry entry = { .struct_size = sizeof entry };
  CHECK_EQUAL(wp_pipeline_error(t.pipeline, 0, &entry), WP_OK);
  CHECK_EQUAL(entry.number, 5);
  CHECK_EQUAL(entry.code, -1005);
  CHECK_EQUAL(entry.stage, 1);
  CHECK_TEXT(entry.text, "five");
  CHECK_EQUAL(wp_pipeline_error(t.pipeline, 1, &entry), WP_END);
  end_trial(&t);
}
static void first_error(void) { FOR_EACH_POOL(first_error_); }

static void collect_(void) {
  for (uint32_t kept = 2; kept <= 3; kept++) {
    trial t = { .counter = { 1000, 0 } };
    t.second.answers[0] = (answer){ 3, -1003 };
    t.first.answers[0] = (answer){ 900, -1900 };
    t.second.answers[1] = (answer){ 901, -1901 };
    wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
    options.flags = WP_PIPELINE_COLLECT_ERRORS;
    options.max_errors_kept = kept;
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &t.pipeline), WP_OK);
    set_source(t.pipeline, count_up, &t.counter);
    add_stage(t.pipeline, WP_PARALLEL, follow, &t.first);
    add_stage(t.pipeline, WP_PARALLEL, follow, &t.second);
    set_sink(t.pipeline, remember, &t.memory);
    CHECK_EQUAL(wp_pipeline_run(t.pipeline), WP_STAGE_FAILED);
    CHECK_TEXT(wp_last_error_text(), "block 3, stage 2: as told; and 2 more errors");
    CHECK_EQUAL(t.memory.count, 997);
    CHECK_EQUAL(t.second.calls, 999);
    t.result = result_of(t.pipeline);
    CHECK_EQUAL(t.result.number, 3);
    CHECK_EQUAL(t.result.stage, 2);
    CHECK_EQUAL(t.result.blocks_failed, 3);
    CHECK_EQUAL(t.result.errors, 3);
    CHECK_EQUAL(t.result.errors_not_kept, 3 - kept);
    static const answer expected[] = { { 3, -1003 }, { 900, -1900 }, { 901, -1901 } };
    wp_error_entry entry = { .struct_size = sizeof entry };
    for (uint32_t i = 0; i < kept; i++) {
      CHECK_EQUAL(wp_pipeline_error(t.pipeline, i, &entry), WP_OK);
      CHECK_EQUAL(entry.number, expected[i].number);
      CHECK_EQUAL(entry.code, expected[i].code);
      CHECK_EQUAL(entry.stage, i == 1 ? 1 : 2);
      CHECK_TEXT(entry.text, "as told");
    }
    CHECK_EQUAL(wp_pipeline_error(t.pipeline, kept, &entry), WP_END);
    end_trial(&t);
  }
}
static void collect(void) { FOR_EACH_POOL(collect_); }

static int32_t fail_odd(WITHIN(context)) {
  (void)context;
  UNUSED;
  return block->number % 2 ? -1001 : WP_STAGE_OK;
}

static void most_failures_(void) {
  counter endless = { UINT64_MAX, 0 };
  memory memory = { 0 };
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.flags = WP_PIPELINE_COLLECT_ERRORS;
  options.max_failures = 4;
  options.max_blocks_in_flight = 16;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  set_source(pipeline, count_up, &endless);
  add_stage(pipeline, WP_PARALLEL, fail_odd, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  CHECK_EQUAL(memory.count, 4); /* 0 2 4 6; the fourth failure is block 7 */
  CHECK_EQUAL(memory.last, 6);
  CHECK_EQUAL(result_of(pipeline).errors, 4);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void most_failures(void) { FOR_EACH_POOL(most_failures_); }

static int32_t lie_about_size(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 4) block->size = block->capacity + 1;
  return WP_STAGE_OK;
}

static void bad_returns_(void) {
  static const int32_t bad[] = { 4, 5, 6, 99, INT32_MAX };
  for (int i = 0; i < 5; i++) {
    trial t = { .counter = { 10, 0 } };
    t.first.answers[0] = (answer){ 4, bad[i] };
    run_trial(&t, 0, 4, WP_SERIAL);
    CHECK_EQUAL(t.status, WP_STAGE_FAILED);
    CHECK_EQUAL(t.result.code, WP_BAD_RETURN);
    CHECK_EQUAL(t.result.number, 4);
    check_prefix(&t.memory, 4);
    end_trial(&t);
  }
  counter ten = { 10, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  set_source(pipeline, count_up, &ten);
  add_stage(pipeline, WP_PARALLEL, lie_about_size, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  CHECK_EQUAL(result_of(pipeline).code, WP_BAD_RETURN);
  CHECK_EQUAL(result_of(pipeline).number, 4);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void bad_returns(void) { FOR_EACH_POOL(bad_returns_); }

static int32_t fail_in_source(WITHIN(context)) {
  UNUSED;
  ++*(int *)context;
  return block->number < 6 ? WP_STAGE_OK : -1234;
}

static void failing_source_(void) {
  int calls = 0;
  memory memory = { 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  set_source(pipeline, fail_in_source, &calls);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  CHECK_TEXT(wp_last_error_text(), "block 6, stage 0 (source): the callback returned -1234");
  check_prefix(&memory, 6);
  CHECK_EQUAL(calls, 7);
  CHECK_EQUAL(result_of(pipeline).code, -1234);
  CHECK_EQUAL(result_of(pipeline).stage, 0);
  CHECK_EQUAL(result_of(pipeline).number, 6);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void failing_source(void) { FOR_EACH_POOL(failing_source_); }

/* ----- limits ----- */

static crowd live;
static gate entered = GATE;
static uint64_t limit_now;

static void leave(void *context, void *data, size_t size, int32_t reason) {
  (void)context, (void)data, (void)size, (void)reason;
  crowd_leave(&live);
}

static int32_t enter(WITHIN(context)) {
  counter *counter = context;
  UNUSED;
  if (counter->calls++ == counter->end) return WP_SOURCE_END;
  crowd_enter(&live);
  gate_raise(&entered, 1);
  return wp_block_set_data(block, counter, 1, leave, NULL);
}

/* The first block waits at the end until as many others are behind it as may be. */
static int32_t wait_for_the_others(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 0) gate_wait(&entered, limit_now);
  return block->number % 3 ? WP_STAGE_OK : WP_STAGE_DROP;
}

static void exact_limit_(void) {
  if (workers == 1) return; /* it would wait for itself */
  static const uint32_t kinds[] = { WP_PARALLEL, WP_SERIAL, WP_SERIAL_ANY_ORDER };
  for (limit_now = 1; limit_now <= 64; limit_now *= 2) {
    for (int kind = 0; kind < 3; kind++) {
      counter counter = { 400, 0 };
      live = (crowd){ 0, 0 };
      entered.value = 0;
      wp_pipeline *pipeline = pipeline_on(pool, 0, (uint32_t)limit_now);
      set_source(pipeline, enter, &counter);
      add_stage(pipeline, kinds[kind], pass, NULL);
      set_sink(pipeline, wait_for_the_others, NULL);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
      CHECK_EQUAL(live.most, limit_now);
      CHECK_EQUAL(live.now, 0);
      wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
      CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &statistics), WP_OK);
      CHECK_EQUAL(statistics.in_flight_max, limit_now);
      CHECK_EQUAL(statistics.limit, limit_now);
      CHECK_EQUAL(statistics.in_flight, 0);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    }
  }
}
static void exact_limit(void) { FOR_EACH_POOL(exact_limit_); }

static crowd together;
static uint32_t most_together;
static gate arrived = GATE;
static int32_t meet(WITHIN(context)) {
  (void)context;
  UNUSED;
  CHECK(crowd_enter(&together) <= most_together);
  if (block->number < most_together) {
    gate_raise(&arrived, 1);
    gate_wait(&arrived, most_together);
  }
  crowd_leave(&together);
  return WP_STAGE_OK;
}

static void concurrency_(void) {
  for (most_together = 1; most_together <= workers; most_together += 2) {
    counter counter = { 300, 0 };
    memory memory = { 0 };
    together = (crowd){ 0, 0 };
    arrived.value = 0;
    wp_pipeline *pipeline = pipeline_on(pool, 0, 100);
    set_source(pipeline, count_up, &counter);
    wp_stage_options options = stage(WP_PARALLEL, meet, NULL);
    options.max_concurrency = most_together;
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), 1);
    set_sink(pipeline, remember, &memory);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    CHECK_EQUAL(together.most, most_together);
    check_prefix(&memory, 300);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
}
static void concurrency(void) { FOR_EACH_POOL(concurrency_); }

/* ----- hooks ----- */

typedef struct hooked {
  uint64_t calls[64];
  int started[64], finished[64], ends, destroyed;
  int32_t status, start_code, end_code;
} hooked;

static int32_t start_worker(void *context, uint32_t worker, void **out_scratch) {
  hooked *hooked = context;
  CHECK(worker < workers);
  CHECK_EQUAL(wp_worker_index(), worker);
  CHECK_EQUAL(hooked->started[worker]++, 0);
  if (hooked->start_code) return hooked->start_code;
  *out_scratch = &hooked->calls[worker];
  return 0;
}

static void finish_worker(void *context, uint32_t worker, void *scratch) {
  hooked *hooked = context;
  CHECK(scratch == &hooked->calls[worker]);
  CHECK_EQUAL(hooked->started[worker], 1);
  CHECK_EQUAL(hooked->finished[worker]++, 0);
  CHECK_EQUAL(hooked->ends, 0);
}

static int32_t end_stage(void *context, int32_t status) {
  hooked *hooked = context;
  hooked->ends++;
  hooked->status = status;
  return hooked->end_code;
}

static void destroy_stage(void *context) { ((hooked *)context)->destroyed++; }

static int32_t count_own(WITHIN(context)) {
  hooked *hooked = context;
  UNUSED;
  CHECK(scratch == &hooked->calls[call->worker]);
  ++*(uint64_t *)scratch;
  return WP_STAGE_OK;
}

static wp_pipeline *hooked_pipeline(hooked *hooked, counter *counter) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 20);
  set_source(pipeline, count_up, counter);
  wp_stage_options options = stage(WP_PARALLEL, count_own, hooked);
  options.destroy_context = destroy_stage;
  options.worker_start = start_worker;
  options.worker_finish = finish_worker;
  options.finish = end_stage;
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), 1);
  return pipeline;
}

static void hooks_(void) {
  hooked hooked = { .status = -1 };
  counter counter = { 1000, 0 };
  wp_pipeline *pipeline = hooked_pipeline(&hooked, &counter);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  uint64_t calls = 0;
  for (int i = 0; i < 64; i++) {
    calls += hooked.calls[i];
    CHECK_EQUAL(hooked.started[i], hooked.finished[i]);
    CHECK_EQUAL(hooked.started[i], hooked.calls[i] > 0);
  }
  CHECK_EQUAL(calls, 1000);
  CHECK_EQUAL(hooked.ends, 1);
  CHECK_EQUAL(hooked.status, WP_OK);
  CHECK_EQUAL(hooked.destroyed, 0);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(hooked.destroyed, 1);
}
static void hooks(void) { FOR_EACH_POOL(hooks_); }

static void failing_hooks_(void) {
  hooked failing = { .start_code = -1055 };
  counter first = { 1000, 0 }, second = { 30, 0 };
  wp_pipeline *pipeline = hooked_pipeline(&failing, &first);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  CHECK_EQUAL(result_of(pipeline).code, -1055);
  CHECK_EQUAL(result_of(pipeline).stage, 1);
  CHECK_EQUAL(failing.ends, 1);
  CHECK_EQUAL(failing.status, WP_STAGE_FAILED);
  for (int i = 0; i < 64; i++) CHECK_EQUAL(failing.finished[i], 0);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);

  hooked late = { .end_code = -1066 };
  pipeline = hooked_pipeline(&late, &second);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  wp_result result = result_of(pipeline);
  CHECK_EQUAL(result.code, -1066);
  CHECK_EQUAL(result.stage, 1);
  CHECK_EQUAL(result.blocks_delivered, 30);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}
static void failing_hooks(void) { FOR_EACH_POOL(failing_hooks_); }

/* ----- statistics ----- */

static wp_stage_statistics statistics_of(wp_pipeline *pipeline, uint32_t stage) {
  wp_stage_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, stage, &statistics), WP_OK);
  return statistics;
}

static void statistics_(void) {
  trial t = { .counter = { 1000, 0 } };
  t.first.answers[0] = (answer){ 10, WP_STAGE_DROP };
  t.first.answers[1] = (answer){ 11, -1011 };
  t.second.answers[0] = (answer){ 500, WP_STAGE_DROP };
  run_trial(&t, WP_PIPELINE_COLLECT_ERRORS, 16, WP_SERIAL);
  static const uint64_t calls[] = { 1001, 1000, 998, 997 };
  static const char *const names[] = { "source", "stage 1", "stage 2", "sink" };
  static const uint32_t kinds[] = { WP_SERIAL, WP_PARALLEL, WP_SERIAL, WP_SERIAL };
  for (uint32_t i = 0; i < 4; i++) {
    wp_stage_statistics s = statistics_of(t.pipeline, i);
    CHECK_EQUAL(s.calls, calls[i]);
    CHECK_TEXT(s.name, names[i]);
    CHECK_EQUAL(s.kind, kinds[i]);
    CHECK_EQUAL(s.blocks_dropped, i == 1 || i == 2);
    CHECK_EQUAL(s.blocks_failed, i == 1);
    CHECK_EQUAL(s.blocks_cut, 0);
    CHECK(s.timed_calls >= 1 && s.timed_calls <= s.calls);
    CHECK(s.call_min_ns <= s.call_max_ns);
    CHECK(s.parked <= 1000);
    if (i) CHECK_EQUAL(s.blocks_in, 1000);
  }
  wp_pipeline_statistics whole = { .struct_size = sizeof whole };
  CHECK_EQUAL(wp_pipeline_statistics_get(t.pipeline, &whole), WP_OK);
  CHECK_EQUAL(whole.stages, 4);
  CHECK_EQUAL(whole.blocks_in, 1000);
  CHECK_EQUAL(whole.blocks_out, 997);
  CHECK_EQUAL(whole.in_flight, 0);
  CHECK(whole.in_flight_max >= 1 && whole.in_flight_max <= 16);
  CHECK(whole.wall_ns > 0);
  CHECK_EQUAL(t.result.blocks_delivered + t.result.blocks_dropped + t.result.blocks_failed
                + t.result.blocks_cut, 1000);
  wp_stage_statistics none = { .struct_size = sizeof none };
  CHECK_EQUAL(wp_pipeline_stage_statistics(t.pipeline, 4, &none), WP_INVALID_ARGUMENT);
  end_trial(&t);
}
static void statistics(void) { FOR_EACH_POOL(statistics_); }

static wp_pipeline_statistics whole_of(wp_pipeline *pipeline) {
  wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
  CHECK_EQUAL(wp_pipeline_statistics_get(pipeline, &statistics), WP_OK);
  return statistics;
}

/* Blocks after the first one wait for its turn, and the input for a place. */
typedef struct dam {
  gate gate;
  uint64_t held;
} dam;

static int32_t hold_back(WITHIN(context)) {
  dam *dam = context;
  UNUSED;
  if (block->number == dam->held) gate_wait(&dam->gate, 1);
  return WP_STAGE_OK;
}

static void waiting_is_measured(void) {
  dam dam = { GATE, 0 };
  counter counter = { 12, 0 };
  wp_pool *pool = pool_of(3);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 6);
  set_source(pipeline, count_up, &counter);
  add_stage(pipeline, WP_PARALLEL, hold_back, &dam);
  add_stage(pipeline, WP_SERIAL, pass, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  while (whole_of(pipeline).throttled_ns == 0 || statistics_of(pipeline, 2).parked_now < 5) {
    sched_yield();
  }
  gate_raise(&dam.gate, 1);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  wp_stage_statistics serial = statistics_of(pipeline, 2);
  CHECK(serial.parked >= 5 && serial.order_wait_ns > 0);
  CHECK_EQUAL(serial.parked_now, 0);
  CHECK_EQUAL(serial.parked_max, 5);
  CHECK_EQUAL(serial.place_wait_ns, 0);
  CHECK_EQUAL(serial.concurrency_max, 1);
  wp_pipeline_statistics whole = whole_of(pipeline);
  CHECK(whole.throttled_ns > 0 && whole.throttled_ns <= whole.wall_ns);
  CHECK(whole.starved_ns <= whole.wall_ns);
  CHECK_EQUAL(whole.carried + whole.handed_over, 3 * 12);
  CHECK_EQUAL(whole.submit_wait_ns + whole.result_wait_ns, 0);
  destroy(pipeline, pool);
}

static void levels(void) {
  static const uint32_t wanted[] = { WP_STATISTICS_OFF, WP_STATISTICS_TIMES };
  for (int i = 0; i < 2; i++) {
    wp_pool *pool = pool_of(2);
    wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
    wp_pipeline *pipeline = NULL;
    options.statistics = wanted[i];
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
    counter counter = { 500, 0 };
    set_source(pipeline, count_up, &counter);
    add_stage(pipeline, WP_PARALLEL, pass, NULL);
    add_stage(pipeline, WP_SERIAL_ANY_ORDER, pass, NULL);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    for (uint32_t number = 0; number < 3; number++) {
      wp_stage_statistics s = statistics_of(pipeline, number);
      CHECK_EQUAL(s.calls, number ? 500 : 501);
      CHECK_EQUAL(s.timed_calls, i ? s.calls : 0);
      CHECK_EQUAL(s.busy_ns > 0, i);
      CHECK(s.cpu_ns <= s.busy_ns);
      CHECK_EQUAL(s.concurrency_max > 0, i);
      CHECK(s.call_min_ns <= s.call_p50_ns && s.call_p50_ns <= s.call_p99_ns
            && s.call_p99_ns <= s.call_max_ns);
    }
    wp_pipeline_statistics whole = whole_of(pipeline);
    CHECK_EQUAL(whole.bottleneck_stage == UINT32_MAX, !i);
    if (!i) CHECK_EQUAL(whole.throttled_ns + whole.starved_ns, 0);
    destroy(pipeline, pool);
  }
  wp_pool *pool = pool_of(1);
  wp_pipeline *pipeline = NULL;
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  options.statistics = 3;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void one_place_(void) {
  trial t = { .counter = { 2000, 0 } };
  run_trial(&t, 0, 1, WP_SERIAL_ANY_ORDER);
  CHECK_EQUAL(t.status, WP_OK);
  check_prefix(&t.memory, 2000);
  end_trial(&t);
}
static void one_place(void) { FOR_EACH_POOL(one_place_); }

static void weights(void) {
  static const uint32_t weights[] = { 1, 7, 1000 };
  wp_pool *pool = pool_of(2);
  for (int i = 0; i < 3; i++) {
    wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
    wp_pipeline *one = NULL, *other = pipeline_on(pool, 0, 0);
    counter many[] = { { 2000, 0 }, { 2000, 0 } };
    memory memory[2];
    memset(memory, 0, sizeof memory);
    options.weight = weights[i];
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &one), WP_OK);
    set_source(one, count_up, &many[0]);
    set_source(other, count_up, &many[1]);
    set_sink(one, remember, &memory[0]);
    set_sink(other, remember, &memory[1]);
    CHECK_EQUAL(wp_pipeline_set_weight(other, 3), WP_OK);
    CHECK_EQUAL(wp_pipeline_start(one), WP_OK);
    CHECK_EQUAL(wp_pipeline_start(other), WP_OK);
    CHECK_EQUAL(wp_pipeline_set_weight(one, 1), WP_OK);
    CHECK_EQUAL(wp_pipeline_set_weight(other, 1000), WP_OK);
    CHECK_EQUAL(wp_pipeline_set_weight(other, 0), WP_INVALID_ARGUMENT);
    CHECK_EQUAL(wp_pipeline_set_weight(other, 1001), WP_INVALID_ARGUMENT);
    CHECK_EQUAL(wp_pipeline_set_weight(NULL, 1), WP_INVALID_ARGUMENT);
    CHECK_EQUAL(wp_pipeline_wait(one, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(other, -1), WP_OK);
    check_prefix(&memory[0], 2000);
    check_prefix(&memory[1], 2000);
    CHECK_EQUAL(wp_pipeline_destroy(one), WP_OK);
    CHECK_EQUAL(wp_pipeline_destroy(other), WP_OK);
  }
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

/* ----- many blocks that wait behind one ----- */

enum { BEHIND = 60 };

typedef struct crossing {
  gate passed, may_pass, is_inside, may_leave;
  int sunk, sunk_before; /* atomic; before: when the other pipeline had its turn */
} crossing;

static int32_t hold_the_first(WITHIN(context)) {
  crossing *crossing = context;
  UNUSED;
  if (block->number == 0) gate_wait(&crossing->may_pass, 1);
  else gate_raise(&crossing->passed, 1);
  return WP_STAGE_OK;
}

static int32_t take_half_a_millisecond(WITHIN(context)) {
  crossing *crossing = context;
  struct timespec begin, now;
  UNUSED;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < 500000);
  __atomic_fetch_add(&crossing->sunk, 1, __ATOMIC_SEQ_CST);
  return WP_STAGE_OK;
}

static int32_t keep_a_worker(WITHIN(context)) {
  crossing *crossing = context;
  UNUSED;
  if (block->number == 0) {
    gate_raise(&crossing->is_inside, 1);
    gate_wait(&crossing->may_leave, 1);
  } else {
    crossing->sunk_before = __atomic_load_n(&crossing->sunk, __ATOMIC_SEQ_CST);
    gate_raise(&crossing->may_leave, 1);
  }
  return WP_STAGE_OK;
}

static void long_drain(void) {
  wp_pool *pool = pool_of(2);
  crossing crossing = { GATE, GATE, GATE, GATE, 0, 0 };
  counter behind = { BEHIND + 1, 0 }, two = { 2, 0 };
  wp_pipeline *one = pipeline_on(pool, 0, 100), *other = pipeline_on(pool, 0, 100);
  set_source(one, count_up, &behind);
  add_stage(one, WP_PARALLEL, hold_the_first, &crossing);
  set_sink(one, take_half_a_millisecond, &crossing);
  set_source(other, count_up, &two);
  add_stage(other, WP_PARALLEL, keep_a_worker, &crossing);
  CHECK_EQUAL(wp_pipeline_set_weight(other, 10), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(one), WP_OK);
  gate_wait(&crossing.passed, BEHIND);
  CHECK_EQUAL(wp_pipeline_start(other), WP_OK);
  gate_wait(&crossing.is_inside, 1);
  /* One worker is held up there. The other one has sixty blocks for the sink now, and is wanted there. */
  gate_raise(&crossing.may_pass, 1);
  CHECK_EQUAL(wp_pipeline_wait(other, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(one, -1), WP_OK);
  CHECK(crossing.sunk_before < BEHIND + 1);
  CHECK_EQUAL(crossing.sunk, BEHIND + 1);
  CHECK_EQUAL(wp_pipeline_destroy(one), WP_OK);
  destroy(other, pool);
}

int main(void) {
  RUN("blocks arrive in input order, in every run", order);
  RUN("what a stage writes into meta arrives", meta);
  RUN("without blocks a run ends well, finish callbacks in stage order", nothing_to_do);
  RUN("a dropped block leaves no gap behind", drop);
  RUN("a stop delivers exactly what is before it", stop);
  RUN("a see-all stage sees what a later stop cuts", see_all);
  RUN("the host can end the input", host_stop);
  RUN("the lowest error decides, whatever fails first", first_error);
  RUN("collected errors are listed in block order", collect);
  RUN("the n-th failure ends the run", most_failures);
  RUN("a return that means nothing is an error", bad_returns);
  RUN("a failing source delivers what came before", failing_source);
  RUN("the limit is reached and never exceeded", exact_limit);
  RUN("a stage's concurrency is reached and never exceeded", concurrency);
  RUN("scratch belongs to one worker, hooks run once", hooks);
  RUN("hooks that fail are errors of their stage", failing_hooks);
  RUN("statistics add up", statistics);
  RUN("waiting for turns and places is measured", waiting_is_measured);
  RUN("a level says what is measured", levels);
  RUN("one place is enough for any number of workers", one_place);
  RUN("pipelines of any weight, changed at any time, end side by side", weights);
  RUN("a worker with many blocks for a sink goes where it is wanted in between", long_drain);
  return CHECK_SUMMARY();
}
