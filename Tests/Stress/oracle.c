// SPDX-License-Identifier: MIT
/* What a plan must come to: one block after the other through all stages, without the library. */
#include "stress.h"

static uint32_t first_cut(const plan *plan, int32_t stage) {
  for (; stage >= 0; stage--) {
    if (plan->stage[stage].flags & WP_STAGE_SEE_ALL) return (uint32_t)stage + 1;
  }
  return 0;
}

static int is_called(const plan *plan, uint32_t stage) {
  if (stage == 0) return plan->input == FROM_SOURCE;
  return stage <= plan->stages || plan->output == TO_SINK;
}

int reaches(const plan *plan, uint32_t stage, uint64_t number) {
  if (is_skipped(plan, number) || is_missing(plan, number)) return 0;
  for (uint32_t i = 0; i < stage; i++) {
    if (!is_called(plan, i)) continue;
    int32_t answer = answer_of(plan, i, number);
    if (answer != WP_STAGE_OK && answer != WP_STAGE_STOP) return 0;
  }
  return 1;
}

typedef struct reference {
  const plan *plan;
  expectation *is;
  int64_t cut[MOST_PLACES];
} reference;

static void cut(reference *r, uint32_t first, int64_t number) {
  for (uint32_t i = first; i <= r->plan->stages + 1; i++) {
    if (r->cut[i] > number) r->cut[i] = number;
  }
}

static void fail(reference *r, uint32_t stage, int64_t number, int32_t code) {
  expectation *is = r->is;
  is->error_number[is->errors] = (uint32_t)number;
  is->error_stage[is->errors++] = stage;
  if (is->status != WP_STAGE_FAILED && is->status != WP_MISSING_BLOCK) {
    int is_gap = code == WP_MISSING_BLOCK;
    is->status = is_gap ? WP_MISSING_BLOCK : WP_STAGE_FAILED;
    is->number = (uint64_t)number, is->stage = stage, is->code = code;
  }
  if (!r->plan->collects || is->errors == r->plan->max_failures) cut(r, 0, number - 1);
}

void expect(const plan *plan, expectation *is) {
  reference r = { .plan = plan, .is = is };
  uint32_t last = plan->stages + 1;
  memset(is, 0, sizeof *is);
  is->number = UINT64_MAX, is->stage = UINT32_MAX;
  for (uint32_t i = 0; i <= last; i++) r.cut[i] = NEVER;
  for (int64_t n = 0; n < plan->blocks && n <= r.cut[0]; n++) {
    if (is_missing(plan, (uint64_t)n)) {
      if (n == plan->first_missing) fail(&r, 0, n, WP_MISSING_BLOCK);
      continue;
    }
    if (is_skipped(plan, (uint64_t)n)) continue;
    int64_t stopped_in = -1;
    uint32_t s;
    int is_over = 0;
    for (s = 0; s <= last; s++) {
      if (n > r.cut[s]) break;
      if (!is_called(plan, s)) continue;
      int32_t answer = answer_of(plan, s, (uint64_t)n);
      if (answer < 0) {
        if (s == 0) is_over = 1; /* a source that failed is not asked again */
        break;
      }
      if (answer == WP_STAGE_STOP || answer == WP_STAGE_STOP_DROP) {
        if (stopped_in < 0) stopped_in = s;
        cut(&r, first_cut(plan, (int32_t)s), n);
      }
      if (answer == WP_STAGE_DROP || answer == WP_STAGE_STOP_DROP) break;
    }
    if (s > last) is->list[is->delivered++] = (uint32_t)n;
    if (stopped_in >= 0 && is->status == WP_OK) {
      is->status = WP_STOPPED;
      is->number = (uint64_t)n, is->stage = (uint32_t)stopped_in;
    }
    if (s <= last && n <= r.cut[s] && answer_of(plan, s, (uint64_t)n) < 0 && is_called(plan, s)) {
      if (!plan->collects) cut(&r, first_cut(plan, (int32_t)s - 1), n - 1);
      fail(&r, s, n, answer_of(plan, s, (uint64_t)n));
    }
    if (is_over) break;
  }
}
