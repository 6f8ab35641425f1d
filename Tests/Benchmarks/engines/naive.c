// SPDX-License-Identifier: MIT
/* What one writes first: one mutex, condition variables, a queue of tasks for the workers, a thread
 * for each run of S stages, blocks put back in order in a ring. */
#include <pthread.h>
#include <stdlib.h>

#include "../bench.h"

const char *const engine_name = "naive";
enum { MOST_THREADS = 64 };

typedef struct part {
  int first, end; /* its P stages */
  block_t **ready;
  uint64_t next;
  pthread_cond_t is_next_ready;
  struct engine *engine;
  bench_t *bench;
} part;

typedef struct engine {
  pthread_mutex_t mutex;
  pthread_cond_t has_work, has_place;
  struct {
    block_t *block;
    part *part;
  } *queue;
  unsigned head, tail, mask;
  int is_closed, in_flight, limit, workers;
  pthread_t threads[MOST_THREADS];
} engine;

static void push(engine *e, block_t *block, part *part) {
  e->queue[e->tail & e->mask].block = block;
  e->queue[e->tail++ & e->mask].part = part;
  pthread_cond_signal(&e->has_work);
}

static void *run_parallel(void *context) {
  engine *e = context;
  pthread_mutex_lock(&e->mutex);
  for (;;) {
    while (e->head == e->tail && !e->is_closed) pthread_cond_wait(&e->has_work, &e->mutex);
    if (e->head == e->tail) break;
    block_t *block = e->queue[e->head & e->mask].block;
    part *part = e->queue[e->head++ & e->mask].part;
    pthread_mutex_unlock(&e->mutex);
    for (int stage = part->first; stage < part->end; stage++) {
      bench_stage(part->bench, stage, block);
    }
    pthread_mutex_lock(&e->mutex);
    part->ready[block->number & e->mask] = block;
    if (block->number == part->next) pthread_cond_signal(&part->is_next_ready);
  }
  pthread_mutex_unlock(&e->mutex);
  return NULL;
}

static void *run_serial(void *context) {
  part *part = context;
  engine *e = part->engine;
  bench_t *b = part->bench;
  for (uint64_t i = 0; i < b->blocks; i++) {
    pthread_mutex_lock(&e->mutex);
    block_t **slot = &part->ready[i & e->mask];
    while (!*slot) pthread_cond_wait(&part->is_next_ready, &e->mutex);
    block_t *block = *slot;
    *slot = NULL;
    part->next = i + 1;
    pthread_mutex_unlock(&e->mutex);
    int stage = part->end;
    while (stage < b->stages - 1 && b->shape[stage] == 'S') bench_stage(b, stage++, block);
    if (stage == b->stages - 1) bench_sink(b, block);
    pthread_mutex_lock(&e->mutex);
    if (stage < b->stages - 1) push(e, block, part + 1);
    else if (e->in_flight-- == e->limit) pthread_cond_signal(&e->has_place);
    pthread_mutex_unlock(&e->mutex);
  }
  return NULL;
}

void *engine_open(const bench_t *b) {
  engine *e = calloc(1, sizeof *e);
  unsigned size = 1;
  while ((int)size < b->limit + 1) size <<= 1;
  pthread_mutex_init(&e->mutex, NULL);
  pthread_cond_init(&e->has_work, NULL);
  pthread_cond_init(&e->has_place, NULL);
  e->queue = calloc(size, sizeof *e->queue);
  e->mask = size - 1;
  e->limit = b->limit;
  e->workers = b->workers < MOST_THREADS ? b->workers : MOST_THREADS;
  for (int i = 0; i < e->workers; i++) pthread_create(&e->threads[i], NULL, run_parallel, e);
  return e;
}

int engine_run(void *context, bench_t *b) {
  engine *e = context;
  part parts[BENCH_MOST_STAGES];
  pthread_t threads[BENCH_MOST_STAGES];
  int count = 0;
  for (int stage = 1; stage < b->stages - 1; stage++) {
    if (b->shape[stage] == 'S') continue;
    part *part = &parts[count++];
    part->first = stage;
    while (b->shape[stage] == 'P') stage++;
    part->end = stage--;
    part->ready = calloc(e->mask + 1, sizeof *part->ready);
    part->next = 0;
    part->engine = e;
    part->bench = b;
    pthread_cond_init(&part->is_next_ready, NULL);
  }
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, run_serial, &parts[i]);
  for (;;) {
    pthread_mutex_lock(&e->mutex);
    while (e->in_flight >= e->limit) pthread_cond_wait(&e->has_place, &e->mutex);
    e->in_flight++;
    pthread_mutex_unlock(&e->mutex);
    block_t *block = bench_source(b);
    if (!block) break;
    pthread_mutex_lock(&e->mutex);
    push(e, block, &parts[0]);
    pthread_mutex_unlock(&e->mutex);
  }
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < count; i++) free(parts[i].ready);
  e->in_flight = 0;
  return 0;
}

void engine_close(void *context) {
  engine *e = context;
  pthread_mutex_lock(&e->mutex);
  e->is_closed = 1;
  pthread_cond_broadcast(&e->has_work);
  pthread_mutex_unlock(&e->mutex);
  for (int i = 0; i < e->workers; i++) pthread_join(e->threads[i], NULL);
  free(e->queue);
  free(e);
}
