// SPDX-License-Identifier: MIT
import WorkpoolCore

/// How jobs come in: a group is checked as a whole before anything of it is kept.
extension Scheduler {
  /// A dependency of a job that is about to be accepted.
  enum Need: Equatable {
    case known(Int32)
    /// By its place in the group.
    case ofGroup(Int)
    /// Submitted by nobody yet.
    case unknown(String)
  }

  /// What was found out about a job of the group.
  private struct Draft {
    var id: String
    var needs: [Need]
    /// So many of them, the last ones, are for the order only.
    var orderOnly = 0
    var shape: Resources.Shape
    var memory: UInt64
  }

  /// Accepts jobs that may depend on each other and on those that are there.
  ///
  /// - Parameter allowsForward: dependencies that nobody has submitted yet are waited for.
  /// - Returns: their handles, in the same order.
  /// - Throws: `shutDown`, `wouldBlock` (more than `maxQueued`), `limitExceeded` (more than `maxJobs`, or a
  ///   group larger than `maxQueued`), `exists`, `unknownDependency`, `cycle`, `unsatisfiable`; then
  ///   nothing has changed.
  public mutating func submit(
    _ specs: [JobSpec], allowsForward: Bool = false, at now: Int64
  ) throws(WorkpoolError) -> [JobHandle] {
    try submit(specs.map { SharedSpec($0) }, allowsForward: allowsForward, at: now)
  }

  mutating func submit(
    _ specs: [SharedSpec], allowsForward: Bool = false, at now: Int64
  ) throws(WorkpoolError) -> [JobHandle] {
    if specs.isEmpty { return [] }
    guard !isShutDown else {
      throw WorkpoolError(.shutDown, "the pool is shut down and takes no more jobs")
    }
    guard specs.count <= options.maxJobs - total else {
      throw WorkpoolError(.limitExceeded, "a pool keeps at most \(options.maxJobs) jobs")
    }
    if options.maxQueued > 0 {
      guard specs.count <= options.maxQueued else {
        throw WorkpoolError(
          .limitExceeded, "a group of \(specs.count) jobs never fits into \(options.maxQueued)")
      }
      guard specs.count <= options.maxQueued - queued else {
        throw WorkpoolError(.wouldBlock, "\(queued) jobs are queued already")
      }
    }
    let drafts = try draft(specs, allowsForward)
    if specs.count > 1 || !drafts[0].needs.isEmpty {
      try refuseCycles(drafts.map { (id: $0.id, needs: $0.needs) })
    }

    enter(now)
    if !hasStarted {
      hasStarted = true
      emit(.runStarted)
    }
    makeRoom(for: specs.count)
    var indices: [Int] = []
    indices.reserveCapacity(specs.count)
    for place in specs.indices { indices.append(register(specs[place], drafts[place])) }
    for place in specs.indices where !drafts[place].needs.isEmpty {
      connect(indices[place], drafts[place], indices)
    }
    rankByGraph(indices)
    for index in indices { begin(index) }
    finishStep()
    return indices.map { handle($0) }
  }

  private func draft(
    _ specs: [SharedSpec], _ allowsForward: Bool
  ) throws(WorkpoolError) -> [Draft] {
    var drafts: [Draft] = []
    drafts.reserveCapacity(specs.count)
    var places: [String: Int] = [:]
    for place in specs.indices {
      let own = specs[place].value.id
      let id = own.isEmpty ? freeID(submitted + UInt64(place) + 1, places) : own
      guard own.isEmpty || byID[id] == nil && (places.isEmpty || places[id] == nil) else {
        throw WorkpoolError(.exists, "a job \(id) exists already")
      }
      let (shape, memory) = try resources.shape(
        of: specs[place].value, id: id, mayBeAlone: options.runsOversizedAlone)
      drafts.append(Draft(id: id, needs: [], shape: shape, memory: memory))
      if specs.count > 1 { places[id] = place }
    }
    for place in specs.indices {
      if specs[place].value.dependencies.isEmpty && specs[place].value.orderOnly.isEmpty {
        continue
      }
      let id = drafts[place].id
      var needs: [Need] = []
      var seen: Set<String> = []
      for name in specs[place].value.dependencies where seen.insert(name).inserted {
        needs.append(try need(name, of: id, place, places, allowsForward))
      }
      for name in specs[place].value.orderOnly where seen.insert(name).inserted {
        needs.append(try need(name, of: id, place, places, allowsForward))
        drafts[place].orderOnly += 1
      }
      drafts[place].needs = needs
    }
    return drafts
  }

  private func need(
    _ name: String, of id: String, _ place: Int, _ places: [String: Int], _ allowsForward: Bool
  ) throws(WorkpoolError) -> Need {
    if let known = byID[name] { return .known(known) }
    if let other = name == id ? place : places[name] { return .ofGroup(other) }
    guard allowsForward else {
      throw WorkpoolError(
        .unknownDependency, "job \(id) needs \(name), which nobody has submitted")
    }
    return .unknown(name)
  }

  private func freeID(_ number: UInt64, _ places: [String: Int]) -> String {
    var id = "job-\(number)"
    while byID[id] != nil || !places.isEmpty && places[id] != nil { id += "." }
    return id
  }

  /// A large group makes room once, no more than it needs.
  private mutating func makeRoom(for count: Int) {
    let wanted = jobs.count + count - freeIndices.count
    guard count > 1000, wanted > jobs.capacity else { return }
    let room = max(wanted, jobs.capacity + jobs.capacity / 2)
    jobs.reserveCapacity(room)
    nodes.reserveCapacity(room)
    isUsed.reserveCapacity(room)
    byID.reserveCapacity(byID.count + count)
  }

  private mutating func register(_ spec: SharedSpec, _ draft: Draft) -> Int {
    submitted += 1
    let index = freeIndices.popLast().map { Int($0) } ?? jobs.count
    let generation = index < jobs.count ? jobs[index].generation &+ 1 : 1
    if index == jobs.count {
      nodes.append(ReadySet.Node())
      isUsed.append(true)
      jobs.append(made(spec, draft, generation))
      dueTimes.makeRoom(for: jobs.count)
    } else {
      jobs[index] = made(spec, draft, generation)
      isUsed[index] = true
    }
    longestGrace = max(longestGrace, grace(of: index))
    counts[Int(JobState.pending.rawValue)] += 1
    byID[draft.id] = Int32(index)
    emit(.jobSubmitted, index)
    if !awaited.isEmpty, let waiting = awaited.removeValue(forKey: draft.id) {
      for other in waiting {
        jobs[Int(other)].needs.append(Int32(index))
        let isOrderOnly = !jobs[Int(other)].spec.dependencies.contains(draft.id)
        jobs[index].dependents.append(ScheduledJob.Edge(job: other, isOrderOnly: isOrderOnly))
        jobs[index].holds += 1
      }
    }
    return index
  }

  private mutating func made(
    _ spec: SharedSpec, _ draft: Draft, _ generation: UInt32
  ) -> ScheduledJob {
    ScheduledJob(
      id: draft.id, shared: spec, generation: generation, order: submitted,
      shape: shapeIndex(draft.shape),
      memory: draft.memory, priority: spec.value.priority, submitTime: time)
  }

  mutating func shapeIndex(_ shape: Resources.Shape) -> Int32 {
    if let known = shapes.firstIndex(where: { $0.shape == shape }) { return Int32(known) }
    shapes.append((shape, ReadySet()))
    return Int32(shapes.count - 1)
  }

  private mutating func connect(_ index: Int, _ draft: Draft, _ group: [Int]) {
    let needs = draft.needs
    jobs[index].needs.reserveCapacity(needs.count)
    for (place, need) in needs.enumerated() {
      let isOrderOnly = place >= needs.count - draft.orderOnly
      switch need {
      case .known(let other): connect(index, to: Int(other), isOrderOnly)
      case .ofGroup(let place): connect(index, to: group[place], isOrderOnly)
      case .unknown(let id):
        awaited[id, default: []].append(Int32(index))
        jobs[index].open += 1
        jobs[index].awaitsUnknown = true
      }
    }
  }

  private mutating func connect(_ index: Int, to other: Int, _ isOrderOnly: Bool) {
    jobs[index].needs.append(Int32(other))
    jobs[other].holds += 1
    let state = jobs[other].state
    guard state.isTerminal && !jobs[other].isCleaningUp else {
      jobs[other].dependents.append(
        ScheduledJob.Edge(job: Int32(index), isOrderOnly: isOrderOnly))
      jobs[index].open += 1
      if state.isTerminal { noteFailedNeed(index, other, isOrderOnly) }
      return
    }
    if !state.isSatisfied && !isOrderOnly { jobs[index].sawFailure = true }
    noteFailedNeed(index, other, isOrderOnly)
  }

  private mutating func noteFailedNeed(_ index: Int, _ other: Int, _ isOrderOnly: Bool) {
    guard !isOrderOnly, isUnsatisfied(other) else { return }
    let known = Int(jobs[index].failedNeed)
    if known >= 0 && jobs[known].endSeq < jobs[other].endSeq { return }
    jobs[index].failedNeed = Int32(other)
  }

  /// Further dependencies of a job that is pending or waits for some already.
  ///
  /// - Throws: `notFound`, `invalidState` if it is ready or further on, `unknownDependency`, `cycle`.
  public mutating func addDependencies(
    of job: JobHandle, _ ids: [String], isOrderOnly: Bool = false, at now: Int64
  ) throws(WorkpoolError) {
    guard let index = index(job) else { throw WorkpoolError(.notFound, "there is no such job") }
    let id = jobs[index].id
    let isWaiting = jobs[index].state == .waiting && jobs[index].attempt == 0
    guard isWaiting || jobs[index].state == .pending else {
      throw WorkpoolError(.invalidState, "job \(id) waits for nothing any more")
    }
    var others: [Int] = []
    for name in ids {
      guard let other = byID[name].map({ Int($0) }) else {
        throw WorkpoolError(
          .unknownDependency, "job \(id) needs \(name), which nobody has submitted")
      }
      guard other != index && !waits(handle(other), for: job) else {
        throw WorkpoolError(.cycle, "dependency cycle: \(id) -> \(name) -> … -> \(id)")
      }
      if !others.contains(other) && !jobs[index].needs.contains(Int32(other)) {
        others.append(other)
      }
    }
    enter(now)
    for other in others { connect(index, to: other, isOrderOnly) }
    rankByGraph([index])
    if jobs[index].spec.when == .success && jobs[index].failedNeed >= 0 {
      end(index, .cancelled, .dependency, link: jobs[index].failedNeed)
    } else if !isPaused {
      settle(index)
    }
    finishStep()
  }

  /// The first thing that happens to a job that was accepted.
  private mutating func begin(_ index: Int) {
    if jobs[index].spec.when == .success && jobs[index].failedNeed >= 0 {
      end(index, .cancelled, .dependency, link: jobs[index].failedNeed)
    } else if stopReason != .none && (isFinal || !isSpared(index)) {
      end(index, .cancelled, stopReason, link: stopLink)
    } else if jobs[index].spec.skip == .filtered {
      end(index, .skipped, .filtered)
    } else if !isPaused {
      settle(index)
    }
  }

  /// Terminal, and keeps its dependents from running.
  func isUnsatisfied(_ index: Int) -> Bool {
    let state = jobs[index].state
    return state.isTerminal && !state.isSatisfied && !jobs[index].spec.allowsFailure
  }
}
