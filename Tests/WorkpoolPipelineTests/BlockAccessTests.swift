// SPDX-License-Identifier: MIT
import CPlatform
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

extension EngineTests {
  @Suite struct BlockAccessTests {
    /// Runs a callback on blocks with and without payload; it says what is wrong.
    static func onEach(
      _ workers: Int, _ body: @escaping @Sendable (BlockPointer, Payloads) -> String?
    ) throws -> Payloads {
      let payloads = Payloads()
      let faults = Log<String>()
      let source = Stage.block("source", .serial) { block in
        switch block.pointee.number {
        case 60: return StageReturn.sourceEnd
        case let number where number % 3 == 0: payloads.attach(number, to: block)
        case let number where number % 3 == 1:
          if !block.reserve(Payloads.size) { return -1 }
          block.pointee.size = Payloads.size
          UnsafeMutableRawPointer(block.pointee.data!).storeBytes(of: number, as: UInt64.self)
        default: break
        }
        return 0
      }
      let work = Stage.block { block in
        if let fault = body(block, payloads) { faults.append(fault) }
        return 0
      }
      let pipeline = try Pipeline(workers, limit: 4, source: source, [work])
      #expect(try pipeline.runToEnd() == .ok)
      #expect(faults.all == [])
      try pipeline.destroy()
      #expect(payloads.isEachOnce)
      return payloads
    }

    static func word(_ block: BlockPointer) -> UInt64 {
      block.pointee.size < 8 ? .max : UnsafeRawPointer(block.pointee.data!).load(as: UInt64.self)
    }

    @Test("reserve makes room and keeps the payload", arguments: [0, 1, 2])
    func reserve(workers: Int) throws {
      let payloads = try Self.onEach(workers) { block, _ in
        let number = block.pointee.number
        let size = block.pointee.size
        for capacity in [0, 5, 100, 5000, 100_000] {
          guard block.reserve(capacity) else { return "no memory" }
          if block.pointee.capacity < max(capacity, size) { return "capacity" }
          if block.pointee.size != size { return "size" }
          if size > 0 && Self.word(block) != number { return "payload of \(number)" }
          if capacity > 0 { block.pointee.data![block.pointee.capacity - 1] = 1 }
        }
        if block.reserve(-1) || block.reserve(.max) || block.reserve(.max - 4096) {
          return "absurd"
        }
        if size > 0 && Self.word(block) != number { return "payload after a refusal" }
        return nil
      }
      #expect(payloads.count(.replaced) == 20)
    }

    @Test("a refused reserve leaves the block as it is", arguments: [0, 2])
    func reserveWithoutMemory(workers: Int) throws {
      _ = try Self.onEach(workers) { block, _ in
        let before = (block.pointee.data, block.pointee.size, block.pointee.capacity)
        wpl_fail_own_allocation_after(0)
        let isRefused = !block.reserve(1 << 20) && block.spare(1 << 20) == nil
        wpl_fail_own_allocation_after(-1)
        // A recycled buffer may be large enough; then nothing is asked for.
        if isRefused && (block.pointee.data, block.pointee.size, block.pointee.capacity) != before {
          return "changed"
        }
        return block.pointee.size > 0 && Self.word(block) != block.pointee.number ? "payload" : nil
      }
    }

    @Test(
      "a spare buffer replaces the payload when it is committed and else goes",
      arguments: [
        0, 1, 2,
      ])
    func spare(workers: Int) throws {
      let payloads = try Self.onEach(workers) { block, _ in
        let number = block.pointee.number
        if block.commitSpare(size: 0) { return "committed without a spare" }
        guard block.spare(10) != nil, let room = block.spare(3000) else { return "no memory" }
        UnsafeMutableRawPointer(room).storeBytes(of: number + 1000, as: UInt64.self)
        if number % 2 == 0 { return nil }
        if block.commitSpare(size: 1 << 30) || block.commitSpare(size: -1) { return "too large" }
        if !block.commitSpare(size: 8) { return "not committed" }
        if block.pointee.size != 8 || Self.word(block) != number + 1000 { return "content" }
        if block.pointee.capacity < 3000 { return "capacity" }
        return block.commitSpare(size: 0) ? "committed twice" : nil
      }
      #expect(payloads.count(.replaced) == 10 && payloads.count(.delivered) == 10)
    }

    @Test("set data replaces the payload, again and again", arguments: [0, 2])
    func setData(workers: Int) throws {
      let payloads = try Self.onEach(workers) { block, payloads in
        let number = block.pointee.number
        payloads.attach(number + 1000, to: block)
        payloads.attach(number + 2000, to: block)
        return Self.word(block) == number + 2000 ? nil : "content"
      }
      #expect(payloads.count(.delivered) == 60 && payloads.count(.replaced) == 80)
    }

    @Test("a failure's text is cut to 255 bytes and its code is negative")
    func fail() throws {
      for workers in [0, 2] {
        let long = String(repeating: "x", count: 300)
        let work = Stage.block { block in
          block.fails(block.pointee.number == 0 ? 5 : -1001, block.pointee.number == 1 ? "" : long)
        }
        let pipeline = try Pipeline(workers, source: .source(3), [work]) {
          $0.collectsErrors = true
        }
        #expect(try pipeline.runToEnd() == .stageFailed)
        let errors = try pipeline.errors()
        #expect(errors.map(\.code) == [Status.badReturn.rawValue, -1001, -1001])
        #expect(errors.map(\.text) == [String(long.prefix(255)), "", String(long.prefix(255))])
        try pipeline.destroy()
      }
    }

    @Test("a text that belongs to no failure is not taken for the next one's")
    func strayText() throws {
      for workers in [0, 2] {
        let pipeline = try Pipeline(
          workers, source: .source(3),
          [
            .block {
              _ = $0.fails(-1, "stray")
              return 0
            }, .block { $0.pointee.number == 1 ? -1001 : 0 },
          ])
        #expect(try pipeline.runToEnd() == .stageFailed)
        #expect(try pipeline.errors().map(\.text) == [""])
        try pipeline.destroy()
      }
    }

    @Test("buffers are recycled: few are made for many blocks")
    func recycling() throws {
      let pointers = Locked<Set<UInt>>([])
      let work = Stage.block { block in
        guard block.reserve(1000) else { return -1 }
        pointers.with { _ = $0.insert(UInt(bitPattern: block.pointee.data)) }
        return 0
      }
      let pipeline = try Pipeline(2, limit: 4, source: .source(2000), [work])
      #expect(try pipeline.runToEnd() == .ok)
      #expect(pointers.with { $0.count } <= 4)
      try pipeline.destroy()
    }

    @Test("meta is zero at first and carried untouched")
    func meta() throws {
      let pipeline = try Pipeline(
        2, limit: 2,
        source: .source(100) { block in
          let meta = block.pointee.meta
          block.pointee.meta = meta == (0, 0, 0, 0) ? (1, 2, 3, block.pointee.number) : (9, 9, 9, 9)
        },
        [
          .block {
            $0.pointee.meta == (1, 2, 3, $0.pointee.number)
              && $0.pointee.sourceNumber == $0.pointee.number ? 0 : -1
          }
        ])
      #expect(try pipeline.runToEnd() == .ok)
      try pipeline.destroy()
    }
  }
}
