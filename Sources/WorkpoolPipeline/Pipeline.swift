// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// An ordered pipeline: a source (or blocks that the host submits), stages, and a sink (or results that
/// the host reads). Build it, run it as often as you like, destroy it.
///
///     let pool = try Pool()
///     let pipeline = try Pipeline(on: pool)
///     try pipeline.setSource("numbers") { block, _ in … }
///     try pipeline.addStage("work", .parallel) { block, _ in … }
///     try pipeline.setSink("print") { block, _ in … }
///     let status = try pipeline.run()
///     try pipeline.destroy()
///
/// Building and starting is for one thread at a time; submitting, reading, waiting and ending for any.
public final class Pipeline: @unchecked Sendable {
  public struct Options {
    /// Most blocks between source (or submit) and cleanup: 1…65536. See
    /// `Pipeline.setMaxBlocksInFlight`.
    public var maxBlocksInFlight = 100
    /// A block is admitted while those in flight weigh less than this many bytes, so together they weigh
    /// less than this and one block, and a block that is larger passes alone. 0: no limit. See
    /// `Block.weight` and `Pipeline.setMaxBytesInFlight`.
    public var maxBytesInFlight = 0
    /// How far `maxBlocksInFlight` can be raised: a power of two, up to 65536. 0: 256, or the next power
    /// of two from `maxBlocksInFlight` on. Memory for so many blocks, without payload, is taken at
    /// the start.
    public var windowCapacity = 0
    /// Errors drop their block and are listed; otherwise the first one ends the run.
    public var collectsErrors = false
    /// When collecting: that many errors end the run; 0: any number.
    public var maxFailures: UInt64 = 0
    public var maxErrorsKept = 100
    /// No sink: the host calls `nextResult`.
    public var pullsResults = false
    /// Blocks are delivered as they come, to the sink (one at a time) or as results: one that takes long
    /// holds up no other. A block gives its place back when it has been delivered; but no number is
    /// taken in that is `windowCapacity` or more ahead of the lowest one under way.
    ///
    /// The outcome, its deciding block and the list of errors are those of ordered delivery. Which blocks
    /// behind a stop or an error have been delivered by then, and in which order, depends on the
    /// schedule; every block before it is delivered. Blocks submitted under numbers of the caller's
    /// come in as with ordered delivery. The serial reference delivers in order.
    public var deliversUnordered = false
    /// Submit waits although results are unread, for another thread reads them.
    public var readerIsAnotherThread = false
    /// Runs as a plain loop on the calling thread.
    public var isSerialReference = false
    /// Cancels the runs.
    public var token: Token?
    /// A run that takes longer is cancelled and comes to `timedOut`; 0: no limit.
    public var runTimeoutNanoseconds: Int64 = 0
    /// Part in the workers' time beside other pipelines of the pool that have work: 1…1000.
    public var weight = 1
    /// When no block has moved for so long while some are in flight, the run counts as stuck: `onStuck` is
    /// called, once in a run, with a dump, on the thread of the pool's timer, where nothing may wait.
    /// A source that brings nothing, and results that nobody reads, are no such thing. 0: never.
    public var stuckAfterNanoseconds: Int64 = 0
    public var onStuck: ((_ dump: String) -> Void)?
    /// A run that is stuck is cancelled, too.
    public var cancelsWhenStuck = false
    /// What the runs measure of themselves.
    public var statistics = StatisticsLevel.sampled
    /// Events of the timeline that each worker keeps, the last ones; 0: there is no timeline. Takes
    /// 48 bytes for each, and times every call.
    public var timelineEvents = 0
    /// Blocks that a worker takes from the source at once; nil: as many as are worth while. For tests.
    var fixedBatch: Int?
    public init() {}

    /// `windowCapacity` or its default.
    var windowRows: Int {
      if windowCapacity != 0 { return windowCapacity }
      var rows = 256
      while rows < maxBlocksInFlight { rows *= 2 }
      return rows
    }
  }

  public static let mostBlocksInFlight = 65_536
  public static let mostStages = 62
  public static let largestBatch = 256
  public static let mostTimelineEvents = TimelineRing.mostEvents
  public static let largestWeight = Int(FairShares.largestWeight)

  public let options: Options
  public let pool: Pool?
  private var source: Stage?
  private var stages: [Stage] = []
  private var sink: Stage?
  /// The run that is under way or has ended last: its first segment.
  private(set) var current: UnsafeMutablePointer<PipelineRun>?
  private let subscribers: ProgressSubscribers
  private var isDestroyed = false
  /// Guards `current` where any thread may come by, and the limits.
  private let lock: Monitor
  private var maxBlocks: Int
  private let weightNow: Atomic<UInt32>
  private var maxBytes: Int

  /// - Parameter pool: may be nil for the serial reference.
  public init(on pool: Pool?, _ options: Options = Options()) throws(WorkpoolError) {
    // First everything is in place: then a throw leaves no half object.
    self.options = options
    self.pool = pool
    maxBlocks = options.maxBlocksInFlight
    subscribers = try ProgressSubscribers(pool?.timer)
    maxBytes = options.maxBytesInFlight
    lock = try Monitor()
    weightNow = Atomic(UInt32(clamping: options.weight))
    guard 0...Self.mostTimelineEvents ~= options.timelineEvents else {
      throw WorkpoolError(.invalidArgument, "timelineEvents must be 0 to 16777216")
    }
    guard 1...Self.largestWeight ~= options.weight else {
      throw WorkpoolError(.invalidArgument, "weight must be 1 to 1000")
    }
    guard 1...Self.mostBlocksInFlight ~= options.maxBlocksInFlight else {
      throw WorkpoolError(.invalidArgument, "maxBlocksInFlight must be 1 to 65536")
    }
    guard options.maxBytesInFlight >= 0 else {
      throw WorkpoolError(.invalidArgument, "maxBytesInFlight must not be negative")
    }
    let rows = options.windowCapacity
    guard
      rows == 0
        || options.maxBlocksInFlight...Self.mostBlocksInFlight ~= rows && rows & (rows - 1) == 0
    else {
      throw WorkpoolError(
        .invalidArgument,
        "windowCapacity must be a power of two from maxBlocksInFlight to 65536")
    }
    guard pool != nil || options.isSerialReference else {
      throw WorkpoolError(.invalidArgument, "a pipeline needs a pool")
    }
    guard options.runTimeoutNanoseconds >= 0 else {
      throw WorkpoolError(.invalidArgument, "the run timeout must not be negative")
    }
    guard options.stuckAfterNanoseconds >= 0 else {
      throw WorkpoolError(.invalidArgument, "the patience with a stuck run must not be negative")
    }
    guard
      (options.stuckAfterNanoseconds > 0) == (options.onStuck != nil || options.cancelsWhenStuck),
      options.stuckAfterNanoseconds == 0 || !options.isSerialReference
    else {
      throw WorkpoolError(
        .invalidArgument,
        options.isSerialReference
          ? "the serial reference cannot watch itself"
          : "watching for a stuck run needs a time, and a callback or a cancel")
    }
    pool?.retain()
    // Runs are told of a cancel by themselves; this says that the token is in use between them too.
    options.token?.observe(Unmanaged.passUnretained(self).toOpaque()) { _ in }
  }

  deinit { lock.destroy() }

  // MARK: Building

  /// Takes the stage: its context is destroyed with the pipeline.
  public func setSource(_ stage: Stage) throws(WorkpoolError) {
    try checkIsBuilding()
    guard source == nil else { throw WorkpoolError(.invalidState, "there is a source already") }
    guard stage.maxBatch == 0 else {
      throw WorkpoolError(.invalidArgument, "a source brings one block at a time")
    }
    source = stage
    source?.kind = .serial
  }

  /// - Returns: the number of the stage; 0 is the source.
  @discardableResult
  public func addStage(_ stage: Stage) throws(WorkpoolError) -> Int {
    try checkIsBuilding()
    guard sink == nil else { throw WorkpoolError(.invalidState, "the sink is the last stage") }
    guard stages.count < Self.mostStages else {
      throw WorkpoolError(.invalidArgument, "a pipeline has at most 62 stages")
    }
    guard stage.maxConcurrency >= 0 else {
      throw WorkpoolError(.invalidArgument, "maxConcurrency must not be negative")
    }
    try checkBatch(stage)
    stages.append(stage)
    return stages.count
  }

  public func setSink(_ stage: Stage) throws(WorkpoolError) {
    try checkIsBuilding()
    guard sink == nil else { throw WorkpoolError(.invalidState, "there is a sink already") }
    guard !options.pullsResults else {
      throw WorkpoolError(.invalidState, "results are read by the host: there is no sink")
    }
    guard stage.maxBatch == 0 || !options.deliversUnordered else {
      throw WorkpoolError(.invalidArgument, "with unordered delivery a sink gets block by block")
    }
    var stage = stage
    stage.kind = .serial
    try checkBatch(stage)
    sink = stage
  }

  private func checkBatch(_ stage: Stage) throws(WorkpoolError) {
    guard 0...Self.largestBatch ~= stage.maxBatch else {
      throw WorkpoolError(.invalidArgument, "maxBatch must be 0 to \(Self.largestBatch)")
    }
    guard stage.maxBatch == 0 || stage.kind == .serial else {
      throw WorkpoolError(.invalidArgument, "maxBatch is for serial stages and sinks")
    }
  }

  private func checkIsBuilding() throws(WorkpoolError) {
    if current != nil {
      throw WorkpoolError(.invalidState, "a pipeline cannot be changed after its start")
    }
  }

  // MARK: Running

  /// Begins a run; an ended one makes room for it.
  public func start() throws(WorkpoolError) {
    guard !options.isSerialReference else {
      throw WorkpoolError(.invalidState, "the serial reference can only run")
    }
    let run = try makeRun()
    run.pointee.start()
  }

  /// Starts and waits for the end.
  public func run() throws(WorkpoolError) -> Status {
    guard source != nil else {
      throw WorkpoolError(.invalidState, "without a source: start, submit, close, wait")
    }
    guard options.isSerialReference else {
      try start()
      return try wait()
    }
    let run = try makeRun()
    run.pointee.runSerially()
    return try result().status
  }

  private func makeRun() throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    if options.isSerialReference && options.pullsResults {
      throw WorkpoolError(.invalidState, "the serial reference needs a sink")
    }
    if options.token?.isCancelled == true {
      throw WorkpoolError(.cancelled, "cancelled before the start")
    }
    if let current {
      guard current.pointee.lastSegment.pointee.hasEnded else {
        throw WorkpoolError(.invalidState, "the pipeline is running")
      }
      guard current.pointee.lastSegment.pointee.heldResultCount == 0 else {
        throw WorkpoolError(.busy, "the host holds results of the last run")
      }
    }
    let run = try PipelineRun.create(
      stages: [source] + stages.map { $0 } + [sink], hasSource: source != nil, options: options,
      limit: options.maxBlocksInFlight, pool: pool, isSerialReference: options.isSerialReference)
    // Before anybody is told of the run: what a subscriber asks for is meant for this one.
    let last = current
    lock.lock()
    current = run
    run.pointee.setMaxBlocksInFlight(maxBlocks)
    let group = run.pointee.group
    group.pointee.weight.store(weightNow.load(ordering: .relaxed), ordering: .relaxed)
    run.pointee.setMaxBytesInFlight(maxBytes)
    lock.unlock()
    do throws(WorkpoolError) {
      try run.pointee.beginEvents(subscribers)
    } catch {
      lock.lock()
      current = last
      lock.unlock()
      PipelineRun.destroy(run)
      throw error
    }
    if let last { discard(last) }
    return run
  }

  /// Changes `Options.maxBlocksInFlight`, for the run that is under way and all later ones.
  ///
  /// More places can be used at once. Fewer: free places go at once, the others with the next blocks that
  /// leave; until then more blocks are in flight than the new limit allows, and none enters. A
  /// numbered block of the window that is missing enters all the same. The serial reference has one
  /// block at a time.
  ///
  /// Any thread may call this, also in callbacks, and several at once, but not while the pipeline is being
  /// destroyed.
  ///
  /// - Throws: `invalidArgument` unless `count` is 1…`windowCapacity`.
  public func setMaxBlocksInFlight(_ count: Int) throws(WorkpoolError) {
    guard 1...options.windowRows ~= count else {
      throw WorkpoolError(
        .invalidArgument,
        "maxBlocksInFlight must be 1 to \(options.windowRows), the window's capacity")
    }
    lock.lock()
    maxBlocks = count
    current?.pointee.setMaxBlocksInFlight(count)
    lock.unlock()
  }

  /// The limit at present.
  public var maxBlocksInFlight: Int {
    lock.lock()
    defer { lock.unlock() }
    return maxBlocks
  }

  /// Changes `Options.maxBytesInFlight`, for the run that is under way and all later ones; 0: no limit.
  ///
  /// A larger limit admits blocks at once; a smaller one admits none until enough have left. Numbered
  /// blocks: the lowest one that has not left is admitted whatever the others weigh, for they may be
  /// waiting for it; so they may weigh one block more. The serial reference has one block at a time.
  ///
  /// Threads as `setMaxBlocksInFlight`.
  ///
  /// - Throws: `invalidArgument` if `bytes` is negative.
  public func setMaxBytesInFlight(_ bytes: Int) throws(WorkpoolError) {
    guard bytes >= 0 else {
      throw WorkpoolError(.invalidArgument, "maxBytesInFlight must not be negative")
    }
    lock.lock()
    maxBytes = bytes
    current?.pointee.setMaxBytesInFlight(bytes)
    lock.unlock()
  }

  /// The limit at present; 0: none.
  public var maxBytesInFlight: Int {
    lock.lock()
    defer { lock.unlock() }
    return maxBytes
  }

  private func discard(_ run: UnsafeMutablePointer<PipelineRun>) {
    if !options.isSerialReference {
      run.pointee.forEachSegment { pool?.waitUntilLeft($0.pointee.workSource) }
    }
    PipelineRun.destroy(run)
  }

  /// Cancels a run that is under way, waits for its end and frees everything, stages included. A second
  /// call does nothing.
  /// - Throws: `busy` in a callback of the pipeline or of one that it waits for (the run is cancelled
  ///   then), and while the host holds results.
  public func destroy() throws(WorkpoolError) {
    if isDestroyed { return }
    if let current {
      guard !current.pointee.isOnThisThread else {
        throw WorkpoolError(.busy, "a callback cannot destroy its own pipeline")
      }
      let end = current.pointee.lastSegment
      guard end.pointee.heldResultCount == 0 else {
        throw WorkpoolError(.busy, "the host holds results")
      }
      if !end.pointee.hasEnded {
        current.pointee.cancel()
        if end.pointee.wait(timeout: -1) == .wouldDeadlock {
          throw WorkpoolError(.busy, "the run waits for this callback")
        }
      }
      lock.lock()
      self.current = nil
      lock.unlock()
      discard(current)
    }
    isDestroyed = true
    subscribers.close()
    for stage in [source] + stages.map({ $0 }) + [sink] {
      stage?.destroyContext?(stage?.context)
    }
    source = nil
    stages = []
    sink = nil
    options.token?.forget(Unmanaged.passUnretained(self).toOpaque())
    pool?.release()
  }

  private func active() throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    guard let current else { throw WorkpoolError(.invalidState, "the pipeline was not started") }
    return current
  }

  /// The segment where results and the outcome come out.
  private func activeEnd() throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    try active().pointee.lastSegment
  }

  private func check(_ status: Status, _ text: StaticString) throws(WorkpoolError) {
    if status.isError { throw WorkpoolError(status, "\(text): \(status.text)") }
  }

  /// Waits for the end of the run, for at most `timeout` nanoseconds (negative: for ever).
  /// - Returns: its outcome, also a bad one; `timedOut` while it goes on. A run that came to its own
  ///   deadline ended with `timedOut` too: then `result` has something to tell.
  public func wait(timeout: Int64 = -1) throws(WorkpoolError) -> Status {
    try activeEnd().pointee.wait(timeout: timeout)
  }

  /// Submits the next block. After an error nothing was taken.
  public func submit(_ submission: Submission, timeout: Int64 = -1) throws(WorkpoolError) -> Status
  {
    try pushed().pointee.submit(submission, timeout: timeout)
  }

  /// Submits a block under a number of the caller's; nil declares that there is no such block.
  public func submit(
    number: UInt64, _ submission: Submission?, timeout: Int64 = -1
  ) throws(WorkpoolError) -> Status {
    try pushed().pointee.submit(number, submission, timeout: timeout)
  }

  private func pushed() throws(WorkpoolError) -> UnsafeMutablePointer<PipelineRun> {
    guard source == nil else {
      throw WorkpoolError(.invalidState, "a pipeline with a source takes no submissions")
    }
    return try active()
  }

  public func close() throws(WorkpoolError) { try pushed().pointee.endInput(.closed) }

  public func flush(timeout: Int64 = -1) throws(WorkpoolError) -> Status {
    try pushed().pointee.flush(timeout: timeout)
  }

  /// The next block in input order, to be given back by `releaseResult`; see `PipelineResult`.
  public func nextResult(timeout: Int64 = -1) throws(WorkpoolError) -> (Status, PipelineResult?) {
    guard options.pullsResults else {
      throw WorkpoolError(.invalidState, "the pipeline does not pull results")
    }
    let (status, block) = try activeEnd().pointee.nextResult(timeout: timeout)
    return (status, block.map(PipelineResult.init))
  }

  /// Ends the input; what is in flight is delivered.
  public func stop() throws(WorkpoolError) { try active().pointee.stop() }

  /// Ends the run; returns at once.
  public func cancel() throws(WorkpoolError) { try active().pointee.cancel() }

  /// The part in the workers' time beside other pipelines of the pool that have work; a change counts
  /// from now on.
  public var weight: Int { Int(weightNow.load(ordering: .relaxed)) }

  /// - Throws: `invalidArgument` unless it is 1…1000.
  public func setWeight(_ weight: Int) throws(WorkpoolError) {
    guard 1...Self.largestWeight ~= weight else {
      throw WorkpoolError(.invalidArgument, "weight must be 1 to 1000")
    }
    lock.lock()
    defer { lock.unlock() }
    weightNow.store(UInt32(weight), ordering: .relaxed)
    if let group = current?.pointee.group {
      group.pointee.weight.store(UInt32(weight), ordering: .relaxed)
    }
  }

  // MARK: Looking

  /// How the last run ended.
  public func result() throws(WorkpoolError) -> PipelineOutcome {
    guard let outcome = try activeEnd().pointee.endedOutcome else {
      throw WorkpoolError(.invalidState, "no run has ended")
    }
    return outcome
  }

  /// The errors of the last run, in block order.
  public func errors() throws(WorkpoolError) -> [PipelineError] {
    let run = try activeEnd()
    guard run.pointee.endedOutcome != nil else {
      throw WorkpoolError(.invalidState, "no run has ended")
    }
    return run.pointee.tail.pointee.errors
  }

  /// What a failed run failed by: the deciding error, or nil if that is not listed.
  public func failureText() throws(WorkpoolError) -> String? {
    let outcome = try result()
    let errors = try errors()
    guard let stage = outcome.stage,
      let error = errors.first(where: { $0.number == outcome.number && $0.stage == stage })
    else { return nil }
    let name =
      (stage == 0 ? source : stage <= stages.count ? stages[stage - 1] : sink)?.name ?? ""
    let what = error.text.isEmpty ? Self.text(of: error.code) : error.text
    let others = outcome.errors &- 1
    let isInput = error.sourceNumber == error.number || error.sourceNumber == .max
    return "block \(error.number)" + (isInput ? "" : " of input block \(error.sourceNumber)")
      + ", stage \(stage)" + (name.isEmpty || name == "stage \(stage)" ? "" : " (\(name))")
      + ": \(what)"
      + (others > 0 ? "; and \(others) more error\(others == 1 ? "" : "s")" : "")
  }

  /// What a callback meant by a code without a text.
  private static func text(of code: Int32) -> String {
    code <= Status.firstUserCode.rawValue
      ? "the callback returned \(code)" : "\(Status(rawValue: code).text)"
  }

  /// What everybody in the run is doing and waiting for, as lines of text: callbacks that are running, parked
  /// blocks and what each waits for, places, threads of the host that wait. For a program that does not
  /// go on: any thread may ask, also while callbacks hang.
  public func dump() -> String {
    lock.lock()
    defer { lock.unlock() }
    return current?.pointee.dumpOfAll ?? "pipeline that was not started\n"
  }

  public func statistics() throws(WorkpoolError) -> PipelineStatistics {
    try active().pointee.statisticsOfAll
  }

  /// Bytes allocated for the run that is under way or has ended last; 0 before the first start.
  ///
  /// All but the buffers for payloads is allocated at the start: `windowCapacity` ×
  /// (64 for each 16 serial stages, begun ones included, + at most 640, and 256 more if results are
  /// pulled) + `workers` × stages × at most 4096 + some 20 KB, and as much again for each splitter. A
  /// buffer is allocated when a payload, or a spare, first needs it, and is used again; there are
  /// never more than two for each block in flight. Nothing grows with the number of blocks. Payloads of the
  /// caller's are not counted.
  public var memory: Int {
    lock.lock()
    defer { lock.unlock() }
    var bytes = 0
    var segment = current
    while let here = segment {
      bytes += here.pointee.arena.bytes + here.pointee.buffers.bytes
      segment = here.pointee.next
    }
    return bytes
  }

  /// How many stages a run has, source and the last one included.
  public var stageCount: Int { stages.count + 2 }

  public func statistics(ofStage stage: Int) throws(WorkpoolError) -> StageStatistics {
    guard 0..<stageCount ~= stage else {
      throw WorkpoolError(.invalidArgument, "there is no stage \(stage)")
    }
    let segment = try active().pointee.segment(ofStage: stage)
    return segment.pointee.statistics(ofStage: stage - segment.pointee.stageBase)
  }

  /// Hands the timeline of the last run, so far, to `write`, piece by piece: Trace Event Format, which
  /// Perfetto and chrome://tracing open. Any thread, also while the run goes on.
  ///
  /// An `X` event for each call of a stage (`pid` the run, `tid` the worker, times in microseconds since the
  /// start; block, stage, status and bytes among its `args`), counters of blocks in flight, ready and
  /// parked, instants for stop, error and cancel. `otherData` says how many events were lost because
  /// `timelineEvents` were too few. Events of one worker do not overlap.
  ///
  /// - Throws: `invalidState` before the first start and without `Options.timelineEvents`; what `write`
  ///   throws.
  public func writeTimeline(
    _ write: (UnsafeRawBufferPointer) throws(WorkpoolError) -> Void
  ) throws(WorkpoolError) {
    try active().pointee.writeTimeline(write)
  }
}

extension Pipeline {
  public static let progressInterval: Int64 = 100_000_000

  /// Calls `tell` about every `interval` nanoseconds while a run is under way, and once more (`isLast`)
  /// when it has come to its outcome, before `wait` returns. Calls of one pipeline never overlap; they
  /// come from the pool's timer, the last ones from the worker that ends the run. A call that takes long
  /// delays everything of the pool that happens by the clock, and the end of the run.
  ///
  /// Inside a call everything is allowed that does not wait: statistics, `cancel`, `stop`, and
  /// `unsubscribe`; calls that wait are refused (`wouldDeadlock`). Without subscribers nothing of this
  /// costs anything. The serial reference calls when something is due between two stages.
  ///
  /// - Returns: what `unsubscribe` takes.
  /// - Throws: `invalidArgument` for an interval that is not positive; `noMemory`; `noThread` if a run is
  ///   under way and the timer's thread cannot be created.
  @discardableResult
  public func subscribe(
    every interval: Int64 = progressInterval, destroy: @escaping () -> Void = {},
    _ tell: @escaping (PipelineProgress) -> Void
  ) throws(WorkpoolError) -> UInt64 {
    guard interval > 0 else {
      throw WorkpoolError(.invalidArgument, "a progress interval must be positive")
    }
    // More often than this nobody can look.
    return try subscribers.subscribe(every: max(interval, 1_000_000), destroy: destroy, tell)
  }

  /// Ends a subscription; `destroy` of `subscribe` is called. Waits while its call is running, unless it
  /// is called inside one of this pipeline's.
  /// - Throws: `invalidArgument` if there is none of that number; `wouldDeadlock` inside a call of another
  ///   pipeline's.
  public func unsubscribe(_ id: UInt64) throws(WorkpoolError) { try subscribers.unsubscribe(id) }

  /// Says how many blocks and bytes a run's input has, for the rest of the time in `PipelineProgress`; nil:
  /// unknown. Holds for the run under way and all later ones.
  public func setTotal(blocks: UInt64?, bytes: UInt64?) {
    subscribers.setTotal(blocks: blocks, bytes: bytes)
  }
}

/// A block that the host has read; valid until `release`.
public struct PipelineResult: @unchecked Sendable {
  private let result: UnsafeMutablePointer<HostBlock>

  init(_ result: UnsafeMutablePointer<HostBlock>) { self.result = result }

  /// From a pointer that `block` gave.
  public init(block: UnsafeMutableRawPointer) {
    result = block.assumingMemoryBound(to: HostBlock.self)
  }

  public var block: UnsafeMutablePointer<Block> {
    UnsafeMutableRawPointer(result).assumingMemoryBound(to: Block.self)
  }

  /// Index of its memory in `buffers`, or what else `Payload` knows.
  var buffer: Int32 { result.pointee.payload.buffer }
  var buffers: BufferPool { result.pointee.run.pointee.buffers }

  /// Gives the block and its place back, once. In a child process it is the parent's, and stays.
  public func release() {
    let run = result.pointee.run
    if run.pointee.pool.isOfThisProcess { run.pointee.releaseResult(result, .delivered) }
  }
}

extension PipelineRun {
  var endedOutcome: PipelineOutcome? {
    monitor.lock()
    defer { monitor.unlock() }
    return host.pointee.outcome
  }
  var hasEnded: Bool { endedOutcome != nil }
  var heldResultCount: Int {
    monitor.lock()
    defer { monitor.unlock() }
    return host.pointee.heldResults
  }
}
