// SPDX-License-Identifier: MIT
/* A seed is a plan. */
#include "stress.h"

static uint32_t small_or_large(uint64_t *r, uint32_t small, uint32_t large) {
  return 1 + (pick(r, 2) ? pick(r, small) : pick(r, large));
}

static void plan_stage(stage_plan *stage, uint64_t *r, int is_end, int decides) {
  static const uint32_t times[] = { 0, 0, 0, 300, 3000 };
  stage->kind = is_end ? WP_SERIAL : pick(r, 3);
  stage->width = stage->kind == WP_PARALLEL && !pick(r, 3) ? 1 + pick(r, 3) : 0;
  stage->flags = (is_end || pick(r, 6) ? 0 : WP_STAGE_SEE_ALL) | (pick(r, 8) ? 0 : WP_STAGE_MAY_BLOCK);
  stage->change = (bytes_change)(pick(r, 2) ? KEEP : pick(r, 4));
  stage->time = times[pick(r, 5)];
  stage->has_hooks = !pick(r, 4);
  for (int i = 0; decides && i < 5; i++) {
    stage->rarity[i] = pick(r, i == 0 ? 3 : 6) ? 0 : i == 4 ? 400 : 10 + pick(r, 300);
  }
}

static void plan_numbers(plan *plan, uint64_t *r) {
  plan->skipped = pick(r, 2) ? 0 : 2 + pick(r, 20);
  plan->duplicated = pick(r, 2) ? 0 : 2 + pick(r, 20);
  plan->shuffle = pick(r, 2) ? 0 : pick(r, plan->limit);
  /* What is missing keeps the window from moving: it lies within the last window. */
  if (!pick(r, 4) && plan->blocks > 2) {
    uint32_t room = plan->limit < plan->blocks - 1 ? plan->limit : plan->blocks - 1;
    uint32_t behind = 1 + pick(r, room); /* numbers from the gap on, the last one is there */
    if (behind > 1) {
      plan->missing = 1 + pick(r, behind - 1);
      plan->first_missing = plan->blocks - behind;
    }
  }
}

static void plan_disturbance(plan *plan, uint64_t *r) {
  if (pick(r, 2)) return;
  plan->disturbance = (disturbance)pick(r, DISTURBANCES);
  plan->disturbed_at = pick(r, 4) ? pick(r, 1 + plan->blocks * (plan->stages + 1)) : 0;
  plan->disturbing_stage = pick(r, plan->stages + 1);
  if (plan->disturbance == CANCEL_BY_STAGE || plan->disturbance == STOP_BY_STAGE) {
    plan->disturbed_at = pick(r, plan->blocks + 1);
  }
}

plan plan_of(uint64_t seed, const settings *settings) {
  static const uint32_t workers[] = { 1, 1, 2, 2, 2, 3, 3, 4, 5, 8, 16, 64 };
  plan plan;
  memset(&plan, 0, sizeof plan);
  uint64_t r = mix(seed);
  plan.seed = seed;
  plan.workers = workers[pick(&r, sizeof workers / sizeof *workers)];
  if (settings->workers) plan.workers = settings->workers;
  plan.owns_pool = !pick(&r, plan.workers > 8 ? 100 : 12);
  plan.stages = pick(&r, MOST_STAGES + 1);
  plan.limit = small_or_large(&r, 4, 80);
  plan.blocks = pick(&r, 4) ? pick(&r, pick(&r, 4) ? 60 : MOST_BLOCKS) : pick(&r, 4);
  plan.runs = pick(&r, 5) ? 1 : 2 + pick(&r, 2);
  int decides = !pick(&r, 2);
  plan.stage[0].time = pick(&r, 4) ? 0 : 1000;
  plan.stage[0].flags = pick(&r, 8) ? 0 : WP_STAGE_MAY_BLOCK;
  for (uint32_t i = 1; i <= plan.stages + 1; i++) {
    plan_stage(&plan.stage[i], &r, i == plan.stages + 1, decides);
  }
  plan.stage[plan.stages + 1].change = KEEP;
  plan.input = (input_kind)pick(&r, 3);
  if (plan.input == FROM_SOURCE && decides) {
    for (int i = 0; i < 4; i++) plan.stage[0].rarity[i] = pick(&r, 10) ? 0 : 10 + pick(&r, 200);
  }
  plan.output = (output_kind)(pick(&r, 2) ? TO_SINK : 1 + pick(&r, 3));
  plan.bytes = (bytes_kind)pick(&r, 3);
  if (plan.bytes == CALLER_BYTES && plan.stages && !pick(&r, 4)) {
    plan.stage[1 + pick(&r, plan.stages)].change = REPLACE;
  }
  plan.producers = plan.output == READ_BY_DRIVER ? 1 : 1 + pick(&r, MOST_PRODUCERS);
  plan.readers = pick(&r, 4) ? 1 : 2;
  plan.timeout = pick(&r, 3) ? -1 : pick(&r, 2) ? 0 : (int64_t)(1000 + pick(&r, 200000));
  plan.flushes = !pick(&r, 8);
  plan.snapshots = !pick(&r, 10);
  plan.timed_wait = !pick(&r, 6);
  plan.uses_run = !pick(&r, 3);
  if (plan.input == NUMBERED) plan_numbers(&plan, &r);
  /* Numbers that are out of order need the whole window. */
  if (!plan.shuffle && !plan.missing && !pick(&r, 3)) plan.holds = pick(&r, plan.limit + 2);
  if (!pick(&r, 3)) {
    plan.collects = 1;
    plan.max_failures = pick(&r, 2) ? 0 : 1 + pick(&r, 4);
  }
  plan.max_errors_kept = pick(&r, 2) ? 0 : 1 + pick(&r, 3);
  plan_disturbance(&plan, &r);
  plan.unordered = !pick(&r, 6);
  plan.weight = pick(&r, 4) ? 0 : 1 + pick(&r, 1000);
  plan.subscribers = pick(&r, 12) ? 0 : 1 + pick(&r, 2);
  plan.largest_limit = plan.limit;
  if (!pick(&r, 5) && plan.disturbance != DESTROY_RUNNING) {
    for (plan.window = 1; plan.window < plan.limit; plan.window *= 2) {
    }
    plan.window <<= pick(&r, 4);
    plan.largest_limit = plan.window;
  }
  /* Numbers that are out of order may wait for bytes that only a smaller one brings. */
  if (!pick(&r, 5) && plan.disturbance != DESTROY_RUNNING && !plan.shuffle && !plan.missing) {
    plan.bytes_limit = 1 + pick(&r, pick(&r, 2) ? 50 : 2000);
    plan.largest_bytes = plan.bytes_limit + (pick(&r, 2) ? 0 : pick(&r, 1000));
  }
  if (plan.disturbance == DEADLINE) {
    plan.deadline = 1 + pick(&r, pick(&r, 2) ? 100000 : 3000000);
    plan.runs = 1;
  }
  if (plan.disturbance == CANCEL_BY_SUBSCRIBER && !plan.subscribers) plan.subscribers = 1;
  if (!pick(&r, 16)) plan.owns_pool = 1;
  if (plan.owns_pool && pick(&r, 2)) {
    plan.host_workers = 1 + pick(&r, plan.workers);
    /* Not all that wait work along: somebody must be there. */
    plan.mates = plan.host_workers == plan.workers ? 1 + pick(&r, 3) : pick(&r, 4);
  }
  plan.watches = !pick(&r, 6);
  plan.statistics = pick(&r, 4) ? WP_STATISTICS_SAMPLED : 1 + pick(&r, 2);
  plan.events = pick(&r, 10) ? 0 : 1 + pick(&r, pick(&r, 2) ? 8 : 300);
  if (!plan.owns_pool && !pick(&r, 12)) plan.owns_pool = 1;
  if (plan.owns_pool && plan.workers <= 60) {
    if (pick(&r, 2)) plan.blocking_extra = 1 + pick(&r, 4);
    uint32_t room = 64 - plan.workers - plan.blocking_extra;
    if (pick(&r, 2)) plan.most_workers = plan.workers + pick(&r, 1 + (room < 6 ? room : 6));
  }
  for (uint32_t i = 1; i <= plan.stages + 1; i++) {
    const int may_gather = i > plan.stages ? !plan.unordered : plan.stage[i].kind == WP_SERIAL;
    if (may_gather && !pick(&r, 3)) plan.stage[i].batch = small_or_large(&r, 6, 256);
  }
  return plan;
}

int32_t answer_of(const plan *plan, uint32_t stage, uint64_t number) {
  const stage_plan *s = &plan->stage[stage];
  uint64_t r = mix(plan->seed * 31 + number * 7 + stage);
  for (int i = 0; i < 5; i++) {
    if (s->rarity[i] && (r = mix(r)) % s->rarity[i] == 0) {
      return i < 3 ? WP_STAGE_DROP + i : i == 3 ? -2000 - (int32_t)stage : WP_BAD_RETURN;
    }
  }
  return WP_STAGE_OK;
}

void plan_print(const plan *plan, FILE *file) {
  static const char *inputs[] = { "source", "submitted", "numbered" };
  static const char *outputs[] = { "sink", "nobody", "read by the driver", "read by threads" };
  static const char *bytes[] = { "no bytes", "bytes of the library", "bytes of the caller" };
  static const char *changes[] = { "", " writes", " grows", " spare", " replaces" };
  static const char *kinds[] = { "parallel", "serial", "any-order" };
  static const char *disturbances[] = {
    "undisturbed", "cancel by a thread", "cancel by a stage", "cancel of the token",
    "cancel of the token's parent", "cancel by a mark", "cancel before start", "stop by a thread",
    "stop by a stage", "destroyed while running", "a deadline", "cancel by a subscriber"
  };
  fprintf(file, "  seed %" PRIu64 ": %u workers%s, limit %u, %u blocks, %u runs, %s to %s, %s\n",
          plan->seed, plan->workers, plan->owns_pool ? " of its own" : "", plan->limit,
          plan->blocks, plan->runs, inputs[plan->input], outputs[plan->output],
          bytes[plan->bytes]);
  fprintf(file, "  producers %u, readers %u, timeout %" PRId64 "%s%s%s%s%s, %s at %u (stage %u)\n",
          plan->producers, plan->readers, plan->timeout, plan->unordered ? ", unordered" : "",
          plan->flushes ? ", flushes" : "",
          plan->snapshots ? ", snapshots" : "", plan->timed_wait ? ", timed wait" : "",
          plan->uses_run ? ", run" : "", disturbances[plan->disturbance], plan->disturbed_at,
          plan->disturbing_stage);
  if (plan->window) fprintf(file, "  limits up to %u\n", plan->window);
  if (plan->weight) fprintf(file, "  weight %u\n", plan->weight);
  if (plan->bytes_limit) fprintf(file, "  bytes %u to %u\n", plan->bytes_limit, plan->largest_bytes);
  if (plan->subscribers) fprintf(file, "  %u subscribers\n", plan->subscribers);
  if (plan->host_workers) {
    fprintf(file, "  %u seats for the host, %u threads that come and go\n", plan->host_workers, plan->mates);
  }
  if (plan->most_workers) fprintf(file, "  1 to %u workers, again and again others\n", plan->most_workers);
  if (plan->blocking_extra) fprintf(file, "  %u further workers while others block\n", plan->blocking_extra);
  if (plan->watches) fprintf(file, "  watched\n");
  if (plan->statistics) fprintf(file, "  statistics %u\n", plan->statistics);
  if (plan->events) fprintf(file, "  a timeline of %u events\n", plan->events);
  if (plan->deadline) fprintf(file, "  deadline after %" PRId64 " ns\n", plan->deadline);
  if (plan->holds) fprintf(file, "  holds %u results\n", plan->holds);
  if (plan->input == NUMBERED) {
    fprintf(file, "  skipped 1/%u, duplicated 1/%u, shuffled by %u, missing %u from %u\n",
            plan->skipped, plan->duplicated, plan->shuffle, plan->missing, plan->first_missing);
  }
  if (plan->collects) {
    fprintf(file, "  collects, max_failures %u, max_errors_kept %u\n", plan->max_failures,
            plan->max_errors_kept);
  }
  for (uint32_t i = 0; i <= plan->stages + 1; i++) {
    const stage_plan *s = &plan->stage[i];
    fprintf(file, "  stage %u %s", i, i == 0 || i > plan->stages ? "end" : kinds[s->kind]);
    if (s->width) fprintf(file, " of %u", s->width);
    if (s->batch) fprintf(file, " up to %u at once", s->batch);
    fprintf(file, "%s%s%s%s time %u, drop stop stop-drop error bad: %u %u %u %u %u\n",
            s->flags & WP_STAGE_SEE_ALL ? " see-all" : "",
            s->flags & WP_STAGE_MAY_BLOCK ? " may-block" : "", changes[s->change],
            s->has_hooks ? " hooks" : "", s->time, s->rarity[0], s->rarity[1], s->rarity[2],
            s->rarity[3], s->rarity[4]);
  }
}
