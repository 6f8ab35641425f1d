// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// What the host's threads share with each other; under the monitor.
struct HostState: ~Copyable {
  /// Places that were given back for waiting submitters.
  var grants = 0
  /// How the input ended, for later submits.
  var closedStatus = Status.closed
  var outcome: PipelineOutcome?
  var endTime: Int64 = 0

  // Numbered submission.
  var numbering = Numbering.undecided
  /// Number + 1 of what was last submitted or skipped in each row.
  var claims: UnsafeMutablePointer<UInt64>?
  /// Largest submitted or skipped number + 1.
  var highest: UInt64 = 0

  // Results.
  var freeResults: UnsafeMutablePointer<HostBlock>?
  var firstResult: UnsafeMutablePointer<HostBlock>?
  var lastResult: UnsafeMutablePointer<HostBlock>?
  var unreadResults = 0
  var heldResults = 0

  enum Numbering { case undecided, byOrder, byCaller }
}

/// A result: the payload of a block that has left the last stage, with its place.
struct HostBlock {
  var block = Block()  // first: the host sees a pointer to it
  var payload = Payload()
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
  public init() {}
}

extension PipelineRun {
  /// Submits the next block. After an error nothing was taken.
  func submit(_ submission: Submission, timeout: Int64) -> Status {
    if host.pointee.numbering != .byOrder {
      if let status = choose(.byOrder) { return status }
    }
    let places = flow.pointee.credits.wrappingSubtract(1, ordering: .acquiringAndReleasing).oldValue
    if places <= 0 {
      let status = waitForPlace(timeout)
      guard status == .ok else { return status }
    }
    var payload = Payload()
    guard makePayload(submission, &payload) else {
      givePlace()
      return .noMemory
    }
    let number = flow.pointee.next.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
    guard number & Self.closedBit == 0 else {
      if payload.buffer >= 0 { buffers.give(payload.buffer) }
      givePlace()
      monitor.lock()
      defer { monitor.unlock() }
      return host.pointee.closedStatus
    }
    noteSubmitted(number)
    enter(number, submission, payload)
    return .ok
  }

  private func noteSubmitted(_ number: UInt64) {
    let retired = flow.pointee.retired.load(ordering: .relaxed)
    let count = min(limit, Int(truncatingIfNeeded: number &- retired) + 1)
    _ = flow.pointee.mostInFlight.max(count, ordering: .relaxed)
  }

  /// The first submit of a run decides who gives the numbers.
  @inline(never)
  private func choose(_ numbering: HostState.Numbering) -> Status? {
    monitor.lock()
    defer { monitor.unlock() }
    if host.pointee.numbering == .undecided { host.pointee.numbering = numbering }
    return host.pointee.numbering == numbering ? nil : .invalidState
  }

  private func makePayload(_ submission: Submission, _ payload: inout Payload) -> Bool {
    if let release = submission.release {
      payload.buffer = Payload.callerOwned
      payload.release = release
      payload.releaseContext = submission.releaseContext
      payload.data = submission.data
      payload.size = submission.size
    } else if submission.size > 0, let data = submission.data {
      guard let buffer = buffers.take(capacity: submission.size),
        let room = buffers.data(buffer)
      else { return false }
      UnsafeMutableRawPointer(room).copyMemory(from: data, byteCount: submission.size)
      payload.buffer = buffer
    }
    return true
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
        submission.data?.assumingMemoryBound(to: UInt8.self), size: submission.size,
        capacity: submission.size)
    }
    record.pointee.block.meta = submission.meta
    publish(record)
  }

  func givePlace() {
    let credits = flow.pointee.credits.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue
    if credits < 0 { grantPlace() }
  }

  func grantPlace() {
    if hasSource {
      flow.pointee.baton.store(Baton.prepaid, ordering: .sequentiallyConsistent)
      flow.pointee.credits.wrappingAdd(0, ordering: .sequentiallyConsistent)
      announce()
    } else {
      monitor.lock()
      host.pointee.grants += 1
      monitor.wakeAll()
      monitor.unlock()
    }
  }

  /// The credits were lowered by this submitter and were not positive: somebody will give it a place.
  @inline(never)
  private func waitForPlace(_ timeout: Int64) -> Status {
    let isInside = isOnThisThread
    let deadline = Clock.deadline(after: isInside ? 0 : timeout)
    flow.pointee.waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    monitor.lock()
    defer {
      monitor.unlock()
      flow.pointee.waiters.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    while true {
      if host.pointee.grants > 0 {
        host.pointee.grants -= 1
        return .ok
      }
      var refusal: Status?
      if flow.pointee.next.load(ordering: .acquiring) & Self.closedBit != 0 {
        refusal = host.pointee.closedStatus
      } else if isInside && timeout != 0 {
        refusal = .wouldDeadlock
      } else if !options.readerIsAnotherThread && options.pullsResults
        && host.pointee.unreadResults + host.pointee.heldResults >= limit
      {
        refusal = .resultsWaiting
      } else if let deadline, Clock.now >= deadline {
        refusal = timeout == 0 ? .wouldBlock : .timedOut
      }
      if let refusal, withdraw() { return refusal }
      waitSlice(refusal == nil ? deadline : nil)
    }
  }

  /// Takes the request for a place back, unless a grant is on its way: then the caller must wait
  /// for it.
  private func withdraw() -> Bool {
    var credits = flow.pointee.credits.load(ordering: .relaxed)
    while credits < 0 {
      let (done, now) = flow.pointee.credits.compareExchange(
        expected: credits, desired: credits + 1, ordering: .acquiringAndReleasing)
      if done { return true }
      credits = now
    }
    return false
  }

  /// With the monitor locked: waits until woken or `deadline`; with a token that a signal handler may
  /// set, looks at it now and then.
  func waitSlice(_ deadline: Int64?) {
    guard let hostWord else {
      if let deadline { _ = monitor.wait(until: deadline) } else { monitor.wait() }
      return
    }
    let slice = Clock.now + 100_000_000
    _ = monitor.wait(until: min(slice, deadline ?? slice))
    if hostWord.pointee.load(ordering: .relaxed) != 0
      && !flow.pointee.isCancelled.load(ordering: .relaxed)
    {
      monitor.unlock()
      cancel()
      monitor.lock()
    }
  }

  /// Whether a callback of this run is on the calling thread's stack.
  var isOnThisThread: Bool { wpl_thread_run() == UnsafeMutableRawPointer(address) }

  // MARK: Numbers of the caller's

  /// Submits a block under a number (nil: declares that there is none).
  func submit(_ number: UInt64, _ submission: Submission?, timeout: Int64) -> Status {
    if let status = choose(.byCaller) { return status }
    guard number < Self.closedBit - 1 else { return .invalidArgument }
    var payload = Payload()
    if let submission, !makePayload(submission, &payload) { return .noMemory }
    let status = claim(number, timeout)
    guard status == .ok else {
      if payload.buffer >= 0 { buffers.give(payload.buffer) }
      return status
    }
    noteSubmitted(number)
    if let submission {
      enter(number, submission, payload)
    } else {
      let record = record(number)
      prepare(record, number)
      record.pointee.flags = [.isTombstone, .wasDropped]
      publish(record)
    }
    return .ok
  }

  /// Waits until the window has reached the number, and reserves its row.
  private func claim(_ number: UInt64, _ timeout: Int64) -> Status {
    let isInside = isOnThisThread
    let deadline = Clock.deadline(after: isInside ? 0 : timeout)
    flow.pointee.waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    monitor.lock()
    defer {
      monitor.unlock()
      flow.pointee.waiters.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    while true {
      if flow.pointee.next.load(ordering: .acquiring) & Self.closedBit != 0 {
        return host.pointee.closedStatus
      }
      flow.pointee.credits.wrappingAdd(0, ordering: .sequentiallyConsistent)  // pairs with retire
      let retired = flow.pointee.retired.load(ordering: .acquiring)
      guard let claims = host.pointee.claims else { return .noMemory }
      let row = Int(truncatingIfNeeded: number & mask)
      if number < retired || claims[row] == number + 1 { return .duplicateBlock }
      // Results that the host has not given back keep their places.
      if number < retired + UInt64(limit - host.pointee.unreadResults - host.pointee.heldResults) {
        claims[row] = number + 1
        host.pointee.highest = max(host.pointee.highest, number + 1)
        flow.pointee.credits.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        return .ok
      }
      if isInside && timeout != 0 { return .wouldDeadlock }
      if !options.readerIsAnotherThread && options.pullsResults
        && host.pointee.unreadResults + host.pointee.heldResults >= limit
      {
        return .resultsWaiting
      }
      if let deadline, Clock.now >= deadline { return timeout == 0 ? .wouldBlock : .timedOut }
      waitSlice(deadline)
    }
  }
}
