// SPDX-License-Identifier: MIT
/* What statistics cost: ns per block of source, P, S, sink at each level, with a timeline, and while
 * another thread takes all snapshots a thousand times a second. Rounds in turn, medians, and what
 * each costs beside `off`. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <workpool.h>

enum { ROUNDS = 7, WAYS = 5 };
static const char *const names[WAYS] = { "off", "sampled", "times", "timeline", "sampled, 1 kHz" };

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t blocks, rounds_of_body;

static void body(void) {
  for (uint64_t i = rounds_of_body; i > 0; i--) __asm__ volatile("");
}

static int32_t source(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  return block->number == blocks ? WP_SOURCE_END : WP_STAGE_OK;
}

static int32_t work(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)block, (void)scratch, (void)call;
  body();
  return WP_STAGE_OK;
}

typedef struct watcher {
  wp_pipeline *pipeline;
  wp_pool *pool;
  int is_over; /* atomic */
} watcher;

static void *watch(void *context) {
  watcher *watcher = context;
  while (!__atomic_load_n(&watcher->is_over, __ATOMIC_ACQUIRE)) {
    wp_pipeline_statistics whole = { .struct_size = sizeof whole };
    wp_pipeline_statistics_get(watcher->pipeline, &whole);
    for (uint32_t i = 0; i < whole.stages; i++) {
      wp_stage_statistics stage = { .struct_size = sizeof stage };
      wp_pipeline_stage_statistics(watcher->pipeline, i, &stage);
    }
    for (uint32_t i = 0; i < wp_pool_workers(watcher->pool); i++) {
      wp_worker_statistics worker = { .struct_size = sizeof worker };
      wp_pool_worker_statistics(watcher->pool, i, &worker);
    }
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
  }
  return NULL;
}

static double run(wp_pool *pool, int way) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.statistics = way == 0 ? WP_STATISTICS_OFF
                       : way == 2 ? WP_STATISTICS_TIMES
                                  : WP_STATISTICS_SAMPLED;
  options.timeline_events = way == 3 ? 65536 : 0;
  if (wp_pipeline_create(pool, &options, &pipeline)) exit(1);
  wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
  stage.fn = source;
  if (wp_pipeline_set_source(pipeline, &stage)) exit(1);
  stage.fn = work;
  stage.kind = WP_PARALLEL;
  if (wp_pipeline_add_stage(pipeline, &stage) < 0) exit(1);
  stage.kind = WP_SERIAL;
  if (wp_pipeline_add_stage(pipeline, &stage) < 0) exit(1);
  if (wp_pipeline_set_sink(pipeline, &stage)) exit(1);
  watcher watcher = { pipeline, pool, 0 };
  pthread_t thread;
  uint64_t begin = now();
  if (wp_pipeline_start(pipeline)) exit(1);
  if (way == 4 && pthread_create(&thread, NULL, watch, &watcher)) exit(1);
  if (wp_pipeline_wait(pipeline, -1)) exit(1);
  double each = (double)(now() - begin) / (double)blocks;
  if (way == 4) {
    __atomic_store_n(&watcher.is_over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
  }
  if (wp_pipeline_destroy(pipeline)) exit(1);
  return each;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(void) {
  static const uint64_t bodies[] = { 0, 1000, 5000, 50000 }; /* ns of each of the three stages, about */
  rounds_of_body = 100000000;
  uint64_t begin = now();
  body();
  double each_round = (double)(now() - begin) / (double)rounds_of_body;
  printf("statistics: ns per block of source, P, S, sink; medians of %d rounds, beside off\n", ROUNDS);
  for (uint32_t workers = 1; workers <= 2; workers++) {
    wp_pool_options options = WP_POOL_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = workers;
    if (wp_pool_create(&options, &pool)) return 1;
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
      double times[WAYS][ROUNDS];
      rounds_of_body = (uint64_t)((double)bodies[b] / each_round);
      blocks = 200000000 / (100 + 3 * bodies[b]);
      for (int round = 0; round < ROUNDS; round++) {
        for (int way = 0; way < WAYS; way++) times[way][round] = run(pool, way);
      }
      printf("  %u worker%s, stages of %5u ns:", workers, workers == 1 ? " " : "s",
             (unsigned)bodies[b]);
      double off = 0;
      for (int way = 0; way < WAYS; way++) {
        qsort(times[way], ROUNDS, sizeof(double), ascending);
        double median = times[way][ROUNDS / 2];
        if (way == 0) off = median;
        printf("  %s %.0f", names[way], median);
        if (way) printf(" (%+.1f %%)", 100 * (median / off - 1));
      }
      printf("\n");
    }
    if (wp_pool_destroy(pool)) return 1;
  }
  return 0;
}
