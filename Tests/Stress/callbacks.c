// SPDX-License-Identifier: MIT
/* What the engine calls. meta[0]: id of the payload; meta[1]: digest of id, which every stage carries
 * on; meta[2]: stages that were there, a bit each; meta[3]: the digest it must be. */
#include "stress.h"

void note_progress(run *run) {
  int64_t now = ADD(run->progress, 1);
  if (now == run->plan->disturbed_at) sem_post(&run->disturb);
}

static void spend(const plan *plan, uint32_t stage, uint64_t number) {
  uint32_t most = plan->stage[stage].time;
  if (!most) return;
  uint64_t r = mix(plan->seed + number * 5 + stage);
  if (r % 64 == 0) sched_yield();
  if ((plan->stage[stage].flags & WP_STAGE_MAY_BLOCK) && r % 256 == 1) {
    nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
  }
  for (uint64_t i = (r >> 16) % most; i > 0; i--) __asm__ volatile("");
}

static void enter(post *post, const wp_block *block, void *scratch, const wp_call *call) {
  run *run = post->run;
  const plan *plan = run->plan;
  const stage_plan *stage = &plan->stage[post->stage];
  note_progress(run);
  ADD(post->calls, 1);
  REQUIRE(run, !LOAD(run->has_ended));
  REQUIRE_EQUAL(run, call->stage, post->stage);
  REQUIRE(run, call->worker < seats_of(plan));
  int64_t inside = ADD(post->inside, 1);
  int serial = is_serial(plan, post->stage);
  if (serial || stage->kind == WP_SERIAL_ANY_ORDER || post->stage > plan->stages) REQUIRE_EQUAL(run, inside, 1);
  if (stage->width) REQUIRE(run, inside <= stage->width);
  if (serial) {
    int64_t number = (int64_t)block->number;
    REQUIRE(run, number > post->last);
    int may_lack = plan->input == NUMBERED && is_stopping(plan->disturbance);
    for (int64_t n = post->last + 1; !may_lack && n < number && number < MOST_BLOCKS; n++) {
      if (reaches(plan, post->stage, (uint64_t)n)) {
        fault(run, __FILE__, __LINE__, "stage %u sees %" PRId64 " after %" PRId64 ": a gap",
              post->stage, number, post->last);
        break;
      }
    }
    post->last = number;
    post->turns++;
  }
  if (stage->has_hooks) {
    uint32_t *own = scratch;
    REQUIRE(run, own == &run->scratches[post->stage][call->worker]);
    if (own) ++*own; /* plain: one worker's */
  } else {
    REQUIRE(run, scratch == NULL);
  }
}

static int32_t leave(post *post, int32_t answer, wp_block *block) {
  if (answer == WP_STAGE_DROP || answer == WP_STAGE_STOP_DROP) ADD(post->dropped, 1);
  if (answer < 0) ADD(post->failed, 1);
  ADD(post->inside, -1);
  if (answer == WP_BAD_RETURN) return 77;
  if (answer < 0) {
    char text[40];
    snprintf(text, sizeof text, "%u at %u", post->stage, (unsigned)block->number);
    return wp_block_fail(block, answer, text);
  }
  return answer;
}

/* ----- payloads ----- */

void call_release(void *context, void *data, size_t size, int32_t reason) {
  payload *payload = context;
  run *run = payload->run;
  REQUIRE(run, data == (void *)&payload->id);
  REQUIRE(run, size == sizeof payload->id);
  REQUIRE_EQUAL(run, ADD(payload->releases, 1), 1);
  STORE(payload->reason, reason);
  if (payload->number >= 0) ADD(run->live, -1);
}

static void count_live(run *run, payload *payload, uint64_t number) {
  payload->number = (int64_t)number;
  int64_t live = ADD(run->live, 1), most = LOAD(run->most_live);
  while (live > most
         && !__atomic_compare_exchange_n(&run->most_live, &most, live, 0, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST)) {
  }
  REQUIRE(run, live <= run->plan->largest_limit);
}

/* The first callback that sees a block of the caller's bytes. */
static void see(run *run, const wp_block *block) {
  if (run->plan->bytes != CALLER_BYTES || run->plan->input == FROM_SOURCE || block->meta[2]) return;
  REQUIRE(run, block->meta[0] < MOST_BLOCKS);
  if (block->meta[0] < MOST_BLOCKS) count_live(run, &run->payloads[block->meta[0]], block->number);
}

static void check_bytes(run *run, const wp_block *block) {
  if (run->plan->bytes == NO_BYTES) {
    REQUIRE_EQUAL(run, block->size, 0);
    return;
  }
  uint64_t id = UINT64_MAX;
  REQUIRE(run, block->size >= sizeof id);
  if (block->size >= sizeof id) memcpy(&id, block->data, sizeof id);
  REQUIRE_EQUAL(run, id, block->meta[0]);
}

static void change_bytes(run *run, wp_block *block, uint32_t stage) {
  const plan *plan = run->plan;
  if (plan->bytes == NO_BYTES) return;
  uint64_t r = mix(plan->seed ^ block->number << 8 ^ stage);
  size_t size = block->size + r % 600;
  uint8_t *spare = NULL;
  switch (plan->stage[stage].change) {
  case KEEP: break;
  case WRITE: memcpy(block->data, &block->meta[0], sizeof block->meta[0]); break;
  case GROW:
    if (wp_block_reserve(block, size) == WP_OK) {
      memset(block->data + block->size, (int)r, size - block->size);
      block->size = size;
    }
    break;
  case SPARE:
    if (wp_block_spare(block, size, &spare) == WP_OK && r % 4) {
      memset(spare, (int)r, size);
      memcpy(spare, block->data, sizeof(uint64_t));
      REQUIRE_EQUAL(run, wp_block_commit_spare(block, size), WP_OK);
    }
    break;
  case REPLACE: {
    payload *new = &run->replacements[block->number % MOST_BLOCKS];
    *new = (payload){ .id = block->meta[0], .run = run, .number = -1, .is_taken = 1 };
    int32_t status = wp_block_set_data(block, &new->id, sizeof new->id, call_release, new);
    REQUIRE_EQUAL(run, status, WP_OK);
    break;
  }
  }
}

/* ----- callbacks ----- */

static void change_settings(run *run, uint32_t stage, uint64_t number) {
  const plan *plan = run->plan;
  uint64_t r = mix(plan->seed + number * 64 + stage);
  if (plan->window && r % 16 == 0) {
    /* A number that is waited for may come from a thread that waits with a larger one. */
    uint32_t least = plan->input == NUMBERED && (plan->shuffle || plan->missing) ? plan->limit : 1;
    uint32_t limit = least + (uint32_t)((r >> 8) % (plan->window - least + 1));
    REQUIRE_EQUAL(run, wp_pipeline_set_max_blocks(run->pipeline, limit), WP_OK);
  }
  if (plan->largest_bytes > plan->bytes_limit && r % 16 == 2) {
    uint64_t bytes = 1 + (r >> 8) % plan->largest_bytes;
    REQUIRE_EQUAL(run, wp_pipeline_set_max_bytes(run->pipeline, bytes), WP_OK);
  }
  if (plan->weight && r % 32 == 1) {
    REQUIRE_EQUAL(run, wp_pipeline_set_weight(run->pipeline, 1 + (uint32_t)(r >> 8) % 1000), WP_OK);
  }
}

static void disturb_from(run *run, uint32_t stage, uint64_t number) {
  const plan *plan = run->plan;
  change_settings(run, stage, number);
  if (stage != plan->disturbing_stage || number != plan->disturbed_at) return;
  if (plan->disturbance == CANCEL_BY_STAGE) {
    STORE(run->was_disturbed, 1);
    REQUIRE_EQUAL(run, wp_pipeline_cancel(run->pipeline), WP_OK);
  } else if (plan->disturbance == STOP_BY_STAGE) {
    STORE(run->was_disturbed, 1);
    REQUIRE_EQUAL(run, wp_pipeline_stop(run->pipeline), WP_OK);
  }
}

int32_t call_source(void *context, wp_block *block, void *scratch, const wp_call *call) {
  post *post = context;
  run *run = post->run;
  const plan *plan = run->plan;
  enter(post, block, scratch, call);
  spend(plan, 0, block->number);
  disturb_from(run, 0, block->number);
  if (block->number >= plan->blocks) {
    ADD(post->inside, -1);
    return WP_SOURCE_END;
  }
  for (int i = 0; i < 4; i++) REQUIRE_EQUAL(run, block->meta[i], 0);
  block->meta[0] = block->number;
  block->weight = weight_of(plan, block->number);
  block->meta[1] = block->meta[3] = mix(block->number);
  block->meta[2] = 1;
  if (plan->bytes == CALLER_BYTES) {
    payload *payload = &run->payloads[block->number];
    REQUIRE_EQUAL(run, payload->releases, 0);
    *payload = (struct payload){ .id = block->number, .run = run, .is_taken = 1 };
    count_live(run, payload, block->number);
    int32_t status = wp_block_set_data(block, &payload->id, sizeof payload->id, call_release, payload);
    REQUIRE_EQUAL(run, status, WP_OK);
  } else if (plan->bytes == LIBRARY_BYTES) {
    size_t size = 8 + mix(block->number) % 100;
    REQUIRE_EQUAL(run, wp_block_reserve(block, size), WP_OK);
    memcpy(block->data, &block->meta[0], sizeof block->meta[0]);
    block->size = size;
  }
  return leave(post, answer_of(plan, 0, block->number), block);
}

static void visit(post *post, wp_block *block) {
  run *run = post->run;
  see(run, block);
  check_bytes(run, block);
  REQUIRE_EQUAL(run, block->meta[1], block->meta[3]);
  uint64_t before = (UINT64_C(1) << post->stage) - 1;
  if (run->plan->input != FROM_SOURCE) block->meta[2] |= 1;
  REQUIRE_EQUAL(run, block->meta[2], before);
  block->meta[2] |= UINT64_C(1) << post->stage;
  block->meta[1] = block->meta[3] = mix(block->meta[1] + post->stage);
  REQUIRE_EQUAL(run, block->source_number, block->number);
}

int32_t call_stage(void *context, wp_block *block, void *scratch, const wp_call *call) {
  post *post = context;
  run *run = post->run;
  enter(post, block, scratch, call);
  visit(post, block);
  change_bytes(run, block, post->stage);
  spend(run->plan, post->stage, block->number);
  disturb_from(run, post->stage, block->number);
  return leave(post, answer_of(run->plan, post->stage, block->number), block);
}

/* In the order of delivery, one at a time. */
void deliver(run *run, const wp_block *block) {
  const expectation *expected = run->expected;
  uint32_t index = run->delivered;
  if (index >= MOST_BLOCKS) {
    fault(run, __FILE__, __LINE__, "more blocks delivered than there are");
    return;
  }
  run->delivered_number[index] = block->number;
  run->delivered = index + 1;
  if (run->plan->unordered) return;
  if (run->plan->readers > 1 && run->plan->output == READ_BY_THREAD) return; /* in any order */
  if (run->plan->input == NUMBERED && is_stopping(run->plan->disturbance)) {
    REQUIRE(run, !index || block->number > run->delivered_number[index - 1]);
    return;
  }
  REQUIRE(run, index < expected->delivered);
  if (index < expected->delivered) REQUIRE_EQUAL(run, block->number, expected->list[index]);
}

int32_t call_sink(void *context, wp_block *block, void *scratch, const wp_call *call) {
  post *post = context;
  run *run = post->run;
  enter(post, block, scratch, call);
  visit(post, block);
  spend(run->plan, post->stage, block->number);
  int32_t answer = answer_of(run->plan, post->stage, block->number);
  if (answer == WP_STAGE_OK || answer == WP_STAGE_STOP) deliver(run, block);
  return leave(post, answer, block);
}

static int32_t for_each(wp_stage_fn one, post *post, wp_block *block, void *scratch,
                        const wp_call *call) {
  const plan *plan = post->run->plan;
  REQUIRE(post->run, call->count >= 1 && call->count <= plan->stage[post->stage].batch);
  REQUIRE(post->run, call->blocks[0] == block);
  for (uint32_t i = 0; i < call->count; i++) {
    int32_t code = call->answers[i] = one(post, call->blocks[i], scratch, call);
    if (code != WP_STAGE_OK && code != WP_STAGE_DROP) break;
  }
  return call->answers[0];
}

int32_t call_stage_for_each(void *context, wp_block *block, void *scratch, const wp_call *call) {
  return for_each(call_stage, context, block, scratch, call);
}

int32_t call_sink_for_each(void *context, wp_block *block, void *scratch, const wp_call *call) {
  return for_each(call_sink, context, block, scratch, call);
}

int32_t call_worker_start(void *context, uint32_t worker, void **out_scratch) {
  post *post = context;
  REQUIRE(post->run, !LOAD(post->run->has_ended));
  REQUIRE(post->run, worker < 64);
  *out_scratch = &post->run->scratches[post->stage][worker % 64];
  ADD(post->started, 1);
  return 0;
}

void call_worker_finish(void *context, uint32_t worker, void *scratch) {
  post *post = context;
  REQUIRE(post->run, scratch == &post->run->scratches[post->stage][worker % 64]);
  REQUIRE_EQUAL(post->run, ADD(post->inside, 0), 0);
  ADD(post->finished, 1);
}

void call_progress(void *context, const wp_progress *progress) {
  run *run = context;
  REQUIRE_EQUAL(run, progress->struct_size, sizeof *progress);
  REQUIRE(run, progress->blocks_out <= progress->blocks_in);
  REQUIRE(run, run->plan->input == NUMBERED || progress->in_flight <= run->plan->largest_limit + MOST_PRODUCERS);
  if (ADD(run->told, 1) % 2 && run->plan->disturbance == CANCEL_BY_SUBSCRIBER) {
    STORE(run->was_disturbed, 1);
    REQUIRE_EQUAL(run, wp_pipeline_cancel(run->pipeline), WP_OK);
  }
  if (progress->flags & WP_PROGRESS_LAST) ADD(run->told_last, 1);
}

void call_forgotten(void *context) {
  run *run = context;
  ADD(run->forgotten, 1);
}

void call_destroy(void *context) {
  post *post = context;
  post->destroyed++;
}

int32_t call_finish(void *context, int32_t status) {
  post *post = context;
  run *run = post->run;
  (void)status;
  REQUIRE(run, !LOAD(run->has_ended));
  REQUIRE(run, post->stage >= run->next_finish);
  run->next_finish = post->stage + 1;
  post->finishes++;
  return 0;
}
