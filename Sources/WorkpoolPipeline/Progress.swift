// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// How far a run is.
public struct PipelineProgress: Sendable {
  /// The run has come to its outcome: nothing comes after this.
  public var isLast = false
  /// Since the start.
  public var wallNanoseconds: UInt64 = 0
  public var blocksIn: UInt64 = 0
  /// Delivered.
  public var blocksOut: UInt64 = 0
  /// Bytes that the source has brought, or of submitted blocks that have reached the first stage.
  public var bytesIn: UInt64 = 0
  /// Bytes that have reached the sink, or else left the last stage.
  public var bytesOut: UInt64 = 0
  public var inFlight: UInt64 = 0
  /// What `setTotal` said, or how many blocks there are once the input has ended; nil: unknown.
  public var totalBlocks: UInt64?
  public var totalBytes: UInt64?
  /// Blocks that have left, of late.
  public var blocksPerSecond: UInt64 = 0
  /// Bytes that have come in, of late.
  public var bytesPerSecond: UInt64 = 0
  /// Until the end at this rate, by bytes if their total is known, else by blocks; nil: unknown.
  public var remainingNanoseconds: UInt64?

  public init() {}
}

/// How fast two counters grow of late, and when they will be full. Pure: whoever asks says what time it
/// is.
///
/// Amounts and times are weighted by exp(-age / 5 s); the rate is their quotient, so that it is right
/// from the first moment on and does not depend on how often it is asked for.
package struct ProgressEstimator {
  private static let memory = 5e9

  private var lastTime: Int64
  private var lastBlocks: UInt64 = 0
  private var lastBytes: UInt64 = 0
  private var nanoseconds = 0.0
  private var blocks = 0.0
  private var bytes = 0.0

  package init(start: Int64) { lastTime = start }

  package mutating func observe(_ now: Int64, blocks newBlocks: UInt64, bytes newBytes: UInt64) {
    let passed = Double(now &- lastTime)
    guard passed > 0 else { return }
    // Weight of the past, and the mean weight of what happened evenly since then.
    let past = exp(-passed / Self.memory)
    let since = (1 - past) * Self.memory / passed
    nanoseconds = nanoseconds * past + passed * since
    blocks = blocks * past + Double(newBlocks &- min(lastBlocks, newBlocks)) * since
    bytes = bytes * past + Double(newBytes &- min(lastBytes, newBytes)) * since
    (lastTime, lastBlocks, lastBytes) = (now, newBlocks, newBytes)
  }

  package var blocksPerSecond: UInt64 { rate(blocks) }
  package var bytesPerSecond: UInt64 { rate(bytes) }

  private func rate(_ amount: Double) -> UInt64 {
    nanoseconds > 0 ? Self.rounded(amount / nanoseconds * 1e9) : 0
  }

  /// Nanoseconds until the counters have reached their totals; nil: unknown, or never at this rate.
  package func remaining(blocks totalBlocks: UInt64?, bytes totalBytes: UInt64?) -> UInt64? {
    if let totalBytes { return remaining(totalBytes, lastBytes, bytes) }
    return totalBlocks.flatMap { remaining($0, lastBlocks, blocks) }
  }

  private func remaining(_ total: UInt64, _ done: UInt64, _ recent: Double) -> UInt64? {
    guard done < total else { return 0 }
    let time = Double(total - done) / recent * nanoseconds
    return recent > 0 && time < 9e18 ? Self.rounded(time) : nil
  }

  /// Of a number that is not negative.
  private static func rounded(_ number: Double) -> UInt64 {
    number < 1.8e19 ? UInt64(number.rounded()) : .max
  }
}

extension PipelineRun {
  /// Blocks that have left (before a splitter: that were split), of whatever fate.
  var blocksThatLeft: UInt64 { flow.pointee.retired.load(ordering: .relaxed) }

  /// A look without a lock, of all segments; in the first one.
  func progress(_ totals: (blocks: UInt64?, bytes: UInt64?)) -> PipelineProgress {
    var progress = PipelineProgress()
    let sums = statisticsOfAll
    progress.wallNanoseconds = sums.wallNanoseconds
    progress.blocksIn = sums.blocksIn
    progress.blocksOut = sums.blocksOut
    progress.inFlight = sums.inFlight
    progress.bytesIn = bytesIn
    progress.bytesOut = lastSegment.pointee.bytesOut
    let total = flow.pointee.total.load(ordering: .relaxed)
    progress.totalBlocks = total == Self.unknownTotal ? totals.blocks : total
    progress.totalBytes = totals.bytes
    return progress
  }

  private var bytesIn: UInt64 {
    if hasSource { return sum(0) { $0.pointee.counts.bytesOut.load(ordering: .relaxed) } }
    for stage in 1..<stageCount {
      // Before a splitter the last stage counts what goes into that.
      if stages[stage].function != nil || stage == last && next != nil {
        return sum(stage) { $0.pointee.counts.bytesIn.load(ordering: .relaxed) }
      }
    }
    return 0
  }

  private var bytesOut: UInt64 {
    if stages[last].function != nil {
      return sum(last) { $0.pointee.counts.bytesIn.load(ordering: .relaxed) }
    }
    for stage in (0..<last).reversed() where stages[stage].function != nil {
      return sum(stage) { $0.pointee.counts.bytesOut.load(ordering: .relaxed) }
    }
    return 0
  }

  private func sum(_ stage: Int, _ count: (UnsafeMutablePointer<SeatStage>) -> UInt64) -> UInt64 {
    (0..<workerCount).reduce(0) { $0 &+ count(seatStage($1, stage)) }
  }
}
