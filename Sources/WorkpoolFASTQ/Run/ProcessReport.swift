// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// How far a run is. Reads are molecules: one record of each segment.
public struct ProcessProgress: Sendable {
  public var reads: UInt64 = 0
  public var bases: UInt64 = 0
  public var blocks: UInt64 = 0
  /// Bytes of text that went through.
  public var decodedBytes: UInt64 = 0
  public var packedBytesRead: UInt64 = 0
  /// Known if all inputs are regular files.
  public var packedBytesTotal: UInt64?
  public init() {}
}

/// What a run came to.
public struct ProcessReport {
  public var status = Status.ok
  /// The first error in input order.
  public var error: WorkpoolError?
  public var wallNanoseconds: UInt64 = 0
  public var readsIn: UInt64 = 0
  public var readsOut: UInt64 = 0
  public var basesIn: UInt64 = 0
  public var basesOut: UInt64 = 0
  public var steps: [(name: String, number: Int?, counters: StepCounters)] = []
  public var stages: [StageStatistics] = []
  /// Where the plan asks for times.
  public var parts: [PartTime] = []
  public var pipeline = PipelineStatistics()
  /// Of the pool's workers, since it began.
  public var workers: [WorkerStatistics] = []
  public var inputs: [(endpoint: Endpoint, info: StreamInfo)] = []
  public var outputs: [(endpoint: Endpoint, bytes: UInt64, packedBytes: UInt64)] = []
  /// What is worth telling but no error.
  public var notes: [String] = []
}
