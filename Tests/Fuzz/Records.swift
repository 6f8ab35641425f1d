// SPDX-License-Identifier: MIT
import WorkpoolCore

@testable import WorkpoolFASTQ

extension Fuzz {
  /// The FASTQ parser. Promise: what it takes, the encoder writes so that it is taken again, as many
  /// records, and written the same again.
  static func fastq(_ input: UnsafeRawBufferPointer) {
    guard let first = try? rewritten(input) else { return }
    // One CR in front of each LF is dropped, so a name that ends with CR loses it.
    if first.text.indices.dropLast().contains(where: {
      first.text[$0] == 13 && first.text[$0 + 1] == 10
    }) {
      return
    }
    guard let second = try? first.text.withUnsafeBytes({ try rewritten($0) }) else {
      return check(false, "what was written can be read")
    }
    check(first.text == second.text && first.count == second.count, "the same when written again")
  }

  private static func rewritten(
    _ input: UnsafeRawBufferPointer
  ) throws -> (text: [UInt8], count: Int) {
    let batch = try FASTQBatch(segments: 1)
    try fill(batch, input)
    try batch.parse(endsFile: true)
    return (try encoded(batch), batch.count)
  }

  private static func fill(_ batch: FASTQBatch, _ bytes: UnsafeRawBufferPointer) throws {
    guard let start = bytes.baseAddress else { return }
    try batch.segments[0].text.bytes.append(
      start.assumingMemoryBound(to: UInt8.self), bytes.count)
  }

  private static func encoded(_ batch: FASTQBatch) throws -> [UInt8] {
    var output = GrowableMemory<UInt8>()
    try FASTQEncoder.encode(batch, segments: [0], into: &output)
    return Array(UnsafeBufferPointer(start: output.start, count: output.count))
  }

  /// Steps as they are written on a command line, one in each line; behind a line of its own with
  /// `%` the reads that they are run on. Promise: no more reads come out than go in, and what comes
  /// out is FASTQ.
  static func steps(_ input: UnsafeRawBufferPointer) {
    let mark = input.firstIndex(of: UInt8(ascii: "%")) ?? input.count
    let lines = String(decoding: input[..<mark], as: UTF8.self).split(separator: "\n")
    let reads = UnsafeRawBufferPointer(
      rebasing: input[min(mark + 2, input.count)..<input.count])
    var requests: [StepRequest] = []
    for line in lines.prefix(8) {
      guard let request = try? StepParser.parse(String(line)) else { return }
      requests.append(request)
    }
    guard let recipe = try? Recipe(segments: ["read1"], steps: requests) else { return }
    do {
      recipe.begin()
      let batch = try recipe.makeBatch()
      batch.clear()
      try fill(batch, reads)
      try batch.parse(endsFile: true)
      let count = batch.count
      for stage in recipe.stages where try stage.run(batch) == .stop { break }
      check(batch.keptCount <= count, "no reads out of nothing")
      let output = try encoded(batch)
      let again = try? output.withUnsafeBytes { try rewritten($0) }
      check(again?.count == batch.keptCount, "steps leave FASTQ")
    } catch {
      return  // reads that break a rule, or a step that says so
    }
  }
}
