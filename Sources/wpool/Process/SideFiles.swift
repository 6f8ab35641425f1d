// SPDX-License-Identifier: MIT
import Workpool

/// The files of `--report-json` and `--timeline`: never an input, an output of the run, each other, or a
/// file nobody allowed to replace.
struct SideFiles {
  let report: SideFile?
  let timeline: SideFile?

  /// Judges and writes nothing.
  init(_ job: ProcessJob) throws(Failure) {
    let inputs = job.plan.inputs.flatMap { $0 }
    var options = job.plan.outputSet
    var outputs = job.plan.outputs.map { OutputSet.Output($0.endpoint, owner: $0.owner) }
    let wanted = [
      job.words.reportJson.map { OutputSet.Output(.path($0), owner: "--report-json") },
      job.words.timeline.map { OutputSet.Output(.path($0), owner: "--timeline") },
    ]
    outputs += wanted.compactMap { $0 }
    do throws(WorkpoolError) {
      if wanted.contains(where: { $0 != nil }) {
        _ = try OutputSet(outputs, inputs: inputs, options: options)
      }
    } catch {
      throw Failure(beforeStart: error)
    }
    options.allowsOverwrite = true
    report = wanted[0].map { SideFile(output: $0, inputs: inputs, options: options) }
    timeline = wanted[1].map { SideFile(output: $0, inputs: inputs, options: options) }
  }
}

/// A file beside the outputs of a run, written in one go under a temporary name.
struct SideFile {
  typealias Write = (UnsafeRawBufferPointer) throws(WorkpoolError) -> Void

  let output: OutputSet.Output
  let inputs: [Endpoint]
  let options: OutputSet.Options

  /// - Parameter body: writes the content, piece by piece.
  func write(_ body: (Write) throws(WorkpoolError) -> Void) throws(WorkpoolError) {
    let set = try OutputSet([output], inputs: inputs, options: options)
    try set.open()
    let sink = set.sink(0)
    do throws(WorkpoolError) {
      try body { (bytes) throws(WorkpoolError) in try sink.write(bytes) }
      try sink.close()
    } catch {
      set.abandon()
      throw error
    }
    try set.commit()
  }

  func write(_ text: String) throws(WorkpoolError) {
    let bytes = Array(text.utf8)
    try write { (write) throws(WorkpoolError) in
      var failure: WorkpoolError?
      bytes.withUnsafeBytes { bytes in
        do throws(WorkpoolError) { try write(bytes) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }
}
