/* SPDX-License-Identifier: MIT
 * What jobs cost, beside the budgets of the specification: `make -C Tests/Benchmarks jobs`.
 * Medians of five runs each; the first one is not counted. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <workpool.h>

enum { RUNS = 5, GRAPH = 100000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *what, const char *unit, double budget, double values[RUNS]) {
  qsort(values, RUNS, sizeof *values, compare);
  printf("%-58s %9.3f %-3s (%.3f to %.3f)  budget %g\n", what, values[RUNS / 2], unit, values[0],
         values[RUNS - 1], budget);
}

static void must(int32_t status) {
  if (status < 0) {
    fprintf(stderr, "%s\n", wp_last_error_text());
    exit(1);
  }
}

static int32_t nothing(void *context, wp_job_context *job) {
  (void)context, (void)job;
  return WP_OK;
}

static double token_check(void) {
  enum { CHECKS = 10000000 };
  wp_token *token;
  must(wp_token_create(NULL, &token));
  uint32_t seen = 0;
  double start = now();
  for (int i = 0; i < CHECKS; i++) seen |= wp_token_is_cancelled(token);
  double time = now() - start;
  must(wp_token_destroy(token));
  return seen ? -1 : time / CHECKS * 1e9;
}

static wp_jobpool *make(uint32_t slots) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.max_parallel_jobs = slots;
  wp_jobpool *jobs;
  must(wp_jobpool_create(NULL, &options, &jobs));
  return jobs;
}

/* One after the other: from the submit until the wait for it has returned. */
static double round_trip(void) {
  enum { JOBS = 20000 };
  wp_jobpool *jobs = make(2);
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.fn = nothing;
  double start = now();
  for (int i = 0; i < JOBS; i++) {
    wp_job number;
    must(wp_jobpool_submit(jobs, &job, 0, -1, &number));
    must(wp_job_wait(jobs, number, -1, 0));
  }
  double time = now() - start;
  must(wp_jobpool_destroy(jobs));
  return time / JOBS * 1e6;
}

/* From the first submit to the end of the last, submitted singly. */
static double stream(void) {
  enum { JOBS = 100000 };
  wp_jobpool *jobs = make(2);
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.fn = nothing;
  double start = now();
  for (int i = 0; i < JOBS; i++) must(wp_jobpool_submit(jobs, &job, 0, -1, NULL));
  must(wp_jobpool_wait_all(jobs, -1));
  double time = now() - start;
  must(wp_jobpool_destroy(jobs));
  return time / JOBS * 1e6;
}

static int32_t note_start(void *context, wp_job_context *job) {
  (void)job;
  *(double *)context = now();
  return WP_OK;
}

static double latency(void) {
  wp_jobpool *jobs = make(2);
  double started = 0, sum = 0;
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.fn = note_start;
  job.context = &started;
  for (int i = 0; i < 200; i++) {
    struct timespec pause = {0, 500000};
    nanosleep(&pause, NULL); /* workers sleep by then */
    wp_job number;
    double submitted = now();
    must(wp_jobpool_submit(jobs, &job, 0, -1, &number));
    must(wp_job_wait(jobs, number, -1, 0));
    sum += started - submitted;
  }
  must(wp_jobpool_destroy(jobs));
  return sum / 200 * 1e3;
}

/* Ten jobs wide, each needs two of the row before. */
static double graph(void) {
  static char ids[GRAPH][12];
  static const char *needs[GRAPH][2];
  wp_job_options *all = calloc(GRAPH, sizeof *all);
  if (!all) exit(1);
  double start = now();
  for (int i = 0; i < GRAPH; i++) {
    snprintf(ids[i], sizeof ids[i], "job%d", i);
    all[i] = (wp_job_options){.struct_size = sizeof *all, .id = ids[i], .fn = nothing};
    if (i < 10) continue;
    needs[i][0] = ids[i - 10];
    needs[i][1] = ids[i - 7];
    all[i].dependencies = needs[i];
    all[i].dependency_count = 2;
  }
  wp_jobpool *jobs = make(2);
  must(wp_jobpool_submit_many(jobs, all, GRAPH, 0, -1, NULL));
  must(wp_jobpool_wait_all(jobs, -1));
  double time = now() - start;
  wp_jobpool_status status = {.struct_size = sizeof status};
  must(wp_jobpool_get_status(jobs, &status));
  if (status.counts[WP_JOB_COMPLETED] != GRAPH) exit(1);
  must(wp_jobpool_destroy(jobs));
  free(all);
  return time;
}

static void measure(const char *what, const char *unit, double budget, double (*run)(void)) {
  double values[RUNS];
  run();
  for (int i = 0; i < RUNS; i++) values[i] = run();
  report(what, unit, budget, values);
}

int main(int count, char **words) {
  if (count > 1 && !strcmp(words[1], "graph")) {
    /* A process of its own: for its memory. */
    double time = graph();
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%-58s %9.3f MB   (in %.3f s)  budget 200\n", "graph of 100,000 no-op jobs, peak memory",
           (double)used.ru_maxrss / 1000, time);
    return 0;
  }
  printf("%s\n", wp_build_info());
  measure("token check", "ns", 10, token_check);
  measure("no-op job, submitted and waited for one by one", "us", 5, round_trip);
  measure("no-op job of 100,000, submitted one by one, then waited for", "us", 5, stream);
  measure("submit to start on an idle pool", "ms", 1, latency);
  measure("graph of 100,000 no-op jobs, loaded, checked and run", "s", 2, graph);
  return 0;
}
