# SPDX-License-Identifier: MIT
"""What workpool.h declares: structs, functions and constants, read from its text.

The types are those that ctypes should be told; `types_of` makes them from the package's own structs.
"""
import ctypes
import re
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_void_p

from support import TOP

PATH = TOP / "include" / "workpool.h"
TEXT = re.sub(r"/\*.*?\*/|//[^\n]*", " ", PATH.read_text(), flags=re.S)

NUMBERS = {f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}")
           for sign in ("", "u") for bits in (8, 16, 32, 64)}
NUMBERS["size_t"] = ctypes.c_size_t
NUMBERS["double"] = ctypes.c_double
for _number, _name in re.findall(r"typedef (\w+) (wp_\w+);", TEXT):
    NUMBERS[_name] = NUMBERS[_number]


def _arguments(text):
    """The types in a parameter list: "void *a, void (*f)(int, int)" are two."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [] if text.strip() == "void" else [part.strip() for part in parts]


def structs():
    """{name: [(field, declaration)]}, in the order of the header."""
    found = {}
    for name, body in re.findall(r"typedef struct (wp_\w+) \{(.*?)\} \1;", TEXT, re.S):
        fields = []
        for line in filter(None, map(str.strip, body.split(";"))):
            pointer = re.match(r".*?\(\*(\w+)\)\(", line, re.S)
            if pointer:
                fields.append((pointer[1], line))
                continue
            base, declarators = re.fullmatch(r"((?:const )?\w+)\s+(.*)", line, re.S).groups()
            for declarator in declarators.split(","):
                field = re.search(r"(\w+)\s*(?:\[\w+\])?$", declarator.strip())[1]
                fields.append((field, f"{base} {declarator.strip()}"))
        found[name] = fields
    return found


def functions():
    """{name: (type of the result, [declarations of the parameters])}."""
    found = re.findall(r"^WP_API\s+([^;()]*?)\b(wp_\w+)\(([^;]*)\);", TEXT, re.M)
    return {name: (result.strip(), _arguments(arguments)) for result, name, arguments in found}


def constants():
    """Names of all constants, but for the version's and the initialisers of options."""
    names = re.findall(r"^#define (WP_\w+)[ \t]+\S", TEXT, re.M)
    return [n for n in names if not re.fullmatch(r"WP_API|WP_VERSION_\w+|WP_\w+_INIT", n)]


def callbacks():
    """{name: (result, [parameters])} of the typedefs of function pointers."""
    found = re.findall(r"typedef (\w+) \(\*(wp_\w+)\)\(([^;]*)\);", TEXT)
    return {name: (result, _arguments(arguments)) for result, name, arguments in found}


class Types:
    """C declarations as ctypes types, with the structs of `module`."""

    def __init__(self, module):
        self._structs = {name: getattr(module, name, None) for name in structs()}

    def function(self, result, parameters):
        return CFUNCTYPE(self.of(result), *map(self.of, parameters))

    def of(self, declaration):
        """The type of "const char *const *names", with or without the name."""
        pointer = re.fullmatch(r"(.*?)\(\*\w*\)\((.*)\)", declaration, re.S)
        if pointer:
            return self.function(pointer[1].strip(), _arguments(pointer[2]))
        base, stars, _, dimension = re.fullmatch(
            r"(?:const )?(\w+)\s*((?:\*\s*(?:const\s*)?)*)(\w+)?\s*(?:\[(\d+)\])?",
            declaration.strip()).groups()
        depth = stars.count("*")
        if dimension:
            return (c_char if base == "char" else self._base(base)) * int(dimension)
        if not depth:
            return None if base == "void" else self._base(base)
        if base == "char":
            kind, depth = c_char_p, depth - 1
        elif base in ("void", "uint8_t") or base not in NUMBERS and not self._structs.get(base):
            kind, depth = c_void_p, depth - 1  # bytes, and handles
        else:
            kind = self._base(base)
        for _ in range(depth):
            kind = POINTER(kind)
        return kind

    def _base(self, name):
        if name in NUMBERS:
            return NUMBERS[name]
        if name in callbacks():
            return self.function(*callbacks()[name])
        return self._structs[name]


def c_program():
    """Prints "name value" for every size, offset and constant."""
    lines = []

    def say(what, value):
        lines.append(f'printf("{what} %lld\\n", (long long)({value}));')

    for name, fields in structs().items():
        say(name, f"sizeof({name})")
        for field, _ in fields:
            say(f"{name}.{field}@", f"offsetof({name}, {field})")
            say(f"{name}.{field}#", f"sizeof((({name} *)0)->{field})")
    for name in constants():
        say(name, name)
    body = "\n  ".join(lines)
    return f"#include <stdio.h>\n#include <workpool.h>\nint main(void) {{\n  {body}\n}}\n"
