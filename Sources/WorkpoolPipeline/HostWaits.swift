// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// What threads of the host ask of a run: results, waits, the end of the input, cancellation. Of a pipeline
/// with splitters the first segment is asked for places, flush and the end of the input, the last one for
/// results and the outcome; all segments share one monitor.
extension PipelineRun {
  @inline(never)
  func wakeHost() {
    monitor.lock()
    monitor.wakeAll()
    monitor.unlock()
  }

  // MARK: Results

  /// Moves the payload of a block that retires to the host; its place goes with it.
  /// - Returns: false after a cancel: nobody may come for it any more.
  @inline(never)
  func handOver(_ record: UnsafeMutablePointer<Record>) -> Bool {
    monitor.lock()
    // There are as many results as rows, and a result keeps its place.
    guard !flow.pointee.isCancelled.load(ordering: .relaxed), let result = host.pointee.freeResults
    else {
      monitor.unlock()
      return false
    }
    host.pointee.freeResults = result.pointee.next
    result.pointee.block = record.pointee.block
    result.pointee.payload = record.pointee.payload
    result.pointee.charged = record.pointee.charged
    host.pointee.resultBytes += record.pointee.charged
    record.pointee.charged = 0
    result.pointee.next = nil
    record.pointee.payload = Payload()
    record.pointee.block.setPayload(nil, size: 0, capacity: 0)
    if let last = host.pointee.lastResult {
      last.pointee.next = result
    } else {
      host.pointee.firstResult = result
    }
    host.pointee.lastResult = result
    if !deliversUnordered { host.pointee.handedOver = result.pointee.block.number &+ 1 }
    host.pointee.unreadResults += 1
    monitor.wakeAll()
    monitor.unlock()
    return true
  }

  /// The next block in input order, which keeps its place until `releaseResult`.
  func nextResult(timeout: Int64) -> (Status, UnsafeMutablePointer<HostBlock>?) {
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
      if let result = host.pointee.firstResult {
        host.pointee.firstResult = result.pointee.next
        if result.pointee.next == nil { host.pointee.lastResult = nil }
        host.pointee.unreadResults -= 1
        host.pointee.heldResults += 1
        return (.ok, result)
      }
      if let outcome = host.pointee.outcome {
        return (outcome.status == .ok ? .end : outcome.status.toWaiters, nil)
      }
      if flow.pointee.isCancelled.load(ordering: .relaxed) { return (.cancelled, nil) }
      if isReaderStarved || isInside && timeout != 0 { return (.wouldDeadlock, nil) }
      if let deadline, Clock.now >= deadline {
        return (timeout == 0 ? .wouldBlock : .timedOut, nil)
      }
      if !pause(&wait, deadline, .nextResult) { return (.wouldDeadlock, nil) }
    }
  }

  /// With the monitor locked: whether results, read or not, hold all places or all bytes.
  var resultsHoldAll: Bool {
    host.pointee.unreadResults + host.pointee.heldResults >= limit
      || host.pointee.resultBytes >= flow.pointee.weights.limit
  }

  /// Whether something that is still to come needs a place: not in an input that has ended, or is about
  /// to because nothing is called for it any more.
  private var needsPlaces: Bool {
    flow.pointee.total.load(ordering: .relaxed) == Self.unknownTotal
      && !flow.pointee.isCancelled.load(ordering: .relaxed) && !(hasSource && isSourceOver)
  }

  /// With the monitor locked and no result to be read: whether none can come before one is given back.
  private var isReaderStarved: Bool {
    guard resultsHoldAll && needsPlaces else { return false }
    // After the limit was lowered there may be others in flight.
    flow.pointee.credits.give(0)  // pairs with retire
    let retired = flow.pointee.retired.load(ordering: .acquiring)
    if hasSource { return retired >= source.pointee.issuedSnapshot.load(ordering: .relaxed) }
    if isNumberedByCaller { return retired >= host.pointee.lowestMissing }
    return retired >= flow.pointee.next.load(ordering: .relaxed)
  }

  /// Gives a result and its place back.
  func releaseResult(_ result: UnsafeMutablePointer<HostBlock>, _ reason: ReleaseReason) {
    release(&result.pointee.payload, reason)
    // First out of the sum: who counts on few bytes of results must not find them there still.
    let charged = result.pointee.charged
    discharge(charged)
    monitor.lock()
    host.pointee.heldResults -= 1
    host.pointee.resultBytes -= charged
    result.pointee.next = host.pointee.freeResults
    host.pointee.freeResults = result
    monitor.wakeAll()
    monitor.unlock()
    givePlace()
  }

  /// Releases what nobody has read, all of it at once: no reader gets a result behind one that is gone.
  func discardResults(_ reason: ReleaseReason) {
    monitor.lock()
    var next = host.pointee.firstResult
    host.pointee.firstResult = nil
    host.pointee.lastResult = nil
    host.pointee.heldResults += host.pointee.unreadResults
    host.pointee.unreadResults = 0
    monitor.unlock()
    while let result = next {
      next = result.pointee.next
      releaseResult(result, reason)
    }
  }

  // MARK: Waits

  /// Waits for the end of the run.
  func wait(timeout: Int64) -> Status {
    if isOnThisThread { return .wouldDeadlock }
    noticeMark()
    let deadline = Clock.deadline(after: timeout)
    var wait = RunWait()
    monitor.lock()
    while true {
      if let outcome = host.pointee.outcome {
        monitor.unlock()
        end(wait)
        // nil: the serial reference
        forEachSegment { pool.waitUntilLeft($0.pointee.workSource) }
        return outcome.status
      }
      var refusal: Status?
      if options.pullsResults && !options.readerIsAnotherThread && resultsHoldAll && needsPlaces {
        refusal = .resultsWaiting
      } else if let deadline, Clock.now >= deadline {
        refusal = .timedOut
      }
      if refusal == nil && !pause(&wait, deadline, .wait) { refusal = .wouldDeadlock }
      if let refusal {
        monitor.unlock()
        end(wait)
        return refusal
      }
    }
  }

  /// Waits until everything submitted so far has left the last stage: it was delivered or can be read.
  /// What splitters have made of it too, but for what they keep.
  func flush(timeout: Int64) -> Status {
    if isOnThisThread { return .wouldDeadlock }
    noticeMark()
    let deadline = Clock.deadline(after: timeout)
    forEachSegment {
      $0.pointee.flow.pointee.waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }
    var wait = RunWait()
    monitor.lock()
    defer {
      monitor.unlock()
      end(wait)
      forEachSegment {
        $0.pointee.flow.pointee.waiters.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      }
    }
    let next = flow.pointee.next.load(ordering: .acquiring)
    let total = flow.pointee.total.load(ordering: .acquiring)
    var target =
      next & Self.closedBit != 0
      ? total : isNumberedByCaller ? host.pointee.highest : next
    var segment = address
    let lastSegment = lastSegment
    while true {
      if segment.pointee.hasRetired(all: target) {
        // What was split has been issued by now.
        if let next = segment.pointee.next {
          target = next.pointee.source.pointee.issuedSnapshot.load(ordering: .relaxed)
          segment = next
          continue
        }
        let isCancelled = flow.pointee.isCancelled.load(ordering: .relaxed)
        let status =
          lastSegment.pointee.host.pointee.outcome?.status ?? (isCancelled ? .cancelled : .ok)
        return status == .ok || status == .stopped ? .ok : status.toWaiters
      }
      if flow.pointee.isCancelled.load(ordering: .relaxed) { return .cancelled }
      // Before a splitter blocks may wait for the places that results hold.
      if segment != lastSegment && lastSegment.pointee.resultsHoldAll { return .resultsWaiting }
      if let deadline, Clock.now >= deadline { return .timedOut }
      if !pause(&wait, deadline, .flush) { return .wouldDeadlock }
    }
  }

  private func hasRetired(all target: UInt64) -> Bool {
    flow.pointee.credits.give(0)  // pairs with retire
    return flow.pointee.retired.load(ordering: .acquiring) >= target
  }

  // MARK: The end of the input

  /// Without a source: no number beyond the cut of stage 0 is accepted any more. Smaller ones that
  /// are still missing are: what lies before the cut shall be complete.
  func inputWasCut(_ status: Status) {
    monitor.lock()
    if isNumberedByCaller && host.pointee.cutStatus == nil {
      host.pointee.cutStatus = status
      monitor.wakeAll()
    }
    let isComplete = isInputComplete
    monitor.unlock()
    if isComplete { endInput(status) }
  }

  /// With the monitor locked: whether nothing is missing before the cut of stage 0.
  var isInputComplete: Bool {
    !isNumberedByCaller
      || Int64(bitPattern: host.pointee.lowestMissing) > cuts[0].load(ordering: .relaxed)
  }

  /// Without a source: accepts no more blocks; later submits get `status`.
  func endInput(_ status: Status) {
    monitor.lock()
    let old = flow.pointee.next.bitwiseOr(Self.closedBit, ordering: .acquiringAndReleasing).oldValue
    guard old & Self.closedBit == 0 else { return monitor.unlock() }
    host.pointee.closedStatus = status
    if status == .stopped && flow.pointee.isStopping.load(ordering: .relaxed) {
      flow.pointee.wasStopped.store(true, ordering: .relaxed)
    }
    var total = old
    if isNumberedByCaller {
      total = host.pointee.highest
      fillHoles(isError: status == .closed)
    }
    // With the closed bit: see flush.
    flow.pointee.total.store(total, ordering: .sequentiallyConsistent)
    monitor.wakeAll()
    monitor.unlock()
    if endInput(total: total, unusedPlaces: 0) { pool.workAppeared() }
  }

  /// With the monitor locked: tombstones for the numbers that nobody submitted, so that those behind
  /// them can leave. The first of each gap is an error, if the input was to be complete.
  private func fillHoles(isError: Bool) {
    guard let claims = host.pointee.claims else { return }
    let highest = host.pointee.highest
    var number = flow.pointee.retired.load(ordering: .acquiring)
    var gapStart: UInt64?
    while number < highest {
      let isHole = claims[Int(truncatingIfNeeded: number & mask)] != number + 1
      if !isHole { gapStart = nil }
      if isHole {
        claims[Int(truncatingIfNeeded: number & mask)] = number + 1
        flow.pointee.credits.claim()
        let record = record(number)
        prepare(record, number)
        record.pointee.flags = .isTombstone
        if isError && gapStart == nil
          && Int64(bitPattern: number) <= cuts[0].load(ordering: .relaxed)
        {
          gapStart = number
          record.pointee.flags = [.isTombstone, .hasError]
          record.pointee.errorStage = 0
          record.pointee.errorCode = Status.missingBlock.rawValue
          var end = number + 1
          while end < highest && claims[Int(truncatingIfNeeded: end & mask)] != end + 1 { end += 1 }
          _ = fail(
            record, Status.missingBlock.rawValue,
            end == number + 1
              ? "block \(number) was never submitted"
              : "blocks \(number) to \(end - 1) (\(end - number) of them) were never submitted")
          if !options.collectsErrors {
            lowerCuts(from: 0, to: Int64(bitPattern: number) - 1)
          }
        }
        publish(record)
      }
      number += 1
    }
  }

  /// Ends the input; what is in flight is delivered.
  func stop() {
    flow.pointee.isStopping.store(true, ordering: .sequentiallyConsistent)
    _ = times.pointee.stoppedAt.compareExchange(expected: 0, desired: Clock.now, ordering: .relaxed)
    if hasSource { noteSourceOver() } else { endInput(.stopped) }
  }

  /// Ends the run; returns at once. The first reason counts.
  @inline(never)
  func cancel(_ reason: CancelReason = .user) {
    // Under the lock, for an outcome that is decided stays, and with it what was delivered.
    monitor.lock()
    let lastSegment = lastSegment
    let isLate =
      lastSegment.pointee.host.pointee.decision != nil
      || lastSegment.pointee.flow.pointee.isCancelled.load(ordering: .relaxed)
    if !isLate {
      // A signal handler may have been earlier. And the reason is there before anybody asks for it.
      token.mark(isMarked ? .parent : reason)
      forEachSegment {
        $0.pointee.flow.pointee.isCancelled.store(true, ordering: .sequentiallyConsistent)
      }
    }
    monitor.unlock()
    if isLate { return }
    times.pointee.cancelledAt.store(Clock.now, ordering: .relaxed)
    schedulePoint()
    // From the last one to the first: what is cut off here must not look like the end there.
    var segment: UnsafeMutablePointer<PipelineRun>? = lastSegment
    while let here = segment {
      here.pointee.lowerCuts(from: 0, to: -1)
      here.pointee.noteSourceOver()
      segment = here.pointee.previous
    }
    if !first.pointee.hasSource { first.pointee.endInput(.cancelled) }
    lastSegment.pointee.discardResults(.cancelled)
    wakeHost()
  }
}
