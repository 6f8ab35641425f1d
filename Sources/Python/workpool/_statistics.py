# SPDX-License-Identifier: MIT
"""What a run has done so far; exact after its end. Times are in nanoseconds."""
from __future__ import annotations

from ctypes import byref, string_at
from typing import NamedTuple, Optional

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib


class StageStatistics(NamedTuple):
    """What a stage has done."""

    name: str
    kind: str
    calls: int
    blocks_in: int  #: calls + blocks that only passed, dropped or cut off before
    blocks_out: int
    blocks_dropped: int
    blocks_cut: int
    blocks_failed: int
    bytes_in: int
    bytes_out: int
    busy_ns: int  #: in the callback; an estimate where calls are short
    cpu_ns: int  #: of that, what the threads ran; the rest they waited
    timed_calls: int
    call_min_ns: int
    call_max_ns: int
    call_p50_ns: int  #: half of the calls took no longer; within 12.5 %
    call_p99_ns: int
    order_wait_ns: int  #: of blocks that came before their turn
    place_wait_ns: int  #: of blocks that found a limited stage full
    parked: int  #: blocks that had to wait for their turn or a place
    parked_now: int
    parked_max: int  #: most that waited at once: how deep the reordering was
    concurrency_max: int  #: most calls at once, as far as was seen


class PipelineStatistics(NamedTuple):
    """What a run has done, and each of its stages."""

    wall_ns: int  #: since the start, until the end
    blocks_in: int
    blocks_out: int
    bytes_in: int
    bytes_out: int  #: of delivered blocks, as they left the last stage
    in_flight: int
    in_flight_max: int
    limit: int
    bytes_in_flight: int  #: what the blocks in flight weigh
    bytes_in_flight_max: int
    throttled_ns: int  #: the source, or a submitter, waited for a place
    starved_ns: int  #: nothing was in flight but what the source worked on
    submit_wait_ns: int  #: of submitting threads, added up
    result_wait_ns: int  #: of threads that waited for a result, added up
    carried: int  #: a worker took a block on from one stage to the next
    handed_over: int  #: another worker did, or itself later
    wakes: int  #: workers woken during the run, by all pipelines of the pool
    bottleneck_stage: Optional[int]  #: most busy_ns for each call that may run at once
    timeline_events_lost: int  #: overwritten: ``timeline_events`` are too few
    stages: list[StageStatistics]  #: source and sink included


def statistics_of(pipeline: Handle) -> PipelineStatistics:
    whole = c.wp_pipeline_statistics()
    _errors.check(lib.wp_pipeline_statistics_get(pipeline, byref(whole)))
    stages = []
    for index in range(whole.stages):
        one = c.wp_stage_statistics()
        _errors.check(lib.wp_pipeline_stage_statistics(pipeline, index, byref(one)))
        kind = ("parallel", "serial", "serial_any_order", "splitter")[one.kind]
        counts = (getattr(one, field) for field in StageStatistics._fields[2:])
        stages.append(StageStatistics(one.name.decode("utf-8", "replace"), kind, *counts))
    totals = {field: getattr(whole, field) for field in PipelineStatistics._fields[:-1]}
    if totals["bottleneck_stage"] == c.NO_STAGE:
        totals["bottleneck_stage"] = None
    return PipelineStatistics(stages=stages, **totals)


class WorkerStatistics(NamedTuple):
    """What a worker of a pool has done since it began; the four times add up to ``wall_ns``."""

    is_host_thread: bool  #: the seat is for threads of the host that work along
    wall_ns: int
    busy_ns: int  #: in callbacks
    blocked_ns: int  #: in waits of the library inside callbacks
    engine_ns: int  #: between callbacks: carrying blocks, looking for work
    idle_ns: int  #: asleep for want of work
    calls: int
    wakes: int  #: how often it was woken


def worker_statistics_of(pool: Handle, index: int) -> WorkerStatistics:
    worker = c.wp_worker_statistics()
    _errors.check(lib.wp_pool_worker_statistics(pool, index, byref(worker)))
    numbers = [getattr(worker, field) for field in WorkerStatistics._fields[1:]]
    return WorkerStatistics(bool(worker.is_host_thread), *numbers)


def timeline_of(pipeline: Handle) -> str:
    pieces: list[bytes] = []

    def write(_context: object, data: int, size: int) -> int:
        pieces.append(string_at(data, size))
        return 0

    _errors.check(lib.wp_pipeline_write_timeline(pipeline, c.write_hook(write), None))
    return b"".join(pieces).decode()
