# SPDX-License-Identifier: MIT
"""check_header.py HEADER: every WP_API function stands right under its contract, a comment whose
last line is "Threads: ...", and every option struct has its initialiser."""
import re
import sys

FUNCTION = re.compile(r"^WP_API\b[^;]*?\b(wp_\w+)\(", re.S)


def functions(text):
    """(name, the comment that ends on the line before) for each WP_API declaration."""
    for m in re.finditer(r"^WP_API\b", text, re.M):
        name = FUNCTION.match(text[m.start():])
        before = re.search(r"/\*((?:(?!\*/).)*)\*/\n\Z", text[:m.start()], re.S)
        yield name[1] if name else text[m.start():m.start() + 60], before and before[1]


def complaints(text):
    found = list(functions(text))
    if not found:
        yield "no WP_API function at all"
    for name, comment in found:
        if comment is None:
            yield f"{name}: no contract comment right above it"
            continue
        lines = [line.strip(" *") for line in comment.strip().splitlines()]
        if not re.fullmatch(r"Threads: .*\.", lines[-1]):
            yield f"{name}: the comment's last line is not 'Threads: ...'"
        if len(lines) < 2:
            yield f"{name}: the comment has no sentence beside its threads line"
    for name in re.findall(r"^} (wp_\w+_options);", text, re.M):
        if f"#define {name.upper()}_INIT" not in text:
            yield f"{name}: no {name.upper()}_INIT"


text = open(sys.argv[1], encoding="utf-8").read()
bad = list(complaints(text))
for line in bad:
    print(f"{sys.argv[1]}: {line}")
checked = len(list(functions(text)))
print(f"contracts of {checked} functions: {0 if bad else 1} passed, {1 if bad else 0} failed")
sys.exit(bool(bad))
