# SPDX-License-Identifier: MIT
"""shown_program.py FILE: prints the C program that a document shows, the one in the overview
comment of a header or the first ```c block of a Markdown file."""
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
if sys.argv[1].endswith(".md"):
    program = re.search(r"^```c\n(.*?)^```$", text, re.S | re.M)
else:
    comment = re.search(r"/\*.*?\*/", text, re.S)[0]
    program = re.search(r"^ \*   (#include <.*?^ \*   }$)(?=\n \*$)", comment, re.S | re.M)
if not program:
    sys.exit(f"{sys.argv[1]}: shows no program")
print(re.sub(r"^ \*(?:   )?", "", program[1], flags=re.M))
