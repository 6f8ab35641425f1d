// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

/// Allocations that fail in the middle of runs, the k-th one for every k: on workers, where payloads
/// grow, and on threads of the host. What is made before a run, and the pool with its threads, have
/// such tests beside them (`RunLifeTests`, `PoolTests`).
extension EngineTests {
  @Suite struct FaultTests {
    /// A pool each of whose workers fails its allocation after `count` more.
    private static func failingPool(_ workers: Int, after count: Int64) throws -> Pool {
      var options = Pool.Options()
      options.workers = workers
      options.hooks.context = UnsafeMutableRawPointer(bitPattern: Int(count) + 1)
      options.hooks.threadStart = { context, _ in
        wpl_fail_own_allocation_after(Int64(Int(bitPattern: context) - 1))
      }
      return try Pool(options)
    }

    @Test("a payload that cannot grow is an error of its block, whichever allocation fails")
    func growth() throws {
      for workers in [1, 2, 8] {
        for collects in [false, true] {
          var withoutFault = 0
          var count: Int64 = 0
          while withoutFault < 2 && count < 200 {
            let pool = try Self.failingPool(workers, after: count)
            let payloads = Payloads()
            let attached = Tally()
            let refused = Tally()
            let delivered = Log<UInt64>()
            @Sendable func grow(_ block: BlockPointer, to size: Int) -> Int32 {
              if block.reserve(size) {
                block.pointee.size = size
                return 0
              }
              refused.add()
              return Status.noMemory.rawValue
            }
            var options = Pipeline.Options()
            options.maxBlocksInFlight = 6
            options.collectsErrors = collects
            let pipeline = try Pipeline(on: pool, options)
            try pipeline.setSource(
              .block("source", .serial) { block in
                if block.pointee.number == 30 { return StageReturn.sourceEnd }
                payloads.attach(block.pointee.number, to: block)
                attached.add()
                return 0
              })
            try pipeline.addStage(.block { grow($0, to: 100 + Int($0.pointee.number) * 4000) })
            try pipeline.addStage(
              .block("", .serial) { block in
                let size = block.pointee.size + 5000
                guard let spare = block.spare(size) else {
                  refused.add()
                  return Status.noMemory.rawValue
                }
                spare.update(repeating: 1, count: size)
                return block.commitSpare(size: size) ? 0 : Status.badReturn.rawValue
              })
            try pipeline.setSink(
              .block("sink", .serial) { block in
                delivered.append(block.pointee.number)
                return 0
              })
            try pipeline.start()
            let status = try pipeline.end("allocation \(count)")
            let outcome = try pipeline.result()
            if refused.value == 0 {
              withoutFault += 1
              #expect(status == .ok && delivered.all == Array(0..<30))
            } else {
              #expect(status == .stageFailed && outcome.code == Status.noMemory.rawValue)
              #expect(collects || delivered.all == Array(0..<(outcome.number ?? 99)))
              #expect(!collects || delivered.count + refused.value == 30)
            }
            #expect(payloads.releases == attached.value && payloads.isEachOnce)
            try pipeline.destroy()
            try pool.close()
            count += 1
          }
          #expect(withoutFault == 2 && count > 3)
        }
      }
    }

    @Test("a submit gets through whichever allocation fails: another memory makes up for a buffer")
    func submission() throws {
      for isNumbered in [false, true] {
        for count in Int64(0)..<8 {
          let delivered = Log<Int>()
          let sink = Stage.block("sink", .serial) { block in
            delivered.append(block.pointee.size)
            return 0
          }
          let pipeline = try Pipeline(2, limit: 3, [.block { _ in 0 }], sink: sink)
          try pipeline.start()
          var bytes = Array(repeating: UInt8(7), count: 40_000)
          var refused = 0
          var submitted: [Int] = []
          for index in 0..<10 {
            bytes.withUnsafeMutableBytes { memory in
              var submission = Submission()
              submission.data = memory.baseAddress
              submission.size = (index + 1) * 4000
              wpl_fail_own_allocation_after(count)
              var status: Status?
              repeat {
                if status == .noMemory { refused += 1 }
                status =
                  isNumbered
                  ? try? pipeline.submit(number: UInt64(index), submission)
                  : try? pipeline.submit(submission)
              } while status == .noMemory && refused < 1000
              wpl_fail_own_allocation_after(-1)
              #expect(status == .ok)
              submitted.append(submission.size)
            }
          }
          try pipeline.close()
          #expect(try pipeline.end() == .ok)
          #expect(delivered.all == submitted)
          #expect(try pipeline.statistics().inFlight == 0)
          try pipeline.destroy()
        }
      }
    }
  }
}
