# SPDX-License-Identifier: MIT
"""Batches: items that worker processes work on."""
from __future__ import annotations

import json
import threading
from ctypes import byref, c_char_p
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib
from ._pool import Token

_SLICE = 0.1  # seconds: so soon a run notices Ctrl-C


class BatchResult(NamedTuple):
    """What became of an item."""

    index: int
    state: str  #: "completed", "failed", "skipped" or "cancelled"
    reason: str  #: "none", "error", "poison", "crashed", "user", "stop" or "up_to_date"
    detail: int  #: of "poison": the last exit code, or signal, negative
    attempts: int
    crashes: int  #: workers lost at it
    process: int  #: of the last worker that had it
    from_cache: bool
    seconds: float  #: of the last attempt
    phase: str  #: the last one that the worker named
    error: str
    data: Any  #: what the worker's function returned; None if there is nothing

    @property
    def ok(self) -> bool:
        return self.state in ("completed", "skipped")


class Batch:
    """Worker processes that get items in batches and answer: each a ``command`` that calls
    ``workpool.worker_main``.

        batch = workpool.Batch([sys.executable, "worker.py"], workers=4)
        for result in batch.run(paths):
            print(result.data if result.ok else result.error)

    A worker that is lost is replaced. The item that it was at is run again alone, and ends as "poison"
    when it has lost more than ``max_crashes`` workers. Times are seconds, None: no limit.

    ``retries``: further attempts of items that fail with ``TransientError``, ``retry_delay`` seconds later.
    ``max_items_per_worker``, ``max_worker_memory`` (bytes): when a worker is replaced. ``log``: a file for what
    workers print, else it goes to standard error.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        workers: int = 0,
        batch_size: int = 50,
        max_crashes: int = 2,
        retries: int = 0,
        retry_delay: float = 0.0,
        start_timeout: Optional[float] = 10.0,
        item_timeout: Optional[float] = 60.0,
        batch_timeout: Optional[float] = 1800.0,
        heartbeat_timeout: Optional[float] = None,
        max_items_per_worker: int = 0,
        max_worker_memory: int = 0,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None,
        log: Optional[str] = None,
        token: Optional[Token] = None,
    ) -> None:
        if isinstance(command, (str, bytes)):
            raise TypeError("command is a list of words, not a text")
        words = [str(word).encode() for word in command]
        options = c.wp_batch_options(
            workers=workers,
            batch_size=batch_size,
            max_crashes=max_crashes or -1,
            max_retries=retries,
            max_items_per_worker=max_items_per_worker,
            retry_delay_ns=_nanoseconds(retry_delay) if retry_delay else 0,
            start_timeout_ns=_nanoseconds(start_timeout),
            item_timeout_ns=_nanoseconds(item_timeout),
            batch_timeout_ns=_nanoseconds(batch_timeout),
            heartbeat_timeout_ns=_nanoseconds(heartbeat_timeout),
            max_worker_memory=max_worker_memory,
            cwd=cwd.encode() if cwd is not None else None,
            log_path=log.encode() if log is not None else None,
        )
        if env is not None:
            settings = [f"{name}={value}".encode() for name, value in env.items()]
            options.env = (c_char_p * max(1, len(settings)))(*settings)
            options.env_count = len(settings)
        self._on_result: Optional[Callable[[BatchResult], object]] = None
        self._raised: Optional[BaseException] = None
        self._hook = c.wp_batch_result_fn(self._tell)
        options.on_result = self._hook
        if token is not None:
            options.token = token._handle.pointer
        self._handle = Handle(
            lib.wp_batch_create, ((c_char_p * len(words))(*words), len(words), byref(options)),
            lib.wp_batch_destroy, self._hook, token and token._handle,
        )

    def run(
        self,
        items: Iterable[Any],
        on_result: Optional[Callable[[BatchResult], object]] = None,
    ) -> list[BatchResult]:
        """Runs all items, which must be what JSON can say, and returns a result for each, in order.

        ``on_result`` is called with each result as it comes, in any order, on another thread. Ctrl-C ends the
        run: workers are asked to go, the second time killed, and KeyboardInterrupt is raised.
        """
        array, count = self._items(items)
        self._on_result, self._raised = on_result, None
        failure: list[_errors.WorkpoolError] = []
        is_over = threading.Event()  # Thread.join forgets the thread when it is interrupted

        def work() -> None:
            try:
                _errors.check(lib.wp_batch_run(self._handle, array, count))
            except _errors.WorkpoolError as error:
                failure.append(error)
            finally:
                is_over.set()

        thread = threading.Thread(target=work)
        thread.start()
        interrupts: list[BaseException] = []
        heeded = 0
        while not is_over.is_set():
            try:
                if heeded < len(interrupts):
                    heeded = len(interrupts)
                    self.cancel(kill=heeded > 1)
                is_over.wait(_SLICE)
            except BaseException as interrupt:
                interrupts.append(interrupt)
        self._on_result = None
        if interrupts:
            raise interrupts[0]
        if self._raised is not None:
            raise self._raised
        if failure:
            raise failure[0]
        return [self._result(index) for index in range(count)]

    @staticmethod
    def _items(items: Iterable[Any]) -> tuple[Any, int]:
        texts = [json.dumps(item, ensure_ascii=False, allow_nan=False).encode() for item in items]
        array = (c.wp_batch_item * max(1, len(texts)))()
        for place, text in zip(array, texts):
            place.json, place.size = text, len(text)
        return array, len(texts)

    def _results_of_job(self) -> list[BatchResult]:
        results: list[BatchResult] = []
        try:
            while True:
                results.append(self._result(len(results)))
        except IndexError:
            return results

    def cancel(self, kill: bool = False) -> None:
        """Ends a run that is under way, or the next one; ``kill``: workers get SIGKILL. Any thread."""
        _errors.check(lib.wp_batch_cancel(self._handle, 1 if kill else 0))

    def result(self, index: int) -> BatchResult:
        """A result of the last run, also of one that raised."""
        return self._result(index)

    def _result(self, index: int) -> BatchResult:
        native = c.wp_batch_result()
        status = lib.wp_batch_result_at(self._handle, index, byref(native))
        if status == c.WP_END:
            raise IndexError("there is no such item")
        _errors.check(status)
        return _result_of(index, native)

    def _tell(self, _context: Any, index: int, native: Any) -> None:
        tell = self._on_result
        if tell is None or self._raised is not None:
            return
        try:
            tell(_result_of(index, native.contents))
        except BaseException as error:
            self._raised = error
            lib.wp_batch_cancel(self._handle, 0)


def _result_of(index: int, native: Any) -> BatchResult:
    return BatchResult(
        index=index,
        state=lib.wp_job_state_name(native.state).decode().lower(),
        reason=lib.wp_job_reason_name(native.reason).decode(),
        detail=native.detail,
        attempts=native.attempts,
        crashes=native.crashes,
        process=native.process,
        from_cache=bool(native.from_cache),
        seconds=native.time_ns / 1e9,
        phase=(native.phase or b"").decode(),
        error=(native.error or b"").decode("utf-8", "replace"),
        data=json.loads(native.data) if native.data_size else None,
    )


def _nanoseconds(seconds: Optional[float]) -> int:
    if seconds is None:
        return -1
    if not seconds > 0:
        raise _errors.InvalidArgument(f"a time must be more than 0 s, not {seconds}")
    return int(seconds * 1e9)
