// SPDX-License-Identifier: MIT
import Synchronization
import WorkpoolCore

/// What an earlier run spares a pool: jobs that were done under the same definition.
public final class RunResume: @unchecked Sendable {
  public let history: RunHistory
  /// Of the earlier run's folder, for as long as this one takes from it.
  private let lock: FolderLock
  /// Under the pool's lock: ids of jobs that were spared.
  var spared: Set<String> = []

  /// - Parameter folder: of the earlier run.
  /// - Throws: `busy` if it still runs, or processes of it do; `ioFailed`, `corruptInput`.
  public init(_ folder: String, orphans: Orphans.Choice = .refuse) throws(WorkpoolError) {
    lock = try FolderLock(folder)
    history = try RunHistory(folder: folder)
    try Orphans(of: history).settle(orphans)
  }

  /// What is known of a job that comes, before its dependencies are looked at.
  enum Verdict {
    case unknown
    /// It was done, but as something else.
    case changed
    /// With its result.
    case done([UInt8])
    case undone
  }

  func verdict(_ job: Job) -> Verdict {
    guard !job.spec.id.isEmpty, let past = history.job(job.spec.id) else { return .unknown }
    guard past.hash == job.definition else { return past.hash.isEmpty ? .undone : .changed }
    guard past.hasDoneWork, job.outputs.allSatisfy({ isThere($0) }) else { return .undone }
    guard let stored = past.result else { return .done([]) }
    guard let bytes = stored.read(in: history.path) else { return .undone }
    return .done(bytes)
  }
}

extension JobPool {
  /// Jobs that come from now on are SKIPPED (resumed) if the earlier run has done them: with an equal
  /// definition, outputs and a result that are there, and dependencies of which the same holds.
  ///
  /// - Throws: `invalidState` if there is an earlier run already.
  public func resume(from run: RunResume) throws(WorkpoolError) {
    let isFirst = locked {
      if resumed != nil { return false }
      resumed = run
      lookAtDefinitions()
      return true
    }
    guard isFirst else {
      throw WorkpoolError(.invalidState, "a pool resumes one run")
    }
    if let id = locked({ recorder == nil ? nil : run.history.id }) {
      locked { recorder }?.write([.init("type", .text("resumes")), .init("run", .text(id))])
    }
  }

  /// Whether definitions of jobs are looked at: there is or was a record, or an earlier run.
  public var needsDefinitions: Bool {
    definitionsAreLookedAt.load(ordering: .acquiring)  // pairs with `lookAtDefinitions`
  }

  /// With the lock held.
  func lookAtDefinitions() {
    definitionsAreLookedAt.store(true, ordering: .releasing)  // pairs with `needsDefinitions`
  }

  struct Spared {
    /// By place in the group.
    var results: [Int: [UInt8]] = [:]
    var changed: [Int] = []
  }

  /// Marks what is spared among jobs that come together.
  func spare(_ jobs: [Job], _ specs: inout [SharedSpec], _ run: RunResume) -> Spared {
    var spared = Spared()
    var places: [String: Int] = [:]
    for (place, job) in jobs.enumerated() {
      switch run.verdict(job) {
      case .done(let result): spared.results[place] = result
      case .changed: spared.changed.append(place)
      case .unknown, .undone: break
      }
      if !job.spec.id.isEmpty { places[job.spec.id] = place }
    }
    // Only what stands on finished work is finished.
    var done = Set(spared.results.keys)
    FinishedWork.keepStanding(&done) { [specs] place in
      if specs[place].value.when != .success { return [] }
      var needed: [Int] = []
      for id in specs[place].value.dependencies {
        if let other = places[id] {
          if !specs[other].value.allowsFailure { needed.append(other) }
        } else if !isSpared(id, run) {
          return nil
        }
      }
      return needed
    }
    for place in spared.results.keys where !done.contains(place) {
      spared.results[place] = nil
    }
    for place in spared.results.keys {
      var spec = specs[place].value
      spec.skip = .resumed
      specs[place] = SharedSpec(spec)
    }
    return spared
  }

  /// Of a job that came earlier.
  private func isSpared(_ id: String, _ run: RunResume) -> Bool {
    locked {
      if run.spared.contains(id) { return true }
      guard let known = scheduler.find(id) else { return false }
      return scheduler.view(known)?.spec.allowsFailure ?? false
    }
  }

  /// With the lock held: they were accepted.
  func keep(_ spared: Spared, _ handles: [JobHandle], _ specs: [SharedSpec], _ run: RunResume) {
    for (place, result) in spared.results {
      run.spared.insert(specs[place].value.id)
      if !result.isEmpty { results[handles[place].index] = result }
    }
    for place in spared.changed {
      scheduler.report(
        .warning, handles[place], "it is not what it was in the run \(run.history.id)",
        at: Clock.now)
    }
  }
}
