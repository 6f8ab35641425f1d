// SPDX-License-Identifier: MIT
import CPlatform
import Workpool

/// Jobs that come while others run.
extension JobSession {
  /// - Returns: why nothing was added.
  func addJobs(_ adder: Int, _ path: String) -> String? {
    do {
      let added = try SubmittedJobs.read(path)
      if added.isEmpty { return nil }
      try submit(added, by: adder, name: path)
      return nil
    } catch let failure as Failure {
      return failure.messages.joined(separator: "\n")
    } catch {
      return "\(error)"
    }
  }

  func submit(_ added: SubmittedJobs, by adder: Int, name: String) throws {
    var after = plan
    let first = try after.add(added.text(name: name), by: adder)
    let slots = settings.limits(plan).slots
    var specs: [JobSpec] = []
    for place in first..<after.jobs.count {
      var spec = PlanSpecs.spec(place, after, slots)
      spec.checksUpToDate =
        settings.usesCache && !settings.isForced && IncrementalState.concerns(after.jobs[place])
      if resumed?.isDone(place, after) ?? false { spec.skip = .resumed }
      specs.append(spec)
    }
    let barrier = after.jobs[first...].first?.stage.flatMap { stage in
      after.stages[(stage + 1)...].first { !$0.jobs.isEmpty }.map(PlanSpecs.barrierID)
    }
    let newHandles: [JobHandle]
    do throws(WorkpoolError) {
      newHandles = try scheduler.submit(specs, at: wpl_now())
    } catch {
      throw Failure.usage(error.message)
    }
    plan = after
    handles += newHandles
    for (offset, handle) in newHandles.enumerated() { places[handle] = first + offset }
    for place in first..<plan.jobs.count {
      definitions[place] = added.objects.first { $0["id"]?.text == plan.jobs[place].id }
      hashes.append(DefinitionHash.of(place, plan))
    }
    counts.total = plan.jobs.count
    let ids = specs.map { $0.id }
    for waiter in plan.jobs.indices where plan.jobs[waiter].awaitsAddedBy.contains(adder) {
      let new = (first..<plan.jobs.count).filter { $0 != waiter }
      plan.addDependencies(of: waiter, new)
      if let error = wait(handles[waiter], for: new.map { plan.jobs[$0].id }) { throw error }
    }
    if let barrier = barrier.flatMap({ scheduler.find($0) }), let error = wait(barrier, for: ids) {
      throw error
    }
  }

  func wait(_ job: JobHandle, for ids: [String]) -> Failure? {
    do throws(WorkpoolError) {
      try scheduler.addDependencies(of: job, ids, at: wpl_now())
      return nil
    } catch {
      // It is further on already: it was cancelled, or did not wait for the one that added.
      return error.status == .cycle ? .usage(error.message) : nil
    }
  }

  /// What jobs had added before the run that is resumed ended.
  func addAgain() {
    guard let resumed else { return }
    for (adder, objects) in resumed.added {
      guard let place = plan.places[adder], resumed.isDone(adder) else { continue }
      do {
        try submit(SubmittedJobs(objects: objects), by: place, name: "the journal")
      } catch {
        say("\(adder): what it had added is not added again: \(error)")
      }
      perform()
    }
  }
}
