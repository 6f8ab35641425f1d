// SPDX-License-Identifier: MIT

/// What all running jobs together may hold. May change while they run.
public struct JobLimits: Sendable {
  /// `max_parallel_jobs`; with `ioSlots` those of CPU jobs alone.
  public var slots = 3
  /// Slots that only I/O jobs take, and they no others; 0: all jobs share `slots`.
  public var ioSlots = 0
  /// Bytes; 0: any number.
  public var memory: UInt64 = 0
  /// Units of `heavy_cpu` and `heavy_io`; 0: as many as slots, and half the slots I/O jobs may use.
  public var heavyCPU = 0
  public var heavyIO = 0
  public var pools: [JobSpec.PoolRequest] = []

  public init() {}
}
