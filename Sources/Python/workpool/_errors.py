# SPDX-License-Identifier: MIT
"""Exceptions: one class for each error status of the library."""
from __future__ import annotations

import io
import os
from typing import Optional

from . import _library as c
from ._library import lib


class WorkpoolError(Exception):
    """What the library could not do.

    ``code`` is the status, ``name`` its name in ``workpool.h``, ``text`` what went wrong and where.
    ``block`` and ``stage`` are numbers if a stage of a pipeline is concerned (0 is the source).
    """

    code: int = 0
    block: Optional[int] = None
    stage: Optional[int] = None

    def __init__(self, text: str = "", code: Optional[int] = None) -> None:
        super().__init__(text)
        if code is not None:
            self.code = code
        self.text = text or lib.wp_status_text(self.code).decode()

    @property
    def name(self) -> str:
        return str(lib.wp_status_name(self.code).decode())

    def __str__(self) -> str:
        return self.text


class InvalidArgument(WorkpoolError, ValueError):
    """An argument or option is not valid."""

    code = c.WP_INVALID_ARGUMENT


class InvalidState(WorkpoolError):
    """The call is not possible now: not started, running already, closed."""

    code = c.WP_INVALID_STATE


class NoMemory(WorkpoolError, MemoryError):
    """Memory could not be had."""

    code = c.WP_NO_MEMORY


class NoThread(WorkpoolError):
    """A thread could not be created."""

    code = c.WP_NO_THREAD


class Busy(WorkpoolError):
    """It is still in use."""

    code = c.WP_BUSY


class Closed(WorkpoolError):
    """No more input is accepted."""

    code = c.WP_CLOSED


class Cancelled(WorkpoolError):
    """The run was cancelled."""

    code = c.WP_CANCELLED


class TimedOut(WorkpoolError, TimeoutError):
    """The time is over."""

    code = c.WP_TIMED_OUT


class RunTimedOut(TimedOut):
    """The run came to its own deadline: it is over."""


class WouldBlock(WorkpoolError):
    """Not possible without waiting."""

    code = c.WP_WOULD_BLOCK


class WouldDeadlock(WorkpoolError):
    """Waiting would never end."""

    code = c.WP_WOULD_DEADLOCK


class ResultsWaiting(WorkpoolError):
    """Results must be read first."""

    code = c.WP_RESULTS_WAITING


class StageFailed(WorkpoolError):
    """A stage failed."""

    code = c.WP_STAGE_FAILED


class BadReturn(WorkpoolError):
    """A callback returned an unknown value or left a broken block."""

    code = c.WP_BAD_RETURN


class DuplicateBlock(WorkpoolError):
    """This block number was submitted before."""

    code = c.WP_DUPLICATE_BLOCK


class MissingBlock(WorkpoolError):
    """A block number was never submitted."""

    code = c.WP_MISSING_BLOCK


class Forked(WorkpoolError):
    """It belongs to the parent process."""

    code = c.WP_FORKED


class Unsupported(WorkpoolError, io.UnsupportedOperation):
    """The library, or this build of it, cannot do that with this file."""

    code = c.WP_UNSUPPORTED


class IOFailed(WorkpoolError, OSError):
    """The operating system refused to read or write.

    Where ``errno`` is known it is also what Python has for that: FileNotFoundError, PermissionError, ...
    """

    code = c.WP_IO_FAILED


class CorruptInput(WorkpoolError, ValueError, OSError):
    """Compressed data is damaged."""

    code = c.WP_CORRUPT_INPUT


class TruncatedInput(WorkpoolError, EOFError):
    """The input ends too early."""

    code = c.WP_TRUNCATED_INPUT


class MalformedRecord(WorkpoolError, ValueError):
    """A record breaks the rules of its format."""

    code = c.WP_MALFORMED_RECORD


class LimitExceeded(WorkpoolError, ValueError):
    """A record or a window is larger than its limit, or a block than the room for it (``needed``)."""

    code = c.WP_LIMIT_EXCEEDED
    needed: Optional[int] = None


class OutputExists(WorkpoolError, FileExistsError):
    """An output exists already."""

    code = c.WP_OUTPUT_EXISTS


class Exists(WorkpoolError, ValueError):
    """A job with that id exists."""

    code = c.WP_EXISTS


class NotFound(WorkpoolError, LookupError):
    """There is no such job."""

    code = c.WP_NOT_FOUND


class ShutDown(WorkpoolError, RuntimeError):
    """The pool takes no more jobs."""

    code = c.WP_SHUT_DOWN


class Cycle(WorkpoolError, ValueError):
    """Jobs would wait for each other; the text has the path."""

    code = c.WP_CYCLE


class UnknownDependency(WorkpoolError, LookupError):
    """A job depends on one that nobody has submitted."""

    code = c.WP_UNKNOWN_DEPENDENCY


class Unsatisfiable(WorkpoolError, ValueError):
    """A job asks for more than there is."""

    code = c.WP_UNSATISFIABLE


class NoRetry(WorkpoolError):
    """Raised by a job that failed for good: it is not tried again."""

    code = c.WP_NO_RETRY


def _all(of: type[WorkpoolError]) -> dict[int, type[WorkpoolError]]:
    return {kind.code: kind for kind in of.__subclasses__()}


_by_code = _all(WorkpoolError)


_by_errno: dict[type, type[IOFailed]] = {OSError: IOFailed}


def error(code: int, text: str = "", errno: int = 0) -> WorkpoolError:
    """The exception for a status; a callback's own code is a StageFailed."""
    if code != c.WP_IO_FAILED or not errno:
        return _by_code.get(code, StageFailed)(text, code)
    theirs = type(OSError(errno, ""))
    if theirs not in _by_errno:
        _by_errno[theirs] = type("IOFailed", (IOFailed, theirs), {"__doc__": IOFailed.__doc__})
    failure = _by_errno[theirs](text, code)
    failure.errno, failure.strerror = errno, os.strerror(errno)
    return failure


def check(status: int) -> int:
    """Raises if a call has failed, with what the library says about it; else returns ``status``."""
    if status < 0:
        text, errno = b"", 0
        if lib.wp_last_error() == status:
            text, errno = lib.wp_last_error_text(), lib.wp_last_error_errno()
        raise error(status, text.decode("utf-8", "replace"), errno)
    return status
