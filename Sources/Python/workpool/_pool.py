# SPDX-License-Identifier: MIT
"""Pools of workers, and tokens that cancel what runs on them."""
from __future__ import annotations

import atexit
import os
import time
import weakref
from ctypes import byref
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from . import _errors
from . import _library as c
from ._dump import dump_of
from ._handles import Handle, destroy_left_over
from ._library import lib
from ._statistics import WorkerStatistics, worker_statistics_of

if TYPE_CHECKING:
    from ._pipeline import Pipeline


def usable_cpus() -> int:
    """How many CPUs this process may use: affinity mask and cgroup quota, at least 1."""
    return int(lib.wp_usable_cpus())


def version() -> str:
    """The version of the library that is loaded."""
    return str(lib.wp_version_string().decode())


def build_info() -> str:
    """Version and what was built in, one line."""
    return str(lib.wp_build_info().decode())


# A thread that Python does not know gets a thread state for each callback, which costs ten times as
# much as the callback itself (cpython#146219). Workers have one for as long as they live.
_GILSTATE_LOCKED = 0
_thread_start = c.thread_hook(lambda _context, _worker: c.attach_thread() and None)
_thread_stop = c.thread_hook(lambda _context, _worker: c.detach_thread(_GILSTATE_LOCKED))

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Worker threads, shared by any number of pipelines.

    ``workers``: 1 to 1024; None means ``usable_cpus()``. ``name``: prefix of the threads' names.
    ``host_workers``: so many of the workers have no thread of their own; threads that wait for a
    pipeline, and those in ``run_worker``, take these seats.
    ``max_workers``: up to so many ``set_workers`` may ask for; None means ``workers``.
    ``blocking_extra``: up to so many further workers work while others sit in stages made with
    ``may_block=True``: 0 to 1024.
    A context manager: leaving it closes the pool.
    """

    def __init__(
        self,
        workers: Optional[int] = None,
        *,
        name: str = "wp",
        stack_size: int = 0,
        allow_fewer_workers: bool = False,
        host_workers: int = 0,
        max_workers: Optional[int] = None,
        blocking_extra: int = 0,
    ) -> None:
        if workers is not None and not 1 <= workers <= 1024:
            raise _errors.InvalidArgument(f"workers must be 1 to 1024, not {workers}")
        if not 0 <= host_workers <= (workers if workers is not None else usable_cpus()):
            raise _errors.InvalidArgument(f"host_workers must be 0 to workers, not {host_workers}")
        least = workers if workers is not None else usable_cpus()
        if max_workers is not None and not least <= max_workers <= 1024:
            raise _errors.InvalidArgument(f"max_workers must be {least} to 1024, not {max_workers}")
        if not 0 <= blocking_extra <= 1024:
            raise _errors.InvalidArgument(f"blocking_extra must be 0 to 1024, not {blocking_extra}")
        options = c.wp_pool_options(
            blocking_extra=blocking_extra,
            max_workers=max_workers or 0,
            host_workers=host_workers,
            workers=workers or 0,
            flags=c.WP_POOL_ALLOW_FEWER_WORKERS if allow_fewer_workers else 0,
            stack_size=stack_size,
            name_prefix=name.encode(),
            thread_start=_thread_start,
            thread_stop=_thread_stop,
        )
        self._handle: Optional[Handle] = Handle(
            lib.wp_pool_create, (byref(options),), lib.wp_pool_destroy
        )
        self._seats = (max_workers or least) + blocking_extra
        self._pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()
        _pools.add(self)

    @property
    def workers(self) -> int:
        """How many workers the pool has at present; 0 when it is closed."""
        handle = self._handle
        return int(lib.wp_pool_workers(handle)) if handle is not None else 0

    def set_workers(self, workers: int) -> None:
        """Changes how many workers there are: 1 to ``max_workers``, at any time, also in a callback.

        Returns at once: a worker that is too many finishes its block, then sleeps.
        """
        if self._handle is None:
            raise _errors.InvalidState("the pool is closed")
        if not 1 <= workers <= 1024:
            raise _errors.InvalidArgument(f"workers must be 1 to max_workers, not {workers}")
        _errors.check(lib.wp_pool_set_workers(self._handle, workers))

    def dump(self) -> str:
        """What the workers and all runs under way are doing and waiting for, as lines of text for
        people: for a program that does not go on. Any thread, also while callbacks hang.
        """
        handle = self._handle
        return dump_of(lib.wp_pool_dump, handle) if handle is not None else "pool that is closed\n"

    def worker_statistics(self) -> list[WorkerStatistics]:
        """What each worker has done since it began: first those that ``set_workers`` may ask for, at
        rest or not, then the further ones of ``blocking_extra``.
        """
        if self._handle is None:
            raise _errors.InvalidState("the pool is closed")
        return [worker_statistics_of(self._handle, index) for index in range(self._seats)]

    @property
    def memory(self) -> int:
        """Bytes allocated for the workers, without the threads' stacks; 0 when it is closed."""
        handle = self._handle
        return int(lib.wp_pool_memory(handle)) if handle is not None else 0

    @property
    def closed(self) -> bool:
        return self._handle is None

    @property
    def _is_own(self) -> bool:
        """Not of a parent process, and open."""
        return self._handle is not None and self._handle.process == os.getpid()

    def run_worker(self, token: Optional[Token] = None) -> bool:
        """Makes this thread one of the ``host_workers`` until the token is cancelled, or the pool is
        closed by another thread.

        Returns whether the token was cancelled. Raises Busy if no seat is free, WouldDeadlock in a
        callback. Ctrl-C is noticed when it comes back.
        """
        handle = self._handle
        if handle is None:
            raise _errors.InvalidState("the pool is closed")
        pool, above = handle.pointer, token._handle if token is not None else None
        # Closing must be able to destroy the pool while this thread is inside.
        del handle
        status = lib.wp_pool_run_worker(pool, above)
        if status == c.WP_CANCELLED:
            return True
        _errors.check(status)
        return False

    def close(self) -> None:
        """Cancels what runs on the pool, and ends its threads. Twice is as good as once.

        Raises Busy in a callback of one of its pipelines.
        """
        destroy_left_over()
        for pipeline in list(self._pipelines):
            pipeline.destroy()
        self._handle = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<workpool.Pool: {'closed' if self.closed else f'{self.workers} workers'}>"


class Token:
    """Cancels every run that was given it, from any thread.

    ``parent``: cancelling that one cancels this one too.
    """

    def __init__(self, parent: Optional[Token] = None) -> None:
        above: Optional[Handle] = parent._handle if parent is not None else None
        self._handle: Handle = Handle(
            lib.wp_token_create, (above,), lib.wp_token_destroy, above
        )

    def cancel(self) -> None:
        """Cancels; returns at once. Twice is as good as once."""
        lib.wp_token_cancel(self._handle)

    @property
    def cancelled(self) -> bool:
        return bool(lib.wp_token_is_cancelled(self._handle))

    @property
    def reason(self) -> Optional[str]:
        """Why it was cancelled: "user", "deadline", "parent" or "stuck"; None while it is not."""
        number = int(lib.wp_token_is_cancelled(self._handle))
        return (None, "user", "deadline", "parent", "stuck")[number] if number < 5 else "other"

    def __repr__(self) -> str:
        return f"<workpool.Token: {self.reason or 'not cancelled'}>"


_PATIENCE = 5.0  # seconds for callbacks that go on when the interpreter is about to end


@atexit.register
def _close_all() -> None:
    # Workers that call back into an interpreter that has ended would hang: end them before. One that
    # waits for what never comes is left where it is: it must not keep the process.
    end = time.monotonic() + _PATIENCE
    pools = [pool for pool in list(_pools) if pool._is_own]
    for pool in pools:
        for pipeline in list(pool._pipelines):
            pipeline._cancel_and_wait(0)
    for pool in pools:
        rest = max(0.0, end - time.monotonic())
        if all([pipeline._cancel_and_wait(rest) for pipeline in list(pool._pipelines)]):
            pool.close()
    destroy_left_over()
