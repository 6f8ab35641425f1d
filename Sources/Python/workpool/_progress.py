# SPDX-License-Identifier: MIT
"""How far a run is, and who wants to know."""
from __future__ import annotations

from ctypes import byref, c_uint64
from typing import Any, Callable, NamedTuple, Optional

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib

_UNKNOWN = 2**64 - 1


class Progress(NamedTuple):
    """How far a run is. Rates are of late; ``eta`` is in seconds at this rate."""

    last: bool  #: the run has come to its outcome
    wall_ns: int  #: since the start
    blocks_in: int
    blocks_out: int  #: delivered
    bytes_in: int
    bytes_out: int
    in_flight: int
    total_blocks: Optional[int]  #: of ``set_total``, or known at the end of the input
    total_bytes: Optional[int]
    blocks_per_second: int
    bytes_per_second: int
    eta: Optional[float]


Tell = Callable[[Progress], object]


def _progress(native: c.wp_progress) -> Progress:
    def known(number: int) -> Optional[int]:
        return None if number == _UNKNOWN else number

    eta = known(native.eta_ns)
    return Progress(
        bool(native.flags & c.WP_PROGRESS_LAST),
        native.wall_ns,
        native.blocks_in,
        native.blocks_out,
        native.bytes_in,
        native.bytes_out,
        native.in_flight,
        known(native.total_blocks),
        known(native.total_bytes),
        native.blocks_per_second,
        native.bytes_per_second,
        None if eta is None else eta / 1e9,
    )


class Subscriber:
    """One who is told, by whatever handles its pipeline has one after the other."""

    def __init__(self, tell: Tell, interval: float) -> None:
        if not callable(tell):
            raise TypeError(f"a subscriber is a callable, not {type(tell).__name__}")
        if not 0 < interval < 2**32:
            raise _errors.InvalidArgument(f"interval must be more than 0 seconds, not {interval}")
        self._tell = tell
        self._nanoseconds = max(1, int(interval * 1e9))
        self._number: Optional[int] = None

    def join(self, pipeline: Handle, keeps: list[Any], shared: Any) -> None:
        """Subscribes to a handle; ``keeps`` is what lives as long as that."""
        tell, pointer = self._tell, pipeline._as_parameter_

        def callback(_context: Any, native: Any) -> None:
            try:
                tell(_progress(native.contents))
            except BaseException as error:
                if shared.raised_by_subscriber is None:
                    shared.raised_by_subscriber = error
                lib.wp_pipeline_cancel(pointer)

        function = c.wp_progress_fn(callback)
        keeps.append(function)
        options = c.wp_subscriber_options(interval_ns=self._nanoseconds, fn=function)
        number = c_uint64()
        _errors.check(lib.wp_pipeline_subscribe(pipeline, byref(options), byref(number)))
        self._number = number.value

    def leave(self, pipeline: Handle) -> None:
        number, self._number = self._number, None
        if number is not None:
            _errors.check(lib.wp_pipeline_unsubscribe(pipeline, number))


def stuck_callback(
    on_stuck: Callable[[str], object], shared: Any, pointers: list[Optional[int]]
) -> Callable[[Any, Any], None]:
    """What the library calls when a run is stuck; ``pointers`` holds the pipeline by then."""

    def callback(_context: Any, dump: bytes) -> None:
        try:
            on_stuck(dump.decode("utf-8", "replace"))
        except BaseException as error:
            if shared.raised_by_subscriber is None:
                shared.raised_by_subscriber = error
            lib.wp_pipeline_cancel(pointers[0])

    return callback
