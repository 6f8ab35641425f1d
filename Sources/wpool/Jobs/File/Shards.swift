// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Workpool
import WorkpoolCore

/// Which part of a plan a run is for: `I/N`, or `gather` for what belongs to no part.
enum ShardChoice: ExpressibleByArgument, Equatable {
  case part(Int, of: Int)
  case gather

  init?(argument: String) {
    if argument == "gather" {
      self = .gather
      return
    }
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let part = Int(parts[0]), let count = Int(parts[1]), count > 0,
      (0..<count).contains(part)
    else { return nil }
    self = .part(part, of: count)
  }

  var text: String {
    switch self {
    case .part(let part, let count): "\(part)/\(count)"
    case .gather: "gather"
    }
  }
}

/// A plan in parts that no dependency crosses: whole connected components, dealt out by a hash of the
/// smallest id of each. Jobs that gather, and all that depend on them, are in none.
struct Shards {
  let count: Int
  /// By place in the plan; nil: in no part.
  private(set) var parts: [Int?]
  /// Of the largest component.
  private(set) var largest = 0

  init(_ plan: JobPlan, count: Int) {
    self.count = count
    let gathers = Self.gathering(plan)
    // Union-find over what is left.
    var roots = Array(plan.jobs.indices)
    func root(_ place: Int) -> Int {
      var place = place
      while roots[place] != place {
        roots[place] = roots[roots[place]]
        place = roots[place]
      }
      return place
    }
    for place in plan.jobs.indices where !gathers.contains(place) {
      for other in plan.jobs[place].dependencies where !gathers.contains(other) {
        let (one, two) = (root(place), root(other))
        if one != two { roots[one] = two }
      }
    }
    var smallest: [Int: String] = [:]
    var sizes: [Int: Int] = [:]
    for place in plan.jobs.indices where !gathers.contains(place) {
      let component = root(place)
      let id = plan.jobs[place].id
      let known = smallest[component] ?? id
      smallest[component] = id.utf8.lexicographicallyPrecedes(known.utf8) ? id : known
      sizes[component, default: 0] += 1
    }
    largest = sizes.values.max() ?? 0
    parts = [Int?](repeating: nil, count: plan.jobs.count)
    for place in plan.jobs.indices where !gathers.contains(place) {
      parts[place] = Self.part(of: smallest[root(place)] ?? "", count)
    }
  }

  /// The first 15 hexadecimal digits of the id's SHA-256, modulo the number of parts: for ever.
  private static func part(of id: String, _ count: Int) -> Int {
    Int(UInt64(SHA256.digits(of: Array(id.utf8)).prefix(15), radix: 16)! % UInt64(count))
  }

  private static func gathering(_ plan: JobPlan) -> Set<Int> {
    var dependents: [Int: [Int]] = [:]
    for (place, job) in plan.jobs.enumerated() {
      for other in job.dependencies { dependents[other, default: []].append(place) }
    }
    var open = plan.jobs.indices.filter { plan.jobs[$0].settings.gather ?? false }
    var found = Set(open)
    while let place = open.popLast() {
      for other in dependents[place] ?? [] where found.insert(other).inserted { open.append(other) }
    }
    return found
  }

  /// Places of all jobs that are not for this run.
  func others(than choice: ShardChoice) -> Set<Int> {
    switch choice {
    case .part(let part, _): Set(parts.indices.filter { parts[$0] != part })
    case .gather: Set(parts.indices.filter { parts[$0] != nil })
    }
  }

  var sizes: [Int] {
    var sizes = [Int](repeating: 0, count: count)
    for case let part? in parts { sizes[part] += 1 }
    return sizes
  }
}

/// What the runs of all parts have come to, for the run that gathers.
struct MergedShards {
  enum Outcome {
    case done([JSONValue.Member])
    case failed(JobOutcome)
  }

  /// By place in the plan.
  private(set) var outcomes: [Int: Outcome] = [:]

  /// - Parameter pattern: of the parts' journals.
  /// - Throws: naming a part whose record is missing, or is for another file.
  init(_ plan: JobPlan, merge pattern: String) throws(Failure) {
    var records: [Int: RunHistory] = [:]
    var count: Int?
    for path in Paths.matching(pattern, base: Paths.currentFolder) {
      var folder = Paths.absolute(path, base: Paths.currentFolder)
      if folder.hasSuffix("/run.jsonl") { folder.removeLast("/run.jsonl".utf8.count) }
      let history = try RunHistory(of: folder)
      guard let text = history.header["shard"]?.text,
        case .part(let part, let parts)? = ShardChoice(argument: text)
      else { continue }
      if let count, count != parts {
        throw .usage("\(path): this is shard \(text), but others are of \(count)")
      }
      count = parts
      guard history.header["file_hash"]?.text == plan.fileHash else {
        throw .usage("\(path): shard \(text) is of another version of the file")
      }
      if let known = records[part], known.startTime > history.startTime { continue }
      records[part] = history
    }
    guard let count else { throw .usage("--merge \(pattern): there is no record of a shard") }
    let missing = (0..<count).filter { records[$0] == nil }
    guard missing.isEmpty else {
      throw .usage(
        "shards are missing: " + missing.map { "\($0)/\(count)" }.joined(separator: ", "))
    }
    let shards = Shards(plan, count: count)
    for (place, part) in shards.parts.enumerated() {
      guard let part, let record = records[part] else { continue }
      outcomes[place] = try Self.outcome(plan.jobs[place].id, record, "\(part)/\(count)")
    }
  }

  private static func outcome(
    _ id: String, _ record: RunHistory, _ shard: String
  ) throws(Failure) -> Outcome {
    guard let job = record.job(id), job.isTerminal else {
      throw .usage("shard \(shard) is not complete: job \(id) has no end")
    }
    if job.isDone { return .done(job.outputs) }
    let detail = Int32(truncatingIfNeeded: job.detail)
    var outcome: JobOutcome =
      switch (job.state, job.reason) {
      case ("FAILED", "exit"): JobOutcome(.exit, detail)
      case ("FAILED", "signal"): JobOutcome(.signal, detail)
      case ("FAILED", "spawn"): JobOutcome(.spawn, detail)
      case ("CANCELLED", _): JobOutcome(.cancelled)
      default: JobOutcome(.error)
      }
    outcome.text =
      "in shard \(shard): " + JobWords.how(job.state, job.reason, job.detail)
      + (job.text.isEmpty ? "" : "\n" + job.text)
    outcome.mayRetry = false
    return .failed(outcome)
  }
}
