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

int main(void) {
  RUN("a child process leaves the parent's pool alone", a_child_process_leaves_the_parents_pool_alone);
  return CHECK_SUMMARY();
}
