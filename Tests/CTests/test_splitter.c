// SPDX-License-Identifier: MIT
/* Splitters: one block in, any number out. */
#include <stdlib.h>

#include "stages.h"

static const uint32_t worker_counts[] = { 0, 1, 2, 3, 8, 64 }; /* 0: the serial reference */
enum { KINDS_OF_POOL = sizeof worker_counts / sizeof *worker_counts };

typedef struct setting {
  wp_pool *pool;
  wp_pipeline *pipeline;
} setting;

static setting begin(uint32_t workers, uint32_t flags, uint32_t limit) {
  setting setting = { NULL, NULL };
  if (workers) {
    setting.pool = pool_of(workers);
  } else {
    flags |= WP_PIPELINE_SERIAL_REFERENCE;
  }
  setting.pipeline = pipeline_on(setting.pool, flags, limit);
  return setting;
}

/* Input n becomes n % 3 blocks; meta[0] is 100 n + 0, 1. */
typedef struct division {
  uint64_t index, at_end, end_calls;
} division;

static int32_t divide(WITHIN(context)) {
  division *division = context;
  (void)scratch;
  CHECK(call->stage >= 1 && block->size == 0);
  if (!call->input) division->end_calls++;
  uint64_t wanted = call->input ? call->input->number % 3 : division->at_end;
  if (wanted == 0) return WP_STAGE_DROP;
  block->meta[0] = (call->input ? 100 * call->input->number : 1000000) + division->index;
  if (++division->index < wanted) return WP_STAGE_MORE;
  division->index = 0;
  return WP_STAGE_OK;
}

static int32_t remember_meta(WITHIN(context)) {
  memory *memory = context;
  UNUSED;
  CHECK(!call->input);
  CHECK_EQUAL(block->source_number, block->meta[0] < 1000000 ? block->meta[0] / 100 : 29);
  memory->number[memory->count] = block->number;
  memory->size[memory->count++] = block->meta[0];
  return WP_STAGE_OK;
}

static void numbered_anew(void) {
  for (int i = 0; i < KINDS_OF_POOL; i++) {
    for (uint32_t limit = 1; limit <= 9; limit += 4) {
      setting s = begin(worker_counts[i], 0, limit);
      counter counter = { 30, 0 };
      division division = { 0, 2, 0 };
      static memory memory;
      memory.count = 0;
      set_source(s.pipeline, count_up, &counter);
      add_stage(s.pipeline, WP_PARALLEL, pass, NULL);
      CHECK_EQUAL(add_stage(s.pipeline, WP_SPLITTER, divide, &division), 2);
      add_stage(s.pipeline, WP_PARALLEL, pass, NULL);
      set_sink(s.pipeline, remember_meta, &memory);
      CHECK_EQUAL(wp_pipeline_run(s.pipeline), WP_OK);
      CHECK_EQUAL(memory.count, 32);
      CHECK_EQUAL(division.end_calls, 2);
      uint64_t at = 0;
      for (uint64_t n = 0; n < 30; n++) {
        for (uint64_t k = 0; k < n % 3; k++, at++) {
          CHECK_EQUAL(memory.number[at], at);
          CHECK_EQUAL(memory.size[at], 100 * n + k);
        }
      }
      CHECK_EQUAL(memory.size[30], 1000000);
      CHECK_EQUAL(memory.size[31], 1000001);

      wp_stage_statistics stage = { .struct_size = sizeof stage };
      CHECK_EQUAL(wp_pipeline_stage_statistics(s.pipeline, 2, &stage), WP_OK);
      CHECK_EQUAL(stage.kind, WP_SPLITTER);
      CHECK_EQUAL(stage.blocks_in, 30);
      CHECK_EQUAL(stage.blocks_out, 32);
      CHECK_TEXT(stage.name, "stage 2");
      wp_pipeline_statistics whole = { .struct_size = sizeof whole };
      CHECK_EQUAL(wp_pipeline_statistics_get(s.pipeline, &whole), WP_OK);
      CHECK_EQUAL(whole.stages, 5);
      CHECK_EQUAL(whole.blocks_in, 30);
      CHECK_EQUAL(whole.blocks_out, 32);
      CHECK_EQUAL(whole.in_flight, 0);
      CHECK(whole.in_flight_max <= limit);
      destroy(s.pipeline, s.pool);
    }
  }
}

/* Four inputs become one block with their bytes; what is left comes at the end. */
typedef struct gathering {
  uint8_t bytes[64];
  size_t size, inputs;
} gathering;

static int32_t gather(WITHIN(context)) {
  gathering *kept = context;
  (void)scratch;
  if (call->input) {
    memcpy(kept->bytes + kept->size, call->input->data, call->input->size);
    kept->size += call->input->size;
    if (++kept->inputs % 4) return WP_STAGE_DROP;
  } else if (!kept->size) {
    return WP_STAGE_DROP;
  }
  CHECK_EQUAL(wp_block_reserve(block, kept->size), WP_OK);
  memcpy(block->data, kept->bytes, kept->size);
  block->size = kept->size;
  kept->size = 0;
  return WP_STAGE_OK;
}

static int32_t append(WITHIN(context)) {
  UNUSED;
  char *text = context;
  strncat(text, (const char *)block->data, block->size);
  strcat(text, "|");
  return WP_STAGE_OK;
}

static void gathers(void) {
  for (int i = 1; i < KINDS_OF_POOL; i++) {
    setting s = begin(worker_counts[i], 0, 2);
    gathering kept = { .size = 0 };
    char text[64] = "";
    add_stage(s.pipeline, WP_SPLITTER, gather, &kept);
    set_sink(s.pipeline, append, text);
    CHECK_EQUAL(wp_pipeline_start(s.pipeline), WP_OK);
    for (const char *letter = "abcdefghij"; *letter; letter++) {
      char bytes[2] = { *letter, *letter };
      wp_payload payload = { .data = bytes, .size = 2 };
      CHECK_EQUAL(wp_pipeline_submit(s.pipeline, &payload, -1), WP_OK);
    }
    CHECK_EQUAL(wp_pipeline_flush(s.pipeline, -1), WP_OK);
    CHECK_TEXT(text, "aabbccdd|eeffgghh|");
    CHECK_EQUAL(wp_pipeline_close(s.pipeline), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(s.pipeline, -1), WP_OK);
    CHECK_TEXT(text, "aabbccdd|eeffgghh|iijj|");
    destroy(s.pipeline, s.pool);
  }
}

/* --- what decides --- */

typedef struct event {
  uint64_t number;
  int32_t code;
} event;

static int32_t at_block(WITHIN(context)) {
  const event *event = context;
  UNUSED;
  if (block->number != event->number) return WP_STAGE_OK;
  return event->code < 0 ? wp_block_fail(block, event->code, "as told") : event->code;
}

typedef struct run_end {
  wp_result result;
  uint64_t delivered, end_calls;
} run_end;

/* 0 to 29 -> `before` -> splitter -> `behind` -> sink */
static run_end run_with(uint32_t workers, uint32_t flags, event before, event behind,
                        wp_error_entry *errors, uint32_t most) {
  run_end end = { .delivered = 0 };
  setting s = begin(workers, flags, 3);
  counter counter = { 30, 0 };
  division division = { 0, 1, 0 };
  static memory memory;
  memory.count = 0;
  set_source(s.pipeline, count_up, &counter);
  add_stage(s.pipeline, WP_PARALLEL, at_block, &before);
  add_stage(s.pipeline, WP_SPLITTER, divide, &division);
  add_stage(s.pipeline, WP_PARALLEL, at_block, &behind);
  set_sink(s.pipeline, remember, &memory);
  wp_pipeline_run(s.pipeline);
  end.result = result_of(s.pipeline);
  end.delivered = memory.count;
  end.end_calls = division.end_calls;
  for (uint32_t i = 0; i < most; i++) {
    errors[i].struct_size = sizeof *errors;
    if (wp_pipeline_error(s.pipeline, i, &errors[i]) != WP_OK) errors[i].code = 0;
  }
  destroy(s.pipeline, s.pool);
  return end;
}

static const event nothing = { UINT64_MAX, 0 };

static void errors_decide(void) {
  for (int i = 0; i < KINDS_OF_POOL; i++) {
    wp_error_entry errors[3];
    run_end end = run_with(worker_counts[i], 0, (event){ 10, -1001 }, nothing, errors, 1);
    CHECK_EQUAL(end.result.status, WP_STAGE_FAILED);
    CHECK_EQUAL(end.result.number, 10);
    CHECK_EQUAL(end.result.source_number, 10);
    CHECK_EQUAL(end.result.stage, 1);
    CHECK_EQUAL(end.delivered, 9); /* of 0 ... 9 */
    CHECK_EQUAL(end.end_calls, 0);
    CHECK_TEXT(errors[0].text, "as told");

    /* Block 4 comes from input 5, before input 10. */
    end = run_with(worker_counts[i], 0, (event){ 10, -1001 }, (event){ 4, -1002 }, errors, 2);
    CHECK_EQUAL(end.result.number, 4);
    CHECK_EQUAL(end.result.source_number, 5);
    CHECK_EQUAL(end.result.stage, 3);
    CHECK_EQUAL(end.delivered, 4);
    CHECK_EQUAL(errors[0].code, -1002);
    CHECK_EQUAL(errors[1].code, 0);

    end = run_with(worker_counts[i], WP_PIPELINE_COLLECT_ERRORS, (event){ 4, -1001 },
                   (event){ 4, -1002 }, errors, 3);
    /* 0 1 1 2 (1) 4 fails: 3. 5: 4 (fails) and 5. */
    CHECK_EQUAL(end.result.status, WP_STAGE_FAILED);
    CHECK_EQUAL(end.result.errors, 2);
    CHECK_EQUAL(end.result.blocks_failed, 2);
    CHECK_EQUAL(errors[0].number, 4);
    CHECK_EQUAL(errors[0].source_number, 4);
    CHECK_EQUAL(errors[0].stage, 1);
    CHECK_EQUAL(errors[1].number, 4);
    CHECK_EQUAL(errors[1].source_number, 5);
    CHECK_EQUAL(errors[1].stage, 3);
    CHECK_EQUAL(errors[2].code, 0);
    CHECK_EQUAL(end.end_calls, 1);
    CHECK_EQUAL(end.delivered, 30 - 1 - 1 + 1);
  }
}

static void stops_decide(void) {
  for (int i = 0; i < KINDS_OF_POOL; i++) {
    run_end end = run_with(worker_counts[i], 0, (event){ 10, WP_STAGE_STOP }, nothing, NULL, 0);
    CHECK_EQUAL(end.result.status, WP_STOPPED);
    CHECK_EQUAL(end.result.number, 10);
    CHECK_EQUAL(end.result.stage, 1);
    CHECK_EQUAL(end.delivered, 10 + 1); /* of 0 ... 10, and the rest */
    CHECK_EQUAL(end.end_calls, 1);

    end = run_with(worker_counts[i], 0, nothing, (event){ 7, WP_STAGE_STOP }, NULL, 0);
    CHECK_EQUAL(end.result.status, WP_STOPPED);
    CHECK_EQUAL(end.result.number, 7);
    CHECK_EQUAL(end.result.source_number, 8);
    CHECK_EQUAL(end.result.stage, 3);
    CHECK_EQUAL(end.delivered, 8);
    CHECK_EQUAL(end.end_calls, 0);
  }
}

static int32_t fail_second(WITHIN(context)) {
  const event *event = context;
  UNUSED;
  if (!call->input) return WP_STAGE_DROP;
  if (call->input->number < 5) return WP_STAGE_OK;
  if (block->number == 5) return WP_STAGE_MORE;
  return event->code < 0 ? wp_block_fail(block, event->code, "second") : event->code;
}

static void the_splitter_decides(void) {
  static const int32_t codes[] = { -1234, 77, WP_SOURCE_END, WP_STAGE_STOP, WP_STAGE_STOP_DROP };
  for (int i = 0; i < KINDS_OF_POOL; i++) {
    for (int j = 0; j < 5; j++) {
      setting s = begin(worker_counts[i], 0, 2);
      counter counter = { 30, 0 };
      event event = { 0, codes[j] };
      static memory memory;
      memory.count = 0;
      set_source(s.pipeline, count_up, &counter);
      add_stage(s.pipeline, WP_SPLITTER, fail_second, &event);
      set_sink(s.pipeline, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(s.pipeline), j < 3 ? WP_STAGE_FAILED : WP_STOPPED);
      wp_result result = result_of(s.pipeline);
      CHECK_EQUAL(result.number, 5);
      CHECK_EQUAL(result.source_number, 5);
      CHECK_EQUAL(result.stage, 1);
      CHECK_EQUAL(result.code, j == 0 ? -1234 : j < 3 ? WP_BAD_RETURN : 0);
      check_prefix(&memory, codes[j] == WP_STAGE_STOP ? 7 : 6);
      wp_error_entry entry = { .struct_size = sizeof entry };
      CHECK_EQUAL(wp_pipeline_error(s.pipeline, 0, &entry), j < 3 ? WP_OK : WP_END);
      if (j == 0) CHECK_TEXT(entry.text, "second");
      destroy(s.pipeline, s.pool);
    }
  }
}

static int32_t greedy(WITHIN(context)) {
  (void)context;
  UNUSED;
  return WP_STAGE_MORE;
}

static void more_is_for_splitters(void) {
  for (uint32_t kind = WP_PARALLEL; kind <= WP_SERIAL_ANY_ORDER; kind++) {
    setting s = begin(2, 0, 2);
    counter counter = { 3, 0 };
    set_source(s.pipeline, count_up, &counter);
    add_stage(s.pipeline, kind, greedy, NULL);
    CHECK_EQUAL(wp_pipeline_run(s.pipeline), WP_STAGE_FAILED);
    CHECK_EQUAL(result_of(s.pipeline).code, WP_BAD_RETURN);
    destroy(s.pipeline, s.pool);
  }
  wp_stage_options options = stage(WP_SPLITTER + 1, greedy, NULL);
  setting s = begin(1, 0, 1);
  CHECK_EQUAL(wp_pipeline_add_stage(s.pipeline, &options), WP_INVALID_ARGUMENT);
  options.kind = WP_SPLITTER;
  options.max_concurrency = 2;
  CHECK_EQUAL(wp_pipeline_add_stage(s.pipeline, &options), WP_INVALID_ARGUMENT);
  destroy(s.pipeline, s.pool);
}

/* --- payloads --- */

static void count_release(void *context, void *data, size_t size, int32_t reason) {
  int64_t *reasons = context;
  (void)size;
  free(data);
  __atomic_add_fetch(&reasons[reason], 1, __ATOMIC_SEQ_CST);
}

static int32_t copies(WITHIN(context)) {
  UNUSED;
  if (!call->input) return WP_STAGE_DROP;
  CHECK_EQUAL(call->input->size, 8);
  CHECK_EQUAL(wp_block_set_data(block, malloc(4), 4, count_release, context), WP_OK);
  return call->input->number == 3 ? WP_STAGE_DROP : WP_STAGE_OK;
}

static void payloads(void) {
  for (int i = 1; i < KINDS_OF_POOL; i++) {
    for (int is_cancelled = 0; is_cancelled <= 1; is_cancelled++) {
      int64_t inputs[8] = { 0 }, outputs[8] = { 0 };
      setting s = begin(worker_counts[i], WP_PIPELINE_PULL_RESULTS, 2);
      add_stage(s.pipeline, WP_SPLITTER, copies, outputs);
      CHECK_EQUAL(wp_pipeline_start(s.pipeline), WP_OK);
      int submitted = 0;
      for (int read = 0; submitted < 10;) {
        wp_payload payload = {
          .data = malloc(8), .size = 8, .release = count_release, .release_context = inputs };
        memset(payload.data, 0, 8);
        int32_t status = wp_pipeline_submit(s.pipeline, &payload, -1);
        if (status == WP_OK) {
          submitted++;
          continue;
        }
        CHECK_EQUAL(status, WP_RESULTS_WAITING);
        free(payload.data);
        wp_block *block = NULL;
        CHECK_EQUAL(wp_pipeline_next_result(s.pipeline, -1, &block), WP_OK);
        if (!block) break;
        CHECK_EQUAL(block->number, read);
        CHECK_EQUAL(block->source_number, read < 3 ? read : read + 1);
        read++;
        wp_block_release(block);
      }
      if (is_cancelled) {
        CHECK_EQUAL(wp_pipeline_cancel(s.pipeline), WP_OK);
      } else {
        CHECK_EQUAL(wp_pipeline_close(s.pipeline), WP_OK);
        wp_block *block;
        int32_t status;
        while ((status = wp_pipeline_next_result(s.pipeline, -1, &block)) == WP_OK) {
          wp_block_release(block);
        }
        CHECK_EQUAL(status, WP_END);
        CHECK_EQUAL(inputs[WP_RELEASE_DELIVERED], 10);
        CHECK_EQUAL(outputs[WP_RELEASE_DELIVERED], 9);
        CHECK_EQUAL(outputs[WP_RELEASE_DROPPED], 1);
      }
      destroy(s.pipeline, s.pool);
      int64_t released = 0;
      for (int reason = 0; reason < 8; reason++) released += inputs[reason];
      CHECK_EQUAL(released, 10);
    }
  }
}

int main(void) {
  RUN("what a splitter makes is numbered anew and knows its source", numbered_anew);
  RUN("a splitter may keep inputs and make one block of several", gathers);
  RUN("errors count in the order of a plain loop", errors_decide);
  RUN("stops before and behind a splitter end the input", stops_decide);
  RUN("what a splitter returns is about its input", the_splitter_decides);
  RUN("WP_STAGE_MORE is for splitters", more_is_for_splitters);
  RUN("payloads of inputs and outputs are given back once", payloads);
  return CHECK_SUMMARY();
}
