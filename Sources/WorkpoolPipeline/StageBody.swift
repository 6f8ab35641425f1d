// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a Swift stage is told beside its block.
public struct StageContext {
  /// Index of the worker.
  public let worker: Int
  /// 0 is the source.
  public let stage: Int
  fileprivate let block: UnsafeMutablePointer<Block>

  /// Whether what the stage makes of the block can still count: no cancel, stop or error came before it.
  /// For calls that take long.
  public var isWanted: Bool { block.isWanted(by: stage) }
}

/// What a Swift stage answers.
public enum StageAnswer: Int32 {
  case goOn = 0
  /// The block leaves here; its place in the order stays.
  case drop = 1
  /// The block goes on and is the last one.
  case stop = 2
  case stopAndDrop = 3
  /// For a splitter: the block goes on, and the splitter wants to see the same input again.
  case more = 4
  /// For a source: there is no such block, the input is over.
  case endOfInput = 5
}

extension Stage {
  public typealias Body = (
    UnsafeMutablePointer<Block>, StageContext
  ) throws(WorkpoolError) -> StageAnswer

  private final class Box {
    let body: Body
    init(_ body: @escaping Body) { self.body = body }
  }

  /// A stage that calls a closure, on any worker, at once as its kind allows. A thrown error is the
  /// error of the stage at that block.
  public init(_ name: String, _ kind: StageKind, _ body: @escaping Body) {
    self.init(name, kind, context: Unmanaged.passRetained(Box(body)).toOpaque()) {
      context, block, _, call in
      guard let context else { return Status.badReturn.rawValue }
      let block = block.assumingMemoryBound(to: Block.self)
      let call = call.assumingMemoryBound(to: StageCall.self)
      let stage = StageContext(
        worker: Int(call.pointee.worker), stage: Int(call.pointee.stage), block: block)
      let box = Unmanaged<Box>.fromOpaque(context).takeUnretainedValue()
      do throws(WorkpoolError) {
        return try box.body(block, stage).rawValue
      } catch {
        return block.fail(error)
      }
    }
    destroyContext = { context in
      if let context { Unmanaged<Box>.fromOpaque(context).release() }
    }
  }
}

extension Stage {
  /// What a splitter does: fills the second block from the first, which is nil once, after the last one.
  public typealias SplitterBody = (
    UnsafePointer<Block>?, UnsafeMutablePointer<Block>, StageContext
  ) throws(WorkpoolError) -> StageAnswer

  private final class SplitterBox {
    let body: SplitterBody
    init(_ body: @escaping SplitterBody) { self.body = body }
  }

  /// A splitter that calls a closure, for one input after the other.
  ///
  /// The closure answers `goOn`: the block goes on and the input is used up; `more`: the block goes on and
  /// it wants to be called again with the same input; `drop`: nothing goes on, the input is used up (it
  /// may have kept what it needs of it); `stop` and `stopAndDrop`: as `goOn` and `drop`, and nothing
  /// comes after. Without an input, which comes once after the last one, it gives what it has kept:
  /// `more` until there is only one left, or `drop` when there is none.
  public init(splitter name: String, _ body: @escaping SplitterBody) {
    self.init(name, .splitter, context: Unmanaged.passRetained(SplitterBox(body)).toOpaque()) {
      context, block, _, call in
      guard let context else { return Status.badReturn.rawValue }
      let block = block.assumingMemoryBound(to: Block.self)
      let call = call.assumingMemoryBound(to: StageCall.self)
      let stage = StageContext(
        worker: Int(call.pointee.worker), stage: Int(call.pointee.stage), block: block)
      let box = Unmanaged<SplitterBox>.fromOpaque(context).takeUnretainedValue()
      do throws(WorkpoolError) {
        return try box.body(call.pointee.input, block, stage).rawValue
      } catch {
        return block.fail(error)
      }
    }
    destroyContext = { context in
      if let context { Unmanaged<SplitterBox>.fromOpaque(context).release() }
    }
  }
}

extension Pipeline {
  public func setSource(
    _ name: String, _ body: @escaping Stage.Body
  ) throws(WorkpoolError) {
    try take(Stage(name, .serial, body), setSource)
  }

  @discardableResult
  public func addStage(
    _ name: String, _ kind: StageKind, _ body: @escaping Stage.Body
  ) throws(WorkpoolError) -> Int {
    try take(Stage(name, kind, body), addStage)
  }

  /// Adds a stage that makes any number of blocks out of each one, in order: see `Stage.init(splitter:_:)`.
  /// What it makes is numbered 0, 1, 2, …, and has as many places as the limit says for itself.
  @discardableResult
  public func addSplitter(
    _ name: String, _ body: @escaping Stage.SplitterBody
  ) throws(WorkpoolError) -> Int {
    try take(Stage(splitter: name, body), addStage)
  }

  public func setSink(
    _ name: String, _ body: @escaping Stage.Body
  ) throws(WorkpoolError) {
    try take(Stage(name, .serial, body), setSink)
  }

  private func take<R>(
    _ stage: Stage, _ add: (Stage) throws(WorkpoolError) -> R
  ) throws(WorkpoolError) -> R {
    do throws(WorkpoolError) {
      return try add(stage)
    } catch {
      stage.destroyContext?(stage.context)
      throw error
    }
  }
}
