// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a pool is doing.
public struct JobStatus: Sendable {
  public var runningJobs = 0
  /// Accepted and not running.
  public var queueSize = 0
  /// Terminal.
  public var totalProcessed = 0
  /// By state.
  public var counts = [Int](repeating: 0, count: JobState.count)
  public var slots = 0
  public var ioSlots = 0
  /// Callbacks that can run at once: on a shared pool no more than it has workers.
  public var effectiveSlots = 0
  public var usedSlots = 0
  public var usedMemory: UInt64 = 0
  public var abandonedRunning = 0
  public var callbackErrors = 0
}

/// What came of its jobs; times in seconds.
public struct JobMetrics: Sendable {
  public var totalProcessed = 0
  /// From ready to the first start.
  public var averageWait = 0.0
  /// From submitted to ready.
  public var averageDependency = 0.0
  /// Of an attempt.
  public var averageExecution = 0.0
  /// Of those that completed, failed or timed out; 1 if there are none.
  public var successRate = 1.0
  public var retries = 0
  public var timeouts = 0
  public var crashes = 0
  public var peakRunning = 0
  /// Bytes that running jobs had declared.
  public var peakMemory: UInt64 = 0
  public var cpuSeconds = 0.0
  /// Sum of executions / time from the first start to the last end.
  public var parallelismFactor = 0.0
  /// Of that time and all slots.
  public var slotUse = 0.0
  /// Of the attempts that are still known.
  public var medianExecution = 0.0
  public var execution95 = 0.0
}

extension Scheduler {
  public func metrics(at now: Int64) -> JobMetrics {
    var metrics = JobMetrics()
    let second = 1e9
    let sums = numbers
    metrics.totalProcessed = sums.processed
    let started = Double(max(1, sums.startedJobs))
    metrics.averageWait = Double(sums.waitNanoseconds) / started / second
    metrics.averageDependency = Double(sums.dependencyNanoseconds) / started / second
    metrics.averageExecution =
      Double(sums.executionNanoseconds) / Double(max(1, sums.attempts)) / second
    let good = sums.ended[0]
    let bad = sums.ended[1] + sums.ended[2]
    metrics.successRate = good + bad == 0 ? 1 : Double(good) / Double(good + bad)
    metrics.retries = sums.retries
    metrics.timeouts = sums.timeouts
    metrics.crashes = sums.crashes
    metrics.peakRunning = sums.peakRunning
    metrics.peakMemory = resources.peakMemory
    metrics.cpuSeconds = Double(sums.cpuNanoseconds) / second
    if let first = sums.firstStart {
      let wall = Double(max(1, (count(.running) > 0 ? now : sums.lastEnd) - first))
      metrics.parallelismFactor = Double(sums.executionNanoseconds) / wall
      metrics.slotUse =
        Double(sums.slotNanoseconds) / wall / Double(resources.slots + resources.ioSlots)
    }
    var lengths: [Int64] = []
    for handle in kept {
      for attempt in attempts(handle) where attempt.end > 0 {
        lengths.append(attempt.end - attempt.start)
      }
    }
    lengths.sort()
    if !lengths.isEmpty {
      metrics.medianExecution = Double(lengths[lengths.count / 2]) / second
      metrics.execution95 =
        Double(lengths[min(lengths.count - 1, lengths.count * 95 / 100)]) / second
    }
    return metrics
  }
}

extension JobPool {
  public var status: JobStatus {
    let effective = effectiveSlots
    return locked {
      var status = JobStatus()
      status.runningJobs = scheduler.count(.running)
      status.queueSize = scheduler.queued
      status.totalProcessed = scheduler.numbers.processed
      status.counts = scheduler.counts
      status.slots = scheduler.resources.slots
      status.ioSlots = scheduler.resources.ioSlots
      status.effectiveSlots = effective
      status.usedSlots = scheduler.resources.usedSlots + scheduler.resources.usedIOSlots
      status.usedMemory = scheduler.resources.usedMemory
      status.abandonedRunning = scheduler.numbers.abandonedRunning
      status.callbackErrors = callbackErrors
      return status
    }
  }

  /// Looks at every attempt that is known, without keeping jobs from running meanwhile.
  public var metrics: JobMetrics {
    let (copy, now) = locked { (scheduler, Clock.now) }
    return copy.metrics(at: now)
  }

  /// Times count from the beginning of the pool.
  public var chart: JobChart {
    let (copy, now) = locked { (scheduler, Clock.now) }
    return copy.chart(from: birth, until: now)
  }
}
