// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Counts and checks the records of blocks of FASTQ text, on any worker.
public final class FASTQCounters: @unchecked Sendable {
  /// One for each worker.
  private let batches: [FASTQBatch]

  public init(workers: Int) throws(WorkpoolError) {
    var batches: [FASTQBatch] = []
    for _ in 0..<max(workers, 1) { batches.append(try FASTQBatch(segments: 1)) }
    self.batches = batches
  }

  /// - Parameters:
  ///   - text: whole records; blank lines may follow them.
  ///   - worker: who calls, from 0; no two calls for one at once.
  /// - Throws: as `FASTQBatch.parse`.
  public func count(
    _ text: UnsafeRawBufferPointer, _ origin: FASTQOrigin, worker: Int
  ) throws(WorkpoolError) -> (records: Int, bases: Int) {
    let batch = batches[worker]
    let bytes = text.baseAddress.map {
      UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self))
    }
    batch.segments[0].text.bytes.adopt(bytes, count: text.count, capacity: text.count)
    // It is only lent.
    defer { _ = batch.segments[0].text.bytes.giveAway() }
    batch.segments[0].text.origin = origin
    try batch.parse(endsFile: true)
    return (batch.count, batch.keptBases)
  }
}
