// SPDX-License-Identifier: MIT
import Workpool

/// `[benchmark]`: the steps alone, on the first block of the input again and again.
struct BenchmarkSection {
  var isEnabled = false
  var moleculeCount = 1
  let path: [String]

  init(_ section: SectionReader, _ problems: inout ConfigurationProblems) {
    var section = section
    path = section.path
    isEnabled = section.bool("enable", &problems) ?? false
    if let count = section.int("molecule_count", 1...Int.max, &problems) {
      moleculeCount = count
    } else if !section.wasGiven("molecule_count") {
      section.report(
        "", "molecule_count is missing: integer from 1, how many reads have to pass", &problems)
    }
    section.refuseRest(&problems)
  }
}
