// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import WorkpoolCore
import WorkpoolPipeline

/// Caller-owned memory whose giving back is counted: each piece once, with its reason.
public final class Payloads: @unchecked Sendable {
  private struct Piece {
    let owner: Unmanaged<Payloads>
    let id: UInt64
  }
  private let given = Locked<[UInt64: [Int32]]>([:])
  /// Called on every release, without a lock.
  public let whenReleased = Locked<(@Sendable (UInt64) -> Void)?>(nil)

  public init() {}

  /// Reasons for which a payload was given back; one of them, if all is well.
  public func reasons(_ id: UInt64) -> [Int32] { given.with { $0[id] ?? [] } }
  public var releases: Int { given.with { $0.values.reduce(0) { $0 + $1.count } } }
  public var isEachOnce: Bool { given.with { $0.values.allSatisfy { $0.count == 1 } } }
  public func count(_ reason: ReleaseReason) -> Int {
    given.with { $0.values.count { $0 == [reason.rawValue] } }
  }

  public static let size = 16

  /// Memory that says its id in its first 8 bytes.
  public func make(_ id: UInt64) -> Submission {
    var submission = Submission()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.size, alignment: 8)
    memory.storeBytes(of: id, as: UInt64.self)
    submission.data = memory
    submission.size = Self.size
    submission.meta.0 = id
    submission.releaseContext = Unmanaged.passUnretained(self).toOpaque()
    submission.release = Self.release
    return submission
  }

  public static let release: ReleaseFunction = { context, data, size, reason in
    let payloads = Unmanaged<Payloads>.fromOpaque(context!).takeUnretainedValue()
    let id = data!.load(as: UInt64.self)
    precondition(size == Payloads.size)
    payloads.given.with { $0[id, default: []].append(reason) }
    data!.deallocate()
    payloads.whenReleased.with { $0 }?(id)
  }

  /// Frees a payload that nobody took.
  public func discard(_ submission: Submission) { submission.data?.deallocate() }

  /// Puts a payload of that id into a block.
  public func attach(_ id: UInt64, to block: BlockPointer) {
    let submission = make(id)
    block.setData(
      submission.data, size: Self.size, release: submission.release,
      context: submission.releaseContext)
  }
}

extension Submission {
  /// An empty block with one word.
  public init(_ word: UInt64) {
    self.init()
    meta.0 = word
  }
}

/// Threads of the host that run a body each; `join` waits for them.
public final class Threads: @unchecked Sendable {
  private let group = DispatchGroup()

  public init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    for index in 0..<count {
      group.enter()
      let thread = Thread { [group] in
        body(index)
        group.leave()
      }
      thread.start()
    }
  }

  public func join() {
    let haveEnded = TestScale.withPatience { _ in
      group.wait(timeout: .now() + .seconds(2)) == .success
    }
    if !haveEnded { fatalError("stuck: host threads do not come back") }
  }
}
