# SPDX-License-Identifier: MIT
"""A pool of jobs in the shape of ``concurrent.futures``."""
from __future__ import annotations

import concurrent.futures
from typing import Any, Callable, Optional

from . import _errors
from ._jobs import Job, JobPool


class JobFuture(concurrent.futures.Future[Any]):
    """The future of a job; cancelling it before it runs cancels the job too."""

    job: Optional[Job] = None

    def cancel(self) -> bool:
        was_cancelled = super().cancel()
        if was_cancelled and self.job is not None and not self.job.done():
            self.job.cancel()
        return was_cancelled


class JobExecutor(concurrent.futures.Executor):
    """``submit``, ``map``, ``shutdown`` as of any executor, on a ``JobPool``, its own or a given one."""

    def __init__(self, max_workers: int = 3, *, pool: Optional[JobPool] = None) -> None:
        self.pool = pool if pool is not None else JobPool(max_workers, job_timeout=None)
        self._is_own = pool is None
        self._is_shut_down = False

    def submit(  # type: ignore[override]
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[Any]:
        if self._is_shut_down:
            raise _errors.ShutDown("the executor takes no more jobs")
        future = JobFuture()
        future.job = self.pool.submit_job(fn, *args, kwargs=kwargs, _guard=future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_shut_down = True
        if cancel_futures:
            self.pool.cancel_all()
        if wait:
            self.pool.wait_all()
            if self._is_own:
                self.pool.close()
