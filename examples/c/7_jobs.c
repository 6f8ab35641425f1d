/* SPDX-License-Identifier: MIT
 * Jobs that depend on each other: fetch and clean three sources, load them all, report whatever
 * happened. One source is not there: what depends on it is cancelled and says why; the rest goes on. */
#include <stdio.h>
#include <string.h>
#include <workpool.h>

static const char *const sources[] = {"a", "b", "c"};

static int32_t fetch(void *context, wp_job_context *job) {
  if (strcmp(context, "b") == 0) {
    wp_job_context_set_error(job, "OSError", "source b is not there");
    return WP_NO_RETRY; /* it would not be there the next time either */
  }
  return wp_job_context_set_result(job, context, strlen(context));
}

/* The first attempt fails; the second one, a little later, does not. */
static int32_t clean(void *context, wp_job_context *job) {
  (void)context;
  return wp_job_context_attempt(job) == 1 ? WP_USER_CODE : WP_OK;
}

static int32_t nothing(void *context, wp_job_context *job) {
  (void)context, (void)job;
  return WP_OK;
}

int main(void) {
  wp_jobpool *jobs;
  wp_jobpool_options two = {.struct_size = sizeof two, .max_parallel_jobs = 2};
  if (wp_jobpool_create(NULL, &two, &jobs)) return 1;

  char ids[6][8];
  const char *needed[3], *cleaned[3];
  wp_job_options graph[8];
  for (int i = 0; i < 3; i++) {
    snprintf(ids[i], sizeof ids[i], "fetch-%s", sources[i]);
    snprintf(ids[3 + i], sizeof ids[3 + i], "clean-%s", sources[i]);
    needed[i] = ids[i], cleaned[i] = ids[3 + i];
    graph[i] = (wp_job_options){.struct_size = sizeof *graph, .id = ids[i], .fn = fetch,
                                .context = (void *)sources[i]};
    graph[3 + i] = (wp_job_options){.struct_size = sizeof *graph, .id = ids[3 + i], .fn = clean,
                                    .dependencies = &needed[i], .dependency_count = 1,
                                    .max_retries = 2, .retry_delay_ns = 10000000};
  }
  graph[6] = (wp_job_options){.struct_size = sizeof *graph, .id = "load", .fn = nothing,
                              .dependencies = cleaned, .dependency_count = 3};
  static const char *const load[] = {"load"};
  graph[7] = (wp_job_options){.struct_size = sizeof *graph, .id = "report", .fn = nothing,
                              .dependencies = load, .dependency_count = 1,
                              .when = WP_WHEN_ALWAYS};

  wp_job numbers[8];
  int32_t status = wp_jobpool_submit_many(jobs, graph, 8, 0, -1, numbers);
  if (status == WP_OK) status = wp_jobpool_wait_all(jobs, -1);
  for (int i = 0; i < 8 && status == WP_OK; i++) {
    char id[16], cause[200];
    wp_job_id(jobs, numbers[i], id, sizeof id, NULL);
    wp_job_cause_text(jobs, numbers[i], cause, sizeof cause, NULL);
    printf("%-8s %-10s attempts %d%s%s\n", id,
           wp_job_state_name(wp_job_state(jobs, numbers[i])),
           (int)wp_job_attempt_count(jobs, numbers[i]), cause[0] ? ", " : "", cause);
  }
  wp_jobpool_destroy(jobs);
  return status != WP_OK;
}
