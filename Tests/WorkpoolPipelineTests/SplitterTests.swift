// SPDX-License-Identifier: MIT
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct SplitterTests {
    /// 0 is the serial reference.
    static let everyCount = [0] + Pools.counts

    /// A number that only the calls of one stage change.
    final class Own: @unchecked Sendable {
      var value: UInt64 = 0
    }

    /// Splits input n into n % 4 blocks with meta 10 n, 10 n + 1, …; `atEnd` more after the last one.
    static func unpack(atEnd: UInt64 = 0, seesAll: Bool = false) -> Stage {
      let index = Own()
      return .splitter(seesAll: seesAll) { input, output in
        let wanted = input.map { $0.pointee.meta.0 % 4 } ?? atEnd
        if wanted == 0 { return StageReturn.drop }
        output.pointee.meta.0 = (input?.pointee.meta.0 ?? 1000) * 10 + index.value
        index.value += 1
        if index.value < wanted { return StageReturn.more }
        index.value = 0
        return StageReturn.ok
      }
    }

    static func numbers(_ count: UInt64) -> Stage {
      .source(count) { $0.pointee.meta.0 = $0.pointee.number }
    }

    struct Seen: Equatable {
      var number: UInt64
      var source: UInt64
      var word: UInt64
    }
    static func sink(_ log: Log<Seen>) -> Stage {
      .block("sink", .serial) { block in
        log.append(
          Seen(
            number: block.pointee.number, source: block.pointee.sourceNumber,
            word: block.pointee.meta.0))
        return 0
      }
    }

    static let sizes: [(UInt64, UInt64)] = [(0, 0), (0, 2), (1, 0), (1, 1), (2, 3), (40, 2)]

    /// What `unpack` makes of inputs 0 ..< count.
    static func unpacked(_ count: UInt64, atEnd: UInt64 = 0) -> [Seen] {
      var all: [Seen] = []
      for input in 0..<count {
        for index in 0..<input % 4 {
          all.append(Seen(number: UInt64(all.count), source: input, word: input * 10 + index))
        }
      }
      for index in 0..<atEnd {
        all.append(
          Seen(number: UInt64(all.count), source: max(count, 1) - 1, word: 10_000 + index))
      }
      return all
    }

    @Test("what a splitter makes is numbered anew, in order, and says where it came from")
    func unpacks() throws {
      for workers in Self.everyCount {
        for limit in [1, 2, 3, 100] {
          for (count, atEnd) in Self.sizes {
            for before in 0...1 {
              for behind in 0...1 {
                let pass: (Int) -> Stage = { _ in .block { _ in 0 } }
                let label = "\(workers) workers, limit \(limit), \(count) blocks"
                let log = Log<Seen>()
                let pipeline = try Pipeline(
                  workers, limit: limit, source: Self.numbers(count),
                  (0..<before).map(pass) + [Self.unpack(atEnd: atEnd)] + (0..<behind).map(pass),
                  sink: Self.sink(log))
                #expect(try pipeline.runToEnd(label) == .ok, "\(label)")
                #expect(log.all == Self.unpacked(count, atEnd: atEnd), "\(label)")
                #expect(try pipeline.result().delivered == UInt64(log.count), "\(label)")
                try pipeline.destroy()
              }
            }
          }
        }
      }
    }

    @Test("a splitter may make one block of several, and gives the rest at the end")
    func rechunks() throws {
      for workers in Self.everyCount {
        for limit in [1, 3] {
          let held = Log<UInt64>()
          let taken = Own()
          let log = Log<Seen>()
          let pipeline = try Pipeline(
            workers, limit: limit, source: Self.numbers(11),
            [
              .splitter { input, output in
                if let input { held.append(input.pointee.meta.0) }
                let new = Array(held.all[Int(taken.value)...])
                if new.count < (input == nil ? 1 : 4) { return StageReturn.drop }
                for word in new { output.pointee.meta.0 += word }
                taken.value = UInt64(held.count)
                return StageReturn.ok
              }
            ], sink: Self.sink(log))
          #expect(try pipeline.runToEnd() == .ok)
          #expect(log.all.map(\.word) == [6, 22, 27])
          #expect(log.all.map(\.source) == [3, 7, 10])
          try pipeline.destroy()
        }
      }
    }

    @Test("splitters follow each other, with any limit and any number of workers")
    func chain() throws {
      for workers in Self.everyCount {
        for limit in [1, 2, 7] {
          let double: @Sendable () -> Stage = {
            let isSecond = Own()
            return .splitter { input, output in
              guard let input else { return StageReturn.drop }
              isSecond.value ^= 1
              output.pointee.meta.0 = input.pointee.meta.0 * 2 + 1 - isSecond.value
              return isSecond.value == 1 ? StageReturn.more : StageReturn.ok
            }
          }
          let log = Log<Seen>()
          let pipeline = try Pipeline(
            workers, limit: limit, source: Self.numbers(30),
            [double(), double(), .block { _ in 0 }, double()], sink: Self.sink(log))
          #expect(try pipeline.runToEnd("\(workers) workers, limit \(limit)") == .ok)
          #expect(
            log.all == (0..<240).map { Seen(number: $0, source: $0 / 8, word: $0) },
            "\(workers) workers, limit \(limit)")
          #expect(try pipeline.statistics().inFlightMax <= UInt64(limit))
          try pipeline.destroy()
        }
      }
    }

    /// Runs blocks 0…19 through a stage, `unpack` with 2 blocks at the end, another stage and the sink.
    private func run(
      _ workers: Int, limit: Int = 3, splitter: Stage? = nil, seesAll: Bool = false,
      before: @escaping @Sendable (UInt64) -> Int32 = { _ in 0 },
      behind: @escaping @Sendable (UInt64) -> Int32 = { _ in 0 },
      _ configure: (inout Pipeline.Options) -> Void = { _ in }
    ) throws -> (PipelineOutcome, [Seen], [String], seen: Int) {
      let log = Log<Seen>()
      let seen = Tally()
      let pipeline = try Pipeline(
        workers, limit: limit, source: Self.numbers(20),
        [
          .block("before", seesAll: seesAll) { block in
            seen.add()
            return before(block.pointee.number)
          },
          splitter ?? Self.unpack(atEnd: 2), .block("behind") { behind($0.pointee.number) },
        ], sink: Self.sink(log), configure)
      _ = try pipeline.runToEnd("\(workers) workers")
      let result = try pipeline.result()
      let errors = try pipeline.errors().map {
        "\($0.number)/\($0.sourceNumber)/\($0.stage)/\($0.code)"
      }
      try pipeline.destroy()
      return (result, log.all, errors, seen.value)
    }

    @Test("a failed input ends what follows with the blocks made so far, and what is kept is lost")
    func inputFails() throws {
      for workers in Self.everyCount {
        let (result, delivered, errors, _) = try run(workers, before: { $0 == 10 ? -1007 : 0 })
        #expect(result.status == .stageFailed && result.code == -1007)
        #expect(result.number == 10 && result.sourceNumber == 10 && result.stage == 1)
        #expect(delivered == Self.unpacked(10))
        #expect(errors == ["10/10/1/-1007"])
      }
    }

    @Test("a failed block behind a splitter ends the run there, whatever comes later")
    func outputFails() throws {
      for workers in Self.everyCount {
        // Block 7 comes from input 6; input 7 fails too.
        let (result, delivered, errors, _) = try run(
          workers, before: { $0 == 7 ? -1001 : 0 }, behind: { $0 == 7 ? -1002 : 0 })
        #expect(result.status == .stageFailed && result.code == -1002)
        #expect(result.number == 7 && result.sourceNumber == 6 && result.stage == 3)
        #expect(delivered == Array(Self.unpacked(20).prefix(7)))
        #expect(errors == ["7/6/3/-1002"])
      }
    }

    @Test("collected errors come in the order of a plain loop; a failed input takes a number")
    func collects() throws {
      for workers in Self.everyCount {
        let (result, delivered, errors, _) = try run(
          workers, before: { $0 == 3 || $0 == 6 ? -1001 : 0 },
          behind: { $0 == 1 || $0 == 5 ? -1002 : 0 }
        ) { $0.collectsErrors = true }
        // 1: 0. 2: 1 (fails), 2. 3 fails: 3. 5: 4. 6 fails: 5. 7: 6, 7, 8. …: 5 does not fail.
        #expect(result.status == .stageFailed && result.number == 1 && result.sourceNumber == 2)
        #expect(errors == ["1/2/3/-1002", "3/3/1/-1001", "6/6/1/-1001"])
        #expect(result.errors == 3 && result.failed == 3)
        #expect(delivered.prefix(6).map(\.number) == [0, 2, 4, 6, 7, 8])
        #expect(delivered.prefix(6).map(\.source) == [1, 2, 5, 7, 7, 7])
        #expect(delivered.suffix(2).map(\.word) == [10_000, 10_001])
      }
    }

    @Test("the n-th failure in that order ends a collecting run, before or behind the splitter")
    func collectsSome() throws {
      for workers in Self.everyCount {
        for (most, count) in [(1, 1), (2, 2), (3, 3)] as [(UInt64, Int)] {
          let (result, delivered, errors, _) = try run(
            workers, before: { $0 == 3 || $0 == 6 ? -1001 : 0 }, behind: { $0 == 1 ? -1002 : 0 }
          ) {
            $0.collectsErrors = true
            $0.maxFailures = most
          }
          #expect(result.errors == most && errors.count == count)
          #expect(
            delivered.map(\.number) == [[0], [0, 2], [0, 2, 4]][count - 1], "\(workers) workers")
        }
      }
    }

    @Test("a stop before a splitter ends the input, and what is kept comes")
    func inputStops() throws {
      for workers in Self.everyCount {
        for code in [StageReturn.stop, StageReturn.stopDrop] {
          let (result, delivered, _, _) = try run(workers, before: { $0 == 5 ? code : 0 })
          let inputs: UInt64 = code == StageReturn.stop ? 6 : 5
          #expect(result.status == .stopped && result.number == 5 && result.stage == 1)
          #expect(result.sourceNumber == 5)
          var expected = Self.unpacked(inputs, atEnd: 2)
          for index in expected.indices.suffix(2) {
            expected[index].source = inputs - 1
          }
          #expect(delivered == expected, "\(workers) workers, \(code)")
        }
      }
    }

    @Test("a stop behind a splitter ends the input at the block it came from")
    func outputStops() throws {
      for workers in Self.everyCount {
        let limit = 3
        let (result, delivered, _, seen) = try run(
          workers, limit: limit, behind: { $0 == 7 ? StageReturn.stop : 0 })
        #expect(result.status == .stopped && result.number == 7 && result.stage == 3)
        #expect(result.sourceNumber == 6)
        #expect(delivered == Array(Self.unpacked(20).prefix(8)))
        if workers == 0 { #expect(seen == 7) }
        // 6 is being split, and in front of it are so many others.
        #expect(seen <= 7 + limit * 2 + 1)
      }
    }

    @Test("a stage before a splitter that sees all sees all, whatever stops behind it")
    func seesAll() throws {
      for workers in Self.everyCount {
        let (result, delivered, _, seen) = try run(
          workers, seesAll: true, behind: { $0 == 7 ? StageReturn.stop : 0 })
        #expect(result.status == .stopped && result.number == 7)
        #expect(delivered.count == 8)
        #expect(seen == 20)
      }
    }

    @Test("an error that a stop behind the splitter makes void hides no later one that counts")
    func voidError() throws {
      for workers in Self.everyCount {
        for _ in 0..<20 {
          let failed = Gate()
          let log = Log<Seen>()
          let calls = Tally()
          var all = Stage.block("all") { _ in 0 }
          all.seesAll = true
          // Input 1 fails behind the stage that sees all, input 2 before it. Then block 0, which came of
          // input 0, stops all but what lies before that stage.
          let pipeline = try Pipeline(
            workers, limit: 8, source: Self.numbers(6),
            [
              .block("early") { block in
                if block.pointee.number == 2 { failed.open() }
                return block.pointee.number == 2 ? -1002 : 0
              },
              all, .block("late") { $0.pointee.number == 1 ? -1001 : 0 },
              .splitter { input, _ in
                calls.add()
                return input == nil ? StageReturn.drop : StageReturn.ok
              },
              .block("behind") { block in
                if workers > 1 {
                  failed.pass()
                  // Time for both failures to come to the splitter.
                  for _ in 0..<20_000 { block.pointee.meta.1 &+= 3 }
                }
                return StageReturn.stop
              },
            ], sink: Self.sink(log))
          #expect(try pipeline.runToEnd("\(workers) workers") == .stageFailed)
          let result = try pipeline.result()
          #expect(result.number == 2 && result.stage == 1 && result.code == -1002)
          #expect(try pipeline.errors().map(\.number) == [2], "\(workers) workers")
          #expect(log.all.map(\.number) == [0])
          #expect(calls.value == 1)
          try pipeline.destroy()
        }
      }
    }

    @Test("an error or a stop of the splitter is that of its input")
    func splitterDecides() throws {
      for workers in Self.everyCount {
        for code in [StageReturn.stop, StageReturn.stopDrop, -1005, 99, StageReturn.sourceEnd] {
          for input in [2, 6] as [UInt64] {
            let index = Own()
            let splitter = Stage.splitter { given, output in
              guard let given, given.pointee.meta.0 % 4 > 0 else { return StageReturn.drop }
              output.pointee.meta.0 = given.pointee.meta.0 * 10 + index.value
              index.value += 1
              if given.pointee.meta.0 == input && index.value == 2 { return code }
              if index.value < given.pointee.meta.0 % 4 { return StageReturn.more }
              index.value = 0
              return StageReturn.ok
            }
            let (result, delivered, errors, _) = try run(workers, splitter: splitter)
            let isStop = code == StageReturn.stop || code == StageReturn.stopDrop
            let isKept = code == StageReturn.stop ? 1 : 0
            #expect(result.status == (isStop ? .stopped : .stageFailed))
            #expect(result.number == input && result.sourceNumber == input && result.stage == 2)
            #expect(errors.count == (isStop ? 0 : 1))
            if code == -1005 { #expect(errors == ["\(input)/\(input)/2/-1005"]) }
            if code > 3 { #expect(result.code == Status.badReturn.rawValue) }
            let before = Self.unpacked(input).count + 1
            #expect(delivered == Array(Self.unpacked(20).prefix(before + isKept)), "\(code)")
          }
        }
      }
    }

    @Test("an error in the call after the last input is one behind the last input")
    func endFails() throws {
      for workers in Self.everyCount {
        let splitter = Stage.splitter { input, _ in input == nil ? -1009 : 0 }
        let (result, delivered, errors, _) = try run(workers, splitter: splitter)
        #expect(result.status == .stageFailed && result.number == 20 && result.stage == 2)
        #expect(delivered.count == 20 && errors == ["20/19/2/-1009"])
      }
    }

    @Test("no other stage may ask for the same block again")
    func moreElsewhere() throws {
      for kind in [StageKind.parallel, .serial, .serialAnyOrder] {
        let pipeline = try Pipeline(
          2, source: .source(3), [.block("greedy", kind) { _ in StageReturn.more }])
        #expect(try pipeline.runToEnd() == .stageFailed)
        #expect(try pipeline.result().code == Status.badReturn.rawValue)
        try pipeline.destroy()
      }
    }

    @Test("a splitter in the place of a source or a sink is called as these are")
    func elsewhere() throws {
      let log = Log<Seen>()
      var source = Self.numbers(5)
      source.kind = .splitter
      var sink = Self.sink(log)
      sink.kind = .splitter
      let pipeline = try Pipeline(2, source: source, sink: sink)
      #expect(try pipeline.runToEnd() == .ok)
      #expect(log.count == 5 && pipeline.stageCount == 2)
      try pipeline.destroy()
    }

    @Test("one thread can submit before a splitter and read results behind it")
    func submitsAndReads() throws {
      for workers in Pools.counts {
        let pipeline = try Pipeline(workers, limit: 2, [Self.unpack(atEnd: 1)]) {
          $0.pullsResults = true
        }
        try pipeline.start()
        var read: [Seen] = []
        func readOne(timeout: Int64) throws -> Status {
          let (status, result) = try pipeline.nextResult(timeout: timeout)
          if let result {
            read.append(
              Seen(
                number: result.block.pointee.number, source: result.block.pointee.sourceNumber,
                word: result.block.pointee.meta.0))
            result.release()
          }
          return status
        }
        for number in 0..<30 as Range<UInt64> {
          while true {
            let status = try pipeline.submit(Submission(number))
            if status == .ok { break }
            #expect(status == .resultsWaiting)
            #expect(try readOne(timeout: 0) == .ok)
          }
        }
        try pipeline.close()
        while true {
          let status = try readOne(timeout: TestScale.patienceNanoseconds)
          if status == .end { break }
          guard status == .ok else {
            Issue.record("\(status.name) after \(read.count) with \(workers) workers")
            break
          }
        }
        #expect(read == Self.unpacked(30, atEnd: 1), "\(workers) workers")
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("a flush waits for what splitters have made of the blocks submitted so far")
    func flushes() throws {
      for workers in Pools.counts {
        let log = Log<Seen>()
        let pipeline = try Pipeline(
          workers, limit: 3, [.block { _ in 0 }, Self.unpack(), .block { _ in 0 }],
          sink: Self.sink(log))
        try pipeline.start()
        for round in 1...10 as ClosedRange<UInt64> {
          for number in (round - 1) * 4..<round * 4 {
            #expect(try pipeline.submit(Submission(number)) == .ok)
          }
          #expect(try pipeline.flush(timeout: TestScale.patienceNanoseconds) == .ok)
          #expect(log.all == Self.unpacked(round * 4), "\(workers) workers")
        }
        try pipeline.close()
        #expect(try pipeline.flush() == .ok)
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("a flush says so when results must be read first")
    func flushesIntoResults() throws {
      let pipeline = try Pipeline(2, limit: 2, [Self.unpack()]) { $0.pullsResults = true }
      try pipeline.start()
      #expect(try pipeline.submit(Submission(3)) == .ok)
      #expect(try pipeline.flush(timeout: TestScale.patienceNanoseconds) == .resultsWaiting)
      // Two of three are there, the third one waits for a place.
      for word in 30...32 as ClosedRange<UInt64> {
        let (status, result) = try pipeline.nextResult(timeout: TestScale.patienceNanoseconds)
        #expect(status == .ok && result?.block.pointee.meta.0 == word)
        result?.release()
      }
      #expect(try pipeline.flush(timeout: TestScale.patienceNanoseconds) == .ok)
      try pipeline.close()
      #expect(try pipeline.end() == .ok)
      try pipeline.destroy()
    }

    @Test("who holds every place behind the splitter is told that no result can come")
    func readerStarves() throws {
      let pipeline = try Pipeline(2, limit: 2, source: Self.numbers(8), [Self.unpack()]) {
        $0.pullsResults = true
      }
      try pipeline.start()
      var held: [PipelineResult] = []
      for _ in 0..<2 {
        let (_, result) = try pipeline.nextResult(timeout: TestScale.patienceNanoseconds)
        if let result { held.append(result) }
      }
      #expect(held.count == 2)
      #expect(try pipeline.nextResult().0 == .wouldDeadlock)
      #expect(try pipeline.wait() == .resultsWaiting)
      #expect(throws: WorkpoolError.self) { try pipeline.destroy() }
      for result in held { result.release() }
      try pipeline.destroy()
    }

    @Test("a raised limit resumes a splitter that waits for a place, a lowered one holds")
    func limitChanges() throws {
      for workers in Pools.counts {
        let pipeline = try Pipeline(workers, limit: 1, source: Self.numbers(40), [Self.unpack()]) {
          $0.pullsResults = true
        }
        try pipeline.start()
        var read = 0
        for limit in [1, 5, 2, 9, 1, 30] {
          try pipeline.setMaxBlocksInFlight(limit)
          for _ in 0..<limit {
            let (status, result) = try pipeline.nextResult(timeout: TestScale.patienceNanoseconds)
            #expect(status == .ok && result?.block.pointee.number == UInt64(read))
            read += 1
            result?.release()
          }
        }
        while case (.ok, let result?) = try pipeline.nextResult(
          timeout: TestScale.patienceNanoseconds)
        {
          read += 1
          result.release()
        }
        #expect(read == Self.unpacked(40).count)
        #expect(try pipeline.end() == .ok)
        try pipeline.destroy()
      }
    }

    @Test("behind the last splitter blocks may be delivered as they come, up to the window ahead")
    func unordered() throws {
      for workers in Pools.counts {
        for (before, window) in [(false, 4), (true, 4), (false, 64)] {
          let log = Log<Seen>()
          let extra: [Stage] = before ? [.block { _ in 0 }, Self.unpack()] : []
          let pipeline = try Pipeline(
            workers, limit: 4, source: Self.numbers(60),
            extra + [
              Self.unpack(atEnd: 3),
              .block("slow") { block in
                if block.pointee.number % 8 == 3 {
                  for _ in 0..<5000 { block.pointee.meta.1 &+= 3 }
                }
                return 0
              },
            ], sink: Self.sink(log)
          ) {
            $0.deliversUnordered = true
            $0.windowCapacity = window
          }
          #expect(try pipeline.runToEnd("\(workers) workers") == .ok)
          let seen = log.all.sorted { $0.number < $1.number }
          #expect(seen.map(\.number) == (0..<UInt64(seen.count)).map { $0 })
          if !before { #expect(seen == Self.unpacked(60, atEnd: 3)) }
          #expect(try pipeline.statistics().stages == pipeline.stageCount)
          #expect(try pipeline.statistics().inFlight == 0)
          #expect(try pipeline.statistics(ofStage: pipeline.stageCount - 1).name == "sink")
          try pipeline.destroy()
        }
      }
    }

    @Test("an unordered run behind a splitter comes to the ordered outcome")
    func unorderedOutcome() throws {
      for workers in Pools.counts {
        let (failed, delivered, errors, _) = try run(
          workers, before: { $0 == 17 ? -1001 : 0 }, behind: { $0 == 20 ? -1002 : 0 }
        ) { $0.deliversUnordered = true }
        #expect(failed.number == 20 && failed.stage == 3 && errors.count == 1)
        let numbers = delivered.map(\.number)
        #expect((0..<20).allSatisfy { numbers.contains($0) })
        let (stopped, kept, _, _) = try run(
          workers, before: { $0 == 5 ? StageReturn.stop : 0 }, behind: { _ in 0 }
        ) { $0.deliversUnordered = true }
        #expect(stopped.status == .stopped && stopped.number == 5)
        #expect(kept.map(\.number).sorted() == (0...8).map { $0 })
      }
    }

    @Test("bytes in flight are limited before and behind a splitter, each for itself")
    func weighs() throws {
      for workers in Pools.counts {
        for limit in [1, 100, 10_000] {
          let sizes = Log<Int>()
          let index = Own()
          let pipeline = try Pipeline(
            workers, limit: 20,
            source: .source(12) { block in
              _ = block.reserve(300)
              block.pointee.size = 300
            },
            [
              .splitter { input, output in
                guard let input else { return StageReturn.drop }
                if !output.reserve(input.pointee.size / 3) { return -1 }
                output.pointee.size = input.pointee.size / 3
                index.value += 1
                return index.value % 3 == 0 ? StageReturn.ok : StageReturn.more
              }, .block { _ in 0 },
            ],
            sink: .block("sink", .serial) { block in
              sizes.append(block.pointee.size)
              return 0
            }
          ) { $0.maxBytesInFlight = limit }
          #expect(try pipeline.runToEnd("\(workers) workers, \(limit) bytes") == .ok)
          #expect(sizes.all == Array(repeating: 100, count: 36))
          #expect(try pipeline.statistics().bytesInFlightMax < UInt64(limit + 300))
          #expect(try pipeline.statistics().bytesInFlight == 0)
          try pipeline.destroy()
        }
      }
    }

    @Test("a cancel ends a pipeline whose splitter waits, and cleans every block once")
    func cancels() throws {
      for workers in Pools.counts {
        for isDestroyed in [false, true] {
          let payloads = Payloads()
          let made = Tally()
          let endCalls = Tally()
          let pipeline = try Pipeline(
            workers, limit: 2,
            source: .block("source", .serial) { block in
              payloads.attach(UInt64(made.add()), to: block)
              return 0
            },
            [
              .splitter { input, output in
                if input == nil { endCalls.add() }
                payloads.attach(UInt64(made.add()), to: output)
                return StageReturn.more
              }
            ]
          ) { $0.pullsResults = true }
          try pipeline.start()
          let (status, result) = try pipeline.nextResult(timeout: TestScale.patienceNanoseconds)
          #expect(status == .ok)
          result?.release()
          if !isDestroyed {
            try pipeline.cancel()
            #expect(try pipeline.end() == .cancelled)
            #expect(try pipeline.nextResult().0 == .cancelled)
          }
          try pipeline.destroy()
          #expect(endCalls.value == 0)
          #expect(payloads.releases == made.value && payloads.isEachOnce, "\(workers) workers")
        }
      }
    }

    @Test("the host's stop ends the input, and what is kept comes")
    func hostStops() throws {
      for workers in Pools.counts {
        let log = Log<Seen>()
        let pipelines = Log<Pipeline>()
        let pipeline = try Pipeline(
          workers, limit: 4, source: .block("source", .serial) { _ in 0 },
          [
            .splitter { input, output in
              output.pointee.meta.0 = input == nil ? 1 : 0
              if output.pointee.number == 20 { try? pipelines.all[0].stop() }
              return 0
            }
          ], sink: Self.sink(log))
        pipelines.append(pipeline)
        #expect(try pipeline.runToEnd() == .stopped)
        #expect(log.all.last?.word == 1 && log.count >= 21)
        #expect(log.all.map(\.number) == (0..<UInt64(log.count)).map { $0 })
        try pipeline.destroy()
      }
    }

    @Test("callbacks before, in and behind a splitter cannot wait for their own pipeline")
    func waitsInside() throws {
      for workers in [0, 1, 2] {
        let pipelines = Log<Pipeline>()
        let refused = Tally()
        @Sendable func ask() {
          let pipeline = pipelines.all[0]
          if (try? pipeline.wait()) == .wouldDeadlock { refused.add() }
          do { try pipeline.destroy() } catch { if error.status == .busy { refused.add() } }
        }
        let pipeline = try Pipeline(
          workers, source: Self.numbers(4),
          [
            .block { _ in
              ask()
              return 0
            },
            .splitter { input, _ in
              ask()
              return input == nil ? StageReturn.drop : 0
            },
            .block { _ in
              ask()
              return 0
            },
          ])
        pipelines.append(pipeline)
        #expect(try pipeline.runToEnd() == .ok)
        #expect(refused.value == 2 * (4 + 5 + 4), "\(workers) workers")
        try pipeline.destroy()
      }
    }

    @Test("workers begin and end in a splitter as in any stage, and all finish in order at the end")
    func finishes() throws {
      for workers in Self.everyCount {
        let log = Log<String>()
        let started = Tally()
        let finished = Tally()
        let open = Tally()
        func stage(_ name: String, _ kind: StageKind) -> Stage {
          let isSecond = Own()
          return .closure(
            name, kind,
            workerStart: { worker in
              started.add()
              return (0, UnsafeMutableRawPointer(bitPattern: Int(worker) + 1))
            },
            workerFinish: { worker, scratch in
              if scratch == UnsafeMutableRawPointer(bitPattern: Int(worker) + 1) { finished.add() }
            },
            finish: { status in
              if finished.value != started.value || open.value != 0 { log.append("early") }
              log.append("\(name) \(status)")
              return 0
            }
          ) { block, scratch, call in
            if scratch != UnsafeMutableRawPointer(bitPattern: Int(call.worker) + 1) { return -1 }
            if kind == .splitter {
              if call.input == nil { return StageReturn.drop }
              isSecond.value ^= 1
              open.add()
              return isSecond.value == 1 ? StageReturn.more : StageReturn.ok
            }
            if name == "sink" { open.add(-1) }
            return block.pointee.number == 50 && name == "source" ? StageReturn.sourceEnd : 0
          }
        }
        let pipeline = try Pipeline(
          workers, limit: 5, source: stage("source", .serial),
          [stage("work", .parallel), stage("splitter", .splitter), stage("more", .parallel)],
          sink: stage("sink", .serial))
        for _ in 0..<2 {
          #expect(try pipeline.runToEnd() == .ok)
        }
        let once = ["source 0", "work 0", "splitter 0", "more 0", "sink 0"]
        #expect(log.all == once + once, "\(workers) workers")
        #expect(started.value == finished.value)
        try pipeline.destroy()
      }
    }

    @Test("stages are counted through, and a splitter counts its inputs and its blocks")
    func statistics() throws {
      for workers in [0, 2] {
        let pipeline = try Pipeline(
          workers, limit: 4,
          source: .source(12) {
            $0.pointee.meta.0 = $0.pointee.number
            _ = $0.reserve(8)
            $0.pointee.size = 8
          },
          [
            .block { $0.pointee.number == 5 ? StageReturn.drop : 0 }, Self.unpack(atEnd: 1),
            .block { _ in 0 },
          ])
        #expect(try pipeline.runToEnd() == .ok)
        let outputs = UInt64(Self.unpacked(12, atEnd: 1).count) - 1
        #expect(pipeline.stageCount == 5)
        #expect(try pipeline.statistics().stages == 5)
        #expect(try pipeline.statistics().blocksIn == 12)
        #expect(try pipeline.statistics().blocksOut == outputs)
        let splitter = try pipeline.statistics(ofStage: 2)
        #expect(splitter.name == "splitter" && splitter.kind == .splitter)
        #expect(splitter.blocksIn == 12 && splitter.blocksOut == outputs)
        #expect(splitter.bytesIn == 11 * 8 && splitter.bytesOut == 0)
        #expect(try pipeline.statistics(ofStage: 1).blocksDropped == 1)
        #expect(try pipeline.statistics(ofStage: 3).calls == outputs)
        #expect(try pipeline.statistics(ofStage: 4).blocksOut == outputs)
        #expect(throws: WorkpoolError.self) { try pipeline.statistics(ofStage: 5) }
        try pipeline.destroy()
      }
    }

    @Test("a Swift splitter is a closure of input and output")
    func closure() throws {
      let lines = Log<String>()
      let pipeline = try Pipeline(on: Pools.of(2))
      try pipeline.setSource("source") { (block, _) throws(WorkpoolError) in
        if block.pointee.number == 3 { return .endOfInput }
        let text = ["one two", "", "three"][Int(block.pointee.number)]
        guard block.reserve(16) else { throw WorkpoolError(.noMemory, "no memory") }
        block.pointee.size = text.utf8.count
        block.bytes.copyBytes(from: text.utf8)
        return .goOn
      }
      let position = Own()
      let number = try pipeline.addSplitter("words") {
        (input, output, stage) throws(WorkpoolError) in
        guard let input, input.pointee.size > 0, let data = input.pointee.data else { return .drop }
        let all = UnsafeRawBufferPointer(start: data, count: input.pointee.size)
        let word = all[Int(position.value)...].prefix { $0 != 32 }
        guard output.reserve(word.count) else { throw WorkpoolError(.noMemory, "no memory") }
        output.pointee.size = word.count
        output.bytes.copyBytes(from: word)
        position.value = UInt64(word.endIndex + 1)
        if word.endIndex < all.count { return .more }
        position.value = 0
        return stage.isWanted ? .goOn : .drop
      }
      try pipeline.setSink("sink") { block, _ in
        lines.append(String(decoding: block.bytes, as: UTF8.self))
        return .goOn
      }
      #expect(number == 1)
      #expect(try pipeline.run() == .ok)
      #expect(lines.all == ["one", "two", "three"])
      try pipeline.destroy()
    }

    @Test("numbered blocks that are missing end what follows")
    func missing() throws {
      for workers in Pools.counts {
        let log = Log<Seen>()
        let pipeline = try Pipeline(
          workers, limit: 8, [Self.unpack(atEnd: 1)], sink: Self.sink(log))
        try pipeline.start()
        for number in [1, 0, 2, 3, 5] as [UInt64] {
          #expect(try pipeline.submit(number: number, Submission(number)) == .ok)
        }
        try pipeline.close()
        #expect(try pipeline.end() == .missingBlock)
        let result = try pipeline.result()
        #expect(result.number == 4 && result.stage == 0 && result.sourceNumber == 4)
        #expect(log.all == Self.unpacked(4))
        try pipeline.destroy()
      }
    }
  }
}
