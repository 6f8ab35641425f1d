# SPDX-License-Identifier: MIT
"""A whole pipeline of reads without a configuration: steps by name with typed values, barcodes, a file
for each of them, a table and a report. Usage: 8_pipeline.py IN PREFIX"""
import sys

import workpool
from workpool import Step

recipe = workpool.Recipe(
    steps=[
        Step("ExtractRegion", source="read1", start=0, len=2, anchor="start", out_label="code"),
        Step("CalcExpectedError", aggregate="sum", out_label="errors"),
        Step("FilterByNumericTag", in_label="errors", max_value=0.5, keep_or_remove="keep"),
        Step("Demultiplex", in_label="code", barcodes="samples", output_unmatched=True),
        Step("StoreTagsInTable", infix="tags", in_labels=["errors", "code"]),
        Step("Report", name="kept", base_statistics=True),
    ],
    barcodes={"samples": {"AA": "liver", "TY": "heart"}},  # TC and TT
    prefix=sys.argv[2],
)
with workpool.Pool() as pool:
    # No outputs: they are called after the prefix.
    report = recipe.run(pool, sys.argv[1], overwrite=True)
print(f"read {report.reads_in}, kept {report.reads_out}")
