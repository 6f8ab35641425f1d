// SPDX-License-Identifier: MIT
import Synchronization

/// Something that workers of a pool can work on: a run of a pipeline or of a graph.
///
/// Sources of one `WorkGroup` share the time of workers with other groups as one.
/// It lives at a fixed address from `Pool.attach` until `Pool.waitUntilLeft` has returned. The three
/// functions are called by the pool's workers; none of them is called after `Pool.detach` by a
/// worker that was not already inside.
public struct WorkSource: ~Copyable {
  public typealias Context = UnsafeMutableRawPointer

  // Under the pool's lock. First, for to the thread sanitizer a change of a field is one of the first
  // byte, and what follows is read without the lock.
  var next: UnsafeMutablePointer<WorkSource>?
  var workersInside = 0
  var isAttached = false

  let context: Context
  let group: UnsafeMutablePointer<WorkGroup>
  /// Works as worker `seat` until there is nothing to do for it. Returns whether the worker comes
  /// back as a searcher (already counted in the pool word): soon, if `PoolLink.isSurplus` says that there
  /// shall be no worker on its seat; then it has given away what others could go on with.
  let work: @convention(c) (_ context: Context, _ seat: Int32, _ isSearching: Bool) -> Bool
  /// Whether a worker that looks for work would find some here.
  let hasWork: @convention(c) (_ context: Context) -> Bool
  /// Whether work may lie here that nobody was woken for: a sentinel looks now and then.
  let needsSentinel: @convention(c) (_ context: Context) -> Bool
  /// Called by the sentinel, one at a time: whether such work has not moved since the last call.
  /// From then on `hasWork` admits it.
  let isStuck: @convention(c) (_ context: Context) -> Bool
  /// As `work`, for a thread that waits for something of the group: it comes back soon after the terms
  /// (`HelpLimits`) say so, and never as a searcher.
  let help: (@convention(c) (_ context: Context, _ seat: Int32, _ terms: UnsafeRawPointer) -> Void)?
  /// Worker `seat`, in a callback of this source, is going to wait for something else, maybe for long:
  /// it gives everything away that others could go on with.
  let suspend: (@convention(c) (_ context: Context, _ seat: Int32) -> Void)?
  /// The wait is over.
  let resume: (@convention(c) (_ context: Context, _ seat: Int32) -> Void)?

  /// What everybody here is doing, as lines of text. By a thread that is counted as inside.
  let dump: @Sendable (_ context: Context) -> String

  public init(
    context: Context, group: UnsafeMutablePointer<WorkGroup>,
    work: @convention(c) (Context, Int32, Bool) -> Bool,
    hasWork: @convention(c) (Context) -> Bool,
    needsSentinel: @convention(c) (Context) -> Bool,
    isStuck: @convention(c) (Context) -> Bool,
    help: (@convention(c) (Context, Int32, UnsafeRawPointer) -> Void)? = nil,
    suspend: (@convention(c) (Context, Int32) -> Void)? = nil,
    resume: (@convention(c) (Context, Int32) -> Void)? = nil,
    dump: @escaping @Sendable (Context) -> String = { _ in "" }
  ) {
    self.context = context
    self.group = group
    self.work = work
    self.hasWork = hasWork
    self.needsSentinel = needsSentinel
    self.isStuck = isStuck
    self.dump = dump
    self.help = help
    self.suspend = suspend
    self.resume = resume
  }
}

/// How long a helper helps.
public typealias HelpTerms = UnsafePointer<HelpLimits>

public struct HelpLimits {
  /// `WorkGroup.calls` when the helper last looked whether it may go.
  public let calls: UInt64
  /// In `Clock.now` time; negative: none.
  public let deadline: Int64

  /// Whether the helper shall look again.
  @inline(__always)
  public func areOver(for group: UnsafeMutablePointer<WorkGroup>) -> Bool {
    group.pointee.calls.load(ordering: .relaxed) != calls || deadline >= 0 && Clock.now >= deadline
  }
}
