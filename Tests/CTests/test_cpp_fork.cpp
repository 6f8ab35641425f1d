// SPDX-License-Identifier: MIT
// workpool.hpp in a child process, and at the end of a process.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "stages.hpp"

using workpool::Block;
using workpool::Pipeline;
using workpool::PipelineOptions;
using workpool::Pool;
using workpool::Result;
using workpool::Token;

// The exit status of a child that runs `function` and ends as programs do.
template <class Function>
static int child(Function function) {
  std::fflush(stdout);
  const pid_t id = fork();
  if (id == 0) std::exit(function());
  int status = -1;
  CHECK_EQUAL(waitpid(id, &status, 0), id);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void inherited() {
  auto pool = std::make_unique<Pool>(3);
  auto token = std::make_unique<Token>();
  auto pipeline = std::make_unique<Pipeline>(
      *pool, PipelineOptions().pull_results().max_blocks_in_flight(4).token(*token));
  pipeline->source("endless", [](Block &block) {
    block.append("data");
    return true;
  });
  pipeline->start();
  auto result = std::make_unique<Result>();
  CHECK(pipeline->next_result(*result) == workpool::Next::block);

  const int wrong = child([&] {
    int failed = 0;
    const auto refused = [&failed](int32_t status) { failed += status != WP_FORKED; };
    Result another;
    refused(status_of([&] { pipeline->wait(); }));
    refused(status_of([&] { pipeline->cancel(); }));
    refused(status_of([&] { pipeline->statistics(); }));
    refused(status_of([&] { pipeline->next_result(another); }));
    refused(status_of([&] { pipeline->destroy(); }));
    refused(status_of([&] { pool->close(); }));
    refused(status_of([&] { static_cast<void>(Pipeline(*pool)); }));
    refused(status_of([&] { static_cast<void>(token->child()); }));
    // They go in any order, and quietly.
    pipeline.reset();
    pool.reset();
    result.reset();
    token.reset();
    const Pool own(2);
    Pipeline fresh(own);
    fresh.source("source", [](Block &block) { return block.number() < 10; });
    failed += fresh.run().blocks_delivered != 10;
    return failed;
  });
  CHECK_EQUAL(wrong, 0);

  // The parent has not noticed.
  CHECK(result->text() == "data");
  for (uint64_t number = 1; number < 100; number++) {
    CHECK(pipeline->next_result(*result) == workpool::Next::block);
    CHECK_EQUAL(result->number(), number);
  }
  result.reset();
  pipeline->destroy();
  pool->close();
}

// What lives on when a process ends does not keep it.
static void exits() {
  const int status = child([] {
    static Pool pool(3);
    static Pipeline pipeline(pool, PipelineOptions().pull_results());
    static Result held;
    pipeline.source("endless", [](Block &) { return true; });
    pipeline.start();
    pipeline.next_result(held);
    return 7;  // the statics go now
  });
  CHECK_EQUAL(status, 7);
  const int abandoned = child([] {
    auto *pool = new Pool(3);
    auto *pipeline = new Pipeline(*pool);
    pipeline->source("endless", [](Block &) { return true; });
    pipeline->start();
    return 8;
  });
  CHECK_EQUAL(abandoned, 8);
}

int main() {
  RUN("a child is refused what it inherits, and lets go of it quietly", inherited);
  RUN("a process ends whatever lives on in it", exits);
  return CHECK_SUMMARY();
}
