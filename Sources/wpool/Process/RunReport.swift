// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// What a run did, for programs: the file of `--report-json`.
enum RunReport {
  static func json(
    _ job: ProcessJob, _ report: ProcessReport, _ times: RunClock.Times, _ code: ExitCode
  ) -> String {
    JSON.object([
      ("version", JSON(VersionCommand.number)),
      ("command", .array(CommandLine.arguments.map { JSON($0) })),
      ("status", JSON(code == .success ? "ok" : "failed")),
      ("exit_code", JSON(Int(code.rawValue))),
      ("error", report.error.map { error($0) } ?? .null),
      ("stopped_early", .bool(report.status == .stopped)),
      (
        "times",
        .object([
          ("start", JSON(times.start)), ("wall_seconds", .number(times.wallSeconds)),
          ("run_seconds", .number(Double(report.wallNanoseconds) / 1e9)),
          ("cpu_seconds", .number(times.cpuSeconds)),
        ])
      ),
      ("workers", JSON(job.workers)),
      ("limits", limits(job)),
      ("reads", change(report.readsIn, report.readsOut)),
      ("bases", change(report.basesIn, report.basesOut)),
      ("inputs", .array(report.inputs.map { input($0.endpoint, $0.info) })),
      (
        "outputs",
        .array(
          report.outputs.map {
            .object([
              ("path", JSON($0.endpoint.name)), ("bytes", JSON($0.bytes)),
              ("packed_bytes", JSON($0.packedBytes)),
            ])
          })
      ),
      ("steps", .array(report.steps.map { step($0.name, $0.number, $0.counters) })),
      ("stages", stages(report)),
      ("engine", engine(report.pipeline)),
      ("worker_times", .array(report.workers.map { worker($0) })),
      ("notes", .array(report.notes.map { JSON($0) })),
    ]).page
  }

  private static func error(_ error: WorkpoolError) -> JSON {
    .object([
      ("code", JSON(error.status.name.description)), ("message", JSON(error.message)),
      ("path", JSON(error.path)), ("place", JSON(error.place)),
      ("errno", JSON(Int(error.systemError))), ("text", JSON(error.text)),
    ])
  }

  private static func limits(_ job: ProcessJob) -> JSON {
    .object([
      ("max_blocks", JSON(job.plan.pipeline.maxBlocksInFlight)),
      (
        "max_bytes",
        job.plan.pipeline.maxBytesInFlight == 0 ? .null : JSON(job.plan.pipeline.maxBytesInFlight)
      ),
      ("max_record", JSON(job.plan.maxRecord)),
      ("zstd_window", JSON(job.plan.reader.maxWindow)),
    ])
  }

  private static func change(_ before: UInt64, _ after: UInt64) -> JSON {
    .object([("in", JSON(before)), ("out", JSON(after))])
  }

  private static func input(_ endpoint: Endpoint, _ info: StreamInfo) -> JSON {
    .object([
      ("path", JSON(endpoint.name)), ("codec", JSON(info.compression.name.description)),
      ("format", info.records.map { JSON($0.name.description) } ?? .null),
      ("parts", JSON(info.parts)), ("packed_bytes", JSON(info.packedBytes)),
      ("bytes", JSON(info.decodedBytes)),
    ])
  }

  private static func step(_ name: String, _ number: Int?, _ counters: StepCounters) -> JSON {
    .object([
      ("number", number.map { JSON($0) } ?? .null), ("name", JSON(name)),
      ("reads_in", JSON(counters.readsIn)), ("reads_out", JSON(counters.readsOut)),
      ("bases_in", JSON(counters.basesIn)), ("bases_out", JSON(counters.basesOut)),
    ])
  }

  static func stages(_ report: ProcessReport) -> JSON { .array(report.stages.map { stage($0) }) }

  private static func stage(_ stage: StageStatistics) -> JSON {
    .object([
      ("name", JSON(stage.name)), ("kind", JSON(stage.kind.name)), ("calls", JSON(stage.calls)),
      ("blocks_in", JSON(stage.blocksIn)), ("blocks_out", JSON(stage.blocksOut)),
      ("blocks_dropped", JSON(stage.blocksDropped)), ("blocks_cut", JSON(stage.blocksCut)),
      ("blocks_failed", JSON(stage.blocksFailed)),
      ("bytes_in", JSON(stage.bytesIn)), ("bytes_out", JSON(stage.bytesOut)),
      ("busy_seconds", seconds(stage.busyNanoseconds)),
      ("cpu_seconds", seconds(stage.cpuNanoseconds)), ("timed_calls", JSON(stage.timedCalls)),
      ("call_min_seconds", seconds(stage.minNanoseconds)),
      ("call_max_seconds", seconds(stage.maxNanoseconds)),
      ("call_p50_seconds", seconds(stage.p50Nanoseconds)),
      ("call_p99_seconds", seconds(stage.p99Nanoseconds)),
      ("order_wait_seconds", seconds(stage.orderWaitNanoseconds)),
      ("place_wait_seconds", seconds(stage.placeWaitNanoseconds)),
      ("parked", JSON(stage.parked)), ("parked_max", JSON(stage.parkedMax)),
      ("concurrency_max", JSON(stage.concurrencyMax)),
    ])
  }

  private static func engine(_ statistics: PipelineStatistics) -> JSON {
    .object([
      ("wall_seconds", seconds(statistics.wallNanoseconds)),
      ("blocks_in", JSON(statistics.blocksIn)), ("blocks_out", JSON(statistics.blocksOut)),
      ("bytes_in", JSON(statistics.bytesIn)), ("bytes_out", JSON(statistics.bytesOut)),
      ("in_flight_max", JSON(statistics.inFlightMax)),
      ("bytes_in_flight_max", JSON(statistics.bytesInFlightMax)),
      ("limit", JSON(statistics.limit)),
      ("throttled_seconds", seconds(statistics.throttledNanoseconds)),
      ("starved_seconds", seconds(statistics.starvedNanoseconds)),
      ("carried", JSON(statistics.carried)), ("handed_over", JSON(statistics.handedOver)),
      ("wakes", JSON(statistics.wakes)),
      ("bottleneck_stage", statistics.bottleneckStage.map { JSON($0) } ?? .null),
    ])
  }

  private static func worker(_ worker: WorkerStatistics) -> JSON {
    .object([
      ("wall_seconds", seconds(worker.wallNanoseconds)),
      ("busy_seconds", seconds(worker.busyNanoseconds)),
      ("blocked_seconds", seconds(worker.blockedNanoseconds)),
      ("engine_seconds", seconds(worker.engineNanoseconds)),
      ("idle_seconds", seconds(worker.idleNanoseconds)),
      ("calls", JSON(worker.calls)), ("wakes", JSON(worker.wakes)),
    ])
  }

  private static func seconds(_ nanoseconds: UInt64) -> JSON {
    .number(Double(nanoseconds) / 1e9)
  }
}
