// SPDX-License-Identifier: MIT
// Reads the lines of a .gz file, puts them into upper case on all workers at once, and writes them,
// in order, to another .gz file. Usage: 2_ordered INPUT OUTPUT
import Workpool

func run(from input: String, to output: String) throws(WorkpoolError) {
  let pool = try Pool()
  // Blocks of about 4 KiB, which end with a line; the default is 1 MiB.
  let reader = try FileReader(.path(input), splitter: .lines(LineSplitter(.bytes(4096))))
  var options = FileWriter.Options()
  options.outputSet.allowsOverwrite = true
  let writer = try FileWriter(.path(output), options)
  let pipeline = try Pipeline(on: pool)

  var total: UInt64 = 0
  try pipeline.setReader(reader)
  // Parallel: several blocks at once, in any order. It changes the payload where it lies.
  try pipeline.addStage("upper", .parallel) { block, _ in
    for index in block.bytes.indices where (97...122).contains(block.bytes[index]) {
      block.bytes[index] -= 32
    }
    return .goOn
  }
  // Serial: block 0, then 1, then 2, never two at once; so the sum needs no lock.
  try pipeline.addStage("count", .serial) { block, _ in
    total += block.pointee.meta.0  // the reader has put the number of its lines there
    return .goOn
  }
  try pipeline.setWriter(writer)

  // What a run came to is a status, not an error that is thrown.
  guard try pipeline.run() == .ok else {
    throw WorkpoolError(.stageFailed, try pipeline.errors().first?.text ?? "failed")
  }
  let written = try writer.finish()  // the file gets its name only now
  print("\(total) lines, \(written.bytes) bytes")
  try pipeline.destroy()
  try pool.close()
}

try run(from: CommandLine.arguments[1], to: CommandLine.arguments[2])
