# SPDX-License-Identifier: MIT
"""Records of runs: what became of jobs, for whoever goes on later."""
from __future__ import annotations

import os
from ctypes import byref
from dataclasses import dataclass
from types import TracebackType
from typing import Iterator, Optional, Union

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib

SYNCS = {"group": c.WP_SYNC_GROUP, "always": c.WP_SYNC_ALWAYS, "none": c.WP_SYNC_NONE}
ORPHANS = {
    "refuse": c.WP_ORPHANS_REFUSE, "kill": c.WP_ORPHANS_KILL, "wait": c.WP_ORPHANS_WAIT,
    "ignore": c.WP_ORPHANS_IGNORE,
}


@dataclass(frozen=True)
class RunJob:
    """What a record tells of a job; times are seconds since the run began, None: never."""

    id: str
    state: str
    reason: str
    detail: int
    attempts: int
    interrupted: bool
    start_time: Optional[float]
    end_time: Optional[float]
    error: str
    added_by: str
    definition: str


class RunRecord:
    """The record of a run, of a ``JobPool`` or of ``wpool run``: iterate over it for its jobs.

    ``folder``: of all runs. ``run``: an id, the beginning of one, or None: the last one.
    Raises NotFound, IOFailed, CorruptInput.
    """

    def __init__(self, folder: Union[str, os.PathLike[str]], run: Optional[str] = None) -> None:
        self._handle: Optional[Handle] = Handle(
            lib.wp_run_record_open,
            (os.fsencode(folder), None if run is None else run.encode()),
            lib.wp_run_record_close,
        )

    @property
    def _native(self) -> Handle:
        if self._handle is None:
            raise _errors.InvalidState("the record is closed")
        return self._handle

    def __iter__(self) -> Iterator[RunJob]:
        """Once: jobs that were read are not read again."""
        told = c.wp_run_job()
        while _errors.check(lib.wp_run_record_next_job(self._native, byref(told))) != c.WP_END:
            yield RunJob(
                id=told.id.decode(),
                state=lib.wp_job_state_name(told.state).decode(),
                reason=lib.wp_job_reason_name(told.reason).decode(),
                detail=told.detail,
                attempts=told.attempts,
                interrupted=bool(told.interrupted),
                start_time=told.start_ns / 1e9 if told.start_ns >= 0 else None,
                end_time=told.end_ns / 1e9 if told.end_ns >= 0 else None,
                error=told.text.decode("utf-8", "replace"),
                added_by=told.added_by.decode(),
                definition=told.definition.decode(),
            )

    def close(self) -> None:
        self._handle = None

    def __enter__(self) -> RunRecord:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
