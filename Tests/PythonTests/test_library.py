# SPDX-License-Identifier: MIT
"""The declarations in _library.py beside the header, as the C compiler sees it."""
import ctypes
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import TOP, run_script
from workpool import _library as c

HEADER = (TOP / "include" / "workpool.h").read_text()


def structs():
    return {
        name: kind
        for name, kind in vars(c).items()
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and name.startswith("wp_")
    }


class Declarations(unittest.TestCase):
    def test_every_struct_of_the_header_is_declared(self):
        declared = re.findall(r"^typedef struct (wp_\w+) \{", HEADER, re.M)
        self.assertEqual(set(declared), set(structs()))

    @unittest.skipUnless(shutil.which("gcc"), "no C compiler")
    def test_sizes_and_offsets_are_those_of_c(self):
        lines = []
        for name, kind in structs().items():
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            for field, *_ in kind._fields_:
                where = f"offsetof({name}, {field})"
                size = f"sizeof((({name} *)0)->{field})"
                lines.append(f'printf("{name}.{field} %zu %zu\\n", {where}, {size});')
        head = "#include <stdio.h>\n#include <workpool.h>\nint main(void) {\n"
        program = head + "\n".join(lines) + "\n}\n"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "layout")
            subprocess.run(["gcc", "-x", "c", "-std=c99", f"-I{TOP}/include", "-", "-o", path],
                           input=program, text=True, check=True)
            printed = subprocess.run([path], capture_output=True, text=True, check=True).stdout
        mine = []
        for name, kind in structs().items():
            mine.append(f"{name} {ctypes.sizeof(kind)}")
            for field, *_ in kind._fields_:
                at = getattr(kind, field)
                mine.append(f"{name}.{field} {at.offset} {at.size}")
        self.assertEqual(mine, printed.splitlines())

    def test_every_function_of_the_header_is_declared(self):
        declared = set(re.findall(r"^WP_API .*?\b(wp_\w+)\(", HEADER, re.M))
        self.assertGreater(len(declared), 60)
        self.assertEqual(declared, set(c.FUNCTIONS))

    def test_functions_have_as_many_arguments_as_in_the_header(self):
        found = re.findall(r"^WP_API [^;]*?\b(wp_\w+)\(([^;]*)\);", HEADER, re.M)
        for name, arguments in found:
            arguments = arguments.strip()
            count = 0 if arguments == "void" else arguments.count(",") + 1
            self.assertEqual(count, len(c.FUNCTIONS[name]) - 1, name)

    def test_constants_are_those_of_the_header(self):
        found = dict(re.findall(r"^#define (WP_\w+) \(?(-?\d+)u?\)?", HEADER, re.M))
        mine = {name: value for name, value in vars(c).items() if name.startswith("WP_")}
        self.assertGreater(len(mine), 50)
        for name, value in mine.items():
            self.assertEqual(int(found[name]), value, name)

    def test_a_library_that_is_not_there_is_an_import_error_that_says_what_to_do(self):
        code, _, errors = run_script("""
            import os
            os.environ["WORKPOOL_LIBRARY"] = "/nowhere/libworkpool.so"
            import workpool
            """)
        self.assertEqual(code, 1)
        self.assertIn("ImportError: cannot load libworkpool (/nowhere/libworkpool.so", errors)
        self.assertIn("set WORKPOOL_LIBRARY", errors)

    def test_a_library_without_the_functions_is_an_import_error(self):
        code, _, errors = run_script("""
            import os
            os.environ["WORKPOOL_LIBRARY"] = "libc.so.6"
            import workpool
            """)
        self.assertEqual(code, 1)
        self.assertIn("it has no function wp_", errors)


if __name__ == "__main__":
    unittest.main()
