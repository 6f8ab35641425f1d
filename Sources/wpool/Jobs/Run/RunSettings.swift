// SPDX-License-Identifier: MIT
import Workpool

/// How a plan is carried out: what flags, environment and file say together.
struct RunSettings {
  enum OutputForm { case group, line, none }

  var workers = 1
  /// Neither flag nor environment said how many.
  var workersAreDefault = false
  var ioWorkers = 0
  var memory: UInt64 = 0
  var gate = StartGate()
  var shard: ShardChoice?
  var merged: MergedShards?
  var runsOversizedAlone = false
  var keepsGoing = false
  var givenMaxFailures: Int?
  /// 0: any number.
  var maxFailures = 1
  var stopsNow = false
  var deadline: Int64?
  var order = OrderChoice.file
  var aging: Int64 = 0
  /// By id: nanoseconds that it took before.
  var knownTimes: [String: Int64] = [:]

  var logFolder = ".wpool/runs"
  var runID: String?
  var sync = JournalWriter.Sync.group
  var timeline: String?

  var usesCache = true
  var isForced = false
  var explains = false

  var progress = ProgressChoice.auto
  var progressDescriptor: Int32 = 2
  var status: StatusFormat?
  var isQuiet = false
  var output = OutputForm.group
  var tags = false
  var keepsOrder = false

  /// Of the command line, for the record.
  var arguments: [String] = []
  /// As named on the command line.
  var file: String?

  /// What lines of a job's output begin with, if they are to be told apart.
  func tag(_ job: PlannedJob) -> String { job.words ?? job.id }

  /// With no time known, all count the same.
  func expectedTime(_ id: String) -> Int64 { knownTimes[id] ?? (knownTimes.isEmpty ? 1 : 0) }

  func limits(_ plan: JobPlan) -> JobLimits {
    var limits = JobLimits()
    limits.slots = min(workers, plan.limits.maxWorkers ?? .max)
    limits.ioSlots = ioWorkers
    limits.memory = memory > 0 ? memory : plan.limits.memory ?? 0
    limits.heavyCPU = plan.limits.heavyCPU ?? 0
    limits.heavyIO = plan.limits.heavyIO ?? 0
    limits.pools = plan.limits.pools
    limits.pools.append(JobSpec.PoolRequest(PlanSpecs.consolePool, 1))
    for stage in plan.stages {
      if let cap = stage.maxWorkers {
        limits.pools.append(JobSpec.PoolRequest("stage:" + stage.name, cap))
      }
    }
    return limits
  }

  func scheduler(_ plan: JobPlan, now: Int64) -> Scheduler {
    var options = Scheduler.Options()
    options.limits = limits(plan)
    options.maxFailures = maxFailures
    options.stopsNow = stopsNow
    options.runsOversizedAlone = runsOversizedAlone
    options.waitsForChecks = true
    options.isPaused = gate.isNeeded
    options.isDepthFirst = order == .depth
    options.followsCriticalPath = order == .critical
    options.aging = aging
    if let deadline = deadline ?? plan.deadline {
      let (due, overflow) = now.addingReportingOverflow(deadline)
      options.runDeadline = overflow ? nil : due
    }
    return Scheduler(options)
  }
}

/// A plan as the scheduler takes it.
enum PlanSpecs {
  /// One job at a time has the terminal.
  static let consolePool = "stage:console"

  static func barrierID(_ stage: JobPlan.Stage) -> String { "stage:" + stage.name }
  static func isBarrier(_ id: String) -> Bool { id.hasPrefix("stage:") }

  static func spec(_ place: Int, _ plan: JobPlan, _ slots: Int) -> JobSpec {
    let job = plan.jobs[place]
    let settings = job.settings
    var spec = JobSpec(job.id)
    spec.kind = .command
    spec.dependencies = job.dependencies.map { plan.jobs[$0].id }
    spec.when = job.when
    spec.allowsFailure = settings.allowFailure ?? false
    spec.priority = settings.priority ?? 0
    spec.hint = settings.hint ?? .lightCPU
    spec.cpus = settings.cpus ?? 1
    spec.memory = settings.memory ?? 0
    spec.pools = settings.pools ?? []
    spec.retry.maxRetries = settings.retries ?? 0
    spec.retry.delay = settings.retryDelay ?? 0
    spec.retry.factor = settings.retryBackoff ?? 1
    spec.retry.maxDelay = settings.retryMaxDelay ?? 60_000_000_000
    spec.retry.jitter = settings.retryJitter ?? 0
    spec.retry.kinds = settings.retryOn ?? .all
    spec.retry.finalExits = settings.noRetryExit ?? [126, 127]
    spec.timeout = settings.timeout
    spec.deadline = settings.deadline
    spec.grace = settings.killGrace ?? ChildCommand([]).killGrace
    if job.ownsConsole { spec.pools.append(JobSpec.PoolRequest(consolePool)) }
    if let stage = job.stage {
      spec.countsForStop = plan.stages[stage].countsFailures
      if let cap = plan.stages[stage].maxWorkers {
        // A job that takes more slots than the stage may have is alone in it.
        spec.pools.append(JobSpec.PoolRequest(barrierID(plan.stages[stage]), min(spec.cpus, cap)))
      }
      if !plan.barrier(of: place).isEmpty { spec.orderOnly = [barrierID(plan.stages[stage])] }
    }
    return spec
  }

  /// Of a stage: over when the stage before is, whatever came of it. It never runs itself.
  static func barriers(_ plan: JobPlan) -> [JobSpec] {
    plan.stages.compactMap { stage in
      guard let first = stage.jobs.first else { return nil }
      let before = plan.barrier(of: first)
      guard !before.isEmpty else { return nil }
      var spec = JobSpec(barrierID(stage))
      spec.dependencies = before.map { plan.jobs[$0].id }
      spec.when = .always
      spec.skip = .resumed
      return spec
    }
  }
}
