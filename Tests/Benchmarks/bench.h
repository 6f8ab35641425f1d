// SPDX-License-Identifier: MIT
/* What an engine under test implements, and what the kit (kit.c) gives it.
 *
 * An engine moves blocks through stages described by `shape`, a string of S (one block at a time,
 * in stream order) and P (any blocks at once) such as "SPS". Stage 0 is the source, the last one
 * the sink; both are S. The kit owns main(), the clock, the work in the stages and all checks. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_MOST_STAGES 16

typedef struct block {
  uint64_t number;   /* position in the stream, from 0 */
  void *own;         /* the engine's */
  uint8_t *in, *out; /* workload "real" */
  uint32_t in_size, out_size;
  int32_t is_busy; /* between source and sink */
  char padding[20];
} block_t;

typedef struct bench {
  char shape[BENCH_MOST_STAGES + 1];
  int stages;
  uint64_t blocks;       /* how many the source makes */
  int workers;           /* most threads that run P stages at once */
  int limit;             /* most blocks between source and sink */
  double cost_ns;        /* mean work of a P stage */
  uint64_t simulated_ns; /* set by an engine that only computes a time */
  int is_unordered;      /* set by an engine that keeps no order */
  struct kit *kit;
} bench_t;

/* Stage 0, on one thread at a time; NULL when all blocks were made. */
block_t *bench_source(bench_t *);
/* Stages 1 ... stages - 2. */
void bench_stage(bench_t *, int stage, block_t *);
/* The last stage, on one thread at a time, in order; the block is free afterwards. */
void bench_sink(bench_t *, block_t *);
/* What the P stages of a block cost, ns. */
double bench_cost(const bench_t *, uint64_t number);

extern const char *const engine_name;
void *engine_open(const bench_t *);             /* makes the threads; not timed */
int engine_run(void *engine, bench_t *bench);   /* one run; timed; 0 is well */
void engine_close(void *engine);

#ifdef __cplusplus
}
#endif
#endif
