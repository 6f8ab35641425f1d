# SPDX-License-Identifier: MIT
"""shown_program.py FILE [LANGUAGE]: prints the program that a document shows, the one in the overview
comment of a header or the first ```LANGUAGE block (c) of a Markdown file."""
import re
import sys

path, language = sys.argv[1], (sys.argv[2:] or ["c"])[0]
text = open(path, encoding="utf-8").read()
if path.endswith(".md"):
    program = re.search(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.S | re.M)
else:  # a comment of "/* ... */" or of "//" lines
    program = re.search(r"^(?: \*|//)   (#include <.*?^(?: \*|//)   }$)(?=\n(?: \*|//)$)", text, re.S | re.M)
if not program:
    sys.exit(f"{path}: shows no program")
is_comment = not path.endswith(".md")
print(re.sub(r"^(?: \*|//)(?:   )?", "", program[1], flags=re.M) if is_comment else program[1])
