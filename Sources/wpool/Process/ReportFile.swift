// SPDX-License-Identifier: MIT
import Workpool

/// The file of `--report-json`: never an input, an output of the run, or a file nobody allowed
/// to replace.
struct ReportFile {
  private let output: OutputSet.Output
  private let inputs: [Endpoint]
  private let options: OutputSet.Options

  /// Judges and writes nothing; nil where no report is asked for.
  init?(_ job: ProcessJob) throws(Failure) {
    guard let path = job.words.reportJson else { return nil }
    output = OutputSet.Output(.path(path), owner: "--report-json")
    inputs = job.plan.inputs.flatMap { $0 }
    var options = job.plan.outputSet
    let others = job.plan.outputs.map { OutputSet.Output($0.endpoint, owner: $0.owner) }
    do throws(WorkpoolError) {
      _ = try OutputSet(others + [output], inputs: inputs, options: options)
    } catch {
      throw Failure(beforeStart: error)
    }
    options.allowsOverwrite = true
    self.options = options
  }

  func write(_ text: String) throws(WorkpoolError) {
    let set = try OutputSet([output], inputs: inputs, options: options)
    try set.open()
    let sink = set.sink(0)
    let bytes = Array(text.utf8)
    do throws(WorkpoolError) {
      var failure: WorkpoolError?
      bytes.withUnsafeBytes { bytes in
        do throws(WorkpoolError) { try sink.write(bytes) } catch { failure = error }
      }
      if let failure { throw failure }
      try sink.close()
    } catch {
      set.abandon()
      throw error
    }
    try set.commit()
  }
}
