// SPDX-License-Identifier: MIT
import Workpool

/// What a job says of itself; nil where it says nothing.
struct JobSettings {
  enum Run {
    /// A line for a shell.
    case line(Template)
    /// A program and its arguments.
    case program([Template])
  }

  /// Where values come from that `{name}` stands for.
  enum Values {
    case list([String])
    case glob(Template)
    case lines(Template)
  }

  var run: Run?
  var shell: [String]?
  var cwd: Template?
  var env: [(name: String, value: Template)] = []
  var stdin: Template?
  var console: Bool?
  var after: [Template]?
  var when: JobSpec.When?
  var foreach: [(name: String, values: Values)]?
  var gather: Bool?
  var hint: JobSpec.Hint?
  var cpus: Int?
  var memory: UInt64?
  var pools: [JobSpec.PoolRequest]?
  var priority: Int32?
  var timeout: Int64?
  var deadline: Int64?
  var killGrace: Int64?
  var leftovers: LeftoverRule?
  var retries: Int?
  var retryDelay: Int64?
  var retryBackoff: Double?
  var retryMaxDelay: Int64?
  var retryJitter: Double?
  var retryOn: RetryPolicy.Kinds?
  var noRetryExit: [Int32]?
  var allowFailure: Bool?
  var inputs: [Template]?
  var outputs: [Template]?

  /// These where they say something, else `other`.
  func or(_ other: JobSettings) -> JobSettings {
    var all = self
    all.run = run ?? other.run
    all.shell = shell ?? other.shell
    all.cwd = cwd ?? other.cwd
    all.env = other.env.filter { name, _ in !env.contains { $0.name == name } } + env
    all.stdin = stdin ?? other.stdin
    all.console = console ?? other.console
    all.after = after ?? other.after
    all.when = when ?? other.when
    all.foreach = foreach ?? other.foreach
    all.gather = gather ?? other.gather
    all.hint = hint ?? other.hint
    all.cpus = cpus ?? other.cpus
    all.memory = memory ?? other.memory
    all.pools = pools ?? other.pools
    all.priority = priority ?? other.priority
    all.timeout = timeout ?? other.timeout
    all.deadline = deadline ?? other.deadline
    all.killGrace = killGrace ?? other.killGrace
    all.leftovers = leftovers ?? other.leftovers
    all.retries = retries ?? other.retries
    all.retryDelay = retryDelay ?? other.retryDelay
    all.retryBackoff = retryBackoff ?? other.retryBackoff
    all.retryMaxDelay = retryMaxDelay ?? other.retryMaxDelay
    all.retryJitter = retryJitter ?? other.retryJitter
    all.retryOn = retryOn ?? other.retryOn
    all.noRetryExit = noRetryExit ?? other.noRetryExit
    all.allowFailure = allowFailure ?? other.allowFailure
    all.inputs = inputs ?? other.inputs
    all.outputs = outputs ?? other.outputs
    return all
  }
}

/// Reads the keys of one table into `JobSettings`.
struct JobSettingsReader {
  private(set) var section: SectionReader
  private(set) var settings = JobSettings()

  init(_ section: SectionReader) { self.section = section }

  mutating func readAll(_ problems: inout ConfigurationProblems) {
    readWork(&problems)
    readGraph(&problems)
    readLimits(&problems)
    readRetries(&problems)
    settings.inputs = templates("inputs", &problems)
    settings.outputs = templates("outputs", &problems)
    settings.allowFailure = section.bool("allow_failure", &problems)
  }

  /// Whatever key comes first: `id`, where a job may have one.
  mutating func text(_ name: String, _ problems: inout ConfigurationProblems) -> String? {
    section.text(name, &problems)
  }

  mutating func refuseRest(_ problems: inout ConfigurationProblems) {
    section.refuseRest(&problems)
  }

  // MARK: Groups of keys

  private mutating func readWork(_ problems: inout ConfigurationProblems) {
    if let member = section.take("run", problems: &problems) {
      switch member.value {
      case .text(let line) where !line.isEmpty:
        settings.run = .line(Template(line, isShell: true))
      case .list(let words) where !words.isEmpty:
        if let words = section.texts(member, &problems) {
          settings.run = .program(words.map { Template($0) })
        }
      default:
        section.wrong(member, "line for a shell, or list of a program and its arguments", &problems)
      }
    }
    if let member = section.take("shell", problems: &problems) {
      switch member.value {
      case .text(let program) where !program.isEmpty: settings.shell = [program, "-c"]
      case .list(let words) where !words.isEmpty:
        settings.shell = section.texts(member, &problems)
      default: section.wrong(member, "name of a shell, or list of words before the line", &problems)
      }
    }
    settings.cwd = section.text("cwd", &problems).map { Template($0) }
    settings.stdin = section.text("stdin", &problems).map { Template($0) }
    settings.console = section.bool("console", &problems)
    readEnvironment(&problems)
  }

  private mutating func readEnvironment(_ problems: inout ConfigurationProblems) {
    guard let member = section.take("env", problems: &problems) else { return }
    guard case .table(let members) = member.value else {
      return section.wrong(member, "table of texts", &problems)
    }
    for variable in members {
      guard let text = Self.plain(variable.value) else {
        problems.report(
          section.path + [member.key, variable.key],
          "\(section.title): env.\(variable.key) is neither text nor number")
        continue
      }
      if variable.key.isEmpty || variable.key.contains("=") {
        section.report(member.key, "\"\(variable.key)\" is no name of a variable", &problems)
      }
      settings.env.append((variable.key, Template(text)))
    }
  }

  private mutating func readGraph(_ problems: inout ConfigurationProblems) {
    settings.after = templates("after", &problems)
    settings.when =
      section.choice("when", [["success"], ["always"], ["failure"]], &problems)
      .map { [.success, .always, .failure][$0] }
    settings.gather = section.bool("gather", &problems)
    if let member = section.take("foreach", problems: &problems) {
      guard case .table(let members) = member.value, !members.isEmpty else {
        return section.wrong(member, "table of names and their values", &problems)
      }
      settings.foreach = members.compactMap { name in
        if !Spelling.isIdentifier(name.key) {
          section.report(member.key, "\"\(name.key)\" is no name: letters, digits and _", &problems)
        }
        return values(member.key, name, &problems).map { (name.key, $0) }
      }
    }
  }

  private func values(
    _ key: String, _ member: StepParameter, _ problems: inout ConfigurationProblems
  ) -> JobSettings.Values? {
    switch member.value {
    case .list(let list):
      let texts = list.compactMap(Self.plain)
      if texts.count == list.count { return .list(texts) }
    case .table(let members) where members.count == 1:
      if case .text(let text) = members[0].value {
        if members[0].key == "glob" { return .glob(Template(text)) }
        if members[0].key == "lines" { return .lines(Template(text)) }
      }
    default: break
    }
    problems.report(
      section.path + [key, member.key],
      "\(section.title): foreach.\(member.key) = \(member.value.text) is not what is needed: "
        + "list of texts or numbers, {glob = \"...\"} or {lines = \"file\"}")
    return nil
  }

  private mutating func readLimits(_ problems: inout ConfigurationProblems) {
    settings.hint =
      section.choice("hint", [["light_cpu"], ["heavy_cpu"], ["light_io"], ["heavy_io"]], &problems)
      .map { [.lightCPU, .heavyCPU, .lightIO, .heavyIO][$0] }
    settings.cpus = section.int("cpus", 1...65_536, &problems)
    settings.memory = size("memory", &problems)
    settings.pools = pools("pools", from: 1, &problems)
    if let member = section.take("priority", problems: &problems) {
      settings.priority = JobPriority.number(member.value)
      if settings.priority == nil {
        section.wrong(member, "integer, or one of low, normal, high, critical", &problems)
      }
    }
    settings.timeout = duration("timeout", mayBeZero: false, &problems)
    settings.deadline = duration("deadline", mayBeZero: false, &problems)
    settings.killGrace = duration("kill_grace", &problems)
    settings.leftovers =
      section.choice("on_leftover", [["kill"], ["warn"], ["leave"]], &problems)
      .map { [.kill, .warn, .leave][$0] }
  }

  private mutating func readRetries(_ problems: inout ConfigurationProblems) {
    settings.retries = section.int("retries", 0...1_000_000, &problems)
    settings.retryDelay = duration("retry_delay", &problems)
    settings.retryBackoff = number("retry_backoff", 1...1000, &problems)
    settings.retryMaxDelay = duration("retry_max_delay", &problems)
    settings.retryJitter = number("retry_jitter", 0...1, &problems)
    if let member = section.take("retry_on", problems: &problems),
      let words = section.texts(member, &problems)
    {
      let names: [(String, RetryPolicy.Kinds)] = [
        ("error", .error), ("timeout", .timeout), ("signal", .signal),
      ]
      settings.retryOn = []
      for word in words {
        if let kind = names.first(where: { $0.0 == word })?.1 {
          settings.retryOn?.insert(kind)
        } else {
          section.report(
            member.key,
            "\(member.key): \"\(word)\" is none of error, timeout, signal"
              + Spelling.hint(word, among: names.map { $0.0 }), &problems)
        }
      }
    }
    if let member = section.take("no_retry_exit", problems: &problems) {
      var codes: [Int32] = []
      if case .list(let values) = member.value {
        for case .int(let code) in values where (0...255).contains(code) {
          codes.append(Int32(code))
        }
        settings.noRetryExit = codes.count == values.count ? codes : nil
      }
      if settings.noRetryExit == nil {
        section.wrong(member, "list of exit codes from 0 to 255", &problems)
      }
    }
  }

  // MARK: Values

  static func plain(_ value: StepValue) -> String? {
    switch value {
    case .text(let text): text
    case .int, .double, .bool: value.text
    case .list, .table: nil
    }
  }

  private mutating func templates(
    _ name: String, _ problems: inout ConfigurationProblems
  ) -> [Template]? {
    guard let member = section.take(name, problems: &problems) else { return nil }
    return section.texts(member, &problems)?.map { Template($0) }
  }

  mutating func duration(
    _ name: String, mayBeZero: Bool = true, _ problems: inout ConfigurationProblems
  ) -> Int64? {
    guard let member = section.take(name, problems: &problems) else { return nil }
    if let duration = Duration(member.value), mayBeZero || duration.nanoseconds > 0 {
      return duration.nanoseconds
    }
    section.wrong(
      member,
      "seconds, or a duration such as \"1h30m\" or \"200ms\""
        + (mayBeZero ? "" : ", more than 0"), &problems)
    return nil
  }

  mutating func size(_ name: String, _ problems: inout ConfigurationProblems) -> UInt64? {
    guard let member = section.take(name, problems: &problems) else { return nil }
    switch member.value {
    case .int(let bytes) where bytes > 0: return UInt64(bytes)
    case .text(let text): if let size = Size(argument: text) { return UInt64(size.bytes) }
    default: break
    }
    section.wrong(member, "number of bytes such as \"512M\" or \"8G\"", &problems)
    return nil
  }

  mutating func pools(
    _ name: String, from least: Int, _ problems: inout ConfigurationProblems
  ) -> [JobSpec.PoolRequest]? {
    guard let member = section.take(name, problems: &problems) else { return nil }
    var pools: [JobSpec.PoolRequest] = []
    if case .table(let members) = member.value {
      for case let pool in members {
        guard case .int(let count) = pool.value, (least...1_000_000).contains(count) else {
          problems.report(
            section.path + [member.key, pool.key],
            "\(section.title): \(member.key).\(pool.key) = \(pool.value.text) is not what is "
              + "needed: integer from \(least)")
          continue
        }
        pools.append(JobSpec.PoolRequest(pool.key, count))
      }
      return pools
    }
    section.wrong(member, "table of names and numbers", &problems)
    return nil
  }

  private mutating func number(
    _ name: String, _ range: ClosedRange<Double>, _ problems: inout ConfigurationProblems
  ) -> Double? {
    guard let member = section.take(name, problems: &problems) else { return nil }
    switch member.value {
    case .int(let number) where range.contains(Double(number)): return Double(number)
    case .double(let number) where range.contains(number): return number
    default:
      section.wrong(
        member, "number from \(range.lowerBound) to \(range.upperBound)", &problems)
      return nil
    }
  }
}
