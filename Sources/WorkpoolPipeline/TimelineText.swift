// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// A run's timeline in the Trace Event Format (JSON object form), which Perfetto and chrome://tracing
/// open: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
struct TimelineText: ~Copyable {
  typealias Write = (UnsafeRawBufferPointer) throws(WorkpoolError) -> Void

  private static let enough = 1 << 16
  private var text: [UInt8] = []
  private var isFirst = true

  init() { text.reserveCapacity(Self.enough + 4096) }

  mutating func put(_ string: StaticString) {
    text.append(
      contentsOf: UnsafeBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount))
  }

  mutating func put(_ number: UInt64) {
    var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    withUnsafeMutableBytes(of: &digits) { room in
      var rest = number
      var first = room.count
      repeat {
        first -= 1
        room[first] = UInt8(48 + rest % 10)
        rest /= 10
      } while rest > 0
      text.append(contentsOf: room[first...])
    }
  }

  mutating func put(signed number: Int64) {
    if number < 0 { put("-") }
    put(UInt64(number.magnitude))
  }

  /// Nanoseconds as microseconds with three digits behind the point.
  mutating func put(microseconds time: Int64) {
    let time = UInt64(max(0, time))
    put(time / 1000)
    put(".")
    for digit in [time / 100 % 10, time / 10 % 10, time % 10] { text.append(UInt8(48 + digit)) }
  }

  mutating func put(quoted string: String) {
    put("\"")
    var string = string
    string.withUTF8 { bytes in
      for byte in bytes {
        switch byte {
        case 0x22, 0x5c:
          text.append(0x5c)
          text.append(byte)
        case 0..<0x20:
          put("\\u00")
          for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 48 + digit : 87 + digit) }
        default: text.append(byte)
        }
      }
    }
    put("\"")
  }

  /// Begins an event: what comes next are its members.
  mutating func begin(_ phase: StaticString, _ name: String, pid: UInt64, tid: Int?, ts: Int64?) {
    if isFirst { put("\n{\"ph\":\"") } else { put(",\n{\"ph\":\"") }
    isFirst = false
    put(phase)
    put("\",\"name\":")
    put(quoted: name)
    put(",\"pid\":")
    put(pid)
    if let tid {
      put(",\"tid\":")
      put(UInt64(tid))
    }
    if let ts {
      put(",\"ts\":")
      put(microseconds: ts)
    }
  }

  /// Hands over what has gathered, if it is enough or all.
  mutating func flush(_ isAll: Bool = false, to write: Write) throws(WorkpoolError) {
    guard isAll || text.count >= Self.enough else { return }
    var failure: WorkpoolError?
    text.withUnsafeBytes { bytes in
      do throws(WorkpoolError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    text.removeAll(keepingCapacity: true)
  }
}

extension PipelineRun {
  /// Writes the timeline so far; each event is whole, whatever the workers do meanwhile.
  func writeTimeline(_ write: TimelineText.Write) throws(WorkpoolError) {
    guard hasTimeline else {
      throw WorkpoolError(.invalidState, "the pipeline keeps no timeline")
    }
    var text = TimelineText()
    text.put("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")
    putNames(&text)
    let lost = try putEvents(&text, write)
    for segment in segments {
      let times = segment.pointee.times
      putInstant(&text, "cancel", times.pointee.cancelledAt.load(ordering: .relaxed))
      putInstant(&text, "stop", times.pointee.stoppedAt.load(ordering: .relaxed))
    }
    text.put("\n],\"otherData\":{\"events_lost\":")
    text.put(lost)
    text.put(",\"blocks\":")
    text.put(lastSegment.pointee.flow.pointee.retired.load(ordering: .relaxed))
    text.put("}}\n")
    try text.flush(true, to: write)
  }

  private var hostThread: Int { workerCount }

  private var segments: [UnsafeMutablePointer<PipelineRun>] {
    var all = [address]
    while let next = all[all.count - 1].pointee.next { all.append(next) }
    return all
  }

  /// As the pipeline counts stages: a splitter is the first stage of the segment that it fills.
  private var stageNames: [String] {
    var names: [String] = []
    for segment in segments {
      names.removeLast(max(0, names.count - segment.pointee.stageBase))
      for stage in 0..<segment.pointee.stageCount {
        names.append(segment.pointee.stages[stage].stage?.name ?? "end")
      }
    }
    return names
  }

  private func putNames(_ text: inout TimelineText) {
    text.begin("M", "process_name", pid: runNumber, tid: nil, ts: nil)
    text.put(",\"args\":{\"name\":\"pipeline ")
    text.put(runNumber)
    text.put("\"}}")
    for thread in 0...workerCount {
      text.begin("M", "thread_name", pid: runNumber, tid: thread, ts: nil)
      text.put(",\"args\":{\"name\":\"")
      if thread == hostThread {
        text.put("host\"}}")
      } else {
        text.put("worker ")
        text.put(UInt64(thread))
        text.put("\"}}")
      }
    }
  }

  /// By the host, at most once in a run.
  private func putInstant(_ text: inout TimelineText, _ name: String, _ time: Int64) {
    if time == 0 { return }
    text.begin("i", name, pid: runNumber, tid: hostThread, ts: time - startTime)
    text.put(",\"s\":\"p\"}")
  }

  /// The events of all workers, in the order in which they ended.
  /// - Returns: how many are lost.
  private func putEvents(
    _ text: inout TimelineText, _ write: TimelineText.Write
  ) throws(WorkpoolError) -> UInt64 {
    let rings = segments.flatMap { segment in
      (0..<workerCount).map { segment.pointee.timeline($0) }
    }
    let names = stageNames
    let ends = rings.map { $0.count }
    var numbers = ends.map { $0 &- min($0, UInt64(timelineEvents)) }
    var lost = numbers.reduce(0, &+)
    var heads: [TimelineRing.Event?] = Array(repeating: nil, count: rings.count)
    var shown = (inFlight: -1, ready: -1, parked: -1)
    while true {
      var next = -1
      for ring in rings.indices {
        while heads[ring] == nil && numbers[ring] < ends[ring] {
          heads[ring] = rings[ring].event(numbers[ring])
          numbers[ring] &+= 1
          if heads[ring] == nil { lost &+= 1 }
        }
        guard let head = heads[ring] else { continue }
        if next < 0 || head.end < heads[next]?.end ?? .max { next = ring }
      }
      guard next >= 0, let event = heads[next] else { return lost }
      heads[next] = nil
      put(event, of: next % workerCount, names, &text)
      if event.kind == .call {
        putCounter(&text, "in flight", event.inFlight, &shown.inFlight, event.end)
        putCounter(&text, "ready", event.ready, &shown.ready, event.end)
        putCounter(&text, "parked", event.parked, &shown.parked, event.end)
      }
      try text.flush(to: write)
    }
  }

  private func put(
    _ event: TimelineRing.Event, of seat: Int, _ names: [String], _ text: inout TimelineText
  ) {
    let isCall = event.kind == .call
    let stage = min(event.stage, names.count - 1)
    text.begin(
      isCall ? "X" : "i", isCall ? names[stage] : event.kind == .stop ? "stop" : "error",
      pid: runNumber, tid: seat, ts: event.begin - startTime)
    if isCall {
      text.put(",\"dur\":")
      text.put(microseconds: event.end - event.begin)
    } else {
      text.put(",\"s\":\"t\"")
    }
    text.put(",\"args\":{\"block\":")
    text.put(event.block)
    text.put(",\"stage\":")
    text.put(UInt64(stage))
    text.put(",\"status\":")
    text.put(signed: Int64(event.status))
    if isCall {
      text.put(",\"bytes\":")
      text.put(event.bytes)
    }
    text.put("}}")
  }

  /// A counter whose value has changed.
  private func putCounter(
    _ text: inout TimelineText, _ name: String, _ value: Int, _ shown: inout Int, _ time: Int64
  ) {
    if value == shown { return }
    shown = value
    text.begin("C", name, pid: runNumber, tid: nil, ts: time - startTime)
    text.put(",\"args\":{\"blocks\":")
    text.put(UInt64(value))
    text.put("}}")
  }
}
