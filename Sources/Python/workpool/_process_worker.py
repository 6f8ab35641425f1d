# SPDX-License-Identifier: MIT
"""The program of a worker process of a pool of jobs; see _process.py."""
from __future__ import annotations

import base64
import importlib
import json
import multiprocessing.spawn
import os
import pickle
import traceback
from typing import Any

from ._worker import worker_main


def _perform(task: dict[str, str]) -> dict[str, Any]:
    try:
        found: Any = importlib.import_module(task["module"])
        for part in task["name"].split("."):
            found = getattr(found, part)
        args, kwargs = pickle.loads(base64.b64decode(task["arguments"]))
        return {"value": base64.b64encode(pickle.dumps(found(*args, **kwargs))).decode()}
    except BaseException as error:
        try:
            kept = base64.b64encode(pickle.dumps(error)).decode()
            pickle.loads(base64.b64decode(kept))
        except Exception:
            kept = ""
        return {"error": kept, "text": traceback.format_exc()}


def _main() -> None:
    # Children of this process are no workers.
    settings = json.loads(os.environ.pop("WORKPOOL_PREPARATION"))
    multiprocessing.spawn.prepare(settings)
    worker_main(_perform)


if __name__ == "__main__":
    _main()
