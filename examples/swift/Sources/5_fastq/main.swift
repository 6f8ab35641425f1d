// SPDX-License-Identifier: MIT
// Filters a pair of FASTQ files with built-in steps. Usage: 5_fastq IN_1 IN_2 OUT_1 OUT_2
import Workpool

let paths = Array(CommandLine.arguments.dropFirst())
let pool = try Pool()
// Two segments: the two files are kept in step.
let recipe = try RecipeDraft(segments: ["read1", "read2"], isInterleaved: false)
// Drop an adapter's rest, and the bad end of the mates.
try recipe.add("CutStart n=5 segment=read1")
try recipe.add("Truncate n=100 segment=read2")
// A number for each pair, to judge it by.
try recipe.add("CalcExpectedError out_label=errors aggregate=sum segment=all")
try recipe.add("FilterByNumericTag in_label=errors max_value=1 keep_or_remove=keep")
try recipe.check()  // throws all that is wrong, a line each

var options = RecipeDraft.Options()
options.allowsOverwrite = true
let report = try recipe.run(
  on: pool, inputs: Array(paths[0..<2]), outputs: Array(paths[2..<4]), options)
if let error = report.error { throw error }
print("read \(report.readsIn) pairs with \(report.basesIn) bases")
print("kept \(report.readsOut) pairs with \(report.basesOut) bases")
try pool.close()
