// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// A group whose callbacks may be on the calling thread's stack: one frame for each time that the thread
/// has entered a source, innermost first. It lies on that stack.
public struct StackFrame {
  let group: UnsafeMutablePointer<WorkGroup>
  /// nil: a plain loop, which belongs to no pool.
  let source: UnsafeMutablePointer<WorkSource>?
  /// Tells which pool the seat is one of.
  let pool: UnsafeRawPointer?
  let seat: Int32
  private let outer: UnsafeMutablePointer<StackFrame>?
  private let forkGeneration: UInt32
  // Under the lock of the wait graph.
  fileprivate var waitsFor: UnsafeMutablePointer<WorkGroup>?
  fileprivate var next: UnsafeMutablePointer<StackFrame>?

  init(
    group: UnsafeMutablePointer<WorkGroup>, source: UnsafeMutablePointer<WorkSource>?,
    pool: UnsafeRawPointer?, seat: Int32
  ) {
    self.group = group
    self.source = source
    self.pool = pool
    self.seat = seat
    outer = Self.current
    forkGeneration = wpl_fork_generation()
  }

  /// The innermost one; what a child process inherited is none.
  static var current: UnsafeMutablePointer<StackFrame>? {
    guard let frame = wpl_thread_run()?.assumingMemoryBound(to: StackFrame.self),
      frame.pointee.forkGeneration == wpl_fork_generation()
    else { return nil }
    return frame
  }

  /// Runs `body` with the frame on the stack.
  @inline(__always)
  static func with<R>(_ frame: StackFrame, _ body: () -> R) -> R {
    var frame = frame
    let outer = wpl_thread_run()
    return withUnsafeMutablePointer(to: &frame) { frame in
      wpl_set_thread_run(frame)
      let result = body()
      wpl_set_thread_run(outer)
      return result
    }
  }

  /// Runs `body` as a callback of a group would run that belongs to no pool.
  public static func with<R>(
    group: UnsafeMutablePointer<WorkGroup>, _ body: () -> R
  ) -> R {
    with(StackFrame(group: group, source: nil, pool: nil, seat: -1), body)
  }

  /// Whether a callback of the group may be on this thread's stack.
  public static func contains(_ group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    var here = current
    while let frame = here {
      if frame.pointee.group == group { return true }
      here = frame.pointee.outer
    }
    return false
  }

  /// The seat in a pool that this thread has somewhere on its stack.
  static func seat(in pool: UnsafeRawPointer) -> Int32? {
    var here = current
    while let frame = here {
      if frame.pointee.pool == pool { return frame.pointee.seat }
      here = frame.pointee.outer
    }
    return nil
  }
}

/// Who waits for whom, all over the process: an edge from a group to another one for each callback of
/// the first that waits for the second. A wait that would close a cycle could never end.
///
/// The edges are the frames of the threads that wait, in one list; outer frames wait for the group of
/// the frame above them. The list is guarded by a word that holds the generation of the process (see
/// `wpl_fork_generation`) and whether it is locked: a child begins with an empty list, whatever the
/// parent's threads were about.
enum WaitGraph {
  private static var memory: UnsafeMutablePointer<UInt64> { wpl_wait_graph() }
  private static var word: UnsafeMutablePointer<Atomic<UInt64>> {
    UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
  private static var first: UnsafeMutablePointer<StackFrame>? {
    get { UnsafeMutablePointer(bitPattern: UInt(memory[1])) }
    set { memory[1] = UInt64(UInt(bitPattern: newValue)) }
  }

  /// The innermost callback of this thread is going to wait for the group.
  /// - Returns: false if that would close a cycle; then it must not wait.
  static func begin(
    _ frame: UnsafeMutablePointer<StackFrame>, for group: UnsafeMutablePointer<WorkGroup>
  )
    -> Bool
  {
    lock()
    defer { unlock() }
    memory[2] &+= 1
    let search = memory[2]
    group.pointee.mark = search
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      var here = first
      while let edge = here {
        if edge.pointee.group.pointee.mark == search, let target = edge.pointee.waitsFor,
          target.pointee.mark != search
        {
          target.pointee.mark = search
          isGrowing = true
        }
        here = edge.pointee.next
      }
    }
    if frame.pointee.group.pointee.mark == search { return false }
    frame.pointee.waitsFor = group
    frame.pointee.next = first
    first = frame
    return true
  }

  /// It waits no more.
  static func end(_ frame: UnsafeMutablePointer<StackFrame>) {
    lock()
    defer { unlock() }
    if first == frame {
      first = frame.pointee.next
    } else {
      var here = first
      while let edge = here, edge.pointee.next != frame { here = edge.pointee.next }
      here?.pointee.next = frame.pointee.next
    }
    frame.pointee.waitsFor = nil
    frame.pointee.next = nil
  }

  private static func lock() {
    let generation = UInt64(wpl_fork_generation()) << 1
    while true {
      let old = word.pointee.load(ordering: .relaxed)
      if old & ~1 != generation || old & 1 == 0 {
        let (done, _) = word.pointee.compareExchange(
          expected: old, desired: generation | 1, ordering: .acquiring)  // pairs with unlock
        if done {
          if old & ~1 != generation { first = nil }
          return
        }
      }
      wpl_yield()
    }
  }

  private static func unlock() {
    word.pointee.store(UInt64(wpl_fork_generation()) << 1, ordering: .releasing)  // pairs with lock
  }
}

extension WaitGraph {
  /// Whether a callback waits for the group.
  static func waits(for group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    lock()
    defer { unlock() }
    var here = first
    while let edge = here {
      if edge.pointee.waitsFor == group { return true }
      here = edge.pointee.next
    }
    return false
  }
}
