// SPDX-License-Identifier: MIT
/* A child process inherits handles whose threads are not there. */
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

int main(void) {
  RUN("a child process leaves the parent's pool alone", a_child_process_leaves_the_parents_pool_alone);
  RUN("results and tokens are the parent's", results_and_tokens_are_the_parents);
  return CHECK_SUMMARY();
}
