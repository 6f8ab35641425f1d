// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

func checkFork(_ pipeline: OpaquePointer) throws(WorkpoolError) {
  if let pool = pipeline.pipeline.pool { try checkFork(pool) }
}

/// The pipeline behind a handle, if it belongs to this process.
func checked(_ handle: OpaquePointer?) throws(WorkpoolError) -> Pipeline {
  let handle = try required(handle, "pipeline")
  try checkFork(handle)
  return handle.pipeline
}

func pipelineOptions(
  _ pointer: UnsafePointer<wp_pipeline_options>?
) throws(WorkpoolError) -> Pipeline.Options {
  let given = try read(pointer, wp_pipeline_options())
  try checkFlags(
    given.flags,
    known: WP_PIPELINE_SERIAL_REFERENCE | WP_PIPELINE_COLLECT_ERRORS | WP_PIPELINE_PULL_RESULTS
      | WP_PIPELINE_READER_IS_ANOTHER_THREAD | WP_PIPELINE_UNORDERED
      | WP_PIPELINE_CANCEL_WHEN_STUCK)
  var options = Pipeline.Options()
  options.isSerialReference = given.flags & WP_PIPELINE_SERIAL_REFERENCE != 0
  options.collectsErrors = given.flags & WP_PIPELINE_COLLECT_ERRORS != 0
  options.pullsResults = given.flags & WP_PIPELINE_PULL_RESULTS != 0
  options.deliversUnordered = given.flags & WP_PIPELINE_UNORDERED != 0
  options.readerIsAnotherThread = given.flags & WP_PIPELINE_READER_IS_ANOTHER_THREAD != 0
  if given.max_blocks_in_flight != 0 {
    options.maxBlocksInFlight = Int(given.max_blocks_in_flight)
  }
  options.windowCapacity = Int(given.window_capacity)
  options.maxBytesInFlight = Int(clamping: given.max_bytes_in_flight)
  if given.max_errors_kept != 0 { options.maxErrorsKept = Int(given.max_errors_kept) }
  options.maxFailures = given.max_failures
  options.token = try checkedToken(given.token)
  options.runTimeoutNanoseconds = given.run_timeout_ns
  if given.weight != 0 { options.weight = Int(given.weight) }
  options.stuckAfterNanoseconds = given.stuck_after_ns
  options.cancelsWhenStuck = given.flags & WP_PIPELINE_CANCEL_WHEN_STUCK != 0
  if let onStuck = given.on_stuck {
    let context = given.stuck_context
    options.onStuck = { dump in dump.withCString { onStuck(context, $0) } }
  }
  guard let statistics = StatisticsLevel(rawValue: given.statistics) else {
    throw invalid("there is no level \(given.statistics) of statistics")
  }
  options.statistics = statistics
  options.timelineEvents = Int(given.timeline_events)
  return options
}

func stage(
  _ pointer: UnsafePointer<wp_stage_options>?, _ name: String, kind fixed: StageKind?
) throws(WorkpoolError) -> Stage {
  guard let pointer else { throw invalid("a stage needs options") }
  let given = try read(pointer, wp_stage_options())
  try checkFlags(given.flags, known: WP_STAGE_SEE_ALL | WP_STAGE_MAY_BLOCK)
  guard let function = given.fn else { throw invalid("fn is NULL") }
  guard let kind = fixed ?? StageKind(rawValue: given.kind) else {
    throw invalid("there is no stage kind \(given.kind)")
  }
  guard kind == .parallel || given.max_concurrency == 0 else {
    throw invalid("max_concurrency is for parallel stages")
  }
  // The same function type, but for the names of the structs behind its pointers.
  var stage = Stage(
    given.name.map { String(cString: $0) } ?? name, kind, context: given.context,
    unsafeBitCast(function, to: Stage.Function.self))
  stage.destroyContext = given.destroy_context
  stage.maxConcurrency = Int(given.max_concurrency)
  stage.maxBatch = Int(given.max_batch)
  stage.seesAll = given.flags & WP_STAGE_SEE_ALL != 0
  stage.mayBlock = given.flags & WP_STAGE_MAY_BLOCK != 0
  stage.workerStart = given.worker_start
  stage.workerFinish = given.worker_finish
  stage.finish = given.finish
  return stage
}

func submission(_ pointer: UnsafePointer<wp_payload>?) throws(WorkpoolError) -> Submission {
  guard let given = pointer?.pointee else { throw invalid("payload is NULL") }
  guard given.size >= 0, given.data != nil || given.size == 0 else {
    throw invalid("size without data")
  }
  var submission = Submission()
  submission.data = given.data
  submission.size = given.size
  submission.release = given.release
  submission.releaseContext = given.release_context
  submission.meta = given.meta
  submission.weight = given.weight
  return submission
}
