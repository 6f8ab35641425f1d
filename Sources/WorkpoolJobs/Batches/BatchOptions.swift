// SPDX-License-Identifier: MIT

/// How items are dealt out to worker processes. Times are nanoseconds; 0: no limit.
public struct BatchOptions: Sendable {
  /// Never more than there are batches; 0: usable CPUs − 1, at least 1.
  public var workers = 0
  public var batchSize = 50
  /// Until a worker says that it is ready.
  public var startTimeout: Int64 = 10_000_000_000
  public var itemTimeout: Int64 = 60_000_000_000
  public var batchTimeout: Int64 = 1_800_000_000_000
  /// Between two messages of a worker that has a batch. One that holds its interpreter's lock cannot
  /// send any.
  public var heartbeatTimeout: Int64 = 0
  /// Workers that an item may lose before it is given up.
  public var maxCrashes = 2
  /// Start-up failures in a row that end the run.
  public var maxStartFailures = 3
  /// For items that fail with class `transient`.
  public var retry = RetryPolicy()
  /// A worker is replaced after so many items; 0: never.
  public var maxItemsPerWorker = 0
  /// A worker whose resident memory is larger after an item is replaced; bytes; 0: never.
  public var maxWorkerMemory: Int64 = 0
  /// From the message `shutdown` to the stop order.
  public var stopGrace: Int64 = 5_000_000_000

  public init() {}

  /// How many worker processes `items` are worth.
  func workerCount(for items: Int, usableCPUs: Int) -> Int {
    let most = workers > 0 ? workers : max(1, usableCPUs - 1)
    let batches = items / batchSize + (items % batchSize > 0 ? 1 : 0)
    return min(most, batches)
  }
}

/// What a worker says of a failed item.
public enum BatchErrorClass: UInt8, Sendable {
  /// It may be tried again: `BatchOptions.retry`.
  case transient
  /// The item's own: others go on.
  case item
  /// The worker's: it is replaced, and the item counts as having lost it.
  case worker
  /// The run ends.
  case fatal
}

/// How a worker was lost.
public enum WorkerDeath: Equatable, Sendable {
  case exit(Int32)
  case signal(Int32)
  /// It closed its pipe, or said what is no message.
  case protocolError
  case itemTimeout, batchTimeout, heartbeatTimeout
  /// It said that it cannot go on.
  case gaveUp
  /// It said that the batch was complete, and nothing of this item.
  case silence

  public var text: String {
    switch self {
    case .exit(let code): "exit \(code)"
    case .signal(let number): "signal \(number)"
    case .protocolError: "protocol error"
    case .itemTimeout: "item timeout"
    case .batchTimeout: "batch timeout"
    case .heartbeatTimeout: "heartbeat timeout"
    case .gaveUp: "worker error"
    case .silence: "no result"
    }
  }

  /// The exit code, or the number of the signal, negative; 0: neither.
  public var detail: Int32 {
    switch self {
    case .exit(let code): code
    case .signal(let number): -number
    default: 0
    }
  }
}

/// What became of an item.
public struct BatchResult: Sendable {
  public var state = JobState.pending
  public var reason = JobReason.none
  public var detail: Int32 = 0
  /// Times that it was given to a worker.
  public var attempts: Int32 = 0
  public var crashes: Int32 = 0
  /// Of the worker that had it last; 0: none.
  public var process: Int32 = 0
  /// The last that the worker named: of a failed item, the failing one.
  public var phase = ""
  /// What went wrong.
  public var error = ""
  /// What the worker gave, as JSON; empty: nothing.
  public var data: [UInt8] = []
  public var isFromCache = false
  /// In `Clock.now` time, of the last attempt; 0: there was none.
  public var start: Int64 = 0
  public var end: Int64 = 0
}
