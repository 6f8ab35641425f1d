// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// What the host's threads share with each other; under the monitor.
struct HostState: ~Copyable {
  /// How the input ended, for later submits.
  var closedStatus = Status.closed
  /// What the run has come to, for good; and the same once nothing of the run is left to be called.
  var decision: PipelineOutcome?
  var outcome: PipelineOutcome?
  var firstWait: UnsafeMutablePointer<HostWait>?
  /// Submitters that wait.
  var waitingSubmitters = 0

  // Numbered submission.
  /// Number + 1 of what was last submitted or skipped in each row.
  var claims: UnsafeMutablePointer<UInt64>?
  /// Largest submitted or skipped number + 1, and the smallest one that was not.
  var highest: UInt64 = 0
  var lowestMissing: UInt64 = 0
  /// What a number behind the cut of stage 0 gets, once there is such a cut.
  var cutStatus: Status?

  // Results.
  var freeResults: UnsafeMutablePointer<HostBlock>?
  var firstResult: UnsafeMutablePointer<HostBlock>?
  var lastResult: UnsafeMutablePointer<HostBlock>?
  /// Number + 1 of the last one that was handed over in order.
  var handedOver: UInt64 = 0
  var unreadResults = 0
  var heldResults = 0
  /// What both weigh.
  var resultBytes: Int64 = 0
}

/// What a thread waits in, for a dump.
enum HostCall: CaseIterable {
  case wait, flush, submit, nextResult

  var name: StaticString {
    switch self {
    case .wait: "wait"
    case .flush: "flush"
    case .submit: "submit"
    case .nextResult: "next_result"
    }
  }
}

/// A thread that waits in one of them, in a list for dumps; in memory of that thread.
struct HostWait {
  let call: HostCall
  /// When it came to wait.
  let since: Int64
  fileprivate(set) var next: UnsafeMutablePointer<HostWait>?
  private var previous: UnsafeMutablePointer<HostWait>?

  init(_ call: HostCall, since: Int64) {
    self.call = call
    self.since = since
  }

  static func insert(
    _ wait: UnsafeMutablePointer<HostWait>, _ first: inout UnsafeMutablePointer<HostWait>?
  ) {
    wait.pointee.next = first
    first?.pointee.previous = wait
    first = wait
  }

  static func remove(
    _ wait: UnsafeMutablePointer<HostWait>, _ first: inout UnsafeMutablePointer<HostWait>?
  ) {
    wait.pointee.next?.pointee.previous = wait.pointee.previous
    if let before = wait.pointee.previous {
      before.pointee.next = wait.pointee.next
    } else {
      first = wait.pointee.next
    }
  }
}

/// Who gives the blocks of a run their numbers.
enum Numbering {
  static let undecided: UInt32 = 0
  static let byOrder: UInt32 = 1
  static let byCaller: UInt32 = 2
}

/// A result: the payload of a block that has left the last stage, with its place.
struct HostBlock {
  var block = Block()  // first: the host sees a pointer to it
  var payload = Payload()
  var charged: Int64 = 0
  var next: UnsafeMutablePointer<HostBlock>?
  let run: UnsafeMutablePointer<PipelineRun>
}

/// What the host submits.
public struct Submission {
  public var data: UnsafeMutableRawPointer?
  public var size = 0
  /// nil: the bytes are copied.
  public var release: ReleaseFunction?
  public var releaseContext: UnsafeMutableRawPointer?
  public var meta: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// Bytes that count for a limit of bytes in flight; 0: the size.
  public var weight: UInt64 = 0
  public init() {}

  var isValid: Bool { size == 0 || size > 0 && data != nil }

  var charge: Int64 {
    var block = Block()
    block.size = size
    block.weight = weight
    return block.charge
  }
}

extension PipelineRun {
  /// Submits the next block. After an error nothing was taken.
  func submit(_ submission: Submission, timeout: Int64) -> Status {
    guard submission.isValid else { return .invalidArgument }
    guard choose(Numbering.byOrder) else { return .invalidState }
    let weight = submission.charge
    let hasPlace = flow.pointee.credits.take()
    let hasRow = hasPlace && takeRow()
    if !hasRow || !flow.pointee.weights.addIfRoom(weight) {
      let status = waitForAdmission(timeout, hasPlace: hasPlace, hasRow: hasRow, weight)
      guard status == .ok else { return status }
    }
    var payload = Payload()
    guard makePayload(submission, &payload) else {
      giveAdmission(weight)
      return .noMemory
    }
    schedulePoint()
    let number = flow.pointee.next.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
    guard number & Self.closedBit == 0 else {
      takeBack(payload, submission)
      giveAdmission(weight)
      monitor.lock()
      defer { monitor.unlock() }
      return host.pointee.closedStatus
    }
    noteInFlight(placesTaken)
    enter(number, submission, payload)
    return .ok
  }

  /// After an admission that no block came of.
  private func giveAdmission(_ weight: Int64) {
    discharge(weight)
    flow.pointee.rows.wrappingSubtract(1, ordering: .relaxed)  // givePlace makes it seen
    givePlace()
  }

  /// With unordered delivery: reserves the row of a number to come, if it is free. There are at least as
  /// many reservations as numbers.
  private func takeRow() -> Bool {
    guard deliversUnordered else { return true }
    var rows = flow.pointee.rows.load(ordering: .relaxed)
    while hasRow(rows) {
      let (done, now) = flow.pointee.rows.compareExchange(
        expected: rows, desired: rows + 1, ordering: .relaxed)
      if done { return true }
      rows = now
    }
    return false
  }

  /// The first submit of a run decides who gives the numbers.
  private func choose(_ numbering: UInt32) -> Bool {
    let chosen = flow.pointee.numbering.load(ordering: .relaxed)
    if chosen != Numbering.undecided { return chosen == numbering }
    let (done, now) = flow.pointee.numbering.compareExchange(
      expected: Numbering.undecided, desired: numbering, ordering: .relaxed)
    return done || now == numbering
  }

  /// Whether the callers give the numbers. Under the monitor's lock a number that was claimed shows.
  var isNumberedByCaller: Bool {
    flow.pointee.numbering.load(ordering: .relaxed) == Numbering.byCaller
  }

  private func makePayload(_ submission: Submission, _ payload: inout Payload) -> Bool {
    if let release = submission.release {
      payload.buffer = Payload.callerOwned
      payload.release = release
      payload.releaseContext = submission.releaseContext
      payload.data = submission.data
      payload.size = submission.size
    } else if submission.size > 0, let data = submission.data {
      let room: UnsafeMutableRawPointer
      if let buffer = buffers.take(capacity: submission.size), let memory = buffers.data(buffer) {
        payload.buffer = buffer
        room = UnsafeMutableRawPointer(memory)
      } else {
        // Many submitters that wait with a number of theirs may have taken all buffers.
        guard let memory = wpl_allocate(submission.size) else { return false }
        payload.buffer = Payload.callerOwned
        payload.data = memory
        payload.size = submission.size
        payload.release = { _, memory, _, _ in wpl_free(memory) }
        room = memory
      }
      room.copyMemory(from: data, byteCount: submission.size)
    }
    return true
  }

  /// After a refusal: frees the copy; what is the caller's stays the caller's.
  private func takeBack(_ payload: Payload, _ submission: Submission) {
    if payload.buffer >= 0 {
      buffers.give(payload.buffer)
    } else if submission.release == nil {
      wpl_free(payload.data)
    }
  }

  private func enter(_ number: UInt64, _ submission: Submission, _ payload: Payload) {
    let record = record(number)
    prepare(record, number)
    record.pointee.payload = payload
    if payload.buffer >= 0 {
      record.pointee.block.setPayload(
        buffers.data(payload.buffer), size: submission.size,
        capacity: buffers.capacity(payload.buffer))
    } else {
      record.pointee.block.setPayload(
        payload.data?.assumingMemoryBound(to: UInt8.self), size: payload.size,
        capacity: payload.size)
    }
    record.pointee.block.meta = submission.meta
    record.pointee.block.weight = submission.weight
    record.pointee.charged = submission.charge
    if submission.size > 0 {
      flow.pointee.bytesIn.wrappingAdd(
        UInt64(truncatingIfNeeded: submission.size), ordering: .relaxed)
    }
    noteInput()
    publish(record)
  }

  /// By a thread of the host: gives a place back, and resumes whoever waits for one.
  func givePlace() {
    let before = flow.pointee.credits.give(1)
    if before.free &+ 1 >= before.limit &- emptyMargin { noteEmpty() }
    resumeWaiters()
  }

  /// After places have come free: who waits for them goes on. See `Credits`.
  @inline(never)
  func resumeWaiters() {
    if hasSource {
      guard resumeSource() else { return }
      if depth > 0 { resumeSplitter() } else { announce() }
    } else if flow.pointee.waiters.load(ordering: .sequentiallyConsistent) > 0 {
      wakeHost()
    }
  }

  /// Changes the most blocks in flight, at most the window's capacity: here and in the segments behind.
  func setMaxBlocksInFlight(_ count: Int) {
    guard !options.isSerialReference else { return }
    if let next { next.pointee.setMaxBlocksInFlight(count) }
    if flow.pointee.credits.setLimit(count) == count { return }
    // Less is news too: results may hold all places now.
    resumeWaiters()
  }

  /// Here and in the segments behind.
  /// - Parameter bytes: 0: no limit.
  func setMaxBytesInFlight(_ bytes: Int) {
    if let next { next.pointee.setMaxBytesInFlight(bytes) }
    flow.pointee.weights.setLimit(bytes)
    resumeWaiters()
  }

  /// For a submitter without a place, which is counted as waiting in the credits, or one that has a
  /// place and waits for a row or for bytes.
  @inline(never)
  private func waitForAdmission(
    _ timeout: Int64, hasPlace: Bool, hasRow: Bool, _ weight: Int64
  ) -> Status {
    var hasPlace = hasPlace
    var hasRow = hasRow
    let isInside = isOnThisThread
    noticeMark()
    let deadline = Clock.deadline(after: isInside ? 0 : timeout)
    flow.pointee.waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    var wait = RunWait()
    monitor.lock()
    defer {
      monitor.unlock()
      end(wait)
      flow.pointee.waiters.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    if !hasPlace { flow.pointee.placeWaiters.wrappingAdd(1, ordering: .relaxed) }
    while true {
      // After the change of `waiters`; pairs with whoever gives a place or bytes.
      let waiting = flow.pointee.placeWaiters.load(ordering: .relaxed)
      if !hasPlace && flow.pointee.credits.current.admits(waiting: waiting) {
        flow.pointee.placeWaiters.wrappingSubtract(1, ordering: .relaxed)
        hasPlace = true
      }
      if hasPlace && !hasRow {
        if deliversUnordered { flow.pointee.credits.give(0) }  // pairs with givePlaces
        hasRow = takeRow()
      }
      if hasRow && flow.pointee.weights.addIfRoom(weight) { return .ok }
      var refusal: Status?
      if flow.pointee.next.load(ordering: .acquiring) & Self.closedBit != 0 {
        refusal = host.pointee.closedStatus
      } else if isInside && timeout != 0 {
        refusal = .wouldDeadlock
      } else if mustReadFirst {
        refusal = .resultsWaiting
      } else if let deadline, Clock.now >= deadline {
        refusal = timeout == 0 ? .wouldBlock : .timedOut
      }
      if refusal == nil && !pause(&wait, deadline, .submit) { refusal = .wouldDeadlock }
      if let refusal {
        // A place that comes free is for another submitter; one that waits no more changes nothing.
        if hasRow { flow.pointee.rows.wrappingSubtract(1, ordering: .relaxed) }
        flow.pointee.credits.give(1)
        if hasPlace {
          monitor.wakeAll()
        } else {
          flow.pointee.placeWaiters.wrappingSubtract(1, ordering: .relaxed)
        }
        return refusal
      }
    }
  }

  /// With the monitor locked: no place or byte comes free before the host reads results.
  private var mustReadFirst: Bool {
    let end = lastSegment
    return !end.pointee.options.readerIsAnotherThread && end.pointee.options.pullsResults
      && end.pointee.resultsHoldAll && !flow.pointee.isCancelled.load(ordering: .relaxed)
  }

  /// Whether a callback of this run is on the calling thread's stack.
  /// On the thread of a timer nothing must wait either.
  var isOnThisThread: Bool {
    StackFrame.contains(group) || PoolTimer.isOnThisThread
  }

  // MARK: Numbers of the caller's

  /// Submits a block under a number (nil: declares that there is none).
  func submit(_ number: UInt64, _ submission: Submission?, timeout: Int64) -> Status {
    if let submission, !submission.isValid { return .invalidArgument }
    guard number < Self.closedBit - 1 else { return .invalidArgument }
    guard choose(Numbering.byCaller) else { return .invalidState }
    var payload = Payload()
    if let submission, !makePayload(submission, &payload) { return .noMemory }
    var endStatus: Status?
    let status = claim(number, submission?.charge, timeout, &endStatus)
    guard status == .ok else {
      if let submission { takeBack(payload, submission) }
      return status
    }
    noteInFlight(placesTaken)
    if let submission {
      enter(number, submission, payload)
    } else {
      let record = record(number)
      prepare(record, number)
      record.pointee.flags = [.isTombstone, .wasDropped]
      publish(record)
    }
    if let endStatus { endInput(endStatus) }
    return .ok
  }

  /// Waits until the window has reached the number, and reserves its row.
  ///
  /// The lowest unfinished number is admitted whatever the others weigh, for they may be waiting for
  /// it, unless it is the results that weigh too much.
  ///
  /// - Parameter weight: nil for a hole.
  /// - Parameter endStatus: set if the input was cut and this was the last number before the cut.
  private func claim(
    _ number: UInt64, _ weight: Int64?, _ timeout: Int64, _ endStatus: inout Status?
  ) -> Status {
    let isInside = isOnThisThread
    noticeMark()
    let deadline = Clock.deadline(after: isInside ? 0 : timeout)
    flow.pointee.waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    var wait = RunWait()
    monitor.lock()
    defer {
      monitor.unlock()
      end(wait)
      flow.pointee.waiters.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    while true {
      if flow.pointee.next.load(ordering: .acquiring) & Self.closedBit != 0 {
        return host.pointee.closedStatus
      }
      if let status = host.pointee.cutStatus,
        Int64(bitPattern: number) > cuts[0].load(ordering: .relaxed)
      {
        return status
      }
      flow.pointee.credits.give(0)  // pairs with retire
      let retired = flow.pointee.retired.load(ordering: .acquiring)
      guard let claims = host.pointee.claims else { return .noMemory }
      let row = Int(truncatingIfNeeded: number & mask)
      if number < retired || claims[row] == number + 1 { return .duplicateBlock }
      // Results that the host has not given back keep their places.
      let window = max(0, limit - host.pointee.unreadResults - host.pointee.heldResults)
      let isAwaited = number == retired && host.pointee.resultBytes < flow.pointee.weights.limit
      if number < retired + UInt64(window) && takeBytes(weight, always: isAwaited) {
        claims[row] = number + 1
        host.pointee.highest = max(host.pointee.highest, number + 1)
        var missing = host.pointee.lowestMissing
        while claims[Int(truncatingIfNeeded: missing & mask)] == missing + 1 { missing += 1 }
        host.pointee.lowestMissing = missing
        if isInputComplete { endStatus = host.pointee.cutStatus }
        flow.pointee.credits.claim()
        // How many there are; which ones say the claims.
        flow.pointee.next.wrappingAdd(1, ordering: .relaxed)
        return .ok
      }
      if isInside && timeout != 0 { return .wouldDeadlock }
      // Results hold all places or bytes; or nothing moves but by a smaller number or a reader, and only results
      // keep this number out. The last one handed over may not be counted as retired yet.
      let left = max(retired, host.pointee.handedOver)
      let results = UInt64(host.pointee.unreadResults + host.pointee.heldResults)
      if mustReadFirst
        || !options.readerIsAnotherThread && options.pullsResults
          && host.pointee.lowestMissing <= left
          && number < left + UInt64(limit) && number + results >= left + UInt64(limit)
      {
        return .resultsWaiting
      }
      if let deadline, Clock.now >= deadline { return timeout == 0 ? .wouldBlock : .timedOut }
      if !pause(&wait, deadline, .submit) { return .wouldDeadlock }
    }
  }

  private func takeBytes(_ weight: Int64?, always: Bool) -> Bool {
    guard let weight else { return true }
    if flow.pointee.weights.addIfRoom(weight) { return true }
    if always { flow.pointee.weights.add(weight) }
    return always
  }
}
