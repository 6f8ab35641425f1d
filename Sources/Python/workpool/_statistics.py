# SPDX-License-Identifier: MIT
"""What a run has done so far; exact after its end. Times are in nanoseconds."""
from __future__ import annotations

from ctypes import byref
from typing import NamedTuple

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
    busy_ns: int  #: in the callback; scaled up from timed calls
    timed_calls: int
    call_min_ns: int
    call_max_ns: int
    parked: int  #: blocks that had to wait for their turn or a place


class PipelineStatistics(NamedTuple):
    """What a run has done, and each of its stages."""

    wall_ns: int  #: since the start, until the end
    blocks_in: int
    blocks_out: int
    in_flight: int
    in_flight_max: int
    limit: int
    wakes: int  #: workers woken, by this and other pipelines of the pool
    bytes_in_flight: int  #: what the blocks in flight weigh
    bytes_in_flight_max: int
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
    return PipelineStatistics(stages=stages, **totals)
