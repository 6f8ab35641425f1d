# SPDX-License-Identifier: MIT
"""Native objects, destroyed when the last Python object that needs them goes."""
from __future__ import annotations

import os
import sys
from ctypes import byref, c_void_p
from typing import Any, Callable, Optional

from . import _errors
from . import _library as c
from ._library import lib

Destroy = Callable[[Optional[int]], Optional[int]]

# What could not be destroyed where it was given up: a pool in one of its own workers, for example.
_left_over: list[tuple[Optional[int], Destroy, tuple[Any, ...]]] = []


def destroy_left_over() -> None:
    if lib.wp_worker_index() >= 0:
        return
    for _ in range(len(_left_over)):
        pointer, destroy, keeps = _left_over.pop(0)
        if destroy(pointer) == c.WP_BUSY:
            _left_over.append((pointer, destroy, keeps))


class Handle:
    """Owns a native object, which ``create(*arguments, &out)`` makes. ``keeps`` is what the native side
    uses: other handles, callbacks.

    It is there before the object is, so that no interrupt can come in between. It is passed to the
    library as it is, so that it lives as long as the call: another thread may give it up meanwhile.

    ``cancel`` makes it end soon; it is called first where destroying has to wait for another time.
    """

    __slots__ = ("_as_parameter_", "destroy", "cancel", "keeps", "process", "__weakref__")

    def __init__(
        self,
        create: Callable[..., int],
        arguments: tuple[Any, ...],
        destroy: Destroy,
        *keeps: Any,
        cancel: Optional[Destroy] = None,
    ) -> None:
        self._as_parameter_ = c_void_p()
        self.destroy = destroy
        self.cancel = cancel
        self.keeps = keeps
        self.process = os.getpid()
        destroy_left_over()
        _errors.check(create(*arguments, byref(self._as_parameter_)))

    @property
    def pointer(self) -> Optional[int]:
        return self._as_parameter_.value

    def __del__(self) -> None:
        if self.pointer is None:  # it could not be made
            return
        # While the interpreter ends no callback can run; what a child inherited is the parent's.
        if sys.is_finalizing() or self.process != os.getpid():
            return
        # A worker that waited for others here, while they wait for it, would wait for ever.
        is_worker = lib.wp_worker_index() >= 0
        if is_worker and self.cancel is not None:
            self.cancel(self.pointer)
        if is_worker or self.destroy(self.pointer) == c.WP_BUSY:
            _left_over.append((self.pointer, self.destroy, self.keeps))
