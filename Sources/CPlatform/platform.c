/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* --- memory ----------------------------------------------------------------------------- */

static _Atomic int64_t allocations_left = -1, threads_left = -1;
static _Thread_local int64_t own_allocations_left = -1, own_threads_left = -1;

/* Counts down to 0, says so once, and stays at -1. */
static int runs_out(_Atomic int64_t *left) {
  if (atomic_load_explicit(left, memory_order_relaxed) < 0) return 0;
  return atomic_fetch_sub_explicit(left, 1, memory_order_relaxed) == 0;
}

static int own_runs_out(int64_t *left) { return *left >= 0 && (*left)-- == 0; }

static int allocation_fails(void) {
  return own_runs_out(&own_allocations_left) || runs_out(&allocations_left);
}

void wpl_fail_own_allocation_after(int64_t count) { own_allocations_left = count; }
void wpl_fail_allocation_after(int64_t count) { atomic_store(&allocations_left, count); }
void wpl_fail_thread_after(int64_t count) { atomic_store(&threads_left, count); }
void wpl_fail_own_thread_after(int64_t count) { own_threads_left = count; }

/* A large buffer is filled and used again: whole pages of 2 MiB save the kernel thousands of faults. */
static void *allocate_large(size_t size) {
  const size_t page = 2 << 20;
  if (size > SIZE_MAX - page) return NULL;
  size_t whole = (size + page - 1) & ~(page - 1);
  void *memory = aligned_alloc(page, whole);
  if (memory != NULL) madvise(memory, whole, MADV_HUGEPAGE); /* no more than a wish */
  return memory;
}
void *wpl_allocate(size_t size) {
  if (allocation_fails()) return NULL;
  return size < 4 << 20 ? malloc(size) : allocate_large(size);
}
void *wpl_allocate_zeroed(size_t size) {
  return allocation_fails() ? NULL : calloc(1, size);
}
void *wpl_allocate_aligned(size_t alignment, size_t size) {
  if (size > SIZE_MAX - alignment || allocation_fails()) return NULL;
  return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
}
void *wpl_reallocate(void *memory, size_t size) {
  return allocation_fails() ? NULL : realloc(memory, size);
}
void wpl_free(void *memory) { free(memory); }

/* --- clocks ----------------------------------------------------------------------------- */

static int64_t nanoseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
int64_t wpl_now(void) { return nanoseconds(CLOCK_MONOTONIC); }
int64_t wpl_thread_cpu_time(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }
int64_t wpl_process_cpu_time(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

static struct timespec time_of(int64_t ns) {
  return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* --- waiting ---------------------------------------------------------------------------- */

/* Who finds it locked looks again for some microseconds before it sleeps: what is done under these locks is
 * shorter than a sleep and the call that ends it. */
struct wpl_monitor {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int looks;
  _Atomic int is_locked; /* a hint for who looks */
};

static int looks_at_a_lock(void) {
  static _Atomic int known = -1;
  int looks = atomic_load_explicit(&known, memory_order_relaxed);
  if (looks < 0) {
    looks = wpl_usable_cpus() > 1 ? 200 : 0; /* with one CPU nobody unlocks it meanwhile */
    atomic_store_explicit(&known, looks, memory_order_relaxed);
  }
  return looks;
}
static void hint(wpl_monitor *m, int is_locked) {
  atomic_store_explicit(&m->is_locked, is_locked, memory_order_relaxed);
}

wpl_monitor *wpl_monitor_create(void) {
  wpl_monitor *m = wpl_allocate(sizeof *m);
  if (m == NULL) return NULL;
  pthread_condattr_t a;
  pthread_condattr_init(&a);
  pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
  pthread_mutex_init(&m->mutex, NULL);
  pthread_cond_init(&m->condition, &a);
  pthread_condattr_destroy(&a);
  m->looks = looks_at_a_lock();
  atomic_init(&m->is_locked, 0);
  return m;
}
void wpl_monitor_destroy(wpl_monitor *m) {
  if (m == NULL) return;
  pthread_cond_destroy(&m->condition);
  pthread_mutex_destroy(&m->mutex);
  wpl_free(m);
}
void wpl_monitor_lock(wpl_monitor *m) {
#ifdef WPL_SCHEDULES
  wpl_schedule_point();
#endif
  int failed = pthread_mutex_trylock(&m->mutex);
  for (int left = m->looks; failed && left > 0; left--) {
    wpl_pause();
    if (!atomic_load_explicit(&m->is_locked, memory_order_relaxed))
      failed = pthread_mutex_trylock(&m->mutex);
  }
  if (failed) pthread_mutex_lock(&m->mutex);
  hint(m, 1);
}
void wpl_monitor_unlock(wpl_monitor *m) {
  hint(m, 0);
  pthread_mutex_unlock(&m->mutex);
}
int wpl_monitor_wait(wpl_monitor *m, int64_t deadline) {
#ifdef WPL_SCHEDULES
  if (wpl_schedule_ends_wait()) {
    wpl_monitor_unlock(m);
    sched_yield();
    wpl_monitor_lock(m);
    return 1;
  }
#endif
  hint(m, 0);
  int is_in_time = 1;
  if (deadline < 0) {
    pthread_cond_wait(&m->condition, &m->mutex);
  } else {
    struct timespec t = time_of(deadline);
    is_in_time = pthread_cond_timedwait(&m->condition, &m->mutex, &t) != ETIMEDOUT;
  }
  hint(m, 1);
  return is_in_time;
}
void wpl_monitor_wake_all(wpl_monitor *m) { pthread_cond_broadcast(&m->condition); }
void wpl_monitor_wake_one(wpl_monitor *m) { pthread_cond_signal(&m->condition); }

void wpl_futex_wait(void *word, uint32_t expected, int64_t deadline) {
#ifdef WPL_SCHEDULES
  if (wpl_schedule_ends_wait()) return;
#endif
  struct timespec t;
  if (deadline >= 0) t = time_of(deadline);
  /* FUTEX_WAIT_BITSET takes an absolute monotonic time, FUTEX_WAIT a relative one. */
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
          deadline < 0 ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY);
}
void wpl_futex_wake_one(void *word) {
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
void wpl_yield(void) { sched_yield(); }

/* --- threads ---------------------------------------------------------------------------- */

struct wpl_thread {
  pthread_t id;
  void (*body)(void *);
  void *argument;
  char name[16];
};

static void *thread_main(void *p) {
  wpl_thread *t = p;
  pthread_setname_np(pthread_self(), t->name);
  t->body(t->argument);
  return NULL;
}

wpl_thread *wpl_thread_create(const char *name, size_t stack_size,
                              void (*body)(void *), void *argument) {
  if (own_runs_out(&own_threads_left) || runs_out(&threads_left)) return errno = EAGAIN, NULL;
  wpl_thread *t = wpl_allocate(sizeof *t);
  if (t == NULL) return errno = ENOMEM, NULL;
  *t = (wpl_thread){.body = body, .argument = argument};
  snprintf(t->name, sizeof t->name, "%s", name);

  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&blocked, faults[i]);

  pthread_attr_t a;
  pthread_attr_init(&a);
  int failed = stack_size ? pthread_attr_setstacksize(&a, stack_size) : 0;
  if (!failed) {
    /* A thread inherits the mask of its creator: blocked for the moment of its birth. */
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failed = pthread_create(&t->id, &a, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_attr_destroy(&a);
  if (failed) return wpl_free(t), errno = failed, NULL;
  return t;
}

uintptr_t wpl_thread_identity(void) {
  static _Thread_local char own;
  return (uintptr_t)&own;
}

void wpl_thread_join(wpl_thread *t) {
  pthread_join(t->id, NULL);
  wpl_free(t);
}

static _Thread_local void *worker;
void *wpl_thread_worker(void) { return worker; }
void wpl_set_thread_worker(void *w) { worker = w; }
static _Thread_local void *current_run;
void *wpl_thread_run(void) { return current_run; }
void wpl_set_thread_run(void *run) { current_run = run; }
static _Thread_local _Alignas(64) uint64_t sleeper[8];
void *wpl_thread_sleeper(void) { return sleeper; }
static _Alignas(64) uint64_t wait_graph[8];
uint64_t *wpl_wait_graph(void) { return wait_graph; }
static _Thread_local void *timer;
void *wpl_thread_timer(void) { return timer; }
void wpl_set_thread_timer(void *t) { timer = t; }

static _Atomic uint32_t generation;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static void forked(void) { atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed); }
static void watch(void) { pthread_atfork(NULL, NULL, forked); }
void wpl_watch_forks(void) { pthread_once(&watch_once, watch); }
uint32_t wpl_fork_generation(void) {
  return atomic_load_explicit(&generation, memory_order_relaxed);
}

static _Thread_local struct {
  int32_t code, system_error;
  char text[WPL_ERROR_TEXT_SIZE];
} last_error;
void wpl_set_last_error(int32_t code, int32_t system_error, const char *text, size_t size) {
  if (size >= WPL_ERROR_TEXT_SIZE) size = WPL_ERROR_TEXT_SIZE - 1;
  last_error.code = code;
  last_error.system_error = system_error;
  memcpy(last_error.text, text, size);
  last_error.text[size] = 0;
}
int32_t wpl_last_error_code(void) { return last_error.code; }
int32_t wpl_last_error_errno(void) { return last_error.system_error; }
const char *wpl_last_error_text(void) { return last_error.text; }
