// SPDX-License-Identifier: MIT
/* One thread and no engine: what the work itself costs. */
#include "../bench.h"

const char *const engine_name = "inline";

void *engine_open(const bench_t *b) { return (void *)b; }
void engine_close(void *engine) { (void)engine; }

int engine_run(void *engine, bench_t *b) {
  (void)engine;
  for (block_t *block; (block = bench_source(b));) {
    for (int stage = 1; stage < b->stages - 1; stage++) bench_stage(b, stage, block);
    bench_sink(b, block);
  }
  return 0;
}
