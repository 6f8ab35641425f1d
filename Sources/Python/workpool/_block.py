# SPDX-License-Identifier: MIT
"""Blocks: what callbacks work on, and what a pipeline gives as results."""
from __future__ import annotations

import ctypes
import enum
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Optional

from . import _errors
from . import _library as c
from ._library import lib
from ._memory import LEFT_OVER, Buffer, BytesLike, Loans, NativeMemory, View
from ._memory import bytes_view, release_after

if TYPE_CHECKING:
    from ._handles import Handle

# From here on lending memory, which costs a call back into Python, is cheaper than copying it.
_LEND_FROM = 65_536


class Answer(enum.Enum):
    """What a callback may return to say where its block, or the input, ends."""

    DROP = c.WP_STAGE_DROP
    STOP = c.WP_STAGE_STOP
    STOP_DROP = c.WP_STAGE_STOP_DROP
    END = c.WP_SOURCE_END


DROP = Answer.DROP  #: the block leaves here; its place in the order stays
STOP = Answer.STOP  #: the block goes on and is the last one
STOP_DROP = Answer.STOP_DROP  #: the block leaves here and none comes after it
END = Answer.END  #: from a source: there is no such block, the input is over


class Block:
    """A numbered payload on its way, valid inside the callback that gets it.

    ``number``: position in the input, or behind the last splitter, from 0. ``source_number``: the block
    of the input that it came from. ``worker`` and ``stage``: who works on it, and where (0 is the source).
    """

    __slots__ = (
        "number", "source_number", "worker", "stage",
        "_native", "_call", "_loans", "_data", "_meta", "_new",
    )

    def __init__(self, native: Any, call: Any, stage: int, loans: Loans) -> None:
        block = native.contents
        self.number: int = block.number
        self.source_number: int = block.source_number
        self.worker: int = call.contents.worker
        self.stage = stage
        self._native: Any = native
        self._call = call
        self._loans = loans
        self._data: Optional[View] = None
        self._meta: Optional[View] = None
        self._new: Optional[memoryview] = None

    # ----- for callbacks ------------------------------------------------------------------

    @property
    def data(self) -> memoryview:
        """The payload, where it lies. What is written into it stays, but payloads that belong to
        immutable objects are read-only: ``reserve`` makes room of the block's own. The view, and
        all made from it, must not be used after the callback.
        """
        if self._new is not None:
            return self._new
        if self._data is None:
            block = self._valid().contents
            address = block.data
            if not address:
                return memoryview(b"")
            self._data = View(address, block.size, self._loans.is_constant(address))
        return self._data.view

    @property
    def meta(self) -> memoryview:
        """Four integers (0 to 2**64 - 1) of yours that travel with the block; 0 at first."""
        if self._meta is None:
            address = ctypes.addressof(self._valid().contents) + c.wp_block.meta.offset
            self._meta = View(address, 32)
            self._meta.view = self._meta.view.cast("Q")
        return self._meta.view

    @property
    def size(self) -> int:
        """Bytes of payload. May be set, up to what ``reserve`` made."""
        return self._new.nbytes if self._new is not None else self._valid().contents.size

    @size.setter
    def size(self, size: int) -> None:
        self._settle(is_inside_callback=True)
        block = self._valid().contents
        if not 0 <= size <= block.capacity:
            raise ValueError(f"size must be 0 to {block.capacity}, which reserve can raise")
        block.size = size
        if self._data is not None:
            self._data.resize(size)

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    @property
    def weight(self) -> int:
        """Bytes that the block counts for ``max_bytes``; 0: its size. May be set."""
        return int(self._valid().contents.weight)

    @weight.setter
    def weight(self, weight: int) -> None:
        if not 0 <= weight < 2**64:
            raise ValueError(f"weight must not be negative, as {weight} is")
        self._valid().contents.weight = weight

    def set(self, data: BytesLike) -> None:
        """Replaces the payload; the same as returning ``data``. It must not change afterwards."""
        self._valid()
        self._new = bytes_view(data)

    def reserve(self, capacity: int) -> memoryview:
        """Makes room for ``capacity`` bytes, keeping the payload, and returns all of the room.
        Set ``size`` when it is filled. Earlier views of the block end.
        """
        native = self._valid()
        if capacity < 0:
            raise ValueError("capacity must not be negative")
        self._settle(is_inside_callback=True)
        self._drop_views()
        _errors.check(lib.wp_block_reserve(native, max(capacity, native.contents.size)))
        block = native.contents
        if not block.data:
            return memoryview(b"")
        self._data = View(block.data, block.capacity)
        room = self._data.view
        self._data.resize(block.size)
        return room

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled: long callbacks look at it now and then."""
        self._valid()
        return bool(lib.wp_token_is_cancelled(self._call.contents.token))

    def __repr__(self) -> str:
        return f"<workpool.Block {self.number}>"

    # ----- for the pipeline ---------------------------------------------------------------

    def _valid(self) -> Any:
        if self._native is None:
            raise ValueError("a block is only valid inside the callback that got it")
        return self._native

    def _drop_views(self) -> None:
        if self._data is not None:
            if not self._data.release():
                raise BufferError(LEFT_OVER)
            self._data = None

    def _settle(self, is_inside_callback: bool) -> None:
        """Makes the bytes given to ``set`` the payload; the memory of the old one goes."""
        new, self._new = self._new, None
        if new is None:
            return
        native = self._valid()
        block = native.contents
        if not new.nbytes:
            block.size = 0
            return
        buffer = Buffer(new)
        address, size = buffer.address, buffer.size
        assert address is not None
        start = block.data or 0
        is_own_memory = start <= address < start + block.capacity
        if size >= _LEND_FROM and not is_own_memory:
            if is_inside_callback:
                self._drop_views()
            key = self._loans.lend(buffer)
            status = lib.wp_block_set_data(native, address, size, self._loans.release, key)
            if status < 0:  # after an interrupt it stays lent, for it may be in use
                self._loans.take_back(key)
            _errors.check(status)
            return
        room = c_void_p()
        try:
            _errors.check(lib.wp_block_spare(native, size, byref(room)))
            ctypes.memmove(room, address, size)
        finally:
            buffer.release()
        del new
        if is_inside_callback:
            self._drop_views()
        _errors.check(lib.wp_block_commit_spare(native, size))

    def _take(self, answer: object, takes_payload: bool) -> int:
        """What the callback returned becomes what the library is told."""
        code: int = c.WP_STAGE_OK
        if isinstance(answer, Answer):
            code = answer.value
        elif answer is not None and takes_payload:
            try:
                self.set(answer)  # type: ignore[arg-type]
            except TypeError:
                raise TypeError(
                    "a callback returns None, a bytes-like object or DROP, STOP, STOP_DROP, END, "
                    f"not {type(answer).__name__}"
                ) from None
        if self._new is not None:
            self._settle(is_inside_callback=False)
        return code

    def _end(self) -> None:
        """After the callback: nothing must reach the memory any more."""
        for view in (self._data, self._meta):
            if view is not None and not view.release():
                raise BufferError(LEFT_OVER)
        self._native = self._data = self._meta = None

    def _fail(self, error: BaseException) -> int:
        native, self._native, self._new = self._valid(), None, None
        release_after(error, [view for view in (self._data, self._meta) if view is not None])
        self._data = self._meta = None
        code = error.code if isinstance(error, _errors.WorkpoolError) else c.WP_USER_CODE
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return int(lib.wp_block_fail(native, min(code, -1), text.encode("utf-8", "replace")))


class Place:
    """Where the library puts a result, and who gives it back: with the last reference to this. There
    before the result is, so that no interrupt can come in between.
    """

    __slots__ = ("native", "handle")

    def __init__(self, handle: Handle) -> None:
        self.native: Any = ctypes.POINTER(c.wp_block)()
        self.handle = handle

    def __del__(self) -> None:
        lib.wp_block_release(self.native)  # NULL if there is none


class _ResultMemory(NativeMemory):
    """The payload of a result, which lives as long as any view of it."""

    place: Place


class Result:
    """A block that has passed all stages.

    ``data`` can be used until the next result is read, or ``release``; slices of it for longer, but
    they keep the block's place in the pipeline.
    """

    __slots__ = ("number", "source_number", "meta", "_data")

    def __init__(self, place: Place) -> None:
        block = place.native.contents
        self.number: int = block.number
        self.source_number: int = block.source_number
        self.meta: tuple[int, ...] = tuple(block.meta)
        memory = _ResultMemory.from_address(block.data or ctypes.addressof(block))
        memory.place = place
        self._data = memoryview(memory).cast("B")[: block.size]

    @property
    def data(self) -> memoryview:
        """The payload, where it lies."""
        return self._data

    def release(self) -> None:
        """Gives the block's memory and place back."""
        try:
            self._data.release()
        except BufferError:  # an array still uses it, and gives it back when it goes
            self._data = memoryview(b"")

    def __len__(self) -> int:
        return len(self._data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __repr__(self) -> str:
        return f"<workpool.Result {self.number}>"
