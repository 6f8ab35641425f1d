// SPDX-License-Identifier: MIT
/* Batches as jobs, progress, and what is told of both. Called with `worker` this is a worker: numbers are
 * squared, 13 kills the process once, 666 always, a negative one fails. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <workpool.h>

#include "check.h"

static int take(void *room, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(3, (char *)room + done, size - done);
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

static void say(const char *json) {
  uint32_t size = (uint32_t)strlen(json);
  unsigned char head[4] = {size & 255, size >> 8 & 255, size >> 16 & 255, size >> 24};
  if (write(4, head, 4) != 4 || write(4, json, size) != (ssize_t)size) _exit(1);
}

static int be_worker(void) {
  unsigned char head[4];
  char text[200];
  say("{\"type\":\"ready\",\"proto\":1}");
  while (take(head, 4)) {
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    char *message = malloc(size + 1);
    if (!message || !take(message, size)) return 1;
    message[size] = 0;
    if (strstr(message, "\"shutdown\"")) return 0;
    int batch = atoi(strstr(message, "\"id\":") + 5), index, attempt;
    long item;
    for (char *at = message; (at = strstr(at, "{\"index\":")); at++) {
      if (sscanf(at, "{\"index\":%d,\"attempt\":%d,\"item\":%ld", &index, &attempt, &item) != 3) return 1;
      snprintf(text, sizeof text, "{\"type\":\"progress\",\"item\":%d,\"status\":\"started\"}", index);
      say(text);
      if (item == 666 || (item == 13 && attempt == 1)) raise(SIGKILL);
      if (item == 1000) pause();
      if (item < 0) {
        snprintf(text, sizeof text,
                 "{\"type\":\"progress\",\"item\":%d,\"status\":\"failed\",\"error\":{\"text\":\"negative\"}}",
                 index);
      } else {
        snprintf(text, sizeof text,
                 "{\"type\":\"progress\",\"item\":%d,\"status\":\"ok\",\"data\":%ld}", index, item * item);
      }
      say(text);
    }
    snprintf(text, sizeof text, "{\"type\":\"complete\",\"batch\":%d}", batch);
    say(text);
    free(message);
  }
  return 0;
}

static char program[4096]; /* this one */

/* What was told, by kind. */
typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int counts[32], items, least_process;
  int64_t done, total;
} told;

static void told_init(told *t) {
  memset(t, 0, sizeof *t);
  t->least_process = 1 << 30;
  pthread_mutex_init(&t->mutex, NULL);
  pthread_cond_init(&t->changed, NULL);
}

static void tell(void *context, const wp_job_event *event) {
  told *t = context;
  pthread_mutex_lock(&t->mutex);
  t->counts[event->kind]++;
  if (event->kind == WP_EVENT_BATCH_STARTED) t->items += (int)event->count;
  if (event->kind >= WP_EVENT_BATCH_STARTED && event->kind <= WP_EVENT_WORKER_RESPAWNED) {
    if (event->process < t->least_process) t->least_process = event->process;
    CHECK(event->job > 0 && event->id[0] != 0 && event->attempt == 1);
  }
  if (event->kind == WP_EVENT_JOB_PROGRESS) t->done = event->item, t->total = event->count;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->mutex);
}

static void wait_for(told *t, int kind) {
  pthread_mutex_lock(&t->mutex);
  while (!t->counts[kind]) pthread_cond_wait(&t->changed, &t->mutex);
  pthread_mutex_unlock(&t->mutex);
}

static wp_jobpool *make(uint32_t slots) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.max_parallel_jobs = slots;
  wp_jobpool *jobs = NULL;
  CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
  return jobs;
}

static wp_batch *make_batch(void) {
  const char *argv[] = {program, "worker"};
  wp_batch_options options = WP_BATCH_OPTIONS_INIT;
  options.workers = 2;
  options.batch_size = 5;
  wp_batch *batch = NULL;
  CHECK_EQUAL(wp_batch_create(argv, 2, &options, &batch), WP_OK);
  return batch;
}

enum { COUNT = 40 };
static char texts[COUNT][16];

static wp_job_options batch_job(wp_batch *batch, wp_batch_item *items, const long *values, int count) {
  for (int i = 0; i < count; i++) {
    items[i].size = (size_t)snprintf(texts[i], sizeof texts[i], "%ld", values[i]);
    items[i].json = texts[i];
  }
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.id = "squares";
  job.kind = WP_JOB_BATCH;
  job.batch = batch;
  job.items = items;
  job.item_count = (size_t)count;
  return job;
}

static void whole(void) {
  wp_jobpool *jobs = make(1);
  wp_batch *batch = make_batch();
  told all;
  told_init(&all);
  uint64_t id;
  CHECK_EQUAL(wp_jobpool_subscribe(jobs, WP_EVENT_ALL, tell, &all, NULL, &id), WP_OK);
  long values[COUNT];
  wp_batch_item items[COUNT];
  for (int i = 0; i < COUNT; i++) values[i] = i;
  wp_job_options job = batch_job(batch, items, values, COUNT);
  wp_job number;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_OK);
  memset(texts, 'x', sizeof texts); /* items are copied */
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_job_state(jobs, number), WP_JOB_COMPLETED);
  for (int i = 0; i < COUNT; i++) {
    wp_batch_result result = {.struct_size = sizeof result};
    CHECK_EQUAL(wp_batch_result_at(batch, (size_t)i, &result), WP_OK);
    CHECK(result.state == WP_JOB_COMPLETED && atoi(result.data) == i * i);
    CHECK_EQUAL(result.crashes, i == 13 ? 1 : 0);
  }
  CHECK_EQUAL(wp_jobpool_unsubscribe(jobs, id), WP_OK);
  CHECK_EQUAL(all.counts[WP_EVENT_ITEM_FINISHED], COUNT);
  CHECK_EQUAL(all.counts[WP_EVENT_WORKER_CRASHED], 1);
  CHECK_EQUAL(all.counts[WP_EVENT_WORKER_RESPAWNED], 1);
  CHECK(all.counts[WP_EVENT_BATCH_STARTED] == all.counts[WP_EVENT_BATCH_FINISHED] + 1);
  CHECK(all.items > COUNT && all.least_process > 0);
  CHECK(all.counts[WP_EVENT_JOB_STARTED] == 1 && all.counts[WP_EVENT_JOB_FINISHED] == 1);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  CHECK_EQUAL(wp_batch_destroy(batch), WP_OK);
}

static void failed(void) {
  static const struct {
    long value;
    int reason, detail;
    const char *text;
  } cases[] = {
      {-4, WP_REASON_ERROR, WP_STAGE_FAILED, "1 of 3 items failed; item 1: negative"},
      {666, WP_REASON_POISON, -SIGKILL, "1 of 3 items failed; item 1: 3 workers lost: "},
  };
  for (unsigned k = 0; k < 2; k++) {
    wp_jobpool *jobs = make(1);
    wp_batch *batch = make_batch();
    long values[] = {2, cases[k].value, 3};
    wp_batch_item items[3];
    wp_job_options job = batch_job(batch, items, values, 3);
    wp_job number;
    CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_OK);
    CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
    int32_t detail = 0;
    char text[300];
    CHECK_EQUAL(wp_job_state(jobs, number), WP_JOB_FAILED);
    CHECK_EQUAL(wp_job_reason(jobs, number, &detail), cases[k].reason);
    CHECK_EQUAL(detail, cases[k].detail);
    CHECK_EQUAL(wp_job_error(jobs, number, text, sizeof text, NULL), WP_OK);
    CHECK(strncmp(text, cases[k].text, strlen(cases[k].text)) == 0);
    wp_batch_result result = {.struct_size = sizeof result};
    CHECK_EQUAL(wp_batch_result_at(batch, 2, &result), WP_OK);
    CHECK(result.state == WP_JOB_COMPLETED && atoi(result.data) == 9);
    CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
    CHECK_EQUAL(wp_batch_destroy(batch), WP_OK);
  }
}

static void stopped(void) {
  for (int is_timeout = 0; is_timeout < 2; is_timeout++) {
    wp_jobpool *jobs = make(2);
    wp_batch *batch = make_batch();
    told all;
    told_init(&all);
    CHECK_EQUAL(wp_jobpool_subscribe(jobs, 1u << WP_EVENT_ITEM_FINISHED, tell, &all, NULL, &(uint64_t){0}),
                WP_OK);
    long values[] = {2, 1000, 3};
    wp_batch_item items[3];
    wp_job_options job = batch_job(batch, items, values, 3);
    if (is_timeout) job.timeout_ns = 300000000;
    wp_job number, second;
    CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_OK);
    wait_for(&all, WP_EVENT_ITEM_FINISHED); /* 2 is done, 1000 never will be */
    CHECK_EQUAL(wp_batch_destroy(batch), WP_BUSY);
    wp_job_options other = batch_job(batch, items, values, 1);
    other.id = "other";
    CHECK_EQUAL(wp_jobpool_submit(jobs, &other, 0, -1, &second), WP_OK);
    CHECK_EQUAL(wp_job_wait(jobs, second, -1, 0), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, second), WP_JOB_FAILED); /* the batch is in use */
    if (!is_timeout) CHECK_EQUAL(wp_job_cancel(jobs, number), WP_JOB_RUNNING);
    CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, number), is_timeout ? WP_JOB_TIMEOUT : WP_JOB_CANCELLED);
    wp_batch_result result = {.struct_size = sizeof result};
    CHECK_EQUAL(wp_batch_result_at(batch, 0, &result), WP_OK);
    CHECK_EQUAL(result.state, WP_JOB_COMPLETED);
    CHECK_EQUAL(wp_batch_result_at(batch, 1, &result), WP_OK);
    CHECK_EQUAL(result.state, WP_JOB_CANCELLED);
    /* A cancel is over with its job. */
    long fine[] = {5};
    wp_job_options third = batch_job(batch, items, fine, 1);
    third.id = "third";
    CHECK_EQUAL(wp_jobpool_submit(jobs, &third, 0, -1, &second), WP_OK);
    CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, second), WP_JOB_COMPLETED);
    CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
    CHECK_EQUAL(wp_batch_destroy(batch), WP_OK);
  }
}

static void refused(void) {
  wp_jobpool *jobs = make(1);
  wp_batch *batch = make_batch();
  wp_job number;
  wp_batch_item items[1] = {{"{", 1}};
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.kind = WP_JOB_BATCH;
  job.items = items;
  job.item_count = 1;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  job.batch = batch;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  CHECK(strstr(wp_last_error_text(), "item 0") != NULL);
  job.item_count = 0;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_job_state(jobs, number), WP_JOB_COMPLETED);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  CHECK_EQUAL(wp_batch_destroy(batch), WP_OK);
}

static int32_t half(void *context, wp_job_context *job) {
  (void)context;
  CHECK_EQUAL(wp_job_context_progress(job, 5, 10), WP_OK);
  CHECK_EQUAL(wp_job_context_progress(NULL, 5, 10), WP_INVALID_ARGUMENT);
  return WP_OK;
}

static void progress(void) {
  wp_jobpool *jobs = make(1);
  told all;
  told_init(&all);
  uint64_t id;
  CHECK_EQUAL(wp_jobpool_subscribe(jobs, 1u << WP_EVENT_JOB_PROGRESS, tell, &all, NULL, &id), WP_OK);
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.fn = half;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_jobpool_unsubscribe(jobs, id), WP_OK);
  CHECK(all.counts[WP_EVENT_JOB_PROGRESS] == 1 && all.done == 5 && all.total == 10);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
}

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int is_open;
} gate;

static int32_t stay(void *context, wp_job_context *job) {
  gate *g = context;
  (void)job;
  pthread_mutex_lock(&g->mutex);
  while (!g->is_open) pthread_cond_wait(&g->changed, &g->mutex);
  pthread_mutex_unlock(&g->mutex);
  return WP_OK;
}

static int32_t open_gate(void *context, wp_job_context *job) {
  gate *g = context;
  (void)job;
  pthread_mutex_lock(&g->mutex);
  g->is_open = 1;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->mutex);
  return WP_OK;
}

static void substitutes(void) {
  for (int is_shared = 0; is_shared < 2; is_shared++) {
    wp_pool_options pool_options = WP_POOL_OPTIONS_INIT;
    pool_options.workers = 1;
    pool_options.max_workers = 4;
    wp_pool *pool = NULL;
    if (is_shared) CHECK_EQUAL(wp_pool_create(&pool_options, &pool), WP_OK);
    wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
    options.max_parallel_jobs = 1;
    options.grace_ns = 1;
    options.replace_abandoned = 1;
    wp_jobpool *jobs = NULL;
    CHECK_EQUAL(wp_jobpool_create(pool, &options, &jobs), WP_OK);
    gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    wp_job_options stuck = WP_JOB_OPTIONS_INIT;
    stuck.id = "stuck";
    stuck.fn = stay;
    stuck.context = &g;
    stuck.timeout_ns = 1;
    wp_job number;
    CHECK_EQUAL(wp_jobpool_submit(jobs, &stuck, 0, -1, &number), WP_OK);
    CHECK_EQUAL(wp_job_wait(jobs, number, -1, 0), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, number), WP_JOB_TIMEOUT);
    /* It can only end if this one runs beside it. */
    wp_job_options other = WP_JOB_OPTIONS_INIT;
    other.fn = open_gate;
    other.context = &g;
    CHECK_EQUAL(wp_jobpool_submit(jobs, &other, 0, -1, &number), WP_OK);
    CHECK_EQUAL(wp_job_wait(jobs, number, -1, 0), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, number), WP_JOB_COMPLETED);
    int status;
    while ((status = wp_jobpool_destroy(jobs)) == WP_BUSY) sched_yield();
    CHECK_EQUAL(status, WP_OK);
    if (pool) CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "worker") == 0) return be_worker();
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 1;
  RUN("J23: a batch is a job: all items, a lost worker replaced, and everything told", whole);
  RUN("J24: a batch job fails as its first item that does", failed);
  RUN("a batch job that is cancelled or too late ends its workers, and keeps what was done", stopped);
  RUN("what is no batch is refused; one without items is done", refused);
  RUN("progress is told to those who ask for it", progress);
  RUN("another job runs in the place of an abandoned one", substitutes);
  return CHECK_SUMMARY();
}
