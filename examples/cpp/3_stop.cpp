// SPDX-License-Identifier: MIT
// Counts primes until there are 5000: an endless source, and a stage that knows when to stop.
#include <iostream>

#include "wp.hpp"

constexpr uint64_t numbers = 1000, wanted = 5000;

static bool is_prime(uint64_t n) {
  for (uint64_t d = 2; d * d <= n; d++)
    if (n % d == 0) return false;
  return n > 1;
}

int main() {
  auto pool = wp::make<wp::pool>(wp_pool_create, nullptr);
  auto pipeline = wp::make<wp::pipeline>(wp_pipeline_create, pool.get(), nullptr);

  // The source would go on for ever: block n stands for the numbers from n * 1000 on.
  wp::add(pipeline, wp_pipeline_set_source, "numbers", WP_SERIAL, [](wp_block &block) {
    block.meta[0] = block.number * numbers;
    return WP_STAGE_OK;
  });
  wp::add(pipeline, wp_pipeline_add_stage, "primes", WP_PARALLEL, [](wp_block &block) {
    for (uint64_t n = block.meta[0]; n < block.meta[0] + numbers; n++) block.meta[1] += is_prime(n);
    return WP_STAGE_OK;
  });
  uint64_t total = 0;
  wp::add(pipeline, wp_pipeline_add_stage, "sum", WP_SERIAL, [&total](wp_block &block) {
    total += block.meta[1];
    // This block is the last one that goes on, whatever other workers have begun meanwhile.
    return total >= wanted ? WP_STAGE_STOP : WP_STAGE_OK;
  });

  int32_t status = wp_pipeline_run(pipeline.get());  // WP_STOPPED is a success
  wp_result result{};
  result.struct_size = sizeof result;
  wp_pipeline_result(pipeline.get(), &result);
  std::cout << (status == WP_STOPPED ? "stopped" : "ended") << " at block " << result.number << "\n"
            << total << " primes below " << (result.number + 1) * numbers << "\n"
            << result.blocks_delivered << " blocks delivered\n";
}
