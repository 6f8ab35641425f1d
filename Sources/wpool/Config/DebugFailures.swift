// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// `options.debug_failures`: outputs that fail as on a full disk, for tests of what follows a run.
enum DebugFailures {
  private static let kinds = [["disk_full"], ["other"], ["raw_os"]]

  /// - Returns: after how many bytes every output fails, and with which errno; nil without a key.
  static func read(
    _ member: StepParameter, _ path: [String], _ problems: inout ConfigurationProblems
  ) -> (afterBytes: UInt64, systemError: Int32)? {
    guard case .table(let members) = member.value else {
      problems.report(
        path + [member.key], "[options]: debug_failures is not what is needed: a table")
      return nil
    }
    var section = SectionReader(
      title: "[options.debug_failures]", path: path + [member.key], members)
    let bytes = section.int("fail_output_after_bytes", 0...Int.max, &problems)
    let kind = section.choice("fail_output_error", kinds, &problems)
    let code = section.int("fail_output_raw_os_code", 1...Int(Int32.max), &problems)
    if kind == 2 && code == nil {
      section.report(
        "fail_output_error", "fail_output_error = \"raw_os\" needs fail_output_raw_os_code",
        &problems)
    } else if code != nil && kind != 2 {
      section.report(
        "fail_output_raw_os_code",
        "fail_output_raw_os_code needs fail_output_error = \"raw_os\"", &problems)
    }
    if bytes == nil && (kind != nil || code != nil) {
      section.report(
        "", "fail_output_after_bytes is missing: integer from 0", &problems)
    }
    section.refuseRest(&problems)
    guard let bytes else { return nil }
    let error = kind == 2 ? Int32(code ?? 0) : kind == 1 ? EIO : ENOSPC
    return (UInt64(bytes), error)
  }
}
