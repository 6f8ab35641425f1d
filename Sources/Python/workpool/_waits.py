# SPDX-License-Identifier: MIT
"""Waiting in slices, so that Python sees signals in between: Ctrl-C ends every wait."""
from __future__ import annotations

import time
from ctypes import byref
from typing import Callable, Iterator, Optional

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib

_SLICE = 100_000_000  # ns: so soon a wait notices Ctrl-C


def _slices(timeout: Optional[float]) -> Iterator[int]:
    if timeout is None:
        while True:
            yield _SLICE
    end = time.monotonic() + timeout
    while True:
        rest = (end - time.monotonic()) * 1e9
        yield max(0, int(min(_SLICE, rest)))
        if rest <= _SLICE:
            return


def sliced(
    call: Callable[[int], int],
    timeout: Optional[float],
    between: Optional[Callable[[], object]] = None,
) -> int:
    """Repeats a call that may wait for so many nanoseconds, until its time is over."""
    status = c.WP_TIMED_OUT
    for nanoseconds in _slices(timeout):
        status = call(nanoseconds)
        if status not in (c.WP_TIMED_OUT, c.WP_WOULD_BLOCK):
            break
        if between is not None:
            between()
    return status


def wait_for_end(handle: Handle, nanoseconds: int) -> int:
    """As wp_pipeline_wait, but WP_TIMED_OUT only while the run goes on: one that came to its own
    deadline was cancelled.
    """
    status: int = lib.wp_pipeline_wait(handle, nanoseconds)
    if status == c.WP_TIMED_OUT:
        result = c.wp_result()
        if lib.wp_pipeline_result(handle, byref(result)) == c.WP_OK:
            status = c.WP_CANCELLED if result.status == c.WP_TIMED_OUT else result.status
    return status


def nanoseconds_of(seconds: Optional[float], name: str) -> int:
    """An option in seconds as the library takes it; None is its default."""
    if seconds is None:
        return 0
    if not 0 < seconds < 2**32:
        raise _errors.InvalidArgument(f"{name} must be more than 0 seconds, not {seconds}")
    return max(1, int(seconds * 1e9))
