// SPDX-License-Identifier: MIT
/* stress: very many short pipelines of random shape. A seed is a plan, and a plan is one pipeline with
 * all that is done to it; what it must come to is worked out from the plan alone (oracle.c).
 *
 *   plan.c       seed -> plan, plan -> text       case.c    builds, drives and checks one plan
 *   split.c      cases with splitters             nest.c    cases of pipelines that wait for each other
 *   crew.c       threads that come and go as workers, numbers of workers that change
 *   oracle.c     plan -> what it must come to     pools.c   pools that cases share, and those they make
 *   callbacks.c  source, stages, sink, releases   watch.c   what hangs, what the process uses
 *                                                 idle.c    what idle workers cost
 *
 * A new feature of the engine: fields in `plan`, a line in plan_of and plan_print, what it changes in
 * oracle.c, its calls in case.c.
 */
#ifndef STRESS_H
#define STRESS_H

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <workpool.h>

enum { MOST_STAGES = 6, MOST_BLOCKS = 400, MOST_PLACES = MOST_STAGES + 2, MOST_PRODUCERS = 4 };
enum { NEVER = 0x7fffffff, MOST_WEIGHT = 100 };

/* ----- random numbers: SplitMix64 (S. Vigna) ----- */

static inline uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}
static inline uint32_t pick(uint64_t *state, uint32_t count) {
  *state = mix(*state);
  return (uint32_t)(*state % count);
}

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ----- plan ----- */

typedef enum { FROM_SOURCE, SUBMITTED, NUMBERED } input_kind;
typedef enum { TO_SINK, TO_NOBODY, READ_BY_DRIVER, READ_BY_THREAD } output_kind;
typedef enum { NO_BYTES, LIBRARY_BYTES, CALLER_BYTES } bytes_kind;
typedef enum { KEEP, WRITE, GROW, SPARE, REPLACE } bytes_change;
typedef enum {
  UNDISTURBED,
  CANCEL_BY_THREAD,
  CANCEL_BY_STAGE,
  CANCEL_TOKEN,
  CANCEL_PARENT,
  CANCEL_MARK, /* as from a signal handler */
  CANCEL_BEFORE,
  STOP_BY_THREAD,
  STOP_BY_STAGE,
  DESTROY_RUNNING,
  DEADLINE,
  CANCEL_BY_SUBSCRIBER,
  DISTURBANCES
} disturbance;

typedef struct stage_plan {
  uint32_t kind, width, flags, batch;
  bytes_change change;
  uint32_t time;     /* 0: none, else longest spin */
  uint32_t rarity[5]; /* one of so many blocks: drop, stop, stop and drop, error, no known value; 0: never */
  int has_hooks;
} stage_plan;

typedef struct plan {
  uint64_t seed;
  uint32_t workers, limit, blocks, runs;
  int owns_pool;
  uint32_t stages;                    /* between source and end */
  stage_plan stage[MOST_PLACES];      /* 0: source; stages + 1: the sink */
  input_kind input;
  output_kind output;
  bytes_kind bytes;
  uint32_t producers, readers;
  int unordered;
  uint32_t holds;                     /* results that a reader keeps before it gives the oldest back */
  int64_t timeout;                    /* of submits and reads: negative, 0 or short */
  int flushes, snapshots, timed_wait, uses_run;
  uint32_t skipped, duplicated;       /* numbered: one of so many */
  uint32_t first_missing, missing;    /* numbered: a gap of `missing` numbers; 0: none */
  uint32_t shuffle;                   /* numbered: how far out of order */
  int collects;
  uint32_t max_failures, max_errors_kept;
  uint32_t window, largest_limit;     /* limits that callbacks set; window 0: they do not */
  uint32_t weight;
  uint32_t bytes_limit, largest_bytes; /* 0: none; blocks weigh 1 to MOST_WEIGHT then */
  uint32_t subscribers;
  int64_t deadline;                   /* ns; 0: none */
  uint32_t host_workers, mates;       /* seats of a pool of its own, threads that come and go there */
  uint32_t most_workers;              /* of a pool of its own whose number changes; 0: it does not */
  uint32_t blocking_extra;            /* of a pool of its own */
  int watches;                        /* whether it is stuck, which it never is */
  uint32_t statistics, events;        /* WP_STATISTICS_..., timeline_events */
  disturbance disturbance;
  uint32_t disturbed_at;              /* callbacks before that, or the block */
  uint32_t disturbing_stage;
} plan;

typedef struct settings {
  uint64_t count, seed;
  uint32_t workers, threads, round;
  int64_t patience; /* ns */
  uint64_t times;
  int64_t idle; /* s */
  int is_replay;
} settings;

plan plan_of(uint64_t seed, const settings *settings);
void plan_print(const plan *plan, FILE *file);
/* What stage `stage` says to block `number`: WP_STAGE_... or an error code. */
int32_t answer_of(const plan *plan, uint32_t stage, uint64_t number);
/* Whether a callback is a call of one worker at a time, of blocks in order. */
static inline int is_serial(const plan *plan, uint32_t stage) {
  if (stage > plan->stages) return !plan->unordered;
  return stage == 0 || plan->stage[stage].kind == WP_SERIAL;
}
static inline int is_skipped(const plan *plan, uint64_t number) {
  return plan->input == NUMBERED && plan->skipped && mix(plan->seed ^ ~number) % plan->skipped == 0;
}
static inline uint64_t weight_of(const plan *plan, uint64_t id) {
  return plan->bytes_limit ? 1 + mix(plan->seed ^ id << 20) % MOST_WEIGHT : 0;
}
static inline uint32_t seats_of(const plan *plan) {
  return (plan->most_workers ? plan->most_workers : plan->workers) + plan->blocking_extra;
}
static inline int is_missing(const plan *plan, uint64_t number) {
  return plan->missing && number >= plan->first_missing
         && number < plan->first_missing + plan->missing;
}
static inline int is_cancelling(disturbance d) {
  return (d >= CANCEL_BY_THREAD && d <= CANCEL_BEFORE) || d >= DESTROY_RUNNING;
}
static inline int is_stopping(disturbance d) { return d == STOP_BY_THREAD || d == STOP_BY_STAGE; }

/* ----- oracle ----- */

typedef struct expectation {
  int32_t status, code;
  uint64_t number; /* UINT64_MAX: none */
  uint32_t stage;  /* UINT32_MAX: none */
  uint32_t delivered, list[MOST_BLOCKS];
  uint32_t errors, error_number[MOST_BLOCKS], error_stage[MOST_BLOCKS];
} expectation;

void expect(const plan *plan, expectation *expectation);
/* Whether block `number` passes all stages before `stage`, were there no cuts. */
int reaches(const plan *plan, uint32_t stage, uint64_t number);

/* ----- one run ----- */

typedef struct run run;
/* Caller-owned memory. */
typedef struct payload {
  uint64_t id;
  run *run;
  int32_t releases, reason; /* atomic */
  int is_taken;             /* the library has it */
  int64_t number;           /* of its block, -1: no callback has seen it */
} payload;

typedef struct post { /* what the callbacks of one stage share */
  run *run;
  uint32_t stage;
  int64_t inside, calls, dropped, failed; /* atomic */
  /* Plain on purpose, for calls one at a time. */
  int64_t last, turns;
  uint32_t finishes, destroyed;
  int64_t started, finished; /* atomic: worker hooks */
} post;

struct run {
  const plan *plan;
  const expectation *expected;
  wp_pool *pool;
  struct nest *nest;
  wp_pipeline *pipeline;
  wp_token *parent, *token;
  post posts[MOST_PLACES];
  payload payloads[MOST_BLOCKS], replacements[MOST_BLOCKS];
  int64_t live, most_live; /* payloads between first callback and release; atomic */
  int64_t progress;        /* callbacks and host calls; atomic */
  int32_t has_ended;       /* atomic: no callback may come any more */
  int32_t was_disturbed;   /* atomic */
  int32_t faults;          /* atomic */
  uint32_t delivered;      /* who delivers, one at a time */
  uint64_t delivered_number[MOST_BLOCKS];
  uint32_t scratches[MOST_PLACES][64];
  uint32_t next_finish;
  int64_t accepted;        /* atomic: blocks that entered by submit */
  uint32_t next_offer;     /* atomic */
  pthread_mutex_t reading;
  sem_t disturb;
  uint64_t subscriber[2];
  uint32_t lane;
  int64_t told, told_last, forgotten; /* by subscribers, in all runs; atomic */
};

extern settings the;
/* Tells what is wrong, with the seed. */
void fault(run *run, const char *file, int line, const char *format, ...)
  __attribute__((format(printf, 4, 5)));
#define REQUIRE(run, condition) \
  ((condition) ? (void)0 : fault(run, __FILE__, __LINE__, "%s", #condition))
#define REQUIRE_EQUAL(run, actual, wanted) \
  require_equal(run, __FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(wanted))
static inline void require_equal(run *run, const char *file, int line, const char *what,
                                 int64_t actual, int64_t wanted) {
  if (actual != wanted) {
    fault(run, file, line, "%s is %" PRId64 ", not %" PRId64, what, actual, wanted);
  }
}
#define ADD(place, amount) __atomic_add_fetch(&(place), amount, __ATOMIC_SEQ_CST)
#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define STORE(place, value) __atomic_store_n(&(place), value, __ATOMIC_SEQ_CST)
void note_progress(run *run);
static inline pthread_t spawn(void *(*body)(void *), void *argument) {
  pthread_t thread;
  while (pthread_create(&thread, NULL, body, argument)) sched_yield();
  return thread;
}

int32_t call_source(void *context, wp_block *block, void *scratch, const wp_call *call);
int32_t call_stage(void *context, wp_block *block, void *scratch, const wp_call *call);
int32_t call_sink(void *context, wp_block *block, void *scratch, const wp_call *call);
int32_t call_stage_for_each(void *context, wp_block *block, void *scratch, const wp_call *call);
int32_t call_sink_for_each(void *context, wp_block *block, void *scratch, const wp_call *call);
int32_t call_worker_start(void *context, uint32_t worker, void **out_scratch);
void call_worker_finish(void *context, uint32_t worker, void *scratch);
int32_t call_finish(void *context, int32_t status);
void call_destroy(void *context);
void call_release(void *context, void *data, size_t size, int32_t reason);
void call_progress(void *context, const wp_progress *progress);
void call_forgotten(void *context);
void deliver(run *run, const wp_block *block);

/* ----- cases, pools, watch ----- */

typedef struct lane { /* one thread that runs cases */
  uint32_t index;
  pthread_t thread;
  uint64_t seed;     /* atomic */
  run *current;      /* under the watch's lock */
  int64_t case_done; /* atomic: cases of this lane */
} lane;
extern lane lanes[64];

/* Cases with splitters have a plan of their own. */
int is_split_case(uint64_t seed);
void run_split_case(run *run, wp_pool *pool);
/* So have those of several pipelines that wait for each other. */
typedef struct nest nest;
int is_nest_case(uint64_t seed);
void nest_print(const nest *nest, FILE *file);
void run_nest_case(run *run, wp_pool *pool);
/* Returns how many faults were found. */
int run_case(lane *lane, uint64_t seed);

/* Returns how many checks failed; takes twice so long. */
int check_idle(int64_t seconds);

/* A pool of one's own may be anything; one that is shared has workers and nothing else. */
wp_pool *pool_take(uint32_t workers, const plan *own);
void pool_give(wp_pool *pool, uint32_t workers, int is_own);
void pools_close(void);
/* Threads that are workers of the pool now and then, and one that sends them away and changes the number of
 * workers. */
typedef struct crew crew;
crew *crew_begin(run *run, wp_pool *pool);
void crew_end(crew *crew);

void watch_begin(void);
void watch_end(void);
void watch_current(lane *lane, run *run);
typedef struct figures {
  uint64_t threads, descriptors, resident, heap;
} figures;
figures figures_now(void);

#endif
