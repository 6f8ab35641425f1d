// SPDX-License-Identifier: MIT
/* Callbacks that wait for other pipelines, and threads of the host that work. */
#include "stages.h"

static wp_pool *pool_with(uint32_t workers, uint32_t host_workers) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = workers;
  options.host_workers = host_workers;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  return pool;
}

/* ----- nested ----- */

static int32_t run_another(WITHIN(context)) {
  UNUSED;
  wp_pipeline *inner = pipeline_on(context, 0, 4);
  counter ten = { 10, 0 };
  memory memory = { 0 };
  set_source(inner, count_up, &ten);
  add_stage(inner, WP_PARALLEL, pass, NULL);
  set_sink(inner, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(inner), WP_OK);
  check_prefix(&memory, 10);
  CHECK_EQUAL(wp_pipeline_destroy(inner), WP_OK);
  CHECK_EQUAL(wp_worker_index(), call->worker);
  return WP_STAGE_OK;
}

static void nested(void) {
  static const uint32_t workers[] = { 1, 2, 3, 8, 64 };
  for (int i = 0; i < 5; i++) {
    for (uint32_t host = 0; host <= 1; host++) {
      wp_pool *pool = pool_with(workers[i], host * workers[i]);
      wp_pipeline *outer = pipeline_on(pool, 0, 4);
      counter twenty = { 20, 0 };
      memory memory = { 0 };
      set_source(outer, count_up, &twenty);
      add_stage(outer, WP_PARALLEL, run_another, pool);
      set_sink(outer, remember, &memory);
      CHECK_EQUAL(wp_pipeline_run(outer), WP_OK);
      check_prefix(&memory, 20);
      destroy(outer, pool);
    }
  }
}

typedef struct circle {
  wp_pipeline *pipelines[3];
  int refused; /* atomic */
} circle;

static int32_t wait_for_next(WITHIN(context)) {
  circle *circle = context;
  (void)scratch, (void)call;
  int32_t status = wp_pipeline_wait(circle->pipelines[(block->meta[0] + 1) % 3], -1);
  if (status == WP_WOULD_DEADLOCK) {
    __atomic_fetch_add(&circle->refused, 1, __ATOMIC_RELAXED);
  } else {
    CHECK_EQUAL(status, WP_OK);
  }
  return WP_STAGE_OK;
}

static void circles(void) {
  static const uint32_t workers[] = { 1, 2, 3, 8 };
  for (int i = 0; i < 4; i++) {
    wp_pool *pool = pool_of(workers[i]);
    circle circle = { { NULL, NULL, NULL }, 0 };
    for (uint64_t p = 0; p < 3; p++) {
      circle.pipelines[p] = pipeline_on(pool, 0, 4);
      add_stage(circle.pipelines[p], WP_PARALLEL, wait_for_next, &circle);
    }
    for (int p = 0; p < 3; p++) CHECK_EQUAL(wp_pipeline_start(circle.pipelines[p]), WP_OK);
    for (uint64_t p = 0; p < 3; p++) {
      wp_payload payload = { .meta = { p } };
      CHECK_EQUAL(wp_pipeline_submit(circle.pipelines[p], &payload, -1), WP_OK);
    }
    for (int p = 0; p < 3; p++) CHECK_EQUAL(wp_pipeline_close(circle.pipelines[p]), WP_OK);
    for (int p = 0; p < 3; p++) CHECK_EQUAL(wp_pipeline_wait(circle.pipelines[p], -1), WP_OK);
    CHECK(circle.refused >= 1);
    for (int p = 0; p < 3; p++) CHECK_EQUAL(wp_pipeline_destroy(circle.pipelines[p]), WP_OK);
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

/* ----- threads of the host ----- */

static int32_t only_here(WITHIN(context)) {
  UNUSED;
  CHECK(pthread_equal(pthread_self(), *(pthread_t *)context));
  CHECK_EQUAL(wp_worker_index(), call->worker);
  return WP_STAGE_OK;
}

static void without_threads(void) {
  wp_pool *pool = pool_with(2, 2);
  pthread_t self = pthread_self();
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  counter many = { 1000, 0 };
  memory memory = { 0 };
  CHECK_EQUAL(wp_pool_workers(pool), 2);
  set_source(pipeline, count_up, &many);
  add_stage(pipeline, WP_PARALLEL, only_here, &self);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  check_prefix(&memory, 1000);
  CHECK_EQUAL(wp_worker_index(), -1);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);

  pipeline = pipeline_on(pool, 0, 2);
  memset(&memory, 0, sizeof memory);
  add_stage(pipeline, WP_SERIAL, only_here, &self);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
  for (int i = 0; i < 100; i++) {
    wp_payload payload = { .size = 0 };
    CHECK_EQUAL(wp_pipeline_submit(pipeline, &payload, -1), WP_OK);
  }
  CHECK_EQUAL(wp_pipeline_flush(pipeline, -1), WP_OK);
  check_prefix(&memory, 100);
  CHECK_EQUAL(wp_pipeline_close(pipeline), WP_OK);
  CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
  destroy(pipeline, pool);
}

typedef struct worker {
  wp_pool *pool;
  wp_token *token;
  int32_t status;
  gate *gate;
} worker;

static void *be_a_worker(void *argument) {
  worker *worker = argument;
  worker->status = wp_pool_run_worker(worker->pool, worker->token);
  if (worker->gate) gate_raise(worker->gate, 1);
  return NULL;
}

static int32_t count_crowd(WITHIN(context)) {
  UNUSED;
  gate *all = context;
  gate_raise(all, 1);
  gate_wait(all, 3); /* three workers at once, two of them the host's */
  return WP_STAGE_OK;
}

static void workers_of_the_host(void) {
  for (int cancels = 0; cancels < 3; cancels++) {
    wp_pool *pool = pool_with(3, 2);
    wp_token *token = NULL;
    gate all = GATE;
    pthread_t threads[2];
    counter three = { 3, 0 };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 8);
    if (cancels) CHECK_EQUAL(wp_token_create(NULL, &token), WP_OK);
    worker workers[2] = { { pool, token, 1, NULL }, { pool, token, 1, NULL } };
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, be_a_worker, &workers[i]);
    set_source(pipeline, count_up, &three);
    add_stage(pipeline, WP_PARALLEL, count_crowd, &all);
    CHECK_EQUAL(wp_pipeline_start(pipeline), WP_OK);
    gate_wait(&all, 3);
    CHECK_EQUAL(wp_pipeline_wait(pipeline, -1), WP_OK);
    CHECK_EQUAL(wp_pool_run_worker(pool, token), WP_BUSY);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
    if (cancels == 1) wp_token_cancel(token);
    if (cancels == 2) wp_token_cancel_from_signal(token);
    if (!cancels) CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
    for (int i = 0; i < 2; i++) {
      pthread_join(threads[i], NULL);
      CHECK_EQUAL(workers[i].status, cancels ? WP_CANCELLED : WP_OK);
    }
    if (cancels) CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
    CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  }
  CHECK_EQUAL(wp_pool_run_worker(NULL, NULL), WP_INVALID_ARGUMENT);
}

static int32_t try_to_be_one(WITHIN(context)) {
  UNUSED;
  CHECK_EQUAL(wp_pool_run_worker(context, NULL), WP_WOULD_DEADLOCK);
  return WP_STAGE_OK;
}

static void refused_workers(void) {
  wp_pool *pool = pool_with(2, 1);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
  counter one = { 1, 0 };
  set_source(pipeline, count_up, &one);
  add_stage(pipeline, WP_PARALLEL, try_to_be_one, pool);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  destroy(pipeline, pool);
}

int main(void) {
  RUN("callbacks run other pipelines of the pool, with any number of workers", nested);
  RUN("of callbacks that wait for each other one is told so", circles);
  RUN("without threads of its own a pool works on the host's", without_threads);
  RUN("threads of the host are workers until they are sent away", workers_of_the_host);
  RUN("a callback cannot make its thread a worker", refused_workers);
  return CHECK_SUMMARY();
}
