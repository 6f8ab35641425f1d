// SPDX-License-Identifier: MIT

/// A numbered payload on its way through a pipeline; the layout of `wp_block`.
///
/// Between stages exactly one thread touches a block.
public struct Block {
  /// Position in the input, from 0.
  public internal(set) var number: UInt64 = 0
  /// The input block it came from; differs from `number` only behind a splitter.
  public internal(set) var sourceNumber: UInt64 = 0
  public var data: UnsafeMutablePointer<UInt8>?
  /// Bytes of payload.
  public var size = 0
  /// Bytes that fit at `data`.
  public internal(set) var capacity = 0
  /// The user's; 0 at first, carried untouched.
  public var meta: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// Bytes that count for a limit of bytes in flight; 0: the size.
  public var weight: UInt64 = 0

  public init() {}

  package mutating func number(_ number: UInt64) {
    self.number = number
    sourceNumber = number
    meta = (0, 0, 0, 0)
    weight = 0
  }

  package mutating func comes(from sourceNumber: UInt64) { self.sourceNumber = sourceNumber }

  package mutating func setPayload(_ data: UnsafeMutablePointer<UInt8>?, size: Int, capacity: Int) {
    self.data = data
    self.size = size
    self.capacity = capacity
  }
}

/// Why caller-owned memory is given back; the values of `WP_RELEASE_…`.
public enum ReleaseReason: Int32, Sendable {
  case delivered = 1
  case dropped, cut, failed, cancelled, replaced
}

/// Takes caller-owned memory back: `(context, data, size, reason)`.
public typealias ReleaseFunction =
  @convention(c) (
    UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int, Int32
  ) -> Void
