# SPDX-License-Identifier: MIT
"""The package as it is handed out: the wheel, and the programs that its documentation shows."""
import base64
import gzip
import hashlib
import inspect
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zipfile

import workpool
from support import SECONDS, TOP
from workpool import _library

PACKAGE = TOP / "Sources" / "Python"


class Wheel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def make(self):
        printed = subprocess.run(
            [sys.executable, PACKAGE / "make_wheel.py", _library.lib._name, self.folder / "wheel"],
            check=True, capture_output=True, text=True, timeout=SECONDS).stdout
        return pathlib.Path(printed.strip())

    def test_the_wheel_carries_the_library_and_uses_it(self):
        zipfile.ZipFile(self.make()).extractall(self.folder / "site")
        environment = dict(os.environ, PYTHONPATH=str(self.folder / "site"))
        environment.pop("WORKPOOL_LIBRARY", None)
        program = "import workpool; print(workpool._library.lib._name); print(workpool.version())"
        printed = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=self.folder, check=True,
            capture_output=True, text=True, timeout=SECONDS).stdout
        expected = self.folder / "site" / "workpool" / "libworkpool.so.0"
        self.assertEqual(printed.splitlines(), [str(expected.resolve()), workpool.version()])

    def test_the_record_lists_every_file_with_its_hash(self):
        with zipfile.ZipFile(self.make()) as wheel:
            names = set(wheel.namelist())
            record = next(name for name in names if name.endswith("RECORD"))
            lines = wheel.read(record).decode().splitlines()
            listed = {line.split(",")[0]: line.split(",")[1:] for line in lines}
            self.assertEqual(set(listed), names)
            for name, (digest, size) in listed.items():
                if name != record:
                    content = wheel.read(name)
                    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
                    self.assertEqual(digest, "sha256=" + encoded.rstrip("="))
                    self.assertEqual(int(size), len(content))
        self.assertIn("workpool/py.typed", names)
        self.assertEqual({f"workpool/{p.name}" for p in (PACKAGE / "workpool").glob("*.py")},
                         {name for name in names if name.endswith(".py")})

    def test_the_same_files_make_the_same_wheel(self):
        first = self.make().read_bytes()
        self.assertEqual(first, self.make().read_bytes())

    def test_the_package_has_the_version_of_the_library(self):
        self.assertEqual(workpool.__version__, workpool.version())
        self.assertIn(f'version = "{workpool.version()}"', (PACKAGE / "pyproject.toml").read_text())


class Documentation(unittest.TestCase):
    def test_everything_public_is_listed_and_documented(self):
        for name in workpool.__all__:
            thing = getattr(workpool, name)
            if isinstance(thing, type) or callable(thing):
                self.assertTrue(thing.__doc__, name)
                self.assertFalse(thing.__doc__.startswith(f"{name}("), name)  # made up by Python

    def test_the_programs_that_the_documentation_shows_run(self):
        programs = []
        for path in (TOP / "README.md", PACKAGE / "README.md"):
            programs += re.findall(r"^```python\n(.*?)^```", path.read_text(), re.M | re.S)
        for text in (workpool.__doc__, inspect.getdoc(workpool.Pipeline)):
            indented = re.findall(r"(?:^    .*\n|^\n)+", text, re.M)
            programs += [textwrap.dedent(part) for part in indented if part.strip()]
        self.assertGreaterEqual(len(programs), 4)
        for program in programs:
            with tempfile.TemporaryDirectory() as folder:
                for name in ("in.txt.gz", "words.txt.gz"):
                    pathlib.Path(folder, name).write_bytes(gzip.compress(b"one\ntwo\n"))
                ended = subprocess.run(
                    [sys.executable, "-c", "import workpool\n" + program], cwd=folder,
                    env=dict(os.environ, PYTHONPATH=str(PACKAGE)), capture_output=True, text=True,
                    timeout=SECONDS)
                self.assertEqual((ended.returncode, ended.stderr), (0, ""), program)
                outputs = [p for p in pathlib.Path(folder).iterdir() if p.name[:2] in ("ou", "up")]
                if "open_writer" in program:
                    (path,) = outputs
                    self.assertEqual(gzip.decompress(path.read_bytes()), b"ONE\nTWO\n")
                else:
                    self.assertEqual(ended.stdout, "0 b'ONE'\n1 b'TWO'\n")


if __name__ == "__main__":
    unittest.main()
