// SPDX-License-Identifier: MIT
// A pool is a fixed number of threads, its workers. Make one, ask it, destroy it.
#include <iostream>

#include "wp.hpp"

int main() {
  // Options begin with their size, which the _INIT macro sets; what is left zero is the default.
  // With nullptr for the options the pool has one worker for each CPU that this process may use.
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  options.workers = 3;
  options.name_prefix = "example";
  auto pool = wp::make<wp::pool>(wp_pool_create, &options);
  std::cout << "a pool of " << wp_pool_workers(pool.get()) << " workers\n";
  std::cout << "the main thread is " << (wp_worker_index() < 0 ? "none" : "one") << " of them\n";
  std::cout << "usable CPUs: " << (wp_usable_cpus() >= 1 ? "at least one" : "none") << "\n";

  // wp::check turns a negative status into an exception that carries it.
  try {
    options.workers = 5000;
    wp::make<wp::pool>(wp_pool_create, &options);
  } catch (const wp::error &error) {
    std::cout << "a pool of 5000 workers: " << wp_status_name(error.code) << "\n";
  }

  // The handle would do this by itself; asked for, it can tell how it went.
  int32_t status = wp_pool_destroy(pool.release());
  std::cout << "destroyed: " << (status == WP_OK ? "yes" : "no") << "\n";
}
