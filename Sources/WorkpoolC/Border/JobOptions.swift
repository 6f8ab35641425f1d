// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

extension OpaquePointer {
  var jobPool: JobPool { object() }
}

/// The pool behind a handle, if it belongs to this process.
func checkedJobs(_ handle: OpaquePointer?) throws(WorkpoolError) -> JobPool {
  let jobs = try required(handle, "jobs").jobPool
  try checkFork(jobs.forkGeneration)
  return jobs
}

func context(_ handle: OpaquePointer?) -> JobContext? { handle?.object() }

/// 1: on, −1: off, 0: the default.
private func isOn(_ value: Int32, _ standard: Bool) throws(WorkpoolError) -> Bool {
  switch value {
  case 0: return standard
  case 1: return true
  case -1: return false
  default: throw invalid("a switch is \(value), neither 1 nor -1")
  }
}

/// 0: the default, negative: none.
private func time(_ value: Int64, _ standard: Int64?) -> Int64? {
  value == 0 ? standard : value < 0 ? nil : value
}

private func requests(
  _ pointer: UnsafePointer<wp_pool_request>?, _ count: UInt32
) throws(WorkpoolError) -> [JobSpec.PoolRequest] {
  if count == 0 { return [] }
  guard let pointer else { throw invalid("pools is NULL, pool_count is \(count)") }
  var requests: [JobSpec.PoolRequest] = []
  for index in 0..<Int(count) {
    guard pointer[index].reserved == 0 else { throw invalid("reserved is not 0") }
    requests.append(
      JobSpec.PoolRequest(try text(pointer[index].name, "pool"), Int(pointer[index].count)))
  }
  return requests
}

extension JobPool.Options {
  init(_ given: wp_jobpool_options) throws(WorkpoolError) {
    self.init()
    if given.max_parallel_jobs > 0 { scheduling.limits.slots = Int(given.max_parallel_jobs) }
    scheduling.limits.ioSlots = Int(given.io_slots)
    scheduling.limits.heavyCPU = Int(given.heavy_cpu)
    scheduling.limits.heavyIO = Int(given.heavy_io)
    scheduling.limits.memory = given.memory
    scheduling.limits.pools = try requests(given.pools, given.pool_count)
    guard scheduling.limits.slots <= 1_000_000, scheduling.limits.ioSlots <= 1_000_000 else {
      throw invalid("a pool of jobs has at most 1000000 slots")
    }
    scheduling.maxFailures = Int(given.max_failures)
    scheduling.stopsNow = try isOn(given.stop_now, false)
    callsBack = try isOn(given.enable_callbacks, true)
    scheduling.usesPriorities = try isOn(given.priority_queue, true)
    scheduling.isDepthFirst = try isOn(given.depth_first, false)
    scheduling.inheritsPriority = try isOn(given.inherit_priority, false)
    scheduling.followsCriticalPath = try isOn(given.critical_path, false)
    scheduling.isPaused = try isOn(given.paused, false)
    if given.bypass_limit > 0 { scheduling.bypassLimit = Int(given.bypass_limit) }
    scheduling.maxQueued = Int(given.max_queued)
    if given.max_jobs > 0 { scheduling.maxJobs = Int(given.max_jobs) }
    scheduling.replaceAbandoned = Int(given.replace_abandoned)
    scheduling.retainFinished = Int(given.retain_finished)
    scheduling.grace = time(given.grace_ns, scheduling.grace) ?? .max
    scheduling.killGrace = time(given.kill_grace_ns, scheduling.killGrace) ?? .max
    callbackTimeout = time(given.callback_timeout_ns, callbackTimeout)
    scheduling.aging = max(0, given.aging_ns)
    scheduling.runDeadline = time(given.deadline_ns, nil).flatMap { Clock.deadline(after: $0) }
    token = try checkedToken(given.token)
    defaults.maxRetries = max(0, Int(given.max_retries))
    defaults.retryDelay = time(given.retry_delay_ns, defaults.retryDelay) ?? 0
    defaults.timeout = time(given.job_timeout_ns, defaults.timeout)
  }
}

extension JobLimits {
  /// What is given replaces what there was.
  mutating func change(_ given: wp_jobpool_limits) throws(WorkpoolError) {
    if given.max_parallel_jobs > 0 { slots = Int(given.max_parallel_jobs) }
    if given.io_slots > 0 { ioSlots = Int(given.io_slots) }
    if given.heavy_cpu > 0 { heavyCPU = Int(given.heavy_cpu) }
    if given.heavy_io > 0 { heavyIO = Int(given.heavy_io) }
    if given.memory > 0 { memory = given.memory }
    for request in try requests(given.pools, given.pool_count) {
      if let known = pools.firstIndex(where: { $0.name == request.name }) {
        pools[known].count = request.count
      } else {
        pools.append(request)
      }
    }
    guard slots <= 1_000_000, ioSlots <= 1_000_000 else {
      throw invalid("a pool of jobs has at most 1000000 slots")
    }
  }
}

extension JobSpec {
  init(_ given: wp_job_options, _ defaults: JobDefaults) throws(WorkpoolError) {
    self.init(given.id == nil ? "" : String(cString: given.id))
    guard let kind = Kind(rawValue: UInt8(clamping: given.kind)),
      let when = When(rawValue: UInt8(clamping: given.when)),
      let hint = Hint(rawValue: UInt8(clamping: given.hint))
    else { throw invalid("a kind, condition or hint is unknown") }
    if let name = given.name { self.name = String(cString: name) }
    self.kind = kind
    self.when = when
    self.hint = hint
    if given.dependency_count > 0 {
      dependencies = try texts(given.dependencies, Int(given.dependency_count), "dependencies")
    }
    allowsFailure = try isOn(given.allow_failure, false)
    priority = given.priority
    cpus = max(1, Int(given.cpus))
    memory = given.memory
    pools = try requests(given.pools, given.pool_count)
    retry.maxRetries =
      given.max_retries == 0 ? defaults.maxRetries : max(0, Int(given.max_retries))
    retry.delay = time(given.retry_delay_ns, defaults.retryDelay) ?? 0
    retry.maxDelay = time(given.retry_max_delay_ns, retry.maxDelay) ?? .max
    guard given.retry_factor >= 0, given.retry_factor < 1e9, 0...1 ~= given.retry_jitter else {
      throw invalid("retry_factor or retry_jitter is out of range")
    }
    if given.retry_factor > 0 { retry.factor = given.retry_factor }
    retry.jitter = given.retry_jitter
    guard given.retry_on <= WP_RETRY_ERROR | WP_RETRY_TIMEOUT | WP_RETRY_SIGNAL else {
      throw invalid("retry_on is \(given.retry_on)")
    }
    if given.retry_on > 0 { retry.kinds = RetryPolicy.Kinds(rawValue: UInt8(given.retry_on)) }
    if let codes = given.no_retry_exit {
      retry.finalExits = (0..<Int(given.no_retry_exit_count)).map { codes[$0] }
    }
    timeout = time(given.timeout_ns, defaults.timeout)
    deadline = time(given.deadline_ns, nil)
    grace = given.grace_ns < 0 ? .max : time(given.grace_ns, nil)
    expectedNanoseconds = max(0, given.expected_ns)
  }
}

/// A job with all that it calls. `destroy_context` is called when the pool lets go of it.
func makeJob(
  _ given: wp_job_options, _ defaults: JobDefaults, _ jobs: OpaquePointer
) throws(WorkpoolError) -> Job {
  let spec = try JobSpec(given, defaults)
  let job = Job(spec, try work(of: given, spec))
  let context = given.context
  func call(_ function: @escaping wp_job_end_fn) -> (JobHandle) -> Int32 {
    { function(context, jobs, $0.rawValue) }
  }
  if let function = given.on_complete { job.onComplete = call(function) }
  if let function = given.is_up_to_date {
    let call = call(function)
    job.isUpToDate = { call($0) == 1 }
  }
  if let function = given.cleanup {
    let call = call(function)
    job.cleanUp = { _ = call($0) }
  }
  job.token = try checkedToken(given.token)
  if given.output_count > 0 {
    job.outputs = try texts(given.outputs, Int(given.output_count), "outputs")
  }
  if jobs.jobPool.needsDefinitions {
    job.definition = try definitionHash(of: given, job.outputs, spec.dependencies)
  }
  return job
}

/// As `wpool run` makes it.
private func definitionHash(
  of given: wp_job_options, _ outputs: [String], _ dependencies: [String]
) throws(WorkpoolError) -> String {
  var definition = JobDefinition()
  definition.outputs = outputs
  definition.dependencies = dependencies
  if given.kind == WP_JOB_BATCH {
    let batch = try checkedBatch(given.batch)
    definition.arguments = batch.command
    definition.inputs = try itemTexts(given.items, given.item_count).map {
      String(decoding: $0, as: UTF8.self)
    }
  }
  if given.kind == WP_JOB_COMMAND {
    definition.arguments = try texts(given.argv, Int(given.argc), "words")
    if let folder = given.cwd { definition.folder = String(cString: folder) }
    if given.env_count > 0 {
      definition.environment = try texts(given.env, Int(given.env_count), "variables")
    }
    definition.input = given.stdin_path.map { String(cString: $0) }
  }
  if let text = given.definition { definition.text = String(cString: text) }
  return definition.hash
}

private func work(of given: wp_job_options, _ spec: JobSpec) throws(WorkpoolError) -> Job.Work {
  switch spec.kind {
  case .callback:
    guard let function = given.fn else { throw invalid("a callback job needs fn") }
    let context = given.context
    return .callback { job in
      let handle = OpaquePointer(Unmanaged.passUnretained(job).toOpaque())
      return outcome(of: function(context, handle), job)
    }
  case .command:
    var command = ChildCommand(try texts(given.argv, Int(given.argc), "words"))
    if given.env_count > 0 {
      command.environment = try texts(given.env, Int(given.env_count), "variables")
    }
    if let folder = given.cwd { command.folder = String(cString: folder) }
    if let path = given.stdin_path { command.input = String(cString: path) }
    if let path = given.stdout_path { command.output = .file(String(cString: path)) }
    if let path = given.stderr_path {
      let isSame = given.stdout_path.map { strcmp($0, path) == 0 } ?? false
      command.errors = isSame ? .sameAsOutput : .file(String(cString: path))
    }
    guard let rule = LeftoverRule(rawValue: Int32(clamping: given.on_leftover)) else {
      throw invalid("on_leftover is \(given.on_leftover)")
    }
    command.leftovers = rule
    // The scheduler says when it is to be killed.
    command.killGrace = .max
    let made = command
    return .detached(
      CommandWork(warn: { context, text in context.warn(text) }) { _ in made })
  case .pipeline:
    return .detached(PipelineWork(try required(given.pipeline, "pipeline").pipeline))
  case .batch:
    let batch = try checkedBatch(given.batch)
    let items = try itemTexts(given.items, given.item_count)
    return .detached(
      BatchWork(
        batch.run, items, begins: { batch.begin() }, finished: { batch.tell($0, $1) },
        ends: { results, _ in batch.end(results) }))
  }
}

/// What a function's answer means.
private func outcome(of code: Int32, _ job: JobContext) -> JobOutcome {
  if code == WP_OK { return .completed }
  if code == WP_CANCELLED { return JobOutcome(.cancelled, code, job.errorText) }
  var text = job.errorText
  if text.isEmpty && code > WP_USER_CODE { text = "\(Status(rawValue: code).text)" }
  var outcome = JobOutcome(job.isException ? .exception : .error, code, text)
  outcome.mayRetry = code != WP_NO_RETRY
  return outcome
}

/// A file of that text in place of whatever has the name.
func replaceFile(_ path: String, with text: String) throws(WorkpoolError) {
  var options = FileWriter.Options()
  options.compression = .plain
  options.outputSet.allowsOverwrite = true
  let file = try FileWriter(.path(path), options)
  do throws(WorkpoolError) {
    let bytes = Array(text.utf8)
    var failure: WorkpoolError?
    bytes.withUnsafeBytes { bytes in
      do throws(WorkpoolError) {
        try file.write(bytes)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    _ = try file.finish()
  } catch {
    file.abandon()
    throw error
  }
}

/// Gives a text to a caller: as much as fits, and its whole length.
func give(
  _ text: String, _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int,
  _ length: UnsafeMutablePointer<Int>?
) throws(WorkpoolError) {
  guard buffer != nil || size == 0 else { throw invalid("buffer is NULL") }
  length?.pointee = text.utf8.count
  guard let buffer, size > 0 else { return }
  copy(text, into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
}
