# SPDX-License-Identifier: MIT
"""Filters a pair of FASTQ files with built-in steps. Usage: 5_fastq.py IN_1 IN_2 OUT_1 OUT_2"""
import sys

import workpool
from workpool import Step

# Two segments, read1 and read2: the two files are kept in step. What is wrong with the steps is
# raised here. workpool.steps() lists all there are.
recipe = workpool.Recipe(
    segments=2,
    steps=[
        Step("CutStart", n=5, segment="read1"),  # drop an adapter's rest,
        Step("Truncate", n=100, segment="read2"),  # and the bad end of the mates;
        # a number for each pair
        Step("CalcExpectedError", out_label="errors", aggregate="sum", segment="all"),
        # to judge it by; text as on the command line will do as well
        "FilterByNumericTag in_label=errors max_value=1 keep_or_remove=keep",
    ],
)
with workpool.Pool() as pool:
    report = recipe.run(pool, sys.argv[1:3], sys.argv[3:5], overwrite=True)
print(f"read {report.reads_in} pairs with {report.bases_in} bases")
print(f"kept {report.reads_out} pairs with {report.bases_out} bases")
