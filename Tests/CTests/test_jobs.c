// SPDX-License-Identifier: MIT
/* Jobs through the header: the acceptance scenarios that need no command line, by their names. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <workpool.h>

#include "check.h"

static wp_jobpool *make(uint32_t slots) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.max_parallel_jobs = slots;
  wp_jobpool *jobs = NULL;
  CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
  return jobs;
}

static wp_job_options callback(const char *id, wp_job_fn fn, void *context) {
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.id = id;
  job.fn = fn;
  job.context = context;
  return job;
}

static void after(wp_job_options *job, const char *const *ids, uint32_t count) {
  job->dependencies = ids;
  job->dependency_count = count;
}

static wp_job submit(wp_jobpool *jobs, const wp_job_options *job) {
  wp_job number = 0;
  CHECK_EQUAL(wp_jobpool_submit(jobs, job, 0, -1, &number), WP_OK);
  return number;
}

static int32_t nothing(void *context, wp_job_context *job) {
  (void)context, (void)job;
  return WP_OK;
}

static int32_t fail(void *context, wp_job_context *job) {
  (void)context;
  wp_job_context_set_error(job, NULL, "no net");
  return -1003;
}

/* Who started in which order, and how many ran at once. */
typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  char order[4096];
  int running, most, opened, entered;
} notes;

static void notes_init(notes *n) {
  memset(n, 0, sizeof *n);
  pthread_mutex_init(&n->mutex, NULL);
  pthread_cond_init(&n->changed, NULL);
}

static void enter(notes *n, const char *id) {
  pthread_mutex_lock(&n->mutex);
  if (strlen(n->order) + strlen(id) + 2 < sizeof n->order) strcat(strcat(n->order, id), " ");
  n->running++;
  n->entered++;
  if (n->running > n->most) n->most = n->running;
  pthread_cond_broadcast(&n->changed);
  pthread_mutex_unlock(&n->mutex);
}

static void leave(notes *n) {
  pthread_mutex_lock(&n->mutex);
  n->running--;
  pthread_cond_broadcast(&n->changed);
  pthread_mutex_unlock(&n->mutex);
}

static int32_t note(void *context, wp_job_context *job) {
  enter(context, wp_job_context_id(job));
  leave(context);
  return WP_OK;
}

/* Runs until it is opened. */
static int32_t gated(void *context, wp_job_context *job) {
  notes *n = context;
  enter(n, wp_job_context_id(job));
  pthread_mutex_lock(&n->mutex);
  while (!n->opened) pthread_cond_wait(&n->changed, &n->mutex);
  pthread_mutex_unlock(&n->mutex);
  leave(n);
  return WP_OK;
}

/* Runs until two are there at once. */
static int32_t pair(void *context, wp_job_context *job) {
  notes *n = context;
  enter(n, wp_job_context_id(job));
  pthread_mutex_lock(&n->mutex);
  while (n->most < 2) pthread_cond_wait(&n->changed, &n->mutex);
  pthread_mutex_unlock(&n->mutex);
  leave(n);
  return WP_OK;
}

static void open_gate(notes *n) {
  pthread_mutex_lock(&n->mutex);
  n->opened = 1;
  pthread_cond_broadcast(&n->changed);
  pthread_mutex_unlock(&n->mutex);
}

static void wait_entered(notes *n, int count) {
  pthread_mutex_lock(&n->mutex);
  while (n->entered < count) pthread_cond_wait(&n->changed, &n->mutex);
  pthread_mutex_unlock(&n->mutex);
}

/* Until its token is cancelled. */
static int32_t polls(void *context, wp_job_context *job) {
  if (context) enter(context, wp_job_context_id(job));
  wp_token *token = wp_job_context_token(job);
  if (wp_token_wait(token, -1) != WP_OK) return -1;
  return WP_CANCELLED;
}

static void end(wp_jobpool *jobs) {
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
}

static int64_t end_of(wp_jobpool *jobs, wp_job job) {
  wp_job_info info = {.struct_size = sizeof info};
  CHECK_EQUAL(wp_job_get_info(jobs, job, &info), WP_OK);
  return info.end_ns;
}

static int64_t start_of(wp_jobpool *jobs, wp_job job) {
  wp_job_info info = {.struct_size = sizeof info};
  CHECK_EQUAL(wp_job_get_info(jobs, job, &info), WP_OK);
  return info.start_ns;
}

static void j2(void) {
  notes n;
  notes_init(&n);
  wp_jobpool *jobs = make(2);
  const char *a[] = {"a"};
  wp_job_options three[] = {callback("a", note, &n), callback("b", pair, &n), callback("c", pair, &n)};
  after(&three[1], a, 1);
  after(&three[2], a, 1);
  n.most = 0;
  wp_job numbers[3];
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, three, 3, 0, -1, numbers), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK(start_of(jobs, numbers[1]) >= end_of(jobs, numbers[0]));
  CHECK(start_of(jobs, numbers[2]) >= end_of(jobs, numbers[0]));
  CHECK_EQUAL(n.most, 2);
  end(jobs);
}

static void take_started(void *context, const wp_job_event *event) {
  notes *n = context;
  if (event->kind == WP_EVENT_JOB_STARTED) {
    enter(n, event->id);
    leave(n);
  }
}

static void j3(void) {
  notes n;
  notes_init(&n);
  wp_jobpool *jobs = make(2);
  uint64_t subscriber;
  CHECK_EQUAL(wp_jobpool_subscribe(jobs, WP_EVENT_ALL, take_started, &n, NULL, &subscriber), WP_OK);
  const char *root[] = {"root"}, *c1[] = {"c1"}, *c2[] = {"c2"};
  wp_job_options tree[] = {callback("root", nothing, NULL), callback("c1", nothing, NULL),
                           callback("c2", nothing, NULL), callback("g1", nothing, NULL),
                           callback("g2", nothing, NULL), callback("g3", nothing, NULL)};
  after(&tree[1], root, 1), after(&tree[2], root, 1);
  after(&tree[3], c1, 1), after(&tree[4], c1, 1), after(&tree[5], c2, 1);
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, tree, 6, 0, -1, NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_jobpool_unsubscribe(jobs, subscriber), WP_OK);
  CHECK(!strncmp(n.order, "root c1 c2 ", 11));
  CHECK_EQUAL(n.entered, 6);
  end(jobs);
}

static void j4(void) {
  notes n;
  notes_init(&n);
  wp_jobpool *jobs = make(3);
  enum { COUNT = 50 };
  static char ids[COUNT][8];
  static const char *parents[COUNT][2];
  wp_job_options all[COUNT];
  wp_job numbers[COUNT];
  for (int i = 0; i < COUNT; i++) {
    snprintf(ids[i], sizeof ids[i], "t%d", i);
    all[i] = callback(ids[i], note, &n);
    if (i > 0) {
      parents[i][0] = ids[(i - 1) / 2];
      parents[i][1] = ids[i / 3];
      after(&all[i], parents[i], i / 3 < i ? 2 : 1);
    }
  }
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, all, COUNT, 0, -1, numbers), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(n.entered, COUNT);
  for (int i = 1; i < COUNT; i++) {
    CHECK(start_of(jobs, numbers[i]) >= end_of(jobs, numbers[(i - 1) / 2]));
    CHECK(start_of(jobs, numbers[i]) >= end_of(jobs, numbers[i / 3]));
  }
  end(jobs);
}

static void j5(void) {
  wp_jobpool *jobs = make(2);
  notes n;
  notes_init(&n);
  const char *a[] = {"a"}, *b[] = {"b"}, *c[] = {"c"};
  wp_job_options four[] = {callback("a", note, &n), callback("b", note, &n),
                           callback("c", note, &n), callback("d", note, &n)};
  after(&four[0], b, 1), after(&four[1], c, 1), after(&four[2], a, 1);
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, four, 4, 0, -1, NULL), WP_CYCLE);
  CHECK_TEXT(wp_last_error_text(), "dependency cycle: a -> b -> c -> a");
  after(&four[0], a, 1);
  CHECK_EQUAL(wp_jobpool_submit(jobs, four, 0, -1, NULL), WP_CYCLE);
  CHECK_TEXT(wp_last_error_text(), "dependency cycle: a -> a");
  CHECK_EQUAL(n.entered, 0);
  end(jobs);
}

static void j6(void) {
  wp_jobpool *jobs = make(1);
  const char *zz[] = {"zz"};
  wp_job_options a = callback("a", nothing, NULL);
  after(&a, zz, 1);
  CHECK_EQUAL(wp_jobpool_submit(jobs, &a, 0, -1, NULL), WP_UNKNOWN_DEPENDENCY);
  CHECK_TEXT(wp_last_error_text(), "job a needs zz, which nobody has submitted");
  CHECK_EQUAL(wp_jobpool_submit(jobs, &a, WP_ALLOW_FORWARD, -1, NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_UNKNOWN_DEPENDENCY);
  CHECK(strstr(wp_last_error_text(), "zz") != NULL);
  wp_job_options missing = callback("zz", nothing, NULL);
  submit(jobs, &missing);
  end(jobs);
}

static void j8_j9(void) {
  wp_jobpool *jobs = make(2);
  const char *fetch[] = {"fetch"}, *clean[] = {"clean"};
  const char *words[] = {"/bin/sh", "-c", "exit 3"};
  wp_job_options four[] = {callback("fetch", NULL, NULL), callback("clean", nothing, NULL),
                           callback("load", nothing, NULL), callback("other", nothing, NULL)};
  four[0].kind = WP_JOB_COMMAND;
  four[0].argv = words;
  four[0].argc = 3;
  after(&four[1], fetch, 1), after(&four[2], clean, 1);
  wp_job numbers[4], chain[4] = {0};
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, four, 4, 0, -1, numbers), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, 60000000000), WP_OK);
  int32_t detail = 0;
  CHECK_EQUAL(wp_job_state(jobs, numbers[0]), WP_JOB_FAILED);
  CHECK_EQUAL(wp_job_reason(jobs, numbers[0], &detail), WP_REASON_EXIT);
  CHECK_EQUAL(detail, 3);
  CHECK_EQUAL(wp_job_reason(jobs, numbers[2], NULL), WP_REASON_DEPENDENCY);
  CHECK_EQUAL(wp_job_state(jobs, numbers[3]), WP_JOB_COMPLETED);
  size_t count = 0, length = 0;
  CHECK_EQUAL(wp_job_cause_chain(jobs, numbers[2], chain, 4, &count), WP_OK);
  CHECK_EQUAL(count, 3);
  for (int i = 0; i < 3; i++) CHECK_EQUAL(chain[i], numbers[i]);
  char text[200];
  CHECK_EQUAL(wp_job_cause_text(jobs, numbers[2], text, sizeof text, &length), WP_OK);
  CHECK_TEXT(text, "cancelled: fetch failed (exit 3) \xe2\x86\x92 clean \xe2\x86\x92 load");
  CHECK_EQUAL(length, strlen(text));
  end(jobs);
}

/* Fails once another job has started. */
static int32_t fails_second(void *context, wp_job_context *job) {
  (void)job;
  wait_entered(context, 1);
  return -1003;
}

static void j10(void) {
  for (int now = 0; now < 2; now++) {
    wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
    options.max_parallel_jobs = 2;
    options.max_failures = 1;
    options.stop_now = now ? 1 : -1;
    wp_jobpool *jobs = NULL;
    CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
    notes n;
    notes_init(&n);
    wp_job_options three[] = {callback("bad", fails_second, &n),
                              callback("slow", now ? polls : gated, &n),
                              callback("third", nothing, NULL)};
    wp_job numbers[3], chain[2] = {0};
    CHECK_EQUAL(wp_jobpool_submit_many(jobs, three, 3, 0, -1, numbers), WP_OK);
    CHECK_EQUAL(wp_job_wait(jobs, numbers[2], -1, 0), WP_OK);
    CHECK_EQUAL(wp_job_reason(jobs, numbers[2], NULL), WP_REASON_STOP);
    CHECK_EQUAL(wp_job_cause_chain(jobs, numbers[2], chain, 2, NULL), WP_OK);
    CHECK_EQUAL(chain[0], numbers[0]);
    open_gate(&n);
    CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, numbers[1]), now ? WP_JOB_CANCELLED : WP_JOB_COMPLETED);
    end(jobs);
  }
}

static void j11(void) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.max_parallel_jobs = 1;
  options.max_failures = 3;
  wp_jobpool *jobs = NULL;
  CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
  wp_job_options all[10];
  wp_job numbers[10];
  for (int i = 0; i < 10; i++) all[i] = callback(NULL, fail, NULL);
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, all, 10, 0, -1, numbers), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  int failed = 0, stopped = 0;
  for (int i = 0; i < 10; i++) {
    failed += wp_job_state(jobs, numbers[i]) == WP_JOB_FAILED;
    stopped += wp_job_reason(jobs, numbers[i], NULL) == WP_REASON_STOP;
  }
  CHECK_EQUAL(failed, 3);
  CHECK_EQUAL(stopped, 7);
  end(jobs);
}

static void j12(void) {
  wp_jobpool *jobs = make(1);
  const char *bad[] = {"bad"}, *allowed[] = {"allowed"};
  wp_job_options four[] = {callback("bad", fail, NULL), callback("always", nothing, NULL),
                           callback("allowed", fail, NULL), callback("goes on", nothing, NULL)};
  after(&four[1], bad, 1), after(&four[3], allowed, 1);
  four[1].when = WP_WHEN_ALWAYS;
  four[2].allow_failure = 1;
  wp_job numbers[4];
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, four, 4, 0, -1, numbers), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_EQUAL(wp_job_state(jobs, numbers[1]), WP_JOB_COMPLETED);
  CHECK_EQUAL(wp_job_state(jobs, numbers[2]), WP_JOB_FAILED);
  CHECK_EQUAL(wp_job_state(jobs, numbers[3]), WP_JOB_COMPLETED);
  end(jobs);
}

static int32_t fails_first(void *context, wp_job_context *job) {
  enter(context, wp_job_context_id(job));
  leave(context);
  return wp_job_context_attempt(job) < 4 ? -1003 : WP_OK;
}

static void j13_j14(void) {
  wp_jobpool *jobs = make(1);
  notes n;
  notes_init(&n);
  wp_job_options first = callback("first", fails_first, &n), other = callback("other", note, &n);
  first.max_retries = 3;
  first.retry_delay_ns = 20000000;
  first.retry_factor = 2;
  wp_job number = submit(jobs, &first);
  submit(jobs, &other);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_TEXT(n.order, "first other first first first ");
  CHECK_EQUAL(wp_job_attempt_count(jobs, number), 4);
  wp_job_attempt last = {.struct_size = sizeof last}, next = last;
  CHECK_EQUAL(wp_job_attempt_info(jobs, number, 0, &last), WP_OK);
  for (uint32_t i = 1; i < 4; i++, last = next) {
    CHECK_EQUAL(wp_job_attempt_info(jobs, number, i, &next), WP_OK);
    CHECK(next.start_ns - last.end_ns >= 20000000 << (i - 1));
  }
  CHECK_EQUAL(wp_job_attempt_info(jobs, number, 4, &next), WP_END);
  end(jobs);
}

static void *wait_for_token(void *token) {
  CHECK_EQUAL(wp_token_wait(token, -1), WP_OK);
  return NULL;
}

static void count_call(void *context) { __atomic_fetch_add((int *)context, 1, __ATOMIC_SEQ_CST); }

static void j16(void) {
  wp_jobpool *jobs = make(1);
  notes n;
  notes_init(&n);
  wp_job_options job = callback("polls", polls, &n);
  wp_token *token;
  CHECK_EQUAL(wp_token_create(NULL, &token), WP_OK);
  job.token = token;
  wp_job number = submit(jobs, &job);
  wait_entered(&n, 1);
  pthread_t threads[10];
  for (int i = 0; i < 10; i++) pthread_create(&threads[i], NULL, wait_for_token, token);
  int calls = 0;
  CHECK_EQUAL(wp_token_on_cancel(token, count_call, &calls, count_call), WP_OK);
  CHECK_EQUAL(wp_token_reset(token), WP_BUSY);
  wp_token_cancel(token);
  wp_token_cancel(token);
  for (int i = 0; i < 10; i++) pthread_join(threads[i], NULL);
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(wp_job_wait(jobs, number, -1, 0), WP_OK);
  CHECK_EQUAL(wp_job_reason(jobs, number, NULL), WP_REASON_USER);
  CHECK_EQUAL(wp_job_cancel(jobs, number), WP_JOB_CANCELLED);
  end(jobs);
  CHECK_EQUAL(wp_token_reset(token), WP_OK);
  CHECK_EQUAL(wp_token_is_cancelled(token), 0);
  CHECK_EQUAL(wp_token_wait(token, 0), WP_TIMED_OUT);
  int descriptor = wp_token_fd(token);
  CHECK(descriptor >= 0);
  char bytes[8];
  wp_token_cancel(token);
  CHECK_EQUAL(read(descriptor, bytes, 8), 8);
  CHECK_EQUAL(calls, 2);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
  CHECK_EQUAL(calls, 3);
}

static void j17(void) {
  wp_token *token;
  CHECK_EQUAL(wp_token_create(NULL, &token), WP_OK);
  const volatile uint32_t *word = wp_token_word(token);
  CHECK_EQUAL(*word, 0);
  wp_token_cancel(token);
  CHECK_EQUAL(*word, WP_CANCEL_USER);
  CHECK_EQUAL(wp_token_destroy(token), WP_OK);
}

static void j18(void) {
  wp_jobpool *jobs = make(1);
  notes n;
  notes_init(&n);
  wp_job_options blocker = callback("blocker", gated, &n);
  submit(jobs, &blocker);
  static const struct { const char *id; int32_t priority; } four[] = {
    {"low", WP_PRIORITY_LOW}, {"normal", WP_PRIORITY_NORMAL}, {"high", WP_PRIORITY_HIGH},
    {"critical", WP_PRIORITY_CRITICAL}};
  for (int i = 0; i < 4; i++) {
    wp_job_options job = callback(four[i].id, note, &n);
    job.priority = four[i].priority;
    submit(jobs, &job);
  }
  char expected[300] = "blocker critical high normal ", id[8];
  for (int i = 0; i < 12; i++) {
    snprintf(id, sizeof id, "e%d", i);
    wp_job_options job = callback(id, note, &n);
    submit(jobs, &job);
    strcat(strcat(expected, id), " ");
  }
  strcat(expected, "low ");
  open_gate(&n);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK_TEXT(n.order, expected);
  end(jobs);
}

static void j19(void) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.memory = 2048;
  wp_jobpool *jobs = NULL;
  CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
  notes n;
  notes_init(&n);
  wp_job_options big = callback("big", gated, &n), hundred = callback("hundred", note, &n),
                 small = callback("small", gated, &n), huge = callback("huge", note, &n);
  big.memory = 2000, hundred.memory = 100, small.memory = 48, huge.memory = 4096;
  submit(jobs, &big);
  wp_job waits = submit(jobs, &hundred), starts = submit(jobs, &small);
  CHECK_EQUAL(wp_jobpool_submit(jobs, &huge, 0, -1, NULL), WP_UNSATISFIABLE);
  CHECK_TEXT(wp_last_error_text(), "job huge asks for 4K of memory, there is 2K");
  wait_entered(&n, 2);
  CHECK_EQUAL(wp_job_state(jobs, waits), WP_JOB_READY);
  CHECK_EQUAL(wp_job_state(jobs, starts), WP_JOB_RUNNING);
  open_gate(&n);
  end(jobs);
}

typedef struct {
  notes notes;
  uint32_t random;
} chaos;

static int32_t chaotic(void *context, wp_job_context *job) {
  chaos *c = context;
  enter(&c->notes, "");
  uint32_t random = __atomic_add_fetch(&c->random, 2654435769u, __ATOMIC_RELAXED);
  int32_t code = random >> 29 == 0 ? -1003 : WP_OK;
  if (random >> 28 == 5) code = wp_token_wait(wp_job_context_token(job), -1) == WP_OK ? WP_CANCELLED : -1;
  leave(&c->notes);
  return code;
}

static void j20(void) {
  wp_jobpool *jobs = make(3);
  chaos c = {.random = 20};
  notes_init(&c.notes);
  enum { COUNT = 200 };
  wp_job numbers[COUNT];
  for (int i = 0; i < COUNT; i++) {
    char id[16], parent[16];
    const char *parents[] = {parent};
    snprintf(id, sizeof id, "r%d", i);
    snprintf(parent, sizeof parent, "r%d", i / 2);
    wp_job_options job = callback(id, chaotic, &c);
    if (i % 3 == 0 && i > 0) after(&job, parents, 1);
    job.max_retries = i % 4;
    job.retry_delay_ns = -1;
    job.timeout_ns = 2000000;
    numbers[i] = submit(jobs, &job);
    if (i % 17 == 0) wp_job_cancel(jobs, numbers[i / 2]);
  }
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  CHECK(c.notes.most <= 3);
  for (int i = 0; i < COUNT; i++) CHECK(wp_job_state(jobs, numbers[i]) >= WP_JOB_COMPLETED);
  end(jobs);
}

static void j21(void) {
  wp_jobpool *jobs = make(1);
  notes n;
  notes_init(&n);
  wp_job_options job = callback(NULL, polls, &n);
  wp_job numbers[6];
  for (int i = 0; i < 6; i++) numbers[i] = submit(jobs, &job);
  wait_entered(&n, 1);
  CHECK_EQUAL(wp_jobpool_shutdown(jobs, 1, 1000000), WP_OK);
  for (int i = 0; i < 6; i++) CHECK_EQUAL(wp_job_reason(jobs, numbers[i], NULL), WP_REASON_SHUTDOWN);
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, NULL), WP_SHUT_DOWN);
  CHECK_EQUAL(wp_jobpool_shutdown(jobs, 1, 0), WP_OK);
  end(jobs);
}

typedef struct {
  uint64_t seqs[64];
  int count, starts, ends;
} log_of_events;

static void take_event(void *context, const wp_job_event *event) {
  log_of_events *log = context;
  if (log->count < 64) log->seqs[log->count++] = event->seq;
  log->starts += event->kind == WP_EVENT_JOB_STARTED;
  log->ends += event->kind == WP_EVENT_JOB_FINISHED;
}

static void j22(void) {
  wp_jobpool *jobs = make(2);
  log_of_events logs[2] = {{{0}, 0, 0, 0}, {{0}, 0, 0, 0}};
  uint64_t subscribers[2];
  for (int i = 0; i < 2; i++)
    CHECK_EQUAL(wp_jobpool_subscribe(jobs, WP_EVENT_ALL, take_event, &logs[i], NULL, &subscribers[i]), WP_OK);
  for (int i = 0; i < 3; i++) {
    wp_job_options job = callback(NULL, nothing, NULL);
    submit(jobs, &job);
  }
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  for (int i = 0; i < 2; i++) CHECK_EQUAL(wp_jobpool_unsubscribe(jobs, subscribers[i]), WP_OK);
  CHECK_EQUAL(logs[0].starts + logs[0].ends, 6);
  CHECK_EQUAL(logs[0].count, logs[1].count);
  for (int i = 0; i < logs[0].count; i++) {
    CHECK_EQUAL(logs[0].seqs[i], i + 1);
    CHECK_EQUAL(logs[1].seqs[i], i + 1);
  }
  end(jobs);
}

static int32_t count_bars(void *context, const wp_job_bar *bar) {
  (*(int *)context)++;
  return bar->duration < 0 || bar->start_time < 0;
}

static void j28(void) {
  wp_jobpool *jobs = make(2);
  notes n;
  notes_init(&n);
  /* The last two wait until the first two, which meet, have ended. */
  wp_job_options four[] = {callback("one", pair, &n), callback("two", pair, &n),
                           callback("bad", fail, NULL), callback("bad2", fail, NULL)};
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, four, 4, 0, -1, NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  wp_jobpool_metrics metrics = {.struct_size = sizeof metrics};
  CHECK_EQUAL(wp_jobpool_get_metrics(jobs, &metrics), WP_OK);
  CHECK(metrics.success_rate == 0.5);
  CHECK_EQUAL(metrics.peak_running, 2);
  CHECK(metrics.avg_wait_time > 0 && metrics.parallelism_factor > 0);
  wp_jobpool_status status = {.struct_size = sizeof status};
  CHECK_EQUAL(wp_jobpool_get_status(jobs, &status), WP_OK);
  CHECK_EQUAL(status.total_processed, 4);
  CHECK_EQUAL(status.counts[WP_JOB_FAILED], 2);
  int bars = 0;
  CHECK_EQUAL(wp_jobpool_timeline(jobs, count_bars, &bars), WP_OK);
  CHECK_EQUAL(bars, 4);
  char path[100];
  snprintf(path, sizeof path, "/tmp/workpool-test-%d.json", (int)getpid());
  CHECK_EQUAL(wp_jobpool_write_trace(jobs, path), WP_OK);
  CHECK_EQUAL(wp_jobpool_write_svg(jobs, path), WP_OK);
  CHECK_EQUAL(remove(path), 0);
  end(jobs);
}

/* --- beyond the scenarios --- */

static int32_t three_blocks(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch, (void)call;
  if (*(int *)context && block->number == 2) return *(int *)context;
  return block->number == 3 ? WP_SOURCE_END : WP_STAGE_OK;
}

static int32_t ignore(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)block, (void)scratch, (void)call;
  return WP_STAGE_OK;
}

static void pipelines(void) {
  wp_pool *pool;
  CHECK_EQUAL(wp_pool_create(NULL, &pool), WP_OK);
  int codes[] = {0, -1004};
  wp_jobpool *jobs;
  CHECK_EQUAL(wp_jobpool_create(pool, NULL, &jobs), WP_OK);
  for (int i = 0; i < 2; i++) {
    wp_pipeline *pipeline;
    CHECK_EQUAL(wp_pipeline_create(pool, NULL, &pipeline), WP_OK);
    wp_stage_options source = WP_STAGE_OPTIONS_INIT, sink = WP_STAGE_OPTIONS_INIT;
    source.fn = three_blocks, source.context = &codes[i], sink.fn = ignore;
    CHECK_EQUAL(wp_pipeline_set_source(pipeline, &source), WP_OK);
    CHECK_EQUAL(wp_pipeline_set_sink(pipeline, &sink), WP_OK);
    wp_job_options job = callback(i ? "bad" : "good", NULL, NULL);
    job.kind = WP_JOB_PIPELINE;
    job.pipeline = pipeline;
    wp_job number = submit(jobs, &job);
    CHECK_EQUAL(wp_job_wait(jobs, number, -1, 0), WP_OK);
    CHECK_EQUAL(wp_job_state(jobs, number), i ? WP_JOB_FAILED : WP_JOB_COMPLETED);
    char text[200];
    CHECK_EQUAL(wp_job_error(jobs, number, text, sizeof text, NULL), WP_OK);
    if (i) CHECK(strstr(text, "block 2") != NULL);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
  CHECK_EQUAL(wp_pool_destroy(pool), WP_BUSY);
  end(jobs);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static int32_t gives(void *context, wp_job_context *job) {
  (void)context;
  return wp_job_context_set_result(job, "result", 6);
}

static void results(void) {
  wp_jobpool *jobs = make(1);
  wp_job_options job = callback("gives", gives, NULL);
  wp_job number = submit(jobs, &job), found = 0;
  CHECK_EQUAL(wp_job_wait(jobs, number, -1, 0), WP_OK);
  char bytes[10] = "";
  size_t length = 0;
  CHECK_EQUAL(wp_job_result(jobs, number, bytes, 10, &length), WP_OK);
  CHECK_EQUAL(length, 6);
  CHECK_TEXT(bytes, "result");
  CHECK_EQUAL(wp_job_find(jobs, "gives", &found), WP_OK);
  CHECK_EQUAL(found, number);
  CHECK_EQUAL(wp_job_release(jobs, number), WP_OK);
  CHECK_EQUAL(wp_job_state(jobs, number), WP_NOT_FOUND);
  CHECK_EQUAL(wp_job_find(jobs, "gives", &found), WP_NOT_FOUND);
  end(jobs);
}

static wp_jobpool *helped;
static int32_t waits(void *context, wp_job_context *job) {
  (void)context, (void)job;
  wp_job_options inner = callback("inner", nothing, NULL);
  wp_job number = submit(helped, &inner);
  CHECK_EQUAL(wp_job_wait(helped, number, -1, 0), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(wp_jobpool_wait_all(helped, -1), WP_WOULD_DEADLOCK);
  CHECK_EQUAL(wp_job_wait(helped, number, -1, WP_WAIT_HELP), WP_OK);
  return WP_OK;
}

static void helping(void) {
  helped = make(1);
  wp_job_options job = callback("outer", waits, NULL);
  wp_job number = submit(helped, &job);
  CHECK_EQUAL(wp_jobpool_wait_all(helped, -1), WP_OK);
  CHECK_EQUAL(wp_job_state(helped, number), WP_JOB_COMPLETED);
  end(helped);
}

static int32_t on_end(void *context, wp_jobpool *jobs, wp_job job) {
  (void)jobs, (void)job;
  count_call(context);
  return 0;
}

/* Room may come between the look and the wait for it. */
static void full_queue(void) {
  enum { JOBS = 3000 };
  for (uint32_t slots = 1; slots <= 8; slots *= 2) {
    wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
    options.max_parallel_jobs = slots;
    options.max_queued = 1;
    wp_jobpool *jobs;
    CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
    wp_job_options job = WP_JOB_OPTIONS_INIT;
    job.fn = nothing;
    for (int i = 0; i < JOBS; i++) CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, NULL), WP_OK);
    end(jobs);
  }
}

static void destroyed(void) {
  wp_jobpool *jobs = make(1);
  int calls = 0, ends = 0;
  const char *bad[] = {"bad"};
  wp_job_options job = callback("bad", fail, &calls);
  job.destroy_context = count_call;
  job.on_complete = NULL;
  submit(jobs, &job);
  CHECK_EQUAL(wp_jobpool_on_complete(jobs, on_end, &ends, NULL), WP_OK);
  wp_job_options later = callback("later", nothing, &calls);
  later.destroy_context = count_call;
  after(&later, bad, 1);
  submit(jobs, &later);
  CHECK_EQUAL(wp_jobpool_submit(jobs, &later, 0, -1, NULL), WP_EXISTS);
  end(jobs);
  CHECK_EQUAL(calls, 2);
  CHECK(ends >= 1);
}

static void arguments(void) {
  wp_jobpool *jobs = make(1);
  wp_job number;
  wp_job_options job = callback("x", NULL, NULL);
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  job.fn = nothing;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 8, -1, &number), WP_INVALID_ARGUMENT);
  job.kind = 77;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  job.kind = WP_JOB_COMMAND;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  job.kind = WP_JOB_PIPELINE;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_jobpool_submit(NULL, &job, 0, -1, &number), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_job_state(jobs, 12345), WP_NOT_FOUND);
  CHECK_EQUAL(wp_job_cancel(jobs, 12345), WP_NOT_FOUND);
  CHECK_EQUAL(wp_job_wait(jobs, 12345, 0, 0), WP_NOT_FOUND);
  CHECK_TEXT(wp_job_state_name(WP_JOB_SKIPPED), "SKIPPED");
  CHECK_TEXT(wp_job_state_name(99), "UNKNOWN");
  CHECK_TEXT(wp_job_reason_name(WP_REASON_RUN_DEADLINE), "run_deadline");
  CHECK_TEXT(wp_job_event_name(WP_EVENT_JOB_STARTED), "job_started");
  CHECK_EQUAL(wp_jobpool_destroy(NULL), WP_OK);
  end(jobs);
}

int main(void) {
  RUN("J2: B and C start after A and overlap", j2);
  RUN("J3: a tree starts in the order of submission", j3);
  RUN("J4: a graph of 50 runs each job once, every edge in order", j4);
  RUN("J5: a cycle is refused with its path", j5);
  RUN("J6: an unknown dependency is refused, or ends the wait for all", j6);
  RUN("J8, J9: a failure cancels what depends on it, with its chain, and the wait returns", j8_j9);
  RUN("J10: a stop at the first failure spares what runs, or ends it too", j10);
  RUN("J11: a stop at the third failure", j11);
  RUN("J12: always runs after a failure; an allowed failure is none", j12);
  RUN("J13, J14: a retry waits without a slot, twice as long each time", j13_j14);
  RUN("J16: a cancel reaches a job and ten threads, once", j16);
  RUN("J17: the word of a token flips", j17);
  RUN("J18: priority, then the order of submission", j18);
  RUN("J19: what finds no memory waits, what never could is refused", j19);
  RUN("J20: 200 random jobs stay within the limit and end", j20);
  RUN("J21: a shutdown cancels and stops", j21);
  RUN("J22: two subscribers see the same, without gaps", j22);
  RUN("J28: status, metrics and timeline", j28);
  RUN("pipelines are jobs, and say what failed", pipelines);
  RUN("results stay until the job is released", results);
  RUN("a job that helps may wait for another one", helping);
  RUN("who submits waits for room, and no longer", full_queue);
  RUN("contexts are destroyed once", destroyed);
  RUN("arguments are checked", arguments);
  return CHECK_SUMMARY();
}
