/* SPDX-License-Identifier: MIT
 * Two stages on record: the second one begins when the first one is over. In the first run `load` fails; the
 * second run goes on from its record, and does only what is not done.
 *
 *   ./11_stages FOLDER        `wpool status --log-dir FOLDER` shows the last run */
#include <stdio.h>
#include <workpool.h>

static int32_t extract(void *context, wp_job_context *job) {
  (void)context;
  wp_job_context_log(job, WP_LOG_INFO, "extract", "done", "{\"rows\":7}");
  return wp_job_context_set_result(job, "7 rows", 6);
}

static int32_t load(void *context, wp_job_context *job) {
  if (*(const int *)context == 1) {
    wp_job_context_set_error(job, NULL, "the warehouse is closed");
    return WP_USER_CODE;
  }
  return WP_OK;
}

static int run(const char *folder, int number, const wp_run_record *earlier) {
  static const char *const names[] = {"extract-a", "extract-b", "load"};
  wp_jobpool *jobs;
  wp_jobpool_options two = WP_JOBPOOL_OPTIONS_INIT;
  two.max_parallel_jobs = 2;
  two.max_failures = 1; /* no stage begins after a failure */
  if (wp_jobpool_create(NULL, &two, &jobs)) return 1;
  if (earlier && wp_jobpool_resume_from(jobs, earlier, WP_ORPHANS_REFUSE)) return 1;
  if (wp_jobpool_record_to(jobs, folder, NULL)) return 1;
  wp_job_options all[3];
  for (int i = 0; i < 3; i++) {
    all[i] = (wp_job_options)WP_JOB_OPTIONS_INIT;
    all[i].id = names[i];
    all[i].fn = i < 2 ? extract : load;
    all[i].context = &number;
    all[i].definition = "version 1"; /* another one would run again */
  }
  all[2].dependencies = names, all[2].dependency_count = 2;
  wp_job numbers[3];
  if (wp_jobpool_submit_many(jobs, all, 3, 0, -1, numbers) || wp_jobpool_wait_all(jobs, -1)) return 1;
  printf("run %d\n", number);
  for (int i = 0; i < 3; i++) {
    char result[16] = "";
    wp_job_result(jobs, numbers[i], result, sizeof result - 1, NULL);
    printf("  %-9s %-9s %s\n", names[i], wp_job_state_name(wp_job_state(jobs, numbers[i])), result);
  }
  return wp_jobpool_destroy(jobs);
}

int main(int argc, char **argv) {
  if (argc < 2 || run(argv[1], 1, NULL)) return 1;
  wp_run_record *record;
  if (wp_run_record_open(argv[1], NULL, &record)) return 1; /* the last run */
  wp_run_job job = {.struct_size = sizeof job};
  while (wp_run_record_next_job(record, &job) == WP_OK) {
    if (job.state == WP_JOB_FAILED) printf("%s failed: %s\n", job.id, job.text);
  }
  int failed = run(argv[1], 2, record);
  wp_run_record_close(record);
  return failed;
}
