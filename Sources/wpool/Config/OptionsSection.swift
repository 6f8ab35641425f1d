// SPDX-License-Identifier: MIT
import Workpool

/// `[options]`.
struct OptionsSection {
  var threads: Int?
  var maxBlocks: Int?
  var blockSize = 10_000
  var acceptsDuplicateFiles = false
  var checksPairing = true
  var outputFailure: (afterBytes: UInt64, systemError: Int32)?

  init() {}

  init(_ section: SectionReader, isInterleaved: Bool, _ problems: inout ConfigurationProblems) {
    var section = section
    threads = section.int("threads", alias: "thread_count", 1...Pool.mostWorkers, &problems)
    maxBlocks = section.int("max_blocks_in_flight", 1...Pipeline.mostBlocksInFlight, &problems)
    let size = section.int("block_size", 1...Int.max, &problems)
    if let size { blockSize = size }
    if isInterleaved, let size, size % 2 != 0 {
      section.report(
        "block_size", "block_size = \(size) must be even for interleaved input", &problems)
    }
    // Of no effect on any result: sizes that this program chooses itself.
    _ = section.int("buffer_size", 1...Int.max, &problems)
    _ = section.int("output_buffer_size", 1...Int.max, &problems)
    acceptsDuplicateFiles = section.bool("accept_duplicate_files", &problems) ?? false
    checksPairing = section.bool("spot_check_read_pairing", &problems) ?? true
    if let failures = section.take("debug_failures", problems: &problems) {
      outputFailure = DebugFailures.read(failures, section.path, &problems)
    }
    section.refuseRest(&problems)
  }
}
