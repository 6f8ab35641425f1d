// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A thread that runs errands one after the other, in the order in which they were given to it. It begins
/// with the first one.
final class Courier: @unchecked Sendable {
  typealias Errand = () -> Void

  private let name: String
  private let monitor: Monitor
  // Under the lock.
  private var errands = Ring<Errand>()
  private var thread: OpaquePointer?
  private var isClosing = false
  private var identity: UInt = 0

  init(name: String) throws(WorkpoolError) {
    self.name = name
    monitor = try Monitor()
  }

  deinit { monitor.destroy() }

  /// Its thread, if it has none yet. Errands may only be given afterwards.
  func begin() throws(WorkpoolError) {
    monitor.lock()
    defer { monitor.unlock() }
    guard thread == nil else { return }
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { courier in
      guard let courier else { return }
      Unmanaged<Courier>.fromOpaque(courier).takeUnretainedValue().live()
    }
    thread = wpl_thread_create(name, 0, body, Unmanaged.passUnretained(self).toOpaque())
    guard thread != nil else {
      throw WorkpoolError(.noThread, "the thread \(name) could not be created")
    }
  }

  /// By one thread at a time, in the order in which the errands shall be run.
  func give(_ errand: @escaping Errand) {
    monitor.lock()
    errands.append(errand)
    monitor.wakeOne()
    monitor.unlock()
  }

  var isOnThisThread: Bool {
    monitor.lock()
    defer { monitor.unlock() }
    return identity == wpl_thread_identity()
  }

  /// Runs what it was given, and ends.
  func close() {
    monitor.lock()
    isClosing = true
    let thread = thread
    self.thread = nil
    monitor.wakeAll()
    monitor.unlock()
    if let thread { wpl_thread_join(thread) }
  }

  private func live() {
    // What an errand holds is let go of before the next one is taken, and under no lock.
    while let errand = next() { errand() }
  }

  /// Waits for an errand; nil: there will be none any more.
  private func next() -> Errand? {
    monitor.lock()
    defer { monitor.unlock() }
    identity = wpl_thread_identity()
    while true {
      if let errand = errands.popFirst() { return errand }
      if isClosing {
        identity = 0
        return nil
      }
      monitor.wait()
    }
  }
}

/// A queue that grows.
struct Ring<Element> {
  private var places: [Element?] = []
  private var first = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ element: Element) {
    if count == places.count {
      var larger: [Element?] = []
      larger.reserveCapacity(max(8, 2 * count))
      for place in 0..<count { larger.append(places[(first + place) % places.count]) }
      while larger.count < max(8, 2 * count) { larger.append(nil) }
      places = larger
      first = 0
    }
    places[(first + count) & (places.count - 1)] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = places[first]
    places[first] = nil
    first = (first + 1) & (places.count - 1)
    count -= 1
    return element
  }

  /// Takes out the first element that is wanted; the others keep their order.
  mutating func remove(where isWanted: (Element) -> Bool) -> Element? {
    for place in 0..<count {
      let index = (first + place) & (places.count - 1)
      guard let element = places[index], isWanted(element) else { continue }
      for later in place + 1..<max(place + 1, count) {
        places[(first + later - 1) & (places.count - 1)] =
          places[(first + later) & (places.count - 1)]
      }
      count -= 1
      places[(first + count) & (places.count - 1)] = nil
      return element
    }
    return nil
  }
}
