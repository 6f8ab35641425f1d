// SPDX-License-Identifier: MIT
/* Random pipelines, with and without splitters: with any number of workers they end as the serial
 * reference does.
 * One case again: test_reference SEED */
#include <stdlib.h>

#include "stages.h"

static uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

static uint32_t pick(uint64_t *state, uint32_t count) {
  *state = mix(*state);
  return (uint32_t)(*state % count);
}

enum { MOST_STAGES = 6 };
typedef struct plan {
  uint64_t seed, blocks;
  uint32_t stages, limit, flags, kind[MOST_STAGES], stage_flags[MOST_STAGES], width[MOST_STAGES];
  uint32_t rarity[4]; /* one of so many blocks is dropped, stops, stops and is dropped, fails */
  uint64_t max_failures;
  uint32_t max_errors_kept;
  uint32_t batch[MOST_STAGES + 1]; /* of serial stages, and the sink */
} plan;

static plan plan_of(uint64_t seed) {
  plan plan = { .seed = seed };
  uint64_t r = mix(seed);
#define PICK(count) pick(&r, count)
  plan.stages = PICK(MOST_STAGES + 1);
  plan.blocks = PICK(4) ? PICK(300) : PICK(3);
  plan.limit = 1 + (PICK(2) ? PICK(4) : PICK(70));
  for (uint32_t i = 0; i < plan.stages; i++) {
    plan.kind[i] = PICK(6) ? PICK(3) : WP_SPLITTER;
    plan.stage_flags[i] = (PICK(4) ? 0 : WP_STAGE_SEE_ALL) | (PICK(4) ? 0 : WP_STAGE_MAY_BLOCK);
    plan.width[i] = PICK(3) ? 0 : 1 + PICK(3);
  }
  for (int i = 0; i < 4; i++) plan.rarity[i] = PICK(2) ? 0 : 20 + PICK(400);
  if (!PICK(3)) {
    plan.flags = WP_PIPELINE_COLLECT_ERRORS;
    plan.max_failures = PICK(3) ? 0 : 1 + PICK(4);
  }
  plan.max_errors_kept = PICK(2) ? 0 : 1 + PICK(3);
  for (uint32_t i = 0; i <= plan.stages; i++) {
    if (i == plan.stages || plan.kind[i] == WP_SERIAL) {
      plan.batch[i] = PICK(2) ? 0 : 1 + (PICK(2) ? PICK(4) : PICK(256));
    }
  }
#undef PICK
  return plan;
}

typedef struct outcome {
  int32_t status;
  wp_result result;
  uint32_t errors;
  wp_error_entry error[100];
  uint64_t delivered, digest;
} outcome;

typedef struct place {
  const plan *plan;
  uint32_t stage;
  uint64_t seen; /* of serial stages */
  uint64_t input, index; /* of splitters: number + 1 of the last input, and what came of it */
} place;

static int32_t generate(WITHIN(context)) {
  place *place = context;
  UNUSED;
  if (place->seen++ == place->plan->blocks) return WP_SOURCE_END;
  block->meta[0] = mix(place->plan->seed ^ block->number);
  return WP_STAGE_OK;
}

/* One of so many callbacks answers something else. */
static int32_t answer(const place *place, wp_block *block, uint64_t r, int first) {
  const plan *plan = place->plan;
  for (int i = first; i < 3; i++) {
    if (plan->rarity[i] && (r = mix(r)) % plan->rarity[i] == 0) return WP_STAGE_DROP + i;
  }
  if (plan->rarity[3] && (r = mix(r)) % plan->rarity[3] == 0) {
    char text[40];
    snprintf(text, sizeof text, "%d at %d", (int)place->stage, (int)block->number);
    return wp_block_fail(block, -2000 - (int32_t)place->stage, text);
  }
  return WP_STAGE_OK;
}

/* 0 to 3 blocks for each one, which depend on all inputs before; up to 2 after the last one. */
static int32_t divide(WITHIN(context)) {
  place *place = context;
  const wp_block *input = call->input;
  const uint64_t number = input ? input->number + 1 : UINT64_MAX;
  (void)scratch;
  CHECK_EQUAL(call->stage, place->stage);
  if (place->input != number) {
    CHECK(number > place->input);
    place->input = number;
    place->index = 0;
    place->seen = mix(place->seen + (input ? input->meta[0] : 0));
  }
  const uint64_t r = mix(place->plan->seed * 17 + (input ? input->meta[0] : 1) + place->stage);
  const uint64_t wanted = input ? r % 4 : r % 3;
  if (place->index == wanted) return WP_STAGE_DROP;
  block->meta[0] = mix(place->seen + place->index);
  const int32_t code = answer(place, block, mix(block->meta[0]), 1);
  if (code != WP_STAGE_OK) return code;
  return ++place->index < wanted ? WP_STAGE_MORE : WP_STAGE_OK;
}

static int32_t decide(WITHIN(context)) {
  place *place = context;
  const plan *plan = place->plan;
  UNUSED;
  block->meta[0] = mix(block->meta[0] + place->stage);
  if (plan->seed % 2) take_time(block->number, place->stage);
  if (plan->kind[place->stage - 1] == WP_SERIAL) { /* may depend on all blocks before */
    CHECK(!place->seen || block->number >= place->seen);
    place->seen = block->number + 1;
  }
  return answer(place, block, mix(plan->seed * 31 + block->meta[0] * 7 + place->stage), 0);
}

static uint64_t calls_with_several;

/* `one` for each block, as the header says. */
static int32_t each(wp_stage_fn one, void *context, wp_block *block, void *scratch,
                    const wp_call *call) {
  CHECK(call->count >= 1 && call->blocks[0] == block);
  if (call->count > 1) __atomic_add_fetch(&calls_with_several, 1, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < call->count; i++) {
    int32_t code = call->answers[i] = one(context, call->blocks[i], scratch, call);
    if (i > 0) CHECK(call->blocks[i]->number > call->blocks[i - 1]->number);
    if (code != WP_STAGE_OK && code != WP_STAGE_DROP) break;
    if (mix(call->blocks[i]->meta[0]) % 8 == 0) break; /* any part of them will do */
  }
  return call->answers[0];
}

static int32_t decide_each(WITHIN(context)) {
  return each(decide, context, block, scratch, call);
}

static int32_t digest(WITHIN(context)) {
  outcome *outcome = context;
  UNUSED;
  outcome->delivered++;
  outcome->digest =
      mix(outcome->digest ^ block->number ^ block->meta[0] ^ block->source_number << 32);
  return WP_STAGE_OK;
}

static int32_t digest_each(WITHIN(context)) {
  return each(digest, context, block, scratch, call);
}

static void run(const plan *plan, wp_pool *pool, uint32_t flags, outcome *outcome) {
  place places[MOST_STAGES + 1];
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  memset(outcome, 0, sizeof *outcome);
  options.flags = plan->flags | flags;
  options.max_blocks_in_flight = plan->limit;
  options.max_failures = plan->max_failures;
  options.max_errors_kept = plan->max_errors_kept;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  for (uint32_t i = 0; i <= plan->stages; i++) places[i] = (place){ plan, i, 0, 0, 0 };
  set_source(pipeline, generate, &places[0]);
  for (uint32_t i = 1; i <= plan->stages; i++) {
    wp_stage_options stage_options =
        stage(plan->kind[i - 1], plan->kind[i - 1] == WP_SPLITTER ? divide : decide, &places[i]);
    stage_options.flags = plan->stage_flags[i - 1];
    if (plan->kind[i - 1] == WP_PARALLEL) stage_options.max_concurrency = plan->width[i - 1];
    stage_options.max_batch = plan->batch[i - 1];
    if (stage_options.max_batch) stage_options.fn = decide_each;
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &stage_options), i);
  }
  wp_stage_options sink = stage(WP_SERIAL, digest, outcome);
  sink.max_batch = plan->batch[plan->stages];
  if (sink.max_batch) sink.fn = digest_each;
  CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &sink), WP_OK);
  outcome->status = wp_pipeline_run(pipeline);
  outcome->result = result_of(pipeline);
  wp_error_entry entry = { .struct_size = sizeof entry };
  while (outcome->errors < 100 && wp_pipeline_error(pipeline, outcome->errors, &entry) == WP_OK) {
    outcome->error[outcome->errors++] = entry;
  }
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static void compare(const outcome *actual, const outcome *expected) {
  CHECK_EQUAL(actual->status, expected->status);
  CHECK_EQUAL(actual->result.status, expected->result.status);
  CHECK_EQUAL(actual->result.number, expected->result.number);
  CHECK_EQUAL(actual->result.source_number, expected->result.source_number);
  CHECK_EQUAL(actual->result.stage, expected->result.stage);
  CHECK_EQUAL(actual->result.code, expected->result.code);
  CHECK_EQUAL(actual->result.errors, expected->result.errors);
  CHECK_EQUAL(actual->result.errors_not_kept, expected->result.errors_not_kept);
  CHECK_EQUAL(actual->delivered, expected->delivered);
  CHECK_EQUAL(actual->result.blocks_delivered, expected->delivered);
  CHECK_EQUAL(actual->digest, expected->digest);
  CHECK_EQUAL(actual->errors, expected->errors);
  for (uint32_t i = 0; i < actual->errors && i < expected->errors; i++) {
    CHECK_EQUAL(actual->error[i].number, expected->error[i].number);
    CHECK_EQUAL(actual->error[i].source_number, expected->error[i].source_number);
    CHECK_EQUAL(actual->error[i].stage, expected->error[i].stage);
    CHECK_EQUAL(actual->error[i].code, expected->error[i].code);
    CHECK_TEXT(actual->error[i].text, expected->error[i].text);
  }
}

static uint64_t first_seed = 1, last_seed = 2000;

static void random_pipelines(void) {
  static const uint32_t worker_counts[] = { 1, 2, 3, 8 };
  static outcome expected, actual;
  wp_pool *pools[4];
  int stopped = 0, failed = 0;
  for (int i = 0; i < 4; i++) pools[i] = pool_of(worker_counts[i]);
  for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
    plan plan = plan_of(seed);
    run(&plan, NULL, WP_PIPELINE_SERIAL_REFERENCE, &expected);
    stopped += expected.status == WP_STOPPED;
    failed += expected.status == WP_STAGE_FAILED;
    for (int i = 0; i < 4; i++) {
      int before = checks_failed;
      run(&plan, pools[i], 0, &actual);
      compare(&actual, &expected);
      if (checks_failed != before) {
        printf("  seed %" PRIu64 " with %" PRIu32 " workers differs\n", seed, worker_counts[i]);
      }
      if (checks_failed > 20) break;
    }
    if (checks_failed > 20) break;
  }
  for (int i = 0; i < 4; i++) CHECK_EQUAL(wp_pool_destroy(pools[i]), WP_OK);
  printf("     %d runs ended by a stop, %d by an error\n", stopped, failed);
  printf("     %" PRIu64 " calls for several blocks at once\n", calls_with_several);
  if (first_seed != last_seed) CHECK(stopped > 50 && failed > 50 && calls_with_several > 50);
}

int main(int count, char **words) {
  if (count == 2) first_seed = last_seed = strtoull(words[1], NULL, 10);
  RUN("random pipelines end as the serial reference does", random_pipelines);
  return CHECK_SUMMARY();
}
