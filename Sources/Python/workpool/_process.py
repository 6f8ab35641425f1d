# SPDX-License-Identifier: MIT
"""Functions of jobs in worker processes: named by where they are imported from, arguments pickled."""
from __future__ import annotations

import base64
import fcntl
import json
import multiprocessing.spawn
import os
import pickle
import select
import signal
import struct
import sys
import threading
import time
from typing import Any, Callable, Optional

from . import _errors

_PREPARATION = ("sys_path", "sys_argv", "dir", "orig_dir", "init_main_from_name", "init_main_from_path")
_MOST_LOSSES = 2  # workers that a job may lose; with the next one it fails
_PATIENCE = 5.0  # seconds for a worker to go when it is told to


class WorkerLost(_errors.WorkpoolError):
    """A job's function took its worker process down, again and again."""


# ----- here ------------------------------------------------------------------------------------


def task_of(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """What a worker is sent. Raises TypeError if it could not be."""
    module, name = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not fn:
        raise TypeError(f"{fn!r} cannot be imported by another process: it is no function of a module")
    main = sys.modules["__main__"]
    if module == "__main__" and not (getattr(main, "__file__", None) or main.__spec__):
        raise TypeError(f"{fn!r} is in a program that is no file: no other process can import it")
    try:
        arguments = pickle.dumps((args, kwargs))
    except Exception as error:
        raise TypeError(f"arguments of {name} cannot be pickled: {error}") from error
    return json.dumps(
        {"module": module, "name": name, "arguments": base64.b64encode(arguments).decode()}
    ).encode()


class Worker:
    """A process that waits for functions to call."""

    def __init__(self) -> None:
        known = multiprocessing.spawn.get_preparation_data("wp-worker")
        settings = {key: known[key] for key in _PREPARATION if key in known}
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            "WORKPOOL_PREPARATION": json.dumps(settings),
        }
        # Above all that the child needs, and closed in it.
        ends = []
        for _ in range(2):
            for end in os.pipe():
                ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
                os.close(end)
        task_reading, self._writing, self._reading, answer_writing = ends
        try:
            self.process = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", f"{__package__}._process_worker"],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, task_reading, 3),
                    (os.POSIX_SPAWN_DUP2, answer_writing, 4),
                ],
                setpgroup=0,
            )
        except OSError:
            os.close(self._reading)
            os.close(self._writing)
            raise
        finally:
            os.close(task_reading)
            os.close(answer_writing)
        os.set_blocking(self._writing, False)
        os.set_blocking(self._reading, False)
        self._received = b""

    def call(self, task: bytes, stop: int) -> Optional[dict[str, Any]]:
        """The worker's answer; None when ``stop``, a descriptor, becomes readable. EOFError: it is lost."""
        message = b'{"type":"batch","id":1,"items":[{"index":0,"attempt":1,"item":%b}]}' % task
        unsent = memoryview(struct.pack("<I", len(message)) + message)
        answer: Optional[dict[str, Any]] = None
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        poll.register(stop, select.POLLIN)
        while True:
            if unsent:
                poll.register(self._writing, select.POLLOUT)
            for descriptor, _ in poll.poll():
                if descriptor == stop:
                    return None
                if descriptor == self._writing:
                    try:
                        unsent = unsent[os.write(self._writing, unsent):]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:
                        unsent = unsent[len(unsent):]
                    if not unsent:
                        poll.unregister(self._writing)
                elif descriptor == self._reading:
                    for told in self._receive():
                        if told["type"] == "progress" and told["status"] in ("ok", "failed"):
                            answer = told
                        elif told["type"] == "complete" and answer is not None:
                            return answer

    def _receive(self) -> list[dict[str, Any]]:
        try:
            piece = os.read(self._reading, 1 << 20)
        except BlockingIOError:
            return []
        if not piece:
            raise EOFError
        self._received += piece
        messages = []
        while len(self._received) >= 4:
            (size,) = struct.unpack("<I", self._received[:4])
            if len(self._received) < 4 + size:
                break
            messages.append(json.loads(self._received[4:4 + size]))
            self._received = self._received[4 + size:]
        return messages

    def end(self, patience: float) -> str:
        """Ends it with its process group: SIGTERM, and SIGKILL after ``patience`` seconds. How it ended."""
        self.leave()
        status = self._wait(0.0)
        if status is None:
            self._signal(signal.SIGTERM)
            status = self._wait(patience)
        self._signal(signal.SIGKILL)
        if status is None:
            _, status = os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"exit {code}" if code >= 0 else signal.Signals(-code).name

    def leave(self) -> None:
        """No more comes: it goes by itself."""
        for end in ("_reading", "_writing"):
            descriptor = getattr(self, end)
            setattr(self, end, -1)
            if descriptor >= 0:
                os.close(descriptor)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process, number)
        except ProcessLookupError:
            pass  # all of it has gone

    def _wait(self, seconds: float) -> Optional[int]:
        """Its status; None if it has not ended in time. It may not be the leader of an empty group."""
        if seconds > 0:
            watch = os.pidfd_open(self.process)
            try:
                select.select([watch], [], [], seconds)
            finally:
                os.close(watch)
        process, status = os.waitpid(self.process, os.WNOHANG)
        return status if process else None


class Workers:
    """Workers of a pool of jobs: as many as jobs run at once, each for one job after the other."""

    def __init__(self, patience: float) -> None:
        self.lost = 0  #: workers that ended in the middle of a job
        self._patience = patience
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def call(self, task: bytes, stop: int) -> Any:
        """What the function returns; raises what it raises. ``stop``: a descriptor, readable when the
        function shall end: its worker is ended then.
        """
        ends: list[str] = []
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                worker = Worker()
            try:
                answer = worker.call(task, stop)
            except EOFError:
                ends.append(worker.end(self._patience))
                with self._lock:
                    self.lost += 1
                if len(ends) <= _MOST_LOSSES:
                    continue
                raise WorkerLost(f"{len(ends)} workers lost: {', '.join(ends)}") from None
            except BaseException:
                worker.end(0)
                raise
            if answer is None:
                worker.end(self._patience)
                raise _errors.Cancelled("the job was asked to stop, and its process ended")
            with self._lock:
                self._idle.append(worker)
            return _value_of(answer)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.leave()
        end = time.monotonic() + _PATIENCE
        for worker in idle:
            if worker._wait(max(0.001, end - time.monotonic())) is None:
                worker.end(0)


def _value_of(answer: dict[str, Any]) -> Any:
    if answer["status"] == "failed":
        raise WorkerLost(f"the worker could not answer: {answer['error']['text']}")
    data = answer["data"]
    if "value" in data:
        return pickle.loads(base64.b64decode(data["value"]))
    error = pickle.loads(base64.b64decode(data["error"])) if data["error"] else None
    if not isinstance(error, BaseException):
        error = RuntimeError(data["text"].strip().rsplit("\n", 1)[-1])
    error.__cause__ = _RemoteTraceback(data["text"])
    raise error


class _RemoteTraceback(Exception):
    def __str__(self) -> str:
        return "\n" + str(self.args[0])
