// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// One run of a pipeline: everything that its workers share, at a fixed address.
///
/// A worker carries a block as far as it can go; only what cannot go on is parked, and whoever removes
/// the obstacle makes it ready. There is no coordinating thread and no lock on the way of a block.
/// Nothing here is a class, so nothing counts references; what changes is an atomic, or belongs to
/// whoever holds the baton (`source`), the turn of the last stage (`tail`), a record, or a seat.
///
/// The files beside this one: `Carry` (the way of a block), `PullSource` (the baton), `Submission`,
/// `HostWaits`, `Retire` (where blocks leave, and the end). `TurnCells` and `StagePlaces` explain order
/// and the places of a stage; `Credits` and `Weights` the places and bytes of the run. A pipeline with
/// splitters has several of these, its segments: see `Splitter`.
struct PipelineRun: ~Copyable {
  // Fixed while the run lives.
  let address: UnsafeMutablePointer<PipelineRun>
  let workSource: UnsafeMutablePointer<WorkSource>
  /// What the run is to the pool, beside others.
  let group: UnsafeMutablePointer<WorkGroup>
  let arena: Arena
  let pool: PoolLink
  /// Seats of the pool: workers there may be.
  let workerCount: Int
  /// Source, stages, and the last one: the sink, the empty stage in which blocks retire in order (with
  /// unordered delivery, behind the sink), or the one in which a splitter takes them up.
  let stageCount: Int
  /// The number of the first stage in the whole pipeline.
  let stageBase: Int
  /// The segments before and behind this one, and the first one.
  let previous: UnsafeMutablePointer<PipelineRun>?
  var next: UnsafeMutablePointer<PipelineRun>?
  let first: UnsafeMutablePointer<PipelineRun>
  /// How many segments come before, and the path (see `StopPolicy`) of each record through them, `depth`
  /// numbers each; behind the records that of the splitter's last input.
  let depth: Int
  let paths: UnsafeMutablePointer<UInt64>
  var last: Int { stageCount - 1 }
  /// Without the empty stage behind a sink that is called in any order.
  let shownStageCount: Int
  let stages: UnsafeMutablePointer<StageState>
  let seats: UnsafeMutablePointer<SeatState>
  let seatStages: UnsafeMutablePointer<SeatStage>
  let records: UnsafeMutablePointer<Record>
  let errorTexts: UnsafeMutablePointer<UInt8>
  let mask: UInt64
  let turns: TurnCells
  let buffers: BufferPool
  /// Blocks that can go on and that no worker carries.
  let ready: RecordSet
  /// Cuts of the stages, see `StopPolicy`.
  let cuts: UnsafeMutablePointer<Atomic<Int64>>
  /// Of all stages of the pipeline.
  let seeAllMask: UInt64
  let options: Pipeline.Options
  let hasSource: Bool
  /// Blocks are delivered before the last stage, where they only retire in order.
  let deliversUnordered: Bool
  /// Whether a stage, or the source, may wait for a disk or a peer.
  let mayBlock: Bool
  let sourceMayBlock: Bool
  /// Whether a worker may keep turns and places for what is next in its own queue.
  let keepsTurns: Bool
  /// Whether a stage takes several blocks at once.
  let gathers: Bool
  /// How many turns each block has; -1 where a worker never goes onward, see `Keeping`.
  let allTurns: Int32
  let token: Token
  /// The words of the host's token and of those above it, which a signal handler may set.
  let hostWords: UnsafeMutablePointer<UnsafeMutablePointer<Atomic<UInt32>>>
  let hostWordCount: Int
  let startTime: Int64

  let flow: UnsafeMutablePointer<Flow>
  let source: UnsafeMutablePointer<SourceState>
  let tail: UnsafeMutablePointer<TailState>
  let pace: UnsafeMutablePointer<Pace>
  let times: UnsafeMutablePointer<RunTimes>
  let waits: UnsafeMutablePointer<StageWaits>
  /// What is measured, see `StatisticsLevel`.
  let takesTimes: Bool
  let timesEveryCall: Bool
  /// Events that each worker keeps, see `TimelineRing`; 0: none.
  let timelineEvents: Int
  let timelines: UnsafeMutablePointer<Atomic<UInt64>>
  let runNumber: UInt64
  /// Where the time of each worker goes.
  let meters: UnsafeMutablePointer<UnsafeMutablePointer<WorkerMeter>>
  /// With so many places less than the limit free nothing is in flight: what a source has in hand does
  /// not count. Where no times are taken no number of places is large enough.
  let emptyMargin: Int
  /// Blocks leave without a callback that would count their bytes.
  let countsDelivery: Bool
  let host: UnsafeMutablePointer<HostState>
  let events: UnsafeMutablePointer<EventState>
  let monitor: RunMonitor

  /// What every block touches, on a line of its own.
  struct Flow: ~Copyable {
    /// Places: blocks between source and cleanup.
    let credits: Credits
    let line1 = Padding()
    /// At least as many as there are records in `ready` that were announced.
    let readyCount = Atomic<Int>(0)
    let line2 = Padding()
    /// Blocks that have left the last stage: all smaller numbers.
    let retired = Atomic<UInt64>(0)
    let delivered = Atomic<UInt64>(0)
    /// Bytes delivered, where no sink counts them.
    let deliveredBytes = Atomic<UInt64>(0)
    let line3 = Padding()
    let baton = Atomic<UInt32>(0)
    let line4 = Padding()
    /// Next number of a submit; the top bit says that the input is closed.
    let next = Atomic<UInt64>(0)
    /// With unordered delivery: numbers that submitters may take, or have taken.
    let rows = Atomic<UInt64>(0)
    /// Bytes submitted.
    let bytesIn = Atomic<UInt64>(0)
    let line5 = Padding()
    let weights: Weights
    let line7 = Padding()
    // Written seldom, read often.
    /// How many blocks the run has; `unknownTotal` until the input has ended.
    let total = Atomic<UInt64>(PipelineRun.unknownTotal)
    let phase = Atomic<UInt32>(Phase.running.rawValue)
    let isCancelled = Atomic<Bool>(false)
    /// The host asked for the end of the input; and that ended it.
    let isStopping = Atomic<Bool>(false)
    let wasStopped = Atomic<Bool>(false)
    /// Who gives the blocks their numbers, see `Numbering`.
    let numbering = Atomic<UInt32>(Numbering.undecided)
    /// Threads of the host that wait in the monitor; of those, the submitters that wait for a place
    /// (changed under the lock).
    let waiters = Atomic<Int>(0)
    let placeWaiters = Atomic<Int>(0)
    let mostInFlight = Atomic<Int>(0)
    let line6 = Padding()

    init(limit: Int, maxBytes: Int) {
      credits = Credits(limit: limit)
      weights = Weights(limit: maxBytes)
    }
  }

  /// Room that keeps what other threads write off this line (two lines: they are fetched in pairs).
  struct Padding {
    private var room: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (
      0, 0, 0, 0, 0, 0, 0, 0
    )
    private var more: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (
      0, 0, 0, 0, 0, 0, 0, 0
    )
  }

  static let unknownTotal = UInt64.max
  static let closedBit: UInt64 = 1 << 63

  enum Phase: UInt32 {
    case running = 0
    /// All blocks have left; a worker shall call the finish callbacks.
    case drained
    case finishing
    case ended
  }

  /// What every worker reads of a stage.
  struct StageState: ~Copyable {
    let function: Stage.Function?
    let context: UnsafeMutableRawPointer?
    /// Any block may enter at any time.
    let isFree: Bool
    let isSerial: Bool
    let hasPlaces: Bool
    let hasScratch: Bool
    let mayBlock: Bool
    /// Its cells in `turns`; meaningless unless it has some.
    let turnIndex: Int
    let places: StagePlaces?
    let gathering: UnsafeMutablePointer<Gathering>?
    let stage: Stage?
    /// Recent time of a call, ns; `Pace.unknownCost` before the first timed one.
    let cost: Atomic<UInt32>

    /// Blocks wait in `turns`.
    var hasCells: Bool { isSerial || gathering != nil }
  }

  /// What one worker writes; lines of its own.
  struct SeatState: ~Copyable {
    /// See `TurnCells`: how many turns this worker keeps, the number (+ 1) that it may go on with
    /// without passing them, and the places that wait for the last of them. What is the owner's alone
    /// comes first: to the thread sanitizer a change of it is one of the struct's first byte.
    var keptTurns: Int32 = 0
    var keptFor: UInt64 = 0
    var keptPlaces = 0
    /// The stage in which the worker is, on its way onward (see `Keeping`); 0: it is not.
    var onwardStage = 0
    /// Blocks that have passed a stage together, see `Gathering`; of these the worker still has
    /// batchNext ..< batchEnd.
    let batch: UnsafeMutablePointer<UnsafeMutablePointer<Record>>
    /// What the blocks of a call weighed before it.
    let batchSizes: UnsafeMutablePointer<Int>
    var batchNext = 0
    var batchEnd = 0
    /// The worker's own queue: numbers head ..< tail came from its last turn at the source. Others
    /// may take from it; only the owner adds.
    let head = Atomic<UInt64>(0)
    let tail = Atomic<UInt64>(0)
    /// Changes whenever the worker takes something up.
    let pulse = Atomic<UInt64>(0)
    /// What the worker is calling, or called last: a `CallNote`; and since when, if that is timed.
    let current = Atomic<UInt64>(0)
    let since = Atomic<Int64>(0)
    /// Blocks taken up that another thread, or this worker itself earlier, had to lay down.
    let handedOver = Atomic<UInt64>(0)
    let line = Padding()
  }

  /// What one worker knows of one stage; lines of its own.
  struct SeatStage: ~Copyable {
    var call: StageCall  // first: callbacks see a pointer to it
    /// The stage's, here too: a call looks at one place.
    let function: Stage.Function?
    let context: UnsafeMutableRawPointer?
    var scratch: UnsafeMutableRawPointer?
    var isStarted = false
    /// What a `workerStart` that failed returned; it is not called again.
    var startCode: Int32 = 0
    /// Number + 1 of the block whose turn here this worker keeps; 0: none.
    var keptTurn: UInt64 = 0
    var counts: StageCounts
    let line = Padding()
  }

  /// Belongs to the holder of the baton; behind a splitter to the holder of the splitter's turn.
  struct SourceState: ~Copyable {
    /// Blocks taken from the source callback.
    var issued: UInt64 = 0
    /// How often the baton was laid down.
    var parkings: UInt32 = 0
    let issuedSnapshot = Atomic<UInt64>(0)

    // Behind a splitter.
    /// Places taken that no block has yet.
    var places = 0
    /// The input that waits for a place.
    var waiting: UnsafeMutablePointer<Record>?
    /// The number after that of the last input shown to the splitter, and its source number.
    var nextInput: UInt64 = 0
    var sourceNumber: UInt64 = 0
    /// How the segment before was stopped, once it has ended.
    var inputStop: StopPolicy.Stop?
    /// Inputs that the splitter failed at, and blocks that are none: `Record.Flags.isNotice`.
    let notices = Atomic<UInt64>(0)
  }

  @inline(__always) func record(_ number: UInt64) -> UnsafeMutablePointer<Record> {
    records + Int(truncatingIfNeeded: number & mask)
  }
  @inline(__always) func recordIndex(_ record: UnsafeMutablePointer<Record>) -> Int {
    record - records
  }
  @inline(__always) func seatStage(_ seat: Int, _ stage: Int) -> UnsafeMutablePointer<SeatStage> {
    seatStages + (seat &* stageCount &+ stage)
  }
  var capacity: Int { Int(mask) + 1 }
  /// Most blocks in flight at present.
  @inline(__always) var limit: Int { flow.pointee.credits.snapshot.limit }

  /// Whether the host's token is cancelled, which may have happened in a signal handler.
  @inline(__always) var isMarked: Bool {
    var index = 0
    while index < hostWordCount {
      if hostWords[index].pointee.load(ordering: .relaxed) != 0 { return true }
      index &+= 1
    }
    return false
  }

  /// The record of the oldest number that has not retired: where to look first.
  @inline(__always) var oldestRecord: Int {
    Int(truncatingIfNeeded: flow.pointee.retired.load(ordering: .relaxed) & mask)
  }
}
