// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO

/// How large the files of each stream are, for steps that make room for their reads.
struct InputSizes {
  /// The stream whose files are largest; nil where a size is not known.
  private var largest: (stream: Int, bytes: Int, isPacked: Bool)?

  init(_ inputs: [[Endpoint]], _ readers: [JoinedBlockReader]) {
    for (stream, reader) in readers.enumerated() {
      guard let size = reader.packedSize else {
        largest = nil
        return
      }
      if size > largest?.bytes ?? -1 {
        let isPacked = inputs[stream].contains { endpoint in
          if case .path(let path) = endpoint { Compression(path: path) != .plain } else { false }
        }
        largest = (stream, Int(size), isPacked)
      }
    }
  }

  /// With the mean length of the sequences of a batch, as it was parsed.
  func of(_ batch: FASTQBatch) -> InputFacts {
    var facts = InputFacts()
    guard let largest else { return facts }
    facts.bytes = largest.bytes
    facts.isPacked = largest.isPacked
    facts.isFASTA = batch.segments[largest.stream].text.fakeQuality != nil
    let segments = batch.isInterleaved ? batch.segments : [batch.segments[largest.stream]]
    var bases = 0
    for segment in segments {
      for read in 0..<batch.count { bases += segment.records.start[read].length }
    }
    let records = batch.count * segments.count
    facts.meanLength = records == 0 ? 0 : Double(bases) / Double(records)
    return facts
  }
}
