// SPDX-License-Identifier: MIT
/* Pools that several cases use at once; each is destroyed and made anew now and then. */
#include "stress.h"

enum { MOST_WORKERS = 1024, CASES_EACH = 400 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_pool {
  wp_pool *pool;
  uint32_t users, cases;
} pools[MOST_WORKERS + 1];

static wp_pool *make(uint32_t workers, const plan *own) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = workers;
  if (own) {
    options.host_workers = own->host_workers;
    options.max_workers = own->most_workers;
    options.blocking_extra = own->blocking_extra;
  }
  int32_t status = wp_pool_create(&options, &pool);
  if (status == WP_OK) return pool;
  fprintf(stderr, "stress: no pool of %u workers: %s\n", workers, wp_last_error_text());
  exit(2);
}

static void destroy(wp_pool *pool) {
  int32_t status = wp_pool_destroy(pool);
  if (status != WP_OK) fault(NULL, __FILE__, __LINE__, "a pool that nobody uses: %s", wp_status_name(status));
}

wp_pool *pool_take(uint32_t workers, const plan *own) {
  if (own) return make(workers, own);
  pthread_mutex_lock(&lock);
  struct shared_pool *shared = &pools[workers];
  if (!shared->pool) shared->pool = make(workers, NULL);
  shared->users++;
  wp_pool *pool = shared->pool;
  pthread_mutex_unlock(&lock);
  return pool;
}

void pool_give(wp_pool *pool, uint32_t workers, int is_own) {
  if (is_own) {
    destroy(pool);
    return;
  }
  pthread_mutex_lock(&lock);
  struct shared_pool *shared = &pools[workers];
  wp_pool *old = NULL;
  if (--shared->users == 0 && ++shared->cases >= CASES_EACH) {
    old = shared->pool;
    shared->pool = NULL;
    shared->cases = 0;
  }
  pthread_mutex_unlock(&lock);
  if (old) destroy(old);
}

void pools_close(void) {
  for (uint32_t i = 0; i <= MOST_WORKERS; i++) {
    if (pools[i].pool) destroy(pools[i].pool);
    memset(&pools[i], 0, sizeof pools[i]);
  }
}
