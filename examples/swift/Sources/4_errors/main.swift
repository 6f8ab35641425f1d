// SPDX-License-Identifier: MIT
// What goes wrong, and where: a line that is not as it should be, then a file that ends too early.
// Usage: 4_errors INPUT DAMAGED_INPUT
import Workpool

/// Every line must begin with a digit. What a stage throws is the error of its block.
func check(_ block: UnsafeMutablePointer<Block>) throws(WorkpoolError) -> StageAnswer {
  // meta.1 is the number of lines before this block: the reader has put it there.
  var number = block.pointee.meta.1
  for line in block.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    .dropLast()
  {
    number += 1
    guard let first = line.first, (48...57).contains(first) else {
      let text = String(decoding: line, as: UTF8.self)
      throw WorkpoolError(
        .firstUserCode, "line \(number): '\(text)' does not begin with a number")
    }
  }
  return .goOn
}

func checkFile(_ path: String, on pool: Pool) throws(WorkpoolError) {
  let pipeline = try Pipeline(on: pool)
  try pipeline.setReader(
    try FileReader(.path(path), splitter: .lines(LineSplitter(.bytes(4096)))))
  try pipeline.addStage("check", .parallel) { block, _ throws(WorkpoolError) in try check(block) }

  print(try pipeline.run() == .stageFailed ? "failed" : "checked")
  // The failure of the lowest block counts, however many workers there are, and all blocks before
  // it have been delivered.
  for error in try pipeline.errors() {
    let stage = try pipeline.statistics(ofStage: error.stage).name
    print("block \(error.number), stage \(error.stage) (\(stage)): \(error.text)")
  }
  try pipeline.destroy()
}

let pool = try Pool()
try checkFile(CommandLine.arguments[1], on: pool)
try checkFile(CommandLine.arguments[2], on: pool)
do {
  _ = try FileReader(.path("no such file"), splitter: .lines(LineSplitter()))
} catch {
  print("\(error.status.name): \(error.text)")
}
try pool.close()
