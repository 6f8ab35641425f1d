// SPDX-License-Identifier: MIT
import CPlatform

/// Calls functions at their time, one after the other, on a thread of its own.
///
/// The thread begins with the first entry and sleeps until the earliest one is due: without entries
/// there is no thread, or one that sleeps for good. What is due when is decided by `TimerQueue`. A
/// function that takes long delays the others.
public final class PoolTimer: @unchecked Sendable {
  public typealias Function = @convention(c) (_ context: UnsafeMutableRawPointer) -> Void

  private let name: String
  private let monitor: Monitor
  // Under the lock.
  private var queue = TimerQueue()
  private var thread: OpaquePointer?
  private var lastID: UInt64 = 0
  /// The entry whose function is being called; 0: none.
  private var running: UInt64 = 0
  private var isClosing = false

  /// - Parameter name: of the thread; 15 bytes of it.
  public init(name: String) throws(WorkpoolError) {
    self.name = name
    monitor = try Monitor()
  }

  deinit { monitor.destroy() }

  /// Whether the calling thread is that of a timer, or does what else happens by the clock: there,
  /// nothing must wait.
  public static var isOnThisThread: Bool { wpl_thread_timer() != nil }

  /// Calls `function(context)` when `due` (in `Clock.now` time) has come, and then every `period`
  /// nanoseconds if that is not 0. Calls that were missed are left out.
  ///
  /// - Returns: what `remove` takes; never 0.
  /// - Throws: `noMemory`, and `noThread` if the thread is needed now and cannot be created.
  public func add(
    at due: Int64, every period: Int64 = 0, context: UnsafeMutableRawPointer,
    _ function: @escaping Function
  ) throws(WorkpoolError) -> UInt64 {
    monitor.lock()
    defer { monitor.unlock() }
    lastID += 1
    let id = lastID
    let wasFirst = queue.nextDue.map { due < $0 } ?? true
    guard
      queue.add(
        TimerQueue.Entry(id: id, due: due, period: period, context: context, function: function))
    else {
      throw WorkpoolError(.noMemory, "no memory for a timer")
    }
    if thread == nil {
      let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { timer in
        guard let timer else { return }
        Unmanaged<PoolTimer>.fromOpaque(timer).takeUnretainedValue().live()
      }
      thread = wpl_thread_create(name, 0, body, Unmanaged.passUnretained(self).toOpaque())
      if thread == nil {
        queue.remove(id)
        throw WorkpoolError(.noThread, "the timer's thread could not be created")
      }
    } else if wasFirst {
      monitor.wakeAll()
    }
    return id
  }

  /// After this call the function is not called any more; waits while it is running, unless it is the
  /// caller itself or the caller does not want to. An entry that is gone, or 0, is nothing.
  public func remove(_ id: UInt64, waits: Bool = true) {
    monitor.lock()
    defer { monitor.unlock() }
    queue.remove(id)
    let isInside = wpl_thread_timer() == Unmanaged.passUnretained(self).toOpaque()
    while running == id && id != 0 && waits && !isInside { monitor.wait() }
  }

  /// Ends and joins the thread. Entries that are left are forgotten.
  func close() {
    monitor.lock()
    isClosing = true
    let thread = thread
    monitor.wakeAll()
    monitor.unlock()
    if let thread { wpl_thread_join(thread) }
  }

  private func live() {
    wpl_set_thread_timer(Unmanaged.passUnretained(self).toOpaque())
    monitor.lock()
    while !isClosing {
      if let entry = queue.take(at: Clock.now) {
        running = entry.id
        monitor.unlock()
        entry.function(entry.context)
        monitor.lock()
        running = 0
        monitor.wakeAll()
      } else if let due = queue.nextDue {
        _ = monitor.wait(until: due)
      } else {
        monitor.wait()
      }
    }
    monitor.unlock()
    wpl_set_thread_timer(nil)
  }
}
