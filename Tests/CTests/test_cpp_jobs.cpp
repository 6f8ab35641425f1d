// SPDX-License-Identifier: MIT
// workpool::JobPool: every call of it.
#include <atomic>
#include <stdexcept>
#include <thread>
#include <workpool.hpp>

#include "check.h"

namespace {

using workpool::JobContext;
using workpool::JobOptions;
using workpool::JobPool;
using workpool::JobState;

void graph() {
  workpool::JobPoolOptions options = workpool::default_job_options();
  options.max_parallel_jobs = 2;
  JobPool jobs(options);
  std::atomic<int> calls{0};
  jobs.submit(JobOptions("a"), [&](JobContext &job) {
    calls++;
    job.set_result("bytes", 5);
    CHECK(job.id() == "a");
    CHECK(job.slot() >= 0);
  });
  const wp_job b = jobs.submit(JobOptions("b").after({"a"}).retries(3).retry_delay(std::chrono::milliseconds(1), 2),
                               [&](JobContext &job) {
                                 if (job.attempt() < 3) throw std::runtime_error("not yet");
                                 calls++;
                               });
  const wp_job c = jobs.submit(JobOptions("c").after({"b"}).priority(5).cpus(2),
                               std::vector<std::string>{"/bin/sh", "-c", "exit 3"});
  const wp_job d = jobs.submit(JobOptions("d").after({"c"}), [](JobContext &) {});
  const wp_job e = jobs.submit(JobOptions("e").after({"c"}).when(WP_WHEN_FAILURE), [&](JobContext &) { calls++; });
  CHECK(jobs.wait(b));
  CHECK(jobs.wait_all());
  CHECK_EQUAL(calls.load(), 3);
  CHECK(jobs.result(jobs.find("a")) == "bytes");
  CHECK(jobs.state(c) == JobState::failed);
  CHECK(jobs.cause(d) == "cancelled: c failed (exit 3) \u2192 d");
  CHECK(jobs.state(e) == JobState::completed);
  CHECK_EQUAL(jobs.status().total_processed, 5);
  CHECK_EQUAL(jobs.metrics().retries, 2);
  CHECK(jobs.id(d) == "d");
}

void errors() {
  JobPool jobs;
  bool was_refused = false;
  try {
    jobs.submit(JobOptions("a").after({"a"}), [](JobContext &) {});
  } catch (const workpool::Error &error) {
    CHECK_EQUAL(error.status(), WP_CYCLE);
    CHECK_TEXT(error.what(), "dependency cycle: a -> a");
    was_refused = true;
  }
  CHECK(was_refused);
  const wp_job failed = jobs.submit(JobOptions(), [](JobContext &) { throw workpool::Error(-1005, "mine"); });
  const wp_job stopped = jobs.submit(JobOptions().timeout(std::chrono::nanoseconds(1)), [](JobContext &job) {
    while (true) job.check();
  });
  CHECK(jobs.wait_all());
  CHECK(jobs.error(failed) == "mine");
  CHECK(jobs.state(stopped) == JobState::timeout);
  CHECK_EQUAL(jobs.reason(stopped), WP_REASON_TIMEOUT);
  CHECK(jobs.cancel(stopped) == JobState::timeout);
  jobs.cancel_all();
  jobs.shutdown();
}

void gone() {
  std::atomic<bool> started{false};
  const workpool::Pool pool;
  {
    JobPool jobs(pool);
    const wp_job job = jobs.submit(JobOptions(), [&](JobContext &here) {
      started = true;
      while (true) here.check();
    });
    while (!started) std::this_thread::yield();
    CHECK(!jobs.wait(job, std::chrono::seconds(0)));
  }
}

}  // namespace

int main() {
  RUN("a graph of functions and commands", graph);
  RUN("errors of submits and of functions", errors);
  RUN("a pool that goes stops its jobs", gone);
  return CHECK_SUMMARY();
}
