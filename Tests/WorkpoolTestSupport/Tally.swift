// SPDX-License-Identifier: MIT
import Foundation
import Synchronization

/// A number that threads change, with the largest value it had.
public final class Tally: Sendable {
  private let current = Atomic<Int>(0)
  private let highest = Atomic<Int>(0)

  public init() {}

  public var value: Int { current.load(ordering: .relaxed) }
  public var peak: Int { highest.load(ordering: .relaxed) }

  @discardableResult
  public func add(_ amount: Int = 1) -> Int {
    let new = current.wrappingAdd(amount, ordering: .relaxed).newValue
    if new > highest.load(ordering: .relaxed) { _ = highest.max(new, ordering: .relaxed) }
    return new
  }
}

/// A value behind a lock.
public final class Locked<Value>: @unchecked Sendable {
  private var value: Value
  private let lock = NSLock()

  public init(_ value: Value) { self.value = value }

  public func with<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}

/// Values in the order in which threads appended them.
public final class Log<Value: Sendable>: Sendable {
  private let values = Locked<[Value]>([])

  public init() {}

  public func append(_ value: Value) { values.with { $0.append(value) } }
  public var all: [Value] { values.with { $0 } }
  public var count: Int { values.with { $0.count } }
}
