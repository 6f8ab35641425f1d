// SPDX-License-Identifier: MIT
import ArgumentParser
import CPlatform
import Workpool

/// What a run would do: checked as a run checks it, printed, nothing written.
struct DryRun {
  private let job: ProcessJob

  init(_ job: ProcessJob) { self.job = job }

  func run() throws -> ExitCode {
    _ = try SideFiles(job)
    do throws(WorkpoolError) {
      _ = try OutputSet(
        job.plan.outputs.map { OutputSet.Output($0.endpoint, owner: $0.owner) }
          + job.plan.sideFiles.map { OutputSet.Output($0.endpoint, owner: $0.owner) },
        inputs: job.plan.inputs.flatMap { $0 }, options: job.plan.outputSet)
      return Console.write(try inputs() + stages() + outputs() + limits())
    } catch {
      throw Failure(beforeStart: error)
    }
  }

  private func inputs() throws(WorkpoolError) -> String {
    var text = ""
    for (index, list) in job.plan.inputs.enumerated() {
      let name =
        job.plan.inputs.count == 1 ? job.segments.joined(separator: ", ") : job.segments[index]
      for endpoint in list {
        text += "input   \(endpoint.name) (\(name)): \(try content(of: endpoint))\n"
      }
    }
    return text
  }

  /// Regular files are opened; anything else could not be read again by the run.
  private func content(of endpoint: Endpoint) throws(WorkpoolError) -> String {
    guard case .path(let path) = endpoint else { return "told by its content in the run" }
    var info = wpl_file_info()
    let result = wpl_file_info_at(path, 1, &info)
    if result == 0 && info.kind != Int32(WPL_KIND_REGULAR) && info.kind != Int32(WPL_KIND_FOLDER) {
      return "told by its content in the run"
    }
    let reader = try CompressedReader(path: path, options: job.plan.reader)
    var text = "\(reader.info.compression.name)"
    if job.hasReads {
      text += " \(try reader.recordFormat()?.name ?? "without records")"
    }
    if let size = reader.packedSize { text += ", \(Figures.grouped(size)) bytes" }
    return text
  }

  private func stages() -> String {
    var text = "stage   read and cut: serial\n"
    if job.hasReads { text += "stage   parse: parallel\n" }
    for stage in job.recipe?.stages ?? [] {
      text += "stage   \(stage.name): \(stage.kind == .parallel ? "parallel" : "serial")\n"
    }
    if job.hasReads { text += "stage   encode: parallel\n" }
    for command in job.plan.commands { text += "stage   command \(command.text): parallel\n" }
    if job.plan.outputs.contains(where: { $0.compression != .plain }) {
      text += "stage   gather: serial\nstage   pack: parallel\n"
    }
    return text + "stage   write: serial\n"
  }

  private func outputs() -> String {
    var text = ""
    for output in job.plan.outputs {
      let names = output.segments.map { job.segments[$0] }.joined(separator: ", ")
      text += "output  \(output.endpoint.name) (\(names)): \(output.compression.name)"
      if output.format == .fasta { text += " FASTA" }
      if output.compression != .plain {
        text += " level \(output.level ?? output.compression.defaultLevel)"
      }
      text += "\n"
    }
    for file in job.plan.sideFiles { text += "output  \(file.endpoint.name): \(file.owner)\n" }
    return text
  }

  private func limits() -> String {
    let workers = job.workers == 0 ? "none, serial" : String(job.workers)
    let bytes = job.plan.pipeline.maxBytesInFlight
    return "workers \(workers)\n"
      + "limits  \(job.plan.pipeline.maxBlocksInFlight) blocks, "
      + (bytes == 0 ? "" : "\(Size.text(bytes)) in blocks, ")
      + "\(Size.text(job.plan.maxRecord)) a record, "
      + "\(Size.text(Int(job.plan.reader.maxWindow))) a zstd window\n"
  }
}
