// SPDX-License-Identifier: MIT

/// Sums over a pool's life.
public struct JobNumbers: Sendable {
  /// From accepted to the first start, without the time after it became ready, and the rest.
  public internal(set) var dependencyNanoseconds: Int64 = 0
  public internal(set) var waitNanoseconds: Int64 = 0
  public internal(set) var startedJobs = 0
  public internal(set) var firstStart: Int64?
  public internal(set) var lastEnd: Int64 = 0
  public internal(set) var executionNanoseconds: Int64 = 0
  public internal(set) var attempts = 0
  public internal(set) var slotNanoseconds: Int64 = 0
  public internal(set) var cpuNanoseconds: Int64 = 0
  public internal(set) var retries = 0
  public internal(set) var timeouts = 0
  public internal(set) var crashes = 0
  public internal(set) var peakRunning = 0
  public internal(set) var abandonedRunning = 0
  /// Of those.
  public internal(set) var replaced = 0
  public internal(set) var cleaningUp = 0
  /// Terminal jobs, also those that are forgotten.
  public internal(set) var processed = 0
  /// Terminal jobs by state, from `completed` on.
  public internal(set) var ended = [Int](repeating: 0, count: 5)
  /// Failed, timed out or cancelled without leave.
  public internal(set) var unsatisfied = 0

  public init() {}
}
