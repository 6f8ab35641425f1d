# SPDX-License-Identifier: MIT
"""File objects as those of ``gzip.open``, packed and unpacked by workers."""
from __future__ import annotations

import io
import os
import select
import stat
import threading
import warnings
from ctypes import c_size_t
from types import TracebackType
from typing import Any, Optional, Union

from . import _errors
from . import _library as c
from ._block import Place, Result
from ._memory import Buffer, BytesLike, bytes_view
from ._pipeline import Pipeline
from ._pool import Pool
from ._streams import Path
from ._streams import Place as FilePlace
from ._streams import Reader, Writer, open_reader, open_writer

_BLOCK = 1 << 20  # bytes that a worker reads or packs at once
_BUFFER = 1 << 18  # bytes that Python asks for at once

_shared: Optional[Pool] = None
_lock = threading.Lock()


def _shared_pool() -> Pool:
    """For all regular files, whose reads and writes never wait for somebody else."""
    global _shared
    with _lock:
        if _shared is None or not _shared._is_own:
            _shared = Pool(name="wp-file")
        return _shared


class _Crew:
    """The workers of one file: none, or those of a pool, which may be the file's own."""

    def __init__(self, workers: Union[int, Pool, None], may_share: bool) -> None:
        self.pool: Optional[Pool] = None
        self._is_own = False
        if isinstance(workers, Pool):
            self.pool = workers
        elif workers is None and may_share:
            self.pool = _shared_pool()
        elif workers != 0:
            self.pool = Pool(workers or 1, name="wp-file")
            self._is_own = True

    def pipeline(self) -> Pipeline:
        assert self.pool is not None
        return Pipeline(self.pool, 2 * self.pool.workers + 2)

    def go(self) -> None:
        if self._is_own and self.pool is not None:
            self.pool.close()


class _Raw(io.RawIOBase):
    """What readers and writers have in common."""

    name: Any
    mode: str

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<workpool file {self.name!r} mode={self.mode!r}{state}>"

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")


class _RawReader(_Raw):
    """Bytes of a Reader, which reads ahead on workers if there are any.

    What the library has handed over and nobody has got yet is remembered before it can be lost: after
    an interrupt the next read gives it.
    """

    mode = "rb"

    def __init__(self, reader: Reader, crew: _Crew, is_seekable: bool, name: Any) -> None:
        self.name = name
        self._is_seekable = is_seekable
        self._jumps = is_seekable
        self._reader = reader
        self._crew = crew
        self._pipeline: Optional[Pipeline] = None
        self._room = memoryview(b"")
        self._buffer: Optional[Buffer] = None
        self._size = c_size_t()
        self._is_taken = False  # ``_rest`` was what is in the room
        self._place: Optional[Place] = None
        self._result: Optional[Result] = None
        self._rest = memoryview(b"")
        self._position = 0
        self._is_at_end = False
        self._failure: Optional[BaseException] = None
        self._begin()

    def _begin(self) -> None:
        """Workers read ahead from now on. Not with the first read: one that is interrupted would leave
        what was begun to nobody.
        """
        if self._crew.pool is not None:
            self._pipeline = self._crew.pipeline().source(self._reader)
            self._pipeline.start(results=True)

    def readable(self) -> bool:
        self._check_open()
        return True

    def readinto(self, buffer: Any) -> int:
        self._check_open()
        room = bytes_view(buffer)
        if not room.nbytes:
            return 0
        if not self._rest:
            self._fill()
        size = min(len(room), len(self._rest))
        rest = self._rest[size:]
        room[:size] = self._rest[:size]
        # No call from here on: an interrupt comes before all of it or behind it.
        self._rest = rest
        self._position += size
        return size

    def _fill(self) -> None:
        """Makes ``_rest`` the next bytes; it stays empty at the end."""
        if self._failure is not None:
            raise self._failure
        if self._is_at_end:
            return
        try:
            if self._crew.pool is None:
                self._read()
            else:
                self._take_result()
        except _errors.WorkpoolError as error:
            self._failure = error.with_traceback(None)
            raise

    def _read(self) -> None:
        if self._buffer is None:
            self._room = memoryview(bytearray(_BUFFER))
            self._buffer = Buffer(self._room)
        size = self._size
        if self._is_taken:
            size.value = 0
            self._is_taken = False
        if not size.value:
            self._reader._read_to(self._buffer, size)
        view = self._room[: size.value]
        # No call from here on.
        self._rest = view
        self._is_taken = True
        self._is_at_end = not size.value

    def _take_result(self) -> None:
        assert self._pipeline is not None
        if self._result is not None:
            self._result.release()
            self._result = None
        place = self._place
        if place is None:
            self._place = place = Place(self._pipeline._started)
        if not place.native:
            status = self._pipeline._next_result(place)
            if status != c.WP_OK:
                self._place = None
                self._pipeline.wait()
                self._is_at_end = True
                return
        result = Result(place)
        self._result = result
        self._rest = result.data
        self._place = None

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seekable(self) -> bool:
        """Whether it is a regular file. ``seek`` goes straight to where it should in plain, BGZF and most
        zstd files; in others it begins anew and reads, as that of gzip.GzipFile does.
        """
        self._check_open()
        return self._is_seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if not self._is_seekable:
            raise io.UnsupportedOperation(f"{self.name}: it is no regular file")
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._move(2**64 - 1)
        elif whence != os.SEEK_SET:
            raise ValueError(f"invalid whence: {whence}")
        if offset < 0:
            raise ValueError(f"negative seek position {offset}")
        return offset if offset == self._position else self._move(offset)

    def _move(self, offset: int) -> int:
        """Behind the end is the end."""
        try:
            if self._jumps:
                try:
                    self._enter(offset)
                    return self._position
                except _errors.Unsupported:
                    self._jumps = False
                    self._enter(0)
            elif offset < self._position:
                self._enter(0)
            while self._position < offset:
                if not self._rest:
                    self._fill()
                size = min(len(self._rest), offset - self._position)
                if not size:
                    break
                self._rest = self._rest[size:]
                self._position += size
            return self._position
        except BaseException as error:
            # Where the reader is now is not known.
            self._failure = _failure_after(error, "a seek was interrupted")
            raise

    def _enter(self, offset: int) -> None:
        self._stop()
        self._failure = None
        self._is_at_end = False
        self._reader._take_home()
        self._position = self._reader.seek(offset)
        self._begin()

    @property
    def notes(self) -> list[str]:
        """Things worth telling that are no errors; complete at the end of the file."""
        return self._reader.notes

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        self._stop()
        self._reader.close()
        self._crew.go()

    def _stop(self) -> None:
        """No worker reads any more, and nothing is here that was read."""
        self._rest = memoryview(b"")
        self._size.value = 0
        self._place = None
        if self._result is not None:
            self._result.release()
            self._result = None
        if self._pipeline is not None:
            self._pipeline.destroy()
            self._pipeline = None


class _RawWriter(_Raw):
    """Bytes to a Writer, packed on workers if there are any.

    After an error or an interrupt it cannot be known how much was taken: the file is given up then.
    """

    def __init__(self, writer: Writer, crew: _Crew, name: Any, mode: str) -> None:
        self.name = name
        self.mode = mode
        self._writer = writer
        self._crew = crew
        self._pipeline: Optional[Pipeline] = None
        self._position = 0
        self._is_given_up = False
        self._failure: Optional[BaseException] = None

    def writable(self) -> bool:
        self._check_open()
        return True

    def write(self, data: BytesLike) -> int:  # type: ignore[override]
        self._check_open()
        if self._is_given_up:
            return len(bytes_view(data))  # nobody wants it: what closes the file need not fail
        if self._failure is not None:
            raise self._failure
        try:
            if self._crew.pool is None:
                size = self._writer.write(data)
            else:
                payload = bytes(data)  # the caller's memory is the caller's again
                if self._pipeline is None:
                    self._pipeline = self._crew.pipeline().sink(self._writer)
                    self._pipeline.start()
                self._pipeline.submit(payload)
                size = len(payload)
        except BaseException as error:
            self._failure = _failure_after(error, "a write was interrupted: the file is not whole")
            raise
        self._position += size
        return size

    def tell(self) -> int:
        self._check_open()
        return self._position

    def give_up(self) -> None:
        """Nothing of the file is wanted."""
        self._is_given_up = True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        try:
            if not self._is_given_up and self._failure is None:
                if self._pipeline is not None:
                    self._pipeline.close()
                    self._pipeline.wait()
                self._writer.finish()
                self._end()
        finally:
            if self._pipeline is not None:
                self._pipeline.destroy()
            if self._writer.info is None:
                self._writer.close()
                self._undo()
            self._writer.close()
            self._crew.go()

    def _end(self) -> None:
        """After what was written is complete."""

    def _undo(self) -> None:
        """After what was written is gone."""


def _failure_after(error: BaseException, text: str) -> BaseException:
    """What every later call raises."""
    if isinstance(error, Exception):
        return error.with_traceback(None)
    return _errors.InvalidState(text)


class _RawAppender(_RawWriter):
    """New members or frames behind what is there, which is all that is left after a failure."""

    def __init__(self, descriptor: int, is_new: bool, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._descriptor = descriptor
        self._is_new = is_new
        self._old_size = os.fstat(descriptor).st_size

    def _end(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _undo(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, self._old_size)
            if self._is_new:
                os.unlink(self.name)
            self._end()


class _Unfinished:
    """Leaving ``with`` by an exception, or forgetting the file, is no way to complete it."""

    def __exit__(
        self: Any,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is not None:
            _raw_of(self).give_up()
        self.close()

    def __del__(self: Any) -> None:
        try:
            if self.closed:
                return
            raw = _raw_of(self)
        except (AttributeError, ValueError):  # never made, or taken apart by detach()
            return
        raw.give_up()
        warnings.warn(f"a file was not closed and is given up: {raw!r}", ResourceWarning, 2)
        self.close()


def _raw_of(file: Any) -> _RawWriter:
    while not isinstance(file, _RawWriter):
        file = file.buffer if isinstance(file, io.TextIOBase) else file.raw
    return file


class _BufferedWriter(_Unfinished, io.BufferedWriter):
    """Bytes to a file that ``open`` has opened."""


class _TextWriter(_Unfinished, io.TextIOWrapper):
    """Text to a file that ``open`` has opened."""


def open(
    place: FilePlace,
    mode: str = "rb",
    *,
    workers: Union[int, Pool, None] = None,
    compression: str = "auto",
    level: Optional[int] = None,
    sync: bool = False,
    bgzf_index: Optional[Path] = None,
    zstd_seek_table: bool = False,
    trailing: str = "error",
    max_window: int = 0,
    encoding: Optional[str] = None,
    errors: Optional[str] = None,
    newline: Optional[str] = None,
    name: Optional[str] = None,
) -> Any:
    """Opens a plain, gzip, BGZF or zstd file as a file object, like ``gzip.open``.

    ``mode``: "rb", "wb", "xb" and "ab" give an io.BufferedReader or io.BufferedWriter, with "t" for
    "b" an io.TextIOWrapper with ``encoding``, ``errors`` and ``newline``; neither letter means "b". Packed
    inputs are told by content, outputs by suffix or ``compression`` (see ``open_writer``), for "a" by
    what is there.

    An output has its name when it is closed, not before ("w" then replaces what has that name). After
    an exception inside ``with``, and when it is not closed at all, there is no such file; "a" leaves
    what was there before.

    Regular files can be sought: straight to the place in plain, BGZF and most zstd files (see
    ``Reader.seek``), by reading again from the start in others. ``bgzf_index`` is a .gzi index, which makes the
    first seek in a BGZF file cheap; of an output the index to write. ``zstd_seek_table``: the output ends
    with one.

    ``workers``: how many unpack or pack; 0: the thread that reads or writes; a Pool: those of it;
    None: for packed regular files a pool that all such files share, one worker for each CPU.

    Errors are those of the package, and what Python has for the like: OSError with its errno
    (FileNotFoundError, ...), EOFError for a file that was cut off, OSError for a damaged one (as
    gzip.BadGzipFile is) and io.UnsupportedOperation.
    """
    letters = set(mode)
    kind = letters & set("rwxa")
    if len(letters) != len(mode) or len(kind) != 1 or letters - set("rwxabt"):
        raise ValueError(f"invalid mode: {mode!r}")
    if {"b", "t"} <= letters:
        raise ValueError("can't have text and binary mode at once")
    is_text = "t" in letters
    if not is_text and (encoding, errors, newline) != (None, None, None):
        raise ValueError("binary mode doesn't take encoding, errors or newline")
    if isinstance(workers, bool) or (isinstance(workers, int) and not 0 <= workers <= 1024):
        raise _errors.InvalidArgument(f"workers must be 0 to 1024, not {workers}")
    called = place if isinstance(place, (str, bytes, int, os.PathLike)) else place.fileno()
    if isinstance(called, os.PathLike):
        called = os.fspath(called)

    if kind == {"r"}:
        if level is not None or sync or zstd_seek_table or compression != "auto":
            raise ValueError("level, sync, zstd_seek_table and compression are for writing")
        reading = {"trailing": trailing, "max_window": max_window, "bgzf_index": bgzf_index}
        raw = _RawReader(*_open_input(place, workers, name, reading), called)
        file: Any = io.BufferedReader(raw, _BUFFER)
        if is_text:
            file = io.TextIOWrapper(file, encoding, errors, newline)
            file.mode = "rt"
        return file
    if trailing != "error" or max_window:
        raise ValueError("trailing and max_window are for reading")
    letter = kind.pop()
    writing = {"level": level, "sync": sync, "bgzf_index": bgzf_index,
               "zstd_seek_table": zstd_seek_table}
    writer = _open_output(place, letter, workers, compression, name, called, writing)
    file = _BufferedWriter(writer, _BLOCK)
    if is_text:
        try:
            file = _TextWriter(file, encoding, errors, newline)
        except BaseException:
            writer.give_up()
            file.close()
            raise
        file.mode = letter + "t"
    return file


def _is_regular(place: Any) -> bool:
    try:
        return stat.S_ISREG(os.stat(place if isinstance(place, int) else place).st_mode)
    except OSError:
        return True  # not there: an output that is to be made


def _open_input(
    place: Any,
    workers: Union[int, Pool, None],
    name: Optional[str],
    options: dict[str, Any],
) -> tuple[Reader, _Crew, bool]:
    at = place if isinstance(place, (str, bytes, int, os.PathLike)) else place.fileno()
    own = -1
    try:
        if not _is_regular(at):
            # The library's waits do not notice Ctrl-C: wait here for somebody to write.
            if not isinstance(at, int):
                name = name or os.fsdecode(at)
                at = own = os.open(at, os.O_RDONLY | os.O_CLOEXEC)
            poll = select.poll()
            poll.register(at, select.POLLIN)
            poll.poll()
        reader = open_reader(
            at, "fixed", record_size=1, records_per_block=_BLOCK, name=name, **options
        )
    finally:
        if own >= 0:
            os.close(own)
    info = reader.info()
    is_regular = info.packed_size is not None
    if workers is None and is_regular and info.compression == "plain":
        workers = 0  # nothing to do for them
    return reader, _Crew(workers, is_regular), is_regular


def _open_output(
    place: Any,
    letter: str,
    workers: Union[int, Pool, None],
    compression: str,
    name: Optional[str],
    called: Any,
    options: dict[str, Any],
) -> _RawWriter:
    if letter == "a":
        if not isinstance(called, (str, bytes)):
            raise ValueError("mode 'a' needs a path")
        if options.pop("bgzf_index") is not None or options.pop("zstd_seek_table"):
            raise ValueError("an index of what is added would not be one of the file")
        return _open_appended(called, workers, compression, name, options)
    at = place if isinstance(place, (str, bytes, int, os.PathLike)) else place.fileno()
    writer = open_writer(at, compression, overwrite=letter == "w", name=name, **options)
    crew = _Crew(_packers(workers, compression, called), _is_regular(at))
    return _RawWriter(writer, crew, called, letter + "b")


def _packers(
    workers: Union[int, Pool, None], compression: str, called: Any
) -> Union[int, Pool, None]:
    if compression == "auto":
        suffixes = (".gz", ".bgz", ".zst", ".zstd")
        is_packed = not isinstance(called, int) and os.fsdecode(called).endswith(suffixes)
    else:
        is_packed = compression != "plain"
    return workers if is_packed or workers is not None else 0


def _open_appended(
    path: Union[str, bytes],
    workers: Union[int, Pool, None],
    compression: str,
    name: Optional[str],
    options: dict[str, Any],
) -> _RawWriter:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
    is_new = False
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        is_new = True
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise io.UnsupportedOperation(f"{os.fsdecode(path)}: mode 'a' needs a regular file")
        found = _compression_of(os.pread(descriptor, 4, 0))
        if found is None:
            found = compression
            if compression == "auto":
                text = os.fsdecode(path)
                is_gzip, is_zstd = text.endswith((".gz", ".bgz")), text.endswith((".zst", ".zstd"))
                found = "gzip" if is_gzip else "zstd" if is_zstd else "plain"
        elif compression not in ("auto", found) and (compression, found) != ("bgzf", "gzip"):
            raise _errors.InvalidArgument(
                f"{os.fsdecode(path)}: what is there is {found}, not {compression}"
            )
        writer = open_writer(descriptor, found, name=name or os.fsdecode(path), **options)
        crew = _Crew(_packers(workers, found, path), True)
        return _RawAppender(descriptor, is_new, writer, crew, path, "ab")
    except BaseException:
        if is_new:
            os.unlink(path)
        os.close(descriptor)
        raise


def _compression_of(begin: bytes) -> Optional[str]:
    """What begins so; None: nothing."""
    if not begin:
        return None
    if begin[:2] == b"\x1f\x8b":
        return "gzip"
    is_skippable = begin[1:] == b"\x2a\x4d\x18" and begin[0] & 0xF0 == 0x50
    return "zstd" if begin == b"\x28\xb5\x2f\xfd" or is_skippable else "plain"
