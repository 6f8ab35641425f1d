// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// A block in flight with all that the engine knows about it. One per row; exactly one thread touches
/// it at a time: who carries the block, or nobody while it is parked.
struct Record: ~Copyable {
  var block = Block()  // first: callbacks see a pointer to it
  var payload = Payload()
  /// The stage before which the block stands.
  var stage: Int32 = 0
  var flags: Flags = []
  /// A second buffer, between `spare` and the end of a callback.
  var spare: Int32 = Payload.nowhere
  // Stages of the pipeline, also where that has several segments.
  var stopStage: Int16 = -1
  var errorStage: Int16 = -1
  var errorCode: Int32 = 0
  /// What the block counts in `Weights`.
  var charged: Int64 = 0
  /// Not 0: a callback took a spare buffer or set an error text; to be looked after when it returns.
  var tidying: Int64 = 0
  /// When it was parked; only where times are taken. A dump looks at it.
  let parkedAt = Atomic<Int64>(0)
  let run: UnsafeMutablePointer<PipelineRun>

  struct Flags: OptionSet {
    var rawValue: UInt16
    /// The turn of the stage it stands before was granted.
    static let hasTurn = Flags(rawValue: 1)
    /// A place in the limited stage it stands before was granted.
    static let hasPlace = Flags(rawValue: 2)
    /// Without payload: it only keeps its place in the order.
    static let isTombstone = Flags(rawValue: 4)
    /// The error text of this row is set.
    static let hasErrorText = Flags(rawValue: 8)
    /// Dropped by a stage, not cut or failed.
    static let wasDropped = Flags(rawValue: 32)
    /// A stage asked for the end after this block.
    static let hasStop = Flags(rawValue: 64)
    static let hasError = Flags(rawValue: 128)
    /// With unordered delivery: it has been delivered; and whatever it was, it holds no place any more.
    static let wasDelivered = Flags(rawValue: 256)
    static let hasLeft = Flags(rawValue: 512)

    // See `Splitter`.
    /// The splitter behind this segment has begun with the block.
    static let isAtSplitter = Flags(rawValue: 1024)
    /// It failed, and the next segment is to be told.
    static let bringsNotice = Flags(rawValue: 2048)
    /// No block: tells the next segment of a failed input, or where the splitter stopped.
    static let isNotice = Flags(rawValue: 4096)
    /// No block: stands for the end of the input before the splitter.
    static let isEnd = Flags(rawValue: 8192)
  }

  init(run: UnsafeMutablePointer<PipelineRun>) { self.run = run }
}

/// Where a block's bytes live and who gets them back.
struct Payload {
  static let nowhere: Int32 = -1
  static let callerOwned: Int32 = -2

  /// Index of a buffer of the run, or one of the above.
  var buffer: Int32 = Payload.nowhere
  var release: ReleaseFunction?
  var releaseContext: UnsafeMutableRawPointer?
  /// Caller-owned memory as it was given.
  var data: UnsafeMutableRawPointer?
  var size = 0
}
