# SPDX-License-Identifier: MIT
"""The declarations in _library.py beside the header, as the C compiler sees it, and the library."""
import ctypes
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
from ctypes import byref, c_void_p, sizeof

import header
from support import TOP, run_script
from workpool import _library as c
from workpool._library import lib


def structs():
    return {
        name: kind
        for name, kind in vars(c).items()
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and name.startswith("wp_")
    }


def constants():
    return {name: value for name, value in vars(c).items() if name.startswith("WP_")}


def as_c_has_it():
    """What the C compiler makes of the header: {name: size, offset or value}."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "layout")
        subprocess.run(["gcc", "-x", "c", "-std=c99", f"-I{TOP}/include", "-", "-o", path],
                       input=header.c_program(), text=True, check=True)
        printed = subprocess.run([path], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in map(str.split, printed.splitlines())}


class Declarations(unittest.TestCase):
    def test_the_header_is_understood(self):
        self.assertGreater(len(header.structs()), 15)
        self.assertGreater(len(header.functions()), 60)
        self.assertGreater(len(header.constants()), 60)
        self.assertEqual(len(re.findall("^WP_API ", header.TEXT, re.M)), len(header.functions()))
        self.assertEqual(len(re.findall(r"^typedef struct \w+ \{", header.TEXT, re.M)),
                         len(header.structs()))

    @unittest.skipUnless(shutil.which("gcc"), "no C compiler")
    def test_sizes_offsets_and_constants_are_those_of_c(self):
        mine = dict(constants())
        for name, kind in structs().items():
            mine[name] = sizeof(kind)
            for field, *_ in kind._fields_:
                at = getattr(kind, field)
                mine[f"{name}.{field}@"] = at.offset
                mine[f"{name}.{field}#"] = at.size
        self.assertEqual(mine, as_c_has_it())

    def test_fields_have_the_types_of_the_header(self):
        types = header.Types(c)
        for name, fields in header.structs().items():
            theirs = [(field, types.of(declaration)) for field, declaration in fields]
            self.assertEqual(structs()[name]._fields_, theirs, name)

    def test_functions_have_the_types_of_the_header(self):
        types = header.Types(c)
        theirs = {name: (types.of(result), *map(types.of, parameters))
                  for name, (result, parameters) in header.functions().items()}
        self.assertEqual(set(c.FUNCTIONS), set(theirs))
        for name, signature in theirs.items():
            self.assertEqual(c.FUNCTIONS[name], signature, name)
            function = getattr(lib, name)
            self.assertEqual((function.restype, *function.argtypes), signature, name)

    def test_callbacks_have_the_types_of_the_header(self):
        types = header.Types(c)
        for name, (result, parameters) in header.callbacks().items():
            self.assertIs(getattr(c, name), types.function(result, parameters), name)


class Library(unittest.TestCase):
    """The library that is loaded takes structs of the declared sizes, and no others."""

    def setUp(self):
        self.pool, self.pipeline, self.jobs = c_void_p(), c_void_p(), c_void_p()
        lib.wp_pool_create(None, byref(self.pool))
        lib.wp_pipeline_create(self.pool, None, byref(self.pipeline))
        lib.wp_jobpool_create(None, None, byref(self.jobs))

    def tearDown(self):
        lib.wp_jobpool_destroy(self.jobs)
        lib.wp_pipeline_destroy(self.pipeline)
        lib.wp_pool_destroy(self.pool)

    def call(self, function, kind, size):
        """Calls it with default values and a struct that claims `size`; returns the status."""
        arguments, result = [], kind()
        result.struct_size = size
        out = c_void_p()
        for what in c.FUNCTIONS[function][1:]:
            if what is ctypes.POINTER(kind):
                arguments.append(byref(result))
            elif what is ctypes.POINTER(c_void_p):
                arguments.append(byref(out))
            elif what is c_void_p:
                arguments.append(self.pipeline if "pipeline_" in function
                                 else self.jobs if function.startswith("wp_job") else self.pool)
            elif issubclass(what, ctypes._SimpleCData) and what is not ctypes.c_char_p:
                arguments.append(0)
            elif issubclass(what, ctypes._Pointer) and what._type_ in header.NUMBERS.values():
                arguments.append(byref(what._type_()))
            else:
                arguments.append(None)
        if function in ("wp_pipeline_create", "wp_jobpool_create"):
            arguments[0] = self.pool
        status = getattr(lib, function)(*arguments)
        if out.value:
            getattr(lib, function.replace("create", "destroy"))(out)
        return status, lib.wp_last_error_text().decode()

    def test_only_structs_of_the_declared_size_are_taken(self):
        tried = set()
        for function, (_, *arguments) in c.FUNCTIONS.items():
            for name, kind in structs().items():
                if not issubclass(kind, c.Sized) or ctypes.POINTER(kind) not in arguments:
                    continue
                if function.startswith(("wp_reader", "wp_writer", "wp_recipe")):
                    continue  # they need files: see test_streams
                if function.startswith("wp_batch_r"):
                    continue  # they need a batch, and that worker processes
                if function.startswith("wp_run_record"):
                    continue  # they need a record: see test_record.c
                if function == "wp_jobpool_submit_many":
                    continue  # it looks at as many structs as it is told, here none
                tried.add(name)
                for size in (0, 4, sizeof(kind) + 4, sizeof(kind) + 8, 2**32 - 1):
                    status, text = self.call(function, kind, size)
                    self.assertEqual(status, c.WP_INVALID_ARGUMENT, (function, size))
                    self.assertIn("struct_size", text, function)
                status, text = self.call(function, kind, sizeof(kind))
                self.assertFalse(status < 0 and "struct_size" in text, (function, text))
        self.assertGreater(len(tried), 5)


class Loading(unittest.TestCase):
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
