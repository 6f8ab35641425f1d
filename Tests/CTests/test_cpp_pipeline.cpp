// SPDX-License-Identifier: MIT
// workpool.hpp: stages, actions, scratch, exceptions, outcomes, ends.
#include <array>
#include <numeric>
#include <thread>

#include "stages.hpp"

using workpool::Action;
using workpool::Block;
using workpool::Call;
using workpool::Error;
using workpool::Pipeline;
using workpool::PipelineOptions;
using workpool::Pool;
using workpool::StageOptions;

static constexpr uint32_t worker_counts[] = {1, 2, 8, 64};

// A source of `end` blocks.
static auto count_to(uint64_t end) {
  return [end](Block &block) { return block.number() < end; };
}

// ----- callbacks -----

static void forms() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool);
    uint64_t next = 0;
    std::atomic<int> with_call{0};
    pipeline.source("numbers", count_to(500))
        .stage("void", workpool::parallel, [](Block &block) { block.meta(1) = 1; })
        .stage("call", workpool::serial_any_order,
               [&with_call](Block &, const Call &call) {
                 CHECK_EQUAL(call.stage(), 2);
                 CHECK_EQUAL(call.worker(), workpool::worker_index());
                 CHECK(!call.is_cancelled());
                 CHECK(call.native() != nullptr);
                 with_call++;
               })
        .stage("action", StageOptions(workpool::parallel).max_concurrency(2),
               [](auto &block) { return block.number() % 10 == 3 ? Action::drop : Action::go_on; })
        .sink("sink", [&next](const Block &block) {
          if (next % 10 == 3) next++;
          CHECK_EQUAL(block.number(), next);
          CHECK_EQUAL(block.source_number(), next);
          CHECK_EQUAL(block.meta(1), 1);
          next++;
        });
    const workpool::Outcome outcome = pipeline.run();
    CHECK(outcome.is_ok() && !outcome.is_stopped() && !outcome.has_failed());
    CHECK_EQUAL(outcome.blocks_delivered, 450);
    CHECK_EQUAL(outcome.blocks_dropped, 50);
    CHECK_EQUAL(next, 500);
    CHECK_EQUAL(with_call, 500);
    CHECK_EQUAL(pipeline.statistics().stages, 5);
    CHECK_EQUAL(pipeline.statistics().blocks_in, 500);
    CHECK_EQUAL(pipeline.statistics(2).calls, 500);
    CHECK_TEXT(pipeline.statistics(3).name, "action");
    CHECK_THROWS(pipeline.statistics(9), WP_INVALID_ARGUMENT);
  }
}

static int doubled(int value) { return 2 * value; }
static std::atomic<int> plain_calls{0};
static void plain(Block &) { plain_calls += doubled(1); }

// Whatever can be called is a callback; what it owns goes with the pipeline.
static void owned() {
  const Pool pool(2);
  const int alive = Counted::alive;
  {
    Pipeline pipeline(pool);
    auto only = std::make_unique<Counted>();
    pipeline.source("source", StageOptions().may_block(), [only = std::move(only)](Block &block) {
      CHECK(only != nullptr);
      return block.number() < 3 ? Action::go_on : Action::end;
    });
    pipeline.stage("pointer", workpool::parallel, plain);
    pipeline.stage("function", workpool::serial,
                   std::function<Action(Block &)>([own = Counted()](Block &) {
                     return Action::go_on;
                   }));
    pipeline.sink("sink", StageOptions().may_block(), [own = Counted()](Block &) {});
    CHECK_EQUAL(Counted::alive, alive + 3);
    Pipeline moved = std::move(pipeline);
    CHECK_EQUAL(moved.run().blocks_delivered, 3);
    CHECK_EQUAL(plain_calls, 6);
    CHECK(pipeline.handle() == nullptr);
    pipeline = std::move(moved);
    CHECK_EQUAL(pipeline.run().blocks_delivered, 3);  // again
    CHECK_EQUAL(Counted::alive, alive + 3);
    CHECK_THROWS(pipeline.stage("late", workpool::serial, [own = Counted()](Block &) {}),
                 WP_INVALID_STATE);
    CHECK_EQUAL(Counted::alive, alive + 3);
  }
  CHECK_EQUAL(Counted::alive, alive);
}

static void refusals() {
  const Pool pool(1);
  Pipeline pipeline(pool);
  CHECK_THROWS(pipeline.start(), 0);
  CHECK_THROWS(pipeline.start(), WP_INVALID_STATE);
  CHECK_THROWS(pipeline.outcome(), WP_INVALID_STATE);
  CHECK_THROWS(pipeline.errors(), WP_INVALID_STATE);
  pipeline.stop();
  CHECK(pipeline.wait().is_stopped());
  pipeline.destroy();
  pipeline.destroy();
  CHECK_THROWS(pipeline.run(), WP_INVALID_STATE);
  CHECK_THROWS(pipeline.wait(), WP_INVALID_STATE);
  CHECK_THROWS(pipeline.source("late", count_to(1)), WP_INVALID_STATE);
  CHECK_THROWS(Pipeline(pool, PipelineOptions().max_blocks_in_flight(70'000)), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Pipeline(PipelineOptions()), WP_INVALID_ARGUMENT);
  Pipeline fresh(pool);
  CHECK_THROWS(fresh.wait(), WP_INVALID_STATE);
  CHECK_THROWS(fresh.stop(), WP_INVALID_STATE);
  CHECK_THROWS(fresh.cancel(), WP_INVALID_STATE);
  CHECK_THROWS(fresh.run(), WP_INVALID_STATE);
  workpool::Token cancelled;
  cancelled.cancel();
  Pipeline never(pool, PipelineOptions().token(cancelled));
  CHECK_THROWS(never.start(), WP_CANCELLED);
}

// ----- blocks -----

static void payloads() {
  const Pool pool(3);
  Pipeline pipeline(pool);
  std::atomic<int> released{0};
  const int alive = Counted::alive;
  pipeline.source("write", [](Block &block) {
    if (block.number() == 200) return false;
    CHECK(block.empty() && block.begin() == block.end());
    block.append("block ");
    block.append(std::to_string(block.number()));
    block.append(workpool::Bytes());
    CHECK(block.capacity() >= block.size());
    return true;
  });
  pipeline.stage("grow", workpool::parallel, [](Block &block) {
    const size_t size = block.size();
    block.reserve(10'000);
    CHECK(block.capacity() >= 10'000);
    CHECK_EQUAL(block.size(), size);
    block.resize(20'000);
    std::fill(block.begin() + size, block.end(), uint8_t('.'));
    block.resize(size + 1);
    CHECK(block.text().substr(0, 6) == "block " && block.text().back() == '.');
  });
  pipeline.stage("replace", workpool::parallel, [&released, alive](Block &block) {
    switch (block.number() % 5) {
      case 0: block.set("copied"); break;
      case 1: block.set(std::string("kept")); break;
      case 2:
        block.set(workpool::Payload::borrow(const_cast<char *>("lent"), 4,
                                            [&released, own = Counted()](workpool::Released why) {
                                              CHECK(why == workpool::Released::delivered);
                                              CHECK(Counted::alive > 0);
                                              released++;
                                            }));
        break;
      case 3: {
        uint8_t *spare = block.spare(100);
        std::memcpy(spare, "spare", 5);
        block.commit_spare(5);
        CHECK_THROWS(block.commit_spare(5), WP_INVALID_ARGUMENT);
        break;
      }
      default: block.set(block.text().substr(0, 5));  // of its own
    }
    CHECK(Counted::alive >= alive);
  });
  uint64_t emptied = 0;
  pipeline.sink("read", [&emptied](Block &block) {
    static const char *const expected[] = {"copied", "kept", "lent", "spare", "block"};
    CHECK(block.text() == expected[block.number() % 5]);
    CHECK_EQUAL(std::accumulate(block.begin(), block.end(), 0) > 0, 1);
    if (block.number() % 5 == 4) {
      block.set("");
      CHECK_EQUAL(block.size(), 0);
      emptied++;
    }
  });
  CHECK(pipeline.run().is_ok());
  CHECK_EQUAL(released, 40);
  CHECK_EQUAL(emptied, 40);
  CHECK_EQUAL(Counted::alive, alive);
  CHECK_THROWS(workpool::Payload().meta(4, 0), WP_INVALID_ARGUMENT);
}

// ----- scratch -----

struct Scratch : Counted {
  explicit Scratch(uint32_t worker) : worker(worker) {}
  Scratch(const Scratch &) = delete;  // nobody has to move it
  const uint32_t worker;
  uint64_t calls = 0;
};

static void scratch() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    const int alive = Counted::alive;
    std::atomic<uint64_t> calls{0};
    std::atomic<int> made{0};
    Pipeline pipeline(pool);
    pipeline.source("source", workpool::serial, [] { return uint64_t(0); },
                    [](Block &block, uint64_t &) { return block.number() < 300; });
    pipeline.stage("own", workpool::parallel,
                   [&made](uint32_t worker) {
                     made++;
                     return Scratch(worker);
                   },
                   [&calls](Block &, Scratch &own, const Call &call) {
                     CHECK_EQUAL(own.worker, call.worker());
                     own.calls++;
                     calls++;
                   });
    std::vector<uint64_t> seen;
    pipeline.sink("text", workpool::serial, [] { return std::vector<int>(); },
                  [&seen](Block &block, std::vector<int> &own) {
                    own.push_back(1);
                    seen.push_back(block.number());
                  });
    for (int run = 1; run <= 2; run++) {
      CHECK(pipeline.run().is_ok());
      CHECK_EQUAL(calls, 300 * run);
      CHECK_EQUAL(seen.size(), 300 * run);
      CHECK(made >= run && made <= run * int(workers));
      CHECK_EQUAL(Counted::alive, alive);  // gone with the run
    }
  }
  // What a factory throws is the run's error.
  const Pool pool(2);
  Pipeline pipeline(pool);
  pipeline.source("source", count_to(5));
  pipeline.stage("own", workpool::parallel, []() -> int { throw Oops{12}; }, [](Block &, int &) {});
  CHECK_EQUAL(oops_of([&] { pipeline.run(); }), 12);
  CHECK_EQUAL(pipeline.outcome().stage, 1);
}

// ----- exceptions -----

// The first failing block decides, whatever the workers, the order and the stage.
static void first_exception() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    for (int round = 0; round < 20; round++) {
      std::vector<uint64_t> seen;
      Pipeline pipeline(pool, PipelineOptions().max_blocks_in_flight(16));
      pipeline.source("source", count_to(1000));
      pipeline.stage("fail", workpool::parallel, [](Block &block) {
        if (block.number() == 9) std::this_thread::yield();
        if (block.number() >= 9) throw Oops{block.number()};
      });
      pipeline.stage("later", workpool::parallel, [](Block &block) {
        if (block.number() >= 8) throw Oops{100 + block.number()};
      });
      pipeline.sink("sink", [&seen](Block &block) { seen.push_back(block.number()); });
      CHECK_EQUAL(oops_of([&] { pipeline.run(); }), 108);
      CHECK_EQUAL(oops_of([&] { pipeline.wait(); }), 108);  // and again
      CHECK_EQUAL(pipeline.outcome().number, 8);
      CHECK_EQUAL(pipeline.outcome().stage, 2);
      CHECK_EQUAL(pipeline.outcome().code, WP_USER_CODE);
      CHECK_EQUAL(seen.size(), 8);
      CHECK_EQUAL(pipeline.errors().size(), 1);
      CHECK(pipeline.errors()[0].text == "unknown exception");
    }
  }
}

// It is the same object, with all that it carries.
static void same_object() {
  struct Rich : std::runtime_error {
    explicit Rich(std::shared_ptr<int> own) : std::runtime_error("rich"), own(std::move(own)) {}
    std::shared_ptr<int> own;
  };
  const auto own = std::make_shared<int>(5);
  const Pool pool(2);
  Pipeline pipeline(pool);
  pipeline.source("source", [&own](Block &block) -> bool {
    if (block.number() == 4) throw Rich(own);
    return true;
  });
  const Rich *first = nullptr;
  for (int time = 0; time < 2; time++) {
    try {
      time == 0 ? pipeline.run() : pipeline.wait();
      CHECK(false);
    } catch (const Rich &rich) {
      CHECK(rich.own == own);
      CHECK(time == 0 || &rich == first);
      first = &rich;
    }
  }
  CHECK_EQUAL(own.use_count(), 2);  // the pipeline has kept it ...
  CHECK_EQUAL(oops_of([&] { pipeline.run(); }), -2);
  pipeline.destroy();
  CHECK_EQUAL(own.use_count(), 1);  // ... until now
}

static void codes() {
  struct Case {
    void (*fail)(Block &);
    int32_t code;
    const char *text;
  };
  static const Case cases[] = {
      {[](Block &) { throw Error(-1777, "of my own"); }, -1777, "of my own"},
      {[](Block &) { throw Error(WP_OK, "no error"); }, WP_USER_CODE, "no error"},
      {[](Block &) { throw std::bad_alloc(); }, WP_NO_MEMORY, "std::bad_alloc"},
      {[](Block &) { throw std::logic_error("logic"); }, WP_USER_CODE, "logic"},
      {[](Block &) { throw 5; }, WP_USER_CODE, "unknown exception"},
      {[](Block &block) { block.commit_spare(1); }, WP_INVALID_ARGUMENT, nullptr},
      {[](Block &) { throw std::runtime_error(std::string(1000, 'x')); }, WP_USER_CODE, nullptr},
  };
  for (const Case &one : cases) {
    const Pool pool(2);
    Pipeline pipeline(pool);
    pipeline.source("source", count_to(3));
    pipeline.stage("fail", workpool::parallel, one.fail);
    bool was_thrown = false;
    try {
      pipeline.run();
    } catch (...) {
      was_thrown = true;
    }
    CHECK(was_thrown);
    CHECK_EQUAL(pipeline.outcome().code, one.code);
    const auto errors = pipeline.errors();
    CHECK_EQUAL(errors.size(), 1);
    CHECK(errors[0].exception != nullptr);
    if (one.text) CHECK_TEXT(errors[0].text.c_str(), one.text);
  }
}

// Without an exception, what the callback has said becomes an Error.
static void failing_without_throwing() {
  const Pool pool(2);
  Pipeline pipeline(pool);
  pipeline.source("source", count_to(30));
  pipeline.stage("fine", workpool::parallel, [](Block &) {});
  pipeline.stage("fail", workpool::parallel, [](Block &block) {
    return block.number() >= 5 ? block.fail(-2000, "five") : Action::go_on;
  });
  try {
    pipeline.run();
    CHECK(false);
  } catch (const Error &error) {
    CHECK_EQUAL(error.status(), -2000);
    CHECK_TEXT(error.what(), "five");
    CHECK_EQUAL(error.block().value_or(0), 5);
    CHECK_EQUAL(error.stage().value_or(0), 2);
  }
  CHECK(pipeline.errors().at(0).exception == nullptr);
  Pipeline odd(pool);
  odd.source("source", [](Block &) { return static_cast<Action>(77); });
  CHECK_THROWS(odd.run(), WP_BAD_RETURN);
}

static void collecting() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool, PipelineOptions().collect_errors().max_errors_kept(4));
    pipeline.source("source", count_to(600));
    pipeline.stage("fail", workpool::parallel, [](Block &block) {
      if (block.number() % 50 == 7) throw Oops{block.number()};
    });
    const auto outcome = pipeline.run();
    CHECK(outcome.has_failed());
    CHECK_EQUAL(outcome.status, WP_STAGE_FAILED);
    CHECK_EQUAL(outcome.blocks_delivered, 588);
    CHECK_EQUAL(outcome.errors, 12);
    CHECK_EQUAL(outcome.errors_not_kept, 8);
    const auto errors = pipeline.errors();
    CHECK_EQUAL(errors.size(), 4);
    for (size_t i = 0; i < errors.size(); i++) {
      CHECK_EQUAL(errors[i].number, 50 * i + 7);
      CHECK_EQUAL(errors[i].stage, 1);
      CHECK_EQUAL(errors[i].code, WP_USER_CODE);
      CHECK_EQUAL(oops_of([&] { std::rethrow_exception(errors[i].exception); }), 50 * i + 7);
    }
    Pipeline few(pool, PipelineOptions().collect_errors(2));
    few.source("source", count_to(600));
    few.stage("fail", workpool::serial, [](Block &) { throw Oops{1}; });
    CHECK_EQUAL(few.run().errors, 2);
  }
}

static void finishing() {
  const Pool pool(2);
  std::vector<int32_t> seen;
  Pipeline pipeline(pool);
  bool fails = false;
  pipeline.source("source", StageOptions().on_finish([&seen](int32_t status) {
    seen.push_back(status);
  }), count_to(4));
  pipeline.sink("sink", StageOptions().on_finish([&](int32_t status) {
    seen.push_back(status);
    if (fails) throw Oops{33};
  }), [](Block &) {});
  CHECK(pipeline.run().is_ok());
  CHECK(seen == std::vector<int32_t>({WP_OK, WP_OK}));
  fails = true;
  CHECK_EQUAL(oops_of([&] { pipeline.run(); }), 33);
  CHECK_EQUAL(pipeline.outcome().blocks_delivered, 4);
  fails = false;
  CHECK(pipeline.run().is_ok());
  CHECK_EQUAL(pipeline.errors().size(), 0);
}

static void reference() {
  Pipeline pipeline{PipelineOptions().serial_reference()};
  std::vector<uint64_t> seen;
  pipeline.source("source", count_to(50));
  pipeline.stage("fail", workpool::parallel, [](Block &block) {
    if (block.number() == 20) throw Oops{20};
  });
  pipeline.sink("sink", [&seen](Block &block) { seen.push_back(block.number()); });
  CHECK_EQUAL(oops_of([&] { pipeline.run(); }), 20);
  CHECK_EQUAL(seen.size(), 20);
  CHECK_THROWS(pipeline.start(), WP_INVALID_STATE);
}

// ----- ends -----

static void stops() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    Pipeline pipeline(pool);
    std::atomic<uint64_t> seen{0}, delivered{0};
    pipeline.source("endless", [](Block &block) { return block.number() < 2000; });
    pipeline.stage("all", StageOptions(workpool::serial).see_all(), [&seen](Block &) { seen++; });
    pipeline.stage("head", workpool::serial, [](Block &block) {
      return block.number() == 9 ? Action::stop_drop : Action::go_on;
    });
    pipeline.sink("sink", [&delivered](Block &) { delivered++; });
    const auto outcome = pipeline.run();
    CHECK(outcome.is_stopped());
    CHECK_EQUAL(outcome.number, 9);
    CHECK_EQUAL(seen, 2000);
    CHECK_EQUAL(delivered, 9);
  }
}

static void ends() {
  const Pool pool(2);
  const int alive = Counted::alive;
  // A pipeline that goes while it runs: its callbacks are over when the destructor is.
  for (int i = 0; i < 20; i++) {
    auto local = std::make_unique<std::atomic<int>>(0);
    {
      Pipeline pipeline(pool);
      pipeline.source("endless", [](Block &) { return true; });
      pipeline.sink("sink", [&local, own = Counted()](Block &) { (*local)++; });
      pipeline.start();
    }
    local.reset();
  }
  // The same by assignment.
  Pipeline pipeline(pool);
  pipeline.source("endless", [own = Counted()](Block &) { return true; });
  pipeline.start();
  CHECK(!pipeline.wait(std::chrono::nanoseconds(0)).has_value());
  pipeline = Pipeline(pool);
  CHECK_EQUAL(Counted::alive, alive);
  // Cancel, and a token.
  pipeline.source("endless", [](Block &) { return true; });
  pipeline.start();
  pipeline.cancel();
  CHECK_THROWS(pipeline.wait(), WP_CANCELLED);
  workpool::Token token;
  Pipeline other(pool, PipelineOptions().token(token));
  other.source("endless", [](Block &) { return true; });
  other.stage("cancel", workpool::serial, [&token](Block &block) {
    if (block.number() == 100) token.cancel();
  });
  CHECK_THROWS(other.run(), WP_CANCELLED);
}

// Every input becomes as many blocks as its number says, modulo 4; the last one two more at the end.
static void splitters() {
  for (const uint32_t workers : worker_counts) {
    const Pool pool(workers);
    for (const int64_t failing : {-1, 30}) {
      Pipeline pipeline(pool, PipelineOptions().max_blocks_in_flight(5));
      uint64_t made = 0, next = 0, kept = 2;
      pipeline.source("source", count_to(100));
      pipeline.splitter("split", [&, failing](Block &output, const workpool::Input *input) {
        if (!input) {
          if (kept == 0) return Action::drop;
          kept--;
          return Action::more;
        }
        if (static_cast<int64_t>(input->number()) == failing) throw Oops{input->number()};
        CHECK(input->empty() && input->begin() == input->end() && input->text().empty());
        if (made == input->number() % 4) {
          made = 0;
          return Action::drop;
        }
        output.meta(0) = input->number();
        made++;
        return Action::more;
      });
      pipeline.stage("work", workpool::parallel, [](Block &block) {
        block.meta(1) = block.number();
      });
      pipeline.sink("sink", [&next](Block &block) {
        CHECK_EQUAL(block.number(), next);
        CHECK_EQUAL(block.meta(1), next);
        if (next < 150) CHECK_EQUAL(block.meta(0), block.source_number());
        next++;
      });
      if (failing < 0) {
        CHECK(pipeline.run().is_ok());
        CHECK_EQUAL(next, 152);
        CHECK_EQUAL(pipeline.statistics(1).blocks_in, 100);
      } else {
        CHECK_EQUAL(oops_of([&] { pipeline.run(); }), failing);
        CHECK_EQUAL(pipeline.outcome().source_number, failing);
        CHECK_EQUAL(pipeline.errors().at(0).source_number, failing);
        CHECK_EQUAL(next, 7 * 6 + 0 + 1);
      }
    }
    // What it throws after the last input comes out too.
    Pipeline late(pool);
    late.source("source", count_to(3));
    late.splitter("split", [](Block &, const workpool::Input *input) {
      if (!input) throw Oops{99};
      return Action::go_on;
    });
    CHECK_EQUAL(oops_of([&] { late.run(); }), 99);
  }
}

static void unordered() {
  const Pool pool(3);
  Pipeline pipeline(pool, PipelineOptions().unordered());
  Gate gate;
  std::atomic<int> delivered{0};
  pipeline.source("source", count_to(50));
  pipeline.stage("work", workpool::parallel, [&gate](Block &block) {
    if (block.number() == 0) gate.pass();
  });
  pipeline.sink("sink", [&](Block &block) {
    if (++delivered == 20) gate.open();
    CHECK(block.number() > 0 || delivered > 20);
  });
  CHECK(pipeline.run().is_ok());
  CHECK_EQUAL(delivered, 50);
}

static void deadlines() {
  using namespace std::chrono_literals;
  const Pool pool(2);
  Pipeline pipeline(pool, PipelineOptions().run_timeout(1ms));
  pipeline.source("endless", [](Block &) { return true; });
  CHECK_THROWS(pipeline.run(), WP_TIMED_OUT);
  pipeline.start();
  CHECK_THROWS(pipeline.wait(1h), WP_TIMED_OUT);
  CHECK_EQUAL(pipeline.outcome().status, WP_TIMED_OUT);
  Pipeline enough(pool, PipelineOptions().run_timeout(1h).run_timeout(workpool::forever));
  enough.source("source", count_to(5));
  CHECK(enough.run().is_ok());
}

static void stuck() {
  using namespace std::chrono_literals;
  const Pool pool(2);
  Gate gate;
  std::string seen;
  Pipeline pipeline(pool, PipelineOptions().on_stuck(1ms, [&](const char *dump) {
    seen = dump;
    gate.open();
  }));
  pipeline.source("source", count_to(5));
  pipeline.stage("a gate", workpool::serial, [&](Block &) {
    CHECK(!pipeline.dump().empty() && !pool.dump().empty());
    gate.pass();
  });
  CHECK(pipeline.run().is_ok());
  CHECK(!seen.empty());
  Pipeline cancelled(pool, PipelineOptions().cancel_when_stuck(1ms));
  cancelled.source("source", count_to(5));
  cancelled.stage("wait", workpool::serial, [](Block &, const Call &call) {
    while (!call.is_cancelled()) std::this_thread::yield();
  });
  CHECK_THROWS(cancelled.run(), WP_CANCELLED);
  Pipeline failing(pool, PipelineOptions().on_stuck(1ms, [](const char *) { throw Oops{66}; }));
  failing.source("source", count_to(5));
  failing.stage("wait", workpool::serial, [](Block &, const Call &call) {
    while (!call.is_cancelled()) std::this_thread::yield();
  });
  CHECK_EQUAL(oops_of([&] { failing.run(); }), 66);
}

static void limits() {
  const Pool pool(2);
  Pipeline pipeline(pool, PipelineOptions().max_blocks_in_flight(2).window_capacity(16));
  pipeline.source("source", count_to(200));
  pipeline.stage("raise", workpool::serial, [&pipeline](Block &block) {
    if (block.number() == 50) pipeline.set_max_blocks(16);
  });
  CHECK(pipeline.run().is_ok());
  CHECK_EQUAL(pipeline.statistics().limit, 16);
  CHECK(pool.memory() > 0 && pipeline.memory() > 0);
  CHECK_THROWS(pipeline.set_max_blocks(17), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Pipeline(pool, PipelineOptions().window_capacity(24)), WP_INVALID_ARGUMENT);
  pipeline.set_weight(1000);
  CHECK_THROWS(pipeline.set_weight(1001), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Pipeline(pool, PipelineOptions().weight(1001)), WP_INVALID_ARGUMENT);
}

static void subscribers() {
  using namespace std::chrono_literals;
  const Pool pool(2);
  const int alive = Counted::alive;
  {
    Pipeline pipeline(pool);
    std::atomic<int> calls{0}, lasts{0};
    const auto id = pipeline.subscribe([&, own = Counted()](const workpool::Progress &progress) {
      calls++;
      if (progress.flags & WP_PROGRESS_LAST) {
        lasts++;
        CHECK_EQUAL(progress.blocks_out, 50);
        CHECK_EQUAL(progress.total_blocks, 50);
      }
    }, 1ms);
    pipeline.set_total(50);
    pipeline.source("source", count_to(50));
    CHECK(pipeline.run().is_ok());
    CHECK_EQUAL(lasts, 1);
    CHECK(calls >= 1);
    pipeline.unsubscribe(id);
    CHECK_THROWS(pipeline.unsubscribe(id), WP_INVALID_ARGUMENT);
    CHECK_THROWS(pipeline.subscribe([own = Counted()](const workpool::Progress &) {}, -1ns),
                 WP_INVALID_ARGUMENT);
    CHECK_EQUAL(Counted::alive, alive);
    Pipeline endless(pool);
    endless.source("endless", [](Block &) { return true; });
    endless.subscribe([own = Counted()](const workpool::Progress &) { throw Oops{55}; }, 1ms);
    CHECK_EQUAL(oops_of([&] { endless.run(); }), 55);
    CHECK_EQUAL(oops_of([&] { endless.wait(); }), 55);
    CHECK_EQUAL(endless.outcome().status, WP_CANCELLED);
  }
  CHECK_EQUAL(Counted::alive, alive);
}

// In its own callbacks a pipeline can neither wait for itself nor go.
static void inside() {
  const Pool pool(2);
  Pipeline pipeline(pool);
  pipeline.source("source", count_to(3));
  pipeline.stage("inside", workpool::serial, [&pipeline](Block &) {
    CHECK_THROWS(pipeline.wait(), WP_WOULD_DEADLOCK);
    CHECK_THROWS(pipeline.destroy(), WP_BUSY);
    CHECK_EQUAL(pipeline.statistics().stages, 3);
    pipeline.stop();
  });
  pipeline.run();
  // But others may be run.
  const Pool another(2);
  Pipeline outer(another);
  std::atomic<int> inner_blocks{0};
  outer.source("source", count_to(5));
  outer.stage("nested", workpool::parallel, [&](Block &block) {
    Pipeline inner(pool);
    inner.source("source", count_to(10));
    inner.stage("count", workpool::parallel, [&](Block &one) {
      inner_blocks++;
      if (block.number() == 4 && one.number() == 3) throw Oops{44};
    });
    inner.run();
  });
  CHECK_EQUAL(oops_of([&] { outer.run(); }), 44);  // through both
  CHECK(inner_blocks >= 44);
}

// Any pipeline, on the same pool or another, by whatever worker there is.
static void nested() {
  for (uint32_t workers = 1; workers <= 3; workers++) {
    const Pool pool(workers);
    Pipeline outer(pool), pushed(pool);
    std::atomic<int> pulled{0}, taken{0};
    pushed.stage("take", workpool::parallel, [&](Block &) { taken++; });
    pushed.start();
    outer.source("source", count_to(8));
    outer.stage("run", workpool::parallel, [&](Block &block) {
      Pipeline inner(pool);
      inner.source("source", count_to(5));
      inner.stage("count", workpool::parallel, [&](Block &) { pulled++; });
      CHECK(inner.run().is_ok());
      CHECK_THROWS(outer.wait(), WP_WOULD_DEADLOCK);
      block.meta(0) = inner.statistics().blocks_out;
    });
    outer.stage("submit", workpool::serial, [&](Block &block) {
      CHECK_EQUAL(block.meta(0), 5);
      for (int i = 0; i < 3; i++) {
        CHECK(pushed.submit(workpool::Payload("abc")) == workpool::Submitted::accepted);
      }
      CHECK(pushed.flush());
    });
    CHECK(outer.run().is_ok());
    pushed.close();
    CHECK(pushed.wait().is_ok());
    CHECK_EQUAL(pulled, 40);
    CHECK_EQUAL(taken, 24);
  }
}

static void measured() {
  const Pool pool(2);
  Pipeline pipeline(pool, PipelineOptions().statistics(workpool::Measure::times));
  pipeline.source("source", count_to(20));
  pipeline.stage("stage", workpool::parallel, [](Block &) {});
  CHECK(pipeline.run().is_ok());
  const workpool::StageStatistics stage = pipeline.statistics(1);
  CHECK_EQUAL(stage.timed_calls, 20);
  CHECK(stage.call_min_ns <= stage.call_p50_ns && stage.call_p50_ns <= stage.call_p99_ns);
  CHECK(pipeline.statistics().bottleneck_stage < 3);
  uint64_t calls = 0;
  for (uint32_t worker = 0; worker < pool.workers(); worker++) {
    const workpool::WorkerStatistics one = pool.worker_statistics(worker);
    CHECK_EQUAL(one.busy_ns + one.blocked_ns + one.engine_ns + one.idle_ns, one.wall_ns);
    calls += one.calls;
  }
  CHECK_EQUAL(calls, pipeline.statistics(0).calls + stage.calls + pipeline.statistics(2).calls);
  CHECK_THROWS(pool.worker_statistics(2), WP_INVALID_ARGUMENT);

  Pipeline counting(pool, PipelineOptions().statistics(workpool::Measure::counts));
  counting.source("source", count_to(20));
  CHECK(counting.run().is_ok());
  CHECK_EQUAL(counting.statistics().blocks_out, 20);
  CHECK_EQUAL(counting.statistics(0).timed_calls, 0);
  CHECK_EQUAL(counting.statistics().bottleneck_stage, UINT32_MAX);
  CHECK_THROWS(counting.timeline(), WP_INVALID_STATE);
}

static void timelines() {
  const Pool pool(2);
  Pipeline pipeline(pool, PipelineOptions().timeline_events(100));
  pipeline.source("source", count_to(5));
  pipeline.stage("a stage", workpool::parallel, [](Block &) {});
  CHECK_THROWS(pipeline.timeline(), WP_INVALID_STATE);
  CHECK(pipeline.run().is_ok());
  const std::string text = pipeline.timeline();
  CHECK(text.front() == '{' && text.find("a stage") != std::string::npos);
  CHECK_EQUAL(pipeline.statistics().timeline_events_lost, 0);
  std::string pieces;
  pipeline.write_timeline([&](std::string_view piece) { pieces.append(piece); });
  CHECK(pieces == text);
  CHECK_EQUAL(oops_of([&] { pipeline.write_timeline([](std::string_view) { throw Oops{77}; }); }), 77);
}

int main() {
  RUN("callbacks have several forms", forms);
  RUN("callbacks are owned by the pipeline, which moves and runs again", owned);
  RUN("what cannot be done is thrown", refusals);
  RUN("a block's payload grows, is replaced, kept and lent", payloads);
  RUN("each worker has its scratch, for one run", scratch);
  RUN("the exception of the lowest failing block is thrown again", first_exception);
  RUN("it is the object that was thrown", same_object);
  RUN("exceptions become codes and texts", codes);
  RUN("a callback may fail without throwing", failing_without_throwing);
  RUN("collected errors have their exceptions", collecting);
  RUN("what is thrown at the finish is an error after the last block", finishing);
  RUN("the serial reference throws the same", reference);
  RUN("a stop ends the run well", stops);
  RUN("a pipeline that goes has ended", ends);
  RUN("a splitter makes any number of blocks of each one", splitters);
  RUN("unordered, one block holds up no other", unordered);
  RUN("a run may have a deadline", deadlines);
  RUN("a run that is stuck says so", stuck);
  RUN("the limit of blocks changes while a pipeline runs", limits);
  RUN("subscribers are told how far a run is, and may end it", subscribers);
  RUN("in a callback no pipeline waits for itself", inside);
  RUN("pipelines are run and fed in callbacks of others, on the same pool", nested);
  RUN("what is measured, of stages and workers, is there to see", measured);
  RUN("a timeline is a text, or comes in pieces", timelines);
  return CHECK_SUMMARY();
}
