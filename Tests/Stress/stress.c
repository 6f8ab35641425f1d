// SPDX-License-Identifier: MIT
/* stress [--count N] [--seed S] [--workers N] [--threads N] [--round N] [--patience SECONDS]
 *        [--idle SECONDS]
 * stress --replay SEED [--times N] [--threads N] */
#include "stress.h"

#include <malloc.h>
#include <stdarg.h>

settings the = { .count = 100000, .threads = 4, .round = 5000, .patience = 10000000000, .times = 1000, .idle = 10 };

static uint64_t next_case;  /* atomic */
static uint64_t failed;     /* cases; atomic */
static uint64_t told;       /* atomic */
static uint64_t round_end;

void fault(run *run, const char *file, int line, const char *format, ...) {
  va_list words;
  if (run) ADD(run->faults, 1);
  if (!run) ADD(failed, 1);
  if (ADD(told, 1) > 100) return;
  flockfile(stderr);
  fprintf(stderr, "FAIL seed %" PRIu64 " %s:%d: ", run ? run->plan->seed : 0, file, line);
  va_start(words, format);
  vfprintf(stderr, format, words);
  va_end(words);
  fprintf(stderr, "\n");
  funlockfile(stderr);
}

static void *live(void *argument) {
  lane *lane = argument;
  while (1) {
    uint64_t index = ADD(next_case, 1) - 1;
    if (index >= round_end || LOAD(failed) >= 20) break;
    int faults = run_case(lane, the.is_replay ? the.seed : the.seed + index);
    if (faults) ADD(failed, 1);
    ADD(lane->case_done, 1);
  }
  return NULL;
}

/* Runs cases up to `end`, and leaves neither threads nor pools behind. */
static void run_round(uint64_t end) {
  round_end = end;
  for (uint32_t i = 0; i < the.threads; i++) {
    lanes[i].index = i;
    if (pthread_create(&lanes[i].thread, NULL, live, &lanes[i])) exit(2);
  }
  for (uint32_t i = 0; i < the.threads; i++) pthread_join(lanes[i].thread, NULL);
  next_case = end;
  pools_close();
}

static int is_flat(const figures *first, const figures *now) {
  return now->threads == first->threads && now->descriptors == first->descriptors
         && now->heap <= first->heap + 64 * 1024
         && now->resident <= first->resident + first->resident / 4 + (UINT64_C(16) << 20);
}

static void read_words(int count, char **words) {
  int has_seed = 0;
  for (int i = 1; i < count; i++) {
    const char *word = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
    uint64_t number = value ? strtoull(value, NULL, 10) : 0;
    if (value && !strcmp(word, "--count")) the.count = number;
    else if (value && !strcmp(word, "--seed")) the.seed = number, has_seed = 1;
    else if (value && !strcmp(word, "--workers")) the.workers = (uint32_t)number;
    else if (value && !strcmp(word, "--threads")) the.threads = (uint32_t)number;
    else if (value && !strcmp(word, "--round")) the.round = (uint32_t)number;
    else if (value && !strcmp(word, "--patience")) the.patience = (int64_t)number * 1000000000;
    else if (value && !strcmp(word, "--idle")) the.idle = (int64_t)number;
    else if (value && !strcmp(word, "--times")) the.times = number;
    else if (value && !strcmp(word, "--replay")) the.seed = number, the.is_replay = has_seed = 1;
    else {
      fprintf(stderr, "stress: I do not understand %s\n", word);
      exit(2);
    }
    i++;
  }
  if (the.is_replay) the.count = the.times, the.idle = 0;
  if (!has_seed) the.seed = mix((uint64_t)time(NULL) ^ (uint64_t)now_ns()) % 1000000000000;
  if (the.threads < 1 || the.threads > 64 || the.workers > 1024 || !the.round) exit(2);
}

int main(int count, char **words) {
  read_words(count, words);
  /* Resident memory shall be what is in use: few arenas that have holes, and what is large goes back. */
  mallopt(M_ARENA_MAX, 4);
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  if (the.is_replay) {
    plan plan = plan_of(the.seed, &the);
    plan_print(&plan, stdout);
  }
  printf("stress: %" PRIu64 " pipelines, seeds %" PRIu64 " to %" PRIu64 ", %u at once, %s\n", the.count,
         the.seed, the.is_replay ? the.seed : the.seed + the.count - 1, the.threads, wp_build_info());
  fflush(stdout);
  int64_t begin = now_ns();
  figures first = { 0 }, most = { 0 }, now = { 0 };
  int flat = 1;
  if (the.idle > 0) failed += (uint64_t)check_idle(the.idle);
  watch_begin();
  uint64_t done = 0, rounds = 0;
  while (done < the.count && LOAD(failed) < 20) {
    uint64_t end = done + the.round < the.count ? done + the.round : the.count;
    run_round(end);
    done = end;
    now = figures_now();
    /* What is made once and kept is there after the first round. */
    if (rounds++ == 0) first = now;
    if (now.threads > most.threads) most.threads = now.threads;
    if (now.descriptors > most.descriptors) most.descriptors = now.descriptors;
    if (now.resident > most.resident) most.resident = now.resident;
    if (now.heap > most.heap) most.heap = now.heap;
    if (!is_flat(&first, &now)) flat = 0;
    printf("  %8" PRIu64 " done, %5.0f s: %" PRIu64 " threads, %" PRIu64 " descriptors, %.1f MB resident, "
           "%.2f MB heap\n", done, (double)(now_ns() - begin) / 1e9, now.threads, now.descriptors,
           (double)now.resident / 1e6, (double)now.heap / 1e6);
    fflush(stdout);
  }
  watch_end();
  if (!flat) {
    fprintf(stderr, "FAIL threads, descriptors or memory grew: %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " to %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", first.threads, first.descriptors,
            first.resident, first.heap, most.threads, most.descriptors, most.resident, most.heap);
    failed++;
  }
  uint64_t bad = failed < done ? failed : done;
  printf("stress: %" PRIu64 " pipelines in %.0f s, seeds %" PRIu64 " to %" PRIu64 ", at most %" PRIu64
         " threads and %" PRIu64 " descriptors between rounds, %.1f MB resident: %" PRIu64 " passed, %" PRIu64
         " failed\n", done, (double)(now_ns() - begin) / 1e9, the.seed, the.seed + the.count - 1,
         most.threads, most.descriptors, (double)most.resident / 1e6, done - bad, bad);
  return failed != 0;
}
