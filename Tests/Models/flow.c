// SPDX-License-Identifier: MIT
/* The way of blocks: turns, those that are kept, places, the baton, cuts, the end. Carry.swift,
 * TurnCells.swift, PullSource.swift, Credits.swift, Retire.swift.
 *
 * A step is one atomic operation. What is explored: two or three workers that never sleep (see
 * sleep.c), a source of K blocks, stages 'p' (any number at once) and 'o' (in order), the last one
 * always in order, callbacks that stop, drop or fail at chosen blocks, runs that become compact or
 * spread at any call, a host that changes the limit, and one that keeps every result it gets, and with
 * it the place, until it cancels the run or stops its input: the run ends all the same. */
#include "explore.h"

enum { MOST = 3, STAGES = 5, ROWS = 4, BLOCKS = 6 };
enum { EMPTY, TURN, ARRIVED }; /* ARRIVED + row */
enum { FREE, PREPAID, HELD, ENDED, NO_PLACE };
enum { NOTHING, STOP, DROP, FAIL };

enum {
  WORK,
  PULL, PULL_MORE, PULL_CUT, SOURCE, PULLED, GIVE_BATON, END_TOTAL, END_GIVE, END_LOOK,
  LAY_DOWN, RESUME_BATON, RESUME_CREDITS, RESUME_OVER, RESUME_PREPAY,
  STAGE, ARRIVE, TAKE_TURN, CUT_TEST, CALL, CUTTING, AFTER, KEEP_SPREAD, KEEP_NEXT, PASS_TURN,
  RETIRE, RETIRE_NEXT, GIVE, GIVE_END, PASS_LAST,
  KEPT_PLACES, KEPT_END, KEPT_TURNS, DONE, HOST_LIMIT,
  HOST_END, HOST_CUT, HOST_RESULTS
};
enum { NO_END, CANCEL, STOP_INPUT };
/* Of `seen`: the place would be one too many; none is needed. */
enum { TOO_MANY = 255, NO_NEED = 254 };

typedef struct worker {
  uint8_t pc, back;          /* back: after resuming the source */
  uint8_t row, number, stage, then; /* what is carried; then: what follows passKept */
  uint8_t places, taken, old_baton, seen, first;
  int8_t cut_at;
  uint8_t head, tail, kept_turns, kept_for, kept_places;
  uint8_t kept_turn[STAGES];
} worker;

typedef struct record {
  uint8_t number, stage, has_turn, is_tombstone, event;
} record;

static struct state {
  int8_t free, limit; /* the word of the credits */
  int8_t cut[STAGES];
  uint8_t baton, parkings, issued, total, is_over, retired, drains, is_spread, toggles, limits_left;
  uint8_t cell[STAGES][ROWS];
  uint8_t ready; /* rows */
  record record[ROWS];
  worker w[MOST + 1];
  uint8_t is_cancelled, is_stopping, held; /* held: results, with their places */
  /* For what must hold. */
  uint8_t is_unpaid; /* the baton is prepaid without a place */
  uint8_t in_flight, calls, inside[STAGES], expected[STAGES], left_early[STAGES], ran[STAGES];
} s;

enum { NEVER = 100, UNKNOWN = 99 };

static const char *kinds; /* of stages 1 ... */
static int workers, rows, blocks, batch, last, fails_fast, keeps_results, host_end;
static uint8_t event_of[BLOCKS][STAGES];
static const char *bug = "";
static int has_bug(const char *name) { return !strcmp(bug, name); }

static int is_serial(int stage) { return stage == last || kinds[stage - 1] == 'o'; }
static int row_of(int number) { return number % rows; }

#define GO(where) (me->pc = (where))
#define DO(name) (action = name)

static void publish(int row) {
  MUST(!(s.ready >> row & 1), "a block published twice");
  s.ready |= (uint8_t)(1 << row);
}

/* PipelineRun.passTurn: one exchange. Returns the row that waited, or -1. */
static int pass_turn(int stage, int number) {
  uint8_t *cell = &s.cell[stage][row_of(number)], old = *cell;
  MUST(old != TURN, "a turn passed twice");
  *cell = TURN;
  if (old < ARRIVED) return -1;
  int row = old - ARRIVED;
  MUST(s.record[row].number == number, "a turn for another number");
  s.record[row].has_turn = 1;
  return row;
}

static void give(int places) {
  s.free = (int8_t)(s.free + places);
  s.in_flight = (uint8_t)(s.in_flight - places);
}

static void admit(int places) {
  s.in_flight = (uint8_t)(s.in_flight + places);
  MUST(s.in_flight <= s.limit, "more blocks than the limit");
}

static void drained(void) {
  if (s.is_over) return;
  s.is_over = 1;
  MUST(s.retired == s.total, "the end comes too early");
}

static int is_next(const worker *me, int number) { return me->head == number && number < me->tail; }

static void carry(worker *me, int row) {
  me->row = (uint8_t)row;
  me->number = s.record[row].number;
  me->stage = s.record[row].stage;
  GO(STAGE);
}

static int step(int t) {
  worker *me = &s.w[t];
  record *r = &s.record[me->row];
  switch (me->pc) {
  /* ----- PipelineRun.work: where it looks is one step, for it looks again and again ----- */
  case WORK: {
    int victim = -1;
    for (int i = 0; i < workers && s.is_spread; i++) {
      if (i != t && s.w[i].head < s.w[i].tail) victim = i;
    }
    if (s.ready) {
      int row = row_of(s.retired), n = 0;
      while (!(s.ready >> row & 1) && n++ < rows) row = (row + 1) % rows;
      DO("work: ready.take");
      s.ready &= (uint8_t)~(1 << row);
      carry(me, row);
      if (me->kept_turns) {
        me->then = STAGE;
        GO(KEPT_PLACES);
      }
    } else if (me->head < me->tail) {
      int number = me->head++;
      DO("work: takeOwn");
      carry(me, row_of(number));
      if (me->kept_turns && me->kept_for != number + 1) {
        me->then = STAGE;
        GO(KEPT_PLACES);
      }
    } else if (me->kept_turns && !has_bug("kept turns are not passed on")) {
      DO("work: passKept");
      me->then = WORK;
      GO(KEPT_PLACES);
    } else if (s.is_over) {
      DO("work: drained");
      GO(DONE);
    } else if (s.baton == FREE || s.baton == PREPAID) {
      DO("work: takeBaton");
      GO(s.baton == PREPAID ? PULL_MORE : PULL);
      s.baton = HELD;
    } else if (victim >= 0) {
      DO("work: steal");
      carry(me, row_of(s.w[victim].head++));
    } else {
      return 0;
    }
    break;
  }

  /* ----- PipelineRun.pull ----- */
  case PULL: {
    DO("pull: credits.take");
    int old = s.free--;
    if (old > 0) {
      admit(1);
      GO(PULL_MORE);
    } else {
      GO(LAY_DOWN);
    }
    break;
  }
  case PULL_MORE: {
    DO("pull: credits.take(atMost)");
    int more = s.free > 0 ? (s.free < batch - 1 ? s.free : batch - 1) : 0;
    s.free = (int8_t)(s.free - more);
    if (more) admit(more);
    me->places = (uint8_t)(1 + more);
    me->taken = 0;
    me->head = me->tail = s.issued;
    GO(PULL_CUT);
    break;
  }
  case PULL_CUT:
    DO("pull: isCut, isStopping");
    GO(s.issued > s.cut[0] || s.is_stopping ? END_TOTAL : SOURCE);
    break;
  case SOURCE: {
    if (s.issued == blocks) {
      DO("pull: end of input");
      GO(END_TOTAL);
      break;
    }
    DO("pull: a block");
    MUST(!s.is_unpaid, "a block without a place");
    int row = row_of(s.issued);
    MUST(s.issued < rows || s.retired > s.issued - rows, "a row used too early");
    for (int i = 1; i <= last; i++) {
      if (is_serial(i)) MUST(s.cell[i][row] < ARRIVED, "a cell used too early");
    }
    s.record[row] = (record){ .number = s.issued, .stage = 1 };
    s.issued++;
    s.calls++;
    me->taken++;
    me->tail = s.issued;
    GO(me->taken < me->places ? PULL_CUT : PULLED);
    break;
  }
  case PULLED:
    DO("pull: isSpread");
    GO(GIVE_BATON);
    break;
  case GIVE_BATON:
    DO("pull: the baton is free");
    s.baton = FREE;
    GO(WORK);
    break;
  case END_TOTAL:
    DO("endInput: total");
    s.baton = ENDED;
    s.total = s.issued;
    GO(END_GIVE);
    break;
  case END_GIVE:
    DO("endInput: credits.give");
    s.in_flight = (uint8_t)(s.in_flight + s.is_unpaid); /* it never was one */
    s.is_unpaid = 0;
    give(me->places - me->taken);
    GO(END_LOOK);
    break;
  case END_LOOK:
    DO("endInput: retired");
    if (s.retired == s.total && !has_bug("the end of input does not look at what has left")) drained();
    GO(WORK);
    break;

  /* ----- PipelineRun.layDown, resumeSource ----- */
  case LAY_DOWN:
    DO("layDown: baton");
    s.parkings++;
    s.baton = (uint8_t)(s.parkings << 3 | NO_PLACE);
    me->back = WORK;
    GO(has_bug("the baton is laid down without a second look") ? WORK : RESUME_BATON);
    break;
  case RESUME_BATON:
    DO("resumeSource: baton");
    me->old_baton = s.baton;
    GO((s.baton & 7) == NO_PLACE ? RESUME_CREDITS : me->back);
    break;
  case RESUME_CREDITS:
    DO("resumeSource: credits");
    if (has_bug("a debt is no hindrance")) GO(s.free < s.limit ? RESUME_PREPAY : me->back);
    else GO(s.free + 1 > 0 ? RESUME_PREPAY : RESUME_OVER);
    if (me->pc == RESUME_PREPAY) { /* this is the moment of admission, if the exchange succeeds */
      me->seen = s.in_flight < s.limit ? s.in_flight : TOO_MANY;
    }
    break;
  case RESUME_OVER:
    DO("resumeSource: isSourceOver");
    GO(s.issued > s.cut[0] || s.is_stopping ? RESUME_PREPAY : me->back);
    if (has_bug("nobody ends an input without a place")
        || (has_bug("who lays the baton down does not look at the cut") && t < workers)) GO(me->back);
    if (me->pc == RESUME_PREPAY) me->seen = NO_NEED;
    break;
  case RESUME_PREPAY:
    DO("resumeSource: prepaid");
    if (s.baton == me->old_baton || (has_bug("batons that lie there look all the same")
                                     && (s.baton & 7) == NO_PLACE)) {
      s.baton = PREPAID;
      MUST(me->seen != TOO_MANY, "more blocks than the limit");
      if (me->seen == NO_NEED) {
        s.is_unpaid = 1;
      } else {
        MUST(s.in_flight <= me->seen, "a place given twice");
        s.in_flight++;
      }
    }
    GO(me->back);
    break;

  /* ----- PipelineRun.carry ----- */
  case STAGE:
    DO("carry");
    GO(is_serial(me->stage) ? ARRIVE : CUT_TEST);
    return step(t);
  case ARRIVE:
    if (r->has_turn) {
      DO("arrive: has the turn");
      r->has_turn = 0;
      GO(TAKE_TURN);
    } else if (me->kept_turn[me->stage] == me->number + 1) {
      DO("arrive: the turn was kept");
      me->kept_turn[me->stage] = 0;
      me->kept_turns--;
      GO(CUT_TEST);
      break;
    } else {
      DO("arrive: exchange");
      uint8_t *cell = &s.cell[me->stage][row_of(me->number)], old = *cell;
      r->stage = me->stage;
      MUST(old < ARRIVED, "two blocks in one cell");
      *cell = (uint8_t)(ARRIVED + me->row);
      GO(old == TURN ? TAKE_TURN : WORK);
    }
    break;
  case TAKE_TURN:
    DO("arrive: empty");
    if (!has_bug("a cell is not emptied")) s.cell[me->stage][row_of(me->number)] = EMPTY;
    GO(CUT_TEST);
    break;
  case CUT_TEST:
    DO("isCut");
    if (is_serial(me->stage)) {
      MUST(!s.inside[me->stage], "two blocks at once in a serial stage");
      MUST(s.expected[me->stage] == me->number, "out of order");
      s.inside[me->stage] = 1;
      s.expected[me->stage]++;
    }
    if (!r->is_tombstone && me->number > s.cut[me->stage]) r->is_tombstone = 1;
    if (r->is_tombstone) {
      GO(AFTER);
      break;
    }
    s.ran[me->stage] |= (uint8_t)(1 << me->number);
    if (is_serial(me->stage)) {
      for (int m = 0; m < me->number; m++) {
        MUST((s.ran[me->stage] | s.left_early[me->stage]) >> m & 1, "a gap in a serial stage");
      }
    }
    GO(CALL);
    break;
  case CALL: {
    int turns = choose(1 + (s.toggles > 0));
    DO("callback");
    if (turns) {
      s.toggles--;
      s.is_spread = !s.is_spread;
    }
    int event = event_of[me->number][me->stage];
    if (event == DROP || event == FAIL) {
      r->is_tombstone = 1;
      for (int i = me->stage + 1; i <= last; i++) s.left_early[i] |= (uint8_t)(1 << me->number);
    }
    if (event == FAIL) r->event = FAIL;
    GO(AFTER);
    if (event == STOP || (event == FAIL && fails_fast)) {
      me->cut_at = (int8_t)(event == STOP ? me->number : me->number - 1);
      me->first = has_bug("cuts from the first stage on") ? 0 : (uint8_t)last;
      GO(CUTTING);
    }
    break;
  }
  case CUTTING: {
    DO("lowerCuts");
    if (s.cut[me->first] > me->cut_at) s.cut[me->first] = me->cut_at;
    if (has_bug("cuts from the first stage on")) {
      if (me->first++ == last) GO(AFTER);
    } else if (me->first-- == 0) {
      GO(AFTER);
    }
    break;
  }
  case AFTER:
    DO("carry: the stage is done");
    if (is_serial(me->stage)) s.inside[me->stage] = 0;
    if (me->stage == last) {
      GO(RETIRE);
    } else if (is_serial(me->stage)) {
      GO(KEEP_SPREAD);
    } else {
      me->stage++;
      GO(STAGE);
      return step(t);
    }
    return step(t);
  case KEEP_SPREAD:
    DO("carry: isSpread");
    GO(s.is_spread ? PASS_TURN : KEEP_NEXT);
    break;
  case KEEP_NEXT:
    DO("carry: isNext");
    if (is_next(me, me->number + 1)) {
      me->kept_turn[me->stage] = (uint8_t)(me->number + 2);
      me->kept_turns++;
      me->stage++;
      GO(STAGE);
    } else {
      GO(PASS_TURN);
    }
    break;
  case PASS_TURN: {
    DO("passTurn");
    int row = pass_turn(me->stage, me->number + 1);
    if (row >= 0) publish(row);
    me->stage++;
    GO(STAGE);
    break;
  }

  /* ----- PipelineRun.retire, givePlaces ----- */
  case RETIRE:
    DO("retire");
    MUST(s.retired == me->number, "left out of order");
    if (has_bug("places go back before the block has left")) {
      give(1);
    } else if (keeps_results && !r->is_tombstone && !s.is_cancelled) {
      s.held++;
    } else {
      me->kept_places++;
    }
    s.retired++;
    if (r->event == FAIL && fails_fast) {
      for (int i = 0; i <= last; i++) {
        if (s.cut[i] > me->number - 1) s.cut[i] = (int8_t)(me->number - 1);
      }
    }
    GO(RETIRE_NEXT);
    break;
  case RETIRE_NEXT:
    DO("retire: isNext");
    if (is_next(me, me->number + 1)) {
      me->kept_turn[last] = (uint8_t)(me->number + 2);
      me->kept_turns++;
      me->kept_for = (uint8_t)(me->number + 2);
      GO(WORK);
    } else {
      GO(GIVE);
    }
    break;
  case GIVE: {
    DO("givePlaces: credits");
    int before = s.free;
    give(me->kept_places);
    int gave = me->kept_places;
    me->kept_places = 0;
    me->back = GIVE_END;
    GO(before < 0 && gave ? RESUME_BATON : GIVE_END);
    break;
  }
  case GIVE_END:
    DO("givePlaces: total");
    if (s.total == s.retired) drained();
    GO(PASS_LAST);
    break;
  case PASS_LAST: {
    DO("passTurn of the last stage");
    int row = pass_turn(last, me->number + 1);
    if (row < 0) {
      GO(WORK);
      break;
    }
    me->row = (uint8_t)row;
    me->number = s.record[row].number;
    me->stage = (uint8_t)last;
    GO(STAGE);
    break;
  }

  /* ----- PipelineRun.passKept ----- */
  case KEPT_PLACES: {
    DO("passKept: places");
    int before = s.free, gave = me->kept_places;
    if (has_bug("kept places are forgotten")) gave = 0;
    give(gave);
    me->kept_places = 0;
    me->back = KEPT_END;
    GO(before < 0 && gave ? RESUME_BATON : gave ? KEPT_END : KEPT_TURNS);
    break;
  }
  case KEPT_END:
    DO("passKept: total");
    if (s.total == s.retired) drained();
    GO(KEPT_TURNS);
    break;
  case KEPT_TURNS: {
    DO("passKept: a turn");
    int stage = 1;
    while (stage <= last && !me->kept_turn[stage]) stage++;
    if (stage <= last) {
      int row = pass_turn(stage, me->kept_turn[stage] - 1);
      me->kept_turn[stage] = 0;
      me->kept_turns--;
      if (row >= 0) publish(row);
    }
    if (!me->kept_turns) GO(me->then);
    break;
  }

  /* ----- Credits.setLimit, by a thread of the host ----- */
  case HOST_LIMIT: {
    if (!s.limits_left) return 0;
    int limit = 1 + choose(rows);
    DO("setLimit");
    s.limits_left--;
    s.free = (int8_t)(s.free + limit - s.limit);
    s.limit = (int8_t)limit;
    me->back = HOST_LIMIT;
    GO(RESUME_BATON);
    break;
  }

  /* ----- PipelineRun.cancel and stop, by a thread of the host ----- */
  case HOST_END:
    me->first = (uint8_t)last;
    me->back = host_end == CANCEL ? HOST_RESULTS : DONE;
    if (host_end == CANCEL) {
      DO("cancel: isCancelled");
      s.is_cancelled = 1;
      GO(has_bug("a cancel does not look at the baton") ? HOST_CUT
         : has_bug("a cancel looks at the baton before it cuts") ? RESUME_BATON : HOST_CUT);
      if (me->pc == RESUME_BATON) me->back = HOST_CUT;
    } else {
      DO("stop: isStopping");
      s.is_stopping = 1;
      GO(RESUME_BATON);
    }
    break;
  case HOST_CUT:
    DO("cancel: lowerCuts");
    s.cut[me->first] = -1;
    if (me->first-- > 0) break;
    me->first = 0;
    me->back = HOST_RESULTS;
    GO(has_bug("a cancel does not look at the baton") || has_bug("a cancel looks at the baton before it cuts")
         ? HOST_RESULTS : RESUME_BATON);
    break;
  case HOST_RESULTS: { /* what the host has read it keeps, the others go */
    int unread = choose(s.held + 1);
    DO("cancel: discardResults");
    s.held = (uint8_t)(s.held - unread);
    give(unread);
    me->back = DONE;
    GO(unread ? RESUME_BATON : DONE);
    break;
  }
  default: return 0;
  }
  return 1;
}

#define IN(first, last) (me->pc >= (first) && me->pc <= (last))

static int step_and_forget(int t) {
  worker *me = &s.w[t];
  if (!step(t)) return 0;
  /* What nobody needs any more is no part of the state. */
  if (!IN(RESUME_BATON, RESUME_PREPAY)) me->back = 0;
  if (!IN(RESUME_CREDITS, RESUME_PREPAY)) me->old_baton = 0;
  if (me->pc != RESUME_PREPAY) me->seen = 0;
  int in_kept = IN(KEPT_PLACES, KEPT_TURNS) || (IN(RESUME_BATON, RESUME_PREPAY) && me->back == KEPT_END);
  if (!in_kept) me->then = 0;
  int carries = IN(STAGE, PASS_LAST) || (in_kept && me->then == STAGE)
                || (IN(RESUME_BATON, RESUME_PREPAY) && me->back == GIVE_END);
  if (!carries) me->row = me->number = me->stage = 0;
  if (!IN(PULL_MORE, END_GIVE)) me->places = me->taken = 0;
  int cuts = me->pc == HOST_CUT || (IN(RESUME_BATON, RESUME_PREPAY) && me->back == HOST_CUT);
  if (me->pc != CUTTING) me->cut_at = 0;
  if (me->pc != CUTTING && !cuts) me->first = 0;
  if (!me->kept_turns) me->kept_for = 0;
  if (me->head == me->tail && !IN(PULL_MORE, PULLED)) me->head = me->tail = 0;
  return 1;
}

static uint8_t wanted; /* blocks that the last stage must see */

static void check_rest(int has_all_ended) {
  if (!has_all_ended) return;
  for (int i = 0; i < workers; i++) MUST(s.w[i].pc == DONE, "a worker hangs");
  MUST(s.retired == s.total && s.issued == s.total, "blocks stay behind");
  MUST(s.in_flight == s.held && s.free == s.limit - s.held, "places are lost");
  MUST(!s.ready, "a block lies ready at the end");
  if (host_end == NO_END) {
    MUST(s.ran[last] == wanted, "other blocks are delivered than serially");
  } else {
    MUST(!(s.ran[last] & (s.ran[last] + 1)), "what is delivered is no prefix");
  }
  if (host_end == STOP_INPUT) MUST(s.ran[last] == (1 << s.issued) - 1, "a block in flight is not delivered");
}

static void check(void) {
  MUST(s.in_flight <= rows, "more blocks than rows");
}

static void show(FILE *file) {
  fprintf(file, "free %d of %d, baton %d, issued %d, retired %d, ready %x, %s, cuts", s.free, s.limit, s.baton & 7,
          s.issued, s.retired, s.ready, s.is_spread ? "spread" : "compact");
  for (int i = 0; i <= last; i++) fprintf(file, " %d", s.cut[i]);
  for (int i = 0; i < workers; i++) {
    fprintf(file, " | %d/%d kept %d", s.w[i].number, s.w[i].stage, s.w[i].kept_turns);
  }
}

static int passed, failed;
static uint64_t states;

typedef struct setting {
  const char *kinds; /* the last one is 'o' */
  int workers, blocks, limit, rows, batch, is_spread, toggles, limits;
  const char *events; /* "2s1": block 2 in stage 1 stops; d drops, f fails; "" */
  int collects, keeps_results, end;
} setting;

/* Serially: which blocks the last stage sees. */
static uint8_t serially(void) {
  int cut = NEVER;
  uint8_t seen = 0;
  for (int n = 0; n < blocks && n <= cut; n++) {
    int stage = 1;
    for (; stage <= last; stage++) {
      if (stage == last) seen |= (uint8_t)(1 << n);
      int event = event_of[n][stage];
      if (event == STOP) cut = n;
      if (event == FAIL && fails_fast) cut = n - 1;
      if (event == DROP || event == FAIL) break;
    }
  }
  return seen;
}

static const char *run(setting o, const char *with, int shows) {
  memset(&s, 0, sizeof s);
  memset(event_of, 0, sizeof event_of);
  kinds = o.kinds, workers = o.workers, rows = o.rows, blocks = o.blocks, batch = o.batch, bug = with;
  last = (int)strlen(kinds);
  fails_fast = !o.collects;
  for (const char *e = o.events; *e; e += 3) {
    event_of[e[0] - '0'][e[2] - '0'] = e[1] == 's' ? STOP : e[1] == 'd' ? DROP : FAIL;
  }
  wanted = serially();
  s.free = s.limit = (int8_t)o.limit;
  s.total = UNKNOWN;
  s.is_spread = (uint8_t)o.is_spread;
  s.toggles = (uint8_t)o.toggles;
  s.limits_left = (uint8_t)o.limits;
  for (int i = 0; i <= last; i++) {
    s.cut[i] = NEVER;
    if (i > 0 && is_serial(i)) s.cell[i][0] = TURN;
  }
  keeps_results = o.keeps_results, host_end = o.end;
  s.w[workers].pc = o.end ? HOST_END : o.limits ? HOST_LIMIT : DONE;
  model m = { "flow", sizeof s, workers + 1, &s, step_and_forget, NULL, check_rest, check, show };
  const char *wrong;
  states += explore(&m, &wrong, shows);
  return wrong;
}

static void holds(setting o) {
  uint64_t before = states;
  const char *wrong = run(o, "", 1);
  if (wrong) failed++;
  else passed++;
  static const char *const ends[] = { "", ", cancelled", ", stopped" };
  printf("%s %s, %d workers, %d blocks, limit %d of %d, batch %d, %s, turns of pace %d, limits %d, events '%s'%s%s%s: "
         "%" PRIu64 " states\n",
         wrong ? "FAIL" : "ok  ", o.kinds, o.workers, o.blocks, o.limit, o.rows, o.batch,
         o.is_spread ? "spread" : "compact", o.toggles, o.limits, o.events, o.collects ? " collected" : "",
         o.keeps_results ? ", results are kept" : "", ends[o.end],
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
  static const char *shapes[] = { "o", "po", "oo", "opo" };
  static const char *events[] = { "1s1", "0s1", "1f1", "0f1", "1d1", "1s2", "1f2", "1f12s1", "1s12f1" };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int spread = 0; spread < 2; spread++) {
      holds((setting){ shapes[i], 2, 3, 2, 2, 2, spread, i < 3, 0, "", 0, 0, 0 });
      holds((setting){ shapes[i], 2, 3, 1, 1, 1, spread, 1, 0, "", 0, 0, 0 });
      if (i < 2) holds((setting){ shapes[i], 2, 3, 2, 4, 2, spread, 0, 2, "", 0, 0, 0 });
    }
  }
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    holds((setting){ "po", 2, 3, 2, 2, 2, 1, 0, 0, events[i], 0, 0, 0 });
    holds((setting){ "oo", 2, 3, 3, 4, 2, (int)i % 2, 0, 0, events[i], 1, 0, 0 });
  }
  holds((setting){ "poo", 2, 3, 3, 4, 1, 1, 0, 0, "1s2", 0, 0, 0 });
  for (int end = CANCEL; end <= STOP_INPUT; end++) {
    for (int spread = 0; spread < 2; spread++) {
      holds((setting){ "o", 2, 4, 2, 2, 2, spread, 1, 0, "", 0, 1, end });
      holds((setting){ "po", 2, 3, 2, 2, 2, spread, 0, 0, "", 0, 1, end });
      holds((setting){ "po", 2, 3, 1, 2, 1, spread, 1, 0, "", 0, 1, end });
      holds((setting){ "oo", 2, 3, 2, 4, 1, spread, 0, 0, "", 0, 0, end });
    }
  }
  if (is_long) {
    for (int end = CANCEL; end <= STOP_INPUT; end++) {
      holds((setting){ "opo", 2, 4, 2, 2, 2, 1, 1, 0, "", 0, 1, end });
      holds((setting){ "po", 3, 3, 2, 2, 2, 1, 0, 0, "", 0, 1, end });
    }
    for (int spread = 0; spread < 2; spread++) {
      holds((setting){ "opo", 2, 4, 3, 4, 2, spread, 1, 1, "", 0, 0, 0 });
      holds((setting){ "po", 3, 3, 2, 2, 2, spread, 1, 1, "", 0, 0, 0 });
      holds((setting){ "opo", 3, 3, 3, 4, 2, spread, 0, 0, "", 0, 0, 0 });
      holds((setting){ "poo", 3, 3, 3, 4, 1, spread, 0, 0, "1s2", 0, 0, 0 });
    }
  }
  breaks("cuts from the first stage on", (setting){ "poo", 2, 3, 3, 4, 2, 1, 0, 0, "0s3", 0, 0, 0 });
  breaks("kept turns are not passed on", (setting){ "oo", 2, 3, 2, 2, 2, 1, 0, 0, "", 0, 0, 0 });
  breaks("kept places are forgotten", (setting){ "po", 2, 4, 2, 2, 2, 1, 0, 0, "", 0, 0, 0 });
  breaks("a cell is not emptied", (setting){ "po", 2, 3, 2, 2, 1, 1, 0, 0, "", 0, 0, 0 });
  breaks("places go back before the block has left", (setting){ "po", 2, 3, 2, 2, 1, 1, 0, 0, "", 0, 0, 0 });
  breaks("the baton is laid down without a second look", (setting){ "po", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 0, 0 });
  breaks("batons that lie there look all the same", (setting){ "po", 2, 3, 1, 2, 1, 1, 0, 2, "", 0, 0, 0 });
  breaks("a debt is no hindrance", (setting){ "po", 2, 4, 2, 4, 1, 1, 0, 1, "", 0, 0, 0 });
  breaks("the end of input does not look at what has left", (setting){ "po", 2, 2, 2, 2, 1, 1, 0, 0, "", 0, 0, 0 });
  breaks("nobody ends an input without a place", (setting){ "o", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 1, CANCEL });
  breaks("nobody ends an input without a place", (setting){ "o", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 1, STOP_INPUT });
  breaks("a cancel does not look at the baton", (setting){ "o", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 1, CANCEL });
  breaks("a cancel looks at the baton before it cuts", (setting){ "o", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 1, CANCEL });
  breaks("who lays the baton down does not look at the cut",
         (setting){ "o", 2, 3, 1, 1, 1, 1, 0, 0, "", 0, 1, CANCEL });
  breaks("fewer rows than places", (setting){ "ppo", 3, 4, 3, 2, 1, 1, 0, 0, "", 0, 0, 0 });
  printf("flow: %" PRIu64 " states, %d passed, %d failed\n", states, passed, failed);
  return failed != 0;
}
