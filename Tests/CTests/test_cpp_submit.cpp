// SPDX-License-Identifier: MIT
// workpool.hpp: submitted payloads and pulled results.
#include <array>
#if __cplusplus >= 202002L
#include <ranges>
#endif
#include <thread>

#include "stages.hpp"

using namespace std::chrono_literals;
using workpool::Action;
using workpool::Block;
using workpool::Next;
using workpool::Payload;
using workpool::Pipeline;
using workpool::PipelineOptions;
using workpool::Pool;
using workpool::Released;
using workpool::Result;
using workpool::Submitted;

#if __cplusplus >= 202002L
static_assert(std::ranges::input_range<workpool::Results>);
#endif

static constexpr uint32_t worker_counts[] = {1, 2, 8, 64};

static void kinds() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool, PipelineOptions().max_blocks_in_flight(8));
    std::vector<std::string> seen;
    std::vector<const void *> where;
    pipeline.sink("sink", [&](Block &block) {
      seen.emplace_back(block.text());
      where.push_back(block.data());
      CHECK_EQUAL(block.meta(2), 10 + block.number());
    });
    pipeline.start();
    auto submit = [&, number = uint64_t(10)](Payload payload) mutable {
      payload.meta(2, number++);
      CHECK(pipeline.submit(payload) == Submitted::accepted);
      CHECK_EQUAL(payload.size(), 0);
    };
    std::string lvalue = "lvalue";
    std::vector<char> vector(100'000, 'v');
    const void *const vector_data = vector.data();
    char borrowed[] = "borrowed";
    std::atomic<int> released{0};
    submit("literal");
    submit(lvalue);
    lvalue = "changed, for that was a copy";
    submit(std::string("short and moved"));
    submit(std::move(vector));
    submit(std::string_view("a view"));
    submit(Payload("with size", 4));
    submit(std::array<char, 3>{'a', 'b', 'c'});
    submit(Payload());
    submit(Payload::borrow(borrowed, 8, [&released] { released++; }));
    submit(std::vector<char>());
    CHECK(pipeline.flush());
    pipeline.close();
    CHECK(pipeline.wait().is_ok());
    const std::vector<std::string> expected{"literal", "lvalue", "short and moved",
                                            std::string(100'000, 'v'), "a view", "with", "abc", "",
                                            "borrowed", ""};
    CHECK(seen == expected);
    CHECK(where.at(3) == vector_data);
    CHECK(where.at(8) == borrowed);
    CHECK_EQUAL(released, 1);
    CHECK_THROWS(pipeline.submit("late"), WP_CLOSED);
  }
}

// A payload that is not accepted keeps what it holds.
static void not_accepted() {
  const Pool pool(1);
  Gate gate;
  Pipeline pipeline(pool, PipelineOptions().max_blocks_in_flight(1));
  pipeline.stage("gate", workpool::serial, [&gate](Block &) { gate.pass(); });
  Payload payload(std::vector<int>(1000, 7));
  const void *const data = payload.data();
  CHECK_THROWS(pipeline.submit(payload), WP_INVALID_STATE);
  pipeline.start();
  CHECK(pipeline.submit("first") == Submitted::accepted);
  gate.wait_for(1);
  CHECK(pipeline.submit(payload, 0s) == Submitted::timed_out);
  CHECK(pipeline.submit(payload, 1ms) == Submitted::timed_out);
  CHECK(!pipeline.flush(0s));
  CHECK_EQUAL(payload.size(), 4000);
  CHECK(payload.data() == data);
  gate.open();
  CHECK(pipeline.submit(payload) == Submitted::accepted);
  CHECK(payload.data() == nullptr);
  pipeline.stop();
  CHECK(pipeline.wait().is_stopped());
  CHECK(pipeline.submit("late") == Submitted::stopped);
}

static void numbered() {
  const Pool pool(2);
  Pipeline pipeline(pool);
  std::vector<uint64_t> seen;
  pipeline.sink("sink", [&seen](Block &block) { seen.push_back(block.number()); });
  pipeline.start();
  CHECK(pipeline.submit_numbered(2, "two") == Submitted::accepted);
  Payload again("again");
  CHECK_THROWS(pipeline.submit_numbered(2, again), WP_DUPLICATE_BLOCK);
  CHECK_EQUAL(again.size(), 5);
  CHECK_THROWS(pipeline.submit("without"), WP_INVALID_STATE);
  CHECK(pipeline.skip(1) == Submitted::accepted);
  CHECK_THROWS(pipeline.skip(1), WP_DUPLICATE_BLOCK);
  CHECK(pipeline.submit_numbered(0, std::string("zero")) == Submitted::accepted);
  CHECK(pipeline.submit_numbered(4, "four", 1h) == Submitted::accepted);
  CHECK(pipeline.submit_numbered(1000, "far", 0s) == Submitted::timed_out);
  pipeline.close();
  CHECK_THROWS(pipeline.wait(), WP_MISSING_BLOCK);
  CHECK(seen == std::vector<uint64_t>({0, 2}));
  CHECK_EQUAL(pipeline.outcome().number, 3);
}

// Whoever submits is told of the failure, by the exception itself.
static void submit_to_a_failed_run() {
  const Pool pool(2);
  Pipeline pipeline(pool);
  pipeline.stage("fail", workpool::parallel, [](Block &block) {
    if (block.number() == 3) throw Oops{3};
  });
  pipeline.start();
  CHECK_EQUAL(oops_of([&] {
    while (pipeline.submit("x") == Submitted::accepted) {
    }
  }), 3);
  CHECK_EQUAL(oops_of([&] { pipeline.flush(); }), 3);

  Pipeline pulled(pool, PipelineOptions().pull_results().reader_is_another_thread());
  pulled.stage("fail", workpool::parallel, [](Block &) { throw Oops{0}; });
  pulled.start();
  CHECK_EQUAL(status_of([&] {
    while (pulled.submit("x") == Submitted::accepted) {
    }
  }), WP_STAGE_FAILED);
  Result result;
  CHECK_EQUAL(oops_of([&] { pulled.next_result(result); }), 0);
}

// ----- results -----

static auto count_to(uint64_t end) {
  return [end](Block &block) {
    block.append(std::to_string(block.number()));
    return block.number() < end;
  };
}

static void range() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool, PipelineOptions().pull_results().max_blocks_in_flight(4));
    pipeline.source("source", count_to(300));
    for (int run = 0; run < 2; run++) {
      uint64_t next = 0;
      pipeline.start();
      for (Result &block : pipeline.results()) {
        CHECK_EQUAL(block.number(), next);
        CHECK(block.text() == std::to_string(next));
        next++;
      }
      CHECK_EQUAL(next, 300);
      CHECK(pipeline.wait().is_ok());
      for (Result &block : pipeline.results()) CHECK(!block);  // nothing more
    }
    // Held ones keep their places and bytes.
    std::vector<Result> held;
    pipeline.start();
    for (Result &block : pipeline.results()) {
      held.push_back(std::move(block));
      if (held.size() == 3) break;
    }
    Result next;
    for (uint64_t number = 3; number < 20; number++) {
      CHECK(pipeline.next_result(next) == Next::block);
      CHECK_EQUAL(next.number(), number);
    }
    for (size_t i = 0; i < held.size(); i++) CHECK(held[i].text() == std::to_string(i));
    held.push_back(std::move(next));
    CHECK_THROWS(pipeline.next_result(next), WP_WOULD_DEADLOCK);
    CHECK(!next);
    CHECK_THROWS(pipeline.destroy(), WP_BUSY);
    held.pop_back();
    CHECK(pipeline.next_result(next, 1h) == Next::block);
  }
}

// Results may outlive their pipeline, which then has ended all the same.
static void outliving() {
  const int alive = Counted::alive;
  Result kept;
  {
    std::atomic<int> finished{0};
    const Pool pool(2);
    Pipeline pipeline(pool, PipelineOptions().pull_results().max_blocks_in_flight(3));
    pipeline.source("source", workpool::StageOptions().on_finish([&finished](int32_t) {
      finished++;
    }), [own = Counted()](Block &block) {
      block.append("kept");
      return true;
    });
    pipeline.start();
    CHECK(pipeline.next_result(kept) == Next::block);
    pipeline = Pipeline(pool);
    CHECK_EQUAL(finished, 1);
    CHECK_EQUAL(Counted::alive, alive + 1);
  }
  CHECK(kept && kept.text() == "kept");
  Result moved = std::move(kept);
  CHECK(!kept && moved);
  moved.release();
  CHECK(!moved);
  CHECK_EQUAL(Counted::alive, alive);
}

// One thread may submit and read: it is told when it must read.
static void one_thread() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool, PipelineOptions().pull_results().max_blocks_in_flight(5));
    pipeline.stage("double", workpool::parallel, [](Block &block) { block.meta(0) *= 2; });
    pipeline.start();
    Result result;
    CHECK(pipeline.next_result(result, 0s) == Next::timed_out);
    CHECK(pipeline.next_result(result, 1ms) == Next::timed_out);
    uint64_t read = 0, reads_first = 0;
    const auto read_one = [&] {
      if (pipeline.next_result(result) == Next::end) return false;
      CHECK_EQUAL(result.meta(0), 2 * read);
      read++;
      return true;
    };
    for (uint64_t i = 0; i < 200; i++) {
      Payload payload;
      payload.meta(0, i);
      while (pipeline.submit(payload) == Submitted::results_waiting) {
        reads_first++;
        CHECK(read_one());
        result.release();
      }
    }
    CHECK_EQUAL(reads_first, 195);
    pipeline.close();
    while (read_one()) {
    }
    CHECK_EQUAL(read, 200);
    CHECK(pipeline.wait(1h)->is_ok());
  }
}

static void bytes() {
  const Pool pool(2);
  Pipeline pipeline(pool, PipelineOptions().pull_results().max_bytes_in_flight(100));
  pipeline.stage("weigh", workpool::serial, [](Block &block) {
    CHECK_EQUAL(block.weight(), 70);
    block.set_weight(60);
  });
  pipeline.start();
  CHECK(pipeline.submit(Payload("x").weight(70)) == Submitted::accepted);
  CHECK(pipeline.submit(Payload("x").weight(70)) == Submitted::accepted);
  CHECK(pipeline.flush());
  CHECK_EQUAL(pipeline.statistics().bytes_in_flight, 120);
  CHECK(pipeline.submit(Payload("x").weight(70)) == Submitted::results_waiting);
  pipeline.set_max_bytes(0);
  CHECK(pipeline.submit(Payload("x").weight(70)) == Submitted::accepted);
  pipeline.close();
  int results = 0;
  for (Result &block : pipeline.results()) results += block.weight() == 60;
  CHECK_EQUAL(results, 3);
}

static void failing_results() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool, PipelineOptions().pull_results());
    pipeline.source("source", count_to(100));
    pipeline.stage("fail", workpool::parallel, [](Block &block) {
      if (block.number() >= 60) throw Oops{block.number()};
    });
    uint64_t seen = 0;
    pipeline.start();
    CHECK_EQUAL(oops_of([&] {
      for (Result &block : pipeline.results()) CHECK_EQUAL(block.number(), seen++);
    }), 60);
    CHECK_EQUAL(seen, 60);
    Pipeline collecting(pool, PipelineOptions().pull_results().collect_errors());
    collecting.source("source", count_to(100));
    collecting.stage("fail", workpool::parallel, [](Block &block) {
      if (block.number() == 60) throw Oops{60};
    });
    seen = 0;
    collecting.start();
    for (Result &block : collecting.results()) seen += block ? 1 : 0;
    CHECK_EQUAL(seen, 99);
    CHECK_EQUAL(collecting.errors().size(), 1);
    Pipeline cancelled(pool, PipelineOptions().pull_results());
    cancelled.source("source", count_to(UINT64_MAX));
    cancelled.start();
    cancelled.cancel();
    Result result;
    CHECK_THROWS(cancelled.next_result(result), WP_CANCELLED);
  }
}

// Every payload is released once, for the reason that holds.
static void reasons() {
  const Pool pool(2);
  const int alive = Counted::alive;
  std::atomic<int> counts[7] = {};
  const auto lend = [&counts, own = Counted()] {
    return Payload::borrow(nullptr, 0, [&counts, own](Released why) {
      counts[static_cast<int>(why)]++;
      throw Oops{0};  // lost
    });
  };
  { const Payload never = lend(); }
  {
    Pipeline pipeline(pool);
    pipeline.stage("some", workpool::serial, [](Block &block) {
      if (block.number() == 1) return Action::drop;
      if (block.number() == 2) block.set("copy");
      if (block.number() == 3) block.set(std::string("moved"));
      if (block.number() == 4) return block.fail(-1, "");
      return Action::go_on;
    });
    pipeline.start();
    for (int i = 0; i < 5; i++) CHECK(pipeline.submit(lend()) == Submitted::accepted);
    pipeline.close();
    CHECK_THROWS(pipeline.wait(), -1);
    CHECK_EQUAL(counts[static_cast<int>(Released::delivered)], 1);
    CHECK_EQUAL(counts[static_cast<int>(Released::dropped)], 1);
    CHECK_EQUAL(counts[static_cast<int>(Released::replaced)], 2);
    CHECK_EQUAL(counts[static_cast<int>(Released::failed)], 1);
  }
  {
    Gate gate;
    Pipeline pipeline(pool);
    pipeline.stage("gate", workpool::serial, [&gate](Block &) { gate.pass(); });
    pipeline.start();
    for (int i = 0; i < 5; i++) CHECK(pipeline.submit(lend()) == Submitted::accepted);
    gate.wait_for(1);
    pipeline.cancel();
    gate.open();
    CHECK_THROWS(pipeline.wait(), WP_CANCELLED);
  }
  int all = 0;
  for (const auto &count : counts) all += count;
  CHECK_EQUAL(all, 10);
  CHECK_EQUAL(Counted::alive, alive + 1);
}

// Several threads submit, several read.
static void many_threads() {
  const Pool pool(4);
  Pipeline pipeline(
      pool, PipelineOptions().pull_results().reader_is_another_thread().max_blocks_in_flight(7));
  pipeline.stage("double", workpool::parallel, [](Block &block) { block.meta(0) *= 2; });
  pipeline.start();
  std::atomic<uint64_t> sum{0}, blocks{0};
  std::vector<std::thread> producers, consumers;
  for (uint64_t p = 0; p < 3; p++) {
    producers.emplace_back([&pipeline, p] {
      for (uint64_t i = 0; i < 100; i++) {
        Payload payload{std::vector<uint64_t>(i)};
        payload.meta(0, 100 * p + i);
        CHECK(pipeline.submit(std::move(payload)) == Submitted::accepted);
      }
    });
  }
  for (int c = 0; c < 3; c++) {
    consumers.emplace_back([&] {
      Result result;
      while (pipeline.next_result(result) == Next::block) {
        sum += result.meta(0);
        blocks++;
      }
    });
  }
  for (auto &thread : producers) thread.join();
  pipeline.close();
  for (auto &thread : consumers) thread.join();
  CHECK_EQUAL(blocks, 300);
  CHECK_EQUAL(sum, 299 * 300);
}

int main() {
  RUN("bytes are copied, moved in or borrowed", kinds);
  RUN("a payload that is not accepted keeps its bytes", not_accepted);
  RUN("numbered blocks are told apart from others and from each other", numbered);
  RUN("whoever submits is told of a failure", submit_to_a_failed_run);
  RUN("results are a range; those that are held keep their places", range);
  RUN("a result may outlive its pipeline", outliving);
  RUN("one thread submits and reads", one_thread);
  RUN("blocks are weighed", bytes);
  RUN("readers get what is before a failure, then the exception", failing_results);
  RUN("every payload is released once, for its reason", reasons);
  RUN("threads submit and read together", many_threads);
  return CHECK_SUMMARY();
}
