# SPDX-License-Identifier: MIT
"""Ordered pipelines: a source, stages and a sink that workers carry numbered blocks through."""
from __future__ import annotations

from ctypes import byref
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence, Union

from . import _errors
from . import _library as c
from ._block import _LEND_FROM, END, Place, Result
from ._dump import dump_of
from ._handles import Handle
from ._library import lib
from ._memory import Buffer, BytesLike, bytes_view
from ._outcome import BlockError, Outcome, errors_of, exception_of, outcome_of
from ._pool import Pool, Token
from ._progress import Subscriber, Tell, stuck_callback
from ._splitter import SplitFinish, SplitFunction
from ._stage import Shared, Stage, StageFunction, callback_of, from_items, make_stage
from ._statistics import PipelineStatistics, statistics_of, timeline_of
from ._streams import Reader, Writer
from ._waits import nanoseconds_of, sliced, wait_for_end

OnProgress = Callable[[PipelineStatistics], object]
LEVELS = {
    "sampled": c.WP_STATISTICS_SAMPLED,
    "off": c.WP_STATISTICS_OFF,
    "times": c.WP_STATISTICS_TIMES,
}
_OUTCOMES = (c.WP_OK, c.WP_STOPPED, c.WP_STAGE_FAILED, c.WP_MISSING_BLOCK)


def _check_weight(weight: int) -> None:
    if not 1 <= weight <= 1000:
        raise _errors.InvalidArgument(f"weight must be 1 to 1000, not {weight}")


class Pipeline:
    """Carries numbered blocks from a source through stages to a sink, in input order at every
    serial stage and at the sink, with at most ``limit`` blocks at once.

    ::

        with workpool.Pool() as pool, workpool.Pipeline(pool) as pipeline:
            pipeline.source([b"one", b"two"])
            pipeline.stage(lambda block: bytes(block).upper())
            pipeline.sink(lambda block: print(block.number, bytes(block)))
            pipeline.run()

    A callback gets a Block and returns None (the block goes on), a bytes-like object (its new
    payload), DROP, STOP or STOP_DROP. An exception in a callback ends the run; whoever waits for it
    gets that exception. A pipeline may run again after its run has ended.

    ``collect_errors``: errors drop their block and are listed in ``errors``; ``max_failures`` of
    them end the run. ``token`` cancels runs. ``serial``: a plain loop on the calling thread, for
    comparison. ``reader_is_another_thread``: submit waits although results are unread.
    ``run_timeout``: a run that takes more seconds is cancelled, and who waits for it gets
    RunTimedOut. ``stuck_after``: when no block has moved for so many seconds while some are in
    flight, ``on_stuck`` is called with a dump, once in a run and as a subscriber is, and with
    ``cancel_when_stuck`` the run is cancelled.
    ``window_capacity``: how far ``max_blocks``, which is ``limit`` at first, can be raised; a power
    of two, by default 256 or the next one from ``limit`` on. ``max_bytes``: a block is admitted
    while those in flight weigh less than that; 0: no limit. ``unordered``: blocks reach the sink, or
    the host as results, as they come, one at a time; none waits for a slow one before it, unless it
    is ``window_capacity`` numbers ahead.
    ``weight``, 1 to 1000: its part in the workers' time beside other pipelines of the pool that have
    work.
    ``statistics``: "sampled" takes the times of long calls and of some short ones, "times" of all
    calls, "off" only counts. ``timeline_events``: how many of them each worker keeps for
    ``timeline``, the last ones.

    Leaving a ``with`` closes the input and waits for the end; after an exception it cancels. A
    pipeline that nobody refers to is cancelled.
    """

    def __init__(
        self,
        pool: Optional[Pool],
        limit: int = 100,
        *,
        collect_errors: bool = False,
        max_failures: int = 0,
        max_errors_kept: int = 100,
        token: Optional[Token] = None,
        serial: bool = False,
        reader_is_another_thread: bool = False,
        run_timeout: Optional[float] = None,
        stuck_after: Optional[float] = None,
        on_stuck: Optional[Callable[[str], object]] = None,
        cancel_when_stuck: bool = False,
        window_capacity: int = 0,
        weight: int = 1,
        max_bytes: int = 0,
        unordered: bool = False,
        statistics: str = "sampled",
        timeline_events: int = 0,
    ) -> None:
        if statistics not in LEVELS:
            raise _errors.InvalidArgument(
                f"statistics must be one of {', '.join(LEVELS)}, not {statistics!r}"
            )
        if not 0 <= timeline_events <= 1 << 24:
            raise _errors.InvalidArgument(
                f"timeline_events must be 0 to 16777216, not {timeline_events}"
            )
        if not 1 <= limit <= 65_536:
            raise _errors.InvalidArgument(f"limit must be 1 to 65536, not {limit}")
        if window_capacity and (
            not limit <= window_capacity <= 65_536 or window_capacity & (window_capacity - 1)
        ):
            raise _errors.InvalidArgument(
                f"window_capacity must be a power of two from {limit} to 65536, "
                f"not {window_capacity}"
            )
        _check_weight(weight)
        if pool is None and not serial:
            raise _errors.InvalidArgument("a pipeline needs a pool, unless it is serial")
        if pool is not None and pool.closed:
            raise _errors.InvalidState("the pool is closed")
        self.pool = pool
        self._window = window_capacity or max(256, 1 << (limit - 1).bit_length())
        self._options = c.wp_pipeline_options(
            flags=(collect_errors and c.WP_PIPELINE_COLLECT_ERRORS)
            | (serial and c.WP_PIPELINE_SERIAL_REFERENCE)
            | (reader_is_another_thread and c.WP_PIPELINE_READER_IS_ANOTHER_THREAD)
            | (unordered and c.WP_PIPELINE_UNORDERED)
            | (cancel_when_stuck and c.WP_PIPELINE_CANCEL_WHEN_STUCK),
            max_blocks_in_flight=limit,
            max_errors_kept=max_errors_kept,
            max_failures=max_failures,
            token=token._handle.pointer if token is not None else None,
            run_timeout_ns=nanoseconds_of(run_timeout, "run_timeout"),
            stuck_after_ns=nanoseconds_of(stuck_after, "stuck_after"),
            window_capacity=self._window,
            weight=weight,
            max_bytes_in_flight=_checked_bytes(max_bytes),
            statistics=LEVELS[statistics],
            timeline_events=timeline_events,
        )
        self._on_stuck = on_stuck
        self._token = token
        self._is_serial = serial
        self._collects = collect_errors
        self._shared = Shared(max_errors_kept, limit)
        self._source: Union[Stage, Reader, None] = None
        self._items: Optional[Iterable[BytesLike]] = None
        self._stages: list[Stage] = []
        self._sink: Union[Stage, Writer, None] = None
        self._subscribers: dict[int, Subscriber] = {}
        self._last_subscriber = 0
        self._total = (c.NO_NUMBER, c.NO_NUMBER)
        self._handle: Optional[Handle] = None
        self._pulls = False
        self._is_seen = True  # somebody knows how the last run ended
        self._is_unread = False  # its results are still to be read
        self._is_destroyed = False
        if pool is not None:
            pool._pipelines.add(self)

    @property
    def weight(self) -> int:
        """The part in the workers' time, 1 to 1000; may be changed at any time."""
        return int(self._options.weight)

    @weight.setter
    def weight(self, weight: int) -> None:
        _check_weight(weight)
        self._options.weight = weight
        handle = self._handle
        if handle is not None:
            _errors.check(lib.wp_pipeline_set_weight(handle, weight))

    # ----- building -----------------------------------------------------------------------

    def source(
        self,
        source: Union[StageFunction, Iterable[BytesLike], Reader],
        *,
        name: str = "source",
        may_block: bool = False,
    ) -> Pipeline:
        """Where blocks come from: a callback that fills the block it gets, or returns its payload,
        or END; an iterable of bytes-like objects; or a Reader. It is called on workers, for one
        block after the other. Without a source the host submits.
        """
        self._check_building()
        if self._source is not None:
            raise _errors.InvalidState("there is a source already")
        if isinstance(source, Reader):
            self._source = source
        elif callable(source):
            self._source = make_stage(source, name, "serial", 0, False, may_block)
        else:
            iter(source)  # raises for what is not iterable
            self._items = source
            self._source = make_stage(lambda _: END, name, "serial", 0, False, may_block)
        return self

    def stage(
        self,
        function: StageFunction,
        kind: str = "parallel",
        *,
        name: Optional[str] = None,
        max_concurrency: int = 0,
        see_all: bool = False,
        may_block: bool = False,
    ) -> Pipeline:
        """Adds a stage. ``kind``: "parallel" (any blocks at once, at most ``max_concurrency`` of
        them), "serial" (one at a time: block 0, 1, 2, ...) or "serial_any_order".
        ``see_all``: a stop in a later stage does not keep blocks from this one. ``may_block``: it
        may wait for a disk, a child or the network.
        """
        self._check_building()
        if self._sink is not None:
            raise _errors.InvalidState("the sink is the last stage")
        name = name or f"stage {len(self._stages) + 1}"
        self._stages.append(
            make_stage(function, name, kind, max_concurrency, see_all, may_block)
        )
        return self

    def split(
        self,
        function: SplitFunction,
        *,
        finish: Optional[SplitFinish] = None,
        name: Optional[str] = None,
        see_all: bool = False,
        may_block: bool = False,
    ) -> Pipeline:
        """Adds a splitter, which makes any number of blocks of each one, in order.

        ``function`` gets a block, to be read only, and yields the payloads of new blocks (or returns a
        list of them, or None). It may keep what it needs of a block, and yield that with a later
        one. ``finish`` is called without arguments after the last block, and yields what is left; not
        after a failure, a cancel, or a stop behind the splitter. What is yielded may be a slice of the
        block's ``data``: it is copied. An ``Output`` gives the new block ``meta`` and ``weight`` too.
        Yielding STOP ends the input.

        The new blocks are numbered 0, 1, 2, ..., and up to ``limit`` of them are in flight, beside those
        before the splitter. One is asked for only when there is a place for it, so a generator pauses,
        and goes on on any worker.
        """
        self._check_building()
        if self._sink is not None:
            raise _errors.InvalidState("the sink is the last stage")
        if finish is not None and not callable(finish):
            raise TypeError(f"finish is a callable, not {type(finish).__name__}")
        name = name or f"stage {len(self._stages) + 1}"
        stage = make_stage(function, name, "serial", 0, see_all, may_block)
        self._stages.append(stage._replace(kind=c.WP_SPLITTER, finish=finish))
        return self

    def sink(
        self, sink: Union[StageFunction, Writer], *, name: str = "sink", may_block: bool = False
    ) -> Pipeline:
        """What gets the blocks in input order at the end: a callback, or a Writer."""
        self._check_building()
        if self._sink is not None:
            raise _errors.InvalidState("there is a sink already")
        if isinstance(sink, Writer):
            self._sink = sink
        else:
            self._sink = make_stage(sink, name, "serial", 0, False, may_block)
        return self

    def _check_building(self) -> None:
        if self._handle is not None or self._is_destroyed:
            raise _errors.InvalidState("a pipeline cannot be changed after its start")

    def _build(self, pulls: bool) -> Handle:
        options = c.wp_pipeline_options.from_buffer_copy(self._options)
        if pulls:
            options.flags |= c.WP_PIPELINE_PULL_RESULTS
        on_stuck, pointers = c.stuck_hook(), list[Optional[int]]()
        if self._on_stuck is not None:
            on_stuck = c.stuck_hook(stuck_callback(self._on_stuck, self._shared, pointers))
            options.on_stuck = on_stuck
        pool = self.pool._handle if self.pool is not None else None
        if self.pool is not None and pool is None:
            raise _errors.InvalidState("the pool is closed")
        keeps: list[Any] = [pool, self._token and self._token._handle, self._shared, on_stuck]
        handle = Handle(
            lib.wp_pipeline_create, (pool, byref(options)), lib.wp_pipeline_destroy, keeps,
            cancel=lib.wp_pipeline_cancel,
        )
        pointers.append(handle.pointer)

        def add(stage: Stage, number: int, register: Any, takes_payload: bool) -> None:
            callback = c.wp_stage_fn(callback_of(stage, number, self._shared, takes_payload))
            keeps.append(callback)
            options = c.wp_stage_options(
                kind=stage.kind,
                fn=callback,
                name=stage.name.encode(),
                max_concurrency=stage.max_concurrency,
                flags=stage.flags,
            )
            _errors.check(register(handle, byref(options)))

        if isinstance(self._source, Reader):
            keeps.append(self._source._lend())
            _errors.check(lib.wp_pipeline_set_reader(handle, keeps[-1]))
        elif self._source is not None:
            source = self._source
            if self._items is not None:
                source = source._replace(function=from_items(iter(self._items)))
            add(source, 0, lib.wp_pipeline_set_source, True)
        for number, stage in enumerate(self._stages, 1):
            add(stage, number, lib.wp_pipeline_add_stage, True)
        if isinstance(self._sink, Writer):
            keeps.append(self._sink._lend())
            _errors.check(lib.wp_pipeline_set_writer(handle, keeps[-1]))
        elif self._sink is not None:
            add(self._sink, len(self._stages) + 1, lib.wp_pipeline_set_sink, False)
        _errors.check(lib.wp_pipeline_set_total(handle, *self._total))
        for subscriber in self._subscribers.values():
            subscriber.join(handle, keeps, self._shared)
        return handle

    # ----- running ------------------------------------------------------------------------

    def run(self, progress: Optional[OnProgress] = None) -> Outcome:
        """Starts and waits for the end; see ``wait``. An exception while waiting, such as Ctrl-C,
        cancels the run first.
        """
        if self._source is None:
            raise _errors.InvalidState("without a source: start, submit, close, wait")
        if not self._is_serial:
            try:
                self.start()
                return self.wait(progress=progress)
            finally:
                if not self._is_seen:
                    self._cancel_and_wait()
        status = lib.wp_pipeline_run(self._prepare(False))
        if status not in _OUTCOMES and status != c.WP_TIMED_OUT:
            _errors.check(status)
        return self._conclude()

    def start(self, results: bool = False) -> None:
        """Begins a run. ``results``: there is no sink, and the host reads ``results()``."""
        handle = self._prepare(results)
        self._is_seen = False  # before the start, for an interrupt may come right after it
        try:
            _errors.check(lib.wp_pipeline_start(handle))
        except _errors.WorkpoolError:
            self._is_seen = True
            raise
        self._is_unread = results

    def _prepare(self, pulls: bool) -> Handle:
        if self._is_destroyed:
            raise _errors.InvalidState("the pipeline was destroyed")
        if pulls and self._sink is not None:
            raise _errors.InvalidState("a pipeline with a sink has no results to read")
        if self.running:
            raise _errors.InvalidState("the pipeline is running")
        if self._handle is not None and isinstance(self._source, Reader):
            raise _errors.InvalidState("a reader is read once: the pipeline cannot run again")
        if self._handle is None or self._pulls != pulls or self._items is not None:
            self._handle = None
            self._handle = self._build(pulls)
            self._pulls = pulls
        self._shared.run += 1
        self._shared.raised.clear()
        self._shared.raised_by_subscriber = None
        return self._handle

    @property
    def running(self) -> bool:
        """Whether a run has begun and not ended."""
        handle = self._handle
        if handle is None or self._is_serial:
            return False
        status = wait_for_end(handle, 0)
        return status in (c.WP_TIMED_OUT, c.WP_RESULTS_WAITING, c.WP_WOULD_DEADLOCK)

    def wait(
        self, timeout: Optional[float] = None, progress: Optional[OnProgress] = None
    ) -> Outcome:
        """Waits for the end of the run and returns how it ended.

        Raises the exception that ended the run, Cancelled, RunTimedOut when its ``run_timeout`` was
        over, or TimedOut if it goes on after ``timeout`` seconds; ResultsWaiting if results must be read first. With ``collect_errors`` failed blocks raise
        nothing: see ``errors``. ``progress`` is called on this thread about ten times a second and
        at the end, with the statistics.
        """
        handle = self._started
        between = (lambda: progress(self.statistics())) if progress is not None else None
        status = sliced(lambda ns: wait_for_end(handle, ns), timeout, between)
        if status not in _OUTCOMES and status != c.WP_CANCELLED:
            _errors.check(status)
        self._is_seen = True
        if between is not None:
            between()
        return self._conclude()

    def submit(
        self,
        data: BytesLike = b"",
        timeout: Optional[float] = None,
        *,
        number: Optional[int] = None,
        meta: Sequence[int] = (),
        weight: int = 0,
    ) -> bool:
        """Submits the next block of a pipeline without source; waits for a place.

        ``data`` may be used without a copy: it must not change until the block has left.
        ``number``: its place in the order, for producers that know it (all blocks of a run, or
        none). ``weight``: bytes to count for ``max_bytes``; 0: those of ``data``. Returns False if
        the run was stopped and takes no more. Raises Closed, Cancelled, what a stage raised,
        ResultsWaiting when all places are held by results that nobody has read, and TimedOut or
        (timeout 0) WouldBlock.
        """
        handle, loans = self._started, self._shared.loans
        buffer = Buffer(bytes_view(data))
        payload = c.wp_payload(
            data=buffer.address, size=buffer.size, weight=_checked_bytes(weight)
        )
        for index, word in enumerate(meta):
            payload.meta[index] = word
        key = None
        if buffer.size >= _LEND_FROM:
            key = loans.lend(buffer)
            payload.release, payload.release_context = loans.release, key

        def call(nanoseconds: int) -> int:
            if number is None:
                return int(lib.wp_pipeline_submit(handle, byref(payload), nanoseconds))
            return int(
                lib.wp_pipeline_submit_numbered(handle, number, byref(payload), nanoseconds)
            )

        # An interrupt may come with the answer: what was lent then stays so, for it may be in use.
        try:
            status = sliced(call, timeout)
        finally:
            if key is None:
                buffer.release()
        if key is not None and status != c.WP_OK:
            loans.take_back(key)
        return self._accepted(status)

    def skip(self, number: int, timeout: Optional[float] = None) -> bool:
        """Declares that there will be no block with this number. As submit."""
        handle = self._started
        status = sliced(lambda ns: lib.wp_pipeline_skip(handle, number, ns), timeout)
        return self._accepted(status)

    def _accepted(self, status: int) -> bool:
        if status == c.WP_STAGE_FAILED and not self._pulls:
            self.wait()  # raises what the stage raised
        return _errors.check(status) == c.WP_OK

    def close(self) -> None:
        """No more input: the run ends when all is delivered. Twice is as good as once."""
        handle = self._handle
        if handle is not None and self._source is None:
            _errors.check(lib.wp_pipeline_close(handle))

    def flush(self, timeout: Optional[float] = None) -> None:
        """Waits until everything submitted so far has been delivered."""
        handle = self._started
        _errors.check(sliced(lambda ns: lib.wp_pipeline_flush(handle, ns), timeout))

    def results(self) -> Iterator[Result]:
        """The blocks in input order, as they come. The first one starts the pipeline, unless
        ``start(results=True)`` has.

        A result is valid until the next one is read. Leaving the loop early cancels the run. At
        the end raises what ``wait`` raises.
        """
        if self.running and not self._pulls:
            raise _errors.InvalidState("started without results=True")
        return self._read_results()

    def _read_results(self) -> Iterator[Result]:
        has_ended = False
        try:
            if not self._is_unread:
                self.start(results=True)
            handle = self._started
            while True:
                place = Place(handle)
                status = self._next_result(place)
                if status != c.WP_OK:
                    break
                result = Result(place)
                del place
                yield result
                result.release()
            if status == c.WP_WOULD_DEADLOCK:
                raise _errors.WouldDeadlock("every place is held by a result that is still in use")
            has_ended = True
            self.wait()
        finally:
            self._is_unread = False
            if not has_ended:
                self._cancel_and_wait()

    @staticmethod
    def _next_result(place: Place) -> int:
        out = byref(place.native)
        return sliced(lambda ns: lib.wp_pipeline_next_result(place.handle, ns, out), None)

    def stop(self) -> None:
        """Ends the input; blocks in flight are still delivered. Any thread, also in callbacks."""
        _errors.check(lib.wp_pipeline_stop(self._started))

    def cancel(self) -> None:
        """Ends the run; returns at once. Any thread, also in callbacks."""
        _errors.check(lib.wp_pipeline_cancel(self._started))

    # ----- limits -------------------------------------------------------------------------

    @property
    def max_blocks(self) -> int:
        """Most blocks between source (or submit) and cleanup. May be set at any time, also while the
        pipeline runs, and from any thread: more places can be used at once; of fewer, those that are
        taken go with the next blocks that leave.
        """
        return int(self._options.max_blocks_in_flight)

    @max_blocks.setter
    def max_blocks(self, count: int) -> None:
        if not 1 <= count <= self._window:
            raise _errors.InvalidArgument(
                f"max_blocks must be 1 to {self._window}, the window's capacity, not {count}"
            )
        self._shared.allow(count)
        self._options.max_blocks_in_flight = count
        handle = self._handle
        if handle is not None:
            _errors.check(lib.wp_pipeline_set_max_blocks(handle, count))

    @property
    def max_bytes(self) -> int:
        """A block is admitted while those in flight weigh less than this; 0: no limit. May be set as
        ``max_blocks``.
        """
        return int(self._options.max_bytes_in_flight)

    @max_bytes.setter
    def max_bytes(self, count: int) -> None:
        self._options.max_bytes_in_flight = _checked_bytes(count)
        handle = self._handle
        if handle is not None:
            _errors.check(lib.wp_pipeline_set_max_bytes(handle, count))

    @property
    def memory(self) -> int:
        """Bytes allocated for the run that is under way or has ended last; 0 before the first.
        Memory of bytes-like objects that blocks use without a copy is not counted.
        """
        handle = self._handle
        return int(lib.wp_pipeline_memory(handle)) if handle is not None else 0

    # ----- progress -----------------------------------------------------------------------

    def subscribe(self, tell: Tell, interval: float = 0.1) -> int:
        """Has ``tell`` called with a Progress about every ``interval`` seconds while a run is under
        way, and once more (``last``) when it has come to its outcome, before ``wait`` returns.
        Returns what ``unsubscribe`` takes.

        It is called on a thread of the pool, or, the last time, on the worker that ends the run;
        never twice at once. It must not wait for anything of the pool, but may cancel, stop and
        unsubscribe. An exception in it cancels the run and is raised for whoever waits.
        """
        if self._is_destroyed:
            raise _errors.InvalidState("the pipeline was destroyed")
        subscriber = Subscriber(tell, interval)
        if self._handle is not None:
            subscriber.join(self._handle, self._handle.keeps[0], self._shared)
        self._last_subscriber += 1
        self._subscribers[self._last_subscriber] = subscriber
        return self._last_subscriber

    def unsubscribe(self, number: int) -> None:
        """Ends a subscription. Waits while its call is running, unless that is the caller."""
        if number not in self._subscribers:
            raise _errors.InvalidArgument(f"there is no subscriber {number}")
        if self._handle is not None:
            self._subscribers[number].leave(self._handle)
        del self._subscribers[number]

    def set_total(self, blocks: Optional[int] = None, size: Optional[int] = None) -> None:
        """Says how many blocks and bytes (``size``) a run's input has, for Progress.eta."""
        numbers = [c.NO_NUMBER if number is None else number for number in (blocks, size)]
        if not all(0 <= number <= c.NO_NUMBER for number in numbers):
            raise _errors.InvalidArgument("a total is a number of blocks or bytes")
        self._total = (numbers[0], numbers[1])
        if self._handle is not None:
            _errors.check(lib.wp_pipeline_set_total(self._handle, *self._total))
    # ----- looking ------------------------------------------------------------------------

    def statistics(self) -> PipelineStatistics:
        """What the run and its stages have done so far."""
        return statistics_of(self._started)

    def dump(self) -> str:
        """What everybody in the run is doing and waiting for, as lines of text for people: for a
        program that does not go on. Any thread, also while callbacks hang.
        """
        handle = self._handle
        if handle is None:
            return "pipeline that was not started\n"
        return dump_of(lib.wp_pipeline_dump, handle)

    def timeline(self) -> str:
        """The last run so far as Trace Event JSON, which Perfetto and chrome://tracing open: every
        call of a stage with its worker, times and block; counters; stop, error and cancel. Needs
        ``timeline_events``.
        """
        return timeline_of(self._started)

    def outcome(self) -> Outcome:
        """How the last run ended."""
        return outcome_of(self._started)

    @property
    def errors(self) -> list[BlockError]:
        """The errors of the last run, in block order."""
        return errors_of(self._started, self._shared.raised)

    # ----- ending -------------------------------------------------------------------------

    def destroy(self) -> None:
        """Cancels a run under way, waits for its end, frees everything. Twice is as good as once.

        Raises Busy in a callback of the pipeline itself.
        """
        handle = self._handle
        if handle is not None and not self._is_serial:
            if lib.wp_pipeline_wait(handle, 0) == c.WP_WOULD_DEADLOCK:
                raise _errors.Busy("a callback cannot destroy its own pipeline")
            self._cancel_and_wait()
        self._handle = None
        self._is_destroyed = True
        self._shared.raised.clear()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            if kind is None and not self._is_seen:
                self.close()
                self.wait()
        finally:
            self.destroy()

    def __repr__(self) -> str:
        state = "destroyed" if self._is_destroyed else "running" if self.running else "not running"
        return f"<workpool.Pipeline: {len(self._stages)} stages, {state}>"

    @property
    def _started(self) -> Handle:
        if self._handle is None:
            raise _errors.InvalidState("the pipeline was not started")
        return self._handle

    def _cancel_and_wait(self, timeout: Optional[float] = None) -> bool:
        """Whether the run has ended; without a timeout it has."""
        handle, status = self._handle, c.WP_OK
        if handle is not None and not self._is_serial:
            lib.wp_pipeline_cancel(handle)
            status = sliced(lambda ns: wait_for_end(handle, ns), timeout)
        self._is_seen = True
        return status != c.WP_TIMED_OUT

    def _conclude(self) -> Outcome:
        outcome = self.outcome()
        if self._shared.raised_by_subscriber is not None:
            raise self._shared.raised_by_subscriber
        if outcome.status == "cancelled":
            raise _errors.Cancelled()
        if outcome.status == "timed out":
            raise _errors.RunTimedOut()
        if outcome.status == "failed" and not self._collects:
            raise exception_of(self._started, outcome, self._shared.raised)
        return outcome


def _checked_bytes(count: int) -> int:
    if not 0 <= count < 2**64:
        raise _errors.InvalidArgument(f"a number of bytes must not be negative, as {count} is")
    return count
