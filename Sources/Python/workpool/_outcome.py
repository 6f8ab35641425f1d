# SPDX-License-Identifier: MIT
"""How a run has ended: its outcome, its errors, and the exception that comes of them."""
from __future__ import annotations

from ctypes import byref
from typing import Mapping, NamedTuple, Optional

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib

Raised = Mapping[tuple[int, int], BaseException]  # what callbacks raised, by block and stage


class Outcome(NamedTuple):
    """How a run ended. ``number`` and ``stage`` tell which block decided an error or a stop, as its
    stage counts (a splitter's is its input), ``source_number`` the block of the input that it came
    from.
    """

    status: str  #: "ok", "stopped", "failed", "cancelled" or "timed out"
    number: Optional[int]
    stage: Optional[int]
    code: int
    delivered: int
    dropped: int
    cut: int
    failed: int
    errors: int
    errors_not_kept: int
    source_number: Optional[int]


class BlockError(NamedTuple):
    """One entry of a run's error list; ``exception`` is what the callback raised, if it did.
    ``number`` and ``source_number`` are as in Outcome.
    """

    number: int
    stage: int
    code: int
    text: str
    exception: Optional[BaseException]
    source_number: Optional[int]


def outcome_of(pipeline: Handle) -> Outcome:
    result = c.wp_result()
    _errors.check(lib.wp_pipeline_result(pipeline, byref(result)))
    names = {
        c.WP_OK: "ok",
        c.WP_STOPPED: "stopped",
        c.WP_CANCELLED: "cancelled",
        c.WP_TIMED_OUT: "timed out",
    }
    return Outcome(
        names.get(result.status, "failed"),
        None if result.number == c.NO_NUMBER else result.number,
        None if result.stage == c.NO_STAGE else result.stage,
        result.code,
        result.blocks_delivered,
        result.blocks_dropped,
        result.blocks_cut,
        result.blocks_failed,
        result.errors,
        result.errors_not_kept,
        None if result.source_number == c.NO_NUMBER else result.source_number,
    )


def errors_of(pipeline: Handle, raised: Raised) -> list[BlockError]:
    errors: list[BlockError] = []
    entry = c.wp_error_entry()
    while not _errors.check(lib.wp_pipeline_error(pipeline, len(errors), byref(entry))):
        text = entry.text.decode("utf-8", "replace")
        exception = raised.get((entry.number, entry.stage))
        source = None if entry.source_number == c.NO_NUMBER else entry.source_number
        errors.append(BlockError(entry.number, entry.stage, entry.code, text, exception, source))
    return errors


def exception_of(pipeline: Handle, outcome: Outcome, raised: Raised) -> BaseException:
    """What a failed run raises: what its callback raised, if it did."""
    if outcome.number is not None and outcome.stage is not None:
        exception = raised.get((outcome.number, outcome.stage))
        if exception is not None:
            return exception
    where = (outcome.number, outcome.stage)
    texts = [e.text for e in errors_of(pipeline, raised) if (e.number, e.stage) == where]
    error = _errors.error(outcome.code, texts[0] if texts else "")
    error.block, error.stage = where
    return error
