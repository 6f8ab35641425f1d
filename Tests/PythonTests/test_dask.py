# SPDX-License-Identifier: MIT
"""Shards on a Dask cluster; skipped where `distributed` is not installed."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import workpool
from support import SECONDS, TOP

try:
    import dask
    import distributed
except ImportError:
    distributed = None


class WithoutDask(unittest.TestCase):
    def test_the_module_says_what_is_missing(self):
        program = (
            "import sys; sys.modules['distributed'] = None\n"
            "try:\n    import workpool.dask\nexcept ImportError as error:\n    print(error)")
        printed = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True,
            timeout=SECONDS, env={**os.environ, "PYTHONPATH": str(TOP / "Sources/Python")}).stdout
        self.assertIn("pip install distributed", printed)


# They run in other processes, which find them by value.
def square(number):
    return number * number


def square_unless_seven(number):
    if number == 7:
        raise ValueError("seven")
    return number * number


def kill_at_seven(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def kill_once(item):
    number, marker = item
    if number == 3 and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def write_lines(numbers, path):
    with workpool.open(path, "wb") as file:
        for number in numbers:
            file.write(b"line %d\n" % number)


def endless(started, token):
    """A pipeline that only its token ends."""
    open(started, "w").close()
    with workpool.Pool(1) as pool, workpool.Pipeline(pool, token=token) as pipeline:
        pipeline.source(lambda block: b"x").sink(lambda block: time.sleep(0.001)).run()


@unittest.skipIf(distributed is None, "distributed is not installed")
class DaskTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import cloudpickle
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        dask.config.set({"distributed.scheduler.allowed-failures": 1})
        cls.cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
        cls.client = distributed.Client(cls.cluster)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.cluster.close()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.client.wait_for_workers(2, timeout=SECONDS)  # those that were killed come back

    def map(self, *arguments, **options):
        from workpool.dask import map_shards
        return map_shards(self.client, *arguments, **options)

    def test_results_are_the_same_for_any_number_of_shards(self):
        expected = [number * number for number in range(23)]
        for shards in (1, 2, 5, 23, 100, None):
            self.assertEqual(self.map(square, range(23), shards=shards), expected)
        self.assertEqual(self.map(square, []), [])
        self.assertRaises(ValueError, self.map, square, [1], shards=0)

    def test_outputs_of_shards_make_the_whole(self):
        whole = b"".join(b"line %d\n" % number for number in range(50))
        for shards in (1, 3):
            folder = self.folder / str(shards)
            folder.mkdir()
            paths = self.map(write_lines, range(50), shards=shards, output=f"{folder}/part-{{shard}}.gz")
            self.assertEqual(paths, [f"{folder}/part-{shard}.gz" for shard in range(shards)])
            read = b"".join(workpool.open(path, "rb").read() for path in paths)
            self.assertEqual(read, whole)
            self.assertEqual(sorted(os.listdir(folder)), [f"part-{n}.gz" for n in range(shards)])
        self.assertRaises(ValueError, self.map, write_lines, [1], output="all.gz")

    def test_a_killed_worker_is_made_up_for(self):
        marker = str(self.folder / "killed")
        items = [(number, marker) for number in range(8)]
        self.assertEqual(self.map(kill_once, items, shards=4), list(range(8)))
        self.assertTrue(os.path.exists(marker))

    def test_failing_shards_are_named_and_the_others_delivered(self):
        from workpool.dask import ShardsFailed
        for function, kind in ((square_unless_seven, ValueError), (kill_at_seven, distributed.KilledWorker)):
            with self.assertRaises(ShardsFailed) as caught:
                self.map(function, range(12), shards=6, retries=0)
            self.assertEqual(len(caught.exception.failures), 1, caught.exception)
            (failure,) = caught.exception.failures
            self.assertEqual((failure.shard.index, failure.shard.start), (3, 6))
            self.assertIsInstance(failure.error, kind)
            self.assertIn("shard 3 (inputs 6 to 7)", str(caught.exception))
            self.assertEqual(
                caught.exception.results,
                [None if number in (6, 7) else number * number for number in range(12)])

    def test_an_interrupt_cancels_the_pipelines_on_the_workers(self):
        started = [str(self.folder / name) for name in ("a", "b")]
        for path in started:
            os.mkfifo(path)

        def interrupt():
            for path in started:
                open(path).close()  # waits for the other end
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            self.map(endless, started, shards=2)
        thread.join()
        # The workers are free again: they would not be if a pipeline went on.
        self.assertEqual(self.map(square, [1, 2], shards=2), [1, 4])

    def test_progress_and_a_trace_of_all_workers(self):
        seen = []
        trace = self.folder / "trace.json"
        self.map(square, range(6), shards=3, trace=str(trace),
                 on_progress=lambda shard, done, of: seen.append((shard, done, of)))
        bars = [e for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == "X"]
        for shard, done, of in seen:
            self.assertTrue(0 <= shard < 3 and 1 <= done <= of == 2)
        self.assertEqual(len({bar["name"] for bar in bars}), len(bars))
        self.assertTrue(all(bar["dur"] >= 0 for bar in bars))


if __name__ == "__main__":
    unittest.main()
