// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolPipeline

/// Blocks whose payload is counted from the source, or submit, to its end.
public final class Living: Sendable {
  public let payloads = Payloads()
  public let live = Tally()

  public init() { payloads.whenReleased.with { [live] in $0 = { _ in live.add(-1) } } }

  /// `count` blocks with a payload each; `body` may change them.
  public func source(
    _ count: UInt64, _ body: @escaping @Sendable (BlockPointer) -> Void = { _ in }
  ) -> Stage {
    .block("source", .serial) { [self] block in
      if block.pointee.number == count { return StageReturn.sourceEnd }
      live.add()
      payloads.attach(block.pointee.number, to: block)
      body(block)
      return StageReturn.ok
    }
  }

  /// Waits until that many live.
  public func wait(for count: Int, _ what: String = "") {
    waitUntil("\(count) live: \(what)") { live.value == count }
  }
}

/// Waits for what is soon true; longer than `TestScale.patienceNanoseconds` means that something is stuck
/// and ends the process.
public func waitUntil(_ what: String = "", _ isTrue: () -> Bool) {
  let isInTime = TestScale.withPatience { deadline in
    while !isTrue() {
      if Clock.now >= deadline { return false }
      wpl_yield()
    }
    return true
  }
  if !isInTime { fatalError("stuck: \(what)") }
}
