// SPDX-License-Identifier: MIT
#include <signal.h>

#include "stages.h"

static wp_token *token_under(wp_token *parent) {
  wp_token *token = NULL;
  CHECK_EQUAL(wp_token_create(parent, &token), WP_OK);
  return token;
}

static void a_token_is_cancelled_once(void) {
  wp_token *token = token_under(NULL);
  const uint32_t *word = wp_token_word(token);
  CHECK_EQUAL(wp_token_is_cancelled(token), 0);
  CHECK_EQUAL(*word, 0);
  wp_token_cancel(token);
  CHECK_EQUAL(wp_token_is_cancelled(token), WP_CANCEL_USER);
  CHECK_EQUAL(__atomic_load_n(word, __ATOMIC_ACQUIRE), WP_CANCEL_USER);
  wp_token_cancel(token);
  CHECK_EQUAL(wp_token_is_cancelled(token), WP_CANCEL_USER);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
}

static void nothing_is_a_token_too(void) {
  wp_token_cancel(NULL);
  wp_token_cancel_from_signal(NULL);
  CHECK_EQUAL(wp_token_is_cancelled(NULL), 0);
  CHECK_EQUAL(wp_token_destroy(NULL), WP_OK);
  CHECK_EQUAL(wp_token_create(NULL, NULL), WP_INVALID_ARGUMENT);
}

static void cancelling_goes_down_not_up(void) {
  wp_token *root = token_under(NULL), *left = token_under(root), *right = token_under(root);
  wp_token *leaf = token_under(left);
  wp_token_cancel(left);
  CHECK_EQUAL(wp_token_is_cancelled(left), WP_CANCEL_USER);
  CHECK_EQUAL(wp_token_is_cancelled(leaf), WP_CANCEL_PARENT);
  CHECK_EQUAL(wp_token_is_cancelled(right), 0);
  CHECK_EQUAL(wp_token_is_cancelled(root), 0);
  wp_token_cancel(root);
  CHECK_EQUAL(wp_token_is_cancelled(left), WP_CANCEL_USER);
  CHECK_EQUAL(wp_token_is_cancelled(right), WP_CANCEL_PARENT);
  CHECK_EQUAL(wp_token_destroy(left), WP_BUSY);
  CHECK_EQUAL(wp_token_destroy(root), WP_BUSY);
  CHECK_EQUAL(wp_token_destroy(leaf), WP_OK);
  CHECK_EQUAL(wp_token_destroy(left), WP_OK);
  CHECK_EQUAL(wp_token_destroy(right), WP_OK);
  CHECK_EQUAL(wp_token_destroy(root), WP_OK);
}

static void a_child_of_a_cancelled_token_is_cancelled(void) {
  wp_token *root = token_under(NULL);
  wp_token_cancel(root);
  wp_token *child = token_under(root);
  CHECK_EQUAL(wp_token_is_cancelled(child), WP_CANCEL_PARENT);
  CHECK_EQUAL(wp_token_destroy(child), WP_OK);
  CHECK_EQUAL(wp_token_destroy(root), WP_OK);
}

static wp_token *of_signal;
static void on_signal(int number) {
  (void)number;
  wp_token_cancel_from_signal(of_signal);
}

static int32_t raise_at_fifty(WITHIN(context)) {
  (void)context;
  UNUSED;
  if (block->number == 50) {
    CHECK_EQUAL(wp_token_is_cancelled(call->token), 0);
    on_signal(SIGUSR1);
    CHECK(wp_token_is_cancelled(call->token) != 0);
  }
  return WP_STAGE_OK;
}

static wp_pipeline *cancelled_by(wp_pool *pool, wp_token *token, uint32_t flags) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.flags = flags;
  options.token = token;
  options.max_blocks_in_flight = 4;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  return pipeline;
}

static void a_run_notices_a_signal_handlers_cancel(void) {
  wp_pool *pool = pool_of(3);
  wp_token *token = token_under(NULL);
  wp_pipeline *pipeline = cancelled_by(pool, token, 0);
  counter endless = { UINT64_MAX, 0 };
  memory memory = { 0 };
  of_signal = token;
  set_source(pipeline, count_up, &endless);
  add_stage(pipeline, WP_SERIAL, raise_at_fifty, NULL);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_token_destroy(token), WP_BUSY);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_CANCELLED);
  CHECK(memory.count <= 51);
  check_prefix(&memory, memory.count);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_CANCELLED);
  CHECK_EQUAL(memory.count, result_of(pipeline).blocks_delivered);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void a_real_signal_wakes_a_waiting_host(void) {
  wp_pool *pool = pool_of(2);
  wp_token *token = token_under(NULL);
  wp_pipeline *pipeline = cancelled_by(pool, token, 0);
  of_signal = token;
  signal(SIGUSR1, on_signal);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  raise(SIGUSR1);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_CANCELLED);
  signal(SIGUSR1, SIG_DFL);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void a_cancelled_token_keeps_a_run_from_starting(void) {
  wp_pool *pool = pool_of(2);
  wp_token *root = token_under(NULL), *token = token_under(root);
  counter ten = { 10, 0 };
  for (uint32_t flags = 0; flags <= WP_PIPELINE_SERIAL_REFERENCE; flags++) {
    wp_pipeline *pipeline = cancelled_by(pool, token, flags);
    set_source(pipeline, count_up, &ten);
    wp_token_cancel(root);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_CANCELLED);
    CHECK_EQUAL(ten.calls, 0);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  CHECK_EQUAL(wp_token_destroy(root), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static int32_t cancel_at_ten(WITHIN(context)) {
  UNUSED;
  if (block->number == 10) wp_token_cancel(context);
  return WP_STAGE_OK;
}

static void one_token_ends_two_runs(void) {
  wp_pool *pool = pool_of(2);
  wp_token *token = token_under(NULL);
  wp_pipeline *first = cancelled_by(pool, token, 0), *second = cancelled_by(pool, token, 0);
  counter endless = { UINT64_MAX, 0 }, also_endless = { UINT64_MAX, 0 };
  set_source(first, count_up, &endless);
  set_source(second, count_up, &also_endless);
  add_stage(second, WP_PARALLEL, cancel_at_ten, token);
  CHECK_EQUAL(wp_pipeline_start(first), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(second), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(first, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_wait(second, -1), WP_CANCELLED);
  CHECK_EQUAL(wp_pipeline_destroy(first), WP_OK);
  CHECK_EQUAL(wp_token_destroy(token), WP_BUSY);
  CHECK_EQUAL(wp_pipeline_destroy(second), WP_OK);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

int main(void) {
  RUN("a token is cancelled once", a_token_is_cancelled_once);
  RUN("NULL is a token that is never cancelled", nothing_is_a_token_too);
  RUN("cancelling goes down to children, not up", cancelling_goes_down_not_up);
  RUN("a child of a cancelled token is cancelled", a_child_of_a_cancelled_token_is_cancelled);
  RUN("a run notices a signal handler's cancel", a_run_notices_a_signal_handlers_cancel);
  RUN("a real signal ends a run that only waits", a_real_signal_wakes_a_waiting_host);
  RUN("a cancelled token keeps a run from starting", a_cancelled_token_keeps_a_run_from_starting);
  RUN("one token ends two runs", one_token_ends_two_runs);
  return CHECK_SUMMARY();
}
