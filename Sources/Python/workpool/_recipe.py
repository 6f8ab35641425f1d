# SPDX-License-Identifier: MIT
"""FASTQ files through the built-in steps."""
from __future__ import annotations

import json
import os
from ctypes import byref, c_char_p
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence, Union

from . import _errors
from . import _library as c
from ._handles import Handle
from ._library import lib
from ._pool import Pool, Token
from ._streams import _COMPRESSIONS, choice

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class StepInfo(NamedTuple):
    """A step of the catalogue."""

    name: str
    summary: str
    keys: str  #: such as "n: int, segment: segment"


def steps() -> list[StepInfo]:
    """The steps that this build has."""
    found: list[StepInfo] = []
    while True:
        texts = [c_char_p() for _ in range(3)]
        status = lib.wp_step_info(len(found), *(byref(text) for text in texts))
        if _errors.check(status) == c.WP_END:
            return found
        found.append(StepInfo(*((text.value or b"").decode() for text in texts)))


class Step:
    """A step with its keys: ``Step("CutStart", n=5)``. A key that is a word of Python gets a ``_``
    behind it: ``Step("ConvertQuality", from_="solexa", to="sanger")``.
    """

    def __init__(self, name: str, /, **keys: Any) -> None:
        self.name = name
        self.keys = {key.rstrip("_"): value for key, value in keys.items()}

    def __str__(self) -> str:
        """As it is written on the command line."""
        keys = (f"{key}={_value(value)}" for key, value in self.keys.items())
        return " ".join([self.name, *keys])

    def __repr__(self) -> str:
        return f"Step({str(self)!r})"


def _value(value: Any) -> str:
    """As TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + "}"
    raise TypeError(f"the value of a key is text, a number, a bool, a list or a dict, not {value!r}")


def _param(key: str, value: Any) -> c.wp_param:
    """A key with the type that the value has."""
    param = c.wp_param(key=key.encode())
    if isinstance(value, bool):
        param.type, param.integer = c.WP_PARAM_BOOL, value
    elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        param.type, param.integer = c.WP_PARAM_INT, value
    elif isinstance(value, float):
        param.type, param.number = c.WP_PARAM_DOUBLE, value
    elif isinstance(value, str) and "\0" not in value:
        param.type, param.text = c.WP_PARAM_TEXT, value.encode()
    else:
        param.type, param.text = c.WP_PARAM_TOML, _value(value).encode()
    return param


class Report(NamedTuple):
    """What a run did. Reads are counted as molecules: one record of each segment is one read."""

    status: str  #: "ok", or "stopped" if a step such as Head ended the input
    wall_ns: int
    reads_in: int
    reads_out: int
    bases_in: int
    bases_out: int


class Recipe:
    """Steps for reads of one or more segments.

    ``segments``: how many, or their names (reads then have them in the order of the names).
    ``interleaved``: all segments come from one file. ``steps``: Step, or text as on the command
    line, such as "Head n=10". ``barcodes``: sections that Demultiplex and HammingCorrect name, such
    as ``{"samples": {"ACGT": "one", "TTNN": "two"}}``. ``prefix``: how the names of the files of
    steps begin, and those of outputs where ``run`` is given none. Raises InvalidArgument with all that is wrong, a line each.
    """

    def __init__(
        self,
        segments: Union[int, Sequence[str]] = 1,
        steps: Iterable[Union[str, Step]] = (),
        *,
        interleaved: bool = False,
        barcodes: Optional[Mapping[str, Mapping[str, str]]] = None,
        prefix: Optional[Path] = None,
    ) -> None:
        count = segments if isinstance(segments, int) else len(segments)
        names = None
        if not isinstance(segments, int):
            names = (c_char_p * count)(*(name.encode() for name in segments))
        self._handle = Handle(
            lib.wp_recipe_create, (names, max(count, 0), interleaved), lib.wp_recipe_destroy
        )
        for step in steps:
            self._add(step)
        for section, streams in (barcodes or {}).items():
            for barcode, stream in streams.items():
                _errors.check(lib.wp_recipe_add_barcode(
                    self._handle, section.encode(), barcode.encode(), stream.encode()))
        if prefix is not None:
            _errors.check(lib.wp_recipe_set_prefix(self._handle, os.fsencode(prefix)))
        _errors.check(lib.wp_recipe_check(self._handle))

    def _add(self, step: Union[str, Step]) -> None:
        if isinstance(step, str):
            _errors.check(lib.wp_recipe_add(self._handle, step.encode()))
            return
        params = [_param(key, value) for key, value in step.keys.items()]
        _errors.check(lib.wp_recipe_add_step(
            self._handle, step.name.encode(), (c.wp_param * len(params))(*params), len(params)))

    def run(
        self,
        pool: Optional[Pool],
        inputs: Union[Path, Sequence[Path]],
        outputs: Union[Path, Sequence[Path]] = (),
        *,
        progress: Optional[Callable[[int, int], object]] = None,
        token: Optional[Token] = None,
        overwrite: bool = False,
        compression: str = "auto",
        level: Optional[int] = None,
        records_per_block: int = 0,
        limit: int = 0,
        serial: bool = False,
    ) -> Report:
        """Reads ``inputs`` (one path per segment, or one if interleaved), writes ``outputs`` (one
        path, or one per segment; none for a recipe with a prefix, which writes PREFIX_SEGMENT.fq,
        with a Demultiplex PREFIX_STREAM_SEGMENT.fq, and PREFIX.json of Report steps). Outputs appear only when all went well.

        ``progress(reads, bytes)`` is called on this thread about ten times a second and at the end;
        what it raises, as well as Ctrl-C, cancels the run. Raises what readers, writers and steps
        raise, and Cancelled.
        """
        threads = pool._handle if pool is not None else None
        if pool is not None and threads is None:
            raise _errors.InvalidState("the pool is closed")
        own = Token(token)
        raised: list[BaseException] = []

        def on_progress(_context: Any, reads: int, size: int) -> None:
            # Python delivers signals here, on the main thread.
            try:
                if progress is not None and not raised:
                    progress(reads, size)
            except BaseException as error:
                raised.append(error)
                own.cancel()

        hook = c.progress_hook(on_progress)
        options = c.wp_run_options(
            flags=(serial and c.WP_RUN_SERIAL_REFERENCE) | (overwrite and c.WP_RUN_OVERWRITE),
            max_blocks_in_flight=limit,
            compression=choice("compression", compression, _COMPRESSIONS),
            records_per_block=records_per_block,
            has_level=level is not None,
            level=level or 0,
            token=own._handle.pointer,
            progress=hook,
        )
        report = c.wp_run_report()
        status = lib.wp_recipe_run(
            self._handle, threads,
            *_paths(inputs), *_paths(outputs),
            byref(options), byref(report),
        )
        if raised:
            raise raised[0]
        status = _errors.check(status)
        return Report(
            "stopped" if status == c.WP_STOPPED else "ok",
            *(getattr(report, field) for field in Report._fields[1:]),
        )


def _paths(given: Union[Path, Sequence[Path]]) -> tuple[Any, int]:
    paths = [given] if isinstance(given, (str, bytes, os.PathLike)) else list(given)
    encoded = [os.fsencode(path) for path in paths]
    if any(b"\0" in path for path in encoded):
        raise _errors.InvalidArgument("a path cannot contain NUL")
    return (c_char_p * len(encoded))(*encoded), len(encoded)
