// SPDX-License-Identifier: MIT
/* Threads that take blocks under a lock and keep no order: what the cores can give. */
#include <pthread.h>

#include "../bench.h"

enum { MOST_THREADS = 64, MOST_TAKEN = 8 };
const char *const engine_name = "split";
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void *engine_open(const bench_t *b) { return (void *)b; }
void engine_close(void *engine) { (void)engine; }

static void *work(void *context) {
  bench_t *b = context;
  int most = b->cost_ns > 0 && b->cost_ns < 5000 ? MOST_TAKEN : 1;
  for (;;) {
    block_t *taken[MOST_TAKEN];
    int count = 0;
    pthread_mutex_lock(&mutex);
    while (count < most && (taken[count] = bench_source(b))) count++;
    pthread_mutex_unlock(&mutex);
    if (!count) return NULL;
    for (int i = 0; i < count; i++) {
      for (int stage = 1; stage < b->stages - 1; stage++) bench_stage(b, stage, taken[i]);
    }
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < count; i++) bench_sink(b, taken[i]);
    pthread_mutex_unlock(&mutex);
  }
}

int engine_run(void *engine, bench_t *b) {
  (void)engine;
  pthread_t threads[MOST_THREADS];
  int count = b->workers < MOST_THREADS ? b->workers : MOST_THREADS;
  b->is_unordered = 1;
  for (int i = 1; i < count; i++) pthread_create(&threads[i], NULL, work, b);
  work(b);
  for (int i = 1; i < count; i++) pthread_join(threads[i], NULL);
  return 0;
}
