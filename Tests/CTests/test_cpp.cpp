// SPDX-License-Identifier: MIT
// workpool.hpp: errors, times, bytes, pools and tokens.
#include <array>
#include <future>
#include <thread>

#include "stages.hpp"

using namespace std::chrono_literals;
using workpool::Bytes;
using workpool::Error;
using workpool::Pool;
using workpool::PoolOptions;
using workpool::Timeout;
using workpool::Token;

static void versions() {
  CHECK_TEXT(workpool::version(), wp_version_string());
  CHECK_EQUAL(workpool::version_number(), WP_VERSION_NUMBER);
  CHECK(std::string_view(workpool::build_info()).find(workpool::version()) != std::string::npos);
  CHECK_EQUAL(workpool::worker_index(), -1);
  CHECK(workpool::usable_cpus() >= 1);
}

static void errors() {
  const Error plain(WP_CLOSED);
  CHECK_EQUAL(plain.status(), WP_CLOSED);
  CHECK_TEXT(plain.name(), "WP_CLOSED");
  CHECK_TEXT(plain.what(), wp_status_text(WP_CLOSED));
  CHECK_TEXT(plain.text(), plain.what());
  CHECK(!plain.block() && !plain.stage());
  const Error own(-1234, "mine", 7, 2);
  CHECK_TEXT(own.what(), "mine");
  CHECK_TEXT(own.name(), wp_status_name(-1234));
  CHECK_EQUAL(own.block().value_or(0), 7);
  CHECK_EQUAL(own.stage().value_or(0), 2);
  const Error nowhere(WP_CLOSED, "", UINT64_MAX, UINT32_MAX);
  CHECK(!nowhere.block() && !nowhere.stage());
  // A call that fails says more than the status does.
  try {
    const Pool pool(5000);
    CHECK(false);
  } catch (const Error &error) {
    CHECK_EQUAL(error.status(), WP_INVALID_ARGUMENT);
    CHECK_TEXT(error.text(), wp_last_error_text());
  }
}

static void times() {
  CHECK_EQUAL(Timeout(3ns).nanoseconds(), 3);
  CHECK_EQUAL(Timeout(2ms).nanoseconds(), 2'000'000);
  CHECK_EQUAL(Timeout(0s).nanoseconds(), 0);
  CHECK_EQUAL(Timeout(-5s).nanoseconds(), 0);
  CHECK_EQUAL(Timeout(std::chrono::duration<double>(0.5)).nanoseconds(), 500'000'000);
  CHECK_EQUAL(Timeout(std::chrono::duration<double>(-1e300)).nanoseconds(), 0);
  CHECK_EQUAL(Timeout(std::chrono::duration<double>(1e300)).nanoseconds(), -1);
  CHECK_EQUAL(Timeout(std::chrono::hours::max()).nanoseconds(), -1);
  CHECK_EQUAL(Timeout(std::chrono::hours::min()).nanoseconds(), 0);
  CHECK_EQUAL(Timeout(std::chrono::nanoseconds::max()).nanoseconds(), -1);
  CHECK_EQUAL(workpool::forever.nanoseconds(), -1);
  static_assert(Timeout(1us).nanoseconds() == 1000);
}

static void bytes() {
  CHECK_EQUAL(Bytes().size, 0);
  CHECK_EQUAL(Bytes("four").size, 4);
  CHECK_EQUAL(Bytes("four", 2).size, 2);
  CHECK_EQUAL(Bytes(std::string("a\0b", 3)).size, 3);
  CHECK_EQUAL(Bytes(std::string_view("abc")).size, 3);
  CHECK_EQUAL(Bytes(std::vector<uint32_t>(5)).size, 20);
  CHECK_EQUAL(Bytes(std::array<uint16_t, 3>{}).size, 6);
  using workpool::detail::owns_bytes;
  static_assert(owns_bytes<std::string>::value);
  static_assert(owns_bytes<std::vector<double>>::value);
  static_assert(owns_bytes<std::array<char, 2>>::value);
  static_assert(!owns_bytes<std::string_view>::value);
  static_assert(!owns_bytes<const char *>::value);
  static_assert(!std::is_constructible_v<Bytes, std::vector<std::string>>);
}

static void pools() {
  Pool pool(3);
  CHECK_EQUAL(pool.workers(), 3);
  CHECK(pool.handle() != nullptr);
  Pool moved = std::move(pool);
  CHECK_EQUAL(moved.workers(), 3);
  pool = Pool(2);
  CHECK_EQUAL(pool.workers(), 2);
  pool.close();
  pool.close();
  CHECK_EQUAL(pool.workers(), 0);
  CHECK_THROWS(workpool::Pipeline(pool), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Pool(PoolOptions().workers(2000)), WP_INVALID_ARGUMENT);
  static_assert(!std::is_copy_constructible_v<Pool> && !std::is_copy_assignable_v<Pool>);
  static_assert(std::is_nothrow_destructible_v<Pool>);
  static_assert(!std::is_copy_constructible_v<Token> && std::is_nothrow_move_assignable_v<Token>);
  Pool usual;
  CHECK_EQUAL(usual.workers(), workpool::usable_cpus());
  const Pool options(PoolOptions().workers(2).allow_fewer_workers().stack_size(1 << 20).name_prefix(
      "a name that is too long"));
  CHECK_EQUAL(options.workers(), 2);
}

static void hooks() {
  std::atomic<int> started{0}, stopped{0};
  const int alive = Counted::alive;
  {
    Pool pool(PoolOptions()
                  .workers(4)
                  .on_thread_start([&started, own = Counted()](uint32_t) { started++; })
                  .on_thread_stop([&stopped](uint32_t worker) {
                    stopped++;
                    CHECK_EQUAL(workpool::worker_index(), worker);
                  }));
    CHECK(Counted::alive > alive);
  }
  CHECK_EQUAL(started, 4);
  CHECK_EQUAL(stopped, 4);
  CHECK_EQUAL(Counted::alive, alive);

  // What a hook throws is told when the pool is closed, and else to nobody.
  Pool failing(PoolOptions().workers(2).on_thread_stop([](uint32_t) { throw Oops{5}; }));
  CHECK_EQUAL(oops_of([&] { failing.close(); }), 5);
  failing.close();
  CHECK_EQUAL(failing.workers(), 0);
  { const Pool silent(PoolOptions().workers(1).on_thread_start([](uint32_t) { throw Oops{6}; })); }

  // A pool that could not be made has called nothing and kept nothing.
  CHECK_THROWS(Pool(PoolOptions().workers(5000).on_thread_start([own = Counted()](uint32_t) {})),
               WP_INVALID_ARGUMENT);
  CHECK_EQUAL(Counted::alive, alive);
}

static void host_workers() {
  Pool pool(PoolOptions().workers(2).host_workers(1));
  CHECK_EQUAL(pool.workers(), 2);
  Token token;
  std::thread host([&] { CHECK(pool.run_worker(token)); });
  token.cancel();
  host.join();
  CHECK_THROWS(Pool(PoolOptions().workers(2).host_workers(3)), WP_INVALID_ARGUMENT);
}

static void set_workers() {
  Pool pool(PoolOptions().workers(1).max_workers(3));
  CHECK_EQUAL(pool.workers(), 1);
  pool.set_workers(3);
  CHECK_EQUAL(pool.workers(), 3);
  pool.set_workers(2);
  CHECK_EQUAL(pool.workers(), 2);
  CHECK_THROWS(pool.set_workers(0), WP_INVALID_ARGUMENT);
  CHECK_THROWS(pool.set_workers(4), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Pool(PoolOptions().workers(2).max_workers(1)), WP_INVALID_ARGUMENT);
}

static void blocking_extra() {
  const Pool pool(PoolOptions().workers(1).blocking_extra(1));
  CHECK_EQUAL(pool.workers(), 1);
  std::promise<void> second;
  workpool::Pipeline pipeline(pool);
  pipeline.source("two", workpool::StageOptions(), [](workpool::Block &block) {
    return block.number() < 2 ? workpool::Action::go_on : workpool::Action::end;
  });
  // Block 0 waits for block 1.
  pipeline.stage("waits", workpool::StageOptions().may_block(), [&](workpool::Block &block) {
    if (block.number() == 0) second.get_future().wait();
    if (block.number() == 1) second.set_value();
  });
  CHECK_EQUAL(pipeline.run().blocks_delivered, 2);
  CHECK_THROWS(Pool(PoolOptions().workers(1).blocking_extra(1025)), WP_INVALID_ARGUMENT);
}

static void tokens() {
  Token token;
  CHECK(!token.is_cancelled());
  CHECK_EQUAL(token.reason(), 0);
  CHECK_EQUAL(*token.word(), 0);
  Token child = token.child();
  const Token grandchild = child.child();
  child.cancel();
  child.cancel();
  CHECK(!token.is_cancelled());
  CHECK_EQUAL(child.reason(), WP_CANCEL_USER);
  CHECK_EQUAL(grandchild.reason(), WP_CANCEL_PARENT);
  CHECK_EQUAL(*grandchild.word(), WP_CANCEL_PARENT);
  Token signalled;
  signalled.cancel_from_signal();
  CHECK(signalled.is_cancelled());
  // A parent lives as long as its children, whoever goes first.
  auto parent = std::make_unique<Token>();
  Token orphan = parent->child();
  parent.reset();
  CHECK(!orphan.is_cancelled());
  orphan = Token();
  Token moved = std::move(orphan);
  CHECK(moved.handle() != nullptr);
  orphan = std::move(moved);
  CHECK(!orphan.is_cancelled());
}

// Pool, token and pipeline go in any order.
static void any_order() {
  for (int order = 0; order < 6; order++) {
    auto pool = std::make_unique<Pool>(2);
    auto token = std::make_unique<Token>();
    auto pipeline = std::make_unique<workpool::Pipeline>(
        *pool, workpool::PipelineOptions().token(*token));
    pipeline->source("endless", [](workpool::Block &) { return true; });
    pipeline->start();
    static const char orders[6][4] = {"ptl", "plt", "tpl", "tlp", "lpt", "ltp"};
    for (const char *who = orders[order]; *who; who++) {
      if (*who == 'p') pool.reset();
      if (*who == 't') token.reset();
      if (*who == 'l') pipeline.reset();
    }
  }
  // A pool that a pipeline uses says so.
  Pool pool(1);
  workpool::Pipeline pipeline(pool);
  CHECK_THROWS(pool.close(), WP_BUSY);
  CHECK_EQUAL(pool.workers(), 1);
  pipeline.destroy();
  pool.close();
}

int main() {
  RUN("the library says what it is", versions);
  RUN("an error has a status, a name, a text and a place", errors);
  RUN("a time is never negative, and a very long one is for ever", times);
  RUN("bytes are seen in text, arrays and containers", bytes);
  RUN("a pool moves, and is closed once", pools);
  RUN("hooks are called on each thread, and what they throw is told at the close", hooks);
  RUN("the number of workers changes", set_workers);
  RUN("a further worker works while one blocks", blocking_extra);
  RUN("a thread of the host is a worker until its token is cancelled", host_workers);
  RUN("tokens have children, which keep them", tokens);
  RUN("pools, tokens and pipelines go in any order", any_order);
  return CHECK_SUMMARY();
}
