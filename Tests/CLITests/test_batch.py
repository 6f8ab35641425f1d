# SPDX-License-Identifier: MIT
"""`wpool batch`: items dealt out to worker processes that may crash."""

import json
import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from support import PROJECT, TIMEOUT, WPOOL, Case, environment

WORKER = """
import os, signal, sys, time
sys.path.insert(0, {package!r})
from _worker import FatalError, Skip, TransientError, WorkerError, worker_main

def work(item, task):
{body}

worker_main(work)
"""


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class BatchTests(Case):
    def worker(self, *lines):
        body = "\n".join("    " + line for line in lines)
        package = str(PROJECT / "Sources/Python/workpool")
        return self.write("worker.py", WORKER.format(package=package, body=body).encode())

    def batch(self, worker, items, *options, code=0, **more):
        text = "".join(json.dumps(item) + "\n" for item in items).encode()
        ended = self.wpool("batch", *options, "--", sys.executable, worker, stdin=text, **more)
        self.assertEqual(ended.code, code, ended)
        results = [json.loads(line) for line in ended.out.splitlines()]
        self.assertEqual([result["item"] for result in results], list(range(len(items))))
        return results, ended.err

    def test_results_come_in_input_order_whatever_the_workers(self):
        worker = self.worker("return [item * 2, task.index, task.attempt]")
        outputs = set()
        for workers in (1, 2, 8):
            results, err = self.batch(
                worker, list(range(100)), "--workers", workers, "--batch-size", 7)
            self.assertEqual([r["data"] for r in results], [[2 * i, i, 1] for i in range(100)])
            self.assertIn("ok 100, skipped 0, failed 0, cancelled 0", err)
            outputs.add(json.dumps(results))
        self.assertEqual(len(outputs), 1)

    def test_j23_lost_workers_lose_no_item(self):
        once = self.path("killed")
        worker = self.worker(
            f"if item == 60 and not os.path.exists({once!r}):",
            f"    open({once!r}, 'w').close()",
            "    os.kill(os.getpid(), signal.SIGKILL)",
            "if item == 130 and task.attempt == 1:",
            "    os._exit(0)",
            "return item")
        results, err = self.batch(worker, list(range(200)), "--workers", 3, "--batch-size", 10)
        self.assertEqual([r["data"] for r in results], list(range(200)))
        self.assertEqual([r["item"] for r in results if r["crashes"]], [60, 130])
        self.assertIn("is lost: signal 9, at item 60", err)
        self.assertIn("is lost: exit 0, at item 130", err)

    def test_j24_an_item_that_kills_its_workers_is_named_and_the_others_are_fine(self):
        worker = self.worker(
            "if item == 42:",
            "    os.kill(os.getpid(), signal.SIGKILL if task.attempt < 3 else signal.SIGABRT)",
            "return item")
        results, err = self.batch(
            worker, list(range(200)), "--workers", 2, "--batch-size", 10, code=1)
        bad = results.pop(42)
        self.assertEqual((bad["state"], bad["reason"]), ("FAILED", "poison"))
        self.assertEqual(bad["error"], "3 workers lost: signal 9, signal 9, signal 6")
        self.assertEqual((bad["attempts"], bad["crashes"]), (3, 3))
        self.assertTrue(all(r["state"] == "COMPLETED" and not r["crashes"] for r in results))
        self.assertEqual(err.count("is lost"), 3)

    def test_j24_a_worker_that_never_starts_is_an_error_after_three(self):
        ended = self.wpool("batch", "--", "/no/such/program", stdin=b"1\n2\n")
        self.assertEqual(ended.code, 3, ended)
        self.assertIn("3 workers in a row did not start: ", ended.err)
        self.assertIn("/no/such/program", ended.err)
        results = [json.loads(line) for line in ended.out.splitlines()]
        self.assertEqual([(r["state"], r["reason"]) for r in results], [("FAILED", "crashed")] * 2)
        ended = self.wpool("batch", "--", "false", stdin=b"1\n")
        self.assertEqual(ended.code, 3, ended)
        self.assertIn("it ended before it was ready: exit 1", ended.err)

    def test_j24_no_items_start_no_process(self):
        marker = self.path("started")
        ended = self.wpool("batch", "--", "touch", marker, stdin=b"\n  \n")
        self.assertEqual((ended.code, ended.out), (0, b""), ended)
        self.assertFalse(os.path.exists(marker))

    def test_classes_of_failures(self):
        worker = self.worker(
            "if item == 'bad': raise ValueError('no')",
            "if item == 'busy' and task.attempt < 3: raise TransientError('later')",
            "if item == 'sick' and task.attempt == 1: raise WorkerError('confused')",
            "if item == 'old': raise Skip({'kept': 1})",
            "task.phase('end')",
            "return item")
        items = ["bad", "busy", "sick", "old", "good"]
        results, _ = self.batch(worker, items, "--workers", 1, "--retries", 2, code=1)
        bad, busy, sick, old, good = results
        self.assertEqual((bad["state"], bad["error"]), ("FAILED", "ValueError: no"))
        self.assertEqual((busy["state"], busy["attempts"]), ("COMPLETED", 3))
        self.assertEqual((sick["state"], sick["crashes"]), ("COMPLETED", 1))
        self.assertEqual((old["state"], old["data"]), ("SKIPPED", {"kept": 1}))
        self.assertEqual((good["data"], good["phase"]), ("good", "end"))
        results, err = self.batch(
            self.worker("if item == 3: raise FatalError('disk gone')", "return item"),
            list(range(9)), "--workers", 1, "--batch-size", 2, code=1)
        self.assertEqual([r["state"] for r in results[:4]], ["COMPLETED"] * 3 + ["FAILED"])
        self.assertEqual({r["state"] for r in results[4:]}, {"CANCELLED"})
        self.assertIn("disk gone", err)

    def test_limits(self):
        worker = self.worker("if item == 'slow': time.sleep(600)", "return item")
        results, _ = self.batch(
            worker, ["a", "slow", "b"], "--workers", 1, "--item-timeout", "300ms",
            "--max-crashes", 0, code=1)
        self.assertEqual([r["state"] for r in results], ["COMPLETED", "FAILED", "COMPLETED"])
        self.assertEqual(results[1]["error"], "1 workers lost: item timeout")

    def test_workers_are_replaced_by_number_of_items_and_memory(self):
        worker = self.worker("return os.getpid()")
        results, _ = self.batch(
            worker, list(range(12)), "--workers", 1, "--max-items-per-worker", 4)
        processes = [r["data"] for r in results]
        self.assertEqual(len(set(processes)), 3)
        self.assertEqual(processes, [p for p in dict.fromkeys(processes) for _ in range(4)])
        self.assertFalse(any(r["crashes"] for r in results))
        greedy = self.worker(
            "if item == 1: work.kept = bytearray(80 << 20)", "return os.getpid()")
        results, _ = self.batch(
            greedy, list(range(4)), "--workers", 1, "--max-worker-memory", "64M")
        self.assertEqual(len({r["data"] for r in results}), 2)
        self.assertFalse(any(r["crashes"] for r in results))

    def test_numbers_and_texts_arrive_as_they_are(self):
        worker = self.worker("return item")
        items = ["ü\u0000\n\"\\", 18446744073709551615, 0.1, None, {"a": [1, {}]}, []]
        results, _ = self.batch(worker, items)
        self.assertEqual([r.get("data") for r in results], items)
        ended = self.wpool(
            "batch", "--lines", "--", sys.executable, worker, stdin='a "b"\n\nü'.encode())
        self.assertEqual(
            [json.loads(line)["data"] for line in ended.out.splitlines()], ['a "b"', "", "ü"])

    def test_bad_input_is_refused_before_anything_runs(self):
        marker = self.path("started")
        for text, says in [
            (b'1\n{"a":}\n', "standard input: line 2, byte 6: "),
            (b"1 2\n", "standard input: line 1, byte 3: something follows the value"),
            (b'"\xff"\n', "line 1"),
        ]:
            self.fails(2, "batch", "--", "touch", marker, stdin=text, says=says)
        self.fails(2, "batch", says="needs the command", stdin=b"1\n")
        self.fails(2, "batch", "--workers", "0", "--", "true", says="--workers")
        self.fails(
            2, "batch", "--", "true", says="WPOOL_WORKERS: 'abc'",
            env=environment(WPOOL_WORKERS="abc"))
        self.assertFalse(os.path.exists(marker))

    def test_interrupted_it_cancels_the_rest_and_leaves_no_process(self):
        pids = self.path("pids")

        def started():
            return Path(pids).read_text().split() if os.path.exists(pids) else []

        worker = self.worker(
            f"open({pids!r}, 'a').write(str(os.getpid()) + '\\n')",
            "if item >= 2: time.sleep(600)",
            "return item")
        child = subprocess.Popen(
            [WPOOL, "batch", "--workers", "2", "--batch-size", "1", "--", sys.executable, worker],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment())
        child.stdin.write(b"0\n1\n2\n3\n4\n")
        child.stdin.close()
        child.stdin = None
        self.wait_for(lambda: len(started()) >= 4)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 130, err)
        results = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(
            [r["state"] for r in results], ["COMPLETED"] * 2 + ["CANCELLED"] * 3)
        self.assertIn(b"SIGINT", err)
        for process in set(started()):
            self.assertFalse(is_alive(int(process)), process)

    def test_each_attempt_of_an_item_has_a_log_with_the_pid_of_its_worker(self):
        worker = self.worker(
            "task.phase('load')",
            "task.log('two\\nlines', level='warning', phase='look', data={'a': [1, task.attempt]})",
            "if item == 1 and task.attempt == 1: os.kill(os.getpid(), 9)",
            "if item == 2: raise ValueError('bad item')",
            "return os.getpid()")
        results, _ = self.batch(worker, [0, 1, 2], "--workers", "1", "--item-logs", "a/logs", code=1)
        logs = {path.name: path.read_text().splitlines() for path in (self.folder / "a/logs").iterdir()}
        self.assertEqual(sorted(logs), ["0.1.log", "1.1.log", "1.2.log", "2.1.log"])
        words = {name: [line.split("] ", 1)[1] for line in lines] for name, lines in logs.items()}
        self.assertTrue(all(line.startswith("[20") and "Z] [" in line[:32] for lines in logs.values() for line in lines))
        pid = results[0]["data"]
        self.assertEqual(words["0.1.log"], [
            f'[INFO] started {{"pid":{pid}}}', f'[INFO] [load] started {{"pid":{pid}}}',
            f'[WARNING] [look] two lines {{"pid":{pid},"data":{{"a":[1,1]}}}}', f'[INFO] completed {{"pid":{pid}}}'])
        self.assertIn("[ERROR] the worker is lost: signal 9", words["1.1.log"][-1])
        self.assertIn(f'[INFO] completed {{"pid":{results[1]["data"]}}}', words["1.2.log"][-1])
        self.assertIn('[ERROR] failed: ValueError: bad item', words["2.1.log"][-1])

    def test_a_log_that_cannot_be_written_ends_the_run(self):
        worker = self.worker("return item")
        self.write("file", b"")
        ended = self.wpool(
            "batch", "--item-logs", "file/logs", "--", sys.executable, worker, stdin=b"1\n")
        self.assertEqual((ended.code, ended.out), (2, b""))
        self.assertIn("file/logs: cannot create: Not a directory", ended.err)
        ended = self.wpool("batch", "--item-logs", "file", "--", sys.executable, worker, stdin=b"1\n2\n")
        self.assertEqual(ended.code, 3)
        self.assertEqual(ended.err.count("file/0.1.log: cannot create: Not a directory"), 1)

    def test_ctrl_z_stops_the_workers_too(self):
        worker = self.worker(
            "open('new', 'w').write(str(os.getpid())); os.rename('new', 'pid')",
            "while not os.path.exists('go'): time.sleep(0.01)",
            "return item")
        child = subprocess.Popen(
            [WPOOL, "batch", "--workers", "1", "--", sys.executable, worker], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=self.folder)
        self.addCleanup(child.kill)
        child.stdin.write(b"7\n")
        child.stdin.close()
        child.stdin = None
        self.wait_for(lambda: (self.folder / "pid").exists())
        state = Path("/proc", (self.folder / "pid").read_text(), "stat")
        child.send_signal(signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1]))
        self.wait_for(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        (self.folder / "go").touch()
        child.send_signal(signal.SIGCONT)
        out, _ = child.communicate(timeout=TIMEOUT)
        self.assertEqual((child.returncode, json.loads(out)["data"]), (0, 7))


if __name__ == "__main__":
    unittest.main()
