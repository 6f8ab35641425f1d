// SPDX-License-Identifier: MIT
import CZlib
import WorkpoolCore

/// Unpacks raw deflate streams (RFC 1951) that are whole and whose decoded size is known, such as
/// the blocks of BGZF, with one context: no allocation for a block.
///
/// Threads: one at a time; as many inflaters as there are workers.
struct BlockInflater: ~Copyable {
  enum Outcome: Equatable {
    /// All of `packed` was used and all of `bytes` was filled, neither more nor less.
    case ended
    /// Says why in the same words whichever library unpacks.
    case damaged(String)
    case noMemory
  }

  private let zlib: Inflater

  /// Errors: `noMemory`.
  init() throws(WorkpoolError) { zlib = try Inflater() }

  /// Unpacks the stream `packed` into `bytes`; what `bytes` holds is undefined but after `ended`.
  ///
  /// - Precondition: neither is longer than 1 GiB.
  func inflate(
    _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
  ) -> Outcome {
    precondition(max(packed.count, bytes.count) <= 1 << 30, "a block is at most 1 GiB")
    zlib.reset()
    let (taken, made, outcome) = zlib.inflate(packed, into: bytes, isWhole: true)
    return switch outcome {
    case .ended where taken < packed.count:
      .damaged("\(packed.count - taken) bytes follow its end")
    case .ended where made < bytes.count: .damaged("it makes \(made) bytes, not \(bytes.count)")
    case .ended: .ended
    case .goesOn where made < bytes.count: .damaged("it is cut")
    case .goesOn: .damaged("it does not end after \(bytes.count) bytes")
    case .damaged(let why): .damaged(why)
    case .noMemory: .noMemory
    }
  }
}
