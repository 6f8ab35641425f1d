// SPDX-License-Identifier: MIT
import Foundation
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct TimelineTests {
    struct Trace: Decodable {
      struct Event: Decodable {
        struct Args: Decodable {
          var block: UInt64?
          var stage: Int?
          var status: Int32?
          var bytes: Int?
          var blocks: Int?
          var name: String?
        }
        var ph: String
        var name: String
        var pid: Int
        var tid: Int?
        var ts: Double?
        var dur: Double?
        var args: Args?
      }
      struct Other: Decodable { var events_lost: Int }
      var traceEvents: [Event]
      var otherData: Other

      func all(_ phase: String) -> [Event] { traceEvents.filter { $0.ph == phase } }
    }

    static func trace(of pipeline: Pipeline) throws -> Trace {
      var text = Data()
      try pipeline.writeTimeline { (bytes) throws(WorkpoolError) in
        text.append(contentsOf: bytes)
      }
      return try JSONDecoder().decode(Trace.self, from: text)
    }

    /// Ends may be rounded by a hundredth of a nanosecond.
    static func expectNoOverlap(_ calls: [Trace.Event]) throws {
      var ends: [Int: Double] = [:]
      for call in calls.sorted(by: { $0.ts ?? 0 < $1.ts ?? 0 }) {
        let thread = try #require(call.tid)
        let begin = try #require(call.ts)
        #expect(begin + 1e-5 >= ends[thread] ?? 0)
        ends[thread] = begin + (call.dur ?? 0)
      }
    }

    @Test("a timeline shows every call, its names and counters", arguments: [0, 1, 2, 8])
    func complete(workers: Int) throws {
      let pipeline = try Pipeline(
        workers, limit: 8, source: .source(300),
        [
          .block("odd \"name\"\n", .parallel) { $0.pointee.number == 5 ? $0.fails() : 0 },
          .block("serial", .serial) { $0.pointee.number == 6 ? StageReturn.drop : 0 },
        ], sink: .block("sink", .serial) { _ in 0 }
      ) {
        $0.timelineEvents = 2000
        $0.collectsErrors = true
      }
      _ = try pipeline.runToEnd()
      let trace = try Self.trace(of: pipeline)
      let calls = trace.all("X")
      for stage in 0..<4 {
        let known = try pipeline.statistics(ofStage: stage)
        let own = calls.filter { $0.args?.stage == stage }
        #expect(own.count == Int(known.calls) && known.timedCalls == known.calls)
        #expect(own.allSatisfy { $0.name == known.name })
        #expect(Set(own.map { $0.args?.block }).count == own.count)
      }
      try Self.expectNoOverlap(calls)
      #expect(trace.otherData.events_lost == 0)
      let wall = Double(try pipeline.statistics().wallNanoseconds) / 1000
      #expect(calls.allSatisfy { $0.ts ?? -1 >= 0 && ($0.ts ?? 0) + ($0.dur ?? 0) <= wall })
      let counters = trace.all("C")
      #expect(Set(counters.map(\.name)) == ["in flight", "ready", "parked"])
      #expect(counters.allSatisfy { 0...9 ~= $0.args?.blocks ?? -1 })
      let instants = trace.all("i")
      #expect(instants.map(\.name) == ["error"] && instants.first?.args?.block == 5)
      let threads = trace.all("M").filter { $0.name == "thread_name" }
      #expect(threads.count == max(1, workers) + 1)
      #expect(Set(calls.map(\.tid)).isSubset(of: Set(threads.map(\.tid))))
      #expect(Set(trace.traceEvents.map(\.pid)).count == 1)
      try pipeline.destroy()
    }

    @Test("the oldest events go, and how many is said", arguments: [1, 3])
    func lost(workers: Int) throws {
      let pipeline = try Pipeline(workers, source: .source(500), [.block { _ in 0 }]) {
        $0.timelineEvents = 16
      }
      #expect(try pipeline.runToEnd() == .ok)
      let trace = try Self.trace(of: pipeline)
      let calls = trace.all("X")
      #expect(calls.count + trace.otherData.events_lost == 1001)
      #expect(calls.count >= 16 && calls.count <= 16 * workers)
      #expect(try pipeline.statistics().timelineEventsLost == UInt64(trace.otherData.events_lost))
      try pipeline.destroy()
    }

    @Test("cancel and stop are shown, and a timeline may be written while the run goes on")
    func whileRunning() throws {
      let pipeline = try Pipeline(
        2, source: .block("source", .serial) { _ in 0 }, [.block { _ in 0 }]
      ) {
        $0.timelineEvents = 64
      }
      try pipeline.start()
      for _ in 0..<TestScale.scaled(30) {
        let trace = try Self.trace(of: pipeline)
        try Self.expectNoOverlap(trace.all("X"))
        #expect(trace.all("X").allSatisfy { 0...2 ~= $0.args?.stage ?? -1 })
      }
      try pipeline.stop()
      try pipeline.cancel()
      _ = try pipeline.end()
      let names = try Self.trace(of: pipeline).all("i").map(\.name)
      #expect(names.contains("stop"))
      try pipeline.destroy()
    }

    @Test("without events there is no timeline, and what the writer throws comes through")
    func refused() throws {
      let without = try Pipeline(1, source: .source(1))
      #expect(try without.runToEnd() == .ok)
      #expect(throws: WorkpoolError.self) { try Self.trace(of: without) }
      try without.destroy()
      #expect(throws: WorkpoolError.self) {
        _ = try Pipeline(1, source: nil) { $0.timelineEvents = Pipeline.mostTimelineEvents + 1 }
      }
      let pipeline = try Pipeline(1, source: .source(1)) { $0.timelineEvents = 4 }
      #expect(throws: WorkpoolError.self) { try Self.trace(of: pipeline) }
      #expect(try pipeline.runToEnd() == .ok)
      var status: Status?
      do throws(WorkpoolError) {
        try pipeline.writeTimeline { (_) throws(WorkpoolError) in
          throw WorkpoolError(.closed, "enough")
        }
      } catch {
        status = error.status
      }
      #expect(status == .closed)
      try pipeline.destroy()
    }

    @Test("who reads a ring while it is written gets whole events", arguments: [1, 2, 7])
    func ring(capacity: Int) throws {
      let arena = Arena()
      let words = try arena.allocateZeroed(
        Atomic<UInt64>.self, count: TimelineRing.size(capacity))
      let ring = TimelineRing(words, capacity: capacity)
      let count = UInt64(TestScale.scaled(20_000))
      let seen = Tally()
      let faults = Tally()
      Threads(2) { index in
        if index == 0 {
          for number in 0..<count {
            var event = TimelineRing.Event()
            event.block = number
            event.begin = Int64(number)
            event.end = Int64(number)
            event.bytes = number
            event.status = Int32(truncatingIfNeeded: number)
            ring.append(event)
          }
        } else {
          while ring.count < count {
            let end = ring.count
            let number = end - min(end, UInt64(capacity))
            guard number < end, let event = ring.event(number) else { continue }
            seen.add()
            let parts: Set = [
              event.block, event.bytes, UInt64(event.begin), UInt64(event.end),
              UInt64(UInt32(bitPattern: event.status)),
            ]
            if parts != [number] { faults.add() }
          }
        }
      }.join()
      #expect(faults.value == 0)
      #expect(ring.event(count - 1)?.block == count - 1)
      #expect(ring.event(count - UInt64(capacity))?.block == count - UInt64(capacity))
      #expect(ring.event(count - UInt64(capacity) - 1) == nil)
      withExtendedLifetime(arena) {}
    }
  }
}
