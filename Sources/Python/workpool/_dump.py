# SPDX-License-Identifier: MIT
"""What everybody is doing and waiting for, as text."""
from __future__ import annotations

from typing import Any, Callable

from . import _errors
from . import _library as c
from ._handles import Handle


def dump_of(write_dump: Callable[..., int], handle: Handle) -> str:
    """The lines that ``write_dump`` writes of a handle."""
    lines: list[bytes] = []

    def write(_context: Any, text: bytes, _size: int) -> int:
        lines.append(text)
        return 0

    _errors.check(write_dump(handle, c.wp_write_fn(write), None))
    return b"".join(lines).decode("utf-8", "replace")
