// SPDX-License-Identifier: MIT
// Counts primes until there are 5000: an endless source, and a stage that knows when to stop.
#include <iostream>
#include <workpool.hpp>

using workpool::Action;
using workpool::Block;

constexpr uint64_t numbers = 1000, wanted = 5000;

static bool is_prime(uint64_t n) {
  for (uint64_t d = 2; d * d <= n; d++)
    if (n % d == 0) return false;
  return n > 1;
}

int main() {
  workpool::Pool pool;
  workpool::Pipeline pipeline(pool);

  // The source says whether there is a block, and would go on for ever: block n stands for the
  // numbers from n * 1000 on.
  pipeline.source("numbers", [](Block &block) {
    block.meta(0) = block.number() * numbers;
    return true;
  });
  pipeline.stage("primes", workpool::parallel, [](Block &block) {
    for (uint64_t n = block.meta(0); n < block.meta(0) + numbers; n++) block.meta(1) += is_prime(n);
  });
  uint64_t total = 0;
  pipeline.stage("sum", workpool::serial, [&total](Block &block) {
    total += block.meta(1);
    // This block is the last one that goes on, whatever other workers have begun meanwhile.
    return total >= wanted ? Action::stop : Action::go_on;
  });

  const workpool::Outcome outcome = pipeline.run();  // a stop is a success
  std::cout << (outcome.is_stopped() ? "stopped" : "ended") << " at block " << outcome.number
            << "\n"
            << total << " primes below " << (outcome.number + 1) * numbers << "\n"
            << outcome.blocks_delivered << " blocks delivered\n";
}
