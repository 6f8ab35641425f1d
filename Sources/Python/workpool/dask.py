# SPDX-License-Identifier: MIT
"""Shards of a long list of inputs on the workers of a Dask cluster (``pip install distributed``).

What goes to the cluster are references (paths, ranges, settings), never data. A Dask worker should have one
thread (``threads_per_worker=1``): the parallel work inside a shard is that of workpool's own workers.
"""
from __future__ import annotations

import contextlib
import inspect
import json
import os
import tempfile
import threading
import time
import uuid
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Optional

from ._errors import Cancelled
from ._pool import Token

try:
    import distributed
except ImportError as missing:
    raise ImportError(
        "workpool.dask needs Dask's scheduler: pip install distributed"
    ) from missing

_LOOK = 0.25  # seconds: so soon a worker notices that the run was cancelled


class Shard(NamedTuple):
    """What a worker is told of its part of the inputs."""

    index: int
    start: int  #: the first input's place among all inputs
    inputs: list[Any]


class ShardFailed(NamedTuple):
    shard: Shard
    error: BaseException  #: what the function raised, or distributed.KilledWorker


class ShardsFailed(Exception):
    """Some shards failed: ``failures`` names them. ``results`` has what the others gave, in the order
    of the inputs (of the shards, if there are outputs), and None in the places of those that failed.
    """

    def __init__(self, failures: list[ShardFailed], results: list[Any]) -> None:
        lines = [
            f"shard {f.shard.index} (inputs {f.shard.start} to "
            f"{f.shard.start + len(f.shard.inputs) - 1}): {type(f.error).__name__}: {f.error}"
            for f in failures
        ]
        super().__init__("; ".join(lines))
        self.failures = failures
        self.results = results


def map_shards(
    client: distributed.Client,
    function: Callable[..., Any],
    inputs: Iterable[Any],
    *,
    shards: Optional[int] = None,
    retries: int = 1,
    resources: Optional[Mapping[str, float]] = None,
    output: Optional[str] = None,
    on_progress: Optional[Callable[[int, int, int], object]] = None,
    trace: Optional[str] = None,
) -> list[Any]:
    """Calls ``function`` for all inputs, on the workers of a cluster, and returns the results in input order.
    They are the same for any number of shards.

    ``function`` is called as ``function(input)``, or ``function(input, token)`` if it takes a second argument:
    a ``Token`` for the pipelines that it runs, which is cancelled within a second when the run is.

    With ``output``, a path with ``{shard}`` in it, it is called once for each shard, as ``function(inputs,
    path)`` or ``function(inputs, path, token)``, and writes the file ``path``. That is a temporary one, which is
    renamed when the function has returned, for Dask may run a shard twice. The results are the final
    paths, one for each shard, which in order hold what one run over all inputs writes.

    ``shards``: how many parts the inputs are divided into; the default is four for each worker.
    ``retries``: how often a shard is run again that raised. ``resources``: what a shard takes of the
    workers' resources. ``on_progress`` is called with the shard, and how many of its inputs are
    done, of how many. ``trace``: a file for the timeline of all workers, as Trace Event JSON.

    Ctrl-C cancels what runs. Raises ``ShardsFailed`` when shards failed, after all have ended: one that loses
    its worker again and again is named so too, and the others are delivered.
    """
    all_inputs = list(inputs)
    if output is not None and "{shard}" not in output:
        raise ValueError("output must have {shard} in it: each shard writes a file of its own")
    if shards is None:
        shards = 4 * max(1, len(client.scheduler_info()["workers"]))
    if shards < 1:
        raise ValueError("shards must be at least 1")
    parts = list(_divide(all_inputs, shards))
    run = f"workpool-{uuid.uuid4().hex}"
    events: list[dict[str, Any]] = []

    def take(event: Any) -> None:
        message = event[1] if isinstance(event, tuple) else event
        events.append(message)
        if on_progress is not None and message["done"] is not None:
            on_progress(message["shard"], message["done"], message["of"])

    wants_events = on_progress is not None or trace is not None
    if wants_events:
        client.subscribe_topic(run, take)
    cancelled = distributed.Event(run, client=client)
    def submit(part: Shard, attempt: str = "") -> Any:
        return client.submit(
            _run_shard, part, function, output, run, wants_events, retries=retries,
            resources=dict(resources) if resources else None, pure=False,
            key=f"{run}-{part.index}{attempt}",
        )

    futures: list[Any] = []
    try:
        for part in parts:
            futures.append(submit(part))
        distributed.wait(futures)
        # Dask blames whatever a lost worker had, results too. So these are fetched first, then each of the
        # blamed shows alone whether it was the one.
        outcomes = [_outcome(future) for future in futures]
        for index, part in enumerate(parts):
            if isinstance(outcomes[index], distributed.KilledWorker):
                futures.append(submit(part, "-alone"))
                outcomes[index] = _outcome(futures[-1])
    except BaseException:
        # Cancelling a future stops no work that runs: the workers are told by the event.
        cancelled.set()
        client.cancel(futures)
        raise
    finally:
        if wants_events:
            client.unsubscribe_topic(run)
    results, failures = _collect(parts, outcomes, output is not None)
    if trace is not None:
        _write_trace(trace, events)
    if failures:
        raise ShardsFailed(failures, results)
    return results


def _divide(inputs: list[Any], shards: int) -> Iterator[Shard]:
    """Parts that differ by one input at most; none is empty."""
    shards = min(shards, len(inputs))
    start = 0
    for index in range(shards):
        end = len(inputs) * (index + 1) // shards
        yield Shard(index, start, inputs[start:end])
        start = end


def _outcome(future: Any) -> Any:
    """What a shard gave, or the exception that it ended with."""
    try:
        return future.result()
    except Exception as error:
        return error


def _collect(
    parts: list[Shard], outcomes: list[Any], has_outputs: bool
) -> tuple[list[Any], list[ShardFailed]]:
    results: list[Any] = []
    failures: list[ShardFailed] = []
    for part, outcome in zip(parts, outcomes):
        if isinstance(outcome, Exception):
            failures.append(ShardFailed(part, outcome))
            results.extend([None] * (1 if has_outputs else len(part.inputs)))
        elif has_outputs:
            results.append(outcome)
        else:
            results.extend(outcome)
    return results, failures


# ----- on the workers ----------------------------------------------------------------------------


def _run_shard(
    shard: Shard, function: Callable[..., Any], output: Optional[str], run: str, tells: bool
) -> Any:
    worker = distributed.get_worker()
    begin = time.time()

    def tell(done: Optional[int]) -> None:
        if tells:
            worker.log_event(run, {
                "shard": shard.index, "done": done, "of": len(shard.inputs),
                "worker": str(worker.address), "begin": begin, "now": time.time(),
            })

    with _watched_token(run) as token:
        if output is not None:
            path = output.format(shard=shard.index)
            _write_output(function, shard, path, token)
            tell(len(shard.inputs))
            return path
        results = []
        takes_token = _takes(function, 2)
        for done, item in enumerate(shard.inputs, 1):
            if token.cancelled:
                raise Cancelled("the run was cancelled")
            results.append(function(item, token) if takes_token else function(item))
            tell(done)
        return results


def _write_output(function: Callable[..., Any], shard: Shard, path: str, token: Token) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    name = os.path.basename(path)
    # The same ending, for writers that choose the format by it.
    number, temporary = tempfile.mkstemp(prefix=".shard-", suffix="-" + name, dir=folder)
    os.close(number)
    os.unlink(temporary)
    try:
        if _takes(function, 3):
            function(shard.inputs, temporary, token)
        else:
            function(shard.inputs, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _watched_token(run: str) -> Iterator[Token]:
    """A token that is cancelled when the run's event is set."""
    token = Token()
    event = distributed.Event(run, client=distributed.get_client())
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_LOOK):
            with contextlib.suppress(Exception):  # a cluster that goes away: its worker will, too
                if event.is_set():
                    token.cancel()
                    return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield token
    finally:
        is_over.set()
        thread.join()


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def _write_trace(path: str, events: list[dict[str, Any]]) -> None:
    """One row for each worker, one bar for each shard."""
    workers = sorted({event["worker"] for event in events})
    start = min((event["begin"] for event in events), default=0.0)
    last: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["now"] >= last.get(event["shard"], event)["now"]:
            last[event["shard"]] = event
    trace: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": number, "args": {"name": worker}}
        for number, worker in enumerate(workers)
    ]
    for shard, event in sorted(last.items()):
        trace.append({
            "ph": "X", "name": f"shard {shard}", "pid": workers.index(event["worker"]), "tid": 0,
            "ts": (event["begin"] - start) * 1e6, "dur": (event["now"] - event["begin"]) * 1e6,
            "args": {"inputs": event["of"]},
        })
    temporary = f"{path}.{uuid.uuid4().hex}"
    with open(temporary, "w") as file:
        json.dump({"traceEvents": trace}, file)
    os.replace(temporary, path)
