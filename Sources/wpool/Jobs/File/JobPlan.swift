// SPDX-License-Identifier: MIT
import Workpool
import WorkpoolCore

/// All jobs of a run, each with the jobs it depends on.
struct JobPlan {
  struct Stage {
    var name: String
    var maxWorkers: Int?
    var countsFailures = true
    /// Places of its jobs.
    var jobs: [Int] = []
    var path: [String] = []
  }

  var name: String
  /// Absolute: what paths are relative to.
  var base: String
  /// Of the text the plan was made of.
  var fileHash = ""
  var stopOnFailure = true
  var deadline: Int64?
  var limits = JobFile.Limits()
  var jobs: [PlannedJob] = []
  var stages: [Stage] = []
  var expansion: Expansion
  private(set) var places: [String: Int] = [:]

  /// - Throws: all that is wrong with the file.
  init(
    _ text: ConfigurationText, base: String, overrides: JobSettings, sets: [SetOption]
  ) throws(Failure) {
    var problems = ConfigurationProblems(text: text)
    let file = JobFile(text, &problems)
    var expansion = Expansion(
      base: base, defaults: file.defaults, overrides: overrides, sets: sets)
    // In the order of the text, wherever a job stands.
    let entries = file.entries.enumerated().sorted {
      (text.line($0.element.path) ?? 0, $0.offset) < (text.line($1.element.path) ?? 0, $1.offset)
    }
    for (_, entry) in entries { expansion.add(entry, &problems) }
    self.init(name: file.name ?? "", base: base, jobs: [], expansion)
    jobs = expansion.jobs
    stopOnFailure = file.stopOnFailure ?? true
    deadline = file.deadline
    limits = file.limits
    stages = file.stages.map {
      Stage(
        name: $0.name, maxWorkers: $0.maxWorkers, countsFailures: $0.countsFailures, path: $0.path)
    }
    fileHash = SHA256.digits(of: Array(text.text.utf8))
    index(0, &problems)
    assignStages(file.stages, &problems)
    for set in sets where !jobs.contains(where: { set.matches($0.id) }) {
      throw .usage(
        "--set \(set.pattern): there is no such job"
          + Spelling.hint(set.pattern, among: jobs.map { $0.id }))
    }
    resolve(0, &problems)
    checkRequests(0, &problems)
    if problems.isEmpty, let cycle = cycle() {
      problems.report(
        jobs[cycle[0]].path,
        "dependency cycle: " + (cycle + [cycle[0]]).map { jobs[$0].id }.joined(separator: " -> "))
    }
    guard problems.isEmpty else { throw Failure(exitCode: .usage, messages: problems.messages) }
  }

  /// Jobs without dependencies that no file describes.
  init(name: String, base: String, jobs: [PlannedJob], _ expansion: Expansion) {
    self.name = name
    self.base = base
    self.expansion = expansion
    self.jobs = jobs
    for (place, job) in jobs.enumerated() { places[job.id] = place }
  }

  // MARK: Jobs that come later

  /// Adds what a running job asks for: all of it or nothing.
  ///
  /// - Parameter text: an object of one job in each of its members `job`.
  /// - Returns: where the new ones begin.
  mutating func add(_ text: ConfigurationText, by adder: Int) throws(Failure) -> Int {
    var problems = ConfigurationProblems(text: text)
    let file = JobFile(text, &problems)
    var expansion = Expansion(
      base: base, defaults: self.expansion.defaults, overrides: self.expansion.overrides,
      sets: self.expansion.sets)
    for entry in file.entries { expansion.add(entry, &problems) }
    let first = jobs.count
    var after = self
    after.jobs += expansion.jobs.map {
      var job = $0
      job.adder = adder
      job.stage = jobs[adder].stage
      return job
    }
    after.index(first, &problems)
    after.resolve(first, &problems)
    after.checkRequests(first, &problems)
    if problems.isEmpty, let cycle = after.cycle(from: first) {
      problems.report(
        after.jobs[cycle[0]].path,
        "dependency cycle: "
          + (cycle + [cycle[0]]).map { after.jobs[$0].id }.joined(separator: " -> "))
    }
    guard problems.isEmpty else { throw Failure(exitCode: .usage, messages: problems.messages) }
    for place in first..<after.jobs.count {
      if let stage = after.jobs[place].stage { after.stages[stage].jobs.append(place) }
    }
    self = after
    return first
  }

  mutating func addDependencies(of place: Int, _ others: [Int]) {
    jobs[place].dependencies = Set(jobs[place].dependencies + others).sorted()
  }

  // MARK: Names

  private mutating func index(_ first: Int, _ problems: inout ConfigurationProblems) {
    for place in first..<jobs.count {
      let id = jobs[place].id
      if let other = places[id] {
        let line = other < first ? nil : problems.text.line(jobs[other].path + ["id"])
        problems.report(
          jobs[place].path + ["id"],
          "job id \"\(id)\" is there twice"
            + (line.map { "; it is also at line \($0)" } ?? ""))
      } else {
        places[id] = place
      }
    }
  }

  private mutating func assignStages(
    _ given: [JobFile.Stage], _ problems: inout ConfigurationProblems
  ) {
    var index: IDIndex?
    for (stage, value) in given.enumerated() {
      for (template, path) in value.members {
        let pattern = template.text
        let found = matching(pattern, &index)
        if found.isEmpty && !isEmpty(pattern) {
          problems.report(
            path,
            "stage \"\(value.name)\": there is no job \"\(pattern)\""
              + Spelling.hint(pattern, among: jobs.map { $0.id }))
        }
        for place in found {
          if let other = jobs[place].stage, other != stage {
            problems.report(
              path,
              "job \"\(jobs[place].id)\" is in two stages: \"\(given[other].name)\" and "
                + "\"\(value.name)\"")
          }
          jobs[place].stage = stage
        }
      }
    }
    for (place, job) in jobs.enumerated() {
      if let stage = job.stage { stages[stage].jobs.append(place) }
    }
  }

  /// - Parameter index: of the jobs as they are; made for the first pattern.
  private func matching(_ pattern: String, _ index: inout IDIndex?) -> [Int] {
    if let place = places[pattern] { return [place] }
    guard IDPattern.isPattern(pattern) else { return [] }
    let known = index ?? IDIndex(jobs)
    index = known
    return known.places(matching: pattern)
  }

  /// Whether the jobs it stands for came out as none.
  private func isEmpty(_ pattern: String) -> Bool {
    expansion.emptyIDs.contains {
      IDPattern.matches(pattern, $0.text) || IDPattern.matches($0.pattern, pattern)
    }
  }

  private mutating func resolve(_ first: Int, _ problems: inout ConfigurationProblems) {
    var index: IDIndex?
    for place in first..<jobs.count {
      var found = Set<Int>()
      for entry in jobs[place].after {
        if entry.hasPrefix("stage:") {
          let name = String(entry.dropFirst(6))
          if let stage = stages.first(where: { $0.name == name }) {
            found.formUnion(stage.jobs)
          } else {
            unknown(place, entry, "stage \"\(name)\"", stages.map { $0.name }, name, &problems)
          }
          continue
        }
        let isAdded = entry.hasPrefix("added:")
        let id = isAdded ? String(entry.dropFirst(6)) : entry
        var matches = matching(id, &index)
        // A pattern never means the job itself.
        if places[id] == nil { matches.removeAll { $0 == place } }
        found.formUnion(matches)
        if isAdded { jobs[place].awaitsAddedBy += matches }
        if matches.isEmpty && !isEmpty(id) {
          unknown(place, entry, "job \"\(id)\"", jobs.map { $0.id }, id, &problems)
        }
      }
      // What jobs have added so far is known; what they will add comes with it.
      for adder in jobs[place].awaitsAddedBy {
        for (other, job) in jobs.enumerated() where job.adder == adder && other != place {
          found.insert(other)
        }
      }
      jobs[place].dependencies = found.sorted()
    }
  }

  private func unknown(
    _ place: Int, _ entry: String, _ what: String, _ names: [String], _ name: String,
    _ problems: inout ConfigurationProblems
  ) {
    problems.report(
      jobs[place].path + ["after"],
      "job \"\(jobs[place].id)\": after \"\(entry)\": there is no \(what)"
        + Spelling.hint(name, among: names.filter { $0 != jobs[place].id }))
  }

  /// Pools that there are not, and more than there is.
  private func checkRequests(_ first: Int, _ problems: inout ConfigurationProblems) {
    let names = limits.pools.map { $0.name }
    for job in jobs[first...] {
      for request in job.settings.pools ?? [] {
        guard let pool = limits.pools.first(where: { $0.name == request.name }) else {
          problems.report(
            job.path + ["pools"],
            "job \"\(job.id)\" asks for pool \"\(request.name)\", which is not in [limits] pools"
              + Spelling.hint(request.name, among: names))
          continue
        }
        if request.count > pool.count {
          problems.report(
            job.path + ["pools"],
            "job \"\(job.id)\" asks for \(request.count) of pool \"\(pool.name)\", "
              + "there are \(pool.count)")
        }
      }
    }
  }

  // MARK: Order

  /// Jobs of the nearest stage before that has any: they must be over first.
  func barrier(of place: Int) -> [Int] {
    guard let stage = jobs[place].stage else { return [] }
    return barrier(before: stage)
  }

  private func barrier(before stage: Int) -> [Int] {
    stages[..<stage].last { !$0.jobs.isEmpty }?.jobs ?? []
  }

  /// The members of a cycle, each needing the next one, the first-declared one first.
  func cycle(from first: Int = 0) -> [Int]? {
    // Behind the jobs, a node for each stage stands for all that is in the one before.
    let count = jobs.count + stages.count
    var state = [UInt8](repeating: 0, count: count)  // 1: on the way, 2: done
    func needs(_ node: Int) -> [Int] {
      if node >= jobs.count { return barrier(before: node - jobs.count) }
      return jobs[node].dependencies + (jobs[node].stage.map { [jobs.count + $0] } ?? [])
    }
    for start in first..<max(first, jobs.count) where state[start] == 0 {
      var way: [(node: Int, needs: [Int], next: Int)] = [(start, needs(start), 0)]
      state[start] = 1
      while let top = way.last {
        guard top.next < top.needs.count else {
          state[top.node] = 2
          way.removeLast()
          continue
        }
        way[way.count - 1].next += 1
        let node = top.needs[top.next]
        if state[node] == 1 {
          let begin = way.firstIndex { $0.node == node } ?? 0
          let members = way[begin...].map { $0.node }.filter { $0 < jobs.count }
          let lead = members.firstIndex(of: members.min() ?? 0) ?? 0
          return Array(members[lead...] + members[..<lead])
        }
        if state[node] == 0 {
          state[node] = 1
          way.append((node, needs(node), 0))
        }
      }
    }
    return nil
  }

  /// Those jobs and all they depend on.
  func withDependencies(_ chosen: some Sequence<Int>) -> Set<Int> {
    var all = Set(chosen)
    var open = Array(all)
    while let place = open.popLast() {
      for other in jobs[place].dependencies where all.insert(other).inserted { open.append(other) }
    }
    return all
  }

  func matches(_ pattern: String) -> [Int] {
    var index: IDIndex?
    return matching(pattern, &index)
  }
}
