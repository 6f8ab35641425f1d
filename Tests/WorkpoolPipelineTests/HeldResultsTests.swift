// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  /// Runs that end while the host holds every place: nothing that is still to come needs one.
  @Suite struct HeldResultsTests {
    /// What the run waits for while the host holds all results.
    enum Shape: CaseIterable {
      case places, serialStages, bytes, unordered, signal
      case splitter, splitterBytes, splitterUnordered, twoSplitters, notice, endOfSplitter

      var isSplit: Bool {
        switch self {
        case .places, .serialStages, .bytes, .unordered, .signal: false
        default: true
        }
      }

      func pipeline(
        _ workers: Int, _ payloads: Payloads, source isPulled: Bool = true,
        _ configure: (inout Pipeline.Options) -> Void = { _ in }
      ) throws -> Pipeline {
        let count: UInt64 = self == .endOfSplitter ? 1 : 1 << 60
        let source = Stage.source(count) { payloads.attach($0.pointee.number, to: $0) }
        // Two for each input, and one at the end.
        let copies = SplitterTests.Own()
        let splitter = Stage.splitter { input, output in
          copies.value += 1
          guard input != nil else { return StageReturn.ok }
          payloads.attach(1 << 40 + copies.value, to: output)
          return copies.value % 2 == 1 ? StageReturn.more : StageReturn.ok
        }
        let others = SplitterTests.Own()
        let second = Stage.splitter { input, output in
          others.value += 1
          if input != nil { payloads.attach(1 << 50 + others.value, to: output) }
          return StageReturn.ok
        }
        let pass = Stage.block("pass") { _ in 0 }
        let oddFail = Stage.block("odd ones fail") { $0.pointee.number % 2 == 1 ? -1000 : 0 }
        let stages: [Stage] =
          switch self {
          case .places, .bytes, .unordered, .signal: [pass]
          case .serialStages: [pass, .block("s", .serial) { _ in 0 }]
          case .splitter, .splitterBytes, .splitterUnordered, .endOfSplitter: [splitter, pass]
          case .twoSplitters: [splitter, pass, second]
          case .notice: [oddFail, splitter]
          }
        return try Pipeline(workers, limit: 2, source: isPulled ? source : nil, stages) {
          $0.pullsResults = true
          $0.collectsErrors = self == .notice
          $0.deliversUnordered = self == .unordered || self == .splitterUnordered
          if self == .bytes || self == .splitterBytes {
            $0.maxBlocksInFlight = 100
            $0.maxBytesInFlight = 2 * Payloads.size
          }
          configure(&$0)
        }
      }
    }

    /// Reads until the host holds all there is room for.
    private func holdAll(_ pipeline: Pipeline) throws -> [PipelineResult] {
      var held: [PipelineResult] = []
      while let result = try pipeline.nextResult().1 { held.append(result) }
      #expect(held.count == 2)
      return held
    }

    private func finish(_ pipeline: Pipeline, _ held: [PipelineResult], _ payloads: Payloads) throws
    {
      #expect(throws: WorkpoolError.self) { try pipeline.destroy() }
      for result in held { result.release() }
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
    }

    @Test(
      "a cancel ends the run although the host holds every place", arguments: Shape.allCases,
      Pools.counts)
    func cancel(shape: Shape, workers: Int) throws {
      for _ in 0..<TestScale.scaled(20) {
        let payloads = Payloads()
        let token = try Token()
        let pipeline = try shape.pipeline(workers, payloads) { $0.token = token }
        try pipeline.start()
        let held = try holdAll(pipeline)
        #expect(try pipeline.nextResult().0 == .wouldDeadlock)
        #expect(try pipeline.wait() == .resultsWaiting)
        if shape == .signal {
          token.mark(.user)
        } else {
          try pipeline.cancel()
        }
        #expect(try pipeline.end("\(shape)") == .cancelled)
        #expect(try pipeline.nextResult().0 == .cancelled)
        let outcome = try pipeline.result()
        #expect(outcome.status == .cancelled && outcome.delivered == 2)
        try finish(pipeline, held, payloads)
      }
    }

    @Test("the run's own deadline does so, too", arguments: Shape.allCases, [1, 8])
    func deadline(shape: Shape, workers: Int) throws {
      let payloads = Payloads()
      let pipeline = try shape.pipeline(workers, payloads) { $0.runTimeoutNanoseconds = 20_000_000 }
      try pipeline.start()
      var held: [PipelineResult] = []
      while let result = try pipeline.nextResult().1 { held.append(result) }
      var status = Status.resultsWaiting
      while status == .resultsWaiting {
        status = try pipeline.wait(timeout: TestScale.patienceNanoseconds)
      }
      #expect(status == .timedOut)
      #expect(try pipeline.result().status == .timedOut)
      for result in held { result.release() }
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
    }

    @Test(
      "a pushed run is cancelled although the host holds every place",
      arguments: [Shape.places, .bytes, .unordered, .splitter, .twoSplitters, .notice], Pools.counts
    )
    func pushed(shape: Shape, workers: Int) throws {
      for isNumbered in [false, true] {
        let payloads = Payloads()
        let pipeline = try shape.pipeline(workers, payloads, source: false)
        try pipeline.start()
        var submitted: UInt64 = 0
        func submit() throws -> Status {
          let piece = payloads.make(submitted)
          let status =
            try isNumbered
            ? pipeline.submit(number: submitted, piece) : pipeline.submit(piece)
          if status == .ok { submitted += 1 } else { payloads.discard(piece) }
          return status
        }
        var held: [PipelineResult] = []
        while held.count < 2 {
          #expect(try submit() == .ok)
          let (status, result) = try pipeline.nextResult()
          #expect(status == .ok)
          if let result { held.append(result) }
        }
        // Before a splitter there are places of their own.
        while try submit() == .ok {}
        #expect(try pipeline.wait() == .resultsWaiting)
        try pipeline.cancel()
        #expect(try submit() == .cancelled)
        #expect(try pipeline.flush() == .cancelled)
        #expect(try pipeline.end("\(shape)") == .cancelled)
        #expect(try pipeline.nextResult().0 == .cancelled)
        try finish(pipeline, held, payloads)
      }
    }

    @Test(
      "the host's stop ends a run although the host holds every place",
      arguments: Shape.allCases, Pools.counts)
    func stop(shape: Shape, workers: Int) throws {
      let payloads = Payloads()
      let pipeline = try shape.pipeline(workers, payloads)
      try pipeline.start()
      var held = try holdAll(pipeline)
      try pipeline.stop()
      if shape.isSplit {
        // Inputs that wait for the splitter are in flight; what it makes of them needs places.
        #expect(try pipeline.wait() == .resultsWaiting)
        while !held.isEmpty {
          held.removeFirst().release()
          if let next = try pipeline.nextResult().1 { held.append(next) }
        }
      }
      // The stop may come before the source was asked for the end, or for the input that fails.
      let ends: [Status] =
        switch shape {
        case .endOfSplitter: [.ok, .stopped]
        case .notice: [.stageFailed, .stopped]
        default: [.stopped]
        }
      #expect(ends.contains(try pipeline.end("\(shape)")))
      if !shape.isSplit {
        #expect(try pipeline.nextResult().0 == .stopped)
        #expect(try pipeline.result().delivered == 2)
      }
      for result in held { result.release() }
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
    }

    @Test("a block that stops the run may be held with all others", arguments: Pools.counts)
    func stopBlock(workers: Int) throws {
      for _ in 0..<TestScale.scaled(50) {
        for fails in [false, true] {
          let pipeline = try Pipeline(
            workers, limit: 2, source: .source(1 << 60),
            [
              .block("s", .serial) {
                if fails && $0.pointee.number == 2 { return -1000 }
                return !fails && $0.pointee.number == 1 ? StageReturn.stop : 0
              }
            ]
          ) { $0.pullsResults = true }
          try pipeline.start()
          var held: [PipelineResult] = []
          var status = Status.ok
          while status == .ok {
            let (next, result) = try pipeline.nextResult()
            status = next
            if let result { held.append(result) }
          }
          #expect(held.map(\.block.pointee.number) == [0, 1])
          // Block 2 had no place and never was.
          #expect(status == (fails ? .wouldDeadlock : .stopped))
          if fails {
            held.removeLast().release()
            #expect(try pipeline.nextResult().0 == .stageFailed)
          }
          #expect(try pipeline.end() == (fails ? .stageFailed : .stopped))
          for result in held { result.release() }
          try pipeline.destroy()
        }
      }
    }

    @Test("who waits for a cancelled run is not told to read, whatever is still inside")
    func insideMeanwhile() throws {
      let (isInside, mayEnd) = (Gate(), Gate())
      let pipeline = try Pipeline(
        1, limit: 2, source: .source(10),
        [
          .block("waits") {
            if $0.pointee.number == 1 {
              isInside.open()
              mayEnd.pass("the end")
            }
            return 0
          }
        ]
      ) { $0.pullsResults = true }
      try pipeline.start()
      let (status, result) = try pipeline.nextResult()
      #expect(status == .ok)
      isInside.pass("block 1")
      // From now on the result that the host holds has all places.
      try pipeline.setMaxBlocksInFlight(1)
      #expect(try pipeline.wait(timeout: 1_000_000) == .resultsWaiting)
      try pipeline.cancel()
      #expect(try pipeline.wait(timeout: 1_000_000) == .timedOut)
      mayEnd.open()
      #expect(try pipeline.end() == .cancelled)
      result?.release()
      try pipeline.destroy()
    }
  }
}
