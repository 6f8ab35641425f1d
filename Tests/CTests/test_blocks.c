// SPDX-License-Identifier: MIT
/* Payloads: who owns them, how callbacks change them, that each is released once and why. */
#include <stdlib.h>

#include "stages.h"

static wp_pool *pool;

/* ----- caller-owned payloads: one release each, for the right reason ----- */

enum { MOST = 1024 };
typedef struct payloads {
  uint8_t released[MOST]; /* atomic: how often */
  int32_t reason[MOST];
  char bytes[MOST];
} payloads;

static void release(void *context, void *data, size_t size, int32_t reason) {
  payloads *payloads = context;
  size_t index = (size_t)((char *)data - payloads->bytes);
  CHECK(index < MOST);
  CHECK_EQUAL(size, 1);
  CHECK_EQUAL(__atomic_fetch_add(&payloads->released[index], 1, __ATOMIC_RELAXED), 0);
  payloads->reason[index] = reason;
}

static int32_t submit_owned(wp_pipeline *pipeline, payloads *payloads, uint64_t index,
                            int64_t timeout) {
  wp_payload payload = { 0 };
  payload.data = &payloads->bytes[index];
  payload.size = 1;
  payload.release = release;
  payload.release_context = payloads;
  return wp_pipeline_submit(pipeline, &payload, timeout);
}

static void check_reasons(const payloads *payloads, uint64_t from, uint64_t to, int32_t reason) {
  for (uint64_t i = from; i < to; i++) {
    CHECK_EQUAL(payloads->released[i], 1);
    CHECK_EQUAL(payloads->reason[i], reason);
  }
}

static int32_t drop_fail_stop(WITHIN(context)) {
  (void)context;
  UNUSED;
  switch (block->number) {
  case 2: return WP_STAGE_DROP;
  case 3: return -1003;
  case 6: return WP_STAGE_STOP_DROP;
  default: return WP_STAGE_OK;
  }
}

static gate at_end = GATE;
static int32_t wait_at_end(WITHIN(context)) {
  (void)context;
  UNUSED;
  gate_wait(&at_end, 1);
  return WP_STAGE_OK;
}

static void reasons(void) {
  payloads *p = calloc(1, sizeof *p);
  wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_COLLECT_ERRORS, 10);
  at_end.value = 0;
  add_stage(pipeline, WP_SERIAL, wait_at_end, NULL);
  add_stage(pipeline, WP_SERIAL, drop_fail_stop, NULL);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t i = 0; i < 10; i++) CHECK_EQUAL(submit_owned(pipeline, p, i, -1), WP_OK);
  CHECK_EQUAL(submit_owned(pipeline, p, 10, 0), WP_WOULD_BLOCK);
  gate_raise(&at_end, 1);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  /* WP_CLOSED, or how the run will end: it may have stopped by now. */
  CHECK(submit_owned(pipeline, p, 11, -1) != WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_STAGE_FAILED);
  check_reasons(p, 0, 2, WP_RELEASE_DELIVERED);
  check_reasons(p, 2, 3, WP_RELEASE_DROPPED);
  check_reasons(p, 3, 4, WP_RELEASE_FAILED);
  check_reasons(p, 4, 6, WP_RELEASE_DELIVERED);
  check_reasons(p, 6, 7, WP_RELEASE_DROPPED);
  check_reasons(p, 7, 10, WP_RELEASE_CUT);
  for (int i = 10; i < MOST; i++) CHECK_EQUAL(p->released[i], 0);
  wp_result result = result_of(pipeline);
  CHECK_EQUAL(result.blocks_delivered, 4);
  CHECK_EQUAL(result.blocks_dropped, 2);
  CHECK_EQUAL(result.blocks_failed, 1);
  CHECK_EQUAL(result.blocks_cut, 3);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  free(p);
}

static void cancelled_reasons(void) {
  for (int by_destroy = 0; by_destroy < 2; by_destroy++) {
    payloads *p = calloc(1, sizeof *p);
    wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS, 8);
    wp_block *block = NULL;
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    for (uint64_t i = 0; i < 8; i++) CHECK_EQUAL(submit_owned(pipeline, p, i, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
    wp_block_release(block);
    if (!by_destroy) CHECK_EQUAL(wp_pipeline_cancel(pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    check_reasons(p, 0, 1, WP_RELEASE_DELIVERED);
    check_reasons(p, 1, 8, WP_RELEASE_CANCELLED);
    free(p);
  }
}

static void refused_submits_release_nothing(void) {
  payloads *p = calloc(1, sizeof *p);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 1);
  CHECK_EQUAL(submit_owned(pipeline, p, 0, -1), WP_INVALID_STATE);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_submit(pipeline, NULL, -1), WP_INVALID_ARGUMENT);
  wp_payload hollow = { 0 };
  hollow.size = 1;
  CHECK_EQUAL(wp_pipeline_submit(pipeline, &hollow, -1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(submit_owned(pipeline, p, 1, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  CHECK_EQUAL(p->released[1], 1);
  CHECK_EQUAL(wp_pipeline_cancel(pipeline), WP_OK);
  CHECK_EQUAL(submit_owned(pipeline, p, 2, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(p->released[0] + p->released[2], 0);
  free(p);
}

/* ----- what callbacks do to a payload ----- */

static int32_t write_number(WITHIN(context)) {
  counter *counter = context;
  UNUSED;
  if (counter->calls++ == counter->end) return WP_SOURCE_END;
  CHECK_EQUAL(block->size, 0);
  size_t size = (size_t)(block->number * 37 % 5000);
  CHECK_EQUAL(wp_block_reserve(block, size), WP_OK);
  CHECK(block->capacity >= size);
  if (size) memset(block->data, (int)(block->number & 255), size);
  block->size = size;
  return WP_STAGE_OK;
}

static void check_bytes(const wp_block *block, size_t size, uint8_t value) {
  CHECK_EQUAL(block->size, size);
  for (size_t i = 0; i < block->size; i++) {
    if (block->data[i] != value) {
      CHECK_EQUAL(block->data[i], value);
      return;
    }
  }
}

static int32_t grow(WITHIN(context)) {
  (void)context;
  UNUSED;
  size_t size = block->size;
  CHECK_EQUAL(wp_block_reserve(block, size + 10000), WP_OK);
  CHECK(block->capacity >= size + 10000);
  check_bytes(block, size, (uint8_t)block->number);
  CHECK_EQUAL(wp_block_reserve(block, 1), WP_OK);
  check_bytes(block, size, (uint8_t)block->number);
  return WP_STAGE_OK;
}

/* Doubles each byte into the spare buffer and takes that instead. */
static int32_t double_up(WITHIN(context)) {
  (void)context;
  UNUSED;
  uint8_t *out = NULL;
  CHECK_EQUAL(wp_block_commit_spare(block, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_spare(block, 2 * block->size, &out), WP_OK);
  for (size_t i = 0; i < block->size; i++) out[2 * i] = out[2 * i + 1] = block->data[i] ^ 255;
  CHECK_EQUAL(wp_block_commit_spare(block, SIZE_MAX), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_commit_spare(block, 2 * block->size), WP_OK);
  CHECK_EQUAL(wp_block_commit_spare(block, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_block_spare(block, 1, &out), WP_OK); /* left alone: the payload stays */
  return WP_STAGE_OK;
}

static int32_t check_doubled(WITHIN(context)) {
  (void)context;
  UNUSED;
  check_bytes(block, (size_t)(block->number * 37 % 5000) * 2, (uint8_t)~block->number);
  return WP_STAGE_OK;
}

static void buffers(void) {
  counter counter = { 700, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 6);
  set_source(pipeline, write_number, &counter);
  add_stage(pipeline, WP_PARALLEL, grow, NULL);
  add_stage(pipeline, WP_PARALLEL, double_up, NULL);
  add_stage(pipeline, WP_SERIAL_ANY_ORDER, pass, NULL);
  set_sink(pipeline, check_doubled, NULL);
  for (int run = 0; run < 2; run++) {
    counter.calls = 0;
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  }
  wp_stage_statistics first = { .struct_size = sizeof first }, last = first;
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, 1, &first), WP_OK);
  CHECK_EQUAL(wp_pipeline_stage_statistics(pipeline, 4, &last), WP_OK);
  CHECK(first.bytes_in > 0);
  CHECK_EQUAL(first.bytes_out, first.bytes_in);
  CHECK_EQUAL(last.bytes_in, 2 * first.bytes_in);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static int32_t impossible_buffers(WITHIN(context)) {
  (void)context;
  UNUSED;
  uint8_t *out = NULL;
  uint8_t *data = block->data;
  size_t size = block->size;
  CHECK_EQUAL(wp_block_reserve(block, SIZE_MAX), WP_NO_MEMORY);
  CHECK_EQUAL(wp_block_reserve(block, SIZE_MAX / 4), WP_NO_MEMORY);
  CHECK_EQUAL(wp_block_spare(block, SIZE_MAX / 4, &out), WP_NO_MEMORY);
  CHECK(block->data == data && block->size == size);
  return WP_STAGE_OK;
}

static void no_memory_leaves_the_block_unchanged(void) {
  counter counter = { 5, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  set_source(pipeline, write_number, &counter);
  add_stage(pipeline, WP_PARALLEL, impossible_buffers, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static int32_t replace(WITHIN(context)) {
  payloads *payloads = context;
  UNUSED;
  return wp_block_set_data(block, &payloads->bytes[512 + block->number], 1,
                           block->number % 2 ? release : NULL, payloads);
}

static void replaced(void) {
  payloads *p = calloc(1, sizeof *p);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  add_stage(pipeline, WP_PARALLEL, replace, p);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (uint64_t i = 0; i < 100; i++) CHECK_EQUAL(submit_owned(pipeline, p, i, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  check_reasons(p, 0, 100, WP_RELEASE_REPLACED);
  for (uint64_t i = 512; i < 612; i++) {
    CHECK_EQUAL(p->released[i], i % 2);
    if (i % 2) CHECK_EQUAL(p->reason[i], WP_RELEASE_DELIVERED);
  }
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  free(p);
}

/* ----- saying why ----- */

static int32_t fail_at_length(WITHIN(context)) {
  (void)context;
  UNUSED;
  char text[400];
  size_t length = block->number == 0 ? 0 : block->number == 1 ? 255 : 399;
  memset(text, 'x', length);
  text[length] = 0;
  CHECK_EQUAL(wp_block_fail(block, -1000 - (int32_t)block->number, text),
              -1000 - (int32_t)block->number);
  memset(text, 'y', length);
  if (block->number == 3) return wp_block_fail(block, WP_STAGE_DROP, "not an error");
  if (block->number == 4) return wp_block_fail(block, -1004, NULL);
  return -1000 - (int32_t)block->number;
}

static void texts(void) {
  counter counter = { 5, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, WP_PIPELINE_COLLECT_ERRORS, 0);
  set_source(pipeline, count_up, &counter);
  add_stage(pipeline, WP_PARALLEL, fail_at_length, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STAGE_FAILED);
  wp_error_entry entry = { .struct_size = sizeof entry };
  static const size_t lengths[] = { 0, 255, 255 };
  for (size_t i = 0; i < 3; i++) {
    CHECK_EQUAL(wp_pipeline_error(pipeline, i, &entry), WP_OK);
    CHECK_EQUAL(entry.code, -1000 - (int32_t)i);
    CHECK_EQUAL(strlen(entry.text), lengths[i]);
    CHECK_EQUAL(strspn(entry.text, "x"), lengths[i]);
  }
  CHECK_EQUAL(wp_pipeline_error(pipeline, 3, &entry), WP_OK);
  CHECK_EQUAL(entry.code, WP_BAD_RETURN);
  CHECK_EQUAL(wp_pipeline_error(pipeline, 4, &entry), WP_OK);
  CHECK_EQUAL(entry.code, -1004);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

int main(void) {
  pool = pool_of(3);
  RUN("each payload is released once, and told why", reasons);
  RUN("cancel and destroy release what nobody read", cancelled_reasons);
  RUN("a refused submit takes and releases nothing", refused_submits_release_nothing);
  RUN("callbacks grow and replace buffers of the library", buffers);
  RUN("no memory leaves the block unchanged", no_memory_leaves_the_block_unchanged);
  RUN("a replaced payload is released, so is the new one", replaced);
  RUN("the text of an error is kept, up to 255 bytes", texts);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  return CHECK_SUMMARY();
}
