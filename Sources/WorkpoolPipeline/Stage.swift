// SPDX-License-Identifier: MIT
import WorkpoolCore

/// In which order and how often at once a stage is called; the values of `WP_PARALLEL`, ….
public enum StageKind: UInt32, Sendable {
  /// Any blocks at once, in any order.
  case parallel = 0
  /// One at a time: block 0, 1, 2, ….
  case serial
  /// One at a time, in any order.
  case serialAnyOrder
  /// As `serial`, with any number of blocks out for each block in, which are numbered anew: 0, 1, 2, ….
  case splitter
}

/// What a callback is told beside its block; the layout of `wp_call`.
public struct StageCall {
  public internal(set) var worker: UInt32
  /// 0 is the source.
  public internal(set) var stage: UInt32
  /// The run's token, as the border shows it.
  public internal(set) var token: UnsafeRawPointer?
  /// For splitters: the block to be split, while the callback's block is the one to be filled; nil
  /// after the last one, and for all other stages.
  public internal(set) var input: UnsafePointer<Block>?
  /// For stages with `maxBatch`: `count` blocks in order, the callback's first, and a place for what it
  /// answers for each but the first; else nil, nil and 0.
  public internal(set) var blocks: UnsafeMutablePointer<UnsafeMutablePointer<Block>>?
  public internal(set) var answers: UnsafeMutablePointer<Int32>?
  public internal(set) var count: UInt32 = 0

  /// After a call that returned `code`: for how many blocks that and the answers count. Behind a stop or an
  /// error there is none.
  func answeredCount(_ code: Int32) -> Int {
    guard count > 1, let answers else { return 1 }
    var previous = code
    var index = 1
    while index < Int(count) && answers[index] != StageReturn.none
      && (previous == StageReturn.ok || previous == StageReturn.drop)
    {
      previous = answers[index]
      index &+= 1
    }
    return index
  }
}

/// What callbacks return beside negative error codes; the values of `WP_STAGE_…`.
public enum StageReturn {
  public static let ok: Int32 = 0
  public static let drop: Int32 = 1
  public static let stop: Int32 = 2
  public static let stopDrop: Int32 = 3
  /// Splitters only: the block goes on, and the input is not used up.
  public static let more: Int32 = 4
  public static let sourceEnd: Int32 = 5
  /// What stands in `StageCall.answers` before the callback has answered.
  public static let none = Int32.max
}

/// A stage: what is called, when, and what belongs to it.
///
/// The functions are C functions and not closures, so that calling one touches no reference count.
/// `Pipeline` has convenient forms for Swift closures.
public struct Stage: @unchecked Sendable {
  /// `(context, block: Block *, scratch, call: const StageCall *)`
  public typealias Function =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutableRawPointer, UnsafeMutableRawPointer?, UnsafeRawPointer
    ) -> Int32

  /// Shown in statistics, timelines and errors; 31 bytes of it.
  public var name: String
  public var kind: StageKind
  public var function: Function
  public var context: UnsafeMutableRawPointer?
  public var destroyContext: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  /// Most calls at once of a parallel stage; 0: no limit.
  public var maxConcurrency: Int = 0
  /// Serial stages and sinks: most blocks in one call, see `StageCall.blocks`; 0: the callback knows
  /// of one block at a time.
  public var maxBatch: Int = 0
  /// A stop in a later stage does not keep blocks from this one.
  public var seesAll = false
  /// The callback may wait for a disk, a child, the network or another block: then a worker that sits
  /// in it holds nothing back from other workers, and wakes one who goes on before it enters. See
  /// `Pool.Options.blockingExtra`.
  public var mayBlock = false
  /// Once per worker and run, before its first call there.
  public var workerStart:
    (
      @convention(c) (
        UnsafeMutableRawPointer?, UInt32, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
      ) -> Int32
    )?
  /// Once for every successful `workerStart`, after the last block, one at a time.
  public var workerFinish:
    (@convention(c) (UnsafeMutableRawPointer?, UInt32, UnsafeMutableRawPointer?) -> Void)?
  /// Once per started run, in stage order, after the last block.
  public var finish: (@convention(c) (UnsafeMutableRawPointer?, Int32) -> Int32)?

  public init(
    _ name: String, _ kind: StageKind, context: UnsafeMutableRawPointer? = nil,
    _ function: @escaping Function
  ) {
    self.name = name
    self.kind = kind
    self.context = context
    self.function = function
  }

  /// How many calls may run at once: 0 without limit (parallel, and serial: the turn sees to it).
  var concurrencyLimit: Int {
    switch kind {
    case .parallel: maxConcurrency
    case .serial, .splitter: 0
    case .serialAnyOrder: 1
    }
  }
}
