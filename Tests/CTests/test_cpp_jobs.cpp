// SPDX-License-Identifier: MIT
// workpool::JobPool: every call of it.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
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

void record() {
  const std::string folder = "/tmp/wpool-cpp-record." + std::to_string(::getpid());
  std::atomic<int> calls{0};
  const auto work = [&](JobContext &job) {
    calls++;
    job.log(WP_LOG_INFO, "done", "load", "[1]");
    job.set_result("kept", 4);
  };
  const JobOptions a = JobOptions("a").definition("1").outputs({"/dev/null"});
  const JobOptions b = JobOptions("b").after({"a"});
  {
    JobPool jobs;
    jobs.record_to(folder, "first");
    CHECK(jobs.run_folder() == folder + "/first");
    jobs.submit(a, work);
    jobs.submit(b, [&](JobContext &) { throw workpool::Error(-1005, "no"); });
    CHECK(jobs.wait_all());
  }
  workpool::RunRecord record(folder);
  const std::vector<workpool::RunJob> known = record.jobs();
  CHECK_EQUAL(known.size(), 2);
  CHECK(known[0].id == "a" && known[0].state == JobState::completed && known[0].attempts == 1);
  CHECK(known[1].state == JobState::failed && known[1].detail == -1005 && known[1].text == "no");
  JobPool jobs;
  jobs.resume_from(record);
  const wp_job again = jobs.submit(a, work);
  jobs.submit(b, work);
  CHECK(jobs.wait_all());
  CHECK_EQUAL(calls.load(), 2);
  CHECK(jobs.state(again) == JobState::skipped && jobs.result(again) == "kept");
  std::system(("rm -r " + folder).c_str());
}

void told() {
  JobPool jobs;
  std::atomic<int> ends{0};
  std::atomic<int64_t> done{0};
  const uint64_t id = jobs.subscribe([&](const wp_job_event &event) {
    if (event.kind == WP_EVENT_JOB_FINISHED) ends++;
    if (event.kind == WP_EVENT_JOB_PROGRESS) done = event.item;
  }, 1u << WP_EVENT_JOB_FINISHED | 1u << WP_EVENT_JOB_PROGRESS);
  jobs.submit(JobOptions("a"), [](JobContext &job) { job.progress(3, 4); });
  const workpool::Batch batch({"/bin/false"});
  const wp_job nothing = jobs.submit(JobOptions("b").after({"a"}), batch, {});
  const wp_job failed = jobs.submit(JobOptions("c").after({"b"}), batch, {"1"});
  CHECK(jobs.wait_all());
  jobs.unsubscribe(id);
  CHECK_EQUAL(ends.load(), 3);
  CHECK_EQUAL(done.load(), 3);
  CHECK(jobs.state(nothing) == JobState::completed);
  CHECK(jobs.state(failed) == JobState::failed);
  CHECK_EQUAL(jobs.reason(failed), WP_REASON_CRASHED);
  const std::vector<workpool::JobBar> bars = jobs.timeline();
  CHECK_EQUAL(bars.size(), 3);
  CHECK(bars[0].id == "a" && bars[0].attempt == 1 && bars[0].lane == 1 && bars[1].lane == 3);
  // To the nanosecond: a sum of seconds is rounded.
  CHECK(bars[0].state == JobState::completed
        && bars[1].start_time > bars[0].start_time + bars[0].duration - 0.5e-9);
  const std::string path = "/tmp/wpool-cpp-timeline." + std::to_string(::getpid());
  jobs.write_trace(path);
  jobs.write_svg(path);
  CHECK_EQUAL(std::remove(path.c_str()), 0);
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
  RUN("a record, and a pool that goes on from it", record);
  RUN("subscribers, batches, timelines", told);
  RUN("errors of submits and of functions", errors);
  RUN("a pool that goes stops its jobs", gone);
  return CHECK_SUMMARY();
}
