// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

extension wp_progress {
  init(_ progress: PipelineProgress) {
    self.init(
      struct_size: UInt32(MemoryLayout<wp_progress>.size),
      flags: progress.isLast ? WP_PROGRESS_LAST : 0, wall_ns: progress.wallNanoseconds,
      blocks_in: progress.blocksIn, blocks_out: progress.blocksOut, bytes_in: progress.bytesIn,
      bytes_out: progress.bytesOut, in_flight: progress.inFlight,
      total_blocks: progress.totalBlocks ?? .max, total_bytes: progress.totalBytes ?? .max,
      blocks_per_second: progress.blocksPerSecond, bytes_per_second: progress.bytesPerSecond,
      eta_ns: progress.remainingNanoseconds ?? .max)
  }
}
