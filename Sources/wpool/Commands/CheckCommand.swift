// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a job file and tell its shape; nothing runs.",
    usage: "wpool check <jobs.toml|jobs.json>",
    discussion: "Exit codes: 0 the file is good; 2 it is not, and all that is wrong was told.")

  @Argument(help: "Job file, TOML or JSON.", completion: .file(extensions: ["toml", "json"]))
  var file: String

  @Option(help: ArgumentHelp("Tell how large so many shards would be.", valueName: "n"))
  var shards: Count?

  func run() throws {
    let plan = try JobPlan(
      try JobText.read(file), base: Paths.folder(of: file), overrides: JobSettings(), sets: [])
    let settings = RunSettings.roomy(plan)
    var scheduler = settings.scheduler(plan, now: 0)
    do throws(WorkpoolError) {
      _ = try scheduler.submit(
        JobSession.specs(plan, settings, filtered: [], resumed: nil), at: 0)
    } catch {
      throw Failure.usage("\(file): \(error.message)")
    }
    let shape = PlanShape(plan)
    var text = "\(file): good\njobs: \(plan.jobs.count)\n"
    if !plan.stages.isEmpty {
      text += "stages: " + plan.stages.map { $0.name }.joined(separator: ", ") + "\n"
    }
    text += "waves: \(shape.waves)\nwidth: \(shape.width)\n"
    text += "critical path: " + shape.criticalPath.map { plan.jobs[$0].id }.joined(separator: " → ")
    text += "\n"
    if let shards {
      let parts = Shards(plan, count: shards.number)
      for (part, size) in parts.sizes.enumerated() {
        text += "shard \(part)/\(shards.number): \(size)\n"
      }
      let gathered = plan.jobs.count - parts.sizes.reduce(0, +)
      if gathered > 0 { text += "gather: \(gathered)\n" }
      if shards.number > 1 && 2 * parts.largest > plan.jobs.count {
        Console.say(
          "warning: \(parts.largest) of \(plan.jobs.count) jobs depend on each other: one shard has them all"
        )
      }
    }
    throw Console.write(text)
  }
}

extension RunSettings {
  /// With slots for whatever a job asks for: how many there will be is not known.
  static func roomy(_ plan: JobPlan) -> RunSettings {
    var settings = RunSettings()
    settings.workers = plan.jobs.reduce(1) { max($0, $1.settings.cpus ?? 1) }
    settings.usesCache = false
    return settings
  }
}

/// How deep and how wide a plan is, if all jobs took equally long.
struct PlanShape {
  private(set) var waves = 0
  /// Jobs of the widest wave.
  private(set) var width = 0
  /// A longest path.
  private(set) var criticalPath: [Int] = []

  init(_ plan: JobPlan) {
    var depth = [Int](repeating: 0, count: plan.jobs.count)  // 0: not known yet
    var longest = [Int](repeating: -1, count: plan.jobs.count)
    // The last wave of a stage, and who is in it.
    var stageEnds: [Int: (depth: Int, job: Int)] = [:]
    func needs(_ place: Int) -> [Int] { plan.jobs[place].dependencies }
    let stages = plan.stages.map { $0.jobs }
    func end(before stage: Int) -> (depth: Int, job: Int)? {
      for earlier in stages.indices[..<stage].reversed() where !stages[earlier].isEmpty {
        return stageEnds[earlier]
      }
      return nil
    }
    // Jobs outside of stages may need jobs of stages and the other way round: until nothing changes.
    var changes = true
    while changes {
      changes = false
      for start in plan.jobs.indices {
        var open = [start]
        while let place = open.last {
          let unknown = needs(place).filter { depth[$0] == 0 }
          if depth[place] == 0, let next = unknown.first {
            open.append(next)
            continue
          }
          open.removeLast()
          var best = (depth: 0, job: -1)
          for other in needs(place) where depth[other] > best.depth { best = (depth[other], other) }
          if let stage = plan.jobs[place].stage, let before = end(before: stage),
            before.depth > best.depth
          {
            best = before
          }
          if best.depth + 1 != depth[place] {
            depth[place] = best.depth + 1
            longest[place] = best.job
            changes = true
          }
        }
      }
      for (stage, jobs) in stages.enumerated() {
        guard let last = jobs.max(by: { depth[$0] < depth[$1] }) else { continue }
        stageEnds[stage] = (depth[last], last)
      }
    }
    waves = depth.max() ?? 0
    var sizes = [Int](repeating: 0, count: waves + 1)
    for wave in depth { sizes[wave] += 1 }
    width = sizes.max() ?? 0
    var place = depth.indices.max { depth[$0] < depth[$1] } ?? -1
    while place >= 0 {
      criticalPath.append(place)
      place = longest[place]
    }
    criticalPath.reverse()
  }
}

struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Print the graph of a job file.",
    usage: "wpool graph <jobs.toml|jobs.json> [--dot | --mermaid]")

  enum Form: String, EnumerableFlag {
    case dot, mermaid

    static func help(for value: Form) -> ArgumentHelp? {
      value == .dot ? "As Graphviz reads it; so it is without --mermaid." : "As Mermaid reads it."
    }
  }

  @Argument(help: "Job file, TOML or JSON.", completion: .file(extensions: ["toml", "json"]))
  var file: String

  @Flag var form = Form.dot

  func run() throws {
    let plan = try JobPlan(
      try JobText.read(file), base: Paths.folder(of: file), overrides: JobSettings(), sets: [])
    throw Console.write(form == .dot ? Self.dot(plan) : Self.mermaid(plan))
  }

  /// Groups of jobs: those of no stage, then each stage.
  private static func groups(_ plan: JobPlan) -> [(name: String?, jobs: [Int])] {
    [(nil, plan.jobs.indices.filter { plan.jobs[$0].stage == nil })]
      + plan.stages.map { (Optional($0.name), $0.jobs) }
  }

  private static func dot(_ plan: JobPlan) -> String {
    func quoted(_ text: String) -> String {
      var result = "\""
      for character in text {
        if character == "\"" || character == "\\" { result += "\\" }
        result.append(character)
      }
      return result + "\""
    }
    var text = "digraph jobs {\n  rankdir = LR;\n  node [shape = box];\n"
    for (index, group) in groups(plan).enumerated() {
      let indent = group.name == nil ? "  " : "    "
      if let name = group.name {
        text += "  subgraph cluster_\(index) {\n    label = \(quoted(name));\n"
      }
      for job in group.jobs { text += indent + quoted(plan.jobs[job].id) + ";\n" }
      if group.name != nil { text += "  }\n" }
    }
    for job in plan.jobs {
      for other in job.dependencies {
        text += "  \(quoted(plan.jobs[other].id)) -> \(quoted(job.id))"
        text += (job.when == .success ? "" : " [style = dashed, label = \(quoted("\(job.when)"))]")
        text += ";\n"
      }
    }
    return text + "}\n"
  }

  private static func mermaid(_ plan: JobPlan) -> String {
    func label(_ text: String) -> String {
      text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "#quot;")
    }
    var text = "flowchart LR\n"
    for group in groups(plan) {
      let indent = group.name == nil ? "  " : "    "
      if let name = group.name { text += "  subgraph \"\(label(name))\"\n" }
      for job in group.jobs { text += indent + "j\(job)[\"\(label(plan.jobs[job].id))\"]\n" }
      if group.name != nil { text += "  end\n" }
    }
    for (place, job) in plan.jobs.enumerated() {
      for other in job.dependencies {
        text +=
          "  j\(other) " + (job.when == .success ? "-->" : "-. \(job.when) .->") + " j\(place)\n"
      }
    }
    return text
  }
}
