# SPDX-License-Identifier: MIT
"""The worker's side of ``wpool batch`` and ``workpool.Batch``: a process that gets items and answers.

Frames of a 32-bit little-endian length and so many bytes of JSON come in on descriptor 3 and go out on
descriptor 4. This module needs nothing of the library.
"""
from __future__ import annotations

import inspect
import json
import os
import struct
import sys
import threading
import traceback
from typing import Any, Callable, Optional

_MOST_BYTES = 16 << 20


class ItemError(Exception):
    """A failure of the item alone. So is every exception that is none of the others."""

    kind = "item"


class TransientError(ItemError):
    """The item may be tried again, as often as the batch allows."""

    kind = "transient"


class WorkerError(ItemError):
    """This process is in a bad state: it is replaced, and the item run again by another one."""

    kind = "worker"


class FatalError(ItemError):
    """The whole run ends."""

    kind = "fatal"


class Skip(Exception):
    """There is nothing to do for the item: it counts as done. ``data`` is its result."""

    def __init__(self, data: Any = None) -> None:
        super().__init__()
        self.data = data


class Task:
    """What a worker function is told beside the item: its ``index`` in the input, and which ``attempt``
    this is, from 1."""

    def __init__(self, channel: _Channel, index: int, attempt: int) -> None:
        self.index = index
        self.attempt = attempt
        self.from_cache = False  #: may be set: the result was there already
        self._channel = channel

    def phase(self, name: str) -> None:
        """Says what the item is at; it is named if the item fails, or kills the process."""
        self._channel.send(
            {"type": "progress", "item": self.index, "status": "started", "phase": name}
        )

    def log(self, text: str, *, level: str = "info", phase: str = "", data: Any = None) -> None:
        """A line for the log of this attempt of the item, if one is kept: in the record of a pool of jobs, or
        where ``wpool batch --item-logs`` says. ``level`` is debug, info, warning or error; ``data`` is what JSON can
        say."""
        if level not in ("debug", "info", "warning", "error"):
            raise ValueError(f"level is {level!r}: debug, info, warning or error")
        self._channel.send(
            {"type": "log", "item": self.index, "level": level, "phase": phase, "text": text}
            | ({} if data is None else {"data": data})
        )


class _Channel:
    def __init__(self, reading: int, writing: int) -> None:
        self._input = os.fdopen(reading, "rb")
        self._output = os.fdopen(writing, "wb", buffering=0)
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        if len(text) > _MOST_BYTES:
            raise ValueError(f"a message of {len(text)} bytes, at most 16 MiB are allowed")
        frame = memoryview(struct.pack("<I", len(text)) + text)
        with self._lock:
            while frame:
                frame = frame[self._output.write(frame):]

    def receive(self) -> Optional[dict[str, Any]]:
        head = self._input.read(4)
        if len(head) < 4:
            return None
        (size,) = struct.unpack("<I", head)
        text = self._input.read(size)
        if len(text) < size:
            return None
        message: dict[str, Any] = json.loads(text)
        return message


def worker_main(function: Callable[..., Any], *, heartbeat: Optional[float] = None) -> None:
    """Runs the calling process as a worker until it is told to go.

    ``function`` is called with each item (what its JSON says), and with a ``Task`` if it takes a second
    argument. What it returns is the item's result and must be what JSON can say; a ``Skip``,
    ``TransientError``, ``WorkerError`` or ``FatalError`` that it raises says what becomes of the item; any
    other exception is a failure of that item. ``heartbeat``: seconds between two signs of life, sent by
    a thread; they cease while the function keeps the interpreter to itself.
    """
    try:
        channel = _Channel(3, 4)
    except OSError:
        raise SystemExit(
            "this program is a worker: it is started by `wpool batch` or workpool.Batch"
        ) from None
    takes_task = _takes_two(function)
    channel.send({"type": "ready", "pid": os.getpid(), "proto": 1})
    if heartbeat is not None:
        _beat(channel, heartbeat)
    while True:
        message = channel.receive()
        if message is None or message["type"] == "shutdown":
            return
        if message["type"] != "batch":
            continue
        for entry in message["items"]:
            _work(channel, function, takes_task, entry)
        channel.send({"type": "complete", "batch": message["id"]})


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # of something built in
        return False
    return True


def _work(
    channel: _Channel, function: Callable[..., Any], takes_task: bool, entry: dict[str, Any]
) -> None:
    task = Task(channel, entry["index"], entry["attempt"])
    answer: dict[str, Any] = {"type": "progress", "item": task.index}
    channel.send({**answer, "status": "started"})
    try:
        data = function(entry["item"], task) if takes_task else function(entry["item"])
        message = {**answer, "status": "ok", "data": data}
        if task.from_cache:
            message["from_cache"] = True
        channel.send(message)
    except Skip as skip:
        channel.send({**answer, "status": "skipped", "data": skip.data})
    except Exception as error:
        kind = error.kind if isinstance(error, ItemError) else "item"
        traceback.print_exc(file=sys.stderr)
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        channel.send({**answer, "status": "failed", "error": {"class": kind, "text": text}})


def _beat(channel: _Channel, seconds: float) -> None:
    pause = threading.Event()

    def beat() -> None:
        while not pause.wait(seconds):
            try:
                channel.send({"type": "heartbeat"})
            except OSError:
                return

    threading.Thread(target=beat, daemon=True).start()
