// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolPipeline

/// The errors of a run's stages as they were: the engine has room for 255 bytes of their text.
///
/// Threads: any.
final class RunFailures: @unchecked Sendable {
  private let monitor: Monitor
  // Under the lock.
  private var failures: [(number: UInt64, stage: Int, error: WorkpoolError)] = []

  init() throws(WorkpoolError) { monitor = try Monitor() }
  deinit { monitor.destroy() }

  /// Runs `body` for a block in a stage and keeps its error.
  func keeping(
    _ block: UnsafeMutablePointer<Block>, _ stage: Int,
    _ body: () throws(WorkpoolError) -> StageAnswer
  ) throws(WorkpoolError) -> StageAnswer {
    do throws(WorkpoolError) {
      return try body()
    } catch {
      monitor.lock()
      failures.append((block.pointee.number, stage, error))
      monitor.unlock()
      throw error
    }
  }

  /// After the run: what a block failed with in a stage.
  func error(of number: UInt64?, stage: Int?) -> WorkpoolError? {
    failures.first { $0.number == number && $0.stage == stage }?.error
  }
}
