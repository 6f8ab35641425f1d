// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// Makes jobs out of the entries of a file: one for each combination of its `foreach` values.
struct Expansion {
  private static let mostJobs = 1_000_000

  /// Absolute: what paths are relative to.
  let base: String
  let defaults: JobSettings
  /// What the command line and the environment say in place of `[defaults]`.
  let overrides: JobSettings
  /// `--set`, in its order.
  let sets: [SetOption]

  private(set) var jobs: [PlannedJob] = []
  /// Patterns of the ids of entries that came out empty.
  private(set) var emptyIDs: [Template] = []

  init(base: String, defaults: JobSettings, overrides: JobSettings, sets: [SetOption]) {
    self.base = base
    self.defaults = defaults
    self.overrides = overrides
    self.sets = sets
  }

  mutating func add(_ entry: JobFile.Entry, _ problems: inout ConfigurationProblems) {
    let names = (entry.settings.foreach ?? defaults.foreach ?? []).map { $0.name }
    refuseUnknownNames(entry, names, &problems)
    guard let lists = lists(entry, &problems) else { return }
    if lists.contains(where: { $0.isEmpty }) {
      emptyIDs.append(entry.id)
      return
    }
    var count = 1
    for list in lists {
      count *= list.count
      guard jobs.count + count <= Self.mostJobs else {
        return problems.report(
          entry.path, "job \"\(entry.id.text)\": more than \(Self.mostJobs) jobs come of this file")
      }
    }
    for number in 0..<count {
      // The last name changes fastest.
      var values: [String: String] = [:]
      var rest = number
      for (name, list) in zip(names, lists).reversed() {
        values[name] = list[rest % list.count]
        rest /= list.count
      }
      jobs.append(job(entry, values, &problems))
    }
  }

  // MARK: Values

  private func lists(
    _ entry: JobFile.Entry, _ problems: inout ConfigurationProblems
  ) -> [[String]]? {
    var lists: [[String]] = []
    for (name, values) in entry.settings.foreach ?? defaults.foreach ?? [] {
      switch values {
      case .list(let list): lists.append(list)
      case .glob(let pattern): lists.append(Paths.matching(pattern.filled([:]), base: base))
      case .lines(let file):
        let path = file.filled([:])
        do throws(WorkpoolError) {
          let bytes = try WholeFile.read(Paths.absolute(path, base: base))
          lists.append(
            String(decoding: bytes, as: UTF8.self)
              .split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }).map(String.init))
        } catch {
          problems.report(
            entry.path + ["foreach", name],
            "job \"\(entry.id.text)\": foreach.\(name): \(error.text)")
          return nil
        }
      }
    }
    return lists
  }

  private func refuseUnknownNames(
    _ entry: JobFile.Entry, _ names: [String], _ problems: inout ConfigurationProblems
  ) {
    let all = entry.settings.or(defaults)
    var templates: [(String, Template)] = [("id", entry.id)]
    switch all.run {
    case .line(let line): templates.append(("run", line))
    case .program(let words): templates += words.map { ("run", $0) }
    case nil: break
    }
    for (key, template) in [("cwd", all.cwd), ("stdin", all.stdin)] {
      if let template { templates.append((key, template)) }
    }
    templates += all.env.map { ("env", $0.value) }
    templates += (all.after ?? []).map { ("after", $0) }
    templates += (all.inputs ?? []).map { ("inputs", $0) }
    templates += (all.outputs ?? []).map { ("outputs", $0) }
    for (key, template) in templates {
      for name in template.names where !names.contains(name) {
        problems.report(
          entry.path + [key],
          "job \"\(entry.id.text)\": \(key) has {\(name)}, which no foreach gives; {{ is a brace"
            + Spelling.hint(name, among: names))
      }
    }
  }

  // MARK: One job

  private func job(
    _ entry: JobFile.Entry, _ values: [String: String], _ problems: inout ConfigurationProblems
  ) -> PlannedJob {
    let id = entry.id.filled(values)
    if let problem = JobID.problem(id) {
      problems.report(entry.path + ["id"], "job \"\(id)\": \(problem)")
    }
    var settings = entry.settings.or(overrides).or(defaults)
    for set in sets where set.matches(id) { settings = set.settings.or(settings) }
    let work: PlannedJob.Work =
      switch settings.run {
      case .line(let line): .line(line.filled(values, quotes: true))
      case .program(let words): .program(words.map { $0.filled(values) })
      case nil: .line("")
      }
    var job = PlannedJob(
      id: id, work: work, settings: settings,
      folder: Paths.absolute(settings.cwd?.filled(values) ?? ".", base: base),
      stage: entry.stage, path: entry.path)
    job.environment = settings.env.map { ($0.name, $0.value.filled(values)) }
    job.input = settings.stdin.map { Paths.absolute($0.filled(values), base: base) }
    job.inputs = (settings.inputs ?? []).map { $0.filled(values) }
    job.outputs = (settings.outputs ?? []).map { $0.filled(values) }
    job.after = (settings.after ?? []).map { $0.filled(values) }
    for (key, text) in job.texts where text.utf8.contains(0) {
      problems.report(entry.path + [key], "job \"\(id)\": \(key) has a NUL byte")
    }
    return job
  }
}

/// `--set JOB.KEY=VALUE`
struct SetOption {
  let pattern: String
  let settings: JobSettings

  func matches(_ id: String) -> Bool { id == pattern || IDPattern.matches(pattern, id) }

  init(_ text: String) throws(Failure) {
    guard let equals = text.firstIndex(of: "=") else {
      throw .usage("--set \(text): JOB.KEY=VALUE is needed")
    }
    let left = String(text[..<equals])
    let given = String(text[text.index(after: equals)...])
    // Ids may have points: the key is behind the last one, but for `env.NAME`.
    var parts = left.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count > 1, let last = parts.popLast() else {
      throw .usage("--set \(text): JOB.KEY=VALUE is needed")
    }
    var isVariable = false
    if parts.count > 1 && parts.last == "env" {
      parts.removeLast()
      isVariable = true
    }
    pattern = parts.joined(separator: ".")
    if ["foreach", "after"].contains(last) {
      throw .usage("--set \(text): \(last) is for the file")
    }
    // `run=true` is a command: what is no value of the key as TOML may be one as text.
    let values = [TOMLValue.read(given.utf8), .text(given)].compactMap { $0 }
    var complaints: [String] = []
    for value in values {
      let member = StepParameter(last, value)
      var problems = ConfigurationProblems(
        text: ConfigurationText(name: "--set \(text)", text: "", root: [], lines: [:]))
      var reader = JobSettingsReader(
        SectionReader(
          title: "job \"\(pattern)\"", path: [],
          [isVariable ? StepParameter("env", .table([member])) : member]))
      reader.readAll(&problems)
      reader.refuseRest(&problems)
      if problems.isEmpty {
        settings = reader.settings
        return
      }
      if complaints.isEmpty { complaints = problems.messages }
    }
    throw Failure(exitCode: .usage, messages: complaints)
  }
}

enum Paths {
  static func absolute(_ path: String, base: String) -> String {
    if path.hasPrefix("/") { return path }
    if path.isEmpty || path == "." { return base }
    return base == "/" ? "/" + path : base + "/" + path
  }

  static var currentFolder: String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
  }

  /// The folder a file is in, absolute.
  static func folder(of path: String) -> String {
    let whole = absolute(path, base: currentFolder)
    let end = whole.lastIndex(of: "/") ?? whole.startIndex
    return end == whole.startIndex ? "/" : String(whole[..<end])
  }

  /// Whether there is such a file, or one that matches.
  static func isThere(_ path: String, base: String) -> Bool {
    isPattern(path)
      ? !matching(path, base: base).isEmpty : access(absolute(path, base: base), F_OK) == 0
  }

  static func isPattern(_ path: String) -> Bool { path.contains { "*?[".contains($0) } }

  /// Files that match, sorted by their bytes, relative to `base` where the pattern is.
  static func matching(_ pattern: String, base: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    let isAbsolute = pattern.hasPrefix("/")
    // Characters that mean something in a pattern may be in the base.
    var prefix = ""
    if !isAbsolute {
      for character in base == "/" ? "" : base {
        if "*?[]\\".contains(character) { prefix += "\\" }
        prefix.append(character)
      }
      prefix += "/"
    }
    guard glob(prefix + pattern, GLOB_NOSORT, nil, &found) == 0 else { return [] }
    let drop = isAbsolute ? 0 : (base == "/" ? 1 : base.utf8.count + 1)
    let paths = (0..<Int(found.gl_pathc)).compactMap { index in
      found.gl_pathv[index].map {
        String(decoding: String(cString: $0).utf8.dropFirst(drop), as: UTF8.self)
      }
    }
    return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
