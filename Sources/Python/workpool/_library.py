# SPDX-License-Identifier: MIT
"""The C interface as ctypes sees it: every struct and every function of workpool.h, once.

Names are those of the header, which is also the documentation. Nothing outside this package should
import this module.
"""
from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, Structure
from ctypes import c_char, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Iterator

VERSION = (0, 1)  # major and minor that these declarations are for

WP_OK, WP_STOPPED, WP_END = 0, 1, 2
WP_INVALID_ARGUMENT, WP_INVALID_STATE, WP_NO_MEMORY, WP_NO_THREAD, WP_BUSY = -1, -2, -3, -4, -5
WP_CLOSED, WP_CANCELLED, WP_TIMED_OUT, WP_WOULD_BLOCK, WP_WOULD_DEADLOCK = -6, -7, -8, -9, -10
WP_RESULTS_WAITING, WP_STAGE_FAILED, WP_BAD_RETURN, WP_DUPLICATE_BLOCK = -11, -12, -13, -14
WP_MISSING_BLOCK, WP_FORKED, WP_UNSUPPORTED = -15, -16, -17
WP_IO_FAILED, WP_CORRUPT_INPUT, WP_TRUNCATED_INPUT, WP_MALFORMED_RECORD = -30, -31, -32, -33
WP_LIMIT_EXCEEDED, WP_OUTPUT_EXISTS = -34, -35
WP_USER_CODE = -1000

WP_POOL_ALLOW_FEWER_WORKERS = 1
WP_CANCEL_USER, WP_CANCEL_DEADLINE, WP_CANCEL_PARENT, WP_CANCEL_STUCK = 1, 2, 3, 4
WP_PARALLEL, WP_SERIAL, WP_SERIAL_ANY_ORDER, WP_SPLITTER = 0, 1, 2, 3
WP_STAGE_OK, WP_STAGE_DROP, WP_STAGE_STOP, WP_STAGE_STOP_DROP = 0, 1, 2, 3
WP_STAGE_MORE, WP_SOURCE_END = 4, 5
WP_STAGE_SEE_ALL, WP_STAGE_MAY_BLOCK = 1, 2
WP_PIPELINE_SERIAL_REFERENCE, WP_PIPELINE_COLLECT_ERRORS = 1, 2
WP_PIPELINE_PULL_RESULTS, WP_PIPELINE_READER_IS_ANOTHER_THREAD = 4, 8
WP_PIPELINE_UNORDERED = 16
WP_RELEASE_DELIVERED, WP_RELEASE_DROPPED, WP_RELEASE_CUT = 1, 2, 3
WP_RELEASE_FAILED, WP_RELEASE_CANCELLED, WP_RELEASE_REPLACED = 4, 5, 6
WP_PIPELINE_CANCEL_WHEN_STUCK = 32
WP_PROGRESS_LAST = 1
WP_STATISTICS_SAMPLED, WP_STATISTICS_OFF, WP_STATISTICS_TIMES = 0, 1, 2
WP_SPLIT_LINES, WP_SPLIT_FASTQ, WP_SPLIT_FIXED = 0, 1, 2
WP_TRAILING_ERROR, WP_TRAILING_WARN, WP_TRAILING_IGNORE = 0, 1, 2
WP_COMPRESSION_AUTO, WP_COMPRESSION_PLAIN, WP_COMPRESSION_GZIP = 0, 1, 2
WP_COMPRESSION_BGZF, WP_COMPRESSION_ZSTD = 3, 4
WP_WRITER_OVERWRITE, WP_WRITER_SYNC, WP_WRITER_ZSTD_SEEK_TABLE = 1, 2, 4
WP_RUN_SERIAL_REFERENCE, WP_RUN_OVERWRITE = 1, 2
WP_EXISTS = -50
WP_NOT_FOUND = -51
WP_SHUT_DOWN = -52
WP_CYCLE = -53
WP_UNKNOWN_DEPENDENCY = -54
WP_UNSATISFIABLE = -55
WP_NO_RETRY = -56
WP_JOB_PENDING, WP_JOB_WAITING, WP_JOB_READY, WP_JOB_RUNNING = 0, 1, 2, 3
WP_JOB_COMPLETED, WP_JOB_FAILED, WP_JOB_TIMEOUT, WP_JOB_CANCELLED = 4, 5, 6, 7
WP_JOB_SKIPPED = 8
WP_REASON_NONE, WP_REASON_ERROR, WP_REASON_EXIT, WP_REASON_SIGNAL = 0, 1, 2, 3
WP_REASON_SPAWN, WP_REASON_EXCEPTION, WP_REASON_TIMEOUT = 4, 5, 6
WP_REASON_DEADLINE, WP_REASON_CRASHED, WP_REASON_POISON, WP_REASON_USER = 7, 8, 9, 10
WP_REASON_DEPENDENCY, WP_REASON_STOP, WP_REASON_SHUTDOWN = 11, 12, 13
WP_REASON_RUN_DEADLINE, WP_REASON_UP_TO_DATE, WP_REASON_RESUMED = 14, 15, 16
WP_REASON_FILTERED = 17
WP_STOP_SOFT, WP_STOP_NOW = 0, 1
WP_JOB_CALLBACK, WP_JOB_COMMAND, WP_JOB_PIPELINE, WP_JOB_BATCH = 0, 1, 2, 3
WP_WHEN_SUCCESS, WP_WHEN_ALWAYS, WP_WHEN_FAILURE = 0, 1, 2
WP_HINT_LIGHT_CPU, WP_HINT_HEAVY_CPU, WP_HINT_LIGHT_IO, WP_HINT_HEAVY_IO = 0, 1, 2, 3
WP_RETRY_ERROR, WP_RETRY_TIMEOUT, WP_RETRY_SIGNAL = 1, 2, 4
WP_LEFTOVER_KILL, WP_LEFTOVER_WARN, WP_LEFTOVER_LEAVE = 0, 1, 2
WP_PRIORITY_LOW, WP_PRIORITY_NORMAL, WP_PRIORITY_HIGH = -10, 0, 10
WP_PRIORITY_CRITICAL = 100
WP_ALLOW_FORWARD = 1
WP_WAIT_HELP = 1
WP_SYNC_GROUP, WP_SYNC_ALWAYS, WP_SYNC_NONE = 0, 1, 2
WP_ORPHANS_REFUSE, WP_ORPHANS_KILL, WP_ORPHANS_WAIT, WP_ORPHANS_IGNORE = 0, 1, 2, 3
WP_LOG_DEBUG, WP_LOG_INFO, WP_LOG_WARNING, WP_LOG_ERROR = 0, 1, 2, 3
WP_EVENT_RUN_STARTED, WP_EVENT_JOB_SUBMITTED, WP_EVENT_JOB_READY = 0, 1, 2
WP_EVENT_JOB_STARTED, WP_EVENT_JOB_OVERDUE, WP_EVENT_JOB_RETRYING = 3, 4, 5
WP_EVENT_JOB_FINISHED, WP_EVENT_JOB_SKIPPED, WP_EVENT_JOB_RETURNED = 6, 7, 8
WP_EVENT_BATCH_STARTED, WP_EVENT_ITEM_FINISHED, WP_EVENT_BATCH_FINISHED = 9, 10, 11
WP_EVENT_WORKER_CRASHED, WP_EVENT_WORKER_RESPAWNED, WP_EVENT_JOB_PROGRESS = 12, 13, 17
WP_EVENT_CALLBACK_ERROR, WP_EVENT_WARNING, WP_EVENT_RUN_FINISHED = 14, 15, 16
WP_EVENT_ALL = 4294967295
(
    WP_PARAM_INT, WP_PARAM_DOUBLE, WP_PARAM_BOOL, WP_PARAM_TEXT, WP_PARAM_TEXTS, WP_PARAM_TOML,
) = range(1, 7)
NO_NUMBER, NO_STAGE, UNKNOWN_SIZE = 2**64 - 1, 2**32 - 1, 2**64 - 1


# ----- structs --------------------------------------------------------------------------------


class wp_block(Structure):
    _fields_ = [
        ("number", c_uint64),
        ("source_number", c_uint64),
        ("data", c_void_p),
        ("size", c_size_t),
        ("capacity", c_size_t),
        ("meta", c_uint64 * 4),
        ("weight", c_uint64),
    ]


class wp_call(Structure):
    _fields_ = [
        ("worker", c_uint32),
        ("stage", c_uint32),
        ("token", c_void_p),
        ("input", POINTER(wp_block)),
        ("blocks", POINTER(POINTER(wp_block))),
        ("answers", POINTER(c_int32)),
        ("count", c_uint32),
    ]


thread_hook = CFUNCTYPE(None, c_void_p, c_uint32)
context_hook = CFUNCTYPE(None, c_void_p)
wp_stage_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(wp_block), c_void_p, POINTER(wp_call))
worker_start_hook = CFUNCTYPE(c_int32, c_void_p, c_uint32, POINTER(c_void_p))
worker_finish_hook = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
finish_hook = CFUNCTYPE(c_int32, c_void_p, c_int32)
stuck_hook = CFUNCTYPE(None, c_void_p, c_char_p)
wp_write_fn = CFUNCTYPE(c_int32, c_void_p, c_char_p, c_size_t)
wp_release_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_int32)
progress_hook = CFUNCTYPE(None, c_void_p, c_uint64, c_uint64)


class Sized(Structure):
    """A struct that begins with its own size; fields that are not given stay 0, their default."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class wp_pool_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("workers", c_uint32),
        ("flags", c_uint32),
        ("max_workers", c_uint32),
        ("stack_size", c_uint64),
        ("name_prefix", c_char_p),
        ("thread_start", thread_hook),
        ("thread_stop", thread_hook),
        ("context", c_void_p),
        ("destroy_context", context_hook),
        ("host_workers", c_uint32),
        ("blocking_extra", c_uint32),
    ]


class wp_stage_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("fn", wp_stage_fn),
        ("context", c_void_p),
        ("destroy_context", context_hook),
        ("name", c_char_p),
        ("max_concurrency", c_uint32),
        ("flags", c_uint32),
        ("worker_start", worker_start_hook),
        ("worker_finish", worker_finish_hook),
        ("finish", finish_hook),
        ("max_batch", c_uint32),
    ]


class wp_pipeline_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("max_blocks_in_flight", c_uint32),
        ("max_errors_kept", c_uint32),
        ("max_failures", c_uint64),
        ("token", c_void_p),
        ("run_timeout_ns", c_int64),
        ("window_capacity", c_uint32),
        ("weight", c_uint32),
        ("max_bytes_in_flight", c_uint64),
        ("stuck_after_ns", c_int64),
        ("on_stuck", stuck_hook),
        ("stuck_context", c_void_p),
        ("statistics", c_uint32),
        ("timeline_events", c_uint32),
    ]


class wp_progress(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("wall_ns", c_uint64),
        ("blocks_in", c_uint64),
        ("blocks_out", c_uint64),
        ("bytes_in", c_uint64),
        ("bytes_out", c_uint64),
        ("in_flight", c_uint64),
        ("total_blocks", c_uint64),
        ("total_bytes", c_uint64),
        ("blocks_per_second", c_uint64),
        ("bytes_per_second", c_uint64),
        ("eta_ns", c_uint64),
    ]


wp_progress_fn = CFUNCTYPE(None, c_void_p, POINTER(wp_progress))


class wp_subscriber_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("interval_ns", c_int64),
        ("fn", wp_progress_fn),
        ("context", c_void_p),
        ("destroy_context", context_hook),
    ]


class wp_payload(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("size", c_size_t),
        ("release", wp_release_fn),
        ("release_context", c_void_p),
        ("meta", c_uint64 * 4),
        ("weight", c_uint64),
    ]


class wp_result(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("number", c_uint64),
        ("source_number", c_uint64),
        ("stage", c_uint32),
        ("code", c_int32),
        ("blocks_delivered", c_uint64),
        ("blocks_dropped", c_uint64),
        ("blocks_cut", c_uint64),
        ("blocks_failed", c_uint64),
        ("errors", c_uint64),
        ("errors_not_kept", c_uint64),
    ]


class wp_error_entry(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("code", c_int32),
        ("number", c_uint64),
        ("source_number", c_uint64),
        ("stage", c_uint32),
        ("reserved", c_uint32),
        ("text", c_char * 256),
    ]


class wp_stage_statistics(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("name", c_char * 32),
        ("calls", c_uint64),
        ("blocks_in", c_uint64),
        ("blocks_out", c_uint64),
        ("blocks_dropped", c_uint64),
        ("blocks_cut", c_uint64),
        ("blocks_failed", c_uint64),
        ("bytes_in", c_uint64),
        ("bytes_out", c_uint64),
        ("busy_ns", c_uint64),
        ("cpu_ns", c_uint64),
        ("timed_calls", c_uint64),
        ("call_min_ns", c_uint64),
        ("call_max_ns", c_uint64),
        ("call_p50_ns", c_uint64),
        ("call_p99_ns", c_uint64),
        ("order_wait_ns", c_uint64),
        ("place_wait_ns", c_uint64),
        ("parked", c_uint64),
        ("parked_now", c_uint64),
        ("parked_max", c_uint64),
        ("concurrency_max", c_uint64),
    ]


class wp_pipeline_statistics(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("stages", c_uint32),
        ("wall_ns", c_uint64),
        ("blocks_in", c_uint64),
        ("blocks_out", c_uint64),
        ("bytes_in", c_uint64),
        ("bytes_out", c_uint64),
        ("in_flight", c_uint64),
        ("in_flight_max", c_uint64),
        ("bytes_in_flight", c_uint64),
        ("bytes_in_flight_max", c_uint64),
        ("limit", c_uint64),
        ("throttled_ns", c_uint64),
        ("starved_ns", c_uint64),
        ("submit_wait_ns", c_uint64),
        ("result_wait_ns", c_uint64),
        ("carried", c_uint64),
        ("handed_over", c_uint64),
        ("wakes", c_uint64),
        ("bottleneck_stage", c_uint32),
        ("reserved", c_uint32),
        ("timeline_events_lost", c_uint64),
    ]


class wp_worker_statistics(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("is_host_thread", c_uint32),
        ("wall_ns", c_uint64),
        ("busy_ns", c_uint64),
        ("blocked_ns", c_uint64),
        ("engine_ns", c_uint64),
        ("idle_ns", c_uint64),
        ("calls", c_uint64),
        ("wakes", c_uint64),
    ]


write_hook = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)


class wp_reader_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("split", c_uint32),
        ("records_per_block", c_uint64),
        ("bytes_per_block", c_uint64),
        ("record_size", c_uint64),
        ("max_record", c_uint64),
        ("max_window", c_uint64),
        ("trailing", c_uint32),
        ("has_delimiter", c_uint32),
        ("delimiter", c_uint32),
        ("reserved", c_uint32),
        ("bgzf_index", c_char_p),
        ("pool", c_void_p),
    ]


class wp_chunk(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("size", c_size_t),
        ("records", c_uint64),
        ("first_record", c_uint64),
        ("offset", c_uint64),
        ("first_line", c_uint64),
        ("packed_bytes", c_uint64),
    ]


class wp_reader_info(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("compression", c_uint32),
        ("parts", c_uint64),
        ("packed_bytes", c_uint64),
        ("bytes", c_uint64),
        ("packed_size", c_uint64),
    ]


class wp_writer_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("compression", c_uint32),
        ("has_level", c_uint32),
        ("level", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
        ("bgzf_index", c_char_p),
    ]


class wp_writer_info(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("compression", c_uint32),
        ("bytes", c_uint64),
        ("packed_bytes", c_uint64),
    ]


class wp_param(Structure):
    _fields_ = [
        ("key", c_char_p),
        ("type", c_uint32),
        ("count", c_uint32),
        ("integer", c_int64),
        ("number", c_double),
        ("text", c_char_p),
        ("texts", POINTER(c_char_p)),
    ]


class wp_run_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("max_blocks_in_flight", c_uint32),
        ("compression", c_uint32),
        ("records_per_block", c_uint64),
        ("has_level", c_uint32),
        ("level", c_int32),
        ("token", c_void_p),
        ("progress", progress_hook),
        ("progress_context", c_void_p),
        ("progress_ns", c_int64),
    ]


class wp_run_report(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("wall_ns", c_uint64),
        ("reads_in", c_uint64),
        ("reads_out", c_uint64),
        ("bases_in", c_uint64),
        ("bases_out", c_uint64),
    ]


wp_job_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p)
wp_job_end_fn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_uint64)
wp_job_log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p, c_char_p)


class wp_pool_request(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("count", c_uint32),
        ("reserved", c_uint32),
    ]


class wp_jobpool_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("max_parallel_jobs", c_uint32),
        ("io_slots", c_uint32),
        ("heavy_cpu", c_uint32),
        ("heavy_io", c_uint32),
        ("pool_count", c_uint32),
        ("max_failures", c_uint32),
        ("stop_now", c_int32),
        ("enable_callbacks", c_int32),
        ("priority_queue", c_int32),
        ("depth_first", c_int32),
        ("inherit_priority", c_int32),
        ("critical_path", c_int32),
        ("paused", c_int32),
        ("max_retries", c_int32),
        ("bypass_limit", c_uint32),
        ("max_queued", c_uint32),
        ("max_jobs", c_uint32),
        ("retain_finished", c_uint32),
        ("replace_abandoned", c_uint32),
        ("memory", c_uint64),
        ("job_timeout_ns", c_int64),
        ("grace_ns", c_int64),
        ("kill_grace_ns", c_int64),
        ("callback_timeout_ns", c_int64),
        ("retry_delay_ns", c_int64),
        ("aging_ns", c_int64),
        ("deadline_ns", c_int64),
        ("pools", POINTER(wp_pool_request)),
        ("token", c_void_p),
    ]


class wp_jobpool_limits(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("max_parallel_jobs", c_uint32),
        ("io_slots", c_uint32),
        ("heavy_cpu", c_uint32),
        ("heavy_io", c_uint32),
        ("pool_count", c_uint32),
        ("memory", c_uint64),
        ("pools", POINTER(wp_pool_request)),
    ]


class wp_batch_item(Structure):
    _fields_ = [
        ("json", c_char_p),
        ("size", c_size_t),
    ]


class wp_job_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("id", c_char_p),
        ("name", c_char_p),
        ("fn", wp_job_fn),
        ("context", c_void_p),
        ("destroy_context", context_hook),
        ("argv", POINTER(c_char_p)),
        ("env", POINTER(c_char_p)),
        ("cwd", c_char_p),
        ("stdin_path", c_char_p),
        ("stdout_path", c_char_p),
        ("stderr_path", c_char_p),
        ("pipeline", c_void_p),
        ("batch", c_void_p),
        ("items", POINTER(wp_batch_item)),
        ("item_count", c_size_t),
        ("dependencies", POINTER(c_char_p)),
        ("pools", POINTER(wp_pool_request)),
        ("outputs", POINTER(c_char_p)),
        ("definition", c_char_p),
        ("no_retry_exit", POINTER(c_int32)),
        ("on_complete", wp_job_end_fn),
        ("cleanup", wp_job_end_fn),
        ("is_up_to_date", wp_job_end_fn),
        ("token", c_void_p),
        ("argc", c_uint32),
        ("env_count", c_uint32),
        ("dependency_count", c_uint32),
        ("pool_count", c_uint32),
        ("no_retry_exit_count", c_uint32),
        ("when", c_uint32),
        ("allow_failure", c_int32),
        ("priority", c_int32),
        ("hint", c_uint32),
        ("cpus", c_uint32),
        ("max_retries", c_int32),
        ("retry_on", c_uint32),
        ("on_leftover", c_uint32),
        ("output_count", c_uint32),
        ("memory", c_uint64),
        ("timeout_ns", c_int64),
        ("deadline_ns", c_int64),
        ("grace_ns", c_int64),
        ("retry_delay_ns", c_int64),
        ("retry_max_delay_ns", c_int64),
        ("expected_ns", c_int64),
        ("retry_factor", c_double),
        ("retry_jitter", c_double),
    ]


class wp_job_info(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_int32),
        ("reason", c_int32),
        ("detail", c_int32),
        ("attempt", c_int32),
        ("cancel_requested", c_int32),
        ("abandoned", c_int32),
        ("still_running", c_int32),
        ("priority", c_int32),
        ("reserved", c_uint32),
        ("submit_ns", c_int64),
        ("ready_ns", c_int64),
        ("start_ns", c_int64),
        ("end_ns", c_int64),
    ]


class wp_job_attempt(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("attempt", c_int32),
        ("slot", c_int32),
        ("state", c_int32),
        ("reason", c_int32),
        ("detail", c_int32),
        ("start_ns", c_int64),
        ("end_ns", c_int64),
        ("cpu_ns", c_int64),
        ("peak_memory", c_uint64),
    ]


class wp_job_event(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("seq", c_uint64),
        ("time_ns", c_int64),
        ("job", c_uint64),
        ("id", c_char_p),
        ("state", c_int32),
        ("reason", c_int32),
        ("detail", c_int32),
        ("attempt", c_int32),
        ("slot", c_int32),
        ("chain_count", c_uint32),
        ("chain", POINTER(c_char_p)),
        ("text", c_char_p),
        ("item", c_int64),
        ("count", c_int64),
        ("process", c_int32),
        ("reserved", c_uint32),
    ]


class wp_jobpool_status(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("slots", c_uint32),
        ("io_slots", c_uint32),
        ("effective_slots", c_uint32),
        ("used_slots", c_uint32),
        ("abandoned_running", c_uint32),
        ("running_jobs", c_uint64),
        ("queue_size", c_uint64),
        ("total_processed", c_uint64),
        ("counts", c_uint64 * 9),
        ("used_memory", c_uint64),
        ("callback_errors", c_uint64),
    ]


class wp_jobpool_metrics(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("total_processed", c_uint64),
        ("retries", c_uint64),
        ("timeouts", c_uint64),
        ("crashes", c_uint64),
        ("peak_running", c_uint64),
        ("peak_memory", c_uint64),
        ("avg_wait_time", c_double),
        ("avg_dependency_time", c_double),
        ("avg_execution_time", c_double),
        ("success_rate", c_double),
        ("cpu_seconds", c_double),
        ("parallelism_factor", c_double),
        ("slot_use", c_double),
        ("p50", c_double),
        ("p95", c_double),
    ]


class wp_record_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("sync", c_uint32),
        ("run_id", c_char_p),
        ("name", c_char_p),
    ]


class wp_run_job(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_int32),
        ("reason", c_int32),
        ("detail", c_int32),
        ("attempts", c_int32),
        ("interrupted", c_int32),
        ("start_ns", c_int64),
        ("end_ns", c_int64),
        ("id", c_char_p),
        ("text", c_char_p),
        ("added_by", c_char_p),
        ("definition", c_char_p),
    ]


class wp_job_bar(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("attempt", c_int32),
        ("id", c_char_p),
        ("start_time", c_double),
        ("duration", c_double),
        ("slot", c_int32),
        ("lane", c_int32),
        ("state", c_int32),
        ("reserved", c_uint32),
    ]


wp_job_event_fn = CFUNCTYPE(None, c_void_p, POINTER(wp_job_event))
wp_job_bar_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(wp_job_bar))

class wp_batch_result(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("state", c_int32),
        ("reason", c_int32),
        ("detail", c_int32),
        ("attempts", c_uint32),
        ("crashes", c_uint32),
        ("process", c_int32),
        ("from_cache", c_uint32),
        ("time_ns", c_int64),
        ("phase", c_char_p),
        ("error", c_char_p),
        ("data", c_char_p),
        ("data_size", c_size_t),
    ]


wp_batch_result_fn = CFUNCTYPE(None, c_void_p, c_size_t, POINTER(wp_batch_result))


class wp_batch_options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("workers", c_uint32),
        ("batch_size", c_uint32),
        ("max_crashes", c_int32),
        ("max_retries", c_uint32),
        ("max_items_per_worker", c_uint32),
        ("retry_delay_ns", c_int64),
        ("start_timeout_ns", c_int64),
        ("item_timeout_ns", c_int64),
        ("batch_timeout_ns", c_int64),
        ("heartbeat_timeout_ns", c_int64),
        ("max_worker_memory", c_uint64),
        ("env", POINTER(c_char_p)),
        ("env_count", c_uint32),
        ("reserved", c_uint32),
        ("cwd", c_char_p),
        ("log_path", c_char_p),
        ("token", c_void_p),
        ("on_result", wp_batch_result_fn),
        ("context", c_void_p),
    ]


# ----- functions ------------------------------------------------------------------------------

_out = POINTER(c_void_p)
_text_out = POINTER(c_char_p)

FUNCTIONS: dict[str, tuple[Any, ...]] = {  # name: (result, arguments...)
    "wp_version_number": (c_int32,),
    "wp_version_string": (c_char_p,),
    "wp_build_info": (c_char_p,),
    "wp_status_name": (c_char_p, c_int32),
    "wp_status_text": (c_char_p, c_int32),
    "wp_last_error": (c_int32,),
    "wp_last_error_errno": (c_int32,),
    "wp_last_error_text": (c_char_p,),
    "wp_pool_create": (c_int32, POINTER(wp_pool_options), _out),
    "wp_pool_destroy": (c_int32, c_void_p),
    "wp_pool_memory": (c_uint64, c_void_p),
    "wp_pool_workers": (c_uint32, c_void_p),
    "wp_pool_set_workers": (c_int32, c_void_p, c_uint32),
    "wp_pool_run_worker": (c_int32, c_void_p, c_void_p),
    "wp_pool_worker_statistics": (
        c_int32, c_void_p, c_uint32, POINTER(wp_worker_statistics),
    ),
    "wp_worker_index": (c_int32,),
    "wp_usable_cpus": (c_uint32,),
    "wp_token_create": (c_int32, c_void_p, _out),
    "wp_token_destroy": (c_int32, c_void_p),
    "wp_token_cancel": (None, c_void_p),
    "wp_token_cancel_from_signal": (None, c_void_p),
    "wp_token_is_cancelled": (c_uint32, c_void_p),
    "wp_token_word": (POINTER(c_uint32), c_void_p),
    "wp_pipeline_create": (c_int32, c_void_p, POINTER(wp_pipeline_options), _out),
    "wp_pipeline_destroy": (c_int32, c_void_p),
    "wp_pipeline_set_source": (c_int32, c_void_p, POINTER(wp_stage_options)),
    "wp_pipeline_add_stage": (c_int32, c_void_p, POINTER(wp_stage_options)),
    "wp_pipeline_set_sink": (c_int32, c_void_p, POINTER(wp_stage_options)),
    "wp_pipeline_set_max_blocks": (c_int32, c_void_p, c_uint32),
    "wp_pipeline_set_max_bytes": (c_int32, c_void_p, c_uint64),
    "wp_pipeline_start": (c_int32, c_void_p),
    "wp_pipeline_wait": (c_int32, c_void_p, c_int64),
    "wp_pipeline_run": (c_int32, c_void_p),
    "wp_pipeline_submit": (c_int32, c_void_p, POINTER(wp_payload), c_int64),
    "wp_pipeline_submit_numbered": (c_int32, c_void_p, c_uint64, POINTER(wp_payload), c_int64),
    "wp_pipeline_skip": (c_int32, c_void_p, c_uint64, c_int64),
    "wp_pipeline_close": (c_int32, c_void_p),
    "wp_pipeline_flush": (c_int32, c_void_p, c_int64),
    "wp_pipeline_next_result": (c_int32, c_void_p, c_int64, POINTER(POINTER(wp_block))),
    "wp_block_release": (None, POINTER(wp_block)),
    "wp_pipeline_stop": (c_int32, c_void_p),
    "wp_pipeline_cancel": (c_int32, c_void_p),
    "wp_pipeline_subscribe": (
        c_int32, c_void_p, POINTER(wp_subscriber_options), POINTER(c_uint64),
    ),
    "wp_pipeline_unsubscribe": (c_int32, c_void_p, c_uint64),
    "wp_pipeline_set_total": (c_int32, c_void_p, c_uint64, c_uint64),
    "wp_pipeline_set_weight": (c_int32, c_void_p, c_uint32),
    "wp_pipeline_dump": (c_int32, c_void_p, wp_write_fn, c_void_p),
    "wp_pool_dump": (c_int32, c_void_p, wp_write_fn, c_void_p),
    "wp_block_reserve": (c_int32, POINTER(wp_block), c_size_t),
    "wp_block_spare": (c_int32, POINTER(wp_block), c_size_t, _out),
    "wp_block_commit_spare": (c_int32, POINTER(wp_block), c_size_t),
    "wp_block_set_data": (
        c_int32, POINTER(wp_block), c_void_p, c_size_t, wp_release_fn, c_void_p,
    ),
    "wp_block_fail": (c_int32, POINTER(wp_block), c_int32, c_char_p),
    "wp_pipeline_result": (c_int32, c_void_p, POINTER(wp_result)),
    "wp_pipeline_error": (c_int32, c_void_p, c_size_t, POINTER(wp_error_entry)),
    "wp_pipeline_stage_statistics": (c_int32, c_void_p, c_uint32, POINTER(wp_stage_statistics)),
    "wp_pipeline_statistics_get": (c_int32, c_void_p, POINTER(wp_pipeline_statistics)),
    "wp_pipeline_memory": (c_uint64, c_void_p),
    "wp_pipeline_write_timeline": (c_int32, c_void_p, write_hook, c_void_p),
    "wp_reader_open": (c_int32, c_char_p, POINTER(wp_reader_options), _out),
    "wp_reader_open_fd": (c_int32, c_int32, c_char_p, POINTER(wp_reader_options), _out),
    "wp_reader_read": (c_int32, c_void_p, c_void_p, c_size_t, POINTER(c_size_t)),
    "wp_reader_next": (c_int32, c_void_p, POINTER(wp_chunk)),
    "wp_reader_next_into": (c_int32, c_void_p, c_void_p, c_size_t, POINTER(wp_chunk)),
    "wp_reader_seek": (c_int32, c_void_p, c_uint64),
    "wp_reader_tell": (c_int32, c_void_p, POINTER(c_uint64)),
    "wp_reader_seek_virtual": (c_int32, c_void_p, c_uint64),
    "wp_reader_tell_virtual": (c_int32, c_void_p, POINTER(c_uint64)),
    "wp_reader_get_info": (c_int32, c_void_p, POINTER(wp_reader_info)),
    "wp_reader_note": (c_char_p, c_void_p, c_size_t),
    "wp_reader_close": (c_int32, c_void_p),
    "wp_pipeline_set_reader": (c_int32, c_void_p, c_void_p),
    "wp_writer_open": (c_int32, c_char_p, POINTER(wp_writer_options), _out),
    "wp_writer_open_fd": (c_int32, c_int32, c_char_p, POINTER(wp_writer_options), _out),
    "wp_writer_write": (c_int32, c_void_p, c_void_p, c_size_t),
    "wp_writer_finish": (c_int32, c_void_p, POINTER(wp_writer_info)),
    "wp_writer_close": (c_int32, c_void_p),
    "wp_pipeline_set_writer": (c_int32, c_void_p, c_void_p),
    "wp_step_info": (c_int32, c_size_t, _text_out, _text_out, _text_out),
    "wp_recipe_create": (c_int32, _text_out, c_size_t, c_int32, _out),
    "wp_recipe_add": (c_int32, c_void_p, c_char_p),
    "wp_recipe_add_step": (c_int32, c_void_p, c_char_p, POINTER(wp_param), c_size_t),
    "wp_recipe_add_barcode": (c_int32, c_void_p, c_char_p, c_char_p, c_char_p),
    "wp_recipe_set_prefix": (c_int32, c_void_p, c_char_p),
    "wp_recipe_check": (c_int32, c_void_p),
    "wp_recipe_run": (
        c_int32, c_void_p, c_void_p, _text_out, c_size_t, _text_out, c_size_t,
        POINTER(wp_run_options), POINTER(wp_run_report),
    ),
    "wp_recipe_destroy": (None, c_void_p),
    "wp_token_wait": (c_int32, c_void_p, c_int64),
    "wp_token_on_cancel": (c_int32, c_void_p, context_hook, c_void_p, context_hook),
    "wp_token_fd": (c_int32, c_void_p),
    "wp_token_reset": (c_int32, c_void_p),
    "wp_job_state_name": (c_char_p, c_int32),
    "wp_job_reason_name": (c_char_p, c_int32),
    "wp_jobpool_create": (c_int32, c_void_p, POINTER(wp_jobpool_options), _out),
    "wp_jobpool_destroy": (c_int32, c_void_p),
    "wp_jobpool_pause": (c_int32, c_void_p),
    "wp_jobpool_resume": (c_int32, c_void_p),
    "wp_jobpool_set_limits": (c_int32, c_void_p, POINTER(wp_jobpool_limits)),
    "wp_jobpool_shutdown": (c_int32, c_void_p, c_int32, c_int64),
    "wp_jobpool_stop": (c_int32, c_void_p, c_uint32),
    "wp_jobpool_cancel_all": (c_int32, c_void_p),
    "wp_jobpool_submit": (
        c_int32, c_void_p, POINTER(wp_job_options), c_uint32, c_int64, POINTER(c_uint64),
    ),
    "wp_jobpool_submit_many": (
        c_int32, c_void_p, POINTER(wp_job_options), c_size_t, c_uint32, c_int64,
        POINTER(c_uint64),
    ),
    "wp_job_find": (c_int32, c_void_p, c_char_p, POINTER(c_uint64)),
    "wp_job_state": (c_int32, c_void_p, c_uint64),
    "wp_job_reason": (c_int32, c_void_p, c_uint64, POINTER(c_int32)),
    "wp_job_get_info": (c_int32, c_void_p, c_uint64, POINTER(wp_job_info)),
    "wp_job_id": (c_int32, c_void_p, c_uint64, c_char_p, c_size_t, POINTER(c_size_t)),
    "wp_job_error": (c_int32, c_void_p, c_uint64, c_char_p, c_size_t, POINTER(c_size_t)),
    "wp_job_cause_text": (c_int32, c_void_p, c_uint64, c_char_p, c_size_t, POINTER(c_size_t)),
    "wp_job_cause_chain": (
        c_int32, c_void_p, c_uint64, POINTER(c_uint64), c_size_t, POINTER(c_size_t),
    ),
    "wp_job_attempt_count": (c_int32, c_void_p, c_uint64),
    "wp_job_attempt_info": (c_int32, c_void_p, c_uint64, c_uint32, POINTER(wp_job_attempt)),
    "wp_job_result": (c_int32, c_void_p, c_uint64, c_void_p, c_size_t, POINTER(c_size_t)),
    "wp_job_release": (c_int32, c_void_p, c_uint64),
    "wp_job_cancel": (c_int32, c_void_p, c_uint64),
    "wp_job_wait": (c_int32, c_void_p, c_uint64, c_int64, c_uint32),
    "wp_jobpool_wait_any": (
        c_int32, c_void_p, POINTER(c_uint64), c_size_t, c_int64, c_uint32, POINTER(c_size_t),
    ),
    "wp_jobpool_wait_all": (c_int32, c_void_p, c_int64),
    "wp_job_context_job": (c_uint64, c_void_p),
    "wp_job_context_id": (c_char_p, c_void_p),
    "wp_job_context_attempt": (c_int32, c_void_p),
    "wp_job_context_slot": (c_int32, c_void_p),
    "wp_job_context_token": (c_void_p, c_void_p),
    "wp_job_context_set_result": (c_int32, c_void_p, c_void_p, c_size_t),
    "wp_job_context_set_error": (c_int32, c_void_p, c_char_p, c_char_p),
    "wp_job_context_progress": (c_int32, c_void_p, c_uint64, c_uint64),
    "wp_job_context_log": (c_int32, c_void_p, c_int32, c_char_p, c_char_p, c_char_p),
    "wp_job_event_name": (c_char_p, c_int32),
    "wp_jobpool_subscribe": (
        c_int32, c_void_p, c_uint32, wp_job_event_fn, c_void_p, context_hook, POINTER(c_uint64),
    ),
    "wp_jobpool_unsubscribe": (c_int32, c_void_p, c_uint64),
    "wp_jobpool_on_complete": (c_int32, c_void_p, wp_job_end_fn, c_void_p, context_hook),
    "wp_jobpool_set_log": (c_int32, c_void_p, wp_job_log_fn, c_void_p, context_hook),
    "wp_jobpool_get_status": (c_int32, c_void_p, POINTER(wp_jobpool_status)),
    "wp_jobpool_get_metrics": (c_int32, c_void_p, POINTER(wp_jobpool_metrics)),
    "wp_jobpool_timeline": (c_int32, c_void_p, wp_job_bar_fn, c_void_p),
    "wp_jobpool_write_trace": (c_int32, c_void_p, c_char_p),
    "wp_jobpool_write_svg": (c_int32, c_void_p, c_char_p),
    "wp_jobpool_record_to": (c_int32, c_void_p, c_char_p, POINTER(wp_record_options)),
    "wp_jobpool_run_folder": (c_int32, c_void_p, c_char_p, c_size_t, POINTER(c_size_t)),
    "wp_run_record_open": (c_int32, c_char_p, c_char_p, _out),
    "wp_run_record_next_job": (c_int32, c_void_p, POINTER(wp_run_job)),
    "wp_run_record_close": (c_int32, c_void_p),
    "wp_jobpool_resume_from": (c_int32, c_void_p, c_void_p, c_uint32),
    "wp_batch_create": (
        c_int32, POINTER(c_char_p), c_uint32, POINTER(wp_batch_options), _out,
    ),
    "wp_batch_destroy": (c_int32, c_void_p),
    "wp_batch_run": (c_int32, c_void_p, POINTER(wp_batch_item), c_size_t),
    "wp_batch_result_at": (c_int32, c_void_p, c_size_t, POINTER(wp_batch_result)),
    "wp_batch_cancel": (c_int32, c_void_p, c_uint32),
}

# ----- loading --------------------------------------------------------------------------------


def _candidates() -> Iterator[str]:
    """Where the library may be; the first that exists is the one."""
    here = Path(__file__).resolve().parent
    yield str(here / "libworkpool.so.0")
    tree = here.parent.parent.parent  # if this is Sources/Python/workpool of the project
    if (tree / "include" / "workpool.h").exists():
        yield str(tree / "build" / "lib" / "libworkpool.so")


def _load() -> ctypes.CDLL:
    given = os.environ.get("WORKPOOL_LIBRARY")
    paths = [given] if given else [path for path in _candidates() if os.path.exists(path)]
    path = paths[0] if paths else "libworkpool.so.0"
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"cannot load libworkpool ({error}); set WORKPOOL_LIBRARY to the path of libworkpool.so"
        ) from None
    for name, (result, *arguments) in FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path} is too old: it has no function {name}") from None
        function.restype = result
        function.argtypes = arguments
    number = library.wp_version_number()
    if number // 100 != VERSION[0] * 100 + VERSION[1]:
        text = library.wp_version_string().decode()
        raise ImportError(f"{path} is version {text}, not {VERSION[0]}.{VERSION[1]}")
    return library


lib = _load()


# ----- Python's own C interface ---------------------------------------------------------------


class Py_buffer(Structure):
    """Where and how large the memory of a bytes-like object is; fixed since Python 3.3."""

    _fields_ = [
        ("buf", c_void_p),
        ("obj", c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", c_char_p),
        ("shape", c_void_p),
        ("strides", c_void_p),
        ("suboffsets", c_void_p),
        ("internal", c_void_p),
    ]


attach_thread = ctypes.PYFUNCTYPE(ctypes.c_int)(("PyGILState_Ensure", ctypes.pythonapi))
detach_thread = ctypes.PYFUNCTYPE(None, ctypes.c_int)(("PyGILState_Release", ctypes.pythonapi))
get_buffer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, POINTER(Py_buffer), ctypes.c_int)(
    ("PyObject_GetBuffer", ctypes.pythonapi)
)
release_buffer = ctypes.PYFUNCTYPE(None, POINTER(Py_buffer))(
    ("PyBuffer_Release", ctypes.pythonapi)
)
