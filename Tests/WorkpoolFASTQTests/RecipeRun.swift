// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

/// Makes each text the content of a segment; interleaved segments share the only one.
func fill(_ batch: FASTQBatch, _ texts: [String]) throws {
  for (segment, text) in zip(batch.segments, texts) {
    let bytes = Array(text.utf8)
    segment.text.bytes.count = 0
    try bytes.withUnsafeBufferPointer { pointer in
      if let base = pointer.baseAddress { try segment.text.bytes.append(base, pointer.count) }
    }
  }
}

func encoded(_ batch: FASTQBatch, _ segments: Range<Int>) throws -> String {
  var output = GrowableMemory<UInt8>()
  try FASTQEncoder.encode(batch, segments: Array(segments), into: &output)
  return String(
    decoding: UnsafeBufferPointer(start: output.start, count: output.count), as: UTF8.self)
}

/// A recipe run over blocks, one after the other, as a serial pipeline would.
struct RecipeRun {
  var recipe: Recipe
  /// What each segment's kept records come to.
  var outputs: [String]
  /// Number of the block whose stage asked to stop.
  var stoppedAt: Int?
  var counters: [StepCounters]
  /// Values of column 0 for the reads kept at the end.
  var values: [Double] = []

  /// - Parameter blocks: for each block the text of each segment, in the recipe's order.
  init(
    _ steps: [String], segments: [String] = ["read1"], isInterleaved: Bool = false,
    options: RecipeOptions = RecipeOptions(), blocks: [[String]], of existing: Recipe? = nil
  ) throws {
    recipe =
      try existing
      ?? Recipe(
        segments: segments, isInterleaved: isInterleaved,
        steps: steps.map { try StepParser.parse($0) }, options: options)
    outputs = recipe.segments.map { _ in "" }
    counters = recipe.steps.map { _ in StepCounters() }
    recipe.begin()
    let batch = try recipe.makeBatch()
    var reads = 0
    for (number, texts) in blocks.enumerated() where stoppedAt == nil {
      batch.clear()
      batch.firstRead = reads
      try fill(batch, texts)
      for segment in batch.segments { segment.text.origin.record = reads }
      try batch.parse(endsFile: true)
      reads += batch.count
      for stage in recipe.stages where try stage.run(batch) == .stop { stoppedAt = number }
      for index in outputs.indices { outputs[index] += try encoded(batch, index..<index + 1) }
      for index in counters.indices { counters[index].add(batch.counters.start[index]) }
      for read in 0..<batch.count where batch.keep.start[read] != 0 {
        if let column = batch.columns.first, column.kind == .numeric {
          values.append(column.values.start[read])
        }
      }
    }
  }

  /// The names and sequences of the first segment's records, as `name sequence`.
  var reads: [String] {
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
    return stride(from: 0, to: lines.count - 1, by: 4).map {
      "\(lines[$0].dropFirst()) \(lines[$0 + 1])"
    }
  }

  /// One segment, one block.
  init(_ step: String, _ text: String) throws { try self.init([step], blocks: [[text]]) }

  var output: String { outputs[0] }
}

/// `@name\nsequence\n+\nIII…\n`
func record(_ name: String, _ sequence: String, _ quality: String? = nil) -> String {
  "@\(name)\n\(sequence)\n+\n\(quality ?? String(repeating: "I", count: sequence.utf8.count))\n"
}

/// Records r0, r1, … with the sequence `ACGT`.
func records(_ numbers: Range<Int>) -> String {
  numbers.map { record("r\($0)", "ACGT") }.joined()
}

/// The text of the error that `body` throws.
func errorText(_ body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return "no error"
  } catch let error as WorkpoolError {
    return error.text
  } catch let error as RecipeError {
    return error.text
  } catch {
    return "\(error)"
  }
}
