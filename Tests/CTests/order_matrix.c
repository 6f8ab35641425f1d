// SPDX-License-Identifier: MIT
/* Every sequence of stage kinds up to length 4, with limits 1, 2, 3, 16, with 0, 1, 2, 1000 blocks,
 * on 1, 2, 3, 8, 64 workers: each block visits each stage once, in-order stages see 0, 1, 2, ...,
 * no serial stage overlaps itself, delivery is 0, 1, 2, ... Once with stages of no length, which one
 * worker carries alone, and once with uneven ones, which all workers share. */
#include "stages.h"

enum { MOST_STAGES = 4, MOST_BLOCKS = 1000 };

typedef struct visited {
  uint32_t kind;
  uint64_t next;     /* in-order stages: the block they must see */
  uint64_t calls;    /* atomic */
  int32_t is_inside; /* atomic; serial stages */
  uint8_t visits[MOST_BLOCKS];
} visited;

static int is_uneven;

static int32_t visit(WITHIN(context)) {
  visited *stage = context;
  UNUSED;
  if (stage->kind != WP_PARALLEL) {
    CHECK_EQUAL(__atomic_exchange_n(&stage->is_inside, 1, __ATOMIC_RELAXED), 0);
  }
  if (stage->kind == WP_SERIAL) CHECK_EQUAL(block->number, stage->next++);
  CHECK(block->number < MOST_BLOCKS);
  CHECK_EQUAL(stage->visits[block->number]++, 0);
  __atomic_fetch_add(&stage->calls, 1, __ATOMIC_RELAXED);
  if (is_uneven) take_time(block->number, call->stage);
  if (stage->kind != WP_PARALLEL) __atomic_store_n(&stage->is_inside, 0, __ATOMIC_RELAXED);
  return WP_STAGE_OK;
}

static visited stages[MOST_STAGES + 1]; /* the last one is the sink */
static uint64_t runs, carried;

static void run(wp_pool *pool, int length, int sequence, uint32_t limit, uint64_t blocks) {
  counter counter = { blocks, 0 };
  wp_pipeline *pipeline = pipeline_on(pool, 0, limit);
  set_source(pipeline, count_up, &counter);
  memset(stages, 0, sizeof stages);
  for (int i = 0; i < length; i++, sequence /= 3) {
    stages[i].kind = (uint32_t)(sequence % 3);
    add_stage(pipeline, stages[i].kind, visit, &stages[i]);
  }
  stages[length].kind = WP_SERIAL;
  set_sink(pipeline, visit, &stages[length]);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  for (int i = 0; i <= length; i++) {
    CHECK_EQUAL(stages[i].calls, blocks);
    if (stages[i].kind == WP_SERIAL) CHECK_EQUAL(stages[i].next, blocks);
    for (uint64_t block = 0; block < blocks; block++) CHECK_EQUAL(stages[i].visits[block], 1);
  }
  CHECK_EQUAL(result_of(pipeline).blocks_delivered, blocks);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  runs++;
  carried += blocks;
}

static void on_workers(uint32_t workers) {
  static const uint32_t limits[] = { 1, 2, 3, 16 };
  static const uint64_t counts[] = { 0, 1, 2, MOST_BLOCKS };
  wp_pool *pool = pool_of(workers);
  for (int length = 1, sequences = 3; length <= MOST_STAGES; length++, sequences *= 3) {
    for (int sequence = 0; sequence < sequences && checks_failed < 20; sequence++) {
      for (int limit = 0; limit < 4; limit++) {
        for (int count = 0; count < 4; count++) {
          for (is_uneven = 0; is_uneven < 2; is_uneven++) {
            run(pool, length, sequence, limits[limit], counts[count]);
          }
        }
      }
    }
  }
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

static void one(void) { on_workers(1); }
static void two(void) { on_workers(2); }
static void three(void) { on_workers(3); }
static void eight(void) { on_workers(8); }
static void sixty_four(void) { on_workers(64); }

int main(void) {
  RUN("order matrix, 1 worker", one);
  RUN("order matrix, 2 workers", two);
  RUN("order matrix, 3 workers", three);
  RUN("order matrix, 8 workers", eight);
  RUN("order matrix, 64 workers", sixty_four);
  printf("     %" PRIu64 " runs, %" PRIu64 " blocks\n", runs, carried);
  return CHECK_SUMMARY();
}
