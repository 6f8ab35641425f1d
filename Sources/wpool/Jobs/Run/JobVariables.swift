// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// The variables and files that tell a job what it is and what others have put out.
extension JobSession {
  func absolute(_ place: Int, _ attempt: Int32, _ suffix: String) -> String {
    let path = folder.file(plan.jobs[place].id, attempt: attempt, suffix)
    return path.hasPrefix("/") ? path : absoluteFolder + path.dropFirst(folder.path.count)
  }

  func environment(_ place: Int, _ attempt: Int32, _ slot: Int32) -> [String] {
    let job = plan.jobs[place]
    var settings: [(String, String)] = job.environment.map { ($0.name, $0.value) }
    settings += [
      ("WPOOL_RUN_ID", folder.id), ("WPOOL_JOB_ID", job.id), ("WPOOL_ATTEMPT", String(attempt)),
      ("WPOOL_SLOT", String(slot)), ("WPOOL_CPUS", String(cpus(of: job))),
      ("WPOOL_LOG_DIR", absoluteFolder),
      ("WPOOL_OUTPUT", absolute(place, attempt, "output")),
      ("WPOOL_SUBMIT", absolute(place, attempt, "submit")),
    ]
    let deps = job.dependencies.map { (plan.jobs[$0].id, outputs[$0] ?? []) }
    for (id, values) in deps {
      for value in values {
        settings.append((JobEnvironment.name(id, value.key), value.value.text ?? ""))
      }
    }
    settings.append(("WPOOL_DEPS", dependencies(place, attempt, deps)))
    return JobEnvironment.merged(baseEnvironment, settings)
  }

  /// What it was given: one that asks for more than there is has all there is.
  func cpus(of job: PlannedJob) -> Int {
    let isIO = (job.settings.hint ?? .lightCPU).isIO && limits.ioSlots > 0
    return min(job.settings.cpus ?? 1, isIO ? limits.ioSlots : limits.slots)
  }

  /// Writes what dependencies have given; a job without any shares an empty file with its like.
  func dependencies(
    _ place: Int, _ attempt: Int32, _ deps: [(String, [JSONValue.Member])]
  ) -> String {
    let path =
      deps.isEmpty ? absoluteFolder + "/no_deps.json" : absolute(place, attempt, "deps.json")
    if deps.isEmpty && access(path, F_OK) == 0 { return path }
    let text = JSONValue.object(deps.map { .init($0.0, .object($0.1)) }).line + "\n"
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_REPLACE))
    if descriptor >= 0 {
      _ = Console.put(text, to: descriptor)
      close(descriptor)
    }
    return path
  }
}
