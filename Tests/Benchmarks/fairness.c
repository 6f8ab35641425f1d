// SPDX-License-Identifier: MIT
/* How worker time is shared: two pipelines that always have work, with weights 1:1 and 3:1. Prints the
 * share of each in the time that callbacks took, and how far it is off, in percent of its nominal share: the
 * engine promises 15 % over a second. A worker that the machine holds up counts for the pipeline it
 * is in, so the figures say little unless the workers had nearly all of their CPUs: see the last column. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <workpool.h>

enum { WORKERS = 2, LIMIT = 64, SECONDS = 2 };

typedef struct load {
  uint64_t rounds;  /* of one block */
  uint64_t done_ns; /* time in the stage; atomic */
} load;

static uint64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int32_t endless(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)block, (void)scratch, (void)call;
  return WP_STAGE_OK;
}

static int32_t burn(void *context, wp_block *block, void *scratch, const wp_call *call) {
  load *load = context;
  (void)block, (void)scratch, (void)call;
  uint64_t begin = now(CLOCK_MONOTONIC);
  for (uint64_t i = load->rounds; i > 0; i--) __asm__ volatile("");
  __atomic_fetch_add(&load->done_ns, now(CLOCK_MONOTONIC) - begin, __ATOMIC_RELAXED);
  return WP_STAGE_OK;
}

static uint64_t done(load *load) { return __atomic_load_n(&load->done_ns, __ATOMIC_RELAXED); }

static wp_pipeline *endless_pipeline(wp_pool *pool, uint32_t weight, load *load) {
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.weight = weight;
  options.max_blocks_in_flight = LIMIT;
  if (wp_pipeline_create(pool, &options, &pipeline)) exit(1);
  stage.fn = endless;
  if (wp_pipeline_set_source(pipeline, &stage)) exit(1);
  stage.fn = burn;
  stage.context = load;
  if (wp_pipeline_add_stage(pipeline, &stage) != 1) exit(1);
  return pipeline;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(void) {
  static const uint32_t weights[][2] = { { 1, 1 }, { 3, 1 } };
  static const uint64_t rounds[][2] = { { 30000, 30000 }, { 10000, 300000 } };
  printf("worker time of two busy pipelines, %d workers, %d s each\n", WORKERS, SECONDS);
  for (int w = 0; w < 2; w++) {
    for (int r = 0; r < 2; r++) {
      wp_pool_options options = WP_POOL_OPTIONS_INIT;
      wp_pool *pool = NULL;
      load loads[2] = { { rounds[r][0], 0 }, { rounds[r][1], 0 } };
      wp_pipeline *pipelines[2];
      options.workers = WORKERS;
      if (wp_pool_create(&options, &pool)) return 1;
      for (int i = 0; i < 2; i++) pipelines[i] = endless_pipeline(pool, weights[w][i], &loads[i]);
      for (int i = 0; i < 2; i++) if (wp_pipeline_start(pipelines[i])) return 1;
      nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
      /* While both work: not how one begins or ends before the other. */
      uint64_t before[2] = { done(&loads[0]), done(&loads[1]) };
      double cpu = cpu_seconds();
      uint64_t begin = now(CLOCK_MONOTONIC);
      nanosleep(&(struct timespec){ .tv_sec = SECONDS }, NULL);
      double times[2] = { (double)(done(&loads[0]) - before[0]), (double)(done(&loads[1]) - before[1]) };
      cpu = (cpu_seconds() - cpu) / (1e-9 * (double)(now(CLOCK_MONOTONIC) - begin));
      for (int i = 0; i < 2; i++) if (wp_pipeline_destroy(pipelines[i])) return 1;
      if (wp_pool_destroy(pool)) return 1;
      printf("  weights %" PRIu32 ":%" PRIu32 ", blocks of %6" PRIu64 " and %6" PRIu64 " rounds:",
             weights[w][0], weights[w][1], rounds[r][0], rounds[r][1]);
      for (int i = 0; i < 2; i++) {
        double nominal = (double)weights[w][i] / (weights[w][0] + weights[w][1]);
        double share = times[i] / (times[0] + times[1]);
        printf(" %4.1f %% (%+5.1f %%)", 100 * share, 100 * (share / nominal - 1));
      }
      printf(", %.2f CPUs of %d\n", cpu, WORKERS);
    }
  }
  return 0;
}
