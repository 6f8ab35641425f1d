# SPDX-License-Identifier: MIT
"""Readers and writers of plain, gzip, BGZF and zstd files."""
from __future__ import annotations

import atexit
import os
import weakref
from ctypes import byref, c_size_t, c_uint64
from types import TracebackType
from typing import Any, Callable, Iterator, NamedTuple, Optional, Protocol, Sequence, Union

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib
from ._memory import LEFT_OVER, Buffer, BytesLike, View, bytes_view
from ._pool import Pool


class HasFileno(Protocol):
    def fileno(self) -> int: ...


Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Place = Union[Path, int, HasFileno]

_COMPRESSIONS = ("auto", "plain", "gzip", "bgzf", "zstd")
_SPLITS = ("lines", "fastq", "fixed")
_TRAILING = ("error", "warn", "ignore")


def choice(what: str, value: str, names: tuple[str, ...]) -> int:
    if value not in names:
        raise _errors.InvalidArgument(f"{what} must be one of {', '.join(names)}, not {value!r}")
    return names.index(value)


def _path(path: Path) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise _errors.InvalidArgument("a path cannot contain NUL")
    return encoded


def _open(
    place: Place,
    name: Optional[str],
    options: object,
    by_path: Callable[..., int],
    by_descriptor: Callable[..., int],
    close: Callable[..., int],
    keeps: Sequence[Any] = (),
) -> Handle:
    if isinstance(place, (str, bytes, os.PathLike)):
        return Handle(by_path, (_path(place), options), close, *keeps)
    descriptor = place if isinstance(place, int) else place.fileno()
    text = name.encode() if name else None
    return Handle(by_descriptor, (descriptor, text, options), close, *keeps)


class _Stream:
    """A native stream that a pipeline may use too; it is closed when both have let it go."""

    def __init__(self, handle: Handle, what: str) -> None:
        self._handle: Optional[Handle] = handle
        self._what = what
        self._is_lent = False

    @property
    def _native(self) -> Handle:
        if self._handle is None:
            raise _errors.InvalidState(f"the {self._what} is closed")
        return self._handle

    @property
    def _own(self) -> Handle:
        """For what must not happen beside a pipeline."""
        if self._is_lent:
            raise _errors.InvalidState(f"the {self._what} belongs to a pipeline")
        return self._native

    def _take_home(self) -> None:
        """The pipeline is destroyed."""
        self._is_lent = False

    def _lend(self) -> Handle:
        handle = self._handle
        if self._is_lent or handle is None:
            raise _errors.InvalidState(
                f"the {self._what} {'belongs to a pipeline' if self._is_lent else 'is closed'}"
            )
        self._is_lent = True
        return handle

    @property
    def closed(self) -> bool:
        return self._handle is None


class ReaderInfo(NamedTuple):
    """What a file turned out to be, so far."""

    compression: str  #: "plain", "gzip", "bgzf" or "zstd"
    parts: int  #: members, blocks or frames begun
    packed_bytes: int  #: taken from the file so far
    bytes: int  #: decoded so far
    packed_size: Optional[int]  #: of a regular file


class Chunk:
    """Some whole records of a file. ``data`` is valid until the reader goes on."""

    __slots__ = ("data", "records", "first_record", "offset", "first_line", "packed_bytes")

    def __init__(self, data: memoryview, chunk: c.wp_chunk) -> None:
        self.data = data
        self.records: int = chunk.records  #: how many
        self.first_record: int = chunk.first_record  #: records before it, from the last seek on
        self.offset: int = chunk.offset  #: decoded bytes of the file before this block
        self.first_line: int = chunk.first_line  #: lines before it, from the last seek on
        self.packed_bytes: int = chunk.packed_bytes  #: of the file, taken when it was complete

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)


class Reader(_Stream):
    """Decoded bytes of a file, read in blocks of whole records (by iterating) or by ``read``.

    Made by ``open_reader``. A context manager.
    """

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle, "reader")
        self._view: Optional[View] = None

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        """The next block. The memory of the one before goes: BufferError if it is still in use."""
        native = self._own
        self._take_back()
        chunk = c.wp_chunk()
        if _errors.check(lib.wp_reader_next(native, byref(chunk))) == c.WP_END:
            raise StopIteration
        data = memoryview(b"")
        if chunk.data:
            self._view = View(chunk.data, chunk.size, readonly=True)
            data = self._view.view
        return Chunk(data, chunk)

    def readinto(self, buffer: BytesLike) -> int:
        """Fills ``buffer`` with decoded bytes; returns how many: fewer only at the end."""
        view = bytes_view(buffer)
        if view.readonly and view.nbytes:
            raise TypeError("a writable buffer is required")
        native = self._own
        self._take_back()
        if not view.nbytes:
            return 0
        room, size = Buffer(view), c_size_t()
        try:
            _errors.check(lib.wp_reader_read(native, room.address, room.size, byref(size)))
        finally:
            room.release()
        return size.value

    def _read_to(self, room: Buffer, size: c_size_t) -> None:
        """Fills ``room``; ``size`` says how far, also when an interrupt comes with the answer."""
        native = self._own
        self._take_back()
        _errors.check(lib.wp_reader_read(native, room.address, room.size, byref(size)))

    def next_into(self, buffer: BytesLike) -> Optional[Chunk]:
        """The next block in memory of yours; None at the end. ``data`` is the part of ``buffer`` that it
        fills. One that is larger stays the next one: LimitExceeded, which has its size as ``needed``.
        """
        view = bytes_view(buffer)
        if view.readonly and view.nbytes:
            raise TypeError("a writable buffer is required")
        native = self._own
        self._take_back()
        room, chunk = Buffer(view), c.wp_chunk()
        try:
            status = lib.wp_reader_next_into(native, room.address, room.size, byref(chunk))
            if _errors.check(status) == c.WP_END:
                return None
        except _errors.LimitExceeded as error:
            error.needed = chunk.size or None
            raise
        finally:
            room.release()
        return Chunk(view[: chunk.size], chunk)

    def seek(self, offset: int) -> int:
        """Goes on at a byte of the decoded bytes, at the end if it is behind that; returns which one.

        For regular files that are plain, BGZF (by ``bgzf_index`` of ``open_reader`` or the headers of
        all blocks) or zstd with a seek table or sizes in its frames; 0 for any regular file. Others raise
        Unsupported. Records count from there.
        """
        if not 0 <= offset < 2**64:
            raise _errors.InvalidArgument(f"an offset must not be negative, as {offset} is")
        native = self._own
        self._take_back()
        _errors.check(lib.wp_reader_seek(native, offset))
        return self.tell()

    def tell(self) -> int:
        """Which of the decoded bytes comes next."""
        offset = c_uint64()
        _errors.check(lib.wp_reader_tell(self._own, byref(offset)))
        return offset.value

    def seek_virtual(self, virtual_offset: int) -> None:
        """As ``seek``, to a virtual offset of BGZF; needs no index. Afterwards ``Chunk.offset`` counts
        from the start of that block.
        """
        if not 0 <= virtual_offset < 2**64:
            raise _errors.InvalidArgument(f"{virtual_offset} is no virtual offset")
        native = self._own
        self._take_back()
        _errors.check(lib.wp_reader_seek_virtual(native, virtual_offset))

    def tell_virtual(self) -> int:
        """The virtual offset of the byte that comes next; at the end of a block that of the next one."""
        offset = c_uint64()
        _errors.check(lib.wp_reader_tell_virtual(self._own, byref(offset)))
        return offset.value

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` decoded bytes, fewer only at the end; all the rest by default."""
        if size >= 0:
            room = bytearray(size)
            return bytes(memoryview(room)[: self.readinto(room)])
        parts = []
        room = bytearray(1 << 20)
        while count := self.readinto(room):
            parts.append(bytes(memoryview(room)[:count]))
        return b"".join(parts)

    def info(self) -> ReaderInfo:
        """What the file turned out to be, so far."""
        info = c.wp_reader_info()
        _errors.check(lib.wp_reader_get_info(self._native, byref(info)))
        size = None if info.packed_size == c.UNKNOWN_SIZE else info.packed_size
        name = _COMPRESSIONS[info.compression]
        return ReaderInfo(name, info.parts, info.packed_bytes, info.bytes, size)

    @property
    def notes(self) -> list[str]:
        """Things worth telling that are no errors; complete at the end of the file."""
        notes: list[str] = []
        while (note := lib.wp_reader_note(self._native, len(notes))) is not None:
            notes.append(note.decode("utf-8", "replace"))
        return notes

    def close(self) -> None:
        """Twice is as good as once. A pipeline that reads from it goes on."""
        if self._handle is not None:
            self._take_back()
            self._handle = None

    def _take_back(self) -> None:
        if self._view is not None and not self._view.release():
            raise BufferError(LEFT_OVER)
        self._view = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self.close()
        except BufferError:
            if kind is None:
                raise


def open_reader(
    place: Place,
    split: str = "lines",
    *,
    records_per_block: int = 0,
    bytes_per_block: int = 0,
    record_size: int = 0,
    max_record: int = 0,
    max_window: int = 0,
    trailing: str = "error",
    delimiter: Optional[bytes] = None,
    bgzf_index: Optional[Path] = None,
    name: Optional[str] = None,
    pool: Optional[Pool] = None,
) -> Reader:
    """Opens a plain, gzip, BGZF or zstd file, told apart by content.

    ``place``: a path, a descriptor or an object with ``fileno()``; ``name`` then stands for the
    path in messages. ``split``: how blocks are cut: "lines" (or records that end with the byte
    ``delimiter``), "fastq", or "fixed" with ``record_size``. 0 means the default of a limit.
    ``trailing``: what bytes behind the last member or frame are: "error", "warn", "ignore".
    ``bgzf_index``: a .gzi index of the file, for ``seek``.
    ``pool``: its workers unpack ahead of the reads (BGZF blocks and zstd frames any of them); a
    pipeline that reads uses its own pool. What is read is the same.
    """
    native_pool = pool._handle if pool is not None else None
    if pool is not None and native_pool is None:
        raise _errors.InvalidState("the pool is closed")
    if delimiter is not None and len(delimiter) != 1:
        raise _errors.InvalidArgument("a delimiter is one byte")
    options = c.wp_reader_options(
        split=choice("split", split, _SPLITS),
        records_per_block=records_per_block,
        bytes_per_block=bytes_per_block,
        record_size=record_size,
        max_record=max_record,
        max_window=max_window,
        trailing=choice("trailing", trailing, _TRAILING),
        has_delimiter=delimiter is not None,
        delimiter=delimiter[0] if delimiter else 0,
        bgzf_index=_path(bgzf_index) if bgzf_index is not None else None,
        pool=native_pool.pointer if native_pool is not None else None,
    )
    handle = _open(
        place, name, byref(options), lib.wp_reader_open, lib.wp_reader_open_fd,
        lib.wp_reader_close, [native_pool],
    )
    return Reader(handle)


class WriterInfo(NamedTuple):
    """What was written."""

    compression: str
    bytes: int  #: given
    packed_bytes: int  #: of the file


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


@atexit.register
def _remove_unfinished() -> None:
    for writer in list(_writers):
        writer.close()


class Writer(_Stream):
    """Bytes to a file, which has its name only when it is complete.

    Made by ``open_writer``. A context manager: leaving it finishes the file; after an exception it
    removes it.
    """

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle, "writer")
        self._info: Optional[WriterInfo] = None
        _writers.add(self)

    def write(self, data: BytesLike) -> int:
        """Appends bytes; returns how many."""
        native = self._own
        buffer = Buffer(bytes_view(data))
        try:
            _errors.check(lib.wp_writer_write(native, buffer.address, buffer.size))
            return buffer.size
        finally:
            buffer.release()

    def finish(self) -> WriterInfo:
        """Completes the file, which gets its name now. After a pipeline: when its run has ended."""
        info = c.wp_writer_info()
        _errors.check(lib.wp_writer_finish(self._native, byref(info)))
        self._info = WriterInfo(_COMPRESSIONS[info.compression], info.bytes, info.packed_bytes)
        return self._info

    @property
    def info(self) -> Optional[WriterInfo]:
        """What ``finish`` returned."""
        return self._info

    def close(self) -> None:
        """Frees the writer; an output that is not finished is removed. Twice is as good as once."""
        self._handle = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            if kind is None and self._info is None and self._handle is not None:
                self.finish()
        finally:
            self.close()


def open_writer(
    place: Place,
    compression: str = "auto",
    *,
    level: Optional[int] = None,
    overwrite: bool = False,
    sync: bool = False,
    bgzf_index: Optional[Path] = None,
    zstd_seek_table: bool = False,
    name: Optional[str] = None,
) -> Writer:
    """Opens an output. ``compression``: "auto" (by suffix: .gz .bgz .zst .zstd), "plain", "gzip",
    "bgzf" or "zstd"; ``level``: gzip 0-9, zstd 1-22. ``sync``: it is on the disk before its name
    appears. ``bgzf_index``: path of an index of a gzip output, as ``bgzip --reindex`` makes it (.gzi);
    ``zstd_seek_table``: a zstd output ends with one.
    """
    options = c.wp_writer_options(
        compression=choice("compression", compression, _COMPRESSIONS),
        has_level=level is not None,
        level=level or 0,
        flags=(overwrite and c.WP_WRITER_OVERWRITE)
        | (sync and c.WP_WRITER_SYNC)
        | (zstd_seek_table and c.WP_WRITER_ZSTD_SEEK_TABLE),
        bgzf_index=_path(bgzf_index) if bgzf_index is not None else None,
    )
    handle = _open(
        place, name, byref(options), lib.wp_writer_open, lib.wp_writer_open_fd, lib.wp_writer_close
    )
    return Writer(handle)
