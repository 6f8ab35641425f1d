// SPDX-License-Identifier: MIT
import Glibc
import Workpool
import WorkpoolCore

/// The variables a job sees.
enum JobEnvironment {
  /// Of a single job: an outer run's are none of an inner one's jobs.
  private static let own: Set<String> = [
    "WPOOL_RUN_ID", "WPOOL_JOB_ID", "WPOOL_ATTEMPT", "WPOOL_SLOT", "WPOOL_CPUS", "WPOOL_LOG_DIR",
    "WPOOL_OUTPUT", "WPOOL_SUBMIT", "WPOOL_DEPS",
  ]

  /// This process's variables, as `NAME=value`.
  static func inherited() -> [(name: String, setting: String)] {
    var settings: [(name: String, setting: String)] = []
    var place = environ
    while let setting = place.pointee {
      let text = String(cString: setting)
      let name = String(text.prefix { $0 != "=" })
      if !own.contains(name) && !name.hasPrefix("WPOOL_DEP_") { settings.append((name, text)) }
      place += 1
    }
    return settings
  }

  static func merged(
    _ base: [(name: String, setting: String)], _ more: [(String, String)]
  ) -> [String] {
    var last: [String: Int] = [:]
    for (index, setting) in more.enumerated() { last[setting.0] = index }
    var all = base.filter { last[$0.name] == nil }.map { $0.setting }
    for (index, setting) in more.enumerated() where last[setting.0] == index {
      all.append(setting.0 + "=" + setting.1)
    }
    return all
  }

  /// `WPOOL_DEP_<id>_<key>`, with `_` for what no name of a variable has.
  static func name(_ id: String, _ key: String) -> String {
    var name = "WPOOL_DEP_"
    for byte in (id + "_" + key).utf8 {
      let letter = byte | 32
      let isPlain = byte &- 48 < 10 || letter &- 97 < 26
      name.unicodeScalars.append(isPlain ? Unicode.Scalar(byte) : "_")
    }
    return name
  }

  /// The `k=v` lines of a file; a later one takes the place of an earlier one.
  static func values(in path: String) -> [JSONValue.Member] {
    guard access(path, R_OK) == 0, let bytes = try? WholeFile.read(path) else { return [] }
    var values: [JSONValue.Member] = []
    for line in bytes.split(separator: 10) {
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex else {
        continue
      }
      let key = String(decoding: line[..<equals], as: UTF8.self)
      let value = String(decoding: line[(equals + 1)...], as: UTF8.self)
      values.removeAll { $0.key == key }
      values.append(JSONValue.Member(key, .text(value)))
    }
    return values
  }
}

/// What a job is, for deciding whether it must run again: all that can change its result, and not how
/// often, how long or when it may run.
enum DefinitionHash {
  static func all(_ plan: JobPlan) -> [String] { plan.jobs.indices.map { of($0, plan) } }

  static func of(_ place: Int, _ plan: JobPlan) -> String {
    let job = plan.jobs[place]
    var definition = JobDefinition()
    definition.arguments = job.arguments
    definition.folder = job.folder
    definition.environment = job.environment.map { $0.name + "=" + $0.value }
    definition.input = job.input
    definition.inputs = job.inputs
    definition.outputs = job.outputs
    definition.dependencies = job.dependencies.map { plan.jobs[$0].id }
    return definition.hash
  }
}

/// Job objects that a job has written to `$WPOOL_SUBMIT`.
struct SubmittedJobs {
  var objects: [JSONValue] = []
  var isEmpty: Bool { objects.isEmpty }

  /// One object a line.
  ///
  /// - Throws: naming the line of what is none.
  static func read(_ path: String) throws(Failure) -> SubmittedJobs {
    let bytes: [UInt8]
    do throws(WorkpoolError) {
      bytes = try WholeFile.readAny(path)
    } catch {
      throw .usage(error.text)
    }
    var jobs = SubmittedJobs()
    for (number, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    {
      if line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) { continue }
      do throws(JSONParser.Fault) {
        let value = try JSONParser.parse(bytes, in: line.startIndex..<line.endIndex)
        guard case .object = value else {
          throw JSONParser.Fault(offset: 0, line: 1, message: "a job is an object")
        }
        jobs.objects.append(value)
        jobs.lines.append(number + 1)
      } catch {
        throw .usage("$WPOOL_SUBMIT line \(number + 1): \(error.message)")
      }
    }
    return jobs
  }

  /// Where each of them stands.
  private(set) var lines: [Int] = []

  init(objects: [JSONValue] = []) { self.objects = objects }

  /// As a job file has them.
  func text(name: String) -> ConfigurationText {
    var places: [[String]: Int] = [:]
    for (index, line) in lines.enumerated() { places[["job", String(index)]] = line }
    let root = JSONValue.Member("job", .list(objects))
    return ConfigurationText(
      name: lines.isEmpty ? name : "$WPOOL_SUBMIT", text: "", root: [JobText.parameter(root)],
      lines: places)
  }
}
