// SPDX-License-Identifier: MIT
/* A serial stage that gets several blocks in one call: Gathering.swift. A step is one atomic operation,
 * or what the holder of the stage does by itself.
 *
 * What is explored: workers that pull blocks into their own queue, carry them to the stage in any order,
 * steal from each other, carry a batch on to the next such stage one block after the other, or publish
 * it. Every block must be taken once at each stage, in order and without a gap, and when nobody can go on, all
 * have been. */
#include "explore.h"

enum { MOST = 3, BLOCKS = 6, STAGES = 2 };
enum { TAKE, ARRIVE, TRY, COLLECT, GIVE_BACK, LOOK, ON, GONE };

typedef struct thread {
  uint8_t pc, stage, block; /* what it carries to which stage */
  uint8_t first, end;       /* own queue: first ... end - 1 */
  uint8_t batch, batch_end; /* of the stage before: still to be carried on by this worker */
  uint8_t got, got_end;     /* what it has just collected */
  uint8_t outer;            /* the chain: carried on from stage 0 */
} thread;

static struct state {
  uint8_t cell[STAGES][BLOCKS];  /* 1: the block has arrived */
  uint8_t next[STAGES], taken[STAGES];
  uint8_t holder[STAGES];        /* thread + 1 */
  uint8_t ready[STAGES][BLOCKS]; /* published, before that stage */
  uint8_t pulled;
  thread t[MOST];
} s;

static int workers, blocks, pull, capacity, compact;
static const char *bug = "";
static int has_bug(const char *name) { return !strcmp(bug, name); }

static void carry(thread *t, int block, int stage) {
  t->pc = ARRIVE, t->block = (uint8_t)block, t->stage = (uint8_t)stage;
}

static int take(int self) {
  thread *t = &s.t[self];
  if (t->batch < t->batch_end) { /* goes on with its batch before anything else */
    action = "goes on";
    carry(t, t->batch++, 1);
    return 1;
  }
  /* One of: something published, the own queue, the source, another one's queue. */
  int ways[STAGES * BLOCKS + 2 + MOST], count = 0;
  for (int stage = 0; stage < STAGES; stage++) {
    for (int block = 0; block < blocks; block++) {
      if (s.ready[stage][block]) ways[count++] = 100 + stage * BLOCKS + block;
    }
  }
  if (t->first < t->end) ways[count++] = 1;
  else if (s.pulled < blocks) ways[count++] = 2;
  for (int other = 0; other < workers; other++) {
    if (other != self && s.t[other].first < s.t[other].end && !compact) ways[count++] = 10 + other;
  }
  if (!count) return 0;
  int way = ways[choose(count)];
  if (way >= 100) {
    action = "takes what is ready";
    s.ready[(way - 100) / BLOCKS][(way - 100) % BLOCKS] = 0;
    carry(t, (way - 100) % BLOCKS, (way - 100) / BLOCKS);
  } else if (way == 1) {
    action = "takes its next";
    carry(t, t->first++, 0);
  } else if (way == 2) {
    action = "pulls";
    t->first = s.pulled;
    s.pulled = (uint8_t)(s.pulled + pull < blocks ? s.pulled + pull : blocks);
    t->end = s.pulled;
  } else {
    action = "steals";
    carry(t, s.t[way - 10].first++, 0);
  }
  return 1;
}

static int step(int self) {
  if (self >= workers) return 0;
  thread *t = &s.t[self];
  int stage = t->stage, end;
  switch (t->pc) {
  case TAKE: return take(self);
  case ARRIVE:
    action = "puts it into its cell";
    MUST(!s.cell[stage][t->block], "a block comes twice");
    s.cell[stage][t->block] = 1;
    t->pc = TRY;
    /* Another one of its own comes by here: then it need not try. */
    if (stage == 1 && t->batch < t->batch_end) t->pc = TAKE;
    if (stage == 0 && t->first == t->block + 1 && t->first < t->end) t->pc = TAKE;
    if (has_bug("who waits for more does not look whether there is more") && t->block + 1 < blocks) t->pc = TAKE;
    return 1;
  case TRY:
    action = "tries to take the stage";
    t->pc = s.taken[stage] ? (uint8_t)ON : (uint8_t)COLLECT;
    if (!s.taken[stage]) s.holder[stage] = (uint8_t)(self + 1);
    s.taken[stage] = 1;
    return 1;
  case COLLECT:
    action = "calls the stage";
    MUST(s.holder[stage] == self + 1, "two have the stage");
    for (end = s.next[stage]; end < blocks && end - s.next[stage] < capacity && s.cell[stage][end]; end++) {
      s.cell[stage][end] = 0;
    }
    t->got = s.next[stage], t->got_end = (uint8_t)end;
    s.next[stage] = (uint8_t)end;
    t->pc = GIVE_BACK;
    if (has_bug("it looks before it gives the stage back")) t->pc = LOOK;
    return 1;
  case GIVE_BACK:
    action = "gives the stage back";
    s.holder[stage] = 0;
    s.taken[stage] = 0;
    t->pc = LOOK;
    if (has_bug("it looks before it gives the stage back") || has_bug("nobody looks again")) t->pc = ON;
    return 1;
  case LOOK: {
    action = "looks whether the next one has come";
    /* What it has passes on first: a compact run by itself, a spread one through the ready set. */
    int is_there = s.next[stage] < blocks && s.cell[stage][s.next[stage]];
    if (has_bug("it looks before it gives the stage back")) {
      t->pc = GIVE_BACK;
      return 1;
    }
    if (stage == 0 && !compact) {
      for (int block = t->got; block < t->got_end; block++) s.ready[1][block] = 1;
    } else if (stage == 0 && t->got < t->got_end) {
      t->batch = t->got, t->batch_end = t->got_end, t->outer = 1;
      t->got = t->got_end;
      t->pc = TAKE; /* and looks again when these are on their way */
      return 1;
    }
    t->got = t->got_end;
    t->pc = is_there ? (uint8_t)TRY : (uint8_t)ON;
    return 1;
  }
  case ON:
    action = "goes on";
    t->pc = TAKE;
    if (t->outer && t->batch == t->batch_end) { /* back in the loop of stage 0 */
      t->outer = 0;
      t->stage = 0;
      t->pc = LOOK;
    }
    return 1;
  default: return 0;
  }
}

static void check_rest(int everything_has_ended) {
  (void)everything_has_ended;
  for (int stage = 0; stage < STAGES; stage++) {
    MUST(s.next[stage] == blocks, "blocks lie in their cells and nobody comes");
  }
}

static void show(FILE *file) {
  for (int stage = 0; stage < STAGES; stage++) {
    fprintf(file, "stage %d next %d%s cells ", stage, s.next[stage], s.taken[stage] ? " taken" : "");
    for (int i = 0; i < blocks; i++) fputc(s.cell[stage][i] ? '#' : '.', file);
    fputs("; ", file);
  }
}

static uint64_t states;
static int passed, failed;

typedef struct setting {
  int workers, blocks, pull, capacity, compact;
} setting;

static const char *run(setting o, const char *with, int shows) {
  const model m = { "gather", sizeof s, MOST, &s, step, NULL, check_rest, NULL, show };
  const char *wrong;
  memset(&s, 0, sizeof s);
  workers = o.workers, blocks = o.blocks, pull = o.pull, capacity = o.capacity, compact = o.compact;
  bug = with;
  states += explore(&m, &wrong, shows);
  return wrong;
}

static void holds(setting o) {
  uint64_t before = states;
  const char *wrong = run(o, "", 1);
  if (wrong) failed++;
  else passed++;
  printf("%s %d workers, %d blocks, %d at once from the source, %d in a call, %s: %" PRIu64 " states\n",
         wrong ? "FAIL" : "ok  ", o.workers, o.blocks, o.pull, o.capacity, o.compact ? "compact" : "spread",
         states - before);
  fflush(stdout);
}

static void breaks(const char *with, setting o) {
  const char *wrong = run(o, with, 0);
  if (wrong) passed++;
  else failed++;
  printf("%s caught: %s (%s)\n", wrong ? "ok  " : "FAIL not", with, wrong ? wrong : "nothing is wrong");
  fflush(stdout);
}

int main(int count, char **words) {
  int is_long = count > 1 && !strcmp(words[1], "--long");
  for (int compact = 0; compact < 2; compact++) {
    holds((setting){ 1, 6, 4, 2, compact });
    holds((setting){ 1, 6, 2, 6, compact });
    holds((setting){ 2, 3, 3, 2, compact });
    holds((setting){ 2, 4, 2, 3, compact });
    holds((setting){ 3, 2, 1, 2, compact });
    if (!is_long) continue;
    holds((setting){ 2, 5, 3, 2, compact });
    holds((setting){ 3, 3, 2, 2, compact });
  }
  breaks("it looks before it gives the stage back", (setting){ 2, 4, 2, 3, 0 });
  breaks("nobody looks again", (setting){ 2, 4, 2, 3, 0 });
  breaks("who waits for more does not look whether there is more", (setting){ 2, 4, 2, 3, 0 });
  printf("gather: %" PRIu64 " states, %d passed, %d failed\n", states, passed, failed);
  return failed != 0;
}
