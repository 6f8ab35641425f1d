# SPDX-License-Identifier: MIT
"""Native memory seen from Python, and Python's memory seen from the library; neither is copied."""
from __future__ import annotations

import ctypes
import itertools
import sys
import traceback
from ctypes import byref
from typing import Any, Optional, Union

from . import _library as c

BytesLike = Union[bytes, bytearray, memoryview]

LEFT_OVER = (
    "a view of the block's memory is still in use (a slice of .data, an array made from it); "
    "copy what must last, with bytes(...)"
)


class NativeMemory(ctypes.Array):  # type: ignore[type-arg]
    """Stands behind the views of native memory, and lives as long as any of them.

    Its length is no one's: views are cut from it, which is faster than a type for each length.
    """

    _type_ = ctypes.c_uint8
    _length_ = sys.maxsize


class View:
    """A memoryview of native memory that can be taken back."""

    __slots__ = ("_memory", "view")

    def __init__(self, address: int, size: int, readonly: bool = False) -> None:
        self._memory = NativeMemory.from_address(address)
        self.view = memoryview(self._memory).cast("B")[:size]
        if readonly:
            self.view = self.view.toreadonly()

    def resize(self, size: int) -> None:
        self.view = memoryview(self._memory).cast("B")[:size]

    def release(self) -> bool:
        """Makes the view unusable; False if others, made from it, still reach the memory."""
        try:
            self.view.release()
        except BufferError:
            return False
        return sys.getrefcount(self._memory) == 2


def release_after(error: BaseException, views: list[View]) -> None:
    """As View.release, after a failure: its traceback keeps variables of frames that have ended."""
    if not all([view.release() for view in views]):
        traceback.clear_frames(error.__traceback__)
        for view in views:
            view.release()


def bytes_view(data: Any) -> memoryview:
    """A bytes-like object as a flat view of bytes."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__}") from None
    return view.cast("B") if view.nbytes else memoryview(b"")


class Buffer:
    """The memory of a bytes-like object, which can neither move nor go until ``release``."""

    __slots__ = ("_buffer",)

    def __init__(self, data: memoryview) -> None:
        self._buffer = c.Py_buffer()
        c.get_buffer(data, byref(self._buffer), 0)

    @property
    def address(self) -> Optional[int]:
        address: Optional[int] = self._buffer.buf
        return address

    @property
    def size(self) -> int:
        return int(self._buffer.len)

    @property
    def readonly(self) -> bool:
        return bool(self._buffer.readonly)

    def release(self) -> None:
        c.release_buffer(byref(self._buffer))

    __del__ = release  # twice is as good as once


class Loans:
    """Buffers that the library has borrowed, until it calls ``release``."""

    def __init__(self) -> None:
        self._lent: dict[int, Buffer] = {}
        self._constant: dict[int, int] = {}  # addresses that must not be written: how often lent
        self._next = itertools.count(1).__next__
        self.release = c.wp_release_fn(self._release)

    def lend(self, buffer: Buffer) -> int:
        """Returns the release context that goes with ``self.release``."""
        key = self._next()
        if buffer.readonly and buffer.address is not None:
            self._constant[buffer.address] = self._constant.get(buffer.address, 0) + 1
        self._lent[key] = buffer
        return key

    def take_back(self, key: int) -> None:
        buffer = self._lent.pop(key)
        address = buffer.address
        if buffer.readonly and address is not None:
            self._constant[address] -= 1
            if not self._constant[address]:
                del self._constant[address]
        buffer.release()

    def is_constant(self, address: int) -> bool:
        return address in self._constant

    def __len__(self) -> int:
        return len(self._lent)

    def _release(self, key: int, _data: int, _size: int, _reason: int) -> None:
        self.take_back(key)
