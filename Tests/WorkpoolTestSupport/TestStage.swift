// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore
import WorkpoolPipeline

public typealias BlockPointer = UnsafeMutablePointer<Block>

extension Stage {
  /// A stage whose callbacks are closures; `finish` and the worker hooks are only set when given.
  public static func closure(
    _ name: String = "stage", _ kind: StageKind = .parallel, concurrency: Int = 0,
    seesAll: Bool = false,
    workerStart: (@Sendable (UInt32) -> (Int32, UnsafeMutableRawPointer?))? = nil,
    workerFinish: (@Sendable (UInt32, UnsafeMutableRawPointer?) -> Void)? = nil,
    finish: (@Sendable (Int32) -> Int32)? = nil,
    destroyed: (@Sendable () -> Void)? = nil,
    _ body: @escaping @Sendable (BlockPointer, UnsafeMutableRawPointer?, StageCall) -> Int32
  ) -> Stage {
    let closures = Closures(body, workerStart, workerFinish, finish, destroyed)
    var stage = Stage(name, kind, context: Unmanaged.passRetained(closures).toOpaque()) {
      context, block, scratch, call in
      Closures.of(context).body(
        block.assumingMemoryBound(to: Block.self), scratch,
        call.assumingMemoryBound(to: StageCall.self).pointee)
    }
    stage.destroyContext = { context in
      let closures = Closures.of(context)
      closures.destroyed?()
      Unmanaged.passUnretained(closures).release()
    }
    stage.maxConcurrency = concurrency
    stage.seesAll = seesAll
    if workerStart != nil {
      stage.workerStart = { context, worker, scratch in
        guard let start = Closures.of(context).workerStart else { return 0 }
        let (code, memory) = start(worker)
        scratch?.pointee = memory
        return code
      }
    }
    if workerFinish != nil {
      stage.workerFinish = { Closures.of($0).workerFinish?($1, $2) }
    }
    if finish != nil {
      stage.finish = { Closures.of($0).finish?($1) ?? 0 }
    }
    return stage
  }

  /// The shortest form: a closure that looks at the block alone; with `batch` several in one call.
  public static func block(
    _ name: String = "stage", _ kind: StageKind = .parallel, concurrency: Int = 0,
    batch: Int = 0, seesAll: Bool = false, _ body: @escaping @Sendable (BlockPointer) -> Int32
  ) -> Stage {
    var stage = closure(name, kind, concurrency: concurrency, seesAll: seesAll) { block, _, call in
      guard let blocks = call.blocks, let answers = call.answers else { return body(block) }
      for index in 0..<Int(call.count) {
        answers[index] = body(blocks[index])
        if answers[index] != StageReturn.ok && answers[index] != StageReturn.drop { break }
      }
      return answers[0]
    }
    stage.maxBatch = batch
    return stage
  }

  /// A splitter whose closure looks at the input (nil after the last one) and the output alone.
  public static func splitter(
    _ name: String = "splitter", seesAll: Bool = false,
    _ body: @escaping @Sendable (UnsafePointer<Block>?, BlockPointer) -> Int32
  ) -> Stage {
    closure(name, .splitter, seesAll: seesAll) { block, _, call in body(call.input, block) }
  }

  /// A source of blocks 0 ..< count, empty ones.
  public static func source(
    _ count: UInt64, _ body: (@Sendable (BlockPointer) -> Void)? = nil
  ) -> Stage {
    block("source", .serial) { block in
      if block.pointee.number == count { return StageReturn.sourceEnd }
      body?(block)
      return StageReturn.ok
    }
  }
}

private final class Closures: Sendable {
  let body: @Sendable (BlockPointer, UnsafeMutableRawPointer?, StageCall) -> Int32
  let workerStart: (@Sendable (UInt32) -> (Int32, UnsafeMutableRawPointer?))?
  let workerFinish: (@Sendable (UInt32, UnsafeMutableRawPointer?) -> Void)?
  let finish: (@Sendable (Int32) -> Int32)?
  let destroyed: (@Sendable () -> Void)?

  init(
    _ body: @escaping @Sendable (BlockPointer, UnsafeMutableRawPointer?, StageCall) -> Int32,
    _ workerStart: (@Sendable (UInt32) -> (Int32, UnsafeMutableRawPointer?))?,
    _ workerFinish: (@Sendable (UInt32, UnsafeMutableRawPointer?) -> Void)?,
    _ finish: (@Sendable (Int32) -> Int32)?, _ destroyed: (@Sendable () -> Void)?
  ) {
    self.body = body
    self.workerStart = workerStart
    self.workerFinish = workerFinish
    self.finish = finish
    self.destroyed = destroyed
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> Closures {
    Unmanaged<Closures>.fromOpaque(context!).takeUnretainedValue()
  }
}

extension BlockPointer {
  /// Fails with a text.
  public func fails(_ code: Int32 = -1000, _ text: String = "") -> Int32 {
    Array(text.utf8).withUnsafeBytes { fail(code, $0) }
  }
}
