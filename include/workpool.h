/* SPDX-License-Identifier: MIT
 *
 * workpool.h - the whole C interface of libworkpool, in reading order.
 *
 *   1  Overview             4  Pool          7  Readers and writers
 *   2  Version              5  Tokens        8  FASTQ: steps and recipes
 *   3  Status and errors    6  Pipelines     9  Jobs
 *
 * ===== 1 Overview ==============================================================================
 *
 *   input --> source --> [parallel] --> [serial] --> [parallel] --> sink --> output
 *             every block is numbered; a worker carries a block from stage to stage until an
 *             order or a limit makes it wait; at most max_blocks_in_flight blocks exist, and
 *             those weigh no more than max_bytes_in_flight and one block
 *
 * A pool has a number of workers (threads). A pipeline has a source, stages and a sink, all
 * callbacks of yours. Workers carry numbered blocks through the stages; the sink sees block 0, 1,
 * 2, ... whatever the stages before it do. Compile with: cc program.c -lworkpool
 *
 *   #include <stdio.h>
 *   #include <workpool.h>
 *
 *   static int32_t count(void *context, wp_block *block, void *scratch, const wp_call *call) {
 *     (void)context, (void)scratch, (void)call;
 *     if (block->number == 10) return WP_SOURCE_END;
 *     return WP_STAGE_OK;
 *   }
 *   static int32_t square(void *context, wp_block *block, void *scratch, const wp_call *call) {
 *     (void)context, (void)scratch, (void)call;
 *     block->meta[0] = block->number * block->number;
 *     return WP_STAGE_OK;
 *   }
 *   static int32_t print(void *context, wp_block *block, void *scratch, const wp_call *call) {
 *     (void)context, (void)scratch, (void)call;
 *     printf("%d\n", (int)block->meta[0]);
 *     return WP_STAGE_OK;
 *   }
 *   int main(void) {
 *     wp_pool *pool;
 *     wp_pipeline *pipeline;
 *     if (wp_pool_create(NULL, &pool) || wp_pipeline_create(pool, NULL, &pipeline)) return 1;
 *     wp_pipeline_set_source(pipeline, &(wp_stage_options){.struct_size = sizeof(wp_stage_options), .fn = count});
 *     wp_pipeline_add_stage(pipeline, &(wp_stage_options){.struct_size = sizeof(wp_stage_options), .fn = square});
 *     wp_pipeline_set_sink(pipeline, &(wp_stage_options){.struct_size = sizeof(wp_stage_options), .fn = print});
 *     int32_t status = wp_pipeline_run(pipeline);
 *     wp_pipeline_destroy(pipeline);
 *     wp_pool_destroy(pool);
 *     return status != WP_OK;
 *   }
 *
 * Conventions, stated once:
 *   handles    are opaque; create(options, &out) / destroy(handle); destroy(NULL) does nothing. What
 *              is still in use is not destroyed: WP_BUSY.
 *   status     functions return int32_t: 0 is WP_OK, positive values are other good ends, negative
 *              values are errors. The values are fixed for ever.
 *   errors     after a negative return wp_last_error_text() says more, on the same thread.
 *   options    begin with struct_size = sizeof(that struct); zero in any other field is its default;
 *              NULL is all defaults; unknown sizes and flags are WP_INVALID_ARGUMENT. Newer versions
 *              append fields only.
 *   time       every call that may block has a `timeout_ns`: nanoseconds on the monotonic clock;
 *              0 only looks, negative waits for ever.
 *   memory     "borrows": used during the call; "keeps until destroy"; "takes": yours no longer;
 *              nobody frees the memory of the other side.
 *   callbacks  get their context first; exceptions, longjmp and thread cancellation must not leave
 *              them. `destroy_context` is called exactly once, when the object that holds it goes.
 *              A call that fails has kept nothing and destroys nothing.
 *   strings    are UTF-8 and end with NUL; they are borrowed. Paths are bytes as the system has them.
 *   threads    the last line of each comment: "any" thread at any time; "one at a time" per handle;
 *              "inside callbacks" of the object concerned.
 *   fork       a handle belongs to the process that made it; in a child its functions return
 *              WP_FORKED and touch nothing.
 * No function is async-signal-safe but wp_token_cancel_from_signal. The library never prints, exits,
 * raises a signal or installs a handler.
 */
#ifndef WORKPOOL_H
#define WORKPOOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WP_API __attribute__((visibility("default")))
#else
#define WP_API
#endif

/* ===== 2 Version ============================================================================ */

#define WP_VERSION_MAJOR 0
#define WP_VERSION_MINOR 1
#define WP_VERSION_PATCH 0
#define WP_VERSION_NUMBER (WP_VERSION_MAJOR * 10000 + WP_VERSION_MINOR * 100 + WP_VERSION_PATCH)

/* WP_VERSION_NUMBER of the library that is loaded.
 * Threads: any. */
WP_API int32_t wp_version_number(void);

/* The version as text, such as "0.1.0"; never NULL, valid for ever.
 * Threads: any. */
WP_API const char *wp_version_string(void);

/* Version and what was built in, one line, such as
 * "libworkpool 0.1.0 zlib 1.2.13 zstd 1.5.4 libdeflate 1.14 isa-l 2.30.0 pcre2 10.42": the last three are
 * there or not, the versions are those of the headers. Never NULL, valid for ever.
 * Threads: any. */
WP_API const char *wp_build_info(void);

/* ===== 3 Status and errors ================================================================== */

#define WP_OK 0
#define WP_STOPPED 1 /* a stage or the host ended the run early: a success */
#define WP_END 2     /* nothing more to read */

#define WP_INVALID_ARGUMENT (-1)
#define WP_INVALID_STATE (-2)
#define WP_NO_MEMORY (-3)
#define WP_NO_THREAD (-4)
#define WP_BUSY (-5)
#define WP_CLOSED (-6)
#define WP_CANCELLED (-7)
#define WP_TIMED_OUT (-8)
#define WP_WOULD_BLOCK (-9)
#define WP_WOULD_DEADLOCK (-10)
#define WP_RESULTS_WAITING (-11)
#define WP_STAGE_FAILED (-12)
#define WP_BAD_RETURN (-13)
#define WP_DUPLICATE_BLOCK (-14)
#define WP_MISSING_BLOCK (-15)
#define WP_FORKED (-16)
#define WP_UNSUPPORTED (-17)

#define WP_IO_FAILED (-30)
#define WP_CORRUPT_INPUT (-31)
#define WP_TRUNCATED_INPUT (-32)
#define WP_MALFORMED_RECORD (-33)
#define WP_LIMIT_EXCEEDED (-34)
#define WP_OUTPUT_EXISTS (-35)

#define WP_EXISTS (-50)             /* jobs: the id is taken */
#define WP_NOT_FOUND (-51)
#define WP_SHUT_DOWN (-52)
#define WP_CYCLE (-53)
#define WP_UNKNOWN_DEPENDENCY (-54)
#define WP_UNSATISFIABLE (-55)      /* asks for more than there is */
#define WP_NO_RETRY (-56)           /* returned by a job's function: failed for good */

#define WP_USER_CODE (-1000) /* this and everything below it is free for callbacks */

/* The name of a status, such as "WP_CLOSED"; "WP_UNKNOWN" for other numbers; never NULL.
 * Threads: any. */
WP_API const char *wp_status_name(int32_t status);

/* What a status means, a sentence without full stop; never NULL.
 * Threads: any. */
WP_API const char *wp_status_text(int32_t status);

/* Code of the last call of this thread that failed; WP_OK if none did.
 * Threads: any. */
WP_API int32_t wp_last_error(void);

/* errno of the operating system in that failure; 0 if it had no part in it, or a stage's error is
 * concerned.
 * Threads: any. */
WP_API int32_t wp_last_error_errno(void);

/* What went wrong there, and where: "reads.fq.gz: member 2 (byte 812): CRC-32 does not match".
 * Never NULL; borrowed until this thread's next failing call; at most 1023 bytes.
 * Threads: any. */
WP_API const char *wp_last_error_text(void);

/* ===== 4 Pool =============================================================================== */

typedef struct wp_pool wp_pool;
typedef struct wp_token wp_token; /* see Tokens */

#define WP_POOL_ALLOW_FEWER_WORKERS 1u /* go on with the threads that could be created */

typedef struct wp_pool_options {
  uint32_t struct_size;
  uint32_t workers;        /* 1-1024; 0: wp_usable_cpus() */
  uint32_t flags;          /* WP_POOL_... */
  uint32_t max_workers;    /* workers-1024: what wp_pool_set_workers may ask for; 0: workers */
  uint64_t stack_size;     /* bytes; 0: the system's default */
  const char *name_prefix; /* threads are named prefix-index; NULL: "wp"; cut to 15 bytes in all */
  /* Called on each worker thread when it begins and before it ends; either may be NULL. */
  void (*thread_start)(void *context, uint32_t worker);
  void (*thread_stop)(void *context, uint32_t worker);
  void *context;
  void (*destroy_context)(void *context);
  /* How many of the workers have no thread of their own, 0-workers. Threads of the host take these
   * seats: for the time of a call that waits for a pipeline of the pool (wp_pipeline_run, wait,
   * submit, flush, next_result), in which they work for that pipeline, and in wp_pool_run_worker.
   * With as many as workers the pool has no threads, and all callbacks run on the host's.
   * The seats are the last ones of `workers`: see wp_pool_set_workers. */
  uint32_t host_workers;
  /* 0-1024: up to so many further workers work while others sit in stages with WP_STAGE_MAY_BLOCK,
   * so that CPUs do not idle meanwhile. They have threads of their own, which sleep at other times,
   * and the indices from max_workers on. Not counted by wp_pool_workers. */
  uint32_t blocking_extra;
} wp_pool_options;
#define WP_POOL_OPTIONS_INIT \
  { sizeof(wp_pool_options), 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0 }

/* Makes a pool and the threads of its own, in which all signals are blocked but those for a thread's own
 * faults. options: borrows. Returns WP_OK, WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_NO_THREAD.
 * Threads: any. */
WP_API int32_t wp_pool_create(const wp_pool_options *options, wp_pool **out_pool);

/* Sends away who is in wp_pool_run_worker, ends and joins the threads. WP_BUSY while a pipeline of the
 * pool exists or when called from one of its workers. NULL: nothing. Returns WP_OK, WP_BUSY, WP_FORKED.
 * Threads: one at a time. */
WP_API int32_t wp_pool_destroy(wp_pool *pool);

/* Bytes allocated for the workers, without the threads' stacks. 0 for NULL.
 * Threads: any. */
WP_API uint64_t wp_pool_memory(const wp_pool *pool);

/* How many workers the pool has at present, seats for threads of the host included; 0 for NULL, and in a child
 * process.
 * Threads: any. */
WP_API uint32_t wp_pool_workers(const wp_pool *pool);

/* Changes how many workers the pool has, while pipelines run or not: 1 ... max_workers. The workers are
 * those with the lowest indices: first those with a thread that the pool began with, then the seats of
 * host_workers, then further threads, which are created when they are first needed. So a number below
 * the initial one takes seats from threads of the host first.
 * Returns at once. More workers work at once. A worker that is too many finishes the block that it carries
 * and gives away what else it has; a callback that waits for another pipeline ends its wait first; a
 * thread of the host gives its seat back and goes on waiting, in wp_pool_run_worker until there is
 * room again. Then its thread sleeps, without a wake-up, until the number rises or the pool is
 * destroyed. What a pipeline delivers does not depend on any of this. Memory: a run has room for
 * max_workers + blocking_extra. Returns WP_OK; WP_INVALID_ARGUMENT; WP_NO_THREAD if a thread cannot be created, then the
 * number stays as it was; WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pool_set_workers(wp_pool *pool, uint32_t workers);

/* Makes the calling thread a worker of the pool on one of its host_workers seats, until `token` is
 * cancelled (NULL: never) or wp_pool_destroy is called. In callbacks it is like any other worker, but
 * thread_start and thread_stop are not called. Returns WP_CANCELLED; WP_OK when the pool is being
 * destroyed; WP_BUSY if no seat is free; WP_WOULD_DEADLOCK from a callback; WP_INVALID_ARGUMENT;
 * WP_FORKED.
 * Threads: any that is no worker. */
WP_API int32_t wp_pool_run_worker(wp_pool *pool, wp_token *token);

/* What a worker has done since it began. The four times add up to wall_ns. Calls of pipelines with
 * WP_STATISTICS_OFF are not known and count as engine_ns; of short calls the time is a guess, which is
 * never more than there is of engine_ns. */
typedef struct wp_worker_statistics {
  uint32_t struct_size;    /* set by the caller */
  uint32_t is_host_thread; /* 1: the seat is for threads of the host that work along */
  uint64_t wall_ns;        /* since the worker began */
  uint64_t busy_ns;        /* in callbacks */
  uint64_t blocked_ns;     /* in waits of the library inside callbacks */
  uint64_t engine_ns;      /* between callbacks: carrying blocks, looking for work */
  uint64_t idle_ns;        /* asleep for want of work */
  uint64_t calls;
  uint64_t wakes;          /* how often it was woken */
} wp_worker_statistics;

/* The same of worker `index`, 0 ... max_workers + blocking_extra - 1. Takes no lock. Returns WP_OK,
 * WP_INVALID_ARGUMENT (no such worker), WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_pool_worker_statistics(const wp_pool *pool, uint32_t index,
                                         wp_worker_statistics *statistics);

/* Index of the worker that this thread is: on a thread of the pool, and in callbacks on a thread of the
 * host; -1 elsewhere. O(1).
 * Threads: any. */
WP_API int32_t wp_worker_index(void);

/* CPUs this process may use: affinity mask and cgroup quota (rounded up), at least 1.
 * Threads: any. */
WP_API uint32_t wp_usable_cpus(void);

/* ===== 5 Tokens: cancellation =============================================================== */

#define WP_CANCEL_USER 1
#define WP_CANCEL_DEADLINE 2
#define WP_CANCEL_PARENT 3
#define WP_CANCEL_STUCK 4

/* Makes a token that is not cancelled. `parent` may be NULL; cancelling it cancels this one
 * (reason WP_CANCEL_PARENT), and it must live at least as long. Returns WP_OK, WP_NO_MEMORY,
 * WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_token_create(wp_token *parent, wp_token **out_token);

/* WP_BUSY while a pipeline or a child token uses it. NULL: nothing. Returns WP_OK, WP_BUSY,
 * WP_FORKED.
 * Threads: one at a time. */
WP_API int32_t wp_token_destroy(wp_token *token);

/* Cancels every run that uses the token; returns at once. Twice is as good as once. NULL: nothing. In a
 * child process it only marks the inherited token.
 * Threads: any, also inside callbacks. */
WP_API void wp_token_cancel(wp_token *token);

/* The same from a signal handler: only marks the token (async-signal-safe). Runs notice at the next
 * stage entry; a thread blocked in a wait notices within 100 ms.
 * Threads: any, also signal handlers. */
WP_API void wp_token_cancel_from_signal(wp_token *token);

/* 0, or why the token was cancelled: WP_CANCEL_... . One load; NULL: 0.
 * Threads: any, also signal handlers. */
WP_API uint32_t wp_token_is_cancelled(const wp_token *token);

/* The word that wp_token_is_cancelled reads, for loops that cannot call. Read it only. Borrowed
 * until the token is destroyed.
 * Threads: any. */
WP_API const uint32_t *wp_token_word(const wp_token *token);

/* Waits until the token is cancelled. Returns WP_OK when it is, WP_TIMED_OUT, WP_INVALID_ARGUMENT,
 * WP_FORKED, WP_NO_MEMORY.
 * Threads: any that may block. */
WP_API int32_t wp_token_wait(wp_token *token, int64_t timeout_ns);

/* Calls fn(context) once, on the thread that cancels, when the token is cancelled; at once if it is
 * already. destroy_context is called when the token is destroyed, after every call. It must not
 * destroy the token. Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_token_on_cancel(wp_token *token, void (*fn)(void *context), void *context,
                                  void (*destroy_context)(void *context));

/* A descriptor for poll loops that becomes readable when the token is cancelled; the same at each
 * call, close-on-exec, closed when the token is destroyed: do not read or close it. Returns it (0 or more), or
 * WP_INVALID_ARGUMENT, WP_IO_FAILED, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_token_fd(wp_token *token);

/* As if it had never been cancelled: the word is 0, the descriptor not readable, and what was given to
 * wp_token_on_cancel will be called again. WP_BUSY while a pipeline, a job or a child token uses it.
 * Returns WP_OK, WP_BUSY, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: one at a time. */
WP_API int32_t wp_token_reset(wp_token *token);

/* ===== 6 Pipelines ========================================================================== */

typedef struct wp_pipeline wp_pipeline;

/* A numbered payload on its way. Callbacks may change data, size (up to capacity), meta and weight in
 * place; everything else through the functions below. Between stages exactly one thread touches a
 * block, so no locking is needed. */
typedef struct wp_block {
  uint64_t number;        /* position in the input, or behind the last splitter, from 0; read only */
  uint64_t source_number; /* the block of the input it came from; the same unless there is a splitter
                             before; read only */
  uint8_t *data;          /* the payload; may be NULL while size is 0 */
  size_t size;            /* bytes of payload */
  size_t capacity;        /* bytes that fit at data; read only */
  uint64_t meta[4];       /* yours; 0 at first, carried untouched */
  uint64_t weight;        /* bytes to count for max_bytes_in_flight; 0: the size */
} wp_block;

/* What a callback is told beside its block. */
typedef struct wp_call {
  uint32_t worker;       /* index of the worker, 0 ... workers - 1 */
  uint32_t stage;        /* 0 is the source */
  const wp_token *token; /* cancelled when the run is; look at it in long callbacks */
  /* Splitters: the block to split, borrowed and read only; NULL after the last one. Else NULL. */
  const wp_block *input;
  /* Stages with max_batch: `count` blocks in input order, at least one; blocks[0] is `block`. What the
   * callback returns is the answer for blocks[0]; answers[i] is to be set for the others. Else NULL, NULL
   * and 0. */
  wp_block *const *blocks;
  int32_t *answers;
  uint32_t count;
} wp_call;

/* What stage callbacks return, beside error codes (negative numbers). */
#define WP_STAGE_OK 0        /* the block goes on */
#define WP_STAGE_DROP 1      /* the block leaves here; its place in the order stays */
#define WP_STAGE_STOP 2      /* the block goes on and is the last one */
#define WP_STAGE_STOP_DROP 3 /* the block leaves here and none comes after it */
#define WP_STAGE_MORE 4      /* splitter only: the block goes on; call again with the same input */
#define WP_SOURCE_END 5      /* source only: there is no such block, the input is over */

/* A source fills `block`; a stage works on it; a sink consumes it. `scratch` is what worker_start
 * gave for this worker, else NULL. Returns WP_STAGE_... or a negative error code; any other value,
 * and a block left with size > capacity, is the error WP_BAD_RETURN.
 * Allowed inside: wp_block_..., wp_token_..., wp_status_..., statistics, dumps, wp_pipeline_stop,
 * wp_pipeline_cancel, wp_pipeline_submit to this pipeline with timeout 0, and everything that
 * concerns other pipelines of any pool: see wp_pipeline_wait. */
typedef int32_t (*wp_stage_fn)(void *context, wp_block *block, void *scratch, const wp_call *call);

#define WP_PARALLEL 0u         /* any blocks at once, in any order */
#define WP_SERIAL 1u           /* one at a time: block 0, 1, 2, ... */
#define WP_SERIAL_ANY_ORDER 2u /* one at a time, in any order */
#define WP_SPLITTER 3u         /* as WP_SERIAL, with any number of blocks out for each one in */

/* Splitters. The callback of a WP_SPLITTER fills `block`, an empty one, from call->input, and returns
 *
 *   WP_STAGE_OK         the block goes on, the input is used up
 *   WP_STAGE_MORE       the block goes on; call again with the same input
 *   WP_STAGE_DROP       there is no block, the input is used up: what is needed of it was copied, to
 *                       go on in a later block. So several blocks become one
 *   WP_STAGE_STOP       the block goes on and is the last one
 *   WP_STAGE_STOP_DROP  there is no block and none comes any more
 *
 * or an error, which is that of the input. After the last input it is called with input NULL, for what
 * it has kept: MORE as long as there is another block, OK for the last one, DROP if there is none. It
 * is not called so after a failure (unless errors are collected), a cancel, or a stop behind it.
 * Here every input becomes two blocks:
 *
 *   static int32_t halves(void *context, wp_block *block, void *scratch, const wp_call *call) {
 *     int32_t *is_second = context;
 *     const wp_block *input = call->input;
 *     if (!input) return WP_STAGE_DROP;
 *     size_t half = input->size / 2, size = *is_second ? input->size - half : half;
 *     if (wp_block_reserve(block, size)) return WP_NO_MEMORY;
 *     if (size) memcpy(block->data, input->data + (*is_second ? half : 0), size);
 *     block->size = size;
 *     *is_second = !*is_second;
 *     return *is_second ? WP_STAGE_MORE : WP_STAGE_OK;
 *   }
 *
 * The stages from a splitter to the next one, or to the end, are a segment. Its blocks are numbered 0,
 * 1, 2, ... anew, and are limited by max_blocks_in_flight and max_bytes_in_flight for themselves: a
 * splitter is called when there is a place for its block. Only what is behind the last splitter is
 * delivered in any order by WP_PIPELINE_UNORDERED. With COLLECT_ERRORS a failed input takes one number behind the
 * splitter; otherwise there are no gaps but those of dropped blocks.
 *
 * Errors and stops count in the order in which a plain loop would meet them that carries each block
 * of a splitter to the end before it calls the splitter again. A stop behind a splitter ends the input
 * with the block that the last one came from; an error before it ends what follows with the blocks
 * that were made so far. */

#define WP_STAGE_SEE_ALL 1u   /* a stop in a later stage does not keep blocks from this one */
/* The callback may wait for a disk, a child, the network or another block. A worker that is about to
 * call it keeps nothing that others could go on with, and wakes one if there is work. As many further
 * workers may run meanwhile as wp_pool_options.blocking_extra says. One of these that is still at work
 * when the callback has returned finishes the block that it carries, then rests. So at most workers +
 * blocking_extra callbacks run at once. */
#define WP_STAGE_MAY_BLOCK 2u

typedef struct wp_stage_options {
  uint32_t struct_size;
  uint32_t kind; /* WP_PARALLEL ...; ignored for sources and sinks, which are WP_SERIAL */
  wp_stage_fn fn;
  void *context;
  void (*destroy_context)(void *context);
  const char *name;         /* copied, cut to 31 bytes; NULL: "source", "stage 1", ..., "sink" */
  uint32_t max_concurrency; /* WP_PARALLEL: most calls at once; 0: no limit */
  uint32_t flags;           /* WP_STAGE_... */
  /* Once per worker and run, before its first call of this stage, on that worker. Puts what `fn`
   * gets as `scratch` into *out_scratch. A negative return is an error of this stage at that
   * block. */
  int32_t (*worker_start)(void *context, uint32_t worker, void **out_scratch);
  /* Once for every successful worker_start, after the last block, one at a time, on any thread. */
  void (*worker_finish)(void *context, uint32_t worker, void *scratch);
  /* Once per started run, in stage order, one at a time, after all worker_finish calls; `status`
   * is the outcome so far. A negative return is an error after the last block. */
  int32_t (*finish)(void *context, int32_t status);
  /* WP_SERIAL stages, and sinks that get their blocks in order: up to so many blocks in one call, at most
   * 256; 0: one. For callbacks that are dear to enter, such as those of interpreters. A call gets what has
   * come to the stage by then, and waits for no more; how many that is depends on the schedule, so
   * the result must not. The callback works on them one after the other up to the last one, or one that it
   * answers with an error or a stop:
   *
   *   for (uint32_t i = 0; i < call->count; i++) {
   *     call->answers[i] = work(context, call->blocks[i]);
   *     if (call->answers[i] != WP_STAGE_OK && call->answers[i] != WP_STAGE_DROP) break;
   *   }
   *   return call->answers[0];
   *
   * Blocks behind that one are cut off, or given again by a later call. Statistics count blocks that were
   * answered, and share the time of a call among them. */
  uint32_t max_batch;
} wp_stage_options;
#define WP_STAGE_OPTIONS_INIT \
  { sizeof(wp_stage_options), 0, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, 0 }

#define WP_PIPELINE_SERIAL_REFERENCE 1u /* run: a plain loop on the calling thread, no workers */
#define WP_PIPELINE_COLLECT_ERRORS 2u   /* errors drop their block and are listed at the end */
#define WP_PIPELINE_PULL_RESULTS 4u     /* no sink: the host calls wp_pipeline_next_result */
#define WP_PIPELINE_READER_IS_ANOTHER_THREAD 8u /* submit waits although results are unread */
/* Blocks are delivered as they come, to the sink (one at a time) or as results: one that takes long
 * holds up no other. A block gives its place and bytes back when it has been delivered (a result when
 * it is released); but no number is taken in that is window_capacity or more ahead of the lowest one
 * under way. The outcome, its deciding block and the error list are those of ordered delivery; which
 * blocks behind a stop or an error have been delivered by then, and in which order, depends on the
 * schedule. Every block before it is delivered. Numbered blocks come in as with ordered delivery. The
 * serial reference delivers in order. */
#define WP_PIPELINE_UNORDERED 16u
#define WP_PIPELINE_CANCEL_WHEN_STUCK 32u /* see stuck_after_ns */

/* What a run measures of itself. What is off is not paid for. */
#define WP_STATISTICS_SAMPLED 0u /* counts, waiting times, and times of calls: of every call of 5 us
                                  * and more, of one in about 16 below, one in about 224 below 500 ns */
#define WP_STATISTICS_OFF 1u     /* counts alone; every other field is 0 */
#define WP_STATISTICS_TIMES 2u   /* every call is timed: some 50 ns for each */

typedef struct wp_pipeline_options {
  uint32_t struct_size;
  uint32_t flags;                /* WP_PIPELINE_... */
  uint32_t max_blocks_in_flight; /* between source (or submit) and cleanup; 0: 100; at most 65536 */
  uint32_t max_errors_kept;      /* length of the error list; 0: 100 */
  uint64_t max_failures;         /* with COLLECT_ERRORS: that many end the run; 0: any number */
  wp_token *token;               /* cancels the runs; keeps until destroy; NULL: none */
  /* A run that takes longer than this from its start is cancelled (reason WP_CANCEL_DEADLINE), and
   * its outcome is WP_TIMED_OUT. An outcome, or a cancel, that came before it stays. 0: no limit.
   * Watched by a thread of the pool; the serial reference looks at the clock between two calls. */
  int64_t run_timeout_ns;
  /* How far the limit can be raised by wp_pipeline_set_max_blocks: a power of two, at least
   * max_blocks_in_flight and at most 65536; 0: 256, or the next power of two from
   * max_blocks_in_flight on. Memory for so many blocks, without payload, is taken at the start. */
  uint32_t window_capacity;
  uint32_t weight;               /* part in the workers' time, see wp_pipeline_set_weight; 0: 1 */
  /* A block is admitted while those in flight weigh less than this many bytes. So together they weigh
   * less than this and one block, and a larger block passes alone. From a source a block counts when
   * the call returns; what a stage adds or removes, when that returns: it is not held up, but keeps the
   * next blocks out. A dropped, cut or failed block weighs nothing; a result its weight until it is
   * released. 0: no limit. */
  uint64_t max_bytes_in_flight;
  /* When no block has moved for so long while some are in flight, the run counts as stuck: on_stuck is
   * called, once in a run, with what wp_pipeline_dump writes (NUL-ended, borrowed), and with
   * WP_PIPELINE_CANCEL_WHEN_STUCK the run is cancelled (reason WP_CANCEL_STUCK). A source that brings
   * nothing and results that nobody reads are no such thing. on_stuck is called as a wp_progress_fn
   * is, with the same rules; it or the flag must be there. 0: never. Not with SERIAL_REFERENCE. */
  int64_t stuck_after_ns;
  void (*on_stuck)(void *context, const char *dump);
  void *stuck_context;           /* keeps until destroy */
  uint32_t statistics;           /* WP_STATISTICS_... : what the runs measure of themselves */
  uint32_t timeline_events;      /* that each worker keeps, the last ones, 48 bytes each; at most
                                  * 16777216; 0: no timeline. Times every call. */
} wp_pipeline_options;
#define WP_PIPELINE_OPTIONS_INIT \
  { sizeof(wp_pipeline_options), 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, 0 }

/* Makes an empty pipeline on a pool. options: borrows. `pool` may be NULL with SERIAL_REFERENCE.
 * Returns WP_OK, WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_pipeline_create(wp_pool *pool, const wp_pipeline_options *options,
                                  wp_pipeline **out_pipeline);

/* Cancels a run that is under way, waits until it has ended, frees everything. WP_BUSY from a
 * callback of the pipeline itself or of one that it waits for, and while the host holds a result. NULL: nothing.
 * Returns WP_OK, WP_BUSY, WP_FORKED.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_destroy(wp_pipeline *pipeline);

/* The callback that fills blocks 0, 1, 2, ...; it runs serially, on any worker. Without a source
 * the host submits. Returns WP_OK, WP_INVALID_ARGUMENT, WP_INVALID_STATE (started, or set twice),
 * WP_NO_MEMORY.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_set_source(wp_pipeline *pipeline, const wp_stage_options *options);

/* Adds the next stage; at most 62, and none behind the sink. Returns its number (>= 1), or
 * WP_INVALID_ARGUMENT, WP_INVALID_STATE, WP_NO_MEMORY.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_add_stage(wp_pipeline *pipeline, const wp_stage_options *options);

/* The callback that gets the blocks at the end, in input order (unless UNORDERED). Optional. Returns
 * as set_source.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_set_sink(wp_pipeline *pipeline, const wp_stage_options *options);

/* Changes max_blocks_in_flight, before the start, between runs and while one is under way, for that
 * run and all later ones. More places can be used at once. Fewer: free places go at once, the others
 * with the next blocks that leave; until then more blocks are in flight than the new limit allows,
 * and none enters but a numbered block that is missing in the window. The serial reference has one
 * block at a time, whatever the limit. Returns WP_OK; WP_INVALID_ARGUMENT for 0 and beyond the
 * window's capacity.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_set_max_blocks(wp_pipeline *pipeline, uint32_t max_blocks);

/* Changes max_bytes_in_flight, at the same times; 0: no limit. More bytes admit blocks at once; fewer
 * admit none until enough have left. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_set_max_bytes(wp_pipeline *pipeline, uint64_t max_bytes);

/* Begins a run: WP_OK, WP_INVALID_STATE (already running), WP_NO_MEMORY, WP_NO_THREAD (for a run
 * with a deadline), WP_CANCELLED (nothing was called). A pipeline may run again after its run has
 * ended; numbers begin at 0 again.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_start(wp_pipeline *pipeline);

/* Waits for the end of the run. Returns its outcome: WP_OK, WP_STOPPED, WP_STAGE_FAILED,
 * WP_MISSING_BLOCK, WP_CANCELLED, WP_TIMED_OUT (run_timeout_ns is over); WP_TIMED_OUT also if it
 * goes on after timeout_ns: then wp_pipeline_result returns WP_INVALID_STATE. WP_RESULTS_WAITING if
 * results hold all places or bytes, and what is still to come needs some (see
 * READER_IS_ANOTHER_THREAD): never after a cancel. WP_INVALID_STATE before start; WP_WOULD_DEADLOCK
 * if the wait could never end: from a callback of the pipeline itself, or of one that it waits for,
 * through any chain.
 * In a callback of another pipeline the worker meanwhile works for this one, runs nothing else on its
 * stack, and else sleeps; a thread of the host works if there is a seat for it (host_workers). The
 * timeout then counts at the end of the callback it is in. So it is with every call that waits.
 * After WP_STAGE_FAILED and WP_MISSING_BLOCK wp_last_error_text() is the deciding error: "block 7, stage
 * 2 (parse): reads.fq.gz: record 118 (byte 20411): quality is shorter than sequence".
 * Threads: any. */
WP_API int32_t wp_pipeline_wait(wp_pipeline *pipeline, int64_t timeout_ns);

/* start, then wait for ever. With SERIAL_REFERENCE the only way to run.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_run(wp_pipeline *pipeline);

/* Why caller-owned memory is given back. */
#define WP_RELEASE_DELIVERED 1
#define WP_RELEASE_DROPPED 2
#define WP_RELEASE_CUT 3
#define WP_RELEASE_FAILED 4
#define WP_RELEASE_CANCELLED 5
#define WP_RELEASE_REPLACED 6

/* Called exactly once for each caller-owned payload, on any thread inside a library call, never
 * under a lock. */
typedef void (*wp_release_fn)(void *context, void *data, size_t size, int32_t reason);

typedef struct wp_payload {
  void *data;
  size_t size;
  wp_release_fn release; /* NULL: the bytes are copied into a buffer of the library */
  void *release_context;
  uint64_t meta[4];
  uint64_t weight; /* bytes to count for max_bytes_in_flight; 0: the size */
} wp_payload;

/* Submits the next block of a pipeline without source. Blocks get numbers in the order of
 * acceptance. payload: takes `data` if `release` is set, else borrows it; after an error nothing
 * was taken. Returns WP_OK; WP_WOULD_BLOCK (timeout 0) or WP_TIMED_OUT when no place, or no bytes,
 * came free; WP_CLOSED; WP_STOPPED or WP_STAGE_FAILED when the input was cut; WP_CANCELLED;
 * WP_RESULTS_WAITING when all places or bytes are held by results (see READER_IS_ANOTHER_THREAD);
 * WP_WOULD_DEADLOCK as wp_pipeline_wait; WP_INVALID_STATE; WP_NO_MEMORY.
 * Threads: any. */
WP_API int32_t wp_pipeline_submit(wp_pipeline *pipeline, const wp_payload *payload,
                                  int64_t timeout_ns);

/* The same with a number of the caller's, for several producers that know the position of what they
 * bring. Waits until number < lowest unfinished number + limit, so the missing number can always
 * enter; WP_RESULTS_WAITING where only unread results keep it out (see READER_IS_ANOTHER_THREAD).
 * For the same reason the lowest unfinished number is admitted whatever the others weigh (unless it
 * is the results): numbered blocks weigh less than max_bytes_in_flight and two blocks, and with
 * PULL_RESULTS, results included, less than twice max_bytes_in_flight and two blocks.
 * A run takes numbered blocks or others, as its first submit says: WP_INVALID_STATE if they are
 * mixed. WP_DUPLICATE_BLOCK if the number was submitted or skipped before; the first stays. Numbers
 * still missing at the close are the error WP_MISSING_BLOCK at the lowest of them. Numbers from
 * 2^63 - 2 on are WP_INVALID_ARGUMENT.
 * Threads: any. */
WP_API int32_t wp_pipeline_submit_numbered(wp_pipeline *pipeline, uint64_t number,
                                           const wp_payload *payload, int64_t timeout_ns);

/* Declares that there will be no block with this number. As wp_pipeline_submit_numbered.
 * Threads: any. */
WP_API int32_t wp_pipeline_skip(wp_pipeline *pipeline, uint64_t number, int64_t timeout_ns);

/* No more input: later submits return WP_CLOSED, and the run ends when all is delivered. Twice is
 * as good as once. Returns WP_OK, WP_INVALID_STATE.
 * Threads: any. */
WP_API int32_t wp_pipeline_close(wp_pipeline *pipeline);

/* Waits until everything submitted so far has been delivered, or can be read with next_result.
 * Returns WP_OK, WP_TIMED_OUT, the outcome of a run that ended otherwise (WP_CANCELLED at the run's
 * deadline), WP_RESULTS_WAITING if blocks before a splitter wait for places that results hold,
 * WP_WOULD_DEADLOCK as wp_pipeline_wait, WP_INVALID_STATE.
 * Threads: any. */
WP_API int32_t wp_pipeline_flush(wp_pipeline *pipeline, int64_t timeout_ns);

/* The next block in input order (with UNORDERED: the next one that is ready), for pipelines with
 * PULL_RESULTS. It keeps its place until wp_block_release. Returns WP_OK; WP_END after the last one of
 * a run that ended well; the outcome of the run otherwise (the blocks before it first; WP_CANCELLED
 * at the run's deadline); WP_WOULD_BLOCK or WP_TIMED_OUT; WP_WOULD_DEADLOCK as wp_pipeline_wait, and
 * if the host itself holds every place, or all bytes, and the next block needs some;
 * WP_INVALID_STATE.
 * Threads: any. */
WP_API int32_t wp_pipeline_next_result(wp_pipeline *pipeline, int64_t timeout_ns,
                                       wp_block **out_block);

/* Gives a result back. NULL, and in a child process: nothing.
 * Threads: any; each block once. */
WP_API void wp_block_release(wp_block *block);

/* Ends the input: blocks in flight are still delivered; the outcome is WP_STOPPED unless the input
 * was over anyway. The run ends also while the host holds every place; what waits before a splitter
 * still needs some. Returns WP_OK, WP_INVALID_STATE.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_stop(wp_pipeline *pipeline);

/* Ends the run: no callback begins any more, what is in flight is cleaned, waiting callers return
 * WP_CANCELLED. Returns at once. Results that nobody has read are cleaned, too; those that the host
 * holds are its own until wp_block_release, and the run ends without them. What was delivered is a
 * prefix. An error or a stop that had ended
 * the run before stays its outcome; collected errors decide nothing after a cancel: the outcome is
 * WP_CANCELLED, and they are listed. Returns WP_OK, WP_INVALID_STATE.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_cancel(wp_pipeline *pipeline);

/* Shares out the workers: pipelines of a pool that have work get worker time in proportion to their
 * weights, 1-1000. None of them starves, and one that had nothing to do saves nothing up. Counts from
 * now on, also for later runs. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_set_weight(wp_pipeline *pipeline, uint32_t weight);

/* --- progress --- */

#define WP_PROGRESS_LAST 1u /* the run has come to its outcome */

/* How far a run is. */
typedef struct wp_progress {
  uint32_t struct_size;
  uint32_t flags;             /* WP_PROGRESS_... */
  uint64_t wall_ns;           /* since the start */
  uint64_t blocks_in;
  uint64_t blocks_out;        /* delivered */
  uint64_t bytes_in;          /* from the source, or of submitted blocks at the first stage */
  uint64_t bytes_out;         /* at the sink, or else from the last stage */
  uint64_t in_flight;
  uint64_t total_blocks;      /* wp_pipeline_set_total, or known at the end of the input */
  uint64_t total_bytes;       /* wp_pipeline_set_total; UINT64_MAX, as above: unknown */
  uint64_t blocks_per_second; /* that have left, of late (weighted by exp(-age / 5 s)) */
  uint64_t bytes_per_second;  /* that have come in, of late */
  uint64_t eta_ns;            /* until the end at this rate, by bytes if total_bytes is known, else by
                                 blocks; UINT64_MAX: unknown */
} wp_progress;

/* Called about every interval_ns while a run is under way, by a thread of the pool that is none of its
 * workers, and once more with WP_PROGRESS_LAST by the thread that ends the run: its outcome is
 * decided, and wp_pipeline_wait returns after that. Calls of one pipeline never overlap. A call that
 * takes long delays whatever the pool does by the clock (deadlines too), and the end of the run.
 * The serial reference calls on the thread that runs, when something is due between two stages.
 * Allowed inside: what does not wait, such as statistics, wp_pipeline_cancel, _stop, _set_total,
 * _subscribe, _unsubscribe (of the same pipeline), wp_token_cancel. What would wait returns
 * WP_WOULD_DEADLOCK, wp_pipeline_destroy WP_BUSY. `progress` is borrowed until the call returns. */
typedef void (*wp_progress_fn)(void *context, const wp_progress *progress);

typedef struct wp_subscriber_options {
  uint32_t struct_size;
  uint32_t reserved;   /* 0 */
  int64_t interval_ns; /* 0: 100 ms; at least 1 ms */
  wp_progress_fn fn;
  void *context;
  void (*destroy_context)(void *context); /* once, after the last call; NULL: none */
} wp_subscriber_options;
#define WP_SUBSCRIBER_OPTIONS_INIT { sizeof(wp_subscriber_options), 0, 0, NULL, NULL, NULL }

/* Has `fn` told how far the run under way and all later ones are, until wp_pipeline_unsubscribe or
 * wp_pipeline_destroy. Without subscribers nothing is paid. options: borrows; after an error the
 * context is not destroyed. Returns WP_OK, WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_NO_THREAD,
 * WP_FORKED. wp_pipeline_start returns WP_NO_THREAD if nobody can look at the clock.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_subscribe(wp_pipeline *pipeline, const wp_subscriber_options *options,
                                     uint64_t *out_id);

/* Ends a subscription: its context is destroyed, and no call begins or goes on after this returns.
 * Waits while one is running, unless it is called inside one of the same pipeline: then that one
 * ends first, and destroys its own context. Returns WP_OK, WP_INVALID_ARGUMENT (no such
 * subscriber), WP_WOULD_DEADLOCK inside a progress callback of another pipeline, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_unsubscribe(wp_pipeline *pipeline, uint64_t id);

/* Says how many blocks and bytes the input of a run has, for the ETA; UINT64_MAX: unknown. Holds for
 * the run under way and all later ones. Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_pipeline_set_total(wp_pipeline *pipeline, uint64_t blocks, uint64_t bytes);

/* --- for a program that does not go on --- */

/* Takes lines of text, one after the other: each with its line feed, NUL-ended, `size` without the NUL,
 * borrowed. A return other than 0 ends the dump. Called under no lock. */
typedef int32_t (*wp_write_fn)(void *context, const char *text, size_t size);

/* Writes what everybody in the run is doing and waiting for: callbacks that are running, and since
 * when; parked blocks and what each waits for; places, cuts, threads that wait in a call. For people:
 * the words may change. Returns WP_OK, WP_STOPPED (`write` ended it), WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks and while others hang. */
WP_API int32_t wp_pipeline_dump(wp_pipeline *pipeline, wp_write_fn write, void *context);

/* The same for all runs that are under way on a pool, and how many workers sleep.
 * Threads: any, also inside callbacks and while others hang. */
WP_API int32_t wp_pool_dump(wp_pool *pool, wp_write_fn write, void *context);

/* --- blocks, inside callbacks --- */

/* Makes `capacity` bytes at block->data, keeping the first block->size bytes. The buffer is the
 * library's and is recycled. Returns WP_OK, WP_NO_MEMORY (the block is unchanged).
 * Threads: inside callbacks. */
WP_API int32_t wp_block_reserve(wp_block *block, size_t capacity);

/* A second buffer of at least `capacity` bytes, to write what shall replace the payload. It stays
 * with the block until wp_block_commit_spare or the end of the callback. Returns WP_OK,
 * WP_NO_MEMORY.
 * Threads: inside callbacks. */
WP_API int32_t wp_block_spare(wp_block *block, size_t capacity, uint8_t **out_data);

/* Makes the first `size` bytes of the spare buffer the payload; the old payload is released.
 * Returns WP_OK, WP_INVALID_ARGUMENT (no spare, or larger than it).
 * Threads: inside callbacks. */
WP_API int32_t wp_block_commit_spare(wp_block *block, size_t size);

/* Replaces the payload by memory of the caller's: takes it; `release` may be NULL. The old payload
 * is released (WP_RELEASE_REPLACED).
 * Threads: inside callbacks. */
WP_API int32_t wp_block_set_data(wp_block *block, void *data, size_t size, wp_release_fn release,
                                 void *release_context);

/* Says why a callback fails: return wp_block_fail(block, code, "text"). Copies at most 255 bytes;
 * returns `code`, or WP_BAD_RETURN if that is not negative.
 * Threads: inside callbacks. */
WP_API int32_t wp_block_fail(wp_block *block, int32_t code, const char *text);

/* --- outcome, errors, statistics --- */

/* How a run ended. */
typedef struct wp_result {
  uint32_t struct_size;     /* set by the caller */
  int32_t status;           /* as wp_pipeline_wait; WP_TIMED_OUT: run_timeout_ns was over */
  uint64_t number;          /* deciding block of an error or stop, as its stage counts (a splitter's
                               is its input); UINT64_MAX: none */
  uint64_t source_number;   /* the block of the input it came from; UINT64_MAX: none */
  uint32_t stage;           /* and its stage; UINT32_MAX: none */
  int32_t code;             /* of the error; else 0 */
  uint64_t blocks_delivered;
  uint64_t blocks_dropped;  /* these three before and behind splitters together */
  uint64_t blocks_cut;
  uint64_t blocks_failed;
  uint64_t errors;          /* errors that counted */
  uint64_t errors_not_kept; /* how many of them the list has no room for */
} wp_result;

/* The outcome of the last run. Returns WP_OK, WP_INVALID_STATE (none has ended),
 * WP_INVALID_ARGUMENT.
 * Threads: any. */
WP_API int32_t wp_pipeline_result(const wp_pipeline *pipeline, wp_result *result);

/* One entry of a run's error list. */
typedef struct wp_error_entry {
  uint32_t struct_size; /* set by the caller */
  int32_t code;
  uint64_t number;      /* block, as its stage counts; a splitter's is its input */
  uint64_t source_number; /* the block of the input it came from; UINT64_MAX: none */
  uint32_t stage;
  uint32_t reserved;
  char text[256];       /* from wp_block_fail, else empty */
} wp_error_entry;

/* Entry `index` (from 0, in block order; with splitters, in the order described there) of the last run. Returns WP_OK, WP_END (no such entry),
 * WP_INVALID_STATE, WP_INVALID_ARGUMENT.
 * Threads: any. */
WP_API int32_t wp_pipeline_error(const wp_pipeline *pipeline, size_t index, wp_error_entry *entry);

/* What a stage has done so far. Snapshots take no lock, may be taken at any time, and are exact after
 * the end, but for times of calls that were not all timed (see WP_STATISTICS_SAMPLED). Times are
 * added up over workers and blocks. */
typedef struct wp_stage_statistics {
  uint32_t struct_size; /* set by the caller */
  uint32_t kind;
  char name[32];
  uint64_t calls;
  uint64_t blocks_in;       /* calls + tombstones and cut blocks that passed; of a splitter, its
                             * inputs */
  uint64_t blocks_out;
  uint64_t blocks_dropped;
  uint64_t blocks_cut;
  uint64_t blocks_failed;
  uint64_t bytes_in;
  uint64_t bytes_out;
  uint64_t busy_ns;         /* in the callback; an estimate where calls are short */
  uint64_t cpu_ns;          /* of that, what the threads ran: the rest they waited for a disk, a lock
                             * or a CPU; measured in long calls, and now and then in others */
  uint64_t timed_calls;
  uint64_t call_min_ns;     /* of the timed calls */
  uint64_t call_max_ns;
  uint64_t call_p50_ns;     /* half of the calls took no longer; within 12.5 % */
  uint64_t call_p99_ns;
  uint64_t order_wait_ns;   /* of blocks that came before their turn, until it was granted */
  uint64_t place_wait_ns;   /* of blocks that found a limited stage full, until they had a place */
  uint64_t parked;          /* blocks that had to wait for their turn or a place */
  uint64_t parked_now;
  uint64_t parked_max;      /* most that waited at once: how deep the reordering was */
  uint64_t concurrency_max; /* most calls at once; of a parallel stage without limit: as seen by
                             * looking round now and then */
} wp_stage_statistics;

/* Returns WP_OK, WP_INVALID_ARGUMENT (no such stage), WP_INVALID_STATE (before the first start).
 * Threads: any. */
WP_API int32_t wp_pipeline_stage_statistics(const wp_pipeline *pipeline, uint32_t stage,
                                            wp_stage_statistics *statistics);

typedef struct wp_pipeline_statistics {
  uint32_t struct_size;      /* set by the caller */
  uint32_t stages;           /* how many, source and sink included */
  uint64_t wall_ns;          /* since start, until the end */
  uint64_t blocks_in;
  uint64_t blocks_out;
  uint64_t bytes_in;
  uint64_t bytes_out;        /* of delivered blocks, as they left the last stage */
  uint64_t in_flight;        /* with splitters, before and behind them together */
  uint64_t in_flight_max;    /* with splitters, where there were most */
  uint64_t bytes_in_flight;  /* what the blocks in flight weigh; with splitters as in_flight */
  uint64_t bytes_in_flight_max;
  uint64_t limit;            /* before, between and behind splitters, for each of these */
  uint64_t throttled_ns;     /* the source, or a submitter, waited for a place */
  uint64_t starved_ns;       /* nothing was in flight but what the source worked on, and the input was
                              * not over; not counted for sources that take less than 1 us */
  uint64_t submit_wait_ns;   /* of submitting threads, added up */
  uint64_t result_wait_ns;   /* of threads in wp_pipeline_next_result, added up */
  uint64_t carried;          /* a worker took a block on from one stage to the next */
  uint64_t handed_over;      /* another worker did, or itself later */
  uint64_t wakes;            /* workers woken during the run, by all pipelines of the pool */
  uint32_t bottleneck_stage; /* most busy_ns / width, which is 1 (serial), the limit, or the number of
                              * workers; UINT32_MAX while no time is known */
  uint32_t reserved;
  uint64_t timeline_events_lost; /* overwritten: timeline_events are too few */
} wp_pipeline_statistics;

/* Returns WP_OK, WP_INVALID_ARGUMENT, WP_INVALID_STATE (before the first start).
 * Threads: any. */
WP_API int32_t wp_pipeline_statistics_get(const wp_pipeline *pipeline,
                                          wp_pipeline_statistics *statistics);

/* Bytes allocated for the run that is under way or has ended last; 0 before the first start and for
 * NULL. All but the buffers for payloads is allocated at the start:
 *     window_capacity x (64 for each 16 serial stages, begun ones included, + at most 640,
 *                        + 256 with PULL_RESULTS) + workers x stages x at most 4096 + some 20 KB
 *     + workers x timeline_events x 48,
 * and as much again for each splitter.
 * A buffer is allocated when a copied payload, wp_block_reserve or wp_block_spare first needs it, and is
 * used again; there are never more than two for each block in flight. Nothing grows with the number
 * of blocks. Memory of the caller's is not counted.
 * Threads: any, also inside callbacks. */
WP_API uint64_t wp_pipeline_memory(const wp_pipeline *pipeline);

/* Writes the timeline of the last run, so far, as Trace Event JSON, which Perfetto and
 * chrome://tracing open: `write` gets it piece by piece. An "X" event for each call of a stage (pid:
 * the run; tid: the worker; ts and dur in microseconds since the start; args: block, stage, status,
 * bytes), counters of blocks in flight, ready and parked, instants for stop, error and cancel, names as
 * "M"; otherData.events_lost. Events of one tid do not overlap. `write` returns 0, or something else
 * to end the writing. Returns WP_OK, WP_INVALID_STATE (before the first start, or without
 * timeline_events), what `write` returned if that is negative, else WP_IO_FAILED.
 * Threads: any, also while the run goes on. */
WP_API int32_t wp_pipeline_write_timeline(const wp_pipeline *pipeline,
                                          int32_t (*write)(void *context, const void *data,
                                                           size_t size),
                                          void *context);

/* ===== 7 Readers and writers ================================================================ */

/* How the bytes of a file are packed. Readers find it by content, writers by option or suffix. */
#define WP_COMPRESSION_AUTO 0u /* writers: .gz .bgz, .zst .zstd, else plain */
#define WP_COMPRESSION_PLAIN 1u
#define WP_COMPRESSION_GZIP 2u /* written as BGZF: members of 65,280 bytes, which any gzip reads */
#define WP_COMPRESSION_BGZF 3u /* reported by readers; for writers the same as GZIP */
#define WP_COMPRESSION_ZSTD 4u /* written as independent frames of 1 MiB */

typedef struct wp_reader wp_reader;

#define WP_SPLIT_LINES 0u   /* whole lines (or records that end with `delimiter`) */
#define WP_SPLIT_FASTQ 1u   /* records of four lines */
#define WP_SPLIT_FIXED 2u   /* records of `record_size` bytes */

#define WP_TRAILING_ERROR 0u  /* bytes behind the last member or frame are an error */
#define WP_TRAILING_WARN 1u   /* ... are a note */
#define WP_TRAILING_IGNORE 2u

typedef struct wp_reader_options {
  uint32_t struct_size;
  uint32_t split;              /* WP_SPLIT_... : what wp_reader_next returns */
  uint64_t records_per_block;  /* 0: lines by bytes_per_block, FASTQ 10,000, fixed 1 MiB of them */
  uint64_t bytes_per_block;    /* lines: at least so many, on to the next end; 0: 1 MiB */
  uint64_t record_size;        /* WP_SPLIT_FIXED: bytes, > 0 */
  uint64_t max_record;         /* bytes; 0: 256 MiB */
  uint64_t max_window;         /* largest zstd window, bytes; 0: 128 MiB; at most 2 GiB */
  uint32_t trailing;           /* WP_TRAILING_... */
  uint32_t has_delimiter;      /* WP_SPLIT_LINES: 1 if `delimiter` counts; 0: line feed */
  uint32_t delimiter;          /* 0-255 */
  uint32_t reserved;           /* 0 */
  const char *bgzf_index;      /* path of a .gzi index of this file, for seeks; NULL: none */
  wp_pool *pool;               /* unpacks on its workers, ahead of the reads; NULL: in the reads */
} wp_reader_options;
#define WP_READER_OPTIONS_INIT { sizeof(wp_reader_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, \
  NULL }

/* Opens a plain, gzip (any number of members), BGZF or zstd (any number of frames) file, told apart
 * by content. "-" is not special here: see wp_reader_open_fd. options: borrows; keeps the pool until
 * wp_reader_close. With a pool any worker unpacks BGZF blocks and zstd frames of at most 16 MiB; other
 * members and frames are unpacked one after the other, ahead of the reads. What is read, and where it
 * fails, is the same as without. There are at most 4 pieces (of about 1 MiB decoded, or one frame) more
 * than workers, and together they hold less than 16 MiB for each worker and 16 MiB, and one piece. A
 * read that waits works along; it may be in a callback of the same pool. Returns WP_OK,
 * WP_IO_FAILED, WP_UNSUPPORTED (another packing), WP_INVALID_ARGUMENT, WP_NO_MEMORY.
 * Threads: any. */
WP_API int32_t wp_reader_open(const char *path, const wp_reader_options *options,
                              wp_reader **out_reader);

/* The same from a descriptor, which is duplicated: the caller's stays the caller's. `name` stands
 * for the path in messages; NULL: "descriptor". Never seeks: pipes and FIFOs will do.
 * Threads: any. */
WP_API int32_t wp_reader_open_fd(int32_t descriptor, const char *name,
                                 const wp_reader_options *options, wp_reader **out_reader);

/* Fills `data` with decoded bytes; *out_size is less than `size` only at the end, and 0 with WP_END
 * when all of the file was sound: CRC, length and checksum are always checked. Do not mix with
 * wp_reader_next. Returns WP_OK, WP_END, WP_CORRUPT_INPUT, WP_TRUNCATED_INPUT, WP_UNSUPPORTED,
 * WP_LIMIT_EXCEEDED, WP_IO_FAILED, WP_NO_MEMORY; what came before an error is returned first.
 * Threads: one at a time. */
WP_API int32_t wp_reader_read(wp_reader *reader, void *data, size_t size, size_t *out_size);

/* A block of whole records. */
typedef struct wp_chunk {
  const uint8_t *data; /* borrowed until the next call for this reader */
  size_t size;
  uint64_t records;
  uint64_t first_record; /* records before this block, from the start or the last seek */
  uint64_t offset;       /* decoded bytes of the file before this block */
  uint64_t first_line;   /* lines before this block, as first_record; fixed records have none: 0 */
  uint64_t packed_bytes; /* bytes of the file that were taken when the block was complete */
} wp_chunk;

/* The next block, as `split` says. Returns as wp_reader_read, and WP_MALFORMED_RECORD for a remainder
 * of fixed records. FASTQ is cut by its lines alone: what is in them, and whether the last record
 * has all four, is judged by whoever parses it.
 * Threads: one at a time. */
WP_API int32_t wp_reader_next(wp_reader *reader, wp_chunk *out_chunk);

/* The same into the caller's memory: `data` has room for `capacity` bytes, and out_chunk->data is
 * `data`. A block that is larger stays the next one: WP_LIMIT_EXCEEDED, and out_chunk->size says how
 * much room it needs (0 for any other failure); a call with capacity 0 just asks. With room for 64 KiB
 * more than the block it is decoded where it shall be, else copied. Else as wp_reader_next.
 * Threads: one at a time. */
WP_API int32_t wp_reader_next_into(wp_reader *reader, void *data, size_t capacity,
                                   wp_chunk *out_chunk);

/* Makes the byte at `offset` of the decoded bytes the next one, for wp_reader_read and wp_reader_next;
 * behind the end: the end. What can be sought are regular files: plain ones; BGZF, by the index of the
 * options or by the headers of all blocks, which the first seek reads; zstd with a seek table, or whose
 * frames say their sizes. An offset of 0 works with every regular file. Other files are
 * WP_UNSUPPORTED, and so is BGZF with other members in between. A descriptor counts from where it was
 * when it was opened. Records, members, blocks and frames count from the place sought; what is passed
 * over is not checked. An index that does not fit is WP_CORRUPT_INPUT. Returns WP_OK, WP_UNSUPPORTED,
 * WP_CORRUPT_INPUT, WP_BUSY (a pipeline reads from it), and what wp_reader_read returns.
 * Threads: one at a time. */
WP_API int32_t wp_reader_seek(wp_reader *reader, uint64_t offset);

/* Where the next byte, or block, lies in the decoded bytes; for any file. After wp_reader_seek_virtual
 * this needs what wp_reader_seek needs. Returns as that.
 * Threads: one at a time. */
WP_API int32_t wp_reader_tell(wp_reader *reader, uint64_t *out_offset);

/* The same for virtual offsets of BGZF (SAM specification 4.1.1): where a block begins in the file,
 * times 65536, and a byte in that block. No index is needed. Afterwards `offset` of a chunk counts from
 * the start of that block. Where no block begins, or it is shorter: WP_INVALID_ARGUMENT; a file that is
 * no BGZF: WP_UNSUPPORTED. Else returns as wp_reader_seek.
 * Threads: one at a time. */
WP_API int32_t wp_reader_seek_virtual(wp_reader *reader, uint64_t virtual_offset);

/* The virtual offset of the next byte or block; at the end of a block that of the next one with data,
 * at the end of the file its size, times 65536. Looks once at the header of every block read since the
 * last seek. Returns as wp_reader_seek_virtual.
 * Threads: one at a time. */
WP_API int32_t wp_reader_tell_virtual(wp_reader *reader, uint64_t *out_virtual_offset);

typedef struct wp_reader_info {
  uint32_t struct_size;  /* set by the caller */
  uint32_t compression;  /* WP_COMPRESSION_... */
  uint64_t parts;        /* members, blocks or frames begun */
  uint64_t packed_bytes; /* taken from the file so far */
  uint64_t bytes;        /* decoded so far */
  uint64_t packed_size;  /* of a regular file; UINT64_MAX: unknown */
} wp_reader_info;

/* What the file turned out to be, so far. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: one at a time. */
WP_API int32_t wp_reader_get_info(const wp_reader *reader, wp_reader_info *info);

/* Things worth telling that are no errors, such as a missing BGZF end marker; a line each, complete
 * at the end. NULL beyond the last one; borrowed until the next call for this reader.
 * Threads: one at a time. */
WP_API const char *wp_reader_note(wp_reader *reader, size_t index);

/* NULL: nothing. WP_BUSY while a pipeline reads from it. Returns WP_OK, WP_BUSY.
 * Threads: one at a time. */
WP_API int32_t wp_reader_close(wp_reader *reader);

/* Makes the reader the source of a pipeline: every block is a block of whole records, and meta[0]
 * is the number of its records, meta[1] the records before it, meta[2] where it begins in the decoded
 * bytes, meta[3] how many bytes of the file were taken when it was complete (for progress). The
 * pipeline's pool unpacks, see wp_reader_open. Keeps the reader until the pipeline is destroyed; one
 * run. Returns as wp_pipeline_set_source.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_set_reader(wp_pipeline *pipeline, wp_reader *reader);

typedef struct wp_writer wp_writer;

#define WP_WRITER_OVERWRITE 1u /* replace an existing file */
#define WP_WRITER_SYNC 2u      /* fsync before the name appears */
#define WP_WRITER_ZSTD_SEEK_TABLE 4u /* zstd: ends with a seek table (zstd's seekable format) */

typedef struct wp_writer_options {
  uint32_t struct_size;
  uint32_t compression; /* WP_COMPRESSION_... */
  uint32_t has_level;   /* 1 if `level` counts; 0: the default of the compression */
  int32_t level;        /* gzip 0-9 [6]; FASTQ with many qualities is packed at 2-4 as at 1; zstd 1-22 [5] */
  uint32_t flags;       /* WP_WRITER_... */
  uint32_t reserved;    /* 0 */
  const char *bgzf_index; /* gzip: also writes this index, as bgzip --reindex does (.gzi); NULL: no */
} wp_writer_options;
#define WP_WRITER_OPTIONS_INIT { sizeof(wp_writer_options), 0, 0, 0, 0, 0, NULL }

/* Opens an output. The file has a temporary name until wp_writer_finish, so nothing that looks whole
 * is ever incomplete. Returns WP_OK, WP_OUTPUT_EXISTS, WP_IO_FAILED, WP_INVALID_ARGUMENT,
 * WP_NO_MEMORY.
 * Threads: any. */
WP_API int32_t wp_writer_open(const char *path, const wp_writer_options *options,
                              wp_writer **out_writer);

/* The same to a descriptor, which is duplicated; WP_COMPRESSION_AUTO is plain. `name` stands for the
 * path in messages; NULL: "descriptor".
 * Threads: any. */
WP_API int32_t wp_writer_open_fd(int32_t descriptor, const char *name,
                                 const wp_writer_options *options, wp_writer **out_writer);

/* Appends bytes: borrows. The file's content depends on the bytes and the options alone, not on how
 * they were cut into calls. Returns WP_OK, WP_IO_FAILED, WP_NO_MEMORY, WP_INVALID_STATE.
 * Threads: one at a time. */
WP_API int32_t wp_writer_write(wp_writer *writer, const void *data, size_t size);

typedef struct wp_writer_info {
  uint32_t struct_size; /* set by the caller */
  uint32_t compression;
  uint64_t bytes;        /* given */
  uint64_t packed_bytes; /* of the file */
} wp_writer_info;

/* Completes the file, which gets its name now. `info` may be NULL. Returns WP_OK, WP_IO_FAILED,
 * WP_OUTPUT_EXISTS, WP_NO_MEMORY, WP_INVALID_STATE (finished already, or the run that wrote it did not
 * end well), WP_BUSY (that run has not ended).
 * Threads: one at a time. */
WP_API int32_t wp_writer_finish(wp_writer *writer, wp_writer_info *info);

/* Frees the writer; without a finish before, the output is removed. NULL: nothing. WP_BUSY while a
 * pipeline writes to it. Returns WP_OK, WP_BUSY.
 * Threads: one at a time. */
WP_API int32_t wp_writer_close(wp_writer *writer);

/* Makes the writer the end of a pipeline: adds a stage that gathers the blocks' bytes in order, one
 * that packs on any worker, and the sink that writes. Keeps the writer until the pipeline is
 * destroyed; one run; the host calls wp_writer_finish after it. Returns as wp_pipeline_set_sink.
 * Threads: one at a time. */
WP_API int32_t wp_pipeline_set_writer(wp_pipeline *pipeline, wp_writer *writer);

/* ===== 8 FASTQ: steps and recipes =========================================================== */

typedef struct wp_recipe wp_recipe;

/* A step of the built-in catalogue, from 0. Sets any of the pointers that is not NULL; all of them
 * are valid for ever. `keys` is text such as "n: int, segment: segment". Returns WP_OK, WP_END (no
 * such index).
 * Threads: any. */
WP_API int32_t wp_step_info(size_t index, const char **name, const char **summary,
                            const char **keys);

/* Makes an empty recipe for reads of `segment_count` segments. Names: letters, digits and '_'; NULL:
 * "read1", "read2", ... Segments are ordered by name, unless all of them come from one interleaved
 * stream. Returns WP_OK, WP_INVALID_ARGUMENT, WP_NO_MEMORY.
 * Threads: any. */
WP_API int32_t wp_recipe_create(const char *const *segment_names, size_t segment_count,
                                int32_t is_interleaved, wp_recipe **out_recipe);

/* Adds a step, written as on the command line: "CutStart n=5", "FilterByNumericTag in_label=len
 * min_value=50 keep_or_remove=keep". Words are split as a shell does; a value is read as TOML where
 * it is some, else as text. All checks are made by wp_recipe_check and wp_recipe_run. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_INVALID_STATE (checked already).
 * Threads: one at a time. */
WP_API int32_t wp_recipe_add(wp_recipe *recipe, const char *step);

#define WP_PARAM_INT 1u
#define WP_PARAM_DOUBLE 2u
#define WP_PARAM_BOOL 3u
#define WP_PARAM_TEXT 4u
#define WP_PARAM_TEXTS 5u /* a list of texts */
#define WP_PARAM_TOML 6u  /* any value, such as a list of tables, as TOML has it */

/* A key of a step and its value. Zero what is not used. */
typedef struct wp_param {
  const char *key;
  uint32_t type;            /* WP_PARAM_... */
  uint32_t count;           /* of `texts` */
  int64_t integer;          /* WP_PARAM_INT; WP_PARAM_BOOL: 0 or 1 */
  double number;            /* WP_PARAM_DOUBLE */
  const char *text;         /* WP_PARAM_TEXT, WP_PARAM_TOML */
  const char *const *texts; /* WP_PARAM_TEXTS */
} wp_param;

/* Adds the step called `action` with typed values: no text is read as something else. Copies all that
 * it is given. Returns WP_OK, WP_INVALID_ARGUMENT, WP_INVALID_STATE (checked already).
 * Threads: one at a time. */
WP_API int32_t wp_recipe_add_step(wp_recipe *recipe, const char *action, const wp_param *params,
                                  size_t param_count);

/* Adds a barcode (IUPAC letters and '_') to the section of barcodes `section`, which Demultiplex and
 * HammingCorrect name, and the stream that its reads belong to. Returns WP_OK, WP_INVALID_ARGUMENT,
 * WP_INVALID_STATE (checked already).
 * Threads: one at a time. */
WP_API int32_t wp_recipe_add_barcode(wp_recipe *recipe, const char *section, const char *barcode,
                                     const char *stream);

/* Sets how the names of files begin that steps write, and those of outputs where wp_recipe_run is given
 * none. Without a prefix steps that write files are refused. Returns WP_OK, WP_INVALID_ARGUMENT,
 * WP_INVALID_STATE (checked already).
 * Threads: one at a time. */
WP_API int32_t wp_recipe_set_prefix(wp_recipe *recipe, const char *prefix);

/* Judges the steps together: names, keys, types, ranges, labels. wp_last_error_text() lists all that
 * is wrong, a line each. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: one at a time. */
WP_API int32_t wp_recipe_check(wp_recipe *recipe);

#define WP_RUN_SERIAL_REFERENCE 1u /* a plain loop on the calling thread, no workers */
#define WP_RUN_OVERWRITE 2u        /* replace existing outputs */

typedef struct wp_run_options {
  uint32_t struct_size;
  uint32_t flags;                /* WP_RUN_... */
  uint32_t max_blocks_in_flight; /* 0: the smaller of 100 and 4 x workers + 4 */
  uint32_t compression;          /* of all outputs; WP_COMPRESSION_AUTO: by suffix */
  uint64_t records_per_block;    /* 0: 10,000 */
  uint32_t has_level;            /* 1 if `level` counts */
  int32_t level;
  wp_token *token;               /* borrows; NULL: none */
  /* Called on the thread that runs, about every `progress_ns` (0: 100 ms), and once at the end. May
   * cancel the token. NULL: none. */
  void (*progress)(void *context, uint64_t reads, uint64_t bytes);
  void *progress_context;
  int64_t progress_ns;
} wp_run_options;
#define WP_RUN_OPTIONS_INIT { sizeof(wp_run_options), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0 }

typedef struct wp_run_report {
  uint32_t struct_size; /* set by the caller */
  int32_t status;
  uint64_t wall_ns;
  uint64_t reads_in; /* molecules: one record of each segment */
  uint64_t reads_out;
  uint64_t bases_in;
  uint64_t bases_out;
} wp_run_report;

/* Runs FASTQ files through the recipe: `inputs` are one path per segment (in the recipe's order),
 * or one if it is interleaved; `outputs` one path for all segments (interleaved), or one per
 * segment; or none (NULL, 0) for a recipe with a prefix, which writes PREFIX_SEGMENT.fq, and where a step
 * demultiplexes PREFIX_STREAM_SEGMENT.fq (.gz or .zst behind it as `compression` says). What Report steps
 * found goes to PREFIX.json. Files are packed and unpacked as for readers and writers, and outputs appear only when
 * all went well. `report` may be NULL. Returns WP_OK, WP_STOPPED (a Head ended the input: a success),
 * WP_CANCELLED, WP_MALFORMED_RECORD and all that readers, writers and steps return.
 * Threads: one at a time; not from a callback of a pipeline on the same pool. */
WP_API int32_t wp_recipe_run(wp_recipe *recipe, wp_pool *pool, const char *const *inputs,
                             size_t input_count, const char *const *outputs, size_t output_count,
                             const wp_run_options *options, wp_run_report *report);

/* NULL: nothing.
 * Threads: one at a time. */
WP_API void wp_recipe_destroy(wp_recipe *recipe);

/* ===== 9 Jobs =============================================================================== */

/* A job is a callback, a command, a pipeline or a batch of items that runs once the jobs it depends on have ended well and
 * there is room for it. A job pool runs them under limits, in the order of priority and, for equal
 * priority, of submission:
 *
 *   PENDING -> WAITING -> READY -> RUNNING -> COMPLETED
 *   (paused)      ^                   |    -> FAILED TIMEOUT CANCELLED
 *                 '------ retry ------'       SKIPPED (from the first three)
 *
 * When a job ends badly, all that depend on it end CANCELLED, each with a chain that leads to the root
 * cause. Callbacks run on workers: those of a wp_pool beside its pipelines, or of the job pool's own. */
typedef struct wp_jobpool wp_jobpool;
/* Number of a job in its pool, never given twice; 0: none. */
typedef uint64_t wp_job;
/* Given to a job's function, valid until it returns. */
typedef struct wp_job_context wp_job_context;
/* Worker processes that get items; see Batches below. */
typedef struct wp_batch wp_batch;
typedef struct wp_batch_item {
  const char *json; /* one JSON value, at most 15 MiB; borrowed until the run returns */
  size_t size;
} wp_batch_item;

#define WP_JOB_PENDING 0  /* accepted; the pool is paused */
#define WP_JOB_WAITING 1  /* for dependencies, or for the time of the next attempt */
#define WP_JOB_READY 2
#define WP_JOB_RUNNING 3
#define WP_JOB_COMPLETED 4
#define WP_JOB_FAILED 5
#define WP_JOB_TIMEOUT 6
#define WP_JOB_CANCELLED 7
#define WP_JOB_SKIPPED 8

#define WP_REASON_NONE 0
#define WP_REASON_ERROR 1     /* FAILED; detail is the status */
#define WP_REASON_EXIT 2      /* the exit code */
#define WP_REASON_SIGNAL 3    /* the number of the signal */
#define WP_REASON_SPAWN 4     /* errno */
#define WP_REASON_EXCEPTION 5 /* of another language */
#define WP_REASON_TIMEOUT 6   /* TIMEOUT */
#define WP_REASON_DEADLINE 7
#define WP_REASON_CRASHED 8
#define WP_REASON_POISON 9
#define WP_REASON_USER 10 /* CANCELLED */
#define WP_REASON_DEPENDENCY 11
#define WP_REASON_STOP 12
#define WP_REASON_SHUTDOWN 13
#define WP_REASON_RUN_DEADLINE 14
#define WP_REASON_UP_TO_DATE 15 /* SKIPPED */
#define WP_REASON_RESUMED 16
#define WP_REASON_FILTERED 17

/* The names above without their prefix, `WAITING` and `run_deadline`; `UNKNOWN` and `unknown` for other numbers.
 * Valid for ever.
 * Threads: any. */
WP_API const char *wp_job_state_name(int32_t state);

/* As wp_job_state_name.
 * Threads: any. */
WP_API const char *wp_job_reason_name(int32_t reason);

/* --- job pools --- */

/* So many units of a named pool: of a limit, or of what a job takes. */
typedef struct wp_pool_request {
  const char *name;
  uint32_t count;
  uint32_t reserved;
} wp_pool_request;

/* Switches (int32_t) are 1 for on, -1 for off. Times are in nanoseconds; negative: none. */
typedef struct wp_jobpool_options {
  uint32_t struct_size;
  uint32_t max_parallel_jobs; /* slots; 0: 3 */
  uint32_t io_slots;          /* of their own for I/O jobs; 0: all share max_parallel_jobs */
  uint32_t heavy_cpu;         /* units of that pool; 0: as many as slots */
  uint32_t heavy_io;          /* 0: half the slots that I/O jobs may use */
  uint32_t pool_count;        /* of `pools` */
  uint32_t max_failures;      /* stop at the N-th failure; 0: never */
  int32_t stop_now;           /* that stop ends running jobs too; 0: off */
  int32_t enable_callbacks;   /* completion callbacks; 0: on */
  int32_t priority_queue;     /* 0: on; off: all in the order of submission */
  int32_t depth_first;        /* of equal priority the deeper one first; 0: off */
  int32_t inherit_priority;   /* a dependency is as urgent as its dependents; 0: off */
  int32_t critical_path;      /* of equal priority the longest path first; 0: off */
  int32_t paused;             /* jobs wait until wp_jobpool_resume; 0: off */
  int32_t max_retries;        /* of jobs that do not say; 0: none */
  uint32_t bypass_limit;      /* so many may start past the first that does not fit; 0: 32 */
  uint32_t max_queued;        /* jobs that have not started; 0: any number */
  uint32_t max_jobs;          /* jobs that are known; 0: 1000000 */
  uint32_t retain_finished;   /* finished jobs that stay known; 0: all until they are released */
  uint32_t replace_abandoned; /* so many abandoned callbacks do not count: others run on as many slots and
                               * threads beside them, on a given pool as far as its max_workers; 0: none */
  uint64_t memory;            /* bytes that running jobs may declare together; 0: any number */
  int64_t job_timeout_ns;     /* of an attempt of jobs that do not say; 0: 3600 s */
  int64_t grace_ns;           /* from a stop order until a callback is abandoned; 0: 2 s */
  int64_t kill_grace_ns;      /* from SIGTERM to SIGKILL for commands; 0: 5 s */
  int64_t callback_timeout_ns; /* of a completion callback; 0: 30 s */
  int64_t retry_delay_ns;     /* of jobs that do not say; 0: 5 s */
  int64_t aging_ns;           /* a ready job gains a point of priority in so long; 0: never */
  int64_t deadline_ns;        /* of everything, from now; 0: none */
  const wp_pool_request *pools; /* borrows */
  wp_token *token;            /* cancels everything; NULL: none */
} wp_jobpool_options;
#define WP_JOBPOOL_OPTIONS_INIT \
  { sizeof(wp_jobpool_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
    0, 0, 0, 0, 0, NULL, NULL }

/* Makes a pool of jobs. pool: whose workers run callbacks, beside its pipelines; NULL: workers of their own,
 * as many as slots. Workers of a given pool are a second limit, see effective_slots of
 * wp_jobpool_status. Threads begin when they are needed. options: borrows. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_create(wp_pool *pool, const wp_jobpool_options *options,
                                 wp_jobpool **out_jobs);

/* Ends its threads; subscribers have been told everything then. WP_BUSY while a job has not ended or,
 * abandoned, has not returned (the error's text names it), and in a callback. NULL: nothing. Returns
 * WP_OK, WP_BUSY, WP_FORKED.
 * Threads: one at a time. */
WP_API int32_t wp_jobpool_destroy(wp_jobpool *jobs);

/* Nothing starts any more, and jobs that come are PENDING. Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_pause(wp_jobpool *jobs);

/* Ends a pause. Returns as wp_jobpool_pause.
 * Threads: any. */
WP_API int32_t wp_jobpool_resume(wp_jobpool *jobs);

/* As in wp_jobpool_options; what is 0 or NULL stays as it is. */
typedef struct wp_jobpool_limits {
  uint32_t struct_size;
  uint32_t max_parallel_jobs;
  uint32_t io_slots;
  uint32_t heavy_cpu;
  uint32_t heavy_io;
  uint32_t pool_count;
  uint64_t memory;
  const wp_pool_request *pools;
} wp_jobpool_limits;
#define WP_JOBPOOL_LIMITS_INIT { sizeof(wp_jobpool_limits), 0, 0, 0, 0, 0, 0, NULL }

/* Changes limits, also pools that are named; running jobs go on. WP_UNSATISFIABLE if a job that has not
 * started would never fit then; nothing has changed. Returns WP_OK, WP_UNSATISFIABLE,
 * WP_INVALID_ARGUMENT, WP_NO_THREAD, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_set_limits(wp_jobpool *jobs, const wp_jobpool_limits *limits);

/* No more jobs: submits return WP_SHUT_DOWN, and what has not started is CANCELLED (shutdown). What runs
 * may go on for timeout_ns, then it gets a stop order with its grace. With `waits` (1) until all is
 * over; WP_TIMED_OUT then means that a job is stuck, which the error's text names. A second call is
 * harmless. Returns WP_OK, WP_TIMED_OUT, WP_WOULD_DEADLOCK (waits in a callback),
 * WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_shutdown(wp_jobpool *jobs, int32_t waits, int64_t timeout_ns);

#define WP_STOP_SOFT 0 /* running jobs finish */
#define WP_STOP_NOW 1  /* they get a stop order */

/* From now on nothing starts but jobs that run `always` or on `failure`; all others are CANCELLED (stop).
 * Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_stop(wp_jobpool *jobs, uint32_t mode);

/* Cancels every job that there is; later ones are not concerned. Returns WP_OK, WP_INVALID_ARGUMENT,
 * WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_cancel_all(wp_jobpool *jobs);

/* --- submitting --- */

#define WP_JOB_CALLBACK 0u
#define WP_JOB_COMMAND 1u  /* a child process in a group of its own */
#define WP_JOB_PIPELINE 2u /* a pipeline with a source, which the job starts */
#define WP_JOB_BATCH 3u    /* items through the worker processes of a wp_batch */

#define WP_WHEN_SUCCESS 0u /* all dependencies COMPLETED, SKIPPED, or may fail */
#define WP_WHEN_ALWAYS 1u  /* once all have ended, whatever they are */
#define WP_WHEN_FAILURE 2u /* once all have ended and one of them badly; else SKIPPED */

#define WP_HINT_LIGHT_CPU 0u
#define WP_HINT_HEAVY_CPU 1u /* and one unit of heavy_cpu */
#define WP_HINT_LIGHT_IO 2u
#define WP_HINT_HEAVY_IO 3u  /* and one unit of heavy_io */

#define WP_RETRY_ERROR 1u
#define WP_RETRY_TIMEOUT 2u
#define WP_RETRY_SIGNAL 4u

#define WP_LEFTOVER_KILL 0u
#define WP_LEFTOVER_WARN 1u
#define WP_LEFTOVER_LEAVE 2u

#define WP_PRIORITY_LOW (-10)
#define WP_PRIORITY_NORMAL 0
#define WP_PRIORITY_HIGH 10
#define WP_PRIORITY_CRITICAL 100

/* The work of a callback job. WP_OK: COMPLETED. WP_CANCELLED: it stopped because it was asked to.
 * WP_NO_RETRY: FAILED for good. Other negative values: FAILED, with the text of
 * wp_job_context_set_error. On a worker; jobs run at once as far as the limits allow. */
typedef int32_t (*wp_job_fn)(void *context, wp_job_context *job);

/* What a job is asked or told beside its work. It returns 0, but for is_up_to_date: 1: its work is done
 * already, the job is SKIPPED. Not under a lock; never on a worker. */
typedef int32_t (*wp_job_end_fn)(void *context, wp_jobpool *jobs, wp_job job);

typedef struct wp_job_options {
  uint32_t struct_size;
  uint32_t kind;
  const char *id;                  /* NULL: the pool gives it one, job-N */
  const char *name;                /* for people; NULL: the id */
  wp_job_fn fn;                    /* of a callback */
  void *context;                   /* of all functions here */
  void (*destroy_context)(void *context); /* once none of them can be called any more */
  const char *const *argv;         /* of a command: argc words */
  const char *const *env;          /* `NAME=value`, env_count of them; NULL: as here */
  const char *cwd;                 /* NULL: as here */
  const char *stdin_path;          /* NULL: nothing to read */
  const char *stdout_path;         /* a file that is created or emptied; NULL: nowhere */
  const char *stderr_path;         /* may be stdout_path; NULL: nowhere */
  wp_pipeline *pipeline;           /* must outlive the job */
  wp_batch *batch;                 /* must outlive the job, has the results afterwards, and tells on_result of
                                    * them on a thread of the job's. COMPLETED if all items are. */
  const wp_batch_item *items;      /* item_count of them */
  size_t item_count;
  const char *const *dependencies; /* ids, dependency_count of them */
  const wp_pool_request *pools;    /* pool_count of them */
  const char *const *outputs;      /* files that are there once it is done, output_count of them; for records */
  const char *definition;          /* of a callback or pipeline: what its results depend on; for records */
  const int32_t *no_retry_exit;    /* exit codes that are final, no_retry_exit_count of them; NULL: 126, 127 */
  wp_job_end_fn on_complete;       /* when it is terminal, on the dispatcher */
  wp_job_end_fn cleanup;           /* if it started and did not complete, before jobs that run `always` */
  wp_job_end_fn is_up_to_date;     /* when its dependencies are done */
  wp_token *token;                 /* cancels the job */
  uint32_t argc;
  uint32_t env_count;
  uint32_t dependency_count;
  uint32_t pool_count;
  uint32_t no_retry_exit_count;
  uint32_t when;                   /* WP_WHEN_... */
  int32_t allow_failure;           /* 1: whatever it ends as counts as satisfied */
  int32_t priority;
  uint32_t hint;                   /* WP_HINT_... */
  uint32_t cpus;                   /* slots; 0: 1 */
  int32_t max_retries;             /* 0: the pool's; -1: none */
  uint32_t retry_on;               /* WP_RETRY_...; 0: all */
  uint32_t on_leftover;            /* processes that a command leaves in its group: WP_LEFTOVER_... */
  uint32_t output_count;
  uint64_t memory;                 /* bytes it declares */
  int64_t timeout_ns;              /* of an attempt; 0: the pool's; negative: none */
  int64_t deadline_ns;             /* from its first start over all attempts; 0: none */
  int64_t grace_ns;                /* after a stop order; 0: the pool's */
  int64_t retry_delay_ns;          /* 0: the pool's; negative: none */
  int64_t retry_max_delay_ns;      /* 0: 60 s */
  int64_t expected_ns;             /* how long it will take, for critical_path */
  double retry_factor;             /* of each delay to the one before; 0: 1 */
  double retry_jitter;             /* up to this part of the delay is added; 0: none */
} wp_job_options;
#define WP_JOB_OPTIONS_INIT \
  { sizeof(wp_job_options), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
    NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, \
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

#define WP_ALLOW_FORWARD 1u /* dependencies that nobody has submitted yet are waited for */

/* Accepts a job, which may start, and even end, before this returns. options: copies. timeout_ns: how long
 * to wait while max_queued jobs have not started; threads of the pool never wait and get
 * WP_WOULD_BLOCK. A dependency that has ended already counts at once. Returns WP_OK;
 * WP_UNKNOWN_DEPENDENCY, WP_CYCLE (the text has the path, `a -> b -> a`, where an arrow reads
 * "needs"), WP_EXISTS, WP_UNSATISFIABLE, whose texts name the job; WP_SHUT_DOWN; WP_LIMIT_EXCEEDED;
 * WP_WOULD_BLOCK; WP_TIMED_OUT; WP_INVALID_ARGUMENT; WP_NO_MEMORY; WP_NO_THREAD; WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_submit(wp_jobpool *jobs, const wp_job_options *options, uint32_t flags,
                                 int64_t timeout_ns, wp_job *out_job);

/* The same for `count` jobs that may depend on each other: all are accepted or none. out_jobs: room for
 * `count`, or NULL. Returns as wp_jobpool_submit.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_submit_many(wp_jobpool *jobs, const wp_job_options *options,
                                      size_t count, uint32_t flags, int64_t timeout_ns,
                                      wp_job *out_jobs);

/* --- asking --- */

/* What is known of a job at a moment; times on the monotonic clock, 0: not yet. */
typedef struct wp_job_info {
  uint32_t struct_size;     /* set by the caller */
  int32_t state;
  int32_t reason;
  int32_t detail;           /* of the reason: status, exit code, signal, errno */
  int32_t attempt;          /* that runs or ran last, from 1 */
  int32_t cancel_requested; /* 1: it was asked to stop, whatever it ended as */
  int32_t abandoned;        /* 1: terminal, but it had not returned by then */
  int32_t still_running;    /* 1: abandoned, and has not returned yet */
  int32_t priority;
  uint32_t reserved;
  int64_t submit_ns;
  int64_t ready_ns;         /* all dependencies had ended */
  int64_t start_ns;         /* of the first attempt */
  int64_t end_ns;
} wp_job_info;

/* One execution of a job. */
typedef struct wp_job_attempt {
  uint32_t struct_size; /* set by the caller */
  int32_t attempt;      /* from 1 */
  int32_t slot;         /* from 0; -1: on that of a job that waited for it */
  int32_t state;        /* WP_JOB_RUNNING until it is over */
  int32_t reason;
  int32_t detail;
  int64_t start_ns;
  int64_t end_ns;
  int64_t cpu_ns;
  uint64_t peak_memory; /* bytes, of a command; on Linux no less than this process had when it started it */
} wp_job_attempt;

/* The job with that id; WP_NOT_FOUND. Returns also WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_find(wp_jobpool *jobs, const char *id, wp_job *out_job);

/* WP_JOB_..., or WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_state(wp_jobpool *jobs, wp_job job);

/* WP_REASON_..., with its detail if that is not NULL; or as wp_job_state.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_reason(wp_jobpool *jobs, wp_job job, int32_t *out_detail);

/* Fills the struct. Returns WP_OK, WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_get_info(wp_jobpool *jobs, wp_job job, wp_job_info *info);

/* Texts: as many bytes as fit into `size`, NUL-ended; *out_length, if not NULL, is the whole length. buffer
 * may be NULL with size 0. */

/* Its id. Returns WP_OK, WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_id(wp_jobpool *jobs, wp_job job, char *buffer, size_t size,
                         size_t *out_length);

/* The text of its error, the last 4096 bytes of it. Returns as wp_job_id.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_error(wp_jobpool *jobs, wp_job job, char *buffer, size_t size,
                            size_t *out_length);

/* Why it ended badly, in words: `cancelled: fetch failed (exit 3) → clean → load`. Returns as wp_job_id.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_cause_text(wp_jobpool *jobs, wp_job job, char *buffer, size_t size,
                                 size_t *out_length);

/* The jobs from the root cause to this one, as many as fit; *out_count is their number, 1 if it is its own
 * cause. Returns as wp_job_id.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_cause_chain(wp_jobpool *jobs, wp_job job, wp_job *out_jobs, size_t room,
                                  size_t *out_count);

/* How many attempts there were, or WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_attempt_count(wp_jobpool *jobs, wp_job job);

/* Attempt `index`, from 0. Returns WP_OK, WP_END (no such one), WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_attempt_info(wp_jobpool *jobs, wp_job job, uint32_t index,
                                   wp_job_attempt *attempt);

/* What its function gave with wp_job_context_set_result, bytes as in texts but without NUL; length 0:
 * nothing. Returns as wp_job_id.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_result(wp_jobpool *jobs, wp_job job, void *buffer, size_t size,
                             size_t *out_length);

/* Nobody will ask for a job any more that has ended: its id is free, and it goes once no other job leads back to
 * it. Returns WP_OK, WP_BUSY, WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_release(wp_jobpool *jobs, wp_job job);

/* --- cancelling and waiting --- */

/* Cancels a job: at once if it is not running, else by its token or SIGTERM. One that has ended stays as it
 * is. Returns the state it was in, WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_job_cancel(wp_jobpool *jobs, wp_job job);

#define WP_WAIT_HELP 1u /* on a worker of the pool: runs jobs meanwhile that the awaited one depends on */

/* Waits until a job is terminal; then those it cancels are too. On a thread of the pool WP_WOULD_DEADLOCK, but
 * with WP_WAIT_HELP only if the job needs the caller's own. A time that is over has no effect on
 * jobs. Returns WP_OK, WP_TIMED_OUT, WP_WOULD_DEADLOCK, WP_NOT_FOUND, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_job_wait(wp_jobpool *jobs, wp_job job, int64_t timeout_ns, uint32_t flags);

/* Waits until one of `count` jobs is terminal; *out_index is the first one that is. Returns as wp_job_wait.
 * Threads: any. */
WP_API int32_t wp_jobpool_wait_any(wp_jobpool *jobs, const wp_job *some, size_t count,
                                   int64_t timeout_ns, uint32_t flags, size_t *out_index);

/* Waits until all jobs are terminal and all completion callbacks have returned, so that what they submit
 * counts too. WP_UNKNOWN_DEPENDENCY if all that is left waits for ids that nobody has submitted, which the
 * text names. Returns also WP_OK, WP_TIMED_OUT, WP_WOULD_DEADLOCK (on a thread of the pool),
 * WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_wait_all(wp_jobpool *jobs, int64_t timeout_ns);

/* --- inside a job's function --- */

/* The number of the job.
 * Threads: inside callbacks. */
WP_API wp_job wp_job_context_job(const wp_job_context *job);

/* Its id, valid until the function returns.
 * Threads: inside callbacks. */
WP_API const char *wp_job_context_id(const wp_job_context *job);

/* Number of the attempt, from 1.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_attempt(const wp_job_context *job);

/* The lowest slot it holds, from 0.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_slot(const wp_job_context *job);

/* The token that is cancelled when the job shall stop, valid until the function returns; NULL without
 * memory.
 * Threads: inside callbacks. */
WP_API wp_token *wp_job_context_token(wp_job_context *job);

/* The result of the attempt: copies. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_set_result(wp_job_context *job, const void *data, size_t size);

/* Why it is going to fail: copies. type: of an exception, which makes the reason WP_REASON_EXCEPTION;
 * NULL: none. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_set_error(wp_job_context *job, const char *type, const char *text);

#define WP_LOG_DEBUG 0
#define WP_LOG_INFO 1
#define WP_LOG_WARNING 2
#define WP_LOG_ERROR 3

/* A line for the function of wp_jobpool_set_log and, where a record is kept, for the attempt's log:
 * `[2026-11-26T21:04:49.123Z] [INFO] [phase] text {"json":1}`. phase: NULL: none. json: one value; NULL: none.
 * Returns WP_OK, WP_INVALID_ARGUMENT (also if json is none), WP_IO_FAILED.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_log(wp_job_context *job, int32_t level, const char *phase,
                                  const char *text, const char *json);

/* How far the job is: `done` of `total`, 0: nobody knows. Told to those who have subscribed to
 * WP_EVENT_JOB_PROGRESS. Returns WP_OK, WP_INVALID_ARGUMENT.
 * Threads: inside callbacks. */
WP_API int32_t wp_job_context_progress(wp_job_context *job, uint64_t done, uint64_t total);

/* --- events and figures --- */

#define WP_EVENT_RUN_STARTED 0
#define WP_EVENT_JOB_SUBMITTED 1
#define WP_EVENT_JOB_READY 2
#define WP_EVENT_JOB_STARTED 3
#define WP_EVENT_JOB_OVERDUE 4  /* a callback got a stop order */
#define WP_EVENT_JOB_RETRYING 5 /* an attempt failed, another one will follow */
#define WP_EVENT_JOB_FINISHED 6 /* terminal */
#define WP_EVENT_JOB_SKIPPED 7  /* terminal */
#define WP_EVENT_JOB_RETURNED 8 /* an abandoned one */
#define WP_EVENT_BATCH_STARTED 9    /* of a batch job, like the next ones: a worker has got items */
#define WP_EVENT_ITEM_FINISHED 10
#define WP_EVENT_BATCH_FINISHED 11
#define WP_EVENT_WORKER_CRASHED 12
#define WP_EVENT_WORKER_RESPAWNED 13
#define WP_EVENT_CALLBACK_ERROR 14
#define WP_EVENT_WARNING 15
#define WP_EVENT_RUN_FINISHED 16 /* shut down, and all has ended */
#define WP_EVENT_JOB_PROGRESS 17 /* wp_job_context_progress */
#define WP_EVENT_ALL UINT32_MAX

/* Valid during the call. */
typedef struct wp_job_event {
  uint32_t struct_size;
  int32_t kind;        /* WP_EVENT_... */
  uint64_t seq;        /* from 1, without gaps over all kinds */
  int64_t time_ns;     /* monotonic; never before that of an earlier event */
  wp_job job;          /* 0: concerns none */
  const char *id;
  int32_t state;
  int32_t reason;
  int32_t detail;
  int32_t attempt;
  int32_t slot;
  uint32_t chain_count;
  const char *const *chain; /* ids from the root cause to the job, at most 32; of a cancelled one */
  const char *text;    /* of an error or warning; empty: none */
  int64_t item;        /* of an item or a worker's death, -1: none; number of a batch; how much is done */
  int64_t count;       /* items of a batch; how much there is to do, 0: nobody knows */
  int32_t process;     /* of a worker; 0: none */
  uint32_t reserved;
} wp_job_event;

/* `job_started` and so on; `unknown` for other numbers. Valid for ever.
 * Threads: any. */
WP_API const char *wp_job_event_name(int32_t kind);

typedef void (*wp_job_event_fn)(void *context, const wp_job_event *event);

/* Tells `fn` of every event whose bit (1 << kind) is in `mask`, in the order of seq, on a thread of its own:
 * a slow one delays nobody else. destroy_context is called after the last call. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_NO_THREAD, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_subscribe(wp_jobpool *jobs, uint32_t mask, wp_job_event_fn fn,
                                    void *context, void (*destroy_context)(void *context),
                                    uint64_t *out_id);

/* Afterwards it is told nothing any more, and has been told of all that happened before. Returns WP_OK,
 * WP_NOT_FOUND, WP_WOULD_DEADLOCK (in its own call), WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_unsubscribe(wp_jobpool *jobs, uint64_t id);

/* Calls `fn` for every job that becomes terminal, one after the other, on the dispatcher, until the
 * pool is destroyed; then destroy_context. What it returns is counted if it is not 0. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_NO_THREAD, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_on_complete(wp_jobpool *jobs, wp_job_end_fn fn, void *context,
                                      void (*destroy_context)(void *context));

typedef void (*wp_job_log_fn)(void *context, int32_t level, const char *id, const char *text);

/* Tells `fn` in words of all that happens and of what jobs say, on the threads where it happens; NULL:
 * nobody any more. destroy_context is called once no call can begin. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_jobpool_set_log(wp_jobpool *jobs, wp_job_log_fn fn, void *context,
                                  void (*destroy_context)(void *context));

typedef struct wp_jobpool_status {
  uint32_t struct_size;        /* set by the caller */
  uint32_t slots;
  uint32_t io_slots;
  uint32_t effective_slots;    /* callbacks that can run at once */
  uint32_t used_slots;
  uint32_t abandoned_running;  /* terminal jobs that still run */
  uint64_t running_jobs;
  uint64_t queue_size;         /* accepted and not running */
  uint64_t total_processed;    /* terminal */
  uint64_t counts[9];          /* by state */
  uint64_t used_memory;
  uint64_t callback_errors;
} wp_jobpool_status;

/* What the pool is doing. Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_get_status(wp_jobpool *jobs, wp_jobpool_status *status);

/* Times in seconds. */
typedef struct wp_jobpool_metrics {
  uint32_t struct_size;         /* set by the caller */
  uint32_t reserved;
  uint64_t total_processed;
  uint64_t retries;
  uint64_t timeouts;
  uint64_t crashes;
  uint64_t peak_running;
  uint64_t peak_memory;         /* declared */
  double avg_wait_time;         /* from ready to the first start */
  double avg_dependency_time;   /* from submitted to ready */
  double avg_execution_time;    /* of an attempt */
  double success_rate;          /* completed / (completed + failed + timeout); 1 if there are none */
  double cpu_seconds;
  double parallelism_factor;    /* all executions / time from the first start to the last end */
  double slot_use;              /* of that time and all slots */
  double p50;                   /* of the executions that are still known */
  double p95;
} wp_jobpool_metrics;

/* What came of the jobs. Returns WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_get_metrics(wp_jobpool *jobs, wp_jobpool_metrics *metrics);

/* One attempt. */
typedef struct wp_job_bar {
  uint32_t struct_size;
  int32_t attempt;
  const char *id;
  double start_time;   /* seconds since the pool was made */
  double duration;
  int32_t slot;
  int32_t lane;        /* 1: CPU, 2: I/O, 3: child processes */
  int32_t state;
  uint32_t reserved;
} wp_job_bar;

typedef int32_t (*wp_job_bar_fn)(void *context, const wp_job_bar *bar);

/* Gives every attempt of the jobs that are known to `fn`, until it returns something else than 0. Returns WP_OK,
 * WP_STOPPED, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_timeline(wp_jobpool *jobs, wp_job_bar_fn fn, void *context);

/* Writes the timeline as Trace Event JSON, which Perfetto and chrome://tracing show, to a file that is
 * replaced whole. Returns WP_OK, WP_IO_FAILED, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any that may block. */
WP_API int32_t wp_jobpool_write_trace(wp_jobpool *jobs, const char *path);

/* The same as a picture, SVG: slots as rows, the critical path outlined. Returns as wp_jobpool_write_trace.
 * Threads: any that may block. */
WP_API int32_t wp_jobpool_write_svg(wp_jobpool *jobs, const char *path);

/* --- records --- */

/* A record is a folder <dir>/<run id>:
 *
 *   run.jsonl               the journal: a line of JSON for all that happens, the same as `wpool run` writes
 *   run.json                what has come of it, every 5 s and at the end
 *   trace.json              what ran when, in the Trace Event format, and
 *   timeline.svg            as a picture; both at the end
 *   jobs/ID.ATTEMPT.log     lines of wp_job_context_log
 *   jobs/ID.ATTEMPT.out     words of a command that has no stdout_path; .err of one that has no stderr_path
 *   jobs/ID.ATTEMPT.result  what wp_job_context_set_result was given
 *
 * The end of a job is in the journal before a dependent starts, a completion callback is called or a wait
 * for it returns. Whatever kills the process, a later one can go on from there: wp_jobpool_resume_from.
 * A record that cannot be written any more ends the run: all jobs are CANCELLED, and submits and
 * wp_jobpool_wait_all return WP_IO_FAILED. */

#define WP_SYNC_GROUP 0u  /* ends of jobs are on the device within about 50 ms */
#define WP_SYNC_ALWAYS 1u /* ... before anything follows from them */
#define WP_SYNC_NONE 2u   /* when the system does it: a crash of the process loses nothing, one of the machine may */

typedef struct wp_record_options {
  uint32_t struct_size;
  uint32_t sync;      /* WP_SYNC_... */
  const char *run_id; /* NULL: a new one, a ULID */
  const char *name;   /* for people; NULL: none */
} wp_record_options;
#define WP_RECORD_OPTIONS_INIT { sizeof(wp_record_options), 0, NULL, NULL }

/* Keeps a record until the pool is destroyed. dir: made if it is not there. Returns WP_OK, WP_INVALID_STATE (there
 * are jobs already, or a record), WP_EXISTS (that run_id), WP_IO_FAILED, WP_NO_THREAD, WP_NO_MEMORY,
 * WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any that may block. */
WP_API int32_t wp_jobpool_record_to(wp_jobpool *jobs, const char *dir,
                                    const wp_record_options *options);

/* The folder of the run, whose last part is its id: as much as fits, NUL-ended; *out_length: all of it.
 * Returns WP_OK, WP_INVALID_STATE (there is no record), WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside callbacks. */
WP_API int32_t wp_jobpool_run_folder(wp_jobpool *jobs, char *buffer, size_t size,
                                     size_t *out_length);

/* The record of a run, of a job pool or of `wpool run`, as it was when it was opened. */
typedef struct wp_run_record wp_run_record;

/* What it tells of a job; texts are valid until the record is closed. Times count from the beginning of the
 * run; negative: never. */
typedef struct wp_run_job {
  uint32_t struct_size;   /* set by the caller */
  int32_t state;          /* the last one that was written: WP_JOB_... */
  int32_t reason;
  int32_t detail;
  int32_t attempts;
  int32_t interrupted;    /* 1: it began, and nobody wrote down how it ended */
  int64_t start_ns;       /* of the first attempt */
  int64_t end_ns;
  const char *id;
  const char *text;       /* of its error */
  const char *added_by;   /* the job in whose function it was submitted; empty: none */
  const char *definition; /* a hash of what it was */
} wp_run_job;

/* run: its id, the beginning of a single id, or NULL: the last one in dir. Damaged lines count as if they had not
 * been written. Returns WP_OK, WP_NOT_FOUND, WP_IO_FAILED, WP_CORRUPT_INPUT (the first line is damaged),
 * WP_INVALID_ARGUMENT, WP_NO_MEMORY.
 * Threads: any that may block. */
WP_API int32_t wp_run_record_open(const char *dir, const char *run, wp_run_record **out_record);

/* The next job, in the order of submission. Returns WP_OK, WP_END, WP_INVALID_ARGUMENT.
 * Threads: one at a time per handle. */
WP_API int32_t wp_run_record_next_job(wp_run_record *record, wp_run_job *out_job);

/* NULL is nothing. Returns WP_OK.
 * Threads: one at a time per handle. */
WP_API int32_t wp_run_record_close(wp_run_record *record);

/* Child processes of jobs that the record does not see end, and that are still there: */
#define WP_ORPHANS_REFUSE 0u
#define WP_ORPHANS_KILL 1u   /* SIGTERM, and SIGKILL after 2 s */
#define WP_ORPHANS_WAIT 2u   /* for their ends */
#define WP_ORPHANS_IGNORE 3u

/* Jobs that are submitted from now on are SKIPPED (resumed), and have the result they had, if the run has
 * done them: COMPLETED or SKIPPED, of the same definition, with all outputs there, and the same is true of all
 * they depend on (but for dependencies that may fail). The definition of a command is its words, cwd, env, stdin,
 * outputs and dependencies; of others `definition`, outputs and dependencies. A job that has changed is
 * named by a warning event and runs. What a job that is spared had submitted is not submitted again: see
 * added_by. The record may be closed afterwards; the run's folder stays locked until the pool is
 * destroyed. Returns WP_OK, WP_INVALID_STATE (the pool resumes a run already), WP_BUSY (the run is under
 * way, resumed by another pool, or processes of it are; the text names them), WP_IO_FAILED,
 * WP_CORRUPT_INPUT, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any that may block. */
WP_API int32_t wp_jobpool_resume_from(wp_jobpool *jobs, const wp_run_record *record,
                                      uint32_t orphans);

/* --- batches --- */

/* Items that worker processes work on, many with each. Workers are started once, get batches of items on
 * descriptor 3 and answer on descriptor 4, in frames of a 32-bit little-endian length and so many bytes
 * of JSON (at most 16 MiB):
 *
 *   to a worker   {"type":"batch","id":3,"items":[{"index":7,"attempt":1,"item":...},...]}
 *                 {"type":"shutdown"}
 *   from it       {"type":"ready","pid":4711,"proto":1}   first of all
 *                 {"type":"progress","item":7,"status":"started","phase":"load"}
 *                 {"type":"progress","item":7,"status":"ok","data":...,"from_cache":true}
 *                 {"type":"progress","item":7,"status":"skipped","data":...}
 *                 {"type":"progress","item":7,"status":"failed","error":{"class":"item","text":"..."}}
 *                 {"type":"log","item":7,"level":"info","phase":"load","text":"...","data":...}
 *                 {"type":"complete","batch":3}
 *                 {"type":"heartbeat"}
 *                 {"type":"error","class":"worker","text":"..."}   it cannot go on
 *
 * Members that are not needed may be left out. Classes of errors: `transient` (tried again, max_retries
 * times), `item` (FAILED), `worker` (the worker is replaced, and the item run again), `fatal` (the run
 * ends). A worker is lost when it ends with a batch in hand, whatever its exit code, says what is none of
 * this, or passes a limit; its process group is killed and another one started. What it had reported stays,
 * the item that it was at is run again alone, the rest is given to the next worker that is free. So an item
 * may be run more than once. An item that loses more workers than max_crashes allows ends FAILED,
 * WP_REASON_POISON. Of a batch that is a job on record each attempt of an item has a log, in the record's
 * jobs/<job>.<attempt>.items/<item>.<attempt>.log: what its worker says, with the worker's pid. In Python the
 * worker's side is workpool.worker_main. */
typedef struct wp_batch_result {
  uint32_t struct_size;  /* set by the caller */
  int32_t state;         /* WP_JOB_COMPLETED, FAILED, SKIPPED or CANCELLED */
  int32_t reason;        /* WP_REASON_... */
  int32_t detail;        /* POISON: the last exit code, or signal, negative */
  uint32_t attempts;
  uint32_t crashes;      /* workers lost at it */
  int32_t process;       /* of the last worker that had it; 0: none */
  uint32_t from_cache;   /* 1: the worker said so */
  int64_t time_ns;       /* of the last attempt */
  const char *phase;     /* the last one named; empty: none */
  const char *error;     /* what went wrong; at most 4 KiB */
  const char *data;      /* JSON, as the worker wrote it; empty: none */
  size_t data_size;
} wp_batch_result;

typedef void (*wp_batch_result_fn)(void *context, size_t index, const wp_batch_result *result);

/* 0 is the default of each field; times in ns, negative: no limit. */
typedef struct wp_batch_options {
  uint32_t struct_size;
  uint32_t workers;              /* usable CPUs - 1, at least 1; never more than there are batches; at most 1024 */
  uint32_t batch_size;           /* 50 */
  int32_t max_crashes;           /* 2; negative: the first one is one too many */
  uint32_t max_retries;          /* of transient failures */
  uint32_t max_items_per_worker; /* then it is replaced; 0: never */
  int64_t retry_delay_ns;
  int64_t start_timeout_ns;      /* 10 s */
  int64_t item_timeout_ns;       /* 60 s */
  int64_t batch_timeout_ns;      /* 30 min */
  int64_t heartbeat_timeout_ns;  /* between two messages of a worker at work; 0: no limit */
  uint64_t max_worker_memory;    /* bytes; a worker with more after an item is replaced; 0: never */
  const char *const *env;        /* `NAME=value`, env_count of them; NULL: as here */
  uint32_t env_count;
  uint32_t reserved;
  const char *cwd;               /* NULL: as here */
  const char *log_path;          /* what workers print; a file that is created or emptied; NULL: stderr */
  wp_token *token;               /* cancels runs; keeps until destroy */
  wp_batch_result_fn on_result;  /* each as it comes, in any order, on the thread of wp_batch_run */
  void *context;
} wp_batch_options;
#define WP_BATCH_OPTIONS_INIT \
  { sizeof(wp_batch_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL }

/* argv: the command of a worker, argc words, started without a shell. Nothing is started yet. Returns WP_OK,
 * WP_INVALID_ARGUMENT, WP_NO_MEMORY, WP_IO_FAILED, WP_FORKED.
 * Threads: any. */
WP_API int32_t wp_batch_create(const char *const *argv, uint32_t argc, const wp_batch_options *options,
                               wp_batch **out_batch);

/* NULL is nothing. Returns WP_OK, or WP_BUSY during a run.
 * Threads: one at a time per handle. */
WP_API int32_t wp_batch_destroy(wp_batch *batch);

/* Runs all items, and returns when each has a result and no worker is left. No items start no process. Returns
 * WP_OK, also if items failed; WP_CANCELLED; WP_IO_FAILED (three workers in a row did not start, or an
 * item's failure was fatal; the text says which; results tell the rest); WP_INVALID_ARGUMENT (an item is
 * no JSON: the text has its index; nothing ran), WP_NO_MEMORY, WP_BUSY (another thread's run), WP_FORKED.
 * Threads: any that may block. */
WP_API int32_t wp_batch_run(wp_batch *batch, const wp_batch_item *items, size_t count);

/* Result `index` of the last run, in the order of the items. Its texts are borrowed until the next run or
 * destroy. Returns WP_OK, WP_END (there is no such item), WP_INVALID_ARGUMENT, WP_BUSY during a run, WP_FORKED.
 * Threads: any, but not during a run. */
WP_API int32_t wp_batch_result_at(wp_batch *batch, size_t index, wp_batch_result *out_result);

/* Ends a run that is under way, or the next one: items without a result are CANCELLED, and workers get
 * SIGTERM, with `kills` SIGKILL. Returns at once: WP_OK, WP_INVALID_ARGUMENT, WP_FORKED.
 * Threads: any, also inside on_result. */
WP_API int32_t wp_batch_cancel(wp_batch *batch, uint32_t kills);

#ifdef __cplusplus
}
#endif
#endif
