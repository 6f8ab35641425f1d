# SPDX-License-Identifier: MIT
"""Jobs that depend on each other, on the workers of a pool."""
from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import itertools
import json
import os
import pickle
import threading
import time
import traceback
import weakref
from ctypes import byref, c_char_p, c_size_t, c_uint64, create_string_buffer
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, Generator, Iterable, Optional, Sequence, Union

from . import _errors
from . import _library as c
from ._batch import Batch
from ._handles import Handle
from ._library import lib
from ._pool import Pool, Token
from ._process import Workers, task_of
from ._record import ORPHANS, SYNCS, RunRecord
from ._waits import sliced

PRIORITIES = {
    "low": c.WP_PRIORITY_LOW, "normal": c.WP_PRIORITY_NORMAL, "high": c.WP_PRIORITY_HIGH,
    "critical": c.WP_PRIORITY_CRITICAL,
}
_HINTS = {
    None: c.WP_HINT_LIGHT_CPU, "light_cpu": c.WP_HINT_LIGHT_CPU, "heavy_cpu": c.WP_HINT_HEAVY_CPU,
    "light_io": c.WP_HINT_LIGHT_IO, "heavy_io": c.WP_HINT_HEAVY_IO,
}
_WHENS = {
    "success": c.WP_WHEN_SUCCESS, "always": c.WP_WHEN_ALWAYS, "failure": c.WP_WHEN_FAILURE,
}
_LEVELS = {
    "debug": c.WP_LOG_DEBUG, "info": c.WP_LOG_INFO, "warning": c.WP_LOG_WARNING,
    "error": c.WP_LOG_ERROR,
}
_TERMINAL = c.WP_JOB_COMPLETED


class JobFailed(_errors.WorkpoolError):
    """A job did not complete: ``job`` is the one, the text says why, back to the root cause."""

    job: Optional[Job] = None


def _nanoseconds(seconds: Optional[float]) -> int:
    """A limit: None is none, which the library takes as a negative number."""
    return -1 if seconds is None else max(1, int(seconds * 1e9))


def _choice(table: dict[Any, int], value: Any, what: str) -> int:
    try:
        return table[value]
    except (KeyError, TypeError):
        names = ", ".join(str(name) for name in table if name is not None)
        raise _errors.InvalidArgument(f"{what} must be one of {names}, not {value!r}") from None


# ----- what the library calls ------------------------------------------------------------------

_keys = itertools.count(1)
_jobs: dict[int, Job] = {}
_watchers: dict[int, Callable[[Any], object]] = {}
_current = threading.local()


@c.wp_job_fn
def _run(key: int, native: int) -> int:
    job = _jobs[key]
    outer = getattr(_current, "context", None)
    _current.context = context = JobContext(job, native)
    try:
        return job._call(context)
    finally:
        context._native = None
        _current.context = outer


@c.wp_job_end_fn
def _ended(key: int, _pool: int, number: int) -> int:
    job = _jobs[key]
    job._number = number  # it may end before its submit has returned
    return job._finish()


@c.context_hook
def _forget(key: int) -> None:
    _jobs.pop(key, None)


@c.wp_job_event_fn
def _tell(key: int, event: Any) -> None:
    watch = _watchers.get(key)
    if watch is not None:
        try:
            watch(event.contents)
        except Exception:  # a subscriber's error is its own, and nobody waits for it
            traceback.print_exc()


@c.context_hook
def _unwatch(key: int) -> None:
    _watchers.pop(key, None)


@c.wp_job_log_fn
def _log(key: int, level: int, job: bytes, text: bytes) -> None:
    watch = _watchers.get(key)
    if watch is not None:
        name = ("debug", "info", "warning", "error")[level]
        watch((name, job.decode(), text.decode("utf-8", "replace")))


# ----- inside a job ----------------------------------------------------------------------------


class JobContext:
    """What a job's function may ask while it runs, see ``current_job()``."""

    def __init__(self, job: Job, native: Optional[int]) -> None:
        self.job = job
        self._native = native
        self._token: Optional[int] = None

    def _pointer(self) -> int:
        if self._native is None:
            raise _errors.InvalidState("the job's function has returned")
        return self._native

    @property
    def attempt(self) -> int:
        """From 1."""
        return int(lib.wp_job_context_attempt(self._pointer()))

    @property
    def slot(self) -> int:
        """The lowest slot that the job holds, from 0."""
        return int(lib.wp_job_context_slot(self._pointer()))

    @property
    def cancelled(self) -> bool:
        """Whether the job shall stop: look now and then, and raise ``workpool.Cancelled``."""
        if self._token is None:
            self._token = lib.wp_job_context_token(self._pointer())
        return bool(lib.wp_token_is_cancelled(self._token))

    def check(self) -> None:
        """Raises ``workpool.Cancelled`` if the job shall stop."""
        if self.cancelled:
            raise _errors.Cancelled("the job was asked to stop")

    def progress(self, done: int, total: int = 0) -> None:
        """How far the job is, for those who have subscribed to "job_progress"; 0: nobody knows."""
        _errors.check(lib.wp_job_context_progress(self._pointer(), done, total))

    def log(self, text: str, level: str = "info", phase: str = "", data: Any = None) -> None:
        """A line for ``JobPool.set_log`` and, where a record is kept, for the attempt's log, with
        ``data`` as JSON behind it.
        """
        _errors.check(lib.wp_job_context_log(
            self._pointer(), _choice(_LEVELS, level, "level"), phase.encode() or None, text.encode(),
            None if data is None else json.dumps(data).encode(),
        ))


def current_job() -> JobContext:
    """The job whose function is running on this thread; InvalidState if there is none."""
    context: Optional[JobContext] = getattr(_current, "context", None)
    if context is None:
        raise _errors.InvalidState("no job runs on this thread")
    return context


# ----- jobs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobEvent:
    """Something that happened; ``kind`` is such as "job_started"."""

    kind: str
    seq: int
    time: float
    job_id: str
    state: str
    reason: str
    detail: int
    attempt: int
    slot: int
    chain: tuple[str, ...]
    text: str
    item: int = -1
    count: int = 0
    process: int = 0

    @classmethod
    def _of(cls, event: Any, kind: Optional[str] = None) -> JobEvent:
        return cls(
            kind=kind or lib.wp_job_event_name(event.kind).decode(),
            seq=event.seq,
            time=event.time_ns / 1e9,
            job_id=event.id.decode(),
            state=lib.wp_job_state_name(event.state).decode(),
            reason=lib.wp_job_reason_name(event.reason).decode(),
            detail=event.detail,
            attempt=event.attempt,
            slot=event.slot,
            chain=tuple(event.chain[i].decode() for i in range(event.chain_count)),
            text=event.text.decode("utf-8", "replace"),
            item=event.item,
            count=event.count,
            process=event.process,
        )


def _ended_names(ok: str, bad: str, cancelled: str) -> dict[int, str]:
    return {
        c.WP_JOB_COMPLETED: ok, c.WP_JOB_SKIPPED: ok, c.WP_JOB_FAILED: bad, c.WP_JOB_TIMEOUT: bad,
        c.WP_JOB_CANCELLED: cancelled,
    }


# What earlier systems called events: by kind, and by state where the kind is an end.
_VOCABULARIES: dict[str, dict[int, Union[str, dict[int, str]]]] = {
    "workflow": {
        c.WP_EVENT_JOB_STARTED: "started",
        c.WP_EVENT_JOB_FINISHED: _ended_names("completed", "failed", "cancelled"),
        c.WP_EVENT_JOB_SKIPPED: _ended_names("completed", "failed", "cancelled"),
    },
    "stages": {
        c.WP_EVENT_RUN_STARTED: "stage_start",
        c.WP_EVENT_JOB_STARTED: "job_start",
        c.WP_EVENT_JOB_FINISHED: _ended_names("job_ok", "job_fail", "job_fail"),
        c.WP_EVENT_JOB_SKIPPED: _ended_names("job_ok", "job_fail", "job_fail"),
    },
    "modules": {
        c.WP_EVENT_ITEM_FINISHED: "module",
        c.WP_EVENT_BATCH_FINISHED: "batch-complete",
    },
}


def _old_name(vocabulary: dict[int, Union[str, dict[int, str]]], event: Any) -> Optional[str]:
    name = vocabulary.get(event.kind)
    return name.get(event.state) if isinstance(name, dict) else name


class Job:
    """One job of a pool. Awaitable; ``result()`` waits for what its function returns."""

    def __init__(
        self,
        pool: JobPool,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        callback: Optional[Callable[[Job], object]],
        retry_exceptions: Optional[tuple[type[BaseException], ...]],
    ) -> None:
        self._pool = pool
        self._fn = fn
        self._args = args
        self._kwargs = kwargs
        self._callback = callback
        self._retry_exceptions = retry_exceptions
        self._number = 0
        self._task: Optional[bytes] = None
        self._batch: Optional[Batch] = None
        self._value: Any = None
        self._exception: Optional[BaseException] = None
        self._end = threading.Event()
        self._future: Optional[concurrent.futures.Future[Any]] = None
        self._guard: Optional[concurrent.futures.Future[Any]] = None
        self._has_notified = False
        self._lock = threading.Lock()

    # -- called by the library

    def _call(self, context: JobContext) -> int:
        if self._guard is not None and context.attempt == 1:
            if not self._guard.set_running_or_notify_cancel():
                self._has_notified = True
                return c.WP_CANCELLED
        try:
            self._value = self._carry_out(context)
            if self._pool._is_recorded:
                kept = pickle.dumps(self._value)
                _errors.check(lib.wp_job_context_set_result(context._native, kept, len(kept)))
            self._exception = None
            return c.WP_OK
        except _errors.Cancelled as error:
            self._exception = error
            return c.WP_CANCELLED
        except BaseException as error:  # whatever it is, it must not leave the callback
            self._exception = error
            kind = type(error).__qualname__
            text = f"{error}\n{traceback.format_exc()}"
            lib.wp_job_context_set_error(
                context._native, kind.encode(), text.replace("\0", "").encode("utf-8", "replace")
            )
            is_final = isinstance(error, _errors.NoRetry) or (
                self._retry_exceptions is not None
                and not isinstance(error, self._retry_exceptions)
            )
            return c.WP_NO_RETRY if is_final else c.WP_USER_CODE

    def _carry_out(self, context: JobContext) -> Any:
        workers = self._pool._processes
        if workers is None or self._task is None:
            return self._fn(*self._args, **self._kwargs)
        token = lib.wp_job_context_token(context._native)
        return workers.call(self._task, _errors.check(lib.wp_token_fd(token)))

    def _finish(self) -> int:
        self._end.set()
        with self._lock:
            future = self._future
        if future is not None:
            self._settle(future)
        failures = 0
        if self._pool._calls_back:
            calls = list(self._pool._callbacks)
            if self._callback is not None:
                calls.insert(0, self._callback)
            for call in calls:
                try:
                    call(self)
                except Exception:
                    failures += 1
                    traceback.print_exc()
        return failures

    def _settle(self, future: concurrent.futures.Future[Any]) -> None:
        if future.done():
            # Who waits for several futures is told of a cancel here, if no function was called.
            if future is self._guard and future.cancelled() and not self._has_notified:
                self._has_notified = True
                future.set_running_or_notify_cancel()
            return
        try:
            value = self._outcome()
        except _errors.Cancelled as error:
            if future.cancel():
                future.set_running_or_notify_cancel()
            else:
                future.set_exception(error)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(value)

    def _outcome(self) -> Any:
        state = self._state
        if state == c.WP_JOB_COMPLETED:
            return self._value if self._batch is None else self._fn()
        if state == c.WP_JOB_SKIPPED:
            return self._earlier_value()
        text = self.cause_text or f"job {self.id} ended {self.state}"
        failure: BaseException
        if state == c.WP_JOB_CANCELLED:
            failure = _errors.Cancelled(f"job {self.id}: {text}")
        elif state == c.WP_JOB_TIMEOUT:
            failure = _errors.TimedOut(f"job {self.id} {text}")
        elif self._exception is not None:
            raise self._exception
        else:
            failed = JobFailed(f"job {self.id} {text}", c.WP_STAGE_FAILED)
            failed.job = self
            failure = failed
        raise failure from self._exception

    def _earlier_value(self) -> Any:
        """What it returned in the run that its pool resumes; None if it was skipped otherwise."""
        length = c_size_t()
        _errors.check(
            lib.wp_job_result(self._pool._native, self._number, None, 0, byref(length))
        )
        if length.value == 0:
            return None
        room = create_string_buffer(length.value)
        _errors.check(
            lib.wp_job_result(self._pool._native, self._number, room, length.value, None)
        )
        return pickle.loads(room.raw)

    # -- for everybody

    @property
    def _state(self) -> int:
        return _errors.check(lib.wp_job_state(self._pool._native, self._number))

    @property
    def id(self) -> str:
        return self._pool._text(lib.wp_job_id, self._number)

    @property
    def state(self) -> str:
        """PENDING, WAITING, READY, RUNNING; COMPLETED, FAILED, TIMEOUT, CANCELLED, SKIPPED."""
        return str(lib.wp_job_state_name(self._state).decode())

    @property
    def reason(self) -> str:
        """Why it is in that state: "none", "error", "exception", "dependency", "user", ..."""
        return str(lib.wp_job_reason_name(
            _errors.check(lib.wp_job_reason(self._pool._native, self._number, None))
        ).decode())

    @property
    def error(self) -> str:
        """The text of its error, with the traceback of an exception; the last 4096 bytes of it."""
        return self._pool._text(lib.wp_job_error, self._number)

    @property
    def exception_object(self) -> Optional[BaseException]:
        """What its function raised last."""
        return self._exception

    @property
    def cause_chain(self) -> list[str]:
        """Ids from the root cause to this job; its own alone if nothing else is the cause."""
        numbers = (c_uint64 * 10_000)()
        count = c_size_t()
        _errors.check(lib.wp_job_cause_chain(
            self._pool._native, self._number, numbers, len(numbers), byref(count)
        ))
        shown = numbers[: min(count.value, len(numbers))]
        return [self._pool._text(lib.wp_job_id, number) for number in shown]

    @property
    def cause_text(self) -> str:
        """``cancelled: fetch failed (exit 3) → clean → load``"""
        return self._pool._text(lib.wp_job_cause_text, self._number)

    @property
    def attempts(self) -> int:
        return _errors.check(lib.wp_job_attempt_count(self._pool._native, self._number))

    def done(self) -> bool:
        return self._state >= _TERMINAL

    def cancel(self) -> bool:
        """Cancels it: at once if it is not running; else it is asked to stop.

        Returns whether it had not ended.
        """
        former = _errors.check(lib.wp_job_cancel(self._pool._native, self._number))
        return former < _TERMINAL

    def wait(self, timeout: Optional[float] = None, *, help: bool = False) -> bool:
        """Waits until it has ended. ``help``: in another job, run meanwhile what this one needs.

        Returns False when the time is over, which has no effect on the job.
        """
        flags = c.WP_WAIT_HELP if help else 0
        status = sliced(
            lambda ns: lib.wp_job_wait(self._pool._native, self._number, ns, flags), timeout
        )
        if status == c.WP_TIMED_OUT:
            return False
        _errors.check(status)
        return True

    def result(self, timeout: Optional[float] = None) -> Any:
        """What its function returned; raises what it raised, Cancelled, TimedOut or JobFailed."""
        if not self.wait(timeout):
            raise _errors.TimedOut(f"job {self.id} has not ended")
        return self._outcome()

    def future(self) -> concurrent.futures.Future[Any]:
        """A future that gets the job's result. Cancelling it does not cancel the job."""
        with self._lock:
            if self._future is None:
                self._future = concurrent.futures.Future()
            future = self._future
        if self._end.is_set():
            self._settle(future)
        return future

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self.future()).__await__()

    def __repr__(self) -> str:
        return f"<workpool.Job {self.id!r}: {self.state}>"


# ----- the pool --------------------------------------------------------------------------------

_pools: weakref.WeakSet[JobPool] = weakref.WeakSet()


class JobPool:
    """Runs functions as jobs: at most ``max_parallel_jobs`` at once, each when those it depends on
    have ended well, by priority and then in the order of submission.

    ``pool``: whose workers run them, beside its pipelines; None: workers of its own.
    ``io_slots``: jobs with an I/O hint take one of so many slots of their own.
    ``memory``: bytes that running jobs may declare together. ``pools``: sizes of named pools.
    ``max_failures``: stop at so many. Times are in seconds; None is no limit.
    ``record_to``: a folder of runs in which this one keeps its record: a journal, a summary, logs; as
    ``run_id``, a new one if None. ``sync``: "group", "always" or "none", see ``WP_SYNC_GROUP``.
    Return values are kept too, so they must be such that ``pickle`` takes them.
    ``resume_from``: a ``RunRecord``, or a folder of runs, whose last one it is, if there is one. Jobs
    that were done there under the same definition are SKIPPED and have their results.
    ``orphans``: what becomes of processes that it left: "refuse" (raises Busy), "kill", "wait", "ignore".
    ``executor_type="process"``: functions are called in worker processes, which import them, so each has
    to be a function of a module; arguments and results are pickled. A stop order or a time limit ends the
    process. A job that loses three workers fails with ``WorkerLost``.
    ``replace_abandoned``: so many jobs that do not stop when they shall do not count any more: others run
    beside them.
    A context manager: leaving it waits for all jobs, or cancels them if there was an exception.
    """

    def __init__(
        self,
        max_parallel_jobs: int = 3,
        *,
        pool: Optional[Pool] = None,
        executor_type: str = "thread",
        io_slots: int = 0,
        memory: int = 0,
        pools: Optional[dict[str, int]] = None,
        enable_callbacks: bool = True,
        priority_queue: bool = True,
        depth_first: bool = False,
        job_timeout: Optional[float] = 3600.0,
        max_retries: int = 0,
        retry_delay: float = 5.0,
        max_failures: int = 0,
        stop_now: bool = False,
        max_queued: int = 0,
        retain_finished: int = 0,
        bypass_limit: int = 32,
        aging: Optional[float] = None,
        grace: float = 2.0,
        callback_timeout: Optional[float] = 30.0,
        replace_abandoned: int = 0,
        paused: bool = False,
        token: Optional[Token] = None,
        record_to: Union[str, os.PathLike[str], None] = None,
        run_id: Optional[str] = None,
        run_name: str = "",
        sync: str = "group",
        resume_from: Union[RunRecord, str, os.PathLike[str], None] = None,
        orphans: str = "refuse",
    ) -> None:
        if executor_type not in ("thread", "process"):
            raise _errors.InvalidArgument(
                f"executor_type must be thread or process, not {executor_type!r}"
            )
        if not 1 <= max_parallel_jobs <= 1024:
            raise _errors.InvalidArgument(
                f"max_parallel_jobs must be 1 to 1024, not {max_parallel_jobs}"
            )
        self._own = pool is None
        self._workers = pool if pool is not None else Pool(
            max_parallel_jobs, name="wp-cpu", max_workers=max(64, max_parallel_jobs)
        )
        requests, names = _requests(pools or {})
        options = c.wp_jobpool_options(
            max_parallel_jobs=max_parallel_jobs,
            io_slots=io_slots,
            memory=memory,
            pools=requests,
            pool_count=len(names),
            max_failures=max_failures,
            stop_now=1 if stop_now else -1,
            priority_queue=1 if priority_queue else -1,
            depth_first=1 if depth_first else -1,
            paused=1 if paused else -1,
            max_retries=max_retries,
            retry_delay_ns=_nanoseconds(retry_delay if retry_delay > 0 else None),
            job_timeout_ns=_nanoseconds(job_timeout),
            max_queued=max_queued,
            retain_finished=retain_finished,
            bypass_limit=bypass_limit,
            replace_abandoned=replace_abandoned,
            aging_ns=0 if aging is None else _nanoseconds(aging),
            grace_ns=_nanoseconds(grace),
            callback_timeout_ns=_nanoseconds(callback_timeout),
            token=token._handle.pointer if token is not None else None,
        )
        above = token._handle if token is not None else None
        self._calls_back = enable_callbacks
        self._processes = Workers(grace / 2) if executor_type == "process" else None
        self._callbacks: list[Callable[[Job], object]] = []
        self._by_number: dict[int, Job] = {}
        self._handle: Optional[Handle] = Handle(
            lib.wp_jobpool_create, (self._workers._handle, byref(options)), lib.wp_jobpool_destroy,
            self._workers._handle, above,
        )
        self._is_recorded = record_to is not None
        self._looks_back = self._is_recorded or resume_from is not None
        try:
            # Before there is a new one that would be the last.
            if resume_from is not None:
                self._resume(resume_from, _choice(ORPHANS, orphans, "orphans"))
            if record_to is not None:
                _errors.check(lib.wp_jobpool_record_to(
                    self._native, os.fsencode(record_to), byref(c.wp_record_options(
                        sync=_choice(SYNCS, sync, "sync"),
                        run_id=None if run_id is None else run_id.encode(),
                        name=run_name.encode() or None,
                    ))
                ))
        except BaseException:
            self._handle = None
            if self._own:
                self._workers.close()
            raise
        _pools.add(self)

    def _resume(
        self, run: Union[RunRecord, str, os.PathLike[str]], orphans: int
    ) -> None:
        if not isinstance(run, RunRecord):
            try:
                run = RunRecord(run)
            except _errors.NotFound:
                return
        _errors.check(lib.wp_jobpool_resume_from(self._native, run._native, orphans))

    @property
    def run_folder(self) -> str:
        """Of the record. Raises InvalidState if there is none."""
        return self._text(lambda pool, _, *room: lib.wp_jobpool_run_folder(pool, *room), 0)

    @property
    def _native(self) -> Handle:
        if self._handle is None:
            raise _errors.InvalidState("the pool is closed")
        return self._handle

    def _text(self, call: Callable[..., int], number: int) -> str:
        size, length = 256, c_size_t()
        while True:
            buffer = create_string_buffer(size)
            _errors.check(call(self._native, number, buffer, size, byref(length)))
            if length.value < size:
                return buffer.value.decode("utf-8", "replace")
            size = length.value + 1

    def submit_job(
        self,
        fn: Callable[..., Any],
        *args: Any,
        job_id: Optional[str] = None,
        dependencies: Iterable[Union[str, Job]] = (),
        priority: Union[int, str] = 0,
        callback: Optional[Callable[[Job], object]] = None,
        kwargs: Optional[dict[str, Any]] = None,
        when: str = "success",
        allow_failure: bool = False,
        allow_forward: bool = False,
        hint: Optional[str] = None,
        cpus: int = 1,
        memory: int = 0,
        pools: Optional[dict[str, int]] = None,
        timeout: Union[float, None, str] = "pool",
        deadline: Optional[float] = None,
        max_retries: Optional[int] = None,
        retry_delay: Optional[float] = None,
        retry_backoff: float = 1.0,
        retry_exceptions: Optional[tuple[type[BaseException], ...]] = None,
        token: Optional[Token] = None,
        submit_timeout: Optional[float] = None,
        definition: Optional[str] = None,
        outputs: Sequence[Union[str, os.PathLike[str]]] = (),
        _guard: Optional[concurrent.futures.Future[Any]] = None,
    ) -> Job:
        """Runs ``fn(*args, **kwargs)`` once its ``dependencies`` (ids or jobs) have ended well.

        ``when``: "success", "always" or "failure". ``callback(job)`` is called when it has ended.
        ``timeout`` of an attempt: "pool" is the pool's, None none. ``retry_exceptions``: only those
        are tried again. ``submit_timeout``: how long to wait while ``max_queued`` jobs wait.
        ``definition``: what its result depends on, for a later run that resumes this one; None: the
        name of the function and how its arguments look. ``outputs``: files that it leaves.
        Raises Cycle, UnknownDependency, Exists, Unsatisfiable, ShutDown, TimedOut.
        """
        job = Job(self, fn, args, kwargs or {}, callback, retry_exceptions)
        if self._processes is not None:
            job._task = task_of(fn, args, kwargs or {})
        job._guard = _guard
        if _guard is not None:
            job._future = _guard
        ids = [(d.id if isinstance(d, Job) else d).encode() for d in dependencies]
        requests, names = _requests(pools or {})
        files = [os.fsencode(path) for path in outputs]
        if self._looks_back and definition is None:
            definition = _definition(fn, args, kwargs or {})
        rank = PRIORITIES.get(priority) if isinstance(priority, str) else priority
        if rank is None:
            raise _errors.InvalidArgument(f"priority must be a number or one of {list(PRIORITIES)}")
        options = c.wp_job_options(
            kind=c.WP_JOB_CALLBACK,
            id=None if job_id is None else job_id.encode(),
            fn=_run,
            dependencies=(c_char_p * len(ids))(*ids) if ids else None,
            dependency_count=len(ids),
            when=_choice(_WHENS, when, "when"),
            allow_failure=1 if allow_failure else -1,
            priority=rank,
            hint=_choice(_HINTS, hint, "hint"),
            cpus=cpus,
            memory=memory,
            pools=requests,
            pool_count=len(names),
            timeout_ns=0 if timeout == "pool" else _nanoseconds(timeout),  # type: ignore[arg-type]
            deadline_ns=0 if deadline is None else _nanoseconds(deadline),
            max_retries=0 if max_retries is None else max_retries or -1,
            retry_delay_ns=0 if retry_delay is None else _nanoseconds(retry_delay or None),
            retry_factor=retry_backoff,
            token=token._handle.pointer if token is not None else None,
            definition=None if definition is None else definition.encode("utf-8", "replace"),
            outputs=(c_char_p * len(files))(*files) if files else None,
            output_count=len(files),
        )
        return self._submit(job, options, c.WP_ALLOW_FORWARD if allow_forward else 0, submit_timeout)

    def _submit(
        self, job: Job, options: c.wp_job_options, flags: int, submit_timeout: Optional[float]
    ) -> Job:
        key = next(_keys)
        options.context = key
        options.destroy_context = _forget
        options.on_complete = _ended
        _jobs[key] = job
        number = c_uint64()
        status = c.WP_NO_MEMORY
        try:
            status = sliced(
                lambda ns: _unless_blocked(lib.wp_jobpool_submit(
                    self._native, byref(options), flags, ns, byref(number)
                )),
                submit_timeout,
            )
            _errors.check(status)
        finally:
            if status != c.WP_OK:
                _jobs.pop(key, None)
        job._number = number.value
        self._by_number[number.value] = job
        return job

    def submit_batch(
        self,
        batch: Batch,
        items: Iterable[Any],
        *,
        job_id: Optional[str] = None,
        dependencies: Iterable[Union[str, Job]] = (),
        priority: Union[int, str] = 0,
        cpus: int = 1,
        timeout: Union[float, None, str] = "pool",
        max_retries: Optional[int] = None,
    ) -> Job:
        """Runs ``items``, which must be what JSON can say, through the workers of a batch, as one job; its
        result is a list of ``BatchResult``, also of one that failed: ``batch.result(index)``.
        """
        job = Job(self, batch._results_of_job, (), {}, None, None)
        job._batch = batch
        ids = [(d.id if isinstance(d, Job) else d).encode() for d in dependencies]
        array, count = batch._items(items)
        rank = PRIORITIES.get(priority) if isinstance(priority, str) else priority
        if rank is None:
            raise _errors.InvalidArgument(f"priority must be a number or one of {list(PRIORITIES)}")
        return self._submit(job, c.wp_job_options(
            kind=c.WP_JOB_BATCH,
            id=None if job_id is None else job_id.encode(),
            batch=batch._handle.pointer,
            items=array,
            item_count=count,
            dependencies=(c_char_p * len(ids))(*ids) if ids else None,
            dependency_count=len(ids),
            priority=rank,
            cpus=cpus,
            timeout_ns=0 if timeout == "pool" else _nanoseconds(timeout),  # type: ignore[arg-type]
            max_retries=0 if max_retries is None else max_retries or -1,
        ), 0, None)

    def register_callback(self, callback: Callable[[Job], object]) -> None:
        """``callback(job)`` is called for every job that has ended, one at a time."""
        self._callbacks.append(callback)

    def subscribe(
        self,
        watch: Callable[[JobEvent], object],
        kinds: Optional[Sequence[str]] = None,
        *,
        names: Optional[str] = None,
    ) -> int:
        """Tells ``watch`` of every event, or of those ``kinds``, in their order, on its own thread.

        ``names``: what ``kind`` is then, and only events that have such a name are told: "workflow" (started,
        completed, failed, cancelled), "stages" (stage_start, job_start, job_ok, job_fail), "modules" (module,
        batch-complete). Returns what ``unsubscribe`` takes.
        """
        mask = c.WP_EVENT_ALL
        if kinds is not None:
            known = {lib.wp_job_event_name(kind).decode(): 1 << kind for kind in range(18)}
            mask = 0
            for kind in kinds:
                mask |= _choice(known, kind, "kinds")
        vocabulary = None
        if names is not None:
            if names not in _VOCABULARIES:
                raise _errors.InvalidArgument(f"names must be one of {', '.join(_VOCABULARIES)}")
            vocabulary = _VOCABULARIES[names]
            mask &= sum(1 << kind for kind in vocabulary)

        def tell(event: Any) -> None:
            name = None if vocabulary is None else _old_name(vocabulary, event)
            if vocabulary is None or name is not None:
                watch(JobEvent._of(event, name))

        key, number = next(_keys), c_uint64()
        _watchers[key] = tell
        try:
            _errors.check(lib.wp_jobpool_subscribe(
                self._native, mask, _tell, key, _unwatch, byref(number)
            ))
        except BaseException:
            _watchers.pop(key, None)
            raise
        return number.value

    def unsubscribe(self, number: int) -> None:
        _errors.check(lib.wp_jobpool_unsubscribe(self._native, number))

    def set_log(self, watch: Optional[Callable[[tuple[str, str, str]], object]]) -> None:
        """``watch((level, job_id, text))`` for all that happens; None: nobody any more."""
        if watch is None:
            _errors.check(
                lib.wp_jobpool_set_log(self._native, c.wp_job_log_fn(), None, c.context_hook())
            )
            return
        key = next(_keys)
        _watchers[key] = watch
        _errors.check(lib.wp_jobpool_set_log(self._native, _log, key, _unwatch))

    # -- control

    def find(self, job_id: str) -> Job:
        """Raises NotFound."""
        number = c_uint64()
        _errors.check(lib.wp_job_find(self._native, job_id.encode(), byref(number)))
        return self._by_number[number.value]

    def cancel_all(self) -> None:
        _errors.check(lib.wp_jobpool_cancel_all(self._native))

    def stop(self, now: bool = False) -> None:
        """Nothing new starts but jobs that run always or after failures."""
        _errors.check(lib.wp_jobpool_stop(self._native, c.WP_STOP_NOW if now else c.WP_STOP_SOFT))

    def pause(self) -> None:
        _errors.check(lib.wp_jobpool_pause(self._native))

    def resume(self) -> None:
        _errors.check(lib.wp_jobpool_resume(self._native))

    def set_limits(
        self, max_parallel_jobs: int = 0, *, io_slots: int = 0, memory: int = 0,
        pools: Optional[dict[str, int]] = None,
    ) -> None:
        """Changes limits while jobs run; what is 0 stays. Raises Unsatisfiable."""
        requests, names = _requests(pools or {})
        _errors.check(lib.wp_jobpool_set_limits(self._native, byref(c.wp_jobpool_limits(
            max_parallel_jobs=max_parallel_jobs, io_slots=io_slots, memory=memory, pools=requests,
            pool_count=len(names),
        ))))
        if self._own and max_parallel_jobs:
            self._workers.set_workers(min(max_parallel_jobs, 64))

    def wait_all(self, timeout: Optional[float] = None) -> bool:
        """Waits until all jobs have ended and all callbacks, whose jobs count too, have returned.

        Returns False when the time is over.
        """
        status = sliced(lambda ns: lib.wp_jobpool_wait_all(self._native, ns), timeout)
        if status == c.WP_TIMED_OUT:
            return False
        _errors.check(status)
        return True

    def wait_any(self, jobs: Sequence[Job], timeout: Optional[float] = None) -> Optional[Job]:
        """The first of these jobs that has ended; None when the time is over."""
        numbers = (c_uint64 * len(jobs))(*[job._number for job in jobs])
        index = c_size_t()
        status = sliced(
            lambda ns: lib.wp_jobpool_wait_any(
                self._native, numbers, len(jobs), ns, 0, byref(index)
            ),
            timeout,
        )
        if status == c.WP_TIMED_OUT:
            return None
        _errors.check(status)
        return jobs[index.value]

    async def wait_all_async(self, timeout: Optional[float] = None) -> bool:
        """``wait_all`` for asyncio."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.wait_all, timeout)

    def shutdown(self, wait: bool = True, timeout: Optional[float] = None) -> None:
        """No more jobs; what has not started is cancelled, what runs may go on for ``timeout``
        seconds and is then asked to stop. Raises TimedOut naming a job that does not.
        """
        ns = -1 if timeout is None else max(0, int(timeout * 1e9))
        _errors.check(lib.wp_jobpool_shutdown(self._native, 0, ns))
        if not wait:
            return
        sliced(lambda part: lib.wp_jobpool_wait_all(self._native, part), timeout)
        # Now it takes no longer than the grace of a job.
        _errors.check(lib.wp_jobpool_shutdown(self._native, 1, 0 if timeout is not None else -1))

    def close(self) -> None:
        """Shuts down and ends the threads. Raises Busy, naming a job that has not returned."""
        if self._handle is None:
            return
        handle = self._handle
        try:
            self.shutdown(timeout=0)
        except _errors.TimedOut:
            raise _errors.Busy(lib.wp_last_error_text().decode("utf-8", "replace")) from None
        _errors.check(handle.destroy(handle.pointer) or 0)
        handle._as_parameter_.value = None
        self._handle = None
        self._by_number.clear()
        if self._processes is not None:
            self._processes.close()
        if self._own:
            self._workers.close()

    def __enter__(self) -> JobPool:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.wait_all()
        self.close()

    # -- figures

    def get_status(self) -> dict[str, Any]:
        status = c.wp_jobpool_status()
        _errors.check(lib.wp_jobpool_get_status(self._native, byref(status)))
        names = [lib.wp_job_state_name(state).decode() for state in range(9)]
        return {
            "running_jobs": status.running_jobs,
            "queue_size": status.queue_size,
            "total_processed": status.total_processed,
            "counts": dict(zip(names, status.counts)),
            "slots": status.slots,
            "io_slots": status.io_slots,
            "effective_slots": status.effective_slots,
            "used_slots": status.used_slots,
            "abandoned_running": status.abandoned_running,
            "callback_errors": status.callback_errors,
        }

    def get_metrics(self) -> dict[str, float]:
        metrics = c.wp_jobpool_metrics()
        _errors.check(lib.wp_jobpool_get_metrics(self._native, byref(metrics)))
        hidden = ("struct_size", "reserved")
        found = {name: getattr(metrics, name) for name, _ in metrics._fields_ if name not in hidden}
        if self._processes:
            found["crashes"] += self._processes.lost
        return found

    def export_timeline(self) -> list[dict[str, Any]]:
        """A dictionary for each attempt: id, start_time (seconds since the pool was made),
        duration, slot, attempt, state.
        """
        bars: list[dict[str, Any]] = []

        @c.wp_job_bar_fn
        def add(_context: Any, bar: Any) -> int:
            shown = bar.contents
            bars.append({
                "id": shown.id.decode(), "start_time": shown.start_time,
                "duration": shown.duration, "slot": shown.slot, "attempt": shown.attempt,
                "state": lib.wp_job_state_name(shown.state).decode(),
            })
            return 0

        _errors.check(lib.wp_jobpool_timeline(self._native, add, None))
        return bars

    def write_trace(self, path: Union[str, os.PathLike[str]]) -> None:
        """As Trace Event JSON, for Perfetto and chrome://tracing."""
        _errors.check(lib.wp_jobpool_write_trace(self._native, os.fsencode(path)))

    def write_svg(self, path: Union[str, os.PathLike[str]]) -> None:
        _errors.check(lib.wp_jobpool_write_svg(self._native, os.fsencode(path)))

    def __repr__(self) -> str:
        if self._handle is None:
            return "<workpool.JobPool: closed>"
        status = self.get_status()
        running, queued = status["running_jobs"], status["queue_size"]
        return f"<workpool.JobPool: {running} running, {queued} queued>"


def _unless_blocked(status: int) -> int:
    """A thread of the pool is told at once that there is no room: it must not try again."""
    return _errors.check(status) if status == c.WP_WOULD_BLOCK else status


def _definition(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    name = getattr(fn, "__qualname__", repr(fn))
    words = [repr(arg) for arg in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
    return f"{getattr(fn, '__module__', '')}.{name}({', '.join(words)})"


def _requests(pools: dict[str, int]) -> tuple[Any, list[bytes]]:
    names = [name.encode() for name in pools]
    if not names:
        return None, names
    made = (c.wp_pool_request * len(names))()
    for place, (name, count) in enumerate(zip(names, pools.values())):
        made[place].name, made[place].count = name, count
    return made, names


_PATIENCE = 5.0  # seconds for jobs that go on when the interpreter is about to end


@atexit.register
def _shut_down_all() -> None:
    end = time.monotonic() + _PATIENCE
    open_pools = [
        pool for pool in list(_pools)
        if pool._handle is not None and pool._handle.process == os.getpid()
    ]
    for pool in open_pools:
        lib.wp_jobpool_shutdown(pool._handle, 0, 0)
    for pool in open_pools:
        try:
            if pool.wait_all(max(0.0, end - time.monotonic())):
                pool.close()
        except _errors.WorkpoolError:
            pass  # a job that does not end stays where it is: it must not keep the process
