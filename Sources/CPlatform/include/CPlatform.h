/* SPDX-License-Identifier: MIT
 *
 * CPlatform: what Swift cannot say about the machine. Thin wrappers, no logic:
 * memory that can be made to fail, clocks, waiting, threads, files.
 * Every function is safe on any thread unless it says otherwise.
 */
#ifndef WORKPOOL_CPLATFORM_H
#define WORKPOOL_CPLATFORM_H
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "CPlatformChannels.h"
#include "CPlatformChildren.h"
#include "CPlatformFiles.h"
#include "CPlatformNumbers.h"
#include "CPlatformPolling.h"
#include "CPlatformProcesses.h"
#include "CPlatformSchedule.h"
#include "CPlatformSignals.h"

/* --- version ---------------------------------------------------------------------------- */

/* Both for ever; the numbers are those of workpool.h and of the headers built against. */
const char *wpl_version(void);
const char *wpl_build_info(void);

/* --- memory ----------------------------------------------------------------------------- */

/* As malloc, realloc and free; NULL when there is no memory or when a test asked for a failure.
 * Alignment is a power of two; what wpl_allocate_aligned returns is freed by wpl_free too. */
void *wpl_allocate(size_t size);
void *wpl_allocate_zeroed(size_t size);
void *wpl_allocate_aligned(size_t alignment, size_t size);
void *wpl_reallocate(void *memory, size_t size);
void wpl_free(void *memory);
/* For tests: the allocation after `count` more successful ones fails, once; negative: none does. */
void wpl_fail_allocation_after(int64_t count);
/* The same for allocations of the calling thread alone: tests may run side by side. */
void wpl_fail_own_allocation_after(int64_t count);
/* For tests: the same for thread creation, by any thread or by the calling one. */
void wpl_fail_thread_after(int64_t count);
void wpl_fail_own_thread_after(int64_t count);

/* --- clocks ----------------------------------------------------------------------------- */

int64_t wpl_now(void);             /* CLOCK_MONOTONIC, ns */
int64_t wpl_thread_cpu_time(void); /* CPU time of the calling thread, ns */
int64_t wpl_process_cpu_time(void); /* of all threads, ns */

/* --- waiting ---------------------------------------------------------------------------- */

/* A mutex and a condition variable (monotonic clock) in one allocation; NULL without memory. */
typedef struct wpl_monitor wpl_monitor;
wpl_monitor *wpl_monitor_create(void);
void wpl_monitor_destroy(wpl_monitor *monitor);
void wpl_monitor_lock(wpl_monitor *monitor);
void wpl_monitor_unlock(wpl_monitor *monitor);
/* With the lock held. `deadline` is in wpl_now() time; negative: none. 0 when the time is over. */
int wpl_monitor_wait(wpl_monitor *monitor, int64_t deadline);
void wpl_monitor_wake_all(wpl_monitor *monitor);
void wpl_monitor_wake_one(wpl_monitor *monitor);

/* Sleeps while *word == expected, until woken or until `deadline` (as above). May return early.
 * The caller looks at *word again with an atomic operation of its own. */
void wpl_futex_wait(void *word, uint32_t expected, int64_t deadline);
void wpl_futex_wake_one(void *word);

static inline void wpl_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}
static inline void wpl_prefetch(const void *address) { __builtin_prefetch(address); }
void wpl_yield(void);

/* --- threads ---------------------------------------------------------------------------- */

typedef struct wpl_thread wpl_thread;
/* A joinable thread named `name` (cut to 15 bytes) in which all signals are blocked but those
 * that report a fault of the thread itself. NULL and errno when there is no thread or memory. */
wpl_thread *wpl_thread_create(const char *name, size_t stack_size,
                              void (*body)(void *), void *argument);
void wpl_thread_join(wpl_thread *thread); /* also frees it */
uintptr_t wpl_thread_identity(void); /* not 0; of no two threads that live at once the same */

/* CPUs this process may use: affinity mask ∩ cgroup quota (v1 and v2, the tightest level up to
 * the root, rounded up), at least 1. */
uint32_t wpl_usable_cpus(void);

/* One word per thread: which worker this is (0 = none), for wp_worker_index(). */
void *wpl_thread_worker(void);
void wpl_set_thread_worker(void *worker);
/* A second word: whose callbacks may be on this thread's stack, innermost first (StackFrame). */
void *wpl_thread_run(void);
void wpl_set_thread_run(void *frame);
/* 64 bytes of the thread's own, zero at first, for its sleep as a helper (Sleeper). */
void *wpl_thread_sleeper(void);
/* Eight words of the process, zero at first: who waits for whom (WaitGraph). */
uint64_t *wpl_wait_graph(void);
/* A third word: the timer whose thread this is (NULL = none). */
void *wpl_thread_timer(void);
void wpl_set_thread_timer(void *timer);

/* How many forks lie between the process that loaded the library and this one. Counting begins
 * with the first call of wpl_watch_forks(). */
void wpl_watch_forks(void);
uint32_t wpl_fork_generation(void);

/* This thread's last error, set by the C border. Text is cut to what fits. */
#define WPL_ERROR_TEXT_SIZE 1024
void wpl_set_last_error(int32_t code, int32_t system_error, const char *text, size_t size);
int32_t wpl_last_error_code(void);
int32_t wpl_last_error_errno(void);
const char *wpl_last_error_text(void);

#endif
