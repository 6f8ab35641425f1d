// SPDX-License-Identifier: MIT
/* Builds the pipeline of a plan, does to it what the plan says, and checks what came of it. */
#include "stress.h"

#include <errno.h>

/* ----- reading ----- */

typedef struct reader {
  run *run;
  wp_block *held[MOST_BLOCKS];
  uint32_t first, count;
  int is_over;
} reader;

static void give_back(reader *reader) {
  if (!reader->count) return;
  wp_block_release(reader->held[reader->first++ % MOST_BLOCKS]);
  reader->count--;
  note_progress(reader->run);
}

static void receive(reader *reader, wp_block *block) {
  run *run = reader->run;
  uint64_t all = (UINT64_C(1) << (run->plan->stages + 1)) - 1;
  if (run->plan->input != FROM_SOURCE && run->plan->stages == 0) block->meta[2] |= 1;
  REQUIRE_EQUAL(run, block->meta[2], all);
  REQUIRE_EQUAL(run, block->meta[1], block->meta[3]);
  pthread_mutex_lock(&run->reading);
  deliver(run, block);
  pthread_mutex_unlock(&run->reading);
  reader->held[(reader->first + reader->count++) % MOST_BLOCKS] = block;
  while (reader->count > run->plan->holds) give_back(reader);
}

/* Reads one result, unless there is none within `timeout`. */
static void read_one(reader *reader, int64_t timeout) {
  run *run = reader->run;
  wp_block *block = NULL;
  int32_t status = wp_pipeline_next_result(run->pipeline, timeout, &block);
  note_progress(run);
  switch (status) {
  case WP_OK: receive(reader, block); break;
  case WP_WOULD_BLOCK: REQUIRE_EQUAL(run, timeout, 0); break;
  case WP_TIMED_OUT: REQUIRE(run, timeout > 0); break;
  case WP_WOULD_DEADLOCK:
    REQUIRE(run, run->plan->holds > 0 || run->plan->readers > 1);
    give_back(reader);
    break;
  default:
    if (status == WP_CANCELLED) REQUIRE(run, LOAD(run->was_disturbed) || run->plan->deadline);
    reader->is_over = 1;
  }
}

static void *read_all(void *argument) {
  reader *reader = argument;
  while (!reader->is_over) {
    read_one(reader, reader->run->plan->timeout);
    if (reader->run->plan->timeout == 0 && !reader->is_over) sched_yield();
  }
  while (reader->count) give_back(reader);
  return NULL;
}

/* ----- submitting ----- */

/* Whether an input may be refused with this status. */
static void check_refusal(run *run, int32_t status) {
  const plan *plan = run->plan;
  switch (status) {
  case WP_CANCELLED: REQUIRE(run, is_cancelling(plan->disturbance)); break;
  case WP_STOPPED: REQUIRE(run, run->expected->status != WP_OK || is_stopping(plan->disturbance)); break;
  case WP_STAGE_FAILED: { /* also for an error that an earlier stop makes void later */
    int may_fail = run->expected->errors > 0;
    for (uint32_t s = 1; s <= plan->stages + 1; s++) {
      may_fail |= plan->stage[s].rarity[3] || plan->stage[s].rarity[4];
    }
    REQUIRE(run, may_fail);
    break;
  }
  default: fault(run, __FILE__, __LINE__, "a submit says %s", wp_status_name(status));
  }
}

static int32_t offer(run *run, uint64_t number, int skips, wp_payload *payload, int64_t timeout) {
  if (run->plan->input == SUBMITTED) return wp_pipeline_submit(run->pipeline, payload, timeout);
  if (skips) return wp_pipeline_skip(run->pipeline, number, timeout);
  return wp_pipeline_submit_numbered(run->pipeline, number, payload, timeout);
}

/* Submits what is to be number `number`, or the next one. Returns whether more may be taken. */
static int submit_one(run *run, uint64_t number, reader *reader, int64_t timeout) {
  const plan *plan = run->plan;
  payload *own = &run->payloads[number];
  uint8_t bytes[100] = { 0 };
  wp_payload payload = { .meta = { number, mix(number), 0, mix(number) } };
  *own = (struct payload){ .id = number, .run = run, .number = -1 };
  payload.weight = weight_of(plan, number);
  if (plan->bytes == CALLER_BYTES) {
    payload.data = &own->id, payload.size = sizeof own->id;
    payload.release = call_release, payload.release_context = own;
  } else if (plan->bytes == LIBRARY_BYTES) {
    memcpy(bytes, &number, sizeof number);
    payload.data = bytes, payload.size = 8 + mix(number) % 90;
  }
  int skips = is_skipped(plan, number);
  while (1) {
    int32_t status = offer(run, number, skips, &payload, timeout);
    note_progress(run);
    switch (status) {
    case WP_OK:
      ADD(run->accepted, 1);
      own->is_taken = !skips;
      if (plan->duplicated && mix(plan->seed + number) % plan->duplicated == 0) {
        wp_payload again = { .meta = { number, 0, 0, 0 } };
        status = offer(run, number, skips, &again, 0);
        if (status != WP_DUPLICATE_BLOCK) check_refusal(run, status);
      }
      return 1;
    case WP_WOULD_BLOCK:
      REQUIRE_EQUAL(run, timeout, 0);
      if (reader) read_one(reader, 0);
      sched_yield();
      break;
    case WP_TIMED_OUT:
      REQUIRE(run, timeout > 0);
      if (reader) read_one(reader, 0);
      break;
    case WP_RESULTS_WAITING:
      REQUIRE(run, reader != NULL);
      if (!reader) return 0;
      /* A raised limit may have made room meanwhile; then there is nothing to be waited for here. */
      read_one(reader, plan->window || plan->largest_bytes > plan->bytes_limit ? 1000000 : -1);
      break;
    default:
      check_refusal(run, status);
      /* Smaller numbers may still be wanted. */
      return plan->input == NUMBERED && status != WP_CANCELLED;
    }
  }
}

/* The n-th number in an order that keeps each within `shuffle` of its place. */
static uint64_t shuffled(const plan *plan, uint64_t n) {
  uint64_t span = plan->shuffle + 1, begin = n / span * span;
  uint64_t length = begin + span <= plan->blocks ? span : plan->blocks - begin;
  return begin + (length - 1 - (n - begin)); /* backwards within each piece */
}

typedef struct producer {
  run *run;
  reader *reader;
  uint32_t most; /* blocks to offer */
} producer;

static void *produce(void *argument) {
  producer *producer = argument;
  run *run = producer->run;
  const plan *plan = run->plan;
  for (uint32_t i = 0; i < producer->most; i++) {
    uint32_t n = ADD(run->next_offer, 1) - 1;
    if (n >= plan->blocks) break;
    uint64_t number = plan->input == NUMBERED ? shuffled(plan, n) : n;
    if (is_missing(plan, number)) continue;
    if (!submit_one(run, number, producer->reader, plan->timeout)) break;
    if (plan->flushes && plan->input == SUBMITTED && mix(plan->seed + n) % 16 == 0) {
      int32_t status = wp_pipeline_flush(run->pipeline, plan->timeout);
      if (status != WP_OK && status != WP_TIMED_OUT) {
        REQUIRE(run, run->expected->status != WP_OK || plan->disturbance != UNDISTURBED);
      }
      note_progress(run);
    }
  }
  return NULL;
}

/* ----- disturbing ----- */

static void *disturb(void *argument) {
  run *run = argument;
  if (run->plan->disturbed_at > 0) sem_wait(&run->disturb);
  STORE(run->was_disturbed, 1);
  switch (run->plan->disturbance) {
  case CANCEL_BY_THREAD: REQUIRE_EQUAL(run, wp_pipeline_cancel(run->pipeline), WP_OK); break;
  case CANCEL_TOKEN: wp_token_cancel(run->token); break;
  case CANCEL_PARENT: wp_token_cancel(run->parent); break;
  case CANCEL_MARK: wp_token_cancel_from_signal(run->token); break;
  case STOP_BY_THREAD: REQUIRE_EQUAL(run, wp_pipeline_stop(run->pipeline), WP_OK); break;
  default: break;
  }
  return NULL;
}

typedef struct text {
  uint64_t size, pieces, ends_at;
  int32_t end;
  char first, last;
} text;

static int32_t take_text(void *context, const void *data, size_t size) {
  text *text = context;
  const char *bytes = data;
  if (text->pieces++ == text->ends_at) return text->end;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] <= ' ') continue;
    if (!text->size++) text->first = bytes[i];
    text->last = bytes[i];
  }
  return 0;
}

static int32_t swallow(void *context, const char *text, size_t size) {
  (void)context, (void)text, (void)size;
  return 0;
}

static void *snapshots(void *argument) {
  run *run = argument;
  while (!LOAD(run->has_ended)) {
    for (uint32_t i = 0; i <= run->plan->stages + 1; i++) {
      wp_stage_statistics s = { .struct_size = sizeof s };
      REQUIRE_EQUAL(run, wp_pipeline_stage_statistics(run->pipeline, i, &s), WP_OK);
    }
    REQUIRE_EQUAL(run, wp_pipeline_dump(run->pipeline, swallow, NULL), WP_OK);
    if (run->plan->events) {
      text text = { .ends_at = UINT64_MAX };
      REQUIRE_EQUAL(run, wp_pipeline_write_timeline(run->pipeline, take_text, &text), WP_OK);
      REQUIRE(run, text.first == '{' && text.last == '}');
    }
    wp_pipeline_statistics s = { .struct_size = sizeof s };
    REQUIRE_EQUAL(run, wp_pipeline_statistics_get(run->pipeline, &s), WP_OK);
    /* While the run goes on, the count may be off by those who wait. */
    REQUIRE(run, run->plan->input == NUMBERED || s.in_flight <= run->plan->largest_limit + MOST_PRODUCERS);
    sched_yield();
  }
  return NULL;
}

/* ----- driving ----- */

static int32_t wait_for_end(run *run) {
  if (!run->plan->timed_wait) return wp_pipeline_wait(run->pipeline, -1);
  uint64_t tries = 0;
  while (1) {
    int64_t timeout = (int64_t)(mix(run->plan->seed + tries++) % 200000);
    int32_t status = wp_pipeline_wait(run->pipeline, timeout);
    wp_result result = { .struct_size = sizeof result };
    if (status != WP_TIMED_OUT) return status;
    /* Of the wait or of the run? */
    if (wp_pipeline_result(run->pipeline, &result) == WP_OK) return wp_pipeline_wait(run->pipeline, -1);
  }
}

/* Returns the status of the run. */
static int32_t drive(run *run) {
  const plan *plan = run->plan;
  pthread_t disturber = 0, watcher = 0, producing[MOST_PRODUCERS], reading[2];
  producer producers[MOST_PRODUCERS];
  reader *readers = calloc(3, sizeof *readers);
  int32_t status;
  int has_disturber = plan->disturbance == CANCEL_BY_THREAD || plan->disturbance == STOP_BY_THREAD
                      || (plan->disturbance >= CANCEL_TOKEN && plan->disturbance <= CANCEL_MARK);
  int reads_by_thread = plan->output == READ_BY_THREAD;
  reader *own = plan->output == READ_BY_DRIVER ? &readers[2] : NULL;
  for (int i = 0; i < 3; i++) readers[i].run = run;
  int runs = plan->uses_run && plan->input == FROM_SOURCE && plan->output <= TO_NOBODY && !has_disturber;

  if (!runs) REQUIRE_EQUAL(run, wp_pipeline_start(run->pipeline), WP_OK);
  if (!runs && plan->snapshots) watcher = spawn(snapshots, run);
  if (has_disturber) disturber = spawn(disturb, run);
  for (uint32_t i = 0; reads_by_thread && i < plan->readers; i++) {
    reading[i] = spawn(read_all, &readers[i]);
  }
  if (plan->input != FROM_SOURCE) {
    for (uint32_t i = 0; i < plan->producers; i++) {
      producers[i] = (producer){ run, i == 0 ? own : NULL, MOST_BLOCKS };
      if (i > 0) producing[i] = spawn(produce, &producers[i]);
    }
    produce(&producers[0]);
    for (uint32_t i = 1; i < plan->producers; i++) pthread_join(producing[i], NULL);
    REQUIRE_EQUAL(run, wp_pipeline_close(run->pipeline), WP_OK);
  }
  if (own) read_all(own);
  status = runs ? wp_pipeline_run(run->pipeline) : wait_for_end(run);
  for (uint32_t i = 0; reads_by_thread && i < plan->readers; i++) pthread_join(reading[i], NULL);
  STORE(run->has_ended, 1);
  if (plan->subscribers && run->forgotten == 0) {
    REQUIRE(run, run->told_last % plan->subscribers == 0 && run->told_last > 0);
  }
  sem_post(&run->disturb);
  if (disturber) pthread_join(disturber, NULL);
  if (watcher) pthread_join(watcher, NULL);
  free(readers);
  return status;
}

/* Destroys it at some moment; nobody else uses it. */
static void drive_into_destruction(run *run) {
  const plan *plan = run->plan;
  reader *reader = calloc(1, sizeof *reader);
  reader->run = run;
  REQUIRE_EQUAL(run, wp_pipeline_start(run->pipeline), WP_OK);
  if (plan->input != FROM_SOURCE) {
    uint32_t most = plan->disturbed_at % (plan->blocks + 1);
    int reads = plan->output == READ_BY_DRIVER || plan->output == READ_BY_THREAD;
    uint32_t places = plan->limit;
    /* Without a reader, and out of order, no more than fits. */
    if (!reads || plan->input == NUMBERED) most = most < places ? most : places;
    if (plan->output == READ_BY_THREAD) most = most < places ? most : places;
    if (plan->input == NUMBERED && reads && most > plan->shuffle + 1) most = plan->shuffle + 1;
    producer producer = { run, reads ? reader : NULL, most };
    produce(&producer);
    while (reader->count) give_back(reader);
  } else if (plan->disturbed_at) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 500000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    while (sem_timedwait(&run->disturb, &until) && errno == EINTR) {
    }
  }
  STORE(run->was_disturbed, 1);
  REQUIRE_EQUAL(run, wp_pipeline_destroy(run->pipeline), WP_OK);
  run->pipeline = NULL;
  STORE(run->has_ended, 1);
  free(reader);
}

/* ----- checking ----- */

static int is_delivered(const run *run, int64_t number) {
  for (uint32_t i = 0; i < run->delivered; i++) {
    if ((int64_t)run->delivered_number[i] == number) return 1;
  }
  return 0;
}

static int answers(const plan *plan, int64_t number, int fails) {
  for (uint32_t s = plan->input != FROM_SOURCE; number >= 0 && s <= plan->stages + 1; s++) {
    int32_t answer = answer_of(plan, s, (uint64_t)number);
    if (fails ? answer < 0 : answer == WP_STAGE_DROP || answer == WP_STAGE_STOP_DROP) return 1;
  }
  return 0;
}

static void check_payload(run *run, const payload *payload, int is_first) {
  const plan *plan = run->plan;
  if (!payload->is_taken) {
    REQUIRE_EQUAL(run, payload->releases, 0);
    return;
  }
  REQUIRE_EQUAL(run, payload->releases, 1);
  int64_t number = payload->number;
  switch (payload->reason) {
  case WP_RELEASE_DELIVERED:
    if (is_first && plan->output != TO_NOBODY) REQUIRE(run, number < 0 || is_delivered(run, number));
    break;
  case WP_RELEASE_DROPPED: REQUIRE(run, !is_first || answers(plan, number, 0)); break;
  case WP_RELEASE_FAILED: REQUIRE(run, !is_first || answers(plan, number, 1)); break;
  case WP_RELEASE_CUT:
    REQUIRE(run, run->expected->status != WP_OK || is_stopping(plan->disturbance)
                   || is_cancelling(plan->disturbance));
    break;
  case WP_RELEASE_CANCELLED: REQUIRE(run, is_cancelling(plan->disturbance)); break;
  case WP_RELEASE_REPLACED: REQUIRE(run, plan->stages > 0); break;
  default: fault(run, __FILE__, __LINE__, "released for reason %d", payload->reason);
  }
}

static void check_posts(run *run, int was_started) {
  const plan *plan = run->plan;
  for (uint32_t i = 0; i <= plan->stages + 1; i++) {
    post *post = &run->posts[i];
    REQUIRE_EQUAL(run, post->inside, 0);
    REQUIRE_EQUAL(run, post->started, post->finished);
    int is_set = (i > 0 || plan->input == FROM_SOURCE) && (i <= plan->stages || plan->output == TO_SINK);
    if (is_set && plan->stage[i].has_hooks) REQUIRE_EQUAL(run, post->finishes, was_started);
    if (is_serial(plan, i)) REQUIRE_EQUAL(run, post->turns, post->calls);
  }
  for (uint32_t i = 0; i < plan->blocks; i++) {
    if (plan->bytes == CALLER_BYTES) check_payload(run, &run->payloads[i], 1);
    check_payload(run, &run->replacements[i], 0);
  }
  REQUIRE_EQUAL(run, run->live, 0);
}

static int64_t blocks_in(const run *run) {
  const plan *plan = run->plan;
  if (plan->input == SUBMITTED) return run->accepted;
  if (plan->input == NUMBERED) return -1; /* and holes */
  const post *source = &run->posts[0];
  return source->last >= plan->blocks ? plan->blocks : source->last + 1;
}

static void check_statistics(run *run) {
  const plan *plan = run->plan;
  for (uint32_t i = 0; i <= plan->stages + 1; i++) {
    wp_stage_statistics s = { .struct_size = sizeof s };
    const post *post = &run->posts[i];
    REQUIRE_EQUAL(run, wp_pipeline_stage_statistics(run->pipeline, i, &s), WP_OK);
    if ((i == 0 && plan->input != FROM_SOURCE) || (i > plan->stages && plan->output != TO_SINK)) {
      continue;
    }
    REQUIRE_EQUAL(run, s.calls, post->calls);
    REQUIRE_EQUAL(run, s.blocks_dropped, post->dropped);
    REQUIRE_EQUAL(run, s.blocks_failed, post->failed);
    REQUIRE(run, s.blocks_in >= s.blocks_out);
    REQUIRE(run, s.timed_calls <= s.calls);
    if (plan->statistics == WP_STATISTICS_OFF) {
      REQUIRE_EQUAL(run, s.timed_calls + s.busy_ns + s.order_wait_ns, 0);
    } else if (plan->events || plan->statistics == WP_STATISTICS_TIMES) {
      REQUIRE_EQUAL(run, s.timed_calls, s.calls);
    }
    REQUIRE(run, s.call_min_ns <= s.call_p50_ns + s.call_p50_ns / 4 || !s.timed_calls);
    REQUIRE(run, s.call_p50_ns <= s.call_p99_ns && s.call_p99_ns <= s.call_max_ns);
    REQUIRE_EQUAL(run, s.parked_now, 0);
  }
  wp_pipeline_statistics s = { .struct_size = sizeof s };
  REQUIRE_EQUAL(run, wp_pipeline_statistics_get(run->pipeline, &s), WP_OK);
  REQUIRE(run, s.in_flight_max <= plan->largest_limit);
  REQUIRE_EQUAL(run, s.in_flight, 0);
  REQUIRE_EQUAL(run, s.bytes_in_flight, 0);
  if (plan->bytes_limit) {
    /* The lowest number is let in whatever the others weigh; results come on top. */
    uint64_t most = plan->largest_bytes + MOST_WEIGHT;
    if (plan->input == NUMBERED) {
      most += plan->output >= READ_BY_DRIVER ? plan->largest_bytes + MOST_WEIGHT : MOST_WEIGHT;
    }
    REQUIRE(run, s.bytes_in_flight_max < most);
  }
}

static void check_timeline(run *run) {
  text whole = { .ends_at = UINT64_MAX }, part = { .end = run->plan->seed % 2 ? 1 : -2000 };
  if (!run->plan->events) {
    REQUIRE_EQUAL(run, wp_pipeline_write_timeline(run->pipeline, take_text, &whole), WP_INVALID_STATE);
    return;
  }
  REQUIRE_EQUAL(run, wp_pipeline_write_timeline(run->pipeline, take_text, &whole), WP_OK);
  REQUIRE(run, whole.first == '{' && whole.last == '}');
  part.ends_at = run->plan->seed % whole.pieces;
  REQUIRE_EQUAL(run, wp_pipeline_write_timeline(run->pipeline, take_text, &part),
                part.end < 0 ? part.end : WP_IO_FAILED);
}

static void tell_stuck(void *context, const char *dump) {
  fault(context, __FILE__, __LINE__, "stuck after a minute:\n%s", dump);
}

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Each block once, all before the deciding one; which ones behind it is not promised. */
static void check_unordered(run *run, const expectation *is, int all_are_there) {
  uint32_t found = 0;
  qsort(run->delivered_number, run->delivered, sizeof *run->delivered_number, by_number);
  for (uint32_t i = 0; i < run->delivered; i++) {
    uint64_t number = run->delivered_number[i];
    REQUIRE(run, i == 0 || number > run->delivered_number[i - 1]);
    if (found < is->delivered && number == is->list[found]) found++;
    else REQUIRE(run, is->status != WP_OK && reaches(run->plan, run->plan->stages + 1, number));
  }
  if (all_are_there) REQUIRE_EQUAL(run, found, is->delivered);
}

/* The whole outcome, where nothing outside the plan's answers had a part in it. */
static void check_exact(run *run, const wp_result *result, const expectation *is) {
  const plan *plan = run->plan;
  REQUIRE_EQUAL(run, result->status, is->status);
  REQUIRE_EQUAL(run, result->number, is->number);
  REQUIRE_EQUAL(run, result->stage, is->stage);
  REQUIRE_EQUAL(run, result->code, is->code);
  if (plan->unordered) REQUIRE(run, result->blocks_delivered >= is->delivered);
  else REQUIRE_EQUAL(run, result->blocks_delivered, is->delivered);
  REQUIRE_EQUAL(run, result->errors, is->errors);
  uint32_t room = plan->max_errors_kept ? plan->max_errors_kept : 100;
  uint32_t kept = is->errors < room ? is->errors : room;
  REQUIRE_EQUAL(run, result->errors_not_kept, is->errors - kept);
  for (uint32_t i = 0; i < kept; i++) {
    wp_error_entry entry = { .struct_size = sizeof entry };
    REQUIRE_EQUAL(run, wp_pipeline_error(run->pipeline, i, &entry), WP_OK);
    REQUIRE_EQUAL(run, entry.number, is->error_number[i]);
    REQUIRE_EQUAL(run, entry.stage, is->error_stage[i]);
    if (entry.code > -2000 || entry.stage == 0) continue;
    char text[40];
    snprintf(text, sizeof text, "%u at %u", is->error_stage[i], is->error_number[i]);
    REQUIRE(run, strcmp(entry.text, text) == 0);
  }
  if (plan->output == TO_NOBODY) return;
  /* A cancel after an error was decided leaves the error, but discards what is unread. */
  int may_lack = is_cancelling(plan->disturbance) && plan->output >= READ_BY_DRIVER;
  if (plan->unordered) {
    check_unordered(run, is, !may_lack);
    return;
  }
  REQUIRE(run, run->delivered <= is->delivered);
  if (!may_lack) REQUIRE_EQUAL(run, run->delivered, is->delivered);
  for (uint32_t i = 0; i < run->delivered && i < is->delivered; i++) {
    REQUIRE_EQUAL(run, run->delivered_number[i], is->list[i]);
  }
}

/* A stop that was decided stays when a cancel comes, though see-all stages had blocks to come, and
 * errors. */
static int is_stop_kept(const run *run, int32_t status) {
  int sees_all = 0;
  for (uint32_t i = 0; i <= run->plan->stages; i++) {
    sees_all |= run->plan->stage[i].flags & WP_STAGE_SEE_ALL;
  }
  return is_cancelling(run->plan->disturbance) && sees_all && (status == WP_STOPPED || status == WP_STAGE_FAILED);
}

static void check_outcome(run *run, int32_t status) {
  const plan *plan = run->plan;
  wp_result result = { .struct_size = sizeof result };
  REQUIRE_EQUAL(run, wp_pipeline_result(run->pipeline, &result), WP_OK);
  REQUIRE_EQUAL(run, result.status, status);
  REQUIRE_EQUAL(run, wp_pipeline_wait(run->pipeline, -1), status);
  uint64_t sum = result.blocks_delivered + result.blocks_dropped + result.blocks_cut
                 + result.blocks_failed;
  if (blocks_in(run) >= 0) REQUIRE_EQUAL(run, sum, blocks_in(run));
  if (plan->output == READ_BY_THREAD && plan->readers > 1) {
    qsort(run->delivered_number, run->delivered, sizeof *run->delivered_number, by_number);
  }
  if (is_cancelling(plan->disturbance) && status == (plan->deadline ? WP_TIMED_OUT : WP_CANCELLED)) {
    REQUIRE(run, LOAD(run->was_disturbed) || plan->deadline);
    REQUIRE(run, run->delivered <= result.blocks_delivered || plan->output == TO_NOBODY);
    if (plan->unordered) return;
    for (uint32_t i = 0; i < run->delivered; i++) {
      REQUIRE_EQUAL(run, run->delivered_number[i], run->expected->list[i]);
    }
  } else if (is_stop_kept(run, status)) {
    REQUIRE(run, result.errors <= run->expected->errors);
    if (plan->unordered) return;
    for (uint32_t i = 0; i < run->delivered; i++) {
      REQUIRE_EQUAL(run, run->delivered_number[i], run->expected->list[i]);
    }
  } else if (is_stopping(plan->disturbance) && LOAD(run->was_disturbed)) {
    if (plan->input == NUMBERED) return;
    struct plan shorter = *plan; /* the same, had the input ended here by itself */
    expectation is;
    shorter.blocks = (uint32_t)blocks_in(run);
    expect(&shorter, &is);
    if (is.status == WP_OK && status == WP_STOPPED) {
      is.status = WP_STOPPED;
    } else if (is.status == WP_OK) {
      REQUIRE_EQUAL(run, shorter.blocks, plan->blocks);
    }
    check_exact(run, &result, &is);
  } else {
    check_exact(run, &result, run->expected);
  }
}

/* ----- building ----- */

static void set_up(run *run, wp_pool *pool) {
  const plan *plan = run->plan;
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  options.max_blocks_in_flight = plan->limit;
  options.max_failures = plan->max_failures;
  options.max_errors_kept = plan->max_errors_kept;
  if (plan->collects) options.flags |= WP_PIPELINE_COLLECT_ERRORS;
  if (plan->output == READ_BY_DRIVER) options.flags |= WP_PIPELINE_PULL_RESULTS;
  if (plan->output == READ_BY_THREAD) {
    options.flags |= WP_PIPELINE_PULL_RESULTS | WP_PIPELINE_READER_IS_ANOTHER_THREAD;
  }
  if (plan->disturbance >= CANCEL_TOKEN && plan->disturbance <= CANCEL_BEFORE) {
    REQUIRE_EQUAL(run, wp_token_create(NULL, &run->parent), WP_OK);
    REQUIRE_EQUAL(run, wp_token_create(run->parent, &run->token), WP_OK);
    options.token = run->token;
  }
  options.run_timeout_ns = plan->deadline;
  if (plan->watches) {
    options.stuck_after_ns = INT64_C(60000000000);
    options.on_stuck = tell_stuck;
    options.stuck_context = run;
  }
  options.statistics = plan->statistics;
  options.timeline_events = plan->events;
  if (plan->unordered) options.flags |= WP_PIPELINE_UNORDERED;
  options.weight = plan->weight;
  options.max_bytes_in_flight = plan->bytes_limit;
  options.window_capacity = plan->window;
  REQUIRE_EQUAL(run, wp_pipeline_create(pool, &options, &run->pipeline), WP_OK);
  for (uint32_t i = 0; i < plan->subscribers; i++) {
    wp_subscriber_options subscriber = WP_SUBSCRIBER_OPTIONS_INIT;
    subscriber.interval_ns = 1000000;
    subscriber.fn = call_progress;
    subscriber.context = run;
    subscriber.destroy_context = call_forgotten;
    REQUIRE_EQUAL(run, wp_pipeline_subscribe(run->pipeline, &subscriber, &run->subscriber[i]), WP_OK);
  }
  for (uint32_t i = 0; i <= plan->stages + 1; i++) {
    wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
    run->posts[i].run = run;
    run->posts[i].stage = i;
    stage.kind = plan->stage[i].kind;
    stage.max_concurrency = plan->stage[i].width;
    stage.flags = plan->stage[i].flags;
    stage.max_batch = plan->stage[i].batch;
    stage.context = &run->posts[i];
    stage.destroy_context = call_destroy;
    if (plan->stage[i].has_hooks) {
      stage.worker_start = call_worker_start;
      stage.worker_finish = call_worker_finish;
      stage.finish = call_finish;
    }
    if (i == 0) {
      stage.fn = call_source;
      if (plan->input == FROM_SOURCE) {
        REQUIRE_EQUAL(run, wp_pipeline_set_source(run->pipeline, &stage), WP_OK);
      }
    } else if (i <= plan->stages) {
      stage.fn = stage.max_batch ? call_stage_for_each : call_stage;
      REQUIRE_EQUAL(run, wp_pipeline_add_stage(run->pipeline, &stage), i);
    } else if (plan->output == TO_SINK) {
      stage.fn = stage.max_batch ? call_sink_for_each : call_sink;
      REQUIRE_EQUAL(run, wp_pipeline_set_sink(run->pipeline, &stage), WP_OK);
    }
  }
}

static void reset(run *run) {
  for (int i = 0; i < MOST_PLACES; i++) {
    uint32_t destroyed = run->posts[i].destroyed;
    run->posts[i] = (post){ .run = run, .stage = (uint32_t)i, .last = -1, .destroyed = destroyed };
  }
  memset(run->payloads, 0, sizeof run->payloads);
  memset(run->replacements, 0, sizeof run->replacements);
  run->live = run->most_live = run->accepted = run->next_offer = 0;
  run->delivered = run->next_finish = 0;
  STORE(run->progress, 0);
  STORE(run->has_ended, 0);
  STORE(run->was_disturbed, 0);
}

int run_case(lane *lane, uint64_t seed) {
  plan plan = plan_of(seed, &the), calm = plan;
  calm.disturbance = UNDISTURBED;
  expectation expected;
  run *run = calloc(1, sizeof *run);
  if (!run) exit(2);
  expect(&plan, &expected);
  run->plan = &plan;
  run->expected = &expected;
  pthread_mutex_init(&run->reading, NULL);
  STORE(lane->seed, seed);
  wp_pool *pool = pool_take(plan.workers, plan.owns_pool ? &plan : NULL);
  run->pool = pool;
  crew *crew = plan.mates || plan.most_workers ? crew_begin(run, pool) : NULL;
  if (is_split_case(seed) || is_nest_case(seed)) {
    run->lane = lane->index;
    watch_current(lane, run);
    if (is_split_case(seed)) run_split_case(run, pool);
    else run_nest_case(run, pool);
    if (crew) crew_end(crew);
    pool_give(pool, plan.workers, plan.owns_pool);
    pthread_mutex_destroy(&run->reading);
    int faults = run->faults;
    if (faults) plan_print(&plan, stderr);
    free(run);
    return faults;
  }
  set_up(run, pool);
  watch_current(lane, run);
  for (uint32_t i = 0; i < plan.runs; i++) {
    run->plan = i + 1 < plan.runs ? &calm : &plan;
    sem_init(&run->disturb, 0, 0);
    reset(run);
    int was_started = 1;
    if (run->plan->disturbance == CANCEL_BEFORE) {
      wp_token_cancel(run->token);
      REQUIRE_EQUAL(run, wp_pipeline_start(run->pipeline), WP_CANCELLED);
      was_started = 0;
      for (int s = 0; s < MOST_PLACES; s++) REQUIRE_EQUAL(run, run->posts[s].calls, 0);
    } else if (run->plan->disturbance == DESTROY_RUNNING) {
      drive_into_destruction(run);
    } else {
      int32_t status = drive(run);
      check_outcome(run, status);
      check_statistics(run);
      check_timeline(run);
    }
    check_posts(run, was_started);
    sem_destroy(&run->disturb);
  }
  watch_current(lane, NULL);
  if (run->pipeline && plan.subscribers == 2) {
    REQUIRE_EQUAL(run, wp_pipeline_unsubscribe(run->pipeline, run->subscriber[1]), WP_OK);
    REQUIRE_EQUAL(run, run->forgotten, 1);
  }
  if (run->pipeline) REQUIRE_EQUAL(run, wp_pipeline_destroy(run->pipeline), WP_OK);
  for (uint32_t i = 0; i <= plan.stages + 1; i++) {
    int is_set = (i > 0 || plan.input == FROM_SOURCE) && (i <= plan.stages || plan.output == TO_SINK);
    REQUIRE_EQUAL(run, run->posts[i].destroyed, is_set);
  }
  REQUIRE_EQUAL(run, run->forgotten, plan.subscribers);
  if (run->token) REQUIRE_EQUAL(run, wp_token_destroy(run->token), WP_OK);
  if (run->parent) REQUIRE_EQUAL(run, wp_token_destroy(run->parent), WP_OK);
  if (crew) crew_end(crew);
  pool_give(pool, plan.workers, plan.owns_pool);
  pthread_mutex_destroy(&run->reading);
  int faults = run->faults;
  if (faults) plan_print(&plan, stderr);
  free(run);
  return faults;
}
