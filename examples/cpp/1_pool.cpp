// SPDX-License-Identifier: MIT
// A pool is a fixed number of threads, its workers. Make one, ask it, destroy it.
#include <iostream>
#include <workpool.hpp>

int main() {
  // What is not set in options is the default: without any, a pool has one worker for each CPU that
  // this process may use.
  workpool::Pool pool(workpool::PoolOptions().workers(3).name_prefix("example"));
  std::cout << "a pool of " << pool.workers() << " workers\n";
  std::cout << "the main thread is " << (workpool::worker_index() < 0 ? "none" : "one")
            << " of them\n";
  std::cout << "usable CPUs: " << (workpool::usable_cpus() >= 1 ? "at least one" : "none") << "\n";

  // What cannot be done is thrown.
  try {
    const workpool::Pool many(5000);
  } catch (const workpool::Error &error) {
    std::cout << "a pool of 5000 workers: " << error.name() << "\n";
  }

  // The destructor would do this too; close() throws if it cannot.
  pool.close();
  std::cout << "destroyed: yes\n";
}
