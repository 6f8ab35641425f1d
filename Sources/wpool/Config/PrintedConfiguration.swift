// SPDX-License-Identifier: MIT
import Workpool

/// The flags of a command line as a configuration that does the same: `--print-config`.
///
/// The names of outputs follow other rules there: those of the configuration begin as the first one does.
struct PrintedConfiguration {
  private let job: ProcessJob
  private let steps: [StepRequest]

  init(_ job: ProcessJob, steps: [StepRequest]) {
    self.job = job
    self.steps = steps
  }

  var text: String { input + options + steps.map { Self.text($0) }.joined() + output }

  private var input: String {
    var text = "[input]\n"
    let lists = job.plan.inputs.map { $0.map { name($0) } }
    for (index, list) in lists.enumerated() {
      let key = job.recipe?.isInterleaved == true ? "reads" : job.segments[index]
      text += "\(key) = \(list.count == 1 ? list[0] : "[" + list.joined(separator: ", ") + "]")\n"
    }
    if job.recipe?.isInterleaved == true {
      text += "interleaved = [\(job.segments.map { Self.quoted($0) }.joined(separator: ", "))]\n"
    }
    if let quality = job.plan.fakeQuality {
      text += "\n[input.options]\nfasta_fake_quality = \(quality)\n"
    }
    return text
  }

  private func name(_ endpoint: Endpoint) -> String {
    if case .path(let path) = endpoint { return Self.quoted(path) }
    return Self.quoted(InputSection.stdin)
  }

  private var options: String {
    guard case .records(_, let count) = job.plan.content, count != 10_000 else { return "" }
    return "\n[options]\nblock_size = \(count)\n"
  }

  private static func text(_ step: StepRequest) -> String {
    "\n[[step]]\naction = \(quoted(step.action))\n"
      + step.parameters.map { "\($0.key) = \(value($0.value))\n" }.joined()
  }

  private static func value(_ value: StepValue) -> String {
    switch value {
    case .text(let text): quoted(text)
    case .list(let values): "[" + values.map { Self.value($0) }.joined(separator: ", ") + "]"
    case .table(let members):
      "{" + members.map { "\($0.key) = \(Self.value($0.value))" }.joined(separator: ", ") + "}"
    case .double(let number): number == number.rounded() ? "\(number)" : value.text
    default: value.text
    }
  }

  /// A basic string of TOML, whose escapes are those of JSON.
  private static func quoted(_ text: String) -> String {
    JSON(text).line.replacing("\u{7f}", with: "\\u007f")
  }

  private var output: String {
    let outputs = job.plan.outputs
    var text = "\n[output]\n"
    guard let first = outputs.first else {
      return text + "prefix = \"output\"\nformat = \"none\"\n"
    }
    if case .path(let path) = first.endpoint {
      var stem = path
      for suffix in [
        ".gz", ".bgz", ".zst", ".zstd", ".fq", ".fastq", ".fa", ".fasta", ".fna",
      ] where stem.hasSuffix(suffix) {
        stem.removeLast(suffix.count)
      }
      text += "prefix = \(Self.quoted(stem))\n"
    } else {
      text += "prefix = \"output\"\nstdout = true\n"
    }
    if first.format == .fasta { text += "format = \"fasta\"\n" }
    switch first.compression {
    case .plain: break
    case .gzip, .bgzf: text += "compression = \"gzip\"\n"
    case .zstd: text += "compression = \"zstd\"\n"
    }
    if let level = first.level, first.compression != .plain {
      text += "compression_level = \(level)\n"
    }
    if case .path = first.endpoint, first.segments.count > 1 {
      text += "interleave = [\(job.segments.map { Self.quoted($0) }.joined(separator: ", "))]\n"
    }
    return text
  }
}
