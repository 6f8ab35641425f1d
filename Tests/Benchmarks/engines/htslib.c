// SPDX-License-Identifier: MIT
/* htslib's ordered job queue: a queue for each run of P stages, a thread for each run of S stages. */
#include <htslib/thread_pool.h>
#include <pthread.h>

#include "../bench.h"

const char *const engine_name = "htslib";

typedef struct part {
  int first, end; /* its P stages */
  hts_tpool_process *queue;
  hts_tpool *pool;
  bench_t *bench;
} part;

static void *run_parallel(void *context) {
  block_t *block = context;
  part *part = block->own;
  for (int stage = part->first; stage < part->end; stage++) bench_stage(part->bench, stage, block);
  return block;
}

static void *run_serial(void *context) {
  part *part = context;
  bench_t *b = part->bench;
  for (uint64_t i = 0; i < b->blocks; i++) {
    hts_tpool_result *result = hts_tpool_next_result_wait(part->queue);
    block_t *block = hts_tpool_result_data(result);
    hts_tpool_delete_result(result, 0);
    int stage = part->end;
    while (stage < b->stages - 1 && b->shape[stage] == 'S') bench_stage(b, stage++, block);
    if (stage == b->stages - 1) {
      bench_sink(b, block);
    } else {
      block->own = part + 1;
      hts_tpool_dispatch(part->pool, part[1].queue, run_parallel, block);
    }
  }
  return NULL;
}

void *engine_open(const bench_t *b) { return hts_tpool_init(b->workers); }

int engine_run(void *pool, bench_t *b) {
  part parts[BENCH_MOST_STAGES];
  pthread_t threads[BENCH_MOST_STAGES];
  int count = 0;
  for (int stage = 1; stage < b->stages - 1; stage++) {
    if (b->shape[stage] == 'S') continue;
    part *part = &parts[count++];
    part->first = stage;
    while (b->shape[stage] == 'P') stage++;
    part->end = stage--;
    part->queue = hts_tpool_process_init(pool, b->limit, 0);
    part->pool = pool;
    part->bench = b;
  }
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, run_serial, &parts[i]);
  for (block_t *block; (block = bench_source(b));) {
    block->own = &parts[0];
    hts_tpool_dispatch(pool, parts[0].queue, run_parallel, block);
  }
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < count; i++) hts_tpool_process_destroy(parts[i].queue);
  return 0;
}

void engine_close(void *pool) { hts_tpool_destroy(pool); }
