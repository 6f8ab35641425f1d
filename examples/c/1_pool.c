/* SPDX-License-Identifier: MIT
 * A pool is a fixed number of threads, its workers. Make one, ask it, destroy it. */
#include <stdio.h>
#include <workpool.h>

int main(void) {
  /* Options begin with their size; what is left zero is the default. With NULL for the options the
   * pool has one worker for each CPU that this process may use: wp_usable_cpus(). */
  wp_pool_options options = {.struct_size = sizeof options, .workers = 3, .name_prefix = "example"};
  wp_pool *pool;
  int32_t status = wp_pool_create(&options, &pool);
  if (status != WP_OK) {
    fprintf(stderr, "%s: %s\n", wp_status_name(status), wp_last_error_text());
    return 1;
  }
  printf("a pool of %u workers\n", (unsigned)wp_pool_workers(pool));
  printf("the main thread is %s\n", wp_worker_index() < 0 ? "none of them" : "one of them");
  printf("usable CPUs: %s\n", wp_usable_cpus() >= 1 ? "at least one" : "none");

  /* Every function that can fail says so by a negative status, which has a name and a meaning. */
  wp_pool *too_large;
  options.workers = 5000;
  status = wp_pool_create(&options, &too_large);
  printf("a pool of 5000 workers: %s\n", wp_status_name(status));
  /* wp_last_error_text() says more. */

  /* Ends the threads and waits for that. A pool that is still in use would answer WP_BUSY. */
  status = wp_pool_destroy(pool);
  printf("destroyed: %s\n", status == WP_OK ? "yes" : "no");
  return status != WP_OK;
}
