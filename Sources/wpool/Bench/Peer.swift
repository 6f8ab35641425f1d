// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// Another program that does the same work.
struct Peer {
  let name: String
  /// Run by `sh`.
  private let command: @Sendable (_ workers: Int) -> String

  /// Those that do what `job` does, whether they are there or not: few do exactly that.
  static func known(for job: ProcessJob, _ work: WorkOptions) -> [Peer] {
    let files = job.plan.inputs.flatMap { $0 }.map { ShellWords.quoted($0.name) }.joined(
      separator: " ")
    guard work.step.isEmpty, job.recipe?.steps.isEmpty ?? true, job.plan.inputs.count == 1,
      job.plan.outputs.allSatisfy({ $0.compression == .plain && $0.format == .fastq })
    else { return [] }
    if job.hasReads {
      return work.command.isEmpty
        ? [Peer(name: "seqkit") { "seqkit seq -j \($0) \(files)" }] : []
    }
    guard work.lines, work.command.count == 1, job.plan.inputs[0].count == 1 else { return [] }
    let filter = ShellWords.quoted(work.command[0])
    return [
      Peer(name: "parallel") { "parallel --pipe -k --block 4M -j \($0) \(filter) < \(files)" }
    ]
  }

  var isThere: Bool {
    (Surroundings.variable("PATH") ?? "").split(separator: ":").contains {
      access($0 + "/" + name, X_OK) == 0
    }
  }

  /// - Returns: the exit code.
  func run(workers: Int) throws(Failure) -> Int32 {
    try ChildProgram(
      words: ["/bin/sh", "-c", command(workers)], folder: ".", output: "/dev/null",
      errors: "/dev/null"
    ).run()
  }
}
