# SPDX-License-Identifier: MIT
"""Ordered parallel pipelines over blocks of bytes, with readers and writers of compressed files.

    import workpool

    with workpool.Pool() as pool, workpool.Pipeline(pool) as pipeline:
        pipeline.source(workpool.open_reader("words.txt.gz"))
        pipeline.stage(lambda block: bytes(block).upper())
        with workpool.open_writer("upper.txt.gz") as writer:
            pipeline.sink(writer).run()

The words are those of the C interface, ``workpool.h``.
"""
from ._batch import Batch, BatchResult
from ._block import DROP, END, STOP, STOP_DROP, Answer, Block, Result
from ._errors import (
    BadReturn,
    Busy,
    Cancelled,
    Closed,
    CorruptInput,
    Cycle,
    DuplicateBlock,
    Exists,
    Forked,
    InvalidArgument,
    InvalidState,
    IOFailed,
    LimitExceeded,
    MalformedRecord,
    MissingBlock,
    NoMemory,
    NoRetry,
    NotFound,
    NoThread,
    OutputExists,
    ResultsWaiting,
    RunTimedOut,
    ShutDown,
    StageFailed,
    TimedOut,
    TruncatedInput,
    UnknownDependency,
    Unsatisfiable,
    Unsupported,
    WorkpoolError,
    WouldBlock,
    WouldDeadlock,
)
from ._file import open
from ._executor import JobExecutor
from ._jobs import Job, JobContext, JobEvent, JobFailed, JobPool, current_job
from ._outcome import BlockError, Outcome
from ._pipeline import Pipeline
from ._pool import Pool, Token, build_info, usable_cpus, version
from ._progress import Progress
from ._recipe import Recipe, Report, Step, StepInfo, steps
from ._splitter import Output
from ._statistics import PipelineStatistics, StageStatistics, WorkerStatistics
from ._process import WorkerLost
from ._record import RunJob, RunRecord
from ._streams import Chunk, Reader, ReaderInfo, Writer, WriterInfo, open_reader, open_writer
from ._worker import FatalError, ItemError, Skip, Task, TransientError, WorkerError, worker_main

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "BadReturn",
    "Batch",
    "BatchResult",
    "Block",
    "BlockError",
    "Busy",
    "Cancelled",
    "Chunk",
    "Closed",
    "CorruptInput",
    "Cycle",
    "DROP",
    "DuplicateBlock",
    "END",
    "Exists",
    "FatalError",
    "Forked",
    "IOFailed",
    "InvalidArgument",
    "InvalidState",
    "ItemError",
    "Job",
    "JobContext",
    "JobEvent",
    "JobExecutor",
    "JobFailed",
    "JobPool",
    "LimitExceeded",
    "MalformedRecord",
    "MissingBlock",
    "NoMemory",
    "NoRetry",
    "NoThread",
    "NotFound",
    "Outcome",
    "Output",
    "OutputExists",
    "Pipeline",
    "PipelineStatistics",
    "Pool",
    "Progress",
    "Reader",
    "ReaderInfo",
    "Recipe",
    "Report",
    "Result",
    "ResultsWaiting",
    "RunJob",
    "RunRecord",
    "RunTimedOut",
    "STOP",
    "STOP_DROP",
    "ShutDown",
    "Skip",
    "StageFailed",
    "StageStatistics",
    "Step",
    "StepInfo",
    "Task",
    "TimedOut",
    "Token",
    "TransientError",
    "TruncatedInput",
    "UnknownDependency",
    "Unsatisfiable",
    "Unsupported",
    "WorkerError",
    "WorkerLost",
    "WorkerStatistics",
    "WorkpoolError",
    "WouldBlock",
    "WouldDeadlock",
    "Writer",
    "WriterInfo",
    "build_info",
    "current_job",
    "open",
    "open_reader",
    "open_writer",
    "steps",
    "usable_cpus",
    "version",
    "worker_main",
]
