// SPDX-License-Identifier: MIT
/* When workers sleep and are woken: Pool.swift, PoolLink.swift, and of a run what decides about it
 * (Carry.work, leave, foundWork; Pace; PullSource.pull; Submission.enter).
 *
 * A step is one atomic operation, or what stands between locking and unlocking the pool. What is
 * explored (plain stores become visible to others some time later): W workers, a source of so many blocks, a host that publishes, callbacks that publish one
 * more piece (a block whose turn came) and that turn the run compact or spread. A callback may take
 * for ever; yet nothing that another worker could do may lie there while one sleeps and nobody is
 * about to look or to wake. */
#include "explore.h"

enum { MOST = 3 };
enum { FREE, HELD, ENDED };
enum { NONE, SENTINEL, RELIEVED };
enum { RUNNING, DRAINED, FINISHING, OVER };

/* Where a thread is. Subroutines return to `back` (of the caller) or `home` (of the caller's caller). */
enum {
  LIVE_LOCK, LIVE_LOOK, LIVE_FOUND, LIVE_PARK, LIVE_PARKED, LIVE_SENTINEL, LIVE_WANTS, SLEEP,
  SLEEP_LOCK, TICK, TICK_LOAD, TICK_STUCK, TICK_UNPARK, TICK_WANTS, SLEEP_AGAIN,
  HAS_PHASE, HAS_SPREAD, HAS_ACTIVE, HAS_READY, HAS_BATON, HAS_QUEUED,
  WORK_IN, WORK, WORK_TAKE, WORK_COUNT, WORK_OWN, WORK_PHASE, WORK_STAY, WORK_ACTIVE, WORK_BATON,
  WORK_STEAL, LEAVE, LEAVE_ACTIVE, LEAVE_LOOKED, LEAVE_QUIET, WORK_OUT, FINISH, FINISHED,
  FOUND, FOUND_SPREAD, FOUND_READY, FOUND_BATON, FOUND_QUEUED, FOUND_COMPACT,
  WAKE_WORD, WAKE_LOCK, WAKE_UNPARK, WAKE_SIGNAL,
  QUIET_FLAG, QUIET_WORD, QUIET_LOCK, QUIET_APPOINT, ANNOUNCE, ANNOUNCE_ACTIVE,
  HAS_OTHER, OTHER, OTHER_CALLBACK, OTHER_LEAVE, OTHER_LOOK, OTHER_GONE, FOUND_OTHER_LOCK, FOUND_OTHER,
  CALLBACK, PUBLISH, PUBLISH_COUNT, RETIRE, SOURCE, PULLED, GIVE_BATON, GIVEN,
  HOST, HOST_CLOSE, HOST_DONE, GONE
};

typedef struct thread {
  uint8_t pc, back, home, after; /* after: what follows foundWork */
  uint8_t is_searching, found, spread, index, taken, ticked, is_woken;
} thread;

static struct state {
  uint8_t parked, searching, has_sentinel, lock; /* lock: thread + 1 */
  uint8_t inside, is_attached, other_inside, other_ready; /* a second source: pieces a host publishes */
  uint8_t is_parked[MOST], duty[MOST], signal[MOST];
  uint8_t ready, ready_count, baton, active, is_spread, queue[MOST], moved, phase;
  uint8_t late_queue[MOST], late_baton[MOST]; /* stores that only their thread sees yet */
  uint8_t source_left, host_left, spawns, toggles, left, has_ended;
  thread t[MOST + 1];
} s;

static int workers, batch, sources;
static const char *bug = "";
static int has_bug(const char *name) { return !strcmp(bug, name); }

static int lock(int t) {
  if (s.lock) return 0;
  s.lock = (uint8_t)(t + 1);
  return 1;
}
static void unlock(int t) {
  MUST(s.lock == t + 1, "unlocked by another thread");
  s.lock = 0;
}

/* Pool.firstParked: the sentinel is woken last. */
static int first_parked(void) {
  int sentinel = -1;
  for (int i = 0; i < workers; i++) {
    if (!s.is_parked[i]) continue;
    if (s.duty[i] == NONE) return i;
    sentinel = i;
  }
  return sentinel;
}

/* Pool.unpark */
static void unpark(int i) {
  s.is_parked[i] = 0;
  if (s.duty[i] == SENTINEL) s.has_sentinel = 0;
  s.duty[i] = NONE;
  s.parked--;
  if (!has_bug("a woken worker counts itself")) s.searching++;
}

/* A read-modify-write makes earlier stores of its thread visible. */
static void drain(int t) {
  if (t >= workers) return;
  s.queue[t] += s.late_queue[t];
  s.late_queue[t] = 0;
  if (s.late_baton[t]) s.baton = FREE;
  s.late_baton[t] = 0;
}

/* Pool.nextSource begins. */
static int first_source(void) { return s.is_attached ? HAS_PHASE : sources == 2 ? HAS_OTHER : LIVE_PARK; }

static void end_if_drained(void) {
  if (s.has_ended && s.left == 0 && s.phase == RUNNING) s.phase = DRAINED;
}

/* PipelineRun.needsSentinel, once active and phase are known */
static int needs_sentinel(void) {
  int lies = 0;
  for (int i = 0; i < workers; i++) lies |= s.queue[i] > 0;
  if (has_bug("a spread run needs no sentinel for the baton") && s.is_spread) return lies;
  return lies || s.ready_count > 0 || s.baton == FREE;
}

/* hasWork of one source has answered: nextSource asks the other one too. */
static int answer(const thread *me) {
  return !me->found && sources == 2 && me->home != LEAVE_LOOKED ? HAS_OTHER : me->home;
}

#define GO(where) (me->pc = (where))
#define DO(name) (action = name)
#define CALL(routine, return_to) (me->back = (return_to), GO(routine))
/* Subroutines that call others keep their own return in `home`. */
#define RETURN GO(me->back)

static int act(int t) {
  thread *me = &s.t[t];
  switch (me->pc) {
  /* ----- Pool.live ----- */
  case LIVE_LOCK:
    if (!lock(t)) return 0;
    DO("Pool.live: lock");
    me->home = LIVE_FOUND;
    GO(first_source());
    break;
  case LIVE_FOUND: /* nextSource has answered */
    DO("Pool.live: search");
    if (me->found) {
      if (me->found == 2) s.other_inside++;
      else s.inside++;
      unlock(t);
      me->is_searching = 1;
      GO(me->found == 2 ? OTHER : WORK_IN);
    } else {
      GO(LIVE_PARK);
    }
    break;
  case LIVE_PARK:
    if (has_bug("looks before it counts itself") && me->home != LIVE_PARKED && s.is_attached) {
      DO("Pool.live: (look before S1)");
      me->home = LIVE_PARKED;
      GO(HAS_PHASE);
      break;
    }
    DO("Pool.live: S1");
    s.is_parked[t] = 1;
    s.parked++, s.searching--;
    me->home = LIVE_PARKED;
    me->found = 0;
    GO((s.is_attached || sources == 2) && !has_bug("no second look")
           && !has_bug("looks before it counts itself") ? first_source() : LIVE_PARKED);
    break;
  case LIVE_PARKED: /* S2 has answered */
    DO("Pool.live: S2");
    if (has_bug("looks before it counts itself") && !s.is_parked[t]) {
      if (me->found) {
        me->home = LIVE_FOUND;
        GO(HAS_PHASE);
      } else {
        me->home = LIVE_PARKED;
        GO(LIVE_PARK);
      }
      break;
    }
    if (me->found) {
      unpark(t);
      if (has_bug("a woken worker counts itself")) s.searching++;
      me->home = LIVE_FOUND;
      GO(first_source());
    } else {
      GO(LIVE_SENTINEL);
    }
    break;
  case LIVE_SENTINEL:
    DO("Pool.wantsSentinel: active, phase");
    me->found = s.is_attached && s.active > 0 && s.phase == RUNNING;
    GO(LIVE_WANTS);
    break;
  case LIVE_WANTS: {
    DO("Pool.wantsSentinel: what lies there");
    int lies = needs_sentinel();
    if (me->found && lies && !s.has_sentinel) {
      s.has_sentinel = 1;
      s.duty[t] = SENTINEL;
    } else if (((s.inside > 0 && s.is_attached) || s.other_inside > 0) && !has_bug("nobody is relieved")) {
      s.duty[t] = RELIEVED;
    }
    unlock(t);
    GO(SLEEP);
    break;
  }
  case SLEEP: {
    int may_tick = s.duty[t] != NONE, may_wake = s.signal[t];
    /* A millisecond is longer than any store takes. */
    for (int i = 0; i < workers; i++) may_tick &= !s.late_queue[i] && !s.late_baton[i];
    if (!may_tick && !may_wake) return 0;
    int ticks = may_tick && may_wake ? choose(2) : may_tick;
    DO(ticks ? "Parker.park: timeout" : "Parker.park: signalled");
    if (!ticks) s.signal[t] = 0;
    me->ticked = (uint8_t)ticks;
    GO(SLEEP_LOCK);
    break;
  }
  case SLEEP_LOCK:
    if (!lock(t)) return 0;
    DO("Pool.live: lock after sleep");
    GO(me->ticked && s.is_parked[t] ? TICK : SLEEP_AGAIN);
    /* tick is called although a wake came in between; the duty is none then. */
    break;
  case TICK:
    DO("Pool.tick");
    if (s.duty[t] == NONE) {
      GO(SLEEP_AGAIN);
    } else if (s.duty[t] == SENTINEL) {
      me->found = s.is_attached && s.active > 0 && s.phase == RUNNING;
      GO(TICK_LOAD);
    } else {
      me->found = s.is_attached && s.active > 0 && s.phase == RUNNING;
      GO(TICK_WANTS);
    }
    break;
  case TICK_LOAD: {
    DO("PipelineRun.noticeStuck: what lies there, pulses");
    int lies = needs_sentinel();
    if (me->found && lies) {
      int moved = s.moved;
      s.moved = 0;
      if (!moved) {
        GO(TICK_STUCK);
        break;
      }
      GO(SLEEP_AGAIN); /* wantsSentinel says the same */
      break;
    }
    if (has_bug("off duty in one step")) {
      s.has_sentinel = 0;
      s.duty[t] = NONE;
    } else {
      s.has_sentinel = 0;
      s.duty[t] = RELIEVED;
    }
    GO(SLEEP_AGAIN);
    break;
  }
  case TICK_STUCK:
    DO("PipelineRun.noticeStuck: spread");
    s.is_spread = 1;
    GO(TICK_UNPARK);
    break;
  case TICK_UNPARK: {
    DO("Pool.tick: unpark, hand over");
    unpark(t);
    int heir = first_parked(), wants = s.is_attached && s.active > 0 && s.phase == RUNNING && needs_sentinel();
    if (wants && !s.has_sentinel && heir >= 0 && !has_bug("who finds stuck work hands no duty over")) {
      s.has_sentinel = 1;
      s.duty[heir] = SENTINEL;
    }
    if (has_bug("a woken worker counts itself")) s.searching++;
    GO(SLEEP_AGAIN);
    break;
  }
  case TICK_WANTS: {
    DO("Pool.tick: relieved");
    int lies = needs_sentinel();
    if (me->found && lies && !s.has_sentinel) {
      s.has_sentinel = 1;
      s.duty[t] = SENTINEL;
    } else {
      s.duty[t] = NONE;
    }
    GO(SLEEP_AGAIN);
    break;
  }
  case SLEEP_AGAIN:
    if (s.is_parked[t]) {
      DO("Pool.live: sleep on");
      unlock(t);
      GO(SLEEP);
    } else {
      DO("Pool.live: woken");
      me->is_woken = 0;
      if (has_bug("a woken worker counts itself") && !me->ticked) s.searching++;
      me->ticked = 0;
      me->home = LIVE_FOUND;
      GO(first_source());
    }
    break;

  /* ----- PipelineRun.hasWork; the answer is in `found`, back to `home` ----- */
  case HAS_PHASE:
    DO("hasWork: phase");
    me->found = s.phase == DRAINED;
    GO(s.phase == RUNNING ? HAS_SPREAD : answer(me));
    break;
  case HAS_SPREAD:
    DO("hasWork: isSpread");
    me->spread = s.is_spread;
    GO(s.is_spread ? HAS_READY : HAS_ACTIVE);
    break;
  case HAS_ACTIVE:
    DO("hasWork: active");
    me->found = 0;
    GO(s.active == 0 ? HAS_READY : answer(me));
    break;
  case HAS_READY:
    DO("hasOpenWork: readyCount");
    me->found = s.ready_count > 0;
    GO(me->found ? answer(me) : HAS_BATON);
    break;
  case HAS_BATON:
    DO("hasOpenWork: baton");
    me->found = s.baton == FREE;
    me->index = 0;
    GO(me->found || !me->spread ? answer(me) : HAS_QUEUED);
    break;
  case HAS_QUEUED:
    DO("hasQueuedWork");
    me->found = s.queue[me->index] > 0;
    if (me->found || ++me->index == workers) {
      me->index = 0;
      GO(answer(me));
    }
    break;

  case HAS_OTHER:
    DO("hasWork of the other source");
    me->found = s.other_ready > 0 ? 2 : 0;
    GO(me->home);
    break;

  /* ----- another source, which is always spread ----- */
  case OTHER:
    DO("other source: take");
    if (s.other_ready > 0) {
      s.other_ready--;
      me->after = OTHER_CALLBACK;
      GO(me->is_searching ? FOUND : OTHER_CALLBACK);
    } else {
      GO(OTHER_LEAVE);
    }
    break;
  case OTHER_CALLBACK:
    DO("callback of the other source");
    GO(OTHER);
    break;
  case OTHER_LEAVE:
    DO("other source: beginSearch");
    if (!me->is_searching) s.searching++;
    me->is_searching = 1;
    GO(OTHER_LOOK);
    break;
  case OTHER_LOOK:
    DO("other source: looks again");
    GO(s.other_ready > 0 ? OTHER : OTHER_GONE);
    break;
  case OTHER_GONE:
    if (!lock(t)) return 0;
    DO("Pool.live: has left the other source");
    s.other_inside--;
    me->home = LIVE_FOUND;
    GO(first_source());
    break;

  /* ----- PipelineRun.work ----- */
  case WORK_IN:
    DO("work: active + 1");
    s.active++;
    GO(WORK);
    break;
  case WORK:
    DO("work: readyCount");
    GO(s.ready_count > 0 ? WORK_TAKE : WORK_OWN);
    break;
  case WORK_TAKE:
    DO("work: ready.take");
    if (s.ready > 0) {
      s.ready--;
      GO(WORK_COUNT);
    } else {
      GO(WORK_OWN);
    }
    break;
  case WORK_COUNT:
    DO("work: readyCount - 1");
    s.ready_count--;
    s.moved = 1;
    me->after = CALLBACK;
    GO(me->is_searching ? FOUND : CALLBACK);
    break;
  case WORK_OWN:
    DO("work: takeOwn");
    if (s.queue[t] > 0) {
      s.queue[t]--;
      s.moved = 1;
      me->after = CALLBACK;
      GO(me->is_searching ? FOUND : CALLBACK);
    } else {
      GO(WORK_PHASE);
    }
    break;
  case WORK_PHASE:
    DO("work: phase");
    if (s.phase == RUNNING) {
      GO(WORK_STAY);
    } else if (s.phase == DRAINED) {
      s.phase = FINISHING;
      me->after = FINISH;
      GO(me->is_searching ? FOUND : FINISH);
    } else {
      GO(WORK_OUT);
    }
    break;
  case FINISH:
    if (!lock(t)) return 0;
    DO("finish: detach");
    s.is_attached = 0;
    unlock(t);
    GO(FINISHED);
    break;
  case FINISHED:
    DO("conclude");
    s.phase = OVER;
    GO(WORK_OUT);
    break;
  case WORK_OUT:
    DO("work: active - 1");
    s.active--;
    if (me->is_searching) {
      GO(GONE);
    } else {
      me->back = GONE;
      GO(LEAVE_QUIET);
    }
    break;
  case WORK_STAY:
    DO("work: isSpread");
    GO(s.is_spread ? WORK_BATON : WORK_ACTIVE);
    break;
  case WORK_ACTIVE:
    DO("work: active == 1");
    GO(s.active == 1 ? WORK_BATON : LEAVE);
    break;
  case WORK_BATON:
    DO("takeBaton");
    if (s.baton == FREE) {
      s.baton = HELD;
      s.moved = 1;
      me->after = SOURCE;
      GO(me->is_searching ? FOUND : SOURCE);
    } else {
      me->index = 0;
      GO(s.is_spread ? WORK_STEAL : LEAVE);
    }
    break;
  case WORK_STEAL:
    DO("steal");
    if (me->index != t && s.queue[me->index] > 0) {
      s.queue[me->index]--;
      s.moved = 1;
      me->index = 0;
      me->after = CALLBACK;
      GO(me->is_searching ? FOUND : CALLBACK);
    } else if (++me->index == workers) {
      me->index = 0;
      GO(LEAVE);
    }
    break;

  /* ----- leave ----- */
  case LEAVE:
    DO("leave: beginSearch");
    if (!me->is_searching) s.searching++;
    me->is_searching = 1;
    GO(LEAVE_ACTIVE);
    break;
  case LEAVE_ACTIVE:
    DO("leave: active - 1");
    s.active--;
    me->home = LEAVE_LOOKED;
    me->found = 0;
    GO(HAS_PHASE);
    break;
  case LEAVE_LOOKED:
    if (me->found) {
      DO("leave: stays, active + 1");
      s.active++;
      me->spread = s.is_spread;
      if (s.is_spread) GO(WORK);
      else CALL(QUIET_FLAG, WORK);
    } else {
      DO("leave: goes");
      GO(GONE);
    }
    break;
  case LEAVE_QUIET: /* Pool.live: a worker that comes back with work behind it */
    DO("Pool.live: beginSearch");
    s.searching++;
    me->is_searching = 1;
    GO(GONE);
    break;
  case GONE:
    if (!lock(t)) return 0;
    DO("Pool.live: has left");
    s.inside--;
    me->home = LIVE_FOUND;
    GO(first_source());
    break;

  /* ----- foundWork, then to `after` ----- */
  case FOUND: {
    DO("foundWork: endSearch");
    int was_last = s.searching == 1;
    s.searching--;
    me->is_searching = 0;
    int looks = was_last && !has_bug("the last searcher does not look");
    if (sources == 2) {
      GO(looks && !has_bug("the last searcher looks at its own source only") ? FOUND_OTHER_LOCK
         : me->after == OTHER_CALLBACK ? me->after : FOUND_COMPACT);
    } else {
      GO(looks ? FOUND_SPREAD : FOUND_COMPACT);
    }
    break;
  }
  case FOUND_OTHER_LOCK:
    if (!lock(t)) return 0;
    DO("wakeForOtherWork: lock");
    me->home = FOUND_OTHER;
    me->found = 0;
    GO(first_source());
    break;
  case FOUND_OTHER: {
    DO("wakeForOtherWork");
    unlock(t);
    int then = me->after == OTHER_CALLBACK ? me->after : FOUND_COMPACT;
    if (me->found) CALL(WAKE_WORD, then);
    else GO(then);
    break;
  }
  case FOUND_SPREAD:
    DO("foundWork: isSpread");
    GO(s.is_spread ? FOUND_READY : FOUND_COMPACT);
    break;
  case FOUND_READY:
    DO("foundWork: readyCount");
    if (s.ready_count > 0) CALL(WAKE_WORD, FOUND_COMPACT);
    else GO(FOUND_BATON);
    break;
  case FOUND_BATON:
    DO("foundWork: baton");
    me->index = 0;
    if (s.baton == FREE) CALL(WAKE_WORD, FOUND_COMPACT);
    else GO(FOUND_QUEUED);
    break;
  case FOUND_QUEUED:
    DO("foundWork: hasQueuedWork");
    if (s.queue[me->index] > 0) {
      me->index = 0;
      CALL(WAKE_WORD, FOUND_COMPACT);
    } else if (++me->index == workers) {
      me->index = 0;
      GO(FOUND_COMPACT);
    }
    break;
  case FOUND_COMPACT:
    DO("foundWork: isSpread");
    if (s.is_spread) GO(me->after);
    else CALL(QUIET_FLAG, me->after);
    break;

  /* ----- PoolLink.workAppeared, Pool.wakeOne; to `back` ----- */
  case WAKE_WORD:
    DO("workAppeared: word");
    if (s.parked > 0 && s.searching == 0 && !has_bug("the publisher does not look")) GO(WAKE_LOCK);
    else RETURN;
    break;
  case WAKE_LOCK:
    if (!lock(t)) return 0;
    DO("wakeOne: lock, word");
    if (s.parked > 0 && s.searching == 0) {
      GO(WAKE_UNPARK);
    } else {
      unlock(t);
      RETURN;
    }
    break;
  case WAKE_UNPARK: {
    DO("wakeOne: unpark");
    int i = first_parked();
    MUST(i >= 0, "the word counts a parked worker that is not there");
    for (int j = 0; j < workers; j++) MUST(!s.t[j].is_woken, "a second worker woken for one event");
    s.t[i].is_woken = 1;
    unpark(i);
    unlock(t);
    me->index = (uint8_t)i;
    GO(WAKE_SIGNAL);
    break;
  }
  case WAKE_SIGNAL:
    DO("wakeOne: signal");
    s.signal[me->index] = 1;
    me->index = 0;
    RETURN;
    break;

  /* ----- PoolLink.workAppearedQuietly, Pool.appointSentinel; to `back` ----- */
  case QUIET_FLAG:
    DO("workAppearedQuietly: hasSentinel");
    if (s.has_sentinel || has_bug("quiet work has no sentinel")) RETURN;
    else GO(QUIET_WORD);
    break;
  case QUIET_WORD:
    DO("workAppearedQuietly: word");
    if (s.parked > 0) GO(QUIET_LOCK);
    else RETURN;
    break;
  case QUIET_LOCK: {
    if (!lock(t)) return 0;
    DO("appointSentinel");
    int i = first_parked();
    if (!s.has_sentinel && i >= 0) {
      s.has_sentinel = 1;
      s.duty[i] = SENTINEL;
      me->index = (uint8_t)i;
      unlock(t);
      GO(WAKE_SIGNAL);
    } else {
      unlock(t);
      RETURN;
    }
    break;
  }
  case ANNOUNCE:
    DO("announce: isSpread");
    GO(s.is_spread ? WAKE_WORD : ANNOUNCE_ACTIVE);
    break;
  case ANNOUNCE_ACTIVE:
    DO("announce: active");
    GO(s.active == 0 ? WAKE_WORD : QUIET_FLAG);
    break;

  /* ----- a block on its way ----- */
  case CALLBACK: {
    int kinds = 1 + (s.spawns > 0) + (s.toggles > 0);
    int what = choose(kinds);
    if (what == 1 && s.spawns == 0) what = 2;
    DO(what == 0 ? "callback" : what == 1 ? "callback: another block may go on" : "callback: noteCost");
    if (what == 1) {
      s.spawns--, s.left++;
      GO(PUBLISH);
    } else if (what == 2) {
      s.toggles--;
      s.is_spread = !s.is_spread;
      if (s.is_spread) CALL(WAKE_WORD, RETIRE);
      else GO(RETIRE);
    } else {
      GO(RETIRE);
    }
    break;
  }
  case PUBLISH:
    DO("publish: ready.insert");
    s.ready++;
    GO(PUBLISH_COUNT);
    break;
  case PUBLISH_COUNT:
    DO("publish: readyCount + 1");
    s.ready_count++;
    CALL(ANNOUNCE, t < workers ? RETIRE : HOST);
    break;
  case RETIRE:
    DO("retire");
    s.left--;
    end_if_drained();
    GO(WORK);
    break;

  /* ----- PipelineRun.pull ----- */
  case SOURCE:
    if (s.source_left == 0) {
      DO("pull: end of input");
      s.baton = ENDED;
      s.has_ended = 1;
      end_if_drained();
      if (me->taken > 0) CALL(ANNOUNCE, WORK);
      else GO(WORK);
    } else {
      DO("pull: a block");
      s.source_left--;
      s.late_queue[t]++;
      me->taken++;
      if (me->taken < batch) CALL(has_bug("nothing is said of what a source has brought") ? SOURCE : QUIET_FLAG, SOURCE);
      else GO(PULLED);
    }
    break;
  case PULLED:
    DO("pull: isSpread");
    me->taken = 0;
    me->spread = s.is_spread;
    GO(GIVE_BATON);
    break;
  case GIVE_BATON:
    DO("pull: the baton is free");
    if (me->spread) s.baton = FREE; /* an exchange */
    else s.late_baton[t] = 1;       /* a store */
    CALL(me->spread ? WAKE_WORD : QUIET_FLAG, WORK);
    break;

  /* ----- a thread of the host: submits, then closes ----- */
  case HOST:
    if (s.host_left > 0) {
      s.host_left--;
      if (sources == 2) {
        DO("a piece for the other source");
        s.other_ready++;
        CALL(WAKE_WORD, HOST);
      } else {
        DO("submit: ready.insert");
        s.ready++;
        GO(PUBLISH_COUNT);
      }
    } else {
      GO(HOST_CLOSE);
      DO("submit: no more");
    }
    break;
  case HOST_CLOSE: {
    DO("endInput");
    if (sources == 2) {
      GO(HOST_DONE);
      break;
    }
    int before = s.phase;
    s.has_ended = 1;
    end_if_drained();
    if (s.phase != before) CALL(WAKE_WORD, HOST_DONE);
    else GO(HOST_DONE);
    break;
  }
  case HOST_DONE: return 0;
  default: return 0;
  }
  return 1;
}

#define IN(first, last) (me->pc >= (first) && me->pc <= (last))

/* What a thread does not need any more is no part of the state. */
static void forget(thread *me) {
  int wakes = IN(WAKE_WORD, ANNOUNCE_ACTIVE), looks_for_other = IN(FOUND_OTHER_LOCK, FOUND_OTHER);
  int finds = IN(FOUND, FOUND_COMPACT) || looks_for_other || (IN(HAS_PHASE, HAS_QUEUED) && me->home == FOUND_OTHER)
              || (me->pc == HAS_OTHER && me->home == FOUND_OTHER);
  if (!wakes) me->back = 0;
  if (!finds && !(wakes && me->back == FOUND_COMPACT)) me->after = 0;
  if (!IN(HAS_PHASE, HAS_QUEUED) && me->pc != HAS_OTHER && me->pc != LIVE_PARK) me->home = 0;
  if (me->pc == LIVE_PARK && me->home != LIVE_PARKED) me->home = 0;
  if (me->pc != LIVE_FOUND && me->pc != LIVE_PARKED && me->pc != LIVE_WANTS && me->pc != TICK_LOAD
      && me->pc != TICK_WANTS && me->pc != LEAVE_LOOKED && me->pc != FOUND_OTHER) me->found = 0;
  if (!IN(HAS_READY, HAS_QUEUED) && me->pc != GIVE_BATON) me->spread = 0;
  if (me->pc != HAS_QUEUED && me->pc != WORK_STEAL && me->pc != FOUND_QUEUED && me->pc != WAKE_SIGNAL) {
    me->index = 0;
  }
  if (me->pc != SOURCE && !(wakes && me->back == SOURCE)) me->taken = 0;
  if (!IN(SLEEP_LOCK, SLEEP_AGAIN)) me->ticked = 0;
  if (IN(LIVE_LOCK, SLEEP_AGAIN) || me->pc == GONE || me->pc == OTHER_GONE) me->is_searching = 0;
}

/* Steps that are one with the one before or behind them: taking a lock commutes with what others do
 * until the first thing done under it, giving it back with what they did since the last one. */
static int is_one_with_next(const thread *me) {
  switch (me->pc) {
  case LIVE_FOUND: case SLEEP_LOCK: case RETIRE: case HOST_CLOSE: return 1;
  case LEAVE_LOOKED: return !me->found;
  default: return 0;
  }
}

static int is_read_modify_write(int t) {
  switch (s.t[t].pc) {
  case LIVE_LOCK: case LIVE_PARK: case SLEEP: case WORK_IN: case WORK_TAKE: case WORK_COUNT:
  case WORK_OUT: case WORK_BATON: case WORK_STEAL: case LEAVE: case LEAVE_ACTIVE: case GONE:
  case OTHER: case OTHER_LEAVE: case OTHER_GONE: case OTHER_CALLBACK: case FOUND_OTHER_LOCK:
  case FOUND: case WAKE_LOCK: case WAKE_UNPARK: case WAKE_SIGNAL: case QUIET_LOCK: case PUBLISH:
  case PUBLISH_COUNT: case FINISH: case FINISHED: return 1;
  case WORK_OWN: return s.queue[t] + s.late_queue[t] > 0;
  case WORK_PHASE: return s.phase == DRAINED;
  case GIVE_BATON: return s.t[t].spread;
  case CALLBACK: return 1; /* callbacks lock and call; what is delayed that long does not matter */
  default: return 0;
  }
}

static int step(int t) {
  thread *me = &s.t[t];
  int takes_lock = me->pc == LIVE_LOCK || me->pc == GONE || me->pc == SLEEP || me->pc == OTHER_GONE;
  if (takes_lock && s.lock) return 0;
  if (t > workers) { /* a store buffer empties */
    int w = t - workers - 1;
    if (!s.late_queue[w] && !s.late_baton[w]) return 0;
    action = "a store becomes visible";
    drain(w);
    return 1;
  }
  if (is_read_modify_write(t)) drain(t);
  if (!act(t)) return 0;
  const char *first = action;
  if (takes_lock && me->pc == SLEEP_LOCK) act(t);
  if (takes_lock) act(t);
  while (is_one_with_next(me)) act(t);
  forget(me);
  action = first;
  return 1;
}

static int is_outside(int t) { return t < workers && (s.t[t].pc == CALLBACK || s.t[t].pc == SOURCE || s.t[t].pc == OTHER_CALLBACK); }

static void check(void) {
  MUST(s.parked <= workers && s.searching <= workers, "the word is wrong");
}

/* Nobody moves, but maybe callbacks that take long. */
static void check_rest(int has_all_ended) {
  int sleeps = 0, lies = s.ready > 0 || s.baton == FREE || s.phase == DRAINED || s.other_ready > 0;
  for (int i = 0; i < workers; i++) {
    sleeps |= s.t[i].pc == SLEEP;
    lies |= s.queue[i] > 0;
  }
  MUST(!(lies && sleeps), "work lies beside a sleeper");
  if (!has_all_ended) return;
  for (int i = 0; i < workers; i++) {
    MUST(s.t[i].pc == SLEEP, "a worker hangs");
    MUST(s.duty[i] == NONE, "an idle pool has a timer");
  }
  MUST(s.left == 0 && s.phase == OVER, "the run does not end");
  MUST(s.parked == workers && s.searching == 0, "the word is wrong at the end");
}

static void show(FILE *file) {
  fprintf(file, "parked %d searching %d%s ready %d/%d baton %d left %d active %d %s phase %d queues", s.parked,
          s.searching, s.has_sentinel ? " sentinel" : "", s.ready, s.ready_count, s.baton, s.left,
          s.active, s.is_spread ? "spread" : "compact", s.phase);
  for (int i = 0; i < workers; i++) fprintf(file, " %d", s.queue[i]);
  fprintf(file, " duties");
  for (int i = 0; i < workers; i++) fprintf(file, " %d%s", s.duty[i], s.signal[i] ? "!" : "");
}

static int passed, failed;
static uint64_t states;

typedef struct setting {
  int workers, batch, source, host, spawns, toggles, is_spread;
  int sources; /* 2: what the host publishes is for another source */
} setting;

static const char *run(setting o, const char *with, int shows) {
  memset(&s, 0, sizeof s);
  workers = o.workers, batch = o.batch, bug = with, sources = o.sources == 2 ? 2 : 1;
  s.searching = (uint8_t)workers;
  s.is_attached = 1;
  s.is_spread = (uint8_t)o.is_spread;
  s.baton = o.source ? FREE : ENDED;
  s.source_left = (uint8_t)o.source;
  s.host_left = (uint8_t)o.host;
  s.spawns = (uint8_t)o.spawns;
  s.toggles = (uint8_t)o.toggles;
  s.left = (uint8_t)(o.source + (sources == 2 ? 0 : o.host));
  s.moved = 1;
  for (int i = 0; i < workers; i++) s.t[i].pc = LIVE_LOCK;
  s.t[workers].pc = o.host || !o.source ? HOST : HOST_DONE;
  model m = { "sleep", sizeof s, 2 * workers + 1, &s, step, is_outside, check_rest, check, show };
  const char *wrong;
  states += explore(&m, &wrong, shows);
  return wrong;
}

static void holds(setting o) {
  uint64_t before = states;
  const char *wrong = run(o, "", 1);
  if (wrong) failed++;
  else passed++;
  printf("%s %d workers, batch %d, source %d, host %d, spawns %d, turns of pace %d, %s%s: %" PRIu64 " states\n",
         wrong ? "FAIL" : "ok  ", o.workers, o.batch, o.source, o.host, o.spawns, o.toggles,
         o.is_spread ? "spread" : "compact", o.sources == 2 ? ", two sources" : "", states - before);
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
  if (count == 9) {
    int o[8];
    for (int i = 0; i < 8; i++) o[i] = atoi(words[i + 1]);
    holds((setting){ o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7] });
    return failed != 0;
  }
  for (int spread = 0; spread < 2; spread++) {
    holds((setting){ 1, 2, 3, 0, 0, 1, spread, 1 });
    holds((setting){ 2, 2, 3, 0, 0, 1, spread, 1 });
    holds((setting){ 2, 1, 2, 0, 0, 2, spread, 1 });
    holds((setting){ 2, 1, 2, 0, 1, 1, spread, 1 });
    holds((setting){ 2, 1, 0, 2, 0, 0, spread, 1 });
    holds((setting){ 2, 1, 0, 1, 1, 1, spread, 1 });
    holds((setting){ 2, 1, 1, 1, 0, 0, spread, 2 });
    if (spread || is_long) {
      holds((setting){ 3, 1, 1, 0, 0, 0, spread, 1 });
      holds((setting){ 3, 1, 0, 1, 0, 0, spread, 1 });
    }
    if (!is_long) continue;
    holds((setting){ 2, 1, 0, 3, 0, 1, spread, 1 });
    holds((setting){ 2, 1, 0, 2, 0, 2, spread, 1 });
    holds((setting){ 2, 2, 5, 0, 0, 2, spread, 1 });
    holds((setting){ 3, 2, 2, 0, 0, 0, spread, 1 });
    holds((setting){ 3, 1, 0, 2, 0, 0, spread, 1 });
  }
  breaks("no second look", (setting){ 2, 1, 0, 2, 0, 0, 1, 1 });
  breaks("looks before it counts itself", (setting){ 2, 1, 0, 2, 0, 0, 1, 1 });
  breaks("the publisher does not look", (setting){ 2, 1, 0, 2, 0, 0, 1, 1 });
  breaks("the last searcher does not look", (setting){ 3, 1, 0, 3, 0, 0, 1, 1 });
  breaks("a woken worker counts itself", (setting){ 2, 1, 0, 2, 0, 0, 1, 1 });
  breaks("quiet work has no sentinel", (setting){ 2, 2, 3, 0, 0, 0, 0, 1 });
  breaks("off duty in one step", (setting){ 2, 2, 3, 0, 0, 0, 0, 1 });
  breaks("nobody is relieved", (setting){ 2, 2, 3, 0, 0, 0, 0, 1 });
  breaks("nothing is said of what a source has brought", (setting){ 2, 2, 3, 0, 0, 0, 1, 1 });
  breaks("the last searcher looks at its own source only", (setting){ 2, 1, 1, 1, 0, 0, 1, 2 });
  breaks("who finds stuck work hands no duty over", (setting){ 3, 2, 2, 0, 0, 0, 0, 1 });
  breaks("a spread run needs no sentinel for the baton", (setting){ 3, 2, 2, 0, 0, 0, 0, 1 });
  printf("sleep: %" PRIu64 " states, %d passed, %d failed\n", states, passed, failed);
  return failed != 0;
}
