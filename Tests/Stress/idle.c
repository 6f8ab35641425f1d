// SPDX-License-Identifier: MIT
/* What workers that have nothing to do cost: the CPU time of the process, which no load on the machine
 * changes. */
#include "stress.h"

#include <sys/resource.h>

static int64_t cpu_ns(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000
         + ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void sleep_ns(int64_t ns) {
  struct timespec left = { ns / 1000000000, ns % 1000000000 };
  while (nanosleep(&left, &left)) {
  }
}

static int64_t sleeping;
static sem_t is_asleep;

static int32_t sleep_long(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)block, (void)scratch, (void)call;
  sem_post(&is_asleep);
  sleep_ns(sleeping);
  return WP_STAGE_OK;
}

static int tell(const char *what, int64_t cpu, int64_t wall) {
  int is_bad = cpu * 1000 > wall;
  printf("%s %s: %.1f ms of CPU in %.1f s\n", is_bad ? "FAIL" : "ok  ", what, (double)cpu / 1e6,
         (double)wall / 1e9);
  fflush(stdout);
  return is_bad;
}

int check_idle(int64_t seconds) {
  static const plan none; /* of its own, with nothing special */
  wp_pool *pool = pool_take(16, &none);
  wp_pipeline *pipeline = NULL;
  int failures = 0;
  sleeping = seconds * 1000000000;
  sem_init(&is_asleep, 0, 0);
  sleep_ns(100000000); /* all have gone to sleep */
  int64_t before = cpu_ns();
  sleep_ns(sleeping);
  failures += tell("16 idle workers", cpu_ns() - before, sleeping);

  wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
  stage.fn = sleep_long;
  if (wp_pipeline_create(pool, NULL, &pipeline) || wp_pipeline_add_stage(pipeline, &stage) != 1
      || wp_pipeline_start(pipeline)) {
    return failures + 1;
  }
  wp_payload payload = { .data = NULL };
  if (wp_pipeline_submit(pipeline, &payload, -1)) return failures + 1;
  sem_wait(&is_asleep);
  sleep_ns(100000000);
  before = cpu_ns();
  sleep_ns(sleeping - 200000000);
  failures += tell("15 workers beside one in a callback that sleeps", cpu_ns() - before, sleeping);
  wp_pipeline_close(pipeline);
  failures += wp_pipeline_wait(pipeline, -1) != WP_OK;
  failures += wp_pipeline_destroy(pipeline) != WP_OK;
  pool_give(pool, 16, 1);
  sem_destroy(&is_asleep);
  return failures;
}
