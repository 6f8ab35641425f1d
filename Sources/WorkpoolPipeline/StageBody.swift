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
