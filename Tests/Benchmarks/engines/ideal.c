// SPDX-License-Identifier: MIT
/* Computed, not run: an engine without cost on W perfect cores, at most L blocks between source and
 * ordered sink, each block begun as soon as a core and a place are free. */
#include <stdlib.h>

#include "../bench.h"

const char *const engine_name = "ideal";

void *engine_open(const bench_t *b) { return (void *)b; }
void engine_close(void *engine) { (void)engine; }

int engine_run(void *engine, bench_t *b) {
  (void)engine;
  double *is_free = calloc((size_t)b->workers, sizeof *is_free);
  double *left = calloc((size_t)b->limit, sizeof *left); /* when block i - L left */
  double last = 0;
  for (uint64_t i = 0; i < b->blocks; i++) {
    double *place = &left[i % (uint64_t)b->limit];
    int core = 0;
    for (int k = 1; k < b->workers; k++) {
      if (is_free[k] < is_free[core]) core = k;
    }
    double start = is_free[core] > *place ? is_free[core] : *place;
    is_free[core] = start + bench_cost(b, i);
    if (is_free[core] > last) last = is_free[core];
    *place = last;
  }
  b->simulated_ns = (uint64_t)last + 1;
  free(is_free);
  free(left);
  return 0;
}
