// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What everybody in a run is doing and waiting for, as text: for a program that does not go on.
///
/// Where a block is follows from atomics alone (turn cells, sets of records, queues, what the workers
/// noted), never from its record, which belongs to whoever carries it. So a look disturbs nobody
/// and follows no pointer that could be stale; but one line may be some moments older than the next.
extension PipelineRun {
  func dump() -> String { RunDump(self).text }

  /// Of all segments; in the first one.
  var dumpOfAll: String {
    var text = ""
    forEachSegment { text += $0.pointee.dump() }
    return text
  }

  /// Notes what the workers are doing, so that a later dump knows how long at least.
  func noteSeats() {
    let now = Clock.now
    for seat in 0..<workerCount {
      let word = seats[seat].current.load(ordering: .relaxed)
      if events.pointee.looks[seat].word.load(ordering: .relaxed) != word {
        events.pointee.looks[seat].word.store(word, ordering: .relaxed)
        events.pointee.looks[seat].time.store(now, ordering: .relaxed)
      }
    }
  }
}

/// What a worker noted when it called a stage: number + 1, whether the call is timed, and the stage.
/// One word, so that a call costs one store; 0: nothing.
struct CallNote: Equatable {
  private static let stageBits: UInt64 = 6
  private static let timedBit: UInt64 = 1 << stageBits
  private static let one: UInt64 = 1 << (stageBits + 1)

  let word: UInt64

  @inline(__always) init(word: UInt64) { self.word = word }
  @inline(__always) init(_ number: UInt64, stage: Int, isTimed: Bool) {
    word =
      (number &+ 1) &* Self.one | UInt64(truncatingIfNeeded: stage) | (isTimed ? Self.timedBit : 0)
  }

  var isTimed: Bool { word & Self.timedBit != 0 }
  var stage: Int { Int(word & (Self.timedBit - 1)) }
  /// The number; of very large ones the word has the lower half, and they are near `retired`.
  func number(near retired: UInt64) -> UInt64 {
    let mask = UInt64.max >> (Self.stageBits + 1)
    let low = (word / Self.one &- 1) & mask
    return retired &+ ((low &- retired) & mask)
  }
}

/// A worker's note as it was seen first.
struct SeatLook: ~Copyable {
  let word = Atomic<UInt64>(0)
  let time = Atomic<Int64>(0)
}

private struct RunDump {
  /// Longer lists are cut: a dump is for people.
  private static let mostRanges = 12

  private struct Call {
    let worker: Int
    let number: UInt64
    let stage: Int
    /// `for 31.204 s`, or nothing if it is not known.
    let age: String
  }

  private(set) var text = ""
  private let run: UnsafeMutablePointer<PipelineRun>
  private let now = Clock.now
  /// Of numbers that have not retired: the first, and the one behind the last.
  private let first: UInt64
  private let end: UInt64
  private var calls: [Call] = []
  private var missing: [UInt64] = []

  init(_ this: borrowing PipelineRun) {
    run = this.address
    let flow = run.pointee.flow
    let retired = flow.pointee.retired.load(ordering: .relaxed)
    first = retired
    // Under the lock: what the host's threads share.
    run.pointee.monitor.lock()
    let host = run.pointee.host
    let next = flow.pointee.next.load(ordering: .relaxed)
    let isNumbered = run.pointee.isNumberedByCaller
    var end =
      run.pointee.hasSource
      ? run.pointee.source.pointee.issuedSnapshot.load(ordering: .relaxed)
      : isNumbered ? host.pointee.highest : next & ~PipelineRun.closedBit
    let total = flow.pointee.total.load(ordering: .relaxed)
    if total != PipelineRun.unknownTotal { end = total }
    end = max(retired, min(end, retired &+ UInt64(run.pointee.capacity)))
    self.end = end
    if isNumbered, let claims = host.pointee.claims {
      for number in retired..<end
      where claims[Int(truncatingIfNeeded: number & run.pointee.mask)] != number + 1 {
        missing.append(number)
      }
    }
    let unread = host.pointee.unreadResults
    let held = host.pointee.heldResults
    let isDecided = host.pointee.decision != nil
    var waits: [HostWait] = []
    var wait = host.pointee.firstWait
    while let here = wait {
      waits.append(here.pointee)
      wait = here.pointee.next
    }
    run.pointee.monitor.unlock()

    run.pointee.noteSeats()
    for seat in 0..<run.pointee.workerCount {
      if let call = call(of: seat) { calls.append(call) }
    }
    addHead(total: total, isDecided: isDecided)
    addPlaces(unread: unread, held: held)
    addCuts()
    addCalls()
    addBlocks()
    addHost(waits)
  }

  private mutating func add(_ line: String) { text += line + "\n" }

  // MARK: The whole

  private mutating func addHead(total: UInt64, isDecided: Bool) {
    var names = ""
    for stage in 0..<run.pointee.stageCount {
      if let name = run.pointee.stages[stage].stage?.name {
        names += (names.isEmpty ? "" : " > ") + name
      }
    }
    let phase: String
    switch PipelineRun.Phase(rawValue: run.pointee.flow.pointee.phase.load(ordering: .relaxed)) {
    case .running, nil:
      phase =
        run.pointee.flow.pointee.isCancelled.load(ordering: .relaxed) ? "cancelled" : "running"
    case .drained: phase = "all blocks have left, a worker shall call finish"
    case .finishing: phase = isDecided ? "tells that it has ended" : "calls finish"
    case .ended: phase = "ended"
    }
    let age = seconds(now &- run.pointee.startTime)
    let title = run.pointee.depth == 0 ? "pipeline" : "behind splitter \(run.pointee.depth):"
    add("\(title) \(names.isEmpty ? "without callbacks" : names): \(phase), started \(age) ago")
    let isOver = total != PipelineRun.unknownTotal
    var input = "  input: \(end) block\(end == 1 ? "" : "s") \(isOver ? "in all" : "so far")"
    if run.pointee.hasSource && !isOver {
      switch Baton.state(run.pointee.flow.pointee.baton.load(ordering: .relaxed)) {
      case Baton.free, Baton.prepaid: input += "; the source can be called"
      case Baton.noPlace: input += "; the source waits for a place"
      case Baton.noBytes: input += "; the source waits for bytes in flight to leave"
      case Baton.noRow: input += "; the source waits for the lowest number to leave"
      case Baton.ended, Baton.passed: input += "; the source has ended"
      default: input += "; the source is being called"
      }
    }
    add(input + "; \(first) have left the last stage")
  }

  private mutating func addPlaces(unread: Int, held: Int) {
    let flow = run.pointee.flow
    let credits = flow.pointee.credits.snapshot
    var line = "  places: \(max(0, credits.free)) of \(credits.limit) free"
    if credits.free < 0 { line += ", \(-credits.free) more wanted" }
    if flow.pointee.weights.limit != Weights.noLimit {
      line += "; bytes in flight: \(flow.pointee.weights.current) of \(flow.pointee.weights.limit)"
    }
    if run.pointee.options.pullsResults {
      line += "; results: \(unread) unread, \(held) held by the host"
    }
    add(line)
  }

  private mutating func addCuts() {
    var line = ""
    for stage in 0..<run.pointee.stageCount {
      let cut = run.pointee.cuts[stage].load(ordering: .relaxed)
      if cut != StopPolicy.never {
        line += (line.isEmpty ? "" : ", ") + "\(run.pointee.stageBase + stage): \(cut)"
      }
    }
    if !line.isEmpty { add("  last numbers that stages accept: " + line) }
  }

  // MARK: Workers

  private func call(of seat: Int) -> Call? {
    let word = run.pointee.seats[seat].current.load(ordering: .relaxed)
    if word == 0 { return nil }
    let note = CallNote(word: word)
    var age = ""
    if note.isTimed {
      age = " for " + seconds(now &- run.pointee.seats[seat].since.load(ordering: .relaxed))
    } else {
      let seen = now &- run.pointee.events.pointee.looks[seat].time.load(ordering: .relaxed)
      if seen > 0 { age = " for at least " + seconds(seen) }
    }
    return Call(worker: seat, number: note.number(near: first), stage: note.stage, age: age)
  }

  private mutating func addCalls() {
    for call in calls {
      add(
        "  worker \(call.worker): block \(call.number) in \(stage(call.stage))\(call.age)")
    }
  }

  // MARK: Blocks

  private mutating func addBlocks() {
    for stage in 1..<run.pointee.stageCount {
      let state = run.pointee.stages + stage
      if state.pointee.hasCells {
        let parked = (first..<end).filter { isParked($0, at: stage) }
        if let least = parked.first {
          add(
            "  \(blocks(parked, "waits", "wait")) in \(self.stage(stage)) for "
              + "\(parked.count == 1 ? "its" : "their") turn\(since(parked)): "
              + obstacle(at: stage, before: least)
          )
        }
      } else if let places = state.pointee.places {
        let parked = (first..<end).filter { places.isWaiting(row($0)) }
        if !parked.isEmpty {
          add(
            "  \(blocks(parked, "waits", "wait")) in \(self.stage(stage))\(since(parked)): "
              + "no place, \(places.taken) of \(places.limit) taken")
        }
      }
    }
    let ready = (first..<end).filter { run.pointee.ready.contains(row($0)) }
    if !ready.isEmpty { add("  \(blocks(ready, "is", "are")) ready and wait for a worker") }
    for seat in 0..<run.pointee.workerCount {
      let queued = queue(of: seat)
      if !queued.isEmpty {
        add("  \(blocks(Array(queued), "is", "are")) next of worker \(seat)")
      }
    }
    if !missing.isEmpty {
      add("  never submitted so far: " + ranges(missing))
    }
  }

  /// ` since 31.204 s`, for the first of the blocks that was parked; nothing if no times are taken.
  private func since(_ parked: [UInt64]) -> String {
    guard run.pointee.takesTimes else { return "" }
    let times = parked.map { run.pointee.records[row($0)].parkedAt.load(ordering: .relaxed) }
    return since(times.min() ?? now)
  }
  private func since(_ time: Int64) -> String { " since " + seconds(now &- time) }

  private func row(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number & run.pointee.mask) }

  private func cell(_ number: UInt64, _ stage: Int) -> UInt32 {
    run.pointee.turns.cell(run.pointee.stages[stage].turnIndex, number).pointee.load(
      ordering: .relaxed)
  }
  private func isParked(_ number: UInt64, at stage: Int) -> Bool {
    cell(number, stage) >= TurnCells.firstRecord
  }

  private func queue(of seat: Int) -> Range<UInt64> {
    let head = run.pointee.seats[seat].head.load(ordering: .relaxed)
    let tail = run.pointee.seats[seat].tail.load(ordering: .relaxed)
    let start = max(first, min(head, end))
    return start..<max(start, min(tail, end))
  }

  /// Why the turn of a serial stage has not come to those who wait there, `least` the first of them.
  private func obstacle(at stage: Int, before least: UInt64) -> String {
    if let next = (first...max(first, least)).first(where: { cell($0, stage) == TurnCells.turn }) {
      return whereabouts(next)
    }
    if let gathering = run.pointee.stages[stage].gathering {
      let next = gathering.pointee.next.load(ordering: .relaxed)
      if next < least { return whereabouts(next) }
    }
    if let call = calls.first(where: { $0.stage == stage && $0.number < least }) {
      return "held by block \(call.number) on worker \(call.worker)\(call.age)"
    }
    return least > first ? whereabouts(least - 1) : "it is being passed"
  }

  /// Of a number whose turn it is.
  private func whereabouts(_ number: UInt64) -> String {
    if missing.contains(number) { return "number \(number) was never submitted" }
    if number >= end { return "block \(number) has not come in" }
    for stage in 1..<run.pointee.stageCount {
      let state = run.pointee.stages + stage
      if state.pointee.hasCells && isParked(number, at: stage) {
        return "block \(number) waits in \(self.stage(stage))"
      }
      if let places = state.pointee.places, places.isWaiting(row(number)) {
        return "block \(number) waits in \(self.stage(stage)) for a place"
      }
    }
    if run.pointee.ready.contains(row(number)) {
      return "block \(number) is ready and waits for a worker"
    }
    for seat in 0..<run.pointee.workerCount where queue(of: seat).contains(number) {
      return "block \(number) is next of worker \(seat)"
    }
    if let call = calls.first(where: { $0.number == number }) {
      return "block \(number) is in \(self.stage(call.stage)) on worker \(call.worker)\(call.age)"
    }
    return "block \(number) is under way"
  }

  // MARK: The host

  private mutating func addHost(_ waits: [HostWait]) {
    for call in HostCall.allCases {
      let times = waits.filter { $0.call == call }.map { $0.since }
      guard let first = times.min() else { continue }
      let count = times.count
      add("  \(count) thread\(count == 1 ? " waits" : "s wait") in \(call.name)\(since(first))")
    }
  }

  // MARK: Words

  private func stage(_ index: Int) -> String {
    var name = run.pointee.stages[index].stage?.name
    if name == nil && index == run.pointee.last, let next = run.pointee.next {
      name = next.pointee.stages[0].stage?.name  // the splitter
    }
    guard let name else { return "the last stage" }
    return "stage \(run.pointee.stageBase + index) (\(name))"
  }

  private func blocks(_ numbers: [UInt64], _ one: String, _ several: String) -> String {
    numbers.count == 1
      ? "block \(numbers[0]) \(one)" : "blocks \(ranges(numbers)) \(several)"
  }

  /// `3, 5-9, 12`
  private func ranges(_ numbers: [UInt64]) -> String {
    var words = ""
    var shown = 0
    var index = 0
    while index < numbers.count {
      if shown == Self.mostRanges { return words + ", … (\(numbers.count) in all)" }
      var last = index
      while last + 1 < numbers.count && numbers[last + 1] == numbers[last] + 1 { last += 1 }
      words += (shown == 0 ? "" : ", ") + "\(numbers[index])"
      if last > index { words += "-\(numbers[last])" }
      index = last + 1
      shown += 1
    }
    return words
  }

  /// `31.204 s`
  private func seconds(_ nanoseconds: Int64) -> String {
    let milliseconds = max(0, nanoseconds) / 1_000_000
    let rest = "\(milliseconds % 1000)"
    return "\(milliseconds / 1000)." + (rest.count == 1 ? "00" : rest.count == 2 ? "0" : "") + rest
      + " s"
  }
}
