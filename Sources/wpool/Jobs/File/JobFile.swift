// SPDX-License-Identifier: MIT
import Workpool

/// A job file: what it says, before `foreach` is carried out and names are looked up.
struct JobFile {
  struct Entry {
    var id: Template
    var settings: JobSettings
    /// Where it stands in the text.
    var path: [String]
    /// Its stage, by place in `stages`; nil: none.
    var stage: Int?
  }

  struct Stage {
    var name: String
    var maxWorkers: Int?
    var countsFailures: Bool
    /// Ids and patterns of jobs that stand elsewhere, and where they are named.
    var members: [(id: Template, path: [String])]
    var path: [String]
  }

  struct Limits {
    var maxWorkers: Int?
    var memory: UInt64?
    var heavyCPU: Int?
    var heavyIO: Int?
    var pools: [JobSpec.PoolRequest] = []
  }

  var name: String?
  var stopOnFailure: Bool?
  var deadline: Int64?
  var defaults = JobSettings()
  var limits = Limits()
  var entries: [Entry] = []
  var stages: [Stage] = []

  /// - Parameter problems: gets all that is wrong.
  init(_ text: ConfigurationText, _ problems: inout ConfigurationProblems) {
    var root = SectionReader(title: "the file", path: [], text.root)
    if let version = root.int("version", 0...Int.max, &problems), version != 1 {
      root.report(
        "version", "version = \(version) is not known; this program reads version 1", &problems)
    }
    name = root.text("name", &problems)
    stopOnFailure = root.bool("stop_on_failure", &problems)
    var head = JobSettingsReader(root)
    deadline = head.duration("deadline", mayBeZero: false, &problems)
    root = head.section
    readDefaults(&root, &problems)
    readLimits(&root, &problems)
    for (path, members) in Self.tables("job", &root, &problems) {
      readJob(members, path, stage: nil, &problems)
    }
    for (path, members) in Self.tables("stage", &root, &problems) {
      readStage(members, path, &problems)
    }
    root.refuseRest(&problems)
  }

  /// The tables of an array, or a single one.
  private static func tables(
    _ key: String, _ root: inout SectionReader, _ problems: inout ConfigurationProblems
  ) -> [(path: [String], members: [StepParameter])] {
    guard let member = root.take(key, problems: &problems) else { return [] }
    if case .list(let values) = member.value {
      var tables: [(path: [String], members: [StepParameter])] = []
      for (index, value) in values.enumerated() {
        guard case .table(let members) = value else {
          root.wrong(member, "tables, each under [[\(key)]]", &problems)
          return []
        }
        tables.append(([member.key, String(index)], members))
      }
      return tables
    }
    root.wrong(member, "tables, each under [[\(key)]]", &problems)
    return []
  }

  private mutating func readDefaults(
    _ root: inout SectionReader, _ problems: inout ConfigurationProblems
  ) {
    guard let member = root.take("defaults", problems: &problems) else { return }
    guard case .table(let members) = member.value else {
      return root.wrong(member, "table [defaults]", &problems)
    }
    var reader = JobSettingsReader(
      SectionReader(title: "[defaults]", path: [member.key], members))
    reader.readAll(&problems)
    reader.refuseRest(&problems)
    defaults = reader.settings
  }

  private mutating func readLimits(
    _ root: inout SectionReader, _ problems: inout ConfigurationProblems
  ) {
    guard let member = root.take("limits", problems: &problems) else { return }
    guard case .table(let members) = member.value else {
      return root.wrong(member, "table [limits]", &problems)
    }
    var section = SectionReader(title: "[limits]", path: [member.key], members)
    limits.maxWorkers = section.int("max_workers", 1...65_536, &problems)
    limits.heavyCPU = section.int("heavy_cpu", 1...65_536, &problems)
    limits.heavyIO = section.int("heavy_io", 1...65_536, &problems)
    var reader = JobSettingsReader(section)
    limits.memory = reader.size("memory", &problems)
    limits.pools = reader.pools("pools", from: 0, &problems) ?? []
    for pool in limits.pools where pool.name.hasPrefix("stage:") {
      section.report("pools", "a pool must not begin with stage:", &problems)
    }
    reader.refuseRest(&problems)
  }

  /// - Returns: the id, if it has one.
  private mutating func readJob(
    _ members: [StepParameter], _ path: [String], stage: Int?,
    _ problems: inout ConfigurationProblems
  ) {
    let given = members.first { $0.key == "id" }
    let title: String
    if case .text(let id)? = given?.value { title = "job \"\(id)\"" } else { title = "a job" }
    var reader = JobSettingsReader(SectionReader(title: title, path: path, members))
    let id = reader.text("id", &problems)
    reader.readAll(&problems)
    reader.refuseRest(&problems)
    guard let id else {
      if given == nil { problems.report(path, "a job has no id") }
      return
    }
    let settings = reader.settings
    if settings.run == nil && defaults.run == nil {
      if !members.contains(where: { Spelling.isSame($0.key, "run") }) {
        problems.report(path, "\(title) has no run: nothing to do")
      }
      return
    }
    entries.append(Entry(id: Template(id), settings: settings, path: path, stage: stage))
  }

  private mutating func readStage(
    _ members: [StepParameter], _ path: [String], _ problems: inout ConfigurationProblems
  ) {
    var section = SectionReader(title: "[[stage]]", path: path, members)
    let index = stages.count
    let name = section.text("name", &problems) ?? ""
    if name.isEmpty {
      problems.report(path, "a stage has no name")
    } else if stages.contains(where: { $0.name == name }) {
      problems.report(path + ["name"], "stage \"\(name)\" is there twice")
    } else if let problem = JobID.problem(name) {
      problems.report(path + ["name"], "stage \"\(name)\": \(problem)")
    }
    let maxWorkers = section.int("max_workers", 1...65_536, &problems)
    let countsFailures = section.bool("stop_on_failure", &problems) ?? true
    let jobs = section.take("jobs", problems: &problems)
    section.refuseRest(&problems)
    stages.append(
      Stage(
        name: name, maxWorkers: maxWorkers, countsFailures: countsFailures, members: [], path: path)
    )
    guard let jobs else { return }
    guard case .list(let values) = jobs.value else {
      return section.wrong(jobs, "list of ids and jobs", &problems)
    }
    for (position, value) in values.enumerated() {
      let place = path + [jobs.key, String(position)]
      switch value {
      case .text(let id): stages[index].members.append((Template(id), place))
      case .table(let members): readJob(members, place, stage: index, &problems)
      default: section.wrong(jobs, "list of ids and jobs", &problems)
      }
    }
  }
}
