# SPDX-License-Identifier: MIT
"""Stages: Python functions as callbacks of the library."""
from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple, Optional

from . import _errors
from . import _library as c
from ._block import END, Block
from ._memory import BytesLike, Loans
from ._splitter import SplitFinish, Splitter

StageFunction = Callable[[Block], object]

KINDS = {
    "parallel": c.WP_PARALLEL,
    "serial": c.WP_SERIAL,
    "serial_any_order": c.WP_SERIAL_ANY_ORDER,
}


class Stage(NamedTuple):
    function: StageFunction
    name: str
    kind: int
    max_concurrency: int
    flags: int
    finish: Optional[SplitFinish] = None


def make_stage(
    function: object, name: str, kind: str, max_concurrency: int, see_all: bool, may_block: bool
) -> Stage:
    if not callable(function):
        raise TypeError(f"a stage is a callable, not {type(function).__name__}")
    if kind not in KINDS:
        raise _errors.InvalidArgument(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if max_concurrency < 0 or max_concurrency and kind != "parallel":
        raise _errors.InvalidArgument("max_concurrency is a limit for parallel stages")
    flags = (see_all and c.WP_STAGE_SEE_ALL) | (may_block and c.WP_STAGE_MAY_BLOCK)
    return Stage(function, name, KINDS[kind], max_concurrency, flags)


class Shared:
    """What callbacks share with their pipeline, and all that they know of it."""

    def __init__(self, max_errors_kept: int, limit: int) -> None:
        self.loans = Loans()
        self.raised: dict[tuple[int, int], BaseException] = {}
        self.raised_by_subscriber: Optional[BaseException] = None
        self.run = 0  # how many have begun
        self.max_errors_kept = max_errors_kept
        self.allow(limit)

    def allow(self, limit: int) -> None:
        self.most_raised = self.max_errors_kept + limit

    def keep(self, number: int, stage: int, error: BaseException) -> None:
        self.raised[number, stage] = error
        if len(self.raised) > self.most_raised:  # the lowest numbers are those that are asked for
            self.raised.pop(max(self.raised), None)


def from_items(items: Iterator[BytesLike]) -> StageFunction:
    def source(_: Block) -> object:
        return next(items, END)

    return source


def callback_of(
    stage: Stage, index: int, shared: Shared, takes_payload: bool
) -> Callable[[Any, Any, Any, Any], int]:
    """What the library calls: it must neither raise nor let memory of the block get away."""
    if stage.kind == c.WP_SPLITTER:
        return _splitter_callback(stage, index, shared)
    function = stage.function
    loans = shared.loans

    def callback(_context: Any, native: Any, _scratch: Any, call: Any) -> int:
        block = Block(native, call, index, loans)
        try:
            code = block._take(function(block), takes_payload)
            block._end()
            return code
        except BaseException as error:
            _keep(error, block.number, index, stage, shared)
            return block._fail(error)

    return callback


def _splitter_callback(
    stage: Stage, index: int, shared: Shared
) -> Callable[[Any, Any, Any, Any], int]:
    splitter = Splitter(stage.function, stage.finish, index, shared.loans)  # type: ignore[arg-type]

    def callback(_context: Any, native: Any, _scratch: Any, call: Any) -> int:
        try:
            return splitter.step(native, call, shared.run)
        except BaseException as error:
            _keep(error, splitter.number, index, stage, shared)
            return splitter.fail(native, call, error)

    return callback


def _keep(error: BaseException, number: int, index: int, stage: Stage, shared: Shared) -> None:
    where = error.__traceback__
    error.with_traceback(where.tb_next if where is not None else None)
    if hasattr(error, "add_note"):
        error.add_note(f"in block {number}, stage {index} ({stage.name})")
    shared.keep(number, index, error)
