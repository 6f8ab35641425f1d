// SPDX-License-Identifier: MIT
/* A child process inherits handles whose threads are not there. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages.h"

static int runs_ten_blocks(wp_pool *pool) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  counter ten = { 10, 0 };
  memory memory = { 0 };
  set_source(pipeline, count_up, &ten);
  set_sink(pipeline, remember, &memory);
  int32_t status = wp_pipeline_run(pipeline);
  return wp_pipeline_destroy(pipeline) == WP_OK && status == WP_OK && memory.count == 10;
}

static void a_child_process_leaves_the_parents_pool_alone(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0), *none = NULL;
  counter ten = { 10, 0 };
  set_source(pipeline, count_up, &ten);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    wp_pool *own = NULL;
    int wrong = 0;
    wrong |= wp_pool_destroy(pool) != WP_FORKED;
    wrong |= (wp_pipeline_create(pool, NULL, &none) != WP_FORKED) << 1;
    wrong |= (wp_pipeline_run(pipeline) != WP_FORKED) << 2;
    wrong |= (wp_pipeline_start(pipeline) != WP_FORKED) << 3;
    wrong |= (wp_pipeline_destroy(pipeline) != WP_FORKED) << 4;
    wrong |= (wp_pool_create(NULL, &own) != WP_OK || !runs_ten_blocks(own)) << 5;
    wrong |= (wp_pool_destroy(own) != WP_OK) << 6;
    _exit(wrong);
  }
  int status = -1;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 0);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  destroy(pipeline, pool);
}

static int releases;
static void count_release(void *context, void *data, size_t size, int32_t reason) {
  (void)context, (void)data, (void)size, (void)reason;
  releases++;
}

/* What has no status to return touches nothing either: nobody of the parent's is called. */
static void results_and_tokens_are_the_parents(void) {
  wp_pool *pool = pool_of(2);
  wp_token *token = NULL;
  CHECK_EQUAL(wp_token_create(NULL, &token), WP_OK);
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  options.flags = WP_PIPELINE_PULL_RESULTS;
  options.token = token;
  wp_pipeline *pipeline = NULL;
  CHECK_EQUAL(wp_pipeline_create(pool, &options, &pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  wp_payload payload = { 0 };
  payload.release = count_release;
  for (int i = 0; i < 3; i++) CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  wp_block *block = NULL;
  CHECK_EQUAL(wp_pipeline_next_result(pipeline, -1, &block), WP_OK);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int wrong = 0;
    wp_token *below = NULL;
    wp_pool *own = NULL;
    wp_pipeline *none = NULL;
    wp_block_release(block);
    wp_token_cancel(token);
    wrong |= releases != 0;
    wrong |= (wp_token_is_cancelled(token) != WP_CANCEL_USER) << 1;
    wrong |= (wp_token_create(token, &below) != WP_FORKED) << 2;
    wrong |= (wp_token_destroy(token) != WP_FORKED) << 3;
    wrong |= (wp_pool_create(NULL, &own) != WP_OK) << 4;
    wrong |= (wp_pipeline_create(own, &options, &none) != WP_FORKED) << 5;
    wrong |= (wp_pool_destroy(own) != WP_OK) << 6;
    _exit(wrong);
  }
  int status = -1;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 0);
  CHECK_EQUAL(wp_token_is_cancelled(token), 0);
  wp_block_release(block);
  CHECK_EQUAL(releases, 1);
  destroy(pipeline, pool);
  CHECK_EQUAL(releases, 3);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
}

/* ----- a live pool: workers inside callbacks, a waiting host, results held ----- */

static gate inside = GATE, leave = GATE;

static int32_t stay(WITHIN(context)) {
  (void)context;
  UNUSED;
  gate_raise(&inside, 1);
  gate_wait(&leave, 1);
  return WP_STAGE_OK;
}

static int every_call_is_refused(wp_pool *pool, wp_pipeline *pipeline, wp_token *token,
                                 wp_block *held) {
  wp_payload payload = { .size = 0 };
  wp_result result = { .struct_size = sizeof result };
  wp_pipeline_statistics statistics = { .struct_size = sizeof statistics };
  wp_stage_options options = stage(WP_PARALLEL, pass, NULL);
  wp_pipeline *none = NULL;
  wp_token *child = NULL;
  wp_block *block = NULL;
  int32_t got[] = {
    wp_pool_destroy(pool),
    wp_pool_run_worker(pool, NULL),
    wp_pool_set_workers(pool, 1),
    wp_pipeline_create(pool, NULL, &none),
    wp_pipeline_destroy(pipeline),
    wp_pipeline_set_source(pipeline, &options),
    wp_pipeline_add_stage(pipeline, &options),
    wp_pipeline_set_sink(pipeline, &options),
    wp_pipeline_start(pipeline),
    wp_pipeline_run(pipeline),
    wp_pipeline_wait(pipeline, -1),
    wp_pipeline_submit(pipeline, &payload, -1),
    wp_pipeline_submit_numbered(pipeline, 0, &payload, -1),
    wp_pipeline_skip(pipeline, 0, -1),
    wp_pipeline_close(pipeline),
    wp_pipeline_flush(pipeline, -1),
    wp_pipeline_next_result(pipeline, -1, &block),
    wp_pipeline_stop(pipeline),
    wp_pipeline_cancel(pipeline),
    wp_pipeline_set_weight(pipeline, 2),
    wp_pipeline_result(pipeline, &result),
    wp_pipeline_statistics_get(pipeline, &statistics),
    wp_token_create(token, &child),
    wp_token_destroy(token),
  };
  int wrong = 0;
  for (size_t i = 0; i < sizeof got / sizeof *got; i++) {
    if (got[i] != WP_FORKED) printf("  call %d returned %d\n", (int)i, (int)got[i]), wrong = 1;
  }
  wrong |= wp_pool_workers(pool) != 0;
  wp_block_release(held);
  wp_token_cancel(token);
  return wrong;
}

static void a_child_of_a_busy_process(void) {
  for (int tries = 0; tries < 2; tries++) {
    wp_token *token = NULL;
    wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
    wp_payload payload = { .size = 0 };
    wp_pool *pool = pool_of(3);
    wp_pipeline *held_by = pipeline_on(pool, WP_PIPELINE_PULL_RESULTS, 4), *busy = NULL;
    wp_block *held = NULL;
    CHECK_EQUAL(wp_token_create(NULL, &token), WP_OK);
    options.token = token;
    CHECK_EQUAL(wp_pipeline_create(pool, &options, &busy), WP_OK);
    add_stage(busy, WP_PARALLEL, stay, NULL);
    CHECK_EQUAL(wp_pipeline_start(busy), WP_OK);
    CHECK_EQUAL(wp_pipeline_start(held_by), WP_OK);
    CHECK_EQUAL(wp_pipeline_submit(held_by, &payload, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_next_result(held_by, -1, &held), WP_OK);
    inside.value = leave.value = 0;
    CHECK_EQUAL(wp_pipeline_submit(busy, &payload, -1), WP_OK);
    gate_wait(&inside, 1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      wp_pool *own = NULL;
      int wrong = every_call_is_refused(pool, busy, token, held);
      wrong |= (wp_pool_create(NULL, &own) != WP_OK || !runs_ten_blocks(own)) << 1;
      /* The second child leaves with pools alive, the parent's and its own. */
      if (tries == 0) wrong |= (wp_pool_destroy(own) != WP_OK) << 2;
      exit(wrong);
    }
    int status = -1;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 0);
    gate_raise(&leave, 1);
    wp_block_release(held);
    CHECK_EQUAL(wp_pipeline_close(busy), WP_OK);
    CHECK_EQUAL(wp_pipeline_wait(busy, -1), WP_OK);
    CHECK_EQUAL(wp_pipeline_destroy(busy), WP_OK);
    CHECK_EQUAL(wp_token_destroy(token), WP_OK);
    destroy(held_by, pool);
  }
}

/* ----- a callback that forks: the child's only thread is a copy of a worker ----- */

static int32_t fork_here(WITHIN(context)) {
  (void)context;
  UNUSED;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    wp_pool *own = NULL;
    int wrong = wp_pool_create(NULL, &own) != WP_OK || !runs_ten_blocks(own);
    wrong |= (wp_pool_destroy(own) != WP_OK) << 1;
    _exit(wrong);
  }
  int status = -1;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 0);
  return WP_STAGE_OK;
}

static void a_callback_forks(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  counter three = { 3, 0 };
  set_source(pipeline, count_up, &three);
  add_stage(pipeline, WP_PARALLEL, fork_here, NULL);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  destroy(pipeline, pool);
}

static void exit_with_a_live_pool(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    wp_pool *pool = pool_of(8);
    wp_payload payload = { .size = 0 };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    add_stage(pipeline, WP_PARALLEL, stay, NULL);
    wp_pipeline_start(pipeline);
    inside.value = leave.value = 0;
    for (int i = 0; i < 4; i++) wp_pipeline_submit(pipeline, &payload, -1);
    gate_wait(&inside, 4);
    exit(0);
  }
  int status = -1;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 0);
}

int main(void) {
  RUN("a child process leaves the parent's pool alone", a_child_process_leaves_the_parents_pool_alone);
  RUN("results and tokens are the parent's", results_and_tokens_are_the_parents);
  RUN("in the child of a busy process every call on what it inherited is refused", a_child_of_a_busy_process);
  RUN("the child of a callback has pools of its own", a_callback_forks);
  RUN("a process ends with workers in callbacks", exit_with_a_live_pool);
  return CHECK_SUMMARY();
}
