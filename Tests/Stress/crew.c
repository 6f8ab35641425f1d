// SPDX-License-Identifier: MIT
/* Threads that come to a pool as its workers, are sent away by their token, and come again; and a number of
 * workers that changes all the time. */
#include "stress.h"

enum { MOST_MATES = 3 };

typedef struct mate {
  crew *crew;
  wp_token *token; /* under the crew's lock; NULL: not on a seat */
  pthread_t thread;
} mate;

struct crew {
  wp_pool *pool;
  run *run;
  pthread_mutex_t lock;
  int32_t is_over; /* atomic */
  uint64_t seed;
  uint32_t mates;
  mate mate[MOST_MATES];
  pthread_t sender;
};

static void *be_worker(void *argument) {
  mate *mate = argument;
  crew *crew = mate->crew;
  while (!LOAD(crew->is_over)) {
    wp_token *token = NULL;
    REQUIRE_EQUAL(crew->run, wp_token_create(NULL, &token), WP_OK);
    pthread_mutex_lock(&crew->lock);
    mate->token = token;
    if (LOAD(crew->is_over)) wp_token_cancel(token);
    pthread_mutex_unlock(&crew->lock);
    int32_t status = wp_pool_run_worker(crew->pool, token);
    REQUIRE(crew->run, status == WP_CANCELLED || status == WP_BUSY);
    REQUIRE_EQUAL(crew->run, wp_worker_index(), -1);
    pthread_mutex_lock(&crew->lock);
    mate->token = NULL;
    pthread_mutex_unlock(&crew->lock);
    REQUIRE_EQUAL(crew->run, wp_token_destroy(token), WP_OK);
    if (status == WP_BUSY) nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
  }
  return NULL;
}

static void send_away(crew *crew, uint32_t which) {
  pthread_mutex_lock(&crew->lock);
  for (uint32_t i = 0; i < crew->mates; i++) {
    if (!(which >> i & 1) || !crew->mate[i].token) continue;
    wp_token_cancel(crew->mate[i].token);
  }
  pthread_mutex_unlock(&crew->lock);
}

static void *send(void *argument) {
  crew *crew = argument;
  uint64_t r = mix(crew->seed);
  while (!LOAD(crew->is_over)) {
    nanosleep(&(struct timespec){ .tv_nsec = 20000 + pick(&r, 300000) }, NULL);
    send_away(crew, pick(&r, 1u << MOST_MATES));
    uint32_t most = crew->run->plan->most_workers;
    if (most && pick(&r, 2)) {
      REQUIRE_EQUAL(crew->run, wp_pool_set_workers(crew->pool, 1 + pick(&r, most)), WP_OK);
    }
  }
  return NULL;
}

crew *crew_begin(run *run, wp_pool *pool) {
  crew *crew = calloc(1, sizeof *crew);
  if (!crew) exit(2);
  crew->pool = pool;
  crew->run = run;
  crew->seed = run->plan->seed;
  crew->mates = run->plan->mates < MOST_MATES ? run->plan->mates : MOST_MATES;
  pthread_mutex_init(&crew->lock, NULL);
  for (uint32_t i = 0; i < crew->mates; i++) {
    crew->mate[i].crew = crew;
    crew->mate[i].thread = spawn(be_worker, &crew->mate[i]);
  }
  crew->sender = spawn(send, crew);
  return crew;
}

void crew_end(crew *crew) {
  STORE(crew->is_over, 1);
  send_away(crew, UINT32_MAX);
  for (uint32_t i = 0; i < crew->mates; i++) pthread_join(crew->mate[i].thread, NULL);
  pthread_join(crew->sender, NULL);
  pthread_mutex_destroy(&crew->lock);
  free(crew);
}
