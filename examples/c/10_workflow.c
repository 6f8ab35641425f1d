/* SPDX-License-Identifier: MIT
 * Steps of a workflow with hints about what they need, a token for all of them and their progress: `train`
 * would go on for ever, but somebody has seen enough. */
#include <stdio.h>
#include <string.h>
#include <workpool.h>

static int32_t read_table(void *context, wp_job_context *step) {
  (void)context;
  return wp_job_context_set_result(step, "3 tables", 8);
}

static int32_t parse(void *context, wp_job_context *step) {
  (void)context;
  for (int table = 1; table <= 3; table++) wp_job_context_progress(step, table, 3);
  return WP_OK;
}

/* Works until it shall stop, and looks now and then whether it shall. */
static int32_t train(void *context, wp_job_context *step) {
  (void)context;
  wp_token *token = wp_job_context_token(step);
  for (unsigned round = 1; !wp_token_is_cancelled(token); round++) {
    if (round <= 2) wp_job_context_progress(step, round, 0);
  }
  return WP_CANCELLED;
}

static int32_t report(void *context, wp_job_context *step) {
  (void)context, (void)step;
  return WP_OK;
}

typedef struct {
  wp_token *enough;
  char lines[400];
} watcher;

/* On a thread of its own, one event after the other. */
static void watch(void *context, const wp_job_event *event) {
  watcher *w = context;
  char of[24] = "", line[60];
  if (event->count > 0) snprintf(of, sizeof of, " of %d", (int)event->count);
  snprintf(line, sizeof line, "%s: %d%s\n", event->id, (int)event->item, of);
  strncat(w->lines, line, sizeof w->lines - strlen(w->lines) - 1);
  if (strcmp(event->id, "train") == 0 && event->item == 2) wp_token_cancel(w->enough);
}

int main(void) {
  watcher w = {NULL, ""};
  wp_jobpool *jobs;
  uint64_t subscriber;
  wp_jobpool_options two = WP_JOBPOOL_OPTIONS_INIT;
  two.max_parallel_jobs = 2;
  two.io_slots = 1; /* of its own: who waits for a disk keeps nobody from computing */
  if (wp_token_create(NULL, &w.enough) || wp_jobpool_create(NULL, &two, &jobs)) return 1;
  if (wp_jobpool_subscribe(jobs, 1u << WP_EVENT_JOB_PROGRESS, watch, &w, NULL, &subscriber)) return 1;

  static const char *const names[] = {"read", "parse", "train", "report"};
  wp_job_options steps[4];
  for (int i = 0; i < 4; i++) {
    steps[i] = (wp_job_options)WP_JOB_OPTIONS_INIT;
    steps[i].id = names[i];
    if (i > 0) steps[i].dependencies = &names[i - 1], steps[i].dependency_count = 1;
  }
  steps[0].fn = read_table, steps[0].hint = WP_HINT_LIGHT_IO;
  steps[1].fn = parse, steps[1].hint = WP_HINT_HEAVY_CPU;
  steps[2].fn = train, steps[2].hint = WP_HINT_HEAVY_CPU, steps[2].token = w.enough;
  steps[3].fn = report, steps[3].when = WP_WHEN_ALWAYS;

  wp_job numbers[4];
  int32_t status = wp_jobpool_submit_many(jobs, steps, 4, 0, -1, numbers);
  if (status == WP_OK) status = wp_jobpool_wait_all(jobs, -1);
  wp_jobpool_unsubscribe(jobs, subscriber); /* has been told of everything then */
  printf("%s", w.lines);
  for (int i = 0; i < 4 && status == WP_OK; i++) {
    printf("%-8s %s\n", names[i], wp_job_state_name(wp_job_state(jobs, numbers[i])));
  }
  wp_jobpool_destroy(jobs);
  wp_token_destroy(w.enough);
  return status != WP_OK;
}
