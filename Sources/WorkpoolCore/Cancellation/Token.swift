// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization

/// Why a token was cancelled; the values of `WP_CANCEL_…`.
public enum CancelReason: UInt32, Sendable {
  case user = 1
  case deadline, parent, stuck
}

/// A word that says "stop", and whom to tell.
///
/// Reading it is one load. A token may have a parent: cancelling that one cancels this one. Observers
/// (runs) are told on the thread that cancels, once, under no lock. In a child process a token of the
/// parent is a word only: who would be told is not there.
public final class Token: @unchecked Sendable {
  public typealias Observer = @convention(c) (_ context: UnsafeMutableRawPointer) -> Void

  private struct Observation {
    let context: UnsafeMutableRawPointer
    let tell: Observer
    var state: State

    enum State: Equatable {
      case untold
      case telling(thread: UInt)
      case told
    }
  }

  /// 0, or the reason of the first cancel. At a fixed address, for readers in other languages.
  public let word: UnsafeMutablePointer<Atomic<UInt32>>
  private let parent: Token?
  private let monitor: Monitor
  private var observations: [Observation] = []
  /// Under the lock; nil: there are none.
  private var listeners: TokenListeners?
  public let forkGeneration: UInt32

  public init(parent: Token? = nil) throws(WorkpoolError) {
    guard let memory = wpl_allocate_aligned(64, 64) else {
      throw WorkpoolError(.noMemory, "no memory for a token")
    }
    word = memory.bindMemory(to: Atomic<UInt32>.self, capacity: 1)
    word.initialize(to: Atomic(0))
    do throws(WorkpoolError) {
      monitor = try Monitor()
    } catch {
      wpl_free(memory)
      throw error
    }
    self.parent = parent
    wpl_watch_forks()
    forkGeneration = wpl_fork_generation()
    parent?.observe(Unmanaged.passUnretained(self).toOpaque(), Self.parentWasCancelled)
  }

  private static let parentWasCancelled: Observer = { context in
    // It lives until all is told, though the last one who holds it may let it go meanwhile.
    withExtendedLifetime(Unmanaged<Token>.fromOpaque(context).takeUnretainedValue()) {
      $0.cancel(.parent)
    }
  }

  deinit {
    parent?.forget(Unmanaged.passUnretained(self).toOpaque())
    monitor.destroy()
    wpl_free(word)
  }

  /// Cancels this token and everything below it; later reasons change nothing.
  public func cancel(_ reason: CancelReason = .user) {
    mark(reason)
    guard forkGeneration == wpl_fork_generation() else { return }
    monitor.lock()
    // Told without the lock, for what an observer does may end in code of the user's.
    while let index = observations.firstIndex(where: { $0.state == .untold }) {
      observations[index].state = .telling(thread: wpl_thread_identity())
      let observation = observations[index]
      monitor.unlock()
      observation.tell(observation.context)
      monitor.lock()
      if let index = observations.firstIndex(where: { $0.context == observation.context }) {
        observations[index].state = .told
      }
      monitor.wakeAll()
    }
    let untold = listeners?.takeUntold() ?? []
    monitor.unlock()
    for call in untold { call() }
  }

  /// Calls `call` once when the token is cancelled, on the thread that cancels; at once if it is already.
  public func onCancel(_ call: @escaping () -> Void) {
    let isLate = withListeners { listeners, isCancelled in
      listeners.add(isTold: isCancelled, call)
      return isCancelled
    }
    if isLate { call() }
  }

  /// A descriptor that becomes readable when the token is cancelled; the token's own.
  /// - Throws: `ioFailed` if the system has none.
  public func descriptor() throws(WorkpoolError) -> Int32 {
    let descriptor = withListeners { listeners, isCancelled in
      let descriptor = listeners.openDescriptor()
      if isCancelled && descriptor >= 0 { wpl_call(descriptor) }
      return descriptor
    }
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "no descriptor for a token", systemError: -descriptor)
    }
    return descriptor
  }

  /// As if it had never been cancelled.
  /// - Throws: `busy` while a run, a job or a child uses it.
  public func reset() throws(WorkpoolError) {
    monitor.lock()
    defer { monitor.unlock() }
    guard observations.isEmpty else {
      throw WorkpoolError(.busy, "a pipeline, a job or a token below it uses the token")
    }
    word.pointee.store(0, ordering: .sequentiallyConsistent)
    listeners?.reset()
  }

  private func withListeners<R>(_ body: (TokenListeners, Bool) -> R) -> R {
    monitor.lock()
    defer { monitor.unlock() }
    let known = listeners ?? TokenListeners()
    listeners = known
    // A cancel of an ancestor comes through this token.
    return body(known, word.pointee.load(ordering: .sequentiallyConsistent) != 0)
  }

  /// Only sets the word: async-signal-safe. Who looks will see it.
  public func mark(_ reason: CancelReason) {
    _ = word.pointee.compareExchange(
      expected: 0, desired: reason.rawValue, ordering: .sequentiallyConsistent)
  }

  /// 0, or the reason of this token or of the nearest ancestor that is cancelled.
  @inline(__always) public var reason: UInt32 {
    let own = word.pointee.load(ordering: .relaxed)
    return own != 0 || parent == nil ? own : ancestorReason
  }
  private var ancestorReason: UInt32 { parent.map { $0.reason == 0 ? 0 : 3 } ?? 0 }

  public var isCancelled: Bool { reason != 0 }

  /// The words of this token and of all above it.
  public var words: [UnsafeMutablePointer<Atomic<UInt32>>] { [word] + (parent?.words ?? []) }

  /// Tells `tell(context)` when the token is cancelled, at once if it is already.
  public func observe(_ context: UnsafeMutableRawPointer, _ tell: Observer) {
    monitor.lock()
    let isLate = word.pointee.load(ordering: .sequentiallyConsistent) != 0
    observations.append(
      Observation(context: context, tell: tell, state: isLate ? .told : .untold))
    monitor.unlock()
    if isLate { tell(context) }
  }

  /// After this call `context` is not told any more. Waits while another thread tells it; the thread
  /// that tells it itself has nothing to wait for.
  public func forget(_ context: UnsafeMutableRawPointer) {
    let caller = Observation.State.telling(thread: wpl_thread_identity())
    monitor.lock()
    while observations.contains(where: {
      $0.context == context && $0.state != .untold && $0.state != .told && $0.state != caller
    }) {
      monitor.wait()
    }
    observations.removeAll { $0.context == context }
    monitor.unlock()
  }

  /// Whether a run or a child uses the token.
  public var isObserved: Bool {
    monitor.lock()
    defer { monitor.unlock() }
    return !observations.isEmpty
  }
}
