// SPDX-License-Identifier: MIT
/* Explores every interleaving of a small model, breadth first. A model is a struct of plain bytes and
 * threads that change it, one atomic operation a step. What must not be is said in the steps (MUST) or
 * in `check`; a violation is shown with the shortest way to it. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct model {
  const char *name;
  size_t size; /* of the state */
  int threads;
  void *state; /* the one that steps change */
  /* One step of a thread; returns 0 if it can take none. May call `choose` once. */
  int (*step)(int thread);
  /* Called for each state: whether thread t is held up for as long as the user likes. */
  int (*is_outside)(int thread);
  /* No thread can take a step, or only those that are outside: is that as it should be? */
  void (*check_rest)(int everything_has_ended);
  void (*check)(void);
  void (*show)(FILE *file);
} model;

static const char *violation;   /* of the step under way */
static const char *action = ""; /* what the step did, for the way to a violation */
static int choice, choices;
static jmp_buf violated;

/* A decision from outside: each of 0 ... count - 1 is followed. */
static inline int choose(int count) {
  choices = count;
  return choice;
}
#define MUST(condition, words) ((condition) ? (void)0 : (violation = (words), longjmp(violated, 1)))

typedef struct table {
  uint8_t *states;
  uint64_t *parents; /* index << 8 | thread << 4 | choice */
  uint32_t *buckets;
  uint64_t count, room, mask;
} table;

static inline uint64_t hash_of(const uint8_t *state, size_t size) {
  uint64_t h = 1469598103934665603u;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, state + i, 8);
    h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
  }
  for (; i < size; i++) h = (h ^ state[i]) * UINT64_C(0x100000001b3);
  h ^= h >> 29;
  return h * UINT64_C(0xBF58476D1CE4E5B9) >> 8;
}

static inline void table_grow(table *t, size_t size) {
  if (t->count < t->room) return;
  t->room = t->room ? t->room * 2 : 1 << 14;
  t->states = realloc(t->states, t->room * size);
  t->parents = realloc(t->parents, t->room * sizeof *t->parents);
  free(t->buckets);
  t->mask = t->room * 4 - 1;
  t->buckets = calloc(t->mask + 1, sizeof *t->buckets);
  if (!t->states || !t->parents || !t->buckets) {
    fprintf(stderr, "no memory for %" PRIu64 " states\n", t->room);
    exit(2);
  }
  for (uint64_t i = 0; i < t->count; i++) {
    uint64_t slot = hash_of(t->states + i * size, size) & t->mask;
    while (t->buckets[slot]) slot = (slot + 1) & t->mask;
    t->buckets[slot] = (uint32_t)i + 1;
  }
}

static inline void table_add(table *t, const void *state, size_t size, uint64_t parent) {
  uint64_t slot = hash_of(state, size) & t->mask;
  while (t->buckets[slot]) {
    if (!memcmp(t->states + (uint64_t)(t->buckets[slot] - 1) * size, state, size)) return;
    slot = (slot + 1) & t->mask;
  }
  table_grow(t, size);
  slot = hash_of(state, size) & t->mask;
  while (t->buckets[slot]) slot = (slot + 1) & t->mask;
  memcpy(t->states + t->count * size, state, size);
  t->parents[t->count++] = parent;
  t->buckets[slot] = (uint32_t)t->count;
}

static inline void show_way(const model *m, table *t, uint64_t last) {
  uint64_t way[4096];
  int length = 0;
  for (uint64_t i = last; i && length < 4096; i = t->parents[i] >> 8) way[length++] = i;
  while (length--) {
    uint64_t i = way[length], parent = t->parents[i];
    memcpy(m->state, t->states + (parent >> 8) * m->size, m->size);
    choice = (int)(parent & 15);
    action = "";
    if (!setjmp(violated)) m->step((int)(parent >> 4 & 15));
    printf("    %d: %-40s ", (int)(parent >> 4 & 15), action);
    m->show(stdout);
    printf("\n");
  }
}

/* Returns the number of states; *out_violation is NULL if all is well. `shows` prints the way to it. */
static inline uint64_t explore(const model *m, const char **out_violation, int shows) {
  static table t;
  static const char *volatile found;
  t.count = 0;
  if (t.buckets) memset(t.buckets, 0, (t.mask + 1) * sizeof *t.buckets);
  uint8_t *start = malloc(m->size);
  memcpy(start, m->state, m->size);
  t.room = t.room ? t.room : 0;
  if (!t.room || t.states == NULL) table_grow(&t, m->size);
  /* The room is counted in states of this size. */
  t.states = realloc(t.states, t.room * m->size);
  table_add(&t, start, m->size, 0);
  found = NULL;
  volatile uint64_t at = 0;
  for (; at < t.count && !found; at = at + 1) {
    volatile int moves = 0, moves_inside = 0, thread = 0;
    memcpy(m->state, t.states + at * m->size, m->size);
    if (m->check) {
      if (!setjmp(violated)) m->check();
      else found = violation;
    }
    for (thread = 0; thread < m->threads && !found; thread = thread + 1) {
      volatile int c = 0;
      do {
        memcpy(m->state, t.states + at * m->size, m->size);
        volatile int outside = m->is_outside && m->is_outside(thread);
        choice = c, choices = 1;
        if (setjmp(violated)) {
          found = violation;
          table_grow(&t, m->size);
          break;
        }
        if (m->step(thread)) {
          int is_same = !memcmp(m->state, t.states + at * m->size, m->size);
          moves = 1;
          if (!outside && !is_same) moves_inside = 1;
          if (!is_same) {
            table_add(&t, m->state, m->size, at << 8 | (uint64_t)thread << 4 | (uint64_t)c);
          }
        }
        c = c + 1;
      } while (c < choices);
    }
    if (!found && !moves_inside && m->check_rest) {
      memcpy(m->state, t.states + at * m->size, m->size);
      if (!setjmp(violated)) m->check_rest(!moves);
      else found = violation;
    }
    if (found) {
      if (shows) {
        show_way(m, &t, at);
        memcpy(m->state, t.states + at * m->size, m->size);
        printf("    in: ");
        m->show(stdout);
        printf("\n    %s\n", found);
      }
      break;
    }
  }
  memcpy(m->state, start, m->size);
  free(start);
  *out_violation = found;
  return t.count;
}

#endif
