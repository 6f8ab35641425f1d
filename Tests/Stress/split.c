// SPDX-License-Identifier: MIT
/* Cases with splitters: each block becomes none to three, one splitter may follow another, and some
 * blocks come from the end of the input. Every eighth seed is such a case. */
#include "stress.h"

enum { MOST_INPUTS = 60, MOST_OUTPUTS = 1200, MOST_SPLITTERS = 2, MOST_NUMBERS = 12 };
typedef enum { NO_EVENT, CANCELS, STOPS, FAILS, DESTROYED, EVENTS } split_event;

typedef struct split split;
typedef struct station {
  split *split;
  uint32_t stage, splitter; /* splitter: 1 or 2, 0: none */
  uint64_t next, out;       /* plain: what serial callbacks see and make */
  uint32_t made;            /* of the input at hand */
} station;

struct split {
  run *run;
  uint64_t seed;
  uint32_t inputs, limit, stages, event, at;
  station stations[MOST_NUMBERS];
  uint32_t kinds[MOST_NUMBERS];
  uint32_t last_splitter; /* stage */
  /* What must arrive: the input each output comes from; UINT64_MAX: the end. */
  uint32_t outputs;
  uint64_t from[MOST_OUTPUTS];
  int64_t live; /* behind the last splitter; atomic */
  uint64_t delivered;
};

/* How many blocks a splitter makes of block `number`; UINT64_MAX: at the end. */
static uint32_t pieces(const split *split, uint32_t splitter, uint64_t number) {
  return (uint32_t)(mix(split->seed + splitter * 1000003 + number * 7) % (number == UINT64_MAX ? 3 : 4));
}

static void work_out(split *split) {
  static __thread uint64_t next[MOST_OUTPUTS];
  split->outputs = split->inputs;
  for (uint32_t i = 0; i < split->inputs; i++) split->from[i] = i;
  for (uint32_t s = 1; s <= split->stages; s++) {
    uint32_t splitter = split->stations[s].splitter, count = 0;
    if (!splitter) continue;
    for (uint32_t i = 0; i <= split->outputs; i++) {
      int is_end = i == split->outputs;
      uint32_t made = pieces(split, splitter, is_end ? UINT64_MAX : i);
      for (uint32_t j = 0; j < made && count < MOST_OUTPUTS; j++) {
        next[count++] = is_end ? UINT64_MAX : split->from[i];
      }
    }
    split->outputs = count;
    memcpy(split->from, next, count * sizeof *next);
  }
}

static int32_t pull_input(void *context, wp_block *block, void *scratch, const wp_call *call) {
  station *own = context;
  (void)scratch, (void)call;
  note_progress(own->split->run);
  REQUIRE_EQUAL(own->split->run, block->number, own->next++);
  if (block->number >= own->split->inputs) return WP_SOURCE_END;
  block->meta[0] = block->number;
  return WP_STAGE_OK;
}

static int32_t event_of(split *split, uint32_t stage, uint64_t number) {
  if (number != split->at) return WP_STAGE_OK;
  if (split->event == CANCELS && stage == split->stages + 1) {
    STORE(split->run->was_disturbed, 1);
    REQUIRE_EQUAL(split->run, wp_pipeline_cancel(split->run->pipeline), WP_OK);
  }
  if (split->event == STOPS && stage == split->stages + 1) return WP_STAGE_STOP;
  if (split->event == FAILS && stage == split->stages + 1) return -2000;
  return WP_STAGE_OK;
}

static int32_t go_on(void *context, wp_block *block, void *scratch, const wp_call *call) {
  station *own = context;
  (void)scratch;
  note_progress(own->split->run);
  REQUIRE_EQUAL(own->split->run, call->stage, own->stage);
  REQUIRE(own->split->run, call->input == NULL);
  if (own->split->kinds[own->stage] == WP_SERIAL) {
    REQUIRE_EQUAL(own->split->run, block->number, own->next++);
  }
  for (uint64_t i = mix(own->split->seed + block->number) % 500; i > 0; i--) __asm__ volatile("");
  return event_of(own->split, own->stage, block->number);
}

static int32_t cut_up(void *context, wp_block *block, void *scratch, const wp_call *call) {
  station *own = context;
  split *split = own->split;
  run *run = split->run;
  const wp_block *input = call->input;
  (void)scratch;
  note_progress(run);
  REQUIRE_EQUAL(run, block->size, 0);
  uint64_t number = input ? input->number : UINT64_MAX;
  if (input) REQUIRE_EQUAL(run, number, own->next);
  uint32_t count = pieces(split, own->splitter, number);
  if (count == 0) {
    if (input) own->next++;
    return WP_STAGE_DROP;
  }
  REQUIRE_EQUAL(run, block->number, own->out++);
  block->meta[0] = input ? input->meta[0] : UINT64_MAX;
  if (input) REQUIRE(run, input->meta[0] == UINT64_MAX || input->source_number == input->meta[0]);
  if (own->stage == split->last_splitter) {
    /* Blocks that are cut off leave without being counted. */
    REQUIRE(run, ADD(split->live, 1) <= split->limit || split->event != NO_EVENT);
  }
  if (++own->made < count) return WP_STAGE_MORE;
  own->made = 0;
  if (input) own->next++;
  return WP_STAGE_OK;
}

static int32_t arrive(void *context, wp_block *block, void *scratch, const wp_call *call) {
  station *own = context;
  split *split = own->split;
  (void)scratch, (void)call;
  note_progress(split->run);
  REQUIRE_EQUAL(split->run, block->number, split->delivered);
  if (split->delivered < split->outputs) {
    uint64_t from = split->from[split->delivered];
    REQUIRE_EQUAL(split->run, block->meta[0], from);
    if (from != UINT64_MAX) REQUIRE_EQUAL(split->run, block->source_number, from);
  }
  REQUIRE(split->run, split->delivered < split->outputs);
  ADD(split->live, -1);
  int32_t answer = event_of(split, own->stage, block->number);
  if (answer >= 0) split->delivered++;
  return answer;
}

static void build(split *split, wp_pool *pool, int is_pushed) {
  run *run = split->run;
  wp_pipeline_options options = WP_PIPELINE_OPTIONS_INIT;
  options.max_blocks_in_flight = split->limit;
  REQUIRE_EQUAL(run, wp_pipeline_create(pool, &options, &run->pipeline), WP_OK);
  for (uint32_t s = 0; s <= split->stages + 1; s++) {
    wp_stage_options stage = WP_STAGE_OPTIONS_INIT;
    stage.context = &split->stations[s];
    stage.kind = split->kinds[s];
    if (s == 0) {
      stage.fn = pull_input;
      if (!is_pushed) REQUIRE_EQUAL(run, wp_pipeline_set_source(run->pipeline, &stage), WP_OK);
    } else if (s <= split->stages) {
      stage.fn = split->stations[s].splitter ? cut_up : go_on;
      REQUIRE_EQUAL(run, wp_pipeline_add_stage(run->pipeline, &stage), s);
    } else {
      stage.fn = arrive;
      REQUIRE_EQUAL(run, wp_pipeline_set_sink(run->pipeline, &stage), WP_OK);
    }
  }
}

static void submit_all(split *split) {
  run *run = split->run;
  for (uint64_t n = 0; n < split->inputs; n++) {
    wp_payload payload = { .meta = { n, 0, 0, 0 } };
    int32_t status = wp_pipeline_submit(run->pipeline, &payload, -1);
    note_progress(run);
    if (status == WP_OK) continue;
    REQUIRE(run, split->event != NO_EVENT);
    break;
  }
  if (split->event != DESTROYED) REQUIRE_EQUAL(run, wp_pipeline_close(run->pipeline), WP_OK);
}

static void check_end(split *split, int32_t status) {
  run *run = split->run;
  wp_result result = { .struct_size = sizeof result };
  REQUIRE_EQUAL(run, wp_pipeline_result(run->pipeline, &result), WP_OK);
  REQUIRE_EQUAL(run, result.status, status);
  REQUIRE_EQUAL(run, result.blocks_delivered, split->delivered);
  int happens = split->at < split->outputs;
  if (split->event == CANCELS && happens) {
    REQUIRE_EQUAL(run, status, WP_CANCELLED);
    REQUIRE_EQUAL(run, split->delivered, split->at + 1);
  } else if ((split->event == STOPS || split->event == FAILS) && happens) {
    int fails = split->event == FAILS;
    REQUIRE_EQUAL(run, status, fails ? WP_STAGE_FAILED : WP_STOPPED);
    REQUIRE_EQUAL(run, split->delivered, split->at + !fails);
    REQUIRE_EQUAL(run, result.number, split->at);
    REQUIRE_EQUAL(run, result.stage, split->stages + 1);
    uint64_t from = split->from[split->at];
    if (from != UINT64_MAX) REQUIRE_EQUAL(run, result.source_number, from);
  } else {
    REQUIRE_EQUAL(run, status, WP_OK);
    REQUIRE_EQUAL(run, split->delivered, split->outputs);
  }
}

int is_split_case(uint64_t seed) { return mix(seed ^ 0x5b117) % 8 == 0; }

void run_split_case(run *run, wp_pool *pool) {
  uint64_t r = mix(run->plan->seed);
  split *split = calloc(1, sizeof *split);
  if (!split) exit(2);
  split->run = run;
  split->seed = r;
  split->limit = 1 + pick(&r, pick(&r, 2) ? 3 : 30);
  split->inputs = pick(&r, MOST_INPUTS);
  uint32_t splitters = 1 + !pick(&r, 3);
  for (uint32_t i = 1; i <= splitters; i++) {
    for (uint32_t n = pick(&r, 3); n > 0; n--) split->kinds[++split->stages] = pick(&r, 3);
    split->kinds[++split->stages] = WP_SPLITTER;
    split->stations[split->stages].splitter = i;
    split->last_splitter = split->stages;
  }
  for (uint32_t n = pick(&r, 3); n > 0; n--) split->kinds[++split->stages] = pick(&r, 3);
  for (uint32_t s = 0; s < MOST_NUMBERS; s++) split->stations[s].split = split, split->stations[s].stage = s;
  work_out(split);
  split->event = pick(&r, 2) ? NO_EVENT : pick(&r, EVENTS);
  split->at = pick(&r, split->outputs + 2);
  int is_pushed = (int)pick(&r, 2);
  build(split, pool, is_pushed);
  for (uint32_t runs = 1 + !pick(&r, 5); runs > 0; runs--) {
    for (uint32_t s = 0; s < MOST_NUMBERS; s++) {
      split->stations[s].next = split->stations[s].out = split->stations[s].made = 0;
    }
    split->delivered = 0;
    STORE(split->live, 0);
    REQUIRE_EQUAL(run, wp_pipeline_start(run->pipeline), WP_OK);
    if (is_pushed) submit_all(split);
    if (split->event == DESTROYED) break;
    check_end(split, wp_pipeline_wait(run->pipeline, -1));
  }
  watch_current(&lanes[run->lane], NULL);
  REQUIRE_EQUAL(run, wp_pipeline_destroy(run->pipeline), WP_OK);
  if (run->faults) {
    fprintf(stderr, "  a case with splitters: %u inputs, %u outputs, limit %u, event %u at %u, %s, kinds",
            split->inputs, split->outputs, split->limit, split->event, split->at,
            is_pushed ? "submitted" : "source");
    for (uint32_t s = 1; s <= split->stages; s++) fprintf(stderr, " %u", split->kinds[s]);
    fprintf(stderr, "\n");
  }
  free(split);
}
