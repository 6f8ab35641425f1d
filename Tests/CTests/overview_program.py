# SPDX-License-Identifier: MIT
"""overview_program.py HEADER: prints the program in the header's overview comment."""
import re
import sys

comment = re.search(r"/\*.*?\*/", open(sys.argv[1], encoding="utf-8").read(), re.S)[0]
program = re.search(r"^ \*   (#include <.*?^ \*   }$)(?=\n \*$)", comment, re.S | re.M)
if not program:
    sys.exit(f"{sys.argv[1]}: the overview holds no program")
print(re.sub(r"^ \*(?:   )?", "", program[1], flags=re.M))
