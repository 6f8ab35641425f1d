// SPDX-License-Identifier: MIT
import WorkpoolCore

/// A hash that is taken while an output is written, and the file that gets it.
final class OutputHash {
  var sha = SHA256()
  /// Number of the file among those besides the reads.
  let file: Int

  init(file: Int) { self.file = file }
}
