// SPDX-License-Identifier: MIT
// oneTBB's parallel_pipeline in an arena of W threads, of which the caller is one.
#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include "../bench.h"

extern "C" const char *const engine_name = "tbb";

struct engine {
  tbb::global_control control;
  tbb::task_arena arena;
  explicit engine(int workers)
      : control(tbb::global_control::max_allowed_parallelism, (size_t)workers), arena(workers) {}
};

extern "C" void *engine_open(const bench_t *b) { return new engine(b->workers); }
extern "C" void engine_close(void *context) { delete static_cast<engine *>(context); }

extern "C" int engine_run(void *context, bench_t *b) {
  auto in_order = tbb::filter_mode::serial_in_order;
  auto stages = tbb::make_filter<void, block_t *>(in_order, [b](tbb::flow_control &control) {
    block_t *block = bench_source(b);
    if (!block) control.stop();
    return block;
  });
  for (int stage = 1; stage < b->stages - 1; stage++) {
    auto mode = b->shape[stage] == 'P' ? tbb::filter_mode::parallel : in_order;
    stages = stages & tbb::make_filter<block_t *, block_t *>(mode, [b, stage](block_t *block) {
      bench_stage(b, stage, block);
      return block;
    });
  }
  auto all = stages & tbb::make_filter<block_t *, void>(in_order, [b](block_t *block) {
    bench_sink(b, block);
  });
  static_cast<engine *>(context)->arena.execute(
      [&] { tbb::parallel_pipeline((size_t)b->limit, all); });
  return 0;
}
