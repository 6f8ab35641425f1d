# SPDX-License-Identifier: MIT
"""Splitters: callbacks that make any number of blocks of each one."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Optional, Sequence, Union

from . import _library as c
from ._block import END, STOP, Answer, Block
from ._memory import Buffer, BytesLike, Loans, View, bytes_view



class Output(NamedTuple):
    """A new block that a splitter yields, where the payload alone would not do."""

    data: BytesLike
    meta: Sequence[int] = ()  #: up to four integers, see ``Block.meta``
    weight: int = 0  #: bytes to count for ``max_bytes``; 0: those of ``data``


Made = Union[BytesLike, Output]
SplitFunction = Callable[[Block], Optional[Iterable[Made]]]
SplitFinish = Callable[[], Optional[Iterable[Made]]]


class Input(Block):
    """The block that is being split: to be read only. It is valid until its outputs are made."""

    __slots__ = ()

    @property
    def data(self) -> memoryview:
        """The payload, where it lies, read-only."""
        if self._data is None:
            block = self._valid().contents
            if not block.data:
                return memoryview(b"")
            self._data = View(block.data, block.size, readonly=True)
        return self._data.view

    @property
    def meta(self) -> memoryview:
        """The four integers of the block, read-only."""
        return super().meta.toreadonly()

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return int(self._valid().contents.size)

    @property
    def weight(self) -> int:
        """Bytes that the block counts for ``max_bytes``; 0: its size."""
        return int(self._valid().contents.weight)

    def set(self, data: BytesLike) -> None:
        raise TypeError("a block that is being split is read-only")

    def reserve(self, capacity: int) -> memoryview:
        raise TypeError("a block that is being split is read-only")


class Splitter:
    """Where a splitter is: in which input, and what is still to come of it.

    ``run`` tells one run from the next. Its calls come one after the other, on any worker.
    """

    def __init__(
        self, function: SplitFunction, finish: Optional[SplitFinish], index: int, loans: Loans
    ) -> None:
        self._function = function
        self._finish = finish
        self._index = index
        self._loans = loans
        self._key: object = None
        self._input: Optional[Input] = None
        self._outputs: Iterator[Any] = iter(())
        self.number = 0  # of the input; behind the last one in the call after it

    def step(self, native: Any, call: Any, run: int) -> int:
        """Fills a block with what comes next, and says what the library is to be told."""
        # A pointer of our own: the field belongs to the worker, and the next call may be another's.
        field = call.contents.input
        source = ctypes.pointer(field.contents) if field else None
        key = (run, source.contents.number if source else None)
        if key != self._key:
            self._begin(source, call, key, run)
        elif self._input is not None:
            self._input._call = call
        output = Block(native, call, self._index, self._loans)
        item = next(self._outputs, END)
        if item is END:
            self._end()
            return c.WP_STAGE_DROP
        if item is STOP:
            return c.WP_STAGE_STOP_DROP
        if isinstance(item, Answer):
            raise TypeError(f"a splitter yields bytes-like objects or STOP, not {item}")
        if isinstance(item, Output):
            for index, word in enumerate(item.meta):
                output.meta[index] = word
            output.weight = item.weight
            item = item.data
        output._take(self._own(item), True)
        output._end()
        return c.WP_STAGE_MORE

    def fail(self, native: Any, call: Any, error: BaseException) -> int:
        """The input has failed: what else would have come of it does not."""
        self._abandon()
        return Block(native, call, self._index, self._loans)._fail(error)

    def _begin(self, source: Any, call: Any, key: object, run: int) -> None:
        self._abandon()
        if self._key is None or self._key[0] != run:  # type: ignore[index]
            self.number = 0
        self._key = key
        if source:
            self.number = source.contents.number
            self._input = Input(source, call, self._index, self._loans)
            made = self._function(self._input)
        else:
            made = self._finish() if self._finish is not None else None
        if made is None:
            made = ()
        if isinstance(made, (bytes, bytearray, memoryview, str, Output)):
            raise TypeError(
                "a splitter yields bytes-like objects, or returns a list of them, "
                f"not {type(made).__name__}"
            )
        self._outputs = iter(made)

    def _own(self, item: Any) -> Any:
        """What lies in the memory of the input goes with it, so it is copied."""
        if self._input is None:
            return item
        view = bytes_view(item)
        block = self._input._valid().contents
        if not view.nbytes or not block.data:
            return item
        buffer = Buffer(view)
        address = buffer.address
        buffer.release()
        assert address is not None
        return bytes(view) if block.data <= address < block.data + block.capacity else item

    def _end(self) -> None:
        """All outputs are made: nothing must reach the memory of the input any more."""
        self._outputs = iter(())
        if self._input is not None:
            self._input._end()
            self._input = None
        self.number += 1

    def _abandon(self) -> None:
        """The input went before all of it was asked for."""
        block, self._input = self._input, None
        outputs, self._outputs = self._outputs, iter(())
        if block is not None:
            for view in (block._data, block._meta):
                if view is not None:
                    view.release()
            block._native = block._data = block._meta = None
        close = getattr(outputs, "close", None)
        if close is not None:
            close()
