// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stages.h"

static int threads(void) {
  DIR *folder = opendir("/proc/self/task");
  struct dirent *entry;
  int count = 0;
  while ((entry = readdir(folder))) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

static void a_pool_has_the_workers_asked_for(void) {
  static const uint32_t counts[] = { 1, 2, 3, 8, 64 };
  for (int i = 0; i < 5; i++) {
    wp_pool *pool = pool_of(counts[i]);
    CHECK_EQUAL(wp_pool_workers(pool), counts[i]);
    CHECK_EQUAL(threads(), counts[i] + 1);
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
    CHECK_EQUAL(threads(), 1);
  }
  CHECK_EQUAL(wp_pool_workers(NULL), 0);
  CHECK_EQUAL(wp_pool_destroy(NULL), WP_OK);
}

static void the_default_is_one_worker_per_usable_cpu(void) {
  wp_pool *pool = NULL;
  cpu_set_t before, one;
  CPU_ZERO(&before);
  CHECK_EQUAL(sched_getaffinity(0, sizeof before, &before), 0);
  CHECK(wp_usable_cpus() >= 1);
  CHECK(wp_usable_cpus() <= (uint32_t)CPU_COUNT(&before));
  CHECK_EQUAL(wp_pool_create(NULL, &pool), WP_OK);
  CHECK_EQUAL(wp_pool_workers(pool), wp_usable_cpus());
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);

  int cpu = 0;
  while (!CPU_ISSET(cpu, &before)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  CHECK_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
  CHECK_EQUAL(wp_usable_cpus(), 1);
  sched_setaffinity(0, sizeof before, &before);
}

/* ----- quotas of control groups, in a child that sees files of ours ----- */

static int write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file) return 0;
  fputs(text, file);
  return fclose(file) == 0;
}

static int see_own_groups(void) {
  if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) return 0;
  return !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL)
         && !mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL)
         && !mkdir("/sys/fs/cgroup/a", 0777) && !mkdir("/sys/fs/cgroup/a/b", 0777)
         && !mkdir("/sys/fs/cgroup/cpu", 0777) && !mkdir("/sys/fs/cgroup/cpu/x", 0777)
         && !mkdir("/sys/fs/cgroup/cpu,cpuacct", 0777) && !mkdir("/sys/fs/cgroup/cpu,cpuacct/x", 0777)
         && write_file("/sys/fs/cgroup/groups", "")
         && !mount("/sys/fs/cgroup/groups", "/proc/self/cgroup", "none", MS_BIND, NULL);
}

enum { NO_MOUNTS = 77 };

static void check_quotas(void) {
  static const struct {
    const char *groups, *path, *quota, *period; /* period: of version 1 */
    uint32_t cpus;
  } cases[] = {
    { "0::/a/b\n", "a/b/cpu.max", "max 100000\n", NULL, 1024 },
    { "0::/a/b\n", "a/b/cpu.max", "50000 100000\n", NULL, 1 },
    { "0::/a/b\n", "a/b/cpu.max", "100000 100000\n", NULL, 1 },
    { "0::/a/b\n", "a/b/cpu.max", "100001 100000\n", NULL, 2 }, /* rounded up */
    { "0::/a/b\n", "a/cpu.max", "30000 100000\n", NULL, 1 },    /* any level up to the root */
    { "0::/a/b\n", "cpu.max", "30000 100000\n", NULL, 1 },
    { "0::/a\n", "a/b/cpu.max", "30000 100000\n", NULL, 1024 }, /* not below */
    { "0::/\n", "cpu.max", "1 100000\n", NULL, 1 },
    { "0::/a/b\n", "a/b/cpu.max", "nonsense\n", NULL, 1024 },
    { "3:cpu,cpuacct:/x\n0::/\n", "cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n", "100000\n", 1 },
    { "3:cpu:/x\n", "cpu/x/cpu.cfs_quota_us", "120000\n", "100000\n", 2 },
    { "3:cpu:/x\n", "cpu/cpu.cfs_quota_us", "50000\n", "100000\n", 1 },
    { "3:cpu:/x\n", "cpu/x/cpu.cfs_quota_us", "-1\n", "100000\n", 1024 },
    { "3:cpuset:/x\n", "cpu/x/cpu.cfs_quota_us", "50000\n", "100000\n", 1024 },
  };
  uint32_t all = wp_usable_cpus(); /* there are no files: as many as the mask says */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[200], period[200] = "";
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", cases[i].path);
    CHECK(write_file("/sys/fs/cgroup/groups", cases[i].groups) && write_file(path, cases[i].quota));
    if (cases[i].period) {
      snprintf(period, sizeof period, "%.*scfs_period_us", (int)(strlen(path) - strlen("cfs_quota_us")), path);
      CHECK(write_file(period, cases[i].period));
    }
    if (wp_usable_cpus() != (cases[i].cpus < all ? cases[i].cpus : all)) {
      check_failed(__FILE__, __LINE__, "%s: %s is for %u CPUs", cases[i].path, cases[i].quota, wp_usable_cpus());
    }
    unlink(path);
    unlink(period);
  }
}

static void quotas(void) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (!see_own_groups()) _exit(NO_MOUNTS);
    check_quotas();
    fflush(stdout);
    _exit(checks_failed != 0);
  }
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) == NO_MOUNTS) printf("     quotas: not looked at, for nothing can be mounted here\n");
  else CHECK_EQUAL(WEXITSTATUS(status), 0);
}

typedef struct hooks {
  uint32_t started, stopped, destroyed; /* one bit per worker; count */
  uint64_t open_signals;
  int32_t wrong_index;
} hooks;

static void on_start(void *context, uint32_t worker) {
  hooks *hooks = context;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  for (int signal = 1; signal < 64; signal++) {
    if (signal != 32 && signal != 33 && !sigismember(&mask, signal)) {
      __atomic_fetch_or(&hooks->open_signals, UINT64_C(1) << signal, __ATOMIC_RELAXED);
    }
  }
  if (wp_worker_index() != (int32_t)worker) hooks->wrong_index = 1;
  CHECK(!(__atomic_fetch_or(&hooks->started, 1u << worker, __ATOMIC_RELAXED) & 1u << worker));
}

static void on_stop(void *context, uint32_t worker) {
  hooks *hooks = context;
  CHECK(__atomic_load_n(&hooks->started, __ATOMIC_RELAXED) & 1u << worker);
  CHECK(!(__atomic_fetch_or(&hooks->stopped, 1u << worker, __ATOMIC_RELAXED) & 1u << worker));
  CHECK_EQUAL(hooks->destroyed, 0);
}

static void on_destroy(void *context) { ((hooks *)context)->destroyed++; }

static void hooks_run_once_on_each_worker(void) {
  hooks hooks = { 0 };
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = 4;
  options.thread_start = on_start;
  options.thread_stop = on_stop;
  options.context = &hooks;
  options.destroy_context = on_destroy;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  CHECK_EQUAL(hooks.destroyed, 0);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  CHECK_EQUAL(hooks.started, 15);
  CHECK_EQUAL(hooks.stopped, 15);
  CHECK_EQUAL(hooks.destroyed, 1);
  CHECK_EQUAL(hooks.wrong_index, 0);
  uint64_t faults = 0;
  static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
  for (int i = 0; i < 7; i++) faults |= UINT64_C(1) << own[i];
  faults |= UINT64_C(1) << SIGKILL | UINT64_C(1) << SIGSTOP; /* nobody can block these */
  CHECK_EQUAL(hooks.open_signals & ~faults, 0);
}

static void compare_name(void *context, uint32_t worker) {
  char name[32] = "", expected[64];
  CHECK_EQUAL(pthread_getname_np(pthread_self(), name, sizeof name), 0);
  snprintf(expected, sizeof expected, "%s-%u", (const char *)context, (unsigned)worker);
  expected[15] = 0;
  CHECK_TEXT(name, expected);
}

static void threads_are_named(void) {
  static const char *const prefixes[] = { NULL, "reads", "", "a-long-name-for-threads" };
  for (int i = 0; i < 4; i++) {
    wp_pool_options options = WP_POOL_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = 3;
    options.name_prefix = prefixes[i];
    options.thread_start = compare_name;
    options.context = (void *)(prefixes[i] ? prefixes[i] : "wp");
    CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

static void wrong_options_are_refused(void) {
  static wp_pool *const nothing = NULL;
  wp_pool *pool = NULL;
  hooks hooks = { 0 };
  const wp_pool_options good = WP_POOL_OPTIONS_INIT;
  wp_pool_options bad;
#define REFUSED(change) \
  bad = good; \
  bad.context = &hooks; \
  bad.destroy_context = on_destroy; \
  bad.change; \
  CHECK_EQUAL(wp_pool_create(&bad, &pool), WP_INVALID_ARGUMENT); \
  CHECK(pool == nothing)
  REFUSED(struct_size = 0);
  REFUSED(struct_size = 4);
  REFUSED(struct_size = sizeof bad + 8);
  REFUSED(workers = 1025);
  REFUSED(workers = UINT32_MAX);
  REFUSED(flags = 2);
  REFUSED(flags = UINT32_MAX);
  REFUSED(max_workers = 1025);
  REFUSED(blocking_extra = 1025);
  REFUSED(host_workers = 1025);
  bad = good;
  bad.workers = 2;
  bad.max_workers = 1;
  CHECK_EQUAL(wp_pool_create(&bad, &pool), WP_INVALID_ARGUMENT);
  bad.max_workers = 0;
  bad.host_workers = 3;
  CHECK_EQUAL(wp_pool_create(&bad, &pool), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_create(&good, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(hooks.destroyed, 0);
  CHECK_EQUAL(threads(), 1);
}

static void a_used_pool_is_busy(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_BUSY);
  CHECK_EQUAL(wp_last_error(), WP_BUSY);
  destroy(pipeline, pool);
}

static int32_t destroy_from_inside(WITHIN(context)) {
  UNUSED;
  CHECK_EQUAL(wp_pool_destroy(context), WP_BUSY);
  CHECK_EQUAL(wp_worker_index(), call->worker);
  return WP_STAGE_OK;
}

static void a_worker_cannot_destroy_its_pool(void) {
  wp_pool *pool = pool_of(2);
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  counter ten = { 10, 0 };
  set_source(pipeline, count_up, &ten);
  add_stage(pipeline, WP_PARALLEL, destroy_from_inside, pool);
  CHECK_EQUAL(wp_worker_index(), -1);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  destroy(pipeline, pool);
}

static int runs_ten_blocks(wp_pool *pool) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  counter ten = { 10, 0 };
  memory memory = { 0 };
  set_source(pipeline, count_up, &ten);
  set_sink(pipeline, remember, &memory);
  int32_t status = wp_pipeline_run(pipeline);
  return wp_pipeline_destroy(pipeline) == WP_OK && status == WP_OK && memory.count == 10;
}

static void pools_come_and_go(void) {
  for (int i = 0; i < 200; i++) {
    wp_pool *pool = pool_of(1 + i % 5);
    if (i % 2) CHECK(runs_ten_blocks(pool));
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
  CHECK_EQUAL(threads(), 1);
}

typedef struct meeting {
  wp_pool *pool;
  gate gate;
  uint64_t size;
} meeting;

/* Block 0 asks for as many workers as shall meet. */
static int32_t meet(WITHIN(context)) {
  meeting *meeting = context;
  UNUSED;
  if (block->number == 0) {
    CHECK_EQUAL(wp_pool_set_workers(meeting->pool, (uint32_t)meeting->size), WP_OK);
  }
  gate_raise(&meeting->gate, 1);
  gate_wait(&meeting->gate, meeting->size);
  return WP_STAGE_OK;
}

static int32_t crowd_in(WITHIN(context)) {
  UNUSED;
  crowd_enter(context);
  sched_yield();
  crowd_leave(context);
  return WP_STAGE_OK;
}

static void run_counted(wp_pool *pool, uint64_t blocks, wp_stage_fn fn, void *context) {
  wp_pipeline *pipeline = pipeline_on(pool, 0, 0);
  counter counter = { blocks, 0 };
  memory memory = { 0 };
  set_source(pipeline, count_up, &counter);
  wp_stage_options options = stage(WP_PARALLEL, fn, context);
  options.flags = WP_STAGE_MAY_BLOCK;
  CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &options), 1);
  set_sink(pipeline, remember, &memory);
  CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
  CHECK_EQUAL(memory.count, blocks);
  CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
}

static void the_number_of_workers_changes(void) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = 2;
  options.max_workers = 8;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  CHECK_EQUAL(threads(), 3);
  CHECK_EQUAL(wp_pool_set_workers(pool, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_set_workers(pool, 9), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_set_workers(NULL, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_workers(pool), 2);
  meeting meeting = { pool, GATE, 8 };
  run_counted(pool, 8, meet, &meeting);
  CHECK_EQUAL(wp_pool_workers(pool), 8);
  CHECK_EQUAL(threads(), 9);
  crowd crowd = { 0, 0 };
  CHECK_EQUAL(wp_pool_set_workers(pool, 1), WP_OK);
  CHECK_EQUAL(wp_pool_workers(pool), 1);
  run_counted(pool, 200, crowd_in, &crowd);
  CHECK_EQUAL(crowd.most, 1);
  CHECK_EQUAL(threads(), 9);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  CHECK_EQUAL(threads(), 1);
}

/* The host's seats are the last ones of the initial workers. */
static void seats_of_the_host_come_and_go(void) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = 2;
  options.host_workers = 1;
  options.max_workers = 3;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  CHECK_EQUAL(threads(), 2);
  crowd crowd = { 0, 0 };
  CHECK_EQUAL(wp_pool_set_workers(pool, 1), WP_OK);
  CHECK_EQUAL(wp_pool_run_worker(pool, NULL), WP_BUSY);
  run_counted(pool, 200, crowd_in, &crowd);
  CHECK_EQUAL(crowd.most, 1);
  CHECK_EQUAL(wp_pool_set_workers(pool, 3), WP_OK);
  CHECK_EQUAL(threads(), 3);
  meeting meeting = { pool, GATE, 3 };
  run_counted(pool, 3, meet, &meeting);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

typedef struct relay {
  gate called, done; /* how often the source was called; how many blocks the stage has had */
  int32_t worker[8];
} relay;

static int32_t call_after_stage(WITHIN(context)) {
  relay *relay = context;
  UNUSED;
  gate_raise(&relay->called, 1);
  gate_wait(&relay->done, block->number);
  return block->number == 8 ? WP_SOURCE_END : WP_STAGE_OK;
}

static int32_t end_after_call(WITHIN(context)) {
  relay *relay = context;
  UNUSED;
  CHECK_EQUAL(call->worker, wp_worker_index());
  relay->worker[block->number] = (int32_t)call->worker;
  gate_wait(&relay->called, block->number + 2);
  gate_raise(&relay->done, 1);
  return WP_STAGE_OK;
}

/* Each block waits for the next call of the source, and that for the block: with a single worker, which
 * sits in one of the two, a further one is needed. */
static void a_further_worker_works_while_one_blocks(void) {
  wp_pool_options options = WP_POOL_OPTIONS_INIT;
  wp_pool *pool = NULL;
  options.workers = 1;
  options.max_workers = 2;
  options.blocking_extra = 1;
  CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
  CHECK_EQUAL(threads(), 3);
  CHECK_EQUAL(wp_pool_workers(pool), 1);
  for (int i = 0; i < 50; i++) {
    relay relay = { GATE, GATE, { 0 } };
    wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
    wp_stage_options source = stage(WP_SERIAL, call_after_stage, &relay);
    wp_stage_options waits = stage(WP_PARALLEL, end_after_call, &relay);
    source.flags = waits.flags = WP_STAGE_MAY_BLOCK;
    CHECK_EQUAL(wp_pipeline_set_source(pipeline, &source), WP_OK);
    CHECK_EQUAL(wp_pipeline_add_stage(pipeline, &waits), 1);
    CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
    for (int block = 0; block < 8; block++) CHECK(relay.worker[block] == 0 || relay.worker[block] == 2);
    CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
  }
  wp_worker_statistics figures = { .struct_size = sizeof figures };
  CHECK_EQUAL(wp_pool_worker_statistics(pool, 2, &figures), WP_OK);
  CHECK(figures.calls > 0);
  CHECK_EQUAL(figures.is_host_thread, 0);
  CHECK_EQUAL(figures.busy_ns + figures.blocked_ns + figures.engine_ns + figures.idle_ns, figures.wall_ns);
  CHECK_EQUAL(wp_pool_worker_statistics(pool, 3, &figures), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  CHECK_EQUAL(threads(), 1);
}

int main(void) {
  RUN("a pool has the workers asked for, and none after destroy", a_pool_has_the_workers_asked_for);
  RUN("the default is one worker per usable CPU", the_default_is_one_worker_per_usable_cpu);
  RUN("a quota of a control group counts, the tightest up to the root, rounded up", quotas);
  RUN("hooks run once on each worker, signals blocked", hooks_run_once_on_each_worker);
  RUN("threads are named prefix-index, cut to 15 bytes", threads_are_named);
  RUN("wrong options are refused and keep nothing", wrong_options_are_refused);
  RUN("a pool with a pipeline is busy", a_used_pool_is_busy);
  RUN("a worker cannot destroy its pool", a_worker_cannot_destroy_its_pool);
  RUN("the number of workers changes, also from a callback", the_number_of_workers_changes);
  RUN("seats of the host come and go with the number", seats_of_the_host_come_and_go);
  RUN("a further worker works while one blocks", a_further_worker_works_while_one_blocks);
  RUN("pools come and go", pools_come_and_go);
  return CHECK_SUMMARY();
}
