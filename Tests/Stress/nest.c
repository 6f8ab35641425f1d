// SPDX-License-Identifier: MIT
/* Cases of several pipelines on one pool, which are nodes of a graph: callbacks of one wait for the next,
 * submit to it, flush it, and run pipelines of their own. Without cycles nothing may be refused; a cycle of
 * waits must be. */
#include "stress.h"

enum { MOST_NODES = 4, MOST_BLOCKS_EACH = 40, DEEPEST = 3 };
typedef enum deed { NOTHING, RUNS, WAITS, FEEDS, FLUSHES, DEEDS } deed;

typedef struct node {
  nest *nest;
  uint32_t index, target, limit, blocks, kind;
  wp_pipeline *pipeline;
  int64_t accepted, inside;           /* atomic */
  int64_t delivered, next;            /* in the sink */
  int is_whole;                       /* it was not cancelled */
  pthread_t thread;
} node;

struct nest {
  run *run;
  wp_pool *pool;
  uint64_t seed;
  uint32_t nodes;
  int has_cycles, is_cancelled;
  int64_t refused;                    /* atomic */
  node node[MOST_NODES];
};

/* The last node of a graph without cycles has no target: its own index. */
static deed deed_of(const nest *nest, const node *node, uint64_t id) {
  uint64_t r = mix(nest->seed ^ id << 8 ^ node->index);
  if (r % 3) return NOTHING;
  deed deed = (enum deed)((r >> 8) % DEEDS);
  return deed >= WAITS && !nest->has_cycles && node->target == node->index ? NOTHING : deed;
}

/* ----- a pipeline of a callback's own ----- */

typedef struct inner {
  nest *nest;
  uint64_t seed;
  uint32_t depth, blocks, delivered, fails_at;
} inner;

static void run_inner(nest *nest, uint64_t seed, uint32_t depth);

static int32_t count(void *context, wp_block *block, void *scratch, const wp_call *call) {
  inner *inner = context;
  (void)scratch, (void)call;
  note_progress(inner->nest->run);
  return block->number < inner->blocks ? WP_STAGE_OK : WP_SOURCE_END;
}

static int32_t go_deeper(void *context, wp_block *block, void *scratch, const wp_call *call) {
  inner *inner = context;
  (void)scratch, (void)call;
  note_progress(inner->nest->run);
  uint64_t r = mix(inner->seed + block->number);
  if (inner->depth < DEEPEST && r % 8 == 0) run_inner(inner->nest, r, inner->depth + 1);
  return block->number == inner->fails_at ? -2000 : WP_STAGE_OK;
}

static int32_t take(void *context, wp_block *block, void *scratch, const wp_call *call) {
  inner *inner = context;
  (void)scratch, (void)call;
  note_progress(inner->nest->run);
  REQUIRE_EQUAL(inner->nest->run, block->number, inner->delivered);
  inner->delivered++;
  return WP_STAGE_OK;
}

static void run_inner(nest *nest, uint64_t seed, uint32_t depth) {
  run *run = nest->run;
  uint64_t r = mix(seed);
  inner inner = { nest, seed, depth, pick(&r, 8), 0, pick(&r, 4) ? NEVER : pick(&r, 8) };
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
  wp_pipeline *pipeline = NULL;
  options.max_blocks_in_flight = 1 + pick(&r, 5);
  options.timeline_events = pick(&r, 4) ? 0 : 1 + pick(&r, 5);
  REQUIRE_EQUAL(run, wp_pipeline_create(nest->pool, &options, &pipeline), WP_OK);
  stage.context = &inner;
  stage.fn = count;
  REQUIRE_EQUAL(run, wp_pipeline_set_source(pipeline, &stage), WP_OK);
  stage.fn = go_deeper;
  stage.kind = pick(&r, 3);
  REQUIRE_EQUAL(run, wp_pipeline_add_stage(pipeline, &stage), 1);
  stage.fn = take;
  REQUIRE_EQUAL(run, wp_pipeline_set_sink(pipeline, &stage), WP_OK);
  int32_t status = wp_pipeline_run(pipeline);
  int fails = inner.fails_at < inner.blocks;
  REQUIRE_EQUAL(run, status, fails ? WP_STAGE_FAILED : WP_OK);
  REQUIRE_EQUAL(run, inner.delivered, fails ? inner.fails_at : inner.blocks);
  REQUIRE_EQUAL(run, wp_pipeline_destroy(pipeline), WP_OK);
}

/* ----- nodes ----- */

static void check_answer(node *node, int32_t status, int waits_shortly) {
  nest *nest = node->nest;
  switch (status) {
  case WP_OK: break;
  case WP_WOULD_DEADLOCK:
    REQUIRE(nest->run, nest->has_cycles);
    ADD(nest->refused, 1);
    break;
  case WP_CANCELLED: REQUIRE(nest->run, nest->is_cancelled); break;
  case WP_CLOSED: break; /* of a submit: the target had all its blocks */
  case WP_WOULD_BLOCK:
  case WP_TIMED_OUT: REQUIRE(nest->run, waits_shortly); break;
  default: fault(nest->run, __FILE__, __LINE__, "a call in a callback says %s", wp_status_name(status));
  }
}

static int32_t act(void *context, wp_block *block, void *scratch, const wp_call *call) {
  node *node = context;
  nest *nest = node->nest;
  struct node *target = &nest->node[node->target];
  (void)scratch;
  note_progress(nest->run);
  int64_t inside = ADD(node->inside, 1);
  if (node->kind != WP_PARALLEL) REQUIRE_EQUAL(nest->run, inside, 1);
  REQUIRE(nest->run, inside <= node->limit);
  REQUIRE_EQUAL(nest->run, wp_worker_index(), call->worker);
  uint64_t r = mix(nest->seed + block->meta[0] * 64 + node->index);
  int64_t timeout = r % 4 ? -1 : r % 8 ? 0 : (int64_t)(r >> 8) % 300000;
  wp_payload payload = { .meta = { UINT64_MAX } };
  int32_t status;
  switch (block->meta[0] == UINT64_MAX ? NOTHING : deed_of(nest, node, block->meta[0])) {
  case RUNS: run_inner(nest, r, 1); break;
  case WAITS: check_answer(node, wp_pipeline_wait(target->pipeline, -1), 0); break;
  case FEEDS:
    status = wp_pipeline_submit(target->pipeline, &payload, timeout);
    check_answer(node, status, timeout >= 0);
    if (status == WP_OK) ADD(target->accepted, 1);
    break;
  case FLUSHES: check_answer(node, wp_pipeline_flush(target->pipeline, timeout), timeout >= 0); break;
  default: break;
  }
  REQUIRE_EQUAL(nest->run, wp_worker_index(), call->worker);
  ADD(node->inside, -1);
  note_progress(nest->run);
  return WP_STAGE_OK;
}

static int32_t arrive(void *context, wp_block *block, void *scratch, const wp_call *call) {
  node *node = context;
  (void)scratch, (void)call;
  note_progress(node->nest->run);
  REQUIRE_EQUAL(node->nest->run, block->number, node->next++);
  node->delivered++;
  return WP_STAGE_OK;
}

static void *feed(void *argument) {
  node *node = argument;
  nest *nest = node->nest;
  for (uint64_t id = 0; id < node->blocks; id++) {
    wp_payload payload = { .meta = { id } };
    int32_t status = wp_pipeline_submit(node->pipeline, &payload, -1);
    if (status != WP_OK) {
      REQUIRE_EQUAL(nest->run, status, WP_CANCELLED);
      REQUIRE(nest->run, nest->is_cancelled);
      break;
    }
    ADD(node->accepted, 1);
    note_progress(nest->run);
    if (nest->is_cancelled && node->index == 0 && id == node->blocks / 2) {
      REQUIRE_EQUAL(nest->run, wp_pipeline_cancel(node->pipeline), WP_OK);
    }
  }
  REQUIRE_EQUAL(nest->run, wp_pipeline_close(node->pipeline), WP_OK);
  return NULL;
}

static void build(node *node) {
  run *run = node->nest->run;
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
  options.max_blocks_in_flight = node->limit;
  REQUIRE_EQUAL(run, wp_pipeline_create(node->nest->pool, &options, &node->pipeline), WP_OK);
  stage.kind = node->kind;
  stage.fn = act;
  stage.context = node;
  REQUIRE_EQUAL(run, wp_pipeline_add_stage(node->pipeline, &stage), 1);
  stage.fn = arrive;
  REQUIRE_EQUAL(run, wp_pipeline_set_sink(node->pipeline, &stage), WP_OK);
}

/* Whether the targets make a cycle in which each node has a block that waits for the next. */
static int must_refuse(const nest *nest) {
  for (uint32_t first = 0; first < nest->nodes; first++) {
    uint32_t at = first, steps = 0;
    do {
      const node *node = &nest->node[at];
      int waits = 0;
      for (uint64_t id = 0; id < node->blocks; id++) waits |= deed_of(nest, node, id) == WAITS;
      if (!waits) break;
      at = node->target;
    } while (at != first && ++steps < nest->nodes);
    if (at == first && steps < nest->nodes) {
      const node *node = &nest->node[first];
      for (uint64_t id = 0; id < node->blocks; id++) {
        if (deed_of(nest, node, id) == WAITS) return 1;
      }
    }
  }
  return 0;
}

void nest_print(const nest *nest, FILE *file) {
  static const char *deeds[] = { "", "runs", "waits", "feeds", "flushes" };
  fprintf(file, "  %u pipelines%s%s, %" PRId64 " refused\n", nest->nodes, nest->has_cycles ? ", cycles" : "",
          nest->is_cancelled ? ", the first cancelled" : "", nest->refused);
  for (uint32_t i = 0; i < nest->nodes; i++) {
    const node *node = &nest->node[i];
    fprintf(file, "  %u -> %u: kind %u, limit %u, blocks %u, accepted %" PRId64 ", delivered %" PRId64 ":", i,
            node->target, node->kind, node->limit, node->blocks, node->accepted, node->delivered);
    for (uint64_t id = 0; id < node->blocks; id++) {
      deed deed = deed_of(nest, node, id);
      if (deed) fprintf(file, " %" PRIu64 " %s", id, deeds[deed]);
    }
    fprintf(file, "\n");
  }
}

int is_nest_case(uint64_t seed) { return mix(seed ^ 0x4e577) % 8 == 0; }

void run_nest_case(run *run, wp_pool *pool) {
  nest *nest = calloc(1, sizeof *nest);
  if (!nest) exit(2);
  uint64_t r = mix(run->plan->seed ^ 0x4e577);
  nest->run = run;
  run->nest = nest;
  nest->pool = pool;
  nest->seed = r;
  nest->nodes = 1 + pick(&r, MOST_NODES);
  nest->has_cycles = (int)pick(&r, 2);
  nest->is_cancelled = !pick(&r, 5);
  for (uint32_t i = 0; i < nest->nodes; i++) {
    uint32_t behind = nest->nodes - 1 - i;
    node *node = &nest->node[i];
    node->nest = nest;
    node->index = i;
    node->target = nest->has_cycles ? pick(&r, nest->nodes) : behind ? i + 1 + pick(&r, behind) : i;
    node->limit = 1 + pick(&r, pick(&r, 2) ? 2 : 12);
    node->blocks = pick(&r, MOST_BLOCKS_EACH);
    node->kind = pick(&r, 3);
    build(node);
  }
  for (uint32_t i = 0; i < nest->nodes; i++) {
    REQUIRE_EQUAL(run, wp_pipeline_start(nest->node[i].pipeline), WP_OK);
  }
  for (uint32_t i = 0; i < nest->nodes; i++) nest->node[i].thread = spawn(feed, &nest->node[i]);
  for (uint32_t i = 0; i < nest->nodes; i++) {
    node *node = &nest->node[i];
    int32_t status = wp_pipeline_wait(node->pipeline, -1);
    pthread_join(node->thread, NULL);
    node->is_whole = status == WP_OK;
    REQUIRE_EQUAL(run, status, node->is_whole ? WP_OK : WP_CANCELLED);
    REQUIRE(run, node->is_whole || nest->is_cancelled);
  }
  /* Now that no callback is under way any more. */
  for (uint32_t i = 0; i < nest->nodes; i++) {
    const node *node = &nest->node[i];
    if (node->is_whole) REQUIRE_EQUAL(run, node->delivered, node->accepted);
  }
  if (!nest->is_cancelled && must_refuse(nest)) REQUIRE(run, nest->refused > 0);
  watch_current(&lanes[run->lane], NULL);
  for (uint32_t i = 0; i < nest->nodes; i++) {
    REQUIRE_EQUAL(run, wp_pipeline_destroy(nest->node[i].pipeline), WP_OK);
  }
  run->nest = NULL;
  if (run->faults) nest_print(nest, stderr);
  free(nest);
}
