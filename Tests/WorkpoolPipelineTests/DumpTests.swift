// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct DumpTests {
    static let soon: Int64 = 2_000_000

    /// The dump without the times in it, which nobody can know.
    static func timeless(_ dump: String) -> [String] {
      dump.replacing(/[0-9]+\.[0-9]{3}/, with: "T").split(separator: "\n").map(String.init)
    }

    static func wait(for words: String, in pipeline: Pipeline) {
      waitUntil("\(words) in the dump") {
        (timeless(pipeline.dump()).joined(separator: "\n") + "\n").contains(words)
      }
    }

    @Test("a call is noted in one word", arguments: [0, 1, 62, 63])
    func note(stage: Int) {
      for number in [0, 1, 1000, UInt64(1) << 40, UInt64(1) << 57 - 2, UInt64(1) << 62] {
        for isTimed in [false, true] {
          let note = CallNote(number, stage: stage, isTimed: isTimed)
          #expect(note.stage == stage && note.isTimed == isTimed && note.word != 0)
          #expect(note.number(near: number) == number)
          #expect(note.number(near: number - min(number, 65_535)) == number)
        }
      }
    }

    @Test(
      "a stage that hangs is named, with its block, and those who wait for it",
      arguments: [1, 2, 8])
    func hanging(workers: Int) throws {
      let (isInside, mayEnd) = (Gate(), Gate())
      var ordered = Stage.block("ordered", .serial) {
        if $0.pointee.number == 4 {
          isInside.open()
          mayEnd.pass("the end of a dump")
        }
        return 0
      }
      ordered.mayBlock = true  // then nothing is held back
      let pipeline = try Pipeline(
        workers, limit: 8, source: .source(20), [.block("first") { _ in 0 }, ordered])
      #expect(pipeline.dump() == "pipeline that was not started\n")
      try pipeline.start()
      isInside.pass("block 4")
      let waiter = Threads(1) { _ in _ = try? pipeline.wait() }
      Self.wait(for: "1 thread waits in wait since ", in: pipeline)
      Self.wait(for: "; 4 have left the last stage", in: pipeline)
      let lines = Self.timeless(pipeline.dump())
      #expect(lines[0] == "pipeline source > first > ordered: running, started T s ago", "\(lines)")
      #expect(lines.contains { $0.contains(": block 4 in stage 2 (ordered) for ") }, "\(lines)")
      if workers > 1 {
        // Blocks 5 to 11 have come as far as they can, in time.
        Self.wait(for: "blocks 5-11 wait in stage 2", in: pipeline)
        let lines = Self.timeless(pipeline.dump())
        #expect(
          lines.contains {
            $0.contains(
              "blocks 5-11 wait in stage 2 (ordered) for their turn since T s: held by block 4 on")
          }, "\(lines)")
        #expect(lines.contains { $0.contains("places: 0 of 8 free") }, "\(lines)")
        #expect(lines.contains { $0.contains("the source waits for a place") }, "\(lines)")
      }
      mayEnd.open()
      waiter.join()
      #expect(try pipeline.end() == .ok)
      #expect(Self.timeless(pipeline.dump())[0].contains(": ended, started"))
      try pipeline.destroy()
    }

    @Test("a number that was never submitted is named as what others wait for", arguments: [1, 3])
    func missing(workers: Int) throws {
      let pipeline = try Pipeline(workers, limit: 8, [.block("ordered", .serial) { _ in 0 }])
      try pipeline.start()
      for number: UInt64 in [0, 2, 3, 6] {
        #expect(try pipeline.submit(number: number, Submission(number)) == .ok)
      }
      let waits =
        "  blocks 2-3, 6 wait in stage 1 (ordered) for their turn since T s: "
        + "number 1 was never submitted"
      Self.wait(for: waits, in: pipeline)
      #expect(pipeline.dump().contains("  never submitted so far: 1, 4-5\n"))
      try pipeline.cancel()
      _ = try pipeline.end()
      try pipeline.destroy()
    }

    @Test("waits are told from the first of several on, whoever comes and goes")
    func since() throws {
      let pipeline = try Pipeline(2, [.block("ordered", .serial) { _ in 0 }])
      try pipeline.start()
      func seconds() -> Double {
        let match = pipeline.dump().firstMatch(of: /waits? in wait since ([0-9.]+) s/)
        return match.flatMap { Double($0.output.1) } ?? -1
      }
      let first = Threads(1) { _ in _ = try? pipeline.wait() }
      Self.wait(for: "  1 thread waits in wait since T s\n", in: pipeline)
      let begin = Clock.now
      // Others wait for a moment, again and again, until the time shows.
      let others = Threads(3) { _ in
        while Clock.now < begin + 20_000_000 { _ = try? pipeline.wait(timeout: 1_000_000) }
      }
      others.join()
      #expect(seconds() >= 0.02)
      Self.wait(for: "  1 thread waits in wait since T s\n", in: pipeline)
      try pipeline.cancel()
      first.join()
      #expect(seconds() == -1)
      try pipeline.destroy()
    }

    @Test("blocks without a place in a limited stage, and results that nobody reads")
    func places() throws {
      let mayEnd = Gate()
      let pipeline = try Pipeline(
        8, limit: 8,
        [
          .block("narrow", .parallel, concurrency: 2) {
            _ = $0
            mayEnd.pass("the end of a dump")
            return 0
          }
        ]
      ) {
        $0.pullsResults = true
        $0.readerIsAnotherThread = true
      }
      try pipeline.start()
      for word in UInt64(0)..<5 { #expect(try pipeline.submit(Submission(word)) == .ok) }
      Self.wait(for: " wait in stage 1 (narrow) since T s: no place, 2 of 2 taken\n", in: pipeline)
      mayEnd.open()
      #expect(try pipeline.flush() == .ok)
      #expect(pipeline.dump().contains("results: 5 unread, 0 held by the host"))
      try pipeline.cancel()
      #expect(try pipeline.end() == .cancelled)
      try pipeline.destroy()
    }

    @Test("a splitter that hangs is named, and what waits for it", arguments: [1, 3])
    func splitter(workers: Int) throws {
      let (isInside, mayEnd) = (Gate(), Gate())
      let pipeline = try Pipeline(
        workers, limit: 4, source: .source(3),
        [
          .block("first") { _ in 0 },
          .block("cuts", .splitter) { _ in
            isInside.open()
            mayEnd.pass("the end of a dump")
            return StageReturn.drop
          }, .block("last") { _ in 0 },
        ])
      try pipeline.start()
      isInside.pass("the splitter")
      Self.wait(for: "block 0 in stage 2 (cuts) for ", in: pipeline)
      let lines = Self.timeless(pipeline.dump())
      #expect(lines[0].hasPrefix("pipeline source > first: running"), "\(lines)")
      #expect(
        lines.contains { $0.hasPrefix("behind splitter 1: cuts > last: running") }, "\(lines)")
      mayEnd.open()
      #expect(try pipeline.end() == .ok)
      #expect(!pipeline.dump().contains("block 0"))
      try pipeline.destroy()
    }

    @Test("a dump from anywhere disturbs nobody", arguments: Pools.counts)
    func anywhere(workers: Int) throws {
      let pool = Pools.of(workers)
      let isOver = Tally()
      let pipelines = try (0..<2).map { _ in
        try Pipeline(
          workers, limit: 5, source: .source(UInt64(TestScale.scaled(2000))),
          [
            .block("a") { $0.pointee.number % 7 == 3 ? StageReturn.drop : 0 },
            .block("b", .serialAnyOrder) {
              if $0.pointee.number % 100 == 0 {
                #expect(pool.dump().contains("pipeline source > a"))
              }
              return 0
            }, .block("c", .serial) { _ in 0 },
          ], sink: .block("d", .serial) { _ in 0 })
      }
      let lookers = Threads(2) { _ in
        while isOver.value == 0 {
          for pipeline in pipelines { #expect(pipeline.dump().hasPrefix("pipeline")) }
          #expect(pool.dump().hasPrefix("pool of \(workers): "))
        }
      }
      for _ in 0..<3 {
        for pipeline in pipelines { try pipeline.start() }
        for pipeline in pipelines { #expect(try pipeline.end() == .ok) }
      }
      for pipeline in pipelines { try pipeline.destroy() }
      isOver.add()
      lookers.join()
      #expect(!pool.dump().contains("source > a"))
    }

    // MARK: Stuck

    @Test(
      "a run that does not move is reported once, with a dump, and cancelled if asked",
      arguments: Pools.counts)
    func stuck(workers: Int) throws {
      for cancels in [true, false] {
        let dumps = Log<String>()
        let isReported = Gate()
        let pipeline = try Pipeline(workers, limit: 8, [.block("ordered", .serial) { _ in 0 }]) {
          $0.stuckAfterNanoseconds = Self.soon
          $0.cancelsWhenStuck = cancels
          $0.onStuck = { dump in
            dumps.append(dump)
            isReported.open()
          }
        }
        try pipeline.start()
        #expect(try pipeline.submit(number: 1, Submission(1)) == .ok)
        isReported.pass("a report")
        if cancels {
          #expect(try pipeline.end() == .cancelled)
          #expect(pipeline.current?.pointee.token.reason == CancelReason.stuck.rawValue)
        } else {
          #expect(try pipeline.submit(number: 0, Submission(0)) == .ok)
          try pipeline.close()
          #expect(try pipeline.end() == .ok)
        }
        #expect(dumps.count == 1)
        #expect(dumps.all[0].contains("never submitted so far: 0\n"))
        try pipeline.destroy()
      }
    }

    @Test("a cancel alone does as well, and a callback that hangs counts as stuck")
    func stuckInCallback() throws {
      let pipeline = try Pipeline(
        2, source: .source(3),
        [
          .block("waits") { block in
            // Until the run is cancelled.
            while block.isWanted(by: 1) { wpl_yield() }
            return 0
          }
        ]
      ) {
        $0.stuckAfterNanoseconds = Self.soon
        $0.cancelsWhenStuck = true
      }
      #expect(try pipeline.run() == .cancelled)
      try pipeline.destroy()
    }

    @Test("a run that has nothing to do is not stuck")
    func idle() throws {
      let (reports, ticks, isOld) = (Tally(), Tally(), Gate())
      let pipeline = try Pipeline(2, [.block { _ in 0 }]) {
        $0.pullsResults = true
        $0.stuckAfterNanoseconds = 1_000_000
        $0.onStuck = { _ in reports.add() }
      }
      try pipeline.subscribe(every: 1_000_000) { _ in if ticks.add() == 10 { isOld.open() } }
      try pipeline.start()
      #expect(try pipeline.submit(Submission(0)) == .ok)  // its result stays unread
      #expect(try pipeline.flush() == .ok)
      ticks.add(-ticks.value)
      isOld.pass("some time")
      #expect(reports.value == 0)
      try pipeline.cancel()
      _ = try pipeline.end()
      try pipeline.destroy()
    }

    @Test("a watch needs a time and something to do")
    func options() throws {
      var options = Pipeline.Options()
      options.stuckAfterNanoseconds = 1
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: Pools.of(1), options) }
      options.cancelsWhenStuck = true
      try Pipeline(on: Pools.of(1), options).destroy()
      options.isSerialReference = true
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: nil, options) }
      options.isSerialReference = false
      options.stuckAfterNanoseconds = -1
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: Pools.of(1), options) }
      options.stuckAfterNanoseconds = 0
      #expect(throws: WorkpoolError.self) { _ = try Pipeline(on: Pools.of(1), options) }
    }
  }
}
